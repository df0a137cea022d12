//! The controller: keeps workloads as their AgentRuntimes say, for as long as it runs.
//!
//! ```text
//! watches (sources, keep) -> cache -> queue -> decide (pure) -> carry_out -> API server
//!            gates file -> config ----^         ^-- fights        |
//!                        election -> fence -------------------- every write
//! ```
//! One task, [`run_loop`], owns cache, queue and memory, so there is no lock and no two runs see a picture change under
//! them. What is to be written is the library's plan, the same as of every other verb; nothing is planned before every
//! source has been seen whole.

pub mod cache;
pub mod carry_out;
pub mod clock;
pub mod config;
pub mod config_read;
pub mod decide;
pub mod election;
pub mod events;
pub mod fence;
pub mod fights;
pub mod keep;
pub mod lease;
pub mod logging;
pub mod metrics;
pub mod queue;
pub mod rights;
pub mod run_loop;
pub mod serve;
pub mod sources;
#[cfg(feature = "otlp")]
pub mod traces;
