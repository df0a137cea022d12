//! AgentRuntimes whose list of skills a current CRD does not know: what is printed of them, and when that would lose skills.

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::field;
use crate::plan::Options;
use crate::plan::bindings::Binding;

use super::{Item, Stream};

/// The AgentRuntime as a cluster of this profile takes it, without loss or warning; `None` where that is as it is.
pub(super) fn without_skills(object: &Value, options: &Options) -> Option<Value> {
    if options.profile.mounts() || options.exact || options.remove {
        return None;
    }
    field(object, "/spec/skills")?;
    let mut after = object.clone();
    after.get_mut("spec")?.as_object_mut()?.shift_remove("skills");
    Some(after)
}

/// A list that goes, of a workload that a SkillBinding is about as well, whatever it delivers to: whoever reads the SkillBinding
/// next - a render of the result, `apply`, the controller - finds the AgentRuntime's skills in no list any more, and takes
/// them out.
pub(super) fn beside_a_binding<'b>(
    stream: &Stream<'_>,
    item: &Item,
    object: &Value,
    options: &Options,
    mut bindings: impl Iterator<Item = &'b Binding>,
) -> Option<InputError> {
    if field(object, "/spec/skills")?.as_array().is_some_and(Vec::is_empty) {
        return None;
    }
    let binding = &bindings.next()?.id.name;
    let profile = options.profile.name;
    let message = format!(
        "the CRD of profile {profile} has no spec.skills, so this list goes; SkillBinding {binding}, which stays, is about the same \
         workload, and whoever reads it next takes these skills out"
    );
    Some(stream.error(
        item,
        &["spec".into(), "skills".into()],
        message,
        format!("move it into SkillBinding {binding}"),
    ))
}
