//! Every vector that has an AgentRuntime and its workload, through files, live objects, `validate` and the webhook: one
//! verdict each. The verdicts stand in `testdata/one_verdict_vectors.json`, and the controller's decision is held to them
//! in its own unit tests. `UPDATE_GOLDEN=1` writes them anew as [`Session::judge`] has them.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test reads and writes its data and stops at bad data"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::{ConfigMap, Object, Origin};
use kubectl_skills::config::gates::{FeatureGates, GateDefault, GateSource, GatesFile};
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::manifest::render::{Settings, plan_all};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::plan::claims::Claim;
use kubectl_skills::plan::session::{Case, Session};
use kubectl_skills::plan::{Options, RecordMode, RuntimePlan};
use kubectl_skills::validate::admission_review::{Extra, Review};
use kubectl_skills::validate::schema::Validator;
use kubectl_skills::validate::webhook::{Rivals, Targets};
use serde_json::{Value, json};

use crate::program::fed;
use crate::vectors::{Case as Recorded, cases};

const RECORDED: &str = "testdata/one_verdict_vectors.json";

/// What becomes of the workload.
fn word(plan: &RuntimePlan) -> &'static str {
    if !plan.problems().is_empty() {
        "refused"
    } else if plan.updates().is_empty() {
        "untouched"
    } else {
        "written"
    }
}

/// One vector, as every face is given it.
struct Vector {
    case: Recorded,
    runtime: Value,
    workload: Value,
    maps: Vec<Value>,
}

impl Vector {
    fn of(case: Recorded) -> Option<Self> {
        let (runtime, workload) = (case.input["agentRuntime"].clone(), case.input["workload"].clone());
        if runtime.is_null() || workload.is_null() {
            return None;
        }
        let objects = case.input["objects"].as_array().cloned().unwrap_or_default();
        let maps = objects.into_iter().filter(|object| object["kind"] == "ConfigMap").collect();
        Some(Self { case, runtime, workload, maps })
    }

    fn id(&self) -> String {
        format!("{} {}", self.case.profile.name, self.case.name)
    }

    fn options(&self) -> Options {
        Options { record: RecordMode::default(), restarts: true, ..Options::new(self.case.profile) }
    }

    fn config(&self) -> Vec<ConfigMap> {
        let read = |map| ConfigMap::from_value(map, Origin::default()).expect("a ConfigMap");
        self.maps.iter().map(read).collect()
    }

    /// The gates file; one that cannot be read leaves the compiled gates, as in the operator.
    fn gates(&self) -> GateSource {
        let text = self.case.input["featureGatesFile"].as_str();
        let text = text.filter(|text| FeatureGates::load(self.case.profile, Some(text)).is_ok());
        let file = GatesFile { path: "gates.yaml".into(), text: text.map(str::to_owned) };
        GateSource { file: Some(file), ..GateSource::default() }
    }

