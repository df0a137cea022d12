//! Writes a planned workload by server-side apply: our fields only, dry run first, then the write, then a look at what
//! the server kept. What is wanted comes from the plan; whether the rollout gets through is for [`super::wait`].

use http::Method;
use kubectl_skills::api::names::{FORMER_FIELD_MANAGER, OPERATOR_MANAGERS, RECORD};
use kubectl_skills::live::apply_configuration::{
    FieldPath, apply_configuration, changed_fields, items_of_replaced_lists, missing, new_duplicate,
    removed_fields,
};
use kubectl_skills::live::field_ownership::{Owner, claim, held, owners, transfer};
use kubectl_skills::live::merge_patch::merge_patch;
use serde_json::{Value, json};

use super::error::{ClusterError, Failure, FieldConflict};
use super::paths::Resource;
use super::requests::{Requests, escape_query};

/// Of our fields only the operator's managers are overruled without `--force-conflicts`.
pub use kubectl_skills::api::names::FIELD_MANAGER;

/// How to write.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Field manager.
    pub manager: String,
    /// Takes fields from any other manager.
    pub force: bool,
}

/// One workload with what it should become.
#[derive(Debug, Clone)]
pub struct Write {
    /// Where it is.
    pub resource: Resource,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// As it was read, managedFields included.
    pub live: Value,
    /// As it should be.
    pub desired: Value,
    /// What is ours in it, whoever wrote it: `our_fields`.
    pub ours: Vec<FieldPath>,
    /// Whether the record of the workload alone says what goes: then what kubectl has applied goes as well, since somebody has named
    /// the workload, and nobody writes it back by himself.
    pub by_record: bool,
}

/// A write that the server has accepted in a dry run.
#[derive(Debug)]
pub struct Prepared {
    write: Write,
    configuration: Value,
    /// managedFields to be set first, where fields go that others own.
    ownership: Option<Value>,
    force: bool,
    /// What the server would store.
    pub merged: Value,
    /// Fields taken over from others, and from whom; for a note.
    pub taken: Vec<FieldConflict>,
}

impl Write {
    fn what(&self, verb: &str) -> String {
        format!("{verb} {} {}/{}", self.resource.plural, self.namespace, self.name)
    }

    fn path(&self) -> String {
        self.resource.object(&self.namespace, &self.name)
    }

    /// Whether a manager's fields are taken over without a word of force.
    fn takes_from(&self, manager: &str) -> bool {
        is_operator(manager) || (self.by_record && manager.starts_with("kubectl"))
    }

    /// Whether a record goes that somebody else states than this manager: he applies what a render has written.
    pub fn takes_record_from_others(&self, manager: &str) -> bool {
        let record = record();
        let goes = record.find(&self.live).is_some() && record.find(&self.desired).is_none();
        goes && owners(&self.live, &record).iter().any(|owner| owner.manager != manager)
    }

    /// Whether a conflict is about the replicas or the operating mode of a Sandbox, which go down and up again for its restart: whoever set
    /// them has them back when it is done ([`super::restart`]).
    fn restarts(&self, conflict: &FieldConflict) -> bool {
        self.resource.is_sandbox()
            && matches!(conflict.field.as_str(), ".spec.replicas" | ".spec.operatingMode")
    }
}

/// Writes without a dry run before it, for those who know that the server keeps what they say. Only for writes that take
/// nothing away: what others hold as well would stay. Returns the object as stored.
#[cfg(feature = "controller")]
pub async fn apply_at_once(
    requests: &Requests,
    write: Write,
    settings: &Settings,
) -> Result<Value, ClusterError> {
    let prepared = stated(write, settings)?;
    let stored = prepared.send(requests, settings, false).await?;
    prepared.check(&stored)?;
    Ok(stored)
}

/// What is to be said of a write; nothing is sent yet.
fn stated(write: Write, settings: &Settings) -> Result<Prepared, ClusterError> {
    if let Some(path) = new_duplicate(&write.live, &write.desired) {
        let what = write.what("apply");
        return Err(ClusterError::new(
            Failure::Invalid,
            format!("{what}: {path} would be there twice, which the API server refuses"),
        )
        .help("change the mountPath of the skill, or take the other mount out of the workload"));
    }
    if let Some(error) = unchangeable(&write) {
        return Err(error);
    }
    Ok(Prepared {
        configuration: configuration(&write, settings, Vec::new()),
        ownership: None,
        force: settings.force,
        merged: Value::Null,
        taken: Vec::new(),
        write,
    })
}

