//! Objects by which something was meant that will not happen: what looks like an AgentRuntime or SkillBinding and is none, and a
//! configuration of our function that a build did not run. Without a word they would be left out as any Service is.

use crate::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::object::{Object, Origin, group_of};
use crate::manifest::function_config;
use crate::manifest::meant::{is_meant, kinds};
use crate::manifest::objects;
use crate::manifest::stream::Stream;
use memchr::memmem;
use serde_json::Value;

/// Whether a look at every object is worth while: nothing that asks was found, or a kind is nearly one of ours, or ours in
/// another group.
pub fn may_be(stream: &Stream<'_>) -> bool {
    stream.asks_nothing()
        || stream.may_have_near_miss()
        || stream.sources().iter().any(|source| is_about_function(&source.text))
}

/// All of a stream that were meant to be an AgentRuntime or a SkillBinding: the place, the object and what is wrong with it.
pub fn all(stream: &Stream<'_>) -> Vec<(Origin, Value, String)> {
    let mut out = Vec::new();
    if may_be(stream) {
        for parsed in stream.sources().iter().flat_map(objects::readable) {
            let all = parsed.objects();
            out.extend(all.iter().filter_map(|one| {
                let said = of(one.value)?;
                Some((one.origin(), one.value.clone(), said))
            }));
        }
    }
    out
}

/// Whether a text names one of our kinds, or nearly: no other has an object by which one was meant.
pub fn may_be_in(text: &str) -> bool {
    kinds(text).any(is_meant)
}

/// What is wrong with an object that was meant to be an AgentRuntime; none for any other.
pub fn of(object: &Value) -> Option<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let group = group_of(api_version);
    if kind == SKILL_BINDING || is_slip_of(kind, SKILL_BINDING) {
        let wanted = format!("{SKILLS_GROUP}/{VERSION}");
        return match (kind == SKILL_BINDING, group == SKILLS_GROUP) {
            (true, true) => None,
            (true, false) => Some(format!(
                "{SKILL_BINDING} of apiVersion {api_version:?} is not read: did you mean {wanted}?"
            )),
            _ => Some(format!("kind {kind:?} is not read: did you mean {SKILL_BINDING}?")),
        };
    }
    let known = [KAGENTI.group, ROSSOCTL.group];
    let meant_kind = kind == AGENT_RUNTIME || is_slip_of(kind, AGENT_RUNTIME);
    if !meant_kind || (kind == AGENT_RUNTIME && known.contains(&group)) {
        return None;
    }
    if kind != AGENT_RUNTIME {
        return Some(format!("kind {kind:?} is not read: did you mean {AGENT_RUNTIME}?"));
    }
    let group_meant = nearest(group, known).unwrap_or(KAGENTI.group);
    Some(format!(
        "{AGENT_RUNTIME} of apiVersion {api_version:?} is not read: did you mean {group_meant}/v1alpha1?"
    ))
}

/// The annotation by which an object is the configuration of a function.
pub(super) const FUNCTION: &str = "config.kubernetes.io/function";
/// The annotation of what stays in the repository, as kpt and kustomize read it.
const LOCAL: &str = "config.kubernetes.io/local-config";
/// Our name in a path or an image.
const PROGRAM: &str = "kubectl-skills";

/// What the names of the two have in common at their end: one search of the text in the place of two.
const COMMON: &str = "unction";

fn is_about_function(text: &str) -> bool {
    let mut annotated = false;
    for at in memmem::find_iter(text.as_bytes(), COMMON) {
        let before = &text.as_bytes()[..at + COMMON.len()];
        if before.ends_with(function_config::KIND.as_bytes()) {
            return true;
        }
        annotated |= before.ends_with(FUNCTION.as_bytes());
    }
    annotated && memmem::find(text.as_bytes(), PROGRAM.as_bytes()).is_some()
}

/// Whether an object configures our function and stands among what a build has made: the build did not run it.
pub fn is_skipped_function(object: &Value) -> bool {
    let object = Object(object);
    let names_us = object.annotation(FUNCTION).is_some_and(|function| function.contains(PROGRAM));
    (names_us || object.str("/kind") == function_config::KIND) && object.annotation(LOCAL) != Some("true")
}
