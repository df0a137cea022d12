//! What Kubernetes objects and the operator's dialects look like: identities, names, profiles, the fields that are read.
//! Nothing here decides; objects stay untyped values, and nothing is serialised back from a struct.

pub mod agent_location;
pub mod agent_runtime;
pub mod error;
pub mod image_reference;
#[cfg(feature = "internals")]
pub mod image_volume;
#[cfg(feature = "internals")]
pub mod kind_word;
pub mod names;
pub mod nearest;
pub mod object;
pub mod pins;
pub mod pod_owner;
pub mod profile;
#[cfg(feature = "internals")]
pub mod profile_detection;
pub mod pull_policy;
pub mod skill_binding;
#[cfg(feature = "skill")]
pub mod unique_json;
pub mod workload;