/// The pod template of a Job is fixed: the server answers every change of it with a dump of the whole template.
fn unchangeable(write: &Write) -> Option<ClusterError> {
    let fixed = write.live.get("kind").and_then(Value::as_str) == Some("Job")
        && write.live.pointer("/spec/template") != write.desired.pointer("/spec/template");
    let message =
        format!("{}: the pod template of a Job cannot be changed once it is stored", write.what("apply"));
    let help = "delete it and create it anew with the skills in its manifest ('kubectl skills render'), or let them be \
                delivered to pods (delivery: Pod) before it is created";
    fixed.then(|| ClusterError::new(Failure::Invalid, message).help(help))
}

/// States our fields, and more that we have to.
fn configuration(write: &Write, settings: &Settings, more: Vec<FieldPath>) -> Value {
    let mut ours = write.ours.clone();
    // What we hold and still want has to be said again, or the server takes it away.
    ours.extend(
        held(&write.live, &settings.manager).into_iter().filter(|path| path.find(&write.desired).is_some()),
    );
    ours.extend(more);
    apply_configuration(&write.live, &write.desired, &ours)
}

/// Tries a write by server dry run. Nothing is changed.
pub async fn prepare(
    requests: &Requests,
    write: Write,
    settings: &Settings,
) -> Result<Prepared, ClusterError> {
    let mut prepared = stated(write, settings)?;
    let mut merged = match prepared.send(requests, settings, true).await {
        Err(ClusterError { failure: Failure::ApplyConflict(fields), .. })
            if fields.iter().all(|conflict| {
                prepared.write.takes_from(&conflict.manager) || prepared.write.restarts(conflict)
            }) =>
        {
            prepared.force = true;
            prepared.taken =
                fields.into_iter().filter(|conflict| !prepared.write.restarts(conflict)).collect();
            prepared.send(requests, settings, true).await?
        }
        Err(error) if error.failure == Failure::Invalid => {
            // A volume that changes its kind: what is there and what is said do not go together until the old source is
            // ours to leave out, which no dry run can show. The replaced object shows what admission makes of it.
            let going = removed_fields(&prepared.write.live, &prepared.write.desired);
            prepared.ownership = prepared.ownership_of(&going, settings)?;
            if prepared.ownership.is_none() {
                return Err(error);
            }
            let owned_by_operator = |path: &FieldPath| {
                let owners = owners(&prepared.write.live, path);
                is_to_take(path) || owners.iter().all(|owner| prepared.write.takes_from(&owner.manager))
            };
            prepared.force |= going.iter().all(owned_by_operator);
            prepared.merged = prepared.replace_dry_run(requests, settings).await?;
            prepared.check(&prepared.merged)?;
            return Ok(prepared);
        }
        other => other?,
    };
    if prepared.state_whole_lists(&merged, settings) {
        merged = prepared.send(requests, settings, true).await?;
    }
    prepared.check(&merged)?;
    prepared.ownership = prepared.ownership_of(&left_over(&prepared.write, &merged), settings)?;
    prepared.merged = prepared.without_removed(merged);
    Ok(prepared)
}

/// What a write of a manager would be refused for, by who owns the fields that it changes and takes away; no server is asked. What
/// admission adds to it only [`prepare`] knows.
pub fn foreseen(write: &Write, manager: &str) -> Option<ClusterError> {
    let status = FieldPath::fields(["status"]);
    let mut fields = changed_fields(&write.live, &write.desired);
    fields.retain(|path| path.0.first() != status.0.first());
    fields.extend(left_over(write, &write.live));
    let may_take = |owner: &Owner| owner.manager == manager || write.takes_from(&owner.manager);
    let mut conflicts = conflicts(&write.live, &fields, may_take);
    conflicts.retain(|conflict| !write.restarts(conflict));
    of_others(conflicts, write)
}

