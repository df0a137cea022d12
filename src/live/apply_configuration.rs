//! What server-side apply sends: live and desired workload in, the smallest object that states our fields out.
//!
//! Also which fields a run takes away, in the notation of `metadata.managedFields`. Sending is left to the binary.
//!
//! An apply configuration names each list item by its key (`volumes` by name, `volumeMounts` by mountPath); what it does
//! not name stays as it is, and what our manager named before and no longer names goes away (conventions.md section 4.2).

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::api::names::{MANAGED_BY, Names, RESTART_HASH};
use crate::api::pull_policy::default_pull_policy;
use crate::api::workload::PodTemplate;

/// One step of the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A key of an object.
    Field(String),
    /// An item of a list whose items have identity.
    Item {
        /// Field that identifies the item.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// The way from the root of an object to a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Vec<Step>);

impl FieldPath {
    /// A path of object keys.
    pub fn fields<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(|key| Step::Field(key.to_owned())).collect())
    }

    /// This path and one more key.
    #[must_use]
    pub fn field(mut self, key: &str) -> Self {
        self.0.push(Step::Field(key.to_owned()));
        self
    }

    /// This path and an item of the list that it leads to.
    #[must_use]
    pub fn item(mut self, key: &'static str, value: &str) -> Self {
        self.0.push(Step::Item { key, value: value.to_owned() });
        self
    }

    /// The value at the end of this path.
    pub fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |at, step| match step {
            Step::Field(key) => at.get(key),
            Step::Item { key, value } => find_item(at.as_array()?, key, value),
        })
    }

    /// The path that the API server shows as `text`, such as `.spec.volumes[name="a"].image`, in an object that has it.
    /// Keys may hold dots, so only the object tells where one ends.
    pub fn displayed(root: &Value, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (step, rest, below) = match root {
            Value::Object(map) => map.iter().find_map(|(key, value)| {
                let rest = text.strip_prefix('.')?.strip_prefix(key.as_str())?;
                let ends = rest.is_empty() || rest.starts_with(['.', '[']);
                let leads = || Self::displayed(value, rest).is_some();
                (ends && leads()).then(|| (Step::Field(key.clone()), rest, value))
            })?,
            Value::Array(items) => items.iter().find_map(|item| {
                ["name", "mountPath"].into_iter().find_map(|key| {
                    let value = item.get(key)?.as_str()?;
                    let rest = text.strip_prefix(&format!("[{key}={value:?}]"))?;
                    Some((Step::Item { key, value: value.to_owned() }, rest, item))
                })
            })?,
            _ => return None,
        };
        let mut steps = vec![step];
        steps.extend(Self::displayed(below, rest)?.0);
        Some(Self(steps))
    }

    /// Takes the value at the end of this path away.
    pub fn remove(&self, root: &mut Value) {
        let Some((last, parents)) = self.0.split_last() else { return };
        let parent = parents.iter().try_fold(root, |at, step| match step {
            Step::Field(key) => at.get_mut(key),
            Step::Item { key, value } => at
                .as_array_mut()?
                .iter_mut()
                .find(|item| item.get(*key).and_then(Value::as_str) == Some(value)),
        });
        match (parent, last) {
            (Some(Value::Object(map)), Step::Field(key)) => {
                map.shift_remove(key);
            }
            (Some(Value::Array(items)), Step::Item { key, value }) => {
                items.retain(|item| item.get(*key).and_then(Value::as_str) != Some(value));
            }
            _ => {}
        }
    }

    /// The steps as `fieldsV1` writes them: `f:spec`, `k:{"name":"skill-a"}`.
    pub fn managed_keys(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|step| match step {
                Step::Field(key) => format!("f:{key}"),
                Step::Item { key, value } => format!(
                    "k:{}",
                    Value::Object(Map::from_iter([((*key).to_owned(), value.as_str().into())]))
                ),
            })
            .collect()
    }
}

/// As the API server reports conflicts: `.spec.volumes[name="a"].image`.
impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(key) => write!(f, ".{key}"),
            Step::Item { key, value } => write!(f, "[{key}={value:?}]"),
        })
    }
}

