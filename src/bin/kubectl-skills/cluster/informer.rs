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
use super::paths::{agent_runtimes, selected, workload};
use super::requests::Requests;
use super::snapshot::{Scope, Snapshot, key, of};
use super::watch::{Transform, Update, WatchId, WatchTarget, watch};
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

/// Objects by namespace and name.
type Objects<T> = BTreeMap<(String, String), T>;

/// The objects of one watch, as they are now. While a list is under way the objects of before stay, so that nothing is
/// missing meanwhile.
#[derive(Debug)]
pub struct Store<T> {
    objects: Objects<T>,
    coming: Option<Objects<T>>,
    listed: bool,
    broken: bool,
}

/// What an update did to a [`Store`].
#[derive(Debug)]
pub enum Change {
    /// Nothing that anybody looks at.
    None,
    /// Objects are there, changed or gone.
    Objects,
    /// The watch broke; `first` if it was sound before.
    Lost {
        /// Why.
        error: ClusterError,
        /// Whether this is news.
        first: bool,
    },
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { objects: Objects::new(), coming: None, listed: false, broken: false }
    }
}

impl<T: PartialEq> Store<T> {
    /// Whether all objects have been listed once.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// The objects.
    pub fn objects(&self) -> &Objects<T> {
        &self.objects
    }

    /// Takes an update in. `keep` makes what is kept of an object; `differs` says whether a change is worth a look.
    pub fn take(
        &mut self,
        update: Update,
        keep: impl FnOnce(Value) -> T,
        differs: impl FnOnce(&T, &T) -> bool,
    ) -> Change {
        let changed = match update {
            Update::Begin => {
                self.coming = Some(Objects::new());
                false
            }
            Update::Put(object) => {
                let (key, object) = (key(&object), keep(object));
                match &mut self.coming {
                    Some(coming) => {
                        coming.insert(key, object);
                        false
                    }
                    None => {
                        let news = self.objects.get(&key).is_none_or(|old| differs(old, &object));
                        self.objects.insert(key, object);
                        news
                    }
                }
            }
            Update::Gone(object) => {
                let key = key(&object);
                if let Some(coming) = &mut self.coming {
                    coming.remove(&key);
                }
                self.objects.remove(&key).is_some()
            }
            Update::Complete => {
                let objects = self.coming.take().unwrap_or_default();
                let news = !std::mem::replace(&mut self.listed, true) || self.objects != objects;
                self.objects = objects;
                news
            }
            Update::Live => {
                self.broken = false;
                false
            }
            Update::Lost(error) => {
                // Half a list says nothing.
                self.coming = None;
                return Change::Lost { error, first: !std::mem::replace(&mut self.broken, true) };
            }
        };
        if changed { Change::Objects } else { Change::None }
    }
}

/// One watch of an [`Informer`].
#[derive(Debug)]
struct Kept {
    /// Kind of the workloads; empty for AgentRuntimes.
    kind: String,
    store: Store<Value>,
}

/// The snapshot and its watches, which end with it.
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
            let query = selected(&selector);
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
        self.kept.push(Kept { kind, store: Store::default() });
        tokio::spawn(watch(Arc::clone(&self.requests), source, self.to.clone()));
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
                // Half a snapshot says nothing: a new kind of target is still being listed.
                Err(_) => until = Instant::now() + SETTLES,
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.kept.iter().all(|kept| kept.store.is_listed())
    }

    /// Takes an update in; whether it changes what is shown.
    fn take(&mut self, id: WatchId, update: Update) -> Result<bool, ClusterError> {
        let Some(Kept { kind, store }) = self.kept.get_mut(id) else { return Ok(false) };
        match store.take(update, |object| object, |old, new| says_more(kind, old, new)) {
            Change::None => return Ok(false),
            Change::Objects => {}
            Change::Lost { error, .. }
                if matches!(error.failure, Failure::Forbidden | Failure::Unauthorized) =>
            {
                return Err(error);
            }
            Change::Lost { error, first } => {
                if first {
                    let message = error.message;
                    notes::warning(&format!("{message}; what is shown may be old until it is open again"));
                }
                return Ok(false);
            }
        }
        if kind.is_empty() {
            self.watch_targets();
        }
        Ok(true)
    }

    /// Watches every kind that an AgentRuntime points at. Who has none of a kind needs no right to it.
    fn watch_targets(&mut self) {
        let kinds: BTreeSet<String> = self
            .kept
            .iter()
            .filter(|kept| kept.kind.is_empty())
            .flat_map(|kept| kept.store.objects().values())
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

    /// Brings a snapshot up to date.
    pub fn show(&self, snapshot: &mut Snapshot) {
        let runtimes = self.kept.first().map(|kept| kept.store.objects());
        snapshot.runtimes = runtimes.into_iter().flat_map(|all| all.values().cloned()).collect();
        let all = self
            .chosen
            .and_then(|chosen| self.kept.get(chosen))
            .map(|kept| kept.store.objects())
            .or(runtimes);
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
                kept.store.objects().iter().map(|((namespace, name), object)| {
                    ((kept.kind.clone(), namespace.clone(), name.clone()), object.clone())
                })
            })
            .collect();
    }
}

/// Whether a change is one to look at: a new version alone is none, and of a workload neither is its status, which others
/// write all the time.
fn says_more(kind: &str, old: &Value, new: &Value) -> bool {
    let reported = |object: &Value| {
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
    reported(old) != reported(new)
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
