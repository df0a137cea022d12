//! Why a target may be missing: what is in the stream instead, as a help for people.

use serde_json::Value;

use crate::api::names::SKILL_BINDING;
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::object::Object;
use crate::api::skill_binding::{BindingTarget, LabelSelector, SkillBindingSpec};
use crate::api::workload::{Kinds, WorkloadKind};
use crate::manifest::kustomize_configuration::COMMAND;
use crate::manifest::kustomize_patch::PREVIOUS_NAMES;
use crate::manifest::stream::{Item, Stream};

/// The help for a target that is not in the stream; `usual` where nothing better is known.
pub(super) fn help(stream: &Stream<'_>, runtime: &Item, usual: &str) -> String {
    if runtime.target.1.is_empty() {
        return usual.to_owned();
    }
    if let Some(help) = slip(stream, runtime) {
        return help;
    }
    let (kind, _) = &runtime.target;
    let known = WorkloadKind::ALL.iter().any(|known| known.name() == kind);
    let is_binding = runtime.id.kind == SKILL_BINDING;
    let mut workloads =
        stream.workloads.iter().filter(|item| is_binding || WorkloadKind::parse(&item.id.kind).is_some());
    if workloads.next().is_none() {
        let what = if is_binding && known { kind } else { "Deployment, StatefulSet or Sandbox" };
        return format!("the input has no {what}: give the workload's file as well");
    }
    usual.to_owned()
}

/// What is in the stream in place of a target, if that seems to be meant.
pub(super) fn slip(stream: &Stream<'_>, runtime: &Item) -> Option<String> {
    let (kind, name) = &runtime.target;
    let namespace = &runtime.id.namespace;
    let is_binding = runtime.id.kind == SKILL_BINDING;
    // An AgentRuntime cannot point at the others.
    let workloads =
        || stream.workloads.iter().filter(|item| is_binding || WorkloadKind::parse(&item.id.kind).is_some());
    if let Some(found) = workloads().find(|item| item.id.kind == *kind && item.id.name == *name) {
        return Some(other_namespace(stream, runtime, found));
    }
    if let Some(found) = workloads().find(|item| item.id.name == *name && item.id.namespace == *namespace) {
        return Some(format!(
            "there is a {} of that name at {}: correct spec.targetRef.kind",
            found.id.kind, found.origin
        ));
    }
    for item in workloads().filter(|item| item.id.kind == *kind) {
        let Ok(object) = stream.object(item) else { continue };
        let object = Object(&object);
        if object.annotation(PREVIOUS_NAMES).is_some_and(|names| names.split(',').any(|one| one == name)) {
            return Some(format!(
                "kustomize has renamed it to {}: '{COMMAND}' writes the file that goes under `configurations:` of the kustomization \
                 alongside it, so that namePrefix and nameSuffix reach spec.targetRef.name (docs/function.md)",
                item.id.name
            ));
        }
        let generated = object.str("/metadata/generateName");
        if item.id.name.is_empty() && !generated.is_empty() && name.starts_with(generated) {
            return Some(format!(
                "the {kind} at {} has a generated name ({generated}...), which nothing can point at: give it a name",
                item.origin
            ));
        }
    }
    let here = || workloads().filter(|item| item.id.kind == *kind && item.id.namespace == *namespace);
    let meant =
        nearest(name, here().map(|item| item.id.name.as_str())).filter(|known| is_slip_of(name, known));
    if let Some(found) = meant.and_then(|meant| here().find(|item| item.id.name == meant)) {
        return Some(format!("did you mean {}, which is at {}?", found.id.name, found.origin));
    }
    // Without kustomize's own annotations nothing says what its name was.
    let found = here().find(|item| is_affixed(name, &item.id.name))?;
    Some(format!(
        "did you mean {}, which is at {}? where namePrefix or nameSuffix of a kustomization made that name, '{COMMAND}' writes \
         the file that goes under its `configurations:`, so that they reach spec.targetRef.name (docs/function.md)",
        found.id.name, found.origin
    ))
}

/// Whether a name is another one with something in front of it or after it, kept apart as in names.
fn is_affixed(name: &str, longer: &str) -> bool {
    let apart = ['-', '.'];
    longer.len() > name.len()
        && longer.match_indices(name).any(|(at, _)| {
            let (before, after) = (&longer[..at], &longer[at + name.len()..]);
            (before.is_empty() || before.ends_with(apart)) && (after.is_empty() || after.starts_with(apart))
        })
}

/// Whether the stream has workloads in the namespace of a SkillBinding, so that its selector could have chosen one.
pub(super) fn has_workloads(stream: &Stream<'_>, binding: &Item) -> bool {
    stream.workloads.iter().any(|item| item.id.namespace == binding.id.namespace)
}

/// What is to be said of a selector that chooses nothing of the stream, with the label that may be meant.
pub(super) fn selected(stream: &Stream<'_>, kinds: Kinds, item: &Item, binding: &Value) -> Option<String> {
    let spec = SkillBindingSpec::from_object(binding).ok()?;
    let Some(BindingTarget::Selector(selector)) = &spec.target else { return None };
    let namespace = &item.id.namespace;
    let hint = stream.workloads.iter().filter(|other| other.id.namespace == *namespace).find_map(|other| {
        let object = stream.object(other).ok()?;
        let keys = kinds.of(&other.id)?.paths().labels;
        let template = keys.iter().try_fold(&object, |at, key| at.get(key));
        let near = near_label(selector, template).or_else(|| {
            let own = object.pointer("/metadata/labels");
            selector.matches(own).then(|| "has them itself, and its pod template has not".to_owned())
        })?;
        Some(format!("; {} {near}", other.id))
    });
    let hint = hint.unwrap_or_default();
    Some(format!("its selector chooses no workload of the input in namespace {namespace}{hint}"))
}

/// A label that one of the selector's is a slip of.
fn near_label(selector: &LabelSelector, labels: Option<&Value>) -> Option<String> {
    let labels = labels?.as_object()?;
    selector.match_labels.iter().find_map(|(key, value)| {
        let found = labels.iter().find_map(|(label, text)| {
            let text = text.as_str()?;
            let same = (label == key, text == value);
            let slip = (is_slip_of(key, label), is_slip_of(value, text));
            matches!((same, slip), ((true, false), (_, true)) | ((false, true), (true, _)))
                .then(|| format!("{label}={text}"))
        })?;
        Some(format!("has {found}, and the selector asks for {key}={value}"))
    })
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
