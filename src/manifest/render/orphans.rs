//! Workloads that keep the skills of an earlier render, and that nothing points at any more (Q22): a stream in, warnings out, and
//! with `--remove` those whose record is the way back. Else to take the skills out is left to the author, for files do not
//! say what was meant.

use std::collections::BTreeSet;

use serde_json::Value;

use super::duplicates::Targets;
use super::orders::{self, Order};
use crate::api::error::InputError;
use crate::api::names::{KAGENTI, MANAGED_BY, RECORD, ROSSOCTL};
use crate::api::object::ObjectRef;
#[cfg(feature = "internals")]
use crate::manifest::other_kinds;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::plan::bindings::Bindings;
use crate::plan::{Options, Warning, has_record, of_nobody, skills_left};

/// Finds them, and the plans by which `--remove` takes out what their records name.
pub(super) fn find(
    stream: &Stream<'_>,
    options: &Options,
    (targets, bindings): (&Targets<'_>, &Bindings),
    warnings: &mut Vec<(ObjectRef, Warning)>,
) -> Vec<Order> {
    let mut out = Vec::new();
    if options.exact {
        return out;
    }
    let namespaces: BTreeSet<&str> = stream.runtimes.iter().map(|item| item.id.namespace.as_str()).collect();
    let unclaimed = stream.workloads.iter().enumerate();
    for (index, item) in unclaimed.filter(|(_, item)| !targets.has(item)) {
        let message = if let Some((skills, recorded)) = left(stream, options, bindings, item) {
            if options.remove && recorded {
                out.push(Order {
                    lead: Lead::Workload(index),
                    workload: Some(index),
                    bindings: Vec::new(),
                    items: Vec::new(),
                });
                continue;
            }
            let skills = skills.join(", ");
            match (options.remove, recorded) {
                (_, true) => format!(
                    "no SkillBinding or AgentRuntime is about it any more, and it keeps what an earlier one left: {skills}; \
                     take that out with render -i --remove, or by hand"
                ),
                (remove, false) => format!(
                    "no SkillBinding or AgentRuntime is about it, and no record says whether a render wrote its skills: \
                     {skills}; what one left is taken out {}by hand",
                    if remove { "" } else { "with render --remove while that one is there, or " }
                ),
            }
        } else if options.profile.mounts()
            && !options.remove
            && namespaces.contains(item.id.namespace.as_str())
            && text(stream, item, &["metadata", "labels", MANAGED_BY])
                .is_some_and(|manager| manager == options.profile.names.managed_by_value)
            && !is_bound(stream, options, bindings, item)
        {
            "no AgentRuntime points at it any more, and it keeps what an earlier one left; take that out with \
             render --remove while its AgentRuntime is there, or by hand"
                .to_owned()
        } else {
            continue;
        };
        warnings.push((item.id.clone(), Warning { quirk: "Q22", message }));
    }
    out
}

/// Says which objects of kinds that nobody has named keep the skills of an earlier render: nothing can be about them.
#[cfg(feature = "internals")]
pub(super) fn of_other_kinds(
    stream: &Stream<'_>,
    options: &Options,
    warnings: &mut Vec<(ObjectRef, Warning)>,
) {
    if options.exact {
        return;
    }
    let asked: BTreeSet<(&str, &str)> =
        stream.asking().map(|item| (item.target.0.as_str(), item.target.1.as_str())).collect();
    for other in other_kinds::with_skills(stream, options.kinds) {
        // A target of a kind that is not known is an error of its own.
        if !other.is_rendered || asked.contains(&(other.id.kind.as_str(), other.id.name.as_str())) {
            continue;
        }
        let way = other.option.map_or(String::new(), |option| format!(": {option} names it"));
        let message = format!(
            "it keeps what an earlier render left: {}; its kind is not known here, so no SkillBinding can be about it{way}",
            other.skills.join(", ")
        );
        warnings.push((other.id, Warning { quirk: "Q22", message }));
    }
}

/// Who leads the plan of an order.
pub(super) fn lead(stream: &Stream<'_>, lead: Lead) -> Result<Value, InputError> {
    let item = stream.lead(lead);
    if !matches!(lead, Lead::Workload(_)) {
        return stream.object(item);
    }
    Ok(of_nobody(&item.id))
}

/// Skills that an earlier render has left in a workload that no SkillBinding is about, and whether a record names them.
fn left(
    stream: &Stream<'_>,
    options: &Options,
    bindings: &Bindings,
    item: &Item,
) -> Option<(Vec<String>, bool)> {
    let has = |key: &&str| text(stream, item, &["metadata", "annotations", key]).is_some();
    [RECORD, KAGENTI.skills, ROSSOCTL.skills].iter().find(|key| has(key))?;
    let kind = options.kinds.of(&item.id)?;
    // What cannot be read is an error of its own where anything is about it.
    let object = stream.object(item).ok()?;
    if !bindings.of(kind, &orders::workload_key(item), &object).is_empty() {
        return None;
    }
    let skills = skills_left(&object, kind);
    (!skills.is_empty()).then(|| (skills, has_record(&object)))
}

fn is_bound(stream: &Stream<'_>, options: &Options, bindings: &Bindings, item: &Item) -> bool {
    let key = orders::workload_key(item);
    let Some(kind) = options.kinds.of(&item.id).filter(|_| bindings.ask_for(&key)) else { return false };
    let object = stream.object(item).unwrap_or_default();
    !bindings.of(kind, &key, &object).is_empty()
}

/// A scalar of a workload, read without the rest of it.
fn text(stream: &Stream<'_>, item: &Item, path: &[&str]) -> Option<String> {
    let document = stream.document(item.document());
    let node = path.iter().try_fold(item.node(), |at, key| document.child(at, &(*key).into()))?;
    document.scalar_text(node).ok().map(|text| text.into_owned())
}
