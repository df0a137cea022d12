//! Every object of a cluster that has to do with skills, no matter who made it: AgentRuntimes, SkillBindings, all workloads that nothing
//! else has made, ConfigMaps with skills and cards. Secrets are never read.

use futures_util::future::try_join_all;
use kubectl_skills::api::names::{KAGENTI, ROSSOCTL};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::lint::others::CARD;
use serde_json::Value;

use super::discovery::{Dialect, sandboxes};
use super::error::{ClusterError, Failure};
use super::paths::{CONFIG_MAPS, of_kind};
use super::requests::Requests;
use super::snapshot::{Scope, read_bindings, read_runtimes};

/// What was read.
pub struct Objects {
    /// All objects.
    pub objects: Vec<Value>,
    /// The dialect of the cluster's AgentRuntimes; none if it serves none.
    pub profile: Option<&'static Profile>,
    /// What the server would not list, in words.
    pub unread: Vec<String>,
}

/// Reads them, of a namespace or of all. `dialect`: that of the cluster, as it was found.
pub async fn read(
    requests: &Requests,
    namespace: Option<&str>,
    dialect: Result<Dialect, ClusterError>,
) -> Result<Objects, ClusterError> {
    let profile = match dialect {
        Ok(dialect) => Some(dialect.profile),
        Err(error) if error.failure == Failure::NotFound => None,
        Err(error) => return Err(error),
    };
    let scope = Scope { namespace: namespace.map(str::to_owned), ..Scope::default() };
    // Of a kind with two versions the server lists every object in both.
    let served = match sandboxes(requests).await {
        Ok(sandboxes) => Some(sandboxes),
        Err(error) if error.failure == Failure::NotFound => None,
        Err(error) => return Err(error),
    };
    let kinds = WorkloadKind::ALL.into_iter().filter_map(of_kind);
    let mut resources: Vec<_> = kinds.filter(|resource| !resource.is_sandbox()).chain(served).collect();
    resources.push(CONFIG_MAPS);
    let lists = try_join_all(resources.into_iter().map(async |resource| {
        let what = format!("list {}", resource.plural);
        match requests.list(&resource.list(namespace), "", &what).await {
            Ok(list) => Ok((list.map(|list| list.items).unwrap_or_default(), None)),
            Err(error) if error.failure == Failure::Forbidden => Ok((Vec::new(), Some(error.message))),
            Err(error) => Err(error),
        }
    }));
    let runtimes = async {
        match profile {
            Some(profile) => read_runtimes(requests, &scope, profile).await,
            None => Ok(Vec::new()),
        }
    };
    let (runtimes, bindings, lists) = tokio::try_join!(runtimes, read_bindings(requests, &scope), lists)?;
    let (mut objects, mut unread) = (runtimes, Vec::new());
    objects.extend(bindings.unwrap_or_default());
    for (items, why) in lists {
        objects.extend(items.into_iter().filter(matters));
        unread.extend(why);
    }
    objects.iter_mut().for_each(strip);
    Ok(Objects { objects, profile, unread })
}

/// Whether anybody wrote the object, and rules look at its kind.
fn matters(value: &Value) -> bool {
    let object = Object(value);
    let is_made = value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    if object.kind() != "ConfigMap" {
        return !is_made.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
    }
    let is_skill = [&KAGENTI, &ROSSOCTL].iter().any(|names| object.label(names.type_label) == Some("skill"));
    is_skill || object.name().ends_with(CARD)
}

/// Takes out what the server alone writes.
fn strip(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
}
