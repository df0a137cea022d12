//! A small cluster without requests: the units of the queue are decided over a cache, and what they would write is put into
//! it, until nothing is left to be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubectl_skills::api::names::BINDING_FINALIZER;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::config::layers::ConfigView;

use super::*;
use crate::cluster::watch::{Transform as _, Update, WatchId};
use crate::controller::config::Snapshot;
use crate::controller::reconcile::plan::{Decision, plan, plan_bound};
use crate::controller::trim::Trim;
use crate::controller::unit::Unit;

const NOW: &str = "2026-01-01T00:00:00Z";

struct World {
    cache: Cache,
    planning: Planning,
    snapshot: Arc<Snapshot>,
    failures: Failures,
    version: u32,
    /// How often each workload was written.
    writes: BTreeMap<String, u32>,
}

fn sources() -> Vec<Watched> {
    let kinds = WorkloadKind::ALL.into_iter().map(Watched::Workloads);
    kinds.chain([Watched::Runtimes, Watched::Bindings, Watched::SkillsOfPods]).collect()
}

impl World {
    fn new(profile: &str) -> Self {
        let mut world = Self::unseen(profile);
        for source in 0..sources().len() {
            for update in [Update::Begin, Update::Complete, Update::Live] {
                world.cache.take(source, update);
            }
        }
        world
    }

    /// Nothing has been listed yet.
    fn unseen(profile: &str) -> Self {
        let planning = Planning {
            profile: Profile::by_name(profile).unwrap(),
            exact: false,
            container: None,
            skill_folders: None,
            view: ConfigView::Full,
            kinds: Kinds::default(),
        };
        let gates = if planning.profile.mounts() { Some("skillImageVolumes=true".to_owned()) } else { None };
        let gates = GateSource { flags: gates, ..GateSource::default() };
        let snapshot = Snapshot::new(planning.options(), planning.view, Vec::new(), &gates).unwrap();
        let sources = sources().into_iter().map(|about| (about, about.kind().to_owned()));
        Self {
            cache: Cache::new(sources),
            planning,
            snapshot: Arc::new(snapshot),
            failures: Failures::new(),
            version: 0,
            writes: BTreeMap::new(),
        }
    }

    fn source(object: &Value) -> WatchId {
        let kind = object["kind"].as_str().unwrap();
        let is = |about: &Watched| match about {
            Watched::Workloads(known) => known.name() == kind,
            Watched::Runtimes => kind == "AgentRuntime",
            Watched::Bindings => kind == "SkillBinding",
            _ => kind == "Pod",
        };
        sources().iter().position(is).unwrap()
    }

    fn put(&mut self, object: &Value) -> BTreeSet<Unit> {
        self.version += 1;
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let source = Self::source(&object);
        let object = match sources()[source] {
            Watched::Workloads(WorkloadKind::Sandbox) => object,
            Watched::Workloads(kind) => Trim::Workload(self.planning.profile.names, kind).apply(object),
            Watched::SkillsOfPods => Trim::SkillsOfPod.apply(object),
            _ => Trim::Runtime.apply(object),
        };
        let changed = self.cache.take(source, Update::Put(object));
        changed.units.into_iter().chain(changed.runtimes.into_iter().map(Unit::Runtime)).collect()
    }

    fn gone(&mut self, object: &Value) -> BTreeSet<Unit> {
        self.version += 1;
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let changed = self.cache.take(Self::source(&object), Update::Gone(object));
        changed.units.into_iter().chain(changed.runtimes.into_iter().map(Unit::Runtime)).collect()
    }

    fn decide(&self, key: &Key) -> Option<BindingDecision> {
        decide(key, &self.cache, &self.snapshot.session, &self.planning, &self.failures, NOW)
    }

