//! Judges AgentRuntimes and SkillBindings: documents and plans in, findings and warnings with their places out. Verdicts are the
//! library's: first what server and webhook answer to each object by itself, then what the plans of `render` say of all together.

use std::collections::HashMap;

use kubectl_skills::api::agent_runtime::{AgentRuntimeSpec, TargetRef};
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILL_BINDING};
use kubectl_skills::api::object::{self, ObjectRef, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::is_binding;
use kubectl_skills::manifest::render::Planned;
use kubectl_skills::plan::claims::{Claim, Claimant, Claims, WorkloadKey};
use kubectl_skills::plan::session::{Rules, check_binding, look_ahead};
use kubectl_skills::validate::findings::{Severity, rules};
use kubectl_skills::validate::schema::{SchemaReport, Validator};
use kubectl_skills::validate::webhook::{Operation, Rivals, Targets, verdict};
use kubectl_skills::yaml::{self, Step};
use serde_json::{Value, json};

use crate::objects::{Object, Parsed};
use crate::printable;

/// One thing to be said of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who says it: `schema`, `webhook`, of warnings `preflight`, or `render`.
    by: &'static str,
    /// The rule; empty where it has no identifier.
    rule: &'static str,
    message: String,
    line: usize,
    column: usize,
}

/// An object with all that is to be said of it.
#[derive(Debug)]
pub struct Judged {
    file: String,
    /// Its identity.
    pub id: ObjectRef,
    /// Its first line.
    line: usize,
    /// Why it is refused.
    pub findings: Vec<Finding>,
    /// What is accepted and will not work, or not as it is written.
    pub warnings: Vec<Finding>,
}

/// Who says what a plan refuses.
const RENDER: &str = "render";

impl Finding {
    fn of(said: &InputError) -> Self {
        let InputError { column, field, message, help, origin, .. } = said;
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        let help = if help.is_empty() { String::new() } else { format!(" ({help})") };
        let message = format!("{field}{message}{help}");
        Self { by: RENDER, rule: said.rule, message, line: origin.line, column: *column }
    }
}

impl Judged {
    /// Whether it is an AgentRuntime or a SkillBinding.
    pub fn asks(&self) -> bool {
        [AGENT_RUNTIME, SKILL_BINDING].contains(&self.id.kind.as_str())
    }

    /// Whether a line may be one of the object: of several of one name the last that begins before it.
    fn holds(&self, line: usize) -> bool {
        self.line <= line
    }

    /// One finding in a line.
    pub fn line(&self, found: &Finding) -> String {
        format!("{}:{}:{}: {}: {}", self.file, found.line, found.column, self.id, found.message)
    }

    /// All findings, a line each.
    pub fn lines(&self) -> String {
        self.findings.iter().map(|found| printable::line(&self.line(found)).into_owned() + "\n").collect()
    }

