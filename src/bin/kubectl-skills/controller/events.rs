//! Events on AgentRuntimes: what happened in, `v1` Events out, each new one created and a repeated one counted up. They
//! wait in a queue of their own, and what finds it full is dropped; how long a run waits for them is left to the run.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::Method;
use kubectl_skills::plan::Event;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::fence::Moment;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::requests::Requests;
use crate::server::metrics::{Metric, Metrics};

/// Events that may wait.
const WAITING: usize = 4096;
/// Sent at the same time.
const CONCURRENCY: usize = 16;
/// Events remembered to be counted up.
const REMEMBERED: usize = 2048;
/// How long one counts as the same.
const SAME_FOR: Duration = Duration::from_secs(600);
/// Name of the component in events.
const COMPONENT: &str = "kubectl-skills";

/// An event and the object that it is about.
#[derive(Debug)]
pub struct News {
    /// `apiVersion`, `kind`, `namespace`, `name`, `uid`, `resourceVersion` of the AgentRuntime.
    pub about: Value,
    /// The event.
    pub event: Event,
    /// When, in RFC 3339.
    pub time: String,
}

/// An event that is to be sent; what it holds is dropped once it was, or cannot be.
pub type Waiting = (News, oneshot::Sender<()>);

/// The way in. Clones lead to the same queue.
#[derive(Debug, Clone)]
pub struct Announcer {
    queue: mpsc::Sender<Waiting>,
    metrics: Metrics,
}

impl Announcer {
    /// A queue and its other end.
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, receiver) = mpsc::channel(WAITING);
        (Self { queue, metrics }, receiver)
    }

    /// Announces. Never waits; what it returns ends when the event stands in the cluster, or was given up.
    pub fn announce(&self, news: News) -> oneshot::Receiver<()> {
        let (done, sent) = oneshot::channel();
        if self.queue.try_send((news, done)).is_err() {
            self.metrics.count(Metric::EventsDropped, &[]);
        }
        sent
    }
}

/// What an event is about, of an AgentRuntime.
pub fn about(runtime: &Value) -> Value {
    let of = |pointer: &str| runtime.pointer(pointer).cloned().unwrap_or_default();
    json!({
        "apiVersion": of("/apiVersion"), "kind": of("/kind"), "namespace": of("/metadata/namespace"),
        "name": of("/metadata/name"), "uid": of("/metadata/uid"), "resourceVersion": of("/metadata/resourceVersion")
    })
}

/// Sends what is announced until the announcers are gone.
pub async fn send_all(requests: Arc<Requests>, mut queue: mpsc::Receiver<Waiting>, metrics: Metrics) {
    let mut memory: HashMap<u64, Sent> = HashMap::new();
    let mut under_way = FuturesUnordered::new();
    let mut refused = false;
    loop {
        tokio::select! {
            waiting = queue.recv(), if under_way.len() < CONCURRENCY => {
                let Some((news, done)) = waiting else { break };
                let write = write_of(news, &mut memory, Moment::now());
                let (requests, metrics) = (Arc::clone(&requests), metrics.clone());
                under_way.push(async move {
                    let result = send(&requests, write, &metrics).await;
                    drop(done);
                    result
                });
            }
            Some(result) = under_way.next(), if !under_way.is_empty() => sent(result, &mut refused),
        }
    }
    while let Some(result) = under_way.next().await {
        sent(result, &mut refused);
    }
}

/// An event that was sent.
#[derive(Debug, Clone)]
struct Sent {
    name: String,
    count: u32,
    last: Moment,
}

#[derive(Debug, PartialEq)]
struct WriteOf {
    method: Method,
    path: String,
    body: Value,
}

fn write_of(news: News, memory: &mut HashMap<u64, Sent>, now: Moment) -> WriteOf {
    let News { about, event, time } = news;
    let text = |key: &str| about.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (text("uid"), event.reason, &event.message, event.warning).hash(&mut hasher);
    let id = hasher.finish();
    let path = format!("/api/v1/namespaces/{}/events", text("namespace"));
    let known = memory.get_mut(&id);
    let again = known.is_some();
    if let Some(sent) = known.filter(|sent| now.until(sent.last.after(SAME_FOR)).is_some()) {
        sent.count += 1;
        sent.last = now;
        let body = json!({"count": sent.count, "lastTimestamp": time});
        return WriteOf { method: Method::PATCH, path: format!("{path}/{}", sent.name), body };
    }
    if memory.len() >= REMEMBERED {
        memory.retain(|_, sent| now.until(sent.last.after(SAME_FOR)).is_some());
        if memory.len() >= REMEMBERED {
            memory.clear();
        }
    }
    // As client-go names them: the object's name and something unique. It is the same for a process that makes up for one
    // that ended before it wrote the status: the object is at the same version, and the event is there already.
    let mut hasher = DefaultHasher::new();
    (id, text("resourceVersion"), again.then_some(&time)).hash(&mut hasher);
    let base: String = text("name").chars().take(200).collect();
    let name = format!("{}.{:016x}", base.trim_end_matches(['.', '-']), hasher.finish());
    memory.insert(id, Sent { name: name.clone(), count: 1, last: now });
    // An API server refuses messages of more than 1,024 bytes.
    let mut message = event.message.clone();
    while message.len() > 1000 {
        message.pop();
    }
    let body = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": text("namespace")},
        "involvedObject": about, "reason": event.reason, "message": message, "type": event.type_text(),
        "source": {"component": COMPONENT}, "reportingComponent": COMPONENT, "reportingInstance": "",
        "firstTimestamp": time, "lastTimestamp": time, "count": 1
    });
    WriteOf { method: Method::POST, path, body }
}

