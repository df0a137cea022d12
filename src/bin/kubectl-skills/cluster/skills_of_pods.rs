//! Which skills pods have, and which they should have: a pod as the API server gives it in, the part that says so out; parts and
//! a workload in, numbers out. Whose a pod is, is left to the library's `pod_owner`; who restarts pods is left to the controller and to `restart`.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::names::{DEFAULT_CONTAINER, SKILL_VOLUME_PREFIX};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::pod_owner::{LABELS, has_ended};
use kubectl_skills::api::skill_binding::Delivery;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::live::status_report::PodCounts;
use kubectl_skills::plan::bindings::Binding;
use serde_json::{Map, Value, json};

/// By volume: its image, or what its node reports of that.
pub type Images = BTreeMap<String, String>;

/// By volume: its image, and in which container and where that is mounted. Not the pull policy, which says how a node gets the
/// image, and which the admission plugin AlwaysPullImages rewrites in each pod.
pub type Skills = BTreeMap<String, String>;

/// Container, path and subPath of a mount; no name where any container will do.
type Mount<T> = (T, T, T);

/// A pod: whose it is, which skills it has and where, and their digests as its node reports them.
pub fn part(object: &Value) -> Value {
    let items = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let mut metadata = Map::new();
    for key in ["name", "namespace", "resourceVersion", "deletionTimestamp"] {
        if let Some(value) = object.get("metadata").and_then(|metadata| metadata.get(key)) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    let labels = LABELS.iter().filter_map(|key| Some(((*key).to_owned(), Object(object).label(key)?.into())));
    metadata.insert("labels".into(), Value::Object(labels.collect()));
    let controllers = items("/metadata/ownerReferences").filter(|owner| owner["controller"] == true);
    let owners = controllers.map(|owner| {
        json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["name"], "controller": true})
    });
    metadata.insert("ownerReferences".into(), owners.collect());
    let mounts = items("/status/containerStatuses")
        .filter_map(|status| status.get("volumeMounts").and_then(Value::as_array))
        .flatten();
    let digests: Images =
        mounts.filter_map(|mount| skill_image(mount, "/volumeStatus/image/imageRef")).collect();
    json!({"metadata": metadata, "skills": skills(object.get("spec")), "digests": digests,
        "over": has_ended(object)})
}

fn skill_image(item: &Value, pointer: &str) -> Option<(String, String)> {
    let name = Object(item).str("/name");
    let image = item.pointer(pointer)?.as_str()?;
    name.starts_with(SKILL_VOLUME_PREFIX).then(|| (name.to_owned(), image.to_owned()))
}

/// The skills of a pod's spec.
fn skills(pod: Option<&Value>) -> Skills {
    let items = |of: Option<&Value>, key: &str| {
        of.and_then(|of| of.get(key)).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut mounts: BTreeMap<String, BTreeSet<Mount<String>>> = BTreeMap::new();
    for container in ["containers", "initContainers"].into_iter().flat_map(|list| items(pod, list)) {
        for mount in items(Some(&container), "volumeMounts") {
            let mount = Object(&mount);
            let text = |key: &str| mount.str(key).to_owned();
            let place = (Object(&container).str("/name").to_owned(), text("/mountPath"), text("/subPath"));
            mounts.entry(text("/name")).or_default().insert(place);
        }
    }
    let volumes = items(pod, "volumes");
    let images = volumes.iter().filter_map(|volume| skill_image(volume, "/image/reference"));
    images
        .map(|(name, image)| {
            let said = said(&image, mounts.get(&name).into_iter().flatten());
            (name, said)
        })
        .collect()
}

/// An image and where it is mounted, as one text.
fn said<'m>(image: &str, mounts: impl IntoIterator<Item = &'m Mount<String>>) -> String {
    let mounts = mounts.into_iter().map(|(container, path, sub)| format!("\n{container}\n{path}\n{sub}"));
    std::iter::once(image.to_owned()).chain(mounts).collect()
}

/// The same read back.
fn read(said: &str) -> (&str, BTreeSet<Mount<&str>>) {
    let mut lines = said.split('\n');
    let image = lines.next().unwrap_or_default();
    (image, std::iter::from_fn(|| Some((lines.next()?, lines.next()?, lines.next()?))).collect())
}

