//! Decides about a SkillBinding itself: its finalizer and its status, from the cache and without a client. Its workloads are
//! written by runs of their own; sending what is decided here is left to [`super::binding_write`].
//!
//! A status lists a workload before the first skill is written into it, and until the last one is out again: whatever becomes
//! of the SkillBinding or of the controller in between, it is known where to look.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use kubectl_skills::api::names::ROLLOUT;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::skill_binding::{BindingTarget, Delivery, Rollout};
use kubectl_skills::config::hash::ConfigHash;
use kubectl_skills::live::status_report::PodCounts;
use kubectl_skills::plan::bindings::Binding;
use kubectl_skills::plan::claims::Claim;
use kubectl_skills::plan::pod_injection::refused;
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Condition, Event, Finalizer, StatusPlan};
use kubectl_skills::validate::findings::{About, Finding, rules};
use serde_json::{Map, Value, json};

use super::orders::{Standing, case, holds_on, standing};
use super::plan::Planning;
use crate::cluster::skills_of_pods::{self, Skills, count, expected, of_template, restarts, volume};
use crate::controller::cache::{Cache, Key, Target};
use crate::controller::watch_targets::Watched;

/// Why the last write of each workload failed, in words.
pub type Failures = HashMap<Target, String>;

/// Why a workload of an immutable kind is not written.
const IMMUTABLE: &str = "its pod template cannot be changed once it is stored; delete it and create it anew with the skills in \
                         its manifest ('kubectl skills render'), or let them be delivered to pods (delivery: Pod)";

/// What is to be done.
#[derive(Debug)]
pub struct BindingDecision {
    /// The SkillBinding.
    pub key: Key,
    /// As it was seen.
    pub object: Value,
    /// What happens to the finalizer.
    pub finalizer: Finalizer,
    /// The status as it should be, if it says something new.
    pub status: Option<Value>,
    /// The event of it.
    pub event: Option<Event>,
    /// Workloads that are not listed any more, each with the version in which nothing of the SkillBinding is left; `None` if
    /// it is gone.
    pub left: Vec<(Target, Option<String>)>,
    /// Workloads whose pods are to be made anew.
    pub rollouts: Vec<Target>,
    /// Why its skills are not where they should be, for metrics; empty where they are.
    pub refused: &'static str,
}

/// Decides one run; `None` if there is no such SkillBinding (any more). `now`, in RFC 3339, is the time of conditions.
pub fn decide(
    key: &Key,
    cache: &Cache,
    session: &Session,
    planning: &Planning,
    failures: &Failures,
    now: &str,
) -> Option<BindingDecision> {
    let object = cache.binding(key)?;
    let read = cache.index().read(key)?;
    let known = RefCell::default();
    let look =
        Look { key, object: &object, read: read.as_ref().ok(), cache, session, planning, failures, known };
    let deleting = Object(&object).is_being_deleted();
    let workloads = look.workloads(deleting);
    let held = holds_on(&object);
    let in_template = look.read.is_some_and(|binding| binding.spec.delivery == Delivery::Workload);
    let is_listed = !workloads.is_empty();
    let settled = || workloads.iter().all(|target| matches!(*look.standing(target), Standing::Settled));
    let finalizer = match (deleting, held) {
        (true, true) if !is_listed => Finalizer::Remove,
        // What was in pod templates is out, and pods need no one to wait for.
        (false, true) if look.read.is_some() && !in_template && settled() => Finalizer::Remove,
        (false, false) if in_template => Finalizer::Add,
        _ => Finalizer::Keep,
    };
    let ready = if deleting { None } else { look.ready(&workloads, read) };
    let status = look.status(&workloads, ready.as_ref(), now);
    let refused = ready.as_ref().filter(|ready| !ready.status).map_or("", |ready| ready.reason);
    let old = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let event = ready.filter(|ready| is_news(&old, ready, &object)).map(|ready| Event {
        warning: !ready.status,
        reason: ready.reason,
        message: ready.message,
    });
    let status = (finalizer != Finalizer::Remove && status != old).then_some(status);
    let left = cache.index().listed(key).filter(|target| !workloads.contains(*target)).map(|target| {
        let version = cache.workload(target).map(|one| Object(&one).resource_version().to_owned());
        (target.clone(), version)
    });
    let left = left.collect();
    let is_due = |target: &&Target| rollout(target, cache).is_some();
    let rollouts = cache.index().about(key).filter(is_due).cloned().collect();
    Some(BindingDecision { key: key.clone(), finalizer, status, event, left, rollouts, refused, object })
}

