//! A run that is asked to end: what it was doing is dropped, which removes its temporary files.

use super::error::{Kind, RegistryError, Result};

/// The result of the work, or an error where a signal came first.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        signal = signal() => {
            let message = format!("stopped by {signal}: no tag and no index.json was written");
            Err(RegistryError::new(Kind::Refused, message)
                .help("run again to go on: what is complete is not fetched or sent again"))
        }
    }
}

#[cfg(unix)]
async fn signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        found = tokio::signal::ctrl_c() => if found.is_ok() { "SIGINT" } else { std::future::pending().await },
        _ = terminate.recv() => "SIGTERM",
        _ = hang_up.recv() => "SIGHUP",
    }
}

#[cfg(not(unix))]
async fn signal() -> &'static str {
    if tokio::signal::ctrl_c().await.is_ok() { "Ctrl-C" } else { std::future::pending().await }
}
