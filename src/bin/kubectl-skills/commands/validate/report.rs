//! Judges AgentRuntimes: documents in, findings and warnings with their places out. Verdicts are the library's.

use std::collections::HashMap;

use kubectl_skills::api::agent_runtime::{AgentRuntimeSpec, TargetRef};
use kubectl_skills::api::names::AGENT_RUNTIME;
use kubectl_skills::api::object::{self, ObjectRef};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::validate::preflight;
use kubectl_skills::validate::schema::{SchemaReport, Validator};
use kubectl_skills::validate::webhook::{Operation, Rivals, Targets, verdict};
use kubectl_skills::yaml::{self, Step};
use serde_json::{Value, json};

use crate::objects::{Object, Parsed};

/// One thing to be told of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who says it: `schema`, `webhook`, or of warnings `preflight`.
    by: &'static str,
    message: String,
    line: usize,
    column: usize,
}

/// An AgentRuntime with all that is to be told of it.
#[derive(Debug)]
pub struct Judged {
    file: String,
    id: ObjectRef,
    /// Why it is refused.
    pub findings: Vec<Finding>,
    /// What is accepted and will not work, or not as it is written.
    pub warnings: Vec<Finding>,
}

impl Judged {
    /// One finding in a line.
    pub fn line(&self, found: &Finding) -> String {
        format!("{}:{}:{}: {}: {}", self.file, found.line, found.column, self.id, found.message)
    }

    /// All findings, a line each.
    pub fn lines(&self) -> String {
        self.findings.iter().map(|found| format!("{}\n", self.line(found))).collect()
    }

    /// As `-o json` prints it.
    pub fn to_json(&self) -> Value {
        let all = |found: &[Finding]| -> Vec<Value> {
            found
                .iter()
                .map(|one| json!({"by": one.by, "message": one.message, "line": one.line, "column": one.column}))
                .collect()
        };
        json!({
            "file": self.file, "namespace": self.id.namespace, "name": self.id.name,
            "allowed": self.findings.is_empty(), "findings": all(&self.findings), "warnings": all(&self.warnings),
        })
    }
}

/// What a runtime has been read to.
struct Candidate<'p> {
    object: Object<'p>,
    id: ObjectRef,
    report: SchemaReport,
    spec: Option<AgentRuntimeSpec>,
}

/// Judges every AgentRuntime of the documents, each as if it were created beside all others.
///
/// The API server asks the webhook only about objects that pass the schema. Here it is asked about all that can be
/// read, so that everything is told at once.
pub fn judge(documents: &[Parsed<'_>], profile: &'static Profile, namespace: &str) -> Vec<Judged> {
    let validator = Validator::new(profile);
    let candidates: Vec<Candidate<'_>> = documents
        .iter()
        .flat_map(Parsed::objects)
        .filter(|object| object.value.get("kind").and_then(Value::as_str) == Some(AGENT_RUNTIME))
        .map(|object| {
            let id = object::Object(object.value).reference_in(namespace);
            let report = validator.create(object.value);
            let spec =
                AgentRuntimeSpec::from_object(&report.stored).ok().filter(|_| !report.stored.is_null());
            Candidate { object, id, report, spec }
        })
        .collect();
    let mut targets: HashMap<&str, Vec<(String, TargetRef)>> = HashMap::new();
    for candidate in &candidates {
        if let Some(spec) = &candidate.spec {
            let target = (candidate.id.name.clone(), spec.target_ref.clone());
            targets.entry(&candidate.id.namespace).or_default().push(target);
        }
    }
    let targets: HashMap<&str, Targets> =
        targets.into_iter().map(|(namespace, all)| (namespace, Targets::new(all))).collect();
    candidates
        .iter()
        .map(|candidate| {
            let rivals = targets.get(candidate.id.namespace.as_str()).map_or(Rivals::Unknown, Rivals::Known);
            one(candidate, profile, rivals)
        })
        .collect()
}

fn one(candidate: &Candidate<'_>, profile: &'static Profile, rivals: Rivals<'_>) -> Judged {
    let Candidate { object, id, report, spec } = candidate;
    let at = |by, message: &str, field: &[Step]| {
        let (line, column) = object.place(field);
        Finding { by, message: message.to_owned(), line, column }
    };
    let mut findings: Vec<Finding> =
        report.errors.iter().map(|message| at("schema", message, &field_of(message))).collect();
    let mut warnings: Vec<Finding> = report
        .pruned_paths
        .iter()
        .map(|path| {
            let field = yaml::path::parse(path).unwrap_or_default();
            at("schema", &format!("unknown field {path:?}: the API server drops it"), &field)
        })
        .collect();
    if let Some(spec) = spec {
        let verdict = verdict(profile, Operation::Create, id, spec, rivals);
        if let Some(message) = verdict.server_message() {
            let said = verdict.message.unwrap_or_default();
            findings.push(at("webhook", &message, &webhook_field(&said)));
        }
        for (index, skill) in spec.skills.iter().enumerate() {
            for found in preflight::check_skill(skill) {
                let mut field = vec![Step::from("spec"), Step::from("skills"), Step::from(index)];
                field.extend((!found.field.is_empty()).then(|| Step::from(found.field)));
                let finding = at("preflight", &found.message, &field);
                // What the schema refuses already needs no second word.
                if !findings.iter().any(|known| (known.line, known.column) == (finding.line, finding.column))
                {
                    warnings.push(finding);
                }
            }
        }
    }
    Judged { file: object.origin().file, id: id.clone(), findings, warnings }
}

/// The field in front of a message of the API server: `spec.skills[0].name: Invalid value: ...`.
fn field_of(message: &str) -> Vec<Step> {
    let path = message.split(": ").next().unwrap_or_default();
    if path.contains(' ') { Vec::new() } else { yaml::path::parse(path).unwrap_or_default() }
}

/// The field that a message of the webhook is about.
fn webhook_field(message: &str) -> Vec<Step> {
    let steps = |path: &str| yaml::path::parse(path).unwrap_or_default();
    if message.starts_with("spec.") {
        let mut field = field_of(message);
        let rest = message.split_once(": ").map_or("", |(_, rest)| rest);
        let name = if rest.starts_with("duplicate skill name") { "name" } else { "mountPath" };
        field.push(Step::from(name));
        field
    } else if message.starts_with("an AgentRuntime already targets") {
        steps("spec.targetRef")
    } else if message.starts_with("mtlsMode") {
        steps("spec.mtlsMode")
    } else if message.starts_with("tlsBridgeMode") {
        steps("spec.tlsBridgeMode")
    } else {
        steps("spec")
    }
}
