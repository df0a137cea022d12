//! The workload of an AgentRuntime as it should be: the one before in, the one after out, with warnings and problems.
//! Source: operator-spec.md section 6; the operator's code in [`exact`], the same without its harm in [`safe`].

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::annotation::{self, Annotation};
use super::draft::Draft;
use super::fields::{At, WrongType, find, items, map_mut, text};
use super::image_volumes::{self, volume_name};
use super::{Action, Options, PlannedSkill, Runtime, RuntimePlan, advice, env, mounts, sandbox};
use crate::api::agent_runtime::Skill;
use crate::api::names::{MANAGED_BY, Names};
use crate::api::workload::WorkloadKind;
use crate::validate::findings::{Finding, rules, skill_path};
use crate::validate::preflight::{self, Mount};

/// Containers that stand beside an agent and never are one: those of the operator's injector and of service meshes.
const SIDECARS: [&str; 8] = [
    "authbridge-proxy",
    "authbridge",
    "envoy-proxy",
    "spiffe-helper",
    "kagenti-client-registration",
    "client-registration",
    "istio-proxy",
    "linkerd-proxy",
];

/// Plans the workload.
pub(super) fn plan(
    plan: RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    options: &Options,
) -> RuntimePlan {
    let mut plan = plan;
    if options.exact {
        exact(&mut plan, runtime, kind, workload, options);
    } else if let Err(WrongType { path, message }) = safe(&mut plan, runtime, kind, workload, options) {
        plan.problem(&rules::WORKLOAD_TYPE, &path, message, "correct the workload");
    }
    plan
}

/// The mTLS mode that the pod template is annotated with (0bd664d on).
fn mtls_mode<'r>(runtime: &'r Runtime<'_>) -> &'r str {
    match runtime.spec.mtls_mode.as_str() {
        "" => "permissive",
        mode => mode,
    }
}

/// The operator's code.
fn exact(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    options: &Options,
) {
    let names = options.profile.names;
    let template = kind.template_key();
    let agent_type = runtime.spec.agent_type.as_str();
    let old_hash = sandbox::template_entry(&workload, kind, "annotations", names.config_hash);
    let skills = runtime.spec.skills.as_slice();
    let mounts = options.profile.mounts() && options.gate && kind.is_typed();
    if mounts {
        plan.skills = planned(skills);
    }
    let configured = text(&workload, &["metadata", "labels", names.type_label]) == agent_type
        && text(&workload, &["metadata", "labels", MANAGED_BY]) == names.managed_by_value
        && text(&workload, &["spec", template, "metadata", "labels", names.type_label]) == agent_type
        && old_hash == plan.config_hash
        && (!options.profile.mtls_annotation
            || sandbox::template_entry(&workload, kind, "annotations", names.mtls_mode)
                == mtls_mode(runtime));
    if configured {
        plan.action = Action::Unchanged;
        plan.reason = "labels and config hash are as they should be".to_owned();
        return;
    }
    let mut after = workload.into_owned();
    let labels = [(names.type_label, agent_type), (MANAGED_BY, names.managed_by_value)];
    sandbox::set_metadata(&mut after, kind, "labels", &labels);
    if options.profile.mounts() {
        let annotation = (options.gate && !skills.is_empty())
            .then(|| annotation::text(skills.iter().map(|skill| skill.name.as_str())));
        sandbox::set_or_remove_annotation(&mut after, kind, names.skills, annotation.as_deref());
    }
    sandbox::set_template(&mut after, kind, "labels", &[(names.type_label, agent_type)]);
    let hash = plan.config_hash.clone();
    let mut annotations = vec![(names.config_hash, hash.as_str())];
    if options.profile.mtls_annotation {
        annotations.push((names.mtls_mode, mtls_mode(runtime)));
    }
    sandbox::set_template(&mut after, kind, "annotations", &annotations);
    if mounts && let Ok(pod) = map_mut(&mut after, &["spec", template, "spec"]) {
        exact_pod(pod, skills);
    }
    plan.action = Action::Configured;
    plan.reason = "the operator writes labels, config hash and skills anew".to_owned();
    let restart = kind == WorkloadKind::Sandbox && !old_hash.is_empty() && old_hash != plan.config_hash;
    plan.write(after, None);
    if restart {
        sandbox::begin_restart(plan, names);
    }
}

