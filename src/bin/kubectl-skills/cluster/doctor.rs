//! Can this cluster run skills: one row a question, each with what was found and what to do. Changes nothing; what is
//! tried is tried by dry run. How rows are printed is left to the command.

mod bindings;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use http::Method;
use kubectl_skills::api::image_volume::{self, Stage};
use kubectl_skills::api::names::KAGENTI;
use kubectl_skills::api::object::{ConfigMap, Object, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::install::rbac::Need;
use kubectl_skills::lint::nodes;
use kubectl_skills::lint::rule::Level;
use serde_json::{Value, json};

use super::discovery::{Dialect, dialect};
use super::error::{ClusterError, Failure};
use super::paths::{CONFIG_MAPS, DEPLOYMENTS};
use super::requests::Requests;
use super::snapshot::{SERVED, or_without_operator};
use super::try_pod::{Trial, try_pod, webhooks};

/// How a question came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Good.
    Ok,
    /// Works in part, or will bite later.
    Warning,
    /// Skills will not work.
    Failed,
    /// Could not be found out.
    Unknown,
}

impl State {
    /// The state of what a rule of `lint` finds, or does not.
    pub fn of(level: Option<Level>) -> Self {
        match level {
            None => Self::Ok,
            Some(Level::Note) => Self::Unknown,
            Some(Level::Warning) => Self::Warning,
            Some(Level::Error) => Self::Failed,
        }
    }

    /// How much it matters to `lint`.
    pub fn level(self) -> Option<Level> {
        let levels = [Level::Note, Level::Warning, Level::Error];
        levels.into_iter().find(|level| Self::of(Some(*level)) == self)
    }

    /// Name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was looked at.
    pub check: String,
    /// How it came out.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; empty when there is nothing.
    pub mend: String,
}

fn row(check: impl Into<String>, state: State, found: impl Into<String>, mend: impl Into<String>) -> Row {
    Row { check: check.into(), state, found: found.into(), mend: mend.into() }
}

/// What mends a namespace that is not there.
const NO_NAMESPACE: &str = "create the namespace, or give another with -n";

/// A question that the server would not answer.
fn unknown(check: &str, error: &ClusterError) -> Row {
    row(check, State::Unknown, error.message.clone(), error.help.clone())
}

/// What is examined.
pub struct Cluster<'a> {
    /// The connection.
    pub requests: &'a Requests,
    /// Namespace in which workloads are to run.
    pub namespace: &'a str,
    /// Profile of the command line.
    pub chosen: Option<&'static Profile>,
    /// Namespace of the operator, if given.
    pub operator_namespace: Option<&'a str>,
    /// The dialect, where it was asked for already.
    pub dialect: Option<Result<Dialect, ClusterError>>,
}

/// Questions about one thing.
pub struct Section {
    /// What they are about.
    pub about: &'static str,
    /// The answers.
    pub rows: Vec<Row>,
}

fn section(about: &'static str, rows: impl IntoIterator<Item = Row>) -> Section {
    Section { about, rows: rows.into_iter().collect() }
}

