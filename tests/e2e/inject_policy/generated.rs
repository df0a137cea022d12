//! Generated pods: what the policies give each is what `render` writes into its template, after the server's defaults in
//! both; what `render` refuses, the policies refuse.
//!
//! One more thing they refuse: a volume of a skill's name that holds another image, which `render` takes over. A template
//! shows who wrote it, a pod does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use kubectl_skills::{Profile, Settings, Source, Stream, plan};
use serde_json::{Value, json};

use super::{bind, dry_run, server, until_seen};
use crate::server::Server;

pub(super) const CASES: usize = 500;
/// Cases of one namespace: each of its SkillBindings is asked about each of its pods.
pub(super) const TOGETHER: usize = 10;
const SEED: u64 = 20_261_127;

/// Draws that are the same in every run (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).expect("a bound")).expect("a draw")
    }

    /// True in so many of a hundred.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// A pod template, the SkillBinding for it, and how its pods show whose they are.
pub(super) struct Case {
    pub name: String,
    pub spec: Value,
    annotations: Value,
    labels: Value,
    owners: Value,
    pub binding: Value,
}

const SKILLS: [&str; 6] = ["pdf", "ocr", "git", "sql", "a", "web-search"];
const IMAGES: [&str; 6] = [
    "ghcr.io/acme/skill:1.4.0",
    "ghcr.io/acme/skill",
    "ghcr.io/acme/skill:latest",
    "registry.local:5000/skill",
    "ghcr.io/acme/skill@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "skill:2",
];
const POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const FOLDERS: [&str; 8] = [
    "/mine",
    " /mine , /skills/pdf",
    "",
    " , ",
    "/skills/pdf,/skills/ocr",
    "/a,/b,",
    "$(HOME)/s",
    "/app/skills/pdf",
];

pub(super) fn case(number: usize) -> Case {
    let mut draw = Draw(SEED + u64::try_from(number).expect("a number"));
    let name = format!("w{number}");
    let runtime = match draw.below(10) {
        0 | 1 => Some("kagenti"),
        2 => Some("kagent"),
        3 => Some(*draw.of(&["claude", "docsclaw", "opencode"])),
        _ => None,
    };
    let skills = skills(&mut draw, runtime.is_some());
    let containers = containers(&mut draw);
    let mut spec = json!({"containers": containers, "volumes": volumes(&mut draw)});
    if draw.percent(30) {
        spec["initContainers"] = json!([{"name": "init", "image": "i:1", "restartPolicy": "Always",
                                         "env": [{"name": "SKILL_FOLDERS", "value": "/init"}]}]);
    }
    if draw.percent(20) {
        spec["volumes"] = Value::Null;
        for container in spec["containers"].as_array_mut().expect("containers") {
            container.as_object_mut().expect("a container").remove("volumeMounts");
        }
    }
    surprise(&mut draw, &mut spec, &skills);
    let names: Vec<String> = spec["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    let mut binding = json!({"delivery": "Pod", "skills": skills});
    if let Some(runtime) = runtime {
        binding["runtime"] = json!(runtime);
        binding["home"] = json!("/home/agent");
    }
    if draw.percent(20) {
        binding["container"] =
            json!(if draw.percent(90) { draw.of(&names).clone() } else { "nobody".to_owned() });
    }
    let mut annotations = json!({});
    if draw.percent(20) {
        let chosen = if draw.percent(80) { draw.of(&names).clone() } else { "nobody".to_owned() };
        annotations["kubectl.kubernetes.io/default-container"] = json!(chosen);
    }
    let (labels, owners) = owned(&mut draw, &name, &mut binding);
    Case { name, spec, annotations, labels, owners, binding }
}

fn skills(draw: &mut Draw, runtime: bool) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for name in SKILLS {
        if !draw.percent(45) {
            continue;
        }
        let mut skill = json!({"name": name, "image": draw.of(&IMAGES)});
        if !(runtime && draw.percent(60)) {
            skill["mountPath"] =
                json!(format!("{}/{name}", draw.of(&["/skills", "/opt/skills/deep", "/s p"])));
        }
        if draw.percent(30) {
            skill["pullPolicy"] = json!(draw.of(&POLICIES));
        }
        out.push(skill);
    }
    if out.is_empty() {
        out.push(json!({"name": "pdf", "image": "i:1", "mountPath": "/skills/pdf"}));
    }
    if draw.percent(30) {
        out.reverse();
    }
    out
}

