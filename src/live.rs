//! Plans over live objects: a snapshot of a cluster in; a plan for each AgentRuntime, or the reasons against one, out.
//! Verdicts are left to [`Session`]; reading the cluster, to the binary.

pub mod apply_configuration;
pub mod field_ownership;
pub mod merge_patch;
mod mounted;
mod rolling_out;
pub mod status_report;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::api::workload::WorkloadKind;
use crate::plan::bindings::{Binding, Bindings, Lead, Order, leads};
pub use crate::plan::claims::WorkloadKey;
use crate::plan::claims::{Claim, Claimant, Claims};
use crate::plan::session::{Case, Going, Session};
use crate::plan::{RuntimePlan, skills_of_ours, skills_of_source};
use crate::validate::findings::{About, Finding};

/// What was read of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'a> {
    /// All AgentRuntimes of the namespaces concerned.
    pub runtimes: &'a [Value],
    /// Namespace and name of those to be planned.
    pub selected: &'a BTreeSet<(String, String)>,
    /// SkillBindings of the namespaces concerned.
    pub bindings: &'a [Value],
    /// Namespace and name of those to be planned.
    pub selected_bindings: &'a BTreeSet<(String, String)>,
    /// Targets of both, and all workloads of a namespace where a SkillBinding chooses by labels. One that is not here does not
    /// exist.
    pub workloads: &'a BTreeMap<WorkloadKey, Value>,
    /// Pods, for `configuredPods`.
    pub pods: &'a [Value],
}

/// Of nothing.
static NONE: BTreeSet<(String, String)> = BTreeSet::new();

impl<'a> Inventory<'a> {
    /// Of a cluster without SkillBindings.
    pub fn without_bindings(
        runtimes: &'a [Value],
        selected: &'a BTreeSet<(String, String)>,
        workloads: &'a BTreeMap<WorkloadKey, Value>,
        pods: &'a [Value],
    ) -> Self {
        Self { runtimes, selected, bindings: &[], selected_bindings: &NONE, workloads, pods }
    }
}

/// What came of one AgentRuntime, or of one workload that SkillBindings alone are about.
#[derive(Debug)]
pub struct LivePlan<'a> {
    /// Identity of who leads.
    pub id: ObjectRef,
    /// The AgentRuntime or SkillBinding that leads.
    pub runtime: &'a Value,
    /// The workload, if it exists.
    pub workload: Option<&'a Value>,
    /// Its kind, if that is known.
    pub kind: Option<WorkloadKind>,
    /// The plan; none if the object that leads cannot be read.
    pub plan: Option<RuntimePlan>,
    /// Why it cannot be carried out.
    pub errors: Vec<InputError>,
}

/// The skills that we have left in a workload. They are left over where nobody is about it.
pub fn left(workload: &Value, kind: WorkloadKind) -> Vec<String> {
    skills_of_ours(workload, kind)
}

/// The skills of a workload that are not known to be ours, though its record names them, or they are listed for it: a render that
/// somebody else has applied. Only its source takes them out.
pub fn rendered(workload: &Value, kind: WorkloadKind, listed: &BTreeSet<String>) -> Vec<String> {
    skills_of_source(workload, kind, listed)
}

/// Plans what the selected objects ask for: AgentRuntimes in the order of the inventory, then SkillBindings.
pub fn plan<'a>(inventory: &Inventory<'a>, session: &Session) -> Vec<LivePlan<'a>> {
    let moment = Moment::of(inventory, session);
    let selected = |order: &&Order| {
        let of_binding = |index: &usize| {
            let id = &moment.bindings.all()[*index].id;
            inventory.selected_bindings.contains(&(id.namespace.clone(), id.name.clone()))
        };
        let leads = match &order.lead {
            Lead::Runtime(index) => inventory.selected.contains(&Object(&inventory.runtimes[*index]).key()),
            Lead::Binding(index) => of_binding(index),
        };
        leads || order.bindings.iter().any(of_binding)
    };
    let mut out: Vec<LivePlan<'a>> =
        moment.orders.iter().filter(selected).filter_map(|order| moment.judge(order, None)).collect();
    // To judge one that cannot be read says why.
    let unreadable = inventory.bindings.iter().filter(|object| {
        let id = Object(object).reference();
        inventory.selected_bindings.contains(&Object(object).key())
            && !moment.bindings.all().iter().any(|binding| binding.id == id)
    });
    out.extend(unreadable.map(|object| moment.case(object, None, Vec::new(), moment.going(None))));
    out
}

/// Plans anew, over a workload that was read again, what an object leads.
pub fn replan<'a>(
    runtime: &'a Value,
    workload: &'a Value,
    inventory: &Inventory<'a>,
    session: &Session,
) -> LivePlan<'a> {
    let moment = Moment::of(inventory, session);
    let same = |order: &&Order| {
        let at = order.workload.map(|index| moment.keys[index]);
        std::ptr::eq(moment.lead(order).unwrap_or(&Value::Null), runtime)
            && at.is_none_or(|(kind, _, name)| {
                (kind.as_str(), name.as_str()) == (Object(workload).kind(), Object(workload).name())
            })
    };
    let again = moment.orders.iter().find(same).and_then(|order| moment.judge(order, Some(workload)));
    again.unwrap_or_else(|| moment.case(runtime, Some(workload), Vec::new(), moment.going(None)))
}

/// Who leads which plan at one moment.
struct Moment<'a, 'i> {
    inventory: &'i Inventory<'a>,
    session: &'i Session,
    claims: Claims,
    bindings: Bindings,
    /// Of each binding.
    objects: Vec<Option<&'a Value>>,
    keys: Vec<&'a WorkloadKey>,
    orders: Vec<Order>,
}