/// The owners of fields from whom they may not be taken.
fn conflicts(live: &Value, fields: &[FieldPath], may_take: impl Fn(&Owner) -> bool) -> Vec<FieldConflict> {
    let fields = fields.iter().filter(|path| !is_to_take(path));
    let all = fields.flat_map(|path| owners(live, path).into_iter().map(move |owner| (path, owner)));
    all.filter(|(_, owner)| !may_take(owner))
        .map(|(path, owner)| FieldConflict { manager: owner.manager, field: path.to_string() })
        .collect()
}

/// The refusal of a write that would take fields of others.
fn of_others(conflicts: Vec<FieldConflict>, write: &Write) -> Option<ClusterError> {
    let is_refused = !conflicts.is_empty();
    is_refused.then(|| explain(ClusterError::new(Failure::ApplyConflict(conflicts), String::new()), write))
}

/// Carries a prepared write out. Returns the object as stored.
pub async fn commit(
    requests: &Requests,
    mut prepared: Prepared,
    settings: &Settings,
) -> Result<Value, ClusterError> {
    if let Some(list) = prepared.ownership.take() {
        let what = prepared.write.what("take over fields of");
        prepared.write.live =
            set_managed_fields(requests, &prepared.write.path(), &prepared.write.live, list, settings, &what)
                .await?;
    }
    let stored = prepared.send(requests, settings, false).await?;
    prepared.check(&stored)?;
    let left = left_over(&prepared.write, &stored);
    if left.is_empty() {
        return Ok(stored);
    }
    Err(ClusterError::new(
        Failure::Other,
        format!("{}: the server kept {}", prepared.write.what("apply"), list_paths(&left)),
    )
    .help("another manager or an admission webhook puts it back; 'kubectl get -o yaml --show-managed-fields' shows which"))
}

/// Writes who owns which field of an object, which must be as it was read. Returns the object as stored.
pub async fn set_managed_fields(
    requests: &Requests,
    path: &str,
    object: &Value,
    list: Value,
    settings: &Settings,
    what: &str,
) -> Result<Value, ClusterError> {
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/metadata/managedFields", "value": list},
    ]);
    let path = format!("{path}?fieldManager={}", escape_query(&settings.manager));
    requests.write(Method::PATCH, &path, "application/json-patch+json", &patch, what).await.map_err(moved)
}

impl Prepared {
    /// The object as it was read.
    pub fn live(&self) -> &Value {
        &self.write.live
    }

    /// Namespace of the object.
    pub fn namespace(&self) -> &str {
        &self.write.namespace
    }

    /// Where the server has replaced lists by what was stated of them, states all of them; whether there are any.
    fn state_whole_lists(&mut self, merged: &Value, settings: &Settings) -> bool {
        if self.write.resource.merges_lists() {
            return false;
        }
        let items = items_of_replaced_lists(&self.write.live, &self.write.desired, merged);
        let has_any = !items.is_empty();
        if has_any {
            self.configuration = configuration(&self.write, settings, items);
        }
        has_any
    }

    async fn send(
        &self,
        requests: &Requests,
        settings: &Settings,
        dry_run: bool,
    ) -> Result<Value, ClusterError> {
        let mut body = self.configuration.clone();
        // With the version the write is refused when somebody was faster, and with the uid when the object was deleted
        // meanwhile; without them server-side apply would merge into what we have not seen, or try to create it.
        for field in ["uid", "resourceVersion"] {
            if let Some(value) = self.write.live.pointer(&format!("/metadata/{field}")) {
                body["metadata"][field] = value.clone();
            }
        }
        let mut path = format!("{}?fieldManager={}", self.write.path(), escape_query(&settings.manager));
        if self.force {
            path.push_str("&force=true");
        }
        if dry_run {
            path.push_str("&dryRun=All");
        }
        let what = self.write.what("apply");
        requests
            .write(Method::PATCH, &path, "application/apply-patch+yaml", &body, &what)
            .await
            .map_err(|error| explain(error, &self.write))
    }

