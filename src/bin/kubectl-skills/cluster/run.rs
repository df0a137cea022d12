//! One run on a cluster: arguments in, a connection, a snapshot and the settings to plan over it out. Plans and writes
//! nothing itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::{ConfigMap, Object, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::{Delivery, is_binding};
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::live::{self, Inventory, LivePlan};
use kubectl_skills::manifest::summary::{counted, whose_rules};
use kubectl_skills::plan::bindings::{Binding, Bindings};
use kubectl_skills::plan::pod_injection::guessed;
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Action, Options};
use kubectl_skills::validate::findings::rules;
use serde_json::Value;

use super::args::{ClusterArgs, LiveArgs};
use super::connect::{Caller, connect};
use super::delivery::nobody;
use super::discovery::{Dialect, dialect};
use super::error::{ClusterError, Failure as Kind};
use super::requests::Requests;
use super::snapshot::{self, Scope, Snapshot};
use crate::exit::{Failure, RemoteError};
use crate::net::block_on;
use crate::notes;
use crate::planning::Planning;
use crate::progress::Progress;

/// What a run works with.
pub struct ClusterRun {
    /// The connection.
    pub requests: Arc<Requests>,
    /// What it is about.
    pub scope: Scope,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Profile, gate and the operator's ConfigMaps, from the cluster or from files.
    pub session: Session,
    gates: GateSource,
}

impl From<ClusterError> for RemoteError {
    fn from(ClusterError { message, help, .. }: ClusterError) -> Self {
        Self { message, help }
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::Remote(vec![error.into()])
    }
}

impl ClusterRun {
    /// Connects and reads for a verb. `pods` is for who only looks: pods are read as well, and names that are not there are
    /// left to the caller ([`Snapshot::missing`]); everybody else has them as an error.
    pub async fn open(
        caller: Caller,
        args: &LiveArgs,
        namespace: Option<&str>,
        planning: &Planning,
        remove: bool,
        pods: bool,
    ) -> Result<Self, Failure> {
        if args.scope.all_namespaces && namespace.is_some() {
            return Err(Failure::Usage("-A and -n contradict each other: give one of them".into()));
        }
        let from_files = planning.config.files.clone();
        let connection = connect(&args.cluster, caller, notes::lists_requests()).await?;
        let scope = Scope {
            namespace: (!args.scope.all_namespaces)
                .then(|| namespace.unwrap_or(&connection.namespace).to_owned()),
            names: args.scope.names.clone(),
            selector: args.scope.selector.clone(),
            config: from_files.is_none(),
            pods,
            operator_namespace: args.scope.operator_namespace.clone(),
            left: args.scope.left,
        };
        if let Some(name) =
            scope.names.iter().filter_map(|name| Some(name.split_once('/')?.1)).find(|_| !remove)
        {
            return Err(Failure::Usage(format!("a name alone is wanted, without a kind: {name}")));
        }
        let progress = Progress::start("reading the cluster");
        let snapshot = read(&connection.requests, &scope, planning, pods || remove).await;
        drop(progress);
        let mut snapshot = snapshot?;
        let may_be_left = match scope.names.as_slice() {
            [] => snapshot.serves_bindings || scope.left,
            _ => !snapshot.missing_names.is_empty(),
        };
        if remove && may_be_left {
            read_left(&mut snapshot, &connection.requests, &scope, planning.kinds).await?;
            snapshot.take_left(&scope, planning.kinds);
        }
        if let Some(missing) = snapshot.missing(&scope).filter(|_| !pods) {
            return Err(missing.into());
        }
        // Advice to bring skills is not for a run that takes them out.
        if !pods && !remove {
            for (namespace, mend) in &snapshot.undelivered {
                notes::warning(&format!("{}: {mend}", nobody(namespace)));
            }
        }
        for warning in &snapshot.dialect.warnings {
            notes::warning(warning);
        }
        let maps = match from_files {
            Some(maps) => maps,
            None => read_maps(&snapshot.config_maps)?,
        };
        let profile = snapshot.dialect.profile;
        let gates =
            GateSource { operator_namespace: scope.operator_namespace.clone(), ..planning.gates.clone() };
        let gate = gates.resolve(profile, &maps)?.skills(profile);
        let options =
            Options { gate, remove, restarts: true, keeps_delivery: !remove, ..planning.options(profile) };
        let session = Session::new(options, planning.view, maps);
        let run = Self { requests: Arc::new(connection.requests), scope, snapshot, session, gates };
        if !run.session.options().gate && profile.mounts() && !run.snapshot.selected.is_empty() {
            notes::note(&format!("{}: no skill is mounted", run.gate_off()));
        }
        Ok(run)
    }

