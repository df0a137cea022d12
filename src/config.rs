//! Configuration: feature gates, ConfigMap layers, and the config hash over them.
//!
//! ConfigMaps and an AgentRuntime's spec come in; the resolved layers, the exact bytes that the operator hashes, and
//! their hash go out. Reading them, and what to do when a read fails, is left to the caller: an absent ConfigMap is
//! empty here, a failed read must not come here at all.

#[cfg(feature = "internals")]
pub mod explain;
pub mod gates;
pub mod hash;
pub mod layers;
