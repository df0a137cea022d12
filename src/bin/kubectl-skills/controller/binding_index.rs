//! The SkillBindings of the snapshot: which workloads each is about, and which it says that it has written; both ways. What
//! is to be done about them is left to `reconcile`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use kubectl_skills::api::object::{Object, Origin};
use kubectl_skills::api::skill_binding::BindingTarget;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::plan::bindings::Binding;
use serde_json::Value;

use super::cache::{Key, Target};
use crate::cluster::snapshot::has_controller;

/// A relation that is asked both ways.
#[derive(Debug)]
struct Links<A, B> {
    to: HashMap<A, BTreeSet<B>>,
    from: HashMap<B, BTreeSet<A>>,
}

impl<A, B> Default for Links<A, B> {
    fn default() -> Self {
        Self { to: HashMap::new(), from: HashMap::new() }
    }
}

impl<A: Clone + Eq + Hash + Ord, B: Clone + Eq + Hash + Ord> Links<A, B> {
    /// Makes `to` all that `of` leads to; what it led to before.
    fn set(&mut self, of: &A, to: BTreeSet<B>) -> BTreeSet<B> {
        let old = self.to.remove(of).unwrap_or_default();
        for one in old.difference(&to) {
            if let Some(all) = self.from.get_mut(one) {
                all.remove(of);
                if all.is_empty() {
                    self.from.remove(one);
                }
            }
        }
        for one in &to {
            self.from.entry(one.clone()).or_default().insert(of.clone());
        }
        if !to.is_empty() {
            self.to.insert(of.clone(), to);
        }
        old
    }

    fn to(&self, of: &A) -> impl Iterator<Item = &B> {
        self.to.get(of).into_iter().flatten()
    }

    fn from(&self, of: &B) -> impl Iterator<Item = &A> {
        self.from.get(of).into_iter().flatten()
    }
}

/// A SkillBinding as it is read; what is wrong with it otherwise.
pub type Read = Result<Binding, Vec<String>>;

/// The index.
#[derive(Debug, Default)]
pub struct BindingIndex {
    kinds: Kinds,
    read: BTreeMap<Key, Read>,
    /// The workloads that a SkillBinding is about, be they there or not.
    about: Links<Key, Target>,
    /// The workloads that its status lists.
    listed: Links<Key, Target>,
    /// Those that choose by labels, by namespace.
    selecting: HashMap<String, BTreeSet<Key>>,
}

impl BindingIndex {
    /// An empty one, of workloads of these kinds.
    pub fn new(kinds: Kinds) -> Self {
        Self { kinds, ..Self::default() }
    }

    /// The kinds that a SkillBinding can be about.
    pub fn all_kinds(&self) -> impl Iterator<Item = WorkloadKind> + use<> {
        self.kinds.all()
    }