/// The key by which server-side apply tells the items of a list apart. Lists that are not here we only ever replace whole.
fn list_key(field: &str) -> Option<&'static str> {
    match field {
        "volumes" | "containers" | "initContainers" | "env" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

/// Builds the apply configuration. `ours` are the fields that we hold: they are stated also where live already has them,
/// so that a second apply keeps their ownership. Whatever else differs between live and desired is stated as well;
/// what desired lacks is not. Paths of `ours` that desired does not have are passed over.
///
/// The pull policy of an image volume is always stated. Left out, the server would keep the default of the reference
/// before; the operator's update computes it anew (conventions.md section 6, "stale default").
pub fn apply_configuration(live: &Value, desired: &Value, ours: &[FieldPath]) -> Value {
    let mut configuration = stated(live, desired, None).unwrap_or_else(|| Value::Object(Map::new()));
    for path in ours {
        if let Some(value) = path.find(desired) {
            merge_at(&mut configuration, &path.0, value);
        }
    }
    state_pull_policies(&mut configuration, desired);
    order_as(&mut configuration, desired, None);
    drop_empty_maps(&mut configuration);
    let mut object = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = desired.get(key) {
            object.insert(key.into(), value.clone());
        }
    }
    let mut metadata = Map::new();
    for key in ["name", "namespace"] {
        if let Some(value) = desired.pointer(&format!("/metadata/{key}")) {
            metadata.insert(key.into(), value.clone());
        }
    }
    if let Value::Object(mut found) = configuration {
        if let Some(Value::Object(more)) = found.remove("metadata") {
            metadata.extend(more);
        }
        object.insert("metadata".into(), Value::Object(metadata));
        object.extend(found);
    }
    Value::Object(object)
}

/// Whether nothing has to be written: desired states nothing that live lacks and lacks nothing that live has. Empty maps
/// of labels and annotations say nothing; the API server does not store them.
pub fn is_settled(live: &Value, desired: &Value) -> bool {
    live == desired || {
        let mut left = stated(live, desired, None).unwrap_or_default();
        drop_empty_maps(&mut left);
        left.as_object().is_none_or(|left| left.values().all(is_empty_map))
            && removed_fields(live, desired).is_empty()
    }
}

/// The first field of the keyed lists that two items of a list both claim, and did not in the live object. The API server
/// refuses what we would make so; an apply configuration would quietly make one item of the two. What is there twice
/// already it takes, with a warning, and whose it is decides its owner.
pub fn new_duplicate(live: &Value, desired: &Value) -> Option<FieldPath> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    find_duplicates(live, &FieldPath::default(), &mut before);
    find_duplicates(desired, &FieldPath::default(), &mut after);
    after.into_iter().find(|path| {
        let count = |object: &Value| {
            let (last, parents) = path.0.split_last()?;
            let Step::Item { key, value } = last else { return None };
            let items = FieldPath(parents.to_vec()).find(object)?.as_array()?;
            Some(items.iter().filter(|item| item.get(*key).and_then(Value::as_str) == Some(value)).count())
        };
        !before.contains(path) || count(live) < count(desired)
    })
}

fn find_duplicates(value: &Value, at: &FieldPath, out: &mut Vec<FieldPath>) {
    let key = match at.0.last() {
        Some(Step::Field(field)) => list_key(field),
        _ => None,
    };
    match (value, key) {
        (Value::Object(map), _) => {
            for (key, value) in map {
                find_duplicates(value, &at.clone().field(key), out);
            }
        }
        (Value::Array(items), Some(key)) => {
            let mut seen = BTreeSet::new();
            for item in items {
                let Some(id) = item.get(key).and_then(Value::as_str) else { continue };
                let path = at.clone().item(key, id);
                if seen.insert(id) {
                    find_duplicates(item, &path, out);
                } else {
                    out.push(path);
                }
            }
        }
        _ => {}
    }
}

/// Takes empty maps of labels and annotations out of what is to be stated.
fn drop_empty_maps(configuration: &mut Value) {
    for (key, value) in configuration.as_object_mut().into_iter().flatten() {
        if key == "metadata"
            && let Value::Object(metadata) = value
        {
            metadata.retain(|key, value| {
                !(matches!(key.as_str(), "labels" | "annotations") && is_empty_map(value))
            });
        } else {
            drop_empty_maps(value);
        }
    }
}

