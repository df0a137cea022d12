//! An AgentRuntime and its rivals in, the validating webhook's verdict out, word for word. Whether the CRD schema
//! admits the object is left to [`super::schema`]; whether the webhook is registered at all, to the caller (Q13).
//!
//! Source: operator-spec.md section 9.1. The rules of a profile are data: [`WebhookRules`](crate::api::profile::WebhookRules).

use std::collections::{BTreeSet, HashMap};

use foldhash::{HashSet, HashSetExt as _};

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, TargetRef};
use crate::api::object::ObjectRef;
use crate::api::profile::Profile;

use crate::go::quote::go_quote;

use super::findings::{Finding, Rule, rules, skill_path};

pub use crate::api::names::PROTECTED_PATHS;

/// Name of the webhook in the operator's ValidatingWebhookConfiguration, the same in every profile.
pub const WEBHOOK_NAME: &str = "vagentruntime.kb.io";

/// The last profile whose CRD and webhook know `spec.skills` and every rule about it.
pub const LAST_WITH_SKILLS: &str = "no-trace";

/// What is asked of the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// Any change, also the removal of a finalizer (Q16).
    Update,
    /// Always accepted.
    Delete,
}

/// Which AgentRuntime of one namespace targets which workload, for any number of verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    // The two names that come first are enough: at most one of them is the runtime that is judged.
    first_two: HashMap<TargetRef, BTreeSet<String>>,
}

impl Targets {
    /// Indexes the AgentRuntimes of one namespace, in any order; linear in their number.
    ///
    /// The API lists them by the bytes of their names, so the first rival is the one with the least name.
    pub fn new(runtimes: impl IntoIterator<Item = (String, TargetRef)>) -> Self {
        let mut targets = Self::default();
        for (name, target) in runtimes {
            let names = targets.first_two.entry(target).or_default();
            names.insert(name);
            if names.len() > 2 {
                names.pop_last();
            }
        }
        targets
    }

    /// The first other AgentRuntime, by name, whose target equals in all three fields as text.
    pub fn rival(&self, name: &str, target: &TargetRef) -> Option<&str> {
        self.first_two.get(target)?.iter().map(String::as_str).find(|rival| *rival != name)
    }
}

/// What is known of the other AgentRuntimes in the namespace.
#[derive(Debug, Clone, Copy)]
pub enum Rivals<'t> {
    /// The list failed or there was no reader: the webhook then accepts any target
    /// (`validate/list-fails-open`, `validate/no-reader`).
    Unknown,
    /// All AgentRuntimes of the namespace; the judged one may be among them.
    Known(&'t Targets),
}

/// Why the webhook refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, the field and the message without the field.
    pub finding: Finding,
    /// The skill that the webhook's own message begins with.
    skill: Option<usize>,
}

impl Refusal {
    /// The webhook's own message, to the byte.
    pub fn message(&self) -> String {
        match self.skill {
            Some(index) => format!("spec.skills[{index}]: {}", self.finding.message),
            None => self.finding.message.clone(),
        }
    }
}

/// Accepted, or the reason why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why the webhook does not let the request pass; none if it does.
    pub refusal: Option<Refusal>,
}

impl Verdict {
    /// Whether the webhook lets the request pass.
    pub fn allowed(&self) -> bool {
        self.refusal.is_none()
    }

    /// The webhook's own message; none exactly if allowed.
    pub fn message(&self) -> Option<String> {
        self.refusal.as_ref().map(Refusal::message)
    }

    /// The message as a client of the API server reads it, with status 403; none if allowed.
    pub fn server_message(&self) -> Option<String> {
        let message = self.message()?;
        Some(format!("admission webhook \"{WEBHOOK_NAME}\" denied the request: {message}"))
    }
}

