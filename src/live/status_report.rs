//! Where the skills of an AgentRuntime are: in its spec, in the live workload, in the annotation, in the status. Objects
//! in, one report out; how it is printed is left to the binary.

use serde_json::{Value, json};

use crate::api::agent_runtime::Skill;
use crate::api::names::{Names, SKILL_BINDING, SKILL_VOLUME_PREFIX};
use crate::api::object::Object;
use crate::api::skill_binding::{LabelSelector, is_for_pods};
use crate::api::workload::{Kinds, WorkloadKind};
pub use crate::live::mounted::MountedSkill;
use crate::live::mounted::{items, mounted};
use crate::live::rolling_out::is_rolling_out;
use crate::manifest::summary::counted;
use crate::plan::delivery::Delivered;
use crate::plan::init_containers::is_filled;
use crate::plan::{Action, GONE, PlannedSkill, RuntimePlan};

/// A skill that a SkillBinding delivers to pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredSkill {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Name of the SkillBinding.
    pub binding: String,
}

/// The report of one AgentRuntime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `AgentRuntime` or `SkillBinding`.
    pub kind: String,
    /// Whose plan it is, as tables have it: all that mount skills into the workload.
    pub whose: String,
    /// `Deployment/weather`, or the selector of a SkillBinding that chooses nothing.
    pub target: String,
    /// Whether the target exists.
    pub target_found: bool,
    /// Whether the target is a selector.
    pub selects: bool,
    /// Whether the target was not looked for, since nobody knows where its kind has the pod template.
    pub unknown_kind: bool,
    /// What is there in place of a target that does not exist, and how to mend it; empty where that is not known.
    pub instead: String,
    /// Why nothing is written, in words.
    pub refused: Vec<String>,
    /// Skills that the plan mounts; where nothing can be planned those of the spec, unless the AgentRuntime is being deleted, or they
    /// are delivered to the pods of a workload that is there.
    pub listed: Vec<Skill>,
    /// Names of the SkillBindings that add to them.
    pub added: Vec<String>,
    /// Skill volumes in the live pod template.
    pub mounted: Vec<MountedSkill>,
    /// Names of skills that the plan leaves to ConfigMaps.
    pub from_maps: Vec<String>,
    /// Names in the annotation; none without one; an error where it is no JSON list of strings.
    pub annotated: Option<Result<Vec<String>, String>>,
    /// Name of that annotation; empty where no operator's is known.
    pub annotation: &'static str,
    /// Names in the annotation that the plan takes out; where there is no plan, those that are not mounted as an image.
    pub stale_names: Vec<String>,
    /// `status.linkedSkills`, and the condition SkillsMounted as `True` or the reason against it.
    pub reported: Option<String>,
    /// Hash that should be on the pod template; empty where no plan could be made, or none should be there.
    pub hash_wanted: String,
    /// Hash that is there; empty for none.
    pub hash_found: String,
    /// `status.phase`, or the condition Ready in dialects without phase.
    pub phase: String,
    /// Pods that run the template as it is; `None` if pods could not be read.
    pub pods: Option<Vec<PodReport>>,
    /// How many fields of the workload the plan changes.
    pub changes: usize,
    /// Skills that SkillBindings deliver to pods.
    pub delivered: Vec<DeliveredSkill>,
    /// Pods by the skills of SkillBindings that they have; `None` if there is no SkillBinding, or pods could not be read.
    pub pods_of_bindings: Option<PodCounts>,
    /// Names of those that are not as new ones are.
    pub outdated_pods: Vec<String>,
    /// Whether `restart` makes them anew.
    pub restarts: bool,
    /// Whether the workload's controller is replacing its pods.
    pub rolling_out: bool,
    /// Why new pods get none of the skills that SkillBindings deliver to pods, and what to do; empty if they do.
    pub undelivered: String,
    /// That nobody is about the workload any more, and what to do; empty where somebody is.
    pub left: String,
    /// That a render has brought what nothing in the cluster lists, and what to do; empty where it has not.
    pub rendered: String,
}

/// Pods of a workload by the skills that they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// As a new pod has them.
    pub up_to_date: u32,
    /// Other ones.
    pub stale: u32,
    /// None of the SkillBindings'.
    pub without: u32,
}