/// The operator's changes of a pod; lists of a wrong type cannot come from the API server and are left.
pub(super) fn exact_pod(pod: &mut Map<String, Value>, skills: &[Skill]) {
    let Ok(existing) = items(pod, "volumes", At::Keys(&[])) else { return };
    let list = image_volumes::exact(existing, skills).list;
    set_typed(pod, "volumes", list);
    let Some(Value::Object(container)) =
        pod.get_mut("containers").and_then(Value::as_array_mut).and_then(|containers| containers.first_mut())
    else {
        return;
    };
    let Ok(existing) = items(container, "volumeMounts", At::Keys(&[])) else { return };
    let list = mounts::exact(existing, skills);
    set_typed(container, "volumeMounts", list);
}

/// As a Go struct writes it: an empty list is left out.
fn set_typed(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if list.is_empty() {
        map.shift_remove(key);
    } else {
        map.insert(key.to_owned(), Value::Array(list));
    }
}

pub(super) fn planned(skills: &[Skill]) -> Vec<PlannedSkill> {
    skills.iter().map(|skill| PlannedSkill { skill: skill.clone(), volume: volume_name(skill) }).collect()
}

/// The same result without the operator's harm (operator-spec.md section 11).
fn safe(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    options: &Options,
) -> Result<(), WrongType> {
    let profile = options.profile;
    let observes = !profile.mounts();
    if observes && runtime.object.pointer("/spec/skills").is_none_or(Value::is_null) {
        plan.reason = "the AgentRuntime says nothing of skills".to_owned();
        return Ok(());
    }
    // The operators that mount never do so in Sandboxes (section 7); where it is left to the workload's manifest, it works.
    let touches_pod = observes || (options.gate && kind.is_typed());
    let skills: &[Skill] = if touches_pod { &runtime.spec.skills } else { &[] };
    plan.skills = planned(skills);
    let before = match workload {
        Cow::Borrowed(workload) => Some(workload),
        Cow::Owned(_) => None,
    };
    let mut draft = Draft::new(workload.into_owned());
    if !observes || profile.observer_render.type_label {
        safe_labels(plan, runtime, kind, &mut draft, profile.names)?;
    }
    let mut pod_facts = PodFacts::default();
    if kind.is_typed() || observes {
        pod_facts.before = image_volumes_before(draft.value(), kind);
    }
    if touches_pod {
        safe_pod(plan, kind, &mut draft, skills, options, &mut pod_facts)?;
    }
    if observes && kind == WorkloadKind::Sandbox && !skills.is_empty() {
        plan.warn(
            "",
            "a Sandbox does not restart by itself when its skills change; delete its pod to load them",
        );
    }
    safe_annotation(plan, runtime, &mut draft, skills, &pod_facts, options)?;
    if !kind.is_typed() && !observes && options.gate && !runtime.spec.skills.is_empty() {
        plan.warn(
            "Q18",
            "skills are not mounted into a Sandbox, and the annotation that would say so is not written",
        );
    }
    let annotations = ["spec", kind.template_key(), "metadata", "annotations"];
    let old_hash = find(draft.value(), &annotations).map(|map| text(map, &[profile.names.config_hash]));
    let restarts = old_hash.is_some_and(|hash| !hash.is_empty() && hash != plan.config_hash);
    if !observes || profile.observer_render.config_hash {
        draft.set(&annotations, profile.names.config_hash, plan.config_hash.as_str())?;
    }
    let changed = draft.is_touched();
    let (after, touched) = draft.into_parts();
    // To compare the whole would take longer than all of the above; tests, where there is time, do.
    debug_assert!(before.is_none_or(|before| changed == (*before != after)), "a change was not noted");
    plan.action = if changed { Action::Configured } else { Action::Unchanged };
    let gate_off = !observes && !options.gate && !runtime.spec.skills.is_empty();
    if plan.action == Action::Unchanged {
        plan.reason = if gate_off {
            format!("the gate {} is off: no skill is mounted", profile.skill_gate)
        } else {
            "the workload is as it should be".to_owned()
        };
        return Ok(());
    }
    plan.reason = match skills.len() {
        0 if gate_off => format!("the gate {} is off: no skill is to be mounted", profile.skill_gate),
        0 => "no skills are to be mounted".to_owned(),
        1 => "1 skill is to be mounted".to_owned(),
        count => format!("{count} skills are to be mounted"),
    };
    // A Sandbox that is scaled to nothing runs no old pod (Q19).
    let runs = sandbox::runs(&after);
    plan.write(after, Some(touched));
    if kind == WorkloadKind::Sandbox && options.restarts && runs && restarts {
        sandbox::begin_restart(plan, profile.names);
    }
    Ok(())
}

