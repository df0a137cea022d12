//! What a person has decided to leave as it is: an annotation on the object, or a comment on the line or above it, each with the
//! rule and a reason. Findings and texts in, findings that stay and those that are ignored out.

use std::collections::HashMap;

use memchr::memmem;

use super::own::{IGNORE_REASON, IGNORE_UNUSED};
use super::rule::{self, Rule};
use super::{Finding, keys};
use crate::api::names::LINT_IGNORE;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::manifest::objects;
use crate::manifest::stream::Source;

/// How a comment begins that ignores a rule.
pub const COMMENT: &str = "kubectl-skills:ignore";

/// One decision.
struct Ignore {
    rule: String,
    reason: String,
    /// The object, or the lines that it is for.
    scope: Scope,
    source: usize,
    origin: Origin,
    column: usize,
    used: bool,
}

enum Scope {
    Object(ObjectRef),
    Lines(usize, usize),
}

/// Takes out what is ignored, with the reason, and adds what is wrong with the decisions themselves.
///
/// `sources`: the manifests, and after them what else has findings, in the order of their indexes.
pub fn take<'s>(
    sources: impl IntoIterator<Item = &'s Source>,
    namespace: &str,
    mut findings: Vec<Finding>,
) -> (Vec<Finding>, Vec<(Finding, String)>) {
    let mut all: Vec<Ignore> = Vec::new();
    for (index, source) in sources.into_iter().enumerate() {
        // Objects of a cluster are JSON, which has no comments.
        if !source.name.is_empty() {
            comments(index, source, &mut all);
        }
        annotations(index, source, namespace, &mut all);
    }
    if all.is_empty() {
        super::in_order(&mut findings);
        return (findings, Vec::new());
    }
    let mut by_rule: HashMap<String, Vec<usize>> = HashMap::new();
    let (mut stay, mut ignored) = (Vec::new(), Vec::new());
    for (index, one) in all.iter_mut().enumerate() {
        match fault(one) {
            Some(message) => {
                one.used = true;
                stay.push(said(one, &IGNORE_REASON, message));
            }
            None => by_rule.entry(one.rule.clone()).or_default().push(index),
        }
    }
    for finding in findings {
        let candidates = by_rule.get(finding.rule.id).into_iter().flatten().copied();
        match candidates.into_iter().find(|index| all[*index].is_for(&finding)) {
            Some(index) => {
                all[index].used = true;
                ignored.push((finding, all[index].reason.clone()));
            }
            None => stay.push(finding),
        }
    }
    for one in all.iter().filter(|one| !one.used) {
        stay.push(said(one, &IGNORE_UNUSED, format!("ignores {}, which is not found here", one.rule)));
    }
    super::in_order(&mut stay);
    (stay, ignored)
}

fn fault(one: &Ignore) -> Option<String> {
    if rule::find(&one.rule).is_none() {
        return Some(format!("ignores {:?}, and there is no such rule", one.rule));
    }
    one.reason.is_empty().then(|| format!("ignores {} without a reason", one.rule))
}

fn said(one: &Ignore, rule: &'static Rule, message: String) -> Finding {
    let object = match &one.scope {
        Scope::Object(id) => Some(id.clone()),
        Scope::Lines(..) => None,
    };
    Finding {
        source: Some(one.source),
        origin: one.origin.clone(),
        column: one.column,
        object,
        ..Finding::alone(rule, rule.level, message, "")
    }
}

impl Ignore {
    fn is_for(&self, finding: &Finding) -> bool {
        finding.source == Some(self.source)
            && match &self.scope {
                Scope::Object(id) => finding.object.as_ref() == Some(id),
                Scope::Lines(from, to) => (*from..=*to).contains(&finding.origin.line),
            }
    }
}

/// `# kubectl-skills:ignore RULE reason`: for its own line and, where nothing else stands on it, for the next line that is no
/// comment.
fn comments(index: usize, source: &Source, out: &mut Vec<Ignore>) {
    let text = &source.text;
    if memmem::find(text.as_bytes(), COMMENT.as_bytes()).is_none() {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let Some((before, after)) = line.split_once(COMMENT) else { continue };
        let Some(code) = before.trim_end().strip_suffix('#') else { continue };
        // A `#` begins a comment at the start of a line or after a blank.
        if !code.is_empty() && !code.ends_with([' ', '\t']) {
            continue;
        }
        let (rule, reason) = after.trim().split_once(char::is_whitespace).unwrap_or((after.trim(), ""));
        let next = if code.trim().is_empty() {
            let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
            lines[number + 1..].iter().position(is_code).map_or(number, |more| number + 1 + more)
        } else {
            number
        };
        out.push(Ignore {
            rule: rule.to_owned(),
            reason: reason.trim().to_owned(),
            scope: Scope::Lines(number + 1, next + 1),
            source: index,
            origin: Origin { file: source.name.clone(), document: 0, line: number + 1 },
            column: code.chars().count() + 1,
            used: false,
        });
    }
}

/// The annotation: for every finding about its object.
fn annotations(index: usize, source: &Source, namespace: &str, out: &mut Vec<Ignore>) {
    let holds = |text: &str| memmem::find(text.as_bytes(), LINT_IGNORE.as_bytes()).is_some();
    if !holds(&source.text) {
        return;
    }
    let at = keys(&["metadata", "annotations", LINT_IGNORE]);
    for parsed in objects::readable_where(source, holds) {
        for object in parsed.objects() {
            let Some(said) = Object(object.value).annotation(LINT_IGNORE) else { continue };
            let (line, column) = object.place(&at);
            for part in said.split(';').map(str::trim).filter(|part| !part.is_empty()) {
                let (rule, reason) = part.split_once(':').unwrap_or((part, ""));
                out.push(Ignore {
                    rule: rule.trim().to_owned(),
                    reason: reason.trim().to_owned(),
                    scope: Scope::Object(Object(object.value).reference_in(namespace)),
                    source: index,
                    origin: Origin { line, ..object.origin() },
                    column,
                    used: false,
                });
            }
        }
    }
}
