//! SkillBinding as the plan reads it: an object in, its spec or every field of a wrong type out. What its values may be is
//! left to `validate`; who it is merged with, to `plan::bindings`.
//!
//! Its list of skills is, field for field, that of an AgentRuntime of upstream's PR #332, so that a list moves from one to
//! the other by its kind and apiVersion.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::agent_location::AgentLocation;
use super::agent_runtime::{FieldError, Skill, TargetRef, object, of_skill, string, wrong};
use super::object::{Object, string_map};

/// Which workloads a SkillBinding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingTarget {
    /// One, by its kind and name.
    Ref(TargetRef),
    /// All whose pod template has these labels.
    Selector(LabelSelector),
}

/// A `metav1.LabelSelector`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// Labels that must have these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further demands.
    pub match_expressions: Vec<Requirement>,
}

/// An item of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// Values, for the first two.
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Reads a selector that the API server has accepted.
    pub fn of_server(selector: &Value) -> Self {
        label_selector(selector, &mut Vec::new())
    }

    /// Whether it demands nothing.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether labels meet it, as apimachinery `LabelSelectorAsSelector` has it; an empty one, or one with an operator that is
    /// none, is met by nothing.
    pub fn matches(&self, labels: Option<&Value>) -> bool {
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let is_met = |requirement: &Requirement| {
            let found = label(&requirement.key);
            let is_in = || found.is_some_and(|value| requirement.values.iter().any(|one| one == value));
            match requirement.operator.as_str() {
                "In" => is_in(),
                "NotIn" => !is_in(),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        };
        !self.is_empty()
            && self.match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.match_expressions.iter().all(is_met)
    }
}

/// As kubectl writes it: `app=web,tier in (a,b),!draft`.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let expressions = self.match_expressions.iter().map(|Requirement { key, operator, values }| {
            match operator.as_str() {
                "In" => format!("{key} in ({})", values.join(",")),
                "NotIn" => format!("{key} notin ({})", values.join(",")),
                "DoesNotExist" => format!("!{key}"),
                _ => key.clone(),
            }
        });
        f.write_str(&labels.chain(expressions).collect::<Vec<_>>().join(","))
    }
}

/// How the skills get into the pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// By the workload's pod template.
    #[default]
    Workload,
    /// As pods are created, by the API server or the webhook; the workload stays as it is in Git.
    Pod,
}

/// Who restarts pods after a change of skills that are delivered to pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rollout {
    /// The controller.
    #[default]
    Auto,
    /// People, by `kubectl skills restart`.
    Manual,
}

/// `spec` of a SkillBinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillBindingSpec {
    /// The workloads; none if `spec` has neither a target nor a selector, or both.
    pub target: Option<BindingTarget>,
    /// In spec order; mount paths that were left out are filled in.
    pub skills: Vec<Skill>,
    /// Name of the agent container.
    pub container: Option<String>,
    /// Where the agent looks; none for mount paths and `SKILL_FOLDERS`.
    pub runtime: Option<&'static AgentLocation>,
    /// The home folder of the container's user.
    pub home: Option<String>,
    /// Delivery.
    pub delivery: Delivery,
    /// Rollout.
    pub rollout: Rollout,
}

/// Whether a SkillBinding, as it is written, is for pods rather than their template.
pub fn is_for_pods(binding: &Value) -> bool {
    binding.pointer("/spec/delivery").and_then(Value::as_str) == Some("Pod")
}

impl SkillBindingSpec {
    /// Reads `spec`.
    ///
    /// # Errors
    /// All fields of a wrong type or with a value that is none of those known, and what keeps a mount path from being filled in.
    pub fn from_object(binding: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let spec = match object(binding, "spec", "spec") {
            Ok(spec) => spec.unwrap_or(&Value::Null),
            Err(error) => return Err(vec![error]),
        };
        let mut text = |key: &str| {
            string(spec, key, &format!("spec.{key}")).unwrap_or_else(|error| {
                errors.push(error);
                String::new()
            })
        };
        let [container, runtime, home, delivery, rollout] =
            ["container", "runtime", "home", "delivery", "rollout"].map(&mut text);
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let field = |field: &str, message: String| FieldError { field: field.to_owned(), message };
        let location = AgentLocation::by_name(&runtime);
        if !runtime.is_empty() && location.is_none() {
            let known = super::agent_location::AGENT_LOCATIONS.iter().map(|one| one.name);
            let known = known.collect::<Vec<_>>().join(", ");
            errors.push(field("spec.runtime", format!("no runtime is called {runtime}; known are {known}")));
        }
        let delivery = match delivery.as_str() {
            "" | "Workload" => Delivery::Workload,
            "Pod" => Delivery::Pod,
            other => {
                errors.push(field("spec.delivery", format!("must be Workload or Pod, found {other}")));
                Delivery::default()
            }
        };
        let rollout = match rollout.as_str() {
            "" | "Auto" => Rollout::Auto,
            "Manual" => Rollout::Manual,
            other => {
                errors.push(field("spec.rollout", format!("must be Auto or Manual, found {other}")));
                Rollout::default()
            }
        };
        let home = given(home);
        let target = target(spec, &mut errors);
        let skills = skills(spec, location, home.as_deref(), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { target, skills, container: given(container), runtime: location, home, delivery, rollout })
    }