impl<'a, 'i> Moment<'a, 'i> {
    fn of(inventory: &'i Inventory<'a>, session: &'i Session) -> Self {
        let options = session.options();
        let claims = claims(inventory.runtimes);
        // To be removed is what was selected: the others about the same workload keep what they have there.
        let goes =
            |object: &Value| options.remove && inventory.selected_bindings.contains(&Object(object).key());
        let bindings = Bindings::new(inventory.bindings.iter().filter_map(|object| {
            let binding = Binding::of(Object(object).reference(), Origin::default(), object).ok()?;
            Some(Binding { deleting: binding.deleting || goes(object), ..binding })
        }));
        let by_key: BTreeMap<(String, String), &Value> =
            inventory.bindings.iter().map(|object| (Object(object).key(), object)).collect();
        let key = |id: &ObjectRef| (id.namespace.clone(), id.name.clone());
        let objects = bindings.all().iter().map(|binding| by_key.get(&key(&binding.id)).copied()).collect();
        let keys: Vec<&WorkloadKey> = inventory.workloads.keys().collect();
        let index_of: BTreeMap<&WorkloadKey, usize> =
            keys.iter().enumerate().map(|(index, key)| (*key, index)).collect();
        let mut of_workload: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        if !bindings.is_empty() && !options.exact {
            for (index, (key, workload)) in inventory.workloads.iter().enumerate() {
                let kind =
                    options.kinds.find(&key.0, Object(workload).group()).filter(|_| bindings.ask_for(key));
                let found = kind.map(|kind| bindings.of(kind, key, workload)).unwrap_or_default();
                if !found.is_empty() {
                    of_workload.insert(index, found);
                }
            }
        }
        let runtimes = inventory.runtimes.iter().map(|runtime| {
            let object = Object(runtime);
            let key = target(runtime);
            let claim = claims.claim(&key, object.name(), object.is_being_deleted());
            (
                index_of.get(&key).copied(),
                claim == Claim::Held && leads(options.profile, options.exact, runtime),
            )
        });
        let orders = bindings.orders(runtimes, &of_workload);
        Self { inventory, session, claims, bindings, objects, keys, orders }
    }

    fn lead(&self, order: &Order) -> Option<&'a Value> {
        match order.lead {
            Lead::Runtime(index) => self.inventory.runtimes.get(index),
            Lead::Binding(index) => self.objects[index],
        }
    }

    fn judge(&self, order: &Order, again: Option<&'a Value>) -> Option<LivePlan<'a>> {
        let object = self.lead(order)?;
        let found = order.workload.and_then(|index| self.inventory.workloads.get(self.keys[index]));
        let bindings = order.bindings.iter().map(|index| &self.bindings.all()[*index]).collect();
        Some(self.case(object, again.or(found), bindings, self.going(Some(order))))
    }

    /// What goes of a workload, where things are to be removed.
    fn going(&self, order: Option<&Order>) -> Going {
        let stays = |index: &usize| !self.bindings.all()[*index].deleting;
        let leads_on = |order: &Order| match &order.lead {
            Lead::Runtime(index) => {
                !self.inventory.selected.contains(&Object(&self.inventory.runtimes[*index]).key())
            }
            Lead::Binding(index) => stays(index),
        };
        match order {
            _ if !self.session.options().remove => Going::Nothing,
            Some(order) if leads_on(order) => Going::Nothing,
            Some(order) if order.bindings.iter().any(stays) => Going::Lead,
            _ => Going::All,
        }
    }

    fn case(
        &self,
        object: &'a Value,
        workload: Option<&'a Value>,
        bindings: Vec<&Binding>,
        going: Going,
    ) -> LivePlan<'a> {
        let view = Object(object);
        let id = view.reference();
        let case = Case {
            id: id.clone(),
            origin: Origin::default(),
            object,
            claim: self.claims.claim(&target(object), &id.name, view.is_being_deleted()),
            workload: workload.map(Cow::Borrowed),
            pods: self.inventory.pods,
            bindings,
        };
        let judged = self.session.judge_going(case, going);
        let errors = judged.errors().map(|finding| error(object, workload, finding)).collect();
        let kinds = self.session.options().kinds;
        let kind = workload.and_then(|found| kinds.find(Object(found).kind(), Object(found).group()));
        LivePlan { id, runtime: object, workload, kind, plan: judged.plan, errors }
    }
}

fn error(runtime: &Value, workload: Option<&Value>, finding: &Finding) -> InputError {
    let object = match (finding.rule.about, workload) {
        (About::Runtime, _) => finding.of.clone().unwrap_or_else(|| Object(runtime).reference()),
        (About::Workload, Some(workload)) => Object(workload).reference(),
        (About::Workload, None) => {
            let (kind, namespace, name) = target(runtime);
            let api_version = Object(runtime).str("/spec/targetRef/apiVersion").to_owned();
            ObjectRef { api_version, kind, namespace, name }
        }
    };
    InputError {
        object: Some(object),
        field: finding.field(),
        message: finding.message.clone(),
        help: finding.help.clone(),
        rule: finding.rule.id,
        ..InputError::default()
    }
}

/// Which runtimes point at a workload, however they write its apiVersion (Q15).
fn claims(runtimes: &[Value]) -> Claims {
    Claims::new(
        runtimes.iter().map(|runtime| (target(runtime), Claimant::of(Object(runtime), Origin::default()))),
    )
}

/// Kind, namespace and name of a runtime's target.
pub fn target(runtime: &Value) -> WorkloadKey {
    let text = |pointer: &str| Object(runtime).str(pointer).to_owned();
    (text("/spec/targetRef/kind"), text("/metadata/namespace"), text("/spec/targetRef/name"))
}
