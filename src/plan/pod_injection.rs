//! Skills into a pod that is being created: the pod and the SkillBindings about it in, a JSON patch or the reason against it
//! out. The pod gets what a render would have written into its template, by the same code.
//!
//! Which SkillBindings are about a pod, `bindings` says by owner and labels; transport is left to the binary.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::bindings::{Binding, clashes};
use super::demands::by_policy;
use super::fields::find;
use super::image_volumes::{name_of, volume_name};
use super::pinning::pin_bindings;
use super::pod::GUESSED;
use super::session::bound;
use super::{Options, Outcome, Runtime, Surroundings, run};
use crate::api::agent_runtime::{AgentRuntimeSpec, TargetRef};
use crate::api::names::INJECTED;
use crate::api::object::{Object, Origin};
use crate::api::profile::Profile;
use crate::api::workload::WorkloadKind;
use crate::config::layers::{ConfigLayers, ConfigView};
use crate::validate::findings::{Finding, rules, skill_path};
use crate::yaml::Place;
use crate::yaml::path::pointer_key;

/// Whether a pod could take image volumes at all: none of Windows, and none that the kubelet only mirrors.
pub fn is_injectable(pod: &Value) -> bool {
    let pod = Object(pod);
    pod.str("/spec/os/name") != "windows" && pod.annotation("kubernetes.io/config.mirror").is_none()
}

/// What becomes of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Injected {
    /// It is as it should be.
    Unchanged,
    /// It gets its skills by this JSON patch (RFC 6902).
    Patched {
        /// The operations.
        patch: Vec<Value>,
        /// `binding/skill` for each skill.
        given: Vec<String>,
        /// What its creator should know.
        warnings: Vec<String>,
    },
    /// It cannot have them.
    Refused(Vec<Finding>),
}

/// What becomes of a new pod of a workload, as far as its template tells, by SkillBindings about it; `None` where the workload
/// has no template, or its pods can take no image volumes.
pub fn of_template(kind: WorkloadKind, workload: &Value, bindings: &[&Binding]) -> Option<Injected> {
    let template = find(workload, kind.paths().template)?;
    let metadata = template.get("metadata").filter(|metadata| metadata.is_object());
    let mut pod = json!({
        "metadata": metadata.cloned().unwrap_or_else(|| json!({})),
        "spec": template.get("spec")?,
    });
    pod["metadata"]["name"] = Object(workload).name().into();
    // What a pod gets is the same by all profiles.
    let options = Options::new(Profile::by_name("rossoctl")?);
    is_injectable(&pod).then(|| Injector::new(&options).inject(&pod, bindings))
}

/// Why new pods of a workload would be refused: the same, where it comes to that.
pub fn refused(kind: WorkloadKind, workload: &Value, bindings: &[&Binding]) -> Vec<Finding> {
    match of_template(kind, workload, bindings) {
        Some(Injected::Refused(findings)) => findings,
        _ => Vec::new(),
    }
}

/// That nothing names the container that gets the skills of a SkillBinding, and which of several it is.
pub fn guessed(kind: WorkloadKind, workload: &Value, binding: &Binding) -> Option<String> {
    match of_template(kind, workload, &[binding])? {
        Injected::Patched { warnings, .. } => warnings.into_iter().find(|said| said.starts_with(GUESSED)),
        Injected::Unchanged | Injected::Refused(_) => None,
    }
}

/// Puts skills into pods, by the rules of one profile.
#[derive(Debug)]
pub struct Injector {
    options: Options,
    layers: ConfigLayers,
}

impl Injector {
    /// An injector; of the options the profile, the kinds, the pins and the policy count.
    pub fn new(options: &Options) -> Self {
        let profile = super::bindings::profile_of_bindings(options.profile);
        let options = Options {
            kinds: options.kinds,
            pins: options.pins.clone(),
            #[cfg(feature = "skill")]
            policy: options.policy.clone(),
            ..Options::new(profile)
        };
        Self { layers: ConfigLayers::new(profile, &[], ConfigView::default()), options }
    }

