//! What a plan says alongside its result: the workload before and the AgentRuntime in, warnings out. Each names what the
//! operator would have left or hidden (operator-spec.md section 11); nothing here changes a result.

use std::borrow::Cow;

use foldhash::HashMap;
use serde_json::Value;

use super::fields::{find, text};
use super::{Action, Options, PlannedSkill, Runtime, RuntimePlan, image_volumes};
use crate::api::agent_runtime::Skill;
use crate::api::names::{MANAGED_BY, Names, RESTART_HASH};
use crate::api::workload::WorkloadKind;
use crate::config::layers::{Ignored, Layer, ResolvedConfig};
use crate::validate::preflight::normalized;
use crate::validate::webhook::PROTECTED_PATHS;

/// Where Kubernetes' service account token really is: `/var/run` is a link to `/run` in most images.
const RUN_SECRETS: &str = "/run/secrets";

/// What the workload was before the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Before {
    /// The operator would take it for configured by labels and hash alone, and look no further.
    shortcut: bool,
    /// Volumes of ours, in order.
    volumes: Vec<String>,
}

impl Before {
    /// Looks at the workload before it is planned.
    pub(super) fn of(
        workload: &Value,
        runtime: &Runtime<'_>,
        kind: WorkloadKind,
        hash: &str,
        names: &Names,
    ) -> Self {
        let template = |keys, key| find(workload, keys).map_or("", |map| text(map, &[key]));
        let paths = kind.paths();
        let agent_type = runtime.spec.agent_type.as_str();
        let shortcut = text(workload, &["metadata", "labels", names.type_label]) == agent_type
            && text(workload, &["metadata", "labels", MANAGED_BY]) == names.managed_by_value
            && template(paths.labels, names.type_label) == agent_type
            && template(paths.annotations, names.config_hash) == hash;
        let volumes = find(workload, paths.pod).and_then(|pod| pod.get("volumes")).and_then(Value::as_array);
        let ours = volumes.into_iter().flatten().filter(|volume| image_volumes::is_skill_image(volume));
        Self { shortcut, volumes: ours.map(|volume| image_volumes::name_of(volume).to_owned()).collect() }
    }
}

/// Adds the warnings of a run that configures its workload.
pub(super) fn add(
    plan: &mut RuntimePlan,
    before: &Before,
    kind: WorkloadKind,
    config: &ResolvedConfig,
    options: &Options,
) {
    if options.profile.mounts() {
        let only_notes = plan.touches_only(&["metadata", "annotations", RESTART_HASH]);
        if before.shortcut && plan.action == Action::Configured && !only_notes {
            plan.warn_of_deed(
                "Q7",
                "the workload is not as the AgentRuntime says and is mended; the operator would leave it, since labels \
                 and config hash are as they should be",
            );
        }
        if !options.gate && kind.is_typed() && !before.volumes.is_empty() {
            let message = format!(
                "the feature gate {} is off and {} stays mounted, as the operator leaves it; render --remove takes it out",
                options.profile.skill_gate,
                before.volumes.join(", ")
            );
            plan.warn("Q8", message);
        }
        hidden(plan, config);
    }
    let mounted = std::mem::take(&mut plan.skills);
    for PlannedSkill { skill, .. } in &mounted {
        if let Some(prefix) = protected(&skill.mount_path) {
            let message = format!(
                "skill {} is mounted at {}, which is inside {prefix}: the container may not start, and not every check finds it",
                skill.name, skill.mount_path
            );
            plan.warn("Q14", message);
        }
    }
    let paths: Vec<Cow<'_, str>> = mounted.iter().map(|one| place(&one.skill.mount_path)).collect();
    let outer = first_by_path(&paths);
    for (PlannedSkill { skill, .. }, path) in mounted.iter().zip(&paths) {
        if let Some(outer) = around(path, &outer).map(|index| &mounted[index].skill) {
            let message = format!(
                "skill {} is mounted at {}, inside the read-only volume of skill {}: the container starts only if that \
                 image has the directory",
                skill.name, skill.mount_path, outer.name
            );
            plan.warn("Q21", message);
        }
    }
    drop(outer);
    drop(paths);
    plan.skills = mounted;
}

