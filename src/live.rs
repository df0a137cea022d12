//! Plans over live objects: one picture of a cluster in, a plan or the reasons against one for each AgentRuntime out.
//!
//! The plans are those that files get; what differs is told here: the API server has already judged the AgentRuntime, a
//! defect of one runtime does not stop the others, and a ConfigMap that was looked for and is not there is known absent.

pub mod apply_configuration;
pub mod field_ownership;
pub mod status_report;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::error::InputError;
use crate::api::object::{ConfigMap, Object, ObjectRef, Origin};
use crate::api::profile::Profile;
use crate::config::gates::FeatureGates;
use crate::config::layers::{ConfigLayers, ConfigView};
use crate::plan::{self, Action, Lookup, Options, Runtime, RuntimePlan, Surroundings};
use crate::validate::{preflight, webhook};
use crate::yaml;

/// Kind, namespace and name of a workload.
pub type WorkloadKey = (String, String, String);

/// What was read of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'a> {
    /// All AgentRuntimes of the namespaces concerned.
    pub runtimes: &'a [Value],
    /// Namespace and name of those to be planned.
    pub selected: &'a BTreeSet<(String, String)>,
    /// Their targets. One that is not here does not exist.
    pub workloads: &'a BTreeMap<WorkloadKey, Value>,
    /// The operator's ConfigMaps.
    pub maps: &'a [ConfigMap],
    /// Pods, for `configuredPods`.
    pub pods: &'a [Value],
}

/// How to plan.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Options, the gate among them: see [`gate`].
    pub options: Options,
    /// Which ConfigMaps the hash sees.
    pub view: ConfigView,
}

/// What came of one AgentRuntime.
#[derive(Debug)]
pub struct LivePlan<'a> {
    /// Identity of the runtime.
    pub id: ObjectRef,
    /// The runtime.
    pub runtime: &'a Value,
    /// Its target, if it exists.
    pub workload: Option<&'a Value>,
    /// The plan; none where the runtime cannot even be read.
    pub plan: Option<RuntimePlan>,
    /// Why it cannot be carried out.
    pub errors: Vec<InputError>,
}

/// The effective gate over skills on a cluster: `--feature-gates` over all; else the text of the gates file; else the
/// operator's ConfigMap in `system`; else the compiled default, for the ConfigMap is known to be absent.
///
/// # Errors
/// Flags, file or ConfigMap that do not parse.
pub fn gate(
    profile: &'static Profile,
    flags: Option<&str>,
    file: Option<&str>,
    maps: &[ConfigMap],
    system: &str,
) -> Result<bool, Vec<InputError>> {
    let told = |message: String| vec![InputError { message, ..InputError::default() }];
    let found = maps.iter().find(|map| map.namespace == system && map.name == profile.names.feature_gates);
    let gates = match (file, found) {
        (Some(text), _) => {
            FeatureGates::load(profile, Some(text)).map_err(|error| told(error.to_string()))?
        }
        (None, Some(map)) => FeatureGates::from_config_map(profile, map)
            .map_err(|error| told(format!("ConfigMap {system}/{}: {error}", map.name)))?,
        (None, None) => FeatureGates::defaults(profile),
    };
    let gates = match flags {
        Some(flags) => gates.with_flag(profile, flags).map_err(|error| told(error.to_string()))?,
        None => gates,
    };
    Ok(gates.skills(profile))
}

/// Plans the selected runtimes, in the order of the inventory.
pub fn plan<'a>(inventory: &Inventory<'a>, settings: &Settings) -> Vec<LivePlan<'a>> {
    let layers = ConfigLayers::new(settings.options.profile, inventory.maps, settings.view);
    let claims = claims(inventory.runtimes);
    inventory
        .runtimes
        .iter()
        .filter(|runtime| inventory.selected.contains(&Object(runtime).key()))
        .map(|runtime| plan_one(runtime, inventory, settings, &layers, &claims))
        .collect()
}

/// Plans one runtime anew over a workload that was read again.
pub fn replan<'a>(
    runtime: &'a Value,
    workload: &'a Value,
    inventory: &Inventory<'a>,
    settings: &Settings,
) -> LivePlan<'a> {
    let layers = ConfigLayers::new(settings.options.profile, inventory.maps, settings.view);
    planned(runtime, Some(workload), inventory, settings, &layers, &claims(inventory.runtimes))
}

fn plan_one<'a>(
    runtime: &'a Value,
    inventory: &Inventory<'a>,
    settings: &Settings,
    layers: &ConfigLayers,
    claims: &BTreeMap<WorkloadKey, Vec<String>>,
) -> LivePlan<'a> {
    let workload = inventory.workloads.get(&target(runtime));
    planned(runtime, workload, inventory, settings, layers, claims)
}