    /// Carries a unit out; what it wakes.
    fn run(&mut self, unit: &Unit) -> BTreeSet<Unit> {
        match unit {
            Unit::Binding(key) => {
                let Some(decision) = self.decide(key) else { return BTreeSet::new() };
                let mut object = decision.object.clone();
                if let Some(status) = &decision.status {
                    object["status"] = status.clone();
                }
                match decision.finalizer {
                    Finalizer::Add => object["metadata"]["finalizers"] = json!([BINDING_FINALIZER]),
                    Finalizer::Remove => {
                        object["metadata"].as_object_mut().unwrap().shift_remove("finalizers");
                        if Object(&object).is_being_deleted() {
                            return self.gone(&object);
                        }
                    }
                    Finalizer::Keep => {}
                }
                if object == decision.object { BTreeSet::new() } else { self.put(&object) }
            }
            Unit::Workload(target) => {
                let decision = plan_bound(target, &self.cache, &self.snapshot, &self.planning, false);
                self.write(decision)
            }
            // Its own test carries it out.
            Unit::Rollout(_) => BTreeSet::new(),
            Unit::Runtime(key) => {
                let decision = plan(key, &self.cache, &self.snapshot, &self.planning);
                self.write(decision)
            }
        }
    }

    fn write(&mut self, decision: Option<Decision>) -> BTreeSet<Unit> {
        let Some(desired) = decision.as_ref().and_then(|one| one.plan.as_ref()?.desired().cloned()) else {
            return BTreeSet::new();
        };
        let workload = decision.and_then(|one| one.workload).unwrap();
        if workload == desired {
            return BTreeSet::new();
        }
        let mut desired = desired;
        desired["metadata"]["managedFields"] = json!([owned(&desired)]);
        *self.writes.entry(Object(&desired).name().to_owned()).or_default() += 1;
        self.put(&desired)
    }

    /// Carries everything out that is woken, until nothing is.
    fn settle(&mut self, woken: BTreeSet<Unit>) {
        let mut woken = woken;
        for _ in 0..10_000 {
            let Some(unit) = woken.pop_first() else { return };
            woken.extend(self.run(&unit));
        }
        panic!("it never ends: {woken:?}");
    }

    fn ready(&self, name: &str) -> String {
        let object = self.cache.binding(&Key::new("n", name)).unwrap();
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().next().cloned().unwrap_or_default();
        let text = |key: &str| ready[key].as_str().unwrap_or_default();
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    }

    fn listed(&self, name: &str) -> Vec<String> {
        let key = Key::new("n", name);
        let targets = self.cache.index().listed(&key);
        targets.map(|(kind, key)| format!("{}/{}", kind.name(), key.name())).collect()
    }

    fn images(&self, kind: WorkloadKind, name: &str) -> Vec<String> {
        let workload = self.cache.workload(&(kind, Key::new("n", name))).unwrap();
        let pod = kind.paths().pod.iter().try_fold(&workload, |at, key| at.get(*key)).unwrap();
        let volumes = pod.get("volumes").and_then(Value::as_array).into_iter().flatten();
        volumes.filter_map(|one| Some(one.pointer("/image/reference")?.as_str()?.to_owned())).collect()
    }
}

/// What the API server says that our manager owns.
fn owned(workload: &Value) -> Value {
    let template = &workload["spec"]["template"]["spec"];
    let list = |value: &Value, key: &str| -> Value {
        let items = value.as_array().into_iter().flatten();
        let skills =
            items.filter(|item| item["name"].as_str().is_some_and(|name| name.starts_with("skill-")));
        let entries =
            skills.map(|item| (format!("k:{}", json!({key: item[key]})), json!({".": {}, "f:name": {}})));
        Value::Object(entries.collect())
    };
    let mounts = list(&template["containers"][0]["volumeMounts"], "mountPath");
    json!({"manager": "skills.kagenti.dev", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
        "f:volumes": list(&template["volumes"], "name"),
        "f:containers": {"k:{\"name\":\"agent\"}": {"f:volumeMounts": mounts}}}}}}})
}

fn deployment(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": name},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent"}]}}}})
}

