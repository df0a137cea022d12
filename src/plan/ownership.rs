//! Whose is it: a workload in; for each volume, mount, label, annotation and name of a skill out whether it is ours, by
//! evidence and never by what it is called. What is then done with it is left to the plan.
//!
//! The evidence, in this order: the record says that it was there before us; `metadata.managedFields` name who wrote it;
//! the record says that we wrote it; the workload has the stamp of operators that mount and of earlier versions: a config
//! hash, and with it either an image volume that the skills annotation names, or both type labels (docs/compatibility.md,
//! "What is ours").

use std::collections::BTreeSet;

use foldhash::HashSet;
use serde_json::{Map, Value};

use super::fields::{find, text};
use super::image_volumes::{is_skill_image, name_of};
use super::mounts::path_of;
use super::record::Record;
use super::{Options, Warning};
use crate::api::agent_location::AgentLocation;
use crate::api::names::{
    FIELD_MANAGER, FORMER_FIELD_MANAGER, KAGENTI, MANAGED_BY, Names, OPERATOR_MANAGERS, RECORD, ROSSOCTL,
    SKILL_VOLUME_PREFIX,
};
use crate::api::object::field;
use crate::api::workload::WorkloadKind;
use crate::go::strings::string_list;

/// Why something is taken for ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The record annotation says so.
    Record,
    /// Our field manager or the operator's wrote it, and nobody else states it.
    ManagedFields,
    /// The workload has the stamp, and for a skill the annotation names it.
    Stamp,
}

/// A label or annotation of one text that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The type label of the workload.
    Type,
    /// The type label of the pod template.
    PodType,
    /// Who manages the workload.
    ManagedBy,
    /// The config hash of the pod template.
    Hash,
}

impl Entry {
    /// The map that it is in.
    pub(super) fn keys(self, kind: WorkloadKind) -> &'static [&'static str] {
        match (self, kind) {
            (Self::Type | Self::ManagedBy, _) => &["metadata", "labels"],
            (Self::PodType, kind) => kind.paths().labels,
            (Self::Hash, kind) => kind.paths().annotations,
        }
    }

    /// Its key there.
    pub(super) fn key(self, names: &'static Names) -> &'static str {
        match self {
            Self::Type | Self::PodType => names.type_label,
            Self::ManagedBy => MANAGED_BY,
            Self::Hash => names.config_hash,
        }
    }

    /// Its name in a record.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::PodType => "podType",
            Self::ManagedBy => "managedBy",
            Self::Hash => "hash",
        }
    }
}

/// What a workload says about who wrote what.
#[derive(Debug)]
pub(super) struct Ownership {
    /// The record; `None` if there is none, or it cannot be read.
    pub record: Option<Record>,
    kind: WorkloadKind,
    names: &'static Names,
    managers: Managers,
    /// The config hash of an operator that mounts, or ours, is on the pod template, and something else that is written with it:
    /// anybody may have copied a hash alone.
    stamped: bool,
    /// The workload and its pod template have one type label.
    typed: bool,
    /// Names in the skills annotation.
    named: HashSet<String>,
    /// Names in the skills annotation as the other operator's rules call it.
    pub elsewhere: Vec<String>,
    /// Names of skills whose image volumes are there.
    mounted: HashSet<String>,
    recorded: HashSet<String>,
    /// Whether the record is taken at its word, whoever states the fields.
    believed: bool,
    /// Names of volumes that the author had.
    before: HashSet<String>,
}

