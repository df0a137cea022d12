//! Decides one reconciliation of one AgentRuntime from the cache and the configuration, without a client. Sending what was
//! decided is left to [`super::execute`].

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::plan::bindings::{Binding, leads};
use kubectl_skills::plan::claims::Claim;
use kubectl_skills::plan::{Condition, Event, Finalizer, Options, RuntimePlan, StatusPlan};
use kubectl_skills::validate::findings::rules;
use serde_json::Value;

use super::orders::{Asked, Leader, added_to, case, claim};
use crate::controller::cache::{Cache, Key, Target, target_of};
use crate::controller::config::Snapshot;

/// Condition that says whether this controller acts on an AgentRuntime; present only while it does not. The operator does
/// not know it, and so does not write it back.
pub const ACTIVE: &str = "ControllerActive";
/// Seconds until a run that failed is made again (operator-spec.md section 5, step 9).
pub const RETRY_SECS: u32 = 30;
/// Seconds until it is looked whether the operator still runs, alongside noticing that it went.
const OPERATOR_SECS: u32 = 600;

/// How plans are made.
#[derive(Debug, Clone)]
pub struct Planning {
    /// Whose rules.
    pub profile: &'static Profile,
    /// The operator's code, bug for bug.
    pub exact: bool,
    /// Name of the agent container.
    pub container: Option<String>,
    /// Whether `SKILL_FOLDERS` is merged.
    pub skill_folders: Option<bool>,
    /// Which ConfigMaps the hash sees.
    pub view: ConfigView,
    /// The kinds that SkillBindings can point at.
    pub kinds: Kinds,
}

