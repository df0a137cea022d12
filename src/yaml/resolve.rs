//! What the nodes of a document mean, as sigs.k8s.io/yaml v1.6 (Go, YAML 1.1) decodes them: `serde_json` values,
//! comparisons, duplicate keys. The type of one scalar is left to `plain`, errors to `faults`.
//!
//! Two rules of that library surprise: entries and merges are applied in the order they stand, so that a `<<` below a
//! key overrides it; and a null key is an error.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::document::Document;
use super::error::SyntaxError;
use super::node::{NONE, NodeId, NodeKind, ScalarStyle, Tree};
use super::number::canonical;
use super::plain::{Resolved, Tag, resolve};
use super::reader::{column, full_tag, is_blankz, is_break, read_or_say_as_go, scalar_text};
use crate::go::json::unquote;
use crate::go::number::format_g;
use faults::{Fault, Late, Phase, Refusal};
use made::{Made, Parts};

mod equals;
mod faults;
mod made;

/// Values nested deeper than this, aliases counted, are refused. The stack needed stays far below a thread's.
pub const MAX_VALUE_DEPTH: usize = 512;

/// Bytes that aliases of one document may expand to in all, 64 for each node with its text. A document without aliases
/// is never limited.
pub const ALIAS_BUDGET: usize = 64 << 20;

impl<'t> Document<'t> {
    /// The document's value as the YAML reader of Kubernetes sees it; of duplicate keys the last.
    ///
    /// Numbers are what Go's JSON makes of them: `1.0` is the integer 1.
    ///
    /// # Errors
    /// Values Go cannot turn into JSON (`.nan`, null keys, ...), aliases beyond Go's limits or `ALIAS_BUDGET`, nesting
    /// beyond `MAX_VALUE_DEPTH`.
    pub fn to_value(&self) -> Result<Value, SyntaxError> {
        self.node_value(0)
    }

    /// The value of one node, aliases and merge keys followed.
    ///
    /// # Errors
    /// As [`Document::to_value`].
    pub fn node_value(&self, id: NodeId) -> Result<Value, SyntaxError> {
        Ok(Resolver::new(self).value(id, Around::Unknown, 0)?)
    }

    /// The same, where only these keys of the items of some lists are made, and of some of these items, in order, others.
    pub(super) fn value_of_parts(
        &self,
        id: NodeId,
        lists: Vec<NodeId>,
        keys: &'static [&'static str],
        short: (Vec<NodeId>, &'static [&'static str]),
    ) -> Result<Value, SyntaxError> {
        let resolver = Resolver { parts: Parts { lists, keys, short }, ..Resolver::new(self) };
        Ok(resolver.value(id, Around::Unknown, 0)?)
    }

    /// Whether the document means `value`, without building its own value; as [`Document::to_value`] would compare,
    /// `1` and `1.0` being the same to Go's JSON, and the order of keys being nothing.
    ///
    /// # Errors
    /// As [`Document::to_value`], but a difference found first is an answer.
    pub fn equals(&self, value: &Value) -> Result<bool, SyntaxError> {
        self.node_equals(0, value)
    }

    /// Whether one node means `value`; see [`Document::equals`].
    ///
    /// # Errors
    /// As [`Document::equals`].
    pub fn node_equals(&self, id: NodeId, value: &Value) -> Result<bool, SyntaxError> {
        Ok(Resolver::new(self).equals(id, value, Around::Unknown, 0)?)
    }

    /// Whether a mapping merges nothing and has exactly the keys of `map`, each once and in the same order.
    ///
    /// # Errors
    /// As [`Document::key_text`].
    pub(crate) fn has_plain_keys(&self, id: NodeId, map: &Map<String, Value>) -> Result<bool, SyntaxError> {
        Ok(Resolver::new(self).same_keys(id, map, 0)?)
    }

    /// The text of a scalar, escapes and folding resolved, whatever its type is: `"a\tb"`, but also `yes` and `0x10`.
    /// Empty for collections; for an alias the text of its name's node is not followed.
    ///
    /// # Errors
    /// None; what has been read can be decoded.
    pub fn scalar_text(&self, id: NodeId) -> Result<Cow<'t, str>, SyntaxError> {
        Ok(Resolver::new(self).text(id, Around::Unknown))
    }

    /// A key as it stands in the object: `yes:` is `true`, `0x10:` is `16`.
    ///
    /// # Errors
    /// Keys Go cannot turn into strings: null, collections, integers beyond 63 bits.
    pub fn key_text(&self, id: NodeId) -> Result<Cow<'t, str>, SyntaxError> {
        match self.word(id) {
            Some(word) => Ok(Cow::Borrowed(word)),
            None => Ok(Resolver::new(self).key(id, Around::Unknown, 0)?),
        }
    }

    /// Whether a key is a merge key (`<<`).
    pub fn is_merge_key(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        if node.props == node.start {
            return node.kind == NodeKind::Scalar(ScalarStyle::Plain) && self.source(id) == "<<";
        }
        Resolver::new(self).is_merge(id)
    }

    /// A bare word that is the string it looks like, as most keys and values are: no schema resolves it to anything
    /// else, and nothing in it needs decoding.
    pub(crate) fn word(&self, id: NodeId) -> Option<&'t str> {
        let node = self.tree.node(id);
        if node.kind != NodeKind::Scalar(ScalarStyle::Plain) || node.props != node.start {
            return None;
        }
        let word = self.source(id);
        let bytes = word.as_bytes();
        // The quick reader leaves words of several lines, which need folding, and tabs to the other one.
        let may_fold = |byte: &u8| matches!(byte, ..b' ' | 0xc2 | 0xe2);
        if !bytes.first()?.is_ascii_alphabetic() || (!self.quick && bytes.iter().any(may_fold)) {
            return None;
        }
        // Go resolves a word that begins with a letter only if it is one of these, in some spelling.
        if word.len() > 5 || !matches!(bytes[0] | 0x20, b'y' | b'n' | b'o' | b't' | b'f') {
            return Some(word);
        }
        let special: &[&str] = match word.len() {
            1 => &["y", "n"],
            2 => &["no", "on"],
            3 => &["yes", "off"],
            4 => &["true", "null"],
            _ => &["false"],
        };
        (!special.iter().any(|special| special.eq_ignore_ascii_case(word))).then_some(word)
    }

    /// The name of a node's anchor, without `&`.
    pub fn anchor(&self, id: NodeId) -> Option<&'t str> {
        props(self, id).0
    }

    /// A node's tag as written, with its `!`.
    pub fn tag(&self, id: NodeId) -> Option<&'t str> {
        props(self, id).1
    }
}

