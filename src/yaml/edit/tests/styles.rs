//! Every style of testdata/golden/styles gets the things that a render adds, and loses them again.

// The fixtures are files; only the tests read them.
#![allow(clippy::disallowed_methods)]

use super::*;

/// The mapping at `key`, put in where it is absent or null.
fn map<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    let place = value.as_object_mut().map(|map| map.entry(key).or_insert(Value::Null));
    let Some(place) = place else { panic!("no mapping around {key}") };
    if place.is_null() {
        *place = json!({});
    }
    place
}

fn push(value: &mut Value, key: &str, items: &[Value]) {
    let place = map(value, key);
    if place.as_object().is_some_and(Map::is_empty) {
        *place = json!([]);
    }
    match place.as_array_mut() {
        Some(list) => list.extend(items.iter().cloned()),
        None => panic!("{key} is no list"),
    }
}

/// What a render with two skills adds.
fn add(deployment: &mut Value) {
    for inner in [false, true] {
        let metadata = match inner {
            false => map(deployment, "metadata"),
            true => map(map(map(deployment, "spec"), "template"), "metadata"),
        };
        map(metadata, "labels")["kagenti.io/type"] = json!("agent");
        map(metadata, "labels")["app.kubernetes.io/managed-by"] = json!("kagenti-operator");
        map(metadata, "annotations")["kagenti.io/config-hash"] = json!("12e4567");
        map(metadata, "annotations")["kagenti.io/skills"] = json!("[\"forecast\",\"alerts\"]");
    }
    let pod = map(map(map(deployment, "spec"), "template"), "spec");
    let mounts = [
        json!({"name": "skill-forecast", "mountPath": "/app/skills/forecast", "readOnly": true}),
        json!({"name": "skill-alerts", "mountPath": "/app/skills/alerts", "readOnly": true}),
    ];
    push(&mut pod["containers"][0], "volumeMounts", &mounts);
    push(
        &mut pod["containers"][0],
        "env",
        &[json!({"name": "SKILL_FOLDERS", "value": "/app/skills/forecast,/app/skills/alerts"})],
    );
    let volumes = [
        json!({"name": "skill-forecast", "image": {"reference": "ghcr.io/acme/skills/forecast:v1.2.0"}}),
        json!({"name": "skill-alerts", "image": {"reference": "ghcr.io/acme/skills/alerts@sha256:0f34", "pullPolicy": "Always"}}),
    ];
    push(pod, "volumes", &volumes);
}

/// Takes out what [`add`] added as a plan would that knows the edited object only: emptied collections go.
fn remove(deployment: &mut Value) {
    fn without(parent: &mut Value, key: &str, ours: impl Fn(&str) -> bool) {
        let Some(parent) = parent.as_object_mut() else { return };
        let empty = match parent.get_mut(key) {
            Some(Value::Object(map)) => {
                map.retain(|key, _| !ours(key));
                map.is_empty()
            }
            Some(Value::Array(items)) => {
                items.retain(|item| !item["name"].as_str().is_some_and(&ours));
                items.is_empty()
            }
            _ => false,
        };
        if empty {
            parent.shift_remove(key);
        }
    }
    let label = |key: &str| matches!(key, "kagenti.io/type" | "app.kubernetes.io/managed-by");
    let annotation = |key: &str| matches!(key, "kagenti.io/config-hash" | "kagenti.io/skills");
    for at in ["", "/spec/template"] {
        let Some(holder) = deployment.pointer_mut(at) else { continue };
        if holder.get("metadata").is_some() {
            without(&mut holder["metadata"], "labels", label);
            without(&mut holder["metadata"], "annotations", annotation);
            without(holder, "metadata", |_| false);
        }
    }
    let pod = &mut deployment["spec"]["template"]["spec"];
    without(&mut pod["containers"][0], "volumeMounts", |name| name.starts_with("skill-"));
    without(&mut pod["containers"][0], "env", |name| name == "SKILL_FOLDERS");
    without(pod, "volumes", |name| name.starts_with("skill-"));
}

/// Carries out a change on every Deployment of a document, also inside of a List.
fn each(object: &mut Value, change: fn(&mut Value)) {
    if object["kind"] == "Deployment" {
        change(object);
    } else if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            each(item, change);
        }
    }
}

