//! The `metadata` of an object in, as the API server decodes and judges it out. The rest of the object is left to
//! [`super::schema`]; owner references, managed fields and times pass unread.
//!
//! Source: `ObjectMeta` and its validation in k8s.io/apimachinery v0.37.2 (`pkg/api/validation`,
//! `pkg/api/validate/content`).

use serde_json::{Map, Value};

use super::schema::SchemaError;
use crate::api::object::entry;
use crate::crd::pattern::{dns_label, dns_subdomain, qualified_name};
use crate::go::number::format_g;
use crate::go::quote::go_quote;
use crate::go::value::json_type_name;

/// Greatest sum of the bytes of all annotation keys and values.
const ANNOTATIONS_BYTES: usize = 256 * 1024;

/// The metadata as the server holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Decoded {
    /// Known fields that are not empty.
    pub metadata: Map<String, Value>,
    /// Fields that the server does not know, such as `metadata.foo`.
    pub unknown_paths: Vec<String>,
}

/// Types of `ObjectMeta`, as far as they are read here.
#[derive(Clone, Copy)]
enum Type {
    Text(&'static str),
    TextMap,
    TextList,
    Integer,
    // Passes as it is.
    Unread,
}

/// Fields of `ObjectMeta`.
pub(super) const FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

fn type_of(field: &str) -> Option<Type> {
    Some(match field {
        "name" | "generateName" | "namespace" | "selfLink" | "resourceVersion" => Type::Text("string"),
        // Times are decoded from a text; a text that is no time is not reported here.
        "creationTimestamp" | "deletionTimestamp" => Type::Text("string"),
        "uid" => Type::Text("types.UID"),
        "labels" | "annotations" => Type::TextMap,
        "finalizers" => Type::TextList,
        "generation" | "deletionGracePeriodSeconds" => Type::Integer,
        "ownerReferences" | "managedFields" => Type::Unread,
        _ => return None,
    })
}

/// Decodes as the server does; null and absent are empty.
///
/// # Errors
/// The decoder's message about the first field, by name, that has a wrong type.
pub(super) fn decode(metadata: Option<&Value>) -> Result<Decoded, String> {
    let fields = match metadata {
        None | Some(Value::Null) => return Ok(Decoded::default()),
        Some(Value::Object(fields)) => fields,
        Some(other) => {
            return Err(format!(
                "json: cannot unmarshal {} into Go value of type v1.ObjectMeta",
                json_type_name(other)
            ));
        }
    };
    let mut decoded = Decoded::default();
    let mut wrong = Vec::new();
    for (key, value) in fields {
        let Some(kind) = type_of(key) else {
            decoded.unknown_paths.push(format!("metadata.{key}"));
            continue;
        };
        match field(kind, value) {
            Ok(Some(value)) => {
                decoded.metadata.insert(key.clone(), value);
            }
            Ok(None) => {}
            Err((found, wanted)) => wrong.push((
                key,
                format!(
                    "json: cannot unmarshal {found} into Go struct field ObjectMeta.{key} of type {wanted}"
                ),
            )),
        }
    }
    // The server writes the metadata with sorted keys before it decodes it, and tells the first error.
    match wrong.into_iter().min() {
        Some((_, message)) => Err(message),
        None => Ok(decoded),
    }
}

/// Whether metadata is as the server would hold it, but for unknown fields, and without fault.
pub(super) fn is_in_order(metadata: &Map<String, Value>) -> bool {
    let texts = |map: &Map<String, Value>| map.values().all(Value::is_string);
    let decoded = metadata.iter().all(|(key, value)| match (type_of(key), value) {
        (None | Some(Type::Unread), _) | (Some(Type::Text(_)), Value::String(_)) => true,
        (Some(Type::Integer), value) => value.as_i64().is_some(),
        (Some(Type::TextMap), Value::Object(map)) => texts(map),
        (Some(Type::TextList), Value::Array(items)) => items.iter().all(Value::is_string),
        _ => false,
    });
    decoded && errors(metadata).is_empty()
}

type Mismatch = (String, &'static str);

/// The field as stored; none when empty.
fn field(kind: Type, value: &Value) -> Result<Option<Value>, Mismatch> {
    match (kind, value) {
        (_, Value::Null) => Ok(None),
        (Type::Unread, other) => Ok(Some(other.clone())),
        (Type::Text(go_type), other) => {
            let text = text(other, go_type)?;
            Ok((!text.is_empty()).then(|| Value::from(text)))
        }
        (Type::TextMap, Value::Object(map)) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            for (_, value) in entries {
                text(value, "string")?;
            }
            let texts: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.as_str().unwrap_or_default())))
                .collect();
            Ok((!texts.is_empty()).then_some(Value::Object(texts)))
        }
        (Type::TextMap, other) => Err((json_type_name(other).to_owned(), "map[string]string")),
        (Type::TextList, Value::Array(items)) => {
            let texts = items
                .iter()
                .map(|item| text(item, "string").map(Value::from))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((!texts.is_empty()).then_some(Value::Array(texts)))
        }
        (Type::TextList, other) => Err((json_type_name(other).to_owned(), "[]string")),
        (Type::Integer, Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(0), _) => Ok(None),
            (Some(integer), _) => Ok(Some(Value::from(integer))),
            (None, float) => Err((format!("number {}", format_g(float.unwrap_or_default(), 64)), "int64")),
        },
        (Type::Integer, other) => Err((json_type_name(other).to_owned(), "int64")),
    }
}

