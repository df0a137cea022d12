//! The set of skills of each agent: manifests and a lock in, a digest for each workload out.

use std::sync::Arc;

use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::render::{Settings, choose_profile, plan_all};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::plan::PlannedSkill;
use kubectl_skills::skill::lock::{Lock, set};
use serde_json::{Value, json};

/// An agent and its skills.
pub struct Agent {
    /// The AgentRuntime or SkillBinding that leads.
    pub id: ObjectRef,
    /// Its workload, as kind and name.
    pub workload: String,
    /// How many.
    pub skills: usize,
    /// The digest of all of them.
    pub digest: String,
}

impl Agent {
    /// For machines.
    pub fn value(&self) -> Value {
        json!({
            "object": self.id.to_string(), "workload": self.workload, "skills": self.skills, "skillSet": self.digest,
        })
    }
}

/// The digest of the skills of a plan; none if there are none, or the lock does not have them all.
pub fn digest(lock: &Lock, skills: &[PlannedSkill]) -> Option<String> {
    let of = skills.iter().map(|one| {
        let skill = &one.skill;
        (skill.name.as_str(), skill.image.as_str(), skill.mount_path.as_str(), skill.sub_path.as_str())
    });
    if skills.is_empty() { None } else { set::of_skills(lock, of).map(|digest| digest.to_string()) }
}

/// All agents that can be planned.
pub fn of(stream: &Stream<'_>, kinds: Kinds, lock: &Lock, file: &str) -> Vec<Agent> {
    let Ok((profile, _)) = choose_profile(stream, "auto") else { return Vec::new() };
    let mut settings = Settings::new(profile);
    settings.options.kinds = kinds;
    settings.options.pins = Some(Arc::new(lock.pins(file)));
    let planned = plan_all(stream, &settings);
    let agent = |plan: &kubectl_skills::plan::RuntimePlan| {
        Some(Agent {
            id: plan.id.clone(),
            workload: format!("{}/{}", plan.target.kind, plan.target.name),
            skills: plan.skills.len(),
            digest: digest(lock, &plan.skills)?,
        })
    };
    planned.plans.iter().filter_map(|one| agent(&one.plan)).collect()
}
