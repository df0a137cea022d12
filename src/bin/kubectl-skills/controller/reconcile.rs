//! One reconciliation: [`plan`] decides without a client about an AgentRuntime or a workload, [`orders`] who leads the latter,
//! [`execute`] sends what was decided; [`binding`] decides about a SkillBinding's own status and finalizer, and
//! [`binding_write`] sends these.

pub mod binding;
pub mod binding_write;
mod contenders;
pub mod execute;
pub mod orders;
pub mod plan;
