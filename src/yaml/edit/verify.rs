//! Sorts the splices and proves them: the edited text is parsed again and must mean what was wanted.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::dirty::{Dirty, DirtyPaths};
use super::tabs::without_tabs;
use super::{Buffers, DEFECT, EditError, Place, Splice, apply_into, lines};
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::reader::is_allowed;
use crate::yaml::{Document, SyntaxError};

/// What one edited node must mean afterwards.
pub(super) struct Wanted<'e> {
    pub node: NodeId,
    pub desired: &'e Value,
    /// Where it may differ from the node as it was; none: anywhere.
    pub dirty: Option<DirtyPaths<'e>>,
}

impl Wanted<'_> {
    /// Whether the node of the edited document that has taken the place of this one means what was wanted.
    pub(super) fn is_met(
        &self,
        before: &Document<'_>,
        after: &Document<'_>,
        new: NodeId,
    ) -> Result<bool, SyntaxError> {
        match self.dirty {
            Some(dirty) => Touched { before, after }.is_met(self.node, new, self.desired, dirty),
            None => after.node_equals(new, self.desired),
        }
    }
}

/// Proves a node that was edited at some places only.
struct Touched<'d, 't> {
    before: &'d Document<'t>,
    after: &'d Document<'t>,
}

impl Touched<'_, '_> {
    /// Whether a node means what is wanted at the places that were touched, and what it meant before at all others.
    fn is_met(
        &self,
        old: NodeId,
        new: NodeId,
        want: &Value,
        dirty: DirtyPaths<'_>,
    ) -> Result<bool, SyntaxError> {
        let (before, after) = (&self.before.tree, &self.after.tree);
        match (before.node(old).kind, after.node(new).kind, want) {
            (NodeKind::Mapping { .. }, NodeKind::Mapping { .. }, Value::Object(map)) => {
                if !self.after.has_plain_keys(new, map)? {
                    return self.is_met_by_key(old, new, want, map, dirty);
                }
                let mut olds = before.entries(old).peekable();
                for ((key, value), (name, want)) in after.entries(new).zip(map) {
                    let met = match dirty.below(Place::Key(name)) {
                        Dirty::All => self.after.node_equals(value, want)?,
                        below => {
                            // Keys that stay keep their order; only where one goes are others looked for.
                            let same = |(old, _): &(NodeId, NodeId)| {
                                self.before.source(*old) == self.after.source(key)
                            };
                            let found = match olds.next_if(same) {
                                Some((_, old)) => Some(old),
                                None => self.before.entry(old, name),
                            };
                            match (found, below) {
                                (Some(old), Dirty::Partial(below)) => self.is_met(old, value, want, below)?,
                                (Some(old), _) => self.is_same(old, value)?,
                                (None, _) => self.after.node_equals(value, want)?,
                            }
                        }
                    };
                    if !met {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (NodeKind::Sequence { .. }, NodeKind::Sequence { .. }, Value::Array(items)) => {
                let (mut olds, mut news) = (before.children(old), after.children(new));
                for (at, want) in items.iter().enumerate() {
                    let (Some(old), Some(new)) = (olds.next(), news.next()) else { return Ok(false) };
                    let met = match dirty.below(Place::Index(at)) {
                        Dirty::Clean => self.is_same(old, new)?,
                        Dirty::Partial(below) => self.is_met(old, new, want, below)?,
                        Dirty::All => self.after.node_equals(new, want)?,
                    };
                    if !met {
                        return Ok(false);
                    }
                }
                Ok(olds.next().is_none() && news.next().is_none())
            }
            _ => self.after.node_equals(new, want),
        }
    }

    /// The same for a mapping whose keys come in another order than is wanted, or that has more of them: what is wanted may
    /// be a value in part.
    fn is_met_by_key(
        &self,
        old: NodeId,
        new: NodeId,
        want: &Value,
        map: &Map<String, Value>,
        dirty: DirtyPaths<'_>,
    ) -> Result<bool, SyntaxError> {
        let (before, after) = (self.before, self.after);
        if !before.is_plain_mapping(old) || !after.is_plain_mapping(new) {
            return after.node_equals(new, want);
        }
        for (key, value) in after.tree.entries(new) {
            let name = after.source(key);
            let met = match (before.entry(old, name), dirty.below(Place::Key(name)), map.get(name)) {
                (Some(old), Dirty::Clean, _) => self.is_same(old, value)?,
                (Some(old), Dirty::Partial(below), Some(want)) => self.is_met(old, value, want, below)?,
                (_, _, Some(want)) => after.node_equals(value, want)?,
                (_, _, None) => false,
            };
            if !met {
                return Ok(false);
            }
        }
        let stays =
            |name: &str| map.contains_key(name) || matches!(dirty.below(Place::Key(name)), Dirty::Clean);
        let mut names =
            before.tree.entries(old).map(|(key, _)| before.source(key)).filter(|name| stays(name));
        Ok(names.all(|name| after.entry(new, name).is_some())
            && map.keys().all(|name| after.entry(new, name).is_some()))
    }

    /// Whether a node that was not touched means what it meant.
    fn is_same(&self, old: NodeId, new: NodeId) -> Result<bool, SyntaxError> {
        let (here, there) = (self.before.tree.node(old), self.after.tree.node(new));
        let (one, other) = (self.before.text, self.after.text);
        let bytes = &one[here.props as usize..here.end as usize];
        // Where a node of one line begins says nothing about what it means.
        let same_column = || {
            memchr::memchr2(b'\n', b'\r', bytes.as_bytes()).is_none()
                || lines::column(one, here.start as usize) == lines::column(other, there.start as usize)
        };
        if bytes == &other[there.props as usize..there.end as usize]
            && here.kind == there.kind
            && same_column()
            // What an alias stands for is elsewhere.
            && memchr::memchr(b'*', bytes.as_bytes()).is_none()
        {
            return Ok(true);
        }
        self.after.node_equals(new, &self.before.node_value(old)?)
    }
}

/// Sorts and joins the splices, carries them out on a copy, parses that and compares.
pub(super) fn finish(
    document: &Document<'_>,
    splices: Vec<Splice>,
    wanted: &[Wanted<'_>],
    proven: &[NodeId],
    buffers: &mut Buffers,
) -> Result<Vec<Splice>, EditError> {
    let splices = joined(document, splices)?;
    let holds = try_out(document, &splices, wanted, proven, buffers);
    if holds.is_err() && document.text.contains('\t') {
        let calm = without_tabs(document.text, &splices);
        if try_out(document, &calm, wanted, proven, buffers) == Ok(true) {
            return Ok(calm);
        }
    }
    judged(document, splices, holds)
}

/// Carries splices out on a copy, parses that and compares.
fn try_out(
    document: &Document<'_>,
    splices: &[Splice],
    wanted: &[Wanted<'_>],
    proven: &[NodeId],
    buffers: &mut Buffers,
) -> Result<bool, SyntaxError> {
    let Buffers { text: edited, tree } = buffers;
    apply_into(document.text, 0..document.text.len(), splices, edited);
    let parsed = if splices.is_empty() {
        Ok(None)
    } else {
        // No more nodes than before, and one for every two bytes that are new: to grow step by step takes twice the memory.
        let added: usize = splices.iter().map(|splice| splice.text.len() / 2 + 1).sum();
        tree.reserve(document.tree.nodes().len() + added);
        Document::parse_into(edited, std::mem::take(tree)).map(Some)
    };
    parsed.and_then(|parsed| {
        let after = parsed.as_ref().unwrap_or(document);
        let holds = match wanted {
            [only @ Wanted { node: 0, .. }] => only.is_met(document, after, 0),
            _ => means(document, after, wanted, proven),
        };
        if let Some(parsed) = parsed {
            *tree = parsed.tree;
        }
        holds
    })
}

/// The first character that Go reads, or does not, as its buffer happens to begin: a byte-order mark that is not the first
/// character, or what no text may hold, after the end of what it reads.
fn hidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(at, char)| (*at > 0 && *char == '\u{feff}') || !is_allowed(*char))
}

/// Where a text goes on after the end of its document: Kubernetes reads up to there.
fn unread(document: &Document<'_>) -> Option<usize> {
    let rest = lines::skip_trivia(document.text, document.tree.node(0).end as usize);
    let text = &document.text[rest..];
    let is_end = lines::start_of_line(document.text, rest) == rest
        && text
            .strip_prefix("...")
            .is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t', '\n', '\r']));
    (!text.is_empty() && !is_end).then_some(rest)
}

/// The splices, if their result was found to mean what was wanted; else a defect of this module.
pub(super) fn judged(
    document: &Document<'_>,
    splices: Vec<Splice>,
    holds: Result<bool, SyntaxError>,
) -> Result<Vec<Splice>, EditError> {
    let message = match holds {
        Ok(true) => return Ok(splices),
        Ok(false) => "the edited text would not mean what is wanted".to_owned(),
        Err(error) => {
            format!("the edited text could not be read again: line {}: {}", error.line, error.message)
        }
    };
    let hidden = hidden(document.text);
    let unread = unread(document);
    let at = hidden.map(|(at, _)| at).or(unread).or(splices.first().map(|splice| splice.start));
    let (line, column) = document.position_of(at.unwrap_or_default());
    let (message, help) = match hidden {
        // Every byte before it counts.
        Some((_, char)) => {
            let what = if char == '\u{feff}' { "byte-order mark" } else { "control character" };
            let bytes: String =
                char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            let message = format!(
                "a {what} (U+{:04X}), which hides here, is read as its distance from the beginning of the file decides; \
                 after the change the file would be read otherwise",
                u32::from(char)
            );
            (message, format!("remove it, which no editor shows: LC_ALL=C sed -i 's/{bytes}//g' FILE"))
        }
        None if unread.is_some() => (
            "what begins here stands after the end of the document, where nobody reads it; the change would let it be read"
                .to_owned(),
            "remove it, or write --- on a line of its own before it".to_owned(),
        ),
        None => (message, DEFECT.to_owned()),
    };
    Err(EditError { path: String::new(), line, column, message, help })
}

/// Whether every edited node means what was wanted, if it is not proven, and every other one has kept its text.
fn means(
    before: &Document<'_>,
    after: &Document<'_>,
    wanted: &[Wanted<'_>],
    proven: &[NodeId],
) -> Result<bool, SyntaxError> {
    let by_node: HashMap<NodeId, &Wanted<'_>> = wanted.iter().map(|wanted| (wanted.node, wanted)).collect();
    let proven: HashSet<NodeId> = proven.iter().copied().collect();
    let mut stack = vec![(0, 0)];
    while let Some((old, new)) = stack.pop() {
        if proven.contains(&old) {
            continue;
        }
        if let Some(wanted) = by_node.get(&old) {
            if !wanted.is_met(before, after, new)? {
                return Ok(false);
            }
            continue;
        }
        let (here, there) = (before.tree.node(old), after.tree.node(new));
        if before.text[here.props as usize..here.end as usize]
            == after.text[there.props as usize..there.end as usize]
        {
            continue;
        }
        let mut olds = before.tree.children(old);
        let mut news = after.tree.children(new);
        if here.kind != there.kind || matches!(here.kind, NodeKind::Scalar(_) | NodeKind::Alias) {
            return Ok(false);
        }
        loop {
            match (olds.next(), news.next()) {
                (Some(old), Some(new)) => stack.push((old, new)),
                (None, None) => break,
                _ => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// Sorts by place (those of one place in the order they were noted) and joins neighbours.
pub(super) fn joined(document: &Document<'_>, mut splices: Vec<Splice>) -> Result<Vec<Splice>, EditError> {
    let text = document.text;
    let unended = !text.ends_with('\n');
    splices.sort_by_key(|splice| splice.start);
    let mut out: Vec<Splice> = Vec::with_capacity(splices.len());
    for splice in splices {
        match out.last_mut() {
            Some(last) if splice.start < last.end => {
                return Err(EditError {
                    message: "two changes meet in one place".to_owned(),
                    help: DEFECT.to_owned(),
                    ..EditError::default()
                });
            }
            Some(last) if splice.start == last.end => {
                // Lines removed up to the end of a text without a final break, and lines added there: the break before stays.
                let whole_lines =
                    last.start < last.end && lines::start_of_line(text, last.start) == last.start;
                let mut added = splice.text.as_str();
                if unended
                    && splice.start == text.len()
                    && whole_lines
                    && (last.text.is_empty() || last.text.ends_with('\n'))
                {
                    added = added.trim_start_matches('\r').strip_prefix('\n').unwrap_or(added);
                }
                last.text.push_str(added);
                last.end = splice.end;
            }
            _ => out.push(splice),
        }
    }
    if let Some(last) = out.last_mut()
        && unended
        && last.end == text.len()
        && last.start < last.end
    {
        let before = lines::break_before(text, last.start);
        if last.text.is_empty() && before > 0 && !ends_block_scalar(document, last.start) {
            last.start -= before;
        } else if before > 0 && last.text.ends_with('\n') {
            last.text.truncate(lines::before_breaks(&last.text, last.text.len()));
        }
    }
    set_off_comments(text, &mut out);
    Ok(out)
}

/// Puts a blank before a comment that stood right after a quote or bracket: after anything else it would be no comment.
fn set_off_comments(text: &str, splices: &mut [Splice]) {
    for splice in splices.iter_mut().filter(|splice| text[splice.end..].starts_with('#')) {
        let before = if splice.text.is_empty() { &text[..splice.start] } else { &splice.text };
        if !before.is_empty() && !before.ends_with([' ', '\t', '\n', '\r']) {
            splice.text.push(' ');
        }
    }
}

/// Whether the break before `at` belongs to a block scalar, whose value would change without it.
fn ends_block_scalar(document: &Document<'_>, at: usize) -> bool {
    document.tree.nodes().any(|node| {
        node.end as usize == at
            && matches!(node.kind, NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
    })
}
