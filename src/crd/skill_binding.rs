//! The CustomResourceDefinition of SkillBinding, as a value or as YAML text: which skills a workload has, with any operator
//! and with none. What is done about them is left to the plan and to the policies over pods.
//!
//! `targetRef` and `skills` are those of the AgentRuntime of [`super::fields`], so that a list moves by changing kind and
//! apiVersion. There is no webhook: what it checks of an AgentRuntime, rules in CEL check here, and with them whatever
//! would make a pod that the API server refuses.

mod rules;

use serde_json::{Value, json};

use super::fields::{list, non_empty, object, one_of, optional, required, text};
use super::node::{Node, Shape};
use super::pattern::{API_VERSION, HOME, MOUNT_PATH, SKILL_NAME};
use super::status::{condition, generation, texts};
use crate::api::agent_location::NAMES;
use crate::api::names::{SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::yaml::emit;

/// Plural of the resource.
pub const PLURAL: &str = "skillbindings";

/// Kinds whose pods can be identified by their owners and labels, as group and kind: what `delivery: Pod` can target.
pub const POD_OWNERS: [(&str, &str); 9] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("agents.x-k8s.io", "Sandbox"),
    ("argoproj.io", "Rollout"),
    ("serving.knative.dev", "Service"),
];

/// Name of the CustomResourceDefinition.
pub fn name() -> String {
    format!("{PLURAL}.{SKILLS_GROUP}")
}

/// The CustomResourceDefinition (`apiextensions.k8s.io/v1`).
pub fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name()},
        "spec": {
            "group": SKILLS_GROUP,
            "names": {
                "kind": SKILL_BINDING,
                "listKind": format!("{SKILL_BINDING}List"),
                "plural": PLURAL,
                "shortNames": ["skb"],
                "singular": "skillbinding",
            },
            "scope": "Namespaced",
            "versions": [{
                "additionalPrinterColumns": columns(),
                "name": VERSION,
                "schema": {"openAPIV3Schema": schema().to_value()},
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
            }],
        },
    })
}

/// The definition as one YAML document, ending with a line feed.
pub fn yaml() -> String {
    emit::document(&definition())
}