/// The hash that the pod template of a workload is to be annotated with so that its pods are made anew; `None` if they have
/// their skills, or were made anew for these already. Those are meant that SkillBindings deliver to pods and roll out.
pub fn rollout(target: &Target, cache: &Cache) -> Option<String> {
    if !restarts(target.0) || !cache.is_known(Watched::SkillsOfPods) {
        return None;
    }
    let workload = cache.workload(target)?;
    let bindings: Vec<&Binding> = cache.index().bindings(target).collect();
    let rolls = |one: &&&Binding| {
        !one.deleting && one.spec.delivery == Delivery::Pod && one.spec.rollout == Rollout::Auto
    };
    let rolled: Vec<&&Binding> = bindings.iter().filter(rolls).collect();
    let pods = cache.skills_of_pods(target);
    let expected = expected(target.0, &workload, bindings.iter().copied());
    let is_stale = rolled.iter().any(|binding| {
        let counts = count(&pods, &expected, binding);
        counts.stale + counts.without > 0
    });
    // Where new pods would be refused, those that run are all that there are.
    if !is_stale || !refused(target.0, &workload, &bindings).is_empty() {
        return None;
    }
    let of = |binding: &Binding| -> Vec<String> {
        let container = binding.spec.container.as_deref();
        let all = binding.spec.skills.iter().map(|skill| {
            let own = [&*skill.name, &skill.image, &skill.mount_path, &skill.sub_path];
            own.into_iter().chain(container).collect::<Vec<_>>().join("\n")
        });
        all.collect()
    };
    let text: Vec<String> = rolled.iter().flat_map(|binding| of(binding)).collect();
    let hash = ConfigHash::of(&text.join("\n\n")).as_str().to_owned();
    let annotations = target.0.paths().annotations.iter().try_fold(&workload, |at, key| at.get(*key));
    let is_there = annotations.and_then(|all| all.get(ROLLOUT)).and_then(Value::as_str) == Some(&*hash);
    (!is_there).then_some(hash)
}

/// Whether a condition says something else than the one before, or the same of another spec.
fn is_news(old: &Value, ready: &Condition, object: &Value) -> bool {
    let conditions = old.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let before = conditions.into_iter().find(|condition| condition["type"] == "Ready");
    let same = before.is_some_and(|before| {
        before["reason"] == ready.reason
            && before["observedGeneration"] == object["metadata"]["generation"]
            && (ready.status || before["message"] == ready.message.as_str())
    });
    !same
}

struct Look<'a> {
    key: &'a Key,
    object: &'a Value,
    read: Option<&'a Binding>,
    cache: &'a Cache,
    session: &'a Session,
    planning: &'a Planning,
    failures: &'a Failures,
    /// What was found of each workload.
    known: RefCell<HashMap<Target, Rc<Standing>>>,
}

