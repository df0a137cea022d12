//! Who leads the plan of a workload that nobody leads: its identity in, an object without skills out, so that what is left is taken
//! out. When that is right is left to the callers.

use serde_json::{Value, json};

use crate::api::names::{SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::object::ObjectRef;

/// Whose plan takes out what is left where nobody is about a workload any more.
pub const GONE: &str = "<gone>";

/// Whose plan it is where a render of manifests has brought the skills, and nothing in the cluster lists them.
pub const RENDERED: &str = "<render>";

/// Who leads the plan of a workload that nobody leads: a SkillBinding without skills, since all that remains to be done about
/// it is to take out what is left. Its name is that of no object.
pub fn of_nobody(workload: &ObjectRef) -> Value {
    let ObjectRef { api_version, kind, namespace, name } = workload;
    json!({
        "apiVersion": format!("{SKILLS_GROUP}/{VERSION}"), "kind": SKILL_BINDING,
        "metadata": {"name": format!("{kind}.{}/{name}", workload.group()), "namespace": namespace},
        "spec": {"targetRef": {"apiVersion": api_version, "kind": kind, "name": name}, "skills": []},
    })
}

/// The same where the record of the workload decides alone, whoever owns the fields: somebody has named the workload, and nothing in
/// the cluster lists its skills.
#[cfg(feature = "internals")]
pub fn of_record(workload: &ObjectRef) -> Value {
    let mut object = of_nobody(workload);
    if let Some(Value::String(name)) = object.pointer_mut("/metadata/name") {
        name.push_str("/record");
    }
    object
}

pub(super) fn is_of_nobody(id: &ObjectRef) -> bool {
    id.kind == SKILL_BINDING && id.name.contains('/')
}

/// Whether an object is that of [`of_record`].
pub fn is_of_record(id: &ObjectRef) -> bool {
    is_of_nobody(id) && id.name.matches('/').count() == 2
}
