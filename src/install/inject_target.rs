//! Whether a new pod is one of a SkillBinding's: the SkillBinding as `params` and the pod as `object`, in CEL. What is
//! written into it is left to [`super::inject_policy`].
//!
//! Only what the pod itself shows can be asked: its labels and its owner. A pod's workload is often its owner's owner, and
//! is identified by the owner's name.

const OWNERS: &str = "object.metadata.?ownerReferences.orValue([])";
const LABELS: &str = "object.metadata.?labels.orValue({})";
const TARGET: &str = "params.spec.targetRef";

/// Whether the SkillBinding is delivered to pods, and the pod is one that can take image volumes: none of Windows, none
/// that the kubelet only mirrors, and none without containers, which the server refuses in its own words.
pub(super) fn is_wanted() -> String {
    "params.spec.?delivery.orValue('Workload') == 'Pod' && !has(params.metadata.deletionTimestamp) && \
     (!has(object.spec.os) || object.spec.os.name != 'windows') && \
     !('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({})) && \
     has(object.spec.containers) && object.spec.containers.size() > 0"
        .to_owned()
}

/// Whether the pod is one of the target's, or of those that the selector picks.
pub(super) fn is_target() -> String {
    let kind = format!("{TARGET}.apiVersion.split('/')[0] + '/' + {TARGET}.kind");
    let deployment = by_replica_set("pod-template-hash");
    let rollout = by_replica_set("rollouts-pod-template-hash");
    // A Job of a CronJob is called after it and the minute of its schedule.
    let minute = format!("o.name.substring({TARGET}.name.size() + 1).matches('^[0-9]{{8,}}$')");
    let cron_job = owned_by("Job", "batch", &format!("o.name.startsWith({TARGET}.name + '-') && {minute}"));
    let knative = format!("{LABELS}[?'serving.knative.dev/service'].orValue('') == {TARGET}.name");
    let owner = format!(
        "{OWNERS}.exists(o, o.?controller.orValue(false) && o.kind == {TARGET}.kind && o.name == {TARGET}.name && \
         o.apiVersion.split('/')[0] == {TARGET}.apiVersion.split('/')[0])"
    );
    let selector = selector();
    format!(
        "has({TARGET}) ? ({kind} == 'apps/Deployment' ? {deployment} : {kind} == 'argoproj.io/Rollout' ? {rollout} : \
         {kind} == 'batch/CronJob' ? {cron_job} : {kind} == 'serving.knative.dev/Service' ? {knative} : {owner}) : \
         ({selector})"
    )
}

fn owned_by(kind: &str, group: &str, named: &str) -> String {
    format!(
        "{OWNERS}.exists(o, o.?controller.orValue(false) && o.kind == '{kind}' && \
         o.apiVersion.split('/')[0] == '{group}' && {named})"
    )
}

/// A ReplicaSet is called after its owner and the hash that its pods have as a label; a name that would be too long is
/// cut.
fn by_replica_set(label: &str) -> String {
    let hash = format!("{LABELS}[?'{label}'].orValue('')");
    let suffix = format!("'-' + {hash}");
    format!(
        "{hash} != '' && {}",
        owned_by(
            "ReplicaSet",
            "apps",
            &format!(
                "(o.name == {TARGET}.name + {suffix} || ({TARGET}.name.size() + {hash}.size() > 252 && \
                 o.name == {TARGET}.name.substring(0, 252 - {hash}.size()) + {suffix}))"
            )
        )
    )
}

/// `metav1.LabelSelector` over the pod's labels.
fn selector() -> String {
    let labels = "params.spec.selector.?matchLabels.orValue({})";
    let expressions = "params.spec.selector.?matchExpressions.orValue([])";
    format!(
        "{labels}.all(k, v, {LABELS}[?k] == optional.of(v)) && {expressions}.all(e, \
         e.operator == 'In' ? e.key in {LABELS} && {LABELS}[e.key] in e.values : \
         e.operator == 'NotIn' ? !(e.key in {LABELS}) || !({LABELS}[e.key] in e.values) : \
         e.operator == 'Exists' ? e.key in {LABELS} : !(e.key in {LABELS}))"
    )
}