/// Asks all questions at once, and passes on what is known, section by section in their order.
///
/// # Errors
/// There is no connection, or the server does not know who asks; or what is passed on cannot be taken.
pub async fn examine<E: From<ClusterError>>(
    cluster: &Cluster<'_>,
    mut found: impl FnMut(Section) -> Result<(), E>,
) -> Result<(), E> {
    let requests = cluster.requests;
    let version = requests.get("/version", "read the server's version").await?;
    let text = version.as_ref().and_then(|version| version.get("gitVersion")?.as_str()).unwrap_or_default();
    let stage = image_volume::version(text).map(|(_, minor)| Stage::of(minor));
    let server = async {
        let (kept, kept_in_pods) = tokio::join!(survival(cluster, stage), survival_in_pods(cluster, stage));
        vec![section("SERVER", [server_version(text, stage), kept, kept_in_pods])]
    };
    let namespace = async {
        let (pod_security, openshift) = tokio::join!(pod_security(cluster, stage), openshift(requests));
        vec![section("NAMESPACE", std::iter::once(pod_security).chain(openshift))]
    };
    let nodes = async { vec![section("NODES", nodes(requests, stage).await)] };
    let all: [LocalBoxFuture<'_, Vec<Section>>; 4] =
        [server.boxed_local(), lists(cluster).boxed_local(), nodes.boxed_local(), namespace.boxed_local()];
    let mut all: FuturesOrdered<_> = all.into_iter().collect();
    while let Some(sections) = all.next().await {
        sections.into_iter().filter(|section| !section.rows.is_empty()).try_for_each(&mut found)?;
    }
    Ok(())
}

fn server_version(text: &str, stage: Option<Stage>) -> Row {
    const CHECK: &str = "server version";
    match stage {
        None => row(CHECK, State::Unknown, text, ""),
        Some(Stage::Absent) => {
            let mend = "image volumes need Kubernetes 1.31, and 1.35 to have them by default";
            row(CHECK, State::Failed, text, mend)
        }
        Some(stage) => {
            let found = format!("{text}: ImageVolume is {}", stage.describe());
            if stage.on_by_default() {
                return row(CHECK, State::Ok, found, "");
            }
            let mend =
                "start API server and kubelets with --feature-gates=ImageVolume=true, or use 1.35 or later";
            row(CHECK, State::Warning, found, mend)
        }
    }
}

/// What the lists of skills need: AgentRuntimes, their operator and rights; SkillBindings.
async fn lists(cluster: &Cluster<'_>) -> Vec<Section> {
    let requests = cluster.requests;
    let asked = async {
        match &cluster.dialect {
            Some(known) => known.clone(),
            None => dialect(requests, cluster.chosen).await,
        }
    };
    let (bindings, found) = tokio::join!(bindings::are_served(requests), asked);
    // What cannot be found out is said of the API below.
    let is_known = bindings.is_ok();
    let bindings = bindings.unwrap_or_default();
    let asked = found.is_ok() || !bindings;
    let mut rows = Vec::new();
    let profile = match or_without_operator(found, bindings.then_some(SERVED)) {
        Ok(dialect) => {
            rows.push(row(
                "AgentRuntime API",
                State::Ok,
                format!("profile {}: {}", dialect.profile.name, dialect.reason),
                "",
            ));
            rows.extend(
                dialect.warnings.iter().map(|text| row("AgentRuntime API", State::Warning, text.clone(), "")),
            );
            Some(dialect.profile)
        }
        // Where SkillBindings are served, no AgentRuntime is needed.
        Err(error) if error.failure == Failure::NotFound && is_known => {
            rows.push(no_list());
            cluster.chosen
        }
        Err(error) => {
            rows.push(unknown("AgentRuntime API", &error));
            cluster.chosen
        }
    };
    let of_operator = async {
        let Some(profile) = profile else { return (Vec::new(), Vec::new()) };
        let system = cluster.operator_namespace.unwrap_or(profile.names.system_namespace);
        let operator = async {
            if !asked {
                return Vec::new();
            }
            let (gate, operator) = tokio::join!(gate(requests, profile, system), operator(requests, system));
            vec![gate, operator]
        };
        tokio::join!(operator, rights(cluster, profile, system, asked))
    };
    let of_bindings = bindings::examine(requests, cluster.namespace, bindings);
    let ((of_operator, rights), of_bindings) = tokio::join!(of_operator, of_bindings);
    rows.extend(of_operator);
    vec![section("OPERATOR", rows), section("RIGHTS", rights), section("BINDINGS", of_bindings)]
}

/// What a cluster without either kind of list lacks. Skills that a render writes into manifests need neither.
fn no_list() -> Row {
    row(
        "AgentRuntime API",
        State::Warning,
        "neither AgentRuntimes nor SkillBindings are served: skills come by 'kubectl skills render' and the manifests alone, which \
         needs no operator and no CRD; 'apply', 'plan' and 'diff' have no list to go by",
        "for lists in the cluster install the CRD of SkillBindings, which needs no operator ('kubectl skills crd --skill-binding | \
         kubectl apply -f -'), or an operator's CRDs ('kubectl skills crd | kubectl apply -f -'); or check --context",
    )
}

/// A Deployment with an image volume that PodSecurity lets through at its strictest. Its pods bear the label of agents, by
/// which webhooks choose.
fn probe() -> Value {
    let name = "kubectl-skills-doctor";
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "replicas": 0, "template": {
            "metadata": {"labels": {"app": name, (KAGENTI.type_label): "agent"}},
            "spec": {
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"name": "agent", "image": "registry.k8s.io/pause:3.10",
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "skill-doctor", "mountPath": "/skills/doctor", "readOnly": true}]}],
                "volumes": [{"name": "skill-doctor", "image": {"reference": "registry.k8s.io/pause:3.10"}}]
            }
        }}
    })
}

