//! Who writes the skills of SkillBindings with delivery Pod into pods: the policy or the webhook, if either sees the namespace.
//! What is then said is left to the verbs.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::Object;
use kubectl_skills::api::skill_binding::LabelSelector;
use kubectl_skills::install::inject_policy::mutation_name;
use kubectl_skills::install::webhook_registration::INJECT_NAMESPACE;
use serde_json::Value;

use super::error::ClusterError;
use super::requests::{Requests, escape_query};

/// Up to so many namespaces are read one by one.
const FEW: usize = 3;
/// The group in which policies and webhook configurations are.
pub const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// Namespaces with SkillBindings with delivery Pod, and of each what to do where nobody writes these into pods.
pub type Undelivered = BTreeMap<String, String>;

/// Looks at the namespaces of SkillBindings. Where it cannot be read who delivers, nothing is said: doctor does.
pub async fn undelivered<'b>(requests: &Requests, bindings: impl Iterator<Item = &'b Value>) -> Undelivered {
    let to_pods = |binding: &&Value| Object(binding).str("/spec/delivery") == "Pod";
    let wanted: BTreeSet<&str> =
        bindings.filter(to_pods).map(|binding| Object(binding).namespace()).collect();
    if wanted.is_empty() {
        return Undelivered::new();
    }
    let (admission, labels) = tokio::join!(Admission::read(requests), labels_of(requests, &wanted));
    // Who may not read namespaces learns it from doctor as well.
    let Ok(labels) = labels else { return Undelivered::new() };
    let found = wanted.into_iter().map(|namespace| (namespace, admission.of(labels.get(namespace))));
    let nobody = found.filter(|(_, found)| found.is_nobody());
    nobody.map(|(namespace, found)| (namespace.to_owned(), found.mend(namespace))).collect()
}

/// What is said of a namespace of them.
pub fn nobody(namespace: &str) -> String {
    format!(
        "nothing writes the skills of SkillBindings with delivery Pod into pods of namespace {namespace:?}"
    )
}

/// Who may write skills into pods.
#[derive(Debug, Clone, Default)]
pub struct Deliverers {
    /// Whether the server knows MutatingAdmissionPolicy in its stable version.
    pub policies_served: bool,
    /// The policy, where it is bound to the namespace.
    pub policy: bool,
    /// The policy is there, and not bound to the namespace.
    pub unbound: bool,
    /// Name of the configuration of the webhook that sees pods of the namespace.
    pub webhook: Option<String>,
    /// A configuration of the webhook that does not see them.
    pub other_webhook: Option<String>,
    /// What could not be read.
    pub unread: Option<String>,
}

impl Deliverers {
    /// Whether nobody does, as far as everything could be read.
    pub fn is_nobody(&self) -> bool {
        !self.policy && self.webhook.is_none() && self.unread.is_none()
    }

    /// What to do where nobody does.
    pub fn mend(&self, namespace: &str) -> String {
        if let Some(name) = &self.other_webhook {
            return format!(
                "the webhook of {name} leaves the namespace out: kubectl label namespace {namespace} {INJECT_NAMESPACE}=enabled"
            );
        }
        let policies = "kubectl skills policy --inject | kubectl apply --server-side -f -";
        if self.unbound {
            return format!("the policy {} is not bound to the namespace: {policies}", mutation_name());
        }
        if self.policies_served {
            return policies.to_owned();
        }
        "install the webhook (docs/webhook.md): the policies need Kubernetes 1.36, whose MutatingAdmissionPolicy is stable"
            .to_owned()
    }
}

/// Reads who writes skills into the pods of a namespace.
pub async fn deliverers(requests: &Requests, namespace: &str) -> Deliverers {
    let wanted = BTreeSet::from([namespace]);
    let (admission, labels) = tokio::join!(Admission::read(requests), labels_of(requests, &wanted));
    match labels {
        Ok(labels) => admission.of(labels.get(namespace)),
        Err(error) => Deliverers { unread: Some(error.message), ..admission.of(None) },
    }
}

