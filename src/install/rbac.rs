//! Which rights the program asks for in a cluster: one table. Manifests of roles and bindings come out of it, and the
//! files in deploy/ and the documentation are held against it. Whether a right is granted is left to the cluster.

use serde_json::{Value, json};

use crate::api::names::SKILLS_GROUP;
use crate::api::profile::Profile;
use crate::yaml::emit;

/// Name of roles, bindings and the service account.
pub const NAME: &str = "kubectl-skills";

/// What the program does in the cluster; each task has rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The loop: keeps workloads as their AgentRuntimes say.
    Loop,
    /// Leader election among replicas of the loop.
    Election,
    /// The admission webhook.
    Webhook,
    /// The admission webhook that puts skills into pods.
    Injection,
}

/// Where a right is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In every namespace whose AgentRuntimes are looked after.
    Watched,
    /// In the operator's namespace, where its ConfigMaps are.
    System,
    /// In the namespace that the program itself runs in.
    Own,
}

/// An API group, which may differ between the profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// That of AgentRuntime.
    AgentRuntime,
    /// Any other.
    Named(&'static str),
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// For which task.
    pub task: Task,
    /// Where.
    pub place: Place,
    /// API group.
    pub group: Group,
    /// Resources, subresources among them.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What it is for.
    pub why: &'static str,
}

const READ: &[&str] = &["get", "list", "watch"];
/// What a watch asks for.
const WATCH: &[&str] = &["list", "watch"];

const fn right(
    task: Task,
    place: Place,
    group: Group,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Right {
    Right { task, place, group, resources, verbs, why }
}

use Group::{AgentRuntime, Named};
use Place::{Own, System, Watched};

/// Every right of every task.
pub const RIGHTS: &[Right] = &[
    right(Task::Loop, Watched, AgentRuntime, &["agentruntimes"], WATCH, "what is wanted"),
    right(Task::Loop, Watched, AgentRuntime, &["agentruntimes"], &["patch"], "the finalizer"),
    right(Task::Loop, Watched, AgentRuntime, &["agentruntimes/status"], &["patch"], "conditions"),
    right(Task::Loop, Watched, Named("apps"), WORKLOADS, WATCH, "the workloads"),
    right(
        Task::Loop,
        Watched,
        Named("apps"),
        WORKLOADS,
        &["get"],
        "the whole workload that is to be written",
    ),
    right(Task::Loop, Watched, Named("apps"), WORKLOADS, &["patch"], "skills, labels, hash"),
    right(Task::Loop, Watched, Named(SANDBOX_GROUP), &["sandboxes"], WATCH, "the workloads, where installed"),
    right(
        Task::Loop,
        Watched,
        Named(SANDBOX_GROUP),
        &["sandboxes"],
        &["get"],
        "the whole workload that is to be written",
    ),
    right(Task::Loop, Watched, Named(SANDBOX_GROUP), &["sandboxes"], &["patch"], "labels, hash, restart"),
    right(
        Task::Loop,
        Watched,
        Named(SKILLS_GROUP),
        &["skillbindings"],
        WATCH,
        "what is wanted of any workload",
    ),
    right(Task::Loop, Watched, Named(SKILLS_GROUP), &["skillbindings"], &["patch"], "the finalizer"),
    right(
        Task::Loop,
        Watched,
        Named(SKILLS_GROUP),
        &["skillbindings/status"],
        &["patch"],
        "conditions, workloads, pods",
    ),
    right(Task::Loop, Watched, Named("apps"), MORE_APPS, READ, "workloads of SkillBindings"),
    right(Task::Loop, Watched, Named("apps"), MORE_APPS, &["patch"], "skills"),
    right(Task::Loop, Watched, Named("batch"), &["cronjobs"], READ, "workloads of SkillBindings"),
    right(Task::Loop, Watched, Named("batch"), &["cronjobs"], &["patch"], "skills"),
    // Its pod template cannot be changed.
    right(Task::Loop, Watched, Named("batch"), &["jobs"], READ, "workloads of SkillBindings"),
    right(
        Task::Loop,
        Watched,
        Named("argoproj.io"),
        &["rollouts"],
        READ,
        "workloads of SkillBindings, where installed",
    ),
    right(Task::Loop, Watched, Named("argoproj.io"), &["rollouts"], &["patch"], "skills"),
    right(
        Task::Loop,
        Watched,
        Named("serving.knative.dev"),
        &["services"],
        READ,
        "workloads of SkillBindings, where installed",
    ),
    right(Task::Loop, Watched, Named("serving.knative.dev"), &["services"], &["patch"], "skills"),
    right(Task::Loop, Watched, Named(""), &["configmaps"], WATCH, "the namespace's part of the config hash"),
    right(
        Task::Loop,
        Watched,
        Named(""),
        &["pods"],
        WATCH,
        "status.configuredPods, and which pods have the skills of a SkillBinding",
    ),
    right(
        Task::Loop,
        Watched,
        Named(""),
        &["events"],
        &["create", "patch"],
        "events on AgentRuntimes and SkillBindings",
    ),
    right(
        Task::Loop,
        System,
        Named(""),
        &["configmaps"],
        WATCH,
        "feature gates and the cluster's part of the config hash",
    ),
    right(
        Task::Election,
        Own,
        Named("coordination.k8s.io"),
        &["leases"],
        &["create", "get", "update"],
        "the lease of the leader",
    ),
    right(Task::Webhook, Watched, AgentRuntime, &["agentruntimes"], WATCH, "rivals for a target"),
    right(Task::Injection, Watched, Named(SKILLS_GROUP), &["skillbindings"], WATCH, "what pods get"),
];

const WORKLOADS: &[&str] = &["deployments", "statefulsets"];
/// Kinds that SkillBindings alone are about.
const MORE_APPS: &[&str] = &["daemonsets", "replicasets"];
const SANDBOX_GROUP: &str = "agents.x-k8s.io";

/// For whom and how far rights are granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Namespaces that are looked after; all where none is given.
    pub namespaces: Vec<String>,
    /// Only rights to read, for `--dry-run`. The lease is written all the same.
    pub read_only: bool,
    /// Namespace of the operator and its ConfigMaps.
    pub system_namespace: String,
    /// Namespace of the program and its service account.
    pub own_namespace: String,
}

