//! What is in a skill image: bytes in, facts out. Where the bytes come from (a registry, an OCI layout, a folder) is left
//! to who calls.

pub mod budget;
pub mod card;
pub mod changes;
pub mod compression;
pub mod config_map;
pub mod content;
pub mod convert;
pub mod describe;
pub mod facts;
pub mod finding;
pub mod format;
pub mod frontmatter;
pub mod identity;
pub mod import;
pub mod inspect;
pub mod layer;
pub mod limits;
pub mod lock;
pub mod node;
pub mod oci;
pub mod pack;
pub mod path;
mod pattern;
pub mod pax;
pub mod policy;
pub mod schemas;
pub mod signature;
pub mod tools;
pub mod tree;
pub mod url;
pub mod versions;
pub mod zip;

use crate::api::error::{Fault, InputError};

/// What cannot be read, and how to go on.
pub fn refused(message: impl Into<String>, help: impl Into<String>) -> InputError {
    InputError { message: message.into(), help: help.into(), ..InputError::default() }
}

/// The same error with the place that it is in, from the outside in: `layer 2, entry "a"`. What cannot be written is at no
/// place of what is read.
pub fn within(place: impl Into<String>, mut error: InputError) -> InputError {
    if error.fault == Fault::Output {
        return error;
    }
    let place = place.into();
    error.field = if error.field.is_empty() { place } else { format!("{place}, {}", error.field) };
    error
}

/// Help where bytes are not what they should be: the cause may be a transfer that was cut off.
const DAMAGED: &str = "it is damaged or was cut off; get it again, or build it again";
