//! The plan: an AgentRuntime, its workload and the configuration around them in; what is to be written, the status, the
//! events and the warnings out. The only place that decides; every verb carries a plan out or shows it.
//!
//! Nothing is read or written here. Source: operator-spec.md sections 5 to 8 and 12; with [`Options::exact`] the
//! operator's behaviour bug for bug, without it the same wherever that is sound (section 11, docs/compatibility.md).

mod advice;
mod annotation;
mod apply;
pub mod bindings;
pub mod change_set;
pub mod claims;
mod conditions;
mod deeds;
pub mod delivery;
pub mod demands;
pub(crate) mod draft;
pub(crate) mod env;
mod events;
mod fields;
mod image_volumes;
pub(crate) mod init_containers;
mod mesh;
mod mounts;
mod nobody;
mod ownership;
mod pinning;
pub(crate) mod pod;
pub mod pod_injection;
mod reason;
mod record;
mod removal;
#[cfg(feature = "internals")]
pub mod report;
mod sandbox;
pub mod session;
mod status;
mod target;
mod variables;
mod work;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::api::agent_location::AgentLocation;
use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, TargetRef};
use crate::api::names::{BINDING_FINALIZER, SKILL_BINDING};
use crate::api::object::{ConfigMap, Object, ObjectRef, Origin};
use crate::api::pins::Pins;
use crate::api::profile::Profile;
use crate::api::workload::{Kinds, WorkloadKind};
use crate::config::hash::{ConfigHash, hash_input};
use crate::config::layers::{ConfigLayers, ConfigView, ResolvedConfig};
#[cfg(feature = "skill")]
use crate::skill::policy::Enforced;
use crate::validate::findings::{About, Finding, Rule};
use crate::yaml::{Place, Step};
use change_set::Change;
use delivery::{Delivered, Delivery};

pub use events::{Condition, Event};
#[cfg(feature = "internals")]
pub use nobody::of_record;
pub use nobody::{GONE, RENDERED, is_of_record, of_nobody};
pub(crate) use ownership::{has_record, skills_left};
#[cfg(feature = "internals")]
pub(crate) use ownership::{skills_of_ours, skills_of_source};
pub(crate) use record::{folders_before, with_spelling};
pub use status::StatusPlan;

/// Whether a plan keeps a record of what it wrote and of what was there before, as an annotation of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum RecordMode {
    /// Never; one that is there is read, and goes with the last of what it names. On clusters managedFields say who wrote what.
    #[default]
    Off,
    /// Only where something of the author's could not be distinguished from ours afterwards, such as a type label.
    WhereAmbiguous,
    /// Wherever anything is rendered: files that are written in place have no source to go back to.
    Always,
}

/// How to plan.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Options {
    /// Whose rules.
    pub profile: &'static Profile,
    /// The operator's code, bug for bug.
    pub exact: bool,
    /// The effective feature gate over skills: [`Profile::skill_gate`].
    pub gate: bool,
    /// Name of the agent container; by default the first one.
    pub container: Option<String>,
    /// Whether `SKILL_FOLDERS` is merged into the agent container; by default as the profile has it.
    pub skill_folders: Option<bool>,
    /// Takes everything of ours out again.
    pub remove: bool,
    /// Whether a Sandbox is restarted, through `spec.replicas`, when what its pod gets changes. Not for files and where a
    /// difference is shown: nobody wants to read the phases of a restart, and one that is under way is shown at its end.
    pub restarts: bool,
    /// Each run begins as the operator's: an AgentRuntime without our finalizer gets it and nothing else happens, one
    /// that goes without it is let go (operator-spec.md section 5, steps 1 and 2).
    pub finalizers: bool,
    /// Whether a record is kept; never with [`Options::exact`].
    pub record: RecordMode,
    /// The kinds that a SkillBinding can point at.
    pub kinds: Kinds,
    /// Images are pinned by these, and one that is not among them is refused; none: they stay as they are written.
    pub pins: Option<Arc<Pins>>,
    /// How skills are delivered; none: by image volumes. Not with [`Options::exact`].
    pub delivery: Option<Arc<Delivery>>,
    /// Without [`Options::delivery`]: what a render has delivered by a ConfigMap or an init container stays as it is.
    pub keeps_delivery: bool,
    /// What is demanded of skills: a plan that breaks it is refused.
    #[cfg(feature = "skill")]
    pub policy: Option<Arc<Enforced>>,
}

