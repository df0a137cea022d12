//! A workload that is being planned: the object before in; the object after and every place where it may differ out.
//!
//! There is no other way to change it than the setters here, and each notes its place. So who writes the result need not
//! look at what was not touched.

use serde_json::{Map, Value};

use super::fields::{WrongType, find, map_mut, remove_empty_map, wrong};
use crate::api::object::{entry, entry_mut};
use crate::yaml::Place;

/// The way to a place that was touched.
pub(crate) type Path = Vec<Place<'static>>;

/// A workload that is being planned.
#[derive(Debug)]
pub(super) struct Draft {
    value: Value,
    touched: Vec<Path>,
}

impl Draft {
    /// Begins with the workload as it is.
    pub(super) fn new(value: Value) -> Self {
        Self { value, touched: Vec::new() }
    }

    /// The workload so far.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// Whether anything was changed.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The workload, and where it may differ from the one before.
    pub(super) fn into_parts(self) -> (Value, Vec<Path>) {
        (self.value, self.touched)
    }

    /// The map along a path of keys; `None` if it is absent or null.
    ///
    /// # Errors
    /// A field on the way that is no object.
    pub(super) fn map(&self, keys: &[&str]) -> Result<Option<&Map<String, Value>>, WrongType> {
        let mut at = &self.value;
        for done in 0..=keys.len() {
            match (at, keys.get(done)) {
                (Value::Object(map), None) => return Ok(Some(map)),
                (Value::Object(map), Some(key)) => match entry(map, key) {
                    Some(next) => at = next,
                    None => return Ok(None),
                },
                (Value::Null, _) if done > 0 => return Ok(None),
                _ => return Err(wrong(&keys[..done], "an object", crate::api::agent_runtime::type_name(at))),
            }
        }
        Ok(None)
    }

