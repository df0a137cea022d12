//! Skills that a pod template has by ConfigMaps or by init containers that fetch them, as kagenti's backend writes them: a
//! workload in; volumes, mounts and what they say out, and the workload without them. What becomes of each is left to
//! `config_map`.

use serde_json::{Map, Value};

use crate::api::names::{DEFAULT_CONTAINER, SKILL_VOLUME_PREFIX};
use crate::api::workload::WorkloadKind;
use crate::yaml::Step;

/// Names of the volumes of skills that init containers fetch, and of these.
pub(super) const FETCHED: [&str; 2] = ["skill-ext-", "fetch-skill-"];
/// What a mount may say and still mean the same of an image.
const OF_MOUNT: [&str; 4] = ["name", "mountPath", "readOnly", "recursiveReadOnly"];
/// The parts of a path that pick something of a volume.
const PARTS: [&str; 2] = ["subPath", "subPathExpr"];
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Where the files of a skill come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A ConfigMap that is the volume.
    Map,
    /// A ConfigMap that is one of its sources.
    Projected,
    /// The init container of this index.
    Fetched(usize),
}

/// A mount of a skill's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The list of its container.
    pub list: &'static str,
    container: usize,
    index: usize,
    /// Where it is.
    pub path: String,
    /// Whether it mounts a part.
    pub in_part: bool,
    /// A field that nothing else could say.
    pub unknown: Option<String>,
    /// Whether the container may write there, as far as the mount says.
    pub writable: bool,
}

impl Mount {
    /// Its place in the workload.
    pub(super) fn at(&self, kind: WorkloadKind) -> Vec<Step> {
        let mut out = steps(kind, &[self.list]);
        out.extend([self.container.into(), "volumeMounts".into(), self.index.into()]);
        out
    }
}

/// A skill that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Name of the ConfigMap; of one that is fetched that of its folder.
    pub name: String,
    pub source: Source,
    /// Index of the volume.
    pub volume: usize,
    /// Its name in the pod.
    pub volume_name: String,
    /// Without that of the init container that fetches it.
    pub mounts: Vec<Mount>,
    /// Whether several init containers fetch it.
    pub fetched_by_several: bool,
    pub picks_keys: bool,
    pub optional: bool,
    pub mode: bool,
    /// Whether volume and mounts are named as the backend names them.
    pub looks_like_skill: bool,
}

impl Found {
    /// The container that mounts it, where one does.
    pub(super) fn container(&self) -> Option<usize> {
        self.mounts.first().filter(|mount| mount.list == "containers").map(|mount| mount.container)
    }
}

/// The container of skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Container<'v> {
    pub name: &'v str,
    /// Whether there are others, so that a list must name it.
    pub must_be_named: bool,
    /// Whether it is the one that is taken where none is named.
    is_default: bool,
}

impl Container<'_> {
    /// Whether a list that names this container, or none, is of another one.
    pub(super) fn differs_from(&self, named: Option<&str>) -> bool {
        named.map_or(!self.is_default, |named| named != self.name)
    }
}

/// A place in the pod of a workload.
pub(super) fn steps(kind: WorkloadKind, keys: &[&str]) -> Vec<Step> {
    kind.paths().pod.iter().chain(keys).map(|key| Step::from(*key)).collect()
}

/// The place of a volume.
pub(super) fn steps_of_volume(kind: WorkloadKind, index: usize) -> Vec<Step> {
    let mut out = steps(kind, &["volumes"]);
    out.push(index.into());
    out
}

fn pod(kind: WorkloadKind, object: &Value) -> Option<&Value> {
    kind.paths().pod.iter().try_fold(object, |at, key| at.get(key))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The container of this index.
pub(super) fn container(kind: WorkloadKind, object: &Value, index: usize) -> Option<Container<'_>> {
    let all = list(pod(kind, object)?, "containers");
    let name = text(all.get(index)?, "name");
    let annotations = kind.paths().annotations.iter().try_fold(object, |at, key| at.get(key));
    let is_default = match annotations.map_or("", |map| text(map, DEFAULT_CONTAINER)) {
        "" => index == 0,
        chosen => chosen == name,
    };
    Some(Container { name, must_be_named: all.len() > 1, is_default })
}

/// Every volume of a ConfigMap, and every skill that is fetched.
pub(super) fn found(kind: WorkloadKind, object: &Value) -> Vec<Found> {
    let Some(pod) = pod(kind, object) else { return Vec::new() };
    let volumes = list(pod, "volumes").iter().enumerate();
    volumes.flat_map(|(index, volume)| of_volume(pod, index, volume)).collect()
}

