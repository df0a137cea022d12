//! What is installed into a cluster: RBAC, webhook registration, admission policies, and the files of deploy/ made of them.

pub mod admission_policy;
pub mod deploy_files;
pub mod inject_policy;
mod inject_target;
pub mod rbac;
#[cfg(feature = "skill")]
pub mod signature_policy;
#[cfg(feature = "skill")]
pub mod skill_policy;
pub mod webhook_registration;