impl Options {
    /// The gate on, nothing else asked for.
    pub fn new(profile: &'static Profile) -> Self {
        Self {
            profile,
            exact: false,
            gate: true,
            container: None,
            skill_folders: None,
            remove: false,
            restarts: false,
            finalizers: false,
            record: RecordMode::Off,
            kinds: Kinds::default(),
            pins: None,
            delivery: None,
            keeps_delivery: false,
            #[cfg(feature = "skill")]
            policy: None,
        }
    }
}

/// An AgentRuntime to be planned.
#[derive(Debug, Clone)]
pub struct Runtime<'a> {
    /// Its identity; the namespace is the one that it is in, also where the object has none.
    pub id: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// The object.
    pub object: &'a Value,
    /// Its spec.
    pub spec: AgentRuntimeSpec,
    /// What SkillBindings say about the same workload.
    pub bound: Bound,
    /// Whether [`crate::validate::preflight::check`] has found nothing wrong with any skill of its own list.
    pub is_checked: bool,
}

impl Runtime<'_> {
    /// Skills of a list, and those that SkillBindings add to it.
    fn with_bound<'s>(&self, own: &'s [Skill]) -> Cow<'s, [Skill]> {
        if self.bound.skills.is_empty() {
            return Cow::Borrowed(own);
        }
        own.iter().chain(self.bound.skills.iter().map(|(skill, _, _)| skill)).cloned().collect()
    }

    /// Gives problems with skills that were added to those who added them.
    fn attribute(&self, plan: &mut RuntimePlan) {
        let Outcome::Refused(findings) = &mut plan.outcome else { return };
        let own = plan.skills.len().saturating_sub(self.bound.skills.len());
        for finding in findings.iter_mut().filter(|finding| finding.rule.about == About::Runtime) {
            let [_, list, Step::Index(index), ..] = finding.path.as_mut_slice() else { continue };
            if *list == "skills".into()
                && let Some((_, whose, at)) = index.checked_sub(own).and_then(|at| self.bound.skills.get(at))
            {
                finding.of = Some(whose.clone());
                *index = *at;
            }
        }
    }
}

/// What SkillBindings say about a workload.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// The [`Runtime`] is a SkillBinding itself: no operator has any part in its plan.
    pub leads: bool,
    /// Skills of SkillBindings that add to the list, by name of the SkillBinding; each with whose it is and its index there.
    pub skills: Vec<(Skill, ObjectRef, usize)>,
    /// Names of the SkillBindings that add to the list.
    pub names: Vec<String>,
    /// The agent container.
    pub container: Option<String>,
    /// The SkillBinding that says which.
    pub container_of: Option<ObjectRef>,
    /// Where the agent looks for skills.
    pub location: Option<&'static AgentLocation>,
    /// The folder that the agent is to be led to, where [`Bound::location`] needs one.
    pub root: Option<String>,
    /// Names of volumes that another plan over the same pod looks after.
    pub elsewhere: Vec<String>,
    /// Names of skills that pods get as they are created, and not the template.
    pub for_pods: Vec<String>,
    /// The workload is a pod that is being created, in the shape of one.
    pub of_pod: bool,
}

/// What a look at the target found. A failed look is an error of the caller's and never comes here.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'a> {
    /// The workload.
    Found(&'a Value),
    /// There is none of that kind and name in the namespace.
    Absent,
}

