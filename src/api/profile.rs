//! The operator's dialects as data: one [`Profile`] value for each, no branches on names elsewhere.
//!
//! Source: operator-spec.md section 0 (commits and fields), 8 (deletion), 9 (validation), 12 (discovery).

use crate::api::names::{KAGENTI, Names, ROSSOCTL};

/// A field of the hash input, in the words of the operator's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashField {
    /// `spec.type`; always written.
    Type,
    /// `spec.identity.spiffe.trustDomain`.
    TrustDomain,
    /// `spec.trace`.
    Trace,
    /// Data of the feature gates ConfigMap.
    FeatureGates,
    /// Cluster defaults overlaid by the namespace's.
    Defaults,
    /// `spec.authBridgeMode`.
    AuthBridgeMode,
    /// `spec.mtlsMode`.
    MtlsMode,
    /// `config.yaml` of the namespace's `authbridge-runtime-config`.
    AuthBridgeRuntime,
    /// `spec.skills`.
    Skills,
    /// `helper.conf` of the namespace's `spiffe-helper-config`.
    SpiffeHelperConfig,
}

/// What the operator of a profile does with skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkillsMode {
    /// `spec.skills` exists and is mounted into the workload.
    Mounts,
    /// `spec.skills` is gone; the annotation is read into `status.linkedSkills`.
    Observes {
        /// Sets the condition `SkillsDiscovered` when it found any (177ed3b only).
        condition: bool,
        /// Warns of an annotation that it cannot parse (by `head`).
        parse_event: bool,
    },
}

/// What the operator takes from a workload when its AgentRuntime is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// Volumes `skill-*` and the agent container's mounts of them.
    pub volumes: bool,
    /// The skills annotation.
    pub skills_annotation: bool,
    /// The config hash is set to the defaults-only hash; otherwise it is removed, and the type labels with it.
    pub hash_to_defaults: bool,
    /// The mTLS mode annotation of the pod template.
    pub mtls_annotation: bool,
}

/// Checks of the validating webhook, in the order of operator-spec.md 9.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookRules {
    /// mTLS is refused together with envoy-sidecar (rule 2).
    pub mtls_envoy: bool,
    /// The TLS bridge is refused without a forward proxy, that is unless the mode is empty, proxy-sidecar or lite
    /// (61df0a4 on).
    pub tls_bridge: bool,
    /// Duplicate skill names and mount paths (rule 3).
    pub skills_unique: bool,
    /// Path traversal and protected paths (rule 3, 613566c on).
    pub mount_path_denylist: bool,
}

/// Fields of the AgentRuntime CRD that come and go between the profiles; read from the CRD manifests of the commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrdShape {
    /// `spec.trace`.
    pub trace: bool,
    /// `spec.skills`.
    pub skills: bool,
    /// `spec.identity`.
    pub identity: bool,
    /// `spec.tlsBridgeMode` (default disabled) and `spec.egressEnforcement`; `spec.mtlsMode` defaults to permissive.
    pub tls_bridge: bool,
    /// `status.linkedSkills`.
    pub linked_skills: bool,
    /// `status.card` has `cardHash`, `lastCardFetchTime` and `transportSecurity` instead of `cardId` and `fetchedAt`.
    pub card_fetched: bool,
}

/// What `render` writes into a workload in a profile whose operator only observes, alongside volumes, mounts and the
/// skills annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObserverRender {
    /// The config hash of the pod template. The operator writes it itself, from ConfigMaps that files seldom hold;
    /// a wrong one in Git would roll the workload there and back.
    pub config_hash: bool,
    /// The type label. Upstream's admission policy refuses it when a workload is created.
    pub type_label: bool,
    /// `SKILL_FOLDERS`, unless the command line says otherwise.
    pub skill_folders: bool,
}

/// One dialect of the operator.
///
/// ```
/// use kubectl_skills::Profile;
///
/// let profile = Profile::by_name("head").expect("a known profile");
/// assert!(!profile.mounts(), "today's operator leaves the workload to its author");
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Name on the command line.
    pub name: &'static str,
    /// Upstream commit that was run for the vectors.
    pub commit: &'static str,
    /// Date of that commit.
    pub date: &'static str,
    /// Naming scheme.
    pub names: &'static Names,
    /// Fields of the hash input in order.
    pub hash_fields: &'static [HashField],
    /// Mounts or only observes.
    pub skills: SkillsMode,
    /// Known feature gates in the order of the Go struct, with their compiled defaults.
    pub gates: &'static [(&'static str, bool)],
    /// The gate that decides over skills.
    pub skill_gate: &'static str,
    /// Whether the operator reads ConfigMaps through label-selected caches (before 67b8a5e).
    pub cached_reader: bool,
    /// Deletion behaviour.
    pub deletion: Deletion,
    /// Webhook rules.
    pub webhook: WebhookRules,
    /// Fields of the CRD.
    pub crd: CrdShape,
    /// Whether the pod template gets the mTLS mode annotation.
    pub mtls_annotation: bool,
    /// Seconds until a runtime whose target is missing is looked at again.
    pub target_not_found_requeue_secs: u32,
    /// Whether status has `phase` (61df0a4 on: `observedGeneration`).
    pub status_phase: bool,
    /// Whether the spiffe-helper ConfigMap is made when missing, the namespace enrolled in the mesh and SPIRE asked for.
    pub mesh: bool,
    /// `helper.conf` of the spiffe-helper ConfigMap that is made where a namespace has none; known for `head` only.
    pub spiffe_helper_default: Option<&'static str>,
    /// For observers: what `render` writes.
    pub observer_render: ObserverRender,
}

