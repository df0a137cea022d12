//! Skills as a card lists them: what is known of a skill that is mounted in, an `AgentSkill` out.
//!
//! Sources: A2A 0.3.0 and 1.0.1 `AgentSkill`: both demand id, name, description and at least one tag.

use serde_json::{Map, Value, json};

/// The tag of a skill of which none is known: A2A demands one, and kagenti's backend writes none, which is invalid.
pub const TAG: &str = "skill";

/// What is known of a skill that is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name in the list of the agent.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Example questions.
    pub examples: Vec<String>,
}

impl Known {
    /// As a card lists it.
    pub fn agent_skill(&self) -> Value {
        let name = self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.id);
        let description = self.description.as_deref().filter(|text| !text.is_empty()).unwrap_or(name);
        let tags: Vec<&str> = match self.tags.is_empty() {
            true => vec![TAG],
            false => self.tags.iter().map(String::as_str).collect(),
        };
        let mut out = json!({"id": self.id, "name": name, "description": description, "tags": tags});
        if !self.examples.is_empty() {
            out["examples"] = self.examples.clone().into();
        }
        out
    }

    /// What A2A demands and is made up, as a reader would say it; empty if all is known.
    pub fn made_up(&self) -> Vec<&'static str> {
        let mut out = Vec::new();
        if self.description.as_deref().is_none_or(str::is_empty) {
            out.push("description");
        }
        if self.tags.is_empty() {
            out.push("tags");
        }
        out
    }
}

/// The skills of a card, and after them those that are mounted and whose id no skill of the card has: what readers of the card may
/// be shown alongside it. The card itself is not changed.
pub fn merged(card: &Value, mounted: &[Known]) -> Vec<Map<String, Value>> {
    let listed =
        card.get("skills").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let mut out: Vec<Map<String, Value>> = listed.cloned().collect();
    for known in mounted {
        if out.iter().all(|one| one.get("id").and_then(Value::as_str) != Some(&known.id)) {
            out.extend(known.agent_skill().as_object().cloned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a2a_demands_is_always_there() {
        let known = Known {
            id: "pdf".into(),
            name: Some("PDF".into()),
            description: Some("Reads PDFs".into()),
            tags: vec!["documents".into()],
            examples: vec!["Summarise this".into()],
        };
        assert_eq!(
            known.agent_skill(),
            json!({"id": "pdf", "name": "PDF", "description": "Reads PDFs", "tags": ["documents"], "examples": ["Summarise this"]})
        );
        assert_eq!(known.made_up(), Vec::<&str>::new());
        let bare = Known { id: "x".into(), description: Some(String::new()), ..Known::default() };
        assert_eq!(
            bare.agent_skill(),
            json!({"id": "x", "name": "x", "description": "x", "tags": ["skill"]})
        );
        assert_eq!(bare.made_up(), ["description", "tags"]);
    }

    #[test]
    fn an_id_of_the_card_wins() {
        let card = json!({"skills": [{"id": "a", "name": "of the card"}, "no skill"], "name": "n"});
        let mounted = ["a", "b"].map(|id| Known { id: id.into(), ..Known::default() });
        let names: Vec<Value> = merged(&card, &mounted).iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["of the card", "b"]);
        assert_eq!(merged(&json!({}), &mounted).len(), 2);
    }
}
