//! What lies between a replica and the API server: requests in, the same requests or trouble out. Cuts, holds up, answers
//! in the server's place, loses answers, and parts the two altogether.
//!
//! While they are parted everything on the way is lost: the server sees its end of each connection close, the replica
//! sees nothing at all until they meet again, and then that its connections are dead.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::api::{Link, Place};
use crate::seed::Seed;

type Body = UnsyncBoxBody<Bytes, Error>;

/// What a storm does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// 429 for any request, with the wish to wait a second.
    TooMany,
    /// 409 for a write, which the server never sees.
    Conflict,
    /// 503 for any request.
    Unavailable,
    /// A write is done, and its answer gets lost.
    LostAnswer,
}

/// What happened, counted.
#[derive(Debug, Default)]
pub struct Counts {
    pub forwarded: AtomicUsize,
    pub answered_409: AtomicUsize,
    pub answered_429: AtomicUsize,
    pub answered_503: AtomicUsize,
    pub lost_answers: AtomicUsize,
    pub cut_watches: AtomicUsize,
    pub cut_connections: AtomicUsize,
    pub held_watches: AtomicUsize,
}

/// An answer that goes on and on.
struct Watch {
    path: String,
    /// Notified when it is cut.
    cut: watch::Sender<bool>,
    /// Nothing passes before this moment.
    held: watch::Sender<tokio::time::Instant>,
}

struct State {
    place: Place,
    /// Name of the process behind it, in the place of its user agent.
    agent: Mutex<String>,
    parted: watch::Sender<bool>,
    /// Counts up when all connections are cut.
    cuts: watch::Sender<u64>,
    storm: Mutex<Option<(Storm, u64, Seed)>>,
    watches: Mutex<BTreeMap<u64, Watch>>,
    next: Mutex<u64>,
    counts: Counts,
}

/// The proxy of one replica; it ends with the test process.
#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    state: Arc<State>,
}

impl Proxy {
    pub fn start(place: &Place) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State {
            place: place.clone(),
            agent: Mutex::default(),
            parted: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            storm: Mutex::default(),
            watches: Mutex::default(),
            next: Mutex::default(),
            counts: Counts::default(),
        });
        let proxy = Self { address, state: Arc::clone(&state) };
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                loop {
                    // Out of file descriptors or the like: the replica sees a server that does not answer.
                    let Ok((socket, _)) = listener.accept().await else { continue };
                    let agent = lock(&state.agent).clone();
                    tokio::spawn(connection(Arc::clone(&state), socket, agent));
                }
            });
        });
        proxy
    }

    /// Names the process behind it; for connections from now on.
    pub fn name(&self, agent: &str) {
        agent.clone_into(&mut lock(&self.state.agent));
    }

    pub fn part(&self, parted: bool) {
        self.state.parted.send_replace(parted);
    }

    pub fn storm(&self, storm: Option<(Storm, u64, Seed)>) {
        *lock(&self.state.storm) = storm;
    }

    pub fn cut_all(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts some of the watches, chosen by what they are about.
    pub fn cut_watches(&self, percent: u64, seed: &Seed) {
        self.each(|watch| {
            if drawn(percent, seed, &watch.path) {
                watch.cut.send_replace(true);
                count(&self.state.counts.cut_watches);
            }
        });
    }

    /// Lets nothing of some of the watches pass for a while; what they had to tell comes later.
    pub fn hold_watches(&self, percent: u64, seed: &Seed, while_: Duration) {
        self.hold(|path| drawn(percent, seed, path), while_);
    }

    /// The same of those about something, such as `authbridge`.
    pub fn hold_watches_of(&self, about: &str, while_: Duration) {
        self.hold(|path| path.contains(about), while_);
    }

    fn hold(&self, chosen: impl Fn(&str) -> bool, while_: Duration) {
        self.each(|watch| {
            if chosen(&watch.path) {
                watch.held.send_replace(tokio::time::Instant::now() + while_);
                count(&self.state.counts.held_watches);
            }
        });
    }

    fn each(&self, action: impl FnMut(&Watch)) {
        lock(&self.state.watches).values().for_each(action);
    }

    pub fn counts(&self) -> &Counts {
        &self.state.counts
    }
}