    /// The pod with the skills of these SkillBindings, in order. Those that are not delivered to pods are left out.
    ///
    /// Each goes into its own container and is led there by its own runtime, one after the other, as the policies evaluate them.
    pub fn inject(&self, pod: &Value, bindings: &[&Binding]) -> Injected {
        let bindings: Vec<&Binding> =
            bindings.iter().copied().filter(|binding| binding.is_for_pods() && !binding.deleting).collect();
        let mut unlocked = Vec::new();
        let bindings = pin_bindings(self.options.pins.as_deref(), bindings, &mut unlocked);
        if !unlocked.is_empty() {
            return Injected::Refused(unlocked);
        }
        let bindings: Vec<&Binding> = bindings.iter().map(|one| &**one).collect();
        let Some((lead, others)) = bindings.split_first() else { return Injected::Unchanged };
        let clashes = clashes((&lead.id, &lead.origin, &lead.spec.skills), Some(lead), others);
        if !clashes.is_empty() {
            return Injected::Refused(clashes);
        }
        let broken = by_policy(&self.options, &lead.spec.skills, others);
        if !broken.is_empty() {
            return Injected::Refused(broken);
        }
        let taken = taken_over(pod, &bindings);
        if !taken.is_empty() {
            return Injected::Refused(taken);
        }
        let given = annotated(pod, &bindings);
        let all = entries_of(&bindings);
        let is_again = given.len() == all.len();
        let mut now = Cow::Borrowed(pod);
        let (mut patch, mut warnings) = (Vec::new(), Vec::new());
        let goes_along = |one: &&Binding, next: &&Binding| {
            let led = |binding: &Binding| {
                (binding.spec.container.clone(), binding.spec.runtime, binding.spec.home.clone())
            };
            led(one) == led(next)
        };
        for group in bindings.chunk_by(goes_along) {
            match self.step(&now, group, &bindings, is_again) {
                Ok(None) => {}
                Ok(Some(Step { after, operations, said })) => {
                    patch.extend(operations);
                    warnings.extend(said);
                    now = Cow::Owned(after);
                }
                Err(findings) => return Injected::Refused(findings),
            }
        }
        if patch.is_empty() && is_again {
            return Injected::Unchanged;
        }
        patch.extend(annotation(pod, &all));
        Injected::Patched { patch, given: all, warnings }
    }

    /// The pod with the skills of SkillBindings for one container, among all about it. `is_again`: it had all skills before.
    fn step(
        &self,
        pod: &Value,
        group: &[&Binding],
        all: &[&Binding],
        is_again: bool,
    ) -> Result<Option<Step>, Vec<Finding>> {
        let Some((lead, others)) = group.split_first() else { return Ok(None) };
        // The plan of a workload whose template is the pod.
        let name = Object(pod).name();
        let workload = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"template": {"metadata": pod.get("metadata"), "spec": pod.get("spec")}},
        });
        let target_ref =
            TargetRef { api_version: "apps/v1".into(), kind: "Deployment".into(), name: name.to_owned() };
        let spec =
            AgentRuntimeSpec { target_ref, skills: lead.spec.skills.clone(), ..AgentRuntimeSpec::default() };
        let listed = json!({"spec": {"skills": []}});
        let mut bound = bound(others, Some(lead), |binding| &binding.spec.skills);
        let others = all.iter().filter(|other| !group.iter().any(|one| one.id == other.id));
        bound.of_pod = true;
        bound.elsewhere = others.flat_map(|other| &other.spec.skills).map(volume_name).collect();
        if is_again {
            // A sidecar that is put first meanwhile is not the agent.
            bound.container = served(pod, lead).or(bound.container);
        }
        let runtime = Runtime {
            id: lead.id.clone(),
            origin: Origin::default(),
            object: &listed,
            spec,
            bound,
            is_checked: false,
        };
        let around = Surroundings {
            maps: &[],
            layers: &self.layers,
            view: ConfigView::default(),
            pods: &[],
            namespace: None,
            services: None,
        };
        let mut plan = run(&runtime, Some(Cow::Owned(workload)), &around, &self.options);
        if let Outcome::Refused(findings) = plan.outcome {
            return Err(findings);
        }
        let said = plan.warnings.iter().map(ToString::to_string).collect();
        let Some((after, touched)) = plan.take_desired() else { return Ok(None) };
        let operations = touched.iter().flatten().filter_map(|place| operation(pod, &after, place)).collect();
        let mut next = pod.clone();
        for part in ["metadata", "spec"] {
            if let Some(value) =
                after.pointer(&format!("/spec/template/{part}")).filter(|value| !value.is_null())
            {
                next[part] = value.clone();
            }
        }
        Ok(Some(Step { after: next, operations, said }))
    }
}

