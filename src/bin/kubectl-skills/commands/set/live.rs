//! `set` in a cluster: the list of one object by a patch that holds to the version that was read. What somebody else keeps as it
//! is, a Helm release, a Git tool or whoever applies the list, is refused with where it is to be changed.

use std::collections::BTreeSet;

use http::Method;
use kubectl_skills::api::names::{MANAGED_BY, SKILL_BINDING, SKILLS_GROUP};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::WorkloadKey;
use kubectl_skills::live::apply_configuration::FieldPath;
use kubectl_skills::live::field_ownership::owners;
use serde_json::{Value, json};

use super::lists::{ListOf, about, changed};
use super::{Args, Ask, Planned, conclude, plan, show};
use crate::cluster::carry_out::ROUNDS;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::paths::{agent_runtimes, skill_bindings};
use crate::cluster::requests::{Requests, escape_query};
use crate::cluster::snapshot::{
    Scope, custom_resources, key, or_without_operator, read_bindings, read_runtimes, read_workloads,
};
use crate::exit::{Failure, Run};
use crate::net::block_on;
use crate::{notes, sink};

/// Runs the verb over a cluster.
pub(super) fn run(args: &Args, asks: &[Ask]) -> Run {
    let kinds = args.kinds.resolve()?;
    block_on(async {
        let connection = connect(&args.cluster, Caller::or_files("set"), notes::lists_requests()).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| connection.namespace.clone());
        let requests = &connection.requests;
        let found = read(requests, &namespace, kinds).await?;
        let meant = about(&args.workload, kinds, &found.lists, &found.workloads)?;
        let planned = plan(args, asks, &found.lists, &meant)?;
        for one in planned.iter().filter(|_| !args.write.force_conflicts) {
            kept_by_others(args, one.list)?;
        }
        let mut lines = String::new();
        for one in planned.iter().filter(|one| one.after != one.list.object) {
            write(args, requests, found.profile, one).await?;
            let group = if one.list.kind == SKILL_BINDING { SKILLS_GROUP } else { found.profile.names.group };
            let done = if args.dry_run { "skills set (server dry run)" } else { "skills set" };
            lines.push_str(&format!("{}.{group}/{} {done}\n", one.list.kind.to_lowercase(), one.list.name));
        }
        if !show(args, &planned)? {
            sink::text(&lines)?;
        }
        if !args.dry_run && !lines.is_empty() {
            notes::note(&format!(
                "where no controller runs, 'kubectl skills apply -n {namespace}' brings it into the workload; \
                 'kubectl skills status -n {namespace}' says whether it is there"
            ));
        }
        conclude(&planned, !args.dry_run)
    })
}

struct Found {
    profile: &'static Profile,
    lists: Vec<ListOf>,
    workloads: Vec<(WorkloadKind, WorkloadKey, Value)>,
}

async fn read(requests: &Requests, namespace: &str, kinds: Kinds) -> Result<Found, ClusterError> {
    let scope = Scope { namespace: Some(namespace.to_owned()), ..Scope::default() };
    let (dialect, bindings) = tokio::join!(dialect(requests, None), read_bindings(requests, &scope));
    let bindings = bindings?;
    let profile = or_without_operator(dialect, bindings.is_some())?.profile;
    let bindings = bindings.unwrap_or_default();
    let runtimes = match read_runtimes(requests, &scope, profile).await {
        Err(error) if error.failure == Cause::NotFound => Vec::new(),
        other => other?,
    };
    let resources = custom_resources(requests, kinds).await?;
    let selected = bindings.iter().map(key).collect();
    let none = BTreeSet::new();
    let workloads =
        read_workloads(requests, &scope, (&[], &none), (&bindings, &selected), (kinds, &resources)).await?;
    let known = |(key, workload): (WorkloadKey, Value)| {
        Some((kinds.find(&key.0, Object(&workload).group())?, key, workload))
    };
    let workloads = workloads.into_iter().filter_map(known).collect();
    let lists = runtimes.into_iter().chain(bindings).map(|object| {
        let id = Object(&object).reference();
        ListOf::new(&id, String::new(), None, object)
    });
    Ok(Found { profile, lists: lists.collect(), workloads })
}

