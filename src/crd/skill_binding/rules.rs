//! The rules of a SkillBinding that a schema cannot say, each in CEL for the API server and in Rust for every verb: a value in,
//! the way to what breaks the rule out. Types, lengths and patterns are left to the schema.
//!
//! `testdata/skill_binding_rules.json` holds both to one table: `tests/it/skill_binding_rules.rs` the Rust,
//! `tests/e2e/skill_binding.rs` the server's answers.

use std::collections::HashSet;

use serde_json::Value;

use super::POD_OWNERS;
use crate::api::agent_location::{AgentLocation, Discovery};
use crate::api::image_reference;
use crate::api::names::PROTECTED_PATHS;
use crate::crd::cel;
use crate::crd::node::Rule;
use crate::yaml::Step;

/// What the kubelet reads as an image reference, but for bounds on the length of its parts (`ReferenceRegexp` of
/// `distribution/reference`); any other text ends in InvalidImageName.
const IMAGE_REFERENCE: &str = "^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\
                               \\[[a-fA-F0-9:]+\\])(:[0-9]+)?/)?\
                               [a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*\
                               (:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?\
                               (@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$";

type Broken = Option<Vec<Step>>;

fn rule(expression: impl Into<String>, message: impl Into<String>, broken: fn(&Value) -> Broken) -> Rule {
    Rule { expression: expression.into(), message: message.into(), broken }
}

/// The whole value breaks the rule.
fn unless(holds: bool) -> Broken {
    (!holds).then(Vec::new)
}

fn str_of<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn location(spec: &Value) -> Option<&'static AgentLocation> {
    AgentLocation::by_name(str_of(spec, "runtime")?)
}

/// The first skill that is so, and a field of it; the skill itself if the field is not there.
fn skill_where(spec: &Value, field: &str, is_so: impl Fn(usize, &Value) -> bool) -> Broken {
    let (index, skill) =
        items(spec, "skills").iter().enumerate().find(|(index, skill)| is_so(*index, skill))?;
    let mut way = vec!["skills".into(), index.into()];
    way.extend(skill.get(field).map(|_| Step::from(field)));
    Some(way)
}

/// The first skill that has something in common with an earlier one.
fn skill_again(spec: &Value, field: &str, what: impl Fn(&Value) -> Option<String>) -> Broken {
    let mut seen = HashSet::new();
    let known: Vec<bool> = items(spec, "skills")
        .iter()
        .map(|skill| what(skill).is_some_and(|what| !seen.insert(what)))
        .collect();
    skill_where(spec, field, |index, _| known.get(index) == Some(&true))
}

/// Rules of `spec`.
// Long: a table, one rule after the other.
pub(super) fn spec() -> Vec<Rule> {
    let below_home = cel::runtimes(AgentLocation::needs_home);
    let by_list = cel::runtimes(|location| matches!(location.discovery, Discovery::Folders(_)));
    let unique =
        |one: &str, other: &str| format!("self.skills.all(s, self.skills.exists_one(t, {one} == {other}))");
    let owners: Vec<String> = POD_OWNERS.iter().map(|(group, kind)| format!("{group}/{kind}")).collect();
    let kinds: Vec<&str> = POD_OWNERS.iter().map(|(_, kind)| *kind).collect();
    let owner = "self.targetRef.apiVersion.split('/')[0] + '/' + self.targetRef.kind";
    vec![
        rule(
            "has(self.targetRef) != has(self.selector)",
            "exactly one of targetRef and selector is needed",
            |spec| match (spec.get("targetRef"), spec.get("selector")) {
                (Some(_), Some(_)) => Some(vec!["selector".into()]),
                (None, None) => Some(Vec::new()),
                _ => None,
            },
        ),
        rule(
            "has(self.runtime) || self.skills.all(s, has(s.mountPath))",
            "mountPath may be left out only where runtime says where the agent looks",
            |spec| match spec.get("runtime") {
                Some(_) => None,
                None => skill_where(spec, "mountPath", |_, skill| skill.get("mountPath").is_none()),
            },
        ),
        rule(
            format!(
                "!has(self.runtime) || !(self.runtime in {below_home}) || has(self.home) || \
                 self.skills.all(s, has(s.mountPath))"
            ),
            "this runtime looks below the home folder: home is needed, or a mountPath for each skill",
            |spec| {
                let below = location(spec).is_some_and(AgentLocation::needs_home);
                let open = || items(spec, "skills").iter().any(|skill| skill.get("mountPath").is_none());
                (below && spec.get("home").is_none() && open()).then(|| vec!["home".into()])
            },
        ),
        rule(unique("s.name", "t.name"), "names of skills must be unique", |spec| {
            skill_again(spec, "name", |skill| str_of(skill, "name").map(str::to_owned))
        }),
        rule(
            unique(
                &cel::comparable(&cel::mount_path("self", "s")),
                &cel::comparable(&cel::mount_path("self", "t")),
            ),
            "mount paths of skills must be unique, also those that runtime gives",
            |spec| {
                let root = location(spec)
                    .and_then(|location| location.root(Some(str_of(spec, "home").unwrap_or("/"))).ok());
                let root = root.unwrap_or_default();
                skill_again(spec, "mountPath", |skill| {
                    let name = str_of(skill, "name").unwrap_or_default();
                    let given = str_of(skill, "mountPath").map(str::to_owned);
                    Some(comparable(&given.unwrap_or_else(|| format!("{root}/{name}"))))
                })
            },
        ),
        rule(
            format!(
                "(has(self.runtime) && !(self.runtime in {by_list})) || self.skills.all(s, !has(s.mountPath) || \
                 (!s.mountPath.contains(',') && s.mountPath.trim() == s.mountPath))"
            ),
            "SKILL_FOLDERS cannot name such a mountPath: its paths are separated by commas, without blanks around them",
            |spec| {
                let listed =
                    location(spec).is_none_or(|location| matches!(location.discovery, Discovery::Folders(_)));
                let splits = |path: &str| path.contains(',') || path.trim() != path;
                let is_so = |_, skill: &Value| str_of(skill, "mountPath").is_some_and(splits);
                listed.then(|| skill_where(spec, "mountPath", is_so)).flatten()
            },
        ),
        rule(
            format!(
                "self.delivery != 'Pod' || !has(self.targetRef) || ({owner}) in {}",
                cel::list(owners.iter().map(String::as_str))
            ),
            format!(
                "delivery Pod: pods of this kind cannot be identified; target one of {}, or use selector",
                kinds.join(", ")
            ),
            |spec| {
                let target = spec.get("targetRef").filter(|_| str_of(spec, "delivery") == Some("Pod"))?;
                let of = |key| str_of(target, key).unwrap_or_default();
                let group = of("apiVersion").split('/').next().unwrap_or_default();
                let whose = (group, of("kind"));
                (!POD_OWNERS.contains(&whose)).then(|| vec!["targetRef".into(), "kind".into()])
            },
        ),
    ]
}

