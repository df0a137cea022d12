//! Whether the skills of an agent keep the policy that is in force: lists of skills in, findings out. What a policy demands is
//! said in [`crate::skill::policy`].

use super::findings::{Finding, Rule, rules, skill_path};
use crate::api::agent_runtime::Skill;
use crate::api::object::ObjectRef;
use crate::skill::policy::{Broken, Enforced, RuleId};

/// A list of skills; whose it is, where it is not that of the object that is judged.
pub type Listed<'l> = (Option<&'l ObjectRef>, &'l [Skill]);

/// What a list breaks that an operator mounts as it is written, whatever a lock would make of it.
pub fn check_written(enforced: &Enforced, skills: &[Skill]) -> Vec<Finding> {
    let broken = enforced.judge_written(skills.iter().map(|skill| skill.image.as_str()));
    let finding = |one: Broken| {
        let index = one.skill?;
        let message = format!("{} {}", skills.get(index)?.image, one.message);
        Some(Finding { help: one.help, ..Finding::new(rule(one.rule), skill_path(index, "image"), message) })
    };
    broken.into_iter().filter_map(finding).collect()
}

/// What the lists of one agent break together.
pub fn check(enforced: &Enforced, lists: &[Listed<'_>]) -> Vec<Finding> {
    let skills: Vec<(Option<&ObjectRef>, usize, &Skill)> = lists
        .iter()
        .flat_map(|(of, list)| list.iter().enumerate().map(move |(index, skill)| (*of, index, skill)))
        .collect();
    let broken = enforced.judge(skills.iter().map(|(_, _, skill)| skill.image.as_str()));
    let finding = |one: Broken| {
        let rule = rule(one.rule);
        let at = one.skill.and_then(|index| skills.get(index));
        let finding = match at {
            Some((of, index, skill)) => {
                let message = format!("{} {}", skill.image, one.message);
                Finding { of: of.cloned(), ..Finding::new(rule, skill_path(*index, "image"), message) }
            }
            None => Finding::new(rule, vec!["spec".into(), "skills".into()], one.message),
        };
        Finding { help: one.help, ..finding }
    };
    broken.into_iter().map(finding).collect()
}

fn rule(id: RuleId) -> &'static Rule {
    match id {
        RuleId::Registry => &rules::POLICY_REGISTRY,
        RuleId::Pinned => &rules::POLICY_PINNED,
        RuleId::Locked => &rules::POLICY_LOCKED,
        RuleId::Signature => &rules::POLICY_SIGNATURE,
        RuleId::License => &rules::POLICY_LICENSE,
        RuleId::Tools => &rules::POLICY_TOOLS,
        RuleId::Size => &rules::POLICY_SIZE,
        RuleId::Attestation => &rules::POLICY_ATTESTATION,
        RuleId::Agent => &rules::POLICY_AGENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exception names a rule as findings do.
    #[test]
    fn rules_have_the_names_of_policies() {
        for id in RuleId::ALL {
            assert_eq!(rule(id).id, id.name());
        }
    }
}
