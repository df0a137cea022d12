//! Why a target may be missing: what is in the stream instead, as a help for people.

use crate::api::names::SKILL_BINDING;
use crate::api::object::Object;
use crate::api::workload::WorkloadKind;
use crate::manifest::kustomize_patch::PREVIOUS_NAMES;
use crate::manifest::stream::{Item, Stream};

/// The help for a target that is not in the stream; `usual` where nothing better is known.
pub(super) fn help(stream: &Stream<'_>, runtime: &Item, usual: &str) -> String {
    let (kind, name) = &runtime.target;
    let namespace = &runtime.id.namespace;
    if name.is_empty() {
        return usual.to_owned();
    }
    let is_binding = runtime.id.kind == SKILL_BINDING;
    // An AgentRuntime cannot point at the others.
    let workloads =
        || stream.workloads.iter().filter(|item| is_binding || WorkloadKind::parse(&item.id.kind).is_some());
    if let Some(found) = workloads().find(|item| item.id.kind == *kind && item.id.name == *name) {
        return other_namespace(stream, runtime, found);
    }
    if let Some(found) = workloads().find(|item| item.id.name == *name && item.id.namespace == *namespace) {
        return format!(
            "there is a {} of that name at {}: correct spec.targetRef.kind",
            found.id.kind, found.origin
        );
    }
    for item in workloads().filter(|item| item.id.kind == *kind) {
        let Ok(object) = stream.object(item) else { continue };
        let object = Object(&object);
        if object.annotation(PREVIOUS_NAMES).is_some_and(|names| names.split(',').any(|one| one == name)) {
            return format!(
                "kustomize has renamed it to {}; add the shipped configuration file to the kustomization's `configurations:`, \
                 so that namePrefix and nameSuffix reach spec.targetRef.name (docs/function.md)",
                item.id.name
            );
        }
        let generated = object.str("/metadata/generateName");
        if item.id.name.is_empty() && !generated.is_empty() && name.starts_with(generated) {
            return format!(
                "the {kind} at {} has a generated name ({generated}...), which nothing can point at: give it a name",
                item.origin
            );
        }
    }
    if workloads().next().is_none() {
        return "the input has no Deployment, StatefulSet or Sandbox: give the workload's file as well"
            .to_owned();
    }
    usual.to_owned()
}

/// The help for a workload of another namespace. Charts often write a namespace into some manifests only.
fn other_namespace(stream: &Stream<'_>, runtime: &Item, found: &Item) -> String {
    let names_none =
        |item| stream.object(item).is_ok_and(|object| Object(&object).str("/metadata/namespace").is_empty());
    let (own, other) = (&runtime.id.namespace, &found.id.namespace);
    let there = format!("there is one in namespace {other} at {}", found.origin);
    let rule = format!(
        "a{} {} takes workloads of its own namespace, {own}",
        if runtime.id.kind.starts_with('A') { "n" } else { "" },
        runtime.id.kind
    );
    let of_runtime = format!("that of the {}", runtime.id.kind);
    let (who, namespace) = match (names_none(found), names_none(runtime)) {
        (true, false) => ("its manifest", own),
        (false, true) => (of_runtime.as_str(), other),
        _ => return format!("{there}, and {rule}: correct metadata.namespace of either"),
    };
    format!(
        "{there}, and {rule}; {who} names no namespace: say which with -n {namespace} (a SkillsFunction with \
         spec.namespace: {namespace}), or write metadata.namespace"
    )
}
