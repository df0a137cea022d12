//! The kinds that an AgentRuntime can point at: a kind's name in, where its pod template is out. The only kind switch.
//!
//! Source: operator-spec.md section 1 ("Targets").

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `agents.x-k8s.io/v1alpha1`.
    Sandbox,
}

impl WorkloadKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::Sandbox];

    /// Reads `targetRef.kind`, exactly as written.
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == kind)
    }

    /// The kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Sandbox => "Sandbox",
        }
    }

    /// The API group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "apps",
            Self::Sandbox => "agents.x-k8s.io",
        }
    }

    /// `group/version`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::Sandbox => "agents.x-k8s.io/v1alpha1",
        }
    }

    /// The key below `spec` that holds the pod template.
    pub fn template_key(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "template",
            Self::Sandbox => "podTemplate",
        }
    }

    /// Whether the operator handles the kind as Go structs, which forget empty maps and lists and unknown fields.
    pub fn is_typed(self) -> bool {
        self != Self::Sandbox
    }
}