/// Rules of `spec.home`.
pub(super) fn home() -> Vec<Rule> {
    vec![rule("!self.split('/').exists(s, s == '.' || s == '..')", "must not contain . or ..", |home| {
        unless(!text(home).split('/').any(|segment| matches!(segment, "." | "..")))
    })]
}

/// Rules of a skill's image.
pub(super) fn image() -> Vec<Rule> {
    vec![rule(
        format!("self == '' || self.matches({})", cel::text(IMAGE_REFERENCE)),
        "is no image reference; write it as registry/name:tag or registry/name@sha256:digest, in lower case and \
         without a scheme",
        |image| unless(image == "" || image_reference::parse(text(image)).is_some()),
    )]
}

/// Rules of a skill's mount path.
pub(super) fn mount_path() -> Vec<Rule> {
    vec![
        rule("!self.contains('..')", "must not contain path traversal (..)", |path| {
            unless(!text(path).contains(".."))
        }),
        rule(
            format!("!self.matches({})", cel::text(&protected())),
            format!("must not overlap a protected path: {}", PROTECTED_PATHS.join(", ")),
            |path| {
                let clean = clean(text(path));
                let overlaps = PROTECTED_PATHS.iter().any(|protected| clean.starts_with(protected));
                unless(!(text(path).starts_with('/') && overlaps))
            },
        ),
        rule("self.matches('[^/.]')", "must not be the root of the container's file system", |path| {
            unless(text(path).contains(|char| !matches!(char, '/' | '.')))
        }),
    ]
}

/// Rules of a skill's folder in its image.
pub(super) fn sub_path() -> Vec<Rule> {
    vec![rule(
        "!self.startsWith('/') && !self.split('/').exists(s, s == '..')",
        "must be a relative path without ..",
        |path| unless(!text(path).starts_with('/') && !text(path).split('/').any(|segment| segment == "..")),
    )]
}

/// Rules of an item of `matchExpressions`.
pub(super) fn requirement() -> Vec<Rule> {
    vec![rule(
        "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : \
         !has(self.values) || size(self.values) == 0",
        "In and NotIn need values; Exists and DoesNotExist take none",
        |requirement| {
            let wants = matches!(str_of(requirement, "operator"), Some("In" | "NotIn"));
            unless(wants != items(requirement, "values").is_empty())
        },
    )]
}

/// Rules of `spec.selector`.
pub(super) fn selector() -> Vec<Rule> {
    vec![rule(
        "(has(self.matchLabels) && size(self.matchLabels) > 0) || \
         (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
        "an empty selector would select every pod of the namespace",
        |selector| {
            let labels = selector.get("matchLabels").and_then(Value::as_object);
            unless(
                labels.is_some_and(|labels| !labels.is_empty())
                    || !items(selector, "matchExpressions").is_empty(),
            )
        },
    )]
}

/// A path in its clean form, and what is below it or begins like it.
fn clean(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !matches!(*segment, "" | "."));
    segments.fold(String::new(), |path, segment| path + "/" + segment)
}

/// A regular expression of the protected paths in every spelling, and of what begins like one.
fn protected() -> String {
    let all: Vec<String> =
        PROTECTED_PATHS.iter().map(|path| path.trim_start_matches('/').replace('/', "/(\\.?/)*")).collect();
    format!("^/(\\.?/)*({})", all.join("|"))
}

/// A path as [`cel::comparable`] has it.
fn comparable(path: &str) -> String {
    cel::CLEANING.iter().fold(format!("{path}/"), |path, from| path.replace(from, "/"))
}
