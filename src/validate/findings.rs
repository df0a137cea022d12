//! What is wrong with an AgentRuntime or its workload, as data: who it is about, the field, the rule and its severity.
//! Finding it is left to [`super::schema`], [`super::webhook`], [`super::preflight`] and the plan.

use std::fmt;

use crate::api::object::ObjectRef;
use crate::yaml::{self, Step};

/// Which object a finding is about, and so whose file has to be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum About {
    /// The AgentRuntime.
    Runtime,
    /// Its workload.
    Workload,
}

/// What a finding does, the same for every verb, the controller and the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The API server or the webhook refuses the object, or the plan cannot be carried out: nothing is written.
    Error,
    /// The API server takes the workload, but its container may not start, or not run what its author meant: written, and
    /// reported.
    Warning,
}

/// A rule that findings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Rule {
    /// Stable id for machines.
    pub id: &'static str,
    /// What breaking it does.
    pub severity: Severity,
    /// Which object breaks it.
    pub about: About,
    /// The quirk of the operator (operator-spec.md section 11) that lets it through; empty if there is none.
    pub quirk: &'static str,
}

/// All rules: the only table of severities.
pub mod rules {
    use super::{About, Rule, Severity};

    const fn runtime(id: &'static str) -> Rule {
        Rule { id, severity: Severity::Error, about: About::Runtime, quirk: "" }
    }
    const fn workload(id: &'static str) -> Rule {
        Rule { about: About::Workload, ..runtime(id) }
    }
    const fn may_not_start(id: &'static str) -> Rule {
        Rule { severity: Severity::Warning, ..runtime(id) }
    }