    /// Takes a SkillBinding in; `workloads` are asked for where it chooses by labels. The workloads that it was or is about.
    pub fn put<'w>(
        &mut self,
        key: &Key,
        object: &Value,
        workloads: impl FnOnce() -> Vec<(&'w Target, Value)>,
    ) -> BTreeSet<Target> {
        let read = Binding::of(Object(object).reference(), Origin::default(), object)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect());
        let target = read.as_ref().ok().and_then(|binding: &Binding| binding.spec.target.as_ref());
        let known = self.read.get(key).and_then(|read| read.as_ref().ok());
        let same = target.is_some() && known.is_some_and(|known| known.spec.target.as_ref() == target);
        let selecting = self.selecting.entry(key.namespace().to_owned()).or_default();
        let about = match target {
            Some(BindingTarget::Ref(target)) => {
                selecting.remove(key);
                let kind = self.kinds.find(&target.kind, target.group()).or(self.kinds.named(&target.kind));
                kind.map(|kind| (kind, Key::new(key.namespace(), &target.name))).into_iter().collect()
            }
            Some(BindingTarget::Selector(_)) if same => self.about.to(key).cloned().collect(),
            Some(BindingTarget::Selector(_)) => {
                selecting.insert(key.clone());
                let all = workloads().into_iter();
                all.filter(|(target, workload)| {
                    read.as_ref().is_ok_and(|binding| selects(binding, target, workload))
                })
                .map(|(target, _)| target.clone())
                .collect()
            }
            None => {
                selecting.remove(key);
                BTreeSet::new()
            }
        };
        if selecting.is_empty() {
            self.selecting.remove(key.namespace());
        }
        let listed: BTreeSet<Target> = listed(object, key, self.kinds).collect();
        let mut touched = about.clone();
        touched.extend(listed.iter().cloned());
        touched.extend(self.about.set(key, about));
        touched.extend(self.listed.set(key, listed));
        self.read.insert(key.clone(), read);
        touched
    }

    /// Takes a SkillBinding out; the workloads that it was about.
    pub fn remove(&mut self, key: &Key) -> BTreeSet<Target> {
        self.read.remove(key);
        if let Some(all) = self.selecting.get_mut(key.namespace()) {
            all.remove(key);
            if all.is_empty() {
                self.selecting.remove(key.namespace());
            }
        }
        let mut touched = self.about.set(key, BTreeSet::new());
        touched.extend(self.listed.set(key, BTreeSet::new()));
        touched
    }

    /// Takes in that a workload changed or went. The SkillBindings that were or are about it, or list it.
    pub fn workload(&mut self, target: &Target, workload: Option<&Value>) -> BTreeSet<Key> {
        let mut touched: BTreeSet<Key> = self.of(target).cloned().collect();
        for key in self.selecting.get(target.1.namespace()).cloned().unwrap_or_default() {
            let Some(Ok(binding)) = self.read.get(&key) else { continue };
            let is_about = workload.is_some_and(|workload| selects(binding, target, workload));
            let mut about: BTreeSet<Target> = self.about.to(&key).cloned().collect();
            let changed = if is_about { about.insert(target.clone()) } else { about.remove(target) };
            if changed {
                self.about.set(&key, about);
                touched.insert(key);
            }
        }
        touched
    }

    /// The SkillBindings that are about a workload or list it.
    pub fn of(&self, target: &Target) -> impl Iterator<Item = &Key> {
        self.about.from(target).chain(self.listed.from(target))
    }

    /// The SkillBindings about a workload that can be read, by name.
    pub fn bindings(&self, target: &Target) -> impl Iterator<Item = &Binding> {
        self.about.from(target).filter_map(|key| self.read.get(key)?.as_ref().ok())
    }

    /// The SkillBindings that list a workload.
    pub fn listing(&self, target: &Target) -> impl Iterator<Item = &Key> {
        self.listed.from(target)
    }

    /// The workloads that a SkillBinding is about, be they there or not.
    pub fn about(&self, key: &Key) -> impl Iterator<Item = &Target> {
        self.about.to(key)
    }

    /// The workloads that the status of a SkillBinding lists.
    pub fn listed(&self, key: &Key) -> impl Iterator<Item = &Target> {
        self.listed.to(key)
    }

    /// A SkillBinding as it is read.
    pub fn read(&self, key: &Key) -> Option<&Read> {
        self.read.get(key)
    }

    /// All of them.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.read.keys()
    }

    /// All workloads that any is about or lists.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.about.from.keys().chain(self.listed.from.keys())
    }

    /// Whether any is about a workload, or lists it.
    pub fn has(&self, target: &Target) -> bool {
        self.of(target).next().is_some()
    }

    /// The kinds of workload that have to be watched.
    pub fn kinds(&self) -> BTreeSet<WorkloadKind> {
        if self.selecting.is_empty() {
            self.targets().map(|(kind, _)| *kind).collect()
        } else {
            self.kinds.all().collect()
        }
    }
}

/// Whether a SkillBinding chooses a workload by its labels. What a Deployment or a CronJob has made is changed with it.
fn selects(binding: &Binding, (kind, key): &Target, workload: &Value) -> bool {
    let labels = kind.paths().labels.iter().try_fold(workload, |at, key| at.get(key));
    binding.id.namespace == key.namespace() && !has_controller(workload) && binding.selects(labels)
}

/// The workloads in the status of a SkillBinding.
fn listed<'o>(object: &'o Value, key: &'o Key, kinds: Kinds) -> impl Iterator<Item = Target> + 'o {
    let workloads = object.pointer("/status/workloads").and_then(Value::as_array).into_iter().flatten();
    workloads.filter_map(move |workload| {
        let workload = Object(workload);
        let kind = kinds.find(workload.kind(), workload.group())?;
        Some((kind, Key::new(key.namespace(), workload.str("/name"))))
    })
}
