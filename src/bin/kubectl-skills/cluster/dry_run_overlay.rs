//! Manifests laid over a cluster by server dry runs: what would be there once they were applied. Files' objects in, the
//! objects as the server would store them out. Nothing is written; what skills make of them is left to the plan.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use http::Method;
use kubectl_skills::api::object::SERVER_METADATA;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::live::target;
use kubectl_skills::manifest::stream::{Item, Stream};
use serde_json::Value;

use super::error::{ClusterError, Failure};
use super::paths::{self, Resource};
use super::requests::{Requests, escape_query};
use super::snapshot::{Scope, Workloads, key, read_bindings, read_runtimes_or_none, read_workloads};
use crate::exit;

/// Whose apply is tried: that of `kubectl apply --server-side`.
const MANAGER: &str = "kubectl";
/// Requests under way at the same time.
const CONCURRENCY: usize = 8;

/// Kind, namespace and name.
type Key = (String, String, String);

/// The cluster before, and with the manifests.
pub struct Overlay {
    /// AgentRuntimes of the manifests as they are in the cluster; absent ones are not here.
    pub runtimes_before: Vec<Value>,
    /// All AgentRuntimes of the namespaces concerned, those of the manifests as they would be.
    pub runtimes: Vec<Value>,
    /// The AgentRuntimes that the manifests are about, by namespace and name: their own, and those of their workloads.
    pub selected: BTreeSet<(String, String)>,
    /// SkillBindings of the manifests as they are in the cluster.
    pub bindings_before: Vec<Value>,
    /// All SkillBindings of the namespaces concerned, those of the manifests as they would be.
    pub bindings: Vec<Value>,
    /// Those that the manifests are about.
    pub selected_bindings: BTreeSet<(String, String)>,
    /// Targets of those, as they are.
    pub workloads_before: Workloads,
    /// Targets of those, as they would be.
    pub workloads: Workloads,
}

/// Lays manifests over the cluster.
pub async fn lay(
    requests: &Requests,
    manifests: &Stream<'_>,
    profile: &Profile,
    kinds: Kinds,
) -> Result<Overlay, exit::Failure> {
    let all = manifests.asking().chain(&manifests.workloads);
    let namespaces: BTreeSet<&str> = all.map(|item| item.id.namespace.as_str()).collect();
    let Laid { before: runtimes_before, all: runtimes, own } =
        lay_runtimes(requests, manifests, profile, &namespaces).await?;
    let Laid { before: bindings_before, all: bindings, own: own_bindings } =
        lay_bindings(requests, manifests, &namespaces).await?;

    let given: BTreeSet<Key> = manifests.workloads.iter().map(key_of).collect();
    let chooses = |binding: &Value| binding.pointer("/spec/selector").is_some_and(|chosen| !chosen.is_null());
    let given_in = |namespace: &str| given.iter().any(|(_, at, _)| at == namespace);
    let bindings_concerned = |binding: &&Value| {
        let (namespace, _) = key(binding);
        own_bindings.contains(&key(binding))
            || given.contains(&target(binding))
            || (chooses(binding) && given_in(&namespace))
    };
    let selected_bindings: BTreeSet<_> = bindings.iter().filter(bindings_concerned).map(key).collect();
    let concerned = |runtime: &&Value| own.contains(&key(runtime)) || given.contains(&target(runtime));
    let selected: BTreeSet<_> = runtimes.iter().filter(concerned).map(key).collect();
    let targets: BTreeSet<Key> = runtimes.iter().filter(concerned).map(target).collect();
    let workloads_before = read_workloads(
        requests,
        &Scope::default(),
        (&runtimes, &selected),
        (&bindings, &selected_bindings),
        (kinds, &BTreeMap::new()),
    )
    .await?;
    let named: BTreeSet<Key> = bindings.iter().filter(bindings_concerned).map(target).collect();
    let chosen: BTreeSet<String> =
        bindings.iter().filter(|binding| chooses(binding)).map(|binding| key(binding).0).collect();
    let mut objects = Vec::new();
    let is_wanted = |item: &&Item| {
        targets.contains(&key_of(item))
            || named.contains(&key_of(item))
            || chosen.contains(&item.id.namespace)
    };
    for item in manifests.workloads.iter().filter(is_wanted) {
        objects.push((item, manifests.object(item)?));
    }
    let merged = try_all(requests, objects, |item| {
        paths::workload(&item.id.kind)
            .map(|resource| resource.object(&item.id.namespace, &item.id.name))
            .unwrap_or_default()
    })
    .await?;
    let mut workloads = workloads_before.clone();
    for object in merged {
        let (namespace, name) = key(&object);
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        workloads.insert((kind, namespace, name), object);
    }
    Ok(Overlay {
        runtimes_before,
        runtimes,
        selected,
        bindings_before,
        bindings,
        selected_bindings,
        workloads_before,
        workloads,
    })
}

