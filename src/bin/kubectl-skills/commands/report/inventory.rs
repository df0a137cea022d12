//! Who has which skill: plans of manifests, a lock and a policy in; agents, skills, findings and changes out. How they are shown
//! is left to the other modules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kubectl_skills::api::agent_runtime::Skill as Listed;
use kubectl_skills::api::image_reference;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::pins::{Pinned, Pins};
use kubectl_skills::manifest::render::Planned;
use kubectl_skills::skill::lock::{Entry, Lock, set};
use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::policy::judge::shown;
use kubectl_skills::skill::policy::{Enforced, Policy};
use kubectl_skills::validate::findings::rules;

use super::changes::{Change, changes};

/// All that is shown.
#[derive(Debug, Default)]
pub struct Inventory {
    /// By namespace and name.
    pub agents: Vec<Agent>,
    /// By image.
    pub skills: Vec<Skill>,
    /// What breaks the policy, or cannot be planned.
    pub findings: Vec<Found>,
    /// Against an older lock.
    pub changes: Vec<Change>,
    /// Whether the skills were compared with an older lock.
    pub compared: bool,
    /// The policy's file.
    pub policy: Option<String>,
}

/// An AgentRuntime, or a SkillBinding that leads its workload.
#[derive(Debug)]
pub struct Agent {
    /// The object.
    pub id: ObjectRef,
    /// `Deployment/weather`.
    pub workload: String,
    /// SkillBindings that add to its skills.
    pub added: Vec<String>,
    /// What it is given.
    pub uses: Vec<Use>,
    /// The digest of all of it; `None` if the lock does not know all.
    pub set: Option<Digest>,
}

/// A skill of an agent.
#[derive(Debug)]
pub struct Use {
    /// Its name in the list.
    pub name: String,
    /// Where it is mounted.
    pub path: String,
    /// Index of [`Inventory::skills`].
    pub skill: usize,
}

/// An image of skills.
#[derive(Debug)]
pub struct Skill {
    /// The reference, as the first agent that has it states it.
    pub image: String,
    /// What the lock knows of it.
    pub entry: Option<Entry>,
    /// Indexes of [`Inventory::agents`].
    pub agents: Vec<usize>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Index of [`Inventory::agents`]; none if it is no agent's.
    pub agent: Option<usize>,
    /// Index of [`Inventory::skills`].
    pub skill: Option<usize>,
    /// The rule; empty for what cannot be planned.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl Agent {
    /// `namespace/name`, after its kind where it is a SkillBinding.
    pub fn title(&self) -> String {
        let kind =
            if self.id.kind == kubectl_skills::api::names::AGENT_RUNTIME { "" } else { "SkillBinding " };
        format!("{kind}{}/{}", self.id.namespace, self.id.name)
    }
}

impl Skill {
    /// The name that its SKILL.md gives it, else the last part of its repository.
    pub fn name(&self) -> String {
        let known = self.entry.as_ref().and_then(|entry| entry.facts.name.clone());
        known.unwrap_or_else(|| {
            let repository =
                image_reference::parts(&self.image).map_or(self.image.as_str(), |parts| parts.repository);
            repository.rsplit('/').next().unwrap_or(repository).to_owned()
        })
    }

    /// Its version, else its tag.
    pub fn version(&self) -> String {
        let known = self.entry.as_ref().and_then(|entry| entry.facts.version.clone());
        let tag = || image_reference::parts(&self.image).and_then(|parts| parts.tag).map(str::to_owned);
        known.or_else(tag).unwrap_or_default()
    }

    /// Who signed it, in words; empty where nobody looked.
    pub fn signed(&self) -> String {
        let Some(entry) = &self.entry else { return String::new() };
        let signers = entry.signed.iter().flatten().map(|one| shown(&one.signer));
        let signers: std::collections::BTreeSet<String> = signers.collect();
        let decided = entry.unsigned.as_ref();
        match (signers.is_empty(), decided) {
            (false, _) => signers.into_iter().collect::<Vec<_>>().join("; "),
            (true, Some(decision)) => {
                format!("unsigned: {} ({}, {})", decision.reason, decision.by, decision.at)
            }
            (true, None) if entry.signed.is_some() => "unsigned".to_owned(),
            (true, None) => String::new(),
        }
    }

    /// A fact of the lock; empty where it is not known.
    pub fn fact<T: ToString>(&self, of: impl Fn(&kubectl_skills::skill::lock::Facts) -> Option<T>) -> String {
        self.entry
            .as_ref()
            .and_then(|entry| of(&entry.facts))
            .map(|value| value.to_string())
            .unwrap_or_default()
    }
}

/// What is compared with what.
pub struct Known<'k> {
    /// The lock.
    pub lock: &'k Arc<Lock>,
    /// The digests of the lock; none if none was given.
    pub pins: Option<&'k Pins>,
    /// An older one.
    pub against: Option<&'k Lock>,
    /// What is demanded.
    pub policy: Option<Arc<Policy>>,
    /// The day.
    pub today: jiff::civil::Date,
}