/// The webhook's answer; the first rule that fails decides.
///
/// `runtime` names the judged object and its namespace. The API server sends only objects that passed the CRD schema
/// and its defaults; this function, like the webhook, takes any.
pub fn verdict(
    profile: &Profile,
    operation: Operation,
    runtime: &ObjectRef,
    spec: &AgentRuntimeSpec,
    rivals: Rivals<'_>,
) -> Verdict {
    if operation == Operation::Delete {
        return Verdict { refusal: None };
    }
    let wanted = &profile.webhook;
    let refusal = rival_target(runtime, &spec.target_ref, rivals)
        .or_else(|| wanted.mtls_envoy.then(|| mtls_with_envoy(spec)).flatten())
        .or_else(|| wanted.tls_bridge.then(|| tls_bridge_without_proxy(spec)).flatten())
        .or_else(|| wanted.skills_unique.then(|| skills(&spec.skills, wanted.mount_path_denylist)).flatten());
    Verdict { refusal }
}

fn about(rule: &'static Rule, field: &'static str, message: String) -> Refusal {
    Refusal { finding: Finding::new(rule, vec!["spec".into(), field.into()], message), skill: None }
}

fn rival_target(runtime: &ObjectRef, target: &TargetRef, rivals: Rivals<'_>) -> Option<Refusal> {
    let Rivals::Known(targets) = rivals else { return None };
    let rival = targets.rival(&runtime.name, target)?;
    let message = format!(
        "an AgentRuntime already targets {} {} in namespace {}: {rival}",
        target.kind, target.name, runtime.namespace
    );
    Some(about(&rules::WEBHOOK_TARGET, "targetRef", message))
}

fn mtls_with_envoy(spec: &AgentRuntimeSpec) -> Option<Refusal> {
    let wants_mtls = !matches!(spec.mtls_mode.as_str(), "" | "disabled");
    (wants_mtls && spec.auth_bridge_mode == "envoy-sidecar").then(|| {
        let message = format!(
            "mtlsMode={} is not supported with authBridgeMode=envoy-sidecar; set authBridgeMode to proxy-sidecar or \
             lite (envoy-sidecar mTLS is tracked as a follow-up)",
            go_quote(&spec.mtls_mode)
        );
        about(&rules::WEBHOOK_MTLS, "mtlsMode", message)
    })
}

fn tls_bridge_without_proxy(spec: &AgentRuntimeSpec) -> Option<Refusal> {
    let bridged = spec.tls_bridge_mode == "enabled";
    let proxied = matches!(spec.auth_bridge_mode.as_str(), "" | "proxy-sidecar" | "lite");
    (bridged && !proxied).then(|| {
        let message = format!(
            "tlsBridgeMode=enabled requires authBridgeMode proxy-sidecar or lite (the TLS bridge lives in the Go \
             forward proxy); it is not supported with authBridgeMode {}",
            go_quote(&spec.auth_bridge_mode)
        );
        about(&rules::WEBHOOK_TLS_BRIDGE, "tlsBridgeMode", message)
    })
}

