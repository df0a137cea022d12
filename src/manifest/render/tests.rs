//! Renders of files nobody wrote: random agents among random documents in random styles. `PROPTEST_CASES` sets how many.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};

use super::*;
use crate::api::workload::WorkloadKind;
use crate::manifest::stream::Source;
use crate::yaml::edit::tests::generated::{Author, Dice, bare, config, tree};
use crate::yaml::{Document, split};

const NAMES: [&str; 6] = ["weather", "planner", "a", "on", "1e3", "x-9"];
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

fn workload(dice: &mut Dice<'_>, kind: WorkloadKind, name: &str) -> Value {
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
    out["spec"][kind.template_key()] = template;
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

/// The documents of a file, each with how its author wrote it.
fn file(dice: &mut Dice<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let agents = 1 + dice.roll(3);
    for name in NAMES.iter().take(agents) {
        let kind = dice.pick(&[
            WorkloadKind::Deployment,
            WorkloadKind::Deployment,
            WorkloadKind::StatefulSet,
            WorkloadKind::Sandbox,
        ]);
        let pair = [workload(dice, kind, name), runtime(dice, kind, name)];
        if dice.one_in(4) {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": pair});
            out.push(Author::write(dice, &list));
        } else {
            out.extend(pair.iter().map(|object| Author::write(dice, object)));
        }
        if dice.one_in(3) {
            let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"x": "y"}});
            out.push(Author::write(dice, &other));
        }
    }
    out
}

