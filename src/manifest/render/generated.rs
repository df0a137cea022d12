//! Manifests nobody wrote: bytes in; agents, workloads that look as if they had been rendered, and what a render must hold
//! for them out. The properties in `tests` and the fuzz target `never_rendered` share it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Settings, edit, plan_all, render};
use crate::api::error::InputError;
use crate::api::names::{MANAGED_BY, RECORD, SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::profile::{PROFILES, Profile};
use crate::api::workload::WorkloadKind;
use crate::manifest::stream::{Source, Stream};
use crate::plan::RecordMode;
use crate::yaml::edit::generated::{Author, Dice, bare, tree};
use crate::yaml::{Document, split};

const SKILLS: [&str; 6] = ["forecast", "alerts", "a", "0", "yes", "z-9"];

fn skills(dice: &mut Dice<'_>) -> Value {
    let count = dice.roll(4);
    let first = dice.roll(SKILLS.len());
    let mut out: Vec<Value> = Vec::new();
    for at in 0..count {
        let name = SKILLS[(first + at) % SKILLS.len()];
        let mut skill = json!({"name": name, "image": format!("ghcr.io/acme/{name}:{}", dice.pick(&["1.0.0", "latest", "0x1"])),
                               "mountPath": format!("/skills/{name}")});
        if dice.one_in(3) {
            skill["pullPolicy"] = json!(dice.pick(&["Always", "Never", "IfNotPresent"]));
        }
        out.push(skill);
    }
    Value::Array(out)
}

fn container(dice: &mut Dice<'_>, name: &str) -> Value {
    let mut out = json!({"name": name, "image": "i:1"});
    if dice.one_in(2) {
        out["env"] =
            json!([{"name": "PORT", "value": "8000"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {}}}]);
    }
    match dice.roll(4) {
        0 => {}
        1 => out["volumeMounts"] = json!([]),
        2 => out["volumeMounts"] = Value::Null,
        _ => out["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]),
    }
    out
}

pub(super) fn workload(dice: &mut Dice<'_>, kind: WorkloadKind, name: &str) -> Value {
    let mut containers = vec![container(dice, "agent")];
    if dice.one_in(2) {
        containers.push(container(dice, "proxy"));
    }
    let mut pod = json!({"containers": containers});
    match dice.roll(5) {
        0 => {}
        1 => pod["volumes"] = json!([]),
        2 => pod["volumes"] = Value::Null,
        3 => pod["volumes"] = json!([{"name": "cache", "emptyDir": {}}]),
        _ => {
            pod["volumes"] =
                json!([{"name": "skill-7", "configMap": {"name": "x"}}, {"name": "cache", "emptyDir": {}}])
        }
    }
    let mut template = json!({"metadata": {"labels": {"app": name}}, "spec": pod});
    if dice.one_in(4) {
        template["metadata"]["annotations"] = json!({"team": "on"});
    }
    let mut out = json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": {"name": name}, "spec": {}});
    out["spec"][kind.paths().template[1]] = template;
    match dice.roll(4) {
        0 => {}
        1 => out["metadata"]["labels"] = json!({}),
        2 => out["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-wave": "1"}),
        _ => out["metadata"]["labels"] = json!({"app": name}),
    }
    out["spec"]["foreign"] = tree(dice, 2);
    out
}

fn runtime(dice: &mut Dice<'_>, kind: WorkloadKind, name: &str) -> Value {
    let mut out = json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": name},
        "spec": {"type": dice.pick(&["agent", "tool"]),
                 "targetRef": {"apiVersion": kind.api_version(), "kind": kind.name(), "name": name}},
    });
    if !dice.one_in(8) {
        out["spec"]["skills"] = skills(dice);
    }
    out
}

/// An AgentRuntime, or a SkillBinding in its place.
pub(super) fn asking(dice: &mut Dice<'_>, kind: WorkloadKind, name: &str) -> Value {
    let mut out = runtime(dice, kind, name);
    let has_skills = out["spec"]["skills"].as_array().is_some_and(|skills| !skills.is_empty());
    if has_skills && dice.one_in(4) {
        out["apiVersion"] = json!(format!("{SKILLS_GROUP}/{VERSION}"));
        out["kind"] = json!(SKILL_BINDING);
        out["spec"].as_object_mut().map(|spec| spec.shift_remove("type"));
    }
    out
}

pub(super) fn joined(documents: &[String]) -> String {
    let mut out = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            if !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str("---\n");
        }
        out.push_str(document);
    }
    out
}

/// The text after a render, or why there is none.
///
/// A render looks only at what the plan has touched, and proves items of lists one by one. The long way, whole objects in
/// whole documents, comes to the same bytes.
pub(super) fn run(text: &str, settings: &Settings) -> Result<String, Vec<InputError>> {
    let sources = [Source { name: "-".into(), text: text.into() }];
    let stream = Stream::read(&sources, "default")?;
    let rendered = render(&stream, settings);
    let whole = edit(&stream, &plan_all(&stream, settings));
    match (&rendered, &whole) {
        (Ok(rendered), Ok(whole)) => assert_eq!(rendered.edited, *whole, "of\n{text}"),
        (Err(short), Err(long)) => assert_eq!(short, long, "of\n{text}"),
        (short, long) => panic!("{short:?}\n{long:?}\nof\n{text}"),
    }
    rendered.map(|rendered| rendered.edited.chunks(0, text).collect())
}

