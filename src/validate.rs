//! Would the API server (CRD schema) and the operator's webhook accept an AgentRuntime, and in which words; and would
//! the API server then take the workload. Order of the server: [`schema`], then [`webhook`]; [`preflight`] looks ahead.

#[cfg(feature = "internals")]
pub mod admission_review;
pub mod findings;
mod metadata;
mod placeholders;
#[cfg(feature = "internals")]
pub mod pod_review;
#[cfg(feature = "skill")]
pub mod policy;
pub mod preflight;
pub mod schema;
mod schema_rules;
pub mod skill_binding;
pub mod unknown_fields;
pub mod webhook;
