//! Results of a KRM function (`results` of a ResourceList): what was found goes in, values for the list, lines for
//! stderr and the exit status go out. What is an error, and where results are written, is left to callers.
//!
//! Format: functions-spec.md of kustomize. Severity is always written: readers disagree about its default.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::api::object::ObjectRef;

/// Tag by which our own results are known again when a list passes through us twice.
pub const SOURCE_TAG: (&str, &str) = ("source", "kubectl-skills");

/// How much a result matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The items were left as they are.
    Error,
    /// Carried out, and worth a look.
    Warning,
    /// For information.
    Info,
}

impl Severity {
    /// The word in the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// A field of the object that a result is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Field {
    /// Path such as `spec.skills[0].name`.
    pub path: String,
    /// What is there.
    pub current: Option<Value>,
    /// What should be there.
    pub proposed: Option<Value>,
}

/// The file that an item came from, by the annotations that kpt gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Path relative to the package, with slashes.
    pub path: String,
    /// Number of the object in the file, from 0.
    pub index: u64,
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultItem {
    /// What is the matter, and how to mend it.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
    /// The object it is about.
    pub resource_ref: Option<ObjectRef>,
    /// The field of that object.
    pub field: Option<Field>,
    /// The file of that object.
    pub file: Option<File>,
    /// More about it, such as the quirk of the operator that a warning is about.
    pub tags: BTreeMap<String, String>,
}

impl ResultItem {
    /// A result about nothing in particular.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            severity,
            resource_ref: None,
            field: None,
            file: None,
            tags: BTreeMap::new(),
        }
    }

    /// The item of `results`. A field goes out only alongside a resource, as the format demands; a resource only with a
    /// name.
    pub fn to_value(&self) -> Value {
        let mut out = Map::new();
        out.insert("message".into(), self.message.as_str().into());
        out.insert("severity".into(), self.severity.name().into());
        if let Some(id) = self.resource_ref.as_ref().filter(|id| !id.name.is_empty()) {
            let mut resource = json!({"apiVersion": id.api_version, "kind": id.kind, "name": id.name});
            if !id.namespace.is_empty() {
                resource["namespace"] = id.namespace.as_str().into();
            }
            out.insert("resourceRef".into(), resource);
            if let Some(field) = &self.field {
                let mut value = json!({"path": field.path});
                if let Some(current) = &field.current {
                    value["currentValue"] = current.clone();
                }
                if let Some(proposed) = &field.proposed {
                    value["proposedValue"] = proposed.clone();
                }
                out.insert("field".into(), value);
            }
        }
        if let Some(file) = &self.file {
            let mut value = json!({"path": file.path});
            if file.index > 0 {
                value["index"] = file.index.into();
            }
            out.insert("file".into(), value);
        }
        let mut tags = self.tags.clone();
        tags.insert(SOURCE_TAG.0.into(), SOURCE_TAG.1.into());
        out.insert("tags".into(), json!(tags));
        Value::Object(out)
    }
}

/// One line: file, object, field, message. Breaks in a message are escaped.
impl fmt::Display for ResultItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        if let Some(file) = &self.file {
            line.push_str(&file.path);
            line.push_str(": ");
        }
        if let Some(id) = &self.resource_ref {
            line.push_str(&format!("{id}: "));
        }
        if let Some(field) = &self.field {
            line.push_str(&format!("{}: ", field.path));
        }
        line.push_str(&self.message);
        f.write_str(&line.replace('\r', "\\r").replace('\n', "\\n"))
    }
}

/// The results of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results(Vec<ResultItem>);

impl Results {
    /// Puts results in order: by file, severity, object, field, message, as kyaml does; what is equal in all stands once.
    pub fn new(mut items: Vec<ResultItem>) -> Self {
        let file = |item: &ResultItem| item.file.clone().unwrap_or_default();
        let field = |item: &ResultItem| item.field.as_ref().map(|field| field.path.clone());
        items.sort_by(|a, b| {
            file(a)
                .cmp(&file(b))
                .then_with(|| a.severity.cmp(&b.severity))
                .then_with(|| a.resource_ref.cmp(&b.resource_ref))
                .then_with(|| field(a).cmp(&field(b)))
                .then_with(|| a.message.cmp(&b.message))
        });
        items.dedup();
        Self(items)
    }

    /// The results in order.
    pub fn items(&self) -> &[ResultItem] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors among them.
    pub fn errors(&self) -> impl Iterator<Item = &ResultItem> {
        self.0.iter().filter(|item| item.severity == Severity::Error)
    }

    /// The value of `results` in a list that had `earlier` ones: those of other functions stay, ours are replaced.
    pub fn merged(&self, earlier: &[Value]) -> Vec<Value> {
        let ours = |value: &Value| value["tags"][SOURCE_TAG.0] == SOURCE_TAG.1;
        let mut all: Vec<Value> = earlier.iter().filter(|value| !ours(value)).cloned().collect();
        all.extend(self.0.iter().map(ResultItem::to_value));
        all
    }
}