/// All workloads of a text, by name.
pub(super) fn workloads(text: &str) -> BTreeMap<String, Value> {
    fn collect(object: Value, out: &mut BTreeMap<String, Value>) {
        if let Some(Value::Array(items)) = object.get("items") {
            items.iter().cloned().for_each(|item| collect(item, out));
        } else if object["kind"].as_str().is_some_and(|kind| WorkloadKind::parse(kind).is_some()) {
            out.insert(object["metadata"]["name"].as_str().unwrap_or_default().to_owned(), bare(&object));
        }
    }
    let mut out = BTreeMap::new();
    for slice in split(text) {
        if let Ok(object) = Document::parse(slice.text(text)).and_then(|document| document.to_value()) {
            collect(object, &mut out);
        }
    }
    out
}

/// A workload with what its author wrote by hand and that looks like ours: volumes with the name of a skill, their mounts,
/// names in the annotation, labels, paths.
fn look_alike(dice: &mut Dice<'_>, profile: &'static Profile, name: &str) -> Value {
    let kind = dice.pick(&[WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::Sandbox]);
    let mut out = workload(dice, kind, name);
    let template = kind.paths().template[1];
    let names = profile.names;
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    for skill in SKILLS.iter().take(dice.roll(4)) {
        let mut volume = json!({"name": format!("skill-{skill}")});
        match dice.roll(4) {
            0 => volume["configMap"] = json!({"name": "x"}),
            1 => volume["emptyDir"] = json!({}),
            _ => volume["image"] = json!({"reference": "ghcr.io/me/mine:3"}),
        }
        if dice.one_in(2) {
            mounts.push(
                json!({"name": volume["name"], "mountPath": format!("/mine/{skill}"), "readOnly": !dice.one_in(3)}),
            );
        }
        volumes.push(volume);
    }
    if !volumes.is_empty() {
        out["spec"][template]["spec"]["volumes"] = Value::Array(volumes);
    }
    if !mounts.is_empty() {
        let container = dice.roll(out["spec"][template]["spec"]["containers"].as_array().map_or(1, Vec::len));
        out["spec"][template]["spec"]["containers"][container]["volumeMounts"] = Value::Array(mounts);
    }
    if dice.one_in(3) {
        let text = dice.pick(&["[\"triage\"]", "[\"forecast\",\"triage\"]", "no list"]);
        out["metadata"]["annotations"] = json!({"team": "x"});
        out["metadata"]["annotations"][names.skills] = json!(text);
    }
    let value = dice.pick(&["agent", "tool", "other"]);
    if dice.one_in(3) {
        out["metadata"]["labels"] = json!({"app": name});
        out["metadata"]["labels"][names.type_label] = json!(value);
    }
    if dice.one_in(3) {
        out["spec"][template]["metadata"]["labels"][names.type_label] = json!(value);
    }
    if dice.one_in(4) {
        out["metadata"]["labels"] = json!({"app": name});
        out["metadata"]["labels"][MANAGED_BY] = json!(dice.pick(&["Helm", names.managed_by_value]));
    }
    let pod = &mut out["spec"][template]["spec"];
    if dice.one_in(4) {
        let folders = dice.pick(&["/mine", "/skills/forecast", "/skills/forecast,/mine"]);
        let env = &mut pod["containers"][0]["env"];
        let folders = json!({"name": "SKILL_FOLDERS", "value": folders});
        match env.as_array_mut() {
            Some(env) => env.push(folders),
            None => *env = json!([folders]),
        }
    }
    let volume = pod["volumes"][0]["name"].clone();
    if volume.is_string() && dice.one_in(3) {
        let mount = json!({"name": volume, "mountPath": "/init"});
        pod["initContainers"] = json!([{"name": "init", "image": "i:1", "volumeMounts": [mount]}]);
    }
    // A hash alone, as somebody has copied it; together with what an operator writes with it, it would be one's.
    if dice.one_in(3) && !is_stamped(&out, kind, profile) {
        let hash = dice.pick(&["abc", "d50a0886c9021b691a96d108e71486db791abc7e2100bbc17375b04b3a9a0d44"]);
        out["spec"][template]["metadata"]["annotations"] = json!({"team": "on"});
        out["spec"][template]["metadata"]["annotations"][names.config_hash] = json!(hash);
    }
    out
}

