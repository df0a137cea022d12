//! The init containers that fetch skills: those of a pod, its skills and whose what is in; the new list, and the volume with
//! their logins, out. How an image is fetched is left to the verb `pull`, which they run.
//!
//! They ask for what the Pod Security level "restricted" asks of all containers. What somebody has added to one stays: limits,
//! a proxy in its environment, a volume with certificates.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::delivery::{Delivered, Filled, Init};
use super::fields::{WrongType, find};
use super::image_volumes::{name_of, volume_name};
use super::ownership::{Evidence, Ownership};
use super::work::Work;
use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::{child, entry};
use crate::validate::findings::{rules, skill_path};

/// The list of a pod.
pub(crate) const INIT_CONTAINERS: &str = "initContainers";
/// Name of the volume with the pull secrets. It begins with no skill's prefix.
const LOGINS: &str = "skills-login";
/// The verb that they run.
pub(crate) const PULL: &str = "pull";
/// Where the volume of a skill is in its init container.
const SKILL: &str = "/skill";
/// Where the pull secrets are.
const LOGIN: &str = "/login";
/// Of a pod and of a container.
const CONTEXT: &str = "securityContext";
/// In it.
const RUN_AS_USER: &str = "runAsUser";
/// The user of the image of this program.
const USER: u32 = 65532;
/// The lists of a pod with containers, none of which may have the name of ours.
const ALL: [&str; 3] = ["containers", INIT_CONTAINERS, "ephemeralContainers"];

/// The init containers as they should be.
#[derive(Debug, Default, PartialEq)]
struct InitContainers {
    /// The new list.
    list: Vec<Value>,
    /// Skills (by index) whose name a container has that is not ours, with the list that it is in.
    taken: Vec<(usize, &'static str)>,
    /// The volume with pull secrets, where one is needed.
    logins: Option<Value>,
}

impl<'w> Work<'w, '_> {
    /// What fills the volume of each skill; what cannot be as it was asked for is refused.
    pub(super) fn ways(&mut self) -> Vec<Filled<'w>> {
        let Some(delivery) = self.options.delivery.as_deref() else { return self.standing_ways() };
        let mut ways = Vec::with_capacity(self.skills.len());
        for (index, skill) in self.skills.iter().enumerate() {
            let (filled, why) = delivery.of(&self.runtime.id.namespace, skill).unwrap_or_else(|impossible| {
                let at = skill_path(index, impossible.field);
                self.plan.problem(&rules::DELIVERY, &at, impossible.message, impossible.help);
                (Filled::Image, String::new())
            });
            if let Some(planned) = self.plan.skills.get_mut(index) {
                planned.delivered = filled.delivered();
                planned.why = why;
            }
            ways.push(filled);
        }
        self.delivered = ways.iter().any(|way| way.delivered() != Delivered::Image);
        ways
    }

    /// What stands in the workload by a render, where that is to stay; else images.
    fn standing_ways(&mut self) -> Vec<Filled<'w>> {
        if !self.options.keeps_delivery {
            return Vec::new();
        }
        let pod = find(self.draft.value(), self.pod_keys());
        let named = self.own.record.as_ref().map_or(&[][..], |record| &record.skills);
        let mut ways = Vec::with_capacity(self.skills.len());
        let mut said = Vec::new();
        for skill in self.skills {
            let found = pod
                .filter(|_| named.contains(&skill.name))
                .and_then(|pod| standing(pod, &volume_name(skill)));
            let Some((delivered, fetched)) = found else {
                ways.push(Filled::Image);
                continue;
            };
            if let Some(fetched) = fetched.filter(|fetched| *fetched != skill.image) {
                said.push(format!(
                    "skill {} is {fetched} in the workload, by an init container, and {} in the list: render the workload again",
                    skill.name, skill.image
                ));
            }
            ways.push(Filled::Standing(delivered));
        }
        for (planned, way) in self.plan.skills.iter_mut().zip(&ways) {
            planned.delivered = way.delivered();
        }
        for message in said {
            self.warn("", message);
        }
        ways
    }

    /// The init containers that fetch skills, in their place; the volumes of the pod with their logins. `has_fetched`: whether init
    /// containers of ours are there.
    pub(super) fn init_containers(
        &mut self,
        ways: &[Filled<'_>],
        has_fetched: bool,
        volumes: Vec<Value>,
    ) -> Result<Vec<Value>, WrongType> {
        let keys = self.pod_keys();
        if ways.iter().any(|way| matches!(way, Filled::Standing(_))) {
            return Ok(volumes);
        }
        let fetched: Vec<usize> = (0..ways.len()).filter(|index| ways[*index] == Filled::Init).collect();
        if fetched.is_empty() && !has_fetched {
            return Ok(volumes);
        }
        let none = Map::new();
        let pod = self.draft.map(keys)?.unwrap_or(&none);
        let init = self.options.delivery.as_deref().map(|delivery| &delivery.init);
        let InitContainers { list, taken, logins } = planned(pod, self.skills, &fetched, init, &self.own);
        let (volumes, logins_taken) = with_logins(pod, volumes, logins.as_ref(), &self.own);
        for (index, list) in taken {
            let name = volume_name(&self.skills[index]);
            let message = format!(
                "skill {} needs an init container {name}, and {list} of the workload has one of that name that is not ours",
                self.skills[index].name
            );
            let at = skill_path(index, "name");
            self.plan.problem(&rules::CONTAINER_TAKEN, &at, message, "rename the skill, or that container");
        }
        if logins_taken {
            let message = format!(
                "the pull secrets need the volume {LOGINS}, and the workload has one that is not ours"
            );
            let at = skill_path(fetched.first().copied().unwrap_or_default(), "name");
            self.plan.problem(&rules::VOLUME_TAKEN, &at, message, "rename that volume");
        }
        self.draft.set_items(keys, INIT_CONTAINERS, list)?;
        Ok(volumes)
    }
}

