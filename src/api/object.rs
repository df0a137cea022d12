//! What identifies an object, and what the transform needs to know of a ConfigMap.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

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

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// Where an object was read: what error messages name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// A ConfigMap as the config hash sees it. `binaryData` is never hashed and not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        let metadata = value.get("metadata").unwrap_or(&Value::Null);
        Ok(Self {
            namespace: text(metadata.get("namespace")),
            name: text(metadata.get("name")),
            labels: string_map(metadata.get("labels"), "metadata.labels")?,
            data: string_map(value.get("data"), "data")?,
            origin,
        })
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
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