/// What a plan depends on alongside the two objects.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The operator's ConfigMaps, of all namespaces concerned.
    pub maps: &'a [ConfigMap],
    /// The same, resolved.
    pub layers: &'a ConfigLayers,
    /// Which of them the hash sees.
    pub view: ConfigView,
    /// Pods, for `configuredPods`.
    pub pods: &'a [Value],
    /// The Namespace object, for the mesh (`head` and later); `None` if it was not looked for.
    pub namespace: Option<&'a Value>,
    /// Services, for card discovery; `None` if that is off.
    pub services: Option<&'a [Value]>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum Action {
    /// The workload is changed to carry the skills.
    Configured,
    /// The workload is as it should be.
    Unchanged,
    /// There is nothing to do for this AgentRuntime.
    Skipped,
    /// Our things are taken out of the workload.
    Removed,
    /// Nothing can be done; see [`RuntimePlan::problems`].
    Error,
}

impl Action {
    /// The word in outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Removed => "removed",
            Self::Error => "error",
        }
    }
}

/// A skill and the volume that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedSkill {
    /// The skill.
    pub skill: Skill,
    /// Name of its volume.
    pub volume: String,
    /// How its files get there.
    pub delivered: Delivered,
    /// Why so, where nobody asked for it.
    pub why: String,
}

/// Something that its reader should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Warning {
    /// The operator's quirk that is kept from doing harm, such as `Q5`; empty where there is none.
    pub quirk: &'static str,
    /// What is the case.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.quirk.is_empty() { Ok(()) } else { write!(f, " [{}]", self.quirk) }
    }
}

/// What happens to our finalizer on the AgentRuntime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum Finalizer {
    /// Nothing.
    Keep,
    /// It is appended.
    Add,
    /// It is removed once the workload has been written.
    Remove,
}

/// What one run does for one AgentRuntime.
#[derive(Debug, Clone)]
pub struct RuntimePlan {
    /// The AgentRuntime.
    pub id: ObjectRef,
    /// Its target.
    pub target: TargetRef,
    /// Whose rules.
    pub profile: &'static Profile,
    /// What is done.
    pub action: Action,
    /// Why, in a few words.
    pub reason: String,
    /// The config hash, 64 hex digits; empty for a SkillBinding.
    pub config_hash: String,
    /// The bytes hashed.
    pub hash_input: String,
    /// The skills that are mounted.
    pub skills: Vec<PlannedSkill>,
    /// Names of the SkillBindings that add to them, in order.
    pub added: Vec<String>,
    /// Name of the container that skills are mounted into; `None` if no pod was planned.
    pub container: Option<String>,
    /// The status to be written; `None` if the operator writes none in such a run.
    pub status: Option<StatusPlan>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Seconds until the AgentRuntime is looked at again though nothing happened; 0 for never.
    pub requeue_after_secs: u32,
    /// What its reader should know.
    pub warnings: Vec<Warning>,
    /// What happens to our finalizer.
    pub finalizer: Finalizer,
    /// ConfigMaps that the operator makes in the namespace before it hashes, in order (with [`Options::exact`]).
    pub created: Vec<ConfigMap>,
    /// What is written, or why nothing is.
    outcome: Outcome,
    /// Places of the warnings that say what the plan does.
    deeds: Vec<usize>,
}

/// A plan writes or is refused, never both.
#[derive(Debug, Clone)]
enum Outcome {
    Sound(Writes),
    Refused(Vec<Finding>),
}

#[derive(Debug, Clone, Default)]
struct Writes {
    /// The workload after each write of this run, in order.
    updates: Vec<Value>,
    /// Where the last update may differ from the workload before; none if that was not noted.
    touched: Option<Vec<draft::Path>>,
}

impl RuntimePlan {
    /// Who it is of: an AgentRuntime by its name alone, a SkillBinding with its kind; then the SkillBindings that add to it.
    pub fn whose(&self) -> String {
        let prefix = |kind: &str| if kind == SKILL_BINDING { "skillbinding/" } else { "" };
        if is_of_record(&self.id) {
            return RENDERED.to_owned();
        }
        if nobody::is_of_nobody(&self.id) {
            return GONE.to_owned();
        }
        let added = self.added.iter().map(|name| format!(",skillbinding/{name}"));
        std::iter::once(format!("{}{}", prefix(&self.id.kind), self.id.name)).chain(added).collect()
    }

