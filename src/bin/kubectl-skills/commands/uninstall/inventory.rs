//! What of ours is in a cluster: lists of each kind that an installation may have in, what is ours out, in the order in which it
//! goes. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::names::{BINDING_FINALIZER, SKILLS_GROUP};
use kubectl_skills::api::object::{Object, title};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::{is_binding, is_for_pods};
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::crd::skill_binding;
use kubectl_skills::install::deploy_files::WEBHOOK_SERVICE;
use kubectl_skills::live::{self, WorkloadKey};
use kubectl_skills::manifest::set_skills::names;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::bindings::Bindings;
use serde_json::Value;

use super::evidence::{self, Verdict, set_the_finalizer};
use super::pods::{self, Holder};
use crate::cluster::discovery::dialect;
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::left::Left;
use crate::cluster::paths::{CRDS, Resource, of_program};
use crate::cluster::requests::Requests;
use crate::cluster::snapshot::{self, Scope, Snapshot};

/// When something goes; what is earlier in this list goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Webhooks that the API server calls: once nobody answers, they refuse.
    Registrations,
    /// Admission policies and their bindings.
    Policies,
    /// What runs, and what leads to it.
    Program,
    /// Skills of ours in workloads.
    Skills,
    /// Skills in workloads that came by a render, and that only its source takes out.
    Rendered,
    /// Finalizers, which nobody takes off any more.
    Finalizers,
    /// Roles, bindings, service accounts, leases.
    Rights,
    /// The CRD of SkillBinding.
    SkillBindings,
    /// What is not provably ours, or the operator's as well.
    Kept,
}

/// Something that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub step: Step,
    pub kind: String,
    pub group: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// Path of the object.
    pub path: String,
    /// By what it is known to be ours, or why it stays.
    pub why: String,
    /// Namespace and name of the Helm release that has made it.
    pub release: Option<(String, String)>,
    /// The Services that it has the API server call, as namespace and name.
    pub calls: BTreeSet<(String, String)>,
    /// Whether it writes the skills of SkillBindings into pods.
    pub delivers: bool,
    /// What has our finalizer.
    pub finalized: Option<(&'static Profile, Value)>,
}

impl Found {
    /// `deployment.apps/kubectl-skills`.
    pub fn title(&self) -> String {
        title(&self.kind, &self.group, &self.name)
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub items: Vec<Found>,
    /// SkillBindings as `namespace/name`.
    pub bindings: Vec<String>,
    /// Those of them whose skills are written into pods.
    pub to_pods: Vec<String>,
    /// Pods into which such skills were written.
    pub holders: Vec<Holder>,
    /// What may not be listed, in the server's words.
    pub unread: Vec<String>,
    /// Of a run over one namespace: that the registrations of the cluster may not be listed.
    pub blind: Option<String>,
    /// Whose AgentRuntimes are served, where that is known.
    profile: Option<&'static Profile>,
}

impl Inventory {
    /// What a step is about.
    pub fn of(&self, step: Step) -> impl Iterator<Item = &Found> {
        self.items.iter().filter(move |item| item.step == step)
    }

