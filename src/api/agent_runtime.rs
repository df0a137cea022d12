//! AgentRuntime as the hash, the webhook and the plan read it. Nothing is ever serialised back from here.

use serde_json::Value;

use super::object::{child, group_of};

/// `spec.skills[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skill {
    /// DNS-label-like name, 1 to 58 characters by the CRD, 57 by what fits a volume name.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Absolute path in the agent container.
    pub mount_path: String,
    /// `Always`, `Never`, `IfNotPresent` or empty.
    pub pull_policy: String,
    /// Folder of the image that is mounted in place of its root; empty for the root. SkillBindings only.
    pub sub_path: String,
}

/// `spec.targetRef`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TargetRef {
    /// Has to parse as a group/version; selects nothing.
    pub api_version: String,
    /// `Deployment`, `StatefulSet` or `Sandbox`.
    pub kind: String,
    /// Name of the workload in the AgentRuntime's namespace.
    pub name: String,
}

impl TargetRef {
    /// The API group.
    pub fn group(&self) -> &str {
        group_of(&self.api_version)
    }
}

/// `spec.trace`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Collector endpoint.
    pub endpoint: String,
    /// `grpc` or `http`.
    pub protocol: String,
    /// `sampling.rate`; 0 when absent.
    pub rate: f64,
}

/// The fields of `spec` that any profile hashes, validates or renders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentRuntimeSpec {
    /// `agent` or `tool`.
    pub agent_type: String,
    /// The workload.
    pub target_ref: TargetRef,
    /// `identity.spiffe.trustDomain`.
    pub trust_domain: String,
    /// Present also when `{}`; absent for null.
    pub trace: Option<Trace>,
    /// `authBridgeMode`.
    pub auth_bridge_mode: String,
    /// `mtlsMode`.
    pub mtls_mode: String,
    /// `tlsBridgeMode` (from identity-removed on).
    pub tls_bridge_mode: String,
    /// In spec order.
    pub skills: Vec<Skill>,
}

/// A field that has the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Path such as `spec.skills[0].name`.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// Lists the type of a JSON value in the words of the Kubernetes API.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn wrong(field: &str, wanted: &str, value: &Value) -> FieldError {
    FieldError { field: field.to_owned(), message: format!("must be {wanted}, found {}", type_name(value)) }
}

pub(super) fn object<'v>(parent: &'v Value, key: &str, field: &str) -> Result<Option<&'v Value>, FieldError> {
    match child(parent, key) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ Value::Object(_)) => Ok(Some(value)),
        Some(other) => Err(wrong(field, "an object", other)),
    }
}

pub(super) fn string(parent: &Value, key: &str, field: &str) -> Result<String, FieldError> {
    match child(parent, key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(wrong(field, "a string", other)),
    }
}

/// A text of a skill; its field is written out only where something is wrong with it.
pub(super) fn of_skill(skill: &Value, index: usize, key: &str) -> Result<String, FieldError> {
    string(skill, key, "")
        .map_err(|error| FieldError { field: format!("spec.skills[{index}].{key}"), ..error })
}

impl AgentRuntimeSpec {
    /// Reads `spec` of an AgentRuntime object as Go's decoder would: absent and null give the zero value.
    ///
    /// # Errors
    /// All fields of a wrong type, in the order of the struct.
    pub fn from_object(runtime: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let spec = match object(runtime, "spec", "spec") {
            Ok(spec) => spec.unwrap_or(&Value::Null),
            Err(error) => return Err(vec![error]),
        };
        let mut out = Self::default();
        let take = |result: Result<String, FieldError>, errors: &mut Vec<FieldError>| match result {
            Ok(text) => text,
            Err(error) => {
                errors.push(error);
                String::new()
            }
        };
        out.agent_type = take(string(spec, "type", "spec.type"), &mut errors);
        match object(spec, "targetRef", "spec.targetRef") {
            Ok(Some(target)) => {
                out.target_ref.api_version =
                    take(string(target, "apiVersion", "spec.targetRef.apiVersion"), &mut errors);
                out.target_ref.kind = take(string(target, "kind", "spec.targetRef.kind"), &mut errors);
                out.target_ref.name = take(string(target, "name", "spec.targetRef.name"), &mut errors);
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match object(spec, "identity", "spec.identity") {
            Ok(Some(identity)) => match object(identity, "spiffe", "spec.identity.spiffe") {
                Ok(Some(spiffe)) => {
                    out.trust_domain =
                        take(string(spiffe, "trustDomain", "spec.identity.spiffe.trustDomain"), &mut errors);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            },
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match trace(spec) {
            Ok(trace) => out.trace = trace,
            Err(error) => errors.push(error),
        }
        out.auth_bridge_mode = take(string(spec, "authBridgeMode", "spec.authBridgeMode"), &mut errors);
        out.tls_bridge_mode = take(string(spec, "tlsBridgeMode", "spec.tlsBridgeMode"), &mut errors);
        out.mtls_mode = take(string(spec, "mtlsMode", "spec.mtlsMode"), &mut errors);
        match child(spec, "skills") {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    if !matches!(item, Value::Object(_) | Value::Null) {
                        errors.push(wrong(&format!("spec.skills[{index}]"), "an object", item));
                        continue;
                    }
                    out.skills.push(Skill {
                        name: take(of_skill(item, index, "name"), &mut errors),
                        image: take(of_skill(item, index, "image"), &mut errors),
                        mount_path: take(of_skill(item, index, "mountPath"), &mut errors),
                        pull_policy: take(of_skill(item, index, "pullPolicy"), &mut errors),
                        sub_path: String::new(),
                    });
                }
            }
            Some(other) => errors.push(wrong("spec.skills", "an array", other)),
        }
        if errors.is_empty() { Ok(out) } else { Err(errors) }
    }
}

fn trace(spec: &Value) -> Result<Option<Trace>, FieldError> {
    let Some(trace) = object(spec, "trace", "spec.trace")? else { return Ok(None) };
    let rate = match object(trace, "sampling", "spec.trace.sampling")?
        .and_then(|sampling| sampling.get("rate"))
    {
        None | Some(Value::Null) => 0.0,
        Some(value) => value.as_f64().ok_or_else(|| wrong("spec.trace.sampling.rate", "a number", value))?,
    };
    Ok(Some(Trace {
        endpoint: string(trace, "endpoint", "spec.trace.endpoint")?,
        protocol: string(trace, "protocol", "spec.trace.protocol")?,
        rate,
    }))
}
