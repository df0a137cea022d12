//! What the verbs over manifests have in common: flags and texts in, a stream and its plans out. Printing is left to them.

use std::collections::{BTreeSet, HashMap};

use kubectl_skills::api::object::{ConfigMap, Object, ObjectRef};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::near_miss;
use kubectl_skills::manifest::other_kinds::with_skills;
use kubectl_skills::manifest::render::{self, Planned, Settings};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::{Mood, Summary, Tally, counted};
use kubectl_skills::plan::{Action, Options, RecordMode, Warning};

use crate::args::{ClusterArgs, LiveArgs, Subject};
use crate::exit::Failure;
use crate::notes;
use crate::objects;
use crate::planning::{DEFAULT_NAMESPACE, Planning, named_by};
use crate::source::Inputs;

/// Manifests and how to plan over them.
pub struct Loaded<'s> {
    /// The manifests.
    pub stream: Stream<'s>,
    /// How to plan.
    pub settings: Settings,
    /// Why this profile.
    pub reason: String,
    /// Namespace of objects that name none.
    pub namespace: String,
}

impl Subject {
    /// Reads its manifests into objects and its flags into settings.
    pub fn load<'s>(&self, inputs: &'s Inputs, remove: bool) -> Result<Loaded<'s>, Failure> {
        load(
            inputs,
            self.namespace.as_deref(),
            &self.planning.resolve_for(remove)?,
            remove,
            &self.live.cluster,
        )
    }
}

/// Reads manifests into objects and flags into settings.
pub fn load<'s>(
    inputs: &'s Inputs,
    namespace: Option<&str>,
    planning: &Planning,
    remove: bool,
    cluster: &ClusterArgs,
) -> Result<Loaded<'s>, Failure> {
    let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE);
    let stream = Stream::read_with(&inputs.sources, namespace, planning.kinds)?;
    let (settings, reason) = settings_of(&stream, planning, remove, cluster)?;
    Ok(Loaded { stream, settings, reason, namespace: namespace.to_owned() })
}

/// How manifests are planned, and why by this profile.
pub fn settings_of(
    stream: &Stream<'_>,
    planning: &Planning,
    remove: bool,
    cluster: &ClusterArgs,
) -> Result<(Settings, String), Failure> {
    let mut config = planning.config.files.clone();
    let (profile, reason) = if planning.config.cluster {
        let (profile, reason, maps) = from_cluster(cluster, planning.profile, stream)?;
        config.get_or_insert_default().extend(maps);
        (profile, reason)
    } else {
        choose_profile(stream, planning.profile)?
    };
    let settings = Settings {
        options: Options { remove, record: RecordMode::WhereAmbiguous, ..planning.options(profile) },
        view: planning.view,
        config,
        gates: planning.gates.clone(),
        by_themselves: false,
    };
    Ok((settings, reason))
}

/// The profile for manifests, and why; none given: the manifests decide.
pub fn choose_profile(
    stream: &Stream<'_>,
    given: Option<&Profile>,
) -> Result<(&'static Profile, String), Failure> {
    let name = given.map_or("auto", |profile| profile.name);
    let (profile, why) =
        render::choose_profile(stream, name).map_err(|message| Failure::input(message, ""))?;
    Ok((profile, given.map_or(why, |_| named_by())))
}

impl Loaded<'_> {
    /// Plans, and tells notes and warnings.
    pub fn plan(&self) -> Planned {
        let planned = render::plan_all(&self.stream, &self.settings);
        let plans = planned.plans.iter().map(|one| &one.plan);
        let theirs = plans.map(|plan| (&plan.id, plan.warnings.as_slice()));
        tell(&planned.notes, &planned.warnings, theirs);
        planned
    }

    /// Says what the run came to: a line for each object where that is wanted, and the summary.
    pub fn sum_up(&self, fates: impl FnOnce() -> Fates, tally: &Tally, mood: Mood) {
        let summary = Summary::of(&self.stream, &self.settings, &self.reason, tally, mood);
        objects_seen(&self.stream, &self.namespace, fates);
        notes::summary(&summary.to_string());
    }

    /// All ConfigMaps that hashes were made over; those of the manifests count before those alongside them.
    pub fn maps(&self) -> Vec<ConfigMap> {
        let own = &self.stream.maps;
        let key = |map: &ConfigMap| (map.namespace.clone(), map.name.clone());
        let known: BTreeSet<_> = own.iter().map(key).collect();
        let beside = self.settings.config.iter().flatten().filter(|map| !known.contains(&key(map)));
        own.iter().chain(beside).cloned().collect()
    }
}

/// What became of objects, by kind, namespace and name.
#[derive(Debug, Default)]
pub struct Fates(HashMap<(String, String, String), String>);

impl Fates {
    /// What was planned for a workload.
    pub fn add(
        &mut self,
        namespace: &str,
        target: (&str, &str),
        action: Action,
        skills: usize,
        reason: &str,
    ) {
        let fate = match action {
            Action::Configured => format!("{} mounted", counted(skills, "skill")),
            Action::Unchanged => format!("untouched, {} mounted", counted(skills, "skill")),
            _ => reason.to_owned(),
        };
        self.0.insert((target.0.to_owned(), namespace.to_owned(), target.1.to_owned()), fate);
    }

