//! The skills that manifests give: those of their plans, as `report` has them, and those that are written into workloads and
//! pods by hand.

use std::collections::BTreeSet;

use kubectl_skills::api::names::{SKILL_BINDING, SKILL_VOLUME_PREFIX};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::render::{Planned, PlannedRuntime, plan_all};
use kubectl_skills::manifest::set_skills::image_of;
use kubectl_skills::manifest::stream::{Item, Stream};
use serde_json::Value;

use super::super::files::settings_of;
use super::super::report::skills_of;
use super::{Args, Row};
use crate::exit::Failure;
use crate::notes;
use crate::planning::DEFAULT_NAMESPACE;

/// The rows of the manifests, by namespace and agent.
pub(super) fn rows(args: &Args) -> Result<Vec<Row>, Failure> {
    let inputs = args.input.read()?;
    let planning = args.planning.resolve()?;
    let namespace = args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let stream = Stream::read_all(&inputs.sources, namespace, planning.kinds)?;
    let (settings, _) = settings_of(&stream, &planning, false, &args.live.cluster)?;
    let planned = plan_all(&stream, &settings);
    let mut rows: Vec<Row> = planned.plans.iter().flat_map(|one| of_plan(&stream, one)).collect();
    rows.extend(by_hand(&stream, planning.kinds, &rows));
    rows.sort_by(|a, b| {
        let key = |row: &Row| {
            (row.namespace.clone(), row.agent.is_empty(), row.agent.clone(), row.workload.clone())
        };
        key(a).cmp(&key(b))
    });
    tell(&planned);
    Ok(rows)
}

/// What cannot be carried out is listed all the same; that it cannot is said.
fn tell(planned: &Planned) {
    let refused: BTreeSet<String> =
        planned.errors.iter().filter_map(|error| error.object.as_ref()).map(ToString::to_string).collect();
    if !refused.is_empty() {
        let names: Vec<String> = refused.into_iter().collect();
        notes::warning(&format!("cannot be carried out, as 'plan' says why: {}", names.join(", ")));
    }
}

fn of_plan(stream: &Stream<'_>, one: &PlannedRuntime) -> Vec<Row> {
    let plan = &one.plan;
    let lead = stream.lead(one.lead);
    let is_added =
        |item: &&Item| item.id.namespace == plan.id.namespace && plan.added.contains(&item.id.name);
    // Most have none, and the SkillBindings of the input are many.
    let all = if plan.added.is_empty() { &[] } else { stream.bindings.as_slice() };
    let lists: Vec<(&Item, Value)> = std::iter::once(lead)
        .chain(all.iter().filter(is_added))
        .filter_map(|item| Some((item, stream.object(item).ok()?)))
        .collect();
    let row = |skill: kubectl_skills::api::agent_runtime::Skill| {
        let listed =
            lists.iter().find_map(|(item, object)| Some((*item, object, image_of(object, &skill.name)?)));
        let (source, delivery, written) = match listed {
            Some((item, object, image)) => (source(&item.id.kind, &item.id.name), delivery(object), image),
            None => ("workload".to_owned(), "Workload".to_owned(), skill.image.as_str()),
        };
        Row {
            namespace: plan.id.namespace.clone(),
            kind: plan.id.kind.clone(),
            group: plan.id.group().to_owned(),
            agent: plan.id.name.clone(),
            workload: workload(&plan.target.kind, &plan.target.name),
            locked: written != skill.image,
            skill: skill.name,
            image: skill.image.clone(),
            path: skill.mount_path,
            sub_path: skill.sub_path,
            delivery,
            source,
            container: plan.container.clone().unwrap_or_default(),
            state: None,
        }
    };
    skills_of(stream, one).into_iter().map(row).collect()
}

fn workload(kind: &str, name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("{kind}/{name}") }
}

/// Whose list a skill is in.
pub(super) fn source(kind: &str, name: &str) -> String {
    if kind == SKILL_BINDING { format!("{kind}/{name}") } else { kind.to_owned() }
}

/// How a list is delivered.
fn delivery(list: &Value) -> String {
    let said = Object(list).str("/spec/delivery");
    if said.is_empty() { "Workload".to_owned() } else { said.to_owned() }
}

/// Volumes of skills in workloads and pods that are in no row yet.
fn by_hand(stream: &Stream<'_>, kinds: Kinds, known: &[Row]) -> Vec<Row> {
    let known: BTreeSet<(&str, &str, &str)> =
        known.iter().map(|row| (row.namespace.as_str(), row.workload.as_str(), row.skill.as_str())).collect();
    let mut out = Vec::new();
    for item in stream.workloads.iter().chain(&stream.others) {
        let Some(keys) = kinds.pod_of(&item.id) else { continue };
        let Ok(object) = stream.object(item) else { continue };
        let workload = workload(&item.id.kind, &item.id.name);
        let pod = keys.iter().try_fold(&object, |at, key| at.get(*key)).unwrap_or(&Value::Null);
        for volume in pod.get("volumes").and_then(Value::as_array).into_iter().flatten() {
            let image = Object(volume).str("/image/reference");
            let name = Object(volume).str("/name");
            let Some(skill) = name.strip_prefix(SKILL_VOLUME_PREFIX).filter(|_| !image.is_empty()) else {
                continue;
            };
            if known.contains(&(item.id.namespace.as_str(), workload.as_str(), skill)) {
                continue;
            }
            let (container, path, sub_path) = mount(pod, name);
            out.push(Row {
                namespace: item.id.namespace.clone(),
                workload: workload.clone(),
                skill: skill.to_owned(),
                image: image.to_owned(),
                path,
                sub_path,
                delivery: "Workload".to_owned(),
                source: "workload".to_owned(),
                container,
                ..Row::default()
            });
        }
    }
    out
}

/// The first container that mounts a volume, where, and what of it.
fn mount(pod: &Value, volume: &str) -> (String, String, String) {
    let containers = pod.get("containers").and_then(Value::as_array).into_iter().flatten();
    for container in containers {
        let mounts = container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten();
        if let Some(mount) = mounts.map(Object).find(|mount| mount.str("/name") == volume) {
            let texts = [Object(container).str("/name"), mount.str("/mountPath"), mount.str("/subPath")];
            let [container, path, sub_path] = texts.map(str::to_owned);
            return (container, path, sub_path);
        }
    }
    Default::default()
}
