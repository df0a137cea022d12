//! Small YAML files of others as a tree with lines: what Go's yaml.v3 and a strict reader each make of it can be decided
//! from it. Aliases are followed up to a limit; what the values must be is left to who asks.
//!
//! The text is read by [`crate::yaml`], a port of yaml.v2. Of what the two disagree in, what matters here is undone:
//! `yes` and `on` are text to yaml.v3.

use std::collections::HashMap;

use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::plain::{Resolved, Tag, resolve};
use crate::yaml::{self, Document};

/// Values that a file may have, aliases followed.
const MOST_NODES: usize = 1 << 16;
/// Levels of nesting, aliases followed.
const MOST_LEVELS: usize = 255;

/// A value with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line in the file, from 1.
    pub line: usize,
    /// Bytes between the start of the line and its content.
    pub column: usize,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A scalar, and its text as it was written, without quotes and escapes.
    Scalar(Kind, String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text; duplicate keys are in it more than once.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// The line in the file, from 1.
    pub line: usize,
}

/// What a scalar is to yaml.v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// An integer.
    Int,
    /// A number with a fraction or an exponent, infinite or none.
    Float,
    /// A date; a string to JSON.
    Timestamp,
    /// Text.
    Text,
}

/// Something that a strict reader does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The line in the file, from 1.
    pub line: usize,
    /// What it is.
    pub what: Markup,
}

/// What a strict reader does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Markup {
    /// `{...}` or `[...]`.
    Flow,
    /// `&name`.
    Anchor,
    /// `*name`.
    Alias,
    /// `!!str`.
    Tag,
    /// `<<`.
    Merge,
    /// A key that is there already.
    Duplicate(String),
    /// A tab that is neither in quotes nor in a comment nor in a block of text.
    Tab,
    /// A further document.
    Document,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its value; of several documents the first.
    pub root: Node,
    /// What a strict reader does not take, in the order of the text.
    pub marks: Vec<Mark>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line in the file, from 1.
    pub line: usize,
    /// Why, in words.
    pub message: String,
    /// How to mend it; empty if that is not known.
    pub help: String,
}

/// Reads a text whose first line is line `first` of its file.
///
/// # Errors
/// No YAML, nested too deep, or aliases that expand to too much.
pub fn read(text: &str, first: usize) -> Result<File, Fault> {
    let document = Document::parse(text).map_err(|error| {
        // The reader says how to mend it after what Go says.
        let (message, help) = error.message.split_once("; ").unwrap_or((&error.message, ""));
        Fault { line: first + error.line - 1, message: message.to_owned(), help: help.to_owned() }
    })?;
    let mut reader = Reader {
        document: &document,
        lines: Lines::of(text),
        first,
        anchors: HashMap::new(),
        open: Vec::new(),
        left: MOST_NODES,
        marks: Vec::new(),
        in_alias: false,
    };
    let root = reader.node(0, 0)?;
    let mut marks = reader.marks;
    if let Some(offset) = bare_tab(&document) {
        marks.push(Mark { line: first + reader.lines.of_offset(offset).0, what: Markup::Tab });
    }
    if let Some(second) = yaml::split(text).get(1) {
        marks.push(Mark { line: first + second.line - 1, what: Markup::Document });
    }
    marks.sort_by_key(|mark| mark.line);
    Ok(File { root, marks })
}

