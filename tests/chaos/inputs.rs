//! What the users of the cluster do meanwhile: workloads and AgentRuntimes created, changed, taken away and made again,
//! defaults and gates changed, our fields changed by hand. The plan hangs on the seed; what is there in the end is known
//! from it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::User;
use crate::objects::{deployment, path_of, sandbox};
use crate::seed::Seed;

pub const AGENTS: usize = 200;
pub const NAMESPACES: usize = 8;
pub const SYSTEM: &str = "kagenti-system";
/// Who deploys workloads.
pub const PIPELINE: &str = "team-pipeline";
/// A config hash that nobody computed: somebody wrote it by hand.
pub const TAMPERED: &str = "tampered";
/// How long an AgentRuntime may take to go while everything breaks.
const PATIENCE: Duration = Duration::from_secs(150);

/// A workload and its AgentRuntime.
#[derive(Debug, Clone)]
pub struct Agent {
    pub namespace: String,
    pub name: String,
    pub kind: &'static str,
    number: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The workload in that state, made if need be.
    Workload(u64),
    /// The AgentRuntime in that version.
    Runtime(u64),
    DropWorkload,
    DropRuntime,
    /// Somebody changes what is ours.
    Tamper(u64),
}

#[derive(Debug, Clone)]
pub struct Due {
    pub at: Duration,
    pub agent: usize,
    pub action: Action,
}

/// What is to be there in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    pub workload: Option<u64>,
    pub runtime: Option<u64>,
}

pub fn agents() -> Vec<Agent> {
    (0..AGENTS)
        .map(|number| Agent {
            namespace: format!("team{}", number % NAMESPACES),
            name: format!("agent-{number}"),
            kind: match number % 10 {
                9 => "Sandbox",
                7 | 8 => "StatefulSet",
                _ => "Deployment",
            },
            number,
        })
        .collect()
}

/// What happens to an agent, in order of time.
pub fn plan(seed: u64, agent: usize, length: Duration) -> (Vec<Due>, End) {
    let mut seed = Seed::new(seed, &format!("agent {agent}"));
    let second = Duration::from_secs(1);
    let mut plan: Vec<(Duration, Action)> = Vec::new();
    let start = seed.between(second, 15 * second);
    let mut end = End { workload: Some(0), runtime: Some(0) };
    plan.push((start, Action::Workload(0)));
    plan.push((start + seed.between(Duration::ZERO, 2 * second) - second, Action::Runtime(0)));
    let changes = 2 + seed.below(3);
    let mut times: Vec<Duration> =
        (0..changes).map(|_| seed.between(18 * second, length.saturating_sub(6 * second))).collect();
    times.sort();
    let (mut state, mut version, mut tampered) = (0, 0, false);
    for at in times {
        let later = at + seed.between(second, 6 * second);
        let kind = seed.below(100);
        let comes_back = seed.chance(60);
        let tampering = seed.below(4);
        match kind {
            0..40 => {
                version += 1;
                plan.push((at, Action::Runtime(version)));
                end.runtime = Some(version);
            }
            40..62 => {
                state += 1;
                plan.push((at, Action::Workload(state)));
                end.workload = Some(state);
            }
            62..74 => {
                if end.runtime.is_some() && end.workload.is_some() && !tampered {
                    plan.push((at, Action::Tamper(tampering)));
                    tampered = true;
                }
            }
            74..86 => {
                plan.push((at, Action::DropRuntime));
                version += 1;
                end.runtime = comes_back.then_some(version);
                plan.extend(end.runtime.map(|version| (later, Action::Runtime(version))));
            }
            86..94 => {
                state += 1;
                plan.extend([(at, Action::DropWorkload), (later, Action::Workload(state))]);
                end.workload = Some(state);
            }
            _ => {
                plan.extend([(at, Action::DropWorkload), (at, Action::DropRuntime)]);
                state += 1;
                version += 1;
                (end.workload, end.runtime) = (comes_back.then_some(state), comes_back.then_some(version));
                plan.extend(end.workload.map(|state| (later, Action::Workload(state))));
                plan.extend(end.runtime.map(|version| (later, Action::Runtime(version))));
            }
        }
    }
    if end.runtime.is_some() && end.workload.is_none() {
        // In the end no AgentRuntime is without its workload: the program would call that an error, and rightly.
        plan.push((length, Action::Workload(state + 1)));
        end.workload = Some(state + 1);
    }
    // Changes whose times lie close together are made one after the other, as they stand here.
    let mut last = Duration::ZERO;
    let first_two = 2;
    let plan = plan.into_iter().enumerate().map(|(index, (at, action))| {
        last = if index < first_two { at } else { last.max(at) };
        Due { at: last, agent, action }
    });
    (plan.collect(), end)
}

