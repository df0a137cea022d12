//! Why a document that was read has no value: for people with what mends it, and for a gates file in Go's words.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::go::number::format_g;
use crate::go::quote::go_quote;

use super::{Around, NodeId, NodeKind, Resolved, Resolver};
use crate::yaml::SyntaxError;

/// When Go finds a fault: while it decodes, while it turns keys into texts, or while it writes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Decoding,
    Keys,
    Writing,
}

/// A fault with its place.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) phase: Phase,
    pub(super) error: SyntaxError,
}

impl From<Refusal> for SyntaxError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// Refusals that Go finds in a collection when all of it has been decoded; not those of values that a later entry of the
/// same key replaces.
#[derive(Default)]
pub(super) struct Late<'t>(Vec<(Option<Cow<'t, str>>, Refusal)>);

impl<'t> Late<'t> {
    /// Keeps a refusal; one of the first phase is returned.
    pub(super) fn keep(&mut self, key: Option<Cow<'t, str>>, refusal: Refusal) -> Result<(), Refusal> {
        if refusal.phase == Phase::Decoding {
            return Err(refusal);
        }
        if let Some(key) = &key {
            self.replace(key);
        }
        self.0.push((key, refusal));
        Ok(())
    }

    pub(super) fn replace(&mut self, replaced: &str) {
        self.0.retain(|(key, _)| key.as_deref() != Some(replaced));
    }

    /// The first refusal of the first phase, or the value. Go writes maps in byte order of their keys.
    pub(super) fn or<T>(self, value: T) -> Result<T, Refusal> {
        let first = self
            .0
            .into_iter()
            .min_by(|(key, refusal), (other_key, other)| (refusal.phase, key).cmp(&(other.phase, other_key)));
        first.map_or(Ok(value), |(_, refusal)| Err(refusal))
    }
}

/// What is wrong with a node.
#[derive(Debug)]
pub(super) enum Fault<'t> {
    /// Its tag does not fit; Go's reason.
    Misfit(String),
    /// A key that is a mapping or a sequence, in Go's syntax.
    CollectionKey(String),
    /// A null key; its value in Go's syntax.
    NullKey(String),
    /// A key beyond `i64`; its value in Go's syntax.
    HugeKey(u64, String),
    /// Infinite, or not a number: as written, and as Go prints it.
    NotJson {
        written: &'t str,
        go: String,
    },
    MergeValue,
    UnknownAnchor(&'t str),
    ContainsItself(&'t str),
    TooManyAliases,
    TooMuchText,
    TooDeep,
}

impl Fault<'_> {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::NullKey(_) | Self::HugeKey(..) => Phase::Keys,
            Self::NotJson { .. } => Phase::Writing,
            _ => Phase::Decoding,
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Misfit(reason) => format!("{reason}; change the tag or the value"),
            Self::CollectionKey(_) => {
                "a key cannot be a mapping or a sequence; keys of objects are strings".to_owned()
            }
            Self::NullKey(_) => "a key cannot be null; quote it or remove the entry".to_owned(),
            Self::HugeKey(..) => "an integer key this large is not read by Kubernetes; quote it".to_owned(),
            Self::NotJson { written, .. } => {
                format!("{written} is not a number in JSON; quote it to make it text")
            }
            Self::MergeValue => {
                "a merge key `<<` needs a mapping or a sequence of mappings as its value".to_owned()
            }
            Self::UnknownAnchor(name) => format!("unknown anchor '{name}' referenced"),
            Self::ContainsItself(name) => format!("the value of anchor {name:?} contains itself"),
            Self::TooManyAliases => "document contains excessive aliasing; write some values out".to_owned(),
            Self::TooMuchText => "the aliases of this document expand to more than 64 MiB".to_owned(),
            Self::TooDeep => format!("nested deeper than {} levels", super::MAX_VALUE_DEPTH),
        }
    }

    /// What follows `error converting YAML to JSON: `.
    pub(super) fn in_go_words(&self) -> String {
        let refused_key = |kind: &str, key: &str, value: &str| {
            format!("unsupported map key of type: {kind}, key: {key}, value: {value}")
        };
        match self {
            Self::Misfit(reason) => format!("yaml: {reason}"),
            Self::CollectionKey(key) => format!("yaml: invalid map key: {key}"),
            Self::NullKey(value) => refused_key("%!s(<nil>)", "<nil>", value),
            Self::HugeKey(key, value) => refused_key("uint64", &format!("{key:#x}"), value),
            Self::NotJson { go, .. } => format!("json: unsupported value: {go}"),
            Self::MergeValue => "yaml: map merge requires map or sequence of maps as the value".to_owned(),
            Self::ContainsItself(name) => format!("yaml: anchor '{name}' value contains itself"),
            Self::TooManyAliases => "yaml: document contains excessive aliasing".to_owned(),
            Self::UnknownAnchor(_) | Self::TooMuchText | Self::TooDeep => format!("yaml: {}", self.message()),
        }
    }
}