impl Ownership {
    /// Looks at a workload before it is planned.
    pub(super) fn of(
        workload: &Value,
        kind: WorkloadKind,
        options: &Options,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let names = options.profile.names;
        let mut unreadable = false;
        let record = annotation(workload, RECORD).and_then(|text| match Record::parse(text) {
            Ok(record) => Some(record),
            Err(error) => {
                let message = format!(
                    "the annotation {RECORD} cannot be read ({error}), so nothing is taken out by it; remove the annotation"
                );
                warnings.push(Warning { quirk: "", message });
                unreadable = true;
                None
            }
        });
        let hash = find(workload, kind.paths().annotations).map_or("", |map| text(map, &[names.config_hash]));
        let mounted: HashSet<String> = images_of(workload, kind).map(str::to_owned).collect();
        let named =
            annotation(workload, names.skills).and_then(|text| string_list(text).ok()).unwrap_or_default();
        let agent_type = |keys: &[&str]| find(workload, keys)?.get(names.type_label)?.as_str();
        let of_workload = agent_type(&["metadata", "labels"]);
        let is_typed = of_workload.is_some() && of_workload == agent_type(kind.paths().labels);
        // An operator that only observes stamps whatever it finds.
        let stamped = !hash.is_empty()
            && (is_typed || named.iter().any(|name| mounted.contains(name)))
            && options.profile.mounts()
            && record.is_none()
            && !unreadable;
        Self {
            kind,
            names,
            managers: Managers::of(workload),
            stamped,
            typed: is_typed,
            named: named.into_iter().collect(),
            elsewhere: annotation(workload, names.others().skills)
                .and_then(|text| string_list(text).ok())
                .unwrap_or_default(),
            mounted,
            recorded: record.iter().flat_map(|record| &record.skills).cloned().collect(),
            believed: false,
            before: record
                .iter()
                .flat_map(|record| &record.before.volumes)
                .map(|volume| name_of(volume).to_owned())
                .collect(),
            record,
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(workload: &Value) -> Self {
        let options = Options::new(&crate::api::profile::PROFILES[0]);
        Self::of(workload, WorkloadKind::Deployment, &options, &mut Vec::new())
    }

    /// Whether the image volume of a skill is ours.
    pub(super) fn volume(&self, skill: &str) -> Option<Evidence> {
        let name = [SKILL_VOLUME_PREFIX, skill].concat();
        if self.before.contains(&name) {
            return None;
        }
        if !self.managers.is_empty() {
            let path = self.pod_fields(["f:volumes".to_owned(), item("name", &name)]);
            match self.managers.of_item(&path) {
                Some(true) => return Some(Evidence::ManagedFields),
                Some(false) => return None,
                None if self.is_of_whole_list(skill, "f:volumes") => return Some(Evidence::ManagedFields),
                None => {}
            }
        }
        if self.recorded.contains(skill) {
            return Some(Evidence::Record);
        }
        (self.stamped && self.named.contains(skill)).then_some(Evidence::Stamp)
    }

    /// Whether a skill is in a list that does not merge, which we have written as a whole: who wrote an item of it nobody says, so
    /// the annotation has to name the skill.
    fn is_of_whole_list(&self, skill: &str, list: &str) -> bool {
        self.named.contains(skill) && self.managers.of_whole_list(&self.pod_fields([list.to_owned()]))
    }

    /// Whether the containers are a list that does not merge, with skills of ours, so that nobody says who wrote a variable.
    pub(super) fn has_whole_containers(&self) -> bool {
        self.named.iter().any(|skill| self.is_of_whole_list(skill, "f:containers"))
    }

    /// A field below the pod, as managedFields name it.
    fn pod_fields<const N: usize>(&self, below: [String; N]) -> Vec<String> {
        self.kind.paths().pod.iter().map(|key| format!("f:{key}")).chain(below).collect()
    }

    /// Whether a mount of a skill's volume, in a container that is not the agent's, is one that we left there when it
    /// was: `first` says that the container is the first one, which the operator takes.
    pub(super) fn stray_mount(&self, container: &str, first: bool, mount: &Value) -> Option<Evidence> {
        if self.mount_before(mount).is_some() {
            return None;
        }
        if !self.managers.is_empty() {
            let path = self.pod_fields([
                "f:containers".to_owned(),
                item("name", container),
                "f:volumeMounts".to_owned(),
                item("mountPath", path_of(mount)),
            ]);
            let skill = name_of(mount).strip_prefix(SKILL_VOLUME_PREFIX).unwrap_or_default();
            match self.managers.of_item(&path) {
                Some(true) => return Some(Evidence::ManagedFields),
                Some(false) => return None,
                None if self.is_of_whole_list(skill, "f:containers") => return Some(Evidence::ManagedFields),
                None => {}
            }
        }
        match &self.record {
            Some(record) => (record.container == container).then_some(Evidence::Record),
            None => (self.stamped && first).then_some(Evidence::Stamp),
        }
    }

    /// Whether the value of a variable that leads the agent of a container to its skills is ours, as far as it still is what we
    /// write. `runtime` says for which runtimes we do.
    pub(super) fn variable(
        &self,
        container: &str,
        variable: &str,
        runtime: impl Fn(Option<&AgentLocation>) -> bool,
    ) -> Option<Evidence> {
        let record = self.record.as_ref();
        if record.is_some_and(|record| record.before.root.as_deref() == Some(variable)) {
            return None;
        }
        let path = self.pod_fields([
            "f:containers".to_owned(),
            item("name", container),
            "f:env".to_owned(),
            item("name", variable),
            "f:value".to_owned(),
        ]);
        match self.managers.of_item(&path) {
            Some(true) => return Some(Evidence::ManagedFields),
            Some(false) => return None,
            None => {}
        }
        let record = record.filter(|record| record.container == container && !record.skills.is_empty())?;
        let led = record.runtime.as_deref().map(AgentLocation::by_name);
        let is_led = led.is_none_or(|known| known.is_some()) && runtime(led.flatten());
        is_led.then_some(Evidence::Record)
    }

    /// Whether a label with the value that we write, or the config hash, is ours. Who applies what was rendered owns the hash, and
    /// has not written it.
    pub(super) fn entry(&self, entry: Entry) -> Option<Evidence> {
        if self.entry_before(entry).is_some() {
            return None;
        }
        let keys = entry.keys(self.kind).iter().map(|key| format!("f:{key}"));
        let path: Vec<String> = keys.chain([format!("f:{}", entry.key(self.names))]).collect();
        match self.managers.of_item(&path) {
            Some(true) => return Some(Evidence::ManagedFields),
            Some(false) if entry != Entry::Hash => return None,
            _ => {}
        }
        match self.record {
            Some(_) => Some(Evidence::Record),
            None => self.stamped.then_some(Evidence::Stamp),
        }
    }

    /// Whether a name in the skills annotation is ours; `in_spec`: the AgentRuntime has a skill of that name.
    pub(super) fn name(&self, name: &str, in_spec: bool) -> Option<Evidence> {
        if self.recorded.contains(name) {
            return Some(Evidence::Record);
        }
        // A name is no evidence of itself: what was never mounted may be anybody's.
        let volume = self.volume(name).filter(|why| *why != Evidence::Stamp || self.mounted.contains(name));
        volume.or_else(|| (self.stamped && in_spec).then_some(Evidence::Stamp))
    }

    /// Whether a name in the skills annotation of the other operator's rules is ours: our own manager alone states that annotation, and
    /// the skill is listed or its volume is ours; or the record names it, and the annotation of the rules in use does not, so that it
    /// was written by the others. `in_spec`: a list has a skill of that name.
    pub(super) fn name_elsewhere(&self, name: &str, in_spec: bool) -> bool {
        let before = self.record.as_ref().and_then(|record| record.before.names.as_deref());
        if before.is_some_and(|text| string_list(text).is_ok_and(|names| names.iter().any(|one| one == name)))
        {
            return false;
        }
        if self.managers.is_empty() {
            return self.recorded.contains(name) && !self.named.contains(name);
        }
        let key = format!("f:{}", self.names.others().skills);
        self.managers.is_of_program(&["f:metadata".to_owned(), "f:annotations".to_owned(), key])
            && (in_spec || self.volume(name) == Some(Evidence::ManagedFields))
    }

    /// Takes the record's word against managedFields: who applied what a render wrote states it, and has not thought of it. Only where
    /// somebody has named the workload to have its skills taken out.
    pub(super) fn believe_the_record(&mut self) {
        if self.record.is_some() {
            self.managers = Managers::default();
            self.believed = true;
        }
    }

    /// Whether that was done.
    pub(super) fn is_believed(&self) -> bool {
        self.believed
    }

    /// What the author had at an entry.
    pub(super) fn entry_before(&self, entry: Entry) -> Option<&str> {
        let entries = self.record.as_ref().map_or(&[][..], |record| &record.before.entries);
        entries.iter().find(|(key, _)| key == entry.name()).map(|(_, value)| value.as_str())
    }

    /// The image volume of that name as the author had it.
    pub(super) fn volume_before(&self, name: &str) -> Option<&Value> {
        self.record.as_ref()?.before.volumes.iter().find(|volume| name_of(volume) == name)
    }

    /// A mount as the author had it, by volume and path.
    pub(super) fn mount_before(&self, mount: &Value) -> Option<&Value> {
        let same = |other: &&Value| name_of(other) == name_of(mount) && path_of(other) == path_of(mount);
        self.record.as_ref()?.before.mounts.iter().find(same)
    }

    /// Whether the config hash on the pod template was written by a render of ours, and is no operator's: by the record in a file and
    /// the labels that such a render writes as well, by our own field manager on a cluster.
    pub(super) fn is_rendered_hash(&self, workload: &Value) -> bool {
        let keys = self.kind.paths().annotations;
        let is_there = find(workload, keys).is_some_and(|map| map.get(self.names.config_hash).is_some());
        let managed = field(workload, "/metadata/managedFields").and_then(Value::as_array);
        let path: Vec<String> =
            keys.iter().chain([&self.names.config_hash]).map(|key| format!("f:{key}")).collect();
        let is_stated_by = |managers: &[&str]| {
            let states = |entry: &&Value| {
                let fields = entry.get("fieldsV1").unwrap_or(&Value::Null);
                managers.contains(&text(entry, &["manager"]))
                    && path.iter().try_fold(fields, |at, key| at.get(key)).is_some()
            };
            managed.into_iter().flatten().any(|entry| states(&entry))
        };
        is_there
            && match managed {
                Some(_) if !self.believed => is_stated_by(&[FIELD_MANAGER, FORMER_FIELD_MANAGER]),
                // An operator that runs writes it again, and pods roll twice.
                _ => self.record.is_some() && self.typed && !is_stated_by(&OPERATOR_MANAGERS),
            }
    }

    /// Whether anything was rendered or configured here before.
    pub(super) fn is_rendered(&self) -> bool {
        self.stamped || self.record.is_some()
    }
}

/// The skills of a workload that some render or operator has mounted: those of its record, or those that its annotation names
/// and whose image volumes are there. Enough to ask about them, not to take them out.
pub(crate) fn skills_left(workload: &Value, kind: WorkloadKind) -> Vec<String> {
    if let Some(record) = record_of(workload).filter(|record| !record.skills.is_empty()) {
        return record.skills;
    }
    let images: HashSet<&str> = images_of(workload, kind).collect();
    // Under either name: without the object that was about it the text does not say whose rules were followed.
    let named = [KAGENTI.skills, ROSSOCTL.skills].into_iter().filter_map(|key| annotation(workload, key));
    let named: BTreeSet<String> = named.filter_map(|text| string_list(text).ok()).flatten().collect();
    named.into_iter().filter(|name| images.contains(name.as_str())).collect()
}

/// Of the skills that are left in a workload, those that are known to be ours to take out.
#[cfg(feature = "internals")]
pub(crate) fn skills_of_ours(workload: &Value, kind: WorkloadKind) -> Vec<String> {
    let left = skills_left(workload, kind);
    if left.is_empty() {
        return left;
    }
    // The evidence of a list that does not merge hangs on the name of the annotation.
    let profiles = ["head", "rossoctl"].into_iter().filter_map(crate::api::profile::Profile::by_name);
    let own: Vec<Ownership> = profiles
        .map(|profile| Ownership::of(workload, kind, &Options::new(profile), &mut Vec::new()))
        .collect();
    left.into_iter().filter(|skill| own.iter().any(|own| own.volume(skill).is_some())).collect()
}

/// Of the skills that a workload has, those that are not known to be ours to take out: of its record, or of these names. A render that
/// somebody else applies leaves them.
#[cfg(feature = "internals")]
pub(crate) fn skills_of_source(
    workload: &Value,
    kind: WorkloadKind,
    listed: &BTreeSet<String>,
) -> Vec<String> {
    let recorded = record_of(workload).unwrap_or_default().skills;
    let mut out: Vec<String> = volumes_of(workload, kind)
        .map(|(skill, _)| skill)
        .filter(|skill| listed.contains(*skill) || recorded.iter().any(|name| name == skill))
        .map(str::to_owned)
        .collect();
    if !out.is_empty() {
        let ours = skills_of_ours(workload, kind);
        out.retain(|skill| !ours.contains(skill));
    }
    out
}

/// Whether a record that can be read names skills of a workload: with it `--remove` takes them out.
pub(crate) fn has_record(workload: &Value) -> bool {
    record_of(workload).is_some_and(|record| !record.skills.is_empty())
}

/// The text of an annotation of a workload.
fn annotation<'w>(workload: &'w Value, key: &str) -> Option<&'w str> {
    find(workload, &["metadata", "annotations"])?.get(key)?.as_str()
}

