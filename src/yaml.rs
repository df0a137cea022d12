//! YAML text with positions: split into documents, read as Go reads it, edited byte by byte.

pub mod document;
pub mod duplicates;
pub mod edit;
pub mod emit;
mod error;
mod fast;
mod json;
pub mod node;
pub(crate) mod number;
pub mod path;
pub(crate) mod plain;
pub mod prefilter;
mod reader;
#[cfg(test)]
mod reader_differential_tests;
pub mod resolve;
pub mod scalar;
pub mod split;

pub use document::Document;
pub use edit::{EditError, Editor, Place, Splice, apply, edit};
pub use error::SyntaxError;
pub use path::Step;
pub use split::{DocumentSlice, split};