impl PodCounts {
    /// Pods that are not as new ones are.
    pub fn outdated(self) -> u32 {
        self.stale + self.without
    }
}

/// A pod that runs the current pod template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodReport {
    /// Its name.
    pub name: String,
    /// Skills of the template that it lacks: something took them out at its admission.
    pub lacks: Vec<String>,
}

/// Reports on one AgentRuntime. What should be comes from the plan; `pods` are those of its namespace at least, `None` if
/// they could not be read.
pub fn report(
    runtime: &Value,
    workload: Option<&Value>,
    plan: Option<&RuntimePlan>,
    pods: Option<&[Value]>,
    names: &Names,
    kinds: Kinds,
) -> Report {
    let template = |workload| template_of(workload, kinds);
    let hash =
        |workload| Object(template(workload)).annotation(names.config_hash).unwrap_or_default().to_owned();
    let text = |value, pointer: &str| Object(value).str(pointer).to_owned();
    let found = workload.map(template).unwrap_or(&Value::Null);
    let sound = plan.filter(|plan| plan.action != Action::Error);
    // What is wanted is what the plan leaves, be it a write or none.
    let planned = sound.and_then(|plan| plan.desired().or(workload));
    let to_pods = workload.is_some() && is_for_pods(runtime);
    let listed = if to_pods && sound.is_none() { Vec::new() } else { listed(runtime, sound) };
    let mounted = mounted(found);
    let annotated = workload.and_then(|workload| annotated(workload, names));
    let stays = |name: &String| match planned.map(|planned| annotated_names(planned, names)) {
        Some(planned) => planned.contains(name),
        None => mounted.iter().any(|mounted| mounted.name == *name),
    };
    let stale_names = match &annotated {
        Some(Ok(all)) => all.iter().filter(|name| !stays(name)).cloned().collect(),
        _ => Vec::new(),
    };
    let selector = runtime.pointer("/spec/selector").filter(|selector| !selector.is_null());
    Report {
        namespace: Object(runtime).namespace().to_owned(),
        name: Object(runtime).name().to_owned(),
        kind: Object(runtime).kind().to_owned(),
        whose: plan.map_or_else(|| Object(runtime).name().to_owned(), RuntimePlan::whose),
        target: match (plan, workload) {
            (Some(plan), _) if !plan.target.name.is_empty() => {
                format!("{}/{}", plan.target.kind, plan.target.name)
            }
            (_, Some(workload)) => format!("{}/{}", Object(workload).kind(), Object(workload).name()),
            _ => match selector {
                Some(selector) => LabelSelector::of_server(selector).to_string(),
                None => {
                    format!(
                        "{}/{}",
                        text(runtime, "/spec/targetRef/kind"),
                        text(runtime, "/spec/targetRef/name")
                    )
                }
            },
        },
        target_found: workload.is_some(),
        selects: workload.is_none() && selector.is_some(),
        from_maps: sound.map(from_maps).unwrap_or_default(),
        listed,
        added: sound.map(|plan| plan.added.clone()).unwrap_or_default(),
        mounted,
        annotated,
        annotation: names.skills,
        stale_names,
        reported: reported(runtime),
        // A plan that skips the workload wants nothing of it.
        hash_wanted: planned
            .filter(|_| sound.is_some_and(|plan| plan.action != Action::Skipped))
            .map(hash)
            .unwrap_or_default(),
        hash_found: workload.map(hash).unwrap_or_default(),
        phase: phase(runtime),
        pods: pods.and_then(|pods| Some(pod_reports(pods, workload?, found, names))),
        changes: workload.and_then(|workload| Some(plan?.changes(workload).len())).unwrap_or_default(),
        rolling_out: workload.is_some_and(is_rolling_out),
        ..Report::default()
    }
}

/// Names of the skills that a render has put into a workload from ConfigMaps or by init containers: where the list changes,
/// they change with the next render.
pub fn rendered(workload: &Value, kinds: Kinds) -> Vec<String> {
    let template = template_of(workload, kinds);
    let Some(pod) = template.get("spec") else { return Vec::new() };
    let mounted = mounted(template).into_iter().map(|skill| skill.name);
    mounted.filter(|name| is_filled(pod, &format!("{SKILL_VOLUME_PREFIX}{name}"))).collect()
}

