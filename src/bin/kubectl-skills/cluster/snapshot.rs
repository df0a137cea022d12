//! One snapshot of the cluster per run: AgentRuntimes, their targets, the operator's ConfigMaps, by lists. Secrets are
//! never read. Only 404 is absence; any other failure is an error, and nothing is planned from half a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kubectl_skills::api::names::{AUTHBRIDGE_RUNTIME, SPIFFE_HELPER};
use kubectl_skills::api::object::{Object, group_of};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::{self, WorkloadKey};
use serde_json::Value;

use super::delivery::{Undelivered, undelivered};
use super::discovery::{self, Dialect, dialect, sandboxes, serves_bindings};
use super::error::{ClusterError, Failure};
use super::left::Left;
use super::paths::{
    CONFIG_MAPS, PODS, Resource, agent_runtimes, of_kind, selected, skill_bindings, workload,
};
use super::requests::{List, Requests, escape_query};
use crate::net::duration::parse_timeout;

/// Requests under way at the same time.
const CONCURRENCY: usize = 8;
/// Up to so many targets of a kind in a namespace are read one by one, where a list would bring what nobody asked for.
const FEW: usize = 3;

/// Most workloads that an error names.
const LISTED: usize = 5;

/// What a run is about.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Namespace; all for none.
    pub namespace: Option<String>,
    /// AgentRuntimes by name; all where empty.
    pub names: Vec<String>,
    /// Label selector of AgentRuntimes.
    pub selector: Option<String>,
    /// Whether the operator's ConfigMaps are read; not where they were given as files.
    pub config: bool,
    /// Whether pods are read: for verbs that report what runs, such as `status`, `list` and `outdated`.
    pub pods: bool,
    /// Namespace of the operator, where it is not the dialect's usual one.
    pub operator_namespace: Option<String>,
    /// Whether the run is also about workloads that nobody is about: then the cluster need serve neither kind.
    pub left: bool,
}

/// Namespaces and names.
type Keys = BTreeSet<(String, String)>;

/// Workloads by kind, namespace and name.
pub type Workloads = BTreeMap<WorkloadKey, Value>;

/// The snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose rules.
    pub dialect: Dialect,
    /// All AgentRuntimes of the namespaces concerned, by namespace and name.
    pub runtimes: Vec<Value>,
    /// Of those, the ones that the run is about, as (namespace, name).
    pub selected: BTreeSet<(String, String)>,
    /// All SkillBindings of those namespaces, by namespace and name; none if the cluster does not serve them.
    pub bindings: Vec<Value>,
    /// Of those, the ones that the run is about.
    pub selected_bindings: BTreeSet<(String, String)>,
    /// Workloads by (kind, namespace, name). A target that is not here does not exist.
    pub workloads: Workloads,
    /// Where kinds of the command line are.
    pub resources: BTreeMap<WorkloadKind, Resource>,
    /// The operator's ConfigMaps, by namespace and name.
    pub config_maps: Vec<Value>,
    /// Pods of the namespaces concerned; none unless they were asked for, or where they could not be read.
    pub pods: Option<Vec<Value>>,
    /// Why pods that were asked for could not be read.
    pub without_pods: Option<ClusterError>,
    /// Names that were asked for and that nothing has.
    pub missing_names: Vec<String>,
    /// Whether the cluster serves SkillBindings.
    pub serves_bindings: bool,
    /// Whether it serves AgentRuntimes.
    pub serves_runtimes: bool,
    /// Namespaces where nothing writes skills into pods, though SkillBindings that the run is about ask for it.
    pub undelivered: Undelivered,
    /// Workloads that nobody is about any more, where the run looks for them.
    pub left: Vec<Left>,
    /// Those whose record names skills that somebody else has applied.
    pub rendered: Vec<Left>,
    /// The same where an AgentRuntime points at the workload and says nothing of skills.
    pub unlisted: Vec<Left>,
    /// Workloads with the name of a target that does not exist, where the run looks through them.
    pub namesakes: Vec<WorkloadKey>,
}

