//! The transform of kubectl-skills: manifests and configuration in, a plan and edited text out.
//!
//! ```text
//! text ── yaml ──▶ Value ── inventory ──▶ plan ──▶ ChangeSet ── yaml::edit ──▶ text
//!                              ▲                       └────────▶ conditions, events, warnings
//!                    config (ConfigMaps, gates, hash)
//! ```
//!
//! Nothing in this library reads a file, a clock, the environment or a network; the binary does, and passes in
//! what it read. A failed read therefore cannot be mistaken for an absent object here.

pub mod api;
pub mod config;
pub mod crd;
pub mod go;
pub mod install;
pub mod live;
pub mod manifest;
pub mod plan;
pub mod validate;
pub mod yaml;
