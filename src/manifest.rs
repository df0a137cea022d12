//! Files in, files out: the stream of documents, the render pipeline, the KRM function, static kustomize patches.

#[cfg(feature = "skill")]
pub mod card_maps;
#[cfg(feature = "internals")]
pub mod function;
#[cfg(feature = "internals")]
pub mod function_config;
#[cfg(feature = "internals")]
pub mod kustomize_images;
pub mod kustomize_patch;
#[cfg(feature = "internals")]
pub mod migrate;
#[cfg(feature = "internals")]
pub mod no_object;
pub mod render;
#[cfg(feature = "internals")]
pub mod resource_list;
#[cfg(feature = "internals")]
pub mod results;
#[cfg(feature = "internals")]
pub mod skill_images;
pub mod stream;
pub mod summary;
pub mod typed_list;
#[cfg(feature = "internals")]
pub mod wanted_images;