fn containers(draw: &mut Draw) -> Vec<Value> {
    let mut out = Vec::new();
    let all = ["agent", "istio-proxy", "logs", "helper"];
    for name in &all[..=draw.below(all.len())] {
        let mut env = Vec::new();
        for variable in ["PORT", "HOME", "MODEL"] {
            if draw.percent(40) {
                env.push(json!({"name": variable, "value": "8000"}));
            }
        }
        for variable in ["SKILL_FOLDERS", "KAGENT_SKILLS_FOLDER"] {
            if draw.percent(if variable == "SKILL_FOLDERS" { 35 } else { 10 }) {
                let value = *draw.of(&FOLDERS);
                let value = if variable == "SKILL_FOLDERS" || draw.percent(20) { value } else { "/skills" };
                let place = draw.below(env.len() + 1);
                env.insert(place, json!({"name": variable, "value": value}));
            }
        }
        if draw.percent(4) {
            env.push(
                json!({"name": "SKILL_FOLDERS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            );
        }
        let mut container = json!({"name": name, "image": "quay.io/example/agent:1"});
        if !env.is_empty() || draw.percent(20) {
            container["env"] = json!(env);
        }
        if draw.percent(60) {
            container["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
        }
        if draw.percent(20) {
            container["args"] = json!(["--verbose"]);
        }
        out.push(container);
    }
    if draw.percent(15) {
        out.reverse();
    }
    out
}

fn volumes(draw: &mut Draw) -> Vec<Value> {
    let mut out = vec![json!({"name": "cache", "emptyDir": {}})];
    if draw.percent(50) {
        out.push(json!({"name": "settings", "configMap": {"name": "settings"}}));
    }
    if draw.percent(20) {
        out.push(json!({"name": "skill-other", "image": {"reference": "other:1"}}));
    }
    if draw.percent(30) {
        out.reverse();
    }
    out
}

/// What is there already of what a skill needs: the same, or something else.
fn surprise(draw: &mut Draw, spec: &mut Value, skills: &[Value]) {
    if !draw.percent(35) {
        return;
    }
    let skill = draw.of(skills).clone();
    let volume = format!("skill-{}", skill["name"].as_str().expect("a name"));
    let path = skill["mountPath"].as_str().unwrap_or("/skills/pdf").to_owned();
    if spec["volumes"].is_null() {
        spec["volumes"] = json!([]);
    }
    let add = |list: &mut Value, item: Value| {
        if list.is_null() {
            *list = json!([]);
        }
        list.as_array_mut().expect("a list").push(item);
    };
    let mut image = json!({"reference": skill["image"]});
    if let Some(policy) = skill.get("pullPolicy") {
        image["pullPolicy"] = policy.clone();
    }
    let index = draw.below(spec["containers"].as_array().map_or(1, Vec::len));
    match draw.below(6) {
        0 => add(&mut spec["volumes"], json!({"name": volume, "emptyDir": {}})),
        1 => add(&mut spec["volumes"], json!({"name": volume, "image": {"reference": "somebody/elses:1"}})),
        2 => add(&mut spec["volumes"], json!({"name": volume, "image": image})),
        3 => {
            add(&mut spec["volumes"], json!({"name": volume, "image": image}));
            let mount = json!({"name": volume, "mountPath": path, "readOnly": draw.percent(50)});
            add(&mut spec["containers"][index]["volumeMounts"], mount);
        }
        4 => {
            add(&mut spec["volumes"], json!({"name": volume, "image": image}));
            add(
                &mut spec["containers"][index]["volumeMounts"],
                json!({"name": volume, "mountPath": "/elsewhere"}),
            );
        }
        _ => {
            add(&mut spec["volumes"], json!({"name": "extra", "emptyDir": {}}));
            add(&mut spec["containers"][index]["volumeMounts"], json!({"name": "extra", "mountPath": path}));
        }
    }
}

/// Labels and owners of a workload's pods, and the target of its SkillBinding.
fn owned(draw: &mut Draw, name: &str, binding: &mut Value) -> (Value, Value) {
    let owner = |version: &str, kind: &str, name: String| json!([{"apiVersion": version, "kind": kind, "name": name, "uid": "1", "controller": true}]);
    let (version, kind) = *draw.of(&[
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("agents.x-k8s.io/v1alpha1", "Sandbox"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("serving.knative.dev/v1", "Service"),
        ("", "selector"),
    ]);
    if kind == "selector" {
        binding["selector"] = json!({"matchLabels": {"app": name}});
        return (json!({"app": name}), json!([]));
    }
    binding["targetRef"] = json!({"apiVersion": version, "kind": kind, "name": name});
    match kind {
        "Deployment" => {
            (json!({"pod-template-hash": "5d4"}), owner("apps/v1", "ReplicaSet", format!("{name}-5d4")))
        }
        "Rollout" => (
            json!({"rollouts-pod-template-hash": "7f"}),
            owner("apps/v1", "ReplicaSet", format!("{name}-7f")),
        ),
        "CronJob" => (json!({}), owner("batch/v1", "Job", format!("{name}-29400000"))),
        "Service" => (
            json!({"serving.knative.dev/service": name}),
            owner("apps/v1", "ReplicaSet", format!("{name}-1-d-5d4")),
        ),
        _ => (json!({}), owner(version, kind, name.to_owned())),
    }
}

impl Case {
    /// A pod of the workload, with a template's pod or with what became of it.
    pub(super) fn pod(&self, namespace: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{}-x", self.name), "namespace": namespace, "labels": self.labels,
                "annotations": self.annotations, "ownerReferences": self.owners,
            },
            "spec": spec,
        })
    }

    /// Whether the template has an image volume of a skill's name that is not the skill as it is wanted.
    pub(super) fn takes_over(&self) -> bool {
        let volumes = self.spec["volumes"].as_array().cloned().unwrap_or_default();
        let skills = self.binding["skills"].as_array().cloned().unwrap_or_default();
        skills.iter().any(|skill| {
            let name = format!("skill-{}", skill["name"].as_str().expect("a name"));
            volumes.iter().any(|volume| {
                volume["name"] == name.as_str() && volume["image"]["reference"] != skill["image"]
            })
        })
    }

    /// The pod of the template as `render` leaves it with the same SkillBinding, delivered to the workload; `None` if it
    /// refuses.
    pub(super) fn rendered(&self) -> Option<Value> {
        let mut spec = self.binding.clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("selector");
            spec.insert("delivery".to_owned(), json!("Workload"));
            let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "it"});
            spec.insert("targetRef".to_owned(), target);
        }
        let binding = json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding", "metadata": {"name": "it"}, "spec": spec,
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "it"},
            "spec": {"template": {"metadata": {"annotations": self.annotations}, "spec": self.spec}},
        });
        let sources = [Source { name: "it".to_owned(), text: format!("{deployment}\n---\n{binding}\n") }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        let planned = plan(&stream, &Settings::new(Profile::by_name("head").expect("a profile")));
        if !planned.errors.is_empty() {
            return None;
        }
        let one = planned.plans.first().expect("a plan");
        Some(one.plan.desired().map_or(&deployment, |after| after)["spec"]["template"]["spec"].clone())
    }
}

