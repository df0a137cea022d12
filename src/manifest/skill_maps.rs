//! The ConfigMaps with skills of files: sources in, each with its name and place out. What is in them is left to
//! `skill::config_map`.

use crate::api::error::InputError;
use crate::api::object::{Object as View, ObjectRef};
use crate::manifest::objects::{self, Object, Parsed};
use crate::manifest::stream::Source;
use crate::skill::config_map::is_skill;

/// Passes on each of them, and returns what cannot be read. Those without a namespace are in the default one.
pub fn each(
    sources: &[Source],
    default_namespace: &str,
    mut take: impl FnMut(ObjectRef, &Object<'_>),
) -> Vec<InputError> {
    let mut errors = Vec::new();
    // A label of kagenti.io or rossoctl.io says that it is one.
    for source in sources.iter().filter(|source| source.text.contains("io/type")) {
        match objects::documents_with(source, &["ConfigMap"]) {
            Ok(documents) => {
                for object in documents.iter().flat_map(Parsed::objects).filter(|one| is_skill(one.value)) {
                    take(View(object.value).reference_in(default_namespace), &object);
                }
            }
            Err(found) => errors.extend(found),
        }
    }
    errors
}
