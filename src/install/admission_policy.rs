//! A profile in, its webhook's rules as ValidatingAdmissionPolicies in CEL out: for clusters that want the verdicts of
//! [`crate::validate::webhook`] without a webhook. Installing them is left to callers.
//!
//! Two policies, since a policy with parameters is not evaluated at all where there are none: the rules about one
//! object, and the one about its rivals, whose parameters are the AgentRuntimes of the namespace.
//! What CEL cannot say as the webhook does is listed in docs/webhook.md; the expressions need Kubernetes 1.30.

use serde_json::{Map, Value, json};

use crate::api::names::{AGENT_RUNTIME, PROTECTED_PATHS, VERSION};
use crate::api::profile::Profile;
use crate::crd::PLURAL;
use crate::go::quote::go_quote;
use crate::yaml::emit;

/// What a cluster does with an object that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Refuses it.
    Deny,
    /// Takes it and warns the client.
    Warn,
    /// Takes it and notes it in the audit log.
    Audit,
}

/// How the policies are bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What happens to an object that breaks a rule.
    pub action: Action,
    /// Namespaces in which the rules hold; all where none is given.
    pub namespaces: Vec<String>,
    /// Lets changes of an object pass that is being deleted. The webhook checks them as well, so that an object which
    /// became invalid keeps its finalizer for ever (Q16).
    pub pass_deleting: bool,
}

impl Default for Binding {
    fn default() -> Self {
        Self { action: Action::Deny, namespaces: Vec::new(), pass_deleting: false }
    }
}

/// Greatest number of skills that the CRD admits; CEL has no loop over numbers, so they are written out.
const MAX_SKILLS: usize = 20;

/// Characters that Go's `%q` escapes and that are named one by one: CEL's `strings.quote` leaves them as they are, and
/// CEL knows no code points. Others that do not print come out raw.
const ESCAPED: [std::ops::RangeInclusive<u32>; 3] = [0..=0xff, 0x2000..=0x206f, 0xfeff..=0xfeff];

/// Name of the policy over one object.
pub fn object_policy_name(profile: &Profile) -> String {
    format!("{PLURAL}.{}", profile.names.group)
}

/// Name of the policy over an object and its rivals.
pub fn rival_policy_name(profile: &Profile) -> String {
    format!("targets.{PLURAL}.{}", profile.names.group)
}

/// The policies and their bindings, each policy before its binding.
pub fn objects(profile: &Profile, binding: &Binding) -> Vec<Value> {
    let mut out = Vec::new();
    let (variables, validations) = object_rules(profile);
    if !validations.is_empty() {
        let name = object_policy_name(profile);
        let mut spec = spec(profile, binding);
        if !variables.is_empty() {
            spec.insert("variables".into(), Value::Array(variables));
        }
        spec.insert("validations".into(), Value::Array(validations));
        out.push(policy(&name, spec));
        out.push(bound(&name, binding.action, &binding.namespaces, None));
    }
    let name = rival_policy_name(profile);
    let mut spec = spec(profile, binding);
    spec.insert(
        "paramKind".into(),
        json!({"apiVersion": format!("{}/{VERSION}", profile.names.group), "kind": AGENT_RUNTIME}),
    );
    spec.insert("validations".into(), json!([rival_rule()]));
    out.push(policy(&name, spec));
    // No namespace: the parameters are then those of the judged object's namespace.
    let params = json!({"selector": {}, "parameterNotFoundAction": "Allow"});
    out.push(bound(&name, binding.action, &binding.namespaces, Some(params)));
    out
}

/// The objects as YAML documents.
pub fn text(profile: &Profile, binding: &Binding) -> String {
    emit::documents(&objects(profile, binding))
}

fn policy(name: &str, spec: Map<String, Value>) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn spec(profile: &Profile, binding: &Binding) -> Map<String, Value> {
    let mut spec = Map::new();
    spec.insert("failurePolicy".into(), json!("Fail"));
    spec.insert(
        "matchConstraints".into(),
        json!({"resourceRules": [{
            "apiGroups": [profile.names.group],
            "apiVersions": [VERSION],
            "operations": ["CREATE", "UPDATE"],
            "resources": [PLURAL],
        }]}),
    );
    if binding.pass_deleting {
        spec.insert(
            "matchConditions".into(),
            json!([{"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"}]),
        );
    }
    spec
}

