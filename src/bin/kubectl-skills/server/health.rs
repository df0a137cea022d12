//! Answers `/healthz`, `/readyz` and `/metrics` for everything that runs in the process, from memory: no request reaches
//! the API server from here. Connections are left to [`super::connections`].

use std::sync::{Arc, PoisonError, RwLock};

use http::{Method, Request, StatusCode};
use hyper::body::Bytes;
use tokio::sync::watch;

use super::connections::{Handler, Limits, Reply, listen, serve, text, typed};
use super::metrics::Metrics;
use super::slots::Slots;

/// Something that runs in the process and can be asked how it does.
pub trait HealthCheck: Send + Sync {
    /// Why the process should be restarted, if it should.
    fn dead(&self) -> Option<String> {
        None
    }

    /// Why no requests should be sent here, if they should not.
    fn unready(&self) -> Option<String> {
        None
    }

    /// What an operator should know although requests are welcome.
    fn notice(&self) -> Option<String> {
        None
    }
}

/// A listener is unready while it refuses everybody. An address at its own share is a notice: others are served.
impl HealthCheck for Slots {
    fn unready(&self) -> Option<String> {
        let shortage = self.shortage().filter(|_| self.is_refusing())?;
        Some(self.explain(shortage))
    }

    fn notice(&self) -> Option<String> {
        Some(self.explain(self.shortage()?))
    }
}

/// All that is asked, and the numbers of all.
#[derive(Default)]
pub struct Health {
    checks: RwLock<Vec<Arc<dyn HealthCheck>>>,
    /// The registry.
    pub metrics: Metrics,
}

impl Health {
    /// From now on the process is alive and ready only if this is, too.
    pub fn add(&self, check: Arc<dyn HealthCheck>) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    fn first(&self, ask: impl Fn(&dyn HealthCheck) -> Option<String>) -> Option<String> {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).iter().find_map(|check| ask(&**check))
    }

    /// Answers requests about health and metrics; none for others.
    pub fn about(&self, request: &Request<Bytes>) -> Option<Reply> {
        let verdict = |against: Option<String>, notice: Option<String>| match against {
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            None => text(StatusCode::OK, &notice.map_or("ok\n".into(), |notice| format!("ok\n{notice}\n"))),
        };
        let reply = match request.uri().path() {
            "/healthz" | "/livez" => verdict(self.first(|check| check.dead()), None),
            "/readyz" => verdict(
                self.first(|check| check.dead().or_else(|| check.unready())),
                self.first(|check| check.notice()),
            ),
            "/metrics" => typed(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                Bytes::from(self.metrics.text()),
            ),
            _ => return None,
        };
        match *request.method() {
            Method::GET | Method::HEAD => Some(reply),
            _ => Some(text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")),
        }
    }

    /// Listens and serves until the process ends, over plain HTTP.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn serve_on(self: &Arc<Self>, address: &str) -> Result<(), (String, std::io::Error)> {
        let (listener, bound) = listen(address).await?;
        tracing::info!(address = %bound, version = env!("CARGO_PKG_VERSION"), "health and metrics are served");
        let slots = Slots::new(Limits::HEALTH.connections, Limits::HEALTH.share, None);
        let handler = Arc::clone(self);
        tokio::spawn(async move {
            // Health outlives the signal to end: until then it says that this replica is leaving.
            let (_running, stop) = watch::channel(false);
            serve(listener, None, handler, Limits::HEALTH, slots, stop).await;
        });
        Ok(())
    }
}

impl Handler for Health {
    async fn answer(&self, request: &Request<Bytes>) -> Reply {
        self.about(request)
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "/healthz, /readyz and /metrics are here\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Check {
        dead: Option<&'static str>,
        unready: Option<&'static str>,
        notice: Option<&'static str>,
    }

    impl HealthCheck for Check {
        fn dead(&self) -> Option<String> {
            self.dead.map(str::to_owned)
        }

        fn unready(&self) -> Option<String> {
            self.unready.map(str::to_owned)
        }

        fn notice(&self) -> Option<String> {
            self.notice.map(str::to_owned)
        }
    }

    async fn ask(health: &Health, method: &str, path: &str) -> (u16, String) {
        use http_body_util::BodyExt as _;
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        let reply = health.answer(&request).await;
        let code = reply.status().as_u16();
        (code, String::from_utf8(reply.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    /// A Service selects by readiness and the kubelet restarts by health: any part that fails must be seen there.
    #[tokio::test]
    async fn the_process_is_as_well_as_its_worst_part() {
        let health = Health::default();
        let fine = Check { dead: None, unready: None, notice: None };
        assert_eq!(ask(&health, "GET", "/readyz").await, (200, "ok\n".into()));
        health.add(Arc::new(Check { notice: Some("full"), ..fine }));
        assert_eq!(ask(&health, "GET", "/readyz").await, (200, "ok\nfull\n".into()));
        health.add(Arc::new(Check { dead: None, unready: Some("shutting down"), notice: None }));
        assert_eq!(ask(&health, "GET", "/healthz").await, (200, "ok\n".into()));
        assert_eq!(ask(&health, "GET", "/readyz").await, (503, "shutting down\n".into()));
        health.add(Arc::new(Check { dead: Some("stuck"), unready: None, notice: None }));
        assert_eq!(ask(&health, "GET", "/livez").await, (503, "stuck\n".into()));
        assert_eq!(ask(&health, "POST", "/healthz").await.0, 405);
        assert_eq!(ask(&health, "GET", "/metrics").await.0, 200);
        assert_eq!(ask(&health, "GET", "/").await.0, 404);
    }
}