/// Marks of tools that write an object again from what they have in Git or in a release: where, what, and what to do.
const KEPT: [(&str, &str, &str); 5] = [
    (
        "/metadata/annotations/meta.helm.sh~1release-name",
        "Helm release",
        "change the values and upgrade the release",
    ),
    ("/metadata/labels/helm.toolkit.fluxcd.io~1name", "Flux HelmRelease", "change its values in Git"),
    (
        "/metadata/labels/kustomize.toolkit.fluxcd.io~1name",
        "Flux Kustomization",
        "change the manifest in Git",
    ),
    (
        "/metadata/annotations/argocd.argoproj.io~1tracking-id",
        "Argo CD application",
        "change the manifest in Git",
    ),
    ("/metadata/labels/argocd.argoproj.io~1instance", "Argo CD application", "change the manifest in Git"),
];

/// Who keeps the list as it is, if anybody does.
fn kept_by_others(args: &Args, list: &ListOf) -> Result<(), ClusterError> {
    let object = &list.object;
    let help = |what: &str| {
        format!(
            "{what}; 'kubectl skills set -f' sets it in a file; --force-conflicts writes it here all the same, until then"
        )
    };
    let refuse = |why: String, what: &str| {
        let message = format!("{}: {why}; nothing is set", list.title());
        Err(ClusterError::new(Cause::Conflict, message).help(help(what)))
    };
    for (pointer, what, mend) in KEPT {
        if let Some(name) = object.pointer(pointer).and_then(Value::as_str) {
            return refuse(format!("{what} {name:?} keeps it as it is, and would write it back"), mend);
        }
    }
    if Object(object).label(MANAGED_BY) == Some("Helm") {
        return refuse("a Helm release keeps it as it is, and would write it back".into(), KEPT[0].2);
    }
    let path = FieldPath::fields(["spec", "skills"]);
    let is_other = |manager: &str| manager != args.write.field_manager;
    let found = owners(object, &path)
        .into_iter()
        .find(|owner| owner.operation == "Apply" && is_other(&owner.manager));
    match found {
        Some(owner) => refuse(
            format!("spec.skills is applied by {:?}, which would write it back", owner.manager),
            "change what that applies",
        ),
        None => Ok(()),
    }
}

/// Writes one list, over a fresh read while somebody else changes the object.
async fn write(
    args: &Args,
    requests: &Requests,
    profile: &Profile,
    one: &Planned<'_>,
) -> Result<(), Failure> {
    let list = one.list;
    let (all, plural) = if list.kind == SKILL_BINDING {
        (skill_bindings(Some(&list.namespace)), "skillbindings")
    } else {
        (agent_runtimes(profile, Some(&list.namespace)), "agentruntimes")
    };
    let path = format!("{all}/{}", escape_query(&list.name));
    let what = format!("set skills of {plural} {}/{}", list.namespace, list.name);
    let dry_run = if args.dry_run { "&dryRun=All" } else { "" };
    let manager = escape_query(&args.write.field_manager);
    let target = format!("{path}?fieldManager={manager}&fieldValidation=Strict{dry_run}");
    let (mut read, mut after) = (list.object.clone(), one.after.clone());
    let mut round = 1;
    loop {
        let version = Object(&read).resource_version();
        let patch =
            json!({"metadata": {"resourceVersion": version}, "spec": {"skills": after["spec"]["skills"]}});
        match requests.write(Method::PATCH, &target, "application/merge-patch+json", &patch, &what).await {
            Ok(_) => return Ok(()),
            Err(error) if error.failure == Cause::Conflict && round < ROUNDS => {
                round += 1;
                read = requests.get(&path, &what).await?.ok_or(error)?;
                let again = ListOf { object: read.clone(), ..list.clone() };
                after = changed(&again, &one.changes)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
