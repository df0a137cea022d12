//! Would the cluster take this AgentRuntime, and then its workload? An object in, errors with their places out, in the words
//! of the API server and the webhook.

use serde_json::Value;

use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::error::InputError;
use crate::api::profile::Profile;
use crate::manifest::stream::{Item, Stream};
use crate::validate::preflight::{self, Effect};
use crate::validate::schema::Validator;
use crate::validate::webhook::{Operation, Rivals, verdict};
use crate::yaml::Step;

/// The checks of one profile.
pub(super) struct Checks {
    profile: &'static Profile,
    validator: Validator,
    /// For skills in profiles whose CRD does not know them any more: the last one that did.
    skills: Option<(&'static Profile, Validator)>,
}

/// The last profile whose CRD and webhook know `spec.skills` and every rule about it.
const LAST_WITH_SKILLS: &str = "no-trace";

impl Checks {
    pub(super) fn new(profile: &'static Profile) -> Self {
        let skills = Profile::by_name(LAST_WITH_SKILLS).filter(|_| !profile.crd.skills);
        Self {
            profile,
            validator: Validator::new(profile),
            skills: skills.map(|profile| (profile, Validator::new(profile))),
        }
    }

    /// Adds what is wrong.
    pub(super) fn run(
        &self,
        stream: &Stream<'_>,
        item: &Item,
        object: &Value,
        spec: &AgentRuntimeSpec,
        errors: &mut Vec<InputError>,
    ) {
        let before = errors.len();
        if !self.validator.certainly_accepts(object) {
            for message in self.validator.create(&created(object)).errors {
                errors.push(told(stream, item, &message));
            }
        }
        let mut webhook = self.profile;
        if let Some((profile, validator)) = &self.skills
            && !spec.skills.is_empty()
        {
            webhook = profile;
            let mut shown = created(object);
            shown["apiVersion"] = format!("{}/{}", profile.names.group, crate::api::names::VERSION).into();
            let about_skills = |message: &String| message.contains("spec.skills");
            for message in validator.create(&shown).errors.iter().filter(|message| about_skills(message)) {
                errors.push(told(stream, item, message));
            }
        }
        if errors.len() > before {
            return;
        }
        for profile in [self.profile, webhook] {
            let answer = verdict(profile, Operation::Create, &item.id, spec, Rivals::Unknown);
            if let Some(message) = answer.message {
                errors.push(told(stream, item, &message));
            }
            if std::ptr::eq(profile, webhook) {
                break;
            }
        }
        for (index, skill) in spec.skills.iter().enumerate() {
            for finding in
                preflight::check_skill(skill).into_iter().filter(|found| found.effect == Effect::Refused)
            {
                let path = ["spec".into(), "skills".into(), index.into(), finding.field.into()];
                errors.push(stream.error(item, &path, finding.message, ""));
            }
        }
    }
}

/// The object as it would be created: one that is on its way out is not.
fn created(object: &Value) -> Value {
    let mut shown = object.clone();
    if let Some(metadata) = shown.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("deletionTimestamp");
    }
    shown
}

/// An error whose text begins with its field, as the API server and the webhook write them.
fn told(stream: &Stream<'_>, item: &Item, message: &str) -> InputError {
    let (field, rest) = match message.split_once(": ") {
        Some((field, rest)) if field.starts_with("spec") || field.starts_with("metadata") => (field, rest),
        _ => ("", message),
    };
    match crate::yaml::path::parse(field) {
        Ok(path) => stream.error(item, &path, rest, ""),
        Err(_) => stream.error(item, &Vec::<Step>::new(), message, ""),
    }
}