/// The record of a workload; `None` if there is none, or it cannot be read.
fn record_of(workload: &Value) -> Option<Record> {
    Record::parse(annotation(workload, RECORD)?).ok()
}

/// The volumes with our prefix, each after the name of the skill that it is for.
pub(super) fn volumes_of(workload: &Value, kind: WorkloadKind) -> impl Iterator<Item = (&str, &Value)> {
    let volumes = find(workload, kind.paths().pod).and_then(|pod| pod.get("volumes"));
    let volumes = volumes.and_then(Value::as_array).into_iter().flatten();
    volumes.filter_map(|volume| Some((name_of(volume).strip_prefix(SKILL_VOLUME_PREFIX)?, volume)))
}

/// Names of the skills whose image volumes are there.
fn images_of(workload: &Value, kind: WorkloadKind) -> impl Iterator<Item = &str> {
    volumes_of(workload, kind).filter(|(_, volume)| is_skill_image(volume)).map(|(skill, _)| skill)
}

fn item(key: &str, value: &str) -> String {
    format!("k:{}", Value::Object(Map::from_iter([(key.to_owned(), value.into())])))
}

/// The managers of an object's own fields, ours and the operator's apart from all others.
#[derive(Debug, Default)]
struct Managers(Vec<(Whose, Value)>);

