//! Rules about what is in the images of an agent's skills: a workload, a lock and what was seen in the images in, findings out.

use std::collections::BTreeSet;

use super::hidden;
use super::own::{
    BINARY_FILE, DESCRIPTION_BUDGET, HIDDEN_CHARACTERS, IMAGE_FORMAT, IMAGE_SKILL, SINGLE_ARCHITECTURE,
    SKILL_NAME_FOLDER,
};
use super::view::{Delivery, Use, Workload, base};
use super::{Known, Out};
use crate::api::image_reference;
use crate::skill::budget::listing;
use crate::skill::inspect::{Inspected, OnRuntime};
use crate::skill::lock::Entry;
use crate::validate::preflight::normalized;

/// Characters of names and descriptions that an agent has room for at most.
const BUDGET: usize = 16_000;
/// Endings of compiled files.
const COMPILED: [&str; 9] = [".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".class", ".wasm"];

/// Whether a file is compiled, as far as its name says.
pub(super) fn is_compiled(path: &str) -> bool {
    COMPILED.iter().any(|ending| path.ends_with(ending))
}

pub(super) fn check(workload: &Workload<'_>, known: &Known<'_>, out: &mut Out<'_, '_>) {
    let mut described = Vec::new();
    for one in workload.uses.iter().filter(|one| matches!(one.delivery, Delivery::Image | Delivery::Pod)) {
        if let Some(entry) = known.lock.and_then(|lock| lock.find(one.image)) {
            name(workload, one, entry, out);
            architecture(workload, one, entry, out);
            let facts = &entry.facts;
            if let Some(description) = &facts.description {
                unseen(workload, one, description, out);
            }
            described
                .extend(facts.name.as_deref().zip(facts.description.as_deref()).map(|found| (one, found)));
        }
        let inspected = image_reference::key(one.image).and_then(|key| known.inspected.get(&key));
        if let Some(inspected) = inspected {
            image(workload, one, inspected, out);
        }
    }
    budget(workload, &described, out);
}

/// `2 compiled files`.
pub(super) fn compiled_files(count: usize) -> String {
    if count == 1 { "a compiled file".to_owned() } else { format!("{count} compiled files") }
}

/// What is wrong with what was seen in an image.
fn image(workload: &Workload<'_>, one: &Use<'_>, inspected: &Inspected, out: &mut Out<'_, '_>) {
    let at = one.image_at(workload);
    let mut add = |rule, message: String, help: &str| out.add(rule, one.item(workload), &at, message, help);
    let compiled: Vec<&str> =
        inspected.files.iter().map(|file| file.path.as_str()).filter(|path| is_compiled(path)).collect();
    if let Some(first) = compiled.first() {
        let message =
            format!("the image of skill {} has {}: {first}", one.name, compiled_files(compiled.len()));
        add(&BINARY_FILE, message, "pack it without");
    }
    for found in inspected.skills.iter().flat_map(|skill| &skill.description.findings) {
        if found.is_error() {
            add(&IMAGE_SKILL, found.in_folder("").to_string(), "");
        }
    }
    let Some(about) = &inspected.image else { return };
    let refuses = |runtime: &&OnRuntime| runtime.runtime == "containerd" && runtime.mounts != "folder";
    if let Some(runtime) = about.runtimes.iter().find(refuses) {
        let message = format!(
            "is {}: containerd mounts {}",
            about.format,
            match runtime.mounts {
                "no" => "nothing of it",
                other => other,
            }
        );
        add(&IMAGE_FORMAT, message, about.how);
    }
}

/// Characters in a description that nobody sees and the agent reads.
fn unseen(workload: &Workload<'_>, one: &Use<'_>, description: &str, out: &mut Out<'_, '_>) {
    if let Some((_, char)) = hidden::places(description).first() {
        let message = format!(
            "the description of skill {} holds U+{:04X}, {}, which nobody sees",
            one.name,
            *char as u32,
            hidden::kind(*char)
        );
        out.add(&HIDDEN_CHARACTERS, one.item(workload), &one.image_at(workload), message, "");
    }
}

fn name(workload: &Workload<'_>, one: &Use<'_>, entry: &Entry, out: &mut Out<'_, '_>) {
    let facts = &entry.facts;
    let folder = one.sub_path.trim_matches('/');
    let name = if folder.is_empty() {
        facts.name.as_deref()
    } else {
        facts.skills.iter().find(|skill| skill.folder == folder).and_then(|skill| skill.name.as_deref())
    };
    let path = normalized(one.path);
    if let Some(name) = name.filter(|name| *name != base(&path)) {
        let message = format!("ends with {:?}, and the skill is called {name:?}", base(&path));
        let at = one.mount_at(workload, "mountPath");
        let help = format!("end it with {name}");
        out.add(&SKILL_NAME_FOLDER, one.item(workload), &at, message, help);
    }
}

fn architecture(workload: &Workload<'_>, one: &Use<'_>, entry: &Entry, out: &mut Out<'_, '_>) {
    let architectures: BTreeSet<&str> = entry
        .facts
        .platforms
        .iter()
        .filter_map(|platform| platform.split('/').nth(1))
        .filter(|architecture| !matches!(*architecture, "" | "unknown"))
        .collect();
    let chooses = workload.pod().is_some_and(|pod| {
        ["nodeSelector", "affinity"]
            .iter()
            .filter_map(|key| pod.get(key))
            .any(|value| value.to_string().contains("kubernetes.io/arch"))
    });
    if let (1, Some(only), false) = (architectures.len(), architectures.first(), chooses) {
        let message = format!("is for {only} alone, and the pod may run on any node");
        let help = "pack an index for all architectures, or choose nodes by kubernetes.io/arch";
        out.add(&SINGLE_ARCHITECTURE, one.item(workload), &one.image_at(workload), message, help);
    }
}

fn budget(workload: &Workload<'_>, described: &[(&Use<'_>, (&str, &str))], out: &mut Out<'_, '_>) {
    let sum = listing(described.iter().map(|(_, texts)| *texts));
    let longest = described.iter().max_by_key(|(_, (_, description))| description.len());
    if let Some((one, _)) = longest.filter(|_| sum.characters > BUDGET) {
        let message = format!(
            "names and descriptions of the agent's {} skills take {} characters, about {} tokens; the longest is that of {}",
            sum.skills, sum.characters, sum.tokens, one.name
        );
        out.add(
            &DESCRIPTION_BUDGET,
            one.item(workload),
            &one.image_at(workload),
            message,
            "shorten it, or give the agent fewer skills",
        );
    }
}
