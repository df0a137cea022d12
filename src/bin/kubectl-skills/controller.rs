//! The controller: keeps workloads as their AgentRuntimes and SkillBindings say, for as long as it runs.
//!
//! ```text
//! watches (watch_targets, trim) -> cache -> queue -> reconcile::plan (pure) -> reconcile::execute -> API server
//!                gates file -> config --------^          ^-- contention           |
//!                                       election -> fence ---------------- every write
//! ```
//! One task, [`run_loop`], owns cache, queue and write history, so there is no lock and nothing changes during a
//! reconciliation. What is written is the library's plan, the same as for every other verb; nothing is planned before every
//! watch has listed its objects once.

pub mod binding_index;
pub mod cache;
pub mod clock;
pub mod config;
pub mod config_read;
pub mod contention;
pub mod election;
pub mod events;
pub mod fence;
pub mod lease;
pub mod liveness;
pub mod queue;
pub mod reconcile;
pub mod rights;
pub mod run_loop;
pub mod trim;
pub mod unit;
pub mod watch_targets;