impl Grant {
    /// All namespaces, in the usual namespaces of the profile.
    pub fn cluster(profile: &Profile, tasks: &[Task]) -> Self {
        Self {
            tasks: tasks.to_vec(),
            namespaces: Vec::new(),
            read_only: false,
            system_namespace: profile.names.system_namespace.to_owned(),
            own_namespace: profile.names.system_namespace.to_owned(),
        }
    }

    /// Whether a right is one to write and only rights to read are granted.
    fn withholds(&self, right: &Right) -> bool {
        let writes = right.verbs.iter().any(|verb| !READ.contains(verb));
        writes && self.read_only && right.task != Task::Election
    }
}

impl Right {
    fn group_of(&self, profile: &Profile) -> &'static str {
        match self.group {
            AgentRuntime => profile.names.group,
            Named(group) => group,
        }
    }
}

/// The rules for a place, as RBAC writes them; each with the verbs of one group and set of resources.
pub fn rules(profile: &Profile, grant: &Grant, places: &[Place]) -> Vec<Value> {
    let mut merged: Vec<(&str, &[&str], Vec<&str>)> = Vec::new();
    for right in RIGHTS {
        if !grant.tasks.contains(&right.task) || !places.contains(&right.place) || grant.withholds(right) {
            continue;
        }
        let group = right.group_of(profile);
        let same = merged.iter_mut().find(|(g, resources, _)| *g == group && *resources == right.resources);
        let verbs = match same {
            Some((_, _, verbs)) => verbs,
            None => {
                merged.push((group, right.resources, Vec::new()));
                match merged.last_mut() {
                    Some((_, _, verbs)) => verbs,
                    None => continue,
                }
            }
        };
        for verb in right.verbs {
            if !verbs.contains(verb) {
                verbs.push(verb);
            }
        }
    }
    merged
        .into_iter()
        .map(|(group, resources, mut verbs)| {
            verbs.sort_unstable();
            json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
        })
        .collect()
}

/// One right as an API server is asked for it: a verb on a resource in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Verb.
    pub verb: &'static str,
    /// API group; empty for the core.
    pub group: &'static str,
    /// Resource, with the subresource after a slash.
    pub resource: &'static str,
    /// Namespace; none for all.
    pub namespace: Option<String>,
    /// What it is for.
    pub why: &'static str,
}

impl Need {
    /// The right in words, such as `patch deployments.apps in namespace "team1"`.
    pub fn text(&self) -> String {
        let (dot, group) = if self.group.is_empty() { ("", "") } else { (".", self.group) };
        let place = match &self.namespace {
            Some(namespace) => format!("namespace {namespace:?}"),
            None => "all namespaces".to_owned(),
        };
        format!("{} {}{dot}{group} in {place}", self.verb, self.resource)
    }

    /// Whether only SkillBindings make it needed: where the cluster serves none, nobody misses it.
    pub fn is_for_bindings(&self) -> bool {
        let groups = [SKILLS_GROUP, "batch", "argoproj.io", "serving.knative.dev"];
        groups.contains(&self.group) || (self.group == "apps" && MORE_APPS.contains(&self.resource))
    }

