//! Files in, files out: the stream of documents, the render pipeline, the KRM function, static kustomize patches.

#[cfg(feature = "internals")]
pub mod function;
#[cfg(feature = "internals")]
pub mod function_config;
pub mod kustomize_patch;
pub mod render;
#[cfg(feature = "internals")]
pub mod resource_list;
#[cfg(feature = "internals")]
pub mod results;
pub mod stream;
pub mod summary;
