//! Puts splices in order and proves them: raw splices and what was wanted in, splices that read back as wanted out.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{DEFECT, EditError, Splice, apply, lines};
use crate::yaml::document::Document;
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::path::Step;

/// What one edited node must mean afterwards.
pub(super) struct Wanted<'e> {
    pub node: NodeId,
    pub desired: &'e Value,
    pub restored: Vec<(Vec<Step>, Value)>,
}

impl Wanted<'_> {
    /// The wanted value, with what was put back as its author wrote it.
    fn value(&self) -> Cow<'_, Value> {
        if self.restored.is_empty() {
            return Cow::Borrowed(self.desired);
        }
        let mut value = self.desired.clone();
        for (path, restored) in &self.restored {
            put(&mut value, path, restored);
        }
        Cow::Owned(value)
    }
}

fn put(value: &mut Value, path: &[Step], restored: &Value) {
    match (path.split_first(), value) {
        (None, place) => *place = restored.clone(),
        (Some((Step::Key(key), rest)), Value::Object(map)) => {
            put(map.entry(key.as_str()).or_insert(Value::Null), rest, restored);
        }
        // What is put back inside of a mapping that was wanted away keeps that mapping.
        (Some((Step::Key(_), _)), place @ (Value::Null | Value::Array(_))) => {
            *place = Value::Object(Map::new());
            put(place, path, restored);
        }
        (Some((Step::Index(at), rest)), Value::Array(items)) => {
            if let Some(item) = items.get_mut(*at) {
                put(item, rest, restored);
            }
        }
        _ => {}
    }
}

/// Sorts and joins the splices, carries them out on a copy, parses that and compares.
pub(super) fn finish(
    document: &Document<'_>,
    splices: Vec<Splice>,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Splice>, EditError> {
    let splices = joined(document, splices)?;
    let edited = apply(document.text, &splices);
    let defect = |message: String| {
        let at = splices.first().map_or(0, |splice| splice.start);
        let before = document.text.get(..at).unwrap_or_default();
        EditError {
            path: String::new(),
            line: before.matches('\n').count() + 1,
            column: at - before.rfind('\n').map_or(0, |newline| newline + 1) + 1,
            message,
            help: DEFECT.to_owned(),
        }
    };
    let parsed;
    let after = if splices.is_empty() {
        document
    } else {
        parsed = Document::parse(&edited).map_err(|error| {
            defect(format!("the edited text could not be read again: line {}: {}", error.line, error.message))
        })?;
        &parsed
    };
    let holds = match wanted {
        [Wanted { node: 0, .. }] => after.equals(&wanted[0].value()),
        _ => means(document, 0, after, 0, wanted),
    };
    match holds {
        Ok(true) => Ok(splices),
        Ok(false) => Err(defect("the edited text would not mean what is wanted".to_owned())),
        Err(error) => Err(defect(format!(
            "the edited text could not be read again: line {}: {}",
            error.line, error.message
        ))),
    }
}

/// Whether every edited node means what was wanted and every other one has kept its text.
fn means(
    before: &Document<'_>,
    old: NodeId,
    after: &Document<'_>,
    new: NodeId,
    wanted: &[Wanted<'_>],
) -> Result<bool, crate::yaml::document::SyntaxError> {
    let by_node: HashMap<NodeId, &Wanted<'_>> = wanted.iter().map(|wanted| (wanted.node, wanted)).collect();
    let mut stack = vec![(old, new)];
    while let Some((old, new)) = stack.pop() {
        if let Some(wanted) = by_node.get(&old) {
            if !after.node_equals(new, &wanted.value())? {
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
fn joined(document: &Document<'_>, mut splices: Vec<Splice>) -> Result<Vec<Splice>, EditError> {
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
    Ok(out)
}

/// Whether the break before `at` belongs to a block scalar, whose value would change without it.
fn ends_block_scalar(document: &Document<'_>, at: usize) -> bool {
    document.tree.nodes.iter().any(|node| {
        node.end as usize == at
            && matches!(node.kind, NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
    })
}
