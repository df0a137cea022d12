//! Watches one collection for as long as the receiver lives, and sends each object trimmed by a [`Transform`]. What the
//! updates mean is left to the controller's cache and to [`super::informer`].
//!
//! Not `kube::runtime::watcher`, for three reasons: objects are trimmed before they are kept or sent on, so a list of 5,000
//! is never in memory as it came; a server that does not stream lists is noticed by its answer and asked for pages; and a
//! connection on which nothing comes any more is given up.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use kubectl_skills::api::object::Object;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::error::{ClusterError, Failure};
use super::requests::{Requests, escape_query};
use crate::net::retry;

/// How long the server keeps a watch open; it then is opened again where it ended.
const WATCH_SECONDS: u64 = 240;
/// Servers send a bookmark every minute. Without anything for so long the connection is dead.
const SILENCE: Duration = Duration::from_secs(130);
/// Objects of one page, where lists are not streamed.
const PAGE: usize = 250;
/// The longest line: an object is at most 1.5 MiB in etcd, and some more as JSON.
const MAX_LINE: usize = 16 * 1024 * 1024;
/// How often a kind that the server does not serve is looked for.
const ABSENT_AGAIN: Duration = Duration::from_secs(10);
/// How long a kind that was served has to be gone before its objects count as gone: a server that starts serves
/// nothing of custom resources for a moment.
const ABSENT_FOR: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Number of a watch.
pub type WatchId = usize;

/// What is kept of an object.
pub trait Transform: Send + Sync + 'static {
    /// The part of an object that is kept.
    fn apply(&self, object: Value) -> Value;
}

/// What is to be informer.
#[derive(Debug, Clone)]
pub struct WatchTarget<T> {
    /// Its number, sent with each update.
    pub id: WatchId,
    /// For messages and metrics: `deployments in namespace "team1"`.
    pub what: String,
    /// Path of the collection.
    pub path: String,
    /// `labelSelector=...` or `fieldSelector=...`; empty for all.
    pub selector: String,
    /// Only the metadata is asked for.
    pub metadata_only: bool,
    /// The kind may be absent: its CRD may come later, or never.
    pub optional: bool,
    /// What is kept of an object.
    pub transform: T,
}

/// What happened.
#[derive(Debug)]
pub enum Update {
    /// All objects follow, up to [`Update::Complete`]; those that do not are gone.
    Begin,
    /// An object is there, as it is now.
    Put(Value),
    /// An object is gone.
    Gone(Value),
    /// All objects have been sent.
    Complete,
    /// The watch could not be opened, or broke. It goes on by itself; until it does, what is known gets old.
    Lost(ClusterError),
    /// The watch is open (again).
    Live,
}

/// Where a watch stands.
#[derive(Debug, Default)]
struct Position {
    /// Version from which the next watch goes on; empty before the first list.
    version: String,
    /// The server does not stream lists.
    paged: bool,
    /// Whether the server ever had the kind.
    served: bool,
    /// The server did not know the kind, since when.
    absent_since: Option<tokio::time::Instant>,
    failures: u32,
}

/// Follows until the receiver is gone.
pub async fn watch<T: Transform>(
    requests: Arc<Requests>,
    target: WatchTarget<T>,
    to: mpsc::Sender<(WatchId, Update)>,
) {
    let mut position = Position::default();
    loop {
        let result = run(&requests, &target, &mut position, &to).await;
        let wait = match result {
            Ok(()) => {
                position.failures = 0;
                Duration::ZERO
            }
            Err(Ended::Receiver) => return,
            Err(Ended::Failed(error)) => match on_failure(&target, &mut position, error, &to).await {
                Some(wait) => wait,
                None => return,
            },
        };
        tokio::time::sleep(wait).await;
    }
}