/// The mounts of every container in the order of their paths: where a mount that is there serves a skill, `render` moves
/// it among the skills', and an order of mounts means nothing.
pub(super) fn in_order(pod: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    for container in spec["containers"].as_array_mut().expect("containers") {
        if let Some(mounts) = container["volumeMounts"].as_array_mut() {
            mounts.sort_by_key(|mount| mount["mountPath"].as_str().unwrap_or_default().to_owned());
        }
    }
    spec
}

/// Whoever moves from templates to pods must find the same agent.
#[test]
fn a_pod_gets_what_render_writes_into_its_template() {
    let server = server();
    server.namespace("plain");
    let cases = bound_cases(server, |_| {});
    until_seen(server);
    compare(server, "policies", &cases);
}

/// The cases, with their SkillBindings in namespaces of their own; `label` may change such a namespace.
pub(super) fn bound_cases(server: &Server, label: impl Fn(&str)) -> Vec<Case> {
    let cases: Vec<Case> = (0..CASES).map(case).collect();
    for (number, case) in cases.iter().enumerate() {
        if number % TOGETHER == 0 {
            server.namespace(&namespace(number));
            label(&namespace(number));
        }
        bind(server, &namespace(number), &case.name, &case.binding);
    }
    cases
}

fn namespace(number: usize) -> String {
    format!("generated-{}", number / TOGETHER)
}

/// Holds what `injector` makes of each case's pod to what `render` writes, after the server's defaults in both. There is a
/// namespace `plain` in which nothing is injected.
pub(super) fn compare(server: &Server, injector: &str, cases: &[Case]) {
    let next = AtomicUsize::new(0);
    let [same, refused, taken_over, reordered] = [(); 4].map(|()| AtomicUsize::new(0));
    let differing = std::sync::Mutex::new(Vec::new());
    let one = |number: usize| {
        let case = &cases[number];
        let (code, injected) = dry_run(server, &case.pod(&namespace(number), &case.spec));
        let problem = |what: &str| differing.lock().expect("a list").push(format!("case {number}: {what}"));
        let Some(spec) = case.rendered() else {
            refused.fetch_add(1, Ordering::Relaxed);
            if code != 403 {
                problem(&format!("render refuses it, and the {injector} do not: {code}\n{}", case.binding));
            }
            return;
        };
        if case.takes_over() {
            taken_over.fetch_add(1, Ordering::Relaxed);
            if code != 403 {
                problem(&format!("an image that is somebody's is taken over: {code}"));
            }
            return;
        }
        let (plain_code, plain) = dry_run(server, &case.pod("plain", &spec));
        assert_eq!(plain_code, 201, "case {number}: {plain}");
        if code != 201 {
            return problem(&format!("{code} {}", injected["message"]));
        }
        if injected["spec"] == plain["spec"] {
            same.fetch_add(1, Ordering::Relaxed);
        } else if in_order(&injected) == in_order(&plain) {
            reordered.fetch_add(1, Ordering::Relaxed);
        } else {
            problem(&format!(
                "{}\n  {injector} {}\n  render {}",
                case.binding, injected["spec"], plain["spec"]
            ));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CASES {
                        break;
                    }
                    one(number);
                }
            });
        }
    });
    let differing = differing.into_inner().expect("a list");
    let counts = [same, reordered, refused, taken_over].map(AtomicUsize::into_inner);
    println!(
        "{injector}: the same, the same but for the order of mounts, refused by both, refused by the {injector} alone: \
         {counts:?}"
    );
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(
        counts[0] > CASES / 2 && counts[2] > CASES / 20 && counts[3] > 0,
        "the cases show too little: {counts:?}"
    );
    assert!(counts[1] < CASES / 20, "{counts:?}");
}
