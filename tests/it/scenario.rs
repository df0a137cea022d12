//! A vector, changed where a quirk needs it, planned as the operator would and as we do.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use kubectl_skills::api::profile::Profile;
use kubectl_skills::plan::RecordMode;
use serde_json::{Map, Value, json};

use crate::vectors::{Case, cases};
use crate::vectors_reconcile::Cluster;

/// What one run leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The workload after the run.
    pub workload: Value,
    /// The AgentRuntime's status after it.
    pub status: Value,
    /// `Type Reason Message`.
    pub events: Value,
    /// As people read them, in order.
    pub warnings: Vec<String>,
    /// Why nothing is written.
    pub problems: Vec<String>,
    /// Config hash.
    pub hash: String,
}

impl Outcome {
    /// Quirks that the warnings name.
    pub fn quirks(&self) -> Vec<&str> {
        let named = self.warnings.iter().filter_map(|text| text.rsplit_once('[')?.1.strip_suffix(']'));
        let mut all: Vec<&str> = named.filter(|name| name.starts_with('Q')).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A condition's status and message; empty where there is none.
    pub fn condition(&self, kind: &str) -> (&str, &str) {
        let all = self.status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter().find(|condition| condition["type"] == kind).map_or(("", ""), |found| {
            (found["status"].as_str().unwrap_or_default(), found["message"].as_str().unwrap_or_default())
        })
    }
}

/// An input.
#[derive(Debug, Clone)]
pub struct Scenario {
    case: Case,
    container: Option<String>,
    skill_folders: Option<bool>,
    remove: bool,
    record: RecordMode,
}

impl Scenario {
    /// A reconcile vector of `pr332`.
    pub fn vector(name: &str) -> Self {
        Self::of("pr332", name)
    }

    /// A reconcile vector of a profile.
    pub fn of(profile: &str, name: &str) -> Self {
        let found =
            cases("reconcile").into_iter().find(|case| case.profile.name == profile && case.name == name);
        Self::new(found.unwrap_or_else(|| panic!("no vector {profile} {name}")))
    }

    /// Any reconcile vector.
    pub fn new(case: Case) -> Self {
        Self { case, container: None, skill_folders: None, remove: false, record: RecordMode::Off }
    }

    /// A workload with two skills, as the operator left it.
    pub fn configured() -> Self {
        Self::vector("already-configured/fully-configured")
    }

    /// The same under another profile's rules.
    pub fn under(mut self, profile: &str) -> Self {
        self.case.profile = Profile::by_name(profile).expect("a profile");
        self
    }

    /// Sets a field of `agentRuntime|...` or `workload|...`; keys are set apart by bars, `-` appends, null removes.
    pub fn set(mut self, path: &str, value: Value) -> Self {
        self.case.output["inputNormalized"] = edited(&self.case.output["inputNormalized"], &[(path, value)]);
        self
    }

    /// Makes the hash on the pod template one of other inputs, so that the operator writes.
    pub fn stale(self) -> Self {
        self.set("workload|spec|template|metadata|annotations|kagenti.io/config-hash", json!("before"))
    }

    /// Switches the gate.
    pub fn gate(mut self, on: bool) -> Self {
        self.case.input["featureGatesFile"] =
            json!(format!("skillImageVolumes: {on}\nskillDiscovery: {on}\n"));
        self
    }

    /// Adds an object to the cluster.
    pub fn object(mut self, object: Value) -> Self {
        let mut all = self.case.input["objects"].as_array().cloned().unwrap_or_default();
        all.push(object);
        self.case.input["objects"] = Value::Array(all);
        self
    }

    /// The ConfigMaps as the deployed operator's cache holds them.
    pub fn cached(mut self) -> Self {
        self.case.input["configMapView"] = json!("operatorCache");
        self
    }

    /// `--container`.
    pub fn container(mut self, name: &str) -> Self {
        self.container = Some(name.to_owned());
        self
    }