fn planned<'a>(
    runtime: &'a Value,
    workload: Option<&'a Value>,
    inventory: &Inventory<'a>,
    settings: &Settings,
    layers: &ConfigLayers,
    claims: &BTreeMap<WorkloadKey, Vec<String>>,
) -> LivePlan<'a> {
    let id = Object(runtime).reference();
    let mut out = LivePlan { id: id.clone(), runtime, workload, plan: None, errors: Vec::new() };
    let spec = match AgentRuntimeSpec::from_object(runtime) {
        Ok(spec) => spec,
        Err(errors) => {
            out.errors = errors
                .into_iter()
                .map(|error| told(&id, error.field, error.message, "correct the AgentRuntime"))
                .collect();
            return out;
        }
    };
    let options = &settings.options;
    if !options.exact && !options.remove {
        check(&id, &spec, options.profile, claims.get(&target(runtime)), &mut out.errors);
    }
    let around = Surroundings {
        maps: inventory.maps,
        layers,
        view: settings.view,
        pods: inventory.pods,
        namespace: None,
        services: None,
    };
    let lookup = workload.map_or(Lookup::Absent, Lookup::Found);
    let runtime = Runtime { id: id.clone(), origin: Origin::default(), object: runtime, spec };
    let plan = plan::plan(&runtime, lookup, &around, options);
    for problem in &plan.problems {
        let whose = if problem.in_runtime { id.clone() } else { target_ref(&runtime) };
        let field = yaml::path::display(&problem.path).to_string();
        let help = if workload.is_none() && problem.in_runtime {
            "create the workload, or correct targetRef"
        } else {
            &problem.help
        };
        out.errors.push(told(&whose, field, problem.message.clone(), help));
    }
    out.plan = Some(plan);
    if !out.errors.is_empty()
        && let Some(plan) = &mut out.plan
    {
        plan.action = Action::Error;
        plan.updates.clear();
    }
    out
}

/// What is wrong with an AgentRuntime by itself: what the operator's webhook refuses, where it is not registered (Q13), and
/// what the API server will refuse of the workload (Q12).
pub fn defects(id: &ObjectRef, spec: &AgentRuntimeSpec, profile: &'static Profile) -> Vec<InputError> {
    let mut errors = Vec::new();
    let operation = webhook::Operation::Create;
    let verdict = webhook::verdict(profile, operation, id, spec, webhook::Rivals::Unknown);
    if let Some(message) = verdict.message {
        errors.push(told(id, "spec".into(), message, "correct the AgentRuntime"));
    }
    for (index, skill) in spec.skills.iter().enumerate() {
        for finding in preflight::check_skill(skill) {
            errors.push(told(id, format!("spec.skills[{index}]"), finding.message, ""));
        }
    }
    errors
}

/// [`defects`], and that two point at one workload (Q15).
fn check(
    id: &ObjectRef,
    spec: &AgentRuntimeSpec,
    profile: &'static Profile,
    rivals: Option<&Vec<String>>,
    errors: &mut Vec<InputError>,
) {
    errors.append(&mut defects(id, spec, profile));
    let others: Vec<&str> =
        rivals.into_iter().flatten().filter(|name| **name != id.name).map(String::as_str).collect();
    if !others.is_empty() {
        let message = format!(
            "{} {} is also the target of AgentRuntime {}",
            spec.target_ref.kind,
            spec.target_ref.name,
            others.join(", ")
        );
        errors.push(told(
            id,
            "spec.targetRef".into(),
            message,
            "a workload takes one AgentRuntime: delete one, or merge their skills",
        ));
    }
}

fn told(object: &ObjectRef, field: String, message: String, help: &str) -> InputError {
    InputError {
        object: Some(object.clone()),
        field,
        message,
        help: help.to_owned(),
        ..InputError::default()
    }
}

/// Which runtimes point at a workload, however they write its apiVersion (Q15).
fn claims(runtimes: &[Value]) -> BTreeMap<WorkloadKey, Vec<String>> {
    let mut out: BTreeMap<WorkloadKey, Vec<String>> = BTreeMap::new();
    for runtime in runtimes.iter().filter(|runtime| !Object(runtime).is_being_deleted()) {
        out.entry(target(runtime)).or_default().push(Object(runtime).name().to_owned());
    }
    out
}

fn target_ref(runtime: &Runtime<'_>) -> ObjectRef {
    let target = &runtime.spec.target_ref;
    ObjectRef {
        api_version: target.api_version.clone(),
        kind: target.kind.clone(),
        namespace: runtime.id.namespace.clone(),
        name: target.name.clone(),
    }
}

/// Kind, namespace and name of a runtime's target.
pub fn target(runtime: &Value) -> WorkloadKey {
    let text = |pointer: &str| Object(runtime).str(pointer).to_owned();
    (text("/spec/targetRef/kind"), text("/metadata/namespace"), text("/spec/targetRef/name"))
}
