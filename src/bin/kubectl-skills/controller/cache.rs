//! The snapshot of the cluster: updates of the watches in, what changed and what is there out. Nothing here asks for
//! anything, and nothing is planned before [`Cache::synced`].
//!
//! Objects are kept as JSON text, a third of what they take as values; a plan reads two of them.

mod key;
mod pod_index;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kubectl_skills::api::object::{Object, Origin};
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::plan::claims::Claimant;
use serde_json::Value;

use super::binding_index::BindingIndex;
use super::trim::OPERATOR_MARK;
use super::unit::Unit;
use super::watch_targets::Watched;
use crate::cluster::watch::{Update, WatchId};
pub use key::Key;
use pod_index::{PodIndex, pod_owners};

/// A workload's kind and key.
pub type Target = (WorkloadKind, Key);

/// What an update means for those who plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// AgentRuntimes to be looked at.
    pub runtimes: BTreeSet<Key>,
    /// AgentRuntimes whose pods changed: no hurry.
    pub pods_of: BTreeSet<Key>,
    /// AgentRuntimes that are gone.
    pub gone: BTreeSet<Key>,
    /// ConfigMaps changed.
    pub config: bool,
    /// Whether the operator runs may have changed.
    pub operator: bool,
    /// SkillBindings, and workloads of theirs, to be looked at.
    pub units: BTreeSet<Unit>,
    /// SkillBindings whose pods changed: no hurry.
    pub later: BTreeSet<Unit>,
}

/// An object as text.
#[derive(Debug)]
struct Kept {
    /// Without its resourceVersion.
    text: Box<str>,
    version: Box<str>,
    source: WatchId,
    /// List in which it was last seen, while one comes in.
    seen: u32,
}

impl Kept {
    fn value(&self) -> Value {
        // It was a value when it came; text of ours that is no JSON cannot be.
        let mut value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.insert("resourceVersion".into(), (&*self.version).into());
        }
        value
    }
}

#[derive(Debug, Default, Clone)]
struct SourceState {
    /// Number of the list under way or the last one.
    list: u32,
    listing: bool,
    synced: bool,
    live: bool,
    /// Asked for by SkillBindings alone, which alone wait for it.
    added: bool,
    what: String,
}

/// The snapshot.
#[derive(Debug)]
pub struct Cache {
    about: Vec<Watched>,
    states: Vec<SourceState>,
    runtimes: BTreeMap<Key, Kept>,
    workloads: HashMap<Target, Kept>,
    /// Which runtimes point at a workload, and where each points.
    claims: HashMap<Target, BTreeMap<Key, Claimant>>,
    targets: HashMap<Key, Target>,
    /// Only to know what is news: what counts is read anew, [`super::config_read`].
    config: BTreeMap<(Key, WatchId), Kept>,
    pods: BTreeMap<Key, Kept>,
    /// Pods by the namespace and name of the workload that they are of.
    pods_of: HashMap<Key, BTreeSet<Key>>,
    operators: BTreeSet<Key>,
    bindings: BTreeMap<Key, Kept>,
    index: BindingIndex,
    skills_of_pods: PodIndex,
}

impl Cache {
    /// An empty snapshot of what the sources will tell.
    pub fn new(sources: impl IntoIterator<Item = (Watched, String)>) -> Self {
        let (about, states): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .map(|(about, what)| (about, SourceState { what, ..SourceState::default() }))
            .unzip();
        Self {
            about,
            states,
            runtimes: BTreeMap::new(),
            workloads: HashMap::new(),
            claims: HashMap::new(),
            targets: HashMap::new(),
            config: BTreeMap::new(),
            pods: BTreeMap::new(),
            pods_of: HashMap::new(),
            operators: BTreeSet::new(),
            bindings: BTreeMap::new(),
            index: BindingIndex::default(),
            skills_of_pods: PodIndex::default(),
        }
    }

    /// With the kinds that SkillBindings can point at.
    pub fn with_kinds(mut self, kinds: Kinds) -> Self {
        self.index = BindingIndex::new(kinds);
        self.skills_of_pods.kinds = kinds;
        self
    }

