//! A profile in, the schema of its AgentRuntime out. The status, which the API server takes from the operator alone,
//! is left to `status.rs`.
//!
//! Source: operator-spec.md section 9.2 and the CRD manifests at 565e337, 0c74a2a, 177ed3b, 72cb878, 61df0a4, 0bd664d
//! and d790f65 (fields and constraints; the descriptions are our own). The manifest at
//! a460834 could not be read: `rossoctl` has the fields of `head` by operator-spec.md section 0. Later commits of that
//! repository add `spec.auth` (fff8223) and `spec.pluginPreset`, `plugins`, `onError` (86a68b5),
//! which belong to none of our profiles.

use crate::api::profile::Profile;
use crate::crd::pattern::{MOUNT_PATH, SKILL_NAME, TRUST_DOMAIN};

use super::node::{Field, Node, Shape};
use super::status::status;

/// The schema of an AgentRuntime as the API server of a cluster with that profile's CRD holds it. Fields are in
/// alphabetical order.
pub fn agent_runtime(profile: &Profile) -> Node {
    object(
        "An agent or tool: which workload it is, and how the operator configures it.",
        vec![
            optional("apiVersion", text("Group and version of this object.")),
            optional("kind", text("Always AgentRuntime.")),
            optional("metadata", object("", Vec::new())),
            required("spec", spec(profile)),
            optional("status", status(profile)),
        ],
    )
}

fn spec(profile: &Profile) -> Node {
    let shape = &profile.crd;
    let mut fields = vec![optional(
        "authBridgeMode",
        one_of(
            &["proxy-sidecar", "envoy-sidecar", "lite", "waypoint"],
            "How the workload's traffic passes AuthBridge; the namespace's setting when absent.",
        ),
    )];
    if shape.tls_bridge {
        fields.push(optional(
            "egressEnforcement",
            one_of(
                &["enforce-redirect", "none"],
                "Whether egress that bypasses the proxy is redirected to it; the namespace's setting when absent.",
            ),
        ));
    }
    if shape.identity {
        fields.push(optional("identity", identity()));
    }
    let mtls = one_of(
        &["disabled", "permissive", "strict"],
        "Mutual TLS between AuthBridge sidecars: off, accepted, or demanded.",
    );
    fields.push(optional("mtlsMode", Node { default: shape.tls_bridge.then_some("permissive"), ..mtls }));
    if shape.skills {
        fields.push(optional("skills", skills()));
    }
    fields.push(required("targetRef", target_ref()));
    if shape.tls_bridge {
        let bridge = one_of(
            &["disabled", "enabled"],
            "Whether AuthBridge decrypts outbound HTTPS of the agent; wants a proxy-sidecar or lite AuthBridge.",
        );
        fields.push(optional("tlsBridgeMode", Node { default: Some("disabled"), ..bridge }));
    }
    if shape.trace {
        fields.push(optional("trace", trace()));
    }
    fields.push(required("type", one_of(&["agent", "tool"], "What the workload is.")));
    object("What is wanted of the workload.", fields)
}

fn identity() -> Node {
    let trust_domain = Node {
        pattern: Some(&TRUST_DOMAIN),
        ..text("Trust domain of the workload's SPIFFE ID; the operator's own when absent.")
    };
    object(
        "The workload's identity.",
        vec![
            optional("allowedAudiences", list(text(""), "Audiences that tokens for this workload may name.")),
            optional("spiffe", object("SPIFFE settings.", vec![optional("trustDomain", trust_domain)])),
        ],
    )
}

fn skills() -> Node {
    let name = Node {
        min_length: Some(1),
        max_length: Some(58),
        pattern: Some(&SKILL_NAME),
        ..text(
            "Name of the skill, once in the list. The volume is called skill-NAME, which admits 57 characters.",
        )
    };
    let mount_path = Node {
        min_length: Some(1),
        pattern: Some(&MOUNT_PATH),
        ..text("Absolute path in the agent container, once in the list; mounted read-only.")
    };
    let skill = object(
        "One skill image.",
        vec![
            required("image", non_empty("Reference of the OCI image with the skill's files.")),
            required("mountPath", mount_path),
            required("name", name),
            optional(
                "pullPolicy",
                one_of(
                    &["Always", "Never", "IfNotPresent"],
                    "When the image is pulled; by its tag when absent.",
                ),
            ),
        ],
    );
    Node { max_items: Some(20), ..list(skill, "Skill images that are mounted into the agent container.") }
}

fn target_ref() -> Node {
    object(
        "The workload, in the namespace of this object.",
        vec![
            required("apiVersion", non_empty("Group and version of the workload, such as apps/v1.")),
            required("kind", non_empty("Deployment, StatefulSet or Sandbox.")),
            required("name", non_empty("Name of the workload.")),
        ],
    )
}

fn trace() -> Node {
    let rate = Node {
        minimum: Some(0),
        maximum: Some(1),
        ..Node::new(Shape::Number, "Share of the traces that are kept, from 0 to 1.")
    };
    object(
        "Tracing of the workload.",
        vec![
            optional("endpoint", text("Where traces are sent.")),
            optional("protocol", one_of(&["grpc", "http"], "How they are sent.")),
            optional("sampling", object("Which traces are kept.", vec![required("rate", rate)])),
        ],
    )
}

pub(super) fn object(description: &'static str, fields: Vec<Field>) -> Node {
    Node::new(Shape::Object(fields), description)
}

pub(super) fn list(items: Node, description: &'static str) -> Node {
    Node::new(Shape::Array(Box::new(items)), description)
}

pub(super) fn text(description: &'static str) -> Node {
    Node::new(Shape::String, description)
}

pub(super) fn one_of(values: &'static [&'static str], description: &'static str) -> Node {
    Node { values, ..text(description) }
}

pub(super) fn optional(name: &'static str, node: Node) -> Field {
    Field { name, required: false, node }
}

pub(super) fn required(name: &'static str, node: Node) -> Field {
    Field { name, required: true, node }
}

pub(super) fn non_empty(description: &'static str) -> Node {
    Node { min_length: Some(1), ..text(description) }
}
