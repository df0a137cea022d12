//! The places that must say the same of an agent's skills: volumes and mounts, `SKILL_FOLDERS`, the annotation, the card. A
//! workload and its card in, findings out. What a render would write itself is not found.

use serde_json::Value;

use super::config_maps::card_skills;
use super::mounts::is_in;
use super::others::{CARD, Others};
use super::own::{
    ANNOTATION_EXTRA, ANNOTATION_MALFORMED, ANNOTATION_MISSES, ANNOTATION_OTHER_GROUP, CARD_MISSES,
    SKILL_FOLDERS_EXTRA, SKILL_FOLDERS_MISS, SKILL_TWICE, TYPE_LABEL,
};
use super::view::{Use, Workload, base, folders, list, text};
use super::{Out, keys};
use crate::api::names::{KAGENTI, MANAGED_BY, Names, ROSSOCTL};
use crate::api::object::Object;
use crate::api::workload::WorkloadKind;
use crate::go::json::string_array;
use crate::go::strings::string_list;
use crate::plan::env::{paths, unique};
use crate::validate::preflight::normalized;
use crate::yaml::Step;

/// `mounts`: whether the operator that the workload has mounts skills and labels it.
pub(super) fn check(workload: &Workload<'_>, others: &Others<'_>, mounts: bool, out: &mut Out<'_, '_>) {
    annotation(workload, out);
    for (index, container) in workload.containers().iter().enumerate() {
        skill_folders(workload, index, container, out);
    }
    card(workload, others, out);
    twice(workload, out);
    if !(mounts && workload.lead.is_some()) {
        type_label(workload, out);
    }
}

/// The names of the skills that stand in the workload and that no render writes.
fn standing<'u>(workload: &'u Workload<'_>) -> impl Iterator<Item = &'u Use<'u>> {
    workload.uses.iter().filter(|one| one.stands())
}

