//! Finds the AgentRuntimes that target a workload: in what a watch has brought, like the operator's own cache, or by a list
//! of the namespace until the watch has listed everything once. What follows if they cannot be read is left to
//! [`super::handler`].

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kubectl_skills::api::agent_runtime::TargetRef;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::validate::webhook::Targets;
use serde_json::{Value, json};

use super::watches;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::informer::{Change, Store};
use crate::cluster::paths::agent_runtimes;
use crate::cluster::requests::Requests;
use crate::cluster::watch::{Transform, Update, WatchId};

/// How long a list may take while a client waits for its answer; the API server gives the webhook ten seconds.
const LIST_LIMIT: Duration = Duration::from_secs(4);

/// Keeps an AgentRuntime's name and target.
#[derive(Debug, Clone, Copy)]
struct TargetOnly;

impl Transform for TargetOnly {
    fn apply(&self, object: Value) -> Value {
        let of = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
        json!({
            "metadata": {
                "namespace": of("/metadata/namespace"), "name": of("/metadata/name"),
                "resourceVersion": of("/metadata/resourceVersion"),
            },
            "spec": {"targetRef": of("/spec/targetRef")},
        })
    }
}

/// The AgentRuntimes and what they target.
pub struct Claimants {
    requests: Arc<Requests>,
    profile: &'static Profile,
    /// Namespaces that are watched; all if none is named.
    namespaces: Vec<String>,
    /// What each watch has brought.
    stores: RwLock<Vec<Store<TargetRef>>>,
}

impl Claimants {
    /// Nothing is read yet: see [`Claimants::run`]. `requests` should not repeat what failed: a client waits meanwhile.
    pub fn new(requests: Arc<Requests>, profile: &'static Profile, namespaces: Vec<String>) -> Self {
        let watches = watches::number(&namespaces);
        let stores = RwLock::new((0..watches).map(|_| Store::default()).collect());
        Self { requests, profile, namespaces, stores }
    }

    /// Watches; returns only when dropped.
    pub async fn run(&self) {
        // Where SkillBindings are all that is served, nobody claims anything.
        let of_kind = ("agentruntimes", |namespace: Option<&str>| agent_runtimes(self.profile, namespace));
        let mut updates = watches::start(&self.requests, &self.namespaces, of_kind, true, TargetOnly);
        while let Some((id, update)) = updates.recv().await {
            self.take(id, update);
        }
    }

    fn take(&self, id: WatchId, update: Update) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = stores.get_mut(id) else { return };
        let change = store.take(update, |object| target_of(&object), |old, new| old != new);
        if let Change::Lost { error, first: true } = change {
            tracing::warn!(error = %error.one_line(), "a watch of AgentRuntimes broke; it is tried again");
        }
    }

    /// Whether answers come without asking the API server.
    pub fn is_ready(&self) -> bool {
        self.stores.read().unwrap_or_else(PoisonError::into_inner).iter().all(Store::is_listed)
    }

    /// The AgentRuntimes of a namespace with that target; none if they cannot be read.
    pub async fn of(&self, namespace: &str, target: &TargetRef) -> Option<Targets> {
        if self.is_ready() && (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == namespace)) {
            return Some(self.known(namespace, target));
        }
        let listed =
            tokio::time::timeout(LIST_LIMIT, self.list(namespace, target)).await.unwrap_or_else(|_| {
                let message = format!("no answer within {} s", LIST_LIMIT.as_secs());
                Err(ClusterError::new(Failure::TimedOut, message))
            });
        listed
            .inspect_err(|error| {
                tracing::warn!(namespace, error = %error.one_line(), "AgentRuntimes cannot be listed");
            })
            .ok()
    }

    fn known(&self, namespace: &str, target: &TargetRef) -> Targets {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let from = (namespace.to_owned(), String::new());
        let claimants = stores.iter().flat_map(|store| {
            let all = store.objects().range(from.clone()..).take_while(|((of, _), _)| of == namespace);
            all.filter(|(_, claimed)| *claimed == target)
        });
        Targets::new(claimants.map(|((_, name), target)| (name.clone(), target.clone())))
    }

    async fn list(&self, namespace: &str, target: &TargetRef) -> Result<Targets, ClusterError> {
        let what = format!("list agentruntimes in namespace {namespace:?}");
        let list = self.requests.list(&agent_runtimes(self.profile, Some(namespace)), "", &what).await?;
        let list = list.ok_or_else(|| {
            ClusterError::new(Failure::NotFound, format!("{what}: the cluster serves no AgentRuntimes"))
        })?;
        let all = list.items.iter().map(|object| (Object(object).name().to_owned(), target_of(object)));
        Ok(Targets::new(all.filter(|(_, claimed)| claimed == target)))
    }
}

/// The target as text; what is missing or of another type is empty, so that one odd object hides no others.
fn target_of(object: &Value) -> TargetRef {
    let text = |field: &str| {
        let value = object.pointer(&format!("/spec/targetRef/{field}"));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    TargetRef { api_version: text("apiVersion"), kind: text("kind"), name: text("name") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str, target: &str) -> Value {
        TargetOnly.apply(json!({
            "metadata": {"namespace": namespace, "name": name, "labels": {"a": "b"}},
            "spec": {"skills": [], "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}},
        }))
    }

    /// A runtime that moved on must not block its old target for ever; nor may memory grow with what is gone.
    #[tokio::test]
    async fn a_retargeted_or_deleted_runtime_claims_nothing_any_more() {
        // Nothing answers there: what is not known already stays unknown.
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let requests = Arc::new(Requests::new(kube::Client::try_from(config).unwrap(), None, false));
        let profile = Profile::by_name("pr332-merged").unwrap();
        let claimants = Claimants::new(requests, profile, Vec::new());
        assert!(!claimants.is_ready());
        claimants.take(0, Update::Begin);
        for (namespace, name) in [("team1", "a"), ("team1", "b"), ("team2", "a"), ("team11", "z")] {
            claimants.take(0, Update::Put(object(namespace, name, "weather")));
        }
        assert!(!claimants.is_ready(), "half a list says nothing");
        claimants.take(0, Update::Complete);
        let wanted = |name: &str| target_of(&object("", "", name));
        let rival = async |namespace: &str, name: &str, workload: &str| {
            let targets = claimants.of(namespace, &wanted(workload)).await.unwrap();
            targets.rival(name, &wanted(workload)).map(str::to_owned)
        };
        assert_eq!(rival("team1", "c", "weather").await.as_deref(), Some("a"));
        assert_eq!(rival("team1", "a", "weather").await.as_deref(), Some("b"));
        assert_eq!(rival("team2", "a", "weather").await, None);
        claimants.take(0, Update::Put(object("team1", "a", "other")));
        assert_eq!(rival("team1", "c", "weather").await.as_deref(), Some("b"));
        assert_eq!(rival("team1", "c", "other").await.as_deref(), Some("a"));
        claimants.take(0, Update::Gone(object("team1", "b", "weather")));
        assert_eq!(rival("team1", "c", "weather").await, None);
        for update in [Update::Begin, Update::Complete] {
            claimants.take(0, update);
        }
        assert!(claimants.stores.read().unwrap()[0].objects().is_empty());
    }
}