    /// The SelfSubjectAccessReview that asks for it.
    pub fn review(&self) -> Value {
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((self.resource, ""));
        let mut attributes = json!({"verb": self.verb, "group": self.group, "resource": resource});
        for (key, value) in
            [("subresource", subresource), ("namespace", self.namespace.as_deref().unwrap_or_default())]
        {
            if !value.is_empty() {
                attributes[key] = value.into();
            }
        }
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}})
    }
}

/// Every right of a grant by itself, each once.
pub fn needs(profile: &Profile, grant: &Grant) -> Vec<Need> {
    let mut out: Vec<Need> = Vec::new();
    for right in RIGHTS.iter().filter(|right| grant.tasks.contains(&right.task) && !grant.withholds(right)) {
        let places: Vec<Option<&String>> = match right.place {
            // What is granted in all namespaces is granted in the operator's as well.
            Watched | System if grant.namespaces.is_empty() => vec![None],
            Watched => grant.namespaces.iter().map(Some).collect(),
            System => vec![Some(&grant.system_namespace)],
            Own => vec![Some(&grant.own_namespace)],
        };
        for namespace in places {
            for resource in right.resources {
                for verb in right.verbs {
                    let need = Need {
                        verb,
                        group: right.group_of(profile),
                        resource,
                        namespace: namespace.cloned(),
                        why: right.why,
                    };
                    if !out.iter().any(|other| Need { why: need.why, ..other.clone() } == need) {
                        out.push(need);
                    }
                }
            }
        }
    }
    out
}

/// The roles and bindings of a grant: a ClusterRole for all namespaces, else a Role in each; and Roles in the program's
/// own and the operator's namespace for what is needed there alone.
pub fn objects(profile: &Profile, grant: &Grant) -> Vec<Value> {
    let mut out = Vec::new();
    if grant.namespaces.is_empty() {
        // What is granted in all namespaces is granted in the operator's as well.
        bind(&mut out, grant, None, NAME, rules(profile, grant, &[Watched, System]));
    } else {
        for namespace in &grant.namespaces {
            bind(&mut out, grant, Some(namespace), NAME, rules(profile, grant, &[Watched]));
        }
        let name = format!("{NAME}-system");
        bind(&mut out, grant, Some(&grant.system_namespace), &name, rules(profile, grant, &[System]));
    }
    bind(&mut out, grant, Some(&grant.own_namespace), &format!("{NAME}-own"), rules(profile, grant, &[Own]));
    out
}

/// The objects as YAML documents.
pub fn text(profile: &Profile, grant: &Grant) -> String {
    emit::documents(&objects(profile, grant))
}

fn bind(out: &mut Vec<Value>, grant: &Grant, namespace: Option<&str>, name: &str, rules: Vec<Value>) {
    if rules.is_empty() {
        return;
    }
    let (role, binding) = match namespace {
        None => ("ClusterRole", "ClusterRoleBinding"),
        Some(_) => ("Role", "RoleBinding"),
    };
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let api_version = "rbac.authorization.k8s.io/v1";
    out.push(json!({"apiVersion": api_version, "kind": role, "metadata": metadata, "rules": rules}));
    out.push(json!({
        "apiVersion": api_version,
        "kind": binding,
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": grant.own_namespace}],
    }));
}