    /// Tells whether the server keeps what we said.
    fn check(&self, stored: &Value) -> Result<(), ClusterError> {
        let Some(lost) = missing(stored, &self.configuration) else { return Ok(()) };
        let volumes: Vec<&str> = ["template", "podTemplate", "jobTemplate/spec/template"]
            .iter()
            .filter_map(|template| {
                lost.pointer(&format!("/spec/{template}/spec/volumes")).and_then(Value::as_array)
            })
            .flatten()
            .filter(|volume| volume.get("image").is_some())
            .filter_map(|volume| volume.get("name").and_then(Value::as_str))
            .collect();
        let what = self.write.what("apply");
        if volumes.is_empty() {
            return Err(ClusterError::new(
                Failure::Other,
                format!("{what}: the server does not keep {lost}"),
            )
            .help(
                "an admission webhook rewrites it; 'kubectl get mutatingwebhookconfigurations' lists them",
            ));
        }
        Err(ClusterError::new(
            Failure::ImageVolumesDropped,
            format!("{what}: the server drops image volumes: {}", volumes.join(", ")),
        )
        .help(
            "the feature gate ImageVolume is off there (on by default from Kubernetes 1.35; before, set it on API server and \
             kubelets), or a mutating webhook with an older client rewrites the workload; 'kubectl skills doctor' tells which",
        ))
    }

    /// The planned object put in the place of the live one, as a dry run. A merge patch rather than a PUT, which would
    /// need the right to update alongside that to patch.
    async fn replace_dry_run(&self, requests: &Requests, settings: &Settings) -> Result<Value, ClusterError> {
        let path =
            format!("{}?fieldManager={}&dryRun=All", self.write.path(), escape_query(&settings.manager));
        let what = self.write.what("apply");
        let mut patch = merge_patch(&self.write.live, &self.write.desired).unwrap_or_else(|| json!({}));
        if let Some(version) = self.write.live.pointer("/metadata/resourceVersion") {
            patch["metadata"]["resourceVersion"] = version.clone();
        }
        let answer =
            requests.write(Method::PATCH, &path, "application/merge-patch+json", &patch, &what).await;
        answer.map_err(|error| explain(error, &self.write))
    }

    /// The managedFields with which fields go that should go, where leaving them out does not take them away: others own
    /// them too, or nobody does.
    fn ownership_of(&self, left: &[FieldPath], settings: &Settings) -> Result<Option<Value>, ClusterError> {
        if left.is_empty() {
            return Ok(None);
        }
        let allowed = |owner: &Owner| {
            settings.force
                || owner.manager == settings.manager
                || (owner.operation == "Update" && is_operator(&owner.manager))
                || (self.write.by_record && self.write.takes_from(&owner.manager))
        };
        if let Some(error) = of_others(conflicts(&self.write.live, left, allowed), &self.write) {
            return Err(error);
        }
        let mut object = self.write.live.clone();
        if let Some(list) = transfer(&object, left, &settings.manager, allowed) {
            object["metadata"]["managedFields"] = list;
        }
        let taken: Vec<FieldPath> = left.iter().filter(|path| is_to_take(path)).cloned().collect();
        if let Some(list) = transfer(&object, &taken, &settings.manager, |_| true) {
            object["metadata"]["managedFields"] = list;
        }
        Ok(Some(claim(&object, left, &settings.manager)))
    }

    /// What the dry run gave, without the fields that go once they are ours.
    fn without_removed(&self, mut merged: Value) -> Value {
        if self.ownership.is_some() {
            for path in left_over(&self.write, &merged) {
                path.remove(&mut merged);
            }
        }
        merged
    }
}

/// Fields that live had, desired has not, and the server still shows.
fn left_over(write: &Write, stored: &Value) -> Vec<FieldPath> {
    removed_fields(&write.live, &write.desired)
        .into_iter()
        .filter(|path| path.0.first() != FieldPath::fields(["status"]).0.first())
        .filter(|path| path.find(stored).is_some())
        // A default of the server comes back, whoever takes it away.
        .filter(|path| !path.to_string().ends_with(".pullPolicy"))
        .collect()
}

/// What an operator, or we by our former name, have written is taken over without a word of force.
pub fn is_operator(manager: &str) -> bool {
    OPERATOR_MANAGERS.contains(&manager) || manager == FORMER_FIELD_MANAGER
}

/// The record annotation.
fn record() -> FieldPath {
    FieldPath::fields(["metadata", "annotations", RECORD])
}

/// Whether something goes no matter who states it. The annotation by which a Sandbox remembers its pod: another controller writes it, and
/// the operator takes it away when it restarts the Sandbox (operator-spec.md section 7). Left there, the Sandbox would stay at zero
/// replicas. And the record, which is ours also where somebody has applied what a render wrote: left there, it would say for ever that
/// skills are.
fn is_to_take(path: &FieldPath) -> bool {
    *path == FieldPath::fields(["metadata", "annotations", "agents.x-k8s.io/pod-name"]) || *path == record()
}