fn binding(name: &str, target: &str, skills: &[(&str, &str)]) -> Value {
    let skills: Vec<Value> = skills
        .iter()
        .map(|(name, image)| json!({"name": name, "image": image, "mountPath": format!("/s/{name}")}))
        .collect();
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": target});
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"namespace": "n", "name": name, "generation": 1}, "spec": {"targetRef": target, "skills": skills}})
}

/// The mounts of a pod's skills, as the SkillBindings of `binding` want them.
fn mounted(volumes: &[Value]) -> Vec<Value> {
    let path =
        |volume: &Value| format!("/s/{}", volume["name"].as_str().unwrap().trim_start_matches("skill-"));
    volumes.iter().map(|volume| json!({"name": volume["name"], "mountPath": path(volume)})).collect()
}

/// A change of what people write, over what the controller has written since.
fn edit(world: &mut World, name: &str, change: impl FnOnce(&mut Value)) -> BTreeSet<Unit> {
    let mut object = world.cache.binding(&Key::new("n", name)).unwrap();
    change(&mut object);
    object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
    world.put(&object)
}

/// What is written has to be found again whatever happens next: it is listed first, and the finalizer is there.
#[test]
fn a_workload_is_written_after_it_is_listed_and_held_on_to() {
    let mut world = World::new("rossoctl");
    world.put(&deployment("w", json!({})));
    let object = binding("b", "w", &[("a", "i:1")]);
    let woken = world.put(&object);
    let target = (WorkloadKind::Deployment, Key::new("n", "w"));
    let (of_binding, of_workload) = (Unit::Binding(Key::new("n", "b")), Unit::Workload(target.clone()));
    assert_eq!(woken, BTreeSet::from([of_binding.clone(), of_workload.clone()]));
    assert_eq!(world.run(&of_workload), BTreeSet::new(), "it is not listed yet");
    let decision = world.decide(&Key::new("n", "b")).unwrap();
    assert_eq!(decision.finalizer, Finalizer::Add);
    let pods = json!({"upToDate": 0, "stale": 0, "without": 0});
    let listed = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "w", "pods": pods}]);
    assert_eq!(decision.status, Some(json!({"workloads": listed})));
    assert!(decision.event.is_none(), "nothing has come of it yet");
    assert!(world.run(&of_binding).contains(&of_workload));
    assert!(!world.run(&of_workload).is_empty());
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:1"]);
    let decision = world.decide(&Key::new("n", "b")).unwrap();
    assert_eq!(
        decision.status,
        Some(json!({
            "workloads": listed, "observedGeneration": 1, "skills": [{"name": "a", "image": "i:1"}],
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1, "lastTransitionTime": NOW,
                "reason": "Delivered", "message": "1 skill in 1 workload"}],
        }))
    );
    world.run(&of_binding);
    // A second look says nothing new.
    let decision = world.decide(&Key::new("n", "b")).unwrap();
    assert_eq!((decision.finalizer, decision.status, decision.event), (Finalizer::Keep, None, None));
}

#[test]
fn not_seen_is_not_absent() {
    let mut world = World::unseen("rossoctl");
    let mut going = binding("b", "w", &[("a", "i:1")]);
    going["metadata"]["finalizers"] = json!([BINDING_FINALIZER]);
    going["metadata"]["deletionTimestamp"] = NOW.into();
    going["status"] = json!({"workloads": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}]});
    world.put(&going);
    let decision = world.decide(&Key::new("n", "b")).unwrap();
    assert_eq!((decision.finalizer, decision.status), (Finalizer::Keep, None));
    let deployments = World::source(&deployment("w", json!({})));
    world.cache.take(deployments, Update::Begin);
    let changed = world.cache.take(deployments, Update::Complete);
    assert!(changed.units.contains(&Unit::Binding(Key::new("n", "b"))), "its kind is known now");
    assert_eq!(world.decide(&Key::new("n", "b")).unwrap().finalizer, Finalizer::Remove);
}

