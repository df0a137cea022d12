//! Static patches for pipelines that run no function, such as Flux: a kustomize Component whose `patches` turn the objects
//! before into the objects after. How the objects came to be is left to `render`.
//!
//! Each object gets a strategic merge patch first: labels and annotations that are added or changed. It has no `target`,
//! because kustomize drops a targeted patch that matches nothing without a word, and fails on an untargeted one. All else,
//! removals included, goes into a JSON6902 patch, which must have a target: it keeps the order of lists, knows the lists
//! of custom resources, and its `test` operations fail the build when the manifest has changed. (kustomize 5.8 turns the
//! `null` of a targeted strategic merge patch into the text "null" instead of removing the key.)
//!
//! Both name the object as its file names it, where kustomize has recorded that: only this name matches in every layer,
//! before and after `namePrefix`, `nameSuffix` and `namespace` are applied.

use serde_json::{Map, Value, json};

use crate::api::object::Object;
use crate::yaml::emit::{BlockLayout, Quotes, Scalars, block};

mod json6902;

/// Annotations of kustomize's function input: names and namespaces of all layers, the file's first.
pub(crate) const PREVIOUS_NAMES: &str = "internal.config.kubernetes.io/previousNames";
pub(crate) const PREVIOUS_NAMESPACES: &str = "internal.config.kubernetes.io/previousNamespaces";

/// To kustomize an object without a namespace is in this one.
const DEFAULT_NAMESPACE: &str = "default";

const LAYOUT: BlockLayout<'static> = BlockLayout {
    step: 2,
    offset: 0,
    dash: 2,
    eol: "\n",
    scalars: Scalars { quotes: Quotes::Readable, always: false, keys: false },
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

/// The patches of one object: labels and annotations, then the rest; none if nothing differs.
fn patches(before: &Value, after: &Value) -> Vec<Value> {
    if before == after {
        return Vec::new();
    }
    let mut merged = Map::new();
    // What the strategic merge patch already does is not left for the other.
    let mut between = before.clone();
    let mut wanted = after.clone();
    for parents in MERGED {
        for part in ["labels", "annotations"] {
            let path = [parents, &[part]].concat();
            let pointer: String = path.iter().map(|key| format!("/{key}")).collect();
            let (old, new) = (before.pointer(&pointer), after.pointer(&pointer));
            let Some(old) = string_map(old).filter(|_| old != new) else { continue };
            let Some(new_map) = string_map(new) else { continue };
            let added: Map<String, Value> =
                new_map.iter().filter(|(key, value)| old.get(*key) != Some(value)).map(owned).collect();
            if !added.is_empty() {
                let both = old.iter().chain(&added).map(owned).collect();
                put_in(&mut between, &path, Value::Object(both));
                put(&mut merged, &path, Value::Object(added));
            }
            if new.is_none() && !old.is_empty() {
                // Key by key: another layer may have added labels of its own to the same map.
                put_in(&mut wanted, &path, Value::Object(Map::new()));
            }
        }
    }
    let (name, namespace) = original(before);
    let mut patch = json!({"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": {}});
    if let (Value::Object(patch), Some(metadata)) = (&mut patch, merged.remove("metadata")) {
        patch.insert("metadata".into(), metadata);
    }
    patch["metadata"]["name"] = name.into();
    if namespace != DEFAULT_NAMESPACE {
        patch["metadata"]["namespace"] = namespace.into();
    }
    if let Value::Object(patch) = &mut patch {
        patch.extend(merged);
    }
    let mut out = vec![patch];
    let operations = json6902::operations(&between, &wanted);
    if !operations.is_empty() {
        out.push(Value::Array(operations));
    }
    out
}

