//! A listener in, answered requests out: HTTP/1.1 with or without TLS, bounded in connections, size and time, ended
//! without dropping what is under way. What is answered is left to [`super::handler`].
//!
//! No HTTP/2: the API server does without, and its streams have been a way to exhaust servers (CVE-2023-44487).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::claimants::Claimants;
use super::handler::{Asked, Reviewer, text};

/// Bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time; more wait to be accepted.
    pub connections: usize,
    /// Bytes of a body. The API server takes objects of 3 MiB at most and sends the old one with the new.
    pub body: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time from the end of a request to the head of the next. Longer than the API server keeps idle connections (90 s),
    /// so that it is not we who close one as a request is on its way.
    pub idle: Duration,
    /// Time from a request's head to the end of its answer.
    pub request: Duration,
    /// Time for what is under way when the server ends.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            body: 8 << 20,
            head: 64 << 10,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            request: Duration::from_secs(10),
            drain: Duration::from_secs(20),
        }
    }
}

/// What is served on a listener.
#[derive(Clone)]
pub enum Mode {
    /// Reviews, and what is asked about the webhook, over TLS.
    Tls(TlsAcceptor),
    /// Only what is asked about the webhook: health and metrics.
    ClaimantWatch,
}

/// Accepts until `stop` is true, then waits for what is under way.
pub async fn serve<S: Claimants>(
    listener: TcpListener,
    mode: Mode,
    reviewer: Arc<Reviewer<S>>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = told(&mut stop) => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        reviewer.metrics().connected();
        let (mode, reviewer, stop) = (mode.clone(), Arc::clone(&reviewer), stop.clone());
        open.spawn(async move {
            let _place = place;
            match mode {
                Mode::ClaimantWatch => converse(stream, false, &reviewer, limits, stop).await,
                Mode::Tls(acceptor) => {
                    // A port scan or an expired trust is no event of ours; the client knows what it refused.
                    match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => converse(stream, true, &reviewer, limits, stop).await,
                        Ok(Err(error)) => tracing::debug!("TLS handshake: {error}"),
                        Err(_) => tracing::debug!("TLS handshake: not finished in time"),
                    }
                }
            }
        });
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!("requests under way were cut off after {} s", limits.drain.as_secs());
    }
}

/// Returns when `stop` is true, or when nobody is left who could say so.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

type Accepted = (TcpStream, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small: without this they wait for an acknowledgement.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("TCP_NODELAY: {error}");
            }
            Some((stream, place))
        }
        Err(error) => {
            tracing::warn!("accepting a connection: {error}");
            // Out of file descriptors it would fail again at once; wait for others to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn converse<S: Claimants, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    reviews: bool,
    reviewer: &Arc<Reviewer<S>>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let answered =
            tokio::time::timeout(limits.request, one(request, reviews, reviewer, limits.body)).await;
        Ok::<_, Infallible>(answered.unwrap_or_else(|_| {
            let mut late = text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n");
            late.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            late
        }))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            // The request under way is answered, an idle connection closed.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection: {error}");
    }
}

async fn one<S: Claimants>(
    request: Request<Incoming>,
    reviews: bool,
    reviewer: &Arc<Reviewer<S>>,
    limit: usize,
) -> http::Response<http_body_util::Full<hyper::body::Bytes>> {
    let (head, body) = request.into_parts();
    let too_large = || {
        let mut answer =
            text(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {limit} bytes\n"));
        answer.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        answer
    };
    // What is announced too large is not waited for.
    if body.size_hint().lower() > limit as u64 {
        return too_large();
    }
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(),
        Err(error) => return text(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}\n")),
    };
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let asked = Asked {
        method: &head.method,
        path: head.uri.path(),
        content_type: content_type.unwrap_or_default(),
        body: &body,
    };
    if reviews {
        reviewer.answer(&asked).await
    } else {
        reviewer
            .about(&asked)
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "see /healthz, /readyz, /metrics\n"))
    }
}

/// Listens on an address.
pub async fn listen(address: &str) -> Result<TcpListener, (String, io::Error)> {
    TcpListener::bind(address).await.map_err(|error| (format!("listening on {address}"), error))
}
