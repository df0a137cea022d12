//! The record that a render keeps in a workload: an annotation's text in, what we wrote and what was there before out,
//! and back. What follows from it is left to `ownership`.
//!
//! It is data, so kustomize, kpt, yq and formatters keep it. It is on the workload's own metadata, so no pod restarts for it.

use serde_json::{Map, Value};

/// A record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Record {
    /// Names of the skills that we mount.
    pub skills: Vec<String>,
    /// Name of the container that they are mounted into.
    pub container: String,
    /// Name of the agent runtime that it was led to them for; `None` where none was named.
    pub runtime: Option<String>,
    /// What the author had at places that we changed, or would have written ourselves.
    pub before: Before,
}

/// What the author had.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Before {
    /// Labels and annotations by [`super::ownership::Entry`].
    pub entries: Vec<(String, String)>,
    /// Text of the skills annotation.
    pub names: Option<String>,
    /// Value of `SKILL_FOLDERS` in the agent container, null as well; an empty object where the variable had none.
    pub folders: Option<Value>,
    /// How it was spelled in a file, where the value does not say it.
    pub spelling: Option<String>,
    /// Name of the variable of a runtime that the author had set to the folder of its skills.
    pub root: Option<String>,
    /// Image volumes with the name of a skill.
    pub volumes: Vec<Value>,
    /// Mounts of those volumes in the agent container.
    pub mounts: Vec<Value>,
}

impl Before {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Record {
    /// Reads an annotation.
    ///
    /// # Errors
    /// Text that is no record, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(map) = &value else { return Err("it is not a JSON object".to_owned()) };
        let empty = Map::new();
        let before = match map.get("before") {
            None => &empty,
            Some(Value::Object(before)) => before,
            Some(_) => return Err("its \"before\" is not a JSON object".to_owned()),
        };
        let text =
            |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |key: &str| before.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let entries = before.get("entries").and_then(Value::as_object).unwrap_or(&empty);
        Ok(Self {
            skills: map
                .get("skills")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            container: text(map, "container").unwrap_or_default(),
            runtime: text(map, "runtime"),
            before: Before {
                entries: entries
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect(),
                names: text(before, "names"),
                folders: before.get("folders").cloned(),
                spelling: text(before, "spelling"),
                root: text(before, "root"),
                volumes: list("volumes"),
                mounts: list("mounts"),
            },
        })
    }

    /// The annotation's text: compact JSON, without what is empty.
    pub(super) fn text(&self) -> String {
        let mut before = Map::new();
        let Before { entries, names, folders, spelling, root, volumes, mounts } = &self.before;
        if !entries.is_empty() {
            let entries = entries.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
            before.insert("entries".into(), Value::Object(entries.collect()));
        }
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        for (key, value) in [
            ("names", text(names)),
            ("folders", folders.clone()),
            ("spelling", text(spelling)),
            ("root", text(root)),
        ] {
            if let Some(value) = value {
                before.insert(key.into(), value);
            }
        }
        for (key, list) in [("volumes", volumes), ("mounts", mounts)] {
            if !list.is_empty() {
                before.insert(key.into(), Value::Array(list.clone()));
            }
        }
        let mut out = Map::new();
        out.insert("skills".into(), self.skills.iter().map(String::as_str).collect());
        if !self.container.is_empty() {
            out.insert("container".into(), self.container.as_str().into());
        }
        if let Some(runtime) = &self.runtime {
            out.insert("runtime".into(), runtime.as_str().into());
        }
        if !before.is_empty() {
            out.insert("before".into(), before.into());
        }
        Value::Object(out).to_string()
    }
}

/// The value of `SKILL_FOLDERS` that a record has as its author's, and how that was spelled, where it is known.
pub(crate) fn folders_before(text: &str) -> Option<(Value, Option<String>)> {
    let Before { folders, spelling, .. } = Record::parse(text).ok()?.before;
    Some((folders?, spelling))
}

/// The record with how that value was spelled.
pub(crate) fn with_spelling(text: &str, spelling: &str) -> Option<String> {
    let mut record = Record::parse(text).ok()?;
    record.before.spelling = Some(spelling.to_owned());
    Some(record.text())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let record = Record {
            skills: vec!["forecast".into()],
            container: "agent".into(),
            runtime: Some("kagent".into()),
            before: Before {
                entries: vec![("type".into(), "tool".into())],
                names: Some(r#"["triage"]"#.into()),
                folders: Some("/a, /b".into()),
                spelling: Some("'/a, /b'".into()),
                root: Some("KAGENT_SKILLS_FOLDER".into()),
                volumes: vec![json!({"name": "skill-forecast", "image": {"reference": "r:1"}})],
                mounts: vec![json!({"name": "skill-forecast", "mountPath": "/f"})],
            },
        };
        assert_eq!(Record::parse(&record.text()), Ok(record));
        for folders in [Value::Null, json!({}), json!(5)] {
            let before = Before { folders: Some(folders), ..Before::default() };
            let record = Record { before, ..Record::default() };
            assert_eq!(Record::parse(&record.text()), Ok(record));
        }
        let small = Record { skills: vec!["a".into()], ..Record::default() };
        assert_eq!(small.text(), r#"{"skills":["a"]}"#);
        assert_eq!(Record::parse(&small.text()), Ok(small));
    }

    /// Text that cannot be read is no evidence.
    #[test]
    fn other_text_is_an_error() {
        assert!(Record::parse("{").is_err());
        assert_eq!(Record::parse("[]"), Err("it is not a JSON object".to_owned()));
        assert_eq!(Record::parse(r#"{"before":1}"#), Err("its \"before\" is not a JSON object".to_owned()));
    }
}
