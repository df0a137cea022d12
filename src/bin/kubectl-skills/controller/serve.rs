//! `/healthz`, `/readyz` and `/metrics` over plain HTTP. Answers only what is known in memory; no request reaches the API
//! server from here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::metrics::Metrics;

/// Without a sign of life from the loop for so long, it counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// Connections at the same time; more wait in the backlog.
const CONNECTIONS: usize = 32;
/// How long a connection may stay.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// What runs in the same process and is told of on the same pages: the webhook.
pub trait Beside: Send + Sync {
    /// Why it is not ready, where it is not.
    fn unready(&self) -> Option<&'static str>;
    /// Its numbers as Prometheus text.
    fn metrics(&self) -> String;
}

/// What the loop says of itself, and who else runs.
pub struct Health {
    started: Instant,
    /// Milliseconds since `started` of the loop's last turn.
    turned: AtomicU64,
    ready: AtomicBool,
    beside: OnceLock<Arc<dyn Beside>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            turned: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            beside: OnceLock::new(),
        }
    }
}

impl Health {
    /// The loop turned.
    pub fn turn(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned.store(millis, Ordering::Relaxed);
    }

    /// Whether everything that is watched has been seen and the gates are known.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Takes in what runs beside the loop; from now on the process is ready when both are. The first one stays.
    pub fn set_beside(&self, beside: Arc<dyn Beside>) {
        let _ = self.beside.set(beside);
    }

    /// Why the process is not ready, where it is not.
    fn unready(&self) -> Option<&'static str> {
        if !self.alive() || !self.ready.load(Ordering::Relaxed) {
            return Some("not everything that is watched has been seen yet");
        }
        self.beside.get().and_then(|beside| beside.unready())
    }

    fn alive(&self) -> bool {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(turned) < DEAD_AFTER
    }
}

/// Listens; the address as bound, which tells the port where 0 was asked for.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(address: &str) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Metrics) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (health, metrics) = (Arc::clone(&health), metrics.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.method().as_str(), request.uri().path(), &health, &metrics);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(5))
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            // A client that leaves in the middle is no matter.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(place);
        });
    }
}

fn answer(method: &str, path: &str, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    let told = |status: StatusCode, text: String, content_type: &'static str| {
        let mut response =
            Response::new(Full::new(Bytes::from(if method == "HEAD" { String::new() } else { text })));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        response
    };
    let plain = |status, text: &str| told(status, format!("{text}\n"), "text/plain; charset=utf-8");
    let said = |good: bool, bad: &str| {
        if good { plain(StatusCode::OK, "ok") } else { plain(StatusCode::SERVICE_UNAVAILABLE, bad) }
    };
    if method != "GET" && method != "HEAD" {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    }
    match path {
        "/healthz" | "/livez" => said(health.alive(), "the loop does not turn"),
        "/readyz" => match health.unready() {
            None => said(true, ""),
            Some(why) => said(false, why),
        },
        "/metrics" => {
            let mut text = metrics.text();
            if let Some(beside) = health.beside.get() {
                text.push_str(&beside.metrics());
            }
            told(StatusCode::OK, text, "text/plain; version=0.0.4; charset=utf-8")
        }
        _ => plain(StatusCode::NOT_FOUND, "/healthz, /readyz and /metrics are here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str, health: &Health) -> u16 {
        answer("GET", path, health, &Metrics::default()).status().as_u16()
    }

    struct Leaving;

    impl Beside for Leaving {
        fn unready(&self) -> Option<&'static str> {
            Some("shutting down")
        }

        fn metrics(&self) -> String {
            "beside 1\n".to_owned()
        }
    }

    /// The Service of the webhook selects by readiness: a webhook that is not ready must take the pod out of it.
    #[test]
    fn what_runs_beside_the_loop_is_told_of_and_must_be_ready_too() {
        let health = Health::default();
        health.set_ready(true);
        assert_eq!((status("/healthz", &health), status("/readyz", &health)), (200, 200));
        health.set_beside(Arc::new(Leaving));
        assert_eq!((status("/healthz", &health), status("/readyz", &health)), (200, 503));
        assert_eq!(health.unready(), Some("shutting down"));
        assert_eq!(status("/metrics", &health), 200);
    }

    #[test]
    fn a_loop_that_stands_still_is_dead_and_one_without_a_picture_is_not_ready() {
        let health = Health::default();
        assert_eq!((status("/healthz", &health), status("/readyz", &health)), (200, 503));
        health.set_ready(true);
        assert_eq!(status("/readyz", &health), 200);
        assert_eq!(answer("POST", "/healthz", &health, &Metrics::default()).status().as_u16(), 405);
        let Some(started) = Instant::now().checked_sub(2 * DEAD_AFTER) else { return };
        let health = Health { started, ..health };
        assert_eq!((status("/healthz", &health), status("/readyz", &health)), (503, 503));
        health.turn();
        assert_eq!(
            (status("/livez", &health), status("/metrics", &health), status("/", &health)),
            (200, 200, 404)
        );
    }
}