/// Says when events begin to be refused, and not for each of them.
fn sent(result: Result<(), ClusterError>, refused: &mut bool) {
    match result {
        Ok(()) => *refused = false,
        Err(error) if error.failure == Failure::Forbidden && !std::mem::replace(refused, true) => {
            tracing::warn!(error = %error.one_line(), "events are refused; nothing else hangs on them");
        }
        Err(error) => tracing::debug!(%error, "an event was not written"),
    }
}

async fn send(requests: &Requests, write: WriteOf, metrics: &Metrics) -> Result<(), ClusterError> {
    let what = "write an event";
    let content_type =
        if write.method == Method::POST { "application/json" } else { "application/merge-patch+json" };
    match requests.write(write.method.clone(), &write.path, content_type, &write.body, what).await {
        // A process before this one sent it, and ended before it could write the status.
        Err(error) if error.failure == Failure::Conflict && write.method == Method::POST => Ok(()),
        Ok(_) => {
            metrics.count(Metric::Writes, &["event"]);
            Ok(())
        }
        // The namespace or the event is gone: so is the news.
        Err(error) if error.failure == Failure::NotFound => Ok(()),
        Err(error) => {
            metrics.count(Metric::EventsDropped, &[]);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(message: &str) -> News {
        let runtime = json!({"apiVersion": "g/v1", "kind": "AgentRuntime",
            "metadata": {"namespace": "n", "name": "a", "uid": "u", "resourceVersion": "7", "finalizers": ["x"]}});
        News {
            about: about(&runtime),
            event: Event { warning: true, reason: "TargetNotFound", message: message.into() },
            time: "2026-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn a_repeated_event_is_counted_up_and_another_is_made() {
        let mut memory = HashMap::new();
        let now = Moment::now();
        let first = write_of(news("m"), &mut memory, now);
        let name = first.body["metadata"]["name"].as_str().unwrap().to_owned();
        assert_eq!(
            first,
            WriteOf {
                method: Method::POST,
                path: "/api/v1/namespaces/n/events".into(),
                body: json!({
                    "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "n"},
                    "involvedObject": {"apiVersion": "g/v1", "kind": "AgentRuntime", "namespace": "n", "name": "a", "uid": "u", "resourceVersion": "7"},
                    "reason": "TargetNotFound", "message": "m", "type": "Warning",
                    "source": {"component": "kubectl-skills"}, "reportingComponent": "kubectl-skills", "reportingInstance": "",
                    "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1
                }),
            }
        );
        let again = write_of(news("m"), &mut memory, now.after(SAME_FOR / 2));
        assert_eq!((again.method, &again.body["count"]), (Method::PATCH, &json!(2)));
        assert!(again.path.ends_with(&name));
        assert_eq!(write_of(news("other"), &mut memory, now).method, Method::POST);
        assert_eq!(write_of(news("m"), &mut memory, now.after(SAME_FOR * 3)).method, Method::POST);
    }

    /// A process that was killed after its event and before its status: the next one finds the event, and adds none.
    #[test]
    fn another_process_gives_the_same_event_the_same_name_until_the_object_changes() {
        let name =
            |news: News| write_of(news, &mut HashMap::new(), Moment::now()).body["metadata"]["name"].clone();
        let later = News { time: "2026-01-01T00:01:00Z".into(), ..news("m") };
        assert_eq!(name(later), name(news("m")));
        let mut changed = news("m");
        changed.about["resourceVersion"] = json!("8");
        assert_ne!(name(changed), name(news("m")));
        assert_ne!(name(news("other")), name(news("m")));
    }

    /// Memory of a controller that runs for months must not grow with what happens.
    #[test]
    fn memory_and_messages_are_bounded() {
        let mut memory = HashMap::new();
        let now = Moment::now();
        for number in 0..5 * REMEMBERED {
            write_of(news(&number.to_string()), &mut memory, now);
        }
        assert!(memory.len() <= REMEMBERED);
        let long = write_of(news(&"ä".repeat(2000)), &mut memory, now);
        assert!(long.body["message"].as_str().unwrap().len() <= 1000);
    }
}
