//! A workload that is being planned, with everything that the plan of its labels, its annotation and its record needs:
//! the object and whose each thing in it is in, changes in its draft and warnings in the plan out. The pod is in `pod`.

use std::collections::BTreeSet;

use foldhash::HashSet;
use serde_json::Value;

use super::annotation;
use super::draft::Draft;
use super::fields::{WrongType, find};
use super::image_volumes::name_of;
use super::ownership::{Entry, Ownership, volumes_of};
use super::record::Record;
use super::{Options, RecordMode, Runtime, RuntimePlan, is_of_record};
use crate::api::agent_location::AgentLocation;
use crate::api::agent_runtime::Skill;
use crate::api::names::RECORD;
use crate::api::object::Object;
use crate::api::workload::WorkloadKind;
use crate::go::strings::string_list;

/// A workload that is being planned.
pub(super) struct Work<'w, 'r> {
    pub plan: &'w mut RuntimePlan,
    pub draft: Draft,
    pub runtime: &'w Runtime<'r>,
    pub kind: WorkloadKind,
    pub options: &'w Options,
    /// The skills that the pod gets.
    pub skills: &'w [Skill],
    /// Whose things were before the plan.
    pub own: Ownership,
    /// The record as it will be written.
    pub next: Record,
    /// Whether something of the author's could be taken for ours without a record.
    pub ambiguous: bool,
    /// Whether a skill is delivered anew from a ConfigMap or by an init container: nothing but a record says that such a volume is ours.
    pub delivered: bool,
    /// Paths of mounts of ours that were taken out.
    pub dropped_paths: Vec<String>,
}

impl<'w, 'r> Work<'w, 'r> {
    pub(super) fn new(
        plan: &'w mut RuntimePlan,
        draft: Draft,
        runtime: &'w Runtime<'r>,
        kind: WorkloadKind,
        options: &'w Options,
        skills: &'w [Skill],
    ) -> Self {
        let mut own = Ownership::of(draft.value(), kind, options, &mut plan.warnings);
        if options.remove && is_of_record(&runtime.id) {
            own.believe_the_record();
        }
        let mut next = own.record.clone().unwrap_or_default();
        next.skills = skills.iter().map(|skill| skill.name.clone()).collect();
        if skills.is_empty() {
            next.container.clear();
            next.runtime = None;
        }
        let led =
            runtime.bound.location.filter(|_| !skills.is_empty()).and_then(AgentLocation::root_variable);
        next.before.root = next.before.root.filter(|root| led.is_some_and(|(variable, _)| variable == root));
        let dropped_paths = Vec::new();
        Self {
            plan,
            draft,
            runtime,
            kind,
            options,
            skills,
            own,
            next,
            ambiguous: false,
            delivered: false,
            dropped_paths,
        }
    }

    pub(super) fn warn(&mut self, quirk: &'static str, message: impl Into<String>) {
        self.plan.warn(quirk, message);
    }

    /// `; the operator would ...` where it mounts itself and would do harm.
    pub(super) fn operator_would(&self, what: &str) -> String {
        if self.options.profile.mounts() { format!("; the operator would {what}") } else { String::new() }
    }

