//! Watches the AgentRuntimes of a scope and their targets, and keeps a [`Snapshot`] up to date. The operator's ConfigMaps
//! are not watched: watching them would require RBAC that read-only users lack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::live;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::{ClusterError, Failure};
use super::paths::{agent_runtimes, workload};
use super::requests::{Requests, escape_query};
use super::snapshot::{Scope, Snapshot, key, of};
use super::watch::{Transform, Update, WatchId, WatchTarget, follow};
use crate::notes;

/// Changes come in groups: a workload, its status, the AgentRuntime's. So long after the first the others are waited for.
const SETTLES: Duration = Duration::from_millis(200);
/// Updates that may wait to be taken in.
const WAITING: usize = 256;

/// Objects as they came, but for the longest part, which nobody here reads.
#[derive(Debug, Clone, Copy)]
struct Whole;

impl Transform for Whole {
    fn apply(&self, mut object: Value) -> Value {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
        object
    }
}

type Objects = BTreeMap<(String, String), Value>;

/// What a watch has brought.
#[derive(Debug, Default)]
struct Kept {
    /// Kind of the workloads; empty for AgentRuntimes.
    kind: String,
    objects: Objects,
    /// A list that is under way: what was there before holds until it is whole.
    coming: Option<Objects>,
    complete: bool,
    broken: bool,
}

/// The picture and its watches, which end with it.
pub struct Informer {
    requests: Arc<Requests>,
    scope: Scope,
    to: mpsc::Sender<(WatchId, Update)>,
    updates: mpsc::Receiver<(WatchId, Update)>,
    kept: Vec<Kept>,
    /// Number of the watch of those that the selector chooses, where there is one.
    chosen: Option<WatchId>,
}

impl Informer {
    /// Begins to watch.
    pub fn start(requests: Arc<Requests>, scope: Scope, profile: &Profile) -> Self {
        let (to, updates) = mpsc::channel(WAITING);
        let mut informer = Self { requests, scope, to, updates, kept: Vec::new(), chosen: None };
        let path = agent_runtimes(profile, informer.scope.namespace.as_deref());
        informer.watch("agentruntimes", String::new(), path.clone(), String::new());
        if let Some(selector) = informer.scope.selector.clone() {
            let query = format!("labelSelector={}", escape_query(&selector));
            let what = format!("agentruntimes with {selector:?}");
            informer.chosen = Some(informer.watch(&what, String::new(), path, query));
        }
        informer
    }

    fn watch(&mut self, what: &str, kind: String, path: String, selector: String) -> WatchId {
        let id = self.kept.len();
        let source = WatchTarget {
            id,
            what: format!("{what}{}", of(self.scope.namespace.as_deref())),
            path,
            selector,
            metadata_only: false,
            optional: kind == "Sandbox",
            transform: Whole,
        };
        self.kept.push(Kept { kind, ..Kept::default() });
        tokio::spawn(follow(Arc::clone(&self.requests), source, self.to.clone()));
        id
    }

