//! Which SkillBindings a workload has: bindings in; for a workload those that are about it out, in the order in which their
//! skills are mounted. Collecting them is left to the callers, judging them to the session.
//!
//! One rule everywhere. The skills of a workload are those of the AgentRuntime that has its claim, then those of its
//! SkillBindings by name. An AgentRuntime leads where it has anything to say: where its operator mounts, or where it lists
//! skills; else the first SkillBinding does, and the workload is planned as today's operators leave it. One skill or one
//! mount path twice is an error that names both, and nothing of that workload is written.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::claims::WorkloadKey;
use super::fields::find;
use crate::api::agent_runtime::Skill;
use crate::api::names::{Names, ROSSOCTL, SKILLS_GROUP};
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::object::{Object, ObjectRef, Origin, field};
use crate::api::pod_owner::Owner;
use crate::api::profile::Profile;
use crate::api::skill_binding::{BindingTarget, Delivery, SkillBindingSpec};
use crate::api::workload::{Kinds, WorkloadKind};
use crate::validate::findings::{Finding, rules, skill_path};
use crate::validate::preflight::normalized;
use crate::validate::skill_binding;

/// A SkillBinding that can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Its identity; the namespace is the one that it is in, also if the object names none.
    pub id: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Its spec.
    pub spec: SkillBindingSpec,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// What is wrong with it by itself ([`crate::validate::skill_binding`]).
    pub faults: Vec<Finding>,
}

impl Binding {
    /// Reads a SkillBinding.
    ///
    /// # Errors
    /// All that is wrong with one that cannot be read.
    pub fn of(id: ObjectRef, origin: Origin, object: &Value) -> Result<Self, Vec<Finding>> {
        let faults = skill_binding::check(object);
        let Ok(spec) = SkillBindingSpec::from_object(object) else {
            return Err(faults.into_iter().filter(Finding::is_error).collect());
        };
        Ok(Self { id, origin, spec, deleting: Object(object).is_being_deleted(), faults })
    }

    /// Whether it chooses by labels, and these are among them.
    pub fn selects(&self, labels: Option<&Value>) -> bool {
        matches!(&self.spec.target, Some(BindingTarget::Selector(selector)) if selector.matches(labels))
    }

    /// Whether its skills are delivered to pods.
    pub(super) fn is_for_pods(&self) -> bool {
        self.spec.delivery == Delivery::Pod
    }

    /// The skills that it puts into the pod template.
    pub(super) fn template_skills(&self) -> &[Skill] {
        if self.deleting || self.is_for_pods() { &[] } else { &self.spec.skills }
    }

    fn shown(&self) -> String {
        if self.origin.file.is_empty() {
            format!("SkillBinding {}", self.id.name)
        } else {
            format!("SkillBinding {} ({})", self.id.name, self.origin)
        }
    }
}

/// Who leads a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lead {
    /// An AgentRuntime, by its index.
    Runtime(usize),
    /// A SkillBinding, by its index.
    Binding(usize),
}

/// One plan to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who leads.
    pub lead: Lead,
    /// Index of the workload; `None` if there is none.
    pub workload: Option<usize>,
    /// The SkillBindings that add to it, in order, as indexes of [`Bindings::all`].
    pub bindings: Vec<usize>,
}

/// The SkillBindings of one moment.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    all: Vec<Binding>,
    by_target: HashMap<WorkloadKey, Vec<usize>>,
    /// By namespace.
    by_selector: HashMap<String, Vec<usize>>,
}

