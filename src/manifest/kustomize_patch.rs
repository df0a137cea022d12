//! Static patches for those who run no function, such as Flux: objects before and after in, a kustomize Component whose
//! `patches` turn one into the other out. How the objects came to be is left to `render`.
//!
//! Labels and annotations go into a strategic merge patch, which makes the maps it needs. All else goes into a JSON6902
//! patch: only that keeps the order of lists and knows the lists of custom resources. Its `test` operations let a build
//! fail when the manifest has changed so that an index means another item, or a list came up where there was none.

use serde_json::{Map, Value, json};

use crate::api::object::Object;
use crate::yaml::emit::{BlockLayout, Scalars, block};

mod json6902;

const LAYOUT: BlockLayout<'static> = BlockLayout {
    step: 2,
    offset: 0,
    dash: 2,
    eol: "\n",
    scalars: Scalars { single: false, always: false, keys: false },
};

/// Maps that every object may have, and that orchestrators write into as well.
const MERGED: [&[&str]; 3] =
    [&["metadata"], &["spec", "template", "metadata"], &["spec", "podTemplate", "metadata"]];

/// The Component with the patches of all objects that differ, in order.
pub fn component<'v>(objects: impl IntoIterator<Item = (&'v Value, &'v Value)>) -> String {
    let mut out = String::from("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n");
    let mut first = true;
    for (before, after) in objects {
        for patch in patches(before, after) {
            if std::mem::take(&mut first) {
                out.push_str("patches:\n");
            }
            entry(&mut out, before, &patch);
        }
    }
    if first {
        out.push_str("patches: []\n");
    }
    out
}

/// The patches of one object: one of metadata, one of the rest, or none.
fn patches(before: &Value, after: &Value) -> Vec<Value> {
    let mut merged = Map::new();
    // What the strategic merge patch already does is not left for the other.
    let mut between = before.clone();
    for parents in MERGED {
        for part in ["labels", "annotations"] {
            let path = [parents, &[part]].concat();
            let pointer: String = path.iter().map(|key| format!("/{key}")).collect();
            let (old, new) = (before.pointer(&pointer), after.pointer(&pointer));
            if old != new
                && let Some(change) = merge(old, new)
            {
                put(&mut merged, &path, change);
                set(&mut between, &path, new);
            }
        }
    }
    let mut out = Vec::new();
    if !merged.is_empty() {
        let mut patch = json!({"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": {}});
        if let (Value::Object(patch), Some(metadata)) = (&mut patch, merged.remove("metadata")) {
            patch.insert("metadata".into(), metadata);
        }
        patch["metadata"]["name"] = before["metadata"]["name"].clone();
        if let Value::Object(patch) = &mut patch {
            patch.extend(merged);
        }
        out.push(patch);
    }
    let operations = json6902::operations(&between, after);
    if !operations.is_empty() {
        out.push(Value::Array(operations));
    }
    out
}

/// What of two maps of strings a merge patch changes; none where they are no such maps.
fn merge(old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
    let map = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Some(map.clone()),
        _ => None,
    };
    let (old, new_map) = (map(old)?, map(new)?);
    if new_map.is_empty() {
        // An empty map cannot be merged in; an absent one can be merged away.
        return new.is_none().then_some(Value::Null);
    }
    let mut out = Map::new();
    for (key, value) in &new_map {
        if old.get(key) != Some(value) {
            out.insert(key.clone(), value.clone());
        }
    }
    for key in old.keys().filter(|key| !new_map.contains_key(*key)) {
        out.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(out))
}

/// Puts a value at a path of maps, which are made.
fn put(map: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => drop(map.insert((*last).to_owned(), value)),
        [key, rest @ ..] => {
            let child = map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(child) = child {
                put(child, rest, value);
            }
        }
    }
}

/// Makes a path of an object mean what it means elsewhere; none removes it.
fn set(object: &mut Value, path: &[&str], value: Option<&Value>) {
    match (value, path.split_last()) {
        (Some(value), _) => {
            if let Value::Object(map) = object {
                put(map, path, value.clone());
            }
        }
        (None, Some((last, parents))) => {
            if let Some(Value::Object(parent)) = parents.iter().try_fold(object, |at, key| at.get_mut(*key)) {
                parent.shift_remove(*last);
            }
        }
        (None, None) => {}
    }
}

