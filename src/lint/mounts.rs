//! Rules about volumes and mounts of skills: a workload in, findings out. What a list of skills alone says wrong is the verdict's;
//! the same rules are asked here about what is written in the workload by hand.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::own::{
    MOUNT_HIDES_IMAGE, MOUNT_NESTED, MOUNT_WITHOUT_VOLUME, PULL_POLICY_STALE, SANDBOX_NO_RESTART,
    SUB_PATH_FILE, SUB_PATH_RUNTIME, VOLUME_UNMOUNTED,
};
use super::rule;
use super::view::{Delivery, Use, Workload, list, text};
use super::{Out, verdict};
use crate::api::agent_runtime::{AgentRuntimeSpec, Skill};
use crate::api::image_reference;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::workload::WorkloadKind;
use crate::validate::preflight::{self, normalized};
use crate::yaml::Step;

/// Endings of files that programs of a container have.
const SCRIPTS: [&str; 7] = [".py", ".js", ".mjs", ".ts", ".sh", ".jar", ".rb"];
/// Endings of files that a skill has.
const FILES: [&str; 8] = [".md", ".py", ".js", ".sh", ".json", ".yaml", ".yml", ".txt"];

pub(super) fn check(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    for (index, one) in workload.uses.iter().enumerate() {
        if one.stands() && one.delivery == Delivery::Image {
            by_hand(workload, one, out);
        }
        stale(workload, one, out);
        sub_path(workload, one, out);
        hides(workload, one, out);
        nested(workload, index, out);
    }
    unpaired(workload, out);
    sandbox(workload, out);
}

/// The lists of containers of a pod.
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// All mounts of a pod: the list of containers, the container's and the mount's index, and the mount.
fn mounts(pod: &Value) -> impl Iterator<Item = (&'static str, usize, usize, &Value)> {
    CONTAINERS.into_iter().flat_map(move |key| {
        list(pod, key).iter().enumerate().flat_map(move |(container, value)| {
            let mounts = list(value, "volumeMounts").iter().enumerate();
            mounts.map(move |(index, mount)| (key, container, index, mount))
        })
    })
}

/// Mounts of skills for which the pod has no volume, and volumes of skills that nothing mounts. What a render mends is not found.
fn unpaired(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    let value = workload.after.unwrap_or(workload.value);
    let (Some(pod), Some(after)) = (workload.pod(), workload.pod_of(value)) else { return };
    let is_named = workload.of_skills();
    let is_delivered = |name: &str| workload.uses.iter().any(|one| one.volume == name);
    let claims = value.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let claims = claims.into_iter().flatten().filter_map(|claim| claim.get("metadata"));
    let there: HashSet<&str> =
        list(after, "volumes").iter().chain(claims).map(|one| text(one, "name")).collect();
    for (key, container, index, mount) in mounts(pod) {
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        let stays = || mounts(after).any(|(.., other)| other == mount);
        if (name.starts_with(SKILL_VOLUME_PREFIX) || is_named(path))
            && !there.contains(name)
            && !is_delivered(name)
            && stays()
        {
            let message =
                format!("mounts the volume {name} at {path}, and the pod has no volume of that name");
            let at = workload.in_pod(&[
                key.into(),
                container.into(),
                "volumeMounts".into(),
                index.into(),
                "name".into(),
            ]);
            out.add(
                &MOUNT_WITHOUT_VOLUME,
                workload.item,
                &at,
                message,
                "add the volume, or take the mount out",
            );
        }
    }
    let mounted: HashSet<&str> = mounts(after).map(|(.., mount)| text(mount, "name")).collect();
    for (index, volume) in list(pod, "volumes").iter().enumerate() {
        let name = text(volume, "name");
        if name.starts_with(SKILL_VOLUME_PREFIX)
            && volume.get("image").is_some_and(Value::is_object)
            && there.contains(name)
            && !mounted.contains(name)
            && !is_delivered(name)
        {
            let message = format!("volume {name} has a skill, and no container mounts it");
            let at = workload.in_pod(&["volumes".into(), index.into(), "name".into()]);
            out.add(&VOLUME_UNMOUNTED, workload.item, &at, message, "mount it, or take it out");
        }
    }
}

/// The verdict's rules about a skill, for a volume that no list asks for.
fn by_hand(workload: &Workload<'_>, one: &Use<'_>, out: &mut Out<'_, '_>) {
    // A volume of another name needs none of a skill's.
    let has_name = one.volume.starts_with(SKILL_VOLUME_PREFIX);
    let skill = Skill {
        name: if has_name { one.name.to_string() } else { "skill".to_owned() },
        image: one.image.to_owned(),
        mount_path: one.path.to_owned(),
        ..Skill::default()
    };
    let spec = AgentRuntimeSpec { skills: vec![skill], ..AgentRuntimeSpec::default() };
    for found in preflight::check(&spec) {
        let place = match found.path.last() {
            Some(Step::Key(field)) if field == "image" => one.image_at(workload),
            Some(Step::Key(field)) if field == "mountPath" => one.mount_at(workload, "mountPath"),
            _ => one.name_at(workload),
        };
        let rule = rule::find(found.rule.id).unwrap_or(&verdict::REFUSED);
        out.add(rule, workload.item, &place, found.message, found.help);
    }
}