/// The same, once the cluster serves an API group in a version, such as `/apis/apps/v1`; until then there are none. Who may
/// not list a kind is refused whether it is served or not, and what is served may be seen by all.
#[cfg(feature = "controller")]
pub async fn watch_once_served<T: Transform>(
    requests: Arc<Requests>,
    api: String,
    target: WatchTarget<T>,
    to: mpsc::Sender<(WatchId, Update)>,
) {
    let mut failures = 0;
    while !to.is_closed() {
        let (updates, wait) = match requests.get(&api, &format!("read the kinds of {api}")).await {
            Ok(Some(_)) => return watch(requests, target, to).await,
            Ok(None) => {
                failures = 0;
                (vec![Update::Begin, Update::Complete, Update::Live], ABSENT_AGAIN)
            }
            Err(error) => {
                failures += 1;
                (vec![Update::Lost(error)], retry::wait(failures, None).min(ABSENT_AGAIN))
            }
        };
        for update in updates {
            if to.send((target.id, update)).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(wait).await;
    }
}

/// Why a watch ended other than by its time.
enum Ended {
    /// Nobody listens any more.
    Receiver,
    Failed(ClusterError),
}

impl From<ClusterError> for Ended {
    fn from(error: ClusterError) -> Self {
        Self::Failed(error)
    }
}

/// Says what failed and how long to wait; `None` if nobody listens any more.
async fn on_failure<T>(
    target: &WatchTarget<T>,
    position: &mut Position,
    error: ClusterError,
    to: &mpsc::Sender<(WatchId, Update)>,
) -> Option<Duration> {
    if error.failure == Failure::Expired {
        position.version.clear();
        return Some(Duration::ZERO);
    }
    let streaming = !position.paged && position.version.is_empty();
    if streaming && matches!(error.failure, Failure::Invalid | Failure::Other) {
        // "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled".
        position.paged = true;
        return Some(Duration::ZERO);
    }
    if error.failure == Failure::NotFound && target.optional {
        position.version.clear();
        let now = tokio::time::Instant::now();
        let since = *position.absent_since.get_or_insert(now);
        let believed = !position.served || now.duration_since(since) >= ABSENT_FOR;
        if believed {
            for update in [Update::Begin, Update::Complete, Update::Live] {
                to.send((target.id, update)).await.ok()?;
            }
        } else {
            to.send((target.id, Update::Lost(error))).await.ok()?;
        }
        return Some(ABSENT_AGAIN);
    }
    position.failures = position.failures.saturating_add(1);
    let wait = retry::wait(position.failures, None).min(Duration::from_secs(10));
    to.send((target.id, Update::Lost(error))).await.ok()?;
    Some(wait)
}

/// One watch, preceded by a list where there is no position. Ends well when its time is over.
async fn run<T: Transform>(
    requests: &Requests,
    target: &WatchTarget<T>,
    position: &mut Position,
    to: &mpsc::Sender<(WatchId, Update)>,
) -> Result<(), Ended> {
    let send = async |update| to.send((target.id, update)).await.map_err(|_| Ended::Receiver);
    let mut initial = position.version.is_empty();
    if initial && position.paged {
        send(Update::Begin).await?;
        position.version = list(requests, target, to).await?;
        complete(position);
        send(Update::Complete).await?;
        initial = false;
    }
    let mut path =
        format!("{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}", target.path);
    if initial {
        path.push_str("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    } else {
        path.push_str(&format!("&resourceVersion={}", escape_query(&position.version)));
    }
    if !target.selector.is_empty() {
        path.push_str(&format!("&{}", target.selector));
    }
    let what = format!("watch {}", target.what);
    let accept = if target.metadata_only { METADATA } else { JSON };
    let mut lines = Lines { body: requests.open(&path, accept, &what).await?, held: Vec::new(), read: 0 };
    if initial {
        send(Update::Begin).await?;
    } else {
        send(Update::Live).await?;
        position.failures = 0;
    }
    while let Some(line) = lines.next(&what).await? {
        match event(line, &what)? {
            Event::Put(object) => {
                let version = version(&object);
                send(Update::Put(target.transform.apply(object))).await?;
                if !initial {
                    position.version = version;
                }
            }
            Event::Gone(object) => {
                position.version = version(&object);
                send(Update::Gone(target.transform.apply(object))).await?;
            }
            Event::Bookmark { version, end } => {
                if initial && end {
                    initial = false;
                    complete(position);
                    send(Update::Complete).await?;
                    send(Update::Live).await?;
                }
                if !initial {
                    position.version = version;
                }
            }
        }
    }
    if initial {
        let error = ClusterError::new(Failure::Connection, format!("{what}: the list ended in the middle"));
        return Err(Ended::Failed(error));
    }
    Ok(())
}

fn complete(position: &mut Position) {
    position.served = true;
    position.absent_since = None;
    position.failures = 0;
}

/// A list, page by page; returns its version.
async fn list<T: Transform>(
    requests: &Requests,
    target: &WatchTarget<T>,
    to: &mpsc::Sender<(WatchId, Update)>,
) -> Result<String, Ended> {
    let what = format!("list {}", target.what);
    let mut token = String::new();
    loop {
        let mut path = format!("{}?limit={PAGE}", target.path);
        if !target.selector.is_empty() {
            path.push_str(&format!("&{}", target.selector));
        }
        if !token.is_empty() {
            path.push_str(&format!("&continue={}", escape_query(&token)));
        }
        let accept = if target.metadata_only { METADATA_LIST } else { JSON };
        let body = requests.open(&path, accept, &what).await?;
        let bytes = tokio::time::timeout(SILENCE, body.collect())
            .await
            .map_err(|_| ClusterError::new(Failure::TimedOut, format!("{what}: the answer does not end")))?
            .map_err(|error| super::error::failed(error, "", &what))?
            .to_bytes();
        let page: Page = serde_json::from_slice(&bytes).map_err(|error| {
            ClusterError::new(Failure::Other, format!("{what}: the answer is no list: {error}"))
        })?;
        drop(bytes);
        for mut object in page.items.unwrap_or_default() {
            // Items of a list come without kind; nothing after relies on it but what `keep` writes itself.
            if let Value::Object(map) = &mut object {
                let kind = page.kind.trim_end_matches("List");
                map.entry("kind").or_insert_with(|| kind.into());
                map.entry("apiVersion").or_insert_with(|| page.api_version.as_str().into());
            }
            to.send((target.id, Update::Put(target.transform.apply(object))))
                .await
                .map_err(|_| Ended::Receiver)?;
        }
        token = page.metadata.next.unwrap_or_default();
        if token.is_empty() {
            return Ok(page.metadata.version);
        }
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, rename = "apiVersion")]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: PageMetadata,
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "resourceVersion")]
    version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// An event of a watch.