/// One entry of `patches`.
fn entry(out: &mut String, object: &Value, patch: &Value) {
    let object = Object(object);
    let api_version = object.api_version();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut target = Map::new();
    for (key, value) in [
        ("group", exactly(group)),
        ("version", exactly(version)),
        ("kind", exactly(object.kind())),
        ("name", exactly(object.name())),
        // To kustomize an object without a namespace is in this one; a target without one is in all.
        ("namespace", exactly(Some(object.namespace()).filter(|name| !name.is_empty()).unwrap_or("default"))),
    ] {
        if !value.is_empty() {
            target.insert(key.into(), value.into());
        }
    }
    out.push_str("- target:\n    ");
    block(out, &Value::Object(target), 4, LAYOUT);
    out.push_str("\n  patch: |-\n    ");
    block(out, patch, 4, LAYOUT);
    out.push('\n');
}

/// kustomize reads each part of a target as a regular expression, from its start to its end.
fn exactly(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(annotations: Option<Value>, spec: Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "weather.v2", "namespace": "demo"}, "spec": {"template": {"spec": spec}}});
        if let Some(annotations) = annotations {
            object["metadata"]["annotations"] = annotations;
        }
        object
    }

    #[test]
    fn a_component_has_a_patch_of_metadata_and_one_of_the_rest() {
        let before = deployment(None, json!({"containers": [{"name": "agent", "image": "a:1"}]}));
        let mut after = deployment(
            Some(json!({"kagenti.io/skills": "[\"a\"]"})),
            json!({"containers": [{"name": "agent", "image": "a:1", "volumeMounts": [{"name": "skill-a", "mountPath": "/a"}]}],
                   "volumes": [{"name": "skill-a", "image": {"reference": "r.example/a:1"}}]}),
        );
        after["spec"]["template"]["metadata"] = json!({"annotations": {"kagenti.io/config-hash": "12e4567"}});
        let same = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "same"}});
        assert_eq!(
            component([(&same, &same), (&before, &after)]),
            r#"apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target:
    group: apps
    version: v1
    kind: Deployment
    name: "weather\\.v2"
    namespace: demo
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      annotations:
        kagenti.io/skills: "[\"a\"]"
      name: weather.v2
    spec:
      template:
        metadata:
          annotations:
            kagenti.io/config-hash: "12e4567"
- target:
    group: apps
    version: v1
    kind: Deployment
    name: "weather\\.v2"
    namespace: demo
  patch: |-
    - op: test
      path: /spec/template/spec/containers/0/name
      value: agent
    - op: test
      path: /spec/template/spec/containers/0/volumeMounts
      value: null
    - op: add
      path: /spec/template/spec/containers/0/volumeMounts
      value:
      - name: skill-a
        mountPath: /a
    - op: test
      path: /spec/template/spec/volumes
      value: null
    - op: add
      path: /spec/template/spec/volumes
      value:
      - name: skill-a
        image:
          reference: r.example/a:1
"#
        );
        assert_eq!(
            component([(&same, &same)]),
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: []\n"
        );
    }

    /// What goes from a map must be named: a merge only adds.
    #[test]
    fn removed_labels_and_annotations_are_merged_away() {
        let spec = json!({});
        let before = deployment(Some(json!({"keep": "1", "kagenti.io/skills": "[]"})), spec.clone());
        let of = |annotations| patches(&before, &deployment(annotations, spec.clone()));
        assert_eq!(
            of(Some(json!({"keep": "1"})))[0]["metadata"],
            json!({"annotations": {"kagenti.io/skills": null}, "name": "weather.v2"})
        );
        assert_eq!(of(None)[0]["metadata"], json!({"annotations": null, "name": "weather.v2"}));
        // No merge makes an empty map.
        assert_eq!(
            of(Some(json!({}))),
            [json!([{"op": "remove", "path": "/metadata/annotations/keep"},
                    {"op": "remove", "path": "/metadata/annotations/kagenti.io~1skills"}])]
        );
    }
}