    /// Adds sources that SkillBindings ask for; their numbers go on after those of before.
    pub fn add(&mut self, sources: impl IntoIterator<Item = (Watched, String)>) {
        for (about, what) in sources {
            self.about.push(about);
            self.states.push(SourceState { what, added: true, ..SourceState::default() });
        }
    }

    /// Whether a source tells of SkillBindings.
    pub fn is_of_bindings(&self, source: WatchId) -> bool {
        self.about.get(source) == Some(&Watched::Bindings)
    }

    /// How many sources there are.
    pub fn sources(&self) -> WatchId {
        self.about.len()
    }

    /// Whether there is a source of something.
    pub fn has_source(&self, of: Watched) -> bool {
        self.about.contains(&of)
    }

    /// Whether every source was seen whole at least once, but for those that were added.
    pub fn synced(&self) -> bool {
        self.states.iter().all(|state| state.synced || state.added)
    }

    /// Whether all sources of something were seen whole at least once, and there are some.
    pub fn is_known(&self, of: Watched) -> bool {
        let mut states = self.states.iter().zip(&self.about).filter(|(_, about)| **about == of).peekable();
        states.peek().is_some() && states.all(|(state, _)| state.synced)
    }

    /// Whether all workloads of a kind are known, so that one that is not here is not there.
    pub fn knows_kind(&self, kind: WorkloadKind) -> bool {
        self.is_known(Watched::Workloads(kind))
    }

    /// The SkillBindings.
    pub fn index(&self) -> &BindingIndex {
        &self.index
    }

    /// A SkillBinding.
    pub fn binding(&self, key: &Key) -> Option<Value> {
        self.bindings.get(key).map(Kept::value)
    }

    /// Pods of a workload, with their skills.
    pub fn skills_of_pods(&self, target: &Target) -> Vec<Value> {
        self.skills_of_pods.of(target)
    }

    /// All units of SkillBindings.
    pub fn binding_units(&self) -> BTreeSet<Unit> {
        let bindings = self.index.keys().cloned().map(Unit::Binding);
        bindings.chain(self.index.targets().cloned().map(Unit::Workload)).collect()
    }

    /// Takes a SkillBinding in as an own write left it; what has to be looked at for it.
    pub fn wrote_binding(&mut self, object: &Value) -> BTreeSet<Unit> {
        let source = self.bindings.get(&Key::of(object)).map(|kept| kept.source);
        let mut changed = Changed::default();
        if let Some(source) = source {
            self.put(Watched::Bindings, source, object, &mut changed);
        }
        let mut units = changed.units;
        units.extend(changed.runtimes.into_iter().map(Unit::Runtime));
        units
    }

