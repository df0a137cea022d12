//! Objects by which something was meant that will not happen: what looks like an AgentRuntime or SkillBinding and is none, and a
//! configuration of our function that a build did not run. Without a word they would be left out as any Service is.

use kubectl_skills::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILL_BINDING, SKILLS_GROUP, VERSION};
use kubectl_skills::api::nearest::{is_slip_of, nearest};
use kubectl_skills::api::object::{Object, group_of};
use kubectl_skills::manifest::function_config;
use kubectl_skills::manifest::stream::Stream;
use memchr::{memmem, memrchr};
use serde_json::Value;

/// What the kinds end in, if the slip is not there; a search for it is quick.
const TAILS: [&str; 2] = ["untime", "inding"];

/// Whether a look at every object is worth while: nothing that asks was found, or more lines name such a kind than were found.
pub fn may_be(stream: &Stream<'_>) -> bool {
    // The one thing that is done with all of the text: so by the quick search.
    let named = |text: &str| {
        let found = TAILS.iter().flat_map(|tail| memmem::find_iter(text.as_bytes(), tail));
        let lines =
            found.map(|at| &text[memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |end| end + 1)..at]);
        lines.filter(|line| line.trim_start_matches([' ', '-', '"', '{']).starts_with("kind")).count()
    };
    stream.asks_nothing()
        || stream.sources().iter().any(|source| is_about_function(&source.text))
        || stream.sources().iter().map(|source| named(&source.text)).sum::<usize>() > stream.asking().count()
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
const FUNCTION: &str = "config.kubernetes.io/function";
/// The annotation of what stays in the repository, as kpt and kustomize read it.
const LOCAL: &str = "config.kubernetes.io/local-config";
/// Our name in a path or an image.
const PROGRAM: &str = "kubectl-skills";

fn is_about_function(text: &str) -> bool {
    let holds = |word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    holds(function_config::KIND) || (holds(FUNCTION) && holds(PROGRAM))
}

/// Whether an object configures our function and stands among what a build has made: the build did not run it.
pub fn is_skipped_function(object: &Value) -> bool {
    let object = Object(object);
    let names_us = object.annotation(FUNCTION).is_some_and(|function| function.contains(PROGRAM));
    (names_us || object.str("/kind") == function_config::KIND) && object.annotation(LOCAL) != Some("true")
}