fn columns() -> Value {
    let text = |name: &str, path: &str| json!({"jsonPath": path, "name": name, "type": "string"});
    json!([
        text("Target", ".spec.targetRef.name"),
        text("Delivery", ".spec.delivery"),
        text("Rollout", ".spec.rollout"),
        text("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        {"jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
    ])
}

/// The schema of a SkillBinding. Fields are in alphabetical order.
pub fn schema() -> Node {
    object(
        "Which skills a workload has: OCI images that are mounted into its agent container.",
        vec![
            optional("apiVersion", text("Group and version of this object.")),
            optional("kind", text("Always SkillBinding.")),
            optional("metadata", object("", Vec::new())),
            required("spec", spec()),
            optional("status", status()),
        ],
    )
}

fn spec() -> Node {
    let container = Node {
        min_length: Some(1),
        max_length: Some(63),
        pattern: Some(&SKILL_NAME),
        ..text(
            "The agent's container; else the one that the annotation kubectl.kubernetes.io/default-container of the pod \
             names, or the first.",
        )
    };
    let home = Node {
        max_length: Some(256),
        pattern: Some(&HOME),
        rules: rules::home(),
        ..text("Home folder of the agent container's user, for a runtime that looks below it.")
    };
    let delivery = Node {
        default: Some("Workload"),
        ..one_of(
            &["Workload", "Pod"],
            "Where skills are written: into the workload's pod template, or into each pod when it is created.",
        )
    };
    let rollout = Node {
        default: Some("Auto"),
        ..one_of(
            &["Auto", "Manual"],
            "Whether pods are replaced when skills change, or stay until somebody restarts them.",
        )
    };
    let fields = vec![
        optional("container", container),
        optional("delivery", delivery),
        optional("home", home),
        optional("rollout", rollout),
        optional(
            "runtime",
            one_of(&NAMES, "The agent's runtime: where it looks for skills and how it is led there."),
        ),
        optional("selector", selector()),
        required("skills", skills()),
        optional("targetRef", target_ref()),
    ];
    Node { rules: rules::spec(), ..object("What is wanted.", fields) }
}

fn skills() -> Node {
    let name = Node {
        min_length: Some(1),
        max_length: Some(57),
        pattern: Some(&SKILL_NAME),
        ..text("Name of the skill, once in the list. The volume is called skill-NAME.")
    };
    let image = Node {
        max_length: Some(1024),
        rules: rules::image(),
        ..non_empty("Reference of the OCI image with the skill's files.")
    };
    let mount_path = Node {
        min_length: Some(1),
        max_length: Some(1024),
        pattern: Some(&MOUNT_PATH),
        rules: rules::mount_path(),
        ..text(
            "Absolute path in the agent container, once in the list; mounted read-only. Without it the folder of the \
             skill's name below the root of runtime.",
        )
    };
    let sub_path = Node {
        min_length: Some(1),
        max_length: Some(1024),
        rules: rules::sub_path(),
        ..text("Folder of the image that is mounted in place of its root (Kubernetes 1.33 or newer).")
    };
    let policy =
        one_of(&["Always", "Never", "IfNotPresent"], "When the image is pulled; by its tag when absent.");
    let skill = object(
        "One skill image.",
        vec![
            required("image", image),
            optional("mountPath", mount_path),
            required("name", name),
            optional("pullPolicy", policy),
            optional("subPath", sub_path),
        ],
    );
    Node {
        min_items: Some(1),
        max_items: Some(20),
        ..list(skill, "Skill images that are mounted into the agent container.")
    }
}

fn target_ref() -> Node {
    let bounded = |description, length| Node { max_length: Some(length), ..non_empty(description) };
    let version = Node {
        pattern: Some(&API_VERSION),
        ..bounded("Group and version of the workload, such as apps/v1.", 317)
    };
    object(
        "The workload, in the namespace of this object.",
        vec![
            required("apiVersion", version),
            required("kind", bounded("Its kind, such as Deployment: any with a pod template.", 63)),
            required("name", bounded("Its name.", 253)),
        ],
    )
}

/// `metav1.LabelSelector`, never empty.
fn selector() -> Node {
    let value = |description| Node { max_length: Some(63), ..text(description) };
    let key = || Node { max_length: Some(317), ..non_empty("Key of a label.") };
    let values = Node { max_items: Some(50), ..list(value(""), "Values, for In and NotIn.") };
    let requirement = Node {
        rules: rules::requirement(),
        ..object(
            "What holds of one label.",
            vec![
                required("key", key()),
                required(
                    "operator",
                    one_of(&["In", "NotIn", "Exists", "DoesNotExist"], "How it relates to the values."),
                ),
                optional("values", values),
            ],
        )
    };
    let labels = Node {
        max_items: Some(20),
        ..Node::new(Shape::Map(Box::new(value(""))), "Labels and their values, all of which pods have.")
    };
    let expressions = Node { max_items: Some(20), ..list(requirement, "Requirements, all of which hold.") };
    Node {
        rules: rules::selector(),
        ..object(
            "Pods by their labels, which are those of the pod template, in the namespace of this object.",
            vec![optional("matchExpressions", expressions), optional("matchLabels", labels)],
        )
    }
}

fn status() -> Node {
    let count = |description| Node { format: Some("int32"), ..Node::new(Shape::Integer, description) };
    let pods = object(
        "Its pods, by what skills they have.",
        vec![
            optional("desired", count("Pods that the workload wants.")),
            optional("ready", count("Pods that are ready.")),
            optional("stale", count("Pods with the skills of an earlier state of this object.")),
            optional("upToDate", count("Pods with the skills that are wanted.")),
            optional("without", count("Pods without skills of this object.")),
        ],
    );
    let workload = object(
        "One workload.",
        vec![
            required("apiVersion", text("Its group and version.")),
            required("kind", text("Its kind.")),
            required("name", text("Its name.")),
            optional("pods", pods),
        ],
    );
    let skill = object(
        "One skill.",
        vec![
            optional("digests", texts("Digests of the image that pods report.")),
            optional("image", text("Reference of the image.")),
            required("name", text("Its name.")),
        ],
    );
    object(
        "What was found.",
        vec![
            optional("conditions", list(condition(), "What was last found, one entry for each type.")),
            optional("observedGeneration", generation("Generation that the status is about.", None)),
            optional("skills", list(skill, "The skills, as pods have them.")),
            optional("workloads", list(workload, "The workloads that have the skills.")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::profile::Profile;
    use crate::crd::fields::agent_runtime;

    fn field<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
        path.iter().fold(node, |node, key| {
            let node = match &node.shape {
                Shape::Array(items) => items,
                _ => node,
            };
            node.child(key).expect("a field")
        })
    }

    /// A list moves between the kinds by changing kind and apiVersion: no field of it may be unknown here.
    #[test]
    fn the_fields_of_the_agent_runtimes_list_are_there() {
        let profile = Profile::by_name("no-trace").expect("a profile");
        let (theirs, ours) = (agent_runtime(profile), schema());
        for key in ["image", "mountPath", "name", "pullPolicy"] {
            let path = ["spec", "skills", key];
            let (theirs, ours) = (field(&theirs, &path), field(&ours, &path));
            assert_eq!(
                (theirs.pattern, &theirs.values, &theirs.shape),
                (ours.pattern, &ours.values, &ours.shape),
                "{key}"
            );
        }
        let target = |node| {
            let fields = field(node, &["spec", "targetRef"]).fields();
            fields.iter().map(|field| (field.name, field.required)).collect::<Vec<_>>()
        };
        assert_eq!(target(&theirs), target(&ours));
    }

    #[test]
    fn the_text_reads_back_as_the_definition() {
        let read: Value = serde_saphyr::from_str(&yaml()).expect("YAML");
        assert_eq!(read, definition());
    }
}
