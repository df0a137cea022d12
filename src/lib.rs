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

pub mod admission_policy;
pub mod admission_review;
pub mod agent_runtime;
pub mod apply_configuration;
pub mod change_set;
pub mod config;
pub mod crd;
pub mod deploy_files;
pub mod error;
pub mod field_ownership;
pub mod function;
pub mod function_config;
pub mod image_volume;
pub mod kustomize_patch;
pub mod live;
pub mod names;
pub mod nearest;
pub mod object;
pub mod plan;
pub mod plan_report;
pub mod profile;
pub mod profile_detection;
pub mod pull_policy;
pub mod rbac;
pub mod render;
pub mod resource_list;
pub mod results;
pub mod status_report;
pub mod stream;
pub mod validate;
pub mod webhook_registration;
pub mod workload;
pub mod yaml;
