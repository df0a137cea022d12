//! An AdmissionReview of `admission.k8s.io/v1` in, the question it asks of the webhook out; a verdict in, the answering
//! AdmissionReview out. The verdict itself is left to [`crate::validate::webhook`], transport to the binary.
//!
//! With [`Extra::strict`] also what the operator's webhook lets through and the API server later refuses in the
//! workload ([`crate::validate::preflight`]).

use serde_json::{Map, Value, json};

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill};
use crate::api::names::{AGENT_RUNTIME, VERSION};
use crate::api::object::{Object, ObjectRef};
use crate::api::profile::Profile;
use crate::validate::findings::Severity;
use crate::validate::preflight;
use crate::validate::webhook::{Operation, Rivals, verdict};

pub(super) const API_VERSION: &str = "admission.k8s.io/v1";
pub(super) const KIND: &str = "AdmissionReview";

/// What the webhook is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Repeated in the answer, or the API server refuses it.
    pub uid: String,
    /// What is done to the object.
    pub operation: Operation,
    /// The judged object and its namespace.
    pub runtime: ObjectRef,
    /// Whether the object is being deleted and only waits for its finalizers.
    pub deleting: bool,
    /// Its spec, or why it is not readable.
    pub spec: Result<AgentRuntimeSpec, String>,
    /// The skills that it had before; none of an object that is created, or that could not be read.
    pub before: Vec<Skill>,
}

/// What differs from the operator's webhook; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extra {
    /// Refuses also skills whose volume the API server will refuse, and warns of those that may not start.
    pub strict: bool,
    /// Lets changes of an object pass that is being deleted (Q16).
    pub pass_deleting: bool,
}

/// The webhook's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the request passes.
    pub allowed: bool,
    /// Status code of a refusal: 403 for a rule, 400 for an object that is not readable, 500 for rivals that are not
    /// known.
    pub code: u16,
    /// Why not; empty when allowed.
    pub message: String,
    /// Shown to the client in either case.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Lets the request pass.
    pub fn allowed() -> Self {
        Self { allowed: true, code: 200, message: String::new(), warnings: Vec::new() }
    }

    /// Refuses the request.
    pub fn refused(code: u16, message: impl Into<String>) -> Self {
        Self { allowed: false, code, message: message.into(), warnings: Vec::new() }
    }
}

impl Review {
    /// Reads a request about an AgentRuntime of the profile's group.
    ///
    /// # Errors
    /// What keeps it from being one; such a request gets no AdmissionReview in answer.
    pub fn read(profile: &Profile, body: &[u8]) -> Result<Self, String> {
        let review: Value =
            serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        let text = |pointer: &str| Object(&review).str(pointer);
        if text("/kind") != KIND || text("/apiVersion") != API_VERSION {
            return Err(format!(
                "the body is not an {KIND} of {API_VERSION}, but kind {:?} of {:?}",
                text("/kind"),
                text("/apiVersion")
            ));
        }
        let uid = text("/request/uid");
        if uid.is_empty() {
            return Err("request.uid is missing".to_owned());
        }
        let (group, version, kind) =
            (text("/request/kind/group"), text("/request/kind/version"), text("/request/kind/kind"));
        if (group, version, kind) != (profile.names.group, VERSION, AGENT_RUNTIME) {
            return Err(format!(
                "request.kind is {group}/{version} {kind}, and this path judges {}/{VERSION} {AGENT_RUNTIME}",
                profile.names.group
            ));
        }
        let operation = match text("/request/operation") {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            other => {
                return Err(format!(
                    "request.operation {other:?} is none that a webhook for this kind knows"
                ));
            }
        };
        // On deletion there is an old object only, and nothing about it is judged.
        let object = review.pointer("/request/object").filter(|object| object.is_object());
        if object.is_none() && operation != Operation::Delete {
            return Err("request.object is missing".to_owned());
        }
        let object = object.unwrap_or(&Value::Null);
        let before = review.pointer("/request/oldObject").filter(|_| operation == Operation::Update);
        let given = Object(object);
        let or = |own: &str, of_request: &str| if own.is_empty() { of_request } else { own }.to_owned();
        Ok(Self {
            uid: uid.to_owned(),
            operation,
            runtime: ObjectRef {
                api_version: format!("{group}/{version}"),
                kind: kind.to_owned(),
                namespace: or(given.namespace(), text("/request/namespace")),
                // With generateName the server has given the name already; request.name stays empty then.
                name: or(given.name(), text("/request/name")),
            },
            deleting: given.is_being_deleted(),
            spec: AgentRuntimeSpec::from_object(object)
                .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            before: before
                .and_then(|before| AgentRuntimeSpec::from_object(before).ok())
                .map(|spec| spec.skills)
                .unwrap_or_default(),
        })
    }

