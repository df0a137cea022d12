//! `restart`: makes the pods of a SkillBinding's workloads anew, where they lack the skills that new ones get.

use std::collections::BTreeSet;

use clap::Args as ClapArgs;
use http::Method;
use kubectl_skills::api::names::FIELD_MANAGER;
use kubectl_skills::api::object::{Object, Origin, title};
use kubectl_skills::api::pod_owner::is_of;
use kubectl_skills::api::skill_binding::Delivery;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::WorkloadKey;
use kubectl_skills::plan::bindings::{Binding, Bindings};
use kubectl_skills::plan::pod_injection::refused;
use kubectl_skills::validate::findings::rules;
use serde_json::Value;

use crate::args::KindsArgs;
use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::delivery::{Deliverers, deliverers, nobody};
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::paths::{PODS, of_workload};
use crate::cluster::requests::Requests;
use crate::cluster::skills_of_pods::{count, expected, part, restart_patch, restarts};
use crate::cluster::snapshot::{Scope, custom_resources, read_bindings, read_workloads};
use crate::exit::{Outcome, Run};
use crate::net::block_on;
use crate::notes;
use crate::sink;

/// The annotation that `kubectl rollout restart` writes.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Restart the workloads of a SkillBinding whose pods do not have its skills as they are now
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # After a change of a SkillBinding with delivery Pod and rollout Manual
  kubectl skills restart research-tools -n team1

  # Which would be restarted?
  kubectl skills restart research-tools -n team1 --dry-run

Exit codes: 0 done, also where nothing was to be done; 2 usage; 4 the cluster refused or failed")]
pub struct Args {
    /// Name of the SkillBinding
    name: String,
    /// Namespace; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Also workloads whose pods all have the skills
    #[arg(long)]
    all: bool,
    /// Print what would be restarted, and restart nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let kinds = args.kinds.resolve()?;
    block_on(async {
        let connection = connect(&args.cluster, Caller::of("restart"), notes::lists_requests()).await?;
        let namespace = args.namespace.as_deref().unwrap_or(&connection.namespace);
        let lines = restart(&connection.requests, namespace, kinds, args).await?;
        sink::text(&lines)?;
        Ok(Outcome::Done)
    })
}

async fn restart(
    requests: &Requests,
    namespace: &str,
    kinds: Kinds,
    args: &Args,
) -> Result<String, ClusterError> {
    let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
    let objects = read_bindings(requests, &scope).await?.unwrap_or_default();
    let (bindings, named) = read(&objects, namespace, args)?;
    let none = BTreeSet::new();
    let resources = custom_resources(requests, kinds).await?;
    let selected = BTreeSet::from([(namespace.to_owned(), args.name.clone())]);
    let workloads =
        read_workloads(requests, &scope, (&[], &none), (&objects, &selected), (kinds, &resources)).await?;
    let what = format!("list pods in namespace {namespace:?}");
    let list = requests.list(&PODS.list(Some(namespace)), "", &what).await?;
    let pods: Vec<Value> = list.into_iter().flat_map(|list| list.items).map(|pod| part(&pod)).collect();
    let mut delivered = None;
    let mut found = Vec::new();
    for (key, workload) in &workloads {
        let Some(kind) = kinds.find(&key.0, Object(workload).group()) else { continue };
        let about = bindings.of(kind, key, workload);
        if !about.contains(&named) {
            continue;
        }
        let about: Vec<&Binding> = about.iter().map(|index| &bindings.all()[*index]).collect();
        if about.iter().any(|one| one.spec.delivery == Delivery::Pod) {
            if delivered.is_none() {
                delivered = Some(deliverers(requests, namespace).await);
            }
            can_be_delivered(delivered.as_ref(), namespace, found.is_empty())?;
        }
        let own: Vec<Value> = pods.iter().filter(|pod| is_of(pod, kind, &key.2)).cloned().collect();
        let counts = count(&own, &expected(kind, workload, about.iter().copied()), &bindings.all()[named]);
        if restarts(kind) && (counts.outdated() > 0 || args.all) {
            can_be_made_anew(kind, workload, &about)?;
        }
        found.push((kind, key, workload, counts));
    }
    // Nothing is restarted before it is known that all can be.
    let mut lines = String::new();
    for (kind, key, workload, counts) in found {
        let (lack, all) = (counts.outdated(), counts.outdated() + counts.up_to_date);
        let done = one(requests, (kind, key), workload, args, lack).await?;
        let title = title(kind.name(), kind.group(), &key.2);
        lines.push_str(&format!("{title} {done}: {lack} of {all} pods without the skills as they are now\n"));
    }
    if lines.is_empty() {
        note_nothing(&bindings.all()[named], kinds);
    }
    Ok(lines)
}

