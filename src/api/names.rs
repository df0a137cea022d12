//! The only home of API groups, labels, annotations and object names, in both of the operator's naming schemes.

/// One naming scheme: everything that the rename from kagenti to rossoctl changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// API group of AgentRuntime.
    pub group: &'static str,
    /// Finalizer that the operator puts on an AgentRuntime.
    pub finalizer: &'static str,
    /// Label on the workload and its pod template: `spec.type` of the AgentRuntime.
    pub type_label: &'static str,
    /// Value of [`MANAGED_BY`] on workloads that the operator configured.
    pub managed_by_value: &'static str,
    /// Annotation on the pod template: config hash, 64 lower-case hex digits.
    pub config_hash: &'static str,
    /// Annotation on the workload: compact JSON array of skill names.
    pub skills: &'static str,
    /// Annotation on a Sandbox between the two phases of its restart.
    pub restart_pending: &'static str,
    /// Annotation on the pod template from 0bd664d on: `spec.mtlsMode` or `permissive`.
    pub mtls_mode: &'static str,
    /// Namespace of the operator and of its cluster-wide ConfigMaps.
    pub system_namespace: &'static str,
    /// ConfigMap with the cluster-wide defaults, in [`Names::system_namespace`].
    pub platform_config: &'static str,
    /// ConfigMap with the feature gates, in [`Names::system_namespace`].
    pub feature_gates: &'static str,
    /// Label (value exactly `true`) of a ConfigMap with a namespace's defaults.
    pub defaults_label: &'static str,
    /// `app.kubernetes.io/name` of ConfigMaps that the operator's cache holds in its own namespace.
    pub chart_name: &'static str,
}

impl Names {
    /// The other scheme.
    pub fn others(&self) -> &'static Self {
        if *self == ROSSOCTL { &KAGENTI } else { &ROSSOCTL }
    }
}

/// The image of this program and version, as deploy/ has it.
pub const PROGRAM_IMAGE: &str = concat!("ghcr.io/kagenti/kubectl-skills:v", env!("CARGO_PKG_VERSION"));
/// Version of AgentRuntime in either group.
pub const VERSION: &str = "v1alpha1";
/// Kind of the resource that lists the skills.
pub const AGENT_RUNTIME: &str = "AgentRuntime";
/// API group of [`SKILL_BINDING`], whatever the operator.
pub const SKILLS_GROUP: &str = "skills.kagenti.dev";
/// Kind of the resource that lists skills for any workload, with any operator and with none; version [`VERSION`].
pub const SKILL_BINDING: &str = "SkillBinding";
/// Annotation on a pod: which SkillBinding gave it which skill, as `binding/skill`, joined by commas. And label, with the
/// value `true`, of every pod of a SkillBinding: the policies look only at those again, for the server evaluates a policy
/// once for each SkillBinding of the namespace, whosever the pod is.
pub const INJECTED: &str = "skills.kagenti.dev/injected";
/// Label by which a pod wants no injection, with the value `false`.
pub const INJECT: &str = "skills.kagenti.dev/inject";
/// Finalizer of the controller on a SkillBinding, while it takes its skills out of workloads.
pub const BINDING_FINALIZER: &str = "skills.kagenti.dev/cleanup";
/// Label on the workload that says who configured it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label by which the operator's cache picks ConfigMaps in its own namespace.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Per-namespace runtime configuration; key [`AUTHBRIDGE_KEY`].
pub const AUTHBRIDGE_RUNTIME: &str = "authbridge-runtime-config";
/// Key of [`AUTHBRIDGE_RUNTIME`] that goes into the hash.
pub const AUTHBRIDGE_KEY: &str = "config.yaml";
/// Per-namespace SPIFFE helper configuration (0bd664d on); key [`SPIFFE_HELPER_KEY`].
pub const SPIFFE_HELPER: &str = "spiffe-helper-config";
/// Key of [`SPIFFE_HELPER`] that goes into the hash.
pub const SPIFFE_HELPER_KEY: &str = "helper.conf";
/// Prefix of the volumes that carry skill images.
pub const SKILL_VOLUME_PREFIX: &str = "skill-";
/// Annotation on a workload's own metadata, never on its pod template: what a render wrote, and what was there before.
pub const RECORD: &str = "skills.kagenti.dev/record";
/// Annotation on a Sandbox's own metadata where its config hash covers skills, which are never mounted into it: that hash
/// and the one of what its pod gets, 12 digits of each.
pub const RESTART_HASH: &str = "skills.kagenti.dev/restart-hash";
/// Annotation on a pod template: hash of the skills that pods get as they are created. A new one makes the pods anew.
pub const ROLLOUT: &str = "skills.kagenti.dev/rollout";
/// Annotation on the ConfigMap of an unsigned card: ids of the skills that we have listed in it, joined by commas.
pub const CARD_SKILLS: &str = "skills.kagenti.dev/card-skills";
/// Our field manager on clusters, unless the command line names another. It must not begin with `kubectl`: Flux takes what
/// managers of such names have written for its own, and takes out of it what Git does not state (fluxcd/kustomize-controller
/// `internal/controller/kustomization_controller.go`, fluxcd/pkg `ssa/patch.go`).
pub const FIELD_MANAGER: &str = "skills.kagenti.dev";
/// Our field manager before; what it holds is ours.
pub const FORMER_FIELD_MANAGER: &str = "kubectl-skills";
/// Field managers of the operator's own updates: controller-runtime names them after the program file, `/manager` in the
/// operator's image.
pub const OPERATOR_MANAGERS: [&str; 3] = ["manager", "kagenti-operator", "rossoctl-operator"];
/// Annotation on a pod that names the container which tools take when none is named.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Annotation on any object: which rules of `lint` are not for it, and why, as `rule: reason; rule: reason`.
pub const LINT_IGNORE: &str = "skills.kagenti.dev/lint-ignore";
/// Environment variable by which agents find their skills: paths, comma-separated.
pub const SKILL_FOLDERS: &str = "SKILL_FOLDERS";