/// The binding of a policy, of the same name.
pub(super) fn bound(name: &str, action: Action, namespaces: &[String], params: Option<Value>) -> Value {
    let action = match action {
        Action::Deny => "Deny",
        Action::Warn => "Warn",
        Action::Audit => "Audit",
    };
    let mut spec = Map::new();
    spec.insert("policyName".into(), json!(name));
    if let Some(params) = params {
        spec.insert("paramRef".into(), params);
    }
    if !namespaces.is_empty() {
        spec.insert(
            "matchResources".into(),
            json!({"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces},
            ]}}),
        );
    }
    spec.insert("validationActions".into(), json!([action]));
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// `message` is what remains where the expression's outcome cannot be shown: longer than 5 KiB, or failed.
pub(super) fn rule(expression: &str, message_expression: &str, message: &str) -> Value {
    json!({
        "expression": expression,
        "messageExpression": message_expression,
        "message": message,
        // The webhook's code, 403; by itself a policy answers 422.
        "reason": "Forbidden",
    })
}

/// Variables and rules over one object, in the webhook's order: the first rule that fails gives the message.
fn object_rules(profile: &Profile) -> (Vec<Value>, Vec<Value>) {
    let rules = &profile.webhook;
    let mut variables = Vec::new();
    let mut validations = Vec::new();
    if rules.mtls_envoy {
        validations.push(rule(
            "!has(object.spec.mtlsMode) || object.spec.mtlsMode in ['', 'disabled'] || \
             !has(object.spec.authBridgeMode) || object.spec.authBridgeMode != 'envoy-sidecar'",
            &format!(
                "'mtlsMode=' + {} + ' is not supported with authBridgeMode=envoy-sidecar; set authBridgeMode to \
                 proxy-sidecar or lite (envoy-sidecar mTLS is tracked as a follow-up)'",
                "strings.quote(object.spec.mtlsMode)"
            ),
            "this mtlsMode is not supported with authBridgeMode=envoy-sidecar; set authBridgeMode to proxy-sidecar or \
             lite (envoy-sidecar mTLS is tracked as a follow-up)",
        ));
    }
    if rules.tls_bridge {
        validations.push(rule(
            "!has(object.spec.tlsBridgeMode) || object.spec.tlsBridgeMode != 'enabled' || \
             !has(object.spec.authBridgeMode) || object.spec.authBridgeMode in ['', 'proxy-sidecar', 'lite']",
            &format!(
                "'tlsBridgeMode=enabled requires authBridgeMode proxy-sidecar or lite (the TLS bridge lives in the Go \
                 forward proxy); it is not supported with authBridgeMode ' + {}",
                "strings.quote(object.spec.authBridgeMode)"
            ),
            "tlsBridgeMode=enabled requires authBridgeMode proxy-sidecar or lite (the TLS bridge lives in the Go \
             forward proxy)",
        ));
    }
    if rules.skills_unique {
        variables = skill_variables(rules.mount_path_denylist);
        validations.push(skill_rule(rules.mount_path_denylist));
    }
    (variables, validations)
}

