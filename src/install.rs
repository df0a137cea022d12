//! What is installed into a cluster: RBAC, webhook registration, admission policies, and the files of deploy/ made of them.

pub mod admission_policy;
pub mod deploy_files;
pub mod inject_policy;
mod inject_target;
pub mod rbac;
pub mod webhook_registration;
