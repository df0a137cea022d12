//! Whose rules apply to a stream: `auto` or a profile's name in, the profile and why out.

use serde_json::Value;

use crate::api::names::{KAGENTI, Names, ROSSOCTL};
use crate::api::object::Object;
use crate::api::profile::{PROFILES, Profile};
use crate::manifest::stream::Stream;

/// Chooses the profile, and says why. `auto` looks at the API group of the AgentRuntimes and at their fields.
///
/// ```
/// use kubectl_skills::{Stream, choose_profile};
///
/// let (profile, why) = choose_profile(&Stream::default(), "auto").expect("AgentRuntimes of one group at most");
/// assert_eq!((profile.name, why.as_str()), ("pr332-merged", "there is no AgentRuntime in the input"));
/// ```
///
/// # Errors
/// An unknown name; AgentRuntimes of both groups under `auto`.
pub fn choose_profile(stream: &Stream<'_>, name: &str) -> Result<(&'static Profile, String), String> {
    if name != "auto" {
        return match Profile::by_name(name) {
            Some(profile) => Ok((profile, "it is named".to_owned())),
            None => {
                let known: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
                Err(format!("no profile is called {name}; known are auto, {}", known.join(", ")))
            }
        };
    }
    let of_group = |group: &str| {
        stream.runtimes.iter().find(|item| item.id.api_version.starts_with(&format!("{group}/")))
    };
    let chosen = |name: &str, why: &str| {
        Profile::by_name(name)
            .map(|profile| (profile, why.to_owned()))
            .ok_or_else(|| format!("no profile {name}"))
    };
    match (of_group(KAGENTI.group), of_group(ROSSOCTL.group)) {
        (Some(one), Some(other)) => Err(format!(
            "the input has AgentRuntimes of two groups, {} at {} and {} at {}; render them apart, or name a profile",
            one.id.api_version, one.origin, other.id.api_version, other.origin
        )),
        (None, Some(_)) => chosen("rossoctl", "the AgentRuntimes are of group agent.rossoctl.dev"),
        (Some(_), None) => {
            let with_skills = stream.runtimes.iter().any(|item| {
                // One that cannot be read is reported by the plan.
                stream
                    .object(item)
                    .is_ok_and(|object| object.pointer("/spec/skills").is_some_and(Value::is_array))
            });
            if with_skills {
                chosen("pr332-merged", "AgentRuntimes of group agent.kagenti.dev have spec.skills")
            } else {
                chosen("head", "AgentRuntimes of group agent.kagenti.dev have no spec.skills")
            }
        }
        (None, None) if !stream.bindings.is_empty() => {
            let kagenti = stream
                .workloads
                .iter()
                .any(|item| stream.object(item).is_ok_and(|object| is_configured(&object, &KAGENTI)));
            match kagenti {
                true => chosen("head", "workloads have labels of kagenti.io"),
                false => chosen("rossoctl", "SkillBindings go with every operator, and that is the newest"),
            }
        }
        // What a SkillBinding that is gone has left is taken out as it was written.
        (None, None) if stream.sources().iter().any(|source| source.text.contains(ROSSOCTL.skills)) => {
            chosen("rossoctl", "workloads have annotations of rossoctl.io")
        }
        (None, None) => chosen("pr332-merged", "there is no AgentRuntime in the input"),
    }
}

/// Whether a workload says that an operator with these names has to do with it.
fn is_configured(object: &Value, names: &Names) -> bool {
    Object(object).label(names.type_label).is_some() || Object(object).annotation(names.skills).is_some()
}
