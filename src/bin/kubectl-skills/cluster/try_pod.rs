//! Whether Pods keep their image volumes: a workload in, a dry run of one Pod of its template, what became of its volumes out.
//! A webhook over Pods sees none of the Deployments that they come from, and one with an older client takes out what it
//! does not know. What a verb makes of the answer is left to it.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use http::Method;
use kubectl_skills::api::object::Object;
use serde_json::{Value, json};

use super::apply::Prepared;
use super::error::{ClusterError, Failure};
use super::paths::PODS;
use super::requests::Requests;

/// Requests under way at the same time.
const CONCURRENCY: usize = 8;

/// What became of a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// All image volumes are there.
    Kept,
    /// These are not.
    Dropped(Vec<String>),
    /// Admission refuses the Pod, in its words.
    Refused(String),
    /// It could not be tried, and why.
    Unknown(String),
}

/// Tries a Pod of a workload. Nothing is created.
pub async fn try_pod(requests: &Requests, namespace: &str, workload: &Value) -> Trial {
    let pod = pod_of(namespace, workload);
    let path = format!("{}?dryRun=All&fieldManager=kubectl-skills", PODS.list(Some(namespace)));
    let what = format!("try a Pod in namespace {namespace:?}");
    match requests.write(Method::POST, &path, "application/json", &pod, &what).await {
        Ok(stored) => {
            let lost: Vec<String> = image_volumes(&pod["spec"])
                .filter(|name| !image_volumes(&stored["spec"]).any(|kept| kept == *name))
                .map(str::to_owned)
                .collect();
            if lost.is_empty() { Trial::Kept } else { Trial::Dropped(lost) }
        }
        Err(error) if is_verdict(&error) => Trial::Refused(error.said),
        Err(error) => Trial::Unknown(error.message),
    }
}

/// A Pod as the controller of a workload makes it: of its template, and with a volume for each of its claim templates, which is in no
/// list of the template and takes the place of one of the same name there.
fn pod_of(namespace: &str, workload: &Value) -> Value {
    let template = template(workload).unwrap_or(&Value::Null);
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "kubectl-skills-try-", "namespace": namespace},
        "spec": template.get("spec").cloned().unwrap_or_default(),
    });
    for field in ["labels", "annotations"] {
        if let Some(map) = template.pointer(&format!("/metadata/{field}")) {
            pod["metadata"][field] = map.clone();
        }
    }
    let claims = workload.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let claims = claims.into_iter().flatten().map(|claim| Object(claim).name());
    let claims: Vec<&str> = claims.filter(|name| !name.is_empty()).collect();
    if !claims.is_empty() {
        let own = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let own = own.into_iter().filter(|volume| !claims.contains(&Object(volume).str("/name")));
        let owner = Object(workload).name();
        let claimed = claims.iter().map(
            |name| json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{owner}-0")}}),
        );
        pod["spec"]["volumes"] = own.chain(claimed).collect();
    }
    pod
}

/// Whether an answer is about the Pod, and not about who asks or what else there is in the namespace.
fn is_verdict(error: &ClusterError) -> bool {
    let by_rbac = error.said.contains("cannot create resource");
    let by_quota = error.said.contains("exceeded quota");
    matches!(error.failure, Failure::Forbidden | Failure::Invalid) && !by_rbac && !by_quota
}

/// Names of the image volumes of a pod.
pub fn image_volumes(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod.get("volumes").and_then(Value::as_array).into_iter().flatten();
    volumes.filter(|volume| volume.get("image").is_some()).filter_map(|volume| volume.get("name")?.as_str())
}

/// The pod template of a workload.
pub fn template(workload: &Value) -> Option<&Value> {
    ["/spec/template", "/spec/podTemplate"].iter().find_map(|pointer| workload.pointer(pointer))
}

/// What trying Pods of workloads came to.
#[derive(Debug, Default)]
pub struct Trials {
    /// Workloads whose Pods lose image volumes: (title, volumes).
    pub dropped: Vec<(String, Vec<String>)>,
    /// Workloads whose Pods are refused: (title, the server's words).
    pub refused: Vec<(String, String)>,
    /// Why Pods could not be tried; `None` if they all were.
    pub unknown: Option<String>,
}

