//! Writes the skills of an agent into its unsigned card, and only the bytes that must change for it: the text of a card in, the
//! text out. Which ConfigMap or file it is in is left to `manifest` and the binary.

use serde_json::{Map, Value};

use super::skills::Known;
use crate::yaml::{Document, apply, edit};

/// What became of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// The card.
    pub text: String,
    /// Ids of skills that it did not list.
    pub added: Vec<String>,
    /// Ids of skills that an earlier run had added, with other words.
    pub changed: Vec<String>,
    /// Ids of skills that an earlier run had added, and that are not mounted any more.
    pub removed: Vec<String>,
    /// Ids of skills that are mounted and that the author of the card lists himself: they are left as they are.
    pub own: Vec<String>,
    /// Ids of skills that came from here, for the next run.
    pub ours: Vec<String>,
}

/// Merges. `ours` are the ids that an earlier run has added: these follow what is mounted, all others are the author's.
///
/// # Errors
/// Why the card cannot be read or edited, in words.
pub fn merge(text: &str, mounted: &[Known], ours: &[String]) -> Result<Merged, String> {
    let card = super::read(text)?;
    let mut listed: Vec<Value> = match card.get("skills") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(listed)) => listed.clone(),
        Some(_) => return Err("its skills must be a list".into()),
    };
    let mut out = Merged::default();
    let id_of = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
    listed.retain(|one| match id_of(one) {
        Some(id) if ours.contains(&id) && mounted.iter().all(|known| known.id != id) => {
            out.removed.push(id);
            false
        }
        _ => true,
    });
    for known in mounted {
        let wanted = known.agent_skill();
        match listed.iter_mut().find(|one| id_of(one).as_ref() == Some(&known.id)) {
            None => {
                listed.push(wanted);
                out.added.push(known.id.clone());
            }
            Some(_) if !ours.contains(&known.id) => {
                out.own.push(known.id.clone());
                continue;
            }
            Some(one) => {
                if updated(one, &wanted) {
                    out.changed.push(known.id.clone());
                }
            }
        }
        out.ours.push(known.id.clone());
    }
    if out.added.is_empty() && out.changed.is_empty() && out.removed.is_empty() {
        out.text = text.to_owned();
        return Ok(out);
    }
    let mut after = card;
    after["skills"] = listed.into();
    out.text = edited(text, &after)?;
    Ok(out)
}

/// Gives a skill the fields that are wanted, and leaves it what its author has added; whether that changes anything.
fn updated(one: &mut Value, wanted: &Value) -> bool {
    let (Some(own), Some(wanted)) = (one.as_object_mut(), wanted.as_object()) else { return false };
    let before: Map<String, Value> = own.clone();
    for (key, value) in wanted {
        own.insert(key.clone(), value.clone());
    }
    *own != before
}

/// JSON is YAML, so the editor of manifests keeps its white space; what comes out must be the wanted card for a reader of JSON.
fn edited(text: &str, after: &Value) -> Result<String, String> {
    let is_wanted = |text: &str| super::read(text).is_ok_and(|found| found == *after);
    let document = Document::parse(text).ok();
    let splices = document.as_ref().and_then(|document| edit(document, after).ok());
    if let Some(out) = splices.map(|splices| apply(text, &splices)).filter(|out| is_wanted(out)) {
        return Ok(out);
    }
    Err("it cannot be edited as it is written; write it anew, as 'jq .' prints it".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, description: &str) -> Known {
        Known {
            id: id.into(),
            description: Some(description.into()),
            tags: vec!["t".into()],
            ..Known::default()
        }
    }

    const CARD: &str = "\
{
  \"name\": \"Weather\", \"x-own\": 1e2,
  \"skills\": [
    {
      \"id\": \"echo\",
      \"name\": \"Echo\"
    }
  ],
  \"version\": \"0.0.1\"
}
";

    #[test]
    fn skills_come_and_go_and_every_other_byte_stays() {
        let first = merge(CARD, &[known("pdf", "Reads"), known("echo", "no")], &[]).expect("a card");
        let wanted = CARD.replace(
            "    }\n  ],",
            "    },\n    {\n      \"id\": \"pdf\",\n      \"name\": \"pdf\",\n      \"description\": \"Reads\",\n      \"tags\": [\n        \
             \"t\"\n      ]\n    }\n  ],",
        );
        assert_eq!(first.text, wanted);
        assert_eq!(
            (first.added.as_slice(), first.own.as_slice(), first.ours.as_slice()),
            (&["pdf".to_owned()][..], &["echo".to_owned()][..], &["pdf".to_owned()][..])
        );
        let same = merge(&first.text, &[known("pdf", "Reads")], &first.ours).expect("a card");
        assert_eq!((same.text.as_str(), same.ours.as_slice()), (first.text.as_str(), first.ours.as_slice()));
        let other = merge(&first.text, &[known("pdf", "Writes")], &first.ours).expect("a card");
        assert_eq!(other.text, first.text.replace("Reads", "Writes"));
        assert_eq!(other.changed, ["pdf"]);
        let gone = merge(&first.text, &[], &first.ours).expect("a card");
        assert_eq!(
            (gone.text.as_str(), gone.removed.as_slice(), gone.ours.len()),
            (CARD, &["pdf".to_owned()][..], 0)
        );
    }

    #[test]
    fn a_card_in_any_style_stays_json() {
        for text in [
            "{}",
            "{\"name\":\"A\"}",
            "{\"skills\":[]}",
            "{\n\t\"skills\": null\n}",
            "{\"a\":\"\\ud83d\\ude00 \\/\"}",
        ] {
            let out = merge(text, &[known("a", "\u{1F600} \"quoted\" \\ \u{e0041}\u{7}")], &[]);
            match out {
                Ok(out) => {
                    let card: Value = serde_json::from_str(&out.text).expect("JSON");
                    assert_eq!(card["skills"][0]["id"], "a", "{text}");
                }
                Err(why) => assert!(why.contains("cannot be edited"), "{text}: {why}"),
            }
        }
        for wrong in ["", "[]", "{\"skills\":{}}", "{\"a\":1,\"a\":2}", "{'a': 1}"] {
            assert!(merge(wrong, &[known("a", "b")], &[]).is_err(), "{wrong} was taken");
        }
    }
}