#[test]
fn nothing_is_left_after_a_retarget_another_delivery_other_labels_and_a_deletion() {
    let mut world = World::new("head");
    let none: Vec<String> = Vec::new();
    let mut woken = BTreeSet::new();
    for name in ["w", "v"] {
        woken.extend(world.put(&deployment(name, json!({"app": name}))));
    }
    woken.extend(world.put(&binding("b", "w", &[("a", "i:1")])));
    world.settle(woken);
    assert_eq!(
        (world.ready("b").as_str(), world.listed("b")),
        ("True Delivered: 1 skill in 1 workload", vec!["Deployment/w".to_owned()])
    );

    let woken = edit(&mut world, "b", |object| object["spec"]["targetRef"]["name"] = "v".into());
    world.settle(woken);
    assert_eq!(
        (world.images(WorkloadKind::Deployment, "w"), world.images(WorkloadKind::Deployment, "v")),
        (none.clone(), vec!["i:1".to_owned()])
    );
    assert_eq!(world.listed("b"), ["Deployment/v"]);

    let woken = edit(&mut world, "b", |object| object["spec"]["delivery"] = "Pod".into());
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "v"), none);
    assert!(!holds_on(&world.cache.binding(&Key::new("n", "b")).unwrap()));
    assert_eq!(world.ready("b"), "True Delivered: 1 skill for new pods of 1 workload");

    let woken = edit(&mut world, "b", |object| {
        object["spec"]["delivery"] = "Workload".into();
        object["spec"].as_object_mut().unwrap().shift_remove("targetRef");
        object["spec"]["selector"] = json!({"matchLabels": {"app": "w"}});
    });
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:1"]);
    // What a Deployment has made is changed with it.
    let mut made = deployment("w-1", json!({"app": "w"}));
    made["kind"] = "ReplicaSet".into();
    made["metadata"]["ownerReferences"] = json!([{"kind": "Deployment", "name": "w", "controller": true}]);
    let woken = world.put(&made);
    world.settle(woken);
    assert_eq!(world.listed("b"), ["Deployment/w"]);

    let mut other = world.cache.workload(&(WorkloadKind::Deployment, Key::new("n", "w"))).unwrap();
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "x"});
    let woken = world.put(&other);
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), none);
    assert!(world.ready("b").starts_with("False NoWorkloadSelected: "), "{}", world.ready("b"));
    assert_eq!(world.listed("b"), none);

    let woken = world.put(&deployment("v", json!({"app": "w"})));
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "v"), ["i:1"]);
    let woken = edit(&mut world, "b", |object| object["metadata"]["deletionTimestamp"] = NOW.into());
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "v"), none);
    assert!(world.cache.binding(&Key::new("n", "b")).is_none());
}

/// Of several the others stay, and an AgentRuntime of an operator that mounts has them with its own.
#[test]
fn one_of_several_goes_and_the_others_stay() {
    let mut world = World::new("pr332-merged");
    let mut woken = world.put(&deployment("w", json!({})));
    woken.extend(world.put(&binding("b", "w", &[("b", "i:b")])));
    woken.extend(world.put(&binding("c", "w", &[("c", "i:c")])));
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:b", "i:c"]);
    let mut runtime = binding("r", "w", &[("r", "i:r")]);
    runtime["apiVersion"] = "agent.kagenti.dev/v1alpha1".into();
    runtime["kind"] = "AgentRuntime".into();
    runtime["spec"]["type"] = "agent".into();
    runtime["metadata"]["finalizers"] = json!(["kagenti.io/cleanup"]);
    let woken = world.put(&runtime);
    world.settle(woken);
    let mut images = world.images(WorkloadKind::Deployment, "w");
    images.sort();
    assert_eq!(images, ["i:b", "i:c", "i:r"]);
    let woken = edit(&mut world, "b", |object| object["metadata"]["deletionTimestamp"] = NOW.into());
    world.settle(woken);
    let woken = world.gone(&runtime);
    world.settle(woken);
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:c"]);
    assert_eq!(world.ready("c"), "True Delivered: 1 skill in 1 workload");
}