/// Reads the snapshot.
pub async fn read(
    requests: &Requests,
    scope: &Scope,
    chosen: Option<&'static Profile>,
    kinds: Kinds,
) -> Result<Snapshot, ClusterError> {
    let (dialect, bindings) = tokio::join!(dialect(requests, chosen), read_bindings(requests, scope));
    // Where nothing can be read, the AgentRuntimes are what to speak of: most clusters serve no SkillBinding.
    let (dialect, bindings) = match (dialect, bindings) {
        (Err(error), Err(_)) if error.failure != Failure::NotFound => return Err(error),
        (Ok(dialect), Err(error)) => {
            read_runtimes(requests, scope, dialect.profile).await?;
            return Err(error);
        }
        (dialect, bindings) => (dialect, bindings?),
    };
    let serves_runtimes = dialect.is_ok();
    let serves_none = !serves_runtimes && bindings.is_none();
    if serves_none && !scope.left && matches!(&dialect, Err(error) if error.failure == Failure::NotFound) {
        return Err(serves_neither(scope, false));
    }
    let mut dialect = or_without_operator(dialect, (bindings.is_some() || scope.left).then_some(SERVED))?;
    if serves_none {
        "the cluster serves neither AgentRuntime nor SkillBinding".clone_into(&mut dialect.reason);
    }
    let profile = dialect.profile;
    let (runtimes, config_maps) = tokio::try_join!(
        read_runtimes_or_none(requests, scope, profile, bindings.is_some() || scope.left),
        async { if scope.config { read_config(requests, scope, profile).await } else { Ok(Vec::new()) } }
    )?;
    let is_served = bindings.is_some();
    let bindings = bindings.unwrap_or_default();
    let (selected, selected_bindings, missing_names) =
        select(requests, scope, profile, &runtimes, (is_served, &bindings)).await?;
    let resources = custom_resources(requests, kinds).await?;
    let workloads = read_workloads(
        requests,
        scope,
        (&runtimes, &selected),
        (&bindings, &selected_bindings),
        (kinds, &resources),
    )
    .await?;
    let about = bindings.iter().filter(|binding| selected_bindings.contains(&key(binding)));
    let undelivered = undelivered(requests, about).await;
    let mut snapshot = Snapshot {
        dialect,
        runtimes,
        selected,
        bindings,
        selected_bindings,
        workloads,
        resources,
        config_maps,
        pods: None,
        without_pods: None,
        missing_names,
        serves_bindings: is_served,
        serves_runtimes,
        undelivered,
        left: Vec::new(),
        rendered: Vec::new(),
        unlisted: Vec::new(),
        namesakes: Vec::new(),
    };
    snapshot.read_pods(requests, scope).await?;
    Ok(snapshot)
}

/// Where the kinds of the command line are served, those that are.
pub async fn custom_resources(
    requests: &Requests,
    kinds: Kinds,
) -> Result<BTreeMap<WorkloadKind, Resource>, ClusterError> {
    let mut resources = BTreeMap::new();
    for kind in kinds.all().filter(|kind| matches!(kind, WorkloadKind::Custom(_))) {
        resources.extend(discovery::resource_of(requests, kind).await?.map(|resource| (kind, resource)));
    }
    Ok(resources)
}

