//! Whole reconciles against the operator's: after each run the workload, the status, the events, the writes and when it
//! looks again. Cases with injected API faults are set apart by name: only a controller can meet them, in
//! tests/e2e/controller/faults.rs.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use std::collections::BTreeSet;

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::{ConfigMap, ObjectRef, Origin};
use kubectl_skills::config::gates::FeatureGates;
use kubectl_skills::config::layers::{ConfigLayers, ConfigView};
use kubectl_skills::plan::{Bound, Finalizer, Lookup, Options, Runtime, Surroundings, Warning, plan};
use kubectl_skills::validate::findings::Finding;
use serde_json::{Map, Value, json};

use crate::vectors::{Case, Tally, cases};

/// Where the cases are proven that only a running controller can meet; the test there wants all of them.
const FAULTS: &str = "tests/e2e/controller/faults.rs";

/// Someone who renders gets another workload than the operator writes, or a controller another status, if one differs.
#[test]
fn reconciles_are_the_operators() {
    let mut tally = Tally::new();
    for case in cases("reconcile") {
        if case.input.get("faults").is_some() {
            tally.apart(&case, format!("injected API faults: {FAULTS} holds it"));
        } else {
            let outcome = compare(&case);
            tally.outcome(&case, outcome);
        }
    }
    tally.finish();
}

/// What one run leaves, in the words of the vectors.
fn compare(case: &Case) -> Result<(), String> {
    let mut cluster = Cluster::new(case, true)?;
    let mut runs = vec![&case.output];
    runs.extend(case.output["subsequent"].as_array().into_iter().flatten());
    let mut workload = &case.output["workload"];
    for (number, theirs) in runs.into_iter().enumerate() {
        let ours = cluster.run();
        // A later run tells the workload only where it changed it.
        workload = if theirs["workload"].is_null() { workload } else { &theirs["workload"] };
        let theirs = json!({
            "workload": workload,
            "status": theirs.get("agentRuntimeStatus").filter(|status| !status.is_null()).unwrap_or(&json!({})),
            "events": theirs["events"], "writes": theirs["writes"],
            "requeueAfterSeconds": theirs["requeueAfterSeconds"], "error": theirs["error"],
        });
        for (field, wanted) in theirs.as_object().into_iter().flatten() {
            if ours[field] != *wanted {
                return Err(format!(
                    "run {}: {field}: operator {wanted}\n  ours {}",
                    number + 1,
                    ours[field]
                ));
            }
        }
        if number == 0 {
            let created = cluster.created.iter().map(config_map_json).collect::<Vec<_>>();
            let wanted = case.output.get("createdConfigMaps").cloned().unwrap_or(json!([]));
            if json!(created) != wanted {
                return Err(format!("createdConfigMaps: operator {wanted}, ours {created:?}"));
            }
        }
    }
    Ok(())
}

fn config_map_json(map: &ConfigMap) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": map.data,
           "metadata": {"labels": map.labels, "name": map.name, "namespace": map.namespace}})
}

/// The objects of a case as they are between runs.
pub struct Cluster<'c> {
    case: &'c Case,
    /// How it is planned; as the controller would, without its faults.
    pub options: Options,
    view: ConfigView,
    maps: Vec<ConfigMap>,
    created: Vec<ConfigMap>,
    pods: Vec<Value>,
    namespace: Option<Value>,
    runtime: Option<Value>,
    /// The target; null where it is not there.
    pub workload: Value,
    /// Warnings of all runs.
    pub warnings: BTreeSet<Warning>,
    /// Problems of the last run.
    pub problems: Vec<Finding>,
    /// Config hash of the last run.
    pub config_hash: String,
}

impl<'c> Cluster<'c> {
    /// The cluster before the first run.
    pub fn new(case: &'c Case, exact: bool) -> Result<Self, String> {
        let objects = case.input["objects"].as_array().map_or(&[][..], Vec::as_slice);
        let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
        let maps = of_kind("ConfigMap").map(|object| ConfigMap::from_value(object, Origin::default()));
        // After an error the operator keeps its compiled gates.
        let gates = FeatureGates::load(case.profile, case.input["featureGatesFile"].as_str())
            .unwrap_or_else(|_| FeatureGates::defaults(case.profile));
        let normalized = &case.output["inputNormalized"];
        Ok(Self {
            case,
            options: Options {
                exact,
                gate: gates.skills(case.profile),
                restarts: true,
                finalizers: true,
                ..Options::new(case.profile)
            },
            view: if case.input["configMapView"] == "operatorCache" {
                ConfigView::Cache
            } else {
                ConfigView::Full
            },
            maps: maps.collect::<Result<_, _>>()?,
            created: Vec::new(),
            pods: of_kind("Pod").cloned().collect(),
            namespace: of_kind("Namespace").next().cloned(),
            runtime: Some(normalized["agentRuntime"].clone()),
            workload: normalized["workload"].clone(),
            warnings: BTreeSet::new(),
            problems: Vec::new(),
            config_hash: String::new(),
        })
    }