fn safe_labels(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    draft: &mut Draft,
    names: &'static Names,
) -> Result<(), WrongType> {
    let labels = ["metadata", "labels"];
    draft.set(&labels, names.type_label, runtime.spec.agent_type.as_str())?;
    let manager = draft.map(&labels)?.and_then(|map| map.get(MANAGED_BY)).and_then(Value::as_str);
    match manager.filter(|manager| !manager.is_empty() && *manager != names.managed_by_value) {
        None => draft.set(&labels, MANAGED_BY, names.managed_by_value)?,
        Some(manager) => plan.warn(
            "Q17",
            format!("the label {MANAGED_BY} says {manager} and is left; the operator would overwrite it"),
        ),
    }
    draft.set(
        &["spec", kind.template_key(), "metadata", "labels"],
        names.type_label,
        runtime.spec.agent_type.as_str(),
    )
}

/// What the annotation has to know of the pod.
#[derive(Debug, Default)]
pub(super) struct PodFacts {
    /// Names of skills whose image volumes were there before.
    pub before: std::collections::HashSet<String>,
    /// Whether volumes of others with our prefix are there.
    pub foreign: bool,
    /// Paths of mounts of ours that went.
    pub dropped_paths: Vec<String>,
    /// Names of image volumes that went.
    pub dropped_volumes: std::collections::BTreeSet<String>,
}

/// Names of skills whose image volumes are in the workload.
pub(super) fn image_volumes_before(
    workload: &Value,
    kind: WorkloadKind,
) -> std::collections::HashSet<String> {
    let volumes = find(workload, &["spec", kind.template_key(), "spec", "volumes"]).and_then(Value::as_array);
    image_volumes::skills_before(volumes.map_or(&[], Vec::as_slice))
}

/// Volumes, mounts and `SKILL_FOLDERS`.
pub(super) fn safe_pod(
    plan: &mut RuntimePlan,
    kind: WorkloadKind,
    draft: &mut Draft,
    skills: &[Skill],
    options: &Options,
    facts: &mut PodFacts,
) -> Result<(), WrongType> {
    let keys = ["spec", kind.template_key(), "spec"];
    let pod = draft.map(&keys)?;
    if pod.is_none() && skills.is_empty() {
        return Ok(());
    }
    let existing = pod.map_or(Ok(&[][..]), |pod| items(pod, "volumes", At::Keys(&keys)))?;
    let volumes = image_volumes::safe(existing, skills);
    for (index, source) in &volumes.collisions {
        let skill = &skills[*index];
        plan.problem(
            &rules::VOLUME_TAKEN,
            &skill_path(*index, "name"),
            format!(
                "skill {} needs the volume {}, and the workload has a volume of that name ({source}) that is not ours",
                skill.name,
                volume_name(skill)
            ),
            "rename the skill, or that volume",
        );
    }
    for (index, skill) in skills.iter().enumerate() {
        defects(plan, index, skill, &skills[..index]);
    }
    for name in &volumes.foreign {
        plan.warn(
            "Q4",
            format!("volume {name} is not an image volume and is left; the operator would remove it"),
        );
    }
    for name in &volumes.kept_changes {
        plan.warn(
            "Q11",
            format!("volume {name} keeps the pullPolicy that it has; the operator would remove it"),
        );
    }
    facts.foreign = !volumes.foreign.is_empty();
    facts.dropped_volumes = volumes.dropped.iter().cloned().collect();
    safe_containers(plan, draft, keys, skills, options, &volumes, facts)?;
    draft.set_items(&keys, "volumes", volumes.list)
}

/// What makes the API server refuse the pod, though a CRD without a webhook lets it pass (Q12, Q13).
fn defects(plan: &mut RuntimePlan, index: usize, skill: &Skill, earlier: &[Skill]) {
    for finding in preflight::check_skill(index, skill).into_iter().filter(Finding::is_error) {
        plan.refuse(finding);
    }
    if earlier.iter().any(|other| other.name == skill.name) {
        plan.problem(
            &rules::VOLUME_TWICE,
            &skill_path(index, "name"),
            format!("skill {} is there twice, and a pod takes a volume once", skill.name),
            "rename one of them, or remove it",
        );
    }
}