    /// Looks for workloads with skills that nobody is about, where the run is about everything.
    pub async fn read_left(&mut self) -> Result<(), Failure> {
        if self.scope.names.is_empty() && self.scope.selector.is_none() {
            let kinds = self.session.options().kinds;
            read_left(&mut self.snapshot, &self.requests, &self.scope, kinds).await?;
        }
        Ok(())
    }

    /// Says so where it is not known what pods have.
    pub fn note_without_pods(&self) {
        if let Some(why) = &self.snapshot.without_pods {
            notes::note(&format!("whether pods have their skills is unknown: {}", why.message));
        }
    }

    /// That the gate is off, and where that stands.
    fn gate_off(&self) -> String {
        let profile = self.session.options().profile;
        let (gate, name) = (profile.skill_gate, profile.names.feature_gates);
        let system = self.system();
        let found = self.session.maps().iter().any(|map| map.namespace == system && map.name == name);
        let where_from = if self.gates.flags.is_some() || self.gates.file.is_some() {
            "by the command line".to_owned()
        } else if found {
            format!("in ConfigMap {system}/{name}")
        } else {
            format!("because there is no ConfigMap {system}/{name}")
        };
        format!("the gate {gate} is off {where_from}")
    }

    fn system(&self) -> &str {
        let usual = self.session.options().profile.names.system_namespace;
        self.scope.operator_namespace.as_deref().unwrap_or(usual)
    }

    /// Whether writing a plan would restart pods and mount nothing of what the AgentRuntime names: the operator does so
    /// while its gate is off. Skills alone restart no Sandbox.
    pub fn rolls_for_nothing(&self, live: &LivePlan<'_>) -> bool {
        let options = self.session.options();
        let names_skills = live.runtime.pointer("/spec/skills").and_then(Value::as_array);
        !options.gate
            && !options.exact
            && !options.remove
            && options.profile.mounts()
            && !is_binding(Object(live.runtime))
            && live.runtime.pointer("/spec/targetRef/kind").is_none_or(|kind| kind != "Sandbox")
            && live.runtime.pointer("/metadata/deletionTimestamp").is_none()
            && names_skills.is_some_and(|skills| !skills.is_empty())
    }

    /// What is said instead of such a write.
    pub fn gate_is_off(&self, live: &LivePlan<'_>) -> InputError {
        let profile = self.session.options().profile;
        let (gate, name, system) = (profile.skill_gate, profile.names.feature_gates, self.system());
        InputError {
            object: Some(live.id.clone()),
            field: "spec.skills".into(),
            message: format!(
                "{}: its pods would restart without a skill, so nothing is written",
                self.gate_off()
            ),
            help: format!(
                "set {gate}: true in the key feature-gates.yaml of ConfigMap {system}/{name}; name the operator's namespace \
                 with --operator-namespace where it is another; where there is no operator, --feature-gates={gate}=true"
            ),
            ..InputError::default()
        }
    }

    /// Reads pods anew, and the operator's ConfigMaps where they come from the cluster.
    pub async fn read_unwatched(&mut self) -> Result<(), Failure> {
        self.snapshot.read_pods(&self.requests, &self.scope).await?;
        if !self.scope.config {
            return Ok(());
        }
        let profile = self.session.options().profile;
        let maps = read_maps(&snapshot::read_config(&self.requests, &self.scope, profile).await?)?;
        let gate = self.gates.resolve(profile, &maps)?.skills(profile);
        let options = Options { gate, ..self.session.options().clone() };
        self.session = Session::new(options, self.session.view(), maps);
        Ok(())
    }