fn annotation(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    let all: Vec<(&'static Names, &str)> = workload.annotations().collect();
    let own = group(workload);
    let at = |names: &Names| keys(&["metadata", "annotations", names.skills]);
    for (names, text) in &all {
        match (string_list(text), own) {
            (Err(why), _) => {
                let message = format!("is no JSON array of names: {why}");
                let names_of: Vec<&str> = unique(standing(workload).map(|one| &*one.name));
                if names_of.is_empty() || workload.is_planned() {
                    out.add(
                        &ANNOTATION_MALFORMED,
                        workload.item,
                        &at(names),
                        message,
                        "write it as '[\"one\",\"two\"]'",
                    );
                } else {
                    out.add_fix(
                        (&ANNOTATION_MALFORMED, workload.item, &at(names)),
                        message,
                        string_array(names_of),
                    );
                }
            }
            (Ok(_), Some(own)) if own.skills != names.skills => {
                let other = if all.len() > 1 { format!(" alongside {}", own.skills) } else { String::new() };
                let message = format!(
                    "is the annotation of the other operator{other}; that of group {} reads {}",
                    own.group, own.skills
                );
                out.add(
                    &ANNOTATION_OTHER_GROUP,
                    workload.item,
                    &at(names),
                    message,
                    "keep the one that is read",
                );
            }
            _ => {}
        }
    }
    if let ([(one, a), (other, b)], None) = (all.as_slice(), own)
        && string_list(a).ok() != string_list(b).ok()
    {
        let message = format!("says other skills than {}", one.skills);
        out.add(&ANNOTATION_OTHER_GROUP, workload.item, &at(other), message, "keep the one that is read");
    }
    let names = own.or(all.first().map(|(names, _)| *names)).unwrap_or(&KAGENTI);
    let text = all.iter().find(|(known, _)| known.skills == names.skills).map(|(_, text)| *text);
    let Ok(named) = text.map_or(Ok(Vec::new()), string_list) else { return };
    misses(workload, names, text, &named, out);
    if text.is_some() && !workload.is_planned() {
        extra(workload, &at(names), &named, out);
    }
}

fn misses(
    workload: &Workload<'_>,
    names: &Names,
    text: Option<&str>,
    named: &[String],
    out: &mut Out<'_, '_>,
) {
    if text.is_none() && !workload.is_of_platform() {
        return;
    }
    let missing: Vec<&str> = unique(
        standing(workload)
            .filter(|one| !named.iter().any(|name| *name == one.name || name == base(one.path)))
            .map(|one| &*one.name),
    );
    if missing.is_empty() {
        return;
    }
    let message = format!("does not name {}, which {} mounted", missing.join(", "), is_or_are(missing.len()));
    let wanted = string_array(named.iter().map(String::as_str).chain(missing));
    let at = keys(&["metadata", "annotations", names.skills]);
    out.add_fix((&ANNOTATION_MISSES, workload.item, &at), message, wanted);
}

fn extra(workload: &Workload<'_>, at: &[Step], named: &[String], out: &mut Out<'_, '_>) {
    let local: Vec<&str> = workload
        .containers()
        .iter()
        .filter_map(folders)
        .flat_map(|(_, value)| paths(value))
        .map(base)
        .collect();
    let is_there = |name: &str| {
        workload.uses.iter().any(|one| one.name == name || base(one.path) == name) || local.contains(&name)
    };
    let extra: Vec<&str> = unique(named.iter().map(String::as_str).filter(|name| !is_there(name)));
    if !extra.is_empty() {
        let message = format!("names {}, which nothing delivers", extra.join(", "));
        out.add(&ANNOTATION_EXTRA, workload.item, at, message, "take the name out, or mount the skill");
    }
}

/// The naming scheme of the operator that reads the workload, where something says so.
fn group(workload: &Workload<'_>) -> Option<&'static Names> {
    let both = [&KAGENTI, &ROSSOCTL];
    if let Some(lead) = workload.lead
        && let Some(names) = both.into_iter().find(|names| names.group == lead.id.group())
    {
        return Some(names);
    }
    let label = |names: &&&'static Names| Object(workload.value).label(names.type_label).is_some();
    let labelled: Vec<&'static Names> = both.iter().filter(label).copied().collect();
    match labelled.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

fn skill_folders(workload: &Workload<'_>, index: usize, container: &Value, out: &mut Out<'_, '_>) {
    let Some((variable, value)) = folders(container) else { return };
    let at = workload.in_container(index, &["env".into(), variable.into(), "value".into()]);
    let named: Vec<_> = paths(value).map(normalized).collect();
    // A folder of folders is named by its parent in some agents.
    let is_named = |path: &str| {
        let path = normalized(path);
        named
            .iter()
            .any(|known| path == *known || path.rsplit_once('/').is_some_and(|(parent, _)| parent == *known))
    };
    let missing: Vec<&str> = unique(
        standing(workload).filter(|one| one.container == index && !is_named(one.path)).map(|one| one.path),
    );
    if !missing.is_empty() {
        let message = format!("does not name {}, where a skill is mounted", missing.join(", "));
        let kept = value.trim_end();
        let wanted =
            if kept.is_empty() { missing.join(",") } else { format!("{kept},{}", missing.join(",")) };
        out.add_fix((&SKILL_FOLDERS_MISS, workload.item, &at), message, wanted);
    }
    let mounts = list(container, "volumeMounts");
    let is_mounted = |path: &str| {
        let path = normalized(path);
        let around = |mount: &str| is_in(&path, &normalized(mount));
        mounts.iter().any(|mount| around(text(mount, "mountPath")))
            || workload.uses.iter().any(|one| one.container == index && around(one.path))
            || workload.uses.iter().any(|one| normalized(one.path).starts_with(&format!("{path}/")))
    };
    let extra: Vec<&str> = unique(paths(value).filter(|path| !is_mounted(path)));
    if !extra.is_empty() && !workload.is_planned() {
        let message = format!("names {}, where nothing is mounted", extra.join(", "));
        out.add(
            &SKILL_FOLDERS_EXTRA,
            workload.item,
            &at,
            message,
            "right where the container's image has the folder",
        );
    }
}

fn card(workload: &Workload<'_>, others: &Others<'_>, out: &mut Out<'_, '_>) {
    if workload.uses.is_empty() {
        return;
    }
    let id = &workload.item.id;
    let Some(card) = others.find("ConfigMap", &id.namespace, &format!("{}{CARD}", id.name)) else { return };
    // One that cannot be read is an error of its own.
    let Some(skills) = card_skills(card.value) else { return };
    let is_listed = |one: &Use<'_>| {
        skills.iter().any(|skill| {
            ["id", "name"].iter().any(|key| [&*one.name, base(one.path)].contains(&text(skill, key)))
        })
    };
    let missing = unique(workload.uses.iter().filter(|one| !is_listed(one)).map(|one| &*one.name));
    if !missing.is_empty() {
        let message = format!(
            "does not list {}, which {} mounted into {id}",
            missing.join(", "),
            is_or_are(missing.len())
        );
        let help = "add the skill, and make the pods anew so that the card is signed again";
        out.push(card.finding(&CARD_MISSES, &keys(&["data", "agent.json"]), message, help));
    }
}

fn twice(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    for (index, one) in workload.uses.iter().enumerate() {
        let same = |other: &&Use<'_>| {
            other.delivery != one.delivery
                && other.container == one.container
                && (other.name == one.name || base(other.path) == base(one.path))
        };
        if let Some(first) = workload.uses[..index].iter().find(same) {
            let message = format!(
                "skill {} comes {} and {} ({})",
                one.name,
                one.delivery.words(),
                first.delivery.words(),
                first.path
            );
            let at = one.mount_at(workload, "mountPath");
            out.add(&SKILL_TWICE, one.item(workload), &at, message, "keep one of them");
        }
    }
}

fn type_label(workload: &Workload<'_>, out: &mut Out<'_, '_>) {
    if !matches!(workload.kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet) {
        return;
    }
    for names in [&KAGENTI, &ROSSOCTL] {
        let object = Object(workload.value);
        let by_operator = object.label(MANAGED_BY) == Some(names.managed_by_value);
        if object.label(names.type_label).is_some() && !by_operator {
            let message = "current charts reject who creates a workload with this label";
            let help = "leave it to the operator: an AgentRuntime that points at the workload sets it";
            let at = keys(&["metadata", "labels", names.type_label]);
            out.add(&TYPE_LABEL, workload.item, &at, message, help);
        }
    }
}

fn is_or_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