/// Name and namespace of an object in its file, before any layer of kustomize renamed it. kustomize records them in
/// annotations for functions (api v0.21.1 `resource/resource.go`, `StorePreviousId`); without them the object's own.
fn original(object: &Value) -> (&str, &str) {
    let object = Object(object);
    let first = |recorded| {
        object.annotation(recorded).and_then(|names| names.split(',').next()).filter(|name| !name.is_empty())
    };
    let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
    (
        first(PREVIOUS_NAMES).unwrap_or(object.name()),
        first(PREVIOUS_NAMESPACES).or(namespace).unwrap_or(DEFAULT_NAMESPACE),
    )
}

/// A map of texts, empty where there is none; `None` for anything else.
fn string_map(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Some(map.clone()),
        _ => None,
    }
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// [`put`] into an object.
fn put_in(object: &mut Value, path: &[&str], value: Value) {
    if let Value::Object(map) = object {
        put(map, path, value);
    }
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

/// One entry of `patches`. Only a JSON6902 patch, which cannot say what it is about, has a target.
fn entry(out: &mut String, object: &Value, patch: &Value) {
    out.push_str("- ");
    if patch.is_array() {
        let api_version = Object(object).api_version();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let (name, namespace) = original(object);
        let target: Map<String, Value> = [
            ("group", group),
            ("version", version),
            ("kind", Object(object).kind()),
            ("name", name),
            ("namespace", namespace),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| (key.to_owned(), exactly(text).into()))
        .collect();
        out.push_str("target:\n    ");
        block(out, &Value::Object(target), 4, LAYOUT);
        out.push_str("\n  ");
    }
    out.push_str("patch: |-\n    ");
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
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      annotations:
        kagenti.io/skills: '["a"]'
      name: weather.v2
      namespace: demo
    spec:
      template:
        metadata:
          annotations:
            kagenti.io/config-hash: "12e4567"
- target:
    group: apps
    version: v1
    kind: Deployment
    name: 'weather\.v2'
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

    /// A targeted merge of `null` comes out of kustomize as the text "null", so removals are JSON6902; and key by key, since
    /// a layer around this one may have added its own annotations.
    #[test]
    fn removed_labels_and_annotations_are_removed_key_by_key() {
        let spec = json!({});
        let before = deployment(Some(json!({"keep": "1", "kagenti.io/skills": "[]"})), spec.clone());
        let of = |annotations| patches(&before, &deployment(annotations, spec.clone()));
        let id = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "weather.v2", "namespace": "demo"}});
        let remove = |key: &str, value: &str| {
            let path = format!("/metadata/annotations/{key}");
            [json!({"op": "test", "path": path, "value": value}), json!({"op": "remove", "path": path})]
        };
        let skills = remove("kagenti.io~1skills", "[]");
        assert_eq!(of(Some(json!({"keep": "1"}))), [id.clone(), json!(skills)]);
        let all = json!([remove("keep", "1"), skills].concat());
        assert_eq!(of(None), [id.clone(), all.clone()]);
        assert_eq!(of(Some(json!({}))), [id, all]);
    }

    /// After a prefix the name of the build matches nothing inside of the layer that adds it, and the name of a layer in
    /// between matches one of the two patches only: the file's name matches both, everywhere.
    #[test]
    fn an_object_is_named_as_its_file_names_it() {
        let mut before = deployment(None, json!({}));
        before["metadata"] = json!({"name": "st-weather-b", "namespace": "team1", "annotations": {
            PREVIOUS_NAMES: "weather,weather-b", PREVIOUS_NAMESPACES: "default,team1"}});
        let mut after = before.clone();
        after["spec"]["template"]["spec"]["volumes"] = json!([]);
        let text = component([(&before, &after)]);
        assert!(text.contains("    metadata:\n      name: weather\n- target:"), "{text}");
        assert!(text.contains("    name: weather\n    namespace: default\n"), "{text}");
        before["metadata"]["annotations"][PREVIOUS_NAMESPACES] = "own,team1".into();
        after["metadata"] = before["metadata"].clone();
        let text = component([(&before, &after)]);
        assert!(text.contains("      name: weather\n      namespace: own\n- target:"), "{text}");
        assert!(text.contains("    name: weather\n    namespace: own\n"), "{text}");
    }
}