fn stale(workload: &Workload<'_>, one: &Use<'_>, out: &mut Out<'_, '_>) {
    let keeps = ["IfNotPresent", "Never"].contains(&one.pull_policy);
    if keeps && image_reference::parse(one.image).is_some_and(|pin| pin.moves()) {
        let message = format!(
            "{} moves, and with {} each node keeps the image that it has",
            one.image, one.pull_policy
        );
        out.add(
            &PULL_POLICY_STALE,
            one.item(workload),
            &one.policy_at(workload),
            message,
            "name a version or a digest",
        );
    }
}

fn sub_path(workload: &Workload<'_>, one: &Use<'_>, out: &mut Out<'_, '_>) {
    let is_image = matches!(one.delivery, Delivery::Image | Delivery::Pod);
    if one.sub_path.is_empty() || !is_image {
        return;
    }
    let at = one.mount_at(workload, "subPath");
    if FILES.iter().any(|ending| one.sub_path.ends_with(ending)) {
        let message =
            format!("{} looks like a file, and containerd mounts folders of an image only", one.sub_path);
        out.add(&SUB_PATH_FILE, one.item(workload), &at, message, "name the folder");
    }
    let message = format!(
        "needs containerd 2.2 or CRI-O 1.33 on every node; containerd 2.1 mounts the whole image at {} without a word",
        one.path
    );
    out.add(&SUB_PATH_RUNTIME, one.item(workload), &at, message, "");
}

/// Whether a normalized path is another one or in it.
pub(super) fn is_in(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A mount over what the container runs.
fn hides(workload: &Workload<'_>, one: &Use<'_>, out: &mut Out<'_, '_>) {
    let Some(container) = workload.containers().get(one.container) else { return };
    let path = normalized(one.path);
    if path == "/" {
        return;
    }
    let folder = text(container, "workingDir");
    let words = |key| list(container, key).iter().filter_map(Value::as_str);
    let program = words("command").next().filter(|word| word.starts_with('/'));
    let scripts = words("command")
        .skip(1)
        .take(1)
        .chain(words("args").take(1))
        .filter(|word| word.starts_with('/') && SCRIPTS.iter().any(|ending| word.ends_with(ending)));
    let hidden = Some(folder)
        .filter(|folder| !folder.is_empty())
        .map(|folder| ("its working directory", folder))
        .into_iter()
        .chain(program.into_iter().chain(scripts).map(|word| ("what it runs,", word)))
        .find(|(_, what)| is_in(&normalized(what), &path));
    if let Some((what, which)) = hidden {
        let message = format!(
            "hides {what} {which} of container {}, which its image has there",
            text(container, "name")
        );
        let at = one.mount_at(workload, "mountPath");
        let help = format!("mount it at a folder of its own, such as /app/skills/{}", one.name);
        out.add(&MOUNT_HIDES_IMAGE, one.item(workload), &at, message, help);
    }
}

/// A mount inside the volume of a skill.
fn nested(workload: &Workload<'_>, index: usize, out: &mut Out<'_, '_>) {
    let outer = &workload.uses[index];
    // The volume that an init container fills can be written to, so that the folder is made in it; a ConfigMap's cannot, as an image's.
    if outer.delivery == Delivery::Fetched && outer.stands() {
        return;
    }
    let folder = normalized(outer.path);
    let is_inside = |path: &Cow<'_, str>| *path != folder && is_in(path, &folder);
    let whose = |what: String| {
        format!("{what} is mounted inside the read-only volume of skill {} at {}", outer.name, outer.path)
    };
    let help = "the container starts only if that image has the folder: mount both side by side";
    for inner in &workload.uses {
        if inner.container == outer.container && is_inside(&normalized(inner.path)) {
            let at = inner.mount_at(workload, "mountPath");
            out.add(&MOUNT_NESTED, inner.item(workload), &at, whose(format!("skill {}", inner.name)), help);
        }
    }
    let Some(container) = workload.containers().get(outer.container) else { return };
    for (mount, value) in list(container, "volumeMounts").iter().enumerate() {
        let name = text(value, "name");
        let is_skill = workload.uses.iter().any(|one| one.volume == name);
        if !is_skill && is_inside(&normalized(text(value, "mountPath"))) {
            let at = workload
                .in_container(outer.container, &["volumeMounts".into(), mount.into(), "mountPath".into()]);
            out.add(&MOUNT_NESTED, workload.item, &at, whose(format!("volume {name}")), help);
        }
    }
}

fn sandbox(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    let is_image = |one: &&Use<'_>| one.delivery == Delivery::Image;
    if workload.kind != WorkloadKind::Sandbox {
        return;
    }
    if let Some(one) = workload.uses.iter().find(is_image) {
        let message = format!("a change of skill {} does not reach the running pod of a Sandbox", one.name);
        let at = one.image_at(workload);
        out.add(&SANDBOX_NO_RESTART, one.item(workload), &at, message, "delete the pod after a change");
    }
}