/// Edits all documents of a stream.
fn stream(text: &str, change: fn(&mut Value)) -> (String, Vec<Splice>) {
    let (mut out, mut at, mut all) = (String::new(), 0, Vec::new());
    for slice in split(text) {
        let part = &text[slice.start..slice.end];
        out.push_str(&text[at..slice.start]);
        at = slice.end;
        let before = value(part);
        let mut desired = before.clone();
        each(&mut desired, change);
        let splices = match edit(&read(part), &desired) {
            Ok(splices) => splices,
            Err(error) => panic!("{error}\nin\n{part}"),
        };
        let after = apply(part, &splices);
        out.push_str(&after);
        all.extend(splices.into_iter().map(|splice| Splice {
            start: splice.start + slice.start,
            end: splice.end + slice.start,
            ..splice
        }));
    }
    out.push_str(&text[at..]);
    (out, all)
}

fn fixtures() -> Vec<(String, String)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden/styles");
    let Ok(styles) = std::fs::read_dir(root) else { panic!("{root} is missing") };
    let mut all: Vec<(String, String)> = styles
        .flatten()
        .filter_map(|style| {
            let name = style.file_name().to_string_lossy().into_owned();
            let text = ["yaml", "json"].iter().find_map(|ending| {
                std::fs::read_to_string(style.path().join(format!("input.{ending}"))).ok()
            })?;
            Some((name, text))
        })
        .collect();
    all.sort();
    assert!(all.len() >= 45, "{} styles", all.len());
    all
}

/// Lines of `before` that `after` lacks, in order; a line that only grew (`a` to `a,`, `[]` to `# []`) counts as kept
/// when its bytes are still there in order.
fn lost<'t>(before: &'t str, after: &str) -> Vec<&'t str> {
    let mut rest = after.split_inclusive('\n').peekable();
    let mut lost = Vec::new();
    for line in before.split_inclusive('\n') {
        let mut ahead = rest.clone();
        if ahead.any(|other| other == line) {
            rest = ahead;
        } else {
            lost.push(line);
        }
    }
    lost
}

/// What stands for an empty collection, which is replaced when it is filled.
const EMPTY: [&str; 8] = ["[]", "{}", "[ ]", "{ }", "null", "~", "Null", "NULL"];

/// Whether a document has empty collections, or null.
fn has_empty(text: &str) -> bool {
    split(text).iter().any(|slice| {
        let value = value(&text[slice.start..slice.end]);
        crate::yaml::edit::generated::bare(&value) != value
    })
}

/// All documents as one value, in which absent, null and empty are one.
fn meaning(text: &str) -> Vec<Value> {
    split(text)
        .iter()
        .map(|slice| crate::yaml::edit::generated::bare(&value(&text[slice.start..slice.end])))
        .collect()
}

/// Comments of a fixture: none has a `#` with a blank before it in a string.
fn comments(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            let at =
                line.find('#').filter(|at| *at == 0 || line[..*at].ends_with([' ', '\t', ',', '[', '{']))?;
            Some(line[at..].trim_end())
        })
        .collect();
    found.sort_unstable();
    found
}

/// What must hold of a text that was filled and emptied again.
fn check_back(name: &str, text: &str, after: &str, back: &str) -> Option<String> {
    let reported = |what: &str| Some(format!("===== {name}: {what}: got\n{back}===== from\n{after}"));
    if meaning(back) != meaning(text) {
        return reported("another meaning");
    }
    if comments(back) != comments(text) {
        return reported("comments are lost");
    }
    if !has_empty(text) && back != text {
        return reported("other bytes");
    }
    let is_empty = |line: &str| {
        let content = line.split(" #").next().unwrap_or_default().trim_end();
        content.ends_with([':', ','])
            || EMPTY.iter().any(|token| line.contains(token))
            || line.contains(['{', ']', '}'])
    };
    // Another line may have become the last one, without a break.
    let (text, back) = (format!("{text}\n"), format!("{back}\n"));
    let lost: Vec<&str> = lost(&text, &back).into_iter().filter(|line| !is_empty(line)).collect();
    if !lost.is_empty() {
        return reported(&format!("lines are lost: {lost:?}"));
    }
    None
}

/// How many lines may change by growing: those that hold a flow collection, the last entry of a JSON collection, or an
/// empty collection that is filled.
fn grows(line: &str) -> bool {
    let line = line.trim_end();
    let content = line.split(" #").next().unwrap_or_default().trim_end();
    content.ends_with([']', '}', '"', '~', ':'])
        || content.ends_with("null")
        || content.ends_with("{}")
        || !line.contains(": ")
        || content.contains("[{")
}

