//! What the operator makes alongside the workload: ConfigMaps that a namespace lacks, and from `head` on the namespace's place
//! in the mesh. Only with `exact`, for what is hashed and what the status says; nothing of it is ours to write.
//!
//! Source: operator-spec.md section 5, step 6; vectors `configmap-templates/*` and `head/skill-discovery/*`.

use serde_json::Value;

use super::{Condition, Runtime, RuntimePlan, Surroundings};
use crate::api::names::{MANAGED_BY, SPIFFE_HELPER};
use crate::api::object::{ConfigMap, Origin};
use crate::api::profile::Profile;
use crate::api::workload::WorkloadKind;

/// Templates that are copied from the system namespace, in order.
const TEMPLATES: [&str; 4] =
    ["authbridge-config", "authbridge-runtime-config", "envoy-config", SPIFFE_HELPER];

/// The ConfigMaps that the operator makes in the namespace before it hashes.
pub(super) fn created(namespace: &str, around: &Surroundings<'_>, profile: &Profile) -> Vec<ConfigMap> {
    let find = |namespace: &str, name: &str| {
        around.maps.iter().find(|map| map.namespace == namespace && map.name == name)
    };
    let made = |name: &str, data| ConfigMap {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: [(MANAGED_BY.to_owned(), profile.names.managed_by_value.to_owned())].into(),
        data,
        origin: Origin::default(),
    };
    if profile.mesh {
        let default = profile.spiffe_helper_default.filter(|_| find(namespace, SPIFFE_HELPER).is_none());
        let data = |text: &str| [("helper.conf".to_owned(), text.to_owned())].into();
        return default.map(|text| made(SPIFFE_HELPER, data(text))).into_iter().collect();
    }
    let missing = TEMPLATES.iter().filter(|name| find(namespace, name).is_none());
    missing
        .filter_map(|name| find(profile.names.system_namespace, name).map(|map| made(name, map.data.clone())))
        .collect()
}

/// The mesh's conditions and events, where the Namespace was looked at.
pub(super) fn conditions(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    namespace: Option<&Value>,
) -> Vec<Condition> {
    if !plan.profile.mesh || namespace.is_none() {
        return Vec::new();
    }
    let name = &runtime.id.namespace;
    plan.event(false, "IstioMeshEnrolled", format!("Namespace {name} labeled for Istio ambient mesh"));
    let enrolled = format!("Namespace {name} enrolled in Istio ambient mesh");
    let mut out = vec![Condition::new("IstioMeshEnrolled", true, "NamespaceLabeled", enrolled)];
    if runtime.spec.mtls_mode == "disabled" {
        return out;
    }
    if kind == WorkloadKind::Sandbox {
        let message = "Sandbox workload; SPIRE availability assumed (webhook handles injection)";
        out.push(Condition::new("MTLSReady", true, "SPIREAssumed", message));
    } else {
        let message = "mTLS requires SPIRE; either deploy SPIRE or set mTLSMode: disabled";
        plan.event(true, "SPIREUnavailable", message);
        out.push(Condition::new("MTLSReady", false, "SPIREUnavailable", message));
    }
    out
}
