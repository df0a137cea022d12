//! A list of skills as lines: documents in, the text without the list, with it, or with its items out. What its author wrote
//! about it goes along, once. Whether the text then means what it should is left to `migrate`.

use std::ops::Range;

use crate::yaml::Document;
use crate::yaml::node::{NodeId, NodeKind};

/// An entry of `spec` in block style with lines of its own.
pub(super) struct List<'d> {
    text: &'d str,
    /// Comments directly above the key.
    above: Range<usize>,
    /// The line of the key, and what stands below it.
    key: Range<usize>,
    below: Range<usize>,
    /// Column of the key.
    indent: usize,
    /// Column of the items, where it is a list in block style that is not empty.
    items: Option<usize>,
}

/// Finds an entry of `spec`; `None` if that, or anything around it, is in flow style.
pub(super) fn find<'d>(document: &'d Document<'_>, name: &str) -> Option<List<'d>> {
    let text = document.text;
    let spec = document.entry(0, "spec")?;
    matches!(document.tree.node(spec).kind, NodeKind::Mapping { flow: false }).then_some(())?;
    let value = document.entry(spec, name)?;
    let (key, _) = document.tree.entries(spec).find(|(_, own)| *own == value)?;
    let at = document.tree.node(key).props as usize;
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = blanks(&text[start..]);
    // `- key:` and `? key` have no line of their own.
    (start + indent == at).then_some(())?;
    let comment_above = |line: &&str| blanks(line) == indent && line[indent..].starts_with('#');
    let above: usize = lines_back(&text[..start]).take_while(comment_above).map(str::len).sum();
    let end = end_of(document, value, start);
    let first = next_line(text, start);
    let children: Vec<NodeId> = document.tree.children(value).collect();
    let items = match document.tree.node(value).kind {
        NodeKind::Sequence { flow: false } if !children.is_empty() => {
            Some(blanks(text.get(first..)?.lines().find(|line| line.trim_start().starts_with('-'))?))
        }
        _ => None,
    };
    Some(List { text, above: start - above..start, key: start..first, below: first..end, indent, items })
}

/// The end of the last line of `spec`, with the comments below it that are deeper than its entries; and the column of these.
pub(super) fn end_of_spec(document: &Document<'_>) -> Option<(usize, usize)> {
    let spec = document.entry(0, "spec")?;
    matches!(document.tree.node(spec).kind, NodeKind::Mapping { flow: false }).then_some(())?;
    let (key, value) = document.tree.entries(spec).last()?;
    let at = document.tree.node(key).props as usize;
    let start = document.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (start + blanks(&document.text[start..]) == at).then(|| (end_of(document, value, start), at - start))
}

impl List<'_> {
    /// All of it, with the comments above.
    pub(super) fn range(&self) -> Range<usize> {
        self.above.start..self.below.end
    }

    /// Its lines, with the comments above.
    pub(super) fn lines(&self) -> &str {
        &self.text[self.range()]
    }

    /// The entry alone, without the comments above.
    pub(super) fn entry(&self) -> &str {
        &self.text[self.key.start..self.below.end]
    }

    /// Its column.
    pub(super) fn indent(&self) -> usize {
        self.indent
    }

    /// All of it for a mapping at another column.
    pub(super) fn at(&self, indent: usize) -> String {
        shifted(self.lines(), self.indent, indent)
    }

    /// Its items for another list; what is said above and after the key comes in front of them.
    pub(super) fn items_for(&self, other: &Self) -> Option<String> {
        let (from, to) = (self.items?, other.items?);
        let eol = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let line = &self.text[self.key.clone()];
        let about = line.find(" #").map(|at| line[at + 1..].trim_end());
        let above = self.text[self.above.clone()].lines().map(str::trim);
        let mut out = String::new();
        for comment in above.chain(about) {
            out.push_str(&format!("{}{comment}{eol}", " ".repeat(to)));
        }
        Some(out + &shifted(&self.text[self.below.clone()], from, to))
    }
}

fn blanks(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

fn lines_back(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').rev()
}

/// The end of the last line of an entry whose line begins at `start`; comments below it that stand deeper are its own.
fn end_of(document: &Document<'_>, value: NodeId, start: usize) -> usize {
    let text = document.text;
    let mut last = value;
    while let NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false } =
        document.tree.node(last).kind
        && let Some(child) = document.tree.children(last).last()
    {
        last = child;
    }
    let indent = blanks(&text[start..]);
    let end = text[..(document.tree.node(last).end as usize)].trim_end().len().max(start);
    let mut end = next_line(text, end);
    let mut at = end;
    for line in text[end..].split_inclusive('\n') {
        at += line.len();
        match line.trim() {
            "" => {}
            own if own.starts_with('#') && blanks(line) > indent => end = at,
            _ => break,
        }
    }
    end
}

/// Lines that stand at one column, at another.
fn shifted(lines: &str, from: usize, to: usize) -> String {
    let line = |line: &str| {
        let own = blanks(line);
        if line.trim().is_empty() {
            line.to_owned()
        } else {
            " ".repeat((own + to).saturating_sub(from)) + &line[own..]
        }
    };
    if from == to { lines.to_owned() } else { lines.split_inclusive('\n').map(line).collect() }
}