/// The table of docs/deploy.md.
pub fn markdown(profile: &Profile) -> String {
    let mut out =
        String::from("| for | where | group | resources | verbs | why |\n|---|---|---|---|---|---|\n");
    for right in RIGHTS {
        let task = match right.task {
            Task::Loop => "loop",
            Task::Election => "election",
            Task::Webhook => "webhook",
            Task::Injection => "webhook --inject",
        };
        let place = match right.place {
            Watched => "watched namespaces",
            System => "operator's namespace",
            Own => "own namespace",
        };
        let group = match right.group {
            AgentRuntime => profile.names.group,
            Named("") => "core",
            Named(group) => group,
        };
        out.push_str(&format!(
            "| {task} | {place} | {group} | {} | {} | {} |\n",
            right.resources.join(", "),
            right.verbs.join(", "),
            right.why
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> &'static Profile {
        Profile::by_name("pr332-merged").unwrap()
    }

    fn verbs_of(objects: &[Value]) -> Vec<String> {
        let rules = objects.iter().filter_map(|object| object["rules"].as_array()).flatten();
        rules
            .filter_map(|rule| rule["verbs"].as_array())
            .flatten()
            .map(|verb| verb.as_str().unwrap().to_owned())
            .collect()
    }

    /// A star would hand a stolen token the whole cluster.
    #[test]
    fn no_right_is_a_wildcard_or_one_that_leads_to_others() {
        for right in RIGHTS {
            for word in right.resources.iter().chain(right.verbs) {
                assert!(!word.contains('*'), "{right:?}");
                assert!(
                    !["secrets", "escalate", "bind", "impersonate", "delete", "deletecollection"]
                        .contains(word),
                    "{right:?}"
                );
            }
        }
    }

    /// Who restricts the namespaces has no ClusterRole to give.
    #[test]
    fn named_namespaces_need_nothing_outside_of_them() {
        let mut grant = Grant::cluster(profile(), &[Task::Loop, Task::Election, Task::Webhook]);
        grant.namespaces = vec!["team1".to_owned(), "team2".to_owned()];
        let objects = objects(profile(), &grant);
        let places: Vec<(String, String)> = objects
            .iter()
            .map(|object| {
                let text = |pointer: &str| {
                    object.pointer(pointer).and_then(Value::as_str).unwrap_or("none").to_owned()
                };
                (text("/kind"), text("/metadata/namespace"))
            })
            .collect();
        let wanted: Vec<(String, String)> = ["team1", "team2", "kagenti-system", "kagenti-system"]
            .iter()
            .flat_map(|namespace| {
                ["Role", "RoleBinding"].map(|kind| (kind.to_owned(), (*namespace).to_owned()))
            })
            .collect();
        assert_eq!(places, wanted);
    }

    #[test]
    fn a_dry_run_may_write_nothing_but_the_lease() {
        let mut grant = Grant::cluster(profile(), &[Task::Loop, Task::Webhook]);
        grant.read_only = true;
        assert!(verbs_of(&objects(profile(), &grant)).iter().all(|verb| READ.contains(&verb.as_str())));
        grant.tasks.push(Task::Election);
        assert!(verbs_of(&objects(profile(), &grant)).contains(&"update".to_owned()));
    }

    /// What is asked for at the start must be what the roles grant, or a right would be missed that nobody can give.
    #[test]
    fn what_is_asked_for_is_what_is_granted() {
        for namespaces in [vec![], vec!["team1".to_owned(), "team2".to_owned()]] {
            let tasks = [Task::Loop, Task::Election, Task::Webhook];
            let grant = Grant { namespaces, ..Grant::cluster(profile(), &tasks) };
            let mut granted = Vec::new();
            for role in objects(profile(), &grant).iter().filter(|object| object.get("rules").is_some()) {
                let namespace = role["metadata"]["namespace"].as_str();
                for rule in role["rules"].as_array().unwrap() {
                    let texts =
                        |key: &str| rule[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
                    for (group, resource) in
                        texts("apiGroups").flat_map(|g| texts("resources").map(move |r| (g, r)))
                    {
                        granted.extend(
                            texts("verbs").map(|verb| format!("{verb} {group} {resource} {namespace:?}")),
                        );
                    }
                }
            }
            let mut asked: Vec<String> = needs(profile(), &grant)
                .iter()
                .map(|need| {
                    format!("{} {} {} {:?}", need.verb, need.group, need.resource, need.namespace.as_deref())
                })
                .collect();
            granted.sort_unstable();
            asked.sort_unstable();
            assert_eq!(asked, granted);
        }
        let read_only = Grant { read_only: true, ..Grant::cluster(profile(), &[Task::Loop]) };
        assert!(needs(profile(), &read_only).iter().all(|need| READ.contains(&need.verb)));
    }

    #[test]
    fn a_right_is_reported_and_asked_for_in_full() {
        let need = Need {
            verb: "patch",
            group: "agent.kagenti.dev",
            resource: "agentruntimes/status",
            namespace: Some("team1".to_owned()),
            why: "conditions",
        };
        assert_eq!(need.text(), "patch agentruntimes/status.agent.kagenti.dev in namespace \"team1\"");
        assert_eq!(
            need.review()["spec"]["resourceAttributes"],
            json!({"verb": "patch", "group": "agent.kagenti.dev", "resource": "agentruntimes",
                "subresource": "status", "namespace": "team1"})
        );
        let everywhere = Need { resource: "pods", group: "", namespace: None, ..need };
        assert_eq!(everywhere.text(), "patch pods in all namespaces");
        assert_eq!(
            everywhere.review()["spec"]["resourceAttributes"],
            json!({"verb": "patch", "group": "", "resource": "pods"})
        );
    }

    #[test]
    fn verbs_of_one_resource_are_in_one_rule() {
        let grant = Grant::cluster(profile(), &[Task::Loop, Task::Webhook]);
        let rules = rules(profile(), &grant, &[Watched]);
        assert_eq!(
            rules[0],
            json!({
                "apiGroups": ["agent.kagenti.dev"], "resources": ["agentruntimes"],
                "verbs": ["list", "patch", "watch"],
            })
        );
    }
}