    /// The quirk, where the operator mounts itself.
    pub(super) fn quirk(&self, quirk: &'static str) -> &'static str {
        if self.options.profile.mounts() { quirk } else { "" }
    }

    /// Sets a label or the config hash, and remembers what its author had there.
    pub(super) fn set_entry(&mut self, entry: Entry, value: &str) -> Result<(), WrongType> {
        let (keys, key) = (entry.keys(self.kind), entry.key(self.options.profile.names));
        let before = self.draft.map(keys)?.and_then(|map| map.get(key)).and_then(|value| value.as_str());
        if let Some(before) = before
            && self.own.entry(entry).is_none()
            && self.own.entry_before(entry).is_none()
        {
            self.next.before.entries.push((entry.name().to_owned(), before.to_owned()));
            self.ambiguous = true;
        }
        self.draft.set(keys, key, value)
    }

    /// Takes a label out that has the value that we write, or gives it the value that its author had.
    pub(super) fn remove_entry(&mut self, entry: Entry, ours: &str) -> Result<(), WrongType> {
        let (keys, key) = (entry.keys(self.kind), entry.key(self.options.profile.names));
        let found = find(self.draft.value(), keys).and_then(|map| map.get(key)).and_then(Value::as_str);
        if found != Some(ours) {
            return Ok(());
        }
        if let Some(before) = self.own.entry_before(entry).map(str::to_owned) {
            return self.draft.set(keys, key, before);
        }
        if self.own.entry(entry).is_some() {
            self.draft.remove(keys, key);
        } else {
            let quirk = if entry == Entry::ManagedBy { self.quirk("Q17") } else { "" };
            self.warn(
                quirk,
                format!(
                    "the label {key} is kept: nothing says that kubectl-skills or the operator alone wrote it"
                ),
            );
        }
        Ok(())
    }

    /// Takes the config hash out, or gives back what its author had there.
    pub(super) fn remove_hash(&mut self) -> Result<(), WrongType> {
        let (keys, key) = (Entry::Hash.keys(self.kind), Entry::Hash.key(self.options.profile.names));
        if find(self.draft.value(), keys).is_none_or(|map| map.get(key).is_none()) {
            return Ok(());
        }
        if let Some(before) = self.own.entry_before(Entry::Hash).map(str::to_owned) {
            return self.draft.set(keys, key, before);
        }
        if self.own.entry(Entry::Hash).is_some() {
            self.draft.remove(keys, key);
        } else {
            let message = format!(
                "the annotation {key} is kept: nothing else says that kubectl-skills or the operator wrote it"
            );
            self.warn("", message);
        }
        Ok(())
    }

    /// The skills annotation.
    pub(super) fn annotation(&mut self) -> Result<(), WrongType> {
        let key = self.options.profile.names.skills;
        let keys = ["metadata", "annotations"];
        let existing =
            find(self.draft.value(), &keys).and_then(|map| map.get(key)).and_then(|text| text.as_str());
        let existing = existing.map(str::to_owned);
        let names: Vec<&str> = self.skills.iter().map(|skill| skill.name.as_str()).collect();
        let bound = self.runtime.bound.skills.iter().map(|(skill, _, _)| skill);
        let in_spec: HashSet<&str> =
            self.runtime.spec.skills.iter().chain(bound).map(|skill| skill.name.as_str()).collect();
        let before = self.own.record.as_ref().and_then(|record| record.before.names.as_deref());
        let is_ours = |name: &str| self.own.name(name, in_spec.contains(name)).is_some();
        let wanted = annotation::wanted(existing.as_deref(), &names, is_ours, before);
        if let Some(existing) = &existing
            && self.own.record.is_none()
            && !self.options.remove
            && !Object(self.runtime.object).is_being_deleted()
        {
            self.remember_names(existing, wanted.malformed, &in_spec);
        }
        let quirk = self.quirk("Q5");
        let malformed = "the skills annotation is no list of names and";
        if wanted.malformed && names.is_empty() {
            let would = self.operator_would("remove it");
            self.warn(quirk, format!("{malformed} is kept{would}"));
        } else if wanted.malformed {
            self.plan.warn_of_deed(quirk, format!("{malformed} is replaced"));
        } else if !wanted.foreign.is_empty() {
            let message = format!(
                "the skills annotation names skills of others, which are kept: {}{}",
                wanted.foreign.join(", "),
                self.operator_would("remove them")
            );
            self.warn(quirk, message);
        }
        let is_ours = |name: &&String| self.own.name_elsewhere(name, in_spec.contains(name.as_str()));
        let elsewhere: HashSet<String> = self.own.elsewhere.iter().filter(is_ours).cloned().collect();
        match wanted.set {
            None => {}
            Some(Some(text)) => self.draft.set(&keys, key, text)?,
            Some(None) => self.draft.remove(&keys, key),
        }
        self.annotation_elsewhere(&elsewhere)
    }

    /// Takes names of ours out of the annotation by which the other operator's rules call it: nobody else ever would, once the rules
    /// are others.
    fn annotation_elsewhere(&mut self, ours: &HashSet<String>) -> Result<(), WrongType> {
        if ours.is_empty() {
            return Ok(());
        }
        let (keys, key) = (["metadata", "annotations"], self.options.profile.names.others().skills);
        let rest: Vec<&str> =
            self.own.elsewhere.iter().map(String::as_str).filter(|name| !ours.contains(*name)).collect();
        if rest.is_empty() {
            self.draft.remove(&keys, key);
            return Ok(());
        }
        // As its author had spelled it.
        let before = self.own.record.as_ref().and_then(|record| record.before.names.clone());
        let is_rest = |text: &String| string_list(text).is_ok_and(|names| names == rest);
        let text = before.filter(is_rest).unwrap_or_else(|| annotation::text(rest));
        self.draft.set(&keys, key, text)
    }

    /// Remembers the annotation of a workload that was never rendered, or of which only the operator's part is known.
    fn remember_names(&mut self, existing: &str, malformed: bool, in_spec: &HashSet<&str>) {
        let named = string_list(existing).unwrap_or_default();
        let theirs: Vec<&String> = named
            .iter()
            .filter(|name| self.own.name(name, in_spec.contains(name.as_str())).is_none())
            .collect();
        if !malformed && theirs.is_empty() {
            return;
        }
        let images: HashSet<&str> =
            volumes_of(self.draft.value(), self.kind).map(|(skill, _)| skill).collect();
        self.ambiguous |= malformed
            || theirs.iter().any(|name| in_spec.contains(name.as_str()) || images.contains(name.as_str()));
        self.next.before.names = Some(if theirs.len() == named.len() {
            existing.to_owned()
        } else {
            annotation::text(theirs.into_iter().map(String::as_str))
        });
    }

    /// Writes the record, keeps it as it should be where there is one, and takes it out where nothing is left to record.
    pub(super) fn record(&mut self) -> Result<(), WrongType> {
        let keys = ["metadata", "annotations"];
        let is_there = find(self.draft.value(), &keys).is_some_and(|map| map.get(RECORD).is_some());
        let says_nothing = self.next.skills.is_empty() && self.next.before.is_empty();
        // Where the operator only observes, nothing but a record is ever taken for evidence.
        let wanted = match self.options.record {
            // What it says is done, and it would say so for ever.
            RecordMode::Off if self.own.is_believed() || self.is_record_done() => false,
            RecordMode::Off => return Ok(()),
            RecordMode::WhereAmbiguous if self.delivered => true,
            RecordMode::WhereAmbiguous => {
                self.own.record.is_some() || (self.ambiguous && self.options.profile.mounts())
            }
            RecordMode::Always => true,
        };
        // What SkillBindings add outlives the AgentRuntime.
        let goes = self.options.remove && self.skills.is_empty();
        if wanted && !says_nothing && !goes {
            self.draft.set(&keys, RECORD, self.next.text())
        } else {
            if is_there && (self.own.record.is_some() || self.options.remove) {
                self.draft.remove(&keys, RECORD);
            }
            Ok(())
        }
    }

    /// Whether everything is to go, and nothing of what the record names is there any more but what its author had.
    fn is_record_done(&self) -> bool {
        let record = self.own.record.as_ref().filter(|_| self.options.remove && self.skills.is_empty());
        record.is_some_and(|record| {
            let mut there = volumes_of(self.draft.value(), self.kind);
            !there.any(|(skill, volume)| {
                record.skills.iter().any(|name| name == skill)
                    && self.own.volume_before(name_of(volume)).is_none()
            })
        })
    }

    /// Says which skills of a workload with SkillBindings go, for one that has left the input leaves no other trace.
    pub(super) fn tell_gone(&mut self) {
        let bound = &self.runtime.bound;
        let Some(record) = self.own.record.as_ref().filter(|_| bound.leads || !bound.names.is_empty()) else {
            return;
        };
        let wanted: HashSet<&str> = self.skills.iter().map(|skill| skill.name.as_str()).collect();
        let gone: Vec<&str> =
            record.skills.iter().map(String::as_str).filter(|name| !wanted.contains(name)).collect();
        let is_for_pods = |name: &&str| bound.for_pods.iter().any(|other| other == name);
        let (moved, gone): (Vec<&str>, Vec<&str>) = gone.into_iter().partition(is_for_pods);
        let said = [
            (gone, "taken out of the workload, as no list of the input has it any more"),
            (moved, "taken out of the workload, as its pods get it as they are created"),
        ];
        let said = said.into_iter().filter(|(names, _)| !names.is_empty());
        let said: Vec<String> = said.map(|(names, why)| format!("{why}: {}", names.join(", "))).collect();
        for message in said {
            self.plan.warn_of_deed("", message);
        }
    }

    /// Says which volumes and mounts with the name of a skill stay, since nothing says that they are ours.
    pub(super) fn tell_kept(&mut self, kept: &[String], foreign: &[String]) {
        let foreign: BTreeSet<&String> = foreign.iter().collect();
        for name in foreign {
            let would = self.operator_would("remove it");
            let quirk = self.quirk("Q4");
            self.warn(quirk, format!("volume {name} is not an image volume and is left{would}"));
        }
        for name in kept.iter().filter(|name| !self.runtime.bound.elsewhere.contains(name)) {
            let would = self.operator_would("remove it");
            let quirk = self.quirk("Q4");
            let message = format!(
                "image volume {name} and its mounts are kept: no skill of the {} needs it, and nothing says that \
                 kubectl-skills or the operator wrote it{would}",
                self.runtime.id.kind
            );
            self.warn(quirk, message);
        }
    }
}