/// Path prefixes that pr332-merged and no-trace refuse, in the order in which they are tried.
pub const PROTECTED_PATHS: [&str; 4] = ["/proc", "/sys", "/dev", "/var/run/secrets"];

/// Names up to `head`.
pub static KAGENTI: Names = Names {
    group: "agent.kagenti.dev",
    finalizer: "kagenti.io/cleanup",
    type_label: "kagenti.io/type",
    managed_by_value: "kagenti-operator",
    config_hash: "kagenti.io/config-hash",
    skills: "kagenti.io/skills",
    restart_pending: "kagenti.io/restart-pending",
    mtls_mode: "kagenti.io/mtls-mode",
    system_namespace: "kagenti-system",
    platform_config: "kagenti-platform-config",
    feature_gates: "kagenti-feature-gates",
    defaults_label: "kagenti.io/defaults",
    chart_name: "kagenti-operator-chart",
};

/// Names after the rename.
pub static ROSSOCTL: Names = Names {
    group: "agent.rossoctl.dev",
    finalizer: "rossoctl.io/cleanup",
    type_label: "rossoctl.io/type",
    managed_by_value: "rossoctl-operator",
    config_hash: "rossoctl.io/config-hash",
    skills: "rossoctl.io/skills",
    restart_pending: "rossoctl.io/restart-pending",
    mtls_mode: "rossoctl.io/mtls-mode",
    system_namespace: "rossoctl-system",
    platform_config: "rossoctl-platform-config",
    feature_gates: "rossoctl-feature-gates",
    defaults_label: "rossoctl.io/defaults",
    chart_name: "rossoctl-operator-chart",
};

/// What the rename changed beyond the operator, kagenti's name first: domains of labels and annotations, and API groups.
/// Source: kagenti/kagenti#1972, its map of strings. [`SKILLS_GROUP`] is ours and in neither.
pub const RENAMED_DOMAINS: [[&str; 2]; 7] = [
    ["kagenti.io", "rossoctl.io"],
    ["protocol.kagenti.io", "protocol.rossoctl.io"],
    ["inject.kagenti.io", "inject.rossoctl.io"],
    ["integrations.kagenti.io", "integrations.rossoctl.io"],
    ["openshell.kagenti.io", "openshell.rossoctl.io"],
    ["agent.kagenti.dev", "agent.rossoctl.dev"],
    ["mcp.kagenti.com", "mcp.rossoctl.com"],
];
/// Whole names that mean one thing wherever they stand: the label of namespaces, ConfigMaps of the operator, its chart.
pub static RENAMED_NAMES: [[&str; 2]; 4] = [
    ["kagenti-enabled", "rossoctl-enabled"],
    [KAGENTI.platform_config, ROSSOCTL.platform_config],
    [KAGENTI.feature_gates, ROSSOCTL.feature_gates],
    [KAGENTI.chart_name, ROSSOCTL.chart_name],
];
/// Who manages or made an object, as the values of [`MADE_BY`].
pub static RENAMED_MAKERS: [[&str; 2]; 2] =
    [[KAGENTI.managed_by_value, ROSSOCTL.managed_by_value], ["kagenti-ui", "rossoctl-ui"]];
/// Labels that say who manages or made an object.
pub const MADE_BY: [&str; 2] = [MANAGED_BY, "app.kubernetes.io/created-by"];
/// The words by which what is left of either name is found.
pub const BRANDS: [&str; 2] = ["kagenti", "rossoctl"];