/// Whether a pod has the skills that are expected: the same images at the same paths, and each in the container that is expected
/// to have it. That something else has given a sidecar the same mount changes nothing.
fn has(found: &Skills, expected: &Skills) -> bool {
    let mut pairs = found.iter().zip(expected);
    found.len() == expected.len()
        && pairs.all(|(found, wanted)| found.0 == wanted.0 && is_as(found.1, wanted.1))
}

fn is_as(found: &str, expected: &str) -> bool {
    if found == expected {
        return true;
    }
    let ((image, found), (wanted, expected)) = (read(found), read(expected));
    let places = |mounts: &BTreeSet<Mount<&str>>| -> BTreeSet<(String, String)> {
        mounts.iter().map(|(_, path, sub)| ((*path).to_owned(), (*sub).to_owned())).collect()
    };
    let is_there = |mount: &Mount<&str>| mount.0.is_empty() || found.contains(mount);
    image == wanted && places(&found) == places(&expected) && expected.iter().all(is_there)
}

/// The skills in the pod template of a workload.
pub fn of_template(kind: WorkloadKind, workload: &Value) -> Skills {
    skills(kind.paths().pod.iter().try_fold(workload, |at, key| at.get(*key)))
}

/// The skills that a new pod of a workload has: those of its template, and those that SkillBindings about it give it as it
/// is created.
pub fn expected<'b>(
    kind: WorkloadKind,
    workload: &Value,
    bindings: impl IntoIterator<Item = &'b Binding>,
) -> Skills {
    let mut out = of_template(kind, workload);
    out.extend(given(bindings, default_container(kind, workload)));
    out
}

/// The container that the annotation of a pod template names, if the template has it. The first one is not taken for the agent's:
/// what puts a sidecar in front of it as the pod is created is not seen here.
fn default_container(kind: WorkloadKind, workload: &Value) -> Option<&str> {
    let at = |keys: &[&str]| keys.iter().try_fold(workload, |at, key| at.get(*key));
    let name = at(kind.paths().annotations)?.get(DEFAULT_CONTAINER)?.as_str()?;
    let mut containers = at(kind.paths().pod)?.get("containers")?.as_array()?.iter();
    containers.any(|one| Object(one).str("/name") == name).then_some(name)
}

/// The skills that SkillBindings give to a pod; `container` is the one for those that name none, if it is known.
pub fn given<'b>(bindings: impl IntoIterator<Item = &'b Binding>, container: Option<&str>) -> Skills {
    let gives = |one: &&Binding| !one.deleting && one.spec.delivery == Delivery::Pod;
    let mut out = Skills::new();
    for binding in bindings.into_iter().filter(gives) {
        let container = binding.spec.container.as_deref().or(container).unwrap_or_default();
        for skill in &binding.spec.skills {
            let mount = (container.to_owned(), skill.mount_path.clone(), skill.sub_path.clone());
            out.insert(volume(&skill.name), said(&skill.image, [&mount]));
        }
    }
    out
}

/// The volume of a skill.
pub fn volume(skill: &str) -> String {
    format!("{SKILL_VOLUME_PREFIX}{skill}")
}

/// Counts parts of pods, those that are over or going left out; `own` are the skills of a SkillBinding.
pub fn count(pods: &[Value], expected: &Skills, binding: &Binding) -> PodCounts {
    let own: BTreeSet<String> = binding.spec.skills.iter().map(|skill| volume(&skill.name)).collect();
    let mut out = PodCounts::default();
    for pod in pods.iter().filter(|pod| !is_over(pod)) {
        let skills = texts(pod, "skills");
        if has(&skills, expected) {
            out.up_to_date += 1;
        } else if own.iter().any(|volume| skills.contains_key(volume)) {
            out.stale += 1;
        } else {
            out.without += 1;
        }
    }
    out
}

/// Whether a pod, by its part, is over or going.
pub fn is_over(part: &Value) -> bool {
    part["over"] == true || Object(part).is_being_deleted()
}