impl Agent {
    fn stub(&self, api_version: &str, kind: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": self.name, "namespace": self.namespace}})
    }

    fn api_version(&self) -> &'static str {
        if self.kind == "Sandbox" { "agents.x-k8s.io/v1alpha1" } else { "apps/v1" }
    }

    pub fn workload_path(&self) -> String {
        format!("{}/{}", path_of(&self.stub(self.api_version(), self.kind)), self.name)
    }

    pub fn runtime_path(&self) -> String {
        let stub = self.stub("agent.kagenti.dev/v1alpha1", "AgentRuntime");
        format!("{}/{}", path_of(&stub), self.name)
    }

    /// The manifest of the workload's owner.
    pub fn workload(&self, state: u64) -> Value {
        if self.kind == "Sandbox" {
            let mut object = sandbox(&self.namespace, &self.name);
            object["metadata"]["annotations"] = json!({"example.com/state": state.to_string()});
            return object;
        }
        let mut object = deployment(&self.namespace, &self.name);
        object["kind"] = self.kind.into();
        object["metadata"]["annotations"] = json!({"example.com/state": state.to_string()});
        object["spec"]["replicas"] = (1 + state % 3).into();
        if self.kind == "StatefulSet" {
            object["spec"]["serviceName"] = self.name.as_str().into();
        }
        let template = &mut object["spec"]["template"];
        template["metadata"]["annotations"] = json!({"example.com/state": state.to_string()});
        let pod = &mut template["spec"];
        pod["containers"][0]["image"] = format!("quay.io/example/agent:{state}").into();
        pod["containers"][0]["env"] = json!([
            {"name": "PORT", "value": "8000"}, {"name": format!("STATE_{state}"), "value": "on"}
        ]);
        if state % 2 == 1 {
            let (name, path) = (format!("data-{state}"), format!("/data/{state}"));
            let list = |value: &mut Value, item: Value| value.as_array_mut().expect("a list").insert(0, item);
            list(&mut pod["volumes"], json!({"name": name, "emptyDir": {"medium": "Memory"}}));
            list(&mut pod["containers"][0]["volumeMounts"], json!({"name": name, "mountPath": path}));
        }
        object
    }

    /// The AgentRuntime of its owner.
    pub fn runtime(&self, seed: u64, version: u64) -> Value {
        let mut seed = Seed::new(seed, &format!("runtime {} {version}", self.number));
        let mut names = vec!["pdf", "web", "sql", "git", "chart"];
        let skills: Vec<Value> = (0..seed.below(4))
            .map(|_| {
                let name = names.remove(usize::try_from(seed.below(names.len() as u64)).expect("small"));
                let image = format!("quay.io/example/{name}:{}", seed.below(9));
                let mut skill = json!({"name": name, "image": image, "mountPath": format!("/skills/{name}")});
                if seed.chance(20) {
                    skill["pullPolicy"] = "Always".into();
                }
                skill
            })
            .collect();
        let mut object = self.stub("agent.kagenti.dev/v1alpha1", "AgentRuntime");
        object["metadata"]["labels"] = json!({"example.com/version": version.to_string()});
        let kind = if seed.chance(20) { "tool" } else { "agent" };
        object["spec"] = json!({
            "type": kind, "skills": skills,
            "targetRef": {"apiVersion": self.api_version(), "kind": self.kind, "name": self.name}
        });
        if seed.chance(30) {
            object["spec"]["trace"] = json!({"endpoint": "http://otel:4317", "protocol": "grpc",
                "sampling": {"rate": (1 + seed.below(9)) as f64 / 10.0}});
        }
        object
    }

    /// Does one thing to it, whatever state the cluster is in.
    pub fn act(&self, action: Action, seed: u64, user: &mut User) {
        match action {
            Action::Workload(state)
                if self.kind == "Sandbox" && user.get(&self.workload_path()).is_some() =>
            {
                // Its lists belong to whoever writes them as a whole: a second apply would take the mounts out.
                let state = json!({"example.com/state": state.to_string()});
                let patch = json!({"metadata": {"annotations": state},
                    "spec": {"podTemplate": {"metadata": {"annotations": state}}}});
                self.merge(&self.workload_path(), PIPELINE, &patch, user);
            }
            Action::Workload(state) => user.apply(&self.workload_path(), PIPELINE, &self.workload(state)),
            Action::Runtime(version) => {
                self.gone(user);
                user.apply(&self.runtime_path(), "team", &self.runtime(seed, version));
            }
            Action::DropWorkload => user.delete(&self.workload_path()),
            Action::DropRuntime => user.delete(&self.runtime_path()),
            Action::Tamper(how) => self.tamper(how, user),
        }
    }

    /// Waits until an AgentRuntime that is being deleted is gone.
    fn gone(&self, user: &mut User) {
        let started = Instant::now();
        let going = |runtime: &Value| runtime.pointer("/metadata/deletionTimestamp").is_some();
        while user.get(&self.runtime_path()).as_ref().is_some_and(going) {
            assert!(started.elapsed() < PATIENCE, "the finalizer of {}/{} hangs", self.namespace, self.name);
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn merge(&self, path: &str, manager: &str, patch: &Value, user: &mut User) {
        let path = format!("{path}?fieldManager={manager}");
        let (code, answer) = user.send("PATCH", &path, "application/merge-patch+json", Some(patch));
        // Whoever tampers names the version that was seen: somebody else may have been faster.
        assert!(matches!(code, 200 | 404 | 409), "PATCH {path}: {code} {answer}");
    }

    fn tamper(&self, how: u64, user: &mut User) {
        let template = if self.kind == "Sandbox" { "podTemplate" } else { "template" };
        let Some(live) = user.get(&self.workload_path()) else { return };
        let stamped = live.pointer(&format!("/spec/{template}/metadata/annotations/kagenti.io~1config-hash"));
        // What is not configured (any more) is nobody's but its owner's.
        if stamped.is_none() || live.pointer("/metadata/labels/kagenti.io~1type").is_none() {
            return;
        }
        let version = &live["metadata"]["resourceVersion"];
        let patch = match how {
            0 => {
                json!({"spec": {template: {"metadata": {"annotations": {"kagenti.io/config-hash": TAMPERED}}}}})
            }
            1 => json!({"spec": {template: {"metadata": {"labels": {"kagenti.io/type": null}}}}}),
            2 => json!({"metadata": {"labels": {"kagenti.io/type": "tampered"}}}),
            _ => {
                let volumes = live.pointer(&format!("/spec/{template}/spec/volumes")).cloned();
                let Some(Value::Array(mut volumes)) = volumes else { return };
                let Some(image) =
                    volumes.iter_mut().find_map(|volume| volume.pointer_mut("/image/reference"))
                else {
                    return;
                };
                *image = "quay.io/tampered:1".into();
                json!({"spec": {template: {"spec": {"volumes": volumes}}}})
            }
        };
        let mut patch = patch;
        patch["metadata"]["resourceVersion"] = version.clone();
        self.merge(&self.workload_path(), "kubectl-edit", &patch, user);
    }
}