    /// A field of `spec` has a type that Go's decoder does not take.
    pub const SPEC_TYPE: Rule = runtime("spec-type");
    /// The AgentRuntime is of another API group than the profile reads.
    pub const GROUP: Rule = runtime("group");
    /// The CRD's schema, or the API server's rules for metadata.
    pub const SCHEMA: Rule = runtime("schema");
    /// Another AgentRuntime has the same target: the webhook's rule.
    pub const WEBHOOK_TARGET: Rule = runtime("webhook-target");
    /// `mtlsMode` with `envoy-sidecar`.
    pub const WEBHOOK_MTLS: Rule = runtime("webhook-mtls");
    /// `tlsBridgeMode` without a proxy.
    pub const WEBHOOK_TLS_BRIDGE: Rule = runtime("webhook-tls-bridge");
    /// Two skills of one name.
    pub const WEBHOOK_SKILL_NAME: Rule = runtime("webhook-skill-name");
    /// Two skills with one mountPath.
    pub const WEBHOOK_SKILL_PATH: Rule = runtime("webhook-skill-path");
    /// A mountPath that the webhook does not allow.
    pub const WEBHOOK_PROTECTED_PATH: Rule = runtime("webhook-protected-path");
    /// Another AgentRuntime has the workload: our rule ([`crate::plan::claims`]).
    pub const TARGET_CLAIMED: Rule = Rule { quirk: "Q15", ..runtime("target-claimed") };
    /// Two lists of skills for one workload that do not go together ([`crate::plan::bindings`]).
    pub const BINDING_CLASH: Rule = runtime("binding-clash");
    /// More skills of several lists than one workload gets ([`crate::plan::bindings`]).
    pub const SKILLS_TOO_MANY: Rule = runtime("too-many-skills");
    /// The target cannot be resolved.
    pub const TARGET_NOT_FOUND: Rule = runtime("target-not-found");
    /// The name of a skill's volume is too long.
    pub const VOLUME_NAME_LENGTH: Rule = Rule { quirk: "Q12", ..runtime("volume-name-length") };
    /// The name of a skill's volume is no DNS label.
    pub const VOLUME_NAME: Rule = runtime("volume-name");
    /// The workload has another volume of a skill's name.
    pub const VOLUME_TAKEN: Rule = runtime("volume-taken");
    /// The workload has another container of the name that a skill's init container needs.
    pub const CONTAINER_TAKEN: Rule = runtime("container-taken");
    /// A skill cannot be delivered in the way that was asked for.
    pub const DELIVERY: Rule = runtime("delivery");
    /// Two skills need one volume.
    pub const VOLUME_TWICE: Rule = runtime("volume-twice");
    /// A skill without an image.
    pub const IMAGE_EMPTY: Rule = runtime("image-empty");
    /// An image that the lock does not have.
    pub const LOCK_MISSING: Rule = runtime("lock-missing");
    /// An image that is written with another digest than the lock has.
    pub const LOCK_DIFFERS: Rule = runtime("lock-differs");
    /// Text that the kubelet does not read as an image reference.
    pub const IMAGE_REFERENCE: Rule = Rule { quirk: "Q27", ..runtime("image-reference") };
    /// An image without a tag, or with the tag `latest`.
    pub const IMAGE_MOVES: Rule = may_not_start("image-moves");
    /// A field that something was to be put into before us.
    pub const PLACEHOLDER: Rule = may_not_start("placeholder");
    /// A skill without a mountPath.
    pub const MOUNT_PATH_EMPTY: Rule = runtime("mount-path-empty");
    /// A field that the CRD does not know, and the API server drops.
    pub const UNKNOWN_FIELD: Rule = may_not_start("unknown-field");
    /// A relative mountPath.
    pub const MOUNT_PATH_RELATIVE: Rule = may_not_start("mount-path-relative");
    /// A colon in a mountPath.
    pub const MOUNT_PATH_COLON: Rule = may_not_start("mount-path-colon");
    /// A mountPath that is the root of the file system.
    pub const MOUNT_PATH_ROOT: Rule = Rule { quirk: "Q28", ..runtime("mount-path-root") };
    /// A mountPath that hides a folder of the system.
    pub const MOUNT_PATH_SYSTEM: Rule = Rule { quirk: "Q28", ..may_not_start("mount-path-system") };
    /// A mountPath that the container or another skill has already.
    pub const MOUNT_PATH_TAKEN: Rule = Rule { quirk: "Q21", ..runtime("mount-path-taken") };
    /// A mountPath that `SKILL_FOLDERS` cannot name.
    pub const SKILL_FOLDERS_PATH: Rule = runtime("skill-folders-path");
    /// `SKILL_FOLDERS` of the container is not a plain value.
    pub const SKILL_FOLDERS_SOURCE: Rule = workload("skill-folders-source");
    /// The pod has no such container, or none at all.
    pub const CONTAINER: Rule = workload("container");
    /// The same where a SkillBinding names it.
    pub const CONTAINER_NAMED: Rule = runtime("container");
    /// The image of a skill is of a registry that the policy does not allow ([`crate::validate::policy`], as all below).
    pub const POLICY_REGISTRY: Rule = runtime("policy-registry");
    /// It is not named by digest.
    pub const POLICY_PINNED: Rule = runtime("policy-pinned");
    /// The lock does not know it.
    pub const POLICY_LOCKED: Rule = runtime("policy-locked");
    /// Nobody whom the policy names signed it.
    pub const POLICY_SIGNATURE: Rule = runtime("policy-signature");
    /// Its licence is not allowed.
    pub const POLICY_LICENSE: Rule = runtime("policy-license");
    /// It asks for tools that are not allowed.
    pub const POLICY_TOOLS: Rule = runtime("policy-tools");
    /// It is larger than allowed.
    pub const POLICY_SIZE: Rule = runtime("policy-size");
    /// It lacks an attestation.
    pub const POLICY_ATTESTATION: Rule = runtime("policy-attestation");
    /// All skills of an agent are more than allowed.
    pub const POLICY_AGENT: Rule = runtime("policy-agent");
    /// A field of the workload has the wrong type.
    pub const WORKLOAD_TYPE: Rule = workload("workload-type");
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The field; empty for the whole object.
    pub path: Vec<Step>,
    /// What is wrong, lower case, no final stop, without the field.
    pub message: String,
    /// How to mend it; empty if the message says it.
    pub help: String,
    /// The object that it is about, where that is neither the AgentRuntime or SkillBinding that is judged nor its workload.
    pub of: Option<ObjectRef>,
}

impl Finding {
    /// A finding whose message says how to mend it.
    pub fn new(rule: &'static Rule, path: Vec<Step>, message: impl Into<String>) -> Self {
        Self { rule, path, message: message.into(), help: String::new(), of: None }
    }

    /// Whether it keeps anything from being written.
    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }

    /// The field as messages name it, such as `spec.skills[0].name`.
    pub fn field(&self) -> String {
        yaml::path::display(&self.path).to_string()
    }
}

/// `spec.skills[0].name: message`, without the help.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", yaml::path::display(&self.path))?;
        }
        f.write_str(&self.message)
    }
}

/// The path of a field of a skill; of the skill itself if `field` is empty.
pub fn skill_path(index: usize, field: &'static str) -> Vec<Step> {
    let mut path = vec!["spec".into(), "skills".into(), index.into()];
    path.extend((!field.is_empty()).then(|| Step::from(field)));
    path
}
