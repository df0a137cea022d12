//! Skills whose images get the digests that are locked: lists in, the same lists out, with a finding for each image that has none.
//! It comes before anything is planned, so that a plan is what it would be had the author written the digest.

use std::borrow::Cow;

use super::bindings::Binding;
use crate::api::agent_runtime::Skill;
use crate::api::object::ObjectRef;
use crate::api::pins::{Pinned, Pins};
use crate::validate::findings::{Finding, rules, skill_path};

/// Pins the skills of a list; `of` is whose it is, if that is not who leads the plan.
pub(super) fn pin(pins: &Pins, skills: &mut [Skill], of: Option<&ObjectRef>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, skill) in skills.iter_mut().enumerate() {
        let mut refuse = |rule, message, help: &str| {
            findings.push(Finding {
                help: help.to_owned(),
                of: of.cloned(),
                ..Finding::new(rule, skill_path(index, "image"), message)
            });
        };
        match pins.pin(&skill.image) {
            Pinned::Same => {}
            Pinned::As(image) => skill.image = image,
            Pinned::Missing => {
                let message = format!("{} is not in {}", skill.image, pins.file());
                refuse(&rules::LOCK_MISSING, message, "run 'kubectl skills lock -f' on the manifests");
            }
            Pinned::Differs(digest) => {
                let message =
                    format!("{} names another digest than {}, which has {digest}", skill.image, pins.file());
                refuse(
                    &rules::LOCK_DIFFERS,
                    message,
                    "take the digest out here, or run 'kubectl skills lock -f' on the manifests",
                );
            }
        }
    }
    findings
}

/// The same of SkillBindings.
pub(super) fn pin_bindings<'b>(
    pins: Option<&Pins>,
    bindings: Vec<&'b Binding>,
    findings: &mut Vec<Finding>,
) -> Vec<Cow<'b, Binding>> {
    let Some(pins) = pins else { return bindings.into_iter().map(Cow::Borrowed).collect() };
    let mut pinned = |binding: &Binding| {
        let mut binding = binding.clone();
        findings.extend(pin(pins, &mut binding.spec.skills, Some(&binding.id)));
        Cow::Owned(binding)
    };
    bindings.into_iter().map(&mut pinned).collect()
}