/// The digests by volume that the part of a pod has.
#[cfg(feature = "controller")]
pub fn digests(pod: &Value) -> Images {
    texts(pod, "digests")
}

fn texts(pod: &Value, key: &str) -> Images {
    let map = pod.get(key).and_then(Value::as_object).into_iter().flatten();
    map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a changed pod template makes the pods of a kind anew. A CronJob's next pods are new ones anyway.
pub fn restarts(kind: WorkloadKind) -> bool {
    use WorkloadKind::{DaemonSet, Deployment, KnativeService, Rollout, StatefulSet};
    matches!(kind, Deployment | StatefulSet | DaemonSet | Rollout | KnativeService)
}

/// What makes the pods of a workload anew, as `kubectl rollout restart` does: one annotation of the pod template. The write
/// is refused where the workload is another than the one that was read.
pub fn restart_patch(kind: WorkloadKind, workload: &Value, annotation: &str, value: &str) -> Value {
    let way = kind.paths().annotations.iter().rev();
    let mut patch = way.fold(json!({annotation: value}), |inner, key| json!({*key: inner}));
    patch["metadata"]["resourceVersion"] = Object(workload).resource_version().into();
    patch
}

#[cfg(test)]
mod tests {
    use kubectl_skills::api::object::Origin;

    use super::*;

    fn binding(spec: &Value) -> Binding {
        let mut object = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"name": "b", "namespace": "n"}, "spec": {"delivery": "Pod",
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
                "skills": [{"name": "a", "image": "i/a:1", "mountPath": "/s/a"}]}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            object["spec"][key] = value.clone();
        }
        Binding::of(Object(&object).reference(), Origin::default(), &object).expect("a binding")
    }

    /// A pod that has its skill in these containers.
    fn pod(mounting: &[&str]) -> Value {
        let mount = json!([{"name": "skill-a", "mountPath": "/s/a", "readOnly": true}]);
        let containers = ["envoy", "agent"].map(|name| {
            let mounts = if mounting.contains(&name) { mount.clone() } else { json!([]) };
            json!({"name": name, "volumeMounts": mounts})
        });
        part(&json!({"metadata": {"name": "p"}, "spec": {
            "containers": containers, "volumes": [{"name": "skill-a", "image": {"reference": "i/a:1"}}]}}))
    }

    fn counted(mounting: &[&str], workload: &Value, spec: &Value) -> (u32, u32, u32) {
        let binding = binding(spec);
        let expected = expected(WorkloadKind::Deployment, workload, [&binding]);
        let PodCounts { up_to_date, stale, without } = count(&[pod(mounting)], &expected, &binding);
        (up_to_date, stale, without)
    }

    /// An agent whose skills went to a sidecar has none, and it said that all is well.
    #[test]
    fn a_skill_in_another_container_is_not_where_it_should_be() {
        let template = |annotations: Value| {
            json!({"spec": {"template": {"metadata": {"annotations": annotations},
                "spec": {"containers": [{"name": "envoy"}, {"name": "agent"}]}}}})
        };
        let (good, stale) = ((1, 0, 0), (0, 1, 0));
        let plain = template(json!({}));
        for (mounting, wanted) in
            [(&["envoy"][..], stale), (&["agent"], good), (&["agent", "envoy"], good), (&[], stale)]
        {
            assert_eq!(counted(mounting, &plain, &json!({"container": "agent"})), wanted, "{mounting:?}");
        }
        // Where nothing names the container, what was put in front of the agent meanwhile is not known.
        for mounting in [&["envoy"][..], &["agent"]] {
            assert_eq!(counted(mounting, &plain, &json!({})), good, "{mounting:?}");
        }
        let named = template(json!({DEFAULT_CONTAINER: "agent"}));
        assert_eq!(counted(&["envoy"], &named, &json!({})), stale);
        assert_eq!(counted(&["envoy"], &named, &json!({"container": "envoy"})), good);
        // One that the template has not is nobody's.
        let wrong = template(json!({DEFAULT_CONTAINER: "agnet"}));
        assert_eq!(counted(&["envoy"], &wrong, &json!({})), good);
    }
}
