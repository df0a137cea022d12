//! The ConfigMaps from which agent cards are signed: manifests and the skills of agents in, splices that list these skills out.
//! What is known of a skill is left to who calls, and the card itself to [`crate::agent_card::merge`].

use serde_json::{Value, json};

use crate::agent_card::merge::{Merged, merge};
use crate::agent_card::skills::Known;
use crate::agent_card::{UNSIGNED, UNSIGNED_KEY};
use crate::api::error::InputError;
use crate::api::names::CARD_SKILLS;
use crate::api::object::Origin;
use crate::manifest::objects::syntax;
use crate::manifest::render::Edited;
use crate::manifest::stream::Source;
use crate::manifest::typed_list::ItemType;
use crate::yaml::{self, Document, DocumentSlice, Splice, Step};

/// An agent, by its workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// Namespace.
    pub namespace: String,
    /// Name of the workload.
    pub name: String,
    /// The skills that are mounted.
    pub skills: Vec<Known>,
}

/// A card that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Index of its agent.
    pub agent: usize,
    /// Where its ConfigMap is.
    pub origin: Origin,
    /// What became of it.
    pub merged: Merged,
}

/// What is to be written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The files.
    pub edited: Edited,
    /// The cards, in the order of the files.
    pub cards: Vec<Card>,
}