fn is_empty_map(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// All items of the lists of which the server, after an apply that stated some of them, has lost what was to stay: the lists of
/// a custom kind whose CRD does not say how they merge are replaced whole by who states them.
pub fn items_of_replaced_lists(live: &Value, desired: &Value, merged: &Value) -> Vec<FieldPath> {
    let lost = removed_fields(live, merged).into_iter().filter(|path| path.find(desired).is_some());
    let mut out = BTreeSet::new();
    for FieldPath(steps) in lost {
        let Some(at) = steps.iter().rposition(|step| matches!(step, Step::Item { .. })) else { continue };
        let Step::Item { key, .. } = steps[at] else { continue };
        let list = FieldPath(steps[..at].to_vec());
        let items = list.find(desired).and_then(Value::as_array).into_iter().flatten();
        out.extend(items.filter_map(|item| Some(list.clone().item(key, item.get(key)?.as_str()?))));
    }
    out.into_iter().collect()
}

/// What of an apply configuration an object does not hold; `None` if the server stored all of it.
pub fn missing(stored: &Value, configuration: &Value) -> Option<Value> {
    stated(stored, configuration, None)
}

/// The fields of ours that a workload should have, no matter who wrote them: labels, annotations, and for each skill its volume
/// and its mounts, in whichever containers they are. Skills are (volume name, mount path).
pub fn our_fields(
    desired: &Value,
    names: &Names,
    paths: &PodTemplate,
    skills: &[(&str, &str)],
) -> Vec<FieldPath> {
    let root = FieldPath::default();
    let of_template = FieldPath::fields(paths.template.iter().copied());
    let annotations = root.clone().field("metadata").field("annotations");
    let mut out = vec![annotations.clone().field(names.skills), annotations.field(RESTART_HASH)];
    for at in [&root, &of_template] {
        out.push(at.clone().field("metadata").field("labels").field(names.type_label));
    }
    let managed_by = root.field("metadata").field("labels").field(MANAGED_BY);
    if managed_by.find(desired).and_then(Value::as_str) == Some(names.managed_by_value) {
        out.push(managed_by);
    }
    for annotation in [names.config_hash, names.mtls_mode] {
        out.push(of_template.clone().field("metadata").field("annotations").field(annotation));
    }
    let pod = of_template.field("spec");
    for (volume, mount_path) in skills {
        let path = pod.clone().field("volumes").item("name", volume);
        if path.find(desired).is_some_and(|volume| volume.get("image").is_some()) {
            out.push(path);
        }
        for list in ["containers", "initContainers"] {
            let containers = pod.clone().field(list);
            let found = containers.find(desired).and_then(Value::as_array);
            for container in found.into_iter().flatten().filter_map(|c| c.get("name").and_then(Value::as_str))
            {
                let mount = containers
                    .clone()
                    .item("name", container)
                    .field("volumeMounts")
                    .item("mountPath", mount_path);
                if mount.find(desired).and_then(|mount| mount.get("name")).and_then(Value::as_str)
                    == Some(volume)
                {
                    out.push(mount);
                }
            }
        }
    }
    out.retain(|path| path.find(desired).is_some());
    out
}

/// What has to be said to get from live to desired; `None` if nothing differs.
fn stated(live: &Value, desired: &Value, field: Option<&str>) -> Option<Value> {
    match (live, desired) {
        _ if live == desired => None,
        (Value::Object(old), Value::Object(new)) => {
            let said: Map<String, Value> = new
                .iter()
                .filter_map(|(key, value)| {
                    let said = match old.get(key) {
                        Some(before) => stated(before, value, Some(key)),
                        None => Some(value.clone()),
                    };
                    said.map(|said| (key.clone(), said))
                })
                .collect();
            (!said.is_empty()).then_some(Value::Object(said))
        }
        (Value::Array(old), Value::Array(new)) => match field.and_then(list_key) {
            Some(key) if has_identity(new, key) && has_identity(old, key) => {
                let old = by_identity(old, key);
                let said: Vec<Value> = new.iter().filter_map(|item| stated_item(&old, item, key)).collect();
                (!said.is_empty()).then_some(Value::Array(said))
            }
            _ => Some(desired.clone()),
        },
        _ => Some(desired.clone()),
    }
}

fn stated_item(old: &HashMap<&str, (usize, &Value)>, item: &Value, key: &'static str) -> Option<Value> {
    let id = item.get(key)?.as_str()?;
    match old.get(id).map(|(_, item)| *item) {
        None => Some(item.clone()),
        Some(before) => {
            let Value::Object(said) = stated(before, item, None)? else { return None };
            let mut named = Map::from_iter([(key.to_owned(), Value::from(id))]);
            named.extend(said);
            Some(Value::Object(named))
        }
    }
}

fn has_identity(items: &[Value], key: &str) -> bool {
    items.iter().all(|item| item.get(key).is_some_and(Value::is_string))
}

/// The items of a list that have an identity, with their places; the first of two with one.
fn by_identity<'v>(items: &'v [Value], key: &str) -> HashMap<&'v str, (usize, &'v Value)> {
    let mut out = HashMap::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        if let Some(id) = item.get(key).and_then(Value::as_str) {
            out.entry(id).or_insert((at, item));
        }
    }
    out
}

