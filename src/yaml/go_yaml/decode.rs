//! Nodes to values as go.yaml.in/yaml/v2 v2.4.2 decodes them (`decode.go`, `resolve.go`) and sigs.k8s.io/yaml turns them
//! into JSON. In: nodes; out: a JSON value, or the first error in Go's words.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Number, Value};

use super::{GoError, Node, NodeKind};
use crate::go::quote::go_quote;
use crate::yaml::plain::{Resolved, Tag, resolve};

/// Deeper values are refused to keep the stack small.
const MAX_DEPTH: usize = 1000;

/// What Go's decoder makes of a node, before JSON: keys may be of any scalar type, floats may not be numbers.
#[derive(Debug, Clone)]
enum Decoded<'n> {
    Scalar(Resolved<'n>),
    Sequence(Vec<Decoded<'n>>),
    Mapping(Vec<(Resolved<'n>, Decoded<'n>)>),
}

pub(super) fn value(nodes: &[Node]) -> Result<Value, GoError> {
    if nodes.is_empty() {
        return Ok(Value::Null);
    }
    let mut decoder =
        Decoder { nodes, expanding: HashSet::new(), decodes: 1, alias_decodes: 0, alias_depth: 0 };
    let decoded = decoder.node(0, 0).map_err(|problem| format!("yaml: {problem}"))?;
    let mut refusal = None;
    let value = json(&decoded, &mut refusal)?;
    refusal.map_or(Ok(value), |float| Err(format!("json: unsupported value: {}", go_float(float))))
}

struct Decoder<'n> {
    nodes: &'n [Node],
    /// Aliases whose values are being decoded just now.
    expanding: HashSet<usize>,
    decodes: u64,
    alias_decodes: u64,
    alias_depth: usize,
}

impl<'n> Decoder<'n> {
    /// Counts a decode; what comes from aliases must stay below a share of all that shrinks with the document.
    fn count(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.decodes += 1;
        if self.alias_depth > 0 {
            self.alias_decodes += 1;
        }
        let allowed = match self.decodes {
            0..=400_000 => 0.99,
            4_000_000.. => 0.10,
            decodes => 0.99 - 0.89 * ((decodes - 400_000) as f64 / 3_600_000.0),
        };
        if self.alias_decodes > 100
            && self.decodes > 1000
            && self.alias_decodes as f64 / self.decodes as f64 > allowed
        {
            return Err("document contains excessive aliasing".to_owned());
        }
        Ok(())
    }

    fn node(&mut self, id: usize, depth: usize) -> Result<Decoded<'n>, String> {
        self.count(depth)?;
        let node = &self.nodes[id];
        match &node.kind {
            NodeKind::Alias { name, target } => {
                self.follow(id, name, |decoder| decoder.node(*target, depth + 1))
            }
            NodeKind::Scalar { tag, value, implicit } => scalar(tag, value, *implicit).map(Decoded::Scalar),
            NodeKind::Sequence => {
                let items = node.children.iter().map(|child| self.node(*child, depth + 1));
                items.collect::<Result<_, _>>().map(Decoded::Sequence)
            }
            NodeKind::Mapping => {
                let mut entries = Entries::default();
                self.fill(id, depth, &mut entries)?;
                Ok(Decoded::Mapping(entries.list))
            }
        }
    }

    fn follow<T>(
        &mut self,
        alias: usize,
        name: &str,
        then: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if !self.expanding.insert(alias) {
            return Err(format!("anchor '{name}' value contains itself"));
        }
        self.alias_depth += 1;
        let result = then(self);
        self.alias_depth -= 1;
        self.expanding.remove(&alias);
        result
    }

    /// Sets the entries of a mapping in the order they stand; the last of a key wins, merged or not.
    fn fill(&mut self, id: usize, depth: usize, entries: &mut Entries<'n>) -> Result<(), String> {
        for pair in self.nodes[id].children.chunks(2) {
            let &[key, value] = pair else { continue };
            if is_merge(&self.nodes[key]) {
                self.merge(value, depth + 1, entries)?;
                continue;
            }
            let key = match self.node(key, depth + 1)? {
                Decoded::Scalar(key) => key,
                collection => return Err(format!("invalid map key: {}", go_syntax(&collection))),
            };
            let value = self.node(value, depth + 1)?;
            entries.set(key, value);
        }
        Ok(())
    }

    fn merge(&mut self, id: usize, depth: usize, entries: &mut Entries<'n>) -> Result<(), String> {
        match &self.nodes[id].kind {
            NodeKind::Sequence => {
                // Earlier ones take precedence: they are set last.
                for child in self.nodes[id].children.iter().rev() {
                    self.merge_mapping(*child, depth + 1, entries)?;
                }
                Ok(())
            }
            _ => self.merge_mapping(id, depth, entries),
        }
    }

    fn merge_mapping(&mut self, id: usize, depth: usize, entries: &mut Entries<'n>) -> Result<(), String> {
        let is_mapping = |id: usize| matches!(self.nodes[id].kind, NodeKind::Mapping);
        match &self.nodes[id].kind {
            NodeKind::Mapping => {
                self.count(depth)?;
                self.fill(id, depth, entries)
            }
            NodeKind::Alias { name, target } if is_mapping(*target) => {
                self.count(depth)?;
                self.follow(id, name, |decoder| {
                    decoder.count(depth + 1)?;
                    decoder.fill(*target, depth + 1, entries)
                })
            }
            _ => Err("map merge requires map or sequence of maps as the value".to_owned()),
        }
    }
}

fn is_merge(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Scalar { tag, value, implicit }
        if value == "<<" && (*implicit || tag == "tag:yaml.org,2002:merge"))
}