impl Snapshot {
    /// That nothing has a name that was asked for, and how to go on.
    pub fn missing(&self, scope: &Scope) -> Option<ClusterError> {
        if self.missing_names.is_empty() {
            return None;
        }
        let namespace = scope
            .namespace
            .as_deref()
            .map_or("any namespace".to_owned(), |name| format!("namespace {name:?}"));
        let kinds = if self.serves_bindings { "agentruntimes or skillbindings" } else { "agentruntimes" };
        let message = format!("{kinds} not found in {namespace}: {}", self.missing_names.join(", "));
        if self.missing_names.iter().any(|name| name.contains('/')) {
            let help = "a workload is named where nothing in the cluster lists its skills, and a record or our fields say which are \
                        ours; else name the AgentRuntime or SkillBinding that lists them: 'kubectl skills status' shows both";
            return Some(ClusterError::new(Failure::NotFound, message).help(help));
        }
        let is_limit =
            |name: &&String| !name.ends_with(|c: char| c.is_ascii_digit()) && parse_timeout(name).is_ok();
        let help = match (self.missing_names.iter().find(is_limit), self.left.as_slice()) {
            (Some(limit), _) => format!("a time limit is written with an equals sign: --wait={limit}"),
            // Which of the two kinds a cluster serves, that verb knows.
            (None, []) => "'kubectl skills status -A' lists them".to_owned(),
            (None, left) => {
                let line = |left: &Left| {
                    format!(
                        "{} keeps {} of one that is gone: {}",
                        left.title(),
                        left.skills.join(", "),
                        left.advice()
                    )
                };
                left.iter().take(LISTED).map(line).collect::<Vec<_>>().join("\n")
            }
        };
        Some(ClusterError::new(Failure::NotFound, message).help(help))
    }