#[test]
fn what_fails_is_said_and_what_cannot_be_read_takes_nothing_out() {
    let mut world = World::new("head");
    let mut woken = world.put(&deployment("w", json!({})));
    woken.extend(world.put(&binding("b", "w", &[("a", "i:1")])));
    world.settle(woken);
    let woken = world.put(&binding("c", "w", &[("a", "i:2")]));
    world.settle(woken);
    let clash = "Deployment w: SkillBinding c: spec.skills[0].name: SkillBinding b has a skill a for the same workload";
    assert_eq!(world.ready("b"), format!("False Clash: {clash}"));
    assert!(world.ready("c").starts_with("False Clash: "), "{}", world.ready("c"));
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:1"]);
    let woken = edit(&mut world, "c", |object| object["metadata"]["deletionTimestamp"] = NOW.into());
    world.settle(woken);

    let woken = edit(&mut world, "b", |object| object["spec"]["runtime"] = "of-next-year".into());
    world.settle(woken);
    assert!(
        world.ready("b").starts_with("False Invalid: spec.runtime: Unsupported value: \"of-next-year\""),
        "{}",
        world.ready("b")
    );
    assert_eq!(world.images(WorkloadKind::Deployment, "w"), ["i:1"]);

    let woken = edit(&mut world, "b", |object| {
        object["spec"].as_object_mut().unwrap().shift_remove("runtime");
        object["spec"]["skills"][0]["image"] = "i:3".into();
    });
    let target = (WorkloadKind::Deployment, Key::new("n", "w"));
    world.failures.insert(target.clone(), "denied by policy".into());
    world.run(&Unit::Binding(Key::new("n", "b")));
    assert_eq!(world.ready("b"), "False WriteFailed: Deployment w: denied by policy");
    world.failures.clear();
    world.settle(woken);
    assert_eq!(world.ready("b"), "True Delivered: 1 skill in 1 workload");
}

#[test]
fn pods_are_counted_by_the_skills_that_they_have() {
    let mut world = World::new("head");
    let mut woken = world.put(&deployment("w", json!({})));
    woken.extend(world.put(&binding("b", "w", &[("a", "i:2")])));
    world.settle(woken);
    let pod = |name: &str, image: Option<&str>, digest: &str, owner: Value| {
        let volumes: Vec<Value> =
            image.iter().map(|image| json!({"name": "skill-a", "image": {"reference": image}})).collect();
        let mounts =
            json!([{"name": "skill-a", "volumeStatus": {"image": {"imageRef": digest}}}, {"name": "other"}]);
        json!({"kind": "Pod", "metadata": {"namespace": "n", "name": name, "labels": {"pod-template-hash": "5f"},
                "ownerReferences": [owner]},
            "spec": {"volumes": volumes, "containers": [{"name": "agent", "volumeMounts": mounted(&volumes)}]},
            "status": {"containerStatuses": [{"volumeMounts": mounts}]}})
    };
    let of =
        |name: &str| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "controller": true});
    let mut elsewhere = pod("elsewhere", Some("i:2"), "d2", of("w-5f"));
    elsewhere["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] = "/s/before".into();
    let mut over = pod("over", Some("i:1"), "d1", of("w-5f"));
    over["status"]["phase"] = "Succeeded".into();
    for pod in [
        pod("new", Some("i:2"), "d2", of("w-5f")),
        pod("old", Some("i:1"), "d1", of("w-5f")),
        pod("bare", None, "d1", of("w-5f")),
        elsewhere,
        pod("of-another", Some("i:1"), "d9", of("w-extra-5f")),
        pod("by-hand", Some("i:1"), "d9", of("w-other")),
        pod(
            "of-a-namesake",
            Some("i:1"),
            "d9",
            json!({"apiVersion": "example.com/v1", "kind": "ReplicaSet", "name": "w-5f", "controller": true}),
        ),
        pod(
            "not-controlled",
            Some("i:1"),
            "d9",
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "w-5f"}),
        ),
        over,
    ] {
        world.put(&pod);
    }
    world.run(&Unit::Binding(Key::new("n", "b")));
    let status = world.cache.binding(&Key::new("n", "b")).unwrap()["status"].clone();
    assert_eq!(status["workloads"][0]["pods"], json!({"upToDate": 1, "stale": 2, "without": 1}));
    assert_eq!(status["skills"], json!([{"name": "a", "image": "i:2", "digests": ["d1", "d2"]}]));
}

