//! The skills of a pod template as it is: a template in; what it mounts, in which containers and where, out.

use serde_json::Value;

use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::Object;
use crate::plan::init_containers::fetched;

/// A skill that is in the live pod template.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountedSkill {
    /// Name: the volume's without its prefix.
    pub name: String,
    /// Image reference, of a volume or of what an init container fetches into it; empty for a volume of another kind.
    pub image: String,
    /// Containers that mount it.
    pub containers: Vec<String>,
    /// Where the first of them does; empty where none does.
    pub path: String,
    /// What of it; empty for all.
    pub sub_path: String,
}

/// The skill volumes of a pod template, or of a pod.
pub(super) fn mounted(template: &Value) -> Vec<MountedSkill> {
    items(template.pointer("/spec/volumes"))
        .filter_map(|volume| {
            let volume_name = volume.get("name")?.as_str()?;
            let name = volume_name.strip_prefix(SKILL_VOLUME_PREFIX)?.to_owned();
            let fetched = template.get("spec").and_then(|pod| fetched(pod, volume_name));
            let image = fetched.unwrap_or(Object(volume).str("/image/reference")).to_owned();
            let fills = |container: &Value| {
                fetched.is_some() && container.get("name").and_then(Value::as_str) == Some(volume_name)
            };
            let mounting: Vec<(String, &Value)> = ["/spec/containers", "/spec/initContainers"]
                .iter()
                .flat_map(|pointer| items(template.pointer(pointer)))
                .filter(|container| !fills(container))
                .filter_map(|container| {
                    let mut mounts = items(container.get("volumeMounts"));
                    let mount = mounts.find(|mount| Object(mount).str("/name") == volume_name)?;
                    Some((container.get("name")?.as_str()?.to_owned(), mount))
                })
                .collect();
            let first = mounting.first().map(|(_, mount)| Object(mount));
            let text = |at| first.map(|mount| mount.str(at).to_owned()).unwrap_or_default();
            let (path, sub_path) = (text("/mountPath"), text("/subPath"));
            let containers = mounting.into_iter().map(|(container, _)| container).collect();
            Some(MountedSkill { name, image, containers, path, sub_path })
        })
        .collect()
}

/// The items of a list; none where it is none.
pub(super) fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}