/// The first tab that is neither in quotes nor in a comment nor in a block of text.
fn bare_tab(document: &Document<'_>) -> Option<usize> {
    let bytes = document.text.as_bytes();
    memchr::memchr(b'\t', bytes)?;
    let is_text = |kind| matches!(kind, NodeKind::Scalar(style) if style != ScalarStyle::Plain);
    let mut texts = document.tree.nodes().filter(|node| is_text(node.kind)).peekable();
    let (mut at, mut comment) = (0, false);
    while at < bytes.len() {
        while texts.next_if(|text| text.end as usize <= at).is_some() {}
        if let Some(text) = texts.peek()
            && text.start as usize <= at
            && !comment
        {
            at = text.end as usize;
            continue;
        }
        match bytes[at] {
            b'\n' | b'\r' => comment = false,
            b'#' if at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r') => comment = true,
            b'\t' if !comment => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

struct Reader<'d, 't> {
    document: &'d Document<'t>,
    lines: Lines,
    first: usize,
    /// The latest node of each anchor.
    anchors: HashMap<&'t str, NodeId>,
    /// Anchored nodes that are not finished: an alias to one of them has no end.
    open: Vec<NodeId>,
    left: usize,
    marks: Vec<Mark>,
    in_alias: bool,
}

impl<'t> Reader<'_, 't> {
    fn place(&self, id: NodeId) -> (usize, usize) {
        let offset = self.document.tree.node(id).start as usize;
        let (line, start) = self.lines.of_offset(offset);
        (self.first + line, offset - start)
    }

    fn fault(&self, id: NodeId, message: &str) -> Fault {
        Fault { line: self.place(id).0, message: message.to_owned(), help: String::new() }
    }

    fn mark(&mut self, id: NodeId, what: Markup) {
        if !self.in_alias {
            self.marks.push(Mark { line: self.place(id).0, what });
        }
    }

    fn node(&mut self, id: NodeId, depth: usize) -> Result<Node, Fault> {
        if depth > MOST_LEVELS {
            return Err(self.fault(id, "the nesting is too deep"));
        }
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| self.fault(id, &format!("more than {MOST_NODES} values")))?;
        if self.document.tag(id).is_some() {
            self.mark(id, Markup::Tag);
        }
        let anchor = self.document.anchor(id);
        if let Some(name) = anchor {
            self.mark(id, Markup::Anchor);
            self.anchors.insert(name, id);
            self.open.push(id);
        }
        let (line, column) = self.place(id);
        let content = match self.document.tree.node(id).kind {
            NodeKind::Scalar(style) => {
                let text = self.text(id)?;
                Content::Scalar(self.kind(id, style, &text), text)
            }
            NodeKind::Alias => return self.alias(id, depth),
            NodeKind::Sequence { flow } => {
                if flow {
                    self.mark(id, Markup::Flow);
                }
                let children: Vec<NodeId> = self.document.tree.children(id).collect();
                let items = children.into_iter().map(|child| self.node(child, depth + 1));
                Content::List(items.collect::<Result<_, _>>()?)
            }
            NodeKind::Mapping { flow } => {
                if flow {
                    self.mark(id, Markup::Flow);
                }
                Content::Map(self.entries(id, depth)?)
            }
        };
        if anchor.is_some() {
            self.open.pop();
        }
        Ok(Node { line, column, content })
    }

    fn alias(&mut self, id: NodeId, depth: usize) -> Result<Node, Fault> {
        self.mark(id, Markup::Alias);
        let name = self.document.source(id).trim_start_matches('*');
        let Some(&target) = self.anchors.get(name) else {
            return Err(self.fault(id, &format!("unknown anchor '{name}' referenced")));
        };
        if self.open.contains(&target) {
            return Err(self.fault(id, &format!("anchor '{name}' value contains itself")));
        }
        let line = self.place(id).0;
        let outer = std::mem::replace(&mut self.in_alias, true);
        let node = self.node(target, depth + 1);
        self.in_alias = outer;
        node.map(|node| Node { line, ..node })
    }

    fn entries(&mut self, id: NodeId, depth: usize) -> Result<Vec<(Key, Node)>, Fault> {
        let pairs: Vec<(NodeId, NodeId)> = self.document.tree.entries(id).collect();
        let mut out: Vec<(Key, Node)> = Vec::with_capacity(pairs.len());
        let mut seen = std::collections::HashSet::with_capacity(pairs.len());
        let mut merged = Vec::new();
        for (key, value) in pairs {
            if self.document.is_merge_key(key) {
                self.mark(key, Markup::Merge);
                let node = self.node(value, depth + 1)?;
                merge(node, &mut merged).map_err(|()| {
                    self.fault(key, "map merge requires map or sequence of maps as the value")
                })?;
                continue;
            }
            let Node { line, content, .. } = self.node(key, depth + 1)?;
            let Content::Scalar(kind, text) = content else {
                return Err(self.fault(key, "a key must be a scalar"));
            };
            if !seen.insert(text.clone()) {
                self.mark(key, Markup::Duplicate(text.clone()));
            }
            let value = self.node(value, depth + 1)?;
            out.push((Key { text, kind, line }, value));
        }
        // What a mapping says itself counts more than what it merges.
        out.extend(merged.into_iter().filter(|(key, _)| seen.insert(key.text.clone())));
        Ok(out)
    }

    fn text(&self, id: NodeId) -> Result<String, Fault> {
        let text = self.document.scalar_text(id);
        text.map(|text| text.into_owned()).map_err(|error| self.fault(id, &error.message))
    }

    fn kind(&self, id: NodeId, style: ScalarStyle, text: &str) -> Kind {
        match self.document.tag(id) {
            None if style != ScalarStyle::Plain => Kind::Text,
            None => kind(text),
            Some("!!int") => Kind::Int,
            Some("!!float") => Kind::Float,
            Some("!!bool") => Kind::Bool,
            Some("!!null") => Kind::Null,
            Some("!!timestamp") => Kind::Timestamp,
            Some(_) => Kind::Text,
        }
    }
}

fn merge(node: Node, into: &mut Vec<(Key, Node)>) -> Result<(), ()> {
    match node.content {
        Content::Map(entries) => {
            into.extend(entries);
            Ok(())
        }
        Content::List(items) => items.into_iter().try_for_each(|item| match item.content {
            Content::Map(entries) => {
                into.extend(entries);
                Ok(())
            }
            _ => Err(()),
        }),
        Content::Scalar(..) => Err(()),
    }
}

/// What a plain scalar is to yaml.v3.
fn kind(text: &str) -> Kind {
    match resolve(Tag::None, text.into()) {
        Ok(Resolved::Null) => Kind::Null,
        Ok(Resolved::Bool(_)) => match text.to_ascii_lowercase().as_str() {
            "true" | "false" => Kind::Bool,
            _ => Kind::Text,
        },
        Ok(Resolved::Int(_) | Resolved::Unsigned(_)) => Kind::Int,
        Ok(Resolved::Float(_)) => Kind::Float,
        _ if is_octal(text) => Kind::Int,
        _ if resolve(Tag::Timestamp, text.into()).is_ok() => Kind::Timestamp,
        _ => Kind::Text,
    }
}

/// `0o17`, an integer since yaml.v3.
fn is_octal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']).strip_prefix("0o").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'))
}