/// Whether one of the values of `results` is an error. A missing severity counts as one: so the format has it.
pub fn has_error(results: &[Value]) -> bool {
    results.iter().any(|result| match &result["severity"] {
        Value::String(severity) => severity != "warning" && severity != "info",
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ObjectRef {
        ObjectRef {
            api_version: "agent.kagenti.dev/v1alpha1".into(),
            kind: "AgentRuntime".into(),
            namespace: "weather".into(),
            name: name.into(),
        }
    }

    fn full() -> ResultItem {
        ResultItem {
            message: "targets Deployment web, which is now p-web".into(),
            severity: Severity::Error,
            resource_ref: Some(id("weather")),
            field: Some(Field {
                path: "spec.targetRef.name".into(),
                current: Some(json!("web")),
                proposed: Some(json!("p-web")),
            }),
            file: Some(File { path: "team/agent.yaml".into(), index: 2 }),
            tags: BTreeMap::from([("quirk".into(), "Q5".into())]),
        }
    }

    #[test]
    fn a_result_is_written_as_the_format_has_it() {
        assert_eq!(
            full().to_value(),
            json!({
                "message": "targets Deployment web, which is now p-web", "severity": "error",
                "resourceRef": {"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "name": "weather",
                                "namespace": "weather"},
                "field": {"path": "spec.targetRef.name", "currentValue": "web", "proposedValue": "p-web"},
                "file": {"path": "team/agent.yaml", "index": 2},
                "tags": {"quirk": "Q5", "source": "kubectl-skills"},
            })
        );
        assert_eq!(
            full().to_string(),
            "team/agent.yaml: AgentRuntime weather/weather: spec.targetRef.name: targets Deployment web, which is now p-web"
        );
    }

    /// The format: `field` needs `resourceRef`, and that needs a name. kpt refuses a list that breaks it.
    #[test]
    fn what_the_format_forbids_is_left_out() {
        let mut item = full();
        item.resource_ref = Some(id(""));
        item.file = None;
        assert_eq!(
            item.to_value(),
            json!({"message": item.message, "severity": "error", "tags": {"quirk": "Q5", "source": "kubectl-skills"}})
        );
    }

    /// kustomize shows only stderr, and people search it by lines.
    #[test]
    fn a_message_of_several_lines_is_one_line() {
        let item = ResultItem::new(Severity::Error, "first\nsecond\r\n");
        assert_eq!(item.to_string(), "first\\nsecond\\r\\n");
        assert_eq!(item.to_value()["message"], "first\nsecond\r\n");
    }

    /// Whatever the order in which objects were found, a pipeline's log stays the same.
    #[test]
    fn results_are_ordered_and_stand_once() {
        let of = |path: &str, severity, name: &str, message: &str| ResultItem {
            file: Some(File { path: path.into(), index: 0 }),
            resource_ref: Some(id(name)),
            ..ResultItem::new(severity, message)
        };
        let wanted = vec![
            ResultItem::new(Severity::Warning, "no file"),
            of("a.yaml", Severity::Error, "b", "x"),
            of("a.yaml", Severity::Warning, "a", "x"),
            of("a.yaml", Severity::Warning, "a", "y"),
            of("b.yaml", Severity::Error, "a", "x"),
        ];
        let mut shuffled = wanted.clone();
        shuffled.reverse();
        shuffled.push(wanted[1].clone());
        assert_eq!(Results::new(shuffled).items(), wanted);
    }

    #[test]
    fn only_an_error_or_a_result_without_severity_is_an_error() {
        for (results, expected) in [
            (json!([]), false),
            (json!([{"message": "a", "severity": "info"}, {"message": "a", "severity": "warning"}]), false),
            (json!([{"message": "a", "severity": "warning"}, {"message": "a", "severity": "error"}]), true),
            (json!([{"message": "a"}]), true),
            (json!([{"message": "a", "severity": "fatal"}]), true),
        ] {
            assert_eq!(has_error(results.as_array().unwrap()), expected, "{results}");
        }
    }

    #[test]
    fn results_of_other_functions_stay_and_ours_are_replaced() {
        let other = json!({"message": "theirs", "severity": "info"});
        let stale = ResultItem::new(Severity::Error, "mended since").to_value();
        let now = ResultItem::new(Severity::Warning, "still so");
        assert_eq!(
            Results::new(vec![now.clone()]).merged(&[other.clone(), stale.clone()]),
            vec![other.clone(), now.to_value()]
        );
        assert_eq!(Results::default().merged(&[stale, other.clone()]), vec![other]);
    }
}
