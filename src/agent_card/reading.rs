//! What of a card is signed, by each way of reading it: a card in, the bytes that are signed and the fields in them out.
//!
//! Sources: A2A 1.0.1 section 8.4; kagenti operator d790f656 `internal/signature/verifier.go:304-372`; a2a-python
//! `src/a2a/utils/signing.py`; RFC 8785.

use std::fmt;

use serde_json::{Map, Value};

use super::fields::{self, Field, Many, Shape};
use crate::go::json as go;

/// A way to make the bytes that are signed of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// kagenti's operator and its signer: the fields of a Go struct, without what is empty, as Go writes JSON.
    Kagenti,
    /// The JSON as it was served, without defaults that A2A 1.0 has no presence for; unknown fields stay. RFC 8785.
    A2aServed,
    /// As the protobuf of A2A 1.0 holds it: unknown fields go, and what is empty. RFC 8785.
    A2aProto,
    /// The JSON as it was served. RFC 8785.
    Raw,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The bytes.
    pub payload: String,
    /// The fields in them.
    pub fields: Value,
}

impl Reading {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Kagenti, Self::A2aServed, Self::A2aProto, Self::Raw];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kagenti => "kagenti",
            Self::A2aServed => "a2a-served",
            Self::A2aProto => "a2a-proto",
            Self::Raw => "raw",
        }
    }

    /// What of a card is signed.
    ///
    /// # Errors
    /// Why the card cannot be read in this way, in words.
    pub fn signed(self, card: &Value) -> Result<Signed, String> {
        let mut card = card.as_object().cloned().ok_or("it must be a JSON object")?;
        card.shift_remove("signatures");
        let fields = match self {
            Self::Kagenti => filled(known(&card, fields::KAGENTI, true, "")?, true),
            Self::A2aServed => served(card, fields::A2A),
            Self::A2aProto => filled(known(&card, fields::A2A, false, "")?, false),
            Self::Raw => card,
        };
        let fields = Value::Object(fields);
        let mut payload = String::new();
        write(&fields, self, &mut payload)?;
        Ok(Signed { payload, fields })
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Paths of the fields of `card` that are in none of the values; what says nothing (empty, or null) is not listed, and
/// neither are the signatures. A field that is missing as a whole is listed once.
pub fn uncovered(card: &Value, covered: &[Value]) -> Vec<String> {
    let mut out = Vec::new();
    let Some(fields) = card.as_object() else { return out };
    let covered: Vec<&Value> = covered.iter().collect();
    for (key, value) in fields.iter().filter(|(key, _)| *key != "signatures") {
        look(key, value, &covered.iter().filter_map(|one| one.get(key)).collect::<Vec<_>>(), &mut out);
    }
    out
}

fn look(path: &str, value: &Value, covered: &[&Value], out: &mut Vec<String>) {
    if is_empty(value) || covered.contains(&value) {
        return;
    }
    match value {
        Value::Object(fields) if !covered.is_empty() => {
            for (key, value) in fields {
                let below: Vec<&Value> = covered.iter().filter_map(|one| one.get(key)).collect();
                look(&format!("{path}.{key}"), value, &below, out);
            }
        }
        Value::Array(items) if !covered.is_empty() => items_of(path, items, covered, out),
        _ => out.push(path.to_owned()),
    }
}

/// Items that are empty may be left out, so each is compared with what is at its place among those that are not.
fn items_of(path: &str, items: &[Value], covered: &[&Value], out: &mut Vec<String>) {
    for one in covered {
        let Some(left) = one.as_array() else { continue };
        let own: Vec<(usize, &Value)> = if left.len() == items.len() {
            items.iter().enumerate().collect()
        } else {
            items.iter().enumerate().filter(|(_, item)| without_empty((*item).clone()).is_some()).collect()
        };
        if own.len() == left.len() {
            for ((index, item), below) in own.into_iter().zip(left) {
                look(&format!("{path}[{index}]"), item, &[below], out);
            }
            return;
        }
    }
    out.push(path.to_owned());
}

/// The known fields of an object, each of the type that it must have. A field that is null is not there, and neither is a flag that
/// is false where that is no different from absent.
///
/// `by_go`: as Go reads a struct. A key in other case would be taken for a field there, and one that is there in both cases for
/// either, so no such card is read; and an item of a list may be null, which is empty.
fn known(
    object: &Map<String, Value>,
    fields: &[Field],
    by_go: bool,
    path: &str,
) -> Result<Map<String, Value>, String> {
    for key in object.keys().filter(|_| by_go) {
        if let Some(field) = fields.iter().find(|field| field.name != key && is_fold_of(key, field.name)) {
            return Err(format!("the key {path}{key} is read as {} by Go", field.name));
        }
    }
    let mut out = Map::new();
    for field in fields {
        let at = || format!("{path}{}", field.name);
        let Some(value) = object.get(field.name).filter(|value| !value.is_null()) else { continue };
        let one = |value: &Value, place: String| match (field.shape, value) {
            (_, Value::Null) if by_go => Ok(Value::Null),
            (Shape::Text, Value::String(_)) | (Shape::Flag, Value::Bool(_)) => Ok(value.clone()),
            (Shape::Any, value) if by_go || value.is_object() => Ok(value.clone()),
            (Shape::Message(fields), Value::Object(object)) => {
                known(object, fields, by_go, &format!("{place}.")).map(Value::Object)
            }
            _ => Err(format!("{place} must be {}", wanted(field.shape))),
        };
        let value = match (field.many, value) {
            (Many::One, Value::Bool(false)) if !field.kept && matches!(field.shape, Shape::Flag) => continue,
            (Many::One, value) => one(value, at())?,
            (Many::List, Value::Array(items)) => Value::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| one(item, format!("{}[{index}]", at())))
                    .collect::<Result<_, _>>()?,
            ),
            (Many::Map, Value::Object(entries)) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), one(value, format!("{}.{key}", at()))?)))
                    .collect::<Result<_, String>>()?,
            ),
            (Many::List, _) => return Err(format!("{} must be a list", at())),
            (Many::Map, _) => return Err(format!("{} must be an object", at())),
        };
        out.insert(field.name.to_owned(), value);
    }
    Ok(out)
}