/// Whether an image volume in a Pod gets through admission: webhooks over Pods see none of the Deployments.
async fn survival_in_pods(cluster: &Cluster<'_>, stage: Option<Stage>) -> Row {
    const CHECK: &str = "image volumes kept in Pods";
    match try_pod(cluster.requests, cluster.namespace, &probe()).await {
        Trial::Kept => row(CHECK, State::Ok, "a dry run of a Pod with an image volume comes back whole", ""),
        Trial::Dropped(_) if stage.is_some_and(|stage| !stage.on_by_default()) => row(
            CHECK,
            State::Failed,
            "the API server drops image volumes: the feature gate ImageVolume is off",
            "start API server and kubelets with --feature-gates=ImageVolume=true, or use Kubernetes 1.35 or later",
        ),
        Trial::Dropped(_) => row(
            CHECK,
            State::Failed,
            format!("Pods lose their image volumes{}", webhooks(cluster.requests, "pods").await),
            "a mutating webhook with an older client rewrites Pods: update it, or exclude the namespace",
        ),
        Trial::Refused(said) => {
            row(CHECK, State::Failed, said, "admission refuses such a Pod: see the message")
        }
        Trial::Unknown(why) if why.contains(&format!("namespaces {:?} not found", cluster.namespace)) => {
            row(CHECK, State::Unknown, why, NO_NAMESPACE)
        }
        Trial::Unknown(why) => row(
            CHECK,
            State::Unknown,
            why,
            "ask for create on pods (a dry run is enough), or let an administrator run doctor",
        ),
    }
}

/// Whether an image volume in a Deployment gets through admission and storage, by a dry run.
async fn survival(cluster: &Cluster<'_>, stage: Option<Stage>) -> Row {
    const CHECK: &str = "image volumes kept";
    let path =
        format!("{}?dryRun=All&fieldManager=kubectl-skills", DEPLOYMENTS.list(Some(cluster.namespace)));
    let what = format!("try a Deployment with an image volume in namespace {:?}", cluster.namespace);
    match cluster.requests.write(Method::POST, &path, "application/json", &probe(), &what).await {
        Ok(stored) => {
            let kept = stored.pointer("/spec/template/spec/volumes/0/image").is_some();
            let gate_off = stage.is_some_and(|stage| !stage.on_by_default());
            match (kept, gate_off) {
                (true, _) => row(CHECK, State::Ok, "a dry run with an image volume comes back whole", ""),
                (false, true) => row(
                    CHECK,
                    State::Failed,
                    "the API server drops image volumes: the feature gate ImageVolume is off",
                    "start API server and kubelets with --feature-gates=ImageVolume=true, or use Kubernetes 1.35 or later",
                ),
                (false, false) => row(
                    CHECK,
                    State::Failed,
                    format!(
                        "image volumes get lost although the server knows them{}",
                        webhooks(cluster.requests, "deployments").await
                    ),
                    "a mutating webhook with an older client rewrites Deployments: update it, or exclude the namespace",
                ),
            }
        }
        Err(error) if error.failure == Failure::NotFound => {
            row(CHECK, State::Unknown, error.message, NO_NAMESPACE)
        }
        Err(error) if error.failure == Failure::Forbidden && !error.message.contains("admission webhook") => {
            row(
                CHECK,
                State::Unknown,
                error.message,
                "ask for create on deployments (a dry run is enough), or let an administrator run doctor",
            )
        }
        Err(error) => {
            row(CHECK, State::Failed, error.message, "admission refuses image volumes here: see the message")
        }
    }
}

/// The operator's own gate over skills.
async fn gate(requests: &Requests, profile: &'static Profile, system: &str) -> Row {
    let name = profile.names.feature_gates;
    let check = format!("gate {}", profile.skill_gate);
    let read =
        requests.get(&CONFIG_MAPS.object(system, name), &format!("get configmap {system}/{name}")).await;
    let mend = format!(
        "set {}: true in the key feature-gates.yaml of ConfigMap {system}/{name}",
        profile.skill_gate
    );
    let consequence = if profile.mounts() { State::Failed } else { State::Warning };
    match read {
        Err(error) => unknown(&check, &error),
        Ok(None) => {
            row(check, consequence, format!("there is no ConfigMap {system}/{name}: the gate is off"), mend)
        }
        Ok(Some(map)) => {
            let source = GateSource { operator_namespace: Some(system.to_owned()), ..GateSource::default() };
            let gates = ConfigMap::from_value(&map, Origin::default())
                .and_then(|map| source.resolve(profile, &[map]).map_err(|error| error.to_string()));
            match gates {
                Err(error) => row(check, State::Failed, error, "correct it"),
                Ok(gates) if gates.skills(profile) => row(check, State::Ok, "on", ""),
                Ok(_) => row(check, consequence, "off", mend),
            }
        }
    }
}

