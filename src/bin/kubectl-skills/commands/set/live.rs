//! `set` in a cluster: the list of one object by a patch that holds to the version that was read. What somebody else keeps as it
//! is, a Helm release, a Git tool or whoever applies the list, is refused with where it is to be changed.

use std::collections::BTreeSet;

use http::Method;
use kubectl_skills::api::names::{FIELD_MANAGER, MANAGED_BY, Names, SKILL_BINDING, SKILL_VOLUME_PREFIX};
use kubectl_skills::api::object::{Object, ObjectRef, Origin, title};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::is_for_pods;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::WorkloadKey;
use kubectl_skills::live::apply_configuration::FieldPath;
use kubectl_skills::live::field_ownership::owners;
use kubectl_skills::live::status_report::rendered;
use kubectl_skills::manifest::set_skills::{Change, image_of};
use kubectl_skills::plan::bindings::{Binding, Bindings};
use serde_json::{Value, json};

use super::lists::{ListOf, about, changed};
use super::{Args, Planned, Task, conclude, plan, show};
use crate::cluster::apply::{is_operator, manifest_of};
use crate::cluster::carry_out::ROUNDS;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::paths::{group_of, of_list};
use crate::cluster::requests::{Requests, escape_query};
use crate::cluster::snapshot::{
    SERVED, Scope, custom_resources, key, or_without_operator, read_bindings, read_runtimes_or_none,
    read_targets, read_workloads,
};
use crate::exit::{Failure, Run};
use crate::net::block_on;
use crate::{notes, sink};

/// Runs the verb over a cluster.
pub(super) fn run(task: &Task<'_>) -> Run {
    let args = task.args;
    let kinds = args.kinds.resolve()?;
    block_on(async {
        let connection = connect(&args.cluster, Caller::or_files("set"), notes::lists_requests()).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| connection.namespace.clone());
        let requests = &connection.requests;
        let found = read(requests, &namespace, kinds).await?;
        let meant = about(&args.workload, kinds, &found.lists, &found.workloads, Some(&namespace))?;
        let mut planned = plan(task, &found.lists, &meant)?;
        for one in &planned {
            kept_by_others(args, &one.list)?;
        }
        for at in 0..planned.len() {
            if let Err(error) = write(args, requests, found.profile, &mut planned[at]).await {
                // What is in the cluster is said whatever becomes of the rest.
                if at > 0 && !args.dry_run {
                    tell(args, &found, &planned[..at])?;
                }
                return Err(error);
            }
        }
        tell(args, &found, &planned)?;
        let mut said = BTreeSet::new();
        for one in &planned {
            match elsewhere(args, requests, &found, kinds, one).await {
                Some(note) => said.insert(note),
                None => !args.dry_run && said.insert(to_do(one)),
            };
        }
        said.iter().for_each(|note| notes::note(note));
        conclude(task, &planned, !args.dry_run)
    })
}

/// Prints what was set.
fn tell(args: &Args, found: &Found, planned: &[Planned]) -> Result<(), Failure> {
    if show(args, planned)? {
        return Ok(());
    }
    let mut lines = String::new();
    for Planned { list, .. } in planned {
        let title = title(&list.kind, group_of(found.profile, &list.kind), &list.name);
        let done = if args.dry_run { "skills set (server dry run)" } else { "skills set" };
        lines.push_str(&format!("{title} {done}\n"));
    }
    sink::text(&lines)
}

/// What is left to do until pods have what was set.
fn to_do(one: &Planned) -> String {
    let ListOf { kind, namespace, name, object, .. } = &one.list;
    if kind == SKILL_BINDING && is_for_pods(object) {
        return format!(
            "new pods of {name} have it; where no controller runs, 'kubectl skills restart {name} -n {namespace}' makes those anew \
             that run"
        );
    }
    format!(
        "where no controller runs, 'kubectl skills apply -n {namespace}' brings it into the workload; \
         'kubectl skills status -n {namespace}' says whether it is there"
    )
}

