//! What is wrong with a SkillBinding by itself: an object in, findings out. The rules are those of its CRD, schema and CEL
//! alike; what makes a pod that does not start is asked of [`super::preflight`], as for an AgentRuntime.

use std::sync::LazyLock;

use serde_json::Value;

use super::findings::{Finding, rules};
use super::metadata;
use super::placeholders;
use super::preflight;
use super::schema::Validator;
use crate::api::agent_runtime::{AgentRuntimeSpec, FieldError};
use crate::api::image_reference;
use crate::api::skill_binding::SkillBindingSpec;
use crate::yaml::{self, Step};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(Validator::of_skill_bindings);

/// All that is wrong with it, whatever there is to be bound. Its apiVersion is left to who reads it.
pub fn check(object: &Value) -> Vec<Finding> {
    let mut out = VALIDATOR.unknown_fields(None, object);
    if let Err(message) = metadata::decode(object.get("metadata")) {
        out.push(Finding::new(&rules::SCHEMA, vec!["metadata".into()], message));
    } else {
        for error in VALIDATOR.create(object).errors {
            if error.path.first().is_some_and(|step| *step == "apiVersion".into()) {
                continue;
            }
            // What is replaced before the API server sees it is not held against it.
            let placeholder = placeholders::finding(|| error.path.clone(), text_at(object, &error.path));
            let help = help(&error.path, text_at(object, &error.path));
            out.push(placeholder.unwrap_or_else(|| Finding { help, ..error.finding() }));
        }
    }
    match SkillBindingSpec::from_object(object) {
        Ok(spec) => {
            let target_ref = spec.target_ref().cloned().unwrap_or_default();
            let spec = AgentRuntimeSpec { skills: spec.skills, target_ref, ..AgentRuntimeSpec::default() };
            for finding in preflight::check(&spec) {
                add(&mut out, finding);
            }
        }
        Err(errors) => errors.into_iter().map(unreadable).for_each(|finding| add(&mut out, finding)),
    }
    out
}

/// Adds what is said of no field yet, nor of one around it.
fn add(out: &mut Vec<Finding>, finding: Finding) {
    let is_said = |known: &Finding| {
        let around = known.is_error() && !known.path.is_empty() && finding.path.starts_with(&known.path);
        around || (known.rule == finding.rule && known.path == finding.path)
    };
    if !out.iter().any(is_said) {
        out.push(finding);
    }
}

fn unreadable(error: FieldError) -> Finding {
    Finding {
        help: "correct the SkillBinding".to_owned(),
        ..Finding::new(&rules::SPEC_TYPE, yaml::path::parse(&error.field).unwrap_or_default(), error.message)
    }
}

fn text_at<'v>(object: &'v Value, path: &[Step]) -> &'v str {
    yaml::path::value_at(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// How to mend a field that the CRD refuses.
fn help(path: &[Step], text: &str) -> String {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    if let ["spec", "skills", "image"] = keys[..]
        && let Some(fault) = image_reference::fault(text).filter(|_| !text.is_empty())
    {
        return fault;
    }
    let help = match keys[..] {
        ["spec"] => {
            "name a workload by targetRef, or choose workloads by a selector over the labels of their pods"
        }
        ["spec", "targetRef", "apiVersion"] => "write the workload's group and version, such as apps/v1",
        ["spec", "targetRef", ..] => "say which workload gets the skills: its apiVersion, kind and name",
        ["spec", "selector"] => "give it matchLabels or matchExpressions, and leave targetRef out",
        ["spec", "selector", ..] => "write it as the selector of a Deployment",
        ["spec", "container"] => {
            "write the container's name as the pod has it, or leave the field out for the first container"
        }
        ["spec", "home"] => "write an absolute path without . and .., such as /home/agent",
        ["spec", "delivery"] => "write Workload or Pod, or leave the field out for Workload",
        ["spec", "rollout"] => "write Auto or Manual, or leave the field out for Auto",
        ["spec", "runtime"] => "leave the field out for an agent that reads SKILL_FOLDERS",
        ["spec", "skills"] if path.len() > keys.len() => {
            "give the skill a mountPath, or name the agent's runtime"
        }
        ["spec", "skills"] => "list 1 to 20 skills, or delete the SkillBinding",
        ["spec", "skills", "name"] => "use lower-case letters, digits and dashes, and each name once",
        ["spec", "skills", "mountPath"] => "give it a folder of its own, such as /skills/NAME",
        ["spec", "skills", "subPath"] => "name a folder of the image, such as skills/forecast",
        ["spec", "skills", "pullPolicy"] => "leave the field out to have it decided by the tag",
        ["spec", "skills", "image"] => "name an OCI image, such as registry/name:tag",
        _ => "",
    };
    help.to_owned()
}