/// The operator itself.
async fn operator(requests: &Requests, system: &str) -> Row {
    const CHECK: &str = "operator";
    let what = format!("list deployments in namespace {system:?}");
    let list = match requests.list(&DEPLOYMENTS.list(Some(system)), "", &what).await {
        Err(error) => return unknown(CHECK, &error),
        Ok(list) => list.map(|list| list.items).unwrap_or_default(),
    };
    let images = |deployment: &Value| -> Vec<String> {
        let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        containers.into_iter().flatten().filter_map(|c| Some(c.get("image")?.as_str()?.to_owned())).collect()
    };
    let is_operator = |image: &String| {
        ["kagenti-operator", "agents-operator", "rossoctl-operator"].iter().any(|name| image.contains(name))
    };
    let found = list
        .iter()
        .find_map(|deployment| Some((deployment, images(deployment).into_iter().find(is_operator)?)));
    match found {
        None => row(
            CHECK,
            State::Warning,
            format!("no Deployment in namespace {system:?} runs it"),
            "workloads are written by 'kubectl skills apply' only; or name its namespace with --operator-namespace",
        ),
        Some((deployment, image)) => {
            let name = Object(deployment).name();
            let ready = deployment.pointer("/status/availableReplicas").and_then(Value::as_i64).unwrap_or(0);
            let state = if ready > 0 { State::Ok } else { State::Warning };
            let mend = if ready > 0 {
                String::new()
            } else {
                format!("see 'kubectl describe deployment {name} -n {system}'")
            };
            row(CHECK, state, format!("Deployment {system}/{name} runs {image}, {ready} available"), mend)
        }
    }
}

/// What the user may do, by SelfSubjectAccessReview.
async fn rights(cluster: &Cluster<'_>, profile: &Profile, system: &str, has_runtimes: bool) -> Vec<Row> {
    let namespace = cluster.namespace;
    let group = profile.names.group;
    let mut rows = Vec::new();
    for (verb, group, resource, namespace, use_for) in [
        ("list", group, "agentruntimes", namespace, "every verb"),
        ("list", "apps", "deployments", namespace, "every verb"),
        ("get", "apps", "deployments", namespace, "every verb"),
        ("list", "apps", "statefulsets", namespace, "AgentRuntimes of StatefulSets"),
        ("get", "", "configmaps", system, "the config hash"),
        ("list", "", "configmaps", namespace, "the config hash"),
        ("patch", "apps", "deployments", namespace, "apply"),
        ("patch", "apps", "statefulsets", namespace, "apply to StatefulSets"),
    ] {
        if !has_runtimes && ["agentruntimes", "configmaps"].contains(&resource) {
            continue;
        }
        let need = Need { verb, group, resource, namespace: Some(namespace.to_owned()), why: use_for };
        let mut review = need.review();
        if namespace == system && resource == "configmaps" && verb == "get" {
            // A right may be about the operator's ConfigMaps alone.
            review["spec"]["resourceAttributes"]["name"] = profile.names.feature_gates.into();
        }
        rows.push(right(cluster.requests, &need, &review, namespace).await);
    }
    rows
}

async fn right(requests: &Requests, need: &Need, review: &Value, namespace: &str) -> Row {
    let Need { verb, resource, why, .. } = need;
    let check = format!("may {verb} {resource} in {namespace}");
    match requests.grants(review).await {
        Err(error) => unknown(&check, &error),
        Ok(true) => row(check, State::Ok, "yes", ""),
        Ok(false) => row(
            check,
            State::Failed,
            format!("no; needed for {why}"),
            format!("grant {verb} on {resource} in namespace {namespace}"),
        ),
    }
}