    /// The workload after each write of this run, in order; empty if nothing is written or the plan is refused.
    pub fn updates(&self) -> &[Value] {
        match &self.outcome {
            Outcome::Sound(writes) => &writes.updates,
            Outcome::Refused(_) => &[],
        }
    }

    /// Why the plan cannot be carried out.
    pub fn problems(&self) -> &[Finding] {
        match &self.outcome {
            Outcome::Sound(_) => &[],
            Outcome::Refused(findings) => findings,
        }
    }

    /// The workload as it should be after this run; none if nothing is written.
    pub fn desired(&self) -> Option<&Value> {
        self.updates().last()
    }

    /// Where the last update may differ from the workload before; none if that was not noted, or nothing is written.
    pub(crate) fn touched(&self) -> Option<&[draft::Path]> {
        match &self.outcome {
            Outcome::Sound(writes) => writes.touched.as_deref(),
            Outcome::Refused(_) => None,
        }
    }

    /// Takes the last update, and where it may differ from the workload before.
    pub(crate) fn take_desired(&mut self) -> Option<(Value, Option<Vec<draft::Path>>)> {
        match &mut self.outcome {
            Outcome::Sound(writes) => Some((writes.updates.pop()?, writes.touched.take())),
            Outcome::Refused(_) => None,
        }
    }

    /// What this run changes in the workload.
    pub fn changes(&self, workload: &Value) -> Vec<Change> {
        self.desired().map(|desired| change_set::changes(workload, desired)).unwrap_or_default()
    }

    fn event(&mut self, warning: bool, reason: &'static str, message: impl Into<String>) {
        self.events.push(Event { warning, reason, message: message.into() });
    }

    fn warn(&mut self, quirk: &'static str, message: impl Into<String>) {
        self.warnings.push(Warning { quirk, message: message.into() });
    }

    /// Whether the last write is known to touch no other place than this one.
    fn touches_only(&self, keys: &[&str]) -> bool {
        let Outcome::Sound(Writes { touched: Some(touched), .. }) = &self.outcome else { return false };
        let keys: Vec<Place<'_>> = keys.iter().map(|key| Place::Key(key)).collect();
        touched.iter().all(|path| *path == keys)
    }

    /// One more write; nothing if the plan is refused.
    fn write(&mut self, after: Value, touched: Option<Vec<draft::Path>>) {
        if let Outcome::Sound(writes) = &mut self.outcome {
            writes.updates.push(after);
            writes.touched = touched;
        }
    }

    fn problem(
        &mut self,
        rule: &'static Rule,
        path: &[Step],
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = help.into();
        self.refuse(Finding { help, ..Finding::new(rule, path.to_vec(), message) });
    }

    /// The plan is refused: what it would have written is gone.
    fn refuse(&mut self, finding: Finding) {
        match &mut self.outcome {
            Outcome::Refused(findings) => findings.push(finding),
            Outcome::Sound(_) => self.outcome = Outcome::Refused(vec![finding]),
        }
    }

    /// Refuses the plan for all that is wrong, its own problems among it.
    fn refuse_all(&mut self, findings: &[&Finding]) {
        self.outcome = Outcome::Refused(findings.iter().map(|finding| (*finding).clone()).collect());
        self.action = Action::Error;
        self.unsay_deeds();
        if let Some(first) = findings.first() {
            self.reason.clone_from(&first.message);
        }
    }

    /// Gives up: nothing is written to the workload.
    fn failed(mut self) -> Self {
        self.action = Action::Error;
        if let Some(first) = self.problems().first().map(|first| first.message.clone()) {
            self.reason = first;
        }
        self
    }
}

/// Plans one run for one AgentRuntime.
pub fn plan(
    runtime: &Runtime<'_>,
    lookup: Lookup<'_>,
    around: &Surroundings<'_>,
    options: &Options,
) -> RuntimePlan {
    let workload = match lookup {
        Lookup::Found(workload) => Some(Cow::Borrowed(workload)),
        Lookup::Absent => None,
    };
    run(runtime, workload, around, options)
}