    /// Whether the answer depends on the rivals, so that they have to be looked up.
    pub fn wants_rivals(&self, extra: Extra) -> bool {
        self.operation != Operation::Delete && !(self.deleting && extra.pass_deleting) && self.spec.is_ok()
    }

    /// Whether the object may have skills after the request that it had not before. One that is being deleted must be able to lose
    /// its finalizers, and may be held by them for as long as anybody likes.
    pub fn may_bring_skills(&self) -> bool {
        let is_old = |skill: &Skill| self.before.contains(skill);
        let brings_none = self.spec.as_ref().is_ok_and(|spec| spec.skills.iter().all(is_old));
        self.operation != Operation::Delete && !(self.deleting && brings_none)
    }

    /// Judges the request.
    pub fn judge(&self, profile: &Profile, rivals: Rivals<'_>, extra: Extra) -> Answer {
        if self.operation == Operation::Delete || (self.deleting && extra.pass_deleting) {
            return Answer::allowed();
        }
        let spec = match &self.spec {
            Ok(spec) => spec,
            Err(message) => return Answer::refused(400, message.clone()),
        };
        if let Some(message) = verdict(profile, self.operation, &self.runtime, spec, rivals).message() {
            return Answer::refused(403, message);
        }
        let mut answer = Answer::allowed();
        if extra.strict && profile.mounts() {
            for finding in preflight::check(spec) {
                match finding.rule.severity {
                    Severity::Error => return Answer::refused(403, finding.to_string()),
                    Severity::Warning => answer.warnings.push(finding.to_string()),
                }
            }
        }
        answer
    }

    /// The AdmissionReview that answers this one.
    pub fn reply(&self, answer: &Answer) -> Value {
        let mut response = Map::new();
        response.insert("uid".into(), json!(self.uid));
        response.insert("allowed".into(), json!(answer.allowed));
        if !answer.allowed {
            let mut status = Map::new();
            status.insert("code".into(), json!(answer.code));
            status.insert("message".into(), json!(answer.message));
            let reason = match answer.code {
                403 => Some("Forbidden"),
                400 => Some("BadRequest"),
                500 => Some("InternalError"),
                _ => None,
            };
            if let Some(reason) = reason {
                status.insert("reason".into(), json!(reason));
            }
            response.insert("status".into(), Value::Object(status));
        }
        if !answer.warnings.is_empty() {
            response.insert("warnings".into(), json!(answer.warnings));
        }
        json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> &'static Profile {
        Profile::by_name("pr332-merged").unwrap()
    }

    fn request(operation: &str, object: &Value) -> Vec<u8> {
        json!({
            "apiVersion": API_VERSION, "kind": KIND,
            "request": {
                "uid": "u-1", "operation": operation, "namespace": "team1", "name": "weather",
                "kind": {"group": "agent.kagenti.dev", "version": "v1alpha1", "kind": "AgentRuntime"},
                "object": object,
            },
        })
        .to_string()
        .into_bytes()
    }

    fn runtime(skill: &str, path: &str) -> Value {
        json!({
            "metadata": {"name": "weather", "namespace": "team1"},
            "spec": {
                "type": "agent",
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
                "skills": [{"name": skill, "image": "quay.io/example/a:1", "mountPath": path}],
            },
        })
    }

    fn judged(object: &Value, extra: Extra) -> Answer {
        Review::read(profile(), &request("UPDATE", object)).unwrap().judge(profile(), Rivals::Unknown, extra)
    }

