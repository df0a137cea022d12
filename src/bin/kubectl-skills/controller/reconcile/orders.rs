//! Who leads a workload that SkillBindings are about, and what they ask of it: the cache in, a plan out. The rule is the
//! library's [`Bindings::orders`]; here only those of one workload are brought together for it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kubectl_skills::api::names::BINDING_FINALIZER;
use kubectl_skills::api::object::{Object, Origin};
use kubectl_skills::api::skill_binding::Delivery;
use kubectl_skills::live::apply_configuration::is_settled;
use kubectl_skills::plan::bindings::{Binding, Bindings, Lead, leads};
use kubectl_skills::plan::claims::{Claim, Claimants};
use kubectl_skills::plan::session::{Case, Judged, Session};
use kubectl_skills::validate::findings::Finding;
use serde_json::{Value, json};

use super::plan::Planning;
use crate::controller::cache::{Cache, Key, Target};

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leader {
    /// An AgentRuntime.
    Runtime(Key),
    /// A SkillBinding.
    Binding(Key),
    /// A SkillBinding that is no longer about the workload, and says that it has written it.
    Former(Key),
}

/// What is asked of a workload.
#[derive(Debug)]
pub struct Asked {
    /// Who leads.
    pub leader: Leader,
    /// The object that leads.
    pub object: Value,
    /// SkillBindings that add to it.
    pub bindings: Vec<Binding>,
}

/// How a workload stands to what is asked of it.
#[derive(Debug)]
pub enum Standing {
    /// Its kind has not been seen whole yet.
    Unknown,
    /// It is not there.
    Absent,
    /// It is as it should be.
    Settled,
    /// It is to be written.
    Pending,
    /// Nothing is written, for these reasons.
    Refused(Vec<Finding>),
}

impl Asked {
    /// What is asked of a workload; `None` if no SkillBinding is, or was, about it, or where one that lists it cannot be read:
    /// what that one asks for is not known, so nothing is taken out either.
    pub fn of(target: &Target, workload: &Value, cache: &Cache, planning: &Planning) -> Option<Self> {
        let index = cache.index();
        if !index.has(target) || index.listing(target).any(|key| matches!(index.read(key), Some(Err(_)))) {
            return None;
        }
        let bindings = Bindings::new(index.bindings(target).cloned());
        let runtime = cache.claims(target).find_map(|key| {
            let object = cache.runtime(key)?;
            let held = claim(key, target, Object(&object).is_being_deleted(), cache) == Claim::Held;
            (held && leads(planning.profile, planning.exact, &object)).then_some((key, object))
        });
        let all: Vec<usize> = (0..bindings.all().len()).collect();
        let of_workload: BTreeMap<usize, Vec<usize>> =
            [(0, all)].into_iter().filter(|(_, all)| !all.is_empty()).collect();
        let orders = bindings.orders(runtime.iter().map(|_| (Some(0), true)), &of_workload);
        let Some(order) = orders.into_iter().find(|order| order.workload == Some(0)) else {
            let (key, former) = index.listing(target).find_map(|key| Some((key, cache.binding(key)?)))?;
            let object = going(former, workload);
            return Some(Self { leader: Leader::Former(key.clone()), object, bindings: Vec::new() });
        };
        let added = order.bindings.iter().map(|index| bindings.all()[*index].clone()).collect();
        match order.lead {
            Lead::Runtime(_) => {
                let (key, object) = runtime?;
                Some(Self { leader: Leader::Runtime(key.clone()), object, bindings: added })
            }
            Lead::Binding(lead) => {
                let id = &bindings.all()[lead].id;
                let key = Key::new(&id.namespace, &id.name);
                let object = cache.binding(&key)?;
                Some(Self { leader: Leader::Binding(key), object, bindings: added })
            }
        }
    }

    /// The verdict over the workload.
    pub fn judge(&self, session: &Session, workload: &Value, pods: &[Value]) -> Judged {
        let refs = self.bindings.iter().collect();
        session.judge(case(&self.object, Claim::Held, Some(workload), pods, refs))
    }