/// A plan that does nothing yet.
fn skipped(runtime: &Runtime<'_>, config: &ResolvedConfig, options: &Options) -> RuntimePlan {
    let (hash, input) = if runtime.bound.leads {
        (String::new(), String::new())
    } else {
        let input = hash_input(options.profile, Some(&runtime.spec), config);
        (ConfigHash::of(&input).as_str().to_owned(), input)
    };
    RuntimePlan {
        id: runtime.id.clone(),
        target: runtime.spec.target_ref.clone(),
        profile: options.profile,
        action: Action::Skipped,
        reason: String::new(),
        config_hash: hash,
        hash_input: input,
        skills: Vec::new(),
        added: runtime.bound.names.clone(),
        container: None,
        status: None,
        events: Vec::new(),
        requeue_after_secs: 0,
        warnings: Vec::new(),
        finalizer: Finalizer::Keep,
        created: Vec::new(),
        outcome: Outcome::Sound(Writes::default()),
        deeds: Vec::new(),
    }
}

fn run(
    runtime: &Runtime<'_>,
    workload: Option<Cow<'_, Value>>,
    around: &Surroundings<'_>,
    options: &Options,
) -> RuntimePlan {
    let created = if options.exact {
        mesh::created(&runtime.id.namespace, around, options.profile)
    } else {
        Vec::new()
    };
    let layers = if created.is_empty() {
        Cow::Borrowed(around.layers)
    } else {
        let maps: Vec<ConfigMap> = around.maps.iter().chain(&created).cloned().collect();
        Cow::Owned(ConfigLayers::new(options.profile, &maps, around.view))
    };
    let config = layers.for_namespace(&runtime.id.namespace);
    let mut plan = skipped(runtime, config, options);
    let names = options.profile.names;
    let finalizer = if runtime.bound.leads { BINDING_FINALIZER } else { names.finalizer };
    let has_finalizer = Object(runtime.object).finalizers().any(|one| one == finalizer);
    let deleting = Object(runtime.object).is_being_deleted();
    if deleting || options.remove {
        if deleting && !has_finalizer && (options.exact || options.finalizers) {
            plan.reason = "the AgentRuntime is being deleted and does not wait for us".to_owned();
            return plan;
        }
        if has_finalizer && deleting {
            plan.finalizer = Finalizer::Remove;
        }
        return removal::plan(plan, runtime, workload, config, options);
    }
    if options.finalizers && !has_finalizer {
        plan.finalizer = Finalizer::Add;
        if options.exact {
            plan.reason = "the finalizer is added first".to_owned();
            return plan;
        }
    }
    let kinds = runtime.bound.leads.then_some(options.kinds);
    let (kind, workload) =
        match target::resolve(&runtime.spec.target_ref, workload, &runtime.id.namespace, kinds) {
            Ok(found) => found,
            Err(problem) => return target::not_found(plan, problem, options),
        };
    let in_phases = (options.exact || options.restarts) && !runtime.bound.leads;
    if kind == WorkloadKind::Sandbox && in_phases && sandbox::restart_is_pending(&workload, names) {
        return sandbox::finish_restart(plan, workload.into_owned(), options);
    }
    plan.created = created;
    let before =
        (!options.exact).then(|| advice::Before::of(&workload, runtime, kind, &plan.config_hash, names));
    let linked = conditions::linked(&workload, options);
    let mut plan = apply::plan(plan, runtime, kind, workload, config, options);
    runtime.attribute(&mut plan);
    if let Some(before) = before {
        advice::add(&mut plan, &before, kind, config, options);
    }
    if runtime.bound.leads {
        return if plan.is_refused() { plan.failed() } else { plan };
    }
    if !plan.is_refused() {
        conditions::configured(&mut plan, runtime, kind, &linked, config, around, options);
        plan
    } else {
        conditions::refused(&mut plan, runtime, kind, config, around, options);
        plan.failed()
    }
}
