//! What identifies an object, and what the transform needs to know of a ConfigMap.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// Entries up to which a map is searched from the front: to compare their lengths takes a quarter of a hash.
const FEW: usize = 12;

/// The value of a key.
pub(crate) fn entry<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    if map.len() > FEW {
        return map.get(key);
    }
    map.iter().find(|(own, _)| own.as_str() == key).map(|(_, value)| value)
}

/// The same, to be changed.
pub(crate) fn entry_mut<'v>(map: &'v mut Map<String, Value>, key: &str) -> Option<&'v mut Value> {
    if map.len() > FEW {
        return map.get_mut(key);
    }
    map.iter_mut().find(|(own, _)| own.as_str() == key).map(|(_, value)| value)
}

/// The value of a key; none if the value is no object.
pub(crate) fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.as_object().and_then(|map| entry(map, key))
}

/// The value at a path of keys, written as a JSON pointer without escapes and indexes: `/spec/skills`. Unlike
/// [`Value::pointer`] it allocates nothing, and a plan asks some twenty times.
pub fn field<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    let (mut value, mut rest) = (value, pointer);
    while let Some(tail) = rest.strip_prefix('/') {
        let key;
        (key, rest) = tail.split_at(tail.bytes().position(|byte| byte == b'/').unwrap_or(tail.len()));
        value = child(value, key)?;
    }
    Some(value)
}

/// Kind, namespace and name of an object, with its apiVersion.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// `group/version`, or `version` for the core group.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty where none is given.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// The group of an apiVersion; empty for the core group.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// `deployment.apps/weather`: what kubectl calls an object, and takes. The core group is left out.
pub fn title(kind: &str, group: &str, name: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group}/{name}", kind.to_lowercase())
}

impl ObjectRef {
    /// The API group.
    pub fn group(&self) -> &str {
        group_of(&self.api_version)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// A view of an untyped object's identity and metadata. A field that is absent, null or of another type reads as empty.
#[derive(Debug, Clone, Copy)]
pub struct Object<'v>(pub &'v Value);

impl<'v> Object<'v> {
    /// The text at a JSON pointer such as `/spec/targetRef/kind`; empty if there is none.
    pub fn str(self, pointer: &str) -> &'v str {
        field(self.0, pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// `apiVersion`.
    pub fn api_version(self) -> &'v str {
        self.str("/apiVersion")
    }

    /// The API group.
    pub fn group(self) -> &'v str {
        group_of(self.api_version())
    }

    /// `kind`.
    pub fn kind(self) -> &'v str {
        self.str("/kind")
    }

    /// `metadata.namespace`; empty if the object names none.
    pub fn namespace(self) -> &'v str {
        self.str("/metadata/namespace")
    }

    /// `metadata.name`.
    pub fn name(self) -> &'v str {
        self.str("/metadata/name")
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(self) -> &'v str {
        self.str("/metadata/resourceVersion")
    }

    /// `metadata.creationTimestamp`; none in manifests.
    pub fn created(self) -> Option<&'v str> {
        Some(self.str("/metadata/creationTimestamp")).filter(|time| !time.is_empty())
    }

    /// All four parts of the identity.
    pub fn reference(self) -> ObjectRef {
        self.reference_in("")
    }

    /// [`Object::reference`], with a namespace for objects that name none.
    pub fn reference_in(self, default_namespace: &str) -> ObjectRef {
        let namespace = Some(self.namespace()).filter(|named| !named.is_empty());
        ObjectRef {
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
            namespace: namespace.unwrap_or(default_namespace).to_owned(),
            name: self.name().to_owned(),
        }
    }

    /// Namespace and name.
    pub fn key(self) -> (String, String) {
        (self.namespace().to_owned(), self.name().to_owned())
    }

    /// The text of an annotation.
    pub fn annotation(self, key: &str) -> Option<&'v str> {
        field(self.0, "/metadata/annotations")?.get(key)?.as_str()
    }

    /// The text of a label.
    pub fn label(self, key: &str) -> Option<&'v str> {
        field(self.0, "/metadata/labels")?.get(key)?.as_str()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(self) -> impl Iterator<Item = &'v str> {
        let list = field(self.0, "/metadata/finalizers").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether a deletion timestamp is set. Null is not set, as for Go's decoder.
    pub fn is_being_deleted(self) -> bool {
        field(self.0, "/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
    }
}

/// Where an object was read: what error messages name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Origin {
    /// File name, `-` for standard input, or empty for the cluster.
    pub file: String,
    /// Number of the document in its file, from 1; 0 when not from a file.
    pub document: usize,
    /// Line on which the object begins, from 1; 0 when not from a file.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str("cluster"),
            (file, 0) => f.write_str(file),
            (file, line) => write!(f, "{file}:{line}"),
        }
    }
}

/// Fields of `metadata` that only the server sets.
pub const SERVER_METADATA: [&str; 5] =
    ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"];

/// A ConfigMap as the config hash sees it. `binaryData` is never hashed and not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct ConfigMap {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `data`, keys in byte order.
    pub data: BTreeMap<String, String>,
    /// Where it was read.
    pub origin: Origin,
}

impl ConfigMap {
    /// Reads a ConfigMap object. Values that are not strings are an error that names the field.
    pub fn from_value(value: &Value, origin: Origin) -> Result<Self, String> {
        let (namespace, name) = Object(value).key();
        Ok(Self {
            namespace,
            name,
            labels: string_map(field(value, "/metadata/labels"), "metadata.labels")?,
            data: string_map(value.get("data"), "data")?,
            origin,
        })
    }
}

/// Reads a `map[string]string`; absent and null are empty.
pub fn string_map(value: Option<&Value>, field: &str) -> Result<BTreeMap<String, String>, String> {
    match value {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key.clone(), text.clone())),
                // Go's decoder takes null for the zero value.
                Value::Null => Ok((key.clone(), String::new())),
                other => Err(format!("{field}.{key}: must be a string, found {other}; quote it")),
            })
            .collect(),
        Some(other) => Err(format!("{field}: must be a map of strings, found {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Go reads `deletionTimestamp: null` as not set; taking it for a deletion would let go of a workload in use.
    #[test]
    fn null_and_other_types_read_as_absent() {
        let object = json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "n", "namespace": 1,
            "deletionTimestamp": null, "finalizers": ["a", 2, "b"], "annotations": {"k": "v", "n": 1}, "labels": null}});
        let object = Object(&object);
        let reference = ObjectRef {
            api_version: "v1".into(),
            kind: "X".into(),
            namespace: "given".into(),
            name: "n".into(),
        };
        assert_eq!(object.reference_in("given"), reference);
        assert_eq!(object.reference(), ObjectRef { namespace: String::new(), ..reference });
        assert!(!object.is_being_deleted());
        assert_eq!(object.finalizers().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            [object.annotation("k"), object.annotation("n"), object.label("k")],
            [Some("v"), None, None]
        );
        assert_eq!(object.created(), None);
        assert!(
            Object(&json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})).is_being_deleted()
        );
    }
}