    /// As `-o json` prints it.
    pub fn to_json(&self) -> Value {
        let all = |found: &[Finding]| -> Vec<Value> {
            found
                .iter()
                .map(|one| {
                    let mut value =
                        json!({"by": one.by, "message": one.message, "line": one.line, "column": one.column});
                    if !one.rule.is_empty() {
                        value["rule"] = one.rule.into();
                    }
                    value
                })
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

/// Judges every AgentRuntime of the documents, each as if it were created alongside all others, then every SkillBinding.
///
/// The API server asks the webhook only about objects that pass the schema. Here it is asked about all that can be
/// read, so that everything is reported at once.
pub fn judge(documents: &[Parsed<'_>], profile: &'static Profile, namespace: &str) -> Vec<Judged> {
    let validator = Validator::new(profile);
    let rules = Rules::new(profile);
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
    let mut claimants = Vec::new();
    for candidate in &candidates {
        // An object of a group that no operator reads has no part in it.
        let is_read = [KAGENTI.group, ROSSOCTL.group].contains(&candidate.id.group());
        if let Some(spec) = candidate.spec.as_ref().filter(|_| is_read && !candidate.is_being_deleted()) {
            let target = (candidate.id.name.clone(), spec.target_ref.clone());
            targets.entry(&candidate.id.namespace).or_default().push(target);
            let claimant = Claimant::of(object::Object(candidate.object.value), candidate.object.origin());
            claimants.push((candidate.target(spec), claimant));
        }
    }
    let targets: HashMap<&str, Targets> =
        targets.into_iter().map(|(namespace, all)| (namespace, Targets::new(all))).collect();
    let claims = Claims::new(claimants);
    let bindings = documents.iter().flat_map(Parsed::objects).filter(|object| {
        is_binding(object::Object(object.value)) && !object::Object(object.value).is_being_deleted()
    });
    let bindings = bindings.map(|object| of_binding(&object, namespace));
    let runtimes = candidates.iter().map(|candidate| {
        let claim = match &candidate.spec {
            Some(spec) => claims.claim(&candidate.target(spec), &candidate.id.name, false),
            None => Claim::Held,
        };
        one(candidate, profile, &rules, targets.get(candidate.id.namespace.as_str()), &claim)
    });
    runtimes.chain(bindings).collect()
}

fn of_binding(object: &Object<'_>, namespace: &str) -> Judged {
    let id = object::Object(object.value).reference_in(namespace);
    let (mut findings, mut warnings) = (Vec::new(), Vec::new());
    for found in check_binding(object.value) {
        let (line, column) = object.place(&found.path);
        let is_schema = [rules::SCHEMA, rules::SPEC_TYPE, rules::UNKNOWN_FIELD].contains(found.rule);
        let by = if is_schema { "schema" } else { "preflight" };
        let help = if found.help.is_empty() { String::new() } else { format!(" ({})", found.help) };
        let said = Finding { by, rule: found.rule.id, message: format!("{found}{help}"), line, column };
        if found.is_error() { findings.push(said) } else { warnings.push(said) }
    }
    let Origin { file, line, .. } = object.origin();
    Judged { file, id, line, findings, warnings }
}

/// Adds what `render` would refuse or warn of, where nothing is said of that place yet. Returns what is about no object.
pub fn add(judged: &mut Vec<Judged>, planned: &Planned) -> Vec<InputError> {
    let mut nobodys = Vec::new();
    let errors = planned.errors.iter().map(|error| (true, error));
    for (is_error, said) in errors.chain(planned.remarks.iter().map(|said| (false, said))) {
        let Some(id) = &said.object else {
            nobodys.extend(is_error.then(|| said.clone()));
            continue;
        };
        let finding = Finding::of(said);
        let of =
            |one: &&mut Judged| one.id == *id && one.file == said.origin.file && one.holds(said.origin.line);
        let at = match judged.iter_mut().rev().find(of) {
            Some(one) => one,
            None => {
                judged.push(Judged {
                    file: said.origin.file.clone(),
                    id: id.clone(),
                    line: said.origin.line,
                    findings: Vec::new(),
                    warnings: Vec::new(),
                });
                let Some(new) = judged.last_mut() else { continue };
                new
            }
        };
        // What server and webhook say of a place needs no second word.
        let is_said = |known: &Finding| {
            known.by != RENDER && (known.line, known.column) == (finding.line, finding.column)
                || *known == finding
        };
        if !is_error && at.findings.iter().any(is_said) {
            continue;
        }
        let list = if is_error { &mut at.findings } else { &mut at.warnings };
        if !list.iter().any(is_said) {
            list.push(finding);
        }
    }
    nobodys
}

impl Candidate<'_> {
    fn is_being_deleted(&self) -> bool {
        object::Object(self.object.value).is_being_deleted()
    }

    fn target(&self, spec: &AgentRuntimeSpec) -> WorkloadKey {
        let target = &spec.target_ref;
        (target.kind.clone(), self.id.namespace.clone(), target.name.clone())
    }
}

fn one(
    candidate: &Candidate<'_>,
    profile: &'static Profile,
    rules: &Rules,
    targets: Option<&Targets>,
    claim: &Claim,
) -> Judged {
    let Candidate { object, id, report, spec } = candidate;
    if candidate.is_being_deleted() {
        // Nobody creates it any more: there is nothing to accept.
        return Judged {
            file: object.origin().file,
            id: id.clone(),
            line: object.origin().line,
            findings: Vec::new(),
            warnings: Vec::new(),
        };
    }
    let at = |by, rule, message: &str, field: &[Step]| {
        let (line, column) = object.place(field);
        Finding { by, rule, message: message.to_owned(), line, column }
    };
    let mut findings: Vec<Finding> = report
        .errors
        .iter()
        .map(|error| at("schema", rules::SCHEMA.id, &error.to_string(), &error.path))
        .collect();
    let unknown = rules.unknown_fields(object.value);
    let astray = rules.list_astray(object.value).map(|found| found.path);
    let pruned = report.pruned_paths.iter().map(|path| {
        let field = yaml::path::parse(path).unwrap_or_default();
        let message = match unknown.iter().find(|unknown| unknown.path == field) {
            Some(unknown) => unknown.message.clone(),
            None => format!("unknown field {path:?}: the API server drops it"),
        };
        (astray.as_ref() == Some(&field), at("schema", rules::UNKNOWN_FIELD.id, &message, &field))
    });
    let mut warnings = Vec::new();
    for (is_astray, pruned) in pruned {
        if is_astray { findings.push(pruned) } else { warnings.push(pruned) }
    }
    if let Some(spec) = spec {
        // The webhook knows no oldest; who has the workload is created first, and finds no other.
        let claimed = claim.finding();
        let rivals = targets.filter(|_| claimed.is_some()).map_or(Rivals::Unknown, Rivals::Known);
        let verdict = verdict(profile, Operation::Create, id, spec, rivals);
        if let (Some(refusal), Some(message)) = (&verdict.refusal, verdict.server_message()) {
            findings.push(at("webhook", refusal.finding.rule.id, &message, &refusal.finding.path));
        }
        // The webhook compares also the apiVersion, which selects nothing (Q15).
        let said =
            verdict.refusal.as_ref().is_some_and(|refusal| *refusal.finding.rule == rules::WEBHOOK_TARGET);
        if let Some(claimed) = claimed.filter(|_| !said) {
            findings.push(at("preflight", claimed.rule.id, &claimed.message, &claimed.path));
        }
        for found in look_ahead(spec) {
            let finding = at("preflight", found.rule.id, &found.message, &found.path);
            // What the schema refuses already needs no second word.
            if findings.iter().any(|known| (known.line, known.column) == (finding.line, finding.column)) {
                continue;
            }
            match found.rule.severity {
                Severity::Error => findings.push(finding),
                Severity::Warning => warnings.push(finding),
            }
        }
    }
    let Origin { file, line, .. } = object.origin();
    Judged { file, id: id.clone(), line, findings, warnings }
}