    /// `--skill-folders`.
    pub fn skill_folders(mut self, on: bool) -> Self {
        self.skill_folders = Some(on);
        self
    }

    /// With a record, as `render -i` keeps one.
    pub fn record(mut self) -> Self {
        self.record = RecordMode::Always;
        self
    }

    /// `--remove`.
    pub fn remove(mut self) -> Self {
        self.remove = true;
        self
    }

    /// The workload before.
    pub fn before(&self) -> &Value {
        &self.case.output["inputNormalized"]["workload"]
    }

    /// The AgentRuntime.
    pub fn runtime(&self) -> &Value {
        &self.case.output["inputNormalized"]["agentRuntime"]
    }

    /// The workload as it came, before the operator's client dropped what it does not know.
    pub fn raw(mut self) -> Self {
        self.case.output["inputNormalized"]["workload"] = self.case.input["workload"].clone();
        self
    }

    /// The same with another workload.
    pub fn with_workload(mut self, workload: &Value) -> Self {
        self.case.output["inputNormalized"]["workload"] = workload.clone();
        self
    }

    /// The operator's result: what the vectors prove `exact` to be.
    pub fn operator(&self) -> Outcome {
        self.run(true)
    }

    /// Ours.
    pub fn safe(&self) -> Outcome {
        self.run(false)
    }

    fn run(&self, exact: bool) -> Outcome {
        let mut cluster = Cluster::new(&self.case, exact).expect("a readable case");
        cluster.options.container.clone_from(&self.container);
        cluster.options.skill_folders = self.skill_folders;
        cluster.options.remove = self.remove;
        cluster.options.record = if exact { RecordMode::Off } else { self.record };
        let run = cluster.run();
        Outcome {
            workload: cluster.workload.clone(),
            status: run["status"].clone(),
            events: run["events"].clone(),
            warnings: cluster.warnings.iter().map(ToString::to_string).collect(),
            problems: cluster.problems.iter().map(|problem| problem.message.clone()).collect(),
            hash: cluster.config_hash.clone(),
        }
    }
}

/// A copy with fields set; see [`Scenario::set`].
pub fn edited(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut out = object.clone();
    for (path, value) in changes {
        set(&mut out, &path.split('|').collect::<Vec<_>>(), value);
    }
    out
}

fn set(at: &mut Value, path: &[&str], value: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *at = value.clone();
        return;
    };
    if let Value::Array(items) = at {
        if *first == "-" {
            items.push(value.clone());
            return;
        }
        let index: usize = first.parse().unwrap_or_else(|_| panic!("{first} is no index"));
        if rest.is_empty() && value.is_null() {
            items.remove(index);
        } else {
            set(&mut items[index], rest, value);
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Value::Object(map) = at else { return };
    if rest.is_empty() && value.is_null() {
        map.shift_remove(*first);
    } else {
        let next = map.entry((*first).to_owned()).or_insert_with(|| {
            if rest.first() == Some(&"-") { Value::Array(Vec::new()) } else { Value::Null }
        });
        set(next, rest, value);
    }
}

/// A workload with the labels and the hash of a configured agent.
pub fn labelled(before: &Value, hash: &str, annotation: &str) -> Value {
    let template = if before["kind"] == "Sandbox" { "podTemplate" } else { "template" };
    let mut out = edited(
        before,
        &[
            ("metadata|labels|kagenti.io/type", json!("agent")),
            ("metadata|labels|app.kubernetes.io/managed-by", json!("kagenti-operator")),
            (&format!("spec|{template}|metadata|labels|kagenti.io/type"), json!("agent")),
            (&format!("spec|{template}|metadata|annotations|kagenti.io/config-hash"), json!(hash)),
        ],
    );
    if !annotation.is_empty() {
        out = edited(&out, &[("metadata|annotations|kagenti.io/skills", json!(annotation))]);
    }
    out
}