impl Bindings {
    /// The SkillBindings of a cluster; those that cannot be read are about nothing.
    pub fn of_live<'v>(objects: impl IntoIterator<Item = &'v Value>) -> Self {
        let read = |object| Binding::of(Object(object).reference(), Origin::default(), object).ok();
        Self::new(objects.into_iter().filter_map(read))
    }

    /// Indexes bindings; linear in their number but for sorting them by name.
    pub fn new(bindings: impl IntoIterator<Item = Binding>) -> Self {
        let mut all: Vec<Binding> = bindings.into_iter().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        let mut out = Self::default();
        for (index, binding) in all.iter().enumerate() {
            match &binding.spec.target {
                Some(BindingTarget::Ref(target)) => {
                    let key = (target.kind.clone(), binding.id.namespace.clone(), target.name.clone());
                    out.by_target.entry(key).or_default().push(index);
                }
                Some(BindingTarget::Selector(_)) => {
                    out.by_selector.entry(binding.id.namespace.clone()).or_default().push(index);
                }
                None => {}
            }
        }
        out.all = all;
        out
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, by name.
    pub fn all(&self) -> &[Binding] {
        &self.all
    }

    /// Whether any of a namespace selects workloads by labels, so that all of them have to be looked at.
    pub fn selects_in(&self, namespace: &str) -> bool {
        self.by_selector.contains_key(namespace)
    }

    /// Whether one names the workload.
    pub fn name(&self, key: &WorkloadKey) -> bool {
        self.by_target.contains_key(key)
    }

    /// Whether any could be about a workload, as far as its name tells.
    pub fn ask_for(&self, key: &WorkloadKey) -> bool {
        self.selects_in(&key.1) || self.by_target.contains_key(key)
    }

    /// Those of a namespace that choose these labels.
    fn selecting(&self, namespace: &str, labels: Option<&Value>) -> impl Iterator<Item = usize> {
        let here = self.by_selector.get(namespace).into_iter().flatten().copied();
        here.filter(move |index| self.all[*index].selects(labels))
    }

    /// Those of a workload, by name, as indexes of [`Bindings::all`].
    pub fn of(&self, kind: WorkloadKind, key: &WorkloadKey, workload: &Value) -> Vec<usize> {
        let labels = find(workload, kind.paths().labels);
        let selecting = self.selecting(&key.1, labels);
        let mut out: Vec<usize> =
            self.by_target.get(key).into_iter().flatten().copied().chain(selecting).collect();
        out.sort_unstable();
        out
    }

    /// Those of a namespace that are about a pod, by name: by its owners, or by its labels.
    pub fn of_pod(&self, namespace: &str, owners: &[Owner], labels: Option<&Value>) -> Vec<&Binding> {
        let is_named = |index: &usize| {
            let target = self.all[*index].spec.target_ref();
            target.is_some_and(|target| {
                owners.iter().any(|owner| owner.is(target.group(), &target.kind, &target.name))
            })
        };
        let key = |owner: &Owner| (owner.kind.clone(), namespace.to_owned(), owner.name.clone());
        let exact =
            owners.iter().filter(|owner| !owner.is_cut).filter_map(|owner| self.by_target.get(&key(owner)));
        let mut out: Vec<usize> = exact.flatten().copied().filter(is_named).collect();
        if owners.iter().any(|owner| owner.is_cut) {
            let here = (0..self.all.len()).filter(|index| self.all[*index].id.namespace == namespace);
            out.extend(here.filter(is_named));
        }
        out.extend(self.selecting(namespace, labels));
        out.sort_unstable();
        out.dedup();
        out.into_iter().map(|index| &self.all[index]).collect()
    }

    /// All plans to be made: those that AgentRuntimes lead, in their order, then those of SkillBindings in the order of the
    /// workloads, then SkillBindings without a workload.
    ///
    /// `runtimes`: the workload of each AgentRuntime, if it is there, and whether it leads there. `of_workload`: by workload the
    /// SkillBindings about it ([`Bindings::of`]).
    pub fn orders(
        &self,
        runtimes: impl IntoIterator<Item = (Option<usize>, bool)>,
        of_workload: &BTreeMap<usize, Vec<usize>>,
    ) -> Vec<Order> {
        let mut led = HashSet::new();
        let mut out: Vec<Order> = Vec::new();
        for (index, (workload, leads)) in runtimes.into_iter().enumerate() {
            let bound = workload.filter(|_| leads).and_then(|workload| of_workload.get(&workload));
            led.extend(workload.filter(|_| bound.is_some()));
            let bindings = bound.cloned().unwrap_or_default();
            out.push(Order { lead: Lead::Runtime(index), workload, bindings });
        }
        let mut placed = HashSet::new();
        for (workload, bound) in of_workload.iter().filter(|(_, bound)| !bound.is_empty()) {
            placed.extend(bound.iter().copied());
            if led.contains(workload) {
                continue;
            }
            let mut bindings = bound.clone();
            let first = bindings.iter().position(|index| !self.all[*index].deleting).unwrap_or(0);
            let lead = Lead::Binding(bindings.remove(first));
            out.push(Order { lead, workload: Some(*workload), bindings });
        }
        let alone = (0..self.all.len()).filter(|index| !placed.contains(index));
        out.extend(alone.map(|index| Order {
            lead: Lead::Binding(index),
            workload: None,
            bindings: Vec::new(),
        }));
        out
    }
}

