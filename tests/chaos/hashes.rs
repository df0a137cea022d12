//! Every config hash that was ever stored is one that the library computes of inputs that were there: a spec that the
//! AgentRuntime had, and the ConfigMaps of one moment.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::agent_runtime::{AgentRuntimeSpec, Skill};
use kubectl_skills::api::object::{ConfigMap, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::hash::{ConfigHash, hash_input};
use kubectl_skills::config::layers::{ConfigView, ResolvedConfig, resolve};
use serde_json::{Value, json};

use crate::fields::{hash_of, skills_of};
use crate::history::{History, Kind, Version};
use crate::inputs::{SYSTEM, TAMPERED};

#[derive(Debug, Default)]
pub struct Report {
    /// Versions of workloads with another hash than before.
    pub written: usize,
    /// Different hashes among them.
    pub distinct: usize,
    /// Of those written: spec and ConfigMaps were not there at the same moment, but each was for itself.
    pub apart: usize,
    /// States of the configuration, of all namespaces together.
    pub states: usize,
    pub wrong: Vec<String>,
}

/// Something and the revisions from which up to which it was so.
struct Span<T> {
    from: u64,
    to: u64,
    what: T,
}

pub fn check(history: &History, profile: &'static Profile) -> Report {
    let mut report = Report::default();
    let configs = configs(history, profile);
    report.states = configs.values().map(Vec::len).sum();
    let specs = specs(history);
    let mut distinct = BTreeSet::new();
    for (name, versions) in history.by_name() {
        let Kind::Workload(kind) = name.0 else { continue };
        let empty = Vec::new();
        let target = (kind.to_owned(), name.1.clone(), name.2.clone());
        let of_namespace = configs.get(&name.1).unwrap_or(&empty);
        let known = explained(specs.get(&target).map_or(&[], Vec::as_slice), of_namespace, profile);
        let (mut before, mut mounted): (String, Vec<Value>) = Default::default();
        for version in versions {
            let Some(object) = &version.object else {
                (before, mounted) = Default::default();
                continue;
            };
            let hash = hash_of(object);
            let mounts = sorted(skills_of(object).into_iter());
            if hash != before && hash != TAMPERED && !hash.is_empty() {
                report.written += 1;
                distinct.insert(hash.clone());
                match known.get(&hash) {
                    None => report.wrong.push(format!(
                        "revision {}: no inputs explain hash {hash} of {:?} by {:?}",
                        version.revision,
                        name,
                        history.author(version)
                    )),
                    Some(ways) => {
                        report.apart += usize::from(!ways.iter().any(|way| way.together));
                        if !ways.iter().any(|way| way.from < version.revision) {
                            report.wrong.push(format!(
                                "revision {}: hash {hash} of {name:?} is of inputs that came later",
                                version.revision
                            ));
                        }
                        // With the gate closed what is mounted stays.
                        if mounts != mounted && !ways.iter().any(|way| way.skills == mounts) {
                            report.wrong.push(format!(
                                "revision {}: {name:?} mounts {mounts:?}, which goes with no spec of its hash",
                                version.revision
                            ));
                        }
                    }
                }
            }
            (before, mounted) = (hash, mounts);
        }
    }
    report.distinct = distinct.len();
    report
}

/// The order of volumes is as it came to be.
fn sorted(skills: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut skills: Vec<Value> = skills.collect();
    skills.sort_by_key(Value::to_string);
    skills
}

/// A way to come to a hash.
struct Way {
    from: u64,
    together: bool,
    skills: Vec<Value>,
}

fn explained(
    specs: &[Span<AgentRuntimeSpec>],
    configs: &[Span<ResolvedConfig>],
    profile: &Profile,
) -> BTreeMap<String, Vec<Way>> {
    let mut out: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    let mut add = |spec: Option<&AgentRuntimeSpec>, config: &ResolvedConfig, way: Way| {
        let hash = ConfigHash::of(&hash_input(profile, spec, config));
        out.entry(hash.as_str().to_owned()).or_default().push(way);
    };
    for config in configs {
        for spec in specs {
            let skill = |skill: &Skill| json!({"name": format!("skill-{}", skill.name), "image": skill.image, "path": skill.mount_path});
            let together = spec.from < config.to && config.from < spec.to;
            let way = Way {
                from: spec.from.max(config.from),
                together,
                skills: sorted(spec.what.skills.iter().map(skill)),
            };
            add(Some(&spec.what), &config.what, way);
        }
        // Whose AgentRuntime goes keeps the hash of the defaults.
        add(None, &config.what, Way { from: config.from, together: true, skills: Vec::new() });
    }
    out
}

/// What each workload's AgentRuntimes said, by kind, namespace and name of the workload.
fn specs(history: &History) -> BTreeMap<(String, String, String), Vec<Span<AgentRuntimeSpec>>> {
    let mut out: BTreeMap<_, Vec<Span<AgentRuntimeSpec>>> = BTreeMap::new();
    for (name, versions) in history.by_name() {
        if name.0 != Kind::Runtime {
            continue;
        }
        for (index, version) in versions.iter().enumerate() {
            let Some(object) = &version.object else { continue };
            let spec = AgentRuntimeSpec::from_object(object).expect("the API server took it");
            let to = versions.get(index + 1).map_or(u64::MAX, |next| next.revision);
            let target = (spec.target_ref.kind.clone(), name.1.clone(), spec.target_ref.name.clone());
            let spans = out.entry(target).or_default();
            match spans.last_mut() {
                Some(last) if last.what == spec && last.to == version.revision => last.to = to,
                _ => spans.push(Span { from: version.revision, to, what: spec }),
            }
        }
    }
    out
}

/// The configuration of each namespace from change to change.
fn configs(history: &History, profile: &'static Profile) -> BTreeMap<String, Vec<Span<ResolvedConfig>>> {
    let namespaces: BTreeSet<&String> = history
        .versions
        .iter()
        .filter(|version| version.name.0 == Kind::Runtime)
        .map(|version| &version.name.1)
        .collect();
    let mut maps: BTreeMap<(String, String), ConfigMap> = BTreeMap::new();
    let mut out: BTreeMap<String, Vec<Span<ResolvedConfig>>> = BTreeMap::new();
    for Version { revision, name: (kind, namespace, name), object, .. } in &history.versions {
        if *kind != Kind::ConfigMap {
            continue;
        }
        let key = (namespace.clone(), name.clone());
        match object {
            Some(object) => {
                maps.insert(key, ConfigMap::from_value(object, Origin::default()).expect("a ConfigMap"))
            }
            None => maps.remove(&key),
        };
        let all: Vec<ConfigMap> = maps.values().cloned().collect();
        for concerned in namespaces.iter().filter(|known| **known == namespace || namespace == SYSTEM) {
            let config = resolve(profile, &all, concerned, ConfigView::Full);
            let spans = out.entry((*concerned).clone()).or_default();
            if let Some(last) = spans.last_mut() {
                if last.what == config {
                    continue;
                }
                last.to = *revision;
            }
            spans.push(Span { from: *revision, to: u64::MAX, what: config });
        }
    }
    out
}
