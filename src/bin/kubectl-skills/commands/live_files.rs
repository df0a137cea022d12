//! `diff -f --live`: the cluster as it is against the cluster with these manifests and their skills applied. Nothing is
//! written.

use futures_util::{StreamExt as _, stream};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::live::{self, Inventory, LivePlan};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::plan::Options;
use kubectl_skills::plan::session::Session;
use serde_json::Value;

use super::live::{DiffOptions, conclude};
use crate::args::{LiveArgs, Report, Subject};
use crate::cluster::apply::FIELD_MANAGER;
use crate::cluster::carry_out::wanted;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::dry_run_overlay::{self, Overlay};
use crate::cluster::error::ClusterError;
use crate::cluster::paths;
use crate::cluster::requests::Requests;
use crate::cluster::run::{read_maps, sum_up};
use crate::cluster::snapshot::{Scope, key, or_without_operator, read_config};
use crate::exit::Run;
use crate::net::block_on;
use crate::notes;
use crate::object_diff::{self, Pair};
use crate::progress::Progress;
use crate::source::Inputs;

/// Requests under way at the same time.
const CONCURRENCY: usize = 8;

/// Why the dialect of the newest operator is taken: whether the cluster serves SkillBindings as well, nobody has asked.
const IN_MANIFESTS: &str = "the manifests have SkillBindings and the cluster serves no AgentRuntime";

/// Runs it.
pub fn diff(inputs: &Inputs, subject: &Subject, options: &DiffOptions) -> Run {
    let Subject { live, namespace, planning, .. } = subject;
    block_on(async {
        let planning = planning.resolve_for(options.remove)?;
        let connection = connect(&live.cluster, Caller::of("diff"), notes::lists_requests()).await?;
        let requests = &connection.requests;
        let namespace = namespace.as_deref().unwrap_or(&connection.namespace);
        let manifests = Stream::read_with(&inputs.sources, namespace, planning.kinds)?;
        let progress = Progress::start("trying the manifests");
        let bindings = (!manifests.bindings.is_empty()).then_some(IN_MANIFESTS);
        let dialect = or_without_operator(dialect(requests, planning.profile).await, bindings)?;
        dialect.warnings.iter().for_each(|warning| notes::warning(warning));
        let profile = dialect.profile;
        let mut maps = manifests.maps.clone();
        let beside = match planning.config.files.clone() {
            Some(files) => files,
            None => read_maps(&read_config(requests, &scope_of(&manifests, live), profile).await?)?,
        };
        let is_new = |one: &kubectl_skills::api::object::ConfigMap| {
            !manifests.maps.iter().any(|own| own.namespace == one.namespace && own.name == one.name)
        };
        maps.extend(beside.into_iter().filter(is_new));
        let over = dry_run_overlay::lay(requests, &manifests, profile, planning.kinds).await?;
        let operator_namespace = live.scope.operator_namespace.clone();
        let gates = GateSource { operator_namespace, ..planning.gates.clone() };
        let gate = gates.resolve(profile, &maps)?.skills(profile);
        let session_options = Options { gate, remove: options.remove, ..planning.options(profile) };
        let session = Session::new(session_options, planning.view, maps);
        let inventory = Inventory {
            runtimes: &over.runtimes,
            selected: &over.selected,
            bindings: &over.bindings,
            selected_bindings: &over.selected_bindings,
            workloads: &over.workloads,
            pods: &[],
        };
        let plans = live::plan(&inventory, &session);
        notes::warnings(
            plans
                .iter()
                .filter_map(|live| live.plan.as_ref())
                .flat_map(|plan| plan.warnings.iter().map(|warning| (plan.id.to_string(), warning))),
        );
        let (pairs, errors) = pairs(requests, &over, &manifests, &plans, options).await;
        drop(progress);
        let outcome = match options.output {
            Report::Text => object_diff::show(&pairs, ("live", "planned"))?,
            format => object_diff::show_object(format, &pairs)?,
        };
        // What the manifests themselves change in a workload counts as well.
        let is_workload = |pair: &&Pair| WorkloadKind::parse(&pair.id.kind).is_some();
        let changed = pairs.iter().filter(is_workload).filter(|pair| pair.before != pair.after).count();
        let place = match scope_of(&manifests, live).namespace {
            Some(namespace) => format!("namespace {namespace}"),
            None => "several namespaces".to_owned(),
        };
        sum_up(&plans, &place, &dialect, gate, (changed, "would change"));
        let input = plans.iter().flat_map(|live| live.errors.iter().cloned()).collect();
        conclude(outcome, input, errors)
    })
}

fn key_of_workload(workload: &Value) -> (String, String, String) {
    let (namespace, name) = key(workload);
    (Object(workload).kind().to_owned(), namespace, name)
}

/// Where the operator's ConfigMaps are looked for: in the one namespace that the manifests are about, or in all.
fn scope_of(manifests: &Stream<'_>, live: &LiveArgs) -> Scope {
    let mut namespaces: Vec<&str> =
        manifests.asking().chain(&manifests.workloads).map(|item| item.id.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let namespace = match namespaces.as_slice() {
        [only] => Some((*only).to_owned()),
        _ => None,
    };
    Scope { namespace, operator_namespace: live.scope.operator_namespace.clone(), ..Scope::default() }
}

/// The AgentRuntimes of the manifests, and the workloads with their skills, each alongside what is there now.
async fn pairs(
    requests: &Requests,
    over: &Overlay,
    manifests: &Stream<'_>,
    plans: &[LivePlan<'_>],
    options: &DiffOptions,
) -> (Vec<Pair>, Vec<ClusterError>) {
    let mut pairs = Vec::new();
    let runtimes = (&manifests.runtimes, &over.runtimes_before, &over.runtimes);
    let bindings = (&manifests.bindings, &over.bindings_before, &over.bindings);
    for (items, before, after) in [runtimes, bindings] {
        for item in items {
            let own = |object: &&Value| key(object) == (item.id.namespace.clone(), item.id.name.clone());
            let before = before.iter().find(own).unwrap_or(&Value::Null);
            if let Some(after) = after.iter().find(own) {
                pairs.push(Pair::new(before, after, options.show_managed_fields));
            }
        }
    }
    let manager = options.manager.as_deref().unwrap_or(FIELD_MANAGER);
    let tries = plans.iter().filter(|live| live.errors.is_empty()).filter_map(|live| {
        let workload = live.workload?;
        let before = over.workloads_before.get(&key_of_workload(workload));
        let wanted = live.plan.as_ref().and_then(|plan| wanted(live, plan)).cloned();
        Some(async move {
            let after = match (wanted, paths::of_workload(workload)) {
                (Some(wanted), Some(resource)) => {
                    dry_run_overlay::stored(requests, resource, &wanted, before.is_some(), manager).await?
                }
                _ => workload.clone(),
            };
            Ok(Pair::new(before.unwrap_or(&Value::Null), &after, options.show_managed_fields))
        })
    });
    let mut errors = Vec::new();
    let mut tried = stream::iter(tries).buffered(CONCURRENCY);
    while let Some(result) = tried.next().await {
        match result {
            Ok(pair) => pairs.push(pair),
            Err(error) => errors.push(error),
        }
    }
    (pairs, errors)
}