/// A text; null is the empty one.
fn text<'v>(value: &'v Value, go_type: &'static str) -> Result<&'v str, Mismatch> {
    match value {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        other => Err((json_type_name(other).to_owned(), go_type)),
    }
}

/// The server's messages about decoded metadata of an object that is being created.
pub(super) fn errors(metadata: &Map<String, Value>) -> Vec<SchemaError> {
    let get = |key: &str| entry(metadata, key).and_then(Value::as_str).unwrap_or_default();
    let mut errors = Vec::new();
    let error = |field: &'static str, reason: String| SchemaError {
        path: vec!["metadata".into(), field.into()],
        field: format!("metadata.{field}"),
        reason,
    };
    let mut tell = |field, value: &str, messages: Vec<String>| {
        let reason = |message| format!("Invalid value: {}: {message}", go_quote(value));
        errors.extend(messages.iter().map(|message| error(field, reason(message))));
    };
    let (name, generate) = (get("name"), get("generateName"));
    if !generate.is_empty() {
        tell("generateName", generate, subdomain_errors(&masked(generate), "characters"));
    }
    if !name.is_empty() {
        tell("name", name, subdomain_errors(name, "characters"));
    }
    if !get("namespace").is_empty() {
        tell("namespace", get("namespace"), label_errors(get("namespace")));
    }
    let mut bytes = 0;
    for (field, is_label) in [("labels", true), ("annotations", false)] {
        for (key, value) in entry(metadata, field).and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            if is_label {
                tell(field, key, qualified_name_errors(key));
                tell(field, value, label_value_errors(value));
            } else {
                // Upper case is allowed in the prefix of an annotation's key.
                tell(field, key, qualified_name_errors(&key.to_lowercase()));
                bytes += key.len() + value.len();
            }
        }
    }
    let finalizers: Vec<&str> = entry(metadata, "finalizers")
        .and_then(Value::as_array)
        .map(|items| items.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for finalizer in &finalizers {
        tell("finalizers", finalizer, qualified_name_errors(finalizer));
    }
    if name.is_empty() && generate.is_empty() {
        errors.push(error("name", "Required value: name or generateName is required".to_owned()));
    }
    if bytes > ANNOTATIONS_BYTES {
        let reason = format!("Too long: may not be more than {ANNOTATIONS_BYTES} bytes");
        errors.push(error("annotations", reason));
    }
    errors
}

/// The server appends five characters, so a dash at the end is no fault of the prefix.
fn masked(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut rest = rest.to_owned();
            rest.pop();
            rest.push('a');
            rest
        }
        _ => prefix.to_owned(),
    }
}

/// Two generations of the rule are in force: one speaks of characters, the other of bytes, and both count bytes.
fn subdomain_errors(text: &str, unit: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 253 {
        errors.push(format!("must be no more than 253 {unit}"));
    }
    if !dns_subdomain(text) {
        errors.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    errors
}

fn label_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 63 {
        errors.push("must be no more than 63 characters".to_owned());
    }
    if dns_label(text) {
        return errors;
    }
    if dns_subdomain(text) {
        errors.push("must not contain dots".to_owned());
    } else {
        errors.push(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
             end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    errors
}

const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn qualified_name_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(
                    subdomain_errors(prefix, "bytes").iter().map(|message| format!("prefix part {message}")),
                );
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        errors.push("name part must be no more than 63 bytes".to_owned());
    }
    if !qualified_name(name) {
        errors.push(format!("name part {NAME_RULE}"));
    }
    errors
}

fn label_value_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 63 {
        errors.push("must be no more than 63 bytes".to_owned());
    }
    if !text.is_empty() && !qualified_name(text) {
        errors.push(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                .to_owned(),
        );
    }
    errors
}