impl Inventory {
    /// Of plans in which nothing was pinned or refused by policy; `listed` gives the skills of a plan.
    pub fn new(planned: &Planned, listed: impl Fn(usize) -> Vec<Listed>, known: &Known<'_>) -> Self {
        let mut out =
            Self { policy: known.policy.as_ref().map(|policy| policy.file.clone()), ..Self::default() };
        let mut by_image: BTreeMap<String, usize> = BTreeMap::new();
        let mut order: Vec<usize> = (0..planned.plans.len()).collect();
        order.sort_by_key(|index| {
            let id = &planned.plans[*index].plan.id;
            (&id.namespace, &id.name, &id.kind)
        });
        for index in order {
            let plan = &planned.plans[index].plan;
            let skills = listed(index);
            let members = skills.iter().map(|skill| {
                (
                    skill.name.as_str(),
                    skill.image.as_str(),
                    skill.mount_path.as_str(),
                    skill.sub_path.as_str(),
                )
            });
            let set = set::of_skills(known.lock, members).filter(|_| !skills.is_empty());
            let agent = out.agents.len();
            let mut uses = Vec::new();
            for skill in &skills {
                let key = image_reference::key(&skill.image).unwrap_or_else(|| skill.image.clone());
                let at = *by_image.entry(key).or_insert_with(|| {
                    let entry = known.lock.find(&skill.image).cloned();
                    out.skills.push(Skill { image: skill.image.clone(), entry, agents: Vec::new() });
                    out.skills.len() - 1
                });
                if out.skills[at].agents.last() != Some(&agent) {
                    out.skills[at].agents.push(agent);
                }
                uses.push(Use { name: skill.name.clone(), path: skill.mount_path.clone(), skill: at });
            }
            let workload = format!("{}/{}", plan.target.kind, plan.target.name);
            out.agents.push(Agent { id: plan.id.clone(), workload, added: plan.added.clone(), uses, set });
        }
        out.sort(by_image);
        out.unpinned(known);
        out.judge(known);
        out.findings.extend(planned.errors.iter().map(|error| Found {
            agent: out.agents.iter().position(|agent| Some(&agent.id) == error.object.as_ref()),
            skill: None,
            rule: "",
            message: {
                let about = error.object.as_ref().map_or(String::new(), |id| format!("{id}: "));
                let field = if error.field.is_empty() { String::new() } else { format!("{}: ", error.field) };
                format!("{}: {about}{field}{}", error.origin, error.message)
            },
            help: error.help.clone(),
        }));
        if let Some(against) = known.against {
            out.compared = true;
            out.changes = changes(against, known.lock);
        }
        out
    }

    /// Brings skills into the order of their images.
    fn sort(&mut self, by_image: BTreeMap<String, usize>) {
        let mut place = vec![0; self.skills.len()];
        for (to, from) in by_image.values().enumerate() {
            place[*from] = to;
        }
        let mut skills: Vec<Option<Skill>> = self.skills.drain(..).map(Some).collect();
        self.skills = by_image.values().filter_map(|from| skills[*from].take()).collect();
        for one in self.agents.iter_mut().flat_map(|agent| &mut agent.uses) {
            one.skill = place[one.skill];
        }
    }

    /// What a render with this lock would refuse to pin.
    fn unpinned(&mut self, known: &Known<'_>) {
        let Some(pins) = known.pins else { return };
        for (agent, one) in self.agents.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for skill in one.uses.iter().map(|one| one.skill).filter(|skill| seen.insert(*skill)) {
                let (rule, message) = match pins.pin(&self.skills[skill].image) {
                    Pinned::Same | Pinned::As(_) => continue,
                    Pinned::Missing => (rules::LOCK_MISSING.id, format!("is not in {}", pins.file())),
                    Pinned::Differs(digest) => (
                        rules::LOCK_DIFFERS.id,
                        format!("names another digest than {}, which has {digest}", pins.file()),
                    ),
                };
                let help = "run 'kubectl skills lock -f' on the manifests".to_owned();
                self.findings.push(Found { agent: Some(agent), skill: Some(skill), rule, message, help });
            }
        }
    }

    /// Judges as a render with this lock would.
    fn judge(&mut self, known: &Known<'_>) {
        let Some(policy) = &known.policy else { return };
        let enforced = Enforced::new(Arc::clone(policy), Arc::clone(known.lock), known.today);
        let pins = known.lock.pins("");
        let pinned: Vec<String> = self
            .skills
            .iter()
            .map(|skill| match pins.pin(&skill.image) {
                Pinned::As(image) => image,
                _ => skill.image.clone(),
            })
            .collect();
        for (agent, one) in self.agents.iter().enumerate() {
            let images = one.uses.iter().map(|one| pinned[one.skill].as_str());
            for broken in enforced.judge(images) {
                let skill = broken.skill.and_then(|index| one.uses.get(index)).map(|one| one.skill);
                self.findings.push(Found {
                    agent: Some(agent),
                    skill,
                    rule: broken.rule.name(),
                    message: broken.message,
                    help: broken.help,
                });
            }
        }
        let ended = policy.ended(known.today).map(|one| Found {
            agent: None,
            skill: None,
            rule: "policy-exception",
            message: format!(
                "the exception of {} from {} ended on {} ({})",
                one.image,
                one.rule.name(),
                one.until,
                one.reason
            ),
            help: format!("take it out of {}, or give it another day", policy.file),
        });
        self.findings.extend(ended);
    }
}