fn skill_variables(denylist: bool) -> Vec<Value> {
    let numbers: Vec<String> = (0..MAX_SKILLS).map(|number| number.to_string()).collect();
    let earlier = |field: &str| {
        format!(
            "variables.indexes.exists(j, j < i && variables.skills[j].{field} == variables.skills[i].{field})"
        )
    };
    let mut refused = vec![earlier("name"), earlier("mountPath")];
    if denylist {
        refused.push("variables.skills[i].mountPath.contains('..')".to_owned());
        refused.push("variables.protected.exists(p, variables.skills[i].mountPath.startsWith(p))".to_owned());
    }
    let mut out = vec![
        ("skills", "has(object.spec.skills) ? object.spec.skills : []".to_owned()),
        ("indexes", format!("[{}].filter(i, i < size(variables.skills))", numbers.join(", "))),
    ];
    if denylist {
        let paths: Vec<String> = PROTECTED_PATHS.iter().map(|path| format!("'{path}'")).collect();
        out.push(("protected", format!("[{}]", paths.join(", "))));
    }
    out.push(("refused", format!("variables.indexes.filter(i, {})", refused.join(" || "))));
    // Read in messages only, so when something is refused: variables are evaluated when they are first read.
    out.push(("first", "variables.refused[0]".to_owned()));
    out.push(("skill", "variables.skills[variables.first]".to_owned()));
    out.push(("path", quoted("variables.skill.mountPath")));
    out.into_iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

fn skill_rule(denylist: bool) -> Value {
    let earlier = |field: &str| {
        format!(
            "variables.indexes.exists(j, j < variables.first && variables.skills[j].{field} == variables.skill.{field})"
        )
    };
    let mut message = format!(
        "'spec.skills[' + string(variables.first) + ']: ' + ({} ? 'duplicate skill name ' + {} : ",
        earlier("name"),
        "strings.quote(variables.skill.name)"
    );
    if denylist {
        message.push_str(&format!(
            "{} ? 'duplicate mountPath ' + variables.path : \
             variables.skill.mountPath.contains('..') ? \
             'mountPath ' + variables.path + ' must not contain path traversal (..)' : \
             'mountPath ' + variables.path + ' overlaps protected path \"' + \
             variables.protected.filter(p, variables.skill.mountPath.startsWith(p))[0] + '\"')",
            earlier("mountPath")
        ));
    } else {
        message.push_str("'duplicate mountPath ' + variables.path)");
    }
    let fallback = if denylist {
        "spec.skills: names and mountPaths must be unique, and a mountPath must not contain .. or lie in a protected path"
    } else {
        "spec.skills: names and mountPaths must be unique"
    };
    rule("size(variables.refused) == 0", &message, fallback)
}

fn rival_rule() -> Value {
    let target = "spec.targetRef";
    let same: Vec<String> = ["apiVersion", "kind", "name"]
        .iter()
        .map(|field| format!("params.{target}.{field} != object.{target}.{field}"))
        .collect();
    rule(
        &format!("params.metadata.name == object.metadata.name || {}", same.join(" || ")),
        &format!(
            "'an AgentRuntime already targets ' + object.{target}.kind + ' ' + object.{target}.name + \
             ' in namespace ' + request.namespace + ': ' + params.metadata.name"
        ),
        "an AgentRuntime already targets this workload",
    )
}

/// Go's `%q` of a text, as far as [`ESCAPED`] goes. Only paths need it: the CRD holds names and modes to ASCII.
fn quoted(text: &str) -> String {
    let mut out = format!("strings.quote({text})");
    for character in ESCAPED.into_iter().flatten().filter_map(char::from_u32) {
        // What strings.quote escapes by itself, and what prints as it is.
        if matches!(character, '\u{7}'..='\u{d}' | '"' | '\\') {
            continue;
        }
        let escaped = go_quote(&character.to_string());
        let escaped = escaped.trim_matches('"');
        if escaped.starts_with('\\') {
            out.push_str(&format!(".replace('\\u{:04x}', '\\{escaped}')", u32::from(character)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::profile::PROFILES;

    fn rules(name: &str) -> (Vec<Value>, Vec<Value>) {
        object_rules(Profile::by_name(name).unwrap())
    }

    /// A rule too many would block what the operator of that profile accepts; one too few would let pass what it
    /// refuses.
    #[test]
    fn each_profile_has_the_rules_of_its_webhook_and_no_others() {
        for profile in &PROFILES {
            let (variables, validations) = object_rules(profile);
            let text = Value::Array(validations.clone()).to_string();
            let rules = &profile.webhook;
            assert_eq!(text.contains("mtlsMode="), rules.mtls_envoy, "{}", profile.name);
            assert_eq!(text.contains("tlsBridgeMode=enabled"), rules.tls_bridge, "{}", profile.name);
            assert_eq!(text.contains("duplicate skill name"), rules.skills_unique, "{}", profile.name);
            assert_eq!(text.contains("protected path"), rules.mount_path_denylist, "{}", profile.name);
            assert_eq!(variables.is_empty(), !rules.skills_unique, "{}", profile.name);
            let kinds: Vec<Value> =
                objects(profile, &Binding::default()).iter().map(|object| object["kind"].clone()).collect();
            let pairs = if validations.is_empty() { 1 } else { 2 };
            assert_eq!(
                kinds,
                ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"].repeat(pairs),
                "{}",
                profile.name
            );
        }
    }

    /// mTLS comes before the skills in the webhook, and a policy reports its first failing rule.
    #[test]
    fn rules_are_in_the_order_of_the_webhook() {
        let (_, validations) = rules("pr332-merged");
        let order: Vec<bool> =
            validations.iter().map(|rule| rule["expression"].to_string().contains("mtlsMode")).collect();
        assert_eq!(order, [true, false]);
    }

    #[test]
    fn a_binding_names_namespaces_and_action_and_lets_deletions_pass() {
        let binding = Binding {
            action: Action::Warn,
            namespaces: vec!["team1".to_owned(), "team2".to_owned()],
            pass_deleting: true,
        };
        let objects = objects(Profile::by_name("no-skills").unwrap(), &binding);
        assert_eq!(
            objects[0]["spec"]["matchConditions"],
            json!([{"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"}])
        );
        assert_eq!(
            objects[1]["spec"],
            json!({
                "policyName": "targets.agentruntimes.agent.kagenti.dev",
                "paramRef": {"selector": {}, "parameterNotFoundAction": "Allow"},
                "matchResources": {"namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team1", "team2"]},
                ]}},
                "validationActions": ["Warn"],
            })
        );
    }

    /// The server takes a message of one line; a raw control character in the expression would not even be YAML.
    #[test]
    fn expressions_are_printable_ascii_on_one_line() {
        for profile in &PROFILES {
            for object in objects(profile, &Binding::default()) {
                for rule in object["spec"]["validations"].as_array().into_iter().flatten() {
                    for text in ["expression", "messageExpression", "message"] {
                        let text = rule[text].as_str().unwrap();
                        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
                    }
                }
            }
        }
    }
}
