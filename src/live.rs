//! Plans over live objects: a snapshot of a cluster in; a plan for each AgentRuntime, or the reasons against one, out.
//! Verdicts are left to [`Session`]; reading the cluster, to the binary.

pub mod apply_configuration;
pub mod field_ownership;
pub mod status_report;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::plan::RuntimePlan;
pub use crate::plan::claims::WorkloadKey;
use crate::plan::claims::{Claimant, Claims};
use crate::plan::session::{Case, Session};
use crate::validate::findings::{About, Finding};

/// What was read of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'a> {
    /// All AgentRuntimes of the namespaces concerned.
    pub runtimes: &'a [Value],
    /// Namespace and name of those to be planned.
    pub selected: &'a BTreeSet<(String, String)>,
    /// Their targets. One that is not here does not exist.
    pub workloads: &'a BTreeMap<WorkloadKey, Value>,
    /// Pods, for `configuredPods`.
    pub pods: &'a [Value],
}

/// What came of one AgentRuntime.
#[derive(Debug)]
pub struct LivePlan<'a> {
    /// Identity of the runtime.
    pub id: ObjectRef,
    /// The runtime.
    pub runtime: &'a Value,
    /// Its target, if it exists.
    pub workload: Option<&'a Value>,
    /// The plan; none if the runtime cannot be read.
    pub plan: Option<RuntimePlan>,
    /// Why it cannot be carried out.
    pub errors: Vec<InputError>,
}

/// Plans the selected runtimes, in the order of the inventory.
pub fn plan<'a>(inventory: &Inventory<'a>, session: &Session) -> Vec<LivePlan<'a>> {
    let claims = claims(inventory.runtimes);
    let selected = |runtime: &&Value| inventory.selected.contains(&Object(runtime).key());
    let plan_one =
        |runtime| judge(runtime, inventory.workloads.get(&target(runtime)), inventory.pods, session, &claims);
    inventory.runtimes.iter().filter(selected).map(plan_one).collect()
}

/// Plans one runtime anew over a workload that was read again.
pub fn replan<'a>(
    runtime: &'a Value,
    workload: &'a Value,
    inventory: &Inventory<'a>,
    session: &Session,
) -> LivePlan<'a> {
    judge(runtime, Some(workload), inventory.pods, session, &claims(inventory.runtimes))
}

fn judge<'a>(
    runtime: &'a Value,
    workload: Option<&'a Value>,
    pods: &'a [Value],
    session: &Session,
    claims: &Claims,
) -> LivePlan<'a> {
    let object = Object(runtime);
    let id = object.reference();
    let judged = session.judge(Case {
        id: id.clone(),
        origin: Origin::default(),
        object: runtime,
        claim: claims.claim(&target(runtime), &id.name, object.is_being_deleted()),
        workload: workload.map(Cow::Borrowed),
        pods,
    });
    let errors = judged.errors().map(|finding| error(runtime, finding)).collect();
    LivePlan { id, runtime, workload, plan: judged.plan, errors }
}

fn error(runtime: &Value, finding: &Finding) -> InputError {
    let object = match finding.rule.about {
        About::Runtime => Object(runtime).reference(),
        About::Workload => {
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