/// The entries of one mapping, with keys as Go's map compares them: by type and value.
#[derive(Default)]
struct Entries<'n> {
    list: Vec<(Resolved<'n>, Decoded<'n>)>,
    places: HashMap<String, usize>,
}

impl<'n> Entries<'n> {
    fn set(&mut self, key: Resolved<'n>, value: Decoded<'n>) {
        let place = *self.places.entry(format!("{key:?}")).or_insert(self.list.len());
        match self.list.get_mut(place) {
            Some(entry) => entry.1 = value,
            None => self.list.push((key, value)),
        }
    }
}

fn scalar<'n>(tag: &str, value: &'n str, implicit: bool) -> Result<Resolved<'n>, String> {
    if tag.is_empty() && !implicit {
        return Ok(Resolved::Text(Cow::Borrowed(value)));
    }
    let kind = match tag.strip_prefix("tag:yaml.org,2002:") {
        _ if tag.is_empty() => Tag::None,
        Some("bool") => Tag::Bool,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("null") => Tag::Null,
        Some("timestamp") => Tag::Timestamp,
        Some("binary") => Tag::Binary,
        // Under any other tag the value is text.
        _ => Tag::Str,
    };
    resolve(&kind, Cow::Borrowed(value)).map_err(|_| match kind {
        Tag::Binary => "!!binary value contains invalid base64 data".to_owned(),
        _ => misfit(tag, value),
    })
}

/// The error of a value that does not fit its tag.
fn misfit(tag: &str, value: &str) -> String {
    let is = match resolve(&Tag::None, Cow::Borrowed(value)) {
        Ok(Resolved::Null) => "!!null",
        Ok(Resolved::Bool(_)) => "!!bool",
        Ok(Resolved::Int(_) | Resolved::Unsigned(_)) => "!!int",
        Ok(Resolved::Float(_)) => "!!float",
        _ => "!!str",
    };
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(name) => format!("cannot decode {is} `{value}` as a !!{name}"),
        None => format!("cannot decode {is} `{value}` as a {tag}"),
    }
}

/// Turns what was decoded into JSON. Keys that JSON cannot have are an error at once, numbers that it cannot have only
/// when all else is done.
fn json(decoded: &Decoded<'_>, refusal: &mut Option<f64>) -> Result<Value, GoError> {
    Ok(match decoded {
        Decoded::Scalar(Resolved::Null) => Value::Null,
        Decoded::Scalar(Resolved::Bool(value)) => Value::Bool(*value),
        Decoded::Scalar(Resolved::Int(value)) => Value::from(*value),
        Decoded::Scalar(Resolved::Unsigned(value)) => Value::from(*value),
        Decoded::Scalar(Resolved::Float(value)) => match Number::from_f64(*value) {
            Some(number) => Value::Number(number),
            None => {
                refusal.get_or_insert(*value);
                Value::Null
            }
        },
        Decoded::Scalar(Resolved::Text(text)) => Value::String(text.clone().into_owned()),
        Decoded::Sequence(items) => {
            Value::Array(items.iter().map(|item| json(item, refusal)).collect::<Result<_, _>>()?)
        }
        Decoded::Mapping(entries) => {
            // Go marshals maps in byte order of their keys.
            let mut sorted = BTreeMap::new();
            for (key, value) in entries {
                sorted.insert(key_text(key, value)?, value);
            }
            let mut map = Map::new();
            for (key, value) in sorted {
                map.insert(key, json(value, refusal)?);
            }
            Value::Object(map)
        }
    })
}

fn key_text(key: &Resolved<'_>, value: &Decoded<'_>) -> Result<String, GoError> {
    let refused = |kind: &str| {
        let key = go_syntax(&Decoded::Scalar(key.clone()));
        Err(format!("unsupported map key of type: {kind}, key: {key}, value: {}", go_syntax(value)))
    };
    match key {
        Resolved::Text(text) => Ok(text.clone().into_owned()),
        Resolved::Bool(value) => Ok(value.to_string()),
        Resolved::Int(value) => Ok(value.to_string()),
        Resolved::Float(value) => Ok(crate::yaml::number::key_of_float(*value)),
        Resolved::Null => refused("%!s(<nil>)"),
        Resolved::Unsigned(_) => refused("uint64"),
    }
}

/// A value in Go's own syntax, as `%#v` prints it.
fn go_syntax(decoded: &Decoded<'_>) -> String {
    match decoded {
        Decoded::Scalar(Resolved::Null) => "<nil>".to_owned(),
        Decoded::Scalar(Resolved::Bool(value)) => value.to_string(),
        Decoded::Scalar(Resolved::Int(value)) => value.to_string(),
        Decoded::Scalar(Resolved::Unsigned(value)) => format!("{value:#x}"),
        Decoded::Scalar(Resolved::Float(value)) => go_float(*value),
        Decoded::Scalar(Resolved::Text(text)) => go_quote(text),
        Decoded::Sequence(items) => {
            let items: Vec<String> = items.iter().map(go_interface).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Decoded::Mapping(entries) => {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    format!("{}:{}", go_interface(&Decoded::Scalar(key.clone())), go_interface(value))
                })
                .collect();
            entries.sort();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}

/// A value within a collection: nil has the collection's type there.
fn go_interface(decoded: &Decoded<'_>) -> String {
    match decoded {
        Decoded::Scalar(Resolved::Null) => "interface {}(nil)".to_owned(),
        other => go_syntax(other),
    }
}

/// A float as `%#v` and the JSON encoder's errors print it.
fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let plain = format!("{value:e}");
    let (digits, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    match exponent.parse::<i32>() {
        // Go's %g turns to exponents from 21 on for the shortest form.
        Ok(exponent) if (-4..21).contains(&exponent) => format!("{value}"),
        Ok(exponent) => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
        Err(_) => plain,
    }
}