/// A pod keeps what it was born with; each list of skills makes them anew once, and only where somebody wants that.
#[test]
fn pods_are_made_anew_once_where_they_lack_skills() {
    let mut world = World::new("head");
    let target = (WorkloadKind::Deployment, Key::new("n", "w"));
    let mut woken = world.put(&deployment("w", json!({})));
    let mut object = binding("b", "w", &[("a", "i:1")]);
    object["spec"]["delivery"] = "Pod".into();
    woken.extend(world.put(&object));
    world.settle(woken);
    assert_eq!(rollout(&target, &world.cache), None, "there is no pod");
    let pod = |image: &str| {
        json!({"kind": "Pod", "metadata": {"namespace": "n", "name": "p", "labels": {"pod-template-hash": "5f"},
                "ownerReferences":
                    [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "w-5f", "controller": true}]},
            "spec": {"volumes": [{"name": "skill-a", "image": {"reference": image}}],
                "containers": [{"name": "agent",
                    "volumeMounts": [{"name": "skill-a", "mountPath": "/s/a", "readOnly": true}]}]}})
    };
    world.put(&pod("i:0"));
    let hash = rollout(&target, &world.cache).expect("a hash");
    assert_eq!(world.decide(&Key::new("n", "b")).unwrap().rollouts, std::slice::from_ref(&target));
    let mut annotated = world.cache.workload(&target).unwrap();
    annotated["spec"]["template"]["metadata"]["annotations"] = json!({ROLLOUT: hash});
    let woken = world.put(&annotated);
    world.settle(woken);
    assert_eq!(rollout(&target, &world.cache), None, "these skills had their turn");
    let woken = edit(&mut world, "b", |object| object["spec"]["skills"][0]["image"] = "i:2".into());
    world.settle(woken);
    assert_ne!(rollout(&target, &world.cache), Some(hash));
    assert!(rollout(&target, &world.cache).is_some());
    world.put(&pod("i:2"));
    assert_eq!(rollout(&target, &world.cache), None, "all have them");
    let name = |world: &mut World, container: &str| {
        let woken = edit(world, "b", |object| object["spec"]["container"] = container.into());
        world.settle(woken);
        rollout(&target, &world.cache)
    };
    assert_eq!(name(&mut world, "agnet"), None, "new pods would be refused, and the rollout would hang");
    let mut two = world.cache.workload(&target).unwrap();
    two["spec"]["template"]["spec"]["containers"] = json!([{"name": "agent"}, {"name": "envoy"}]);
    let woken = world.put(&two);
    world.settle(woken);
    let in_envoy = name(&mut world, "envoy").expect("a hash: they have the skill in another container");
    two["spec"]["template"]["metadata"]["annotations"] = json!({ROLLOUT: in_envoy});
    let woken = world.put(&two);
    world.settle(woken);
    assert_eq!(name(&mut world, "envoy"), None, "that had its turn");
    assert_eq!(name(&mut world, "agent"), None, "all have it there");
    world.put(&pod("i:0"));
    let woken = edit(&mut world, "b", |object| object["spec"]["rollout"] = "Manual".into());
    world.settle(woken);
    assert_eq!(rollout(&target, &world.cache), None);
}

