//! The two JSON schemas of skillimage's cards as data, and their keywords: a value in, findings with lines out. Which
//! values a schema wants is left to [`super::v1alpha1`] and [`super::v1alpha2`].
//!
//! Written from the tables of the fields, not with a crate: findings have lines, and two small schemas are all there is. A
//! test holds the verdicts against a JSON schema validator on thousands of cards.

use super::{is_text, rules};
use crate::skill::finding::{Finding, shown};
use crate::skill::node::{Content, Node};

/// What a value must be.
#[derive(Debug)]
pub enum Shape {
    /// Text.
    Text(Text),
    /// A list of such items.
    List(&'static Shape),
    /// A list in which no item is twice.
    Set(&'static Shape),
    /// A mapping with these keys and no others.
    Map(&'static [Field]),
    /// A mapping of any keys to text.
    Texts,
}

/// What a text must be.
#[derive(Debug)]
pub struct Text {
    /// The least characters.
    pub least: usize,
    /// The most characters.
    pub most: usize,
    /// How it must be written.
    pub pattern: Option<Pattern>,
    /// What it must be.
    pub only: Option<&'static str>,
}

/// How a text must be written: whether one is, and that in words.
pub type Pattern = (fn(&str) -> bool, &'static str);

/// A key of a mapping.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Its value.
    pub shape: Shape,
}

/// Any text.
pub const TEXT: Text = Text { least: 0, most: usize::MAX, pattern: None, only: None };
/// Text that is not empty.
pub const SOME: Text = Text { least: 1, ..TEXT };

/// A field that there may be.
pub const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, shape }
}

/// A field that there must be.
pub const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, shape }
}

/// Holds a value against a schema.
pub fn check(shape: &Shape, root: &Node) -> Vec<Finding> {
    let mut out = Vec::new();
    value(shape, root, "", &mut out);
    out
}

fn value(shape: &Shape, node: &Node, path: &str, out: &mut Vec<Finding>) {
    let mut wrong = |wanted: &str| {
        let message = format!("must be {wanted}, found {}", node.is_a());
        let finding = Finding::new(&rules::TYPE, node.line, path, message);
        let quotes = if matches!(node.content, Content::Scalar(..)) && wanted == "text" {
            "put it in quotes"
        } else {
            ""
        };
        out.push(finding.help(quotes));
    };
    match (shape, &node.content) {
        (Shape::Text(wanted), Content::Scalar(kind, text)) if is_text(*kind) => {
            check_text(wanted, node.line, text, path, out);
        }
        (Shape::Text(_), _) => wrong("text"),
        (Shape::List(item) | Shape::Set(item), Content::List(items)) => {
            for (index, node) in items.iter().enumerate() {
                value(item, node, &format!("{path}[{index}]"), out);
            }
            if matches!(shape, Shape::Set(_)) {
                unique(items, path, out);
            }
        }
        (Shape::List(_) | Shape::Set(_), _) => wrong("a list"),
        (Shape::Map(fields), Content::Map(_)) => map(fields, node, path, out),
        (Shape::Texts, Content::Map(entries)) => {
            for (key, node) in entries {
                value(&Shape::Text(TEXT), node, &under(path, &key.text), out);
            }
        }
        (Shape::Map(_) | Shape::Texts, _) => wrong("a mapping"),
    }
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn map(fields: &[Field], node: &Node, path: &str, out: &mut Vec<Finding>) {
    for field in fields.iter().filter(|field| field.required && node.get(field.name).is_none()) {
        out.push(Finding::new(&rules::REQUIRED, node.line, under(path, field.name), "is required"));
    }
    for (key, node) in node.entries() {
        let path = under(path, &key.text);
        match fields.iter().find(|field| field.name == key.text) {
            Some(field) => value(&field.shape, node, &path, out),
            None => {
                let known = fields.iter().map(|field| field.name);
                let known: Vec<&str> = known.collect();
                let help = match crate::api::nearest::nearest(&key.text, known.iter().copied()) {
                    Some(near) if crate::api::nearest::is_slip_of(&key.text, near) => {
                        format!("did you mean {near}?")
                    }
                    _ => format!("known are {}", known.join(", ")),
                };
                out.push(
                    Finding::new(&rules::UNKNOWN, key.line, path, "is no field of this card").help(help),
                );
            }
        }
    }
}

fn check_text(wanted: &Text, line: usize, text: &str, path: &str, out: &mut Vec<Finding>) {
    let mut add = |rule, message: String| out.push(Finding::new(rule, line, path, message));
    if let Some(only) = wanted.only
        && text != only
    {
        add(&rules::CONST, format!("must be {only}, found {text:?}"));
    }
    let length = text.chars().count();
    if length < wanted.least {
        add(&rules::LENGTH, "is empty".into());
    }
    if length > wanted.most {
        add(&rules::LENGTH, format!("has {length} characters, more than {}", wanted.most));
    }
    if let Some((fits, words)) = wanted.pattern
        && !fits(text)
    {
        add(&rules::PATTERN, format!("must be {words}, found {}", shown(text)));
    }
}

/// Items that are no text have a finding of their own.
fn unique(items: &[Node], path: &str, out: &mut Vec<Finding>) {
    let mut seen = std::collections::HashSet::new();
    for (index, node) in items.iter().enumerate() {
        if let Some(text) = node.text()
            && !seen.insert(text)
        {
            let message = format!("{} is in the list already", shown(text));
            out.push(Finding::new(&rules::UNIQUE, node.line, format!("{path}[{index}]"), message));
        }
    }
}