    /// One run, in the words of the vectors.
    pub fn run(&mut self) -> Value {
        let mut out = json!({"workload": self.workload, "status": {}, "events": [], "writes": [],
                             "requeueAfterSeconds": 0, "error": null});
        let Some(runtime) = self.runtime.clone() else { return out };
        let names = self.case.profile.names;
        let text =
            |pointer: &str| runtime.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = ObjectRef {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        };
        let spec = AgentRuntimeSpec::from_object(&runtime).expect("an AgentRuntime of the operator's");
        let layers = ConfigLayers::new(self.case.profile, &self.maps, self.view);
        let discovery = self.case.input["enableCardDiscovery"] == true;
        let around = Surroundings {
            maps: &self.maps,
            layers: &layers,
            view: self.view,
            pods: &self.pods,
            namespace: self.namespace.as_ref(),
            services: discovery.then_some(&[]),
        };
        let lookup = if self.workload.is_null() { Lookup::Absent } else { Lookup::Found(&self.workload) };
        let planned = Runtime {
            id: id.clone(),
            origin: Origin::default(),
            object: &runtime,
            spec,
            bound: Bound::default(),
            is_checked: false,
        };
        let plan = plan(&planned, lookup, &around, &self.options);
        self.warnings.extend(plan.warnings.iter().cloned());
        self.problems.extend_from_slice(plan.problems());
        self.config_hash.clone_from(&plan.config_hash);
        let write = |verb: &str, kind: &str, name: &str, namespace: &str| json!({"verb": verb, "kind": kind, "name": name, "namespace": namespace});
        let mut writes = Vec::new();
        for map in &plan.created {
            writes.push(write("create", "ConfigMap", &map.name, &map.namespace));
        }
        // From `head` on the namespace is labelled once; that is the operator's affair, not a plan's.
        if self.case.profile.mesh && plan.status.is_some() && !plan.created.is_empty() {
            writes.push(write("patch", "Namespace", &id.namespace, ""));
        }
        for _ in plan.updates() {
            writes.push(write("update", &plan.target.kind, &plan.target.name, &id.namespace));
        }
        if let Some(desired) = plan.desired() {
            self.workload = desired.clone();
        }
        let mut runtime = runtime;
        let mut finalizers = runtime["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        match plan.finalizer {
            Finalizer::Keep => {}
            Finalizer::Add => finalizers.push(names.finalizer.into()),
            Finalizer::Remove => finalizers.retain(|finalizer| finalizer != names.finalizer),
        }
        if plan.finalizer != Finalizer::Keep {
            writes.push(write("update", "AgentRuntime", &id.name, &id.namespace));
            runtime["metadata"]["finalizers"] = json!(finalizers);
        }
        let going = !runtime["metadata"]["deletionTimestamp"].is_null();
        if let Some(status) = &plan.status {
            let generation = runtime["metadata"]["generation"].as_i64().unwrap_or_default();
            runtime["status"] = status.apply(&runtime["status"], generation, None);
            writes.push(write("statusUpdate", "AgentRuntime", &id.name, &id.namespace));
        }
        let status = runtime.get("status").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        self.created.extend(plan.created.iter().cloned());
        self.maps.extend(plan.created);
        self.runtime = (!going || !finalizers.is_empty()).then_some(runtime);
        out["status"] = if self.runtime.is_some() { status } else { json!({}) };
        out["workload"] = self.workload.clone();
        out["writes"] = json!(writes);
        out["requeueAfterSeconds"] = json!(plan.requeue_after_secs);
        out["events"] = plan
            .events
            .iter()
            .map(|event| json!(format!("{} {} {}", event.type_text(), event.reason, event.message)))
            .collect();
        out
    }
}