    /// What has not been seen yet.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.states.iter().filter(|state| !state.synced).map(|state| state.what.as_str())
    }

    /// Whether all ConfigMaps are being watched, so that no change of theirs is missed.
    pub fn config_is_live(&self) -> bool {
        let config = self.states.iter().zip(&self.about).filter(|(_, about)| **about == Watched::Config);
        config.into_iter().all(|(state, _)| state.synced && state.live && !state.listing)
    }

    /// What a source tells of, for messages.
    pub fn what(&self, source: WatchId) -> &str {
        self.states.get(source).map_or("", |state| &state.what)
    }

    /// The kind that a source tells of, for metrics.
    pub fn kind(&self, source: WatchId) -> &'static str {
        self.about.get(source).map_or("", |about| about.kind())
    }

    /// Whether an AgentRuntime is there.
    pub fn has_runtime(&self, key: &Key) -> bool {
        self.runtimes.contains_key(key)
    }

    /// Takes an update in.
    pub fn take(&mut self, source: WatchId, update: Update) -> Changed {
        let mut changed = Changed::default();
        let Some(about) = self.about.get(source).copied() else { return changed };
        match update {
            Update::Begin => {
                let state = &mut self.states[source];
                state.list += 1;
                state.listing = true;
            }
            Update::Put(object) => self.put(about, source, &object, &mut changed),
            Update::Gone(object) => {
                let key = Key::of(&object);
                let version = version(&object);
                self.drop_key(about, source, &key, Some(version), &mut changed);
            }
            Update::Complete => {
                self.states[source].listing = false;
                let first = !std::mem::replace(&mut self.states[source].synced, true);
                for key in self.unseen(about, source) {
                    self.drop_key(about, source, &key, None, &mut changed);
                }
                // What was absent until now counts from here.
                changed.config |= about == Watched::Config;
                if first && matches!(about, Watched::Workloads(_) | Watched::SkillsOfPods) {
                    changed.units.extend(self.binding_units());
                }
            }
            Update::Lost(_) => self.states[source].live = false,
            Update::Live => self.states[source].live = true,
        }
        changed
    }

    /// Takes an object in as an own write left it. The watch tells the same later and then says nothing new.
    pub fn wrote_runtime(&mut self, object: &Value) {
        let source = self.runtimes.get(&Key::of(object)).map(|kept| kept.source);
        if let Some(source) = source {
            self.put(Watched::Runtimes, source, object, &mut Changed::default());
        }
    }

    /// As [`Cache::wrote_runtime`], of a workload. `object` is what is kept of it.
    pub fn wrote_workload(&mut self, target: &Target, object: &Value) {
        let source = self.workloads.get(target).map(|kept| kept.source);
        if let Some(source) = source {
            self.put(Watched::Workloads(target.0), source, object, &mut Changed::default());
        }
    }

    /// An AgentRuntime.
    pub fn runtime(&self, key: &Key) -> Option<Value> {
        self.runtimes.get(key).map(Kept::value)
    }

    /// A workload.
    pub fn workload(&self, target: &Target) -> Option<Value> {
        self.workloads.get(target).map(Kept::value)
    }

    /// All AgentRuntimes.
    pub fn runtime_keys(&self) -> impl Iterator<Item = &Key> {
        self.runtimes.keys()
    }

    /// AgentRuntimes that point at a workload, deleted ones among them.
    pub fn claims(&self, target: &Target) -> impl Iterator<Item = &Key> {
        self.claims.get(target).into_iter().flat_map(BTreeMap::keys)
    }

    /// The same, as a claim is decided among them.
    pub fn claimants(&self, target: &Target) -> impl Iterator<Item = &Claimant> {
        self.claims.get(target).into_iter().flat_map(BTreeMap::values)
    }

    /// Pods of the workload of that name, whatever its kind.
    pub fn pods(&self, namespace: &str, workload: &str) -> Vec<Value> {
        let keys = self.pods_of.get(&Key::new(namespace, workload));
        keys.into_iter().flatten().filter_map(|key| self.pods.get(key)).map(Kept::value).collect()
    }

    /// A running operator, if one was seen.
    pub fn operator(&self) -> Option<&Key> {
        self.operators.first()
    }

    /// Objects held, by kind.
    pub fn counts(&self) -> [(&'static str, usize); 6] {
        [
            (Watched::Runtimes.kind(), self.runtimes.len()),
            ("workload", self.workloads.len()),
            (Watched::Config.kind(), self.config.len()),
            (Watched::Pods.kind(), self.pods.len()),
            (Watched::Bindings.kind(), self.bindings.len()),
            ("pod of SkillBindings", self.skills_of_pods.len()),
        ]
    }

    fn put(&mut self, about: Watched, source: WatchId, object: &Value, changed: &mut Changed) {
        let key = Key::of(object);
        let list = self.states[source].list;
        match about {
            Watched::Runtimes => {
                let Some(kept) = news(self.runtimes.get_mut(&key), object, source, list) else { return };
                self.runtimes.insert(key.clone(), kept);
                changed.runtimes.insert(key.clone());
                let target = target_of(object, &key);
                if self.targets.get(&key) != target.as_ref() {
                    self.unclaim(&key, changed);
                    if let Some(target) = target {
                        self.targets.insert(key.clone(), target);
                    }
                }
                // Who else points there has another claimant now, or one less.
                if let Some(target) = self.targets.get(&key).cloned() {
                    let claimants = self.claims.entry(target.clone()).or_default();
                    claimants.insert(key, Claimant::of(Object(object), Origin::default()));
                    changed.runtimes.extend(claimants.keys().cloned());
                    self.wake_bound(&target, changed);
                }
            }
            Watched::Workloads(kind) => {
                let target = (kind, key);
                let Some(kept) = news(self.workloads.get_mut(&target), object, source, list) else { return };
                self.workloads.insert(target.clone(), kept);
                let is_operator = object.get(OPERATOR_MARK).is_some();
                changed.operator |= if is_operator {
                    self.operators.insert(target.1.clone())
                } else {
                    self.operators.remove(&target.1)
                };
                changed.runtimes.extend(self.claims(&target).cloned());
                let touched = self.index.workload(&target, Some(object));
                wake(&target, touched, changed);
            }
            Watched::Config => {
                let at = (key, source);
                if let Some(kept) = news(self.config.get_mut(&at), object, source, list) {
                    self.config.insert(at, kept);
                    changed.config = true;
                }
            }
            Watched::Pods => {
                if let Some(kept) = news(self.pods.get_mut(&key), object, source, list) {
                    self.pods.insert(key.clone(), kept);
                    self.index_pod(&key, object, changed);
                }
            }
            Watched::Bindings => {
                let Some(kept) = news(self.bindings.get_mut(&key), object, source, list) else { return };
                self.bindings.insert(key.clone(), kept);
                let workloads = &self.workloads;
                let of_namespace = || {
                    let all = workloads.iter().filter(|((_, at), _)| at.namespace() == key.namespace());
                    all.map(|(target, kept)| (target, kept.value())).collect()
                };
                let touched = self.index.put(&key, object, of_namespace);
                self.wake_targets(touched, changed);
                changed.units.insert(Unit::Binding(key));
            }
            Watched::SkillsOfPods => {
                if let Some(kept) = news(self.skills_of_pods.get_mut(&key), object, source, list) {
                    for target in self.skills_of_pods.put(&key, object, kept) {
                        changed.later.extend(self.index.of(&target).cloned().map(Unit::Binding));
                    }
                }
            }
        }
    }

    /// Whoever may lead a workload that SkillBindings are about, and these.
    fn wake_bound(&self, target: &Target, changed: &mut Changed) {
        wake(target, self.index.of(target).cloned().collect(), changed);
    }

    /// The same of each workload that a SkillBinding is or was about.
    fn wake_targets(&self, targets: BTreeSet<Target>, changed: &mut Changed) {
        for target in targets {
            changed.runtimes.extend(self.claims(&target).cloned());
            changed.units.extend(self.index.of(&target).cloned().map(Unit::Binding));
            changed.units.insert(Unit::Workload(target));
        }
    }

    fn index_pod(&mut self, key: &Key, object: &Value, changed: &mut Changed) {
        for owner in pod_owners(object) {
            let workload = Key::new(key.namespace(), &owner);
            if self.pods_of.entry(workload.clone()).or_default().insert(key.clone()) {
                self.pods_changed(&workload, changed);
            }
        }
    }

    fn pods_changed(&self, workload: &Key, changed: &mut Changed) {
        for kind in WorkloadKind::OF_OPERATOR {
            changed.pods_of.extend(self.claims(&(kind, workload.clone())).cloned());
        }
    }

    fn unclaim(&mut self, key: &Key, changed: &mut Changed) {
        let Some(target) = self.targets.remove(key) else { return };
        if let Some(claims) = self.claims.get_mut(&target) {
            claims.remove(key);
            changed.runtimes.extend(claims.keys().cloned());
            if claims.is_empty() {
                self.claims.remove(&target);
            }
        }
        self.wake_bound(&target, changed);
    }

    /// Takes an object out; not one that was seen later than `version` tells.
    fn drop_key(
        &mut self,
        about: Watched,
        source: WatchId,
        key: &Key,
        version: Option<&str>,
        changed: &mut Changed,
    ) {
        let old = |kept: &Kept| version.is_some_and(|version| is_older(version, &kept.version));
        match about {
            Watched::Runtimes => {
                if self.runtimes.get(key).is_some_and(|kept| !old(kept)) {
                    self.runtimes.remove(key);
                    self.unclaim(key, changed);
                    changed.gone.insert(key.clone());
                }
            }
            Watched::Workloads(kind) => {
                let target = (kind, key.clone());
                if self.workloads.get(&target).is_some_and(|kept| !old(kept)) {
                    self.workloads.remove(&target);
                    changed.operator |= self.operators.remove(key);
                    changed.runtimes.extend(self.claims(&target).cloned());
                    let touched = self.index.workload(&target, None);
                    wake(&target, touched, changed);
                }
            }
            Watched::Config => {
                changed.config |= self.config.remove(&(key.clone(), source)).is_some();
            }
            Watched::Pods => {
                let Some(kept) = self.pods.remove(key) else { return };
                for owner in pod_owners(&kept.value()) {
                    let workload = Key::new(key.namespace(), &owner);
                    if let Some(pods) = self.pods_of.get_mut(&workload) {
                        pods.remove(key);
                        if pods.is_empty() {
                            self.pods_of.remove(&workload);
                        }
                    }
                    self.pods_changed(&workload, changed);
                }
            }
            Watched::Bindings => {
                if self.bindings.get(key).is_some_and(|kept| !old(kept)) {
                    self.bindings.remove(key);
                    let touched = self.index.remove(key);
                    self.wake_targets(touched, changed);
                    changed.units.insert(Unit::Binding(key.clone()));
                }
            }
            Watched::SkillsOfPods => {
                for target in self.skills_of_pods.remove(key) {
                    changed.later.extend(self.index.of(&target).cloned().map(Unit::Binding));
                }
            }
        }
    }

    /// Objects of a source that its last list did not tell.
    fn unseen(&self, about: Watched, source: WatchId) -> Vec<Key> {
        let list = self.states[source].list;
        let gone = |kept: &Kept| kept.source == source && kept.seen != list;
        match about {
            Watched::Runtimes => {
                self.runtimes.iter().filter(|(_, k)| gone(k)).map(|(k, _)| k.clone()).collect()
            }
            Watched::Workloads(kind) => self
                .workloads
                .iter()
                .filter(|((of, _), kept)| *of == kind && gone(kept))
                .map(|((_, key), _)| key.clone())
                .collect(),
            Watched::Config => {
                self.config.iter().filter(|(_, k)| gone(k)).map(|((k, _), _)| k.clone()).collect()
            }
            Watched::Pods => self.pods.iter().filter(|(_, k)| gone(k)).map(|(k, _)| k.clone()).collect(),
            Watched::Bindings => {
                self.bindings.iter().filter(|(_, k)| gone(k)).map(|(k, _)| k.clone()).collect()
            }
            Watched::SkillsOfPods => {
                self.skills_of_pods.iter().filter(|(_, k)| gone(k)).map(|(k, _)| k.clone()).collect()
            }
        }
    }
}