#[test]
fn every_style_gets_what_a_render_adds_by_insertion_alone() {
    let mut bad = Vec::new();
    for (name, text) in fixtures() {
        let (after, splices) = stream(&text, add);
        // What stands there now means what was wanted, read anew document by document.
        let (before_docs, after_docs) = (split(&text), split(&after));
        assert_eq!(before_docs.len(), after_docs.len(), "{name}");
        for (old, new) in before_docs.iter().zip(&after_docs) {
            let mut desired = value(&text[old.start..old.end]);
            each(&mut desired, add);
            assert_eq!(value(&after[new.start..new.end]), desired, "{name}\n{after}");
        }
        assert!(!splices.is_empty(), "{name}");
        let replaced = |splice: &&Splice| !text[splice.start..splice.end].trim().is_empty();
        let is_empty = |splice: &Splice| EMPTY.contains(&text[splice.start..splice.end].trim());
        if !splices.iter().filter(replaced).all(is_empty) {
            bad.push(format!("{name}: bytes are lost\n{after}"));
        }
        let lost: Vec<&str> = lost(&text, &after).into_iter().filter(|line| !grows(line)).collect();
        // A text without a final break has a last line that gets one.
        if !lost.is_empty() && (lost.len() > 1 || text.ends_with('\n') || !text.ends_with(lost[0])) {
            bad.push(format!("{name}: lines are lost: {lost:?}\n{after}"));
        }
        // Breaks are as in the rest of the text.
        if text.contains("\r\n") && after.matches('\n').count() != after.matches("\r\n").count() {
            bad.push(format!("{name}: breaks are mixed"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn a_second_edit_finds_nothing_to_do() {
    for (name, text) in fixtures() {
        let (after, _) = stream(&text, add);
        for (old, new) in split(&text).iter().zip(split(&after)) {
            let mut desired = value(&text[old.start..old.end]);
            each(&mut desired, add);
            assert_eq!(edit(&read(&after[new.start..new.end]), &desired), Ok(Vec::new()), "{name}");
        }
    }
}

/// A user who renders and then removes must find the file untouched in version control; but an empty collection that was
/// filled may be left out.
#[test]
fn removing_what_was_added_gives_the_original_bytes_in_every_style() {
    let mut bad = Vec::new();
    for (name, text) in fixtures() {
        let (after, _) = stream(&text, add);
        let (back, _) = stream(&after, remove);
        bad.extend(check_back(&name, &text, &after, &back));
    }
    assert!(bad.is_empty(), "{} bad\n{}", bad.len(), bad.join("\n"));
}

/// The same, when the exact original value is wanted again rather than what a plan makes of the edited one.
#[test]
fn editing_back_to_the_original_value_gives_the_original_bytes_in_every_style() {
    let mut bad = Vec::new();
    for (name, text) in fixtures() {
        let (after, _) = stream(&text, add);
        let mut back = String::new();
        let mut at = 0;
        for (old, new) in split(&text).iter().zip(split(&after)) {
            back.push_str(&after[at..new.start]);
            back.push_str(&edited(&after[new.start..new.end], &value(&text[old.start..old.end])));
            at = new.end;
        }
        back.push_str(&after[at..]);
        bad.extend(check_back(&name, &text, &after, &back));
    }
    assert!(bad.is_empty(), "{} bad\n{}", bad.len(), bad.join("\n"));
}

/// Fixed looks of all styles (`edited.*` alongside `input.*`), so that a change of taste is seen.
/// `UPDATE_GOLDEN=1` writes them anew; look at the difference before it is committed.
#[test]
fn added_lines_look_like_their_neighbours() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden/styles");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (name, text) in fixtures() {
        let ending =
            if std::path::Path::new(&format!("{root}/{name}/input.json")).exists() { "json" } else { "yaml" };
        let path = format!("{root}/{name}/edited.{ending}");
        let (after, _) = stream(&text, add);
        if update && let Err(error) = std::fs::write(&path, &after) {
            panic!("{path}: {error}");
        }
        let Ok(expected) = std::fs::read_to_string(&path) else { panic!("{path} is missing") };
        assert_eq!(after, expected, "{name}");
    }
}
