//! The verbs, one file each. What several of them share stands here and in `files` (manifests) and `hash_report`.

#[cfg(feature = "cluster")]
pub mod apply;
#[cfg(feature = "cluster")]
pub mod complete;
#[cfg(feature = "cluster")]
pub mod completion;
#[cfg(feature = "controller")]
pub mod controller;
pub mod crd;
pub mod diff;
mod docs;
#[cfg(feature = "cluster")]
pub mod doctor;
pub mod files;
pub mod function;
pub mod hash;
pub mod hash_report;
#[cfg(feature = "cluster")]
pub mod live;
#[cfg(feature = "cluster")]
pub mod live_files;
pub mod plan;
pub mod plan_table;
pub mod policy;
pub mod rbac;
pub mod render;
#[cfg(feature = "cluster")]
pub mod status;
pub mod validate;
pub mod version;
#[cfg(feature = "controller")]
pub mod webhook;

use crate::args::Verb;
use crate::exit::Run;

/// Runs a verb.
pub fn run(verb: &Verb) -> Run {
    match verb {
        Verb::Render(args) => render::run(args),
        Verb::Diff(args) => diff::run(args),
        Verb::Plan(args) => plan::run(args),
        Verb::Hash(args) => hash::run(args),
        Verb::Validate(args) => validate::run(args),
        Verb::Crd(args) => crd::run(args),
        Verb::Policy(args) => policy::run(args),
        Verb::Rbac(args) => rbac::run(args),
        Verb::Function(args) => function::run(args),
        Verb::Version(args) => version::run(args),
        Verb::Docs => docs::run(),
        #[cfg(feature = "cluster")]
        Verb::Apply(args) => apply::run(args),
        #[cfg(feature = "cluster")]
        Verb::Status(args) => status::run(args),
        #[cfg(feature = "cluster")]
        Verb::Doctor(args) => doctor::run(args),
        #[cfg(feature = "controller")]
        Verb::Controller(args) => controller::run(args),
        #[cfg(feature = "cluster")]
        Verb::Completion(args) => completion::run(args),
        #[cfg(feature = "cluster")]
        Verb::Complete(args) => complete::run(args),
        #[cfg(feature = "controller")]
        Verb::Webhook(args) => webhook::run(args),
        #[cfg(not(feature = "cluster"))]
        Verb::Other(words) => Err(absent(words)),
    }
}

/// Completion in a build without it.
#[cfg(not(feature = "cluster"))]
pub mod complete {
    /// Name of the hidden verb.
    pub const NAME: &str = "__complete";
}

/// How to get what this build lacks.
#[cfg(not(feature = "cluster"))]
const INSTALL: &str = "install one that can: cargo install kubectl-skills --features cluster";

#[cfg(not(feature = "cluster"))]
fn absent(words: &[std::ffi::OsString]) -> crate::exit::Failure {
    let verb = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let verbs = ["apply", "status", "doctor", "completion", complete::NAME, "controller", "webhook"];
    crate::exit::Failure::Usage(if verbs.contains(&verb.as_str()) {
        format!("{verb}: this build cannot talk to a cluster; {INSTALL}")
    } else {
        format!("unrecognized subcommand '{verb}'; 'kubectl skills --help' lists them")
    })
}

/// `diff`, `plan` and `hash` without files, in a build that has only files.
#[cfg(not(feature = "cluster"))]
pub fn no_cluster<T>(verb: &str) -> Result<T, crate::exit::Failure> {
    Err(crate::exit::Failure::Usage(format!(
        "{verb}: give manifests with -f or -k; this build cannot talk to a cluster: {INSTALL}"
    )))
}