    /// What was read, as the library takes it.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory {
            runtimes: &self.snapshot.runtimes,
            selected: &self.snapshot.selected,
            bindings: &self.snapshot.bindings,
            selected_bindings: &self.snapshot.selected_bindings,
            workloads: &self.snapshot.workloads,
            pods: self.snapshot.pods.as_deref().unwrap_or_default(),
        }
    }

    /// Says what the run comes to: a line for each workload where that is wanted, and the summary. `done`: it was written.
    pub fn sum_up(&self, plans: &[LivePlan<'_>], done: bool) {
        let place = match &self.scope.namespace {
            Some(namespace) => format!("namespace {namespace}"),
            None => "all namespaces".to_owned(),
        };
        if plans.is_empty() {
            let more = if self.scope.namespace.is_some() { " (-A looks in all namespaces)" } else { "" };
            return notes::summary(&format!("no AgentRuntime or SkillBinding found in {place}{more}"));
        }
        let sound = plans.iter().filter(|live| live.errors.is_empty()).filter_map(|live| live.plan.as_ref());
        let changed = sound.filter(|plan| !plan.updates().is_empty()).count();
        let verb = if done { "changed" } else { "would change" };
        sum_up(plans, &place, &self.snapshot.dialect, self.session.options().gate, (changed, verb));
    }

    /// Warns of SkillBindings with delivery Pod for pods of several containers of which none is named: which gets the skills is then
    /// decided by their order.
    pub fn warn_of_guesses(&self) {
        let bindings = Bindings::of_live(&self.snapshot.bindings);
        if bindings.is_empty() {
            return;
        }
        let kinds = self.session.options().kinds;
        let is_meant = |one: &&Binding| {
            one.spec.delivery == Delivery::Pod
                && self.snapshot.selected_bindings.contains(&(one.id.namespace.clone(), one.id.name.clone()))
        };
        let mut said = BTreeSet::new();
        for (key, workload) in &self.snapshot.workloads {
            let Some(kind) = kinds.find(&key.0, Object(workload).group()) else { continue };
            let about = bindings.of(kind, key, workload);
            for binding in about.iter().map(|at| &bindings.all()[*at]).filter(is_meant) {
                said.extend(guessed(kind, workload, binding).map(|guess| format!("{}: {guess}", binding.id)));
            }
        }
        said.iter().for_each(|text| notes::warning(text));
    }

    /// Plans everything that the run is about.
    pub fn plan(&self) -> Vec<LivePlan<'_>> {
        let mut plans = live::plan(&self.inventory(), &self.session);
        for live in plans.iter_mut().filter(|live| live.workload.is_none()) {
            let Some(instead) = self.snapshot.instead(live.runtime) else { continue };
            let errors = live.errors.iter_mut();
            for error in errors.filter(|error| error.rule == rules::TARGET_NOT_FOUND.id) {
                error.help.clone_from(&instead);
            }
        }
        plans
    }
}

/// The snapshot. Where the cluster serves no list and `left` says that it matters, it is also one where workloads have skills all the
/// same.
async fn read(
    requests: &Requests,
    scope: &Scope,
    planning: &Planning,
    left: bool,
) -> Result<Snapshot, ClusterError> {
    match snapshot::read(requests, scope, planning.profile, planning.kinds).await {
        Err(error) if left && !scope.left && error.failure == Kind::NotFound => {
            let wide = Scope { left: true, ..scope.clone() };
            let Ok(mut snapshot) = snapshot::read(requests, &wide, planning.profile, planning.kinds).await
            else {
                return Err(error);
            };
            snapshot.read_left(requests, &wide, planning.kinds).await?;
            if !snapshot.left.is_empty() || !snapshot.rendered.is_empty() {
                Ok(snapshot)
            } else if snapshot.serves_runtimes || snapshot.serves_bindings {
                Err(error)
            } else {
                Err(snapshot::serves_neither(scope, true))
            }
        }
        other => other,
    }
}

