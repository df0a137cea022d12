//! Accepts connections and serves HTTP/1.1 on them, with or without TLS: bounded in number, size and time, ended without
//! dropping a request. Which connections stay is left to [`super::slots`], what is answered to a [`Handler`].
//!
//! No HTTP/2: the API server does without, and its streams have been a way to exhaust servers (CVE-2023-44487).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::slots::{Phase, Slot, Slots};

/// Connections that the kernel holds until they are accepted: a flood must not push out the others.
const BACKLOG: u32 = 4096;

/// An answer.
pub type Reply = Response<Full<Bytes>>;

/// Answers requests whose body has been read.
pub trait Handler: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: &Request<Bytes>) -> impl Future<Output = Reply> + Send;
}

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Of these, connections of one address.
    pub share: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// From the connection to the end of its first request's head, the TLS handshake included.
    pub first_request: Duration,
    /// From the end of an answer to the end of the next request's head.
    pub idle: Duration,
    /// From a request's head to its answer.
    pub request: Duration,
    /// For what is under way when the server ends.
    pub drain: Duration,
}

impl Limits {
    /// For AdmissionReviews. The API server keeps idle connections for 90 s; `idle` is longer, so that it is not we who close
    /// one while a request is on its way. Objects are 3 MiB at most, and the old one comes with the new.
    #[cfg(feature = "webhook")]
    pub const REVIEWS: Self = Self {
        connections: 512,
        share: 256,
        body: 8 << 20,
        head: 64 << 10,
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(120),
        request: Duration::from_secs(10),
        drain: Duration::from_secs(20),
    };
    /// For health and metrics.
    pub const HEALTH: Self = Self {
        connections: 64,
        share: 32,
        body: 16 << 10,
        head: 16 << 10,
        first_request: Duration::from_secs(5),
        idle: Duration::from_secs(30),
        request: Duration::from_secs(5),
        drain: Duration::from_secs(1),
    };
}

/// Listens on an address; gives the address as bound, which has the port if 0 was asked for.
///
/// # Errors
/// `listen on ADDRESS` and why that is impossible.
pub async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), (String, io::Error)> {
    let bound = async {
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in tokio::net::lookup_host(address).await? {
            match bind(address) {
                Ok(listener) => {
                    let bound = listener.local_addr()?;
                    return Ok((listener, bound));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    bound.await.map_err(|error| (format!("listen on {address}"), error))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns when `stop` is true, or when nothing is left that could make it so.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Accepts until `stop` is true, then waits for what is under way.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    limits: Limits,
    slots: Arc<Slots>,
    mut stop: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(slot) = slots.admit(peer.ip()) {
                    let (tls, handler, stop) = (tls.clone(), Arc::clone(&handler), stop.clone());
                    open.spawn(connection(stream, tls, handler, limits, slot, stop));
                }
            }
            Err(error) => {
                tracing::warn!("accepting a connection: {error}");
                // Out of file descriptors it would fail again at once: make room, and wait for it.
                slots.make_room();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        // One at a time: requests of connections that are open go before a flood of new ones.
        tokio::task::yield_now().await;
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!("requests under way were cut off after {} s", limits.drain.as_secs());
    }
}

/// One connection, from its handshake to its end.
async fn connection<H: Handler>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    limits: Limits,
    slot: Slot,
    stop: watch::Receiver<bool>,
) {
    // Answers are small: without this they wait for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {error}");
    }
    let served = async {
        let Some(tls) = tls else { return converse(stream, &*handler, limits, &slot, stop).await };
        let turn = slot.handshake().await;
        let stream = tls.accept(stream).await;
        drop(turn);
        match stream {
            Ok(stream) => converse(stream, &*handler, limits, &slot, stop).await,
            // A port scan or an expired trust is no event of ours; the client knows what it refused.
            Err(error) => tracing::debug!("TLS handshake: {error}"),
        }
    };
    let silent = async {
        tokio::time::sleep(limits.first_request).await;
        if !slot.is_new() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = served => {}
        () = slot.evicted() => tracing::debug!("connection: closed to make room"),
        () = silent => tracing::debug!("connection: no request within {:?}", limits.first_request),
    }
}

async fn converse<H: Handler, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    handler: &H,
    limits: Limits,
    slot: &Slot,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let reply = tokio::time::timeout(limits.request, exchange(request, handler, limits.body, slot)).await;
        slot.enter(Phase::Idle);
        Ok::<_, Infallible>(
            reply.unwrap_or_else(|_| last(text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n"))),
        )
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            // The request under way is answered, an idle connection closed.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection: {error}");
    }
}

/// Reads the body and has it answered.
async fn exchange<H: Handler>(request: Request<Incoming>, handler: &H, limit: usize, slot: &Slot) -> Reply {
    slot.enter(Phase::Receiving);
    let too_large =
        || last(text(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {limit} bytes\n")));
    let (head, body) = request.into_parts();
    // What is announced too large is not waited for.
    if body.size_hint().lower() > limit as u64 {
        return too_large();
    }
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(),
        Err(error) => return text(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}\n")),
    };
    slot.enter(Phase::Answering);
    handler.answer(&Request::from_parts(head, body)).await
}

/// The same answer, after which the connection is closed.
fn last(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    reply
}

/// A plain text answer.
pub fn text(status: StatusCode, text: &str) -> Reply {
    typed(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

/// An answer of a content type.
pub fn typed(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    reply
}