/// AgentRuntimes before and with the manifests.
async fn lay_runtimes(
    requests: &Requests,
    manifests: &Stream<'_>,
    profile: &Profile,
    namespaces: &BTreeSet<&str>,
) -> Result<Laid, exit::Failure> {
    let mut found = Vec::new();
    for namespace in namespaces {
        let none = manifests.runtimes.is_empty();
        found.extend(read_runtimes_or_none(requests, &scope(namespace), profile, none).await?);
    }
    let own: BTreeSet<(String, String)> =
        manifests.runtimes.iter().map(|item| (item.id.namespace.clone(), item.id.name.clone())).collect();
    let (before, mut all): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|runtime| own.contains(&key(runtime)));
    let objects = manifests.runtimes.iter().map(|item| Ok((item, manifests.object(item)?)));
    let objects: Vec<(&Item, Value)> = objects.collect::<Result<_, exit::Failure>>()?;
    let stored: BTreeSet<_> = before.iter().map(key).collect();
    let mut tried =
        try_all(requests, objects, |item| paths::agent_runtime(profile, &item.id.namespace, &item.id.name))
            .await?;
    // The dry run dates what is not there yet, and so it could pass for as old as one that is (plan::claims).
    for runtime in tried.iter_mut().filter(|runtime| !stored.contains(&key(runtime))) {
        if let Some(metadata) = runtime.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("creationTimestamp");
        }
    }
    all.extend(tried);
    all.sort_by_cached_key(key);
    Ok(Laid { before, all, own })
}

/// Objects of one kind, before and with the manifests.
struct Laid {
    before: Vec<Value>,
    all: Vec<Value>,
    /// Those of the manifests.
    own: BTreeSet<(String, String)>,
}

async fn lay_bindings(
    requests: &Requests,
    manifests: &Stream<'_>,
    namespaces: &BTreeSet<&str>,
) -> Result<Laid, exit::Failure> {
    let own: BTreeSet<(String, String)> =
        manifests.bindings.iter().map(|item| (item.id.namespace.clone(), item.id.name.clone())).collect();
    let mut found = Vec::new();
    let mut is_served = false;
    for namespace in namespaces {
        let read = read_bindings(requests, &scope(namespace)).await?;
        is_served |= read.is_some();
        found.extend(read.into_iter().flatten());
    }
    let (before, mut all): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|binding| own.contains(&key(binding)));
    let mut objects = Vec::new();
    for item in &manifests.bindings {
        let mut object = manifests.object(item)?;
        object["metadata"]["namespace"] = item.id.namespace.as_str().into();
        objects.push((item, object));
    }
    if is_served {
        all.extend(
            try_all(requests, objects, |item| paths::skill_binding(&item.id.namespace, &item.id.name))
                .await?,
        );
    } else {
        // Where nobody serves them they stay in Git, and say there what they say.
        all.extend(objects.into_iter().map(|(_, object)| object));
    }
    all.sort_by_cached_key(key);
    Ok(Laid { before, all, own })
}

fn scope(namespace: &str) -> Scope {
    Scope { namespace: Some(namespace.to_owned()), ..Scope::default() }
}

fn key_of(item: &Item) -> Key {
    (item.id.kind.clone(), item.id.namespace.clone(), item.id.name.clone())
}

/// Tries a server-side apply of every object. All refusals are reported, not only the first.
async fn try_all(
    requests: &Requests,
    objects: Vec<(&Item, Value)>,
    path_of: impl Fn(&Item) -> String,
) -> Result<Vec<Value>, exit::Failure> {
    let attempts = objects.into_iter().map(|(item, mut object)| {
        let path = format!("{}?fieldManager={MANAGER}&force=true&dryRun=All", path_of(item));
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".into(), item.id.namespace.as_str().into());
            // Of an object that was taken from a cluster; no apply may name them.
            metadata.shift_remove("managedFields");
        }
        async move {
            let what = format!("try {} {}/{}", item.id.kind, item.id.namespace, item.id.name);
            let tried = requests.write(Method::PATCH, &path, "application/apply-patch+yaml", &object, &what).await;
            tried.map_err(|error| match error.message.contains(".spec.skills: field not declared in schema") {
                true => error.help(
                    "the cluster's CRD has no spec.skills: 'kubectl skills render --config-from cluster' writes the skills into the \
                     workload and leaves them out; give its output",
                ),
                false => error,
            })
        }
    });
    let tried: Vec<Result<Value, ClusterError>> =
        stream::iter(attempts).buffered(CONCURRENCY).collect().await;
    let (merged, errors): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
    if errors.is_empty() {
        return Ok(merged.into_iter().flatten().collect());
    }
    Err(exit::Failure::Remote(errors.into_iter().filter_map(Result::err).map(Into::into).collect()))
}

/// A workload as the server would store it in the place of the one that is there, or newly; by dry run.
pub async fn stored(
    requests: &Requests,
    resource: Resource,
    workload: &Value,
    exists: bool,
    manager: &str,
) -> Result<Value, ClusterError> {
    let (namespace, name) = key(workload);
    let what = format!("try {} {namespace}/{name} with its skills", resource.plural);
    let query = format!("fieldManager={}&dryRun=All", escape_query(manager));
    let mut body = workload.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut)
        && !exists
    {
        // What the dry run made up.
        for field in SERVER_METADATA {
            metadata.shift_remove(field);
        }
    }
    let (method, path) = if exists {
        (Method::PUT, resource.object(&namespace, &name))
    } else {
        (Method::POST, resource.list(Some(&namespace)))
    };
    let answer = requests.write(method, &format!("{path}?{query}"), "application/json", &body, &what).await?;
    let skills = |object: &Value| {
        let volumes = ["/spec/template/spec/volumes", "/spec/podTemplate/spec/volumes"]
            .iter()
            .find_map(|pointer| object.pointer(pointer).and_then(Value::as_array));
        volumes.into_iter().flatten().filter(|volume| volume.get("image").is_some()).count()
    };
    if skills(&answer) < skills(workload) {
        return Err(ClusterError::new(
            Failure::ImageVolumesDropped,
            format!("{what}: the server drops image volumes"),
        )
        .help("'kubectl skills doctor' tells why"));
    }
    Ok(answer)
}
