//! What a policy about skills says of references alone, for the API server: a ValidatingAdmissionPolicy over image volumes of pods
//! and pod templates, and over what init containers of ours fetch there. Signatures are left to [`super::signature_policy`], all else to who has a lock.
//!
//! A workload that is changed is asked about the images that the change brings: what was there before must stay editable, or nobody
//! could scale it down or take its finalizer out.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::admission_policy::{Action, bound, rule};
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::workload::WorkloadKind;
use crate::crd::cel;
use crate::plan::init_containers::PULL;
use crate::skill::policy::reference::name;
use crate::skill::policy::{Policy, RuleId};
use crate::yaml::emit;

/// Name of the policy, and of its binding.
pub const NAME: &str = "images.skills.kagenti.dev";

/// Texts that Docker Hub is named by in a reference.
const HUBS: [&str; 3] = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"];

/// How the policy is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What happens to a pod or a workload that breaks a rule.
    pub action: Action,
    /// Namespaces in which the rules hold; all where none is given.
    pub namespaces: Vec<String>,
}

/// What is printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// What the objects leave out or ask for differently, in sentences.
    pub comments: Vec<String>,
    /// The objects.
    pub objects: Vec<Value>,
}

impl Printed {
    /// As YAML, with the comments above.
    pub fn text(&self) -> String {
        let comments: String = self.comments.iter().map(|line| format!("# {line}\n")).collect();
        comments + &emit::documents(&self.objects)
    }
}

/// The policy and its binding.
///
/// # Errors
/// It asks for nothing that a reference says.
pub fn print(policy: &Policy, binding: &Binding, today: Date) -> Result<Printed, String> {
    let validations = validations(policy);
    if validations.is_empty() {
        return Err(format!(
            "{} asks for nothing that CEL can say: it has none of registries, pinned and perAgent.skills",
            policy.file
        ));
    }
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": resources()},
            "matchConditions": [
                {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
            ],
            "variables": variables(policy, today),
            "validations": validations,
        },
    });
    let objects = vec![object, bound(NAME, binding.action, &binding.namespaces, None)];
    Ok(Printed { comments: left_out(policy, today), objects })
}

/// What the API server cannot ask, in sentences.
fn left_out(policy: &Policy, today: Date) -> Vec<String> {
    let mut out = vec![format!(
        "Of {}: registries, pinned and perAgent.skills, which references alone answer.",
        policy.file
    )];
    let Policy { limits, per_agent, .. } = policy;
    let asked = [
        ("signedBy", !policy.signed_by.is_empty()),
        ("licenses", policy.licenses.is_some()),
        ("allowedTools", policy.allowed_tools.is_some()),
        ("limits", *limits != crate::skill::policy::Limits::default()),
        ("perAgent.tokens", per_agent.tokens.or(per_agent.description_tokens).is_some()),
        ("attestations", !policy.attestations.is_empty()),
    ];
    let asked: Vec<&str> = asked.iter().filter(|(_, asked)| *asked).map(|(name, _)| *name).collect();
    if !asked.is_empty() {
        out.push(format!(
            "Not asked here, since CEL reads no image and no lock: {}. 'webhook' and 'controller' ask it with --policy and --locked.",
            asked.join(", ")
        ));
    }
    for exception in said_exceptions(policy, today) {
        let crate::skill::policy::Exception { image, rule, until, .. } = exception;
        out.push(format!("CEL has no clock: the exception of {image} from {} ends on {until} only if this is printed again.", rule.name()));
    }
    out
}

/// Exceptions that hold today, of rules that are asked here.
fn said_exceptions(policy: &Policy, today: Date) -> impl Iterator<Item = &crate::skill::policy::Exception> {
    let asked = move |rule| match rule {
        RuleId::Registry => policy.registries.is_some(),
        RuleId::Pinned => policy.pinned,
        _ => false,
    };
    policy.exceptions.iter().filter(move |one| asked(one.rule) && !one.is_over(today))
}

/// Pods as they are created, and the templates of the table of kinds.
fn resources() -> Value {
    let mut rules = vec![
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}),
    ];
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in WorkloadKind::ALL {
        let plural = plural(kind);
        match groups.iter_mut().find(|(group, _)| *group == kind.group()) {
            Some((_, plurals)) => plurals.push(plural),
            None => groups.push((kind.group(), vec![plural])),
        }
    }
    rules.extend(groups.into_iter().map(|(group, plurals)| {
        json!({"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": plurals})
    }));
    Value::Array(rules)
}

fn plural(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployments",
        WorkloadKind::StatefulSet => "statefulsets",
        WorkloadKind::Sandbox => "sandboxes",
        WorkloadKind::DaemonSet => "daemonsets",
        WorkloadKind::ReplicaSet => "replicasets",
        WorkloadKind::Job => "jobs",
        WorkloadKind::CronJob => "cronjobs",
        WorkloadKind::Rollout => "rollouts",
        // The table has no other.
        WorkloadKind::KnativeService | WorkloadKind::Custom(_) => "services",
    }
}