fn skills(skills: &[Skill], denylist: bool) -> Option<Refusal> {
    let mut names = HashSet::with_capacity(skills.len());
    let mut paths = HashSet::with_capacity(skills.len());
    for (index, skill) in skills.iter().enumerate() {
        let refusal = |rule, field, message: String| {
            let finding = Finding::new(rule, skill_path(index, field), message);
            Some(Refusal { finding, skill: Some(index) })
        };
        let path = go_quote(&skill.mount_path);
        if !names.insert(skill.name.as_str()) {
            let message = format!("duplicate skill name {}", go_quote(&skill.name));
            return refusal(&rules::WEBHOOK_SKILL_NAME, "name", message);
        }
        if !paths.insert(skill.mount_path.as_str()) {
            let message = format!("duplicate mountPath {path}");
            return refusal(&rules::WEBHOOK_SKILL_PATH, "mountPath", message);
        }
        if !denylist {
            continue;
        }
        if skill.mount_path.contains("..") {
            let message = format!("mountPath {path} must not contain path traversal (..)");
            return refusal(&rules::WEBHOOK_PROTECTED_PATH, "mountPath", message);
        }
        // Textual, without a segment boundary: /devops is refused, //proc is not (Q14).
        if let Some(prefix) = PROTECTED_PATHS.iter().find(|prefix| skill.mount_path.starts_with(**prefix)) {
            let message = format!("mountPath {path} overlaps protected path {}", go_quote(prefix));
            return refusal(&rules::WEBHOOK_PROTECTED_PATH, "mountPath", message);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(name: &str) -> ObjectRef {
        ObjectRef {
            api_version: "agent.kagenti.dev/v1alpha1".to_owned(),
            kind: "AgentRuntime".to_owned(),
            namespace: "team1".to_owned(),
            name: name.to_owned(),
        }
    }

    fn target(name: &str) -> TargetRef {
        TargetRef { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned(), name: name.to_owned() }
    }

    fn judged(profile: &str, spec: &AgentRuntimeSpec) -> Option<String> {
        let profile = Profile::by_name(profile).unwrap();
        verdict(profile, Operation::Update, &runtime("weather"), spec, Rivals::Unknown).message()
    }

    /// Quadratic work or a wrong pick would show with many runtimes on one target: each but the first names the
    /// first, and the first names the second.
    #[test]
    fn two_thousand_runtimes_on_one_workload_all_name_the_first_other() {
        let names: Vec<String> = (0..2000).rev().map(|number| format!("runtime-{number:04}")).collect();
        let targets = Targets::new(names.iter().map(|name| (name.clone(), target("weather"))));
        for name in &names {
            let other = if name == "runtime-0000" { "runtime-0001" } else { "runtime-0000" };
            assert_eq!(targets.rival(name, &target("weather")), Some(other));
            assert_eq!(targets.rival(name, &target("other")), None);
        }
    }

    /// A user of an observing profile would otherwise meet this refusal only at the cluster.
    #[test]
    fn the_tls_bridge_wants_a_proxy_from_identity_removed_on() {
        let spec = |mode: &str| AgentRuntimeSpec {
            tls_bridge_mode: "enabled".to_owned(),
            auth_bridge_mode: mode.to_owned(),
            ..AgentRuntimeSpec::default()
        };
        let refused = "tlsBridgeMode=enabled requires authBridgeMode proxy-sidecar or lite (the TLS bridge lives in \
                       the Go forward proxy); it is not supported with authBridgeMode \"waypoint\"";
        for profile in ["identity-removed", "spiffe-helper", "head", "rossoctl"] {
            assert_eq!(judged(profile, &spec("waypoint")), Some(refused.to_owned()), "{profile}");
            for mode in ["", "proxy-sidecar", "lite"] {
                assert_eq!(judged(profile, &spec(mode)), None, "{profile} {mode}");
            }
        }
        for profile in ["pr332", "pr332-merged", "no-trace", "no-skills", "two-layer"] {
            assert_eq!(judged(profile, &spec("waypoint")), None, "{profile}");
        }
    }

    /// 177ed3b dropped these rules; refusing what that operator accepts would block a working set-up.
    #[test]
    fn later_profiles_accept_duplicate_skills_and_mtls_with_envoy() {
        let skill = Skill { name: "a".to_owned(), mount_path: "/proc/..".to_owned(), ..Skill::default() };
        let spec = AgentRuntimeSpec {
            mtls_mode: "strict".to_owned(),
            auth_bridge_mode: "envoy-sidecar".to_owned(),
            skills: vec![skill.clone(), skill],
            ..AgentRuntimeSpec::default()
        };
        for profile in ["no-skills", "two-layer", "identity-removed", "spiffe-helper", "head", "rossoctl"] {
            assert_eq!(judged(profile, &spec), None, "{profile}");
        }
        assert!(judged("pr332", &spec).is_some_and(|message| message.starts_with("mtlsMode=\"strict\"")));
    }

    #[test]
    fn the_server_wraps_the_message_with_the_webhooks_name() {
        let targets = Targets::new([("other".to_owned(), target("weather"))]);
        let spec = AgentRuntimeSpec { target_ref: target("weather"), ..AgentRuntimeSpec::default() };
        let profile = Profile::by_name("head").unwrap();
        let ask = |operation| {
            verdict(profile, operation, &runtime("weather"), &spec, Rivals::Known(&targets)).server_message()
        };
        assert_eq!(
            ask(Operation::Create).as_deref(),
            Some(
                "admission webhook \"vagentruntime.kb.io\" denied the request: an AgentRuntime already targets \
                 Deployment weather in namespace team1: other"
            )
        );
        assert_eq!(ask(Operation::Delete), None);
    }
}
