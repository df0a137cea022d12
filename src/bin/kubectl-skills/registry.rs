//! Skill images in registries and OCI layouts: references and flags in, manifests and blobs as verified bytes out, and the
//! other way. What is in them is left to the library's `skill`; which verb wants what, to `commands`.

pub mod args;
mod auth;
pub mod blocking;
mod challenge;
pub mod copy;
mod credentials;
mod dial;
pub mod error;
pub mod interrupt;
mod layout;
pub mod place;
pub mod progress;
pub mod reference;
mod referrers;
mod repository;
pub mod signatures;
pub mod store;
mod stream;
mod transport;
pub mod trust;
mod upload;
mod url;
