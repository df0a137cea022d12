//! Which AgentRuntime API the cluster serves and whose rules it follows. Two requests; no CRD is read, so nobody needs
//! rights on CRDs.

use std::time::Duration;

use kubectl_skills::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILLS_GROUP, VERSION};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::profile_detection::detect;
use kubectl_skills::api::workload::WorkloadKind;
use serde_json::Value;

use super::error::{ClusterError, Failure};
use super::paths::{Resource, SANDBOXES, SANDBOXES_BETA};
use super::requests::Requests;
use crate::planning::named_by;

/// How long a CRD that was just installed may have no description.
const DESCRIBED_AFTER: Duration = Duration::from_secs(10);
const ASKED_EACH: Duration = Duration::from_millis(250);

/// The dialect of a cluster.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// The profile.
    pub profile: &'static Profile,
    /// Why it was taken.
    pub reason: String,
    /// What is odd about the cluster, if anything is.
    pub warnings: Vec<String>,
}

/// Finds the dialect. `chosen` is the profile of the command line, which decides over all.
pub async fn dialect(requests: &Requests, chosen: Option<&'static Profile>) -> Result<Dialect, ClusterError> {
    if let Some(profile) = chosen {
        return Ok(Dialect { profile, reason: named_by(), warnings: Vec::new() });
    }
    let (kagenti, rossoctl) = tokio::join!(schema(requests, KAGENTI.group), schema(requests, ROSSOCTL.group));
    let mut found: Vec<_> = [(ROSSOCTL.group, rossoctl?), (KAGENTI.group, kagenti?)]
        .into_iter()
        .filter_map(|(group, schema)| detect(group, &schema?))
        .collect();
    let mut warnings = Vec::new();
    if found.len() > 1 {
        warnings.push(format!(
            "the cluster serves {} and {}: {} is taken; --profile chooses the other",
            ROSSOCTL.group, KAGENTI.group, ROSSOCTL.group
        ));
    }
    if found.is_empty() {
        return Err(ClusterError::new(
            Failure::NotFound,
            format!("the cluster serves no AgentRuntime ({} or {})", KAGENTI.group, ROSSOCTL.group),
        )
        .help(
            "install the CRD of SkillBindings, which any cluster can have ('kubectl skills crd --skill-binding | kubectl apply -f -'), \
             or the operator's CRDs ('kubectl skills crd | kubectl apply -f -'); or check --context",
        ));
    }
    let first = found.swap_remove(0);
    Ok(Dialect { profile: first.profile, reason: first.reason, warnings })
}

/// Whether the cluster serves SkillBindings. Whoever may not list them gets the same answer whether they are served or not;
/// discovery is open to all.
pub async fn serves_bindings(requests: &Requests) -> Result<bool, ClusterError> {
    let group = format!("/apis/{SKILLS_GROUP}/{VERSION}");
    let found = requests.get(&group, &format!("read the kinds of {SKILLS_GROUP}/{VERSION}")).await?;
    Ok(found.is_some())
}

/// Sandboxes in a version that the cluster serves and we know; that of the operator first. Where there are none, theirs:
/// what is read of it then is not found.
pub async fn sandboxes(requests: &Requests) -> Result<Resource, ClusterError> {
    const GROUP: &str = "agents.x-k8s.io";
    let what = format!("read the versions of {GROUP}");
    let Some(group) = requests.get(&format!("/apis/{GROUP}"), &what).await? else { return Ok(SANDBOXES) };
    let versions = group.get("versions").and_then(Value::as_array).into_iter().flatten();
    let served: Vec<&str> = versions.filter_map(|version| version.get("groupVersion")?.as_str()).collect();
    let serves = |resource: &Resource| served.iter().any(|version| resource.base.ends_with(version));
    [SANDBOXES, SANDBOXES_BETA].into_iter().find(serves).ok_or_else(|| {
        let message = format!("the cluster serves Sandboxes only as {}", served.join(", "));
        ClusterError::new(Failure::NotFound, message).help(format!(
            "{GROUP}/v1alpha1 and {GROUP}/v1beta1 are supported: serve one of them, or update kubectl-skills"
        ))
    })
}

/// Where a kind that the command line adds is; `None` if the cluster does not serve it.
pub async fn resource_of(requests: &Requests, kind: WorkloadKind) -> Result<Option<Resource>, ClusterError> {
    let what = format!("read the kinds of {}", kind.group());
    let Some(group) = requests.get(&format!("/apis/{}", kind.group()), &what).await? else { return Ok(None) };
    let Some(version) = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str) else {
        return Ok(None);
    };
    let base = format!("/apis/{version}");
    let Some(list) = requests.get(&base, &what).await? else { return Ok(None) };
    let all = list.get("resources").and_then(Value::as_array).into_iter().flatten();
    let plural = all
        .filter(|one| one.get("kind").and_then(Value::as_str) == Some(kind.name()))
        .filter_map(|one| one.get("name")?.as_str())
        .find(|name| !name.contains('/'));
    // As long as the program lives, as the kind itself.
    Ok(plural
        .map(|plural| Resource { base: String::leak(base.clone()), plural: String::leak(plural.to_owned()) }))
}

/// The OpenAPI schema of AgentRuntime in a group; `None` if the group is not served.
async fn schema(requests: &Requests, group: &str) -> Result<Option<Value>, ClusterError> {
    let path = format!("/openapi/v3/apis/{group}/{VERSION}");
    let what = format!("read the schema of {group}/{VERSION}");
    let mut found = requests.get(&path, &what).await?;
    if found.is_none() && requests.get(&format!("/apis/{group}/{VERSION}"), &what).await?.is_some() {
        // The server describes a CRD some seconds after it serves it.
        for _ in 0..DESCRIBED_AFTER.as_millis() / ASKED_EACH.as_millis() {
            tokio::time::sleep(ASKED_EACH).await;
            found = requests.get(&path, &what).await?;
            if found.is_some() {
                break;
            }
        }
    }
    let Some(mut document) = found else { return Ok(None) };
    let schemas = document.pointer_mut("/components/schemas").map(Value::take);
    let Some(Value::Object(schemas)) = schemas else { return Ok(None) };
    Ok(schemas.into_iter().map(|(_, schema)| schema).find(|schema| {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        kinds.into_iter().flatten().any(|gvk| gvk.get("kind").and_then(Value::as_str) == Some(AGENT_RUNTIME))
    }))
}
