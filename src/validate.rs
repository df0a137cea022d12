//! Would the API server (CRD schema) and the operator's webhook accept an AgentRuntime, and in which words; and would
//! the API server then take the workload. Order of the server: [`schema`], then [`webhook`]; [`preflight`] looks ahead.

pub mod go_quote;
mod go_quote_table;
pub mod go_value;
mod metadata;
pub mod pattern;
pub mod preflight;
pub mod schema;
mod schema_rules;
pub mod webhook;