impl Look<'_> {
    fn standing(&self, target: &Target) -> Rc<Standing> {
        let find = || Rc::new(standing(target, self.cache, self.session, self.planning));
        Rc::clone(self.known.borrow_mut().entry(target.clone()).or_insert_with(find))
    }

    /// The workloads that the status is to list: those that it is about, and those that may still have skills of it.
    fn workloads(&self, deleting: bool) -> BTreeSet<Target> {
        let index = self.cache.index();
        let mut out = BTreeSet::new();
        if !deleting && self.read.is_some() {
            out.extend(index.about(self.key).filter(|target| self.cache.workload(target).is_some()).cloned());
        }
        let about: BTreeSet<&Target> = index.about(self.key).filter(|_| !deleting).collect();
        let left = index.listed(self.key).filter(|target| !about.contains(target) && !self.is_out(target));
        out.extend(left.cloned());
        out
    }

    /// Whether none of its skills is in a workload that it is not about any more.
    fn is_out(&self, target: &Target) -> bool {
        match &*self.standing(target) {
            Standing::Absent | Standing::Settled => true,
            Standing::Unknown | Standing::Pending => false,
            // Others stand in the way of a plan, and nothing is to be waited for where nothing is.
            Standing::Refused(_) => self.read.is_some_and(|binding| {
                let volumes: BTreeSet<String> = self.template_images(target).into_keys().collect();
                !binding.spec.skills.iter().any(|skill| volumes.contains(&volume(&skill.name)))
            }),
        }
    }

    /// The condition Ready; `None` if it is not known yet.
    fn ready(&self, workloads: &BTreeSet<Target>, read: &Result<Binding, Vec<String>>) -> Option<Condition> {
        let not = |reason, message: String| Some(Condition::new("Ready", false, reason, message));
        let binding = match read {
            Ok(binding) => binding,
            Err(errors) => return not("Invalid", errors.join("; ")),
        };
        let about: Vec<&Target> = self.cache.index().about(self.key).collect();
        match &binding.spec.target {
            None => return Some(self.without_workload()),
            Some(BindingTarget::Ref(_)) => match about.first() {
                Some((kind, _)) if !self.cache.knows_kind(*kind) => return None,
                Some(known) if self.cache.workload(known).is_some() => {}
                _ => return Some(self.without_workload()),
            },
            Some(BindingTarget::Selector(_)) if about.is_empty() => {
                if !self.cache.index().all_kinds().all(|kind| self.cache.knows_kind(kind)) {
                    return None;
                }
                return Some(self.without_workload());
            }
            Some(BindingTarget::Selector(_)) => {}
        }
        let mut pending = false;
        let mut failed = Vec::new();
        for target in workloads {
            let shown = format!("{} {}", target.0.name(), target.1.name());
            match &*self.standing(target) {
                Standing::Refused(findings) => {
                    let (reason, message) = self.reason(findings);
                    return not(reason, format!("{shown}: {message}"));
                }
                Standing::Unknown => return None,
                Standing::Pending if target.0.is_immutable() => {
                    failed.push(format!("{shown}: {IMMUTABLE}"));
                }
                Standing::Pending => match self.failures.get(target) {
                    Some(message) => failed.push(format!("{shown}: {message}")),
                    None => pending = true,
                },
                Standing::Absent | Standing::Settled => {}
            }
        }
        if !failed.is_empty() {
            return not("WriteFailed", failed.join("; "));
        }
        if pending {
            return None;
        }
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (skills, workloads) = (count(binding.spec.skills.len(), "skill"), count(about.len(), "workload"));
        let message = match binding.spec.delivery {
            Delivery::Workload => format!("{skills} in {workloads}"),
            Delivery::Pod => format!("{skills} for new pods of {workloads}"),
        };
        Some(Condition::new("Ready", true, "Delivered", message))
    }

    /// What is said where there is no workload.
    fn without_workload(&self) -> Condition {
        let judged = self.session.judge(case(self.object, Claim::Held, None, &[], Vec::new()));
        let errors: Vec<Finding> = judged.errors().cloned().collect();
        let (reason, message) = if errors.is_empty() {
            let reason = judged.plan.map(|plan| plan.reason).unwrap_or_default();
            ("NoWorkloadSelected", reason)
        } else {
            self.reason(&errors)
        };
        Condition::new("Ready", false, reason, message)
    }

    /// Why nothing is written, first of all for what is wrong with this SkillBinding.
    fn reason(&self, findings: &[Finding]) -> (&'static str, String) {
        let whose = |finding: &Finding| match &finding.of {
            Some(of) if of.kind != "SkillBinding" || of.name != self.key.name() => {
                format!("{} {}: {finding}", of.kind, of.name)
            }
            _ => finding.to_string(),
        };
        let message = findings.iter().map(whose).collect::<Vec<_>>().join("; ");
        let is_clash = |finding: &Finding| *finding.rule == rules::BINDING_CLASH;
        let is_absent = |finding: &Finding| *finding.rule == rules::TARGET_NOT_FOUND;
        let reason = if findings.iter().any(is_clash) {
            "Clash"
        } else if findings.iter().any(|one| one.rule.about == About::Runtime && !is_absent(one)) {
            "Invalid"
        } else if findings.iter().any(is_absent) {
            "TargetNotFound"
        } else {
            "WriteFailed"
        };
        (reason, message)
    }

    fn status(&self, workloads: &BTreeSet<Target>, ready: Option<&Condition>, now: &str) -> Value {
        let generation =
            self.object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
        let plan = StatusPlan {
            set: ready.cloned().into_iter().collect(),
            observed_generation: ready.is_some(),
            ..StatusPlan::default()
        };
        let old = self.object.get("status").cloned().unwrap_or(Value::Null);
        let mut status = plan.apply(&old, generation, Some(now));
        let Some(map) = status.as_object_mut() else { return status };
        let mut digests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let list: Vec<Value> =
            workloads.iter().map(|target| self.workload(target, &old, &mut digests)).collect();
        put(map, "workloads", list);
        if let Some(binding) = self.read.filter(|_| ready.is_some()) {
            let skill = |skill: &kubectl_skills::api::agent_runtime::Skill| {
                let mut out = json!({"name": skill.name, "image": skill.image});
                if let Some(digests) = digests.get(&volume(&skill.name)) {
                    out["digests"] = json!(digests);
                }
                out
            };
            put(map, "skills", binding.spec.skills.iter().map(skill).collect());
        }
        status
    }

    /// A workload in the status, and the digests that its pods report.
    fn workload(
        &self,
        target: &Target,
        old: &Value,
        digests: &mut BTreeMap<String, BTreeSet<String>>,
    ) -> Value {
        let (kind, key) = target;
        let live = self.cache.workload(target);
        let version = live.as_ref().map_or(kind.api_version(), |live| Object(live).api_version());
        let mut out = json!({"apiVersion": version, "kind": kind.name(), "name": key.name()});
        let Some(binding) = self.read.filter(|_| self.cache.is_known(Watched::SkillsOfPods)) else {
            let before = old.get("workloads").and_then(Value::as_array).into_iter().flatten();
            let same = |one: &&Value| one["kind"] == out["kind"] && one["name"] == out["name"];
            if let Some(pods) = before.into_iter().find(same).and_then(|one| one.get("pods")) {
                out["pods"] = pods.clone();
            }
            return out;
        };
        let pods = self.cache.skills_of_pods(target);
        let counts = count(&pods, &self.expected(target), binding);
        let live_pods = pods.iter().filter(|pod| pod["over"] != true);
        for (volume, digest) in live_pods.flat_map(skills_of_pods::digests) {
            digests.entry(volume).or_default().insert(digest);
        }
        let PodCounts { up_to_date, stale, without } = counts;
        out["pods"] = json!({"upToDate": up_to_date, "stale": stale, "without": without});
        out
    }

    /// The skills that a new pod of a workload has.
    fn expected(&self, target: &Target) -> Skills {
        let workload = self.cache.workload(target).unwrap_or_default();
        expected(target.0, &workload, self.cache.index().bindings(target))
    }

    fn template_images(&self, target: &Target) -> Skills {
        of_template(target.0, &self.cache.workload(target).unwrap_or_default())
    }
}

fn put(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if list.is_empty() {
        map.shift_remove(key);
    } else {
        map.insert(key.to_owned(), Value::Array(list));
    }
}

#[cfg(test)]
mod tests;
