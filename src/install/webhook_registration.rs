//! A profile and an address in, the ValidatingWebhookConfiguration that registers the AgentRuntime webhook out, as the
//! operator's own manifests register it. Serving it is left to the binary, the verdicts to [`crate::validate::webhook`].

use serde_json::{Map, Value, json};

use crate::api::names::{INJECT, VERSION};
use crate::api::profile::Profile;
use crate::crd::PLURAL;
use crate::validate::webhook::WEBHOOK_NAME;
use crate::yaml::emit;

/// Where the API server finds the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Service; the API server calls its port 443.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Scheme, host and port, such as `https://127.0.0.1:9443`: for a webhook outside the cluster.
    Url(String),
}

/// How the webhook is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where it is.
    pub address: Address,
    /// Its certificate authority as base64 of PEM; left to cert-manager where empty.
    pub ca_bundle: String,
    /// Whether a webhook that does not answer lets requests pass; the operator's refuses them.
    pub fail_open: bool,
    /// Namespaces whose AgentRuntimes are judged; all where none is given.
    pub namespaces: Vec<String>,
}

/// Seconds that the API server waits for an answer.
pub const TIMEOUT_SECONDS: u32 = 10;

/// The path at which the operator's manager serves the webhook, such as
/// `/validate-agent-kagenti-dev-v1alpha1-agentruntime`.
pub fn path(profile: &Profile) -> String {
    format!("/validate-{}-{VERSION}-agentruntime", profile.names.group.replace('.', "-"))
}

/// The path at which pods are reviewed for their skills.
pub const INJECT_PATH: &str = "/inject-pods";
/// Seconds that the API server waits for a pod's skills: they come from memory.
pub const INJECT_TIMEOUT_SECONDS: u32 = 5;
/// Label of a namespace whose pods get skills, with the value `enabled`.
pub const INJECT_NAMESPACE: &str = "skills.kagenti.dev/injection";

fn client(registration: &Registration, path: &str) -> Map<String, Value> {
    let mut client = Map::new();
    if !registration.ca_bundle.is_empty() {
        client.insert("caBundle".into(), json!(registration.ca_bundle));
    }
    match &registration.address {
        Address::Service { namespace, name } => {
            let service = json!({"namespace": namespace, "name": name, "path": path, "port": 443});
            client.insert("service".into(), service);
        }
        Address::Url(base) => {
            client.insert("url".into(), json!(format!("{}{path}", base.trim_end_matches('/'))));
        }
    }
    client
}

/// The MutatingWebhookConfiguration, named `name`, by which pods get the skills of SkillBindings. Namespaces opt in by the
/// label [`INJECT_NAMESPACE`], or are named; a pod opts out by the label [`INJECT`].
///
/// With [`Registration::fail_open`] a pod may come without its skills, and `status` lists it; else no pod of those namespaces
/// comes while nobody answers.
pub fn injection(name: &str, registration: &Registration) -> Value {
    let namespaces = if registration.namespaces.is_empty() {
        json!({"key": INJECT_NAMESPACE, "operator": "In", "values": ["enabled"]})
    } else {
        json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": registration.namespaces})
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": format!("inject.{}", crate::crd::skill_binding::name()),
            "admissionReviewVersions": ["v1"],
            "clientConfig": client(registration, INJECT_PATH),
            "failurePolicy": if registration.fail_open { "Ignore" } else { "Fail" },
            "sideEffects": "None",
            "timeoutSeconds": INJECT_TIMEOUT_SECONDS,
            "reinvocationPolicy": "IfNeeded",
            "namespaceSelector": {"matchExpressions": [namespaces]},
            "objectSelector": {"matchExpressions": [{"key": INJECT, "operator": "NotIn", "values": ["false"]}]},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "Namespaced",
            }],
        }],
    })
}

/// The object, named `name`.
pub fn configuration(profile: &Profile, name: &str, registration: &Registration) -> Value {
    let client = client(registration, &path(profile));
    let mut webhook = Map::new();
    webhook.insert("name".into(), json!(WEBHOOK_NAME));
    webhook.insert("admissionReviewVersions".into(), json!(["v1"]));
    webhook.insert("clientConfig".into(), Value::Object(client));
    webhook.insert("failurePolicy".into(), json!(if registration.fail_open { "Ignore" } else { "Fail" }));
    webhook.insert("sideEffects".into(), json!("None"));
    webhook.insert("timeoutSeconds".into(), json!(TIMEOUT_SECONDS));
    if !registration.namespaces.is_empty() {
        webhook.insert(
            "namespaceSelector".into(),
            json!({"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": registration.namespaces},
            ]}),
        );
    }
    webhook.insert(
        "rules".into(),
        json!([{
            "apiGroups": [profile.names.group],
            "apiVersions": [VERSION],
            "operations": ["CREATE", "UPDATE"],
            "resources": [PLURAL],
        }]),
    );
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    })
}

/// The object as YAML.
pub fn text(profile: &Profile, name: &str, registration: &Registration) -> String {
    emit::document(&configuration(profile, name, registration))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that the API server calls and we do not serve refuses every AgentRuntime of the cluster.
    #[test]
    fn paths_are_those_of_the_operators_manager() {
        let path_of = |name: &str| path(Profile::by_name(name).unwrap());
        assert_eq!(path_of("pr332"), "/validate-agent-kagenti-dev-v1alpha1-agentruntime");
        assert_eq!(path_of("rossoctl"), "/validate-agent-rossoctl-dev-v1alpha1-agentruntime");
    }

    #[test]
    fn a_registration_by_url_in_two_namespaces() {
        let registration = Registration {
            address: Address::Url("https://127.0.0.1:9443/".to_owned()),
            ca_bundle: "Y2E=".to_owned(),
            fail_open: true,
            namespaces: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(
            configuration(Profile::by_name("head").unwrap(), "kubectl-skills", &registration),
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "kubectl-skills"},
                "webhooks": [{
                    "name": "vagentruntime.kb.io",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {
                        "caBundle": "Y2E=",
                        "url": "https://127.0.0.1:9443/validate-agent-kagenti-dev-v1alpha1-agentruntime",
                    },
                    "failurePolicy": "Ignore",
                    "sideEffects": "None",
                    "timeoutSeconds": 10,
                    "namespaceSelector": {"matchExpressions": [
                        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]},
                    ]},
                    "rules": [{
                        "apiGroups": ["agent.kagenti.dev"],
                        "apiVersions": ["v1alpha1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["agentruntimes"],
                    }],
                }],
            })
        );
    }
}
