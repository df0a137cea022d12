//! What was found when a repository began to be linted, so that only what is new counts: findings in, a file out, and back.
//!
//! A finding is known by its rule, file, object and field, not by its line or words: it stays known while text around it moves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Finding;
use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::yaml::Document;
use crate::yaml::emit;

/// `kind` of the file.
pub const KIND: &str = "LintBaseline";
const API_VERSION: &str = "skills.kagenti.dev/v1alpha1";

/// What a finding is known by.
type Key = [String; 4];

/// How often each is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline(BTreeMap<Key, u64>);

const KEYS: [&str; 4] = ["rule", "file", "object", "field"];

/// What a finding is known by: rule, file, object and field.
pub fn key(finding: &Finding) -> Key {
    let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
    [finding.rule.id.to_owned(), spelled(&finding.origin.file), object, finding.field.clone()]
}

/// A path in one spelling: `./a//b` is `a/b`.
fn spelled(file: &str) -> String {
    let root = if file.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = file.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("{root}{}", parts.join("/"))
}

impl Baseline {
    /// That of these findings.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut out = Self::default();
        for finding in findings {
            *out.0.entry(key(finding)).or_default() += 1;
        }
        out
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is no baseline, with the place.
    pub fn read(text: &str, file: &str) -> Result<Self, InputError> {
        let origin = Origin { file: file.to_owned(), document: 0, line: 0 };
        let wrong = |message: String| InputError { origin: origin.clone(), message, ..InputError::default() };
        let help = "write it anew with --write-baseline";
        let value =
            Document::parse(text).and_then(|document| document.to_value()).map_err(|error| InputError {
                column: error.column,
                origin: Origin { line: error.line, ..origin.clone() },
                message: error.message,
                ..InputError::default()
            })?;
        if value.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(InputError { help: help.into(), ..wrong(format!("is no {KIND}")) });
        }
        let mut out = Self::default();
        for (index, item) in value.get("findings").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            let text = |key: &str| item.get(key).map_or(Some(""), Value::as_str).map(str::to_owned);
            let count = item.get("count").map_or(Some(1), Value::as_u64);
            let key: Option<Vec<String>> = KEYS.iter().map(|key| text(key)).collect();
            let (Some(Ok(mut key)), Some(count)) = (key.map(Key::try_from), count) else {
                return Err(InputError { help: help.into(), ..wrong(format!("findings[{index}]: is none")) });
            };
            key[1] = spelled(&key[1]);
            *out.0.entry(key).or_default() += count;
        }
        Ok(out)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let findings: Vec<Value> = self
            .0
            .iter()
            .map(|(key, count)| {
                let mut item = json!({});
                for (name, value) in KEYS.iter().zip(key).filter(|(_, value)| !value.is_empty()) {
                    item[*name] = value.as_str().into();
                }
                if *count > 1 {
                    item["count"] = (*count).into();
                }
                item
            })
            .collect();
        emit::document(&json!({"apiVersion": API_VERSION, "kind": KIND, "findings": findings}))
    }

    /// Parts findings into those that are new and those that are known, and says how many of the known are there no longer.
    pub fn part(mut self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>, u64) {
        let (known, new) = findings.into_iter().partition(|finding| match self.0.get_mut(&key(finding)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        });
        (new, known, self.0.values().sum())
    }
}
