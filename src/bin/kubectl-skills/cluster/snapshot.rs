//! One snapshot of the cluster per run: AgentRuntimes, their targets, the operator's ConfigMaps, by lists. Secrets are
//! never read. Only 404 is absence; any other failure is an error, and nothing is planned from half a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kubectl_skills::api::names::{AUTHBRIDGE_RUNTIME, SPIFFE_HELPER};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::live::{self, WorkloadKey};
use serde_json::Value;

use super::args::parse_timeout;
use super::discovery::{Dialect, dialect, sandboxes};
use super::error::{ClusterError, Failure};
use super::paths::{CONFIG_MAPS, PODS, Resource, agent_runtimes, workload};
use super::requests::{Requests, escape_query};

/// Requests under way at the same time.
const CONCURRENCY: usize = 8;
/// Up to so many targets of a kind in a namespace are read one by one, where a list would bring what nobody asked for.
const FEW: usize = 3;

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
    /// Whether pods are read, which only `status` needs.
    pub pods: bool,
    /// Namespace of the operator, where it is not the dialect's usual one.
    pub operator_namespace: Option<String>,
}

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
    /// Workloads by (kind, namespace, name). A target that is not here does not exist.
    pub workloads: Workloads,
    /// The operator's ConfigMaps, by namespace and name.
    pub config_maps: Vec<Value>,
    /// Pods of the namespaces concerned; none unless they were asked for, or where they could not be read.
    pub pods: Option<Vec<Value>>,
    /// Why pods that were asked for could not be read.
    pub without_pods: Option<ClusterError>,
    /// AgentRuntimes that were asked for by name and are not there.
    pub missing: Option<ClusterError>,
}

/// Reads the snapshot.
pub async fn read(
    requests: &Requests,
    scope: &Scope,
    chosen: Option<&'static Profile>,
) -> Result<Snapshot, ClusterError> {
    let dialect = dialect(requests, chosen).await?;
    let profile = dialect.profile;
    let (runtimes, config_maps) = tokio::try_join!(read_runtimes(requests, scope, profile), async {
        if scope.config { read_config(requests, scope, profile).await } else { Ok(Vec::new()) }
    })?;
    let (selected, missing) = select(requests, scope, profile, &runtimes).await?;
    let workloads = read_workloads(requests, scope, &runtimes, &selected).await?;
    let mut snapshot = Snapshot {
        dialect,
        runtimes,
        selected,
        workloads,
        config_maps,
        pods: None,
        without_pods: None,
        missing,
    };
    snapshot.read_pods(requests, scope).await?;
    Ok(snapshot)
}

impl Snapshot {
    /// Reads pods anew, where they are asked for and may be read.
    pub async fn read_pods(&mut self, requests: &Requests, scope: &Scope) -> Result<(), ClusterError> {
        if !scope.pods || self.without_pods.is_some() {
            return Ok(());
        }
        match read_pods(requests, scope, self.dialect.profile).await {
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

/// Which of the AgentRuntimes the run is about. All of a namespace are read also where few are asked for: whether two
/// of them claim one workload can be seen in no other way.
async fn select(
    requests: &Requests,
    scope: &Scope,
    profile: &Profile,
    runtimes: &[Value],
) -> Result<(BTreeSet<(String, String)>, Option<ClusterError>), ClusterError> {
    let all: BTreeSet<_> = runtimes.iter().map(key).collect();
    if !scope.names.is_empty() {
        let wanted: BTreeSet<&str> = scope.names.iter().map(String::as_str).collect();
        let found: BTreeSet<_> = all.into_iter().filter(|(_, name)| wanted.contains(name.as_str())).collect();
        let missing: Vec<&str> =
            wanted.into_iter().filter(|name| !found.iter().any(|(_, found)| found == name)).collect();
        let error = (!missing.is_empty()).then(|| {
            let namespace = scope
                .namespace
                .as_deref()
                .map_or("any namespace".to_owned(), |name| format!("namespace {name:?}"));
            let message = format!("agentruntimes not found in {namespace}: {}", missing.join(", "));
            let limit = missing
                .iter()
                .find(|name| !name.ends_with(|c: char| c.is_ascii_digit()) && parse_timeout(name).is_ok());
            let help = match limit {
                Some(limit) => format!("a time limit is written with an equals sign: --wait={limit}"),
                None => "'kubectl get agentruntimes -A' lists them".to_owned(),
            };
            ClusterError::new(Failure::NotFound, message).help(help)
        });
        return Ok((found, error));
    }
    let Some(selector) = &scope.selector else { return Ok((all, None)) };
    let query = format!("labelSelector={}", escape_query(selector));
    let namespace = scope.namespace.as_deref();
    let what = format!("list agentruntimes with {selector:?}{}", of(namespace));
    let list = requests.list(&agent_runtimes(profile, namespace), &query, &what).await?;
    Ok((list.map(|list| list.items.iter().map(key).collect()).unwrap_or_default(), None))
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
    let labelled = format!("labelSelector={}", escape_query(&format!("{}=true", names.defaults_label)));
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

async fn read_workloads(
    requests: &Requests,
    scope: &Scope,
    runtimes: &[Value],
    selected: &BTreeSet<(String, String)>,
) -> Result<Workloads, ClusterError> {
    let selected = runtimes.iter().filter(|runtime| selected.contains(&key(runtime)));
    read_targets(requests, scope, selected).await
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
) -> Result<Vec<Value>, ClusterError> {
    let namespace = scope.namespace.as_deref();
    let query = format!("labelSelector={}", escape_query(profile.names.type_label));
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