/// Go's `strings.EqualFold` for a key of ASCII letters: K and S have a fold outside of ASCII.
fn is_fold_of(key: &str, name: &str) -> bool {
    let ascii = |character: char| match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(ascii).eq(name.chars().map(ascii))
}

/// The JSON without defaults of fields that have no presence.
fn served(object: Map<String, Value>, known: &[Field]) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in object {
        let Some(field) = known.iter().find(|field| field.name == key) else {
            out.insert(key, value);
            continue;
        };
        if !field.kept && is_default(&value) {
            continue;
        }
        let one = |value: Value| match (field.shape, value) {
            (Shape::Message(fields), Value::Object(object)) => Value::Object(served(object, fields)),
            (_, other) => other,
        };
        let value = match (field.many, value) {
            (Many::List, Value::Array(items)) => Value::Array(items.into_iter().map(one).collect()),
            (Many::Map, Value::Object(entries)) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key, one(value))).collect())
            }
            (_, value) => one(value),
        };
        out.insert(key, value);
    }
    out
}

fn is_default(value: &Value) -> bool {
    is_empty(value) || *value == Value::Bool(false) || value.as_f64() == Some(0.0)
}

/// Whether it holds nothing: null, or an empty text, list or object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Text => "a string",
        Shape::Flag => "true or false",
        Shape::Any | Shape::Message(_) => "an object",
    }
}