/// Whether an init container is one by which we fetch a skill: the record names the skill, and the container fills its volume.
fn is_ours(container: &Value, own: &Ownership) -> bool {
    let name = name_of(container);
    name.strip_prefix(SKILL_VOLUME_PREFIX).is_some_and(|skill| own.volume(skill) == Some(Evidence::Record))
        && mounts(container, name)
}

/// Whether a container mounts the volume of this name. One that fetches a skill has the name of the volume that it fills.
fn mounts(container: &Value, volume: &str) -> bool {
    list(container, "volumeMounts").iter().any(|mount| name_of(mount) == volume)
}

/// How a render has delivered the skill of a volume, where that is no image; and the image that its init container fetches.
pub(super) fn standing<'p>(pod: &'p Value, name: &str) -> Option<(Delivered, Option<&'p str>)> {
    let volume = list(pod, "volumes").iter().find(|volume| name_of(volume) == name)?;
    if volume.get("configMap").is_some_and(Value::is_object) {
        return Some((Delivered::ConfigMap, None));
    }
    volume.get("emptyDir").filter(|folder| folder.is_object())?;
    let container =
        list(pod, INIT_CONTAINERS).iter().find(|one| name_of(one) == name && mounts(one, name))?;
    let args = list(container, "args");
    let pulls = args.first().and_then(Value::as_str) == Some(PULL);
    Some((Delivered::Init, args.get(1).and_then(Value::as_str).filter(|_| pulls)))
}

/// Whether a render has filled the volume of this name from a ConfigMap or by an init container.
#[cfg(feature = "internals")]
pub(crate) fn is_filled(pod: &Value, volume: &str) -> bool {
    standing(pod, volume).is_some()
}

/// The image that an init container of a pod fetches into the volume of this name.
#[cfg(feature = "internals")]
pub(crate) fn fetched<'p>(pod: &'p Value, volume: &str) -> Option<&'p str> {
    standing(pod, volume)?.1
}

/// Names of the volumes that init containers of ours fill.
pub(super) fn filled<'p>(pod: Option<&'p Map<String, Value>>, own: &Ownership) -> Vec<&'p str> {
    let all = pod.map_or(&[][..], |pod| of_map(pod, INIT_CONTAINERS));
    all.iter().filter(|container| is_ours(container, own)).map(name_of).collect()
}

/// Whether the volume with pull secrets is ours: it holds Secrets alone, and only init containers of ours mount it.
fn are_our_logins(pod: &Map<String, Value>, volume: &Value, own: &Ownership) -> bool {
    let containers = |key: &str| of_map(pod, key).iter().filter(|container| mounts(container, LOGINS));
    let sources = child(volume, "projected").map(|projected| list(projected, "sources"));
    sources.is_some_and(|all| all.iter().all(|source| source.get("secret").is_some()))
        && containers(INIT_CONTAINERS).next().is_some()
        && ALL.into_iter().flat_map(containers).all(|one| is_ours(one, own))
}

/// The init containers of a pod. `fetched`: indexes of the skills that they are to fetch.
fn planned(
    pod: &Map<String, Value>,
    skills: &[Skill],
    fetched: &[usize],
    init: Option<&Init>,
    own: &Ownership,
) -> InitContainers {
    let mut out = InitContainers::default();
    let fetched: Vec<(usize, &Skill, String)> =
        fetched.iter().map(|index| (*index, &skills[*index], volume_name(&skills[*index]))).collect();
    for (index, _, name) in &fetched {
        let taken = |key: &&str| {
            let is_ours = |one: &Value| *key == INIT_CONTAINERS && is_ours(one, own);
            of_map(pod, key).iter().any(|one| name_of(one) == name && !is_ours(one))
        };
        out.taken.extend(ALL.into_iter().find(taken).map(|key| (*index, key)));
    }
    let secrets = init.map_or_else(Vec::new, |init| secrets(pod, init));
    let own_user = pod.get(CONTEXT).and_then(|context| context.get(RUN_AS_USER));
    let is_root = own_user.and_then(Value::as_u64) == Some(0);
    let fresh = |skill: &Skill, name: &str| {
        init.map(|init| container(name, skill, init, !secrets.is_empty(), is_root)).unwrap_or_default()
    };
    let mut seen = vec![false; fetched.len()];
    for existing in of_map(pod, INIT_CONTAINERS) {
        if !is_ours(existing, own) {
            out.list.push(existing.clone());
        } else if let Some(at) = fetched.iter().position(|(_, _, name)| name == name_of(existing))
            && !seen[at]
        {
            seen[at] = true;
            let (_, skill, name) = &fetched[at];
            out.list.push(updated(existing, fresh(skill, name)));
        }
    }
    let missing = fetched.iter().zip(seen).filter(|(_, seen)| !seen);
    out.list.extend(missing.map(|((_, skill, name), _)| fresh(skill, name)));
    if !fetched.is_empty() && !secrets.is_empty() {
        out.logins = Some(logins(&secrets));
    }
    out
}