/// Container runtime and kubelet of each node, alike ones together.
async fn nodes(requests: &Requests, server: Option<Stage>) -> Vec<Row> {
    const CHECK: &str = "nodes";
    let nodes = match requests.list("/api/v1/nodes", "", "list nodes").await {
        Err(error) => return vec![unknown(CHECK, &error)],
        Ok(list) => list.map(|list| list.items).unwrap_or_default(),
    };
    if nodes.is_empty() {
        return vec![row(CHECK, State::Warning, "the cluster has no nodes", "")];
    }
    let mut kinds: std::collections::BTreeMap<(String, String), Vec<&str>> =
        std::collections::BTreeMap::new();
    for node in &nodes {
        let (runtime, kubelet) = nodes::versions(node);
        let key = (runtime.to_owned(), kubelet.to_owned());
        kinds.entry(key).or_default().push(Object(node).name());
    }
    kinds
        .iter()
        .map(|((runtime, kubelet), names)| {
            let (level, mend) = nodes::judge(runtime, kubelet, server);
            let which = if names.len() == 1 {
                names[0].to_owned()
            } else {
                format!("{} nodes such as {}", names.len(), names[0])
            };
            row(CHECK, State::of(level), format!("{which}: {runtime}, kubelet {kubelet}"), mend)
        })
        .collect()
}

/// PodSecurity `restricted` refuses image volumes before 1.33.
async fn pod_security(cluster: &Cluster<'_>, stage: Option<Stage>) -> Row {
    const CHECK: &str = "PodSecurity";
    let path = format!("/api/v1/namespaces/{}", super::requests::escape_query(cluster.namespace));
    match cluster.requests.get(&path, &format!("get namespace {:?}", cluster.namespace)).await {
        Err(error) => unknown(CHECK, &error),
        Ok(None) => row(
            CHECK,
            State::Failed,
            format!("namespace {:?} does not exist", cluster.namespace),
            NO_NAMESPACE,
        ),
        Ok(Some(namespace)) => {
            let label = |name: &str| Object(&namespace).label(name);
            let level = label("pod-security.kubernetes.io/enforce").unwrap_or("privileged");
            let pinned = label("pod-security.kubernetes.io/enforce-version").and_then(image_volume::version);
            let old = matches!(stage, Some(Stage::Alpha | Stage::Absent))
                || pinned.is_some_and(|version| version < (1, 33));
            if level == "restricted" && old {
                row(
                    CHECK,
                    State::Failed,
                    format!(
                        "namespace {:?} enforces restricted in a version that refuses image volumes",
                        cluster.namespace
                    ),
                    "set the label pod-security.kubernetes.io/enforce-version to v1.33 or later, or the level to baseline",
                )
            } else {
                row(CHECK, State::Ok, format!("namespace {:?} enforces {level}", cluster.namespace), "")
            }
        }
    }
}

/// On OpenShift, whether the security context constraints let image volumes through.
async fn openshift(requests: &Requests) -> Vec<Row> {
    const CHECK: &str = "OpenShift SCC";
    // A missing right to list them is reported before whether there are any; what groups there are, everybody may know.
    match requests.get("/apis/security.openshift.io/v1", "look for OpenShift's API").await {
        Ok(None) => return Vec::new(),
        Ok(Some(_)) => {}
        Err(error) => return vec![unknown(CHECK, &error)],
    }
    match requests
        .list(
            "/apis/security.openshift.io/v1/securitycontextconstraints",
            "",
            "list securitycontextconstraints",
        )
        .await
    {
        Ok(None) => Vec::new(),
        Err(error) => vec![unknown(CHECK, &error)],
        Ok(Some(list)) => {
            let allows = |scc: &Value| {
                let volumes = scc.get("volumes").and_then(Value::as_array);
                volumes
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .any(|kind| kind == "image" || kind == "*")
            };
            let name = |scc| Object(scc).name().to_owned();
            let without: Vec<String> = list.items.iter().filter(|scc| !allows(scc)).map(name).collect();
            let default_lacks = without.iter().any(|name| name == "restricted-v2");
            vec![if without.is_empty() {
                row(CHECK, State::Ok, "all allow image volumes", "")
            } else {
                row(
                    CHECK,
                    if default_lacks { State::Failed } else { State::Warning },
                    format!("volume type image is not allowed by: {}", without.join(", ")),
                    "add image to 'volumes' of the SCC that the agents' service account uses",
                )
            }]
        }
    }
}