/// The fields that are not empty.
fn filled(fields: Map<String, Value>, by_go: bool) -> Map<String, Value> {
    match non_empty(Value::Object(fields), by_go) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The value without empty strings, lists and objects at any depth; `None` if nothing is left.
fn without_empty(value: Value) -> Option<Value> {
    non_empty(value, false)
}

/// `by_go`: as `removeEmptyFields`, which looks into no array in an array.
fn non_empty(value: Value, by_go: bool) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Array(items) => {
            let kept: Vec<_> = items
                .into_iter()
                .filter_map(|item| if by_go && item.is_array() { Some(item) } else { non_empty(item, by_go) })
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(fields) => {
            let kept: Map<_, _> =
                fields.into_iter().filter_map(|(key, value)| Some((key, non_empty(value, by_go)?))).collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        other => Some(other),
    }
}

/// Writes JSON without white space: keys in the order of UTF-16 and strings as RFC 8785 has them, or of bytes and as Go has them.
fn write(value: &Value, reading: Reading, out: &mut String) -> Result<(), String> {
    let is_go = reading == Reading::Kagenti;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
            Some(0.0) if !is_go => out.push('0'),
            Some(number) => go::push_number(out, number),
            None => return Err(format!("{number} is no number that JSON readers agree about")),
        },
        Value::String(text) => string(text, is_go, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, reading, out)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            match is_go {
                true => keys.sort_unstable(),
                false => keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16())),
            }
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(key, is_go, out);
                out.push(':');
                write(&fields[key], reading, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn string(text: &str, is_go: bool, out: &mut String) {
    match is_go {
        true => go::push_string(out, text),
        // serde_json escapes what RFC 8785 escapes, and in the same way.
        false => out.push_str(&Value::from(text).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload(reading: Reading, card: &Value) -> String {
        reading.signed(card).expect("a card that can be read").payload
    }

    /// What kagenti's operator (d790f656, run on these cards) writes. A card that it signed must verify here.
    #[test]
    fn kagenti_keeps_the_fields_of_its_structs_and_escapes_as_go() {
        let odd = json!({"name": "A<b>&c \u{2028} é 😀", "description": "", "version": "1", "url": "u", "capabilities": {},
            "skills": [{"id": "", "name": "x", "description": "", "tags": [],
                "parameters": [{"name": "p", "required": false, "default": ""}]}, {}], "defaultInputModes": [""]});
        assert_eq!(
            payload(Reading::Kagenti, &odd),
            "{\"name\":\"A\\u003cb\\u003e\\u0026c \\u2028 é 😀\",\"skills\":[{\"name\":\"x\",\"parameters\":[{\"name\":\"p\",\
             \"required\":false}]}],\"url\":\"u\",\"version\":\"1\"}"
        );
        let unknown = json!({"protocolVersion": "1.0", "name": "N", "description": "d", "version": "1",
            "supportedInterfaces": [{"url": "https://x/a2a"}], "security": [{"oauth": ["read"]}],
            "skills": [{"id": "s", "name": "s", "description": "s", "tags": ["t"], "security": [{"oauth": []}]}],
            "supportsAuthenticatedExtendedCard": false, "signatures": [{"protected": "x", "signature": "y"}]});
        let signed = Reading::Kagenti.signed(&unknown).expect("a card");
        assert_eq!(
            signed.payload,
            "{\"description\":\"d\",\"name\":\"N\",\"skills\":[{\"description\":\"s\",\"id\":\"s\",\"name\":\"s\",\
             \"tags\":[\"t\"]}],\"supportsAuthenticatedExtendedCard\":false,\"version\":\"1\"}"
        );
        assert_eq!(
            uncovered(&unknown, &[signed.fields]),
            ["protocolVersion", "supportedInterfaces", "security", "skills[0].security"].map(str::to_owned)
        );
    }

    /// Go takes `NAME` for `name`: what such a card says there is another thing to kagenti than to everybody else.
    #[test]
    fn a_key_in_other_case_is_no_card_for_kagenti() {
        for key in ["NAME", "Name", "\u{17f}kills"] {
            let error = Reading::Kagenti.signed(&json!({key: "x"})).expect_err("a key that Go folds");
            assert!(error.contains("by Go"), "{error}");
        }
        let error =
            Reading::Kagenti.signed(&json!({"skills": [{"tags": "x"}]})).expect_err("a string for a list");
        assert_eq!(error, "skills[0].tags must be a list");
    }

    /// The cases of RFC 8785 that A2A's test kit (a2a-tck d366cbc6) has: numbers, letters outside of ASCII, order of keys.
    #[test]
    fn the_others_write_canonical_json() {
        let numbers: Value = serde_json::from_str(
            "{\"name\":\"Ext Agent\",\"description\":\"\",\"capabilities\":{\"streaming\":true,\"extensions\":[{\"uri\":\
             \"https://ex/ext\",\"params\":{\"ratio\":0.1,\"count\":100.0,\"neg\":-0.0}}]},\"skills\":[]}",
        )
        .expect("JSON");
        let wanted = "{\"capabilities\":{\"extensions\":[{\"params\":{\"count\":100,\"neg\":0,\"ratio\":0.1},\"uri\":\
                      \"https://ex/ext\"}],\"streaming\":true},\"description\":\"\",\"name\":\"Ext Agent\",\"skills\":[]}";
        assert_eq!(payload(Reading::A2aServed, &numbers), wanted);
        assert_eq!(payload(Reading::Raw, &numbers), wanted);
        let order = json!({"name": "K", "securitySchemes": {"\u{fb33}": {"x": 1}, "😀": {"x": 2}}});
        let wanted = "{\"name\":\"K\",\"securitySchemes\":{\"😀\":{\"x\":2},\"\u{fb33}\":{\"x\":1}}}";
        assert_eq!(payload(Reading::Raw, &order), wanted);
    }

    #[test]
    fn the_readings_of_a2a_differ_in_defaults_and_unknown_fields() {
        let card = json!({"name": "Agent", "description": "", "url": "https://old/", "skills": [],
            "capabilities": {"streaming": false, "extensions": [{"uri": "e", "required": false}]}, "securityRequirements": []});
        assert_eq!(
            payload(Reading::A2aServed, &card),
            "{\"capabilities\":{\"extensions\":[{\"uri\":\"e\"}],\"streaming\":false},\"description\":\"\",\"name\":\"Agent\",\
             \"skills\":[],\"url\":\"https://old/\"}"
        );
        let proto = Reading::A2aProto.signed(&card).expect("a card");
        assert_eq!(
            proto.payload,
            "{\"capabilities\":{\"extensions\":[{\"uri\":\"e\"}],\"streaming\":false},\"name\":\"Agent\"}"
        );
        assert_eq!(uncovered(&card, &[proto.fields]), ["url", "capabilities.extensions[0].required"]);
    }

    #[test]
    fn what_any_reading_covers_is_covered() {
        let card =
            json!({"name": "n", "skills": [{"id": ""}, {"id": "a", "x": 1}], "y": {"z": null}, "w": 1});
        let covered = [json!({"name": "n"}), json!({"skills": [{"id": "a"}]})];
        assert_eq!(uncovered(&card, &covered), ["skills[1].x", "y", "w"]);
        assert_eq!(uncovered(&card, &[]), ["name", "skills", "y", "w"]);
    }
}