async fn read_left(
    snapshot: &mut Snapshot,
    requests: &Requests,
    scope: &Scope,
    kinds: Kinds,
) -> Result<(), ClusterError> {
    let unread = snapshot.read_left(requests, scope, kinds).await?;
    if !unread.is_empty() {
        notes::note(&format!(
            "whether workloads have skills that nothing lists is unknown, for these may not be listed: {}",
            unread.join(", ")
        ));
    }
    Ok(())
}

/// Says what plans over a cluster come to: a line for each workload where that is wanted, and the summary. `changed`: how
/// many workloads, and the verb.
pub fn sum_up(
    plans: &[LivePlan<'_>],
    place: &str,
    dialect: &Dialect,
    gate: bool,
    (changed, verb): (usize, &str),
) {
    let (mut skills, mut failed) = (0, 0);
    for live in plans {
        let Some(plan) = live.plan.as_ref().filter(|_| live.errors.is_empty()) else {
            failed += 1;
            continue;
        };
        skills += plan.skills.len();
        let mounted = match plan.action {
            Action::Configured | Action::Unchanged => {
                format!("{} mounted", counted(plan.skills.len(), "skill"))
            }
            _ => plan.reason.clone(),
        };
        let (kind, namespace) = (plan.target.kind.to_lowercase(), &plan.id.namespace);
        notes::object(&format!("{kind} {namespace}/{}: {mounted}", plan.target.name));
    }
    let mut text = format!(
        "{}, {} in {place}: {} {verb}, {} unchanged",
        counted(plans.len(), "agent"),
        counted(skills, "skill"),
        counted(changed, "workload"),
        plans.len().saturating_sub(changed + failed),
    );
    if failed > 0 {
        text += &format!(", {failed} failed");
    }
    let profile = dialect.profile;
    // Those of SkillBindings are mounted whatever the operator's gate says.
    let gated = plans.iter().any(|live| !is_binding(Object(live.runtime)));
    let gate_off = (gated && !gate && profile.mounts()).then_some(profile.skill_gate);
    text += &whose_rules(profile.name, &dialect.reason, gate_off);
    notes::summary(&text);
}

/// The profile of a cluster and the operator's ConfigMaps in it, for manifests in these namespaces. Where the cluster
/// serves no AgentRuntime and no profile is given, `otherwise` decides.
pub fn config_of(
    args: &ClusterArgs,
    given: Option<&'static Profile>,
    namespaces: &BTreeSet<&str>,
    otherwise: impl FnOnce() -> Result<(&'static Profile, String), Failure>,
) -> Result<(&'static Profile, String, Vec<ConfigMap>), Failure> {
    let only = match namespaces.iter().collect::<Vec<_>>().as_slice() {
        [only] => Some((**only).to_owned()),
        _ => None,
    };
    let scope = Scope { namespace: only, config: true, ..Scope::default() };
    block_on(async {
        let connection = connect(args, Caller::of("config"), false).await?;
        let (profile, reason) = match dialect(&connection.requests, given).await {
            Ok(dialect) => {
                dialect.warnings.iter().for_each(|warning| notes::warning(warning));
                (dialect.profile, dialect.reason)
            }
            Err(error) if error.failure == Kind::NotFound => {
                let (profile, reason) = otherwise()?;
                (profile, format!("{reason}, and the cluster serves no AgentRuntime"))
            }
            Err(error) => return Err(error.into()),
        };
        let found = snapshot::read_config(&connection.requests, &scope, profile).await?;
        Ok((profile, reason, read_maps(&found)?))
    })
}

/// ConfigMaps as the library takes them.
pub fn read_maps(found: &[Value]) -> Result<Vec<ConfigMap>, Failure> {
    let read = |map| {
        ConfigMap::from_value(map, Origin::default()).map_err(|message| {
            let (namespace, name) = Object(map).key();
            let message = format!("ConfigMap {namespace}/{name}: {message}");
            Failure::Remote(vec![RemoteError { message, help: String::new() }])
        })
    };
    found.iter().map(read).collect()
}
