//! What a lock and a policy demand of lists of skills: lists in, findings out; for plans, and for those that see an object and make
//! none.

use super::Options;
use super::bindings::Binding;
use super::pinning::pin;
use crate::api::agent_runtime::Skill;
#[cfg(feature = "internals")]
use crate::validate::admission_review::{Answer, Review};
use crate::validate::findings::Finding;
#[cfg(feature = "skill")]
use crate::validate::findings::rules;
#[cfg(all(feature = "skill", feature = "internals"))]
use crate::validate::policy::check_written;
#[cfg(feature = "skill")]
use crate::validate::policy::{Listed, check};

/// What the skills of an agent break of the policy that is in force. Anyone who takes skills out breaks nothing: his are left out of
/// `own`, and what SkillBindings add all the same is judged.
#[cfg(feature = "skill")]
pub(super) fn by_policy(options: &Options, own: &[Skill], bindings: &[&Binding]) -> Vec<Finding> {
    let Some(policy) = options.policy.as_deref() else { return Vec::new() };
    let added = bindings.iter().map(|binding| (Some(&binding.id), binding.spec.skills.as_slice()));
    let lists: Vec<Listed<'_>> = std::iter::once((None, own)).chain(added).collect();
    let mut findings = check(policy, &lists);
    // Anyone who pins by a lock has said it of each image already.
    findings.retain(|finding| options.pins.is_none() || *finding.rule != rules::POLICY_LOCKED);
    findings
}

/// This build judges no policies, and cannot be given one.
#[cfg(not(feature = "skill"))]
pub(super) fn by_policy(_: &Options, _: &[Skill], _: &[&Binding]) -> Vec<Finding> {
    Vec::new()
}

/// What lock and policy say of one list by itself, as a plan with it alone would.
pub fn of_list(options: &Options, skills: &[Skill]) -> Vec<Finding> {
    let mut skills = skills.to_vec();
    let mut findings = options.pins.as_deref().map(|pins| pin(pins, &mut skills, None)).unwrap_or_default();
    findings.extend(by_policy(options, &skills, &[]));
    findings
}

/// What the policy says of a stored list that an operator mounts as it is written: what a lock makes of a tag is nothing to it.
#[cfg(all(feature = "skill", feature = "internals"))]
fn as_written(options: &Options, skills: &[Skill]) -> Vec<Finding> {
    let policy = options.policy.as_deref().filter(|_| options.profile.mounts() && options.pins.is_some());
    policy.map(|policy| check_written(policy, skills)).unwrap_or_default()
}

/// This build judges no policies, and cannot be given one.
#[cfg(all(not(feature = "skill"), feature = "internals"))]
fn as_written(_: &Options, _: &[Skill]) -> Vec<Finding> {
    Vec::new()
}

/// The answer to a review, where lock and policy are asked as well: what would not be carried out is not stored either.
#[cfg(feature = "internals")]
pub fn reviewed(review: &Review, answer: Answer, options: &Options) -> Answer {
    // Who takes an object away breaks nothing, and must be able to.
    let spec = match &review.spec {
        Ok(spec) if answer.allowed && review.may_bring_skills() => spec,
        _ => return answer,
    };
    let said: Vec<String> = [of_list(options, &spec.skills), as_written(options, &spec.skills)]
        .iter()
        .flatten()
        .map(|finding| format!("{finding} ({})", finding.help))
        .collect();
    if said.is_empty() { answer } else { Answer::refused(403, said.join("; ")) }
}
