//! Objects that look like an AgentRuntime and are none: a kind or a group with a slip in it. Without a word they would be
//! left out as any Service is.

use kubectl_skills::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL};
use kubectl_skills::api::nearest::{is_slip_of, nearest};
use kubectl_skills::manifest::stream::Stream;
use serde_json::Value;

/// What an AgentRuntime's kind ends in, if the slip is not there; a search for it is quick.
const TAIL: &str = "untime";

/// Whether a look at every object is worth while: no AgentRuntime was found, or more lines name such a kind than were found.
pub fn may_be(stream: &Stream<'_>) -> bool {
    let named = |text: &str| {
        let lines = text.match_indices(TAIL).filter_map(|(at, _)| text[..at].rsplit('\n').next());
        lines.filter(|line| line.trim_start_matches([' ', '-', '"', '{']).starts_with("kind")).count()
    };
    stream.runtimes.is_empty()
        || stream.sources().iter().map(|source| named(&source.text)).sum::<usize>() > stream.runtimes.len()
}

/// What is wrong with an object that was meant to be an AgentRuntime; none for any other.
pub fn of(object: &Value) -> Option<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
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