fn joined(documents: &[String]) -> String {
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

fn settings(dice: &mut Dice<'_>) -> Settings {
    let name = dice.pick(&["pr332-merged", "pr332", "no-trace"]);
    let mut settings = Settings::new(Profile::by_name(name).unwrap_or(&crate::api::profile::PROFILES[0]));
    settings.options.skill_folders = dice.pick(&[None, Some(true), Some(false)]);
    settings
}

/// The text after a render, or why there is none.
///
/// A render looks only at what the plan has touched, and proves items of lists one by one. The long way, whole objects in
/// whole documents, comes to the same bytes.
fn run(text: &str, settings: &Settings) -> Result<String, Vec<InputError>> {
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

/// What was planned, and what the plans make of each workload, by name.
fn planned(text: &str, settings: &Settings) -> Vec<(String, String, Option<Value>)> {
    let sources = [Source { name: "-".into(), text: text.into() }];
    let Ok(stream) = Stream::read(&sources, "default") else { return Vec::new() };
    let mut out: Vec<_> = plan_all(&stream, settings)
        .plans
        .into_iter()
        .map(|one| {
            (
                one.plan.id.name.clone(),
                one.plan.hash_input.clone(),
                one.plan.desired().cloned().or(one.before),
            )
        })
        .collect();
    out.sort_by(|one, other| one.0.cmp(&other.0));
    out
}

/// All workloads of a text, by name.
fn workloads(text: &str) -> BTreeMap<String, Value> {
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

/// Whether the case was rendered, and not refused.
fn check(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let mut dice = Dice { bytes, at: 0 };
    let settings = settings(&mut dice);
    let documents = file(&mut dice);
    let text = joined(&documents);
    let once = match run(&text, &settings) {
        Ok(once) => once,
        Err(errors) => {
            // Refused, and for a reason that an author understands: never a defect of ours.
            for error in &errors {
                prop_assert!(!error.help.contains("defect"), "{error}\nin\n{text}");
                prop_assert!(error.origin.line > 0, "{error}\nin\n{text}");
            }
            return Ok(false);
        }
    };
    // What the text means is what the plan wanted.
    let meant = workloads(&once);
    for (name, _, desired) in planned(&text, &settings) {
        let wanted = desired.as_ref().map(bare);
        prop_assert_eq!(meant.get(&name), wanted.as_ref(), "{}\nof\n{}", name, text);
    }
    // A second run changes no byte.
    prop_assert_eq!(run(&once, &settings), Ok(once.clone()), "a second render of\n{}", once);
    // And everything can be taken back.
    let mut remove = settings.clone();
    remove.options.remove = true;
    let back = run(&once, &remove).map_err(|error| TestCaseError::fail(format!("{error:?}\n{once}")))?;
    prop_assert_eq!(workloads(&back), workloads(&text), "--remove of\n{}\ngave\n{}", once, back);
    // But for empty collections that were filled, to the byte.
    let has_empty = split(&text).iter().any(|slice| {
        let value = Document::parse(&text[slice.start..slice.end]).map(|document| document.to_value());
        matches!(value, Ok(Ok(value)) if bare(&value) != value)
    });
    if !has_empty {
        prop_assert_eq!(&back, &text, "--remove of\n{}", once);
    }
    // The order of documents means nothing, unless one ends in a block scalar that its missing line break cuts short.
    if documents.iter().any(|document| !document.ends_with('\n')) {
        return Ok(true);
    }
    let mut turned = documents;
    let by = dice.roll(turned.len().max(1));
    turned.rotate_left(by);
    turned.reverse();
    prop_assert_eq!(planned(&joined(&turned), &settings), planned(&text, &settings));
    Ok(true)
}

#[test]
fn a_render_means_the_plan_and_can_be_taken_back() {
    let (rendered, all) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config()).run(&prop::collection::vec(any::<u8>(), 0..500), |bytes| {
        all.set(all.get() + 1);
        rendered.set(rendered.get() + usize::from(check(&bytes)?));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.err().map(|error| error.to_string()).unwrap_or_default());
    // Cases that are refused show little.
    assert!(rendered.get() * 4 > all.get() * 3, "{} of {} were rendered", rendered.get(), all.get());
}

/// A workload with what its author wrote by hand and that looks like ours: volumes with the name of a skill, their mounts,
/// names in the annotation, labels, paths.
fn look_alike(dice: &mut Dice<'_>, profile: &'static Profile, name: &str) -> Value {
    let kind = dice.pick(&[WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::Sandbox]);
    let mut out = workload(dice, kind, name);
    let template = kind.template_key();
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
                json!({"name": volume["name"], "mountPath": format!("/mine/{skill}"), "readOnly": true}),
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
    out
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
    for at in lists.chain([format!("{pod}/volumes")]) {
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

fn never_rendered(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let mut dice = Dice { bytes, at: 0 };
    let profile = &crate::api::profile::PROFILES[dice.roll(crate::api::profile::PROFILES.len())];
    let mut settings = Settings::new(profile);
    // Where the operator only observes, nothing but a record is evidence, and `render -i` alone always writes one.
    let always = dice.one_in(2) || !profile.mounts();
    settings.options.record = if always { RecordMode::Always } else { RecordMode::WhereAmbiguous };
    let before = look_alike(&mut dice, profile, "weather");
    let kind =
        WorkloadKind::parse(before["kind"].as_str().unwrap_or_default()).unwrap_or(WorkloadKind::Deployment);
    let mut agent = runtime(&mut dice, kind, "weather");
    agent["apiVersion"] = json!(format!("{}/v1alpha1", profile.names.group));
    let deployment = Author::write(&mut dice, &before);
    let text = joined(&[deployment, Author::write(&mut dice, &agent)]);
    // What a name collides with is refused, and then nothing is written.
    let Ok(once) = run(&text, &settings) else { return Ok(false) };
    let after = workloads(&once).remove("weather").unwrap_or_default();
    prop_assert_eq!(
        lost(&bare(&before), &after, kind.template_key()),
        Vec::<String>::new(),
        "{}\nof\n{}",
        once,
        text
    );
    // Observers' AgentRuntimes are printed without skills; the author's file still has them.
    let mut remove = settings.clone();
    remove.options.remove = true;
    let back = run(&once, &remove).map_err(|error| TestCaseError::fail(format!("{error:?}\n{once}")))?;
    prop_assert_eq!(
        workloads(&back),
        workloads(&text),
        "{} --remove of\n{}\nof\n{}\ngave\n{}",
        profile.name,
        once,
        text,
        back
    );
    Ok(true)
}

/// A manifest that was never rendered loses nothing, whatever its things are called, and `--remove` gives it back.
#[test]
fn never_rendered_loses_nothing() {
    let (rendered, all) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config()).run(&prop::collection::vec(any::<u8>(), 0..500), |bytes| {
        all.set(all.get() + 1);
        rendered.set(rendered.get() + usize::from(never_rendered(&bytes)?));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.err().map(|error| error.to_string()).unwrap_or_default());
    assert!(rendered.get() * 2 > all.get(), "{} of {} were rendered", rendered.get(), all.get());
}