/// Who a manager is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// This program.
    Program,
    /// The operator.
    Operator,
    /// Anybody else.
    Other,
}

impl Whose {
    /// This program's or the operator's.
    fn is_ours(self) -> bool {
        self != Self::Other
    }
}

impl Managers {
    fn of(workload: &Value) -> Self {
        let list = field(workload, "/metadata/managedFields").and_then(Value::as_array);
        let entries = list.into_iter().flatten().filter(|entry| text(entry, &["subresource"]).is_empty());
        Self(
            entries
                .map(|entry| {
                    let manager = text(entry, &["manager"]);
                    let whose = if [FIELD_MANAGER, FORMER_FIELD_MANAGER].contains(&manager) {
                        Whose::Program
                    } else if OPERATOR_MANAGERS.contains(&manager) {
                        Whose::Operator
                    } else {
                        Whose::Other
                    };
                    (whose, entry.get("fieldsV1").cloned().unwrap_or_default())
                })
                .collect(),
        )
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a list is stated as one field, and by us alone.
    fn of_whole_list(&self, path: &[String]) -> bool {
        let found = self.0.iter().filter_map(|(whose, fields)| {
            Some((whose, path.iter().try_fold(fields, |at, key| at.get(key))?))
        });
        let mut found = found.peekable();
        found.peek().is_some()
            && found.all(|(whose, fields)| whose.is_ours() && fields.as_object().is_some_and(Map::is_empty))
    }

    /// Whether a field or an item of a list is ours alone; `None` if nobody states it. Who changed only something inside
    /// an item does not state the item.
    fn of_item(&self, path: &[String]) -> Option<bool> {
        let states = |fields: &Value| {
            let found = path.iter().try_fold(fields, |at, key| at.get(key));
            let is_item = path.last().is_some_and(|key| key.starts_with("k:"));
            found.is_some_and(|found| !is_item || found.get(".").is_some() || found.get("f:name").is_some())
        };
        self.all(states, Whose::is_ours)
    }

    /// Whether a field is there and this program alone states it.
    fn is_of_program(&self, path: &[String]) -> bool {
        let states = |fields: &Value| path.iter().try_fold(fields, |at, key| at.get(key)).is_some();
        self.all(states, |whose| whose == Whose::Program) == Some(true)
    }

    /// Whether all who state a field are such; `None` if nobody states it.
    fn all(&self, states: impl Fn(&Value) -> bool, are: impl Fn(Whose) -> bool) -> Option<bool> {
        let mut all = self.0.iter().filter(|(_, fields)| states(fields)).map(|(whose, _)| *whose).peekable();
        all.peek()?;
        Some(all.all(are))
    }
}