fn of_volume(pod: &Value, index: usize, volume: &Value) -> Vec<Found> {
    let own = text(volume, "name");
    let mut mounts = mounts(pod, own);
    let base = |mount: &Mount| {
        let path = mount.path.trim_end_matches('/');
        path.rsplit_once('/').map_or(path, |(_, base)| base).to_owned()
    };
    let one = |name: &str, source, map: &Value, mounts: &[Mount]| Found {
        name: name.to_owned(),
        source,
        volume: index,
        volume_name: own.to_owned(),
        mounts: mounts.to_vec(),
        fetched_by_several: false,
        picks_keys: !list(map, "items").is_empty(),
        optional: map.get("optional") == Some(&true.into()),
        mode: map.get("defaultMode").is_some_and(|mode| !mode.is_null()),
        looks_like_skill: own.starts_with(SKILL_VOLUME_PREFIX)
            && !mounts.is_empty()
            && mounts.iter().all(|mount| base(mount) == name),
    };
    if let Some(map) = volume.get("configMap").filter(|map| !text(map, "name").is_empty()) {
        return vec![one(text(map, "name"), Source::Map, map, &mounts)];
    }
    if let Some(projected) = volume.get("projected") {
        let maps = list(projected, "sources").iter().filter_map(|source| source.get("configMap"));
        return maps
            .map(|map| Found {
                looks_like_skill: false,
                ..one(text(map, "name"), Source::Projected, map, &mounts)
            })
            .collect();
    }
    if volume.get("emptyDir").is_some() && own.starts_with(FETCHED[0]) {
        let fetches = |mount: &Mount| {
            let container = list(pod, "initContainers").get(mount.container);
            mount.list == "initContainers"
                && container.is_some_and(|container| text(container, "name").starts_with(FETCHED[1]))
        };
        let mut fetching: Vec<usize> =
            mounts.iter().filter(|mount| fetches(mount)).map(|mount| mount.container).collect();
        fetching.dedup();
        mounts.retain(|mount| !fetches(mount));
        if let Some(container) = fetching.first() {
            let name = mounts.first().map_or_else(|| own[FETCHED[0].len()..].to_owned(), base);
            let found = one(&name, Source::Fetched(*container), &Value::Null, &mounts);
            return vec![Found { looks_like_skill: true, fetched_by_several: fetching.len() > 1, ..found }];
        }
    }
    Vec::new()
}

fn mounts(pod: &Value, volume: &str) -> Vec<Mount> {
    let mut out = Vec::new();
    for name in LISTS {
        for (container, value) in list(pod, name).iter().enumerate() {
            for (index, mount) in list(value, "volumeMounts").iter().enumerate() {
                if text(mount, "name") != volume {
                    continue;
                }
                let has = |key: &&str| !text(mount, key).is_empty();
                let unknown = |key: &&String| {
                    !OF_MOUNT.contains(&key.as_str())
                        && !PARTS.contains(&key.as_str())
                        && !mount[*key].is_null()
                };
                out.push(Mount {
                    list: name,
                    container,
                    index,
                    path: text(mount, "mountPath").to_owned(),
                    in_part: PARTS.iter().any(has),
                    writable: mount.get("readOnly") != Some(&true.into()),
                    unknown: mount.as_object().and_then(|map| map.keys().find(unknown)).cloned(),
                });
            }
        }
    }
    out
}

/// The first mount by which a fetching init container fills a volume that stays and that others mount as well: its place, and
/// the volume. `moved`: indices of the volumes that go.
pub(super) fn fills_another(
    kind: WorkloadKind,
    object: &Value,
    fetching: usize,
    moved: &[usize],
) -> Option<(Vec<Step>, String)> {
    let pod = pod(kind, object)?;
    let staying = list(pod, "volumes").iter().enumerate().filter(|(index, _)| !moved.contains(index));
    staying.map(|(_, volume)| text(volume, "name")).find_map(|name| {
        let all = mounts(pod, name);
        let is_its = |mount: &&Mount| mount.list == "initContainers" && mount.container == fetching;
        let own = all.iter().find(is_its).filter(|mount| mount.writable)?;
        all.iter().any(|mount| !is_its(&mount)).then(|| (own.at(kind), name.to_owned()))
    })
}

/// Mounts of other volumes within the folders of skills, in the containers that mount these: place, skill, and path.
pub(super) fn nested<'f>(
    kind: WorkloadKind,
    object: &Value,
    found: impl Iterator<Item = &'f Found>,
) -> Vec<(Vec<Step>, String, String)> {
    let mut out = Vec::new();
    let Some(pod) = pod(kind, object) else { return out };
    for (one, mount) in found.flat_map(|one| one.mounts.iter().map(move |mount| (one, mount))) {
        let own = format!("{}/", mount.path.trim_end_matches('/'));
        let Some(container) = list(pod, mount.list).get(mount.container) else { continue };
        for (index, other) in list(container, "volumeMounts").iter().enumerate() {
            let path = text(other, "mountPath").trim_end_matches('/');
            if path.starts_with(&own) && text(other, "name") != one.volume_name {
                let at = Mount { index, ..mount.clone() }.at(kind);
                out.push((at, one.name.clone(), path.to_owned()));
            }
        }
    }
    out
}

/// Takes volumes, their mounts, and the init containers that filled them out of a workload; lists that are empty then go as well.
pub(super) fn take_out<'f>(kind: WorkloadKind, object: &mut Value, found: impl Iterator<Item = &'f Found>) {
    let Some(pod) = kind.paths().pod.iter().try_fold(object, |at, key| at.get_mut(*key)) else { return };
    let Some(pod) = pod.as_object_mut() else { return };
    let (mut volumes, mut fetching) = (Vec::new(), Vec::new());
    for one in found {
        volumes.push(one.volume);
        if let Source::Fetched(container) = one.source {
            fetching.push(container);
        }
    }
    let names: Vec<String> = pod
        .get("volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(index, _)| volumes.contains(index))
        .map(|(_, volume)| text(volume, "name").to_owned())
        .collect();
    retain(pod, "volumes", |index, _| !volumes.contains(&index));
    retain(pod, "initContainers", |index, _| !fetching.contains(&index));
    for list in LISTS {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                retain(container, "volumeMounts", |_, mount| {
                    !names.iter().any(|name| name == text(mount, "name"))
                });
            }
        }
    }
}

/// Keeps items of a list; one that loses its last goes.
fn retain(map: &mut Map<String, Value>, key: &str, keeps: impl Fn(usize, &Value) -> bool) {
    let Some(items) = map.get_mut(key).and_then(Value::as_array_mut) else { return };
    let (before, mut index) = (items.len(), 0);
    items.retain(|item| {
        index += 1;
        keeps(index - 1, item)
    });
    if items.is_empty() && before > 0 {
        map.shift_remove(key);
    }
}
