//! One reconciliation of one AgentRuntime: [`plan`] decides without a client, [`execute`] sends what was decided.

pub mod execute;
pub mod plan;