    /// The one workload that it names; none with a selector.
    pub fn target_ref(&self) -> Option<&TargetRef> {
        match &self.target {
            Some(BindingTarget::Ref(target)) => Some(target),
            _ => None,
        }
    }
}

fn target(spec: &Value, errors: &mut Vec<FieldError>) -> Option<BindingTarget> {
    let mut part = |key: &str, field: &str| {
        object(spec, key, field).unwrap_or_else(|error| {
            errors.push(error);
            None
        })
    };
    let (target, selector) = (part("targetRef", "spec.targetRef"), part("selector", "spec.selector"));
    match (target, selector) {
        (Some(target), None) => {
            let mut text = |key: &str| {
                string(target, key, &format!("spec.targetRef.{key}")).unwrap_or_else(|error| {
                    errors.push(error);
                    String::new()
                })
            };
            let [api_version, kind, name] = ["apiVersion", "kind", "name"].map(&mut text);
            Some(BindingTarget::Ref(TargetRef { api_version, kind, name }))
        }
        (None, Some(given)) => Some(BindingTarget::Selector(label_selector(given, errors))),
        _ => None,
    }
}

fn label_selector(given: &Value, errors: &mut Vec<FieldError>) -> LabelSelector {
    let mut out = LabelSelector::default();
    match string_map(given.get("matchLabels"), "spec.selector.matchLabels") {
        Ok(labels) => out.match_labels = labels,
        Err(error) => {
            let (field, message) = error.split_once(": ").unwrap_or(("spec.selector", &error));
            errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
        }
    }
    match given.get("matchExpressions") {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) => {
            out.match_expressions =
                items.iter().enumerate().map(|(index, item)| requirement(item, index, errors)).collect();
        }
        Some(other) => errors.push(wrong("spec.selector.matchExpressions", "an array", other)),
    }
    out
}

fn requirement(item: &Value, index: usize, errors: &mut Vec<FieldError>) -> Requirement {
    let at = format!("spec.selector.matchExpressions[{index}]");
    let mut text = |key: &str| {
        string(item, key, &format!("{at}.{key}")).unwrap_or_else(|error| {
            errors.push(error);
            String::new()
        })
    };
    let [key, operator] = ["key", "operator"].map(&mut text);
    let values = item.get("values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let values: Vec<String> = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let known = match operator.as_str() {
        "In" | "NotIn" => !values.is_empty(),
        "Exists" | "DoesNotExist" => values.is_empty(),
        _ => false,
    };
    if !known {
        let message = "must be In or NotIn with values, or Exists or DoesNotExist without".to_owned();
        errors.push(FieldError { field: format!("{at}.operator"), message });
    }
    Requirement { key, operator, values }
}

fn skills(
    spec: &Value,
    location: Option<&'static AgentLocation>,
    home: Option<&str>,
    errors: &mut Vec<FieldError>,
) -> Vec<Skill> {
    let items = match spec.get("skills") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => {
            errors.push(wrong("spec.skills", "an array", other));
            return Vec::new();
        }
    };
    let mut out = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if !matches!(item, Value::Object(_)) {
            errors.push(wrong(&format!("spec.skills[{index}]"), "an object", item));
            continue;
        }
        let mut text = |key: &str| {
            of_skill(item, index, key).unwrap_or_else(|error| {
                errors.push(error);
                String::new()
            })
        };
        let [name, image, mut mount_path, pull_policy, sub_path] =
            ["name", "image", "mountPath", "pullPolicy", "subPath"].map(&mut text);
        if let (true, Some(location)) = (mount_path.is_empty(), location) {
            match location.mount_path(home, &name) {
                Ok(path) => mount_path = path,
                Err(error) => {
                    errors.push(FieldError { field: "spec.home".to_owned(), message: error.to_string() })
                }
            }
        }
        out.push(Skill { name, image, mount_path, pull_policy, sub_path });
    }
    errors.dedup();
    out
}

