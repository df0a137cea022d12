//! YAML text with positions: split into documents, read as Go reads it, edited byte by byte.

pub mod node;