/// References of the image volumes of an object, a pod or a workload, and of its init containers that `render --delivery init` has
/// written.
fn references(object: &str) -> String {
    let mut pod = format!("{object}.?spec.?template.?spec");
    for kind in WorkloadKind::ALL.into_iter().filter(|kind| kind.paths().pod != ["spec", "template", "spec"])
    {
        let way: String = kind.paths().pod.iter().map(|key| format!(".?{key}")).collect();
        pod = format!("object.kind == '{}' ? {object}{way} : {pod}", kind.name());
    }
    // A list of one stands for a variable.
    let (prefix, verb) = (cel::text(SKILL_VOLUME_PREFIX), cel::text(PULL));
    format!(
        "[(object.kind == 'Pod' ? {object}.?spec : {pod}).orValue({{}})].map(p, p.?volumes.orValue([])\
         .filter(v, has(v.image) && has(v.image.reference) && v.image.reference != '').map(v, v.image.reference) + \
         p.?initContainers.orValue([])\
         .filter(c, c.name.startsWith({prefix}) && has(c.args) && c.args.size() > 1 && c.args[0] == {verb}).map(c, c.args[1]))[0]"
    )
}

fn variables(policy: &Policy, today: Date) -> Value {
    let mut out = vec![
        // Its type differs from kind to kind.
        ("now", references("dyn(object)")),
        ("before", format!("oldObject == null ? [] : {}", references("dyn(oldObject)"))),
        ("new", "variables.now.filter(r, !(r in variables.before))".to_owned()),
    ];
    if let Some(registries) = &policy.registries {
        let stripped = HUBS.iter().fold("r".to_owned(), |rest, hub| {
            format!("r.startsWith({}) ? r.substring({}) : {rest}", cel::text(hub), hub.len())
        });
        // A list of one stands for a variable.
        let host =
            "r.contains('/') && (r.split('/')[0].matches('[.:A-Z]') || r.split('/')[0] == 'localhost')";
        let normal = format!(
            "[{stripped}].map(s, s == r && {host} ? r : 'docker.io/' + (s.contains('/') ? s : 'library/' + s))[0]"
        );
        let within: Vec<String> = registries.iter().map(|prefix| within(prefix)).collect();
        let within = if within.is_empty() { "false".to_owned() } else { within.join(" || ") };
        let excepted = excepted(policy, RuleId::Registry, today, "n");
        out.push(("names", format!("variables.new.map(r, {normal})")));
        out.push(("foreign", format!("variables.names.filter(n, !({within}{excepted}))")));
    }
    if policy.pinned {
        let excepted = excepted(policy, RuleId::Pinned, today, "r");
        out.push((
            "unpinned",
            format!("variables.new.filter(r, !(r.matches('@sha(256|384|512):[0-9a-f]+$'){excepted}))"),
        ));
    }
    out.into_iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

/// Whether the normal spelling `n` of an image is a prefix or lies below it.
fn within(prefix: &str) -> String {
    let below = format!("n.startsWith({})", cel::text(&format!("{prefix}/")));
    if !prefix.contains('/') {
        return below;
    }
    let and = |mark: &str| format!("n.startsWith({})", cel::text(&format!("{prefix}{mark}")));
    format!("n == {} || {below} || {} || {}", cel::text(prefix), and(":"), and("@"))
}

/// `|| n.matches(...)` for each exception from a rule that holds today.
fn excepted(policy: &Policy, rule: RuleId, today: Date, variable: &str) -> String {
    said_exceptions(policy, today)
        .filter(|one| one.rule == rule)
        .map(|one| {
            let pattern: Vec<String> = one.image.split('*').map(regex::escape).collect();
            // A pattern without a registry means Docker Hub's, as a reference does.
            let normal: Vec<String> = name(&one.image).split('*').map(regex::escape).collect();
            let expression = format!("^({}|{})(:[^/@]+)?(@.+)?$", pattern.join(".*"), normal.join(".*"));
            format!(" || {variable}.matches({})", cel::text(&expression))
        })
        .collect()
}

fn validations(policy: &Policy) -> Vec<Value> {
    let mut out = Vec::new();
    if let Some(registries) = &policy.registries {
        let allowed = cel::text(&registries.join(", "));
        out.push(rule(
            "variables.foreign.size() == 0",
            &format!(
                "'skill images of registries that the policy does not allow: ' + variables.foreign.join(', ') + '; allowed are ' + {allowed}"
            ),
            "a skill image is of a registry that the policy does not allow",
        ));
    }
    if policy.pinned {
        out.push(rule(
            "variables.unpinned.size() == 0",
            "'skill images that are not named by digest: ' + variables.unpinned.join(', ') + '; write IMAGE:TAG@sha256:DIGEST'",
            "a skill image is not named by digest",
        ));
    }
    if let Some(limit) = policy.per_agent.skills {
        out.push(rule(
            &format!("variables.now.size() <= {limit} || variables.now.size() <= variables.before.size()"),
            &format!("'has ' + string(variables.now.size()) + ' skill images; the policy allows {limit} skills for an agent'"),
            "has more skill images than the policy allows skills for an agent",
        ));
    }
    out
}
