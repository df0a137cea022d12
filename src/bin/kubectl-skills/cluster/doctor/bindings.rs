//! What SkillBindings need of a cluster: their API with our schema, the right to read them, and, for those that are
//! delivered to pods, what writes skills into pods. Rows of `doctor`; nothing where no SkillBinding can be.

use kubectl_skills::api::names::{SKILLS_GROUP, VERSION};
use kubectl_skills::api::object::Object;
use kubectl_skills::crd::skill_binding::{self, PLURAL};
use kubectl_skills::install::inject_policy::{mutation_name, refusal_name};
use kubectl_skills::install::rbac::Need;
use serde_json::Value;

use super::{Row, State, row, unknown};
use crate::cluster::delivery::{ADMISSION, Deliverers, deliverers};
use crate::cluster::error::ClusterError;
use crate::cluster::paths::skill_bindings;
use crate::cluster::requests::Requests;

const API: &str = "SkillBinding API";
const DELIVERY: &str = "delivery to pods";
const POLICIES: &str = "policies of SkillBindings";
const NUMBER: &str = "SkillBindings in one namespace";
const INSTALL: &str = "kubectl skills crd --skill-binding | kubectl apply --server-side -f -";
/// So many in a namespace, and evaluating each of them for each new pod costs more than a webhook's answer.
const MANY: usize = 100;

/// Whether the cluster serves SkillBindings.
pub(super) async fn are_served(requests: &Requests) -> Result<bool, ClusterError> {
    let what = format!("read the kinds of {SKILLS_GROUP}/{VERSION}");
    Ok(requests.get(&format!("/apis/{SKILLS_GROUP}/{VERSION}"), &what).await?.is_some())
}

/// All rows; none on a cluster without SkillBindings.
pub(super) async fn examine(requests: &Requests, namespace: &str, served: bool) -> Vec<Row> {
    let name = skill_binding::name();
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    let crd = requests.get(&path, &format!("get customresourcedefinition {name}")).await;
    let mut rows: Vec<Row> = api(served, &crd).into_iter().collect();
    if !served {
        rows.extend(policies_alone(requests).await);
        return rows;
    }
    let need = Need {
        verb: "list",
        group: SKILLS_GROUP,
        resource: PLURAL,
        namespace: Some(namespace.to_owned()),
        why: "skills of SkillBindings",
    };
    rows.push(super::right(requests, &need, &need.review(), namespace).await);
    // That they may not be listed has been said.
    if let Ok(Some(list)) = requests.list(&skill_bindings(Some(namespace)), "", "list skillbindings").await {
        let to_pods = |item: &&Value| item.pointer("/spec/delivery").is_some_and(|text| text == "Pod");
        let to_pods = list.items.iter().filter(to_pods).count();
        if to_pods > 0 {
            rows.extend(judge(
                &deliverers(requests, namespace).await,
                namespace,
                (to_pods, list.items.len()),
            ));
        }
    }
    rows
}

/// Our policies where their CRD is not. The API server cannot evaluate them then, and refuses each pod that they are asked about.
async fn policies_alone(requests: &Requests) -> Option<Row> {
    let mut found = Vec::new();
    for (plural, name) in
        [("mutatingadmissionpolicies", mutation_name()), ("validatingadmissionpolicies", refusal_name())]
    {
        let path = format!("{ADMISSION}/{plural}/{name}");
        // What cannot be read here is not known to be there.
        found.extend(requests.get(&path, &format!("get {plural} {name}")).await.ok().flatten());
    }
    alone(&found)
}

fn alone(policies: &[Value]) -> Option<Row> {
    let names: Vec<&str> = policies.iter().map(|policy| Object(policy).name()).collect();
    if names.is_empty() {
        return None;
    }
    let there = format!("there and their CRD, that of SkillBindings, is not: {}", names.join(", "));
    let refuses = policies.iter().any(|policy| Object(policy).str("/spec/failurePolicy") != "Ignore");
    Some(if refuses {
        row(
            POLICIES,
            State::Failed,
            format!("{there}; every new pod outside of the system's namespaces is refused"),
            INSTALL,
        )
    } else {
        row(POLICIES, State::Warning, format!("{there}; no pod gets skills by them"), INSTALL)
    })
}