/// The skills that a plan mounts; those of the spec where nothing can be planned.
fn listed(runtime: &Value, sound: Option<&RuntimePlan>) -> Vec<Skill> {
    let text = |value, pointer: &str| Object(value).str(pointer).to_owned();
    match sound {
        Some(plan) => plan.skills.iter().map(|one| one.skill.clone()).collect(),
        None if Object(runtime).is_being_deleted() => Vec::new(),
        None => items(runtime.pointer("/spec/skills"))
            .map(|skill| Skill {
                name: text(skill, "/name"),
                image: text(skill, "/image"),
                mount_path: text(skill, "/mountPath"),
                sub_path: text(skill, "/subPath"),
                ..Skill::default()
            })
            .collect(),
    }
}

impl Report {
    /// Of a workload that keeps skills and that nobody is about any more.
    pub fn of_nobody(workload: &Value, kinds: Kinds) -> Self {
        let object = Object(workload);
        Self {
            namespace: object.namespace().to_owned(),
            kind: SKILL_BINDING.to_owned(),
            whose: GONE.to_owned(),
            target: format!("{}/{}", object.kind(), object.name()),
            target_found: true,
            mounted: mounted(template_of(workload, kinds)),
            ..Self::default()
        }
    }
}

/// The names in the skills annotation; an error where it is no JSON list of strings.
fn annotated(workload: &Value, names: &Names) -> Option<Result<Vec<String>, String>> {
    let text = Object(workload).annotation(names.skills)?;
    Some(serde_json::from_str(text).map_err(|_| text.to_owned()))
}

fn annotated_names(workload: &Value, names: &Names) -> Vec<String> {
    annotated(workload, names).and_then(Result::ok).unwrap_or_default()
}

/// What a run has left in a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The config hash; empty for none.
    pub hash: String,
    /// Name and image of each skill.
    pub images: Vec<(String, String)>,
}

impl Stamp {
    /// Of a workload as it is.
    pub fn of(workload: &Value, names: &Names) -> Self {
        let template = template_of(workload, Kinds::default());
        let skills = mounted(template).into_iter();
        let hash = Object(template).annotation(names.config_hash).unwrap_or_default().to_owned();
        Self { hash, images: skills.map(|skill| (skill.name, skill.image)).collect() }
    }
}

/// The revision of a pod, by the label that its controller gives it.
fn revision(pod: &Value) -> Option<&str> {
    ["pod-template-hash", "controller-revision-hash"].iter().find_map(|name| Object(pod).label(name))
}

/// Leaves the pods of the newest revision. The config hash alone does not tell it: a gate that is opened changes the
/// template and not the hash (Q8).
fn of_newest_revision<'p>(mut pods: Vec<&'p Value>, workload: &Value) -> Vec<&'p Value> {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_u64);
    let seen = number("/status/observedGeneration");
    let rolled = workload.pointer("/spec/template").is_some() && seen.is_some();
    let begun = seen >= number("/metadata/generation") && number("/status/updatedReplicas") > Some(0);
    if rolled && !begun {
        return Vec::new();
    }
    let born =
        |pod: &&Value| pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).map(str::to_owned);
    let named = workload.pointer("/status/updateRevision").and_then(Value::as_str).map(str::to_owned);
    let newest = pods.iter().max_by_key(|pod| born(pod)).and_then(|pod| revision(pod)).map(str::to_owned);
    let wanted = named.or(newest);
    pods.retain(|pod| revision(pod).is_none() || revision(pod) == wanted.as_deref());
    pods
}

/// The pods of a workload that run its template as it is.
fn pod_reports(pods: &[Value], workload: &Value, template: &Value, names: &Names) -> Vec<PodReport> {
    let Some(wanted) = Object(template).annotation(names.config_hash) else { return Vec::new() };
    let skills = mounted(template);
    let current = pods
        .iter()
        .filter(|pod| belongs(pod, workload) && Object(pod).annotation(names.config_hash) == Some(wanted));
    of_newest_revision(current.collect(), workload)
        .into_iter()
        .map(|pod| {
            let has = mounted(pod);
            let lacks = skills
                .iter()
                .filter(|skill| {
                    !skill.image.is_empty()
                        && !has.iter().any(|own| own.name == skill.name && !own.image.is_empty())
                })
                .map(|skill| skill.name.clone())
                .collect();
            PodReport { name: Object(pod).name().to_owned(), lacks }
        })
        .collect()
}