impl Planning {
    /// Options of a session; the gate is the snapshot's.
    pub fn options(&self) -> Options {
        Options {
            exact: self.exact,
            container: self.container.clone(),
            skill_folders: self.skill_folders,
            restarts: true,
            finalizers: true,
            keeps_delivery: true,
            kinds: self.kinds,
            ..Options::new(self.profile)
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub struct Decision {
    /// The AgentRuntime, or the SkillBinding that leads.
    pub key: Key,
    /// As it was seen.
    pub runtime: Value,
    /// SkillBindings that add to it.
    pub bindings: Vec<Binding>,
    /// Only the workload is ours to write: the status is another's, or that of several SkillBindings.
    pub workload_only: bool,
    /// Where it points.
    pub target: Option<Target>,
    /// The target as it was seen; `None` if it does not exist.
    pub workload: Option<Value>,
    /// What is wanted of the workload.
    pub plan: Option<RuntimePlan>,
    /// Status to be written, if it says something new.
    pub status: Option<StatusPlan>,
    /// Events, if something changes.
    pub events: Vec<Event>,
    /// What happens to the finalizer.
    pub finalizer: Finalizer,
    /// Seconds until the next run though nothing happens; 0 for none.
    pub requeue_secs: u32,
    /// Why it is not carried out, for metrics: empty where it is.
    pub refused: &'static str,
    /// The configuration it was made with, for those who plan anew over a fresh read.
    pub snapshot: Arc<Snapshot>,
}

impl Decision {
    /// A digest of what is wanted of the workload, whatever it looks like now; 0 where nothing is written. The object as
    /// planned would not do: a volume brought back has the pull policy that the server gave it, and a new one has none.
    pub fn wanted(&self) -> u64 {
        let Some(plan) = self.plan.as_ref().filter(|plan| !plan.updates().is_empty()) else { return 0 };
        let mut hasher = DefaultHasher::new();
        plan.config_hash.hash(&mut hasher);
        // Two for a Sandbox that is to be restarted: its second phase is no correction of the first.
        plan.updates().len().hash(&mut hasher);
        for planned in &plan.skills {
            let skill = &planned.skill;
            (&skill.name, &skill.image, &skill.mount_path, &skill.pull_policy).hash(&mut hasher);
        }
        hasher.finish().max(1)
    }

    /// The AgentRuntime's generation.
    pub fn generation(&self) -> i64 {
        self.runtime.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_being_deleted(&self) -> bool {
        Object(&self.runtime).is_being_deleted()
    }

    /// Plans anew over the workload as it was just read.
    pub fn replan(&self, workload: &Value) -> Option<RuntimePlan> {
        let bindings = self.bindings.iter().collect();
        self.snapshot.session.judge(case(&self.runtime, Claim::Held, Some(workload), &[], bindings)).plan
    }

    fn of(key: &Key, runtime: Value, snapshot: &Arc<Snapshot>) -> Self {
        Self {
            key: key.clone(),
            runtime,
            bindings: Vec::new(),
            workload_only: false,
            target: None,
            workload: None,
            plan: None,
            status: None,
            events: Vec::new(),
            finalizer: Finalizer::Keep,
            requeue_secs: 0,
            refused: "",
            snapshot: Arc::clone(snapshot),
        }
    }
}

/// Decides what is done about a workload that SkillBindings alone are, or were, about; `None` if nothing is.
pub fn plan_bound(
    target: &Target,
    cache: &Cache,
    snapshot: &Arc<Snapshot>,
    planning: &Planning,
    dry_run: bool,
) -> Option<Decision> {
    if target.0.is_immutable() {
        return None;
    }
    let workload = cache.workload(target).filter(|_| cache.knows_kind(target.0))?;
    let asked = Asked::of(target, &workload, cache, planning)?;
    let (Leader::Binding(key) | Leader::Former(key)) = &asked.leader else { return None };
    // In a dry run nobody ever says so.
    if !dry_run && !asked.may_be_written(target, cache) {
        return None;
    }
    let judged = asked.judge(&snapshot.session, &workload, &[]);
    if judged.is_refused() {
        return None;
    }
    let mut decision = Decision::of(key, asked.object, snapshot);
    decision.plan = judged.plan.filter(|plan| !plan.updates().is_empty());
    decision.plan.as_ref()?;
    decision.bindings = asked.bindings;
    decision.workload_only = true;
    decision.target = Some(target.clone());
    decision.workload = Some(workload);
    Some(decision)
}

/// Decides one run; `None` if there is no such AgentRuntime (any more), or nothing to be done about it.
pub fn plan(key: &Key, cache: &Cache, snapshot: &Arc<Snapshot>, planning: &Planning) -> Option<Decision> {
    let runtime = cache.runtime(key)?;
    let observes = !planning.profile.mounts() && !planning.exact;
    if observes && !leads(planning.profile, planning.exact, &runtime) {
        return None;
    }
    let mut decision = decide(key, runtime, cache, snapshot, planning)?;
    if observes {
        // All but the workload is the operator's.
        decision.workload_only = true;
        decision.status = None;
        decision.events.clear();
        decision.finalizer = Finalizer::Keep;
    }
    Some(decision)
}

fn decide(
    key: &Key,
    runtime: Value,
    cache: &Cache,
    snapshot: &Arc<Snapshot>,
    planning: &Planning,
) -> Option<Decision> {
    let target = target_of(&runtime, key);
    let mut decision = Decision { target: target.clone(), ..Decision::of(key, runtime, snapshot) };
    if let Some(operator) = cache.operator().filter(|_| planning.profile.mounts()) {
        refuse_beside_operator(&mut decision, operator);
        return Some(decision);
    }
    let deleting = decision.is_being_deleted();
    let claim = target.as_ref().map(|target| claim(key, target, deleting, cache)).unwrap_or_default();
    decision.workload = target.as_ref().and_then(|target| cache.workload(target));
    let pods = match &target {
        Some((_, workload)) if !deleting => cache.pods(workload.namespace(), workload.name()),
        _ => Vec::new(),
    };
    if let (Some(target), Some(workload)) = (&target, &decision.workload) {
        decision.bindings = added_to(key, target, workload, cache, planning)?;
    }
    let bindings = decision.bindings.iter().collect();
    let judged =
        snapshot.session.judge(case(&decision.runtime, claim, decision.workload.as_ref(), &pods, bindings));
    if let Some(first) = judged.refused_before_plan() {
        let errors = || judged.errors().map(ToString::to_string);
        if *first.rule == rules::TARGET_CLAIMED {
            yield_target(&mut decision, planning.profile, first.message.clone());
        } else {
            refuse(&mut decision, planning.profile, "SpecInvalid", errors().collect::<Vec<_>>().join("; "));
        }
        return Some(decision);
    }
    let plan = judged.plan?;
    decision.status.clone_from(&plan.status);
    decision.events.clone_from(&plan.events);
    decision.finalizer = plan.finalizer;
    decision.requeue_secs = plan.requeue_after_secs;
    if let Some(first) = plan.problems().first() {
        decision.refused =
            if *first.rule == rules::TARGET_NOT_FOUND { "TargetNotFound" } else { "ConfigApplyError" };
    }
    decision.plan = Some(plan);
    if let Some(status) = &mut decision.status {
        status.remove.push(ACTIVE);
    }
    Some(decision)
}

fn error_status(profile: &Profile) -> StatusPlan {
    StatusPlan {
        phase: profile.status_phase.then_some("Error"),
        observed_generation: !profile.status_phase,
        remove: vec![ACTIVE],
        ..StatusPlan::default()
    }
}

/// Nothing is written to the workload; the status says why.
fn refuse(decision: &mut Decision, profile: &Profile, reason: &'static str, message: String) {
    decision.refused = reason;
    if decision.is_being_deleted() {
        // What cannot be read cannot be cleaned up after either, and must not hang.
        decision.finalizer = finalizer_of_deleted(&decision.runtime, profile);
        return;
    }
    let mut status = error_status(profile);
    status.set.push(Condition::new("Ready", false, reason, message.clone()));
    status.remove.push("SkillsMounted");
    decision.status = Some(status);
    decision.events.push(Event { warning: true, reason, message });
}

fn finalizer_of_deleted(runtime: &Value, profile: &Profile) -> Finalizer {
    let has = Object(runtime).finalizers().any(|found| found == profile.names.finalizer);
    if has { Finalizer::Remove } else { Finalizer::Keep }
}

/// Another AgentRuntime has the workload.
fn yield_target(decision: &mut Decision, profile: &Profile, message: String) {
    decision.refused = "TargetAmbiguous";
    let mut status = error_status(profile);
    status.set.push(Condition::new("TargetResolved", false, "TargetAmbiguous", message.clone()));
    status.set.push(Condition::new("Ready", false, "TargetAmbiguous", message.clone()));
    status.remove.push("SkillsMounted");
    decision.status = Some(status);
    decision.events.push(Event { warning: true, reason: "TargetAmbiguous", message });
}

/// The operator writes the same fields: only the condition that it does not know is set.
fn refuse_beside_operator(decision: &mut Decision, operator: &Key) {
    decision.refused = "OperatorRunning";
    decision.requeue_secs = OPERATOR_SECS;
    if decision.is_being_deleted() {
        return;
    }
    let message = format!(
        "the operator runs as Deployment {operator} and writes the same fields; nothing is written alongside it"
    );
    decision.status = Some(StatusPlan {
        set: vec![Condition::new(ACTIVE, false, "OperatorRunning", message.clone())],
        ..StatusPlan::default()
    });
    decision.events.push(Event { warning: true, reason: "OperatorRunning", message });
}

/// The status of a run whose write failed: what was resolved stands, the rest is an error (operator-spec.md section 5,
/// step 9).
pub fn failed_status(plan: &RuntimePlan, reason: &'static str, message: &str, exact: bool) -> StatusPlan {
    let before = plan.status.clone().unwrap_or_default();
    let mut set: Vec<Condition> = before
        .set
        .into_iter()
        .filter(|condition| matches!(condition.kind, "TargetResolved" | "ConfigResolved" | "CardSynced"))
        .collect();
    set.push(Condition::new("Ready", false, reason, message));
    let mut remove = vec![ACTIVE];
    if !exact {
        // Nobody knows what is mounted now; an older claim would be one of luck (Q9, Q23).
        remove.push("SkillsMounted");
    }
    StatusPlan {
        set,
        remove,
        phase: before.phase.map(|_| "Error"),
        observed_generation: before.observed_generation,
        clear_card: before.clear_card,
        ..StatusPlan::default()
    }
}

/// The status of a run that keeps off because another manager writes the same fields back.
pub fn contested_status(plan: &RuntimePlan, message: &str) -> StatusPlan {
    let mut status = failed_status(plan, "FieldContested", message, false);
    status.remove.retain(|kind| *kind != ACTIVE);
    status.set.push(Condition::new(ACTIVE, false, "FieldContested", message));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::watch::Update;
    use crate::controller::watch_targets::Watched;
    use kubectl_skills::api::workload::WorkloadKind;
    use kubectl_skills::config::gates::GateSource;
    use serde_json::json;

    const RUNTIMES: usize = 0;
    const DEPLOYMENTS: usize = 1;

    fn planning() -> Planning {
        Planning {
            profile: Profile::by_name("pr332-merged").unwrap(),
            exact: false,
            container: None,
            skill_folders: None,
            view: ConfigView::Full,
            kinds: Kinds::default(),
        }
    }

    fn runtime(name: &str, created: &str) -> Value {
        json!({"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime",
            "metadata": {"namespace": "n", "name": name, "resourceVersion": "1", "creationTimestamp": created, "generation": 1},
            "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
                "skills": [{"name": "a", "image": "q.io/a:1", "mountPath": "/a"}]}})
    }

    fn workload() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "w", "resourceVersion": "2"},
            "spec": {"template": {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "agent"}]}}}})
    }

    fn cache(runtimes: &[Value], workloads: &[Value]) -> Cache {
        let about = [Watched::Runtimes, Watched::Workloads(WorkloadKind::Deployment)];
        let mut cache = Cache::new(about.map(|about| (about, about.kind().to_owned())));
        for (source, objects) in [(RUNTIMES, runtimes), (DEPLOYMENTS, workloads)] {
            cache.take(source, Update::Begin);
            for object in objects {
                cache.take(source, Update::Put(object.clone()));
            }
            cache.take(source, Update::Complete);
        }
        cache
    }

    fn decided(name: &str, cache: &Cache) -> Decision {
        let gates = GateSource { flags: Some("skillImageVolumes=true".into()), ..GateSource::default() };
        let planning = planning();
        let snapshot =
            Arc::new(Snapshot::new(planning.options(), planning.view, Vec::new(), &gates).unwrap());
        super::plan(&Key::new("n", name), cache, &snapshot, &planning).unwrap()
    }

    fn conditions(decision: &Decision) -> Vec<String> {
        let set = decision.status.iter().flat_map(|status| &status.set);
        set.map(|condition| format!("{}={}/{}", condition.kind, condition.status_text(), condition.reason))
            .collect()
    }

    /// The controller says of each case of `tests/it/one_verdict.rs` what files, live objects and the webhook say.
    #[test]
    fn one_verdict_with_files_and_cluster() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../../../../testdata/one_verdict.json")).unwrap();
        for case in cases {
            let seen = cache(case["runtimes"].as_array().unwrap(), &[workload()]);
            for (name, wanted) in case["verdicts"].as_object().unwrap() {
                let decision = decided(name, &seen);
                let verdict = match (decision.refused, &decision.plan) {
                    ("", Some(plan)) if !plan.updates().is_empty() => "configured",
                    ("", _) => "skipped",
                    _ => "refused",
                };
                assert_eq!(verdict, wanted, "{}: {name}", case["why"]);
                let writes = decision.plan.iter().any(|plan| !plan.updates().is_empty());
                assert_eq!(writes, wanted == "configured", "{}: {name}", case["why"]);
                for warning in case["warnings"].as_array().unwrap().iter().filter_map(Value::as_str) {
                    let warnings = decision.plan.iter().flat_map(|plan| &plan.warnings);
                    assert!(warnings.into_iter().any(|one| one.message.contains(warning)), "{}", case["why"]);
                }
            }
        }
    }

    /// The same of each vector with an AgentRuntime and its workload, in the profiles that the controller runs in; the other
    /// faces are held to these verdicts by `tests/it/one_verdict_vectors.rs`.
    #[test]
    fn one_verdict_with_files_and_cluster_over_all_vectors() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        let recorded = std::fs::read_to_string(folder.join("one_verdict_vectors.json")).unwrap();
        let recorded: std::collections::BTreeMap<String, String> = serde_json::from_str(&recorded).unwrap();
        let (mut counts, mut differ) = (std::collections::BTreeMap::<&str, usize>::new(), Vec::new());
        let profiles: Vec<_> =
            kubectl_skills::api::profile::PROFILES.iter().filter(|one| one.mounts()).collect();
        for profile in profiles {
            let Ok(files) = std::fs::read_dir(folder.join("vectors").join(profile.name)) else { continue };
            let paths = files.map(|file| file.unwrap().path());
            let lines = paths
                .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
                .map(|path| std::fs::read_to_string(path).unwrap());
            for case in lines.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
                let case: Value = serde_json::from_str(&case).unwrap();
                let id = format!("{} {}", profile.name, case["name"].as_str().unwrap());
                let Some(wanted) = recorded.get(&id) else { continue };
                let said = verdict_on(&case["input"], profile);
                *counts.entry(said).or_default() += 1;
                if said != wanted {
                    differ.push(format!("{id}: the controller says {said}, recorded is {wanted}"));
                }
            }
        }
        println!("one verdict: the controller on {} vectors, {counts:?}", counts.values().sum::<usize>());
        assert_eq!(differ, [""; 0]);
        let mounting = |id: &&String| id.starts_with("pr332");
        assert_eq!(counts.values().sum::<usize>(), recorded.keys().filter(mounting).count());
    }

    /// What the controller makes of a vector's input, in the words of the recorded verdicts.
    fn verdict_on(input: &Value, profile: &'static Profile) -> &'static str {
        use kubectl_skills::api::object::{ConfigMap, Origin};
        use kubectl_skills::config::gates::{FeatureGates, GatesFile};

        let mut runtime = input["agentRuntime"].clone();
        let namespace = Object(&runtime).namespace().to_owned();
        let name = Object(&runtime).name().to_owned();
        if Object(&runtime).is_being_deleted() {
            // Without it the controller has nothing to wait for; what is to be taken out is the question here.
            runtime["metadata"]["finalizers"] = json!([profile.names.finalizer]);
        }
        let about = [
            Watched::Runtimes,
            Watched::Workloads(WorkloadKind::Deployment),
            Watched::Workloads(WorkloadKind::StatefulSet),
            Watched::Workloads(WorkloadKind::Sandbox),
        ];
        let mut cache = Cache::new(about.map(|about| (about, about.kind().to_owned())));
        let kinds = ["AgentRuntime", "Deployment", "StatefulSet", "Sandbox"];
        for (source, kind) in kinds.into_iter().enumerate() {
            cache.take(source, Update::Begin);
            for object in [&runtime, &input["workload"]].into_iter().filter(|object| object["kind"] == kind) {
                let mut object = object.clone();
                object["metadata"]["resourceVersion"] = json!("1");
                cache.take(source, Update::Put(object));
            }
            cache.take(source, Update::Complete);
        }
        let objects = input["objects"].as_array().map_or(&[][..], Vec::as_slice);
        let maps = objects
            .iter()
            .filter(|object| object["kind"] == "ConfigMap")
            .map(|map| ConfigMap::from_value(map, Origin::default()).unwrap());
        let text = input["featureGatesFile"].as_str();
        let text = text.filter(|text| FeatureGates::load(profile, Some(text)).is_ok()).map(str::to_owned);
        let file = GatesFile { path: "gates.yaml".into(), text };
        let gates = GateSource { file: Some(file), ..GateSource::default() };
        let planning = Planning { profile, ..planning() };
        let snapshot = Snapshot::new(planning.options(), planning.view, maps.collect(), &gates).unwrap();
        let decision =
            super::plan(&Key::new(&namespace, &name), &cache, &Arc::new(snapshot), &planning).unwrap();
        let written = decision.plan.iter().any(|plan| !plan.updates().is_empty());
        assert!(decision.refused.is_empty() || !written, "a refused plan writes");
        match decision.refused {
            "" if written => "written",
            "" => "untouched",
            "SpecInvalid" => "invalid",
            _ => "refused",
        }
    }

    /// Of two that point at one workload the older one keeps it, and the younger one's end must not strip it.
    #[test]
    fn the_older_one_keeps_the_workload() {
        let (old, young) = (runtime("z", "2026-01-01T00:00:00Z"), runtime("a", "2026-01-02T00:00:00Z"));
        let seen = cache(&[old.clone(), young.clone()], &[workload()]);
        let decision = decided("z", &seen);
        assert_eq!((decision.refused, decision.plan.map(|plan| plan.updates().len())), ("", Some(1)));
        let decision = decided("a", &seen);
        assert_eq!(decision.refused, "TargetAmbiguous");
        assert_eq!(
            conditions(&decision),
            ["TargetResolved=False/TargetAmbiguous", "Ready=False/TargetAmbiguous"]
        );
        assert!(decision.plan.is_none() && decision.finalizer == Finalizer::Keep);

        for (going, staying) in [(&young, &old), (&old, &young)] {
            let mut going = going.clone();
            going["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
            going["metadata"]["finalizers"] = json!(["kagenti.io/cleanup"]);
            let seen = cache(&[going.clone(), staying.clone()], &[workload()]);
            let decision = decided(going["metadata"]["name"].as_str().unwrap(), &seen);
            let writes = decision.plan.map(|plan| plan.updates().len());
            assert_eq!(
                (writes, decision.finalizer),
                (Some(0), Finalizer::Remove),
                "the workload is another's"
            );
            let decision = decided(staying["metadata"]["name"].as_str().unwrap(), &seen);
            assert_eq!(decision.refused, "");
        }
    }

    /// The operator sets Ready on every run; whoever sets it too makes both run for ever.
    #[test]
    fn beside_the_operator_only_the_condition_that_it_does_not_know_is_set() {
        let mut operator = workload();
        operator["metadata"] =
            json!({"namespace": "kagenti-system", "name": "operator", "resourceVersion": "3"});
        operator[crate::controller::trim::OPERATOR_MARK] = json!(true);
        let decision = decided("z", &cache(&[runtime("z", "t")], &[workload(), operator]));
        assert_eq!(conditions(&decision), ["ControllerActive=False/OperatorRunning"]);
        assert!(decision.plan.is_none() && decision.status.is_some_and(|status| status.phase.is_none()));
    }

    #[test]
    fn what_cannot_be_done_is_said_in_the_status() {
        let decision = decided("z", &cache(&[runtime("z", "t")], &[]));
        assert_eq!(decision.refused, "TargetNotFound");
        assert_eq!(
            conditions(&decision),
            ["TargetResolved=False/TargetNotFound", "Ready=False/TargetNotFound"]
        );
        assert_eq!((decision.requeue_secs, decision.finalizer), (30, Finalizer::Add));

        let mut twice = runtime("z", "t");
        twice["spec"]["skills"] = json!([{"name": "a", "image": "i", "mountPath": "/a"}, {"name": "a", "image": "i", "mountPath": "/b"}]);
        let decision = decided("z", &cache(&[twice], &[workload()]));
        assert_eq!(conditions(&decision), ["Ready=False/SpecInvalid"]);
        assert_eq!(decision.events[0].message, "spec.skills[1].name: duplicate skill name \"a\"");
    }

    /// This distinguishes drift from a new wish: it must not depend on what the workload looks like.
    #[test]
    fn what_is_wanted_is_the_same_over_a_changed_workload() {
        let mut changed = workload();
        changed["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "skill-a", "image": {"reference": "evil", "pullPolicy": "Always"}}]);
        let digest = |workload: Value| decided("z", &cache(&[runtime("z", "t")], &[workload])).wanted();
        assert_eq!(digest(workload()), digest(changed.clone()));
        let mut other = runtime("z", "t");
        other["spec"]["skills"][0]["image"] = json!("q.io/a:2");
        assert_ne!(digest(workload()), decided("z", &cache(&[other], &[workload()])).wanted());
    }
}