impl Profile {
    /// Whether the operator of this profile mounts `spec.skills`.
    pub fn mounts(&self) -> bool {
        matches!(self.skills, SkillsMode::Mounts)
    }

    /// Finds a profile by its name on the command line.
    pub fn by_name(name: &str) -> Option<&'static Profile> {
        PROFILES.iter().find(|profile| profile.name == name)
    }
}

use HashField::{
    AuthBridgeMode, AuthBridgeRuntime, Defaults, FeatureGates, MtlsMode, Skills, SpiffeHelperConfig, Trace,
    TrustDomain, Type,
};

const GATES_565E337: &[(&str, bool)] = &[
    ("globalEnabled", true),
    ("envoyProxy", true),
    ("injectTools", false),
    ("perWorkloadConfigResolution", false),
    ("combinedSidecar", false),
    ("skillImageVolumes", false),
];
const GATES_613566C: &[(&str, bool)] = &[
    ("globalEnabled", true),
    ("envoyProxy", true),
    ("injectTools", false),
    ("perWorkloadConfigResolution", false),
    ("skillImageVolumes", false),
];
const GATES_177ED3B: &[(&str, bool)] = &[
    ("globalEnabled", true),
    ("envoyProxy", true),
    ("injectTools", false),
    ("perWorkloadConfigResolution", false),
    ("skillDiscovery", false),
];
const FIELDS_PR332: &[HashField] =
    &[Type, TrustDomain, Trace, FeatureGates, Defaults, AuthBridgeMode, MtlsMode, AuthBridgeRuntime, Skills];
const FIELDS_NO_TRACE: &[HashField] =
    &[Type, TrustDomain, FeatureGates, Defaults, AuthBridgeMode, MtlsMode, AuthBridgeRuntime, Skills];
const FIELDS_NO_SKILLS: &[HashField] =
    &[Type, TrustDomain, FeatureGates, Defaults, AuthBridgeMode, MtlsMode, AuthBridgeRuntime];
const FIELDS_TWO_LAYER: &[HashField] = &[FeatureGates, Defaults, AuthBridgeRuntime];
const FIELDS_SPIFFE: &[HashField] = &[FeatureGates, Defaults, AuthBridgeRuntime, SpiffeHelperConfig];

/// As d790f65 makes it (vectors `head/skill-discovery/*`).
const SPIFFE_HELPER_D790F65: &str = "\
agent_address = \"/spiffe-workload-api/spire-agent.sock\"\n\
cmd = \"\"\n\
cmd_args = \"\"\n\
svid_file_name = \"/opt/svid.pem\"\n\
svid_key_file_name = \"/opt/svid_key.pem\"\n\
svid_bundle_file_name = \"/opt/svid_bundle.pem\"\n\
cert_file_mode = 0644\n\
key_file_mode = 0640\n\
jwt_svids = [{jwt_audience=\"http://keycloak.localtest.me:8080/realms/kagenti\", jwt_svid_file_name=\"/opt/jwt_svid.token\"}]\n\
jwt_svid_file_mode = 0644\n\
include_federated_domains = true\n\
";

const OBSERVER: ObserverRender =
    ObserverRender { config_hash: false, type_label: false, skill_folders: true };

const CRD_565E337: CrdShape = CrdShape {
    trace: true,
    skills: true,
    identity: true,
    tls_bridge: false,
    linked_skills: false,
    card_fetched: false,
};
const CRD_0C74A2A: CrdShape = CrdShape { trace: false, ..CRD_565E337 };
const CRD_177ED3B: CrdShape = CrdShape { skills: false, linked_skills: true, ..CRD_0C74A2A };
const CRD_72CB878: CrdShape = CrdShape { card_fetched: true, ..CRD_177ED3B };
const CRD_61DF0A4: CrdShape = CrdShape { identity: false, tls_bridge: true, ..CRD_72CB878 };
const CRD_0BD664D: CrdShape = CrdShape { identity: true, ..CRD_61DF0A4 };

static PR332: Profile = Profile {
    name: "pr332",
    commit: "565e337",
    date: "2026-05-25",
    names: &KAGENTI,
    hash_fields: FIELDS_PR332,
    skills: SkillsMode::Mounts,
    gates: GATES_565E337,
    skill_gate: "skillImageVolumes",
    cached_reader: true,
    deletion: Deletion {
        volumes: true,
        skills_annotation: true,
        hash_to_defaults: true,
        mtls_annotation: false,
    },
    webhook: WebhookRules {
        mtls_envoy: true,
        tls_bridge: false,
        skills_unique: true,
        mount_path_denylist: false,
    },
    crd: CRD_565E337,
    mtls_annotation: false,
    target_not_found_requeue_secs: 30,
    status_phase: true,
    mesh: false,
    spiffe_helper_default: None,
    // Not read: this operator mounts, so its own labels, hash and (no) SKILL_FOLDERS are rendered.
    observer_render: ObserverRender { config_hash: true, type_label: true, skill_folders: false },
};