/// Tries a Pod of each workload that gets image volumes. Of those that no webhook can tell apart, one is tried: webhooks
/// choose by namespace and by labels.
pub async fn try_pods<'p>(
    requests: &Requests,
    prepared: impl Iterator<Item = (&'p str, &'p Prepared)>,
) -> Trials {
    let mut kinds: BTreeMap<(String, Vec<&str>), (&str, &Value)> = BTreeMap::new();
    for (title, prepared) in prepared {
        let Some(template) = template(&prepared.merged) else { continue };
        if image_volumes(&template["spec"]).next().is_none() {
            continue;
        }
        let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        kinds.entry((prepared.namespace().to_owned(), labels)).or_insert((title, &prepared.merged));
    }
    let trials = kinds.into_iter().map(|((namespace, _), (title, workload))| async move {
        (title.to_owned(), try_pod(requests, &namespace, workload).await)
    });
    let mut out = Trials::default();
    let mut trials = stream::iter(trials).buffered(CONCURRENCY);
    while let Some((title, trial)) = trials.next().await {
        match trial {
            Trial::Kept => {}
            Trial::Dropped(volumes) => out.dropped.push((title, volumes)),
            Trial::Refused(said) => out.refused.push((title, said)),
            Trial::Unknown(why) => out.unknown = Some(why),
        }
    }
    out
}

/// Names of the mutating webhooks that see a resource, as `; webhooks that see pods: a, b`; empty where they may not be
/// read or there are none.
pub async fn webhooks(requests: &Requests, resource: &str) -> String {
    let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    let Ok(Some(list)) = requests.list(path, "", "list mutating webhooks").await else {
        return String::new();
    };
    let below = format!("{resource}/*");
    let sees = |hook: &Value| {
        hook.get("rules").and_then(Value::as_array).into_iter().flatten().any(|rule| {
            let resources = rule.get("resources").and_then(Value::as_array).into_iter().flatten();
            resources.filter_map(Value::as_str).any(|r| r == "*" || r == "*/*" || r == resource || r == below)
        })
    };
    let names: Vec<&str> = list
        .items
        .iter()
        .filter(|item| item.get("webhooks").and_then(Value::as_array).into_iter().flatten().any(sees))
        .filter_map(|item| item.pointer("/metadata/name")?.as_str())
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; webhooks that see {resource}: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The controller of a StatefulSet or Sandbox gives each pod its claims: without them a mount of one is said to be refused, and is not.
    #[test]
    fn a_pod_has_the_volumes_of_claim_templates() {
        let workload = |claims: Value, volumes: Value| {
            json!({"metadata": {"name": "db"}, "spec": {"volumeClaimTemplates": claims, "template": {
                "metadata": {"labels": {"app": "db"}, "annotations": {"a": "b"}},
                "spec": {"containers": [], "volumes": volumes}}}})
        };
        let volumes = |workload: &Value| pod_of("team1", workload)["spec"]["volumes"].clone();
        let own =
            json!([{"name": "skill-a", "image": {"reference": "i:1"}}, {"name": "data", "emptyDir": {}}]);
        let claims = json!([{"metadata": {"name": "data"}, "spec": {}}]);
        let claimed = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}});
        assert_eq!(volumes(&workload(claims.clone(), own.clone())), json!([own[0], claimed]));
        assert_eq!(volumes(&workload(json!([]), own.clone())), own);
        let of_sandbox = json!({"metadata": {"name": "db"}, "spec": {"volumeClaimTemplates": claims, "podTemplate": {"spec": {"containers": []}}}});
        assert_eq!(volumes(&of_sandbox), json!([claimed]));
        assert_eq!(
            pod_of("team1", &workload(json!([]), own.clone())),
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"generateName": "kubectl-skills-try-", "namespace": "team1",
                    "labels": {"app": "db"}, "annotations": {"a": "b"}},
                "spec": {"containers": [], "volumes": own}})
        );
    }
}