/// All SkillBindings, and which of them is meant.
fn read(objects: &[Value], namespace: &str, args: &Args) -> Result<(Bindings, usize), ClusterError> {
    let mut bindings = Vec::new();
    for object in objects {
        match Binding::of(Object(object).reference(), Origin::default(), object) {
            Ok(binding) => bindings.push(binding),
            Err(errors) if Object(object).name() == args.name => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let message = format!("skillbinding {}: {}", args.name, errors.join("; "));
                return Err(ClusterError::new(Cause::Invalid, message));
            }
            Err(_) => {}
        }
    }
    let bindings = Bindings::new(bindings);
    let Some(named) = bindings.all().iter().position(|binding| binding.id.name == args.name) else {
        let message = format!("skillbinding {} not found in namespace {namespace:?}", args.name);
        return Err(
            ClusterError::new(Cause::NotFound, message).help("'kubectl get skillbindings -A' lists them")
        );
    };
    Ok((bindings, named))
}

/// Says that a SkillBinding is about nothing, and why where that is known.
fn note_nothing(binding: &Binding, kinds: Kinds) {
    let unknown = binding
        .spec
        .target_ref()
        .filter(|target| kinds.find(&target.kind, target.group()).is_none() && !target.group().is_empty());
    let why = unknown.map_or_else(String::new, |target| {
        let (kind, group) = (&target.kind, target.group());
        format!(
            ": where a {kind} has its pod template is not known; say it by --pod-template-path {kind}.{group}=spec.template"
        )
    });
    let (name, namespace) = (&binding.id.name, &binding.id.namespace);
    notes::note(&format!("skillbinding {name} is about no workload of namespace {namespace:?}{why}"));
}

/// Pods that are made anew where nothing writes skills into them have none, and what ran before is gone.
fn can_be_delivered(found: Option<&Deliverers>, namespace: &str, first: bool) -> Result<(), ClusterError> {
    let Some(found) = found else { return Ok(()) };
    if found.is_nobody() {
        let message = format!("{}: they would be made anew without them", nobody(namespace));
        return Err(ClusterError::new(Cause::Other, message).help(found.mend(namespace)));
    }
    let is_known = found.policy || found.webhook.is_some();
    if let Some(why) = found.unread.as_ref().filter(|_| first && !is_known) {
        notes::note(&format!("whether anything writes skills into pods cannot be read: {why}"));
    }
    Ok(())
}

/// Pods that admission would refuse are never there again, and the rollout hangs.
fn can_be_made_anew(kind: WorkloadKind, workload: &Value, about: &[&Binding]) -> Result<(), ClusterError> {
    let findings = refused(kind, workload, about);
    let Some(first) = findings.first() else { return Ok(()) };
    let title = title(kind.name(), kind.group(), Object(workload).name());
    let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    let message =
        format!("{title}: its new pods would be refused, so nothing is restarted: {}", said.join("; "));
    let named = about.iter().filter(|one| one.spec.container.is_some() && !one.deleting);
    let named: Vec<&str> = named.map(|one| one.id.name.as_str()).collect();
    let where_to = match named.as_slice() {
        names if first.rule.id == rules::CONTAINER_NAMED.id && !names.is_empty() => {
            format!(" (spec.container of skillbinding {})", names.join(", "))
        }
        _ => String::new(),
    };
    Err(ClusterError::new(Cause::Invalid, message).help(format!("{}{where_to}", first.help)))
}

/// Restarts one workload, where it has to be; what was done.
async fn one(
    requests: &Requests,
    (kind, key): (WorkloadKind, &WorkloadKey),
    workload: &Value,
    args: &Args,
    lack: u32,
) -> Result<&'static str, ClusterError> {
    if matches!(kind, WorkloadKind::Custom(_)) {
        return Ok("left, since nobody knows whether its controller makes pods anew");
    }
    if !restarts(kind) {
        return Ok("left, since its kind makes no pods anew");
    }
    if lack == 0 && !args.all {
        return Ok("left");
    }
    if args.dry_run {
        return Ok("would be restarted");
    }
    let Some(resource) = of_workload(workload) else { return Ok("left") };
    let path = format!("{}?fieldManager={FIELD_MANAGER}", resource.object(&key.1, &key.2));
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut patch = restart_patch(kind, workload, RESTARTED_AT, &now);
    // Nothing of what was read goes into it.
    if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
        metadata.shift_remove("resourceVersion");
    }
    let what = format!("restart {} {}/{}", resource.plural, key.1, key.2);
    requests.write(Method::PATCH, &path, "application/merge-patch+json", &patch, &what).await?;
    Ok("restarted")
}
