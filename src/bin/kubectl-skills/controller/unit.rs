//! What is worked on one at a time: an AgentRuntime with its workload, a SkillBinding's own status and finalizer, and a
//! workload that SkillBindings alone are about. Which of them a change wakes is for the cache.

use std::fmt;

use super::cache::{Key, Target};

/// A key of the work queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// An AgentRuntime, and the workload that it leads.
    Runtime(Key),
    /// Status and finalizer of a SkillBinding. It writes no workload.
    Binding(Key),
    /// A workload that no AgentRuntime leads.
    Workload(Target),
    /// The pods of a workload, which are made anew.
    Rollout(Target),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As it was before there were others.
            Self::Runtime(key) => write!(f, "{key}"),
            Self::Binding(key) => write!(f, "SkillBinding {key}"),
            Self::Workload((kind, key)) | Self::Rollout((kind, key)) => write!(f, "{} {key}", kind.name()),
        }
    }
}
