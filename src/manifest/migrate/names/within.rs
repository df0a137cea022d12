//! Names within texts of a document: patches that stand in a kustomization, and expressions of CEL. What a name is, is left to
//! `names`; a text that cannot be read as what it should be is left as it is.

use std::ops::Range;

use super::{Operator, Scan, domains, is_proven, replaced};
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::{self, Document, Splice};

/// Keys of expressions, wherever they stand.
const EXPRESSIONS: [&str; 3] = ["expression", "messageExpression", "valueExpression"];

/// Whether a text is a patch, by its key and the one above: in kustomizations, also those of Flux and Argo CD.
pub(super) fn is_patch(key: &str, around: &str) -> bool {
    key == "patchesStrategicMerge"
        || (key == "patch" && matches!(around, "patches" | "patchesJson6902" | "patchesStrategicMerge"))
}

/// Whether a text is an expression of CEL: in policies, and in the rules of a definition.
pub(super) fn is_expression(key: &str, around: &str) -> bool {
    EXPRESSIONS.contains(&key) || (key == "rule" && around == "x-kubernetes-validations")
}

impl Scan<'_, '_> {
    /// Renames within a patch; whether it could be read as one, so that nothing else is to be done with it.
    pub(super) fn patch(&mut self, id: NodeId, style: ScalarStyle) -> bool {
        let (source, Ok(text)) = (self.document.source(id), self.document.key_text(id)) else { return false };
        let Some(lines) = lines(source, &text, style) else { return false };
        let mut found = Vec::new();
        for slice in yaml::split(&text) {
            let own = slice.text(&text);
            let Ok(document) = Document::parse(own) else { return false };
            if matches!(document.tree.node(0).kind, NodeKind::Scalar(_) | NodeKind::Alias) {
                return false;
            }
            let Scan { splices, wanted, errors, .. } = Scan::of(&document, self.to);
            if !errors.is_empty() {
                self.errors.extend(errors.into_iter().map(|(_, message, help)| (id, message, help)));
                return true;
            }
            if !is_proven(&document, &yaml::apply(own, &splices), &wanted) {
                return false;
            }
            found.extend(splices.into_iter().map(|splice| splice.moved(slice.start)));
        }
        let start = self.document.tree.node(id).start as usize;
        let mut outer = Vec::new();
        for splice in &found {
            let Some(at) = place(&lines, splice.start) else { return false };
            let end = at + splice.end - splice.start;
            if source.get(at..end) != text.get(splice.start..splice.end) {
                return false;
            }
            outer.push(Splice { start: start + at, end: start + end, text: splice.text.clone() });
        }
        if !found.is_empty() {
            self.wanted.insert(id, yaml::apply(&text, &found));
            self.splices.extend(outer);
        }
        true
    }

    /// Renames within an expression, however it is written.
    pub(super) fn expression(&mut self, id: NodeId) {
        let (source, Ok(text)) = (self.document.source(id), self.document.key_text(id)) else { return };
        let (raw, meant) = (in_expression(source, self.to), in_expression(&text, self.to));
        // A name over two lines is left, and a note names it.
        if raw.is_empty() || raw.len() != meant.len() {
            return;
        }
        let start = self.document.tree.node(id).start as usize;
        self.splices.extend(raw.into_iter().map(|(range, new)| Splice {
            start: start + range.start,
            end: start + range.end,
            text: new.to_owned(),
        }));
        self.wanted.insert(id, replaced(&text, &meant));
    }
}

/// Domains of an expression, and the namespace where it is a text by itself.
fn in_expression(text: &str, to: Operator) -> Vec<(Range<usize>, &'static str)> {
    let mut out = domains(text, to);
    let (old, new) = (to.other().namespace(), to.namespace());
    for (at, _) in text.match_indices(old) {
        let end = at + old.len();
        if text[..at].ends_with(['"', '\'']) && text[end..].starts_with(['"', '\'', '\\']) {
            out.push((at..end, new));
        }
    }
    out.sort_by_key(|(range, _)| range.start);
    out
}

/// Where each line of a text starts, in the text and in the source of its scalar; `None` if it is not written line by line.
fn lines(source: &str, text: &str, style: ScalarStyle) -> Option<Vec<(usize, usize)>> {
    match style {
        ScalarStyle::Folded => None,
        ScalarStyle::Literal => {
            let mut from = source.find('\n')? + 1;
            let mut at = 0;
            let mut out = Vec::new();
            for line in text.split_inclusive('\n') {
                let end = source[from..].find('\n').map_or(source.len(), |end| from + end + 1);
                let (own, theirs) = (line.trim_end_matches(['\r', '\n']), &source[from..end]);
                let theirs = theirs.trim_end_matches(['\r', '\n']);
                if !theirs.ends_with(own) {
                    return None;
                }
                out.push((at, from + theirs.len() - own.len()));
                at += line.len();
                from = end;
            }
            Some(out)
        }
        _ => {
            let quotes = usize::from(style != ScalarStyle::Plain);
            let inner = source.get(quotes..source.len().checked_sub(quotes)?)?;
            (inner == text).then(|| vec![(0, quotes)])
        }
    }
}

/// The place in the source of a place in the text.
fn place(lines: &[(usize, usize)], at: usize) -> Option<usize> {
    let line = lines.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
    let (start, from) = lines.get(line)?;
    Some(from + at - start)
}