const MERGED_WEBHOOK: WebhookRules =
    WebhookRules { mtls_envoy: true, tls_bridge: false, skills_unique: true, mount_path_denylist: true };
const OBSERVER_WEBHOOK: WebhookRules =
    WebhookRules { mtls_envoy: false, tls_bridge: false, skills_unique: false, mount_path_denylist: false };
const TLS_BRIDGE_WEBHOOK: WebhookRules = WebhookRules { tls_bridge: true, ..OBSERVER_WEBHOOK };
const SILENT: SkillsMode = SkillsMode::Observes { condition: false, parse_event: false };
const TWO_LAYER_DELETION: Deletion =
    Deletion { volumes: false, skills_annotation: false, hash_to_defaults: false, mtls_annotation: false };

/// All profiles, oldest first.
pub static PROFILES: [Profile; 9] = [
    Profile { ..PR332 },
    Profile {
        name: "pr332-merged",
        commit: "613566c",
        date: "2026-05-25",
        gates: GATES_613566C,
        webhook: MERGED_WEBHOOK,
        ..PR332
    },
    Profile {
        name: "no-trace",
        commit: "0c74a2a",
        date: "2026-05-27",
        hash_fields: FIELDS_NO_TRACE,
        gates: GATES_613566C,
        webhook: MERGED_WEBHOOK,
        crd: CRD_0C74A2A,
        ..PR332
    },
    Profile {
        name: "no-skills",
        commit: "177ed3b",
        date: "2026-05-29",
        hash_fields: FIELDS_NO_SKILLS,
        skills: SkillsMode::Observes { condition: true, parse_event: false },
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        deletion: Deletion {
            volumes: false,
            skills_annotation: false,
            hash_to_defaults: true,
            mtls_annotation: false,
        },
        webhook: OBSERVER_WEBHOOK,
        crd: CRD_177ED3B,
        observer_render: OBSERVER,
        ..PR332
    },
    Profile {
        name: "two-layer",
        commit: "72cb878",
        date: "2026-06-09",
        hash_fields: FIELDS_TWO_LAYER,
        skills: SILENT,
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        deletion: TWO_LAYER_DELETION,
        webhook: OBSERVER_WEBHOOK,
        crd: CRD_72CB878,
        observer_render: OBSERVER,
        ..PR332
    },
    Profile {
        name: "identity-removed",
        commit: "61df0a4",
        date: "2026-06-23",
        hash_fields: FIELDS_TWO_LAYER,
        skills: SILENT,
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        deletion: TWO_LAYER_DELETION,
        webhook: TLS_BRIDGE_WEBHOOK,
        crd: CRD_61DF0A4,
        status_phase: false,
        observer_render: OBSERVER,
        ..PR332
    },
    Profile {
        name: "spiffe-helper",
        commit: "0bd664d",
        date: "2026-06-23",
        hash_fields: FIELDS_SPIFFE,
        skills: SILENT,
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        deletion: Deletion { mtls_annotation: true, ..TWO_LAYER_DELETION },
        webhook: TLS_BRIDGE_WEBHOOK,
        crd: CRD_0BD664D,
        mtls_annotation: true,
        status_phase: false,
        observer_render: OBSERVER,
        ..PR332
    },
    Profile {
        name: "head",
        commit: "d790f65",
        date: "2026-06-26",
        hash_fields: FIELDS_SPIFFE,
        skills: SkillsMode::Observes { condition: false, parse_event: true },
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        cached_reader: false,
        deletion: Deletion { mtls_annotation: true, ..TWO_LAYER_DELETION },
        webhook: TLS_BRIDGE_WEBHOOK,
        crd: CRD_61DF0A4,
        mtls_annotation: true,
        status_phase: false,
        mesh: true,
        spiffe_helper_default: Some(SPIFFE_HELPER_D790F65),
        observer_render: OBSERVER,
        ..PR332
    },
    Profile {
        name: "rossoctl",
        commit: "a460834",
        date: "2026-07-19",
        names: &ROSSOCTL,
        hash_fields: FIELDS_SPIFFE,
        skills: SkillsMode::Observes { condition: false, parse_event: true },
        gates: GATES_177ED3B,
        skill_gate: "skillDiscovery",
        cached_reader: false,
        deletion: Deletion { mtls_annotation: true, ..TWO_LAYER_DELETION },
        webhook: TLS_BRIDGE_WEBHOOK,
        crd: CRD_61DF0A4,
        mtls_annotation: true,
        target_not_found_requeue_secs: 60,
        status_phase: false,
        mesh: true,
        spiffe_helper_default: None,
        observer_render: OBSERVER,
    },
];
