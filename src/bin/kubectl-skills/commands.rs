//! The verbs, one file each. What several of them share stands here and in `files` (manifests) and `hash_report`.

#[cfg(feature = "cluster")]
pub mod apply;
pub mod card;
mod change_markdown;
mod change_text;
#[cfg(feature = "cluster")]
pub mod complete;
#[cfg(feature = "cluster")]
pub mod completion;
#[cfg(feature = "controller")]
pub mod controller;
pub mod convert;
#[cfg(feature = "registry")]
pub mod copy;
pub mod crd;
pub mod delivery;
pub mod diff;
pub mod docs;
#[cfg(feature = "cluster")]
pub mod doctor;
pub mod explain;
pub mod files;
pub mod function;
pub mod hash;
pub mod hash_report;
mod image_source;
#[cfg(feature = "registry")]
mod image_versions;
#[cfg(feature = "registry")]
mod images_in_use;
pub mod import;
pub mod inspect;
pub mod lint;
pub mod list;
#[cfg(feature = "cluster")]
pub mod live;
#[cfg(feature = "cluster")]
pub mod live_files;
pub mod lock;
pub mod migrate;
#[cfg(feature = "registry")]
pub mod outdated;
pub mod pack;
pub mod plan;
pub mod plan_table;
pub mod policy;
#[cfg(feature = "registry")]
pub mod pull;
#[cfg(feature = "registry")]
pub mod push;
pub mod rbac;
pub mod render;
pub mod report;
#[cfg(feature = "cluster")]
pub mod restart;
pub mod schema;
pub mod set;
#[cfg(feature = "cluster")]
pub mod status;
#[cfg(feature = "cluster")]
mod status_pods;
#[cfg(feature = "registry")]
pub mod tags;
#[cfg(feature = "registry")]
pub mod transfer;
#[cfg(feature = "cluster")]
pub mod uninstall;
#[cfg(feature = "registry")]
pub mod update;
pub mod validate;
#[cfg(feature = "registry")]
pub mod verify;
pub mod version;
#[cfg(feature = "webhook")]
pub mod webhook;

/// Verbs that serve until they are stopped.
pub const SERVERS: [&str; 2] = ["controller", "webhook"];

/// Completion in a build without it.
#[cfg(not(feature = "cluster"))]
pub mod complete {
    /// Name of the hidden verb.
    pub const NAME: &str = "__complete";
}

/// How to get what this build lacks.
#[cfg(not(feature = "cluster"))]
pub const INSTALL: &str = "install one that can: cargo install kubectl-skills --features cluster";

/// `diff`, `plan` and `hash` without files, in a build that has only files.
#[cfg(not(feature = "cluster"))]
pub fn no_cluster<T>(verb: &str) -> Result<T, crate::exit::Failure> {
    Err(crate::exit::Failure::Usage(format!(
        "{verb}: give manifests with -f or -k; this build cannot talk to a cluster: {INSTALL}"
    )))
}