/// A list of a container, as it should be.
type Lists = Vec<(&'static str, Vec<Value>)>;

fn safe_containers(
    plan: &mut RuntimePlan,
    draft: &mut Draft,
    keys: [&'static str; 3],
    skills: &[Skill],
    options: &Options,
    volumes: &image_volumes::Volumes,
    facts: &mut PodFacts,
) -> Result<(), WrongType> {
    let none = Map::new();
    let at = At::Keys(&keys);
    let agent = agent_container(plan, draft.map(&keys)?.unwrap_or(&none), at, skills, options)?;
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let inside = At::Key(&at, list);
        let count = items(draft.map(&keys)?.unwrap_or(&none), list, at)?.len();
        for index in 0..count {
            let containers = items(draft.map(&keys)?.unwrap_or(&none), list, at)?;
            let Some(Value::Object(container)) = containers.get(index) else { continue };
            let inside = At::Index(&inside, index);
            let lists = if list == "containers" && Some(index) == agent {
                let mut lists = agent_mounts(plan, container, inside, skills, volumes, facts)?;
                lists.extend(folders(plan, container, inside, skills, options, facts)?);
                lists
            } else {
                without_dangling(plan, container, inside, skills, options, volumes)?
            };
            for (key, items) in lists {
                draft.set_container_items(&keys, list, index, key, items);
            }
        }
    }
    Ok(())
}

/// Mounts of volumes that go, of containers that are not the agent's.
fn without_dangling(
    plan: &mut RuntimePlan,
    container: &Map<String, Value>,
    at: At<'_>,
    skills: &[Skill],
    options: &Options,
    volumes: &image_volumes::Volumes,
) -> Result<Lists, WrongType> {
    let existing = items(container, "volumeMounts", at)?;
    let Some(kept) = mounts::without_dangling(existing, &volumes.dropped) else { return Ok(Lists::new()) };
    let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
    plan.warn("Q6", format!("mounts of removed skills go from container {name} as well; the operator would leave them dangling"));
    let mut lists = vec![("volumeMounts", kept)];
    if options.remove {
        // It was the agent container of a render with --container.
        let dropped_paths = mounts::paths_of(existing, &volumes.dropped);
        let facts = PodFacts { dropped_paths, ..PodFacts::default() };
        lists.extend(folders(plan, container, at, skills, options, &facts)?);
    }
    Ok(lists)
}

/// Index of the agent container; none where there is no container and none is needed.
fn agent_container(
    plan: &mut RuntimePlan,
    pod: &Map<String, Value>,
    at: At<'_>,
    skills: &[Skill],
    options: &Options,
) -> Result<Option<usize>, WrongType> {
    let containers = items(pod, "containers", at)?;
    let name =
        |container: &Value| container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let inside = || At::Key(&at, "containers").steps();
    if let Some(wanted) = &options.container {
        let found = containers.iter().position(|container| name(container) == *wanted);
        if found.is_none() {
            let known: Vec<String> = containers.iter().map(name).collect();
            let message = format!("there is no container {wanted}");
            plan.problem(&rules::CONTAINER, &inside(), message, format!("name one of: {}", known.join(", ")));
        }
        return Ok(found);
    }
    let Some(first) = containers.first() else {
        if !skills.is_empty() {
            plan.problem(
                &rules::CONTAINER,
                &inside(),
                "there is no container to mount skills into",
                "give the pod a container",
            );
        }
        return Ok(None);
    };
    let first = name(first);
    if !skills.is_empty() && containers.len() > 1 && SIDECARS.contains(&first.as_str()) {
        let message = format!(
            "skills are mounted into the first container, {first}, which looks like a sidecar; --container names another"
        );
        plan.warn("Q10", message);
    }
    Ok(Some(0))
}

fn agent_mounts(
    plan: &mut RuntimePlan,
    container: &Map<String, Value>,
    at: At<'_>,
    skills: &[Skill],
    volumes: &image_volumes::Volumes,
    facts: &mut PodFacts,
) -> Result<Lists, WrongType> {
    let existing = items(container, "volumeMounts", at)?;
    let mounts = mounts::safe(existing, skills, &volumes.foreign);
    let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let others: Vec<Mount<'_>> = mounts.others.iter().map(|(volume, path)| Mount { volume, path }).collect();
    let collides = |index: &usize| volumes.collisions.iter().any(|(other, _)| other == index);
    for (index, finding) in preflight::check_mounts(&name, &others, skills) {
        if collides(&index) {
            // A mount of the volume that is not ours; the collision says so.
            continue;
        }
        plan.refuse(finding);
    }
    advice::nested(plan, mounts.others.iter().map(|(volume, path)| (volume.as_str(), path.as_str())), skills);
    for path in &mounts.kept_changes {
        plan.warn(
            "Q11",
            format!("the mount at {path} keeps what was added to it; the operator would replace it"),
        );
    }
    facts.dropped_paths.clone_from(&mounts.dropped_paths);
    Ok(vec![("volumeMounts", mounts.list)])
}

/// `SKILL_FOLDERS`.
fn folders(
    plan: &mut RuntimePlan,
    container: &Map<String, Value>,
    at: At<'_>,
    skills: &[Skill],
    options: &Options,
    facts: &PodFacts,
) -> Result<Option<(&'static str, Vec<Value>)>, WrongType> {
    let profile = options.profile;
    let environment = items(container, "env", at)?;
    let by_default = !profile.mounts() && profile.observer_render.skill_folders;
    let wanted = options.skill_folders.unwrap_or(by_default);
    // Who takes everything out and does not say whether that was in: only what looks as we leave it.
    let forgotten = options.skill_folders.is_none()
        && options.remove
        && env::ends_with(environment, &facts.dropped_paths);
    if !wanted && !forgotten {
        return Ok(None);
    }
    let paths: Vec<&str> = skills.iter().map(|skill| skill.mount_path.as_str()).collect();
    // Agents split the value at commas and strip blanks: such a path would be read as others, and added in every run.
    for (index, path) in
        paths.iter().enumerate().filter(|(_, path)| path.contains(',') || path.trim() != **path)
    {
        let field = skill_path(index, "mountPath");
        let message = format!("SKILL_FOLDERS cannot name {path:?}: its paths are separated by commas");
        plan.problem(
            &rules::SKILL_FOLDERS_PATH,
            &field,
            message,
            "choose another path, or render with --skill-folders=false",
        );
    }
    match env::merge(environment, &paths, &facts.dropped_paths) {
        Ok(None) => {}
        Ok(Some(list)) => return Ok(Some(("env", list))),
        Err(index) => {
            let env = At::Key(&at, "env");
            let field = At::Key(&At::Index(&env, index), "valueFrom").steps();
            plan.problem(
                &rules::SKILL_FOLDERS_SOURCE,
                &field,
                env::NOT_A_VALUE,
                "write the value itself, or render with --skill-folders=false",
            );
        }
    }
    Ok(None)
}

/// The skills annotation.
pub(super) fn safe_annotation(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    draft: &mut Draft,
    skills: &[Skill],
    facts: &PodFacts,
    options: &Options,
) -> Result<(), WrongType> {
    let key = options.profile.names.skills;
    let keys = ["metadata", "annotations"];
    let existing = find(draft.value(), &keys).and_then(|map| map.get(key)).and_then(Value::as_str);
    let names: Vec<&str> = skills.iter().map(|skill| skill.name.as_str()).collect();
    let in_spec = runtime.spec.skills.iter().map(|skill| skill.name.as_str());
    let ours = facts.before.iter().map(String::as_str).chain(in_spec).collect();
    advice::unrecorded(plan, existing, &facts.dropped_volumes);
    let foreign =
        "the skills annotation names skills of others, which are kept; the operator would remove them";
    match annotation::wanted(existing, &names, &ours, facts.foreign) {
        Annotation::Keep => {}
        Annotation::KeepForeign => plan.warn("Q5", foreign),
        Annotation::Set(text) => draft.set(&keys, key, text)?,
        Annotation::SetWithForeign(text) => {
            plan.warn("Q5", foreign);
            draft.set(&keys, key, text)?;
        }
        Annotation::Remove => draft.remove(&keys, key),
    }
    Ok(())
}
