//! What the verbs over manifests have in common: flags and texts in, a stream and its plans out. Printing is left to them.

use std::collections::BTreeSet;

use kubectl_skills::api::object::{ConfigMap, ObjectRef};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::manifest::render::{self, Planned, Settings};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::plan::{Options, Warning};

use crate::args::{ClusterArgs, LiveArgs, Subject};
use crate::exit::Failure;
use crate::notes;
use crate::planning::{DEFAULT_NAMESPACE, Planning};
use crate::source::Inputs;

/// Manifests and how to plan over them.
pub struct Loaded<'s> {
    /// The manifests.
    pub stream: Stream<'s>,
    /// How to plan.
    pub settings: Settings,
}

impl Subject {
    /// Reads its manifests into objects and its flags into settings.
    pub fn load<'s>(&self, inputs: &'s Inputs, remove: bool) -> Result<Loaded<'s>, Failure> {
        load(inputs, self.namespace.as_deref(), &self.planning.resolve()?, remove, &self.live.cluster)
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
    let stream = Stream::read(&inputs.sources, namespace.unwrap_or(DEFAULT_NAMESPACE))?;
    let mut config = planning.config.files.clone();
    let profile = if planning.config.cluster {
        let (profile, maps) = from_cluster(cluster, planning.profile, &stream)?;
        config.get_or_insert_default().extend(maps);
        profile
    } else {
        choose_profile(&stream, planning.profile)?.0
    };
    let settings = Settings {
        options: Options { remove, ..planning.options(profile) },
        view: planning.view,
        config,
        gates: planning.gates.clone(),
    };
    Ok(Loaded { stream, settings })
}

/// The profile for manifests, and why; none given: the manifests decide.
pub fn choose_profile(
    stream: &Stream<'_>,
    given: Option<&Profile>,
) -> Result<(&'static Profile, String), Failure> {
    let name = given.map_or("auto", |profile| profile.name);
    render::choose_profile(stream, name).map_err(|message| Failure::input(message, ""))
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

    /// All ConfigMaps that hashes were made over; those of the manifests count before those beside them.
    pub fn maps(&self) -> Vec<ConfigMap> {
        let own = &self.stream.maps;
        let key = |map: &ConfigMap| (map.namespace.clone(), map.name.clone());
        let known: BTreeSet<_> = own.iter().map(key).collect();
        let beside = self.settings.config.iter().flatten().filter(|map| !known.contains(&key(map)));
        own.iter().chain(beside).cloned().collect()
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
) -> Result<(&'static Profile, Vec<ConfigMap>), Failure> {
    let namespaces: BTreeSet<&str> =
        stream.runtimes.iter().map(|runtime| runtime.id.namespace.as_str()).collect();
    crate::cluster::run::config_of(cluster, given, &namespaces, || Ok(choose_profile(stream, None)?.0))
}

#[cfg(not(feature = "cluster"))]
fn from_cluster(
    _: &ClusterArgs,
    _: Option<&'static Profile>,
    _: &Stream<'_>,
) -> Result<(&'static Profile, Vec<ConfigMap>), Failure> {
    super::no_cluster("--config-from cluster")
}

/// Refuses flags about a cluster beside manifests: they would be about nothing.
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