/// The controller says of each case of `tests/it/skill_bindings.rs` what files and live objects say.
#[test]
fn one_verdict_with_files_and_cluster() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../../../testdata/skill_bindings.json")).unwrap();
    for case in cases.iter().filter(|case| case["exact"] != true) {
        let mut world = World::new(case["profile"].as_str().unwrap());
        let objects: Vec<Value> = case["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|short| spelled_out(short, world.planning.profile))
            .collect();
        let mut woken = BTreeSet::new();
        for object in &objects {
            woken.extend(world.put(object));
        }
        world.settle(woken);
        for (at, said) in case["plans"].as_object().into_iter().flatten() {
            let (kind, name) = at.split_once('/').unwrap();
            let Some(kind) = WorkloadKind::ALL.into_iter().find(|known| known.name() == kind) else {
                continue;
            };
            let workload = world.cache.workload(&(kind, Key::new("n", name))).unwrap();
            let pod = kind.paths().pod.iter().try_fold(&workload, |at, key| at.get(*key)).unwrap();
            let volumes = pod.get("volumes").and_then(Value::as_array).into_iter().flatten();
            let skills: Vec<&str> =
                volumes.filter_map(|volume| volume["name"].as_str()?.strip_prefix("skill-")).collect();
            let wanted = said.as_str().unwrap().rsplit_once(' ').unwrap().1;
            assert_eq!(skills.join(","), wanted, "{}", case["why"]);
        }
        let errors: Vec<&str> =
            case["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let bindings = objects.iter().filter(|object| object["kind"] == "SkillBinding");
        let said: Vec<String> = bindings.map(|object| world.ready(Object(object).name())).collect();
        for error in &errors {
            let (_, message) = error.split_once(": ").unwrap();
            assert!(
                said.iter().any(|one| one.starts_with("False ") && one.contains(message)),
                "{}: {said:?}",
                case["why"]
            );
        }
        if !errors.is_empty() {
            assert_eq!(world.writes, BTreeMap::new(), "{}", case["why"]);
        }
    }
}

/// As `tests/it/skill_bindings.rs` spells its cases out.
fn spelled_out(short: &Value, profile: &Profile) -> Value {
    let version = |kind: &str| match kind {
        "AgentRuntime" => format!("{}/v1alpha1", profile.names.group),
        "SkillBinding" => "skills.kagenti.dev/v1alpha1".to_owned(),
        "Job" | "CronJob" => "batch/v1".to_owned(),
        _ => "apps/v1".to_owned(),
    };
    let kind = short["kind"].as_str().unwrap();
    let labels = short.get("labels").cloned().unwrap_or_else(|| json!({"app": "w"}));
    let template =
        json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent", "image": "i"}]}});
    let mut out = json!({"apiVersion": version(kind), "kind": kind,
        "metadata": {"namespace": "n", "name": short["name"], "creationTimestamp": NOW, "generation": 1}});
    if short["deleting"] == true {
        out["metadata"]["deletionTimestamp"] = NOW.into();
    }
    out["spec"] = match kind {
        "CronJob" => json!({"jobTemplate": {"spec": {"template": template}}}),
        "AgentRuntime" | "SkillBinding" => short["spec"].clone(),
        _ => json!({"template": template}),
    };
    if kind == "AgentRuntime" {
        out["spec"]["type"] = "agent".into();
    }
    let target = out["spec"]["targetRef"].as_str().and_then(|text| text.split_once('/'));
    if let Some((kind, name)) = target.map(|(kind, name)| (kind.to_owned(), name.to_owned())) {
        out["spec"]["targetRef"] = json!({"apiVersion": version(&kind), "kind": kind, "name": name});
    }
    for skill in out.pointer_mut("/spec/skills").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = skill.as_str().map(str::to_owned) {
            *skill = json!({"name": name, "image": "i:1", "mountPath": format!("/s/{name}")});
        }
    }
    out
}