/// What nil is within a collection.
const NIL: &str = "interface {}(nil)";

/// A key as Go sorts them when it prints a map: nil first, numbers by their value.
type GoKey = (bool, Option<i64>, String);

impl Resolver<'_, '_> {
    /// A node in Go's own syntax, as `%#v` prints what it is decoded to; empty where no error needs it.
    pub(super) fn in_go_syntax(&self, id: NodeId) -> String {
        if self.as_go && self.document.tree.get(id).is_some() { self.syntax(id) } else { String::new() }
    }

    fn syntax(&self, id: NodeId) -> String {
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Scalar(style) => match self.scalar(id, style, Around::Unknown) {
                Ok(Resolved::Bool(value)) => value.to_string(),
                Ok(Resolved::Int(value)) => value.to_string(),
                Ok(Resolved::Unsigned(value)) => format!("{value:#x}"),
                Ok(Resolved::Float(value)) => format_g(value, 64),
                Ok(Resolved::Text(text)) => go_quote(&text),
                Ok(Resolved::Null) | Err(_) => "<nil>".to_owned(),
            },
            NodeKind::Alias => {
                // The budget of aliases bounds this.
                let followed = self.follow(id, |target| {
                    self.enter(target, 0)?;
                    Ok(self.syntax(target))
                });
                followed.unwrap_or_default()
            }
            NodeKind::Sequence { .. } => {
                let items: Vec<String> = tree.children(id).map(|child| self.interface(child)).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            NodeKind::Mapping { .. } => {
                let mut last_of_each = BTreeMap::new();
                self.collect_syntax(id, &mut last_of_each);
                let entries: Vec<String> =
                    last_of_each.iter().map(|((_, _, key), value)| format!("{key}:{value}")).collect();
                format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
            }
        }
    }

    /// The entries of a mapping, or of what is merged, in the order Go sets them.
    fn collect_syntax(&self, id: NodeId, entries: &mut BTreeMap<GoKey, String>) {
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Mapping { .. } => {
                for (key, value) in tree.entries(id) {
                    if self.is_merge(key) {
                        self.collect_syntax(value, entries);
                    } else {
                        let key = self.interface(key);
                        entries.insert((key != NIL, key.parse().ok(), key), self.interface(value));
                    }
                }
            }
            NodeKind::Sequence { .. } => {
                let items: Vec<NodeId> = tree.children(id).collect();
                items.into_iter().rev().for_each(|item| self.collect_syntax(item, entries));
            }
            NodeKind::Alias => {
                // The budget of aliases bounds this; what is more is named by nobody.
                let _ = self.follow(id, |target| {
                    self.enter(target, 0)?;
                    self.collect_syntax(target, entries);
                    Ok(())
                });
            }
            NodeKind::Scalar(_) => {}
        }
    }

    /// A node within a collection: nil has the collection's type there.
    fn interface(&self, id: NodeId) -> String {
        match self.syntax(id) {
            nil if nil == "<nil>" => NIL.to_owned(),
            other => other,
        }
    }
}