/// Whether a pod is one of a workload: by the selector of its labels, or by its owner where there is none.
fn belongs(pod: &Value, workload: &Value) -> bool {
    if Object(pod).namespace() != Object(workload).namespace() {
        return false;
    }
    match workload.pointer("/spec/selector/matchLabels").and_then(Value::as_object) {
        Some(labels) => {
            let own = pod.pointer("/metadata/labels");
            labels.iter().all(|(name, value)| own.and_then(|own| own.get(name)) == Some(value))
        }
        None => items(pod.pointer("/metadata/ownerReferences"))
            .any(|owner| owner.get("uid") == workload.pointer("/metadata/uid")),
    }
}

impl Report {
    /// Name and image of each skill that is listed.
    pub fn wanted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.listed.iter().map(|skill| (skill.name.as_str(), skill.image.as_str()))
    }

    /// Names of the skills that are listed or delivered to pods.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let delivered = self.delivered.iter().map(|skill| skill.name.as_str());
        self.listed.iter().map(|skill| skill.name.as_str()).chain(delivered)
    }

    /// Whether a skill of that name, or whose image reference contains the text, is wanted, mounted or announced.
    pub fn has(&self, skill: &str) -> bool {
        let image_has = |image: &str| skill.contains(['/', ':']) && image.contains(skill);
        let delivered = self.delivered.iter().map(|skill| (skill.name.as_str(), skill.image.as_str()));
        self.wanted().chain(delivered).any(|(name, image)| name == skill || image_has(image))
            || self.mounted.iter().any(|mounted| mounted.name == skill || image_has(&mounted.image))
            || matches!(&self.annotated, Some(Ok(names)) if names.iter().any(|name| name == skill))
    }

    /// What [`Report::findings`] come to, in one word: `ok`; `missing`, the workload is not there; `refused`,
    /// nothing can be written; `left`, nobody is about it any more; `rendered`, its manifest has the skills, and nothing in the cluster
    /// lists them; `undelivered`, nothing writes skills into pods; `stripped`, pods
    /// lack a skill of their template; `stale`, pods have not the skills that new ones get; `drifted`, the workload is not as planned.
    pub fn state(&self) -> &'static str {
        if !self.target_found && !self.unknown_kind {
            "missing"
        } else if !self.refused.is_empty() {
            "refused"
        } else if self.findings().is_empty() {
            "ok"
        } else if !self.left.is_empty() {
            "left"
        } else if !self.rendered.is_empty() {
            "rendered"
        } else if !self.undelivered.is_empty() {
            "undelivered"
        } else if self.pods.iter().flatten().any(|pod| !pod.lacks.is_empty()) {
            "stripped"
        } else if self.findings().len() == 1 && self.pods_of_bindings.is_some_and(|pods| pods.outdated() > 0)
        {
            "stale"
        } else {
            "drifted"
        }
    }

    /// What is wrong, in words; empty when all agree.
    pub fn findings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.target_found {
            if self.unknown_kind {
                out.extend(self.refused.iter().cloned());
            } else if self.selects {
                out.push("no workload has pods with the labels that it selects".to_owned());
            } else if self.instead.is_empty() {
                out.push(format!("{} does not exist", self.target));
            } else {
                out.push(format!("{} does not exist: {}", self.target, self.instead));
            }
            return out;
        }
        out.extend([&self.left, &self.rendered].into_iter().filter(|text| !text.is_empty()).cloned());
        // First of all: what else is not as it should be follows from it.
        out.extend(self.refused.iter().cloned());
        out.extend(Some(self.undelivered.clone()).filter(|text| !text.is_empty()));
        for (name, image) in self.wanted() {
            match self.mounted.iter().find(|mounted| mounted.name == name) {
                None => out.push(format!("skill {name} is not mounted")),
                Some(mounted) if mounted.image != image && !self.from_maps.iter().any(|map| map == name) => {
                    out.push(format!("skill {name} is mounted from {}, wanted {image}", mounted.image))
                }
                Some(mounted) if mounted.containers.is_empty() => {
                    out.push(format!("skill {name} is a volume that no container mounts"))
                }
                Some(_) => {}
            }
        }
        match &self.annotated {
            Some(Err(text)) => out.push(format!("the annotation is no JSON list: {text}")),
            Some(Ok(_)) => {
                let reported = |name| format!("the annotation names {name}, which is not to be mounted");
                out.extend(self.stale_names.iter().map(reported));
            }
            None if !self.listed.is_empty() => {
                out.push(format!("there is no annotation {}", self.annotation))
            }
            None => {}
        }
        if !self.hash_wanted.is_empty() && !self.hash_found.is_empty() && self.hash_wanted != self.hash_found
        {
            out.push("the config hash differs".into());
        }
        let pods = self.pods.iter().flatten();
        let lacking: Vec<&PodReport> = pods.clone().filter(|pod| !pod.lacks.is_empty()).collect();
        if let Some(first) = lacking.first() {
            out.push(format!(
                "{} of {} pods lack skill {} ({}): an admission webhook over Pods took it out",
                lacking.len(),
                pods.count(),
                first.lacks.join(", "),
                first.name
            ));
        }
        out.extend(self.pods_of_bindings.and_then(|pods| self.outdated(pods)));
        if out.is_empty() && self.changes > 0 {
            out.push(format!(
                "{} fields are not as planned: 'kubectl skills diff {}{}' shows them",
                self.changes,
                self.name,
                self.in_namespace()
            ));
        }
        out
    }

    /// Which pods are not as new ones are, and what to do.
    fn outdated(&self, pods: PodCounts) -> Option<String> {
        let total = pods.up_to_date + pods.outdated();
        let of = format!("of {}", counted(total as usize, "pod"));
        let have = |count: u32| format!("{count} {of} {}", if count == 1 { "has" } else { "have" });
        let said = match (pods.stale, pods.without) {
            (0, 0) => return None,
            (stale, 0) => format!("{} older skills", have(stale)),
            (0, without) => format!("{} none of the skills", have(without)),
            (stale, without) => format!("{} older skills, {} none of them", have(stale), have(without)),
        };
        let help = match self.restarts {
            _ if !self.undelivered.is_empty() => "new ones get none either".to_owned(),
            _ if !self.refused.is_empty() => "correct first what is refused".to_owned(),
            _ if self.rolling_out => "the workload is rolling out".to_owned(),
            true => {
                format!(
                    "'kubectl skills restart {}{}' makes them anew",
                    self.restart_name(),
                    self.in_namespace()
                )
            }
            false => "they keep what they have, the next ones have the skills".to_owned(),
        };
        Some(format!("{said}: {help}"))
    }

    /// The flag of a command that is to be pasted: without it, it acts in another namespace.
    fn in_namespace(&self) -> String {
        if self.namespace.is_empty() { String::new() } else { format!(" -n {}", self.namespace) }
    }

    /// The SkillBinding that `restart` takes.
    fn restart_name(&self) -> &str {
        let first = self.whose.split(',').find_map(|one| one.strip_prefix("skillbinding/"));
        first.unwrap_or(&self.name)
    }

    /// The report for machines.
    pub fn to_json(&self) -> Value {
        let mounted: Vec<Value> = self
            .mounted
            .iter()
            .map(|skill| json!({"name": skill.name, "image": skill.image, "containers": skill.containers}))
            .collect();
        let annotated = match &self.annotated {
            None => Value::Null,
            Some(Ok(names)) => json!(names),
            Some(Err(text)) => json!(text),
        };
        json!({
            "kind": self.kind, "namespace": self.namespace, "name": self.name, "whose": self.whose, "target": self.target, "targetFound": self.target_found,
            "wanted": self.wanted().map(|(name, image)| json!({"name": name, "image": image})).collect::<Vec<_>>(),
            "mounted": mounted, "annotated": annotated, "reported": self.reported,
            "configHash": {"wanted": self.hash_wanted, "found": self.hash_found},
            "phase": self.phase,
            "pods": self.pods.as_ref().map(|pods| {
                pods.iter().map(|pod| json!({"name": pod.name, "lacks": pod.lacks})).collect::<Vec<_>>()
            }),
            "delivered": self.delivered.iter().map(|skill| json!({"name": skill.name, "image": skill.image})).collect::<Vec<_>>(),
            "podsOfBindings": self.pods_of_bindings.map(|pods| {
                json!({
                    "upToDate": pods.up_to_date, "stale": pods.stale, "without": pods.without,
                    "outdated": self.outdated_pods,
                })
            }),
            "changes": self.changes, "state": self.state(), "findings": self.findings(),
        })
    }
}