/// What one step makes of a pod.
struct Step {
    after: Value,
    operations: Vec<Value>,
    said: Vec<String>,
}

/// Image volumes of a skill's name that hold another image. A template's would be adopted, for a template says who wrote
/// what; a pod does not.
fn taken_over(pod: &Value, bindings: &[&Binding]) -> Vec<Finding> {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let mut out = Vec::new();
    for binding in bindings {
        for (index, skill) in binding.spec.skills.iter().enumerate() {
            let name = volume_name(skill);
            let mut all = volumes.into_iter().flatten();
            let Some(found) = all.find(|volume| name_of(volume) == name) else {
                continue;
            };
            let reference = Object(found).str("/image/reference");
            if !reference.is_empty() && reference != skill.image {
                let message = format!(
                    "skill {} needs the volume {name}, and the pod has one of that name with the image {reference}",
                    skill.name
                );
                let mut finding = Finding::new(&rules::VOLUME_TAKEN, skill_path(index, "name"), message);
                finding.help = "rename the skill, or that volume".to_owned();
                out.push(finding);
            }
        }
    }
    out
}

/// What the annotation says already.
fn entries(pod: &Value) -> Vec<&str> {
    Object(pod)
        .annotation(INJECTED)
        .unwrap_or_default()
        .split(',')
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// What the annotation says of these SkillBindings.
fn entries_of(bindings: &[&Binding]) -> Vec<String> {
    let of = |binding: &Binding| {
        let name = binding.id.name.clone();
        binding.spec.skills.iter().map(|skill| format!("{name}/{}", skill.name)).collect::<Vec<_>>()
    };
    bindings.iter().flat_map(|binding| of(binding)).collect()
}

fn annotated(pod: &Value, bindings: &[&Binding]) -> Vec<String> {
    let entries = entries(pod);
    entries_of(bindings).into_iter().filter(|entry| entries.contains(&entry.as_str())).collect()
}

/// The container that has a skill of the binding already.
fn served(pod: &Value, binding: &Binding) -> Option<String> {
    let skill = binding.spec.skills.first()?;
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let has = |container: &&Value| {
        let mounts = container.get("volumeMounts").and_then(Value::as_array);
        mounts.into_iter().flatten().any(|mount| {
            mount.get("mountPath").and_then(Value::as_str) == Some(&skill.mount_path)
                && mount.get("name").and_then(Value::as_str) == Some(&volume_name(skill))
        })
    };
    containers.iter().find(has)?.get("name")?.as_str().map(str::to_owned)
}

/// One change of the pod; none for what is outside of it.
fn operation(pod: &Value, after: &Value, place: &[Place<'static>]) -> Option<Value> {
    let [Place::Key("spec"), Place::Key("template"), inside @ ..] = place else { return None };
    let pointer: String = inside
        .iter()
        .map(|step| match step {
            Place::Key(key) => format!("/{}", pointer_key(key)),
            Place::Index(index) => format!("/{index}"),
        })
        .collect();
    let wanted = after.pointer(&format!("/spec/template{pointer}"));
    match (pod.pointer(&pointer), wanted) {
        (_, Some(wanted)) => Some(json!({"op": "add", "path": pointer, "value": wanted})),
        (Some(_), None) => Some(json!({"op": "remove", "path": pointer})),
        (None, None) => None,
    }
}

/// Says which SkillBinding gave what, by annotation, and that one did, by label; entries of others stay.
fn annotation(pod: &Value, all: &[String]) -> Vec<Value> {
    let mut entries: Vec<&str> = entries(pod);
    let missing: Vec<&str> =
        all.iter().map(String::as_str).filter(|entry| !entries.contains(entry)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    entries.extend(missing);
    let mut out = Vec::new();
    if pod.pointer("/metadata/annotations").is_none_or(Value::is_null) {
        out.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let path = |map: &str| format!("/metadata/{map}/{}", pointer_key(INJECTED));
    out.push(json!({"op": "add", "path": path("annotations"), "value": entries.join(",")}));
    if pod.pointer("/metadata/labels").is_none_or(Value::is_null) {
        out.push(json!({"op": "add", "path": "/metadata/labels", "value": {}}));
    }
    out.push(json!({"op": "add", "path": path("labels"), "value": "true"}));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(name: &str, spec: Value) -> Binding {
        let object = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"name": name, "namespace": "n"}, "spec": spec});
        Binding::of(Object(&object).reference(), Origin::default(), &object).expect("a binding")
    }

    fn inject(pod: &Value, bindings: &[&Binding]) -> Injected {
        let profile = Profile::by_name("head").expect("a profile");
        Injector::new(&Options::new(profile)).inject(pod, bindings)
    }

    fn skills(names: &[&str]) -> Value {
        names.iter().map(|name| json!({"name": name, "image": format!("i/{name}:1"), "mountPath": format!("/s/{name}")})).collect()
    }

    fn target() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"})
    }

    /// A pod that comes without its skills answers without them, and nobody sees why.
    #[test]
    fn a_pod_gets_volumes_mounts_variable_and_who_gave_them() {
        let one = binding("one", json!({"targetRef": target(), "delivery": "Pod", "skills": skills(&["a"])}));
        let two = binding("two", json!({"targetRef": target(), "delivery": "Pod", "skills": skills(&["b"])}));
        let workload = binding("w", json!({"targetRef": target(), "skills": skills(&["c"])}));
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "agent", "env": [{"name": "SKILL_FOLDERS", "value": "/mine"}]}, {"name": "envoy"}]}});
        let Injected::Patched { patch, given, warnings } = inject(&pod, &[&one, &two, &workload]) else {
            panic!("no patch");
        };
        assert_eq!((given, warnings), (vec!["one/a".to_owned(), "two/b".to_owned()], Vec::new()));
        let mount = |name: &str| json!({"name": format!("skill-{name}"), "mountPath": format!("/s/{name}"), "readOnly": true});
        let volume = |name: &str| json!({"name": format!("skill-{name}"), "image": {"reference": format!("i/{name}:1")}});
        assert_eq!(
            Value::Array(patch),
            json!([
                {"op": "add", "path": "/spec/containers/0/volumeMounts", "value": [mount("a"), mount("b")]},
                {"op": "add", "path": "/spec/containers/0/env", "value": [{"name": "SKILL_FOLDERS", "value": "/mine,/s/a,/s/b"}]},
                {"op": "add", "path": "/spec/volumes", "value": [volume("a"), volume("b")]},
                {"op": "add", "path": "/metadata/annotations", "value": {}},
                {"op": "add", "path": "/metadata/annotations/skills.kagenti.dev~1injected", "value": "one/a,two/b"},
                {"op": "add", "path": "/metadata/labels", "value": {}},
                {"op": "add", "path": "/metadata/labels/skills.kagenti.dev~1injected", "value": "true"},
            ])
        );
    }

    /// The API server calls again after other webhooks; one of them may have put a sidecar first.
    #[test]
    fn a_second_call_changes_nothing() {
        let one = binding("one", json!({"targetRef": target(), "delivery": "Pod", "skills": skills(&["a"])}));
        let pod = json!({"metadata": {"name": "p", "annotations": {INJECTED: "one/a"}}, "spec": {
            "containers": [
                {"name": "istio-proxy"},
                {"name": "agent", "env": [{"name": "SKILL_FOLDERS", "value": "/s/a"}],
                 "volumeMounts": [{"name": "skill-a", "mountPath": "/s/a", "readOnly": true}]}],
            "volumes": [{"name": "skill-a", "image": {"reference": "i/a:1", "pullPolicy": "IfNotPresent"}}]}});
        assert_eq!(inject(&pod, &[&one]), Injected::Unchanged);
    }

    /// The policies evaluate each SkillBinding by itself; a webhook that refused what they write would be another product.
    #[test]
    fn each_list_goes_into_its_own_container() {
        let spec = |container: &str, more: Value, skill: &str| {
            let mut spec = json!({"targetRef": target(), "delivery": "Pod", "container": container, "skills": skills(&[skill])});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let one = binding("one", spec("main", json!({}), "a"));
        let two = binding("two", spec("tool", json!({"runtime": "kagent"}), "b"));
        let three = binding("three", spec("main", json!({}), "c"));
        let pod =
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main"}, {"name": "tool"}]}});
        let Injected::Patched { patch, given, warnings } = inject(&pod, &[&one, &three, &two]) else {
            panic!("no patch");
        };
        assert_eq!(given, ["one/a", "three/c", "two/b"]);
        assert_eq!(warnings, Vec::<String>::new());
        let mount = |name: &str| json!({"name": format!("skill-{name}"), "mountPath": format!("/s/{name}"), "readOnly": true});
        let volume = |name: &str| json!({"name": format!("skill-{name}"), "image": {"reference": format!("i/{name}:1")}});
        let operations: Vec<(&Value, &Value)> =
            patch.iter().map(|one| (&one["path"], &one["value"])).collect();
        assert_eq!(
            operations[..6],
            [
                (&json!("/spec/containers/0/volumeMounts"), &json!([mount("a"), mount("c")])),
                (&json!("/spec/containers/0/env"), &json!([{"name": "SKILL_FOLDERS", "value": "/s/a,/s/c"}])),
                (&json!("/spec/volumes"), &json!([volume("a"), volume("c")])),
                (&json!("/spec/containers/1/volumeMounts"), &json!([mount("b")])),
                (
                    &json!("/spec/containers/1/env"),
                    &json!([{"name": "KAGENT_SKILLS_FOLDER", "value": "/skills"}])
                ),
                (&json!("/spec/volumes"), &json!([volume("a"), volume("c"), volume("b")])),
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let one = binding("one", json!({"targetRef": target(), "delivery": "Pod", "skills": skills(&["a"])}));
        let two = binding("two", json!({"targetRef": target(), "delivery": "Pod", "skills": skills(&["a"])}));
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "agent",
            "env": [{"name": "SKILL_FOLDERS", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}],
            "volumes": [{"name": "skill-a", "emptyDir": {}}]}});
        let said = |injected: Injected| match injected {
            Injected::Refused(findings) => {
                findings.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ")
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            said(inject(&pod, &[&one])),
            "skill a needs the volume skill-a, and the workload has a volume of that name (emptyDir) that is not ours; \
             the value of SKILL_FOLDERS comes from elsewhere (valueFrom), so no paths can be added to it"
        );
        assert_eq!(said(inject(&pod, &[&one, &two])), "SkillBinding one has a skill a for the same workload");
    }
}