/// The CRD by itself.
fn api(served: bool, crd: &Result<Option<Value>, ClusterError>) -> Option<Row> {
    let crd = match crd {
        Ok(Some(crd)) => crd,
        Ok(None) | Err(_) if !served => return None,
        Ok(None) => return Some(row(API, State::Unknown, "served, and by no CRD", "")),
        Err(error) => return Some(unknown(API, error)),
    };
    if !served {
        let conditions = crd.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let why: Vec<&str> = conditions
            .filter(|one| one["status"] == "False")
            .filter_map(|one| one["message"].as_str())
            .collect();
        let found =
            format!("the CRD is there, and {SKILLS_GROUP}/{VERSION} is not served: {}", why.join("; "));
        return Some(row(API, State::Failed, found, INSTALL));
    }
    let schema = |crd: &Value| {
        let versions = crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        versions.filter(|one| one["name"] == VERSION).find_map(|one| one.pointer("/schema").cloned())
    };
    Some(if schema(crd) == schema(&skill_binding::definition()) {
        row(API, State::Ok, format!("{SKILLS_GROUP}/{VERSION}"), "")
    } else {
        let found = format!("the CRD's schema is not that of kubectl-skills {}", env!("CARGO_PKG_VERSION"));
        row(API, State::Warning, found, INSTALL)
    })
}

