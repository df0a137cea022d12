//! An AdmissionReview about a pod in, the pod and who asks out; what becomes of the pod in, the answering AdmissionReview out.
//! What becomes of it is left to [`crate::plan::pod_injection`], transport to the binary.

use serde_json::{Map, Value, json};

use super::admission_review::{API_VERSION, KIND};
use crate::api::object::Object;

/// What the webhook is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct PodReview {
    /// Repeated in the answer, or the API server refuses it.
    pub uid: String,
    /// The namespace in which the pod is created; it need not say so itself.
    pub namespace: String,
    /// The pod.
    pub pod: Value,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodAnswer {
    /// The pod passes as it is.
    Allowed,
    /// It passes with this JSON patch, in base64, as the API wants it.
    Patched {
        /// The patch.
        patch: String,
        /// Shown to the client.
        warnings: Vec<String>,
    },
    /// It does not pass.
    Refused(String),
}

impl PodReview {
    /// Reads a request about a new pod; none for anything else, which passes.
    ///
    /// # Errors
    /// What keeps it from being an AdmissionReview; such a request gets none in answer.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let mut review: Value =
            serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        let text = |pointer: &str| Object(&review).str(pointer).to_owned();
        if (text("/kind").as_str(), text("/apiVersion").as_str()) != (KIND, API_VERSION) {
            return Err(format!("the body is not an {KIND} of {API_VERSION}"));
        }
        let (uid, namespace) = (text("/request/uid"), text("/request/namespace"));
        if uid.is_empty() {
            return Err("request.uid is missing".to_owned());
        }
        let kind = (text("/request/kind/group"), text("/request/kind/version"), text("/request/kind/kind"));
        if (kind.0.as_str(), kind.1.as_str(), kind.2.as_str()) != ("", "v1", "Pod") {
            return Err(format!(
                "request.kind is {}/{} {}, and this path takes v1 Pods",
                kind.0, kind.1, kind.2
            ));
        }
        if text("/request/operation") != "CREATE" || !text("/request/subResource").is_empty() {
            return Err("only the creation of pods is asked here".to_owned());
        }
        let pod = review.pointer_mut("/request/object").map(Value::take).filter(Value::is_object);
        Ok(Self { uid, namespace, pod: pod.ok_or("request.object is missing")? })
    }

    /// The AdmissionReview that answers this one.
    pub fn reply(&self, answer: &PodAnswer) -> Value {
        let mut response = Map::new();
        response.insert("uid".into(), json!(self.uid));
        response.insert("allowed".into(), json!(!matches!(answer, PodAnswer::Refused(_))));
        match answer {
            PodAnswer::Allowed => {}
            PodAnswer::Patched { patch, warnings } => {
                response.insert("patchType".into(), json!("JSONPatch"));
                response.insert("patch".into(), json!(patch));
                if !warnings.is_empty() {
                    response.insert("warnings".into(), json!(warnings));
                }
            }
            PodAnswer::Refused(message) => {
                response
                    .insert("status".into(), json!({"code": 403, "message": message, "reason": "Forbidden"}));
            }
        }
        json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(request: Value) -> Result<PodReview, String> {
        PodReview::read(
            json!({"apiVersion": API_VERSION, "kind": KIND, "request": request}).to_string().as_bytes(),
        )
    }

    #[test]
    fn a_review_of_a_new_pod_is_read_and_answered() {
        let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
        let pod = json!({"metadata": {"generateName": "w-"}, "spec": {}});
        let read =
            review(json!({"uid": "u", "namespace": "n", "kind": kind, "operation": "CREATE", "object": pod}));
        let read = read.expect("a review");
        assert_eq!(read, PodReview { uid: "u".into(), namespace: "n".into(), pod });
        assert_eq!(read.reply(&PodAnswer::Allowed)["response"], json!({"uid": "u", "allowed": true}));
        assert_eq!(
            read.reply(&PodAnswer::Patched { patch: "W10=".into(), warnings: vec!["w".into()] })["response"],
            json!({"uid": "u", "allowed": true, "patchType": "JSONPatch", "patch": "W10=", "warnings": ["w"]})
        );
        assert_eq!(
            read.reply(&PodAnswer::Refused("no".into()))["response"],
            json!({"uid": "u", "allowed": false, "status": {"code": 403, "message": "no", "reason": "Forbidden"}})
        );
        for (request, wanted) in [
            (json!({}), "request.uid is missing"),
            (
                json!({"uid": "u", "kind": {"group": "apps", "version": "v1", "kind": "Pod"}}),
                "request.kind is apps/v1 Pod, and this path takes v1 Pods",
            ),
            (
                json!({"uid": "u", "kind": kind, "operation": "UPDATE"}),
                "only the creation of pods is asked here",
            ),
            (
                json!({"uid": "u", "kind": kind, "operation": "CREATE", "subResource": "binding"}),
                "only the creation of pods is asked here",
            ),
            (json!({"uid": "u", "kind": kind, "operation": "CREATE"}), "request.object is missing"),
        ] {
            assert_eq!(review(request), Err(wanted.to_owned()));
        }
    }
}