fn find_item<'v>(items: &'v [Value], key: &str, id: &str) -> Option<&'v Value> {
    items.iter().find(|item| item.get(key).and_then(Value::as_str) == Some(id))
}

/// Puts a value at a path, making what is missing on the way.
fn merge_at(root: &mut Value, steps: &[Step], value: &Value) {
    let Some((first, rest)) = steps.split_first() else {
        *root = value.clone();
        return;
    };
    match first {
        Step::Field(key) => {
            if !root.is_object() {
                *root = Value::Object(Map::new());
            }
            if let Value::Object(map) = root {
                merge_at(map.entry(key.clone()).or_insert(Value::Null), rest, value);
            }
        }
        Step::Item { key, value: id } => {
            if !root.is_array() {
                *root = Value::Array(Vec::new());
            }
            if let Value::Array(items) = root {
                let at = items.iter().position(|item| item.get(*key).and_then(Value::as_str) == Some(id));
                let at = at.unwrap_or_else(|| {
                    items.push(Value::Object(Map::from_iter([((*key).to_owned(), id.as_str().into())])));
                    items.len() - 1
                });
                merge_at(&mut items[at], rest, value);
            }
        }
    }
}

/// Puts the items of keyed lists into the order that they have in desired: the server orders live items as the
/// configuration does, and the first container or an earlier environment variable means something.
fn order_as(configuration: &mut Value, desired: &Value, field: Option<&str>) {
    match (configuration, desired) {
        (Value::Object(said), Value::Object(wanted)) => {
            for (key, value) in said {
                if let Some(wanted) = wanted.get(key) {
                    order_as(value, wanted, Some(key));
                }
            }
        }
        (Value::Array(said), Value::Array(wanted)) => {
            let Some(key) = field.and_then(list_key) else { return };
            let wanted = by_identity(wanted, key);
            let place = |item: &Value| wanted.get(item.get(key)?.as_str()?).copied();
            said.sort_by_cached_key(|item| place(item).map_or(usize::MAX, |(at, _)| at));
            for item in said {
                if let Some((_, wanted)) = place(item) {
                    order_as(item, wanted, None);
                }
            }
        }
        _ => {}
    }
}

fn state_pull_policies(configuration: &mut Value, desired: &Value) {
    for (key, value) in configuration.as_object_mut().into_iter().flatten() {
        let wanted = desired.get(key).unwrap_or(&Value::Null);
        match value {
            Value::Array(volumes) if key == "volumes" => {
                let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
                volumes.iter_mut().for_each(|volume| state_pull_policy(volume, wanted));
            }
            value => state_pull_policies(value, wanted),
        }
    }
}

fn state_pull_policy(volume: &mut Value, wanted: &[Value]) {
    let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
    let image = find_item(wanted, "name", name).and_then(|volume| volume.get("image"));
    let Some(reference) = image.and_then(|image| image.get("reference")).and_then(Value::as_str) else {
        return;
    };
    let policy = image
        .and_then(|image| image.get("pullPolicy"))
        .and_then(Value::as_str)
        .unwrap_or_else(|| default_pull_policy(reference));
    if let Some(Value::Object(image)) = volume.get_mut("image") {
        image.insert("reference".into(), reference.into());
        image.insert("pullPolicy".into(), policy.into());
    }
}