/// The value of the first document of a text, as `sigs.k8s.io/yaml` hands it to Go's JSON decoder: keys in byte order,
/// null where there is no document. Nothing after that document is looked at.
///
/// # Errors
/// What follows `error converting YAML to JSON: ` in Go's error. Collections nested deeper than 255 levels, which Go
/// takes, are refused.
pub fn first_document(text: &str) -> Result<Value, String> {
    let mut tree = Tree::default();
    let directives = read_or_say_as_go(text, &mut tree)?;
    let document = Document { text, tree, json: false, may_alias: true, quick: false, directives };
    let resolver = Resolver { as_go: true, ..Resolver::new(&document) };
    let mut value: Value = resolver.value(0, Around::Unknown, 0).map_err(|refusal| refusal.error.message)?;
    value.sort_all_objects();
    Ok(value)
}

/// Anchor and tag of a node, as written.
fn props<'t>(document: &Document<'t>, id: NodeId) -> (Option<&'t str>, Option<&'t str>) {
    let node = document.tree.node(id);
    let (mut anchor, mut tag) = (None, None);
    if node.props == node.start {
        return (None, None);
    }
    let mut rest = &document.text[node.props as usize..node.start as usize];
    loop {
        rest = rest.trim_start_matches(is_blankz);
        if rest.starts_with('#') {
            rest = rest.find(is_break).map_or("", |end| &rest[end..]);
            continue;
        }
        let (word, after) = rest.split_at(rest.find(is_blankz).unwrap_or(rest.len()));
        if let Some(name) = word.strip_prefix('&') {
            anchor = Some(name);
        } else if word.starts_with('!') {
            tag = Some(word);
        }
        if after.is_empty() {
            return (anchor, tag);
        }
        rest = after;
    }
}

/// What is known about the collection a node stands in.
#[derive(Clone, Copy)]
enum Around {
    Unknown,
    Parent(NodeId),
}

/// An entry, and the mapping it is written in, which is another one where it is merged.
struct Entry<'t> {
    mapping: NodeId,
    /// Unless it is refused when all else has been decoded.
    key: Result<Cow<'t, str>, Refusal>,
    value: NodeId,
}