    /// Registrations that stay and have the API server call a Service that goes: without it, what they are asked about is refused.
    pub fn left_calling(&self) -> impl Iterator<Item = &Found> {
        let goes = |(namespace, name): &(String, String)| {
            self.of(Step::Program).any(|item| {
                item.namespace == *namespace
                    && (name == WEBHOOK_SERVICE || (item.kind == "Service" && item.name == *name))
            })
        };
        self.of(Step::Kept).filter(move |item| item.calls.iter().any(goes))
    }
}

/// A kind that an installation may have.
struct Kind {
    resource: Resource,
    namespaced: bool,
    step: Step,
    /// Asked of each object that our label does not prove to be ours; none where all of ours have it.
    judge: Option<fn(&Value) -> Verdict>,
}

/// A kind of which some of ours have no label.
const fn judged_kind(
    base: &'static str,
    plural: &'static str,
    namespaced: bool,
    step: Step,
    judge: fn(&Value) -> Verdict,
) -> Kind {
    Kind { resource: Resource { base, plural }, namespaced, step, judge: Some(judge) }
}

/// A namespaced kind of which all of ours have our label.
const fn labelled(base: &'static str, plural: &'static str, step: Step) -> Kind {
    Kind { resource: Resource { base, plural }, namespaced: true, step, judge: None }
}

const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// All of them, in the order in which they go.
const KINDS: [Kind; 21] = [
    judged_kind(
        ADMISSION,
        "validatingwebhookconfigurations",
        false,
        Step::Registrations,
        evidence::registration,
    ),
    judged_kind(
        ADMISSION,
        "mutatingwebhookconfigurations",
        false,
        Step::Registrations,
        evidence::registration,
    ),
    judged_kind(
        ADMISSION,
        "mutatingadmissionpolicybindings",
        false,
        Step::Policies,
        evidence::policy_binding,
    ),
    judged_kind(
        ADMISSION,
        "validatingadmissionpolicybindings",
        false,
        Step::Policies,
        evidence::policy_binding,
    ),
    judged_kind(ADMISSION, "mutatingadmissionpolicies", false, Step::Policies, evidence::policy),
    judged_kind(ADMISSION, "validatingadmissionpolicies", false, Step::Policies, evidence::policy),
    labelled("/apis/apps/v1", "deployments", Step::Program),
    labelled("/apis/policy/v1", "poddisruptionbudgets", Step::Program),
    labelled("/api/v1", "services", Step::Program),
    labelled("/apis/networking.k8s.io/v1", "networkpolicies", Step::Program),
    labelled("/apis/monitoring.coreos.com/v1", "servicemonitors", Step::Program),
    labelled("/apis/monitoring.coreos.com/v1", "prometheusrules", Step::Program),
    judged_kind("/apis/cert-manager.io/v1", "certificates", true, Step::Program, evidence::certificate),
    judged_kind("/apis/cert-manager.io/v1", "issuers", true, Step::Program, evidence::issuer),
    labelled("/api/v1", "configmaps", Step::Program),
    judged_kind(RBAC, "rolebindings", true, Step::Rights, evidence::role_binding),
    judged_kind(RBAC, "clusterrolebindings", false, Step::Rights, evidence::role_binding),
    judged_kind(RBAC, "roles", true, Step::Rights, evidence::role),
    judged_kind(RBAC, "clusterroles", false, Step::Rights, evidence::role),
    labelled("/api/v1", "serviceaccounts", Step::Rights),
    judged_kind("/apis/coordination.k8s.io/v1", "leases", true, Step::Rights, evidence::lease),
];

/// Reads all of it; of one namespace, or of the cluster.
pub(super) async fn read(requests: &Requests, namespace: Option<&str>) -> Result<Inventory, ClusterError> {
    let mut out = Inventory::default();
    let is_meant = |kind: &&Kind| kind.namespaced || namespace.is_none() || kind.step == Step::Registrations;
    for kind in KINDS.iter().filter(is_meant) {
        let path = kind.resource.list(namespace.filter(|_| kind.namespaced));
        // Of kinds that have our label or are not ours, the others need not be read: ConfigMaps are many and large.
        let selector = if kind.judge.is_none() { of_program() } else { String::new() };
        match requests.list(&path, &selector, &format!("list {}", kind.resource.plural)).await {
            Ok(list) => {
                let items = list.into_iter().flat_map(|list| list.items);
                let items = items.filter_map(|item| judged(kind, &item));
                match namespace.filter(|_| !kind.namespaced) {
                    Some(namespace) => out.items.extend(items.filter_map(|item| of_cluster(item, namespace))),
                    None => out.items.extend(items),
                }
            }
            Err(error) if error.failure == Cause::Forbidden && namespace.is_some() && !kind.namespaced => {
                out.blind = Some(error.message);
            }
            Err(error) if error.failure == Cause::Forbidden => out.unread.push(error.message),
            Err(error) => return Err(error),
        }
    }
    skills(requests, namespace, &mut out).await?;
    match pods::read(requests, namespace).await {
        Ok(holders) => out.holders = holders,
        Err(error) if error.failure == Cause::Forbidden => out.unread.push(error.message),
        Err(error) => return Err(error),
    }
    if namespace.is_none() {
        crds(requests, &mut out).await?;
    }
    out.items.sort_by_key(|item| item.step);
    Ok(out)
}

/// A registration as a run over one namespace sees it: it stays, and is named where it calls something there.
fn of_cluster(item: Found, namespace: &str) -> Option<Found> {
    let why = format!("calls a Service of {namespace}, and goes only with the cluster's: without -n");
    let is_here = item.calls.iter().any(|(called, _)| called == namespace);
    is_here.then(|| Found { step: Step::Kept, why, ..item })
}

/// Reads what of it is about skills and finalizers, once more.
pub(super) async fn read_skills(
    requests: &Requests,
    namespace: Option<&str>,
) -> Result<Inventory, ClusterError> {
    let mut out = Inventory::default();
    skills(requests, namespace, &mut out).await?;
    Ok(out)
}

fn judged(kind: &Kind, object: &Value) -> Option<Found> {
    let by_label = evidence::labelled(object);
    let verdict = match kind.judge.filter(|_| !matches!(by_label, Verdict::Ours(_))) {
        Some(judge) => match judge(object) {
            Verdict::Other => by_label,
            verdict => verdict,
        },
        None => by_label,
    };
    let (step, why) = match verdict {
        Verdict::Ours(why) => (kind.step, why),
        Verdict::Unproven(why) => (Step::Kept, why),
        Verdict::Other => return None,
    };
    let (namespace, name) = Object(object).key();
    let path = if kind.namespaced {
        kind.resource.object(&namespace, &name)
    } else {
        kind.resource.object_of_cluster(&name)
    };
    Some(found(object, step, path, why))
}

fn found(object: &Value, step: Step, path: String, why: String) -> Found {
    let it = Object(object);
    let (namespace, name) = it.key();
    let of = |what: &str| it.annotation(&format!("meta.helm.sh/release-{what}")).map(str::to_owned);
    Found {
        step,
        kind: it.kind().to_owned(),
        group: it.group().to_owned(),
        namespace,
        name,
        uid: it.str("/metadata/uid").to_owned(),
        path,
        why,
        release: of("namespace").zip(of("name")),
        calls: evidence::calls(object),
        delivers: evidence::delivers(object),
        finalized: None,
    }
}

/// Workloads with skills of ours, and objects with our finalizer.
async fn skills(
    requests: &Requests,
    namespace: Option<&str>,
    out: &mut Inventory,
) -> Result<(), ClusterError> {
    let scope = Scope { namespace: namespace.map(str::to_owned), left: true, ..Scope::default() };
    let kinds = Kinds::default();
    let mut snapshot = match snapshot::read(requests, &scope, None, kinds).await {
        Ok(snapshot) => snapshot,
        // A kind that is served in versions that we do not know.
        Err(error) if error.failure == Cause::NotFound => {
            out.unread.push(error.message);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    out.unread.extend(
        snapshot
            .read_left(requests, &scope, kinds)
            .await?
            .into_iter()
            .map(|what| format!("{what} may not be listed")),
    );
    let profile = snapshot.dialect.profile;
    out.profile = snapshot.serves_runtimes.then_some(profile);
    let about = snapshot.workloads.iter().filter_map(|((kind, _, _), workload)| {
        let kind = kinds.find(kind, Object(workload).group())?;
        let skills = kubectl_skills::live::left(workload, kind);
        (!skills.is_empty()).then_some((workload, skills))
    });
    let left = snapshot.left.iter().map(|Left { workload, skills, .. }| (workload, skills.clone()));
    for (workload, skills) in about.chain(left) {
        let why = format!("has skills of ours: {}", skills.join(", "));
        out.items.push(found(workload, Step::Skills, String::new(), why));
    }
    let nobodys = snapshot.rendered.iter().map(|Left { workload, skills, .. }| (workload, skills.clone()));
    for (workload, skills) in rendered(&snapshot, kinds).into_iter().chain(nobodys) {
        let why = format!("keeps skills: {} (rendered; take it out of its source)", skills.join(", "));
        out.items.push(found(workload, Step::Rendered, String::new(), why));
    }
    for object in snapshot.runtimes.iter().chain(&snapshot.bindings) {
        let it = Object(object);
        let bound = is_binding(it);
        if bound {
            let name = format!("{}/{}", it.namespace(), it.name());
            if is_for_pods(object) {
                out.to_pods.push(name.clone());
            }
            out.bindings.push(name);
        }
        let finalizer = if bound { BINDING_FINALIZER } else { profile.names.finalizer };
        if !it.finalizers().any(|one| one == finalizer) {
            continue;
        }
        // That of AgentRuntimes is the operator's as well.
        let ours = bound || set_the_finalizer(object, finalizer);
        let (step, why) = if ours {
            (Step::Finalizers, format!("finalizer {finalizer}, which nobody takes off any more"))
        } else {
            (Step::Kept, format!("finalizer {finalizer} was set by somebody else, the operator perhaps"))
        };
        let finalized = ours.then(|| (profile, object.clone()));
        out.items.push(Found { finalized, ..found(object, step, String::new(), why) });
    }
    Ok(())
}

/// Of the workloads that somebody is about, those with listed skills that came by a render.
fn rendered(snapshot: &Snapshot, kinds: Kinds) -> Vec<(&Value, Vec<String>)> {
    let mut by_target: BTreeMap<WorkloadKey, BTreeSet<String>> = BTreeMap::new();
    for runtime in &snapshot.runtimes {
        let listed = names(runtime).into_iter().map(str::to_owned);
        by_target.entry(live::target(runtime)).or_default().extend(listed);
    }
    let bindings = Bindings::of_live(&snapshot.bindings);
    let of = |(key, workload): (&WorkloadKey, &'_ Value)| {
        let kind = kinds.find(&key.0, Object(workload).group())?;
        let of_bindings = bindings.of(kind, key, workload).into_iter();
        let skills = of_bindings.flat_map(|index| &bindings.all()[index].spec.skills);
        let mut listed: BTreeSet<String> = skills.map(|skill| skill.name.clone()).collect();
        listed.extend(by_target.get(key).into_iter().flatten().cloned());
        let skills = live::rendered(workload, kind, &listed);
        (!skills.is_empty()).then_some(skills)
    };
    let all = snapshot.workloads.iter();
    all.filter_map(|(key, workload)| Some((workload, of((key, workload))?))).collect()
}

/// The CRDs: that of SkillBinding is ours, and its objects are their authors'.
async fn crds(requests: &Requests, out: &mut Inventory) -> Result<(), ClusterError> {
    let ours = CRDS.object_of_cluster(&skill_binding::name());
    match requests.get(&ours, "read the CRD of SkillBinding").await {
        Ok(Some(crd)) => {
            let why = match out.bindings.len() {
                0 => format!("group {SKILLS_GROUP}; there is no SkillBinding"),
                count => {
                    let count = counted(count, "SkillBinding");
                    format!("group {SKILLS_GROUP}; with it {count} would go, which are their authors'")
                }
            };
            out.items.push(found(&crd, Step::SkillBindings, ours, why));
        }
        Ok(None) => {}
        Err(error) if error.failure == Cause::Forbidden => out.unread.push(error.message),
        Err(error) => return Err(error),
    }
    let profile = match out.profile {
        Some(profile) => Some(profile),
        None => dialect(requests, None).await.ok().map(|dialect| dialect.profile),
    };
    if let Some(profile) = profile {
        let path = CRDS.object_of_cluster(&format!("agentruntimes.{}", profile.names.group));
        match requests.get(&path, "read the CRD of AgentRuntime").await {
            Ok(Some(crd)) => {
                let why = "the operator's, no matter who installed it".to_owned();
                out.items.push(found(&crd, Step::Kept, String::new(), why));
            }
            Ok(None) => {}
            Err(error) if error.failure == Cause::Forbidden => out.unread.push(error.message),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