/// Fields of live that desired no longer has, the outermost of each: a volume, not each of its fields.
pub fn removed_fields(live: &Value, desired: &Value) -> Vec<FieldPath> {
    let mut out = Vec::new();
    walk_removed(live, desired, &mut FieldPath::default(), &mut out);
    out
}

/// The fields of which a desired object has another value than the live one, as deep as lists can be told apart; those that only one
/// of them has are not among them.
pub fn changed_fields(live: &Value, desired: &Value) -> Vec<FieldPath> {
    let mut out = Vec::new();
    walk_changed(live, desired, &FieldPath::default(), &mut out);
    out
}

fn walk_changed(live: &Value, desired: &Value, at: &FieldPath, out: &mut Vec<FieldPath>) {
    let last = match at.0.last() {
        Some(Step::Field(field)) => list_key(field),
        _ => None,
    };
    match (live, desired, last) {
        _ if live == desired => {}
        (Value::Object(old), Value::Object(new), _) => {
            for (key, value) in old {
                if let Some(wanted) = new.get(key) {
                    walk_changed(value, wanted, &at.clone().field(key), out);
                }
            }
        }
        (Value::Array(old), Value::Array(new), Some(key))
            if has_identity(old, key) && has_identity(new, key) =>
        {
            let new = by_identity(new, key);
            for item in old {
                let id = item.get(key).and_then(Value::as_str).unwrap_or_default();
                if let Some((_, wanted)) = new.get(id) {
                    walk_changed(item, wanted, &at.clone().item(key, id), out);
                }
            }
        }
        _ => out.push(at.clone()),
    }
}