/// Whether chance takes it; the same for the same seed and path.
fn drawn(percent: u64, seed: &Seed, path: &str) -> bool {
    Seed::new(seed.clone().next(), path).chance(percent)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl State {
    /// Returns when the two are parted, or at once where they are.
    async fn parts(&self) {
        let _ = self.parted.subscribe().wait_for(|parted| *parted).await;
    }

    async fn meets(&self) {
        let _ = self.parted.subscribe().wait_for(|parted| !*parted).await;
    }

    /// What happens to a request in the weather as it is.
    fn weather(&self, method: &Method, path: &str) -> Option<Storm> {
        let mut storm = lock(&self.storm);
        let (storm, percent, seed) = storm.as_mut()?;
        let writes = *method != Method::GET && !path.contains("dryRun=All");
        if matches!(storm, Storm::Conflict | Storm::LostAnswer) && !writes {
            return None;
        }
        seed.chance(*percent).then_some(*storm)
    }
}

async fn connection(state: Arc<State>, socket: TcpStream, agent: String) {
    // The replica does not wait for a whole packet, nor do we.
    let _ = socket.set_nodelay(true);
    let mut cuts = state.cuts.subscribe();
    let link = Arc::new(tokio::sync::Mutex::new(None));
    let service = service_fn({
        let state = Arc::clone(&state);
        move |request| handle(Arc::clone(&state), agent.clone(), Arc::clone(&link), request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        _ = connection => {}
        _ = cuts.changed() => count(&state.counts.cut_connections),
    }
}

type Upstream = Arc<tokio::sync::Mutex<Option<Link>>>;

/// One request. An error closes the replica's connection; so does its end close the server's.
async fn handle(
    state: Arc<State>,
    agent: String,
    link: Upstream,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (mut head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(Error::other)?.to_bytes();
    let path = head.uri.to_string();
    if *state.parted.borrow() {
        state.meets().await;
        return Err(Error::other("lost on the way"));
    }
    let storm = state.weather(&head.method, &path);
    match storm {
        Some(Storm::TooMany) => {
            count(&state.counts.answered_429);
            return Ok(status(429, "TooManyRequests", "the server has received too many requests"));
        }
        Some(Storm::Conflict) => {
            count(&state.counts.answered_409);
            let message = "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest \
                           version and try again";
            return Ok(status(409, "Conflict", message));
        }
        Some(Storm::Unavailable) => {
            count(&state.counts.answered_503);
            return Ok(status(
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ));
        }
        Some(Storm::LostAnswer) | None => {}
    }
    head.headers.remove(TRANSFER_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(HOST);
    head.headers.insert(HOST, "kubernetes".parse().map_err(Error::other)?);
    head.headers.insert(USER_AGENT, agent.parse().map_err(Error::other)?);
    let request = Request::from_parts(head, Full::new(bytes));
    let forwarded = async {
        let mut link = link.lock().await;
        if !link.as_ref().is_some_and(Link::is_open) {
            *link = Some(state.place.open().await?);
        }
        let Some(open) = link.as_mut() else { return Err(Error::other("no connection")) };
        open.send(request).await
    };
    let answer = tokio::select! {
        answer = forwarded => Some(answer?),
        () = state.parts() => None,
    };
    let Some(answer) = answer else {
        *link.lock().await = None;
        state.meets().await;
        return Err(Error::other("lost on the way"));
    };
    count(&state.counts.forwarded);
    if storm == Some(Storm::LostAnswer) {
        count(&state.counts.lost_answers);
        return Err(Error::other("the answer got lost"));
    }
    let (mut head, body) = answer.into_parts();
    head.headers.remove(TRANSFER_ENCODING);
    let watched = path.contains("watch=true").then(|| Watched::new(&state, &path));
    Ok(Response::from_parts(head, passed_on(state, link, body, watched)))
}

fn status(code: u16, reason: &str, message: &str) -> Response<Body> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code});
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = hyper::StatusCode::from_u16(code).expect("a code");
    answer.headers_mut().insert("content-type", "application/json".parse().expect("a header"));
    if code == 429 {
        answer.headers_mut().insert("retry-after", "1".parse().expect("a header"));
    }
    answer
}

/// A watch that can be cut and held up, for as long as it is open.
struct Watched {
    state: Arc<State>,
    id: u64,
    cut: watch::Receiver<bool>,
    held: watch::Receiver<tokio::time::Instant>,
}

impl Watched {
    fn new(state: &Arc<State>, path: &str) -> Self {
        let id = {
            let mut next = lock(&state.next);
            *next += 1;
            *next
        };
        let (cut, is_cut) = watch::channel(false);
        let (held, is_held) = watch::channel(tokio::time::Instant::now());
        // The position is another in each run; what is watched is not.
        let about = path.split('?').next().unwrap_or_default();
        let selector = path.split('&').find(|part| part.contains("Selector=")).unwrap_or_default();
        lock(&state.watches).insert(id, Watch { path: format!("{about} {selector}"), cut, held });
        Self { state: Arc::clone(state), id, cut: is_cut, held: is_held }
    }

    async fn passes(&mut self) {
        loop {
            let until = *self.held.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                changed = self.held.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock(&self.state.watches).remove(&self.id);
    }
}

/// The body of an answer as it comes, until something happens to it.
fn passed_on(state: Arc<State>, link: Upstream, body: Incoming, watched: Option<Watched>) -> Body {
    let frames =
        unfold((state, link, Some(body), watched), |(state, link, mut body, mut watched)| async move {
            let from = body.as_mut()?;
            let is_cut = async {
                match &mut watched {
                    Some(watched) => drop(watched.cut.wait_for(|cut| *cut).await),
                    None => std::future::pending().await,
                }
            };
            let frame = tokio::select! {
                frame = from.frame() => frame?.map_err(Error::other),
                () = is_cut => Err(Error::other("cut")),
                () = state.parts() => {
                    drop(body);
                    *link.lock().await = None;
                    state.meets().await;
                    return Some((Err(Error::other("lost on the way")), (state, link, None, None)));
                }
            };
            if let Some(watched) = &mut watched {
                watched.passes().await;
            }
            if frame.is_err() {
                body = None;
                *link.lock().await = None;
            }
            Some((frame, (state, link, body, watched)))
        });
    StreamBody::new(frames).boxed_unsync()
}
