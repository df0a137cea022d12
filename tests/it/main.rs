//! The one integration test binary.

mod gates_oracle;
mod schema_oracle;
mod vectors;
mod vectors_hash;
mod vectors_reconcile;
mod vectors_validate;