enum Event {
    Put(Value),
    Gone(Value),
    Bookmark {
        version: String,
        /// The end of the objects that were there when the watch began.
        end: bool,
    },
}

fn event(line: &[u8], what: &str) -> Result<Event, ClusterError> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(rename = "type")]
        kind: String,
        object: Value,
    }
    let raw: Raw = serde_json::from_slice(line).map_err(|error| {
        ClusterError::new(Failure::Other, format!("{what}: an event is not JSON: {error}"))
    })?;
    match raw.kind.as_str() {
        "ADDED" | "MODIFIED" => Ok(Event::Put(raw.object)),
        "DELETED" => Ok(Event::Gone(raw.object)),
        "BOOKMARK" => {
            let end = raw.object.pointer("/metadata/annotations/k8s.io~1initial-events-end");
            Ok(Event::Bookmark {
                version: version(&raw.object),
                end: end.and_then(Value::as_str) == Some("true"),
            })
        }
        "ERROR" => {
            let code =
                raw.object.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
            Err(ClusterError::from_status(code.unwrap_or(500), raw.object.to_string().as_bytes(), what))
        }
        other => {
            Err(ClusterError::new(Failure::Other, format!("{what}: an event of unknown type {other:?}")))
        }
    }
}

fn version(object: &Value) -> String {
    Object(object).resource_version().to_owned()
}

/// The lines of an answer that does not end.
struct Lines {
    body: Body,
    held: Vec<u8>,
    /// Up to where `held` was given out.
    read: usize,
}

impl Lines {
    /// The next line that is not empty; none at the end.
    async fn next(&mut self, what: &str) -> Result<Option<&[u8]>, ClusterError> {
        let mut searched = self.read;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.held[searched..]).map(|at| searched + at) {
                let start = std::mem::replace(&mut self.read, end + 1);
                if start == end {
                    searched = end + 1;
                    continue;
                }
                return Ok(Some(&self.held[start..end]));
            }
            self.held.drain(..self.read);
            self.read = 0;
            searched = self.held.len();
            if searched > MAX_LINE {
                return Err(ClusterError::new(Failure::Other, format!("{what}: an event without end")));
            }
            if searched == 0 && self.held.capacity() > 256 * 1024 {
                self.held = Vec::new();
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await.map_err(|_| {
                let message = format!("{what}: nothing came for {} s", SILENCE.as_secs());
                ClusterError::new(Failure::TimedOut, message)
            })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.held.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => {
                    return Err(ClusterError::new(
                        Failure::Connection,
                        format!("{what}: it broke off: {error}"),
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &str) -> Vec<String> {
        let mut lines = Lines { body: Body::from(text.as_bytes().to_vec()), held: Vec::new(), read: 0 };
        let mut out = Vec::new();
        while let Some(line) = lines.next("watch").await.unwrap() {
            out.push(String::from_utf8_lossy(line).into_owned());
        }
        out
    }

    #[tokio::test]
    async fn lines_are_distinguished_and_half_a_line_is_none() {
        assert_eq!(lines("{\"a\":1}\n\n{\"b\":2}\n{\"half").await, ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(lines("").await, [""; 0]);
    }

    /// The end of the initial objects is marked by an annotation; another bookmark must not be taken for it, or objects that
    /// were not sent yet would count as deleted.
    #[test]
    fn only_the_annotated_bookmark_ends_a_list() {
        let end = |line: &str| match event(line.as_bytes(), "watch") {
            Ok(Event::Bookmark { version, end }) => (version, end),
            _ => panic!("{line}"),
        };
        assert_eq!(
            end(r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#),
            ("7".into(), false)
        );
        assert_eq!(
            end(
                r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8","annotations":{"k8s.io/initial-events-end":"true"}}}}"#
            ),
            ("8".into(), true)
        );
    }

    /// 410 comes as an event as well as as an answer; either means: list again.
    #[test]
    fn an_expired_position_is_known() {
        let line = br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        let error = event(line, "watch deployments").err();
        assert_eq!(error.map(|error| error.failure), Some(Failure::Expired));
    }
}