    /// Whether all that would write skills into the workload say so already, and hold on until these are out again.
    pub fn may_be_written(&self, target: &Target, cache: &Cache) -> bool {
        let writes = |binding: &Binding| !binding.deleting && binding.spec.delivery == Delivery::Workload;
        cache.index().bindings(target).filter(|binding| writes(binding)).all(|binding| {
            let key = Key::new(&binding.id.namespace, &binding.id.name);
            cache.index().listed(&key).any(|listed| listed == target)
                && cache.binding(&key).is_some_and(|object| holds_on(&object))
        })
    }
}

/// How a workload that SkillBindings are or were about stands.
pub fn standing(target: &Target, cache: &Cache, session: &Session, planning: &Planning) -> Standing {
    if !cache.knows_kind(target.0) {
        return Standing::Unknown;
    }
    let Some(workload) = cache.workload(target) else { return Standing::Absent };
    let Some(asked) = Asked::of(target, &workload, cache, planning) else { return Standing::Unknown };
    let judged = asked.judge(session, &workload, &[]);
    let errors: Vec<Finding> = judged.errors().cloned().collect();
    match judged.plan {
        Some(plan) if errors.is_empty() && plan.problems().is_empty() => {
            let settled = plan.updates().iter().all(|update| is_settled(&workload, update));
            if settled { Standing::Settled } else { Standing::Pending }
        }
        Some(plan) if errors.is_empty() => Standing::Refused(plan.problems().to_vec()),
        _ => Standing::Refused(errors),
    }
}

/// The SkillBindings that add to what an AgentRuntime leads; `None` if they have to be waited for, or another leads.
pub fn added_to(
    runtime: &Key,
    target: &Target,
    workload: &Value,
    cache: &Cache,
    planning: &Planning,
) -> Option<Vec<Binding>> {
    if planning.exact || !cache.index().has(target) {
        return Some(Vec::new());
    }
    let asked = Asked::of(target, workload, cache, planning)?;
    match &asked.leader {
        Leader::Runtime(key) if key == runtime => {
            asked.may_be_written(target, cache).then_some(asked.bindings)
        }
        _ => Some(Vec::new()),
    }
}

/// A case of the cluster's.
pub fn case<'a>(
    object: &'a Value,
    claim: Claim,
    workload: Option<&'a Value>,
    pods: &'a [Value],
    bindings: Vec<&'a Binding>,
) -> Case<'a> {
    let id = Object(object).reference();
    let workload = workload.map(Cow::Borrowed);
    Case { id, origin: Origin::default(), object, claim, workload, pods, bindings }
}

/// What an AgentRuntime may do with its target, by what the cache knows of the others.
pub fn claim(key: &Key, target: &Target, deleting: bool, cache: &Cache) -> Claim {
    let claimants = Claimants::new(cache.claimants(target));
    claimants.claim((target.0.name(), target.1.name()), key.name(), deleting)
}

/// Whether a SkillBinding has our finalizer.
pub fn holds_on(binding: &Value) -> bool {
    Object(binding).finalizers().any(|finalizer| finalizer == BINDING_FINALIZER)
}

/// A SkillBinding as if it were about a workload and being deleted: so is taken out of it what is ours.
fn going(mut binding: Value, workload: &Value) -> Value {
    let workload = Object(workload);
    if let Some(Value::Object(metadata)) = binding.get_mut("metadata") {
        metadata.insert("deletionTimestamp".into(), "1970-01-01T00:00:00Z".into());
        metadata.insert("finalizers".into(), json!([BINDING_FINALIZER]));
    }
    if let Some(Value::Object(spec)) = binding.get_mut("spec") {
        spec.shift_remove("selector");
        spec.insert(
            "targetRef".into(),
            json!({"apiVersion": workload.api_version(), "kind": workload.kind(), "name": workload.name()}),
        );
    }
    binding
}
