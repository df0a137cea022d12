//! How each container runtime, containerd and CRI-O, takes the skills of an image.

use serde::Serialize;

use crate::skill::format::{Format, Mounts, Runtime};

/// What a container runtime does with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnRuntime {
    /// containerd or CRI-O.
    pub runtime: &'static str,
    /// `folder`, `file a layer`, `no` or `not known`.
    pub mounts: &'static str,
    /// What the agent sees.
    pub sees: &'static str,
    /// The first release that does.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub since: &'static str,
}

impl OnRuntime {
    pub(super) fn all(format: Format) -> Vec<Self> {
        let one = |runtime: Runtime| {
            let answer = format.on(runtime);
            let mounts = match answer.mounts {
                Mounts::Folder => "folder",
                Mounts::Layers => "file a layer",
                Mounts::No => "no",
                Mounts::Unknown => "not known",
            };
            Self { runtime: runtime.name(), mounts, sees: answer.sees, since: answer.since }
        };
        Runtime::ALL.into_iter().map(one).collect()
    }
}
