//! Names for the fields that skills come with, from the paths by which tools name them.

use std::collections::BTreeSet;

use serde_json::Value;

pub(super) type Fields = BTreeSet<String>;

pub(super) fn joined(fields: &Fields) -> String {
    fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Where two objects differ, as people would say it; what the server counts is left out.
pub(super) fn differing(one: &Value, other: &Value) -> Fields {
    let mut out = Fields::new();
    walk(one, other, "", &mut out);
    out
}

fn walk(one: &Value, other: &Value, at: &str, out: &mut Fields) {
    if one == other
        || matches!(at, ".metadata.generation" | ".metadata.resourceVersion" | ".metadata.managedFields")
    {
        return;
    }
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = format!("{at}.{key}");
                walk(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), &at, out);
            }
        }
        (Value::Object(fields), Value::Null) | (Value::Null, Value::Object(fields))
            if !at.contains(".volumes") =>
        {
            let (no, one_is) = (Value::Null, one.is_null());
            for (key, value) in fields {
                let (a, b) = if one_is { (&no, value) } else { (value, &no) };
                walk(a, b, &format!("{at}.{key}"), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if at.ends_with(".containers") && a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                walk(a, b, at, out);
            }
        }
        _ => {
            out.insert(named(at));
        }
    }
}

/// What people call the field of a path such as `.spec.template.spec.volumes[name="skill-pdf"].image`.
pub(super) fn named(path: &str) -> String {
    let of_template = path.contains("emplate.");
    let has = |part: &str| path.contains(part);
    let name = if has(".volumeMounts") {
        "mounts"
    } else if has(".volumes") {
        "volumes"
    } else if has(".env") {
        "variable"
    } else if has(".containers") {
        "containers"
    } else if has(".labels") {
        if of_template { "pod label" } else { "label" }
    } else if has(".annotations") {
        if of_template { "pod annotation" } else { "annotation" }
    } else {
        path
    };
    name.to_owned()
}