/// The list of volumes with that of the logins, or without one of ours that nothing needs; whether one is there that is not ours.
fn with_logins(
    pod: &Map<String, Value>,
    mut volumes: Vec<Value>,
    logins: Option<&Value>,
    own: &Ownership,
) -> (Vec<Value>, bool) {
    let Some(at) = volumes.iter().position(|volume| name_of(volume) == LOGINS) else {
        volumes.extend(logins.cloned());
        return (volumes, false);
    };
    if !are_our_logins(pod, &volumes[at], own) {
        return (volumes, logins.is_some());
    }
    match logins {
        Some(logins) => volumes[at] = logins.clone(),
        None => drop(volumes.remove(at)),
    }
    (volumes, false)
}

/// The pull secrets that are named, or else those of the pod, each once: two files of one path are no volume.
fn secrets(pod: &Map<String, Value>, init: &Init) -> Vec<String> {
    let own = of_map(pod, "imagePullSecrets").iter();
    let mut names: Vec<&str> = match init.pull_secrets.as_slice() {
        [] => own.map(name_of).filter(|name| !name.is_empty()).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names.into_iter().map(str::to_owned).collect()
}

/// A file for each; one that is missing is passed over, as the kubelet does.
fn logins(secrets: &[String]) -> Value {
    let source = |name: &String| {
        let items = json!([{"key": ".dockerconfigjson", "path": format!("{name}.json")}]);
        json!({"secret": {"name": name, "items": items, "optional": true}})
    };
    json!({"name": LOGINS, "projected": {"sources": secrets.iter().map(source).collect::<Vec<_>>()}})
}

/// An argument that the kubelet passes on as it is: it replaces `$(NAME)`, and makes one `$` of two.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// `is_root`: the containers of the pod run as root where they do not say otherwise.
fn container(name: &str, skill: &Skill, init: &Init, logs_in: bool, is_root: bool) -> Value {
    let mut args = vec![PULL.to_owned(), literal(&skill.image)];
    args.extend(["--to", SKILL, "--replace"].map(str::to_owned));
    if !skill.sub_path.is_empty() {
        // One word: the path may begin with a dash.
        args.push(literal(&format!("--sub-path={}", skill.sub_path)));
    }
    let mut mounts = vec![json!({"name": name, "mountPath": SKILL})];
    if logs_in {
        args.extend(["--registry-config", LOGIN].map(str::to_owned));
        mounts.push(json!({"name": LOGINS, "mountPath": LOGIN, "readOnly": true}));
    }
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if is_root {
        context[RUN_AS_USER] = json!(USER);
    }
    json!({
        "name": name,
        "image": init.image,
        "args": args,
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        CONTEXT: context,
        "volumeMounts": mounts,
    })
}

/// An init container of ours that fetches what it should, with what somebody has added to it.
fn updated(existing: &Value, mut fresh: Value) -> Value {
    let is_own = |mount: &Value| [LOGINS, name_of(existing)].contains(&name_of(mount));
    let (Some(existing), Some(wanted)) = (existing.as_object(), fresh.as_object_mut()) else { return fresh };
    let mut out = existing.clone();
    let user = wanted.get(CONTEXT).and_then(|context| context.get(RUN_AS_USER)).cloned();
    if let (Some(user), Some(context)) = (user, out.get_mut(CONTEXT).and_then(Value::as_object_mut)) {
        context.entry(RUN_AS_USER).or_insert(user);
    }
    for key in ["resources", CONTEXT] {
        if existing.contains_key(key) {
            wanted.remove(key);
        }
    }
    if let Some(mounts) = wanted.get_mut("volumeMounts").and_then(Value::as_array_mut) {
        let added = of_map(existing, "volumeMounts").iter();
        mounts.extend(added.filter(|mount| !is_own(mount)).cloned());
    }
    for (key, value) in std::mem::take(wanted) {
        out.insert(key, value);
    }
    Value::Object(out)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.as_object().map_or(&[], |map| of_map(map, key))
}

fn of_map<'v>(map: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    entry(map, key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
