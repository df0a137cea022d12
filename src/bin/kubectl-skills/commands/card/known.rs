//! What is known of the skills of agents: plans in, and for each skill what the lock or the image says of it out.

use std::collections::HashMap;

use kubectl_skills::agent_card::skills::Known;
use kubectl_skills::api::agent_runtime::Skill;
use kubectl_skills::api::image_reference;
use kubectl_skills::api::pins::Pinned;
use kubectl_skills::manifest::card_maps::Agent;
use kubectl_skills::plan::RuntimePlan;
use kubectl_skills::skill::card::Card;
use kubectl_skills::skill::describe::Description;
use kubectl_skills::skill::inspect::{DEFAULT_PLATFORM, choose, described, unpack};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::tree::Tree;
use kubectl_skills::skill::within;

use super::super::image_source::{SourceArgs, open_reference};
use crate::exit::Failure;
use crate::notes;
use crate::planning::Locked;

/// Where what is known comes from.
pub struct Facts<'f> {
    lock: Option<&'f Locked>,
    images: Option<(&'f SourceArgs, Limits)>,
    /// Files of the images that were looked into, by reference.
    trees: HashMap<String, Tree>,
}

impl<'f> Facts<'f> {
    /// From a lock, and from the images themselves.
    pub fn new(lock: Option<&'f Locked>, images: Option<(&'f SourceArgs, Limits)>) -> Self {
        Self { lock, images, trees: HashMap::new() }
    }

    /// Whether anything can be known.
    fn none(&self) -> bool {
        self.lock.is_none() && self.images.is_none()
    }

    fn of(&mut self, skill: &Skill) -> Result<Known, Failure> {
        let mut out = Known { id: skill.name.clone(), ..Known::default() };
        if let Some(entry) = self.lock.and_then(|locked| locked.lock.find(&skill.image)) {
            out.description.clone_from(&entry.facts.description);
            out.name.clone_from(&entry.facts.name);
        }
        let Some((source, limits)) = &self.images else { return Ok(out) };
        let image = match self.lock.map(|locked| locked.pins.pin(&skill.image)) {
            Some(Pinned::As(pinned)) => pinned,
            _ => skill.image.clone(),
        };
        let key = image_reference::key(&image).unwrap_or_else(|| image.clone());
        let tree = match self.trees.remove(&key) {
            Some(tree) => tree,
            None => {
                let mut opened = open_reference(&image, source, "card")?;
                let chosen = choose(&mut *opened.content, &opened.root, None, DEFAULT_PLATFORM);
                let found = chosen.and_then(|chosen| unpack(&mut *opened.content, chosen, limits));
                found.map_err(|error| Failure::from(within(image.clone(), error)))?.tree
            }
        };
        if let Some((description, card)) = of_tree(&tree, &skill.sub_path) {
            out.name = card.title.or(description.name).or(out.name);
            out.description = description.description.or(out.description);
            out.tags = card.tags;
            out.examples = card.examples;
        }
        self.trees.insert(key, tree);
        Ok(out)
    }
}

/// The skill that is mounted: of the folder that is, or the only one that there is.
fn of_tree(tree: &Tree, sub_path: &str) -> Option<(Description, Card)> {
    let folder = sub_path.trim_matches('/');
    let folders = tree.skills();
    let found = folders.iter().find(|one| **one == folder).or(match folders.as_slice() {
        [only] => Some(only),
        _ => None,
    });
    found.map(|folder| described(tree, folder))
}

/// Agents with their skills; several plans for one workload are one agent.
pub fn of_plans<'p>(
    plans: impl Iterator<Item = (&'p RuntimePlan, Vec<Skill>)>,
    wanted: impl Fn(&str) -> bool,
    facts: &mut Facts<'_>,
) -> Result<Vec<Agent>, Failure> {
    let mut out: Vec<Agent> = Vec::new();
    for (plan, skills) in plans {
        if !wanted(&plan.target.name) {
            continue;
        }
        let is_it = |agent: &Agent| agent.namespace == plan.id.namespace && agent.name == plan.target.name;
        let at = out.iter().position(is_it).unwrap_or_else(|| {
            out.push(Agent {
                namespace: plan.id.namespace.clone(),
                name: plan.target.name.clone(),
                skills: Vec::new(),
            });
            out.len() - 1
        });
        for skill in &skills {
            if out[at].skills.iter().any(|known| known.id == skill.name) {
                continue;
            }
            let known = facts.of(skill)?;
            out[at].skills.push(known);
        }
    }
    made_up(&out, facts);
    Ok(out)
}

/// A2A demands a description and tags of each skill; says where there are none.
fn made_up(agents: &[Agent], facts: &Facts<'_>) {
    let mut all: Vec<String> = Vec::new();
    for known in agents.iter().flat_map(|agent| &agent.skills) {
        let parts = known.made_up();
        let text = format!("{} ({})", known.id, parts.join(" and "));
        if !parts.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    if all.is_empty() {
        return;
    }
    let how = if facts.none() {
        "give --images, or --locked with a lock"
    } else if facts.images.is_none() {
        "give --images, which looks into SKILL.md and skill.yaml"
    } else {
        "write them into SKILL.md or skill.yaml"
    };
    notes::warning(&format!(
        "a card must say what these skills do not, and gets their name and the tag \"skill\": {}; {how}",
        all.join(", ")
    ));
}
