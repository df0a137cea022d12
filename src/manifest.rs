//! Files in, files out: the stream of documents, the render pipeline, the KRM function, static kustomize patches.

pub mod function;
pub mod function_config;
pub mod kustomize_patch;
pub mod render;
pub mod resource_list;
pub mod results;
pub mod stream;
pub mod summary;