/// Where a skill is mounted; one that says nothing is nowhere, and not at the root.
fn place(mount_path: &str) -> Cow<'_, str> {
    if mount_path.is_empty() { Cow::Borrowed("") } else { normalized(mount_path) }
}

/// Warns of mounts of others that lie inside a skill's volume.
pub(super) fn nested<'m>(
    plan: &mut RuntimePlan,
    others: impl Iterator<Item = (&'m str, &'m str)>,
    skills: &[Skill],
) {
    let paths: Vec<Cow<'_, str>> = skills.iter().map(|skill| place(&skill.mount_path)).collect();
    let outer = first_by_path(&paths);
    for (volume, path) in others {
        let Some(index) = around(&normalized(path), &outer) else { continue };
        let message = format!(
            "volume {volume} is mounted at {path}, inside the read-only volume of skill {}: the container starts only if \
             that image has the directory",
            skills[index].name
        );
        plan.warn("Q21", message);
    }
}

/// ConfigMaps that the deployed operator does not see though they are where it should read them.
fn hidden(plan: &mut RuntimePlan, config: &ResolvedConfig) {
    let maps: Vec<String> = config
        .ignored()
        .filter(|(layer, why, _)| *layer == Layer::AuthBridgeRuntime && *why == Ignored::Invisible)
        .map(|(_, _, map)| format!("{}/{}", map.namespace, map.name))
        .collect();
    for map in maps {
        let message = format!(
            "ConfigMap {map} is not in the config hash, for the deployed operator does not see it: a change of it rolls \
             nothing (--config-view full takes it in)"
        );
        plan.warn("Q1", message);
    }
}

/// Normalized paths, each with the first skill that has it.
fn first_by_path<'p>(paths: &'p [Cow<'_, str>]) -> HashMap<&'p str, usize> {
    paths.iter().enumerate().rev().map(|(index, path)| (path.as_ref(), index)).collect()
}

/// The outermost of these paths that a normalized path is strictly inside of.
fn around(path: &str, outer: &HashMap<&str, usize>) -> Option<usize> {
    if path == "/" {
        return None;
    }
    let ends = path.match_indices('/').map(|(end, _)| if end == 0 { "/" } else { &path[..end] });
    ends.filter_map(|parent| outer.get(parent)).next().copied()
}

/// Whether a normalized path is strictly inside another one.
fn is_below(path: &str, outer: &str) -> bool {
    path != outer && (outer == "/" || path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/')))
}

/// The protected path that a mount path is, or is inside of.
fn protected(path: &str) -> Option<&'static str> {
    let path = normalized(path);
    let mut all = PROTECTED_PATHS.iter().copied().chain(std::iter::once(RUN_SECRETS));
    all.find(|prefix| path == *prefix || is_below(&path, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The webhook compares texts: it refuses `/devops` and accepts `//proc`.
    #[test]
    fn protected_paths_are_met_by_segment_and_in_every_spelling() {
        for path in
            ["/proc", "//proc", "/./proc/self", "/x/../sys", "/run/secrets", "/var/run/secrets/a", "/dev/"]
        {
            assert!(protected(path).is_some(), "{path}");
        }
        for path in ["/devops", "/process", "/system", "/app/skills", "/", "/PROC", "/var/run", "/run"] {
            assert_eq!(protected(path), None, "{path}");
        }
    }

    #[test]
    fn below_means_by_segment() {
        assert!(is_below("/a/b", "/a"));
        assert!(is_below("/a", "/"));
        assert!(!is_below("/a", "/a"));
        assert!(!is_below("/ab", "/a"));
        assert_eq!(normalized("/a//b/./c/../d/"), "/a/b/d");
        assert_eq!(normalized("/../.."), "/");
    }
}