/// `number`: of SkillBindings with delivery Pod, and of all in the namespace.
fn judge(found: &Deliverers, namespace: &str, (to_pods, all): (usize, usize)) -> Vec<Row> {
    let policy = format!("the policy {}", mutation_name());
    let webhook = found.webhook.as_ref().map(|name| format!("the webhook of {name}"));
    let by: Vec<String> = found.policy.then_some(policy).into_iter().chain(webhook).collect();
    let mut rows = Vec::new();
    if by.is_empty() {
        let wanted = format!("{to_pods} SkillBindings of namespace {namespace:?} have delivery Pod");
        rows.push(match &found.unread {
            Some(why) => row(
                DELIVERY,
                State::Unknown,
                format!("{wanted}, and who writes skills into pods cannot be read: {why}"),
                "let an administrator run doctor",
            ),
            None => row(
                DELIVERY,
                State::Failed,
                format!("{wanted}, and nothing writes skills into pods there"),
                found.mend(namespace),
            ),
        });
    } else {
        rows.push(row(DELIVERY, State::Ok, format!("by {}", by.join(" and ")), ""));
    }
    if found.policy && all > MANY {
        rows.push(row(
            NUMBER,
            State::Warning,
            format!(
                "{all} in namespace {namespace:?}, and the policies evaluate each of them for each new pod"
            ),
            "deliver by the webhook, which looks them up (docs/webhook.md)",
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::delivery::sees;
    use kubectl_skills::install::webhook_registration::INJECT_NAMESPACE;
    use serde_json::json;

    fn said(found: &Deliverers, numbers: (usize, usize)) -> Vec<(String, State, String, String)> {
        let rows = judge(found, "team1", numbers);
        rows.into_iter().map(|row| (row.check, row.state, row.found, row.mend)).collect()
    }

    /// A cluster in which no pod starts, and the API server's words name a kind and no command.
    #[test]
    fn policies_without_their_crd_are_a_failure_with_the_way_out() {
        let policy = |name: &str, failure: &str| json!({"metadata": {"name": name}, "spec": {"failurePolicy": failure}});
        let said =
            |policies: &[Value]| alone(policies).map(|row| (row.check, row.state, row.found, row.mend));
        assert_eq!(said(&[]), None);
        assert_eq!(
            said(&[policy("inject.x", "Fail"), policy("refuse.x", "Fail")]),
            Some(one(
                "policies of SkillBindings",
                State::Failed,
                "there and their CRD, that of SkillBindings, is not: inject.x, refuse.x; every new pod outside of the system's \
                 namespaces is refused",
                INSTALL
            ))
        );
        assert_eq!(
            said(&[policy("inject.x", "Ignore")]),
            Some(one(
                "policies of SkillBindings",
                State::Warning,
                "there and their CRD, that of SkillBindings, is not: inject.x; no pod gets skills by them",
                INSTALL
            ))
        );
    }

    fn one(check: &str, state: State, found: &str, mend: &str) -> (String, State, String, String) {
        (check.to_owned(), state, found.to_owned(), mend.to_owned())
    }

    /// Agents that start without their skills say nothing of it.
    #[test]
    fn skills_for_pods_that_nobody_delivers_are_a_failure_with_the_way_out() {
        const NOBODY: &str = "2 SkillBindings of namespace \"team1\" have delivery Pod, and nothing writes skills into pods there";
        let policies = "kubectl skills policy --inject | kubectl apply --server-side -f -";
        let name = "inject.skillbindings.skills.kagenti.dev";
        let none = Deliverers::default();
        let served = Deliverers { policies_served: true, ..none.clone() };
        let unbound = Deliverers { unbound: true, ..served.clone() };
        let elsewhere = Deliverers { other_webhook: Some("skills".into()), ..none.clone() };
        for (found, mend) in [
            (
                &none,
                "install the webhook (docs/webhook.md): the policies need Kubernetes 1.36, whose MutatingAdmissionPolicy is stable",
            ),
            (&served, policies),
            (&unbound, &*format!("the policy {name} is not bound to the namespace: {policies}")),
            (
                &elsewhere,
                "the webhook of skills leaves the namespace out: kubectl label namespace team1 skills.kagenti.dev/injection=enabled",
            ),
        ] {
            assert_eq!(said(found, (2, 200)), [one(DELIVERY, State::Failed, NOBODY, mend)]);
        }
        let unread = Deliverers { unread: Some("no".into()), ..none };
        let found = "2 SkillBindings of namespace \"team1\" have delivery Pod, and who writes skills into pods cannot be read: no";
        let wanted = [one(DELIVERY, State::Unknown, found, "let an administrator run doctor")];
        assert_eq!(said(&unread, (2, 2)), wanted);
    }

    #[test]
    fn many_under_the_policies_are_advised_to_use_the_webhook() {
        let policy = Deliverers { policies_served: true, policy: true, ..Deliverers::default() };
        let by = "by the policy inject.skillbindings.skills.kagenti.dev";
        assert_eq!(said(&policy, (1, MANY)), [one(DELIVERY, State::Ok, by, "")]);
        let many = "101 in namespace \"team1\", and the policies evaluate each of them for each new pod";
        let mend = "deliver by the webhook, which looks them up (docs/webhook.md)";
        let wanted = [one(DELIVERY, State::Ok, by, ""), one(NUMBER, State::Warning, many, mend)];
        assert_eq!(said(&policy, (1, MANY + 1)), wanted);
        let webhook = Deliverers { webhook: Some("skills".into()), ..Deliverers::default() };
        assert_eq!(said(&webhook, (1, 5000)), [one(DELIVERY, State::Ok, "by the webhook of skills", "")]);
        let selector =
            json!({"matchExpressions": [{"key": INJECT_NAMESPACE, "operator": "In", "values": ["enabled"]}]});
        assert!(!sees(Some(&selector), Some(&json!({"a": "b"}))) && !sees(Some(&selector), None));
        assert!(sees(Some(&selector), Some(&json!({INJECT_NAMESPACE: "enabled"}))));
        assert!(sees(Some(&json!({})), None) && sees(None, None));
    }

    /// A CRD of an older version refuses fields that it does not know, or drops them.
    #[test]
    fn the_crd_is_to_be_ours_and_served() {
        let state = |served, crd: Value| api(served, &Ok(Some(crd))).map(|row| row.state);
        let ours = skill_binding::definition();
        assert_eq!(state(true, ours.clone()), Some(State::Ok));
        let mut older = ours.clone();
        older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["home"] =
            Value::Null;
        assert_eq!(state(true, older), Some(State::Warning));
        let mut refused = ours;
        refused["status"] =
            json!({"conditions": [{"type": "Established", "status": "False", "message": "not yet"}]});
        let row = api(false, &Ok(Some(refused))).map(|row| (row.state, row.found));
        let found = "the CRD is there, and skills.kagenti.dev/v1alpha1 is not served: not yet";
        assert_eq!(row, Some((State::Failed, found.to_owned())));
        assert_eq!(api(false, &Ok(None)), None);
    }
}
