//! What a run over manifests came to, in one line: how many agents, skills and objects, whose rules and why. Printing is
//! left to the binary.

use std::collections::BTreeSet;
use std::fmt;

use crate::api::profile::Profile;
use crate::manifest::render::Settings;
use crate::manifest::stream::Stream;
use crate::plan::{Action, RuntimePlan};

/// Reason of the condition `SkillsMounted` when the gate is off (plan/conditions.rs).
const GATE_DISABLED: &str = "FeatureGateDisabled";

/// Counts over the plans of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Workloads that change, by their index in the stream.
    workloads: BTreeSet<usize>,
    /// AgentRuntimes that are themselves printed otherwise.
    agents_changed: usize,
    skills: usize,
    failed: usize,
    gate_off: bool,
}

impl Tally {
    /// Adds the plan of an AgentRuntime, its workload, and whether the AgentRuntime itself changes.
    pub fn add(&mut self, plan: &RuntimePlan, workload: Option<usize>, agent_changed: bool) {
        if let (Some(index), false) = (workload, plan.updates().is_empty()) {
            self.workloads.insert(index);
        }
        self.agents_changed += usize::from(agent_changed);
        self.skills += plan.skills.len();
        self.failed += usize::from(plan.action == Action::Error);
        self.gate_off |= plan
            .status
            .iter()
            .flat_map(|status| &status.set)
            .any(|condition| condition.reason == GATE_DISABLED);
    }
}

/// Whether the run writes what it plans, or only says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// `2 workloads changed`.
    Done,
    /// `2 workloads would change`.
    Would,
    /// Nothing is said of changes: the verb is about something else, such as hashes.
    Unsaid,
}

/// The summary of a run over manifests. Its text is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// AgentRuntimes of the input.
    pub agents: usize,
    /// Objects of the input; a list that could not matter is unread, and counts as one.
    pub objects: usize,
    /// Whose rules were followed.
    pub profile: &'static str,
    /// Why these: `the AgentRuntimes have spec.skills`.
    pub reason: String,
    /// The gate that keeps skills from being mounted.
    pub gate_off: Option<&'static str>,
    /// Hashes are those of the operator's compiled defaults: none of its ConfigMaps is known.
    pub compiled_defaults: bool,
    tally: Tally,
    mood: Mood,
}

impl Summary {
    /// Sums a run up.
    pub fn of(stream: &Stream<'_>, settings: &Settings, reason: &str, tally: &Tally, mood: Mood) -> Self {
        let profile = settings.options.profile;
        let compiled_defaults = stream.maps.is_empty()
            && settings.config.is_none()
            && profile.mounts()
            && !stream.runtimes.is_empty();
        Self {
            agents: stream.runtimes.len() + stream.bindings.len(),
            objects: stream.objects,
            profile: profile.name,
            reason: reason.to_owned(),
            gate_off: tally.gate_off.then_some(profile.skill_gate),
            compiled_defaults,
            tally: tally.clone(),
            mood,
        }
    }

    /// The same for a verb that plans nothing.
    pub fn without_plans(stream: &Stream<'_>, profile: &'static Profile, reason: &str) -> Self {
        let settings = Settings { config: Some(Vec::new()), ..Settings::new(profile) };
        Self::of(stream, &settings, reason, &Tally::default(), Mood::Unsaid)
    }
}

/// `1 agent`, `2 agents`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The end of a summary: whose rules were followed and why, and the gate that keeps skills from being mounted.
pub fn whose_rules(profile: &str, reason: &str, gate_off: Option<&str>) -> String {
    let gate = gate_off.map(|gate| format!("; no skills are mounted: the feature gate {gate} is off"));
    format!("; profile {profile} because {reason}{}", gate.unwrap_or_default())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = self.tally.workloads.len();
        if self.agents == 0 && back > 0 {
            let verb = if self.mood == Mood::Done { "changed" } else { "would change" };
            let (objects, back) = (counted(self.objects, "object"), counted(back, "workload"));
            return write!(f, "no AgentRuntime or SkillBinding in {objects}: {back} {verb} by their records");
        }
        if self.agents == 0 {
            return write!(
                f,
                "no AgentRuntime or SkillBinding in {}: nothing to do",
                counted(self.objects, "object")
            );
        }
        let Tally { workloads, agents_changed, skills, failed, .. } = &self.tally;
        write!(f, "{}", counted(self.agents, "agent"))?;
        if self.mood != Mood::Unsaid {
            write!(f, ", {}: ", counted(*skills, "skill"))?;
            let verb = if self.mood == Mood::Done { "changed" } else { "would change" };
            write!(f, "{} {verb}", counted(workloads.len(), "workload"))?;
            if *agents_changed > 0 {
                write!(f, ", {} {verb}", counted(*agents_changed, "AgentRuntime"))?;
            }
            if *failed > 0 {
                write!(f, ", {failed} failed")?;
            }
            let untouched = self.objects.saturating_sub(workloads.len() + agents_changed);
            write!(f, ", {} untouched", counted(untouched, "object"))?;
        }
        f.write_str(&whose_rules(self.profile, &self.reason, self.gate_off))?;
        if self.compiled_defaults {
            f.write_str(
                "; hashes use compiled defaults, for no operator ConfigMap is given (--config-from)",
            )?;
        }
        Ok(())
    }
}
