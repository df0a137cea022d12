//! A profile in, the schema of its AgentRuntime's `status` out. Source: as [`super::fields`].

use crate::api::profile::Profile;
use crate::crd::pattern::{CONDITION_REASON, CONDITION_TYPE};

use super::fields::{list, object, one_of, optional, required, text};
use super::node::{Field, Node, Shape};

/// The schema of `status`. The API server discards what users write there, so only the operator meets it.
pub(super) fn status(profile: &Profile) -> Node {
    let mut fields = vec![
        optional("card", card(profile)),
        optional("conditions", list(condition(), "What the operator last found, one entry for each type.")),
        optional(
            "configuredPods",
            Node {
                format: Some("int32"),
                ..Node::new(Shape::Integer, "Pods of the workload that carry its configuration.")
            },
        ),
    ];
    if profile.crd.linked_skills {
        fields.push(optional(
            "linkedSkills",
            list(text(""), "Names of the skills in the workload's skills annotation."),
        ));
    }
    if profile.status_phase {
        fields.push(optional("phase", one_of(&["Pending", "Active", "Error"], "Summary of the conditions.")));
    } else {
        fields.push(optional("observedGeneration", generation("Generation that the status is about.", None)));
    }
    object("What the operator found.", fields)
}

fn card(profile: &Profile) -> Node {
    let fetched = profile.crd.card_fetched;
    let mut fields = vec![
        optional("attestedAgentSpiffeID", text("SPIFFE ID that the agent proved.")),
        optional("capabilities", capabilities()),
    ];
    fields.push(if fetched {
        optional("cardHash", text("SHA-256 of the card."))
    } else {
        optional("cardId", text("SHA-256 of the card."))
    });
    fields.extend([
        optional("defaultInputModes", texts("Media types that the agent takes.")),
        optional("defaultOutputModes", texts("Media types that the agent gives.")),
        optional("description", text("What the agent is for.")),
        optional("documentationUrl", text("Where its documentation is.")),
    ]);
    if !fetched {
        fields.push(optional("fetchedAt", time("When the card was fetched.")));
    }
    fields.push(optional("iconUrl", text("Where its icon is.")));
    if fetched {
        fields.push(optional("lastCardFetchTime", time("When the card was last fetched.")));
    }
    fields.extend([
        optional("name", text("Name of the agent.")),
        optional("protocol", text("Protocol that the agent speaks, such as a2a.")),
        optional(
            "provider",
            object(
                "Who provides the agent.",
                vec![optional("organization", text("Its name.")), optional("url", text("Its website."))],
            ),
        ),
        optional("signatureKeyID", text("Key of the signature that was verified.")),
        optional("signatureVerificationDetails", text("What the verification found.")),
        optional("signatures", list(signature(), "Signatures of the card.")),
        optional("skills", list(skill(), "What the agent says it can do; not the mounted skill images.")),
        optional(
            "supportsAuthenticatedExtendedCard",
            flag("Whether there is a fuller card for known callers."),
        ),
    ]);
    if fetched {
        fields.push(optional(
            "transportSecurity",
            one_of(&["mtls", "http"], "How the connection was secured that fetched the card."),
        ));
    }
    fields.extend([
        optional("url", text("Where the agent answers.")),
        optional("validSignature", flag("Whether a signature held.")),
        optional("version", text("Version of the agent.")),
    ]);
    object("The agent's A2A card.", fields)
}

fn capabilities() -> Node {
    let parameters = Node::new(Shape::Map(Box::new(Node::new(Shape::Any, ""))), "Settings of the extension.");
    let extension = object(
        "One protocol extension.",
        vec![
            optional("description", text("How the agent uses it.")),
            optional("params", parameters),
            optional("required", flag("Whether callers must know it.")),
            optional("uri", text("What identifies it.")),
        ],
    );
    object(
        "What the agent supports of A2A.",
        vec![
            optional("extensions", list(extension, "Protocol extensions.")),
            optional("pushNotifications", flag("Whether it notifies callers.")),
            optional("streaming", flag("Whether it streams answers.")),
        ],
    )
}

fn signature() -> Node {
    object(
        "One JSON Web Signature.",
        vec![
            optional(
                "header",
                object("Unprotected header.", vec![optional("timestamp", text("When it was signed."))]),
            ),
            required("protected", text("Protected header, base64url.")),
            required("signature", text("Signature, base64url.")),
        ],
    )
}

fn skill() -> Node {
    let parameter = object(
        "One parameter.",
        vec![
            optional("default", text("Value when it is not given.")),
            optional("description", text("What it is for.")),
            optional("name", text("Its name.")),
            optional("required", flag("Whether it must be given.")),
            optional("type", text("Its type.")),
        ],
    );
    object(
        "One ability of the agent.",
        vec![
            optional("description", text("What it does.")),
            optional("examples", texts("Prompts that it answers.")),
            optional("id", text("What identifies it.")),
            optional("inputModes", texts("Media types that it takes.")),
            optional("name", text("Its name.")),
            optional("outputModes", texts("Media types that it gives.")),
            optional("parameters", list(parameter, "Its parameters.")),
            optional("tags", texts("Keywords.")),
        ],
    )
}

pub(super) fn condition() -> Node {
    let field = |name, node| Field { name, required: true, node };
    object(
        "One condition.",
        vec![
            field("lastTransitionTime", time("When the status last changed.")),
            field("message", Node { max_length: Some(32768), ..text("Explanation for people.") }),
            optional("observedGeneration", generation("Generation that the condition is about.", Some(0))),
            field(
                "reason",
                Node {
                    min_length: Some(1),
                    max_length: Some(1024),
                    pattern: Some(&CONDITION_REASON),
                    ..text("Explanation for programs.")
                },
            ),
            field("status", one_of(&["True", "False", "Unknown"], "Whether it holds.")),
            field(
                "type",
                Node {
                    max_length: Some(316),
                    pattern: Some(&CONDITION_TYPE),
                    ..text("What the condition is about.")
                },
            ),
        ],
    )
}

pub(super) fn generation(description: &'static str, minimum: Option<i32>) -> Node {
    Node { format: Some("int64"), minimum, ..Node::new(Shape::Integer, description) }
}

fn flag(description: &'static str) -> Node {
    Node::new(Shape::Boolean, description)
}

pub(super) fn texts(description: &'static str) -> Node {
    list(text(""), description)
}

fn time(description: &'static str) -> Node {
    Node { format: Some("date-time"), ..text(description) }
}
