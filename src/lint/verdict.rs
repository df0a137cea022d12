//! The pages of the rules by which API server, webhook and plan judge: the same findings as those of `validate` and `render`.
//! What breaks them is decided in [`crate::validate`] and [`crate::plan`].

use super::rule::rules;

const CRD: &str = "the CRD of AgentRuntime, as the profile has it";
const WEBHOOK: &str = "the operator's webhook, internal/webhook/v1alpha1/agentruntime_webhook.go";
const API: &str = "the API server's validation of pod templates, Kubernetes 1.37";
const KUBELET: &str = "github.com/distribution/reference, which the kubelet asks";
const POLICY: &str = "docs/policy.md";
const LOCK: &str = "docs/pinning.md";
const PLAN: &str = "docs/compatibility.md";

rules! {
    REFUSED = "refused" Error choice {
        "what render refuses and no other rule names: an object twice, a configuration that cannot be read",
        "Nothing would be rendered or applied of the whole input.",
        "Do what the message says.", PLAN
    }
    ADVICE = "advice" Warning choice {
        "what render warns of and no other rule names",
        "The result is safe, and not what the operator or the author would expect.",
        "Do what the message says.", PLAN
    }
    SPEC_TYPE = "spec-type" Error author {
        "a field of spec that has a type which Go's decoder does not take",
        "The operator cannot read the object, and does nothing for it.",
        "Write a value of the type that the message names.", CRD
    }
    GROUP = "group" Error choice {
        "an AgentRuntime of another API group than the profile reads",
        "The operator never sees it.",
        "Choose the profile of its group, or move the object to the other group.", CRD
    }
    SCHEMA = "schema" Error author {
        "an object that the schema of its CRD refuses",
        "The API server does not take it.",
        "Write the value as the message says.", CRD
    }
    WEBHOOK_TARGET = "webhook-target" Error choice {
        "two AgentRuntimes with one target",
        "The operator's webhook refuses the second.",
        "Put both lists of skills into one AgentRuntime.", WEBHOOK
    }
    WEBHOOK_MTLS = "webhook-mtls" Error choice {
        "mtlsMode together with the mode envoy-sidecar",
        "The operator's webhook refuses it.",
        "Leave one of them out.", WEBHOOK
    }
    WEBHOOK_TLS_BRIDGE = "webhook-tls-bridge" Error choice {
        "tlsBridgeMode without a proxy that could do it",
        "The operator's webhook refuses it.",
        "Leave it out, or choose a mode with a proxy.", WEBHOOK
    }
    WEBHOOK_SKILL_NAME = "webhook-skill-name" Error choice {
        "two skills of one name in a list",
        "The operator's webhook refuses it, and both would need one volume.",
        "Give one of them another name.", WEBHOOK
    }
    WEBHOOK_SKILL_PATH = "webhook-skill-path" Error choice {
        "two skills with one mountPath in a list",
        "The operator's webhook refuses it, and one would hide the other.",
        "Give each skill a folder of its own.", WEBHOOK
    }
    WEBHOOK_PROTECTED_PATH = "webhook-protected-path" Error choice {
        "a mountPath in a folder that the webhook protects: /proc, /sys, /dev, /var/run/secrets",
        "The operator's webhook refuses it.",
        "Mount the skill elsewhere, such as below /app/skills.", WEBHOOK
    }
    TARGET_CLAIMED = "target-claimed" Error choice {
        "an AgentRuntime whose workload an older one has",
        "Both would write the same workload in turn.",
        "Put both lists of skills into one AgentRuntime.", PLAN
    }
    BINDING_CLASH = "binding-clash" Error choice {
        "two lists of skills for one workload that do not go together",
        "A pod has one volume of a name, one mount at a path and one agent container.",
        "Rename or move one of the skills, or point both lists at the same container and runtime.", "docs/skill-binding.md"
    }
    SKILLS_TOO_MANY = "too-many-skills" Error choice {
        "a workload that gets more than 200 skills from all of its lists together",
        "Each list whose selector takes the workload adds to it, and so many are a selector that takes too much.",
        "Let each list choose its own workloads, by targetRef or a narrower selector.", "docs/skill-binding.md"
    }
    TARGET_NOT_FOUND = "target-not-found" Error author {
        "a targetRef that names no workload",
        "The skills are mounted nowhere.",
        "Correct kind and name of targetRef.", "operator-spec: TargetNotFound"
    }
    VOLUME_NAME_LENGTH = "volume-name-length" Error choice {
        "a skill's name that is too long for its volume's name",
        "The CRD takes 58 characters and a volume's name 57 after skill-, so the update of the workload fails for ever.",
        "Shorten the name to 57 characters.", API
    }
    VOLUME_NAME = "volume-name" Error choice {
        "a skill's name that makes no volume name",
        "The API server refuses the workload.",
        "Use lower-case letters, digits and dashes.", API
    }
    VOLUME_TAKEN = "volume-taken" Error choice {
        "a volume of the workload that has a skill's name and is another",
        "The skill would take its place.",
        "Rename the volume or the skill.", PLAN
    }
    CONTAINER_TAKEN = "container-taken" Error choice {
        "a container of the workload that has the name of the init container of a skill (render --delivery init)",
        "A pod has one container of a name.",
        "Rename the container or the skill.", API
    }
    DELIVERY = "delivery" Error choice {
        "a skill that cannot be delivered as --delivery says: the input has no ConfigMap that shows it",
        "The agent would be without the skill.",
        "Pack its folder into a ConfigMap, or take another way of delivery.", PLAN
    }
    VOLUME_TWICE = "volume-twice" Error choice {
        "two skills that need one volume",
        "A pod has one volume of a name.",
        "Rename one of the skills.", API
    }
    IMAGE_EMPTY = "image-empty" Error author {
        "a skill without an image",
        "There is nothing to mount.",
        "Name an OCI image.", API
    }
    LOCK_MISSING = "lock-missing" Error outside {
        "an image that the lock does not have",
        "What is not locked is not pinned.",
        "Run kubectl skills lock.", LOCK
    }
    LOCK_DIFFERS = "lock-differs" Error choice {
        "an image that is written with another digest than the lock has",
        "One of both is not what was reviewed.",
        "Run kubectl skills lock, or write the digest of the lock.", LOCK
    }
    IMAGE_REFERENCE = "image-reference" Error author {
        "text that is no image reference",
        "The API server takes any text; the kubelet does not, and the pod ends in InvalidImageName.",
        "Write registry/name:tag or registry/name@sha256:digest, in lower case and without a scheme.", KUBELET
    }
    IMAGE_MOVES = "image-moves" Warning author {
        "an image without a tag, or with the tag latest",
        "Pods that start later may get another skill, and nothing that is hashed changes.",
        "Name a version or a digest; kubectl skills lock finds it.", KUBELET
    }
    PLACEHOLDER = "placeholder" Warning author {
        "a field that still holds a placeholder such as ${TAG} or {{ .Values.tag }}",
        "The placeholder goes into hash and pod as it stands.",
        "Lint what the templating step prints.", "envsubst, Flux postBuild, Helm"
    }
    MOUNT_PATH_EMPTY = "mount-path-empty" Error author {
        "a skill without a mountPath",
        "The API server refuses the workload.",
        "Give an absolute path.", API
    }
    UNKNOWN_FIELD = "unknown-field" Warning choice {
        "a field that the CRD does not know",
        "The API server drops it without a word.",
        "Correct its name, or take it out.", CRD
    }
    MOUNT_PATH_RELATIVE = "mount-path-relative" Warning choice {
        "a relative mountPath",
        "Container runtimes differ in what that means.",
        "Begin it with a slash.", API
    }
    MOUNT_PATH_COLON = "mount-path-colon" Warning choice {
        "a mountPath with a colon",
        "Kubernetes does not allow it, and the container does not start.",
        "Take the colon out.", API
    }
    MOUNT_PATH_ROOT = "mount-path-root" Error choice {
        "a mountPath that is the root of the file system",
        "No container starts like that.",
        "Give the skill a folder of its own, such as /app/skills/NAME.", PLAN
    }
    MOUNT_PATH_SYSTEM = "mount-path-system" Warning choice {
        "a mountPath that is a folder of the system, such as /etc or /usr/bin",
        "The skill hides what the container's image has there, and programs that it needs are gone.",
        "Give the skill a folder of its own, such as /app/skills/NAME.", PLAN
    }
    MOUNT_PATH_TAKEN = "mount-path-taken" Error choice {
        "a mountPath that the container or another skill has already",
        "The API server takes a path once.",
        "Give the skill another mountPath.", API
    }
    SKILL_FOLDERS_PATH = "skill-folders-path" Error choice {
        "a mountPath that SKILL_FOLDERS cannot name",
        "Agents split the variable at commas and strip blanks.",
        "Take commas and outer blanks out of the path.", "kagenti/agent-examples"
    }
    SKILL_FOLDERS_SOURCE = "skill-folders-source" Error choice {
        "a SKILL_FOLDERS whose value comes from elsewhere (valueFrom)",
        "No path can be added to it.",
        "Write the value into the manifest, or render with --skill-folders=false.", PLAN
    }
    CONTAINER = "container" Error author {
        "a container that the pod does not have",
        "Skills would be mounted nowhere.",
        "Correct the name of the container.", PLAN
    }
    POLICY_REGISTRY = "policy-registry" Error choice {
        "an image of a registry that the policy does not allow",
        "The policy says from where skills may come.",
        "Use an image of an allowed registry, or change the policy.", POLICY
    }
    POLICY_PINNED = "policy-pinned" Error author {
        "an image that the policy wants by digest",
        "What a tag names may change.",
        "Write the digest; kubectl skills lock and render --locked do.", POLICY
    }
    POLICY_LOCKED = "policy-locked" Error outside {
        "an image that the policy wants locked",
        "What is not in the lock cannot be judged.",
        "Run kubectl skills lock.", POLICY
    }
    POLICY_SIGNATURE = "policy-signature" Error outside {
        "an image that nobody signed whom the policy names",
        "Only what is signed by these may be used.",
        "Have it signed, then run kubectl skills lock with the key.", POLICY
    }
    POLICY_LICENSE = "policy-license" Error outside {
        "a skill whose licence the policy does not allow",
        "The organisation decided which licences may be used.",
        "Use another skill, or change the policy.", POLICY
    }
    POLICY_TOOLS = "policy-tools" Error outside {
        "a skill that asks for tools which the policy does not allow",
        "A skill uses its allowed tools without asking.",
        "Use another skill, or change the policy.", POLICY
    }
    POLICY_SIZE = "policy-size" Error outside {
        "a skill that is larger than the policy allows",
        "Large skills cost time at each start of a pod.",
        "Make it smaller, or change the policy.", POLICY
    }
    POLICY_ATTESTATION = "policy-attestation" Error outside {
        "an image that lacks an attestation which the policy wants",
        "The policy asks for proof of how it was made.",
        "Attest it, then run kubectl skills lock.", POLICY
    }
    POLICY_AGENT = "policy-agent" Error choice {
        "all skills of an agent are more than the policy allows",
        "An agent holds their descriptions always.",
        "Give the agent fewer skills.", POLICY
    }
    WORKLOAD_TYPE = "workload-type" Error author {
        "a field of the workload that has the wrong type",
        "The API server does not take it.",
        "Write a value of the type that the message names.", API
    }
}