/// Lists the skills of agents in their unsigned cards.
///
/// # Errors
/// Every card that cannot be read or edited, with its place.
pub fn write(
    sources: &[Source],
    default_namespace: &str,
    agents: &[Agent],
) -> Result<Written, Vec<InputError>> {
    let (mut out, mut errors) = (Written::default(), Vec::new());
    let mut splices: Vec<Vec<Splice>> = vec![Vec::new(); sources.len()];
    for (source, splices) in sources.iter().zip(&mut splices) {
        if memchr::memmem::find(source.text.as_bytes(), UNSIGNED.as_bytes()).is_none() {
            continue;
        }
        for (index, slice) in yaml::split(&source.text).iter().enumerate() {
            let text = slice.text(&source.text);
            if memchr::memmem::find(text.as_bytes(), UNSIGNED.as_bytes()).is_none() {
                continue;
            }
            let read = Document::parse(text).and_then(|read| read.to_value().map(|value| (read, value)));
            let (document, mut value) = match read {
                Ok(read) => read,
                // Nobody else has looked at a ConfigMap that is not the operator's.
                Err(error) if text.contains(CONFIG_MAP) => {
                    let origin = Origin { file: source.name.clone(), document: index + 1, line: 0 };
                    errors.push(syntax(origin, slice, error));
                    continue;
                }
                Err(_) => continue,
            };
            let place = Place { source, slice, document: &document, number: index + 1 };
            match merge_all(&mut value, default_namespace, agents, &place, &mut out.cards) {
                Ok(false) => {}
                Ok(true) => match yaml::edit(&document, &value) {
                    Ok(found) => splices.extend(found.into_iter().map(|splice| splice.moved(slice.start))),
                    Err(error) => errors.push(place.error(
                        place.origin_at((error.line, error.column)),
                        &error.path,
                        error.message,
                        &error.help,
                    )),
                },
                Err(found) => errors.extend(found),
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    out.edited = Edited::of(splices);
    Ok(out)
}

/// Merges one ConfigMap of a cluster; `None` if it holds no card.
///
/// # Errors
/// Why its card cannot be read or edited, in words.
pub fn merge_object(map: &mut Value, skills: &[Known]) -> Result<Option<Merged>, String> {
    let Some(text) = map.pointer(&format!("/data/{UNSIGNED_KEY}")).and_then(Value::as_str) else {
        return Ok(None);
    };
    let ours: Vec<String> = map
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations")?.get(CARD_SKILLS)?.as_str())
        .map(|names| names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        .unwrap_or_default();
    let merged = merge(text, skills, &ours)?;
    if merged.text != text {
        map["data"][UNSIGNED_KEY] = merged.text.as_str().into();
    }
    if merged.ours != ours {
        let metadata = &mut map["metadata"];
        if !metadata["annotations"].is_object() {
            metadata["annotations"] = json!({});
        }
        let names = &mut metadata["annotations"];
        if merged.ours.is_empty() {
            if let Some(names) = names.as_object_mut() {
                names.shift_remove(CARD_SKILLS);
            }
        } else {
            names[CARD_SKILLS] = merged.ours.join(",").into();
        }
        if names.as_object().is_some_and(serde_json::Map::is_empty)
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.shift_remove("annotations");
        }
    }
    Ok(Some(merged))
}

const CONFIG_MAP: &str = "ConfigMap";

struct Place<'p> {
    source: &'p Source,
    slice: &'p DocumentSlice,
    document: &'p Document<'p>,
    number: usize,
}

impl Place<'_> {
    fn origin(&self, path: &[Step]) -> (Origin, usize) {
        self.origin_at(self.document.find(path).map_or((1, 1), |node| self.document.position(node)))
    }

    fn origin_at(&self, at: (usize, usize)) -> (Origin, usize) {
        let (line, column) = self.slice.place(at.0, at.1);
        (Origin { file: self.source.name.clone(), document: self.number, line }, column)
    }

    fn error(&self, at: (Origin, usize), field: &str, message: String, help: &str) -> InputError {
        let (origin, column) = at;
        let (field, help) = (field.to_owned(), help.to_owned());
        InputError { origin, column, field, message, help, ..InputError::default() }
    }
}

/// Merges every ConfigMap of a document: the one that it is, or those in a list. Whether anything has changed.
fn merge_all(
    value: &mut Value,
    default_namespace: &str,
    agents: &[Agent],
    place: &Place<'_>,
    cards: &mut Vec<Card>,
) -> Result<bool, Vec<InputError>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_list = text("kind").ends_with("List");
    let given = ItemType::of(text("kind"), text("apiVersion")).filter(|_| is_list);
    let mut errors = Vec::new();
    let mut is_changed = false;
    let items: Vec<(Vec<Step>, &mut Value)> = match value.get_mut("items") {
        Some(Value::Array(items)) if is_list => items
            .iter_mut()
            .enumerate()
            .map(|(index, item)| (vec!["items".into(), index.into()], item))
            .collect(),
        _ => vec![(Vec::new(), value)],
    };
    for (path, item) in items {
        let Some(agent) = agent_of(item, given.as_ref(), default_namespace, agents) else { continue };
        let below = |keys: &[&str]| -> Vec<Step> {
            path.iter().cloned().chain(keys.iter().map(|key| Step::from(*key))).collect()
        };
        let before = item.clone();
        match merge_object(item, &agents[agent].skills) {
            Ok(Some(merged)) => {
                is_changed |= *item != before;
                cards.push(Card { agent, origin: place.origin(&path).0, merged });
            }
            Ok(None) => errors.push(place.error(
                place.origin(&path),
                "data",
                format!("has no {UNSIGNED_KEY}, from which the card is signed"),
                "write the card of the agent there, with name, description, version and url",
            )),
            Err(why) => errors.push(place.error(
                place.origin(&below(&["data", UNSIGNED_KEY])),
                &format!("data[{UNSIGNED_KEY:?}]"),
                format!("is no card: {why}"),
                "",
            )),
        }
    }
    if errors.is_empty() { Ok(is_changed) } else { Err(errors) }
}

