//! Finds text that a templating step was to replace before us: an AgentRuntime's spec in, findings out.

use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::go::quote::go_quote;
use crate::yaml::{self, Step};

use super::findings::{Finding, rules, skill_path};

/// What begins a placeholder, and what ends it: envsubst and Flux, make and Kubernetes, Helm and other templates.
const KINDS: [(&str, &str); 3] = [("${", "}"), ("$(", ")"), ("{{", "}}")];
/// What Go's templates print for a value that nobody gave.
const NO_VALUE: &str = "<no value>";

/// The first placeholder in a text.
pub(crate) fn first(text: &str) -> Option<&str> {
    // One quick look: hardly any text has one.
    memchr::memchr3(b'$', b'{', b'<', text.as_bytes())?;
    let kinds = KINDS.iter().filter_map(|(begin, end)| {
        let at = text.find(begin)?;
        let length = text[at..].find(end)? + end.len();
        Some((at, &text[at..at + length]))
    });
    let no_value = text.find(NO_VALUE).map(|at| (at, NO_VALUE));
    kinds.chain(no_value).min_by_key(|(at, _)| *at).map(|(_, found)| found)
}

/// Which fields that go into the config hash or the pod hold a placeholder.
pub(crate) fn check(spec: &AgentRuntimeSpec) -> impl Iterator<Item = Finding> {
    let plain = [
        ("spec.targetRef.name", Some(&spec.target_ref.name)),
        ("spec.identity.spiffe.trustDomain", Some(&spec.trust_domain)),
        ("spec.trace.endpoint", spec.trace.as_ref().map(|trace| &trace.endpoint)),
    ];
    let plain = plain
        .into_iter()
        .filter_map(|(path, text)| finding(|| yaml::path::parse(path).unwrap_or_default(), text?));
    let skills = spec.skills.iter().enumerate().flat_map(|(index, skill)| {
        let fields = [("name", &skill.name), ("image", &skill.image), ("mountPath", &skill.mount_path)];
        fields.into_iter().filter_map(move |(field, text)| finding(|| skill_path(index, field), text))
    });
    plain.chain(skills)
}

/// What is to be said of a text at a path; `None` if it holds no placeholder.
pub(super) fn finding(path: impl Fn() -> Vec<Step>, text: &str) -> Option<Finding> {
    let found = first(text)?;
    let message = format!(
        "{} holds the placeholder {}, which goes into config hash and pod as it stands; run this after the step that replaces \
         it (helm template, envsubst, Flux's postBuild), on what that prints",
        go_quote(text),
        go_quote(found)
    );
    Some(Finding::new(&rules::PLACEHOLDER, path(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::agent_runtime::{Skill, Trace};

    #[test]
    fn the_first_placeholder_of_each_kind() {
        for (text, wanted) in [
            ("r/s:${TAG}", Some("${TAG}")),
            ("r/s:$(TAG)", Some("$(TAG)")),
            ("r/{{ .Values.x }}:${TAG}", Some("{{ .Values.x }}")),
            ("r/s:<no value>", Some("<no value>")),
            ("r/s:$TAG", None),
            ("r/s:${TAG", None),
            ("r/s:1", None),
        ] {
            assert_eq!(first(text), wanted, "{text}");
        }
    }

    /// B5: a hash over a placeholder is one that no pod will ever have.
    #[test]
    fn placeholders_are_found_wherever_they_reach_hash_or_pod() {
        let spec = AgentRuntimeSpec {
            trace: Some(Trace { endpoint: "http://$(HOST):4317".into(), ..Trace::default() }),
            skills: vec![Skill {
                name: "a".into(),
                image: "r/a:${TAG}".into(),
                mount_path: "/skills/{{ .name }}".into(),
                ..Skill::default()
            }],
            ..AgentRuntimeSpec::default()
        };
        let found: Vec<(&str, String)> =
            check(&spec).map(|finding| (finding.rule.id, finding.field())).collect();
        assert_eq!(
            found,
            [
                ("placeholder", "spec.trace.endpoint".to_owned()),
                ("placeholder", "spec.skills[0].image".to_owned()),
                ("placeholder", "spec.skills[0].mountPath".to_owned()),
            ]
        );
    }
}