fn template_of(workload: &Value, kinds: Kinds) -> &Value {
    let object = Object(workload);
    // Of a workload that was trimmed only the kind may be left.
    let kind = kinds.find(object.kind(), object.group()).or(WorkloadKind::parse(object.kind()));
    let keys = kind.unwrap_or(WorkloadKind::Deployment).paths().template;
    keys.iter().try_fold(workload, |at, key| at.get(*key)).unwrap_or(&Value::Null)
}

fn from_maps(plan: &RuntimePlan) -> Vec<String> {
    let from_map = |one: &&PlannedSkill| one.delivered == Delivered::ConfigMap;
    plan.skills.iter().filter(from_map).map(|one| one.skill.name.clone()).collect()
}

fn reported(runtime: &Value) -> Option<String> {
    if let Some(linked) = runtime.pointer("/status/linkedSkills").and_then(Value::as_array) {
        return Some(linked.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
    }
    let condition = condition(runtime, "SkillsMounted")?;
    let text = |key| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(if text("status") == "True" { "mounted".into() } else { text("reason") })
}

fn phase(runtime: &Value) -> String {
    if let Some(phase) = runtime.pointer("/status/phase").and_then(Value::as_str) {
        return phase.to_owned();
    }
    let ready = condition(runtime, "Ready");
    match ready.and_then(|condition| condition.get("status")?.as_str()) {
        Some("True") => "Ready".into(),
        Some(_) => "NotReady".into(),
        None => String::new(),
    }
}

pub(super) fn condition<'v>(runtime: &'v Value, kind: &str) -> Option<&'v Value> {
    items(runtime.pointer("/status/conditions"))
        .find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::KAGENTI;

    fn runtime() -> Value {
        json!({"metadata": {"namespace": "team1", "name": "weather"},
            "spec": {"targetRef": {"kind": "Deployment", "name": "weather"},
                     "skills": [{"name": "a", "image": "q.io/a:2"}, {"name": "b", "image": "q.io/b:1"}]},
            "status": {"phase": "Active", "conditions": [{"type": "SkillsMounted", "status": "True", "reason": "SkillsApplied"}]}})
    }

    fn workload() -> Value {
        json!({"metadata": {"annotations": {"kagenti.io/skills": "[\"a\",\"gone\"]"}}, "spec": {"template": {
            "metadata": {"annotations": {"kagenti.io/config-hash": "11"}},
            "spec": {"volumes": [{"name": "skill-a", "image": {"reference": "q.io/a:1"}}, {"name": "cache"}],
                "containers": [{"name": "agent", "volumeMounts": [{"name": "skill-a", "mountPath": "/a"}]}]}}}})
    }

    /// An agent whose skills a render has delivered by an init container has them.
    #[test]
    fn what_an_init_container_fetches_is_mounted() {
        let mut workload = workload();
        let pod = &mut workload["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "skill-a", "emptyDir": {}}]);
        pod["initContainers"] = json!([{"name": "skill-a", "args": ["pull", "q.io/a:2", "--to", "/skill"],
            "volumeMounts": [{"name": "skill-a", "mountPath": "/skill"}]}]);
        let report = report(&runtime(), Some(&workload), None, None, &KAGENTI, Kinds::default());
        let skill = MountedSkill {
            name: "a".into(),
            image: "q.io/a:2".into(),
            containers: vec!["agent".into()],
            path: "/a".into(),
            ..MountedSkill::default()
        };
        assert_eq!(report.mounted, [skill]);
        assert!(
            !report.findings().iter().any(|said| said.starts_with("skill a ")),
            "{:?}",
            report.findings()
        );
    }

    /// One list looked like two: a skill that is delivered to pods was in the list of the template as well.
    #[test]
    fn what_is_delivered_to_pods_is_not_listed_for_the_template() {
        let binding = json!({"kind": "SkillBinding", "metadata": {"name": "b"}, "spec": {"delivery": "Pod",
            "skills": [{"name": "a", "image": "q.io/a:1", "mountPath": "/a"}]}});
        let listed = |workload: Option<&Value>| {
            let report = report(&binding, workload, None, None, &KAGENTI, Kinds::default());
            report.names().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(listed(Some(&workload())), Vec::<String>::new());
        // Where there is no workload, nothing else names them.
        assert_eq!(listed(None), ["a"]);
    }

    /// The operator reports SkillsMounted=True from the spec alone (Q9): only a look at the pod template tells.
    #[test]
    fn what_the_status_hides_is_found() {
        let report = report(&runtime(), Some(&workload()), None, None, &KAGENTI, Kinds::default());
        assert_eq!(report.reported.as_deref(), Some("mounted"));
        assert_eq!(
            report.findings(),
            [
                "skill a is mounted from q.io/a:1, wanted q.io/a:2",
                "skill b is not mounted",
                "the annotation names gone, which is not to be mounted",
            ]
        );
        assert_eq!(
            report.mounted,
            [MountedSkill {
                name: "a".into(),
                image: "q.io/a:1".into(),
                containers: vec!["agent".into()],
                path: "/a".into(),
                ..MountedSkill::default()
            }]
        );
    }

    /// A webhook over Pods leaves the Deployment as it should be, and the agent without its tools.
    #[test]
    fn pods_of_the_current_template_are_held_against_it() {
        let mut workload = workload();
        workload["metadata"]["namespace"] = json!("team1");
        workload["spec"]["selector"] = json!({"matchLabels": {"app": "weather"}});
        let pod = |name: &str, app: &str, hash: &str, volume: Value| {
            json!({"metadata": {"name": name, "namespace": "team1", "labels": {"app": app},
                "annotations": {"kagenti.io/config-hash": hash}}, "spec": {"volumes": [volume]}})
        };
        let whole = json!({"name": "skill-a", "image": {"reference": "q.io/a:1"}});
        let stripped = json!({"name": "skill-a", "emptyDir": {}});
        let pods = [
            pod("weather-1", "weather", "11", whole.clone()),
            pod("weather-2", "weather", "11", stripped.clone()),
            pod("weather-0", "weather", "10", stripped.clone()),
            pod("other-1", "other", "11", stripped),
        ];
        let report = report(&runtime(), Some(&workload), None, Some(&pods), &KAGENTI, Kinds::default());
        let lacks = |name: &str, lacks: &[&str]| PodReport {
            name: name.into(),
            lacks: lacks.iter().map(|skill| (*skill).to_owned()).collect(),
        };
        assert_eq!(report.pods, Some(vec![lacks("weather-1", &[]), lacks("weather-2", &["a"])]));
        assert_eq!(
            report.findings().last().map(String::as_str),
            Some("1 of 2 pods lack skill a (weather-2): an admission webhook over Pods took it out")
        );
    }

    /// A rollout that is under way has pods of the template before, and with the same hash after a gate was opened.
    #[test]
    fn pods_of_the_revision_before_are_not_stripped() {
        let pod = |name: &str, revision: &str, born: &str, volume: Value| {
            json!({"metadata": {"name": name, "namespace": "team1", "creationTimestamp": born,
                    "labels": {"app": "weather", "pod-template-hash": revision},
                    "annotations": {"kagenti.io/config-hash": "11"}}, "spec": {"volumes": [volume]}})
        };
        let pods = [
            pod("weather-old-1", "aa", "2026-01-01T00:00:00Z", json!({"name": "cache"})),
            pod(
                "weather-new-1",
                "bb",
                "2026-01-01T00:00:09Z",
                json!({"name": "skill-a", "image": {"reference": "q.io/a:1"}}),
            ),
            pod("weather-old-2", "aa", "2026-01-01T00:00:00Z", json!({"name": "cache"})),
        ];
        let seen = |generation: u64, updated: Value, pods: &[Value]| {
            let mut workload = workload();
            workload["metadata"]["namespace"] = json!("team1");
            workload["metadata"]["generation"] = json!(2);
            workload["spec"]["selector"] = json!({"matchLabels": {"app": "weather"}});
            workload["status"] = json!({"observedGeneration": generation, "updatedReplicas": updated});
            let found = report(&runtime(), Some(&workload), None, Some(pods), &KAGENTI, Kinds::default())
                .pods
                .unwrap_or_default();
            found.into_iter().map(|pod| (pod.name, pod.lacks)).collect::<Vec<_>>()
        };
        assert_eq!(seen(2, json!(1), &pods), [("weather-new-1".to_owned(), Vec::<String>::new())]);
        // Before the first new pod, and before the controller has looked.
        assert_eq!(seen(2, json!(0), &pods[..1]), []);
        assert_eq!(seen(2, Value::Null, &pods[..1]), []);
        assert_eq!(seen(1, json!(1), &pods[..1]), []);
        // All of the new revision, and one was stripped.
        assert_eq!(seen(2, json!(1), &pods[..1]), [("weather-old-1".to_owned(), vec!["a".to_owned()])]);
    }

    /// A command that is pasted must not restart another namespace's agents, and nobody restarts what is being replaced.
    #[test]
    fn outdated_pods_are_counted_in_words_with_a_command_that_can_be_pasted() {
        let said = |stale, without, restarts, rolling_out| {
            let counts = PodCounts { up_to_date: 1, stale, without };
            let report = Report {
                namespace: "team1".into(),
                name: "web".into(),
                whose: "web,skillbinding/tools".into(),
                target: "Deployment/web".into(),
                target_found: true,
                pods_of_bindings: Some(counts),
                restarts,
                rolling_out,
                ..Report::default()
            };
            report.findings()
        };
        let command = "'kubectl skills restart tools -n team1' makes them anew";
        assert_eq!(said(0, 0, true, false), Vec::<String>::new());
        assert_eq!(said(1, 0, true, false), [format!("1 of 2 pods has older skills: {command}")]);
        assert_eq!(said(0, 2, true, false), [format!("2 of 3 pods have none of the skills: {command}")]);
        assert_eq!(
            said(2, 1, true, false),
            [format!("2 of 4 pods have older skills, 1 of 4 pods has none of them: {command}")]
        );
        assert_eq!(said(1, 0, true, true), ["1 of 2 pods has older skills: the workload is rolling out"]);
        assert_eq!(
            said(1, 0, false, false),
            ["1 of 2 pods has older skills: they keep what they have, the next ones have the skills"]
        );
    }

    #[test]
    fn a_skill_is_found_by_name_and_by_image() {
        let report = report(&runtime(), Some(&workload()), None, None, &KAGENTI, Kinds::default());
        for (skill, found) in
            [("a", true), ("gone", true), ("q.io/b", true), ("q.io/c", false), ("aa", false), ("io", false)]
        {
            assert_eq!(report.has(skill), found, "{skill}");
        }
    }

    /// `/` as a target, and `/ does not exist`, say nothing to anybody.
    #[test]
    fn a_selector_that_chooses_nothing_is_shown() {
        let selector = json!({"matchLabels": {"app": "weather"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "draft", "operator": "DoesNotExist"}]});
        let binding =
            json!({"kind": "SkillBinding", "metadata": {"name": "tools"}, "spec": {"selector": selector}});
        let report = report(&binding, None, None, None, &KAGENTI, Kinds::default());
        assert_eq!(
            (report.target.as_str(), report.state(), report.findings()),
            (
                "app=weather,tier in (a,b),!draft",
                "missing",
                vec!["no workload has pods with the labels that it selects".to_owned()]
            )
        );
    }

    /// The workload may well be there: nobody looked.
    #[test]
    fn a_kind_that_is_not_known_is_not_missing() {
        let report = Report {
            target: "Flow/weather".into(),
            unknown_kind: true,
            refused: vec!["example.com/v1 Flow is no kind whose pod template is known".into()],
            ..Report::default()
        };
        assert_eq!((report.state(), report.findings()), ("refused", report.refused.clone()));
    }

    #[test]
    fn a_missing_target_is_the_only_finding() {
        assert_eq!(
            report(&runtime(), None, None, None, &KAGENTI, Kinds::default()).findings(),
            ["Deployment/weather does not exist"]
        );
    }
}