/// Whether a workload with a config hash would be as an operator leaves it.
fn is_stamped(workload: &Value, kind: WorkloadKind, profile: &Profile) -> bool {
    let template = &workload["spec"][kind.paths().template[1]];
    let types =
        [&workload["metadata"], &template["metadata"]].map(|of| &of["labels"][profile.names.type_label]);
    let named = workload["metadata"]["annotations"][profile.names.skills].as_str().unwrap_or_default();
    let mut volumes = template["spec"]["volumes"].as_array().into_iter().flatten();
    let is_named = |volume: &Value| {
        let name = volume["name"].as_str().and_then(|name| name.strip_prefix("skill-")).unwrap_or_default();
        volume.get("image").is_some() && named.contains(&format!("\"{name}\""))
    };
    (types[0].is_string() && types[0] == types[1]) || volumes.any(is_named)
}

/// Whether a value has an empty collection, which is left out once it was filled.
fn has_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty),
        Value::Object(map) => map.is_empty() || map.values().any(has_empty),
        _ => false,
    }
}

/// Never rendered: what of the input is not in the output, by name of volume, mount, label or annotation name.
fn lost(before: &Value, after: &Value, template: &str) -> Vec<String> {
    let list = |object: &Value, at: &str| -> Vec<(String, String)> {
        let items = object.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        items.iter().map(|item| (text(item, "name"), text(item, "mountPath"))).collect()
    };
    let mut out = Vec::new();
    let pod = format!("/spec/{template}/spec");
    let containers = list(before, &format!("{pod}/containers")).len();
    let lists = (0..containers).map(|index| format!("{pod}/containers/{index}/volumeMounts"));
    let init = format!("{pod}/initContainers/0/volumeMounts");
    for at in lists.chain([init, format!("{pod}/volumes")]) {
        let left = list(after, &at);
        out.extend(
            list(before, &at).iter().filter(|item| !left.contains(item)).map(|item| format!("{at} {item:?}")),
        );
    }
    for at in ["/metadata/labels", "/metadata/annotations"] {
        let keys = before.pointer(at).and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
        out.extend(
            keys.filter(|key| after.pointer(at).is_none_or(|map| map.get(*key).is_none()))
                .map(|key| format!("{at} {key}")),
        );
    }
    out
}

/// Holds a manifest that was never rendered, made of the bytes, to losing nothing, whatever its things are called, and to
/// being given back by `--remove`. Whether it was rendered, and not refused.
///
/// # Errors
/// What was lost, or did not come back.
pub fn never_rendered(bytes: &[u8]) -> Result<bool, String> {
    let mut dice = Dice { bytes, at: 0 };
    let profile = &PROFILES[dice.roll(PROFILES.len())];
    let mut settings = Settings::new(profile);
    let always = dice.one_in(2);
    settings.options.record = if always { RecordMode::Always } else { RecordMode::WhereAmbiguous };
    let before = look_alike(&mut dice, profile, "weather");
    let kind =
        WorkloadKind::parse(before["kind"].as_str().unwrap_or_default()).unwrap_or(WorkloadKind::Deployment);
    let mut agent = asking(&mut dice, kind, "weather");
    let is_binding = agent["kind"] == SKILL_BINDING;
    if !is_binding {
        agent["apiVersion"] = json!(format!("{}/{VERSION}", profile.names.group));
    }
    let deployment = Author::write(&mut dice, &before);
    let text = joined(&[deployment, Author::write(&mut dice, &agent)]);
    // What a name collides with is refused, and then nothing is written.
    let Ok(once) = run(&text, &settings) else { return Ok(false) };
    let after = workloads(&once).remove("weather").unwrap_or_default();
    let lost = lost(&bare(&before), &after, kind.paths().template[1]);
    if !lost.is_empty() {
        return Err(format!("{} lost {lost:?}\n{once}\nof\n{text}", profile.name));
    }
    // Observers' AgentRuntimes are printed without skills; the author's file still has them.
    let mut remove = settings.clone();
    remove.options.remove = true;
    let back = run(&once, &remove).map_err(|error| format!("{error:?}\n{once}"))?;
    // Where the operator only observes, nothing but a record is evidence: without one nothing is taken out again.
    // SkillBindings are carried out as such an operator leaves it.
    let is_kept = (is_binding || !profile.mounts()) && !once.contains(RECORD);
    let (meant, means) = (workloads(if is_kept { &once } else { &text }), workloads(&back));
    if meant != means {
        let name = profile.name;
        return Err(format!(
            "{name}: --remove of\n{once}\nof\n{text}\ngave\n{back}\n{means:?}\nand not\n{meant:?}"
        ));
    }
    // An AgentRuntime of an operator that observes is printed without its list; an empty collection that was filled, and the
    // quotes of a text that was replaced, need not come back as they were written.
    let is_printed_whole = profile.mounts() || is_binding;
    let own = json!([before["metadata"], before["spec"][kind.paths().template[1]]]);
    let names = [profile.names.config_hash, profile.names.skills, "SKILL_FOLDERS"];
    let may_differ = is_kept || has_empty(&own) || names.iter().any(|name| text.contains(name));
    if is_printed_whole && !may_differ && back != text {
        return Err(format!(
            "{}: --remove of\n{once}\ngave\n{back}\nand not the bytes of\n{text}",
            profile.name
        ));
    }
    Ok(true)
}