/// Where it is to be set as well: in the manifests of a workload that has its skills from a render, which `apply` does not take
/// from the manager that applies these.
async fn elsewhere(
    args: &Args,
    requests: &Requests,
    found: &Found,
    kinds: Kinds,
    one: &Planned,
) -> Option<String> {
    let ListOf { kind, namespace, object, .. } = &one.list;
    let read;
    let workloads: Vec<&Value> = if kind == SKILL_BINDING {
        if is_for_pods(object) {
            return None;
        }
        let id = ObjectRef { namespace: namespace.clone(), ..Object(object).reference() };
        let alone = Bindings::new(Binding::of(id, Origin::default(), object).ok());
        let chosen = found.workloads.iter().filter(|(kind, key, workload)| {
            key.1 == *namespace && !alone.of(*kind, key, workload).is_empty()
        });
        chosen.map(|(_, _, workload)| workload).collect()
    } else {
        let scope = Scope { namespace: Some(namespace.clone()), ..Scope::default() };
        let target = read_targets(requests, &scope, std::iter::once(object));
        // Anyone who may set the list need not be allowed to look at the workload; without a look the note is the general one.
        read = target.await.unwrap_or_default();
        read.values().collect()
    };
    workloads.into_iter().find_map(|workload| {
        let title = format!("{}/{}", Object(workload).kind(), Object(workload).name());
        let rendered = rendered(workload, kinds);
        if one.changes.iter().any(|change| rendered.iter().any(|name| name == change.skill())) {
            return Some(format!(
                "{title} has its skills from a render, out of ConfigMaps or by init containers: set them where its manifests are as \
                 well, render these again with 'kubectl skills render --delivery', and apply them"
            ));
        }
        let names = found.profile.names;
        let manager = one.changes.iter().find_map(|change| other_owner(workload, kinds, names, change))?;
        Some(format!(
            "{title} has its skills from {}, and 'kubectl skills apply' would be refused: set them there as well: '{}' on its file, \
             then render and apply it as before",
            manifest_of(&manager),
            args.command(&args.workload, "-f FILE -i"),
        ))
    })
}

/// Who else owns what a change of the list makes another thing in a workload.
fn other_owner(workload: &Value, kinds: Kinds, names: &Names, change: &Change) -> Option<String> {
    let kind = kinds.find(Object(workload).kind(), Object(workload).group())?;
    let paths = kind.paths();
    let hash = FieldPath::fields(paths.annotations.iter().copied()).field(names.config_hash);
    let list = FieldPath::fields(["metadata", "annotations"]).field(names.skills);
    let volume = FieldPath::fields(paths.pod.iter().copied())
        .field("volumes")
        .item("name", &format!("{SKILL_VOLUME_PREFIX}{}", change.skill()))
        .field("image");
    let changed = match change {
        Change::Image { .. } => vec![volume, hash],
        Change::Add { .. } => vec![list, hash],
        Change::Remove { .. } => vec![volume, list, hash],
    };
    let others = changed.iter().flat_map(|path| owners(workload, path)).map(|owner| owner.manager);
    others.into_iter().find(|manager| manager != FIELD_MANAGER && !is_operator(manager))
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
    let profile = or_without_operator(dialect, bindings.is_some().then_some(SERVED))?.profile;
    let bindings = bindings.unwrap_or_default();
    let runtimes = read_runtimes_or_none(requests, &scope, profile, true).await?;
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
        let deletion = format!(
            "delete it instead: kubectl delete {}/{} -n {}",
            id.kind.to_lowercase(),
            id.name,
            id.namespace
        );
        ListOf { deletion, ..ListOf::new(&id, Origin::default(), None, object) }
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

/// Refuses a list that somebody else keeps as it is, unless it is to be written all the same.
fn kept_by_others(args: &Args, list: &ListOf) -> Result<(), ClusterError> {
    if args.write.force_conflicts {
        return Ok(());
    }
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

/// Writes one list, over a fresh read while somebody else changes the object. What is planned is then over that read.
async fn write(
    args: &Args,
    requests: &Requests,
    profile: &Profile,
    one: &mut Planned,
) -> Result<(), Failure> {
    let ListOf { kind, namespace, name, .. } = &one.list;
    let (path, plural) = of_list(profile, kind == SKILL_BINDING, namespace, name);
    let what = format!("set skills of {plural} {namespace}/{name}");
    let dry_run = if args.dry_run { "&dryRun=All" } else { "" };
    let manager = escape_query(&args.write.field_manager);
    let target = format!("{path}?fieldManager={manager}&fieldValidation=Strict{dry_run}");
    let mut round = 1;
    loop {
        let version = Object(&one.list.object).resource_version();
        let skills = &one.after["spec"]["skills"];
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"skills": skills}});
        match requests.write(Method::PATCH, &target, "application/merge-patch+json", &patch, &what).await {
            Ok(_) => return Ok(()),
            Err(error) if error.failure == Cause::Conflict && round < ROUNDS => {
                round += 1;
                one.list.object = requests.get(&path, &what).await?.ok_or(error)?;
                kept_by_others(args, &one.list)?;
                one.after = over_a_newer(&one.list, &one.changes)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The list as somebody else has left it meanwhile, changed; refused where that has made another change of what is meant.
fn over_a_newer(list: &ListOf, changes: &[Change]) -> Result<Value, Failure> {
    for change in changes {
        let skill = change.skill();
        let what = match (change, image_of(&list.object, skill)) {
            (Change::Image { .. }, None) => "taken out of the list",
            (Change::Add { .. }, Some(_)) => "added to the list",
            _ => continue,
        };
        let message =
            format!("{}: {skill} was {what} by somebody else meanwhile; nothing is set in it", list.title());
        let error = ClusterError::new(Cause::Conflict, message);
        return Err(error.help("look at the list, and run again if it is still meant").into());
    }
    changed(list, changes)
}
