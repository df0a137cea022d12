//! The one integration test binary.

mod vectors;
mod vectors_hash;