/// A workload that SkillBindings are or were about changed.
fn wake(target: &Target, touched: BTreeSet<Key>, changed: &mut Changed) {
    if !touched.is_empty() {
        changed.units.insert(Unit::Workload(target.clone()));
        changed.units.extend(touched.into_iter().map(Unit::Binding));
    }
}

/// An object that says something new, as it is to be kept; `None` if it is known already, or older than what is known.
fn news(old: Option<&mut Kept>, object: &Value, source: WatchId, list: u32) -> Option<Kept> {
    let mut object = object.clone();
    let version = object
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .and_then(|metadata| metadata.shift_remove("resourceVersion"))
        .and_then(|version| version.as_str().map(Box::<str>::from))
        .unwrap_or_default();
    let text = object.to_string().into_boxed_str();
    if let Some(old) = old {
        // An own write came back in its answer before its event.
        if old.source == source {
            old.seen = list;
        }
        if is_older(&version, &old.version) {
            return None;
        }
        if old.text == text {
            old.version = version;
            old.source = source;
            return None;
        }
    }
    Some(Kept { text, version, source, seen: list })
}

/// Whether a version is surely older than another. Versions are compared as Kubernetes says that clients may (1.35, and
/// true of every server before); what is no number is never older.
fn is_older(one: &str, other: &str) -> bool {
    matches!((one.parse::<u64>(), other.parse::<u64>()), (Ok(one), Ok(other)) if one < other)
}

