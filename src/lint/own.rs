//! The rules that `lint` has beyond verdicts, as data.

use super::rule::rules;

const API: &str = "Kubernetes' API of volumes, k8s.io/api 1.36";
const BACKEND: &str = "rossoctl backend, app/routers/agents_skills.py and skills.py";
const OPERATOR: &str = "the operator, internal/controller/agentruntime_controller.go";
const A2A: &str = "A2A specification 1.0.1, section 5.7";
const SPEC: &str = "agentskills.io specification";
const OWN: &str = "docs/lint.md";

rules! {
    MOUNT_NESTED = "mount-nested" Warning choice {
        "a mount inside the read-only volume of a skill",
        "A container runtime makes the folder of a mount where there is none, and cannot in a read-only volume: the container does \
         not start unless the image has that folder.",
        "Mount both side by side, such as /app/skills/a and /app/skills/b.", "redhat-et/docsclaw; containerd/containerd#11580"
    }
    MOUNT_HIDES_IMAGE = "mount-hides-image" Warning choice {
        "a skill mounted over the folder from which the container runs",
        "The mount hides what the container's image has there: its working directory, or the program that command or args name.",
        "Give the skill a folder of its own, such as /app/skills/NAME.", API
    }
    MOUNT_WITHOUT_VOLUME = "mount-without-volume" Error choice {
        "a mount of a skill whose volume the pod does not have",
        "The API server refuses the workload, or for a kind of its own the controller's pods.",
        "Add the volume, or take the mount out; an AgentRuntime or SkillBinding that lists the skill brings both.", API
    }
    VOLUME_UNMOUNTED = "volume-unmounted" Warning choice {
        "a volume of a skill that no container mounts",
        "Each node pulls the image, and the agent never sees the skill.",
        "Mount it, or take the volume out.", API
    }
    PULL_POLICY_STALE = "pull-policy-stale" Warning choice {
        "a moving tag with pullPolicy IfNotPresent or Never",
        "Each node keeps the image that it happened to pull first, so that pods of one workload have different skills for ever.",
        "Name a version or a digest, or leave pullPolicy out.", API
    }
    SKILL_NAME_FOLDER = "skill-name-folder" Warning choice {
        "a mountPath whose last part is not the name in SKILL.md",
        "By the specification a skill's folder is called after the skill, and in a container that folder is the mount: strict \
         readers refuse the skill.",
        "End the mountPath with the name of the skill.", SPEC
    }
    ANNOTATION_MISSES = "annotation-misses" Warning fix {
        "a mounted skill that the skills annotation does not name",
        "The operator reads linkedSkills from the annotation alone: status, agent card and user interface do not show the skill.",
        "Add the name to the annotation.", OPERATOR
    }
    ANNOTATION_EXTRA = "annotation-extra" Warning choice {
        "a name in the skills annotation that nothing delivers",
        "Status and user interface show a skill that the agent does not have.",
        "Take the name out, or mount the skill.", OPERATOR
    }
    ANNOTATION_MALFORMED = "annotation-malformed" Warning fix {
        "a skills annotation that is no JSON array of names",
        "The operator reports SkillAnnotationParseError and shows no skill at all.",
        "Write it as '[\"one\",\"two\"]'.", OPERATOR
    }
    ANNOTATION_OTHER_GROUP = "annotation-other-group" Warning choice {
        "the skills annotation of the other operator's names, kagenti.io and rossoctl.io",
        "Each operator reads its own annotation; the other one is not seen, and the two can differ without a word.",
        "Keep the annotation of the operator that runs, and take the other out.", "rossoctl/rossoctl, the rename of 2026-07"
    }
    SKILL_FOLDERS_MISS = "skill-folders-miss" Warning fix {
        "a mounted skill that SKILL_FOLDERS does not name",
        "An agent that goes by the variable never looks into the folder.",
        "Add the mountPath to the variable.", "kagenti/agent-examples, a2a/generic_agent"
    }
    SKILL_FOLDERS_EXTRA = "skill-folders-extra" Note choice {
        "a path in SKILL_FOLDERS at which nothing is mounted",
        "The agent starts without that skill, unless its own image has the folder.",
        "Take the path out, or mount the skill.", "kagenti/agent-examples, a2a/generic_agent"
    }
    CARD_MISSES = "card-misses" Warning author {
        "a mounted skill that the unsigned agent card does not list",
        "The card is signed and served as it is: other agents never learn of the skill.",
        "Add the skill to agent.json of the ConfigMap NAME-card-unsigned, and make the pods anew so that it is signed again.",
        "rossoctl/operator#292"
    }
    CARD_MALFORMED = "card-malformed" Error author {
        "an unsigned agent card that is no JSON object with a list of skills",
        "The signer cannot read it, and the agent starts without a card.",
        "Correct the JSON of agent.json.", "the operator's signer, internal/signature"
    }
    CARD_SKILL_FIELDS = "card-skill-fields" Warning author {
        "a skill of the agent card without id, name, description or tags",
        "All four are required, and tags must not be empty; strict clients refuse the whole card.",
        "Write them; where there are no tags, [\"skill\"].", A2A
    }
    TYPE_LABEL = "type-label-at-create" Warning choice {
        "the type label on a Deployment or StatefulSet that no operator has labelled",
        "Current charts install the policy agent-label-protection, which rejects anyone who creates a workload with that label; only \
         the operator may set it.",
        "Take the label out, and let an AgentRuntime point at the workload.", "rossoctl chart, ValidatingAdmissionPolicy agent-label-protection"
    }
    SKILL_TWICE = "skill-twice" Warning choice {
        "one skill delivered in two ways: image, ConfigMap, init container, or pods by a SkillBinding",
        "The agent sees two skills of one name, and which one it uses is chance.",
        "Keep one of them.", BACKEND
    }
    SUB_PATH_FILE = "sub-path-file" Warning choice {
        "a subPath of an image volume that names a file",
        "containerd mounts directories of an image only, and the container does not start.",
        "Name the folder.", "containerd/containerd#11578"
    }
    SUB_PATH_RUNTIME = "sub-path-runtime" Note choice {
        "a subPath of an image volume",
        "containerd before 2.2 and CRI-O before 1.33 mount the whole image without a word, and the API server refuses it before 1.33.",
        "Pack each skill into an image of its own, or see with lint --live or doctor what the nodes run.", "containerd/containerd#11580"
    }
    NODE_RUNTIME = "node-runtime" Error outside {
        "a Node whose container runtime or kubelet cannot mount images, or is known to do it wrong",
        "Pods with skills do not start there, or start without them.",
        "Update what the message names, or keep agents off the node.", "k3s-io/k3s#14323; containerd/containerd#13534; docs/cluster.md"
    }
    SINGLE_ARCHITECTURE = "single-architecture" Warning outside {
        "a skill image for one architecture, in pods that may run on another",
        "A node of another architecture finds no manifest for itself, and the pod does not start.",
        "Pack an index for all architectures, as kubectl skills pack does, or choose nodes by kubernetes.io/arch.", "kagent-dev/kagent#1486"
    }
    PULL_SECRET = "pull-secret-missing" Warning outside {
        "an image of a registry for which the pod has no login, though it has logins for others",
        "The kubelet pulls image volumes with the pull secrets of the pod and its service account, never with yours: it ends in \
         ErrImagePull.",
        "Add the registry to the secret, or another secret to imagePullSecrets.", "kagent-dev/kagent#1222"
    }
    SANDBOX_NO_RESTART = "sandbox-no-restart" Warning outside {
        "a Sandbox with skills in its pod template",
        "The Sandbox controller never makes a running pod anew for its template: a changed skill is not seen until the pod is gone.",
        "Delete the pod after a change of skills; kubectl skills restart does.", "kubernetes-sigs/agent-sandbox"
    }
    DESCRIPTION_BUDGET = "description-budget" Warning choice {
        "an agent whose skills' names and descriptions take more than 16,000 characters",
        "Agents hold them always, and show what does not fit by its name alone or not at all.",
        "Shorten descriptions, or give the agent fewer skills.", "anthropics/claude-code#13099, #56710"
    }
    HIDDEN_CHARACTERS = "hidden-characters" Warning fix {
        "characters that nobody sees: zero width, direction overrides, tags",
        "A reviewer reads another text than the agent, and two names that look the same are two.",
        "Take them out; --fix does in names, images and paths.", "Unicode TR36; trojansource.codes"
    }
    BINARY_FILE = "binary-file" Warning choice {
        "a compiled or binary file among a skill's files: .pyc, programs, binaryData",
        "Nobody can review it, and it runs with the agent's rights.",
        "Leave it out, and keep the source.", "getsentry/skills#40"
    }
    IMAGE_SKILL = "image-skill" Warning outside {
        "a skill image whose SKILL.md or card breaks the rules of its format, with --images",
        "Strict readers refuse the skill, others read something else than was written.",
        "Mend the file and pack the image anew; kubectl skills inspect shows all that is wrong.", SPEC
    }
    IMAGE_FORMAT = "image-format" Warning outside {
        "a skill image that containerd cannot mount as a folder, with --images",
        "Artifacts are no images: containerd pulls them and mounts nothing, or one file a layer.",
        "Make an image of it with kubectl skills convert.", "docs/skill-formats.md"
    }
    FILE_PATHS_ESCAPE = "file-paths-escape" Error choice {
        "a path in file-paths of a ConfigMap skill that leaves its folder",
        "To unpack the skill writes outside of it.",
        "Write a path below the skill's folder.", BACKEND
    }
    FILE_PATHS_MALFORMED = "file-paths-malformed" Warning choice {
        "an annotation file-paths that does not fit the ConfigMap's data",
        "Names of files are guessed from the keys then, and come out wrong for dots and dotfiles.",
        "Write a JSON object of the keys in data and their paths.", BACKEND
    }
    KEY_COLLISION = "config-map-key-collision" Warning choice {
        "two files of a ConfigMap skill that come to one key or one path",
        "The later one takes the place of the other without a word.",
        "Rename one of the files, or make an image of the skill.", BACKEND
    }
    CONFIG_MAP_SKILL = "config-map-skill" Warning author {
        "a ConfigMap skill whose SKILL.md is missing or broken",
        "Agents skip it, or read another name than the ConfigMap's.",
        "Correct the frontmatter; kubectl skills inspect says more.", SPEC
    }
    CONTAINER_GUESSED = "container-guessed" Warning choice {
        "skills for a pod of several containers of which none is named",
        "The first is taken, which may be a proxy.",
        "Name it with --container, spec.container of a SkillBinding, or the pod's annotation kubectl.kubernetes.io/default-container.",
        "docs/compatibility.md, Q10"
    }
    NEAR_MISS = "near-miss" Warning choice {
        "an object that looks like an AgentRuntime or SkillBinding and is none",
        "By a slip in kind or apiVersion nobody reads it, and nothing is mounted.",
        "Correct kind and apiVersion as the message says.", "docs/cli.md"
    }
    SKILLS_LEFT = "skills-left" Note choice {
        "a workload with skills in it that no AgentRuntime or SkillBinding of the input asks for",
        "Where they were written by hand, as today's operators want it, nothing is wrong; where a list asked for them once, they stay \
         for ever.",
        "Nothing, or take them out by hand.", "docs/compatibility.md, Q22"
    }
    KUSTOMIZE_IMAGE_MISSED = "kustomize-image-missed" Warning outside {
        "an entry of a kustomization's images for a skill that kustomize leaves as it is",
        "kustomize knows the images of containers, and those of lists of skills by a configuration file alone: the old version ships, \
         and what is rendered of it agrees with itself.",
        "Write the file with kubectl skills fn --kustomize-configuration, and name it under configurations of the base.", "docs/function.md"
    }
    KUSTOMIZE_IMAGE_UNMATCHED = "kustomize-image-unmatched" Warning outside {
        "an entry of a kustomization's images that matches no image, and has nearly the name of a skill's",
        "kustomize says nothing of an entry that changes nothing, and the old version ships.",
        "Write the name as the list of skills has it, without its tag.", "docs/function.md"
    }
    CLUSTER_CHECK = "cluster-check" Error outside {
        "what doctor finds of the cluster, with --live",
        "Skills do not work there, or not all of them.",
        "Do what the message says.", "docs/cluster.md"
    }
    IGNORE_REASON = "ignore-reason" Warning author {
        "an ignore without a reason, or of a rule that there is not",
        "The next reader cannot judge whether it still holds; such an ignore ignores nothing.",
        "Write a reason after the rule.", OWN
    }
    IGNORE_UNUSED = "ignore-unused" Note choice {
        "an ignore that ignores nothing",
        "It hides the next finding of that rule.",
        "Take it out.", OWN
    }
}