/// Whether an AgentRuntime says anything of its workload's skills, so that SkillBindings add to its list.
pub fn leads(profile: &Profile, exact: bool, runtime: &Value) -> bool {
    exact || profile.mounts() || field(runtime, "/spec/skills").is_some_and(|skills| !skills.is_null())
}

/// The profile by which a SkillBinding is carried out: that of the newest operator with the names of the one in use. It
/// writes what belongs to the author of a workload, and leaves the hash and labels to the operator.
pub fn profile_of_bindings(profile: &'static Profile) -> &'static Profile {
    if !profile.mounts() {
        return profile;
    }
    let name = if std::ptr::eq(profile.names, &ROSSOCTL) { "rossoctl" } else { "head" };
    Profile::by_name(name).unwrap_or(profile)
}

/// The same for what is to be taken out of a workload: with the names of the operator under which it was written.
pub(super) fn profile_of_left(profile: &'static Profile, workload: &Value, kinds: Kinds) -> &'static Profile {
    let object = Object(workload);
    let template = kinds.find(object.kind(), object.group()).map_or(&[][..], |kind| kind.paths().annotations);
    let has = |names: &Names| {
        let hash = find(workload, template).and_then(|map| map.get(names.config_hash));
        object.annotation(names.skills).is_some() || hash.is_some()
    };
    let other = if std::ptr::eq(profile.names, &ROSSOCTL) { "head" } else { "rossoctl" };
    match Profile::by_name(other) {
        Some(other) if !has(profile.names) && has(other.names) => other,
        _ => profile,
    }
}

/// What mends two containers. A selector chooses workloads with other containers as well, so the advice holds for each of them.
const ONE_CONTAINER: &str = "leave container out of both, and name it by the annotation kubectl.kubernetes.io/default-container of the \
                             pod template; or name the same in both";

/// A mount path in its clean form, and the container of a list that is delivered to pods: there each list has its own, and
/// what two of them put into one container is held against the pod.
type Path<'p> = (Cow<'p, str>, Option<Option<&'p str>>);

fn path_of<'p>(binding: Option<&'p Binding>, skill: &'p Skill) -> Path<'p> {
    let container =
        binding.filter(|binding| binding.is_for_pods()).map(|binding| binding.spec.container.as_deref());
    (normalized(&skill.mount_path), container)
}

/// Skills that one workload can get from all of its lists: ten full ones. Selectors that take every workload would otherwise make as
/// many mounts as there are lists and workloads.
pub const MOST_SKILLS: usize = 200;

/// What is wrong where lists add up to more skills than [`MOST_SKILLS`]; then none of them is looked at. `own`: how many who leads
/// has.
pub(super) fn too_many(own: usize, others: &mut Vec<&Binding>) -> Option<Finding> {
    let all = own + others.iter().map(|binding| binding.template_skills().len()).sum::<usize>();
    if all <= MOST_SKILLS || others.is_empty() {
        return None;
    }
    let lists = others.len() + usize::from(own > 0);
    others.clear();
    let message =
        format!("{lists} lists have {all} skills for one workload, and it gets at most {MOST_SKILLS}");
    Some(Finding {
        help: "narrow the selectors of its SkillBindings, or put several skills into one image".to_owned(),
        ..Finding::new(&rules::SKILLS_TOO_MANY, vec!["spec".into(), "skills".into()], message)
    })
}

/// What several lists say about one workload that does not go together. `own`: who leads, with its skills.
pub(super) fn clashes(
    own: (&ObjectRef, &Origin, &[Skill]),
    lead: Option<&Binding>,
    others: &[&Binding],
) -> Vec<Finding> {
    let mut out = Vec::new();
    if others.is_empty() {
        return out;
    }
    let (id, origin, skills) = own;
    let whose = if origin.file.is_empty() {
        format!("{} {}", id.kind, id.name)
    } else {
        format!("{} {} ({origin})", id.kind, id.name)
    };
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut paths: HashMap<Path<'_>, String> = HashMap::new();
    for skill in skills {
        names.entry(&skill.name).or_insert_with(|| whose.clone());
        paths.entry(path_of(lead, skill)).or_insert_with(|| whose.clone());
    }
    // A pod template is planned for one container; what is delivered to pods is put into each as its own list says.
    let mut settings: Vec<(&Binding, String)> =
        lead.filter(|lead| !lead.is_for_pods()).map(|lead| (lead, whose.clone())).into_iter().collect();
    // One that is in the input twice is an error of its own.
    for binding in others.iter().filter(|binding| binding.id != *id) {
        let about = |path, message, help: &str| Finding {
            of: Some(binding.id.clone()),
            help: help.to_owned(),
            ..Finding::new(&rules::BINDING_CLASH, path, message)
        };
        for (index, skill) in binding.spec.skills.iter().enumerate() {
            if let Some(other) = names.get(skill.name.as_str()) {
                let message = format!("{other} has a skill {} for the same workload", skill.name);
                out.push(about(skill_path(index, "name"), message, "rename one of them, or remove it"));
            } else if let Some(other) =
                paths.get(&path_of(Some(binding), skill)).filter(|_| !skill.mount_path.is_empty())
            {
                let message = format!("{other} has a skill at {} for the same workload", skill.mount_path);
                out.push(about(
                    skill_path(index, "mountPath"),
                    message,
                    "choose another path for one of them",
                ));
            }
        }
        for (first, shown) in settings.iter().take(1).filter(|_| !binding.is_for_pods()) {
            let field = |key| vec!["spec".into(), key];
            let named = |what: &str, name: Option<&str>| match name {
                Some(name) => format!("{shown} names the {what} {name}"),
                None => format!("{shown} names no {what}"),
            };
            if first.spec.container != binding.spec.container {
                let named = named("container", first.spec.container.as_deref());
                let message = format!("{named}, and a pod template gets its skills in one container");
                out.push(about(field("container".into()), message, ONE_CONTAINER));
            }
            if first.spec.runtime != binding.spec.runtime {
                let named = named("runtime", first.spec.runtime.map(|runtime| runtime.name));
                let message = format!("{named}, and the container of a pod template runs one");
                out.push(about(
                    field("runtime".into()),
                    message,
                    "name the same runtime in both, or in neither",
                ));
            }
        }
        if settings.is_empty() && !binding.is_for_pods() {
            settings.push((binding, binding.shown()));
        }
        for skill in &binding.spec.skills {
            names.entry(&skill.name).or_insert_with(|| binding.shown());
            paths.entry(path_of(Some(binding), skill)).or_insert_with(|| binding.shown());
        }
    }
    out
}

/// What is delivered to pods and names a container that the pod template has not: every pod would be refused. `judged`: whose
/// plan it is.
pub(super) fn without_container<'b>(
    judged: &ObjectRef,
    kind: WorkloadKind,
    workload: &Value,
    bindings: impl Iterator<Item = &'b Binding>,
) -> Vec<Finding> {
    let wanted = bindings
        .filter(|binding| binding.is_for_pods())
        .filter_map(|binding| Some((&binding.id, binding.spec.container.as_deref()?)));
    let wanted: Vec<(&ObjectRef, &str)> = wanted.collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let way = kind.paths().pod;
    let containers = find(workload, way).and_then(|pod| pod.get("containers")).and_then(Value::as_array);
    let names: Vec<&str> =
        containers.into_iter().flatten().filter_map(|one| one.get("name").and_then(Value::as_str)).collect();
    let whose = format!("{} {}", Object(workload).kind(), Object(workload).name());
    let missing = wanted.into_iter().filter(|(_, name)| !names.contains(name));
    missing
        .map(|(id, name)| no_container(&whose, (name, &names), Some(id).filter(|id| *id != judged)))
        .collect()
}

/// That a pod has no container of the name that a SkillBinding gives. `whose`: the pod, or the workload of its template. `of`: the
/// SkillBinding, where it is another than the one that is judged.
pub(super) fn no_container(whose: &str, (wanted, all): (&str, &[&str]), of: Option<&ObjectRef>) -> Finding {
    let path = vec!["spec".into(), "container".into()];
    Finding {
        help: one_of(wanted, all),
        of: of.cloned(),
        ..Finding::new(&rules::CONTAINER_NAMED, path, format!("{whose} has no container {wanted}"))
    }
}

/// Which container may be meant by a name that none has.
pub(super) fn one_of(wanted: &str, all: &[&str]) -> String {
    let listed = all.join(", ");
    match nearest(wanted, all.iter().copied()).filter(|meant| is_slip_of(wanted, meant)) {
        Some(meant) => format!("did you mean {meant}? the containers are {listed}"),
        None => format!("name one of: {listed}"),
    }
}

/// The apiVersion that a SkillBinding is read in.
pub(super) fn is_known_version(api_version: &str) -> bool {
    api_version == format!("{SKILLS_GROUP}/{}", crate::api::names::VERSION)
}