fn list_paths(paths: &[FieldPath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A failed `test` of a JSON patch is the conflict that a resourceVersion would have made.
fn moved(error: ClusterError) -> ClusterError {
    match error.failure {
        Failure::Invalid => ClusterError { failure: Failure::Conflict, ..error },
        _ => error,
    }
}

/// Turns the server's answers to an apply into advice.
fn explain(error: ClusterError, write: &Write) -> ClusterError {
    let what = write.what("apply");
    match &error.failure {
        Failure::ApplyConflict(fields) => {
            let list: Vec<String> = fields.iter().map(|conflict| reported(conflict, write)).collect();
            let message = format!("{what}: {}", list.join("; "));
            let help = conflict_help(fields);
            ClusterError { message, ..error }.help(help)
        }
        Failure::Conflict => {
            ClusterError::new(Failure::Conflict, format!("{what}: it was changed or deleted meanwhile"))
                .help("run again")
        }
        Failure::NotFound => {
            ClusterError::new(Failure::NotFound, format!("{what}: it does not exist (any more)"))
        }
        Failure::Invalid if error.message.contains("selector: Required value") => {
            ClusterError::new(Failure::NotFound, format!("{what}: it does not exist (any more)"))
        }
        _ => error,
    }
}

/// A conflict with the value that is there and the one that is wanted.
fn reported(conflict: &FieldConflict, write: &Write) -> String {
    let value = |object: &Value| {
        let found = FieldPath::displayed(object, &conflict.field).and_then(|path| path.find(object).cloned());
        found.map_or_else(|| "nothing".to_owned(), |value| as_yaml(&value))
    };
    let (from, to) = (value(&write.live), value(&write.desired));
    format!("{} is owned by {}: {from} is there, {to} is wanted", conflict.field, conflict.manager)
}

/// A value as it can be written into a manifest: text with quotes in it between single ones.
fn as_yaml(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// What to do about a conflict: a field with the same value is owned together, and nobody has to give it up.
fn conflict_help(fields: &[FieldConflict]) -> String {
    let mut managers: Vec<&str> = fields.iter().map(|conflict| conflict.manager.as_str()).collect();
    managers.sort_unstable();
    managers.dedup();
    let places: Vec<String> = managers.iter().map(|manager| manifest_of(manager)).collect();
    format!(
        "nothing was written; write the wanted value into {}, apply that, and run again: both then hold the same value. \
         --force-conflicts takes the field over, until it is applied there again",
        places.join(" and ")
    )
}

/// Where the manifest of a field manager is kept, in words.
pub fn manifest_of(manager: &str) -> String {
    match manager {
        "kubectl-client-side-apply" => "the manifest that 'kubectl apply' applies".to_owned(),
        "kubectl" => "the manifest that 'kubectl apply --server-side' applies".to_owned(),
        "helm" => "the Helm chart or its values".to_owned(),
        "argocd-controller" => "the manifest that Argo CD applies".to_owned(),
        "kustomize-controller" | "helm-controller" => "the manifest that Flux applies".to_owned(),
        other => format!("the manifest that {other} applies"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at bad data")]
mod tests {
    use super::*;

    /// The server's own answer is a dump of 4 KB that says nothing of how to go on.
    #[test]
    fn a_job_is_refused_before_anything_is_sent() {
        let refused = |kind: &str, desired: &Value| {
            let live = json!({"kind": kind, "spec": {"template": {"spec": {}}}});
            let (resource, desired) = (super::super::paths::workload("Deployment").unwrap(), desired.clone());
            let (namespace, name) = ("n".to_owned(), "w".to_owned());
            unchangeable(&Write {
                resource,
                namespace,
                name,
                live,
                desired,
                ours: Vec::new(),
                by_record: false,
            })
            .map(|error| error.failure)
        };
        let changed = json!({"spec": {"template": {"spec": {"volumes": []}}}});
        let annotated = json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"template": {"spec": {}}}});
        assert_eq!(refused("Job", &changed), Some(Failure::Invalid));
        assert_eq!(refused("Job", &annotated), None);
        assert_eq!(refused("Deployment", &changed), None);
    }
}