fn walk_removed(live: &Value, desired: &Value, at: &mut FieldPath, out: &mut Vec<FieldPath>) {
    let last = match at.0.last() {
        Some(Step::Field(field)) => list_key(field),
        _ => None,
    };
    match (live, desired, last) {
        (Value::Object(old), Value::Object(new), _) => {
            for (key, value) in old {
                at.0.push(Step::Field(key.clone()));
                match new.get(key) {
                    Some(wanted) => walk_removed(value, wanted, at, out),
                    // A list or map that went altogether goes item by item: others may own some of its items.
                    None => match value {
                        Value::Object(map) if !map.is_empty() => {
                            walk_removed(value, &Value::Object(Map::new()), at, out)
                        }
                        Value::Array(_) if list_key(key).is_some() => {
                            walk_removed(value, &Value::Array(Vec::new()), at, out)
                        }
                        _ => out.push(at.clone()),
                    },
                }
                at.0.pop();
            }
        }
        (Value::Array(old), Value::Array(new), Some(key))
            if has_identity(old, key) && has_identity(new, key) =>
        {
            let new = by_identity(new, key);
            for item in old {
                let id = item.get(key).and_then(Value::as_str).unwrap_or_default();
                at.0.push(Step::Item { key, value: id.to_owned() });
                match new.get(id).map(|(_, item)| *item) {
                    Some(wanted) => walk_removed(item, wanted, at, out),
                    None => out.push(at.clone()),
                }
                at.0.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::KAGENTI;
    use crate::api::workload::WorkloadKind;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "weather", "namespace": "team1", "resourceVersion": "7", "labels": {"app": "weather"}},
            "spec": {"replicas": 3, "template": {
                "metadata": {"labels": {"app": "weather"}},
                "spec": {
                    "containers": [
                        {"name": "proxy", "image": "envoy:1"},
                        {"name": "agent", "image": "weather:1", "args": ["--fast"], "volumeMounts": [{"name": "cfg", "mountPath": "/cfg"}]}
                    ],
                    "volumes": [{"name": "cfg", "configMap": {"name": "cfg"}}]
                }}}
        })
    }

    fn desired() -> Value {
        let mut desired = live();
        desired["metadata"]["annotations"] = json!({"kagenti.io/skills": "[\"a\"]"});
        desired["spec"]["template"]["metadata"]["annotations"] = json!({"kagenti.io/config-hash": "00"});
        let pod = &mut desired["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "cfg", "configMap": {"name": "cfg"}}, {"name": "skill-a", "image": {"reference": "q.io/a:latest"}}]);
        pod["containers"][1]["volumeMounts"] = json!([{"name": "cfg", "mountPath": "/cfg"},
            {"name": "skill-a", "mountPath": "/skills/a", "readOnly": true}]);
        desired
    }

    fn expected() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "weather", "namespace": "team1", "annotations": {"kagenti.io/skills": "[\"a\"]"}},
            "spec": {"template": {
                "metadata": {"annotations": {"kagenti.io/config-hash": "00"}},
                "spec": {
                    "containers": [{"name": "agent", "volumeMounts": [{"name": "skill-a", "mountPath": "/skills/a", "readOnly": true}]}],
                    "volumes": [{"name": "skill-a", "image": {"reference": "q.io/a:latest", "pullPolicy": "Always"}}]
                }}}
        })
    }

    fn ours() -> Vec<FieldPath> {
        our_fields(&desired(), &KAGENTI, WorkloadKind::Deployment.paths(), &[("skill-a", "/skills/a")])
    }

    /// `--container` after a run without it: the container named now came first in the patch, and so in the pod.
    #[test]
    fn containers_are_stated_in_the_order_of_the_pod() {
        let mut after = desired();
        let pod = FieldPath::fields(["spec", "template", "spec"]);
        let proxy = pod.clone().field("containers").item("name", "proxy").field("image");
        let cfg = pod.field("volumes").item("name", "cfg");
        let mut wanted = expected();
        wanted["spec"]["template"]["spec"]["containers"] = json!([{"name": "proxy", "image": "envoy:1"},
            expected()["spec"]["template"]["spec"]["containers"][0]]);
        wanted["spec"]["template"]["spec"]["volumes"] = json!([{"name": "cfg", "configMap": {"name": "cfg"}},
            expected()["spec"]["template"]["spec"]["volumes"][0]]);
        let ours = [ours(), vec![proxy, cfg]].concat();
        assert_eq!(apply_configuration(&live(), &after, &ours), wanted);
        for list in ["containers", "volumes"] {
            after["spec"]["template"]["spec"][list].as_array_mut().unwrap().reverse();
            wanted["spec"]["template"]["spec"][list].as_array_mut().unwrap().reverse();
        }
        let mut live = live();
        live["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().reverse();
        assert_eq!(apply_configuration(&live, &after, &ours), wanted);
    }

    #[test]
    fn our_fields_are_found_in_the_container_that_has_them() {
        let ours: Vec<String> = ours().iter().map(ToString::to_string).collect();
        assert_eq!(
            ours,
            [
                ".metadata.annotations.kagenti.io/skills",
                ".spec.template.metadata.annotations.kagenti.io/config-hash",
                r#".spec.template.spec.volumes[name="skill-a"]"#,
                r#".spec.template.spec.containers[name="agent"].volumeMounts[mountPath="/skills/a"]"#,
            ]
        );
    }

    /// A server that drops image volumes answers 200: only what it stored tells.
    #[test]
    fn what_the_server_dropped_is_missing() {
        assert_eq!(
            missing(&desired(), &expected()),
            Some(json!({"spec": {"template": {"spec": {"volumes": [
            {"name": "skill-a", "image": {"pullPolicy": "Always"}}]}}}}))
        );
        let mut stored = desired();
        stored["spec"]["template"]["spec"]["volumes"][1]["image"]["pullPolicy"] = json!("Always");
        assert_eq!(missing(&stored, &expected()), None);
    }

    /// Anything more than our fields would take them from the user's own `kubectl apply`.
    #[test]
    fn only_our_fields_are_stated() {
        assert_eq!(apply_configuration(&live(), &desired(), &ours()), expected());
        assert_eq!(apply_configuration(&live(), &desired(), &[]), expected());
    }

    /// A field that a second apply leaves out is removed by the server.
    #[test]
    fn a_second_apply_states_the_same() {
        let mut stored = desired();
        stored["spec"]["template"]["spec"]["volumes"][1]["image"]["pullPolicy"] = json!("Always");
        assert_eq!(apply_configuration(&stored, &desired(), &ours()), expected());
        assert_eq!(apply_configuration(&desired(), &desired(), &ours()), expected());
    }

    /// The pull policy of the tag before must not outlive it: `IfNotPresent` with `latest` never pulls again.
    #[test]
    fn a_new_tag_brings_its_own_pull_policy() {
        let mut before = desired();
        before["spec"]["template"]["spec"]["volumes"][1]["image"] =
            json!({"reference": "q.io/a:1", "pullPolicy": "IfNotPresent"});
        let configuration = apply_configuration(&before, &desired(), &ours());
        assert_eq!(
            configuration["spec"]["template"]["spec"]["volumes"],
            json!([{"name": "skill-a", "image": {"reference": "q.io/a:latest", "pullPolicy": "Always"}}])
        );
    }

    #[test]
    fn with_nothing_of_ours_only_the_name_is_stated() {
        assert_eq!(
            apply_configuration(&live(), &live(), &ours()),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "weather", "namespace": "team1"}})
        );
    }

    /// The operator leaves `annotations: {}` on Sandboxes; a server that does not store it must not be asked for ever.
    #[test]
    fn empty_maps_say_nothing() {
        let mut empty = live();
        empty["metadata"]["annotations"] = json!({});
        assert!(is_settled(&live(), &empty));
        assert!(!is_settled(&live(), &desired()));
        assert!(!is_settled(&desired(), &live()));
        assert_eq!(apply_configuration(&live(), &empty, &[]), apply_configuration(&live(), &live(), &[]));
    }

    /// Two mounts at one path would be merged into one, and the user's mount would be gone.
    #[test]
    fn an_item_that_occurs_twice_is_found() {
        assert_eq!(new_duplicate(&live(), &desired()), None);
        let mut twice = desired();
        twice["spec"]["template"]["spec"]["containers"][1]["volumeMounts"][1]["mountPath"] = json!("/cfg");
        assert_eq!(
            new_duplicate(&live(), &twice).map(|path| path.to_string()).as_deref(),
            Some(r#".spec.template.spec.containers[name="agent"].volumeMounts[mountPath="/cfg"]"#)
        );
        // What its owner has twice, and the server took with a warning, is not ours to refuse.
        assert_eq!(new_duplicate(&twice, &twice), None);
    }

    /// Keys of annotations have dots and slashes in them, and conflicts are about them most of the time.
    #[test]
    fn a_path_in_the_servers_words_is_found() {
        for (text, found) in [
            (".metadata.annotations.kagenti.io/skills", true),
            (
                r#".spec.template.spec.containers[name="agent"].volumeMounts[mountPath="/skills/a"].name"#,
                true,
            ),
            (r#".spec.template.spec.volumes[name="skill-a"].image.reference"#, true),
            (".metadata.annotations.kagenti.io", false),
            (r#".spec.template.spec.volumes[name="skill-z"]"#, false),
        ] {
            let path = FieldPath::displayed(&desired(), text);
            assert_eq!(path.map(|path| path.to_string()).as_deref(), found.then_some(text), "{text}");
        }
    }

    #[test]
    fn what_goes_is_named_item_by_item() {
        let removed: Vec<String> =
            removed_fields(&desired(), &live()).iter().map(ToString::to_string).collect();
        assert_eq!(
            removed,
            [
                ".metadata.annotations.kagenti.io/skills",
                ".spec.template.metadata.annotations.kagenti.io/config-hash",
                r#".spec.template.spec.containers[name="agent"].volumeMounts[mountPath="/skills/a"]"#,
                r#".spec.template.spec.volumes[name="skill-a"]"#,
            ]
        );
        assert_eq!(removed_fields(&live(), &desired()), []);
    }

    #[test]
    fn managed_fields_are_keyed_as_the_server_keys_them() {
        let path = FieldPath::fields(["spec"]).field("volumes").item("name", "skill-\"a");
        assert_eq!(path.managed_keys(), ["f:spec", "f:volumes", r#"k:{"name":"skill-\"a"}"#]);
    }

    /// What is new, or goes, is somebody else's only where it stands already.
    #[test]
    fn what_has_another_value_is_found_item_by_item() {
        let live = live();
        let mut desired = live.clone();
        desired["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
        desired["metadata"]["labels"]["new"] = json!("a");
        desired["spec"]["replicas"] = json!(4);
        let found: Vec<String> = changed_fields(&live, &desired).iter().map(ToString::to_string).collect();
        assert_eq!(found, [".spec.replicas", r#".spec.template.spec.containers[name="proxy"].image"#]);
        assert_eq!(changed_fields(&live, &live), []);
    }
}
