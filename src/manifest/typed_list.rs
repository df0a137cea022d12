//! Lists of one kind, such as a DeploymentList: the kind and apiVersion of the items that say neither, as kubectl gives
//! them. Finding lists in a document is left to the callers.

use serde_json::{Map, Value};

/// The ending of every list's kind.
const LIST: &str = "List";

/// Kind and apiVersion of the items of a typed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemType {
    /// Such as `Deployment`.
    pub kind: String,
    /// That of the list.
    pub api_version: String,
}

impl ItemType {
    /// What a list of this kind gives its items; none for a `List` or `ResourceList`, whose items are of any kind.
    pub fn of(kind: &str, api_version: &str) -> Option<Self> {
        let kind = kind.strip_suffix(LIST).filter(|kind| !matches!(*kind, "" | "Resource"))?;
        Some(Self { kind: kind.to_owned(), api_version: api_version.to_owned() })
    }

    /// Gives kind and apiVersion to an object that says neither, in front of its fields.
    pub fn add_to(&self, object: &mut Value) {
        if let Value::Object(fields) = object
            && KEYS.iter().all(|key| !fields.contains_key(*key))
        {
            let given: Map<String, Value> = KEYS
                .iter()
                .zip([&self.api_version, &self.kind])
                .map(|(key, text)| ((*key).into(), text.as_str().into()))
                .collect();
            let own = std::mem::take(fields);
            fields.extend(given.into_iter().chain(own));
        }
    }

    /// Takes what was given, so that the object is as its list has it.
    pub fn take_from(object: &mut Value) {
        if let Value::Object(fields) = object {
            for key in KEYS {
                fields.shift_remove(key);
            }
        }
    }
}

const KEYS: [&str; 2] = ["apiVersion", "kind"];

/// Gives the items of typed lists their kind and apiVersion, in lists of lists as well.
pub fn complete(object: &mut Value) {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let kind = text("kind");
    if !kind.ends_with(LIST) {
        return;
    }
    let given = ItemType::of(kind, text("apiVersion"));
    if let Some(Value::Array(items)) = object.get_mut("items") {
        for item in items {
            if let Some(given) = &given {
                given.add_to(item);
            }
            complete(item);
        }
    }
}