    /// Sets a value in the map along a path of keys, which is made where it is absent or null.
    ///
    /// # Errors
    /// A field on the way that is no object; nothing is changed then.
    pub(super) fn set(
        &mut self,
        keys: &[&'static str],
        key: &'static str,
        value: impl Into<Value>,
    ) -> Result<(), WrongType> {
        let value = value.into();
        if self.map(keys)?.and_then(|map| entry(map, key)) != Some(&value) {
            self.put(keys, key, value);
        }
        Ok(())
    }

    /// Sets a list in the map along a path of keys, or takes the field away where the list is empty and was not so
    /// before. An empty list that its author wrote stays when nothing was in it and nothing comes into it.
    ///
    /// # Errors
    /// A field on the way that is no object; nothing is changed then.
    pub(super) fn set_items(
        &mut self,
        keys: &[&'static str],
        key: &'static str,
        items: Vec<Value>,
    ) -> Result<(), WrongType> {
        match change(self.map(keys)?.and_then(|map| entry(map, key)), items) {
            Change::Nothing => {}
            Change::Remove => drop(self.take(keys, key)),
            Change::Set(list) => self.put(keys, key, list),
        }
        Ok(())
    }

    /// The same for a list of one container. `pod`: path of the pod; `list`: of its containers.
    pub(super) fn set_container_items(
        &mut self,
        pod: &[&'static str],
        list: &'static str,
        index: usize,
        key: &'static str,
        items: Vec<Value>,
    ) {
        let Some(Value::Object(container)) = self.container(pod, list, index) else { return };
        match change(entry(container, key), items) {
            Change::Nothing => return,
            Change::Remove => drop(container.shift_remove(key)),
            Change::Set(list) => drop(container.insert(key.to_owned(), list)),
        }
        let way = pod.iter().chain([&list]).map(|key| Place::Key(key));
        self.touched.push(way.chain([Place::Index(index), Place::Key(key)]).collect());
    }

    /// Takes a container out for as long as it is looked at; [`Draft::give_back`] puts it into its place again.
    pub(super) fn lend(&mut self, pod: &[&'static str], list: &'static str, index: usize) -> Option<Value> {
        self.container(pod, list, index).map(Value::take)
    }

    /// Puts a container that was lent back.
    pub(super) fn give_back(
        &mut self,
        pod: &[&'static str],
        list: &'static str,
        index: usize,
        container: Value,
    ) {
        if let Some(place) = self.container(pod, list, index) {
            *place = container;
        }
    }

    fn container(&mut self, pod: &[&'static str], list: &'static str, index: usize) -> Option<&mut Value> {
        let mut way = pod.iter().chain([&list]);
        way.try_fold(&mut self.value, |at, key| at.as_object_mut().and_then(|map| entry_mut(map, key)))?
            .get_mut(index)
    }

    /// Removes an entry of the map along a path of keys, and the maps around it that this empties.
    pub(super) fn remove(&mut self, keys: &[&'static str], key: &'static str) {
        if self.take(keys, key).is_none() {
            return;
        }
        for depth in (1..=keys.len()).rev() {
            let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            if !find(&self.value, &keys[..depth]).is_some_and(is_empty) {
                break;
            }
            remove_empty_map(&mut self.value, &keys[..depth]);
        }
    }

    fn take(&mut self, keys: &[&'static str], key: &'static str) -> Option<Value> {
        let map = keys.iter().try_fold(&mut self.value, |at, key| at.get_mut(*key))?.as_object_mut()?;
        let removed = map.shift_remove(key)?;
        self.note(keys, key);
        Some(removed)
    }

    /// All fields on the way are objects, null or absent.
    fn put(&mut self, keys: &[&'static str], key: &'static str, value: Value) {
        if let Ok(map) = map_mut(&mut self.value, keys) {
            map.insert(key.to_owned(), value);
            self.note(keys, key);
        }
    }

    fn note(&mut self, keys: &[&'static str], key: &'static str) {
        self.touched.push(keys.iter().copied().chain([key]).map(Place::Key).collect());
    }
}

enum Change {
    Nothing,
    Remove,
    Set(Value),
}

fn change(before: Option<&Value>, items: Vec<Value>) -> Change {
    let same = match before {
        None | Some(Value::Null) => items.is_empty(),
        Some(Value::Array(old)) => *old == items,
        Some(_) => false,
    };
    if same {
        Change::Nothing
    } else if items.is_empty() {
        Change::Remove
    } else {
        Change::Set(Value::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(draft: &Draft) -> Vec<String> {
        let step = |place: &Place<'_>| match place {
            Place::Key(key) => format!(".{key}"),
            Place::Index(index) => format!("[{index}]"),
        };
        draft.touched.iter().map(|path| path.iter().map(step).collect()).collect()
    }

    /// A change that is not noted would never reach the file.
    #[test]
    fn every_change_is_noted_and_nothing_else() {
        let before = json!({
            "metadata": {"labels": {"a": "1"}, "annotations": {"gone": "x"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "E"}]}], "volumes": null}}},
        });
        let pod = ["spec", "template", "spec"];
        let mut draft = Draft::new(before);
        draft.set(&["metadata", "labels"], "a", "1").unwrap();
        draft.set_items(&pod, "volumes", Vec::new()).unwrap();
        draft.set_container_items(&pod, "containers", 0, "env", vec![json!({"name": "E"})]);
        draft.set_container_items(&pod, "containers", 7, "env", vec![json!({"name": "E"})]);
        draft.remove(&["metadata", "annotations"], "absent");
        draft.set(&["spec"], "replicas", 1).unwrap();
        assert!(!draft.is_touched(), "nothing was changed so far: {:?}", places(&draft));
        draft.set(&["metadata", "labels"], "a", "2").unwrap();
        draft.set(&["spec", "template", "metadata", "labels"], "b", "3").unwrap();
        draft.set_items(&pod, "volumes", vec![json!({"name": "v"})]).unwrap();
        draft.set_container_items(&pod, "containers", 0, "env", Vec::new());
        draft.set_container_items(&pod, "containers", 0, "volumeMounts", vec![json!({"name": "v"})]);
        draft.remove(&["metadata", "annotations"], "gone");
        draft.set(&["spec"], "replicas", 2).unwrap();
        assert_eq!(
            places(&draft),
            [
                ".metadata.labels.a",
                ".spec.template.metadata.labels.b",
                ".spec.template.spec.volumes",
                ".spec.template.spec.containers[0].env",
                ".spec.template.spec.containers[0].volumeMounts",
                ".metadata.annotations.gone",
                ".spec.replicas",
            ]
        );
        assert_eq!(
            *draft.value(),
            json!({
                "metadata": {"labels": {"a": "2"}},
                "spec": {"replicas": 2, "template": {
                    "spec": {"containers": [{"name": "c", "volumeMounts": [{"name": "v"}]}], "volumes": [{"name": "v"}]},
                    "metadata": {"labels": {"b": "3"}},
                }},
            })
        );
    }

    /// A label map that is a list was never read by anybody; to overwrite it would lose what its author meant.
    #[test]
    fn a_field_of_another_type_is_an_error_and_stays() {
        let before = json!({"metadata": {"labels": ["a"]}, "spec": 1});
        let mut draft = Draft::new(before.clone());
        let error = draft.set(&["metadata", "labels"], "a", "1").unwrap_err();
        assert_eq!(error.path, super::super::fields::path(&["metadata", "labels"]));
        assert_eq!(error.message, "must be an object, found array");
        assert!(draft.set_items(&["spec", "template"], "volumes", vec![json!(1)]).is_err());
        assert_eq!((draft.value(), draft.is_touched()), (&before, false));
    }
}