/// Where lines begin: places are asked for once a node, and counting from the start each time would take for ever.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let is_end = |at: &usize| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        Self(std::iter::once(0).chain((0..bytes.len()).filter(is_end).map(|at| at + 1)).collect())
    }

    /// The line, from 0, and where it starts.
    fn of_offset(&self, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset).saturating_sub(1);
        (line, self.0[line])
    }
}

impl Node {
    /// The value of a key; of duplicates the last.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().rev().find(|(own, _)| own.text == key).map(|(_, value)| value)
    }

    /// The text of a scalar that is not null.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Kind::Null, _) => None,
            Content::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; `None` if it is none.
    pub fn items(&self) -> &[Node] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    /// The entries of a mapping; `None` if it is none.
    pub fn entries(&self) -> &[(Key, Node)] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    /// What it is, in words.
    pub fn is_a(&self) -> &'static str {
        match &self.content {
            Content::Scalar(kind, _) => kind.name(),
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

impl Kind {
    /// What it is, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Float => "a number",
            Self::Timestamp => "a date",
            Self::Text => "text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        read(text, 1).expect("YAML").root
    }

    /// The fork's reader of SKILL.md refuses metadata that yaml.v3 takes for no string: `1.0`, dates, but not `yes`.
    #[test]
    fn scalars_are_what_yaml_v3_takes_them_for() {
        for (text, expected) in [
            ("yes", Kind::Text),
            ("On", Kind::Text),
            ("y", Kind::Text),
            ("True", Kind::Bool),
            ("~", Kind::Null),
            ("", Kind::Null),
            ("0o17", Kind::Int),
            ("0777", Kind::Int),
            ("1_000", Kind::Int),
            ("1.0", Kind::Float),
            (".inf", Kind::Float),
            ("2026-11-27", Kind::Timestamp),
            ("1.0.0", Kind::Text),
            ("'1'", Kind::Text),
            ("!!str 1", Kind::Text),
        ] {
            let node = root(&format!("a: {text}\n"));
            let found = node.get("a").map(|node| match node.content {
                Content::Scalar(kind, _) => kind,
                _ => panic!("no scalar: {text}"),
            });
            assert_eq!(found, Some(expected), "{text}");
        }
    }

    #[test]
    fn aliases_and_merges_are_followed_and_lines_are_those_of_the_file() {
        let text = "a: &x\n  b: 1\nc: *x\nd:\n  <<: *x\n  e: 2\n";
        let file = read(text, 11).expect("YAML");
        let c = file.root.get("c").expect("c");
        assert_eq!((c.line, c.get("b").and_then(Node::text)), (13, Some("1")));
        let d = file.root.get("d").expect("d");
        let keys: Vec<&str> = d.entries().iter().map(|(key, _)| key.text.as_str()).collect();
        assert_eq!(keys, ["e", "b"]);
        let marks: Vec<(usize, Markup)> = file.marks.into_iter().map(|mark| (mark.line, mark.what)).collect();
        use Markup::{Alias, Anchor, Merge};
        assert_eq!(marks, [(12, Anchor), (13, Alias), (15, Merge), (15, Alias)]);
    }

    /// Nine levels of nine aliases are 387 million values; a reader that builds them takes all memory.
    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let item = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![item; 9].join(", "));
        }
        assert_eq!(read(&text, 1).map_err(|fault| fault.message), Err("more than 65536 values".into()));
        assert_eq!(
            read("a: &a [*a]\n", 1).map_err(|fault| fault.message),
            Err("anchor 'a' value contains itself".into())
        );
    }
}
