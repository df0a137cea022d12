//! The pods in `status`: reports, SkillBindings and pods in; in each report which pods have the skills that new ones get, and a
//! report of its own for pods that no reported workload accounts for, so that none is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::names::{INJECT, SKILL_BINDING};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::pod_owner::{Owner, owners};
use kubectl_skills::api::skill_binding::Delivery;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::live::status_report::{DeliveredSkill, PodCounts, Report};
use kubectl_skills::plan::bindings::{Binding, Bindings};
use kubectl_skills::plan::pod_injection::is_injectable;
use serde_json::Value;

use crate::cluster::skills_of_pods::{Skills, count, expected, given, is_over, part, restarts};

/// Adds what SkillBindings deliver to pods.
pub fn delivered(report: &mut Report, kind: WorkloadKind, workload: &Value, bindings: &Bindings) {
    let about = about(kind, workload, bindings);
    report.delivered = skills(about.iter().copied().filter(|binding| delivers(binding)));
}

/// Pods, and which of them a report accounts for.
pub struct PodsOfBindings<'p> {
    bindings: &'p Bindings,
    pods: Vec<Pod<'p>>,
    /// Indexes of `pods`.
    by_namespace: BTreeMap<&'p str, Vec<usize>>,
    counted: BTreeSet<usize>,
}

struct Pod<'p> {
    object: &'p Value,
    part: Value,
    owners: Vec<Owner>,
}

/// Pods that the same SkillBindings are about.
struct Rest<'b> {
    about: Vec<&'b Binding>,
    own: Vec<usize>,
}

impl<'p> PodsOfBindings<'p> {
    /// Of all pods of the namespaces concerned.
    pub fn new(bindings: &'p Bindings, pods: &'p [Value]) -> Self {
        let mut by_namespace: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, pod) in pods.iter().enumerate() {
            by_namespace.entry(Object(pod).namespace()).or_default().push(at);
        }
        let read = |object| Pod { object, part: part(object), owners: owners(object) };
        Self { bindings, pods: pods.iter().map(read).collect(), by_namespace, counted: BTreeSet::new() }
    }

    /// Counts the pods of a workload.
    pub fn count(&mut self, report: &mut Report, kind: WorkloadKind, workload: &Value) {
        let (namespace, name) = Object(workload).key();
        let about = about(kind, workload, self.bindings);
        if !about.iter().any(|binding| !binding.deleting) {
            return;
        }
        let is_own =
            |at: &usize| self.pods[*at].owners.iter().any(|owner| owner.is(kind.group(), kind.name(), &name));
        let here = self.by_namespace.get(namespace.as_str()).into_iter().flatten().copied();
        let own: Vec<usize> = here.filter(is_own).collect();
        self.counted.extend(&own);
        report.restarts = restarts(kind);
        self.put(report, &own, &expected(kind, workload, about.iter().copied()), &about);
    }

    /// Adds reports of the other pods that get skills: made by hand, of a workload that is gone, or of a kind that is not known.
    pub fn rest(self, selected: &BTreeSet<(String, String)>, reports: &mut Vec<Report>) {
        let mut groups: BTreeMap<Vec<(String, String)>, Rest<'_>> = BTreeMap::new();
        for (at, Pod { object: pod, part, owners }) in self.pods.iter().enumerate() {
            let opted_out = Object(pod).label(INJECT) == Some("false");
            if self.counted.contains(&at) || opted_out || !is_injectable(pod) || is_over(part) {
                continue;
            }
            let namespace = Object(pod).namespace();
            let mut about = self.bindings.of_pod(namespace, owners, pod.pointer("/metadata/labels"));
            about.retain(|binding| delivers(binding));
            let names: Vec<(String, String)> =
                about.iter().map(|binding| (namespace.to_owned(), binding.id.name.clone())).collect();
            if names.iter().any(|name| selected.contains(name)) {
                groups.entry(names).or_insert_with(|| Rest { about, own: Vec::new() }).own.push(at);
            }
        }
        for (names, Rest { about, own }) in groups {
            let whose: Vec<String> = names.iter().map(|(_, name)| format!("skillbinding/{name}")).collect();
            let (namespace, name) = names[0].clone();
            let mut report = Report {
                namespace,
                name,
                kind: SKILL_BINDING.to_owned(),
                whose: whose.join(","),
                target: "pods".to_owned(),
                target_found: true,
                delivered: skills(about.iter().copied()),
                ..Report::default()
            };
            self.put(&mut report, &own, &given(about.iter().copied(), None), &about);
            // A selector that is about pods alone lacks no workload.
            let is_about_pods = |other: &Report| {
                other.selects
                    && names.iter().any(|(namespace, name)| {
                        other.kind == SKILL_BINDING && other.namespace == *namespace && other.name == *name
                    })
            };
            reports.retain(|other| !is_about_pods(other));
            reports.push(report);
        }
    }

    fn put(&self, report: &mut Report, own: &[usize], expected: &Skills, about: &[&Binding]) {
        let Some(first) = about.iter().find(|binding| !binding.deleting) else { return };
        let mut all = (*first).clone();
        let staying = about.iter().filter(|binding| !binding.deleting);
        all.spec.skills = staying.flat_map(|binding| binding.spec.skills.clone()).collect();
        let mut counts = PodCounts::default();
        for at in own {
            let part = &self.pods[*at].part;
            let one = count(std::slice::from_ref(part), expected, &all);
            if one.outdated() > 0 {
                report.outdated_pods.push(Object(part).name().to_owned());
            }
            counts.up_to_date += one.up_to_date;
            counts.stale += one.stale;
            counts.without += one.without;
        }
        report.outdated_pods.sort();
        report.pods_of_bindings = Some(counts);
    }
}

fn about<'b>(kind: WorkloadKind, workload: &Value, bindings: &'b Bindings) -> Vec<&'b Binding> {
    let (namespace, name) = Object(workload).key();
    let key = (kind.name().to_owned(), namespace, name);
    bindings.of(kind, &key, workload).iter().map(|at| &bindings.all()[*at]).collect()
}

fn delivers(binding: &Binding) -> bool {
    !binding.deleting && binding.spec.delivery == Delivery::Pod
}

fn skills<'b>(bindings: impl Iterator<Item = &'b Binding>) -> Vec<DeliveredSkill> {
    let all = bindings.flat_map(|binding| binding.spec.skills.iter().map(move |skill| (binding, skill)));
    let delivered = all.map(|(binding, skill)| DeliveredSkill {
        name: skill.name.clone(),
        image: skill.image.clone(),
        binding: binding.id.name.clone(),
    });
    delivered.collect()
}