/// Whose card a ConfigMap holds.
fn agent_of(
    item: &Value,
    given: Option<&ItemType>,
    default_namespace: &str,
    agents: &[Agent],
) -> Option<usize> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
    let of_list = given.filter(|_| item.get("kind").is_none() && item.get("apiVersion").is_none());
    if text("/kind").or(of_list.map(|list| list.kind.as_str())) != Some(CONFIG_MAP) {
        return None;
    }
    let name = text("/metadata/name")?.strip_suffix(UNSIGNED)?;
    let namespace = text("/metadata/namespace").filter(|name| !name.is_empty()).unwrap_or(default_namespace);
    agents.iter().position(|agent| agent.name == name && agent.namespace == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(skills: &[&str]) -> Vec<Agent> {
        let known = |id: &&str| Known {
            id: (*id).to_owned(),
            description: Some("d".into()),
            tags: vec!["t".into()],
            ..Known::default()
        };
        vec![Agent {
            namespace: "team1".into(),
            name: "weather".into(),
            skills: skills.iter().map(known).collect(),
        }]
    }

    fn run(text: &str, skills: &[&str]) -> Result<(String, Vec<Card>), Vec<InputError>> {
        let sources = [Source { name: "c.yaml".into(), text: text.into() }];
        let written = write(&sources, "team1", &agents(skills))?;
        Ok((written.edited.chunks(0, text).collect(), written.cards))
    }

    const MAP: &str = "\
# Signed when the pod starts.
apiVersion: v1
kind: ConfigMap
metadata:
  name: weather-card-unsigned
data:
  other: kept   # as it is
  agent.json: |
    {
      \"name\": \"Weather\",
      \"skills\": []
    }
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other-card-unsigned}
data: {}
";

    #[test]
    fn skills_are_listed_in_the_text_and_taken_out_again() {
        let (first, cards) = run(MAP, &["a", "b"]).expect("a card");
        assert_eq!(cards.len(), 1);
        assert_eq!(
            (cards[0].origin.line, cards[0].merged.added.as_slice()),
            (2, &["a".to_owned(), "b".into()][..])
        );
        assert!(
            first.contains(
                "  other: kept   # as it is\n  agent.json: |\n    {\n      \"name\": \"Weather\",\n"
            ),
            "{first}"
        );
        assert!(first.contains("skills.kagenti.dev/card-skills: \"a,b\"\n"), "{first}");
        assert!(first.ends_with(&MAP[MAP.find("---").expect("a second document")..]));
        assert_eq!(run(&first, &["a", "b"]).expect("a card").0, first);
        let (second, cards) = run(&first, &["b"]).expect("a card");
        assert_eq!(cards[0].merged.removed, ["a"]);
        assert!(second.contains("card-skills: \"b\"\n") && !second.contains("\"id\": \"a\""), "{second}");
        assert_eq!(run(&second, &[]).expect("a card").0, MAP);
    }

    #[test]
    fn a_map_in_a_list_is_found_and_what_is_no_card_has_its_place() {
        let list = "kind: List\napiVersion: v1\nitems:\n- {kind: ConfigMap, apiVersion: v1, metadata: {name: weather-card-unsigned, \
                    namespace: team1}, data: {agent.json: '{\"name\":\"W\"}'}}\n";
        let (after, _) = run(list, &["a"]).expect("a card");
        assert!(after.contains("\"id\":\"a\""), "{after}");
        let typed = list
            .replace("kind: List", "kind: ConfigMapList")
            .replace("kind: ConfigMap, apiVersion: v1, ", "");
        let (after, _) = run(&typed, &["a"]).expect("a card");
        assert!(after.contains("\"id\":\"a\"") && !after.contains("kind: ConfigMap,"), "{after}");
        let errors = run(&MAP.replace("metadata:\n", "metadata: [\n"), &["a"]).expect_err("no YAML");
        assert_eq!((errors.len(), errors[0].origin.document), (1, 1), "{errors:?}");
        let wrong = MAP.replace("\"name\": \"Weather\",", "\"name\": ");
        let errors = run(&wrong, &["a"]).expect_err("no JSON");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("c.yaml:8:15"), "{}", errors[0]);
        let errors = run(&MAP.replace("agent.json", "card.json"), &["a"]).expect_err("no card");
        assert!(errors[0].to_string().contains("has no agent.json"), "{}", errors[0]);
    }
}
