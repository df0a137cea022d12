//! What runs in a pod has in common: one HTTP server, one registry of metrics, one health page, one log. The controller and
//! the webhook stand on it and know nothing of each other here.

pub mod connections;
pub mod health;
pub mod logging;
pub mod metrics;
pub mod policy_files;
pub mod slots;
#[cfg(feature = "otlp")]
pub mod traces;

use clap::Args;
use tokio::sync::watch;

use crate::exit::Failure;

/// Where health and metrics are served.
#[derive(Debug, Clone, Default, Args)]
pub struct HealthArgs {
    /// Where /healthz, /readyz and /metrics are served, over plain HTTP [default: port 8080; in a pod on all addresses,
    /// elsewhere on loopback]
    #[arg(long, value_name = "ADDRESS")]
    health_address: Option<String>,
}

impl HealthArgs {
    /// The address.
    pub fn address(&self) -> String {
        address(self.health_address.as_deref(), 8080)
    }
}

/// The address that was asked for. By default a process outside of a pod is reachable from its own machine alone.
pub fn address(asked: Option<&str>, port: u16) -> String {
    // The kubelet sets it in every container.
    address_in(std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(), asked, port)
}

fn address_in(in_pod: bool, asked: Option<&str>, port: u16) -> String {
    let all = if in_pod { "0.0.0.0" } else { "127.0.0.1" };
    asked.map_or_else(|| format!("{all}:{port}"), str::to_owned)
}

/// Becomes true at SIGTERM or SIGINT, on Windows at Ctrl-C, Ctrl-Break or when the console closes.
///
/// # Errors
/// Signals cannot be waited for.
pub fn stop_signal() -> Result<watch::Receiver<bool>, Failure> {
    let (sender, stop) = watch::channel(false);
    let asked = asked_to_end().map_err(|error| Failure::Io("wait for signals".into(), error))?;
    tokio::spawn(async move {
        asked.await;
        sender.send_replace(true);
        // A dropped sender would look like a signal that never came.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}

/// Waits from now on until this process is asked to end.
#[cfg(unix)]
fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Waits from now on until this process is asked to end.
#[cfg(windows)]
fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
    let (mut interrupt, mut stop, mut close) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = stop.recv() => {}
            _ = close.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::address_in;

    /// A controller that somebody tries on his own machine must not be open to the whole network.
    #[test]
    fn outside_of_a_pod_nobody_else_gets_in() {
        for (in_pod, asked, expected) in [
            (false, None, "127.0.0.1:8080"),
            (true, None, "0.0.0.0:8080"),
            (false, Some("0.0.0.0:1"), "0.0.0.0:1"),
            (true, Some("[::1]:2"), "[::1]:2"),
        ] {
            assert_eq!(address_in(in_pod, asked, 8080), expected);
        }
    }
}