    /// The digest of all skills that a workload gets.
    pub fn skill_set(&mut self, namespace: &str, target: (&str, &str), digest: &str) {
        let key = (target.0.to_owned(), namespace.to_owned(), target.1.to_owned());
        if let Some(fate) = self.0.get_mut(&key) {
            fate.push_str(&format!(", skill set {digest}"));
        }
    }

    /// An AgentRuntime whose list of skills is taken out.
    pub fn drops_skills(&mut self, id: &ObjectRef) {
        let key = (id.kind.clone(), id.namespace.clone(), id.name.clone());
        self.0.insert(key, "spec.skills taken out".to_owned());
    }

    /// Of plans.
    pub fn of(planned: &Planned) -> Self {
        let mut fates = Self::default();
        for one in &planned.plans {
            let plan = &one.plan;
            if one.runtime_after.is_some() {
                fates.drops_skills(&plan.id);
            }
            let target = (plan.target.kind.as_str(), plan.target.name.as_str());
            fates.add(&plan.id.namespace, target, plan.action, plan.skills.len(), &plan.reason);
        }
        fates
    }
}

/// A line for each object of the input (`-v`), and a warning for each that looks like an AgentRuntime and is none.
pub fn objects_seen(stream: &Stream<'_>, default_namespace: &str, fates: impl FnOnce() -> Fates) {
    if !notes::lists_objects() && !near_miss::may_be(stream) {
        return;
    }
    let fates = fates();
    let mut skipped_functions = Vec::new();
    for source in stream.sources() {
        // What cannot be read here was not read before either: it cannot matter.
        for parsed in objects::readable(source) {
            for object in parsed.objects() {
                if let Some(text) = near_miss::of(object.value) {
                    notes::warning(&format!("{}: {text}", object.origin()));
                }
                let id = Object(object.value).reference();
                if near_miss::is_skipped_function(object.value) {
                    skipped_functions.push(format!("{} {}", id.kind, id.name));
                }
                let namespace = if id.namespace.is_empty() { default_namespace } else { &id.namespace };
                let key = (id.kind.clone(), namespace.to_owned(), id.name.clone());
                let fate = fates.0.get(&key).map_or("untouched", String::as_str);
                notes::object(&format!("{} {namespace}/{}: {fate}", id.kind.to_lowercase(), id.name));
            }
        }
    }
    if let Some(first) = skipped_functions.first() {
        notes::note(&format!(
            "the input holds {first}, a configuration of this function: the build that made it did not run the function \
             (kustomize: list it under transformers:, not resources:, and build with --enable-alpha-plugins --enable-exec)"
        ));
    }
}

/// A warning for each object that looks like an AgentRuntime or a SkillBinding and is none, for verbs that plan nothing.
pub fn near_misses(stream: &Stream<'_>) {
    for (origin, _, text) in near_miss::all(stream) {
        notes::warning(&format!("{origin}: {text}"));
    }
}

/// Warnings of what a verb over images of skills leaves out: near misses, and objects of kinds that nobody has named.
pub fn left_out(stream: &Stream<'_>, kinds: Kinds) {
    near_misses(stream);
    for other in with_skills(stream, kinds) {
        let way = other.option.map_or(String::new(), |option| format!(": {option} names it"));
        notes::warning(&format!(
            "{}: {} has image volumes of skills, and its kind is not known here, so they are left out: {}{way}",
            other.origin,
            other.id,
            other.skills.join(", ")
        ));
    }
}

/// Tells what is to be said of plans, without their errors.
pub fn tell<'w>(
    said: &[String],
    others: &'w [(ObjectRef, Warning)],
    plans: impl Iterator<Item = (&'w ObjectRef, &'w [Warning])>,
) {
    for note in said {
        notes::note(note);
    }
    let theirs = plans.flat_map(|(id, all)| all.iter().map(move |warning| (id.to_string(), warning)));
    let others = others.iter().map(|(id, warning)| (id.to_string(), warning));
    notes::warnings(theirs.chain(others));
}

/// What a cluster says for manifests: the profile, unless one is given, and the operator's ConfigMaps. Where it serves no
/// AgentRuntime, the manifests decide the profile.
#[cfg(feature = "cluster")]
fn from_cluster(
    cluster: &ClusterArgs,
    given: Option<&'static Profile>,
    stream: &Stream<'_>,
) -> Result<(&'static Profile, String, Vec<ConfigMap>), Failure> {
    let namespaces: BTreeSet<&str> = stream.asking().map(|runtime| runtime.id.namespace.as_str()).collect();
    crate::cluster::run::config_of(cluster, given, &namespaces, || choose_profile(stream, None))
}

#[cfg(not(feature = "cluster"))]
fn from_cluster(
    _: &ClusterArgs,
    _: Option<&'static Profile>,
    _: &Stream<'_>,
) -> Result<(&'static Profile, String, Vec<ConfigMap>), Failure> {
    super::no_cluster("--config-from cluster")
}

/// Refuses flags about a cluster alongside manifests: they would be about nothing.
pub fn refuse_live(live: &LiveArgs) -> Result<(), Failure> {
    #[cfg(feature = "cluster")]
    {
        let scope = &live.scope;
        if !scope.names.is_empty() || scope.all_namespaces || scope.selector.is_some() {
            return Err(Failure::Usage(
                "names of AgentRuntimes, -A and -l choose from a cluster, and -f or -k from manifests: give one of them"
                    .into(),
            ));
        }
    }
    #[cfg(not(feature = "cluster"))]
    let _ = live;
    Ok(())
}
