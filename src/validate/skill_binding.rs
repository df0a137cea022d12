//! What a SkillBinding by itself may not say: its spec in, findings out. Its skills are held to the rules that an
//! AgentRuntime's were held to by the last operator that mounted them; the CRD says the same in CEL.

use serde_json::{Value, json};

use super::findings::{Finding, rules, skill_path};
use super::metadata;
use super::preflight;
use super::schema::{SchemaError, Validator};
use super::webhook::{Operation, Rivals, verdict};
use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, TargetRef};
use crate::api::names;
use crate::api::object::ObjectRef;
use crate::api::profile::Profile;
use crate::api::skill_binding::{BindingTarget, SkillBindingSpec};
use crate::yaml::Step;

/// Fields of `spec`, and of a skill.
const FIELDS: [&str; 8] =
    ["targetRef", "selector", "skills", "container", "runtime", "home", "delivery", "rollout"];
const SKILL_FIELDS: [&str; 5] = ["name", "image", "mountPath", "pullPolicy", "subPath"];

/// The fields that the CRD does not know.
pub fn unknown_fields(object: &Value) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut check = |value: Option<&Value>, known: &[&str], path: Vec<Step>| {
        for key in value.and_then(Value::as_object).into_iter().flat_map(|map| map.keys()) {
            if !known.contains(&key.as_str()) {
                let path = [path.clone(), vec![key.as_str().into()]].concat();
                out.push(super::unknown_fields::unknown_of(known, key, &path));
            }
        }
    };
    check(object.get("spec"), &FIELDS, vec!["spec".into()]);
    let skills = object.pointer("/spec/skills").and_then(Value::as_array);
    for (index, skill) in skills.into_iter().flatten().enumerate() {
        check(Some(skill), &SKILL_FIELDS, skill_path(index, ""));
    }
    out
}

/// What the API server says against its metadata, as against that of every object.
pub fn check_metadata(object: &Value) -> Vec<Finding> {
    match metadata::decode(object.get("metadata")) {
        Ok(decoded) => metadata::errors(&decoded.metadata).iter().map(SchemaError::finding).collect(),
        Err(message) => vec![Finding::new(&rules::SCHEMA, vec!["metadata".into()], message)],
    }
}

/// What is wrong with the values of a SkillBinding by itself, by the rules for skills of a profile and its validator.
pub fn check_spec(
    id: &ObjectRef,
    spec: &SkillBindingSpec,
    (profile, validator): (&'static Profile, &Validator),
) -> Vec<Finding> {
    let mut out = Vec::new();
    let field = |key: &str| vec![Step::from("spec"), Step::from(key)];
    let problem = |path, message: &str, help: &str| Finding {
        help: help.to_owned(),
        ..Finding::new(&rules::SCHEMA, path, message)
    };
    match &spec.target {
        None => out.push(problem(
            vec!["spec".into()],
            "exactly one of targetRef and selector is needed",
            "name a workload by targetRef, or choose them by a selector over the labels of their pods",
        )),
        Some(BindingTarget::Selector(selector)) if selector.is_empty() => out.push(problem(
            field("selector"),
            "an empty selector would take every pod of the namespace",
            "give it matchLabels or matchExpressions",
        )),
        Some(BindingTarget::Ref(TargetRef { api_version, kind, name })) => {
            for (key, value) in [("apiVersion", api_version), ("kind", kind), ("name", name)] {
                if value.is_empty() {
                    let path = [field("targetRef"), vec![key.into()]].concat();
                    out.push(problem(path, "is required", "say which workload gets the skills"));
                }
            }
        }
        Some(BindingTarget::Selector(_)) => {}
    }
    if spec.skills.is_empty() {
        out.push(problem(
            field("skills"),
            "at least one skill is needed",
            "list a skill, or delete the SkillBinding",
        ));
    }
    out.extend(skills(id, &spec.skills, profile, validator));
    for (index, skill) in spec.skills.iter().enumerate() {
        let path = &skill.sub_path;
        if path.starts_with('/') || path.split('/').any(|segment| segment == "..") {
            let help = "name a folder of the image, such as skills/forecast";
            out.push(problem(skill_path(index, "subPath"), "must be relative and without ..", help));
        }
    }
    out
}

fn skills(
    id: &ObjectRef,
    skills: &[Skill],
    profile: &'static Profile,
    validator: &Validator,
) -> Vec<Finding> {
    let listed: Vec<Value> = skills
        .iter()
        .map(|skill| {
            let mut out = json!({"name": skill.name, "image": skill.image, "mountPath": skill.mount_path});
            if !skill.pull_policy.is_empty() {
                out["pullPolicy"] = skill.pull_policy.as_str().into();
            }
            out
        })
        .collect();
    // An AgentRuntime about nothing but these skills.
    let shown = json!({
        "apiVersion": format!("{}/{}", profile.names.group, names::VERSION), "kind": names::AGENT_RUNTIME, "metadata": {"name": "a"},
        "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "skills": listed},
    });
    let about_skills = |finding: &Finding| finding.path.get(1).is_some_and(|step| *step == "skills".into());
    let mut out: Vec<Finding> =
        validator.create(&shown).errors.iter().map(|error| error.finding()).filter(about_skills).collect();
    let spec = AgentRuntimeSpec { skills: skills.to_vec(), ..AgentRuntimeSpec::default() };
    if out.is_empty() {
        out.extend(
            verdict(profile, Operation::Create, id, &spec, Rivals::Unknown)
                .refusal
                .map(|refusal| refusal.finding),
        );
    }
    if out.is_empty() {
        out.extend(preflight::check(&spec));
    }
    out
}

#[cfg(all(test, feature = "internals"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::crd::node::Node;
    use crate::crd::skill_binding::schema;
    use crate::validate::schema::items_of;

    /// A field that the CRD has and the list has not would be called unknown in every manifest that uses it. The CRD is not
    /// part of the library without features, so the names stand here as well.
    #[test]
    fn the_fields_are_those_of_the_crd() {
        let schema = schema();
        let spec = schema.child("spec").expect("a spec");
        let names = |node: &Node| node.fields().iter().map(|field| field.name).collect::<BTreeSet<_>>();
        assert_eq!(names(spec), BTreeSet::from(FIELDS));
        assert_eq!(names(items_of(spec.child("skills")).expect("items")), BTreeSet::from(SKILL_FIELDS));
    }
}