    /// The API server takes no answer with another uid, and shows users nothing but the message.
    #[test]
    fn an_answer_repeats_the_uid_and_carries_code_and_message() {
        let review = Review::read(profile(), &request("CREATE", &runtime("a", "/proc"))).unwrap();
        let answer = review.judge(profile(), Rivals::Unknown, Extra::default());
        assert_eq!(
            review.reply(&answer),
            json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": {
                    "uid": "u-1", "allowed": false,
                    "status": {
                        "code": 403, "reason": "Forbidden",
                        "message": "spec.skills[0]: mountPath \"/proc\" overlaps protected path \"/proc\"",
                    },
                },
            })
        );
        assert_eq!(
            review.reply(&Answer::allowed()),
            json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": {"uid": "u-1", "allowed": true},
            })
        );
    }

    /// A name of 58 characters passes CRD and webhook of the operator, and its volume is then refused (Q12).
    #[test]
    fn only_strict_refuses_what_the_operator_lets_through() {
        let long = runtime(&"a".repeat(58), "/skills/a");
        assert_eq!(judged(&long, Extra::default()), Answer::allowed());
        let answer = judged(&long, Extra { strict: true, ..Extra::default() });
        assert!(!answer.allowed && answer.code == 403, "{answer:?}");
        assert!(
            answer.message.starts_with("spec.skills[0].name: the volume of skill aaaa")
                && answer.message.ends_with("shorten the name to 57 characters"),
            "{}",
            answer.message
        );
        let odd = judged(&runtime("a", "/skills/a:b"), Extra { strict: true, ..Extra::default() });
        assert!(odd.allowed && odd.warnings.len() == 1, "{odd:?}");
        assert!(odd.warnings[0].contains("contains a colon"), "{}", odd.warnings[0]);
    }

    /// Q16: an object that became invalid could never lose its finalizer.
    #[test]
    fn an_object_that_is_being_deleted_passes_only_when_asked() {
        let mut object = runtime("a", "/proc");
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(!judged(&object, Extra::default()).allowed);
        assert!(judged(&object, Extra { pass_deleting: true, ..Extra::default() }).allowed);
    }

    #[test]
    fn a_spec_of_wrong_types_is_refused_with_every_field() {
        let mut object = runtime("a", "/a");
        object["spec"]["type"] = json!(1);
        object["spec"]["mtlsMode"] = json!(true);
        assert_eq!(
            judged(&object, Extra::default()),
            Answer::refused(
                400,
                "spec.type: must be a string, found integer; spec.mtlsMode: must be a string, found boolean"
            )
        );
    }

    #[test]
    fn what_is_no_review_is_distinguished() {
        let body = |kind: &str, version: &str| json!({"kind": kind, "apiVersion": version}).to_string();
        let read = |text: &str| Review::read(profile(), text.as_bytes()).unwrap_err();
        assert!(read("{").starts_with("the body is not JSON: "));
        assert_eq!(
            read(&body("AdmissionReview", "admission.k8s.io/v1beta1")),
            "the body is not an AdmissionReview of admission.k8s.io/v1, but kind \"AdmissionReview\" of \
             \"admission.k8s.io/v1beta1\""
        );
        assert_eq!(read(&body(KIND, API_VERSION)), "request.uid is missing");
        let other =
            String::from_utf8(request("CREATE", &runtime("a", "/a"))).unwrap().replace("kagenti", "rossoctl");
        assert_eq!(
            read(&other),
            "request.kind is agent.rossoctl.dev/v1alpha1 AgentRuntime, and this path judges \
             agent.kagenti.dev/v1alpha1 AgentRuntime"
        );
        let connect = String::from_utf8(request("CONNECT", &Value::Null)).unwrap();
        assert_eq!(
            read(&connect),
            "request.operation \"CONNECT\" is none that a webhook for this kind knows"
        );
        let empty = String::from_utf8(request("CREATE", &Value::Null)).unwrap();
        assert_eq!(read(&empty), "request.object is missing");
        let deleted = request("DELETE", &Value::Null);
        let review = Review::read(profile(), &deleted).unwrap();
        assert!(!review.wants_rivals(Extra::default()));
        assert_eq!(review.judge(profile(), Rivals::Unknown, Extra::default()), Answer::allowed());
    }
}
