//! Finds the AgentRuntimes that target a workload: in a watched index, like the operator's own cache, or by a list of the
//! namespace until the watch has listed everything once. What follows if they cannot be read is left to [`super::handler`].

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kubectl_skills::api::agent_runtime::TargetRef;
use kubectl_skills::api::names::{AGENT_RUNTIME, VERSION};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::crd::PLURAL;
use kubectl_skills::validate::webhook::Targets;
use serde_json::Value;

/// How long a list may take while a client waits for its answer; the API server gives the webhook ten seconds.
const LIST_LIMIT: Duration = Duration::from_secs(4);
/// AgentRuntimes of one page of a list.
const PAGE: u32 = 500;

/// Who knows which AgentRuntimes target a workload.
pub trait Claimants: Send + Sync + 'static {
    /// Those of a namespace with that target; none where they could not be read.
    fn targets(&self, namespace: &str, target: &TargetRef) -> impl Future<Output = Option<Targets>> + Send;
    /// Whether answers come without asking the API server.
    fn ready(&self) -> bool;
}

/// AgentRuntimes by namespace and target. Of each only its name is kept.
#[derive(Debug, Default)]
pub struct TargetIndex {
    target_of: HashMap<String, HashMap<String, TargetRef>>,
    names_of: HashMap<String, HashMap<TargetRef, BTreeSet<String>>>,
}

impl TargetIndex {
    /// Takes an object in, or its new target.
    pub fn put(&mut self, namespace: &str, name: &str, target: TargetRef) {
        if self.target_of.get(namespace).and_then(|names| names.get(name)) == Some(&target) {
            return;
        }
        self.remove(namespace, name);
        self.names_of
            .entry(namespace.to_owned())
            .or_default()
            .entry(target.clone())
            .or_default()
            .insert(name.to_owned());
        self.target_of.entry(namespace.to_owned()).or_default().insert(name.to_owned(), target);
    }

    /// Forgets an object.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        let Some(names) = self.target_of.get_mut(namespace) else { return };
        let Some(target) = names.remove(name) else { return };
        if names.is_empty() {
            self.target_of.remove(namespace);
        }
        let Some(targets) = self.names_of.get_mut(namespace) else { return };
        if let Some(names) = targets.get_mut(&target) {
            names.remove(name);
            if names.is_empty() {
                targets.remove(&target);
            }
        }
        if targets.is_empty() {
            self.names_of.remove(namespace);
        }
    }

    /// Those with that target.
    pub fn targets(&self, namespace: &str, target: &TargetRef) -> Targets {
        let names = self.names_of.get(namespace).and_then(|targets| targets.get(target));
        Targets::new(names.into_iter().flatten().map(|name| (name.clone(), target.clone())))
    }
}

/// The watch and what it brought.
pub struct ClaimantWatch {
    client: kube::Client,
    resource: ApiResource,
    /// One watch for each; all namespaces where none is given.
    namespaces: Vec<String>,
    index: RwLock<TargetIndex>,
    /// Watches whose first list is not yet whole.
    behind: AtomicUsize,
}

impl ClaimantWatch {
    /// Nothing is read yet: see [`ClaimantWatch::run`].
    pub fn new(client: kube::Client, profile: &Profile, namespaces: Vec<String>) -> Self {
        let resource = ApiResource {
            group: profile.names.group.to_owned(),
            version: VERSION.to_owned(),
            api_version: format!("{}/{VERSION}", profile.names.group),
            kind: AGENT_RUNTIME.to_owned(),
            plural: PLURAL.to_owned(),
        };
        let behind = AtomicUsize::new(namespaces.len().max(1));
        Self { client, resource, namespaces, index: RwLock::default(), behind }
    }

    /// Keeps the index up to date; returns only when dropped.
    pub async fn run(&self) {
        let places: Vec<Option<&str>> = if self.namespaces.is_empty() {
            vec![None]
        } else {
            self.namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
        };
        futures_util::future::join_all(places.into_iter().map(|place| self.follow_place(place))).await;
    }

