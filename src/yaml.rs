//! YAML text with positions: split into documents, read as Go reads it, edited byte by byte.

#[cfg(test)]
mod agreement;
mod decode;
pub mod document;
pub mod edit;
pub mod emit;
mod fast;
pub mod go_yaml;
mod granit;
mod json;
pub mod node;
pub(crate) mod number;
pub mod path;
pub(crate) mod plain;
pub mod prefilter;
pub mod resolve;
pub mod scalar;
pub mod split;
mod tabs;

pub use document::{Document, SyntaxError};
pub use edit::{EditError, Editor, Place, Splice, apply, edit, edit_node};
pub use path::Step;
pub use split::{DocumentSlice, split};