fn version(object: &Value) -> &str {
    Object(object).resource_version()
}

/// Where an AgentRuntime points, if it is at a kind that exists.
pub fn target_of(runtime: &Value, key: &Key) -> Option<Target> {
    let kind = WorkloadKind::parse(Object(runtime).str("/spec/targetRef/kind"))?;
    Some((kind, Key::new(key.namespace(), Object(runtime).str("/spec/targetRef/name"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RUNTIMES: WatchId = 0;
    const DEPLOYMENTS: WatchId = 1;
    const CONFIG: WatchId = 2;
    const PODS: WatchId = 3;

    fn cache() -> Cache {
        let about = [
            Watched::Runtimes,
            Watched::Workloads(WorkloadKind::Deployment),
            Watched::Config,
            Watched::Pods,
            Watched::Config,
        ];
        let mut cache = Cache::new(about.map(|about| (about, about.kind().to_owned())));
        for source in 0..about.len() {
            for update in [Update::Begin, Update::Complete, Update::Live] {
                cache.take(source, update);
            }
        }
        cache
    }

    fn runtime(name: &str, version: &str, target: &str) -> Value {
        json!({"metadata": {"namespace": "n", "name": name, "resourceVersion": version},
            "spec": {"targetRef": {"kind": "Deployment", "name": target}}})
    }

    fn deployment(name: &str, version: &str, hash: &str) -> Value {
        json!({"metadata": {"namespace": "n", "name": name, "resourceVersion": version}, "spec": {"hash": hash}})
    }

    fn key(name: &str) -> Key {
        Key::new("n", name)
    }

    fn keys(names: &[&str]) -> BTreeSet<Key> {
        names.iter().map(|name| key(name)).collect()
    }

    #[test]
    fn nothing_is_synced_before_every_source_was_seen_whole() {
        let mut cache =
            Cache::new([(Watched::Runtimes, "agentruntimes".into()), (Watched::Config, "maps".into())]);
        cache.take(0, Update::Begin);
        cache.take(0, Update::Put(runtime("a", "1", "w")));
        assert_eq!(
            (cache.synced(), cache.missing().collect::<Vec<_>>()),
            (false, vec!["agentruntimes", "maps"])
        );
        cache.take(0, Update::Complete);
        cache.take(1, Update::Begin);
        cache.take(1, Update::Complete);
        assert!(cache.synced() && !cache.config_is_live());
        cache.take(1, Update::Live);
        assert!(cache.config_is_live());
        let error = crate::cluster::error::ClusterError::new(crate::cluster::error::Failure::Connection, "x");
        cache.take(1, Update::Lost(error));
        assert!(cache.synced() && !cache.config_is_live());
    }

    #[test]
    fn a_workload_wakes_those_who_point_at_it_and_only_when_something_changed() {
        let mut cache = cache();
        cache.take(RUNTIMES, Update::Put(runtime("a", "1", "w")));
        assert_eq!(cache.take(DEPLOYMENTS, Update::Put(deployment("other", "2", "x"))), Changed::default());
        let woken = Changed { runtimes: keys(&["a"]), ..Changed::default() };
        assert_eq!(cache.take(DEPLOYMENTS, Update::Put(deployment("w", "3", "x"))), woken);
        // Its status changed, which is not kept.
        assert_eq!(cache.take(DEPLOYMENTS, Update::Put(deployment("w", "4", "x"))), Changed::default());
        let target = (WorkloadKind::Deployment, key("w"));
        assert_eq!(cache.workload(&target), Some(deployment("w", "4", "x")));
        assert_eq!(cache.take(DEPLOYMENTS, Update::Gone(deployment("w", "5", "x"))), woken);
        assert_eq!(cache.workload(&target), None);
    }

    /// Without this every own write would cause a run, and a late event would bring an old object back.
    #[test]
    fn own_writes_are_known_before_their_events_and_old_events_say_nothing() {
        let mut cache = cache();
        cache.take(RUNTIMES, Update::Put(runtime("a", "1", "w")));
        cache.take(DEPLOYMENTS, Update::Put(deployment("w", "2", "old")));
        let target = (WorkloadKind::Deployment, key("w"));
        cache.wrote_workload(&target, &deployment("w", "9", "new"));
        assert_eq!(cache.take(DEPLOYMENTS, Update::Put(deployment("w", "5", "between"))), Changed::default());
        assert_eq!(cache.take(DEPLOYMENTS, Update::Put(deployment("w", "9", "new"))), Changed::default());
        assert_eq!(cache.workload(&target), Some(deployment("w", "9", "new")));
        assert_eq!(cache.take(DEPLOYMENTS, Update::Gone(deployment("w", "7", "x"))), Changed::default());
        assert!(cache.workload(&target).is_some());
    }

    /// A list after a broken watch is the only news of what was deleted meanwhile.
    #[test]
    fn what_a_new_list_does_not_tell_is_gone() {
        let mut cache = cache();
        for name in ["a", "b"] {
            cache.take(RUNTIMES, Update::Put(runtime(name, "1", name)));
        }
        cache.take(RUNTIMES, Update::Begin);
        cache.take(RUNTIMES, Update::Put(runtime("b", "1", "b")));
        assert!(cache.runtime(&key("a")).is_some(), "gone before the list is complete");
        let changed = cache.take(RUNTIMES, Update::Complete);
        assert_eq!(changed, Changed { gone: keys(&["a"]), ..Changed::default() });
        assert_eq!(cache.runtime_keys().collect::<Vec<_>>(), [&key("b")]);
    }

    #[test]
    fn rivals_are_woken_when_one_comes_goes_or_turns_away() {
        let mut cache = cache();
        cache.take(RUNTIMES, Update::Put(runtime("a", "1", "w")));
        assert_eq!(cache.take(RUNTIMES, Update::Put(runtime("b", "2", "w"))).runtimes, keys(&["a", "b"]));
        assert_eq!(cache.take(RUNTIMES, Update::Put(runtime("b", "3", "v"))).runtimes, keys(&["a", "b"]));
        let target = (WorkloadKind::Deployment, key("w"));
        assert_eq!(cache.claims(&target).collect::<Vec<_>>(), [&key("a")]);
        cache.take(RUNTIMES, Update::Put(runtime("b", "4", "w")));
        let changed = cache.take(RUNTIMES, Update::Gone(runtime("b", "5", "w")));
        assert_eq!((changed.runtimes, changed.gone), (keys(&["a"]), keys(&["b"])));
    }

    #[test]
    fn a_config_map_is_news_to_each_source_and_once() {
        let map = |version: &str, value: &str| json!({"metadata": {"namespace": "n", "name": "m", "resourceVersion": version}, "data": {"k": value}});
        let mut cache = cache();
        assert!(cache.take(CONFIG, Update::Put(map("1", "old"))).config);
        assert!(cache.take(4, Update::Put(map("2", "new"))).config);
        assert!(!cache.take(4, Update::Put(map("3", "new"))).config, "only its version changed");
        assert!(cache.take(4, Update::Gone(map("4", "new"))).config);
        assert!(!cache.take(4, Update::Gone(map("4", "new"))).config);
    }

    #[test]
    fn pods_are_found_by_their_workload() {
        let pod = |version: &str| {
            json!({"metadata": {"namespace": "n", "name": "w-5f-x", "resourceVersion": version,
                "ownerReferences": [{"kind": "ReplicaSet", "name": "w-5f"}]}})
        };
        let mut cache = cache();
        cache.take(RUNTIMES, Update::Put(runtime("a", "1", "w")));
        let changed = cache.take(PODS, Update::Put(pod("2")));
        assert_eq!(changed, Changed { pods_of: keys(&["a"]), ..Changed::default() });
        assert_eq!(cache.pods("n", "w"), [pod("2")]);
        assert_eq!(cache.take(PODS, Update::Gone(pod("3"))).pods_of, keys(&["a"]));
        assert_eq!(cache.pods("n", "w"), [json!(null); 0]);
    }
}