/// The labels of namespaces that are there: a few are read one by one.
async fn labels_of(
    requests: &Requests,
    wanted: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Value>, ClusterError> {
    let mut found = Vec::new();
    if wanted.len() <= FEW {
        for name in wanted {
            let path = format!("/api/v1/namespaces/{}", escape_query(name));
            found.extend(requests.get(&path, &format!("get namespace {name:?}")).await?);
        }
    } else {
        let list = requests.list("/api/v1/namespaces", "", "list namespaces").await?;
        found.extend(list.into_iter().flat_map(|list| list.items));
    }
    let labels = |object: &Value| object.pointer("/metadata/labels").cloned().unwrap_or_default();
    Ok(found.iter().map(|object| (Object(object).name().to_owned(), labels(object))).collect())
}

/// What of ours is asked at the admission of pods, whatever their namespace.
#[derive(Debug)]
struct Admission {
    policies_served: bool,
    policy: bool,
    binding: Option<Value>,
    /// By configuration, the webhook in it.
    webhooks: Vec<(String, Value)>,
    unread: Option<String>,
}

impl Admission {
    /// What cannot be read is noted, and the rest is looked at.
    async fn read(requests: &Requests) -> Self {
        let name = mutation_name();
        let mut unread = None;
        let mut noted = |answer: Result<Option<Value>, ClusterError>| {
            answer.unwrap_or_else(|error| {
                unread = Some(error.message);
                None
            })
        };
        let kinds = noted(requests.get(ADMISSION, "read the kinds of admissionregistration.k8s.io/v1").await);
        let kinds = kinds.as_ref().and_then(|list| list["resources"].as_array()).into_iter().flatten();
        let policies_served = kinds.into_iter().any(|one| one["name"] == "mutatingadmissionpolicies");
        let (mut policy, mut binding) = (None, None);
        if policies_served {
            let get = async |kind: &str, plural: &str| {
                requests.get(&format!("{ADMISSION}/{plural}/{name}"), &format!("get {kind} {name}")).await
            };
            policy = noted(get("mutatingadmissionpolicy", "mutatingadmissionpolicies").await);
            binding = noted(get("mutatingadmissionpolicybinding", "mutatingadmissionpolicybindings").await);
        }
        let path = format!("{ADMISSION}/mutatingwebhookconfigurations");
        let list = match requests.list(&path, "", "list mutatingwebhookconfigurations").await {
            Ok(list) => list.map(|list| list.items).unwrap_or_default(),
            Err(error) => {
                unread = Some(error.message);
                Vec::new()
            }
        };
        let mine = |configuration: &Value| {
            let mut all = configuration["webhooks"].as_array().into_iter().flatten();
            let webhook = all.find(|one| one["name"] == name.as_str())?.clone();
            Some((Object(configuration).name().to_owned(), webhook))
        };
        let webhooks = list.iter().filter_map(mine).collect();
        Self { policies_served, policy: policy.is_some(), binding, webhooks, unread }
    }

    /// Of these who sees a namespace with these labels.
    fn of(&self, labels: Option<&Value>) -> Deliverers {
        let binds = |binding: &Value| sees(binding.pointer("/spec/matchResources/namespaceSelector"), labels);
        let policy = self.policy && self.binding.as_ref().is_some_and(binds);
        let calls = |(_, webhook): &&(String, Value)| sees(webhook.get("namespaceSelector"), labels);
        let named = |found: Option<&(String, Value)>| found.map(|(name, _)| name.clone());
        Deliverers {
            policies_served: self.policies_served,
            policy,
            unbound: self.policy && !policy,
            webhook: named(self.webhooks.iter().find(calls)),
            other_webhook: named(self.webhooks.iter().find(|one| !calls(one))),
            unread: self.unread.clone(),
        }
    }
}

/// Whether a selector of admission takes a namespace; one that is empty takes all.
pub fn sees(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let Some(selector) = selector.filter(|selector| selector.as_object().is_some_and(|map| !map.is_empty()))
    else {
        return true;
    };
    LabelSelector::of_server(selector).matches(labels)
}