/// Whether an object is a SkillBinding.
pub fn is_binding(object: Object<'_>) -> bool {
    object.kind() == super::names::SKILL_BINDING && is_group(object.api_version())
}

/// Whether an apiVersion is of the group of SkillBindings.
pub fn is_group(api_version: &str) -> bool {
    api_version.split_once('/').is_some_and(|(group, _)| group == super::names::SKILLS_GROUP)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(spec: Value) -> Result<SkillBindingSpec, Vec<String>> {
        SkillBindingSpec::from_object(&json!({"spec": spec}))
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_whole_spec_is_read_and_paths_are_filled_in() {
        let spec = read(json!({
            "selector": {"matchLabels": {"app": "weather"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}]},
            "container": "agent", "runtime": "claude", "home": "/root", "delivery": "Pod", "rollout": "Manual",
            "skills": [{"name": "pdf", "image": "i:1"}, {"name": "csv", "image": "i:2", "mountPath": "/csv", "subPath": "skills/csv"}],
        }))
        .expect("a spec");
        let skill = |name: &str, image: &str, path: &str, sub: &str| Skill {
            name: name.into(),
            image: image.into(),
            mount_path: path.into(),
            sub_path: sub.into(),
            ..Skill::default()
        };
        assert_eq!(
            spec,
            SkillBindingSpec {
                target: Some(BindingTarget::Selector(LabelSelector {
                    match_labels: BTreeMap::from([("app".into(), "weather".into())]),
                    match_expressions: vec![Requirement {
                        key: "tier".into(),
                        operator: "In".into(),
                        values: vec!["a".into()]
                    }],
                })),
                skills: vec![
                    skill("pdf", "i:1", "/root/.claude/skills/pdf", ""),
                    skill("csv", "i:2", "/csv", "skills/csv")
                ],
                container: Some("agent".into()),
                runtime: AgentLocation::by_name("claude"),
                home: Some("/root".into()),
                delivery: Delivery::Pod,
                rollout: Rollout::Manual,
            }
        );
    }

    /// One defect a run is a morning lost.
    #[test]
    fn every_defect_is_found_at_once() {
        let errors = read(json!({
            "targetRef": {"kind": 1}, "runtime": "emacs", "delivery": "Mail", "rollout": "Never",
            "skills": [{"name": "a", "image": 5}, "b"],
        }))
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "spec.runtime: no runtime is called emacs; known are agents, claude, cursor, docsclaw, kagent, kagenti, openclaw, \
                 opencode, windsurf",
                "spec.delivery: must be Workload or Pod, found Mail",
                "spec.rollout: must be Auto or Manual, found Never",
                "spec.targetRef.kind: must be a string, found integer",
                "spec.skills[0].image: must be a string, found integer",
                "spec.skills[1]: must be an object, found string",
            ]
        );
        let no_home = read(
            json!({"runtime": "claude", "skills": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}),
        );
        assert_eq!(
            no_home.unwrap_err(),
            [
                "spec.home: runtime claude looks into ~/.claude/skills: spec.home has to say what ~ is, or each skill its mountPath"
            ]
        );
    }

    /// A selector that matches too much mounts images into pods of others.
    #[test]
    fn a_selector_matches_as_in_kubernetes() {
        let matches = |selector: Value, labels: Value| {
            let spec = read(json!({"selector": selector})).expect("a spec");
            match spec.target {
                Some(BindingTarget::Selector(selector)) => selector.matches(Some(&labels)),
                other => panic!("{other:?}"),
            }
        };
        let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
        assert!(matches(json!({"matchLabels": {"a": "1"}}), json!({"a": "1", "b": "2"})));
        assert!(!matches(json!({"matchLabels": {"a": "1", "b": "3"}}), json!({"a": "1", "b": "2"})));
        assert!(!matches(json!({}), json!({"a": "1"})));
        assert!(matches(expression("In", json!(["1", "2"])), json!({"a": "2"})));
        assert!(!matches(expression("In", json!(["1"])), json!({})));
        assert!(matches(expression("NotIn", json!(["1"])), json!({})));
        assert!(!matches(expression("NotIn", json!(["1"])), json!({"a": "1"})));
        assert!(matches(expression("Exists", json!([])), json!({"a": ""})));
        assert!(matches(expression("DoesNotExist", Value::Null), json!({"b": ""})));
        assert!(read(json!({"selector": expression("In", json!([]))})).is_err());
        assert!(read(json!({"selector": expression("Like", json!(["x"]))})).is_err());
    }
}
