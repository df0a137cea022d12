//! Whether an object is ours: an object in, by what that is known out. Never by its name alone, unless the name is of our own
//! group; what only looks like ours is said to be so, and stays.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kubectl_skills::api::names::{APP_NAME, FIELD_MANAGER, FORMER_FIELD_MANAGER};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::PROFILES;
use kubectl_skills::install::admission_policy::{object_policy_name, objects, rival_policy_name};
use kubectl_skills::install::deploy_files::WEBHOOK_SERVICE;
use kubectl_skills::install::inject_policy::{advice_name, mutation_name, refusal_name};
use kubectl_skills::install::rbac::{Grant, NAME, Place, Task, rules};
use kubectl_skills::install::skill_policy;
use serde_json::Value;

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours, known by this.
    Ours(String),
    /// It is called as ours are; why that is no proof.
    Unproven(String),
    /// Somebody else's.
    Other,
}

use Verdict::{Other, Ours, Unproven};

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// By our label and a name that goes with it: whoever makes something for the program may label it so too.
pub(super) fn labelled(object: &Value) -> Verdict {
    let it = Object(object);
    if it.label(APP_NAME) != Some(NAME) {
        return Other;
    }
    let rest_of = |text: &str| text.strip_prefix(NAME).map(str::to_owned);
    let is_named = rest_of(it.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    // The chart names all of it after the release.
    let is_of_chart = it.label("helm.sh/chart").and_then(rest_of).is_some_and(|rest| rest.starts_with('-'));
    if is_named || is_of_chart {
        Ours(format!("label {APP_NAME}: {NAME}"))
    } else {
        Unproven(format!("has the label {APP_NAME}: {NAME}, and no name of ours"))
    }
}

/// The Services that a registration has the API server call, as namespace and name.
pub(super) fn calls(object: &Value) -> BTreeSet<(String, String)> {
    let service = |webhook: &Value| {
        let service = webhook.pointer("/clientConfig/service")?;
        Some((Object(service).str("/namespace").to_owned(), Object(service).str("/name").to_owned()))
    };
    items(object, "/webhooks").iter().filter_map(service).collect()
}

/// Whether it writes the skills of SkillBindings into pods: the policy, what binds it, or a registration of the webhook.
pub(super) fn delivers(object: &Value) -> bool {
    let name = mutation_name();
    (Object(object).name() == name && Object(object).kind().starts_with("MutatingAdmissionPolicy"))
        || items(object, "/webhooks").iter().any(|webhook| Object(webhook).str("/name") == name)
}

/// A registration all of whose webhooks are ours. One with others among them goes with whoever made it.
pub(super) fn registration(object: &Value) -> Verdict {
    let webhooks = items(object, "/webhooks");
    let injects = mutation_name();
    let is_ours = |webhook: &Value| {
        Object(webhook).str("/name") == injects
            || Object(webhook).str("/clientConfig/service/name") == WEBHOOK_SERVICE
    };
    let count = webhooks.iter().filter(|webhook| is_ours(webhook)).count();
    match count {
        0 if Object(object).name() == NAME => Unproven("calls another Service than ours".to_owned()),
        0 => Other,
        _ if count == webhooks.len() => Ours("calls our webhook".to_owned()),
        _ => Unproven("has webhooks of others as well".to_owned()),
    }
}

/// Names of the policies whose name says our own group.
fn of_our_group() -> [String; 4] {
    [mutation_name(), refusal_name(), advice_name(), skill_policy::NAME.to_owned()]
}

/// A policy of our group by its name; one over AgentRuntimes, whose group is the operator's, by its rules.
pub(super) fn policy(object: &Value) -> Verdict {
    let name = Object(object).name();
    if of_our_group().iter().any(|own| own == name) {
        return Ours("named for our own kind".to_owned());
    }
    if !PROFILES.iter().any(|profile| {
        [object_policy_name(profile), rival_policy_name(profile)].iter().any(|own| own == name)
    }) {
        return Other;
    }
    let made = PROFILES.iter().flat_map(|profile| objects(profile, &Default::default()));
    let expressions = |object: &Value| -> Vec<String> {
        items(object, "/spec/validations")
            .iter()
            .map(|one| Object(one).str("/expression").to_owned())
            .collect()
    };
    let own = expressions(object);
    let is_ours = made.into_iter().any(|policy| !own.is_empty() && expressions(&policy) == own);
    if is_ours {
        Ours("has the rules that 'policy' prints".to_owned())
    } else {
        Unproven("is named as ours and has other rules: another version's, or somebody else's".to_owned())
    }
}

/// The binding of a policy of ours; one over AgentRuntimes is judged by its name, for it has nothing of its own.
pub(super) fn policy_binding(object: &Value) -> Verdict {
    let policy = Object(object).str("/spec/policyName");
    let of_operator =
        PROFILES.iter().flat_map(|profile| [object_policy_name(profile), rival_policy_name(profile)]);
    if of_our_group().iter().any(|name| name == policy) {
        return Ours(format!("binds {policy}"));
    }
    // Without the policy it binds nothing.
    if of_operator.into_iter().any(|name| name == policy && Object(object).name() == name) {
        return Ours(format!("binds {policy}"));
    }
    Other
}

/// A certificate whose Secret is our webhook's.
pub(super) fn certificate(object: &Value) -> Verdict {
    match Object(object).str("/spec/secretName").strip_prefix(WEBHOOK_SERVICE) {
        Some("" | "-ca") => Ours("is of our webhook's Service".to_owned()),
        _ => Other,
    }
}

/// The issuer of that certificate.
pub(super) fn issuer(object: &Value) -> Verdict {
    match Object(object).name().strip_prefix(WEBHOOK_SERVICE) {
        Some("") if Object(object).str("/spec/ca/secretName").starts_with(WEBHOOK_SERVICE) => {
            Ours("signs our webhook's certificate".to_owned())
        }
        Some("-self") if object.pointer("/spec/selfSigned").is_some() => {
            Ours("signs our webhook's authority".to_owned())
        }
        Some(_) => Unproven("is named as ours and signs by something else".to_owned()),
        None => Other,
    }
}

fn is_called_ours(name: &str) -> bool {
    matches!(name.strip_prefix(NAME), Some("" | "-own" | "-system"))
}

/// A binding of our role to our service account alone.
pub(super) fn role_binding(object: &Value) -> Verdict {
    if !is_called_ours(Object(object).name()) {
        return Other;
    }
    let subjects = items(object, "/subjects");
    let is_ours =
        |one: &Value| (Object(one).str("/kind"), Object(one).str("/name")) == ("ServiceAccount", NAME);
    if is_called_ours(Object(object).str("/roleRef/name"))
        && !subjects.is_empty()
        && subjects.iter().all(is_ours)
    {
        Ours("binds our role to our service account".to_owned())
    } else {
        Unproven("is named as ours and gives rights to others".to_owned())
    }
}

/// All that we are ever given rights to, as group and resource.
static RIGHTS: LazyLock<BTreeSet<(String, String)>> = LazyLock::new(|| {
    let tasks = [Task::Loop, Task::Election, Task::Webhook, Task::Injection];
    let places = [Place::Watched, Place::System, Place::Own];
    let all = PROFILES.iter().flat_map(|profile| rules(profile, &Grant::cluster(profile, &tasks), &places));
    all.flat_map(|rule| pairs(&rule)).collect()
});

fn pairs(rule: &Value) -> Vec<(String, String)> {
    let texts =
        |pointer: &str| items(rule, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let (groups, resources): (Vec<String>, Vec<String>) = (texts("/apiGroups"), texts("/resources"));
    let of_group = |group: &String| {
        resources.iter().map(|resource| (group.clone(), resource.clone())).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of_group).collect()
}

/// A role that gives no right but those of ours.
pub(super) fn role(object: &Value) -> Verdict {
    if !is_called_ours(Object(object).name()) {
        return Other;
    }
    let rules = items(object, "/rules");
    let is_ours = |rule: &Value| {
        let pairs = pairs(rule);
        !pairs.is_empty() && pairs.iter().all(|pair| RIGHTS.contains(pair))
    };
    if !rules.is_empty() && rules.iter().all(is_ours) {
        Ours("gives the rights that 'rbac' prints".to_owned())
    } else {
        Unproven("is named as ours and gives other rights".to_owned())
    }
}

/// A lease that the program wrote.
pub(super) fn lease(object: &Value) -> Verdict {
    if Object(object).name() != NAME {
        return Other;
    }
    if managers(object).any(|(manager, _)| is_our_manager(manager)) {
        Ours("held by our controller".to_owned())
    } else {
        Unproven("is named as ours and was written by others".to_owned())
    }
}

/// Managers of an object with the fields of each.
fn managers(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let entries = items(object, "/metadata/managedFields").iter();
    entries.map(|entry| (Object(entry).str("/manager"), entry.get("fieldsV1").unwrap_or(&Value::Null)))
}

fn is_our_manager(manager: &str) -> bool {
    manager == FIELD_MANAGER || manager == FORMER_FIELD_MANAGER
}

/// Whether we have put a finalizer on an object.
pub(super) fn set_the_finalizer(object: &Value, finalizer: &str) -> bool {
    let key = format!("v:{finalizer:?}");
    managers(object).any(|(manager, fields)| {
        let finalizers = fields.get("f:metadata").and_then(|metadata| metadata.get("f:finalizers"));
        is_our_manager(manager) && finalizers.is_some_and(|set| set.get(&key).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A role of the same name that somebody widened, or a registration with another's webhook, must not go with us.
    #[test]
    fn nothing_is_ours_because_of_what_it_is_called() {
        let role_of = |group: &str, resource: &str| {
            json!({"metadata": {"name": "kubectl-skills"},
                   "rules": [{"apiGroups": [group], "resources": [resource], "verbs": ["get"]}]})
        };
        assert!(matches!(role(&role_of("apps", "deployments")), Ours(_)));
        assert!(matches!(role(&role_of("", "secrets")), Unproven(_)));
        assert!(matches!(role(&json!({"metadata": {"name": "kubectl-skills"}})), Unproven(_)));
        assert_eq!(role(&json!({"metadata": {"name": "kubectl-skills-mine"}, "rules": []})), Other);

        let hook =
            |name: &str, service: &str| json!({"name": name, "clientConfig": {"service": {"name": service}}});
        let of = |name: &str, hooks: Value| json!({"metadata": {"name": name}, "webhooks": hooks});
        let ours = hook("vagentruntime.kb.io", WEBHOOK_SERVICE);
        let theirs = hook("vagentruntime.kb.io", "kagenti-webhook");
        assert!(matches!(registration(&of("kubectl-skills", json!([ours]))), Ours(_)));
        assert!(matches!(registration(&of("x", json!([hook(&mutation_name(), "x")]))), Ours(_)));
        assert!(matches!(registration(&of("x", json!([ours, theirs]))), Unproven(_)));
        assert!(matches!(registration(&of("kubectl-skills", json!([theirs]))), Unproven(_)));
        assert_eq!(registration(&of("kagenti", json!([theirs]))), Other);

        let bound = |subject: Value| json!({"metadata": {"name": "kubectl-skills"}, "roleRef": {"name": "kubectl-skills"}, "subjects": [subject]});
        assert!(matches!(
            role_binding(&bound(json!({"kind": "ServiceAccount", "name": "kubectl-skills"}))),
            Ours(_)
        ));
        assert!(matches!(
            role_binding(&bound(json!({"kind": "User", "name": "kubectl-skills"}))),
            Unproven(_)
        ));

        let rules = |expression: &str| {
            json!({"metadata": {"name": "agentruntimes.agent.kagenti.dev"},
                   "spec": {"validations": [{"expression": expression}]}})
        };
        assert!(matches!(policy(&rules("true")), Unproven(_)));
        let mine = objects(&PROFILES[0], &Default::default()).swap_remove(0);
        assert!(matches!(policy(&mine), Ours(_)), "{mine}");

        let lease_by = |manager: &str| json!({"metadata": {"name": "kubectl-skills", "managedFields": [{"manager": manager}]}});
        assert!(matches!(lease(&lease_by("kubectl-skills")), Ours(_)));
        assert!(matches!(lease(&lease_by("kubectl")), Unproven(_)));
    }

    /// A team's own ConfigMap about the program must not go with it, whatever labels it has.
    #[test]
    fn our_label_alone_is_no_proof() {
        let of = |name: &str, labels: Value| labelled(&json!({"metadata": {"name": name, "labels": labels}}));
        let ours = json!({"app.kubernetes.io/name": "kubectl-skills"});
        let of_chart =
            json!({"app.kubernetes.io/name": "kubectl-skills", "helm.sh/chart": "kubectl-skills-0.1.0"});
        for (name, labels) in [
            ("kubectl-skills", &ours),
            ("kubectl-skills-webhook", &ours),
            ("team-kubectl-skills-metrics", &of_chart),
            ("agents", &of_chart),
        ] {
            assert!(matches!(of(name, labels.clone()), Ours(_)), "{name}");
        }
        for name in ["dashboards", "kubectl-skillset", "my-kubectl-skills"] {
            assert_eq!(
                of(name, ours.clone()),
                Unproven(
                    "has the label app.kubernetes.io/name: kubectl-skills, and no name of ours".to_owned()
                )
            );
        }
        assert_eq!(of("kubectl-skills", json!({"app.kubernetes.io/name": "other"})), Other);
    }

    /// What `policy -f` prints asks for skills of every pod: left alone it refuses what nobody lists any more.
    #[test]
    fn the_policy_about_images_is_ours_with_its_binding() {
        let named = json!({"metadata": {"name": "images.skills.kagenti.dev"}});
        assert!(matches!(policy(&named), Ours(_)));
        let bound = json!({"metadata": {"name": "images.skills.kagenti.dev"}, "spec": {"policyName": "images.skills.kagenti.dev"}});
        assert_eq!(policy_binding(&bound), Ours("binds images.skills.kagenti.dev".to_owned()));
    }

    #[test]
    fn the_finalizer_of_the_operator_is_ours_only_where_we_set_it() {
        let set_by = |manager: &str| {
            json!({"metadata": {"managedFields": [
                {"manager": manager, "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, "v:\"kagenti.io/cleanup\"": {}}}}},
            ]}})
        };
        assert!(set_the_finalizer(&set_by("skills.kagenti.dev"), "kagenti.io/cleanup"));
        assert!(!set_the_finalizer(&set_by("manager"), "kagenti.io/cleanup"));
        assert!(!set_the_finalizer(&set_by("skills.kagenti.dev"), "rossoctl.io/cleanup"));
    }
}