    fn files(&self) -> &'static str {
        let text = format!("---\n{}\n---\n{}\n", self.runtime, self.workload);
        let sources = [Source { name: "-".into(), text }];
        let stream = Stream::read(&sources, "default").expect("objects");
        let settings = Settings {
            options: self.options(),
            view: ConfigView::Full,
            config: Some(self.config()),
            gates: self.gates(),
            by_themselves: false,
        };
        let planned = plan_all(&stream, &settings);
        let plan = planned.plans.first().map(|planned| &planned.plan);
        assert_eq!(planned.errors.is_empty(), plan.is_some_and(|plan| plan.problems().is_empty()));
        plan.map_or("refused", word)
    }

    fn session(&self) -> Session {
        let gates = self.gates().resolve(self.case.profile, &self.config()).expect("gates");
        let options = Options { gate: gates.skills(self.case.profile), ..self.options() };
        Session::new(options, ConfigView::Full, self.config())
    }

    /// `invalid`: the AgentRuntime is refused by itself, whatever its workload looks like; else what becomes of that.
    fn judged(&self) -> &'static str {
        self.judged_by(&self.session())
    }

    fn judged_by(&self, session: &Session) -> &'static str {
        let judged = session.judge(Case {
            id: Object(&self.runtime).reference(),
            origin: Origin::default(),
            object: &self.runtime,
            claim: Claim::Held,
            workload: Some(Cow::Borrowed(&self.workload)),
            pods: &[],
            bindings: Vec::new(),
        });
        match &judged.plan {
            Some(plan) if judged.refused_before_plan().is_none() => word(plan),
            _ => "invalid",
        }
    }

    fn live(&self) -> &'static str {
        let runtimes = [self.runtime.clone()];
        let selected = BTreeSet::from([Object(&self.runtime).key()]);
        let own = Object(&self.workload).reference();
        let workloads = BTreeMap::from([((own.kind, own.namespace, own.name), self.workload.clone())]);
        let inventory = Inventory::without_bindings(&runtimes, &selected, &workloads, &[]);
        let live = live::plan(&inventory, &self.session()).remove(0);
        assert_eq!(live.errors.is_empty(), live.plan.as_ref().is_some_and(|plan| plan.problems().is_empty()));
        live.plan.as_ref().map_or("refused", word)
    }

    /// Whether it is refused where nothing is known of the cluster: what `validate` goes by.
    fn refused_by_default(&self) -> bool {
        let gates = GateSource { default: GateDefault::SkillsOn, ..GateSource::default() };
        let gate = gates.resolve(self.case.profile, &[]).expect("gates").skills(self.case.profile);
        let options = Options { gate, ..Options::new(self.case.profile) };
        let session = Session::new(options, ConfigView::default(), Vec::new());
        self.judged_by(&session) == "refused"
    }

    /// Whether `validate` accepts the AgentRuntime.
    fn validate(&self) -> bool {
        let text = format!("---\n{}\n---\n{}\n", self.runtime, self.workload);
        let said =
            fed(&["validate", "-f", "-", "-o", "json", "--profile", self.case.profile.name], text).json();
        said["objects"].as_array().into_iter().flatten().all(|one| one["allowed"] == true)
    }

    /// Whether the strict webhook accepts it; `None` if the API server's schema does, which comes first.
    fn webhook(&self) -> Option<bool> {
        let profile = self.case.profile;
        if !Validator::new(profile).create(&self.runtime).errors.is_empty() {
            return None;
        }
        let spec = AgentRuntimeSpec::from_object(&self.runtime).expect("a spec");
        let known = (Object(&self.runtime).name().to_owned(), spec.target_ref);
        let targets = Targets::new([known]);
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "u", "operation": "UPDATE", "namespace": Object(&self.runtime).namespace(), "object": self.runtime,
            "kind": {"group": profile.names.group, "version": "v1alpha1", "kind": "AgentRuntime"}}});
        let review = Review::read(profile, review.to_string().as_bytes()).expect("a review");
        let extra = Extra { strict: true, pass_deleting: true };
        Some(review.judge(profile, Rivals::Known(&targets), extra).allowed)
    }
}

/// CI that is green for what a cluster refuses, or the other way round, is worse than none.
#[test]
fn every_vector_gets_one_verdict_from_all_faces() {
    let all: Vec<Vector> = cases("reconcile").into_iter().filter_map(Vector::of).collect();
    let verdicts: BTreeMap<String, &str> = all.iter().map(|one| (one.id(), one.judged())).collect();
    assert_eq!(verdicts.len(), all.len(), "two vectors of one name");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDED);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let lines: Vec<String> =
            verdicts.iter().map(|(name, verdict)| format!(" {}: {}", json!(name), json!(verdict))).collect();
        std::fs::write(&path, format!("{{\n{}\n}}\n", lines.join(",\n"))).expect("a file");
    }
    let recorded = std::fs::read_to_string(&path).expect("the verdicts");
    let recorded: BTreeMap<String, String> = serde_json::from_str(&recorded).expect("verdicts");
    let mut differ = Vec::new();
    let mut asked = BTreeMap::from([("files", 0), ("live", 0), ("validate", 0), ("webhook", 0)]);
    let mut hold = |face: &'static str, id: &str, said: &str, wanted: &str| {
        *asked.entry(face).or_default() += 1;
        if said != wanted {
            differ.push(format!("{id}: {face} says {said}, recorded is {wanted}"));
        }
    };
    for one in &all {
        let id = one.id();
        let wanted = recorded.get(&id).map_or("nothing", String::as_str);
        let of_plans = if wanted == "invalid" { "refused" } else { wanted };
        hold("files", &id, one.files(), of_plans);
        hold("live", &id, one.live(), of_plans);
        let accepted = |accepted: bool| if accepted { "accepted" } else { "invalid" };
        let wanted = accepted(wanted != "invalid");
        let by_plans = if one.refused_by_default() { "invalid" } else { wanted };
        hold("validate", &id, accepted(one.validate()), by_plans);
        if let Some(allowed) = one.webhook() {
            hold("webhook", &id, accepted(allowed), wanted);
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    verdicts.values().for_each(|verdict| *counts.entry(verdict).or_default() += 1);
    println!("one verdict: {} vectors, {counts:?}; asked: {asked:?}", all.len());
    assert_eq!(differ, [""; 0], "{} of {}", differ.len(), all.len());
    assert_eq!(recorded.len(), all.len(), "verdicts of vectors that are gone");
}