    /// Waits for a change and those that come with it, or for `rest`, whichever is first.
    ///
    /// # Errors
    /// A watch is refused, or the server does not know us any more. Other failures pass; a warning tells of each.
    pub async fn changed(&mut self, rest: Duration) -> Result<(), ClusterError> {
        let mut until = Instant::now() + rest;
        let mut settling = false;
        loop {
            match tokio::time::timeout_at(until, self.updates.recv()).await {
                // Nobody is left to send: cannot be, for one end of the channel is ours.
                Ok(None) => return Ok(()),
                Ok(Some((source, update))) => {
                    if self.take(source, update)? && !settling {
                        settling = true;
                        until = Instant::now() + SETTLES;
                    }
                }
                Err(_) if self.is_whole() => return Ok(()),
                // Half a picture says nothing: a new kind of target is still being listed.
                Err(_) => until = Instant::now() + SETTLES,
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.kept.iter().all(|kept| kept.complete)
    }

    /// Takes an update in; whether it changes the picture.
    fn take(&mut self, source: WatchId, update: Update) -> Result<bool, ClusterError> {
        let Some(kept) = self.kept.get_mut(source) else { return Ok(false) };
        let changed = match update {
            Update::Begin => {
                kept.coming = Some(Objects::new());
                false
            }
            Update::Put(object) => {
                let key = key(&object);
                match &mut kept.coming {
                    Some(coming) => {
                        coming.insert(key, object);
                        false
                    }
                    None => {
                        let news =
                            kept.objects.get(&key).is_none_or(|old| says_more(&kept.kind, old, &object));
                        kept.objects.insert(key, object);
                        news
                    }
                }
            }
            Update::Gone(object) => kept.objects.remove(&key(&object)).is_some(),
            Update::Complete => {
                let objects = kept.coming.take().unwrap_or_default();
                let news = !std::mem::replace(&mut kept.complete, true) || kept.objects != objects;
                kept.objects = objects;
                news
            }
            Update::Live => {
                kept.broken = false;
                false
            }
            Update::Lost(error) => {
                // What a list had brought up to here is none of it.
                kept.coming = None;
                if matches!(error.failure, Failure::Forbidden | Failure::Unauthorized) {
                    return Err(error);
                }
                if !std::mem::replace(&mut kept.broken, true) {
                    notes::warning(&format!(
                        "{}; what is shown may be old until it is open again",
                        error.message
                    ));
                }
                false
            }
        };
        if changed && kept.kind.is_empty() {
            self.follow_targets();
        }
        Ok(changed)
    }

    /// Watches every kind that an AgentRuntime points at. Who has none of a kind needs no right to it.
    fn follow_targets(&mut self) {
        let kinds: BTreeSet<String> = self
            .kept
            .iter()
            .filter(|kept| kept.kind.is_empty())
            .flat_map(|kept| kept.objects.values())
            .map(|runtime| live::target(runtime).0)
            .collect();
        for kind in kinds {
            if let Some(resource) = workload(&kind)
                && self.kept.iter().all(|kept| kept.kind != kind)
            {
                let path = resource.list(self.scope.namespace.as_deref());
                self.watch(resource.plural, kind, path, String::new());
            }
        }
    }

    /// Brings a picture up to date.
    pub fn show(&self, snapshot: &mut Snapshot) {
        let runtimes = self.kept.first().map(|kept| &kept.objects);
        snapshot.runtimes = runtimes.into_iter().flat_map(|all| all.values().cloned()).collect();
        let all = self.chosen.and_then(|chosen| self.kept.get(chosen)).map(|kept| &kept.objects).or(runtimes);
        snapshot.selected = all
            .into_iter()
            .flat_map(|all| all.keys())
            .filter(|(_, name)| self.scope.names.is_empty() || self.scope.names.contains(name))
            .cloned()
            .collect();
        snapshot.workloads = self
            .kept
            .iter()
            .filter(|kept| !kept.kind.is_empty())
            .flat_map(|kept| {
                kept.objects.iter().map(|((namespace, name), object)| {
                    ((kept.kind.clone(), namespace.clone(), name.clone()), object.clone())
                })
            })
            .collect();
    }
}

/// Whether a change is one to look at: a new version alone is none, and of a workload neither is its status, which others
/// write all the time.
fn says_more(kind: &str, old: &Value, new: &Value) -> bool {
    let told = |object: &Value| {
        let mut object = object.clone();
        if let Value::Object(map) = &mut object {
            if !kind.is_empty() {
                map.shift_remove("status");
            }
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.shift_remove("resourceVersion");
            }
        }
        object
    };
    told(old) != told(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Deployments change their status all day; a look for each would be worse than a look now and then.
    #[test]
    fn the_status_of_a_workload_is_no_change_and_that_of_an_agentruntime_is() {
        let object = |version: &str, ready: u32, image: &str| {
            json!({"metadata": {"name": "a", "resourceVersion": version}, "spec": {"image": image},
                "status": {"ready": ready}})
        };
        let old = object("1", 0, "a");
        assert!(!says_more("Deployment", &old, &object("2", 1, "a")));
        assert!(says_more("Deployment", &old, &object("2", 0, "b")));
        assert!(says_more("", &old, &object("2", 1, "a")));
        assert!(!says_more("", &old, &object("2", 0, "a")));
    }
}
