//! The one integration test binary.

mod deploy_files;
mod gates_oracle;
mod golden;
mod schema_oracle;
mod vectors;
mod vectors_hash;
mod vectors_reconcile;
mod vectors_validate;
