//! The one integration test binary.

mod schema_oracle;
mod vectors;
mod vectors_hash;
mod vectors_validate;