    async fn follow_place(&self, namespace: Option<&str>) {
        let api: Api<DynamicObject> = match namespace {
            None => Api::all_with(self.client.clone(), &self.resource),
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &self.resource),
        };
        let mut events = watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff().boxed();
        let mut first = true;
        // Names of the list that is being read; what it lacks at its end is gone.
        let mut listed: BTreeSet<(String, String)> = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    listed.insert(names(&object));
                    self.put(&object);
                }
                Ok(Event::InitDone) => {
                    self.keep(namespace, &listed);
                    listed.clear();
                    if std::mem::take(&mut first) {
                        self.behind.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                Ok(Event::Apply(object)) => self.put(&object),
                Ok(Event::Delete(object)) => {
                    let (namespace, name) = names(&object);
                    self.index.write().unwrap_or_else(PoisonError::into_inner).remove(&namespace, &name);
                }
                Err(error) => tracing::warn!("watching AgentRuntimes: {}; it is begun again", told(&error)),
            }
        }
    }

    fn put(&self, object: &DynamicObject) {
        let (namespace, name) = names(object);
        let target = target(&object.data);
        self.index.write().unwrap_or_else(PoisonError::into_inner).put(&namespace, &name, target);
    }

    fn keep(&self, place: Option<&str>, listed: &BTreeSet<(String, String)>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<(String, String)> = index
            .target_of
            .iter()
            .filter(|(namespace, _)| place.is_none_or(|place| place == namespace.as_str()))
            .flat_map(|(namespace, names)| names.keys().map(|name| (namespace.clone(), name.clone())))
            .filter(|names| !listed.contains(names))
            .collect();
        for (namespace, name) in gone {
            index.remove(&namespace, &name);
        }
    }

    fn watches(&self, namespace: &str) -> bool {
        self.ready()
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|watched| watched == namespace))
    }

    async fn list(&self, namespace: &str, target: &TargetRef) -> Result<Targets, String> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &self.resource);
        let mut index = TargetIndex::default();
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = api.list(&params).await.map_err(|error| reason(&error))?;
            for object in &page.items {
                index.put(namespace, &names(object).1, self::target(&object.data));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(index.targets(namespace, target)),
            }
        }
    }
}

impl Claimants for ClaimantWatch {
    async fn targets(&self, namespace: &str, target: &TargetRef) -> Option<Targets> {
        if self.watches(namespace) {
            return Some(
                self.index.read().unwrap_or_else(PoisonError::into_inner).targets(namespace, target),
            );
        }
        let listed = match tokio::time::timeout(LIST_LIMIT, self.list(namespace, target)).await {
            Ok(listed) => listed,
            Err(_) => Err(format!("no answer within {} s", LIST_LIMIT.as_secs())),
        };
        listed
            .inspect_err(|error| tracing::warn!("listing AgentRuntimes of namespace {namespace}: {error}"))
            .ok()
    }

    fn ready(&self) -> bool {
        self.behind.load(Ordering::Relaxed) == 0
    }
}

fn told(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => reason(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// The server's own words where it said any.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

fn names(object: &DynamicObject) -> (String, String) {
    let metadata = &object.metadata;
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// The target as text; what is missing or of another type is empty, so that one odd object hides no others.
fn target(object: &Value) -> TargetRef {
    let text = |pointer| Object(object).str(pointer).to_owned();
    TargetRef {
        api_version: text("/spec/targetRef/apiVersion"),
        kind: text("/spec/targetRef/kind"),
        name: text("/spec/targetRef/name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> TargetRef {
        TargetRef { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned(), name: name.to_owned() }
    }

    /// A runtime that moved on must not block its old target for ever; nor may the index grow with what is gone.
    #[test]
    fn a_retargeted_or_deleted_runtime_leaves_nothing_behind() {
        let mut index = TargetIndex::default();
        index.put("team1", "a", target("weather"));
        index.put("team1", "b", target("weather"));
        index.put("team2", "a", target("weather"));
        let rival = |index: &TargetIndex, namespace: &str, name: &str, workload: &str| {
            index.targets(namespace, &target(workload)).rival(name, &target(workload)).map(str::to_owned)
        };
        assert_eq!(rival(&index, "team1", "c", "weather").as_deref(), Some("a"));
        assert_eq!(rival(&index, "team1", "a", "weather").as_deref(), Some("b"));
        assert_eq!(rival(&index, "team2", "a", "weather"), None);
        index.put("team1", "a", target("other"));
        assert_eq!(rival(&index, "team1", "c", "weather").as_deref(), Some("b"));
        assert_eq!(rival(&index, "team1", "c", "other").as_deref(), Some("a"));
        for (namespace, name) in [("team1", "a"), ("team1", "b"), ("team2", "a"), ("team2", "absent")] {
            index.remove(namespace, name);
        }
        assert!(index.target_of.is_empty() && index.names_of.is_empty(), "{index:?}");
    }
}