    /// Reads pods anew, where they are asked for and may be read.
    pub async fn read_pods(&mut self, requests: &Requests, scope: &Scope) -> Result<(), ClusterError> {
        if !scope.pods || self.without_pods.is_some() {
            return Ok(());
        }
        match read_pods(requests, scope, self.dialect.profile, self.bindings.is_empty()).await {
            Ok(pods) => self.pods = Some(pods),
            Err(error) if error.failure == Failure::Forbidden => self.without_pods = Some(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// All AgentRuntimes of the scope's namespaces, by namespace and name.
pub async fn read_runtimes(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
) -> Result<Vec<Value>, ClusterError> {
    let namespace = scope.namespace.as_deref();
    let what = format!("list agentruntimes{}", of(namespace));
    let list = requests.list(&agent_runtimes(profile, namespace), "", &what).await?;
    let Some(mut list) = list else {
        return Err(ClusterError::new(
            Failure::NotFound,
            format!("{what}: the cluster does not serve {} ({})", profile.names.group, profile.name),
        )
        .help("check --profile and --context, or install the CRDs with 'kubectl skills crd | kubectl apply -f -'"));
    };
    list.items.sort_by_cached_key(key);
    Ok(list.items)
}

/// The same; none where the cluster does not serve them and they may be missing: SkillBindings need no operator.
pub async fn read_runtimes_or_none(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
    may_be_missing: bool,
) -> Result<Vec<Value>, ClusterError> {
    match read_runtimes(requests, scope, profile).await {
        Err(error) if error.failure == Failure::NotFound && may_be_missing => Ok(Vec::new()),
        other => other,
    }
}

/// All SkillBindings of the scope's namespaces, by namespace and name; `None` if the cluster does not serve them.
pub async fn read_bindings(requests: &Requests, scope: &Scope) -> Result<Option<Vec<Value>>, ClusterError> {
    if !serves_bindings(requests).await? {
        return Ok(None);
    }
    let namespace = scope.namespace.as_deref();
    let what = format!("list skillbindings{}", of(namespace));
    let list = requests.list(&skill_bindings(namespace), "", &what).await?;
    Ok(list.map(|mut list| {
        list.items.sort_by_cached_key(key);
        list.items
    }))
}

/// That a cluster has no list of skills where one is wanted; `left`: workloads were looked through as well.
pub fn serves_neither(scope: &Scope, left: bool) -> ClusterError {
    const NONE: &str = "the cluster has neither SkillBindings nor AgentRuntimes";
    let crds = "a list in the cluster needs a CRD: that of SkillBindings, which any cluster can have ('kubectl skills crd \
                --skill-binding | kubectl apply -f -'), or the operator's ('kubectl skills crd | kubectl apply -f -'); for another \
                cluster see --context";
    let (message, help) = match &scope.namespace {
        _ if !left => (
            format!("{NONE}: there is no list of skills to plan by"),
            "skills that a render has written need none: 'kubectl skills status' shows them; ",
        ),
        Some(namespace) => (
            format!("{NONE}, and no workload in namespace {namespace:?} has skills of a render"),
            "-n names another namespace, -A looks in all; ",
        ),
        None => (format!("{NONE}, and no workload in any namespace has skills of a render"), ""),
    };
    ClusterError::new(Failure::NotFound, message).help(format!("{help}{crds}"))
}

/// Why the dialect of the newest operator is taken where the cluster itself has SkillBindings.
pub const SERVED: &str = "the cluster serves SkillBindings and no AgentRuntime";

/// The dialect; where the cluster serves no AgentRuntime and there are SkillBindings, that of the newest operator. `bindings`: where
/// these are, as the reason.
pub fn or_without_operator(
    dialect: Result<Dialect, ClusterError>,
    bindings: Option<&str>,
) -> Result<Dialect, ClusterError> {
    match (dialect, bindings) {
        (Err(error), Some(reason)) if error.failure == Failure::NotFound => {
            let profile = Profile::by_name("rossoctl").ok_or(error)?;
            Ok(Dialect { profile, reason: reason.to_owned(), warnings: Vec::new() })
        }
        (other, _) => other,
    }
}

/// Which of the AgentRuntimes and SkillBindings the run is about. All of a namespace are read also where few are asked for: whether two
/// of them claim one workload can be seen in no other way.
async fn select(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
    runtimes: &[Value],
    (is_served, bindings): (bool, &[Value]),
) -> Result<(Keys, Keys, Vec<String>), ClusterError> {
    let all: Keys = runtimes.iter().map(key).collect();
    let all_bindings: Keys = bindings.iter().map(key).collect();
    if !scope.names.is_empty() {
        let wanted: BTreeSet<&str> = scope.names.iter().map(String::as_str).collect();
        let named = |all: Keys| -> Keys {
            all.into_iter().filter(|(_, name)| wanted.contains(name.as_str())).collect()
        };
        let (found, found_bindings) = (named(all), named(all_bindings));
        let is_there = |name: &&&str| found.iter().chain(&found_bindings).any(|(_, found)| found == **name);
        let missing = wanted.iter().filter(|name| !is_there(name)).map(|name| (*name).to_owned()).collect();
        return Ok((found, found_bindings, missing));
    }
    let Some(selector) = &scope.selector else { return Ok((all, all_bindings, Vec::new())) };
    let query = selected(selector);
    let namespace = scope.namespace.as_deref();
    let what = format!("list agentruntimes with {selector:?}{}", of(namespace));
    let list = requests.list(&agent_runtimes(profile, namespace), &query, &what).await?;
    let keys = |list: Option<List>| -> Keys {
        list.map(|list| list.items.iter().map(key).collect()).unwrap_or_default()
    };
    let chosen_bindings = if is_served {
        let what = format!("list skillbindings with {selector:?}{}", of(namespace));
        keys(requests.list(&skill_bindings(namespace), &query, &what).await?)
    } else {
        Keys::new()
    };
    Ok((keys(list), chosen_bindings, Vec::new()))
}

/// The operator's ConfigMaps by five requests, seven for one namespace, however many ConfigMaps and namespaces there are.
/// Those in the operator's namespace are templates as well: a namespace that lacks them gets copies.
pub async fn read_config(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
) -> Result<Vec<Value>, ClusterError> {
    let names = profile.names;
    let system = scope.operator_namespace.as_deref().unwrap_or(names.system_namespace);
    let namespace = scope.namespace.as_deref();
    let labelled = selected(&format!("{}=true", names.defaults_label));
    let named = |name: &str| format!("fieldSelector={}", escape_query(&format!("metadata.name={name}")));
    let what = format!("list configmaps{}", of(namespace));
    let path = CONFIG_MAPS.list(namespace);
    let get = async |name: &str| {
        let what = format!("get configmap {system}/{name}");
        requests.get(&CONFIG_MAPS.object(system, name), &what).await
    };
    let (labelled, authbridge, spiffe) = (labelled, named(AUTHBRIDGE_RUNTIME), named(SPIFFE_HELPER));
    // A list of all namespaces holds the operator's own.
    let template = async |name: &str| if namespace.is_some() { get(name).await } else { Ok(None) };
    let (platform, gates, bridge_template, spiffe_template, defaults, authbridge, spiffe) = tokio::try_join!(
        get(names.platform_config),
        get(names.feature_gates),
        template(AUTHBRIDGE_RUNTIME),
        template(SPIFFE_HELPER),
        requests.list(&path, &labelled, &what),
        requests.list(&path, &authbridge, &what),
        requests.list(&path, &spiffe, &what),
    )
    .map_err(|error| match error.failure {
        Failure::Forbidden => error.help(
            "the config hash needs the operator's ConfigMaps: ask for that right, or give them as files with --config-from",
        ),
        _ => error,
    })?;
    let lists = [defaults, authbridge, spiffe].into_iter().flatten().flat_map(|list| list.items);
    // A ConfigMap can be labelled and have one of the names as well.
    let maps: BTreeMap<_, _> = [platform, gates, bridge_template, spiffe_template]
        .into_iter()
        .flatten()
        .chain(lists)
        .map(|map| (key(&map), map))
        .collect();
    Ok(maps.into_values().collect())
}

/// The workloads that the chosen AgentRuntimes and SkillBindings are about; where one chooses by labels, all of its namespace.
pub async fn read_workloads(
    requests: &Requests,
    scope: &Scope,
    (runtimes, selected): (&[Value], &Keys),
    (bindings, selected_bindings): (&[Value], &Keys),
    (kinds, resources): (Kinds, &BTreeMap<WorkloadKind, Resource>),
) -> Result<Workloads, ClusterError> {
    let selected = runtimes.iter().filter(|runtime| selected.contains(&key(runtime)));
    let mut out = read_targets(requests, scope, selected).await?;
    let chosen: Vec<&Value> =
        bindings.iter().filter(|binding| selected_bindings.contains(&key(binding))).collect();
    let mut wanted: BTreeMap<WorkloadKind, Keys> = BTreeMap::new();
    let mut selecting = BTreeSet::new();
    for binding in chosen {
        let (kind, namespace, name) = live::target(binding);
        let group = group_of(Object(binding).str("/spec/targetRef/apiVersion"));
        if binding.pointer("/spec/selector").is_some_and(|selector| !selector.is_null()) {
            selecting.insert(namespace);
        } else if let Some(kind) = kinds.find(&kind, group)
            && !name.is_empty()
            && !out.contains_key(&(kind.name().to_owned(), namespace.clone(), name.clone()))
        {
            wanted.entry(kind).or_default().insert((namespace, name));
        }
    }
    for kind in kinds.all() {
        let Some(resource) = resources.get(&kind).copied().or_else(|| of_kind(kind)) else { continue };
        let named = wanted.remove(&kind).unwrap_or_default();
        if named.is_empty() && selecting.is_empty() {
            continue;
        }
        let resource = if resource.is_sandbox() { sandboxes(requests).await? } else { resource };
        let mut found = if named.len() <= FEW {
            read_each(requests, resource, &named).await?
        } else {
            read_listed(requests, scope, resource, &named).await?
        };
        for namespace in &selecting {
            let what = format!("list {}{}", resource.plural, of(Some(namespace)));
            let list = requests.list(&resource.list(Some(namespace)), "", &what).await?;
            // What a Deployment or a CronJob has made is changed with it.
            let own = list.into_iter().flat_map(|list| list.items).filter(|item| !has_controller(item));
            found.extend(own.map(|item| (key(&item), item)));
        }
        out.extend(
            found
                .into_iter()
                .map(|((namespace, name), value)| ((kind.name().to_owned(), namespace, name), value)),
        );
    }
    Ok(out)
}

/// Whether another object has made it and keeps it as it should be.
pub fn has_controller(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// The targets of AgentRuntimes, by kind, namespace and name.
pub async fn read_targets<'r>(
    requests: &Requests,
    scope: &Scope,
    runtimes: impl Iterator<Item = &'r Value>,
) -> Result<Workloads, ClusterError> {
    let mut targets: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (kind, namespace, name) in runtimes.map(live::target) {
        if !name.is_empty() {
            targets.entry(kind).or_default().insert((namespace, name));
        }
    }
    let mut out = BTreeMap::new();
    for (kind, wanted) in targets {
        let Some(resource) = workload(&kind) else { continue };
        let resource = if resource.is_sandbox() { sandboxes(requests).await? } else { resource };
        let found = if wanted.len() <= FEW {
            read_each(requests, resource, &wanted).await?
        } else {
            read_listed(requests, scope, resource, &wanted).await?
        };
        out.extend(
            found.into_iter().map(|((namespace, name), value)| ((kind.clone(), namespace, name), value)),
        );
    }
    Ok(out)
}

type Found = BTreeMap<(String, String), Value>;

async fn read_each(
    requests: &Requests,
    resource: Resource,
    wanted: &BTreeSet<(String, String)>,
) -> Result<Found, ClusterError> {
    let reads = wanted.iter().filter(|(_, name)| !name.is_empty()).map(|(namespace, name)| async move {
        let what = format!("get {} {namespace}/{name}", resource.plural);
        let found = requests.get(&resource.object(namespace, name), &what).await?;
        Ok::<_, ClusterError>(found.map(|value| ((namespace.clone(), name.clone()), value)))
    });
    let found: Vec<_> = stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn read_listed(
    requests: &Requests,
    scope: &Scope,
    resource: Resource,
    wanted: &BTreeSet<(String, String)>,
) -> Result<Found, ClusterError> {
    let namespaces: BTreeSet<&str> = wanted.iter().map(|(namespace, _)| namespace.as_str()).collect();
    // With few namespaces one list each brings less than a list of the whole cluster.
    let lists: Vec<Option<&str>> = match &scope.namespace {
        Some(namespace) => vec![Some(namespace)],
        None if namespaces.len() <= FEW => namespaces.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let reads = lists.into_iter().map(|namespace| async move {
        let what = format!("list {}{}", resource.plural, of(namespace));
        requests.list(&resource.list(namespace), "", &what).await
    });
    let lists: Vec<_> = stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?;
    let items = lists.into_iter().flatten().flat_map(|list| list.items).map(|item| (key(&item), item));
    Ok(items.filter(|(key, _)| wanted.contains(key)).collect())
}

async fn read_pods(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
    labelled: bool,
) -> Result<Vec<Value>, ClusterError> {
    let namespace = scope.namespace.as_deref();
    // Pods of SkillBindings have no label of an operator's.
    let query = if labelled { selected(profile.names.type_label) } else { String::new() };
    let what = format!("list pods{}", of(namespace));
    Ok(requests.list(&PODS.list(namespace), &query, &what).await?.map(|list| list.items).unwrap_or_default())
}

/// Namespace and name of an object.
pub fn key(object: &Value) -> (String, String) {
    Object(object).key()
}

/// Where, for messages.
pub fn of(namespace: Option<&str>) -> String {
    namespace.map_or(" in all namespaces".into(), |name| format!(" in namespace {name:?}"))
}