type Take<'f, 't> = dyn FnMut(Entry<'t>) -> Result<(), Refusal> + 'f;

struct Resolver<'d, 't> {
    document: &'d Document<'t>,
    /// Anchors by name, in the order of the text; built when the first alias is met.
    anchors: OnceCell<HashMap<&'t str, Vec<NodeId>>>,
    budget: Cell<usize>,
    in_alias: Cell<bool>,
    /// How many nodes were decoded, as Go counts them, and how many of them because of aliases.
    decodes: Cell<u64>,
    alias_decodes: Cell<u64>,
    /// Errors are Go's, to the letter, and the one that Go finds first is the one.
    as_go: bool,
    parts: Parts,
}

impl<'d, 't> Resolver<'d, 't> {
    fn new(document: &'d Document<'t>) -> Self {
        Self {
            document,
            anchors: OnceCell::new(),
            budget: Cell::new(ALIAS_BUDGET),
            in_alias: Cell::new(false),
            decodes: Cell::new(1),
            alias_decodes: Cell::new(0),
            as_go: false,
            parts: Parts::default(),
        }
    }

    fn refusal(&self, id: NodeId, fault: &Fault<'_>) -> Refusal {
        let node = self.document.tree.node(id);
        let message = if self.as_go { fault.in_go_words() } else { fault.message() };
        let at = node.props.min(node.start) as usize;
        Refusal { phase: fault.phase(), error: SyntaxError::at(self.document.text, at, message) }
    }

    /// Counts what is decoded, what aliases expand to, and depth.
    fn enter(&self, id: NodeId, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_VALUE_DEPTH {
            return Err(self.refusal(id, &Fault::TooDeep));
        }
        self.decodes.set(self.decodes.get() + 1);
        if self.in_alias.get() {
            self.alias_decodes.set(self.alias_decodes.get() + 1);
            let node = self.document.tree.node(id);
            let cost = match node.kind {
                NodeKind::Scalar(_) => 64 + (node.end - node.start) as usize,
                _ => 64,
            };
            let Some(left) = self.budget.get().checked_sub(cost) else {
                return Err(self.refusal(id, &Fault::TooMuchText));
            };
            self.budget.set(left);
        }
        // What comes from aliases must stay below a share of all that shrinks with the document (`decode.go`,
        // `allowedAliasRatio`).
        let (aliased, all) = (self.alias_decodes.get(), self.decodes.get());
        if aliased > 100 && all > 1000 {
            let allowed = match all {
                0..=400_000 => 0.99,
                4_000_000.. => 0.10,
                all => 0.99 - 0.89 * ((all - 400_000) as f64 / 3_600_000.0),
            };
            if aliased as f64 / all as f64 > allowed {
                return Err(self.refusal(id, &Fault::TooManyAliases));
            }
        }
        Ok(())
    }

    /// Does something with the target of an alias, counting what it costs.
    fn follow<T>(
        &self,
        alias: NodeId,
        then: impl FnOnce(NodeId) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let target = self.target(alias)?;
        let outer = self.in_alias.replace(true);
        let result = then(target);
        self.in_alias.set(outer);
        result
    }

    fn target(&self, alias: NodeId) -> Result<NodeId, Refusal> {
        let name = self.document.source(alias).strip_prefix('*').unwrap_or_default();
        let anchors = self.anchors.get_or_init(|| {
            let mut anchors: HashMap<_, Vec<_>> = HashMap::new();
            for (id, node) in self.document.tree.nodes().enumerate() {
                if node.props != node.start
                    && let (Some(name), _) = props(self.document, id as NodeId)
                {
                    anchors.entry(name).or_default().push(id as NodeId);
                }
            }
            anchors
        });
        let definitions = anchors.get(name).map_or(&[][..], Vec::as_slice);
        let before = definitions.partition_point(|id| *id < alias);
        let Some(target) = before.checked_sub(1).and_then(|last| definitions.get(last)).copied() else {
            return Err(self.refusal(alias, &Fault::UnknownAnchor(name)));
        };
        let (node, from) = (self.document.tree.node(target), self.document.tree.node(alias));
        if node.end > from.start {
            return Err(self.refusal(alias, &Fault::ContainsItself(name)));
        }
        Ok(target)
    }

    fn tag(&self, id: NodeId) -> Tag {
        let tag = props(self.document, id).1;
        tag.map_or(Tag::None, |tag| Tag::of(&full_tag(tag, &self.document.directives)))
    }

    fn text(&self, id: NodeId, around: Around) -> Cow<'t, str> {
        let source = self.document.source(id);
        let style = match self.document.tree.node(id).kind {
            NodeKind::Scalar(ScalarStyle::DoubleQuoted) if self.document.json => return unquote(source),
            NodeKind::Scalar(style) => style,
            _ => return Cow::Borrowed(""),
        };
        scalar_text(source, style, || {
            let parent = match around {
                Around::Parent(parent) => parent,
                Around::Unknown => self.block_parent(id),
            };
            if parent == NONE {
                return None;
            }
            Some(column(self.document.text, self.document.tree.node(parent).start as usize))
        })
    }

    /// The innermost collection around a block scalar, which is always in block style.
    fn block_parent(&self, id: NodeId) -> NodeId {
        let end = self.document.tree.node(id).end;
        let mut nodes = self.document.tree.nodes[..id as usize].iter().map(|stored| stored.node());
        let holds =
            |kind| matches!(kind, NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false });
        nodes.rposition(|node| node.end >= end && holds(node.kind)).map_or(NONE, |id| id as NodeId)
    }

    fn scalar(&self, id: NodeId, style: ScalarStyle, around: Around) -> Result<Resolved<'t>, Refusal> {
        let text = self.text(id, around);
        let tag = self.tag(id);
        if style != ScalarStyle::Plain && tag == Tag::None {
            return Ok(Resolved::Text(text));
        }
        resolve(tag, text).map_err(|reason| self.refusal(id, &Fault::Misfit(reason)))
    }

    /// A bare word; what aliases expand to is counted instead.
    fn word(&self, id: NodeId) -> Option<&'t str> {
        if self.in_alias.get() {
            return None;
        }
        let word = self.document.word(id)?;
        self.decodes.set(self.decodes.get() + 1);
        Some(word)
    }

    fn key(&self, id: NodeId, around: Around, depth: usize) -> Result<Cow<'t, str>, Refusal> {
        match self.word(id) {
            Some(word) => Ok(Cow::Borrowed(word)),
            None => self.key_of(id, NONE, around, depth),
        }
    }

    /// A key that is no bare word; its value is named by Go's errors.
    fn key_of(
        &self,
        id: NodeId,
        value: NodeId,
        around: Around,
        depth: usize,
    ) -> Result<Cow<'t, str>, Refusal> {
        let style = match self.document.tree.node(id).kind {
            NodeKind::Scalar(style) => style,
            NodeKind::Alias => {
                self.enter(id, depth)?;
                return self.follow(id, |target| self.key_of(target, value, Around::Unknown, depth + 1));
            }
            _ => {
                let found =
                    self.value::<()>(id, around, depth).err().filter(|found| found.phase == Phase::Decoding);
                return Err(
                    found.unwrap_or_else(|| self.refusal(id, &Fault::CollectionKey(self.in_go_syntax(id))))
                );
            }
        };
        self.enter(id, depth)?;
        Ok(match self.scalar(id, style, around)? {
            Resolved::Text(text) => text,
            Resolved::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Resolved::Int(value) => Cow::Owned(value.to_string()),
            // With the precision of 32 bits only.
            Resolved::Float(value) => match format_g(value, 32).as_str() {
                "NaN" => Cow::Borrowed(".nan"),
                "+Inf" => Cow::Borrowed(".inf"),
                "-Inf" => Cow::Borrowed("-.inf"),
                text => Cow::Owned(text.to_owned()),
            },
            Resolved::Null => return Err(self.refusal(id, &Fault::NullKey(self.in_go_syntax(value)))),
            Resolved::Unsigned(key) => {
                return Err(self.refusal(id, &Fault::HugeKey(key, self.in_go_syntax(value))));
            }
        })
    }

    fn is_merge(&self, id: NodeId) -> bool {
        let node = self.document.tree.node(id);
        let NodeKind::Scalar(style) = node.kind else {
            return false;
        };
        if node.props == node.start {
            return self.document.is_merge_key(id);
        }
        let implicit = match self.tag(id) {
            Tag::None => style == ScalarStyle::Plain,
            Tag::NonSpecific | Tag::Merge => true,
            _ => false,
        };
        implicit && self.text(id, Around::Unknown) == "<<"
    }

    fn value<M: Made>(&self, id: NodeId, around: Around, depth: usize) -> Result<M, Refusal> {
        if let Some(word) = self.word(id) {
            return Ok(M::text(Cow::Borrowed(word)));
        }
        self.enter(id, depth)?;
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Scalar(style) => self.made_scalar(id, style, around),
            NodeKind::Alias => self.follow(id, |target| self.value(target, Around::Unknown, depth + 1)),
            NodeKind::Sequence { .. } => {
                let mut items = Vec::with_capacity(tree.children(id).count());
                let mut late = Late::default();
                for child in tree.children(id) {
                    match self.value(child, Around::Parent(id), depth + 1) {
                        Ok(item) => items.push(item),
                        Err(refusal) => late.keep(None, refusal)?,
                    }
                }
                late.or(M::list(items))
            }
            NodeKind::Mapping { .. } => {
                let parts = match around {
                    Around::Parent(list) => self.parts.of(list, id),
                    _ => None,
                };
                let mut map = M::map(parts.map_or_else(|| tree.entries(id).count(), <[_]>::len));
                let mut late = Late::default();
                self.fill(id, depth, &mut |Entry { mapping, key, value }| {
                    let around = Around::Parent(mapping);
                    let is_left_out =
                        |key: &Cow<'_, str>| parts.is_some_and(|keys| !keys.contains(&key.as_ref()));
                    let value: Result<Option<M>, _> = if key.as_ref().is_ok_and(is_left_out) {
                        self.value::<()>(value, around, depth + 1).map(|()| None)
                    } else {
                        self.value(value, around, depth + 1).map(Some)
                    };
                    match (key, value) {
                        (Ok(key), Ok(value)) => {
                            late.replace(&key);
                            if let Some(value) = value {
                                M::insert(&mut map, key, value);
                            }
                        }
                        (Ok(key), Err(refusal)) => late.keep(Some(key), refusal)?,
                        (Err(refusal), value) => {
                            late.keep(None, refusal)?;
                            value.map(drop).or_else(|refusal| late.keep(None, refusal))?;
                        }
                    }
                    Ok(())
                })?;
                late.or(M::object(map))
            }
        }
    }

    fn made_scalar<M: Made>(&self, id: NodeId, style: ScalarStyle, around: Around) -> Result<M, Refusal> {
        Ok(M::plain(match self.scalar(id, style, around)? {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => Value::Bool(value),
            Resolved::Int(value) => Value::from(value),
            Resolved::Unsigned(value) => Value::from(value),
            Resolved::Float(value) => match canonical(value) {
                Some(number) => Value::Number(number),
                None => return Err(self.refusal(id, &self.not_json(id, value))),
            },
            Resolved::Text(text) => return Ok(M::text(text)),
        }))
    }

    fn not_json(&self, id: NodeId, value: f64) -> Fault<'t> {
        Fault::NotJson { written: self.document.source(id), go: format_g(value, 64) }
    }

    /// Hands over the entries of a mapping and all it merges, in the order Go sets them: what comes later wins.
    fn fill(&self, id: NodeId, depth: usize, take: &mut Take<'_, 't>) -> Result<(), Refusal> {
        for (key, value) in self.document.tree.entries(id) {
            if let Some(word) = self.word(key) {
                take(Entry { mapping: id, key: Ok(Cow::Borrowed(word)), value })?;
            } else if self.is_merge(key) {
                self.merge(value, depth + 1, take)?;
            } else {
                let key = self.key_of(key, value, Around::Parent(id), depth + 1);
                if let Err(refusal) = key.as_ref()
                    && refusal.phase == Phase::Decoding
                {
                    return key.map(|_| ());
                }
                take(Entry { mapping: id, key, value })?;
            }
        }
        Ok(())
    }

    fn merge(&self, id: NodeId, depth: usize, take: &mut Take<'_, 't>) -> Result<(), Refusal> {
        let tree = &self.document.tree;
        let refuse = |id| Err(self.refusal(id, &Fault::MergeValue));
        let kind = tree.node(id).kind;
        if !matches!(kind, NodeKind::Sequence { .. } | NodeKind::Scalar(_)) {
            self.enter(id, depth)?;
        }
        match kind {
            NodeKind::Mapping { .. } => self.fill(id, depth, take),
            NodeKind::Alias => self.follow(id, |target| match tree.node(target).kind {
                NodeKind::Mapping { .. } => {
                    self.enter(target, depth + 1)?;
                    self.fill(target, depth + 1, take)
                }
                _ => refuse(id),
            }),
            NodeKind::Sequence { .. } => {
                // Earlier mappings take precedence, so they are set last.
                let items: Vec<_> = tree.children(id).collect();
                for item in items.into_iter().rev() {
                    match tree.node(item).kind {
                        NodeKind::Mapping { .. } | NodeKind::Alias => self.merge(item, depth + 1, take)?,
                        _ => return refuse(item),
                    }
                }
                Ok(())
            }
            NodeKind::Scalar(_) => refuse(id),
        }
    }
}

#[cfg(test)]
mod tests;
