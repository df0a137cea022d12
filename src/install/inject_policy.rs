//! SkillBindings with `delivery: Pod`, carried out by the API server itself: policies in CEL that write skills into pods when
//! they are created. Installing them is left to callers.
//!
//! A MutatingAdmissionPolicy writes what `render` writes into a pod template, as a JSON patch: lists keep their order, and
//! what stands there already is left. What must not be written over it leaves alone, for the API server would find
//! fault with the result in words of its own; a ValidatingAdmissionPolicy sees that afterwards and refuses the pod in ours.
//! A third policy warns the author of a SkillBinding of what he still has to do. The expressions need Kubernetes 1.36,
//! where MutatingAdmissionPolicy is on; what they cannot say is listed in docs/skill-binding.md.

use serde_json::{Value, json};

use super::admission_policy::{Action, bound, rule};
use super::inject_target::{is_target, is_wanted};
use crate::api::agent_location::{AGENT_LOCATIONS, AgentLocation, Discovery};
use crate::api::names::{DEFAULT_CONTAINER, SKILL_BINDING, SKILL_VOLUME_PREFIX, SKILLS_GROUP, VERSION};
pub use crate::api::names::{INJECT, INJECTED};
use crate::crd::cel;
use crate::crd::skill_binding::{self, PLURAL};
use crate::yaml::emit;

/// Namespaces whose pods are never waited for: a cluster must come up without SkillBindings.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// How the policies are bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// What becomes of a pod that cannot have its skills.
    pub action: Action,
    /// Namespaces in which pods get skills; all but those of the system where none is given.
    pub namespaces: Vec<String>,
}

impl Default for Injection {
    fn default() -> Self {
        Self { action: Action::Deny, namespaces: Vec::new() }
    }
}

/// Name of the policy that writes skills into pods, and of its binding.
pub fn mutation_name() -> String {
    format!("inject.{}", skill_binding::name())
}

/// Name of the policy that refuses pods which cannot have their skills, and of its binding.
pub fn refusal_name() -> String {
    format!("refuse.{}", skill_binding::name())
}

/// Name of the policy that warns the author of a SkillBinding, and of its binding.
pub fn advice_name() -> String {
    format!("advise.{}", skill_binding::name())
}

/// The policies and their bindings, each policy before its binding.
pub fn objects(injection: &Injection) -> Vec<Value> {
    let params = json!({"selector": {}, "parameterNotFoundAction": "Allow"});
    let variables = variables();
    let mut mutation_variables = variables.clone();
    mutation_variables.push((
        "at",
        "object.spec.containers.transformList(i, c, c.name == variables.container, '/spec/containers/' + string(i))"
            .to_owned(),
    ));
    let mutation = policy(
        "MutatingAdmissionPolicy",
        &mutation_name(),
        injection,
        json!({"key": INJECT, "operator": "NotIn", "values": ["false"]}),
        &[
            ("variables", named(mutation_variables)),
            ("reinvocationPolicy", json!("IfNeeded")),
            ("mutations", json!([{"patchType": "JSONPatch", "jsonPatch": {"expression": patch()}}])),
        ],
    );
    let mut mutation_binding =
        bound(&mutation_name(), injection.action, &injection.namespaces, Some(params.clone()));
    mutation_binding["kind"] = json!("MutatingAdmissionPolicyBinding");
    if let Some(spec) = mutation_binding["spec"].as_object_mut() {
        spec.remove("validationActions");
    }
    let mut refusal_variables = variables;
    refusal_variables.extend(refusal_variables_only());
    let refusal = policy(
        "ValidatingAdmissionPolicy",
        &refusal_name(),
        injection,
        json!({"key": INJECTED, "operator": "In", "values": ["true"]}),
        &[("variables", named(refusal_variables)), ("validations", Value::Array(refusals()))],
    );
    vec![
        mutation,
        mutation_binding,
        refusal,
        bound(&refusal_name(), injection.action, &injection.namespaces, Some(params)),
        advice(),
        bound(&advice_name(), Action::Warn, &injection.namespaces, None),
    ]
}

/// The objects as YAML documents.
pub fn text(injection: &Injection) -> String {
    emit::documents(&objects(injection))
}

/// A policy over new pods, evaluated once for each SkillBinding of the pod's namespace.
fn policy(kind: &str, name: &str, injection: &Injection, labelled: Value, more: &[(&str, Value)]) -> Value {
    // Who only wants to be warned does not want pods to wait either.
    let failure = if injection.action == Action::Deny { "Fail" } else { "Ignore" };
    let mut spec = json!({
        "failurePolicy": failure,
        "paramKind": {"apiVersion": format!("{SKILLS_GROUP}/{VERSION}"), "kind": SKILL_BINDING},
        "matchConstraints": {
            "namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": SYSTEM_NAMESPACES},
            ]},
            "objectSelector": {"matchExpressions": [labelled]},
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ],
        },
        "matchConditions": [
            {"name": "wanted", "expression": is_wanted()},
            {"name": "target", "expression": is_target()},
        ],
    });
    for (key, value) in more {
        spec[*key] = value.clone();
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

type Variable = (&'static str, String);

fn named(variables: Vec<Variable>) -> Value {
    variables.into_iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

/// What is wanted, and what the pod has: for the mutation and for the refusal.
fn variables() -> Vec<Variable> {
    let variable = |location: &AgentLocation| {
        let name = match location.discovery {
            Discovery::Folders(name) | Discovery::Root(name) => name,
            Discovery::Argument(_) | Discovery::Folder => "",
        };
        format!("{}: {}", cel::text(location.name), cel::text(name))
    };
    let by_variable: Vec<String> = AGENT_LOCATIONS.iter().map(variable).collect();
    let by_list = cel::runtimes(|location| matches!(location.discovery, Discovery::Folders(_)));
    let default_container = cel::text(DEFAULT_CONTAINER);
    vec![
        ("annotations", "object.metadata.?annotations.orValue({})".to_owned()),
        ("containers", "object.spec.containers.map(c, c.name)".to_owned()),
        ("names", format!("params.spec.skills.map(s, '{SKILL_VOLUME_PREFIX}' + s.name)")),
        ("paths", format!("params.spec.skills.map(s, {})", cel::mount_path("params.spec", "s"))),
        (
            "injected",
            format!(
                "{key} in variables.annotations && variables.annotations[{key}] != '' ? \
                 variables.annotations[{key}].split(',') : []",
                key = cel::text(INJECTED)
            ),
        ),
        // The container that was given the skills already: a sidecar that is put before it meanwhile changes nothing.
        (
            "served",
            "variables.injected.exists(e, e.startsWith(params.metadata.name + '/')) ? object.spec.containers.filter(c, \
             c.?volumeMounts.orValue([]).exists(m, m.name == variables.names[0] && m.mountPath == variables.paths[0])) \
             : []"
                .to_owned(),
        ),
        (
            "container",
            format!(
                "has(params.spec.container) ? params.spec.container : \
                 variables.served.size() > 0 ? variables.served[0].name : \
                 {default_container} in variables.annotations && \
                 variables.annotations[{default_container}] in variables.containers ? \
                 variables.annotations[{default_container}] : variables.containers[0]"
            ),
        ),
        // None or one.
        ("agents", "object.spec.containers.filter(c, c.name == variables.container)".to_owned()),
        ("volumes", "object.spec.?volumes.orValue([])".to_owned()),
        ("mounts", "variables.agents.size() > 0 ? variables.agents[0].?volumeMounts.orValue([]) : []".to_owned()),
        ("env", "variables.agents.size() > 0 ? variables.agents[0].?env.orValue([]) : []".to_owned()),
        ("lists", format!("!has(params.spec.runtime) || params.spec.runtime in {by_list}")),
        (
            "variable",
            format!(
                "has(params.spec.runtime) ? {{{}}}[params.spec.runtime] : 'SKILL_FOLDERS'",
                by_variable.join(", ")
            ),
        ),
        // The value that the variable must have, or the paths that must be in it.
        (
            "values",
            format!("variables.lists ? variables.paths : has(params.spec.runtime) ? [{}] : []", cel::root("params.spec")),
        ),
        // Of several the last one counts, as for the kubelet.
        ("set", "variables.env.transformList(i, e, e.name == variables.variable, i)".to_owned()),
        ("entry", "variables.set.map(i, variables.env[i])".to_owned()),
        ("last", "variables.set.size() - 1".to_owned()),
        (
            "value",
            "variables.set.size() > 0 ? variables.entry[variables.last].?value.orValue('') : ''".to_owned(),
        ),
        (
            "missing",
            "variables.lists ? variables.values.filter(p, !variables.value.split(',').exists(f, f.trim() == p)) : []"
                .to_owned(),
        ),
    ]
}

/// The patch, in one piece: JSON patches are known in the mutation alone, and variables are read once for all mutations of
/// a policy. Where the agent's container is not there, only the label is written, and the refusal says so.
fn patch() -> String {
    let add = |path: &str, value: &str| format!("JSONPatch{{op: 'add', path: {path}, value: {value}}}");
    let at = |list: &str| format!("variables.at[0] + '/{list}'");
    // A list that is not there is made first.
    let list =
        |there: &str, path: &str| format!("(variables.{there}.size() > 0 ? [] : [{}])", add(path, "[]"));
    let volumes = format!(
        "{} + params.spec.skills.transformList(i, s, !variables.volumes.exists(v, v.name == variables.names[i]), {})",
        list("volumes", "'/spec/volumes'"),
        add(
            "'/spec/volumes/-'",
            "Object.spec.volumes{name: variables.names[i], image: Object.spec.volumes.image{reference: s.image, \
             ?pullPolicy: s.?pullPolicy}}"
        )
    );
    let mounts = format!(
        "{} + params.spec.skills.transformList(i, s, !variables.mounts.exists(m, m.mountPath == variables.paths[i]), {})",
        list("mounts", &at("volumeMounts")),
        add(
            &at("volumeMounts/-"),
            "Object.spec.containers.volumeMounts{name: variables.names[i], mountPath: variables.paths[i], \
             readOnly: true, ?subPath: s.?subPath}"
        )
    );
    let read_only = format!(
        "variables.mounts.transformList(j, m, !m.?readOnly.orValue(false) && \
         variables.names.exists(i, n, n == m.name && variables.paths[i] == m.mountPath), {})",
        add("variables.at[0] + '/volumeMounts/' + string(j) + '/readOnly'", "true")
    );
    let variable = format!(
        "(variables.variable == '' ? [] : variables.set.size() == 0 ? {} + [{}] : \
         has(variables.entry[variables.last].valueFrom) || variables.missing.size() == 0 ? [] : [{}])",
        list("env", &at("env")),
        add(
            &at("env/-"),
            "Object.spec.containers.env{name: variables.variable, value: variables.values.join(',')}"
        ),
        add(
            "variables.at[0] + '/env/' + string(variables.set[variables.last]) + '/value'",
            "variables.value.split(',').all(f, f.trim() == '') ? variables.missing.join(',') : \
             variables.value + ',' + variables.missing.join(',')"
        ),
    );
    let annotation = format!(
        "(has(object.metadata.annotations) ? [] : [{}]) + [{}]",
        add("'/metadata/annotations'", "{}"),
        add(
            &format!("'/metadata/annotations/' + jsonpatch.escapeKey({})", cel::text(INJECTED)),
            "(variables.injected + params.spec.skills.map(s, params.metadata.name + '/' + s.name)\
             .filter(e, !(e in variables.injected))).join(',')"
        )
    );
    let label = format!(
        "(has(object.metadata.labels) ? [] : [{}]) + [{}]",
        add("'/metadata/labels'", "{}"),
        add(&format!("'/metadata/labels/' + jsonpatch.escapeKey({})", cel::text(INJECTED)), "'true'")
    );
    format!(
        "{label} + (variables.at.size() == 0 ? [] : {volumes} + {mounts} + {read_only} + {variable} + {annotation})"
    )
}

/// What is not as wanted in the pod as it would be stored; each a list of places in `spec.skills`.
fn refusal_variables_only() -> Vec<Variable> {
    vec![
        (
            "clashes",
            "params.spec.skills.transformList(i, s, variables.injected.exists(e, e.endsWith('/' + s.name) && \
             e != params.metadata.name + '/' + s.name), i)"
                .to_owned(),
        ),
        (
            "wrongVolumes",
            "params.spec.skills.transformList(i, s, !variables.volumes.exists(v, v.name == variables.names[i] && \
             has(v.image) && v.image.?reference.orValue('') == s.image && \
             (!has(s.pullPolicy) || v.image.?pullPolicy.orValue('') == s.pullPolicy)), i)"
                .to_owned(),
        ),
        (
            "wrongMounts",
            "params.spec.skills.transformList(i, s, !variables.mounts.exists(m, m.mountPath == variables.paths[i] && \
             m.name == variables.names[i] && m.?readOnly.orValue(false) && !has(m.subPathExpr) && \
             m.?subPath.orValue('') == (has(s.subPath) ? s.subPath : '')), i)"
                .to_owned(),
        ),
        ("who", "'SkillBinding ' + params.metadata.name + ': '".to_owned()),
    ]
}

/// The rules, in the order in which a pod that breaks several is refused.
fn refusals() -> Vec<Value> {
    let said = |text: &str| format!("variables.who + {text}");
    let skill = |list: &str, field: &str| format!("params.spec.skills[variables.{list}[0]].{field}");
    let (clash, volume, mount) =
        (skill("clashes", "name"), skill("wrongVolumes", "name"), skill("wrongMounts", "name"));
    let volume_of = "variables.volumes.filter(v, v.name == variables.names[variables.wrongVolumes[0]])";
    let mount_of = "variables.mounts.filter(m, m.mountPath == variables.paths[variables.wrongMounts[0]])";
    let from_elsewhere = "has(variables.entry[variables.last].valueFrom)";
    vec![
        rule(
            "variables.agents.size() > 0",
            &said(
                "'the pod has no container ' + variables.container + '; name one of: ' + \
                 variables.containers.join(', ')",
            ),
            "the pod has no container of the name that a SkillBinding gives",
        ),
        rule(
            "variables.clashes.size() == 0",
            &said(&format!(
                "'skill ' + {clash} + ' is in another SkillBinding for this pod as well: ' + \
                 variables.injected.filter(e, e.endsWith('/' + {clash}) && \
                 e != params.metadata.name + '/' + {clash})[0].split('/')[0] + '; leave it to one of them'"
            )),
            "two SkillBindings give this pod a skill of one name",
        ),
        rule(
            "variables.agents.size() == 0 || variables.wrongVolumes.size() == 0",
            &said(&format!(
                "'skill ' + {volume} + ' needs the volume {SKILL_VOLUME_PREFIX}' + {volume} + ', and the pod has ' + \
                 ({volume_of}.size() == 0 ? 'none' : has({volume_of}[0].image) ? \
                 'one of that name with the image ' + {volume_of}[0].image.?reference.orValue('') + ', pulled ' + \
                 {volume_of}[0].image.?pullPolicy.orValue('') : 'a volume of that name that is no image') + \
                 '; rename the skill, or that volume'"
            )),
            "the pod has a volume with the name of a skill's that is not the skill",
        ),
        rule(
            "variables.agents.size() == 0 || variables.wrongMounts.size() == 0",
            &said(&format!(
                "'skill ' + {mount} + ' is to be mounted at ' + variables.paths[variables.wrongMounts[0]] + \
                 ', and the container ' + variables.container + ' has ' + ({mount_of}.size() == 0 ? 'no mount' : \
                 'a mount of the volume ' + {mount_of}[0].name) + ' there' + ({mount_of}.exists(m, \
                 m.name == variables.names[variables.wrongMounts[0]]) ? ' with another subPath, or writable' : '') + \
                 '; choose another mountPath'"
            )),
            "the pod has another mount where a skill is to be mounted",
        ),
        rule(
            &format!("variables.variable == '' || variables.set.size() == 0 || !{from_elsewhere}"),
            &said(
                "'the value of ' + variables.variable + ' comes from elsewhere (valueFrom), so it cannot be set; write \
                 the value itself in container ' + variables.container",
            ),
            "the variable by which the agent finds its skills comes from elsewhere (valueFrom)",
        ),
        rule(
            &format!(
                "variables.variable == '' || variables.agents.size() == 0 || \
                 (variables.set.size() > 0 && {from_elsewhere}) || (variables.lists ? variables.missing.size() == 0 : \
                 variables.value == variables.values[0])"
            ),
            &said(
                "'the variable ' + variables.variable + ' of container ' + variables.container + ' is ' + \
                 variables.value + ', and has to be ' + variables.values.join(',')",
            ),
            "the variable by which the agent finds its skills has another value",
        ),
    ]
}

/// What nobody but the author of the workload can do, said when a SkillBinding is written.
fn advice() -> Value {
    let flag = |location: &AgentLocation| match location.discovery {
        Discovery::Argument(flag) => Some(format!("{}: {}", cel::text(location.name), cel::text(flag))),
        _ => None,
    };
    let flags: Vec<String> = AGENT_LOCATIONS.iter().filter_map(flag).collect();
    let by_argument = cel::runtimes(|location| matches!(location.discovery, Discovery::Argument(_)));
    let by_root = cel::runtimes(|location| !matches!(location.discovery, Discovery::Folders(_)));
    let known = "has(object.spec.runtime)";
    let mut argument = rule(
        &format!("!{known} || !(object.spec.runtime in {by_argument})"),
        &format!(
            "'runtime ' + object.spec.runtime + ' finds skills by an argument, and arguments belong to the author of \
             the workload: give the container ' + {{{}}}[object.spec.runtime] + '=' + variables.root",
            flags.join(", ")
        ),
        "this runtime finds skills by an argument, which the author of the workload has to give",
    );
    let mut outside = rule(
        &format!("!{known} || !(object.spec.runtime in {by_root}) || variables.outside.size() == 0"),
        "'runtime ' + object.spec.runtime + ' looks into ' + variables.root + ', and these skills are mounted elsewhere: ' + \
         variables.outside.map(s, s.name).join(', ')",
        "skills are mounted where this runtime does not look",
    );
    for rule in [&mut argument, &mut outside] {
        if let Some(rule) = rule.as_object_mut() {
            rule.remove("reason");
        }
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": advice_name()},
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [SKILLS_GROUP],
                "apiVersions": [VERSION],
                "operations": ["CREATE", "UPDATE"],
                "resources": [PLURAL],
            }]},
            "variables": named(vec![
                ("root", cel::root("object.spec")),
                (
                    "outside",
                    "object.spec.skills.filter(s, has(s.mountPath) && !s.mountPath.startsWith(variables.root + '/'))"
                        .to_owned(),
                ),
            ]),
            "validations": [argument, outside],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_only_warned_does_not_wait() {
        let failure = |action| {
            let injection = Injection { action, namespaces: vec!["team1".to_owned()] };
            let objects = objects(&injection);
            (objects[0]["spec"]["failurePolicy"].clone(), objects[3]["spec"]["validationActions"].clone())
        };
        assert_eq!(failure(Action::Deny), (json!("Fail"), json!(["Deny"])));
        assert_eq!(failure(Action::Warn), (json!("Ignore"), json!(["Warn"])));
    }

    #[test]
    fn the_text_reads_back_as_the_objects() {
        let injection = Injection { action: Action::Audit, namespaces: vec!["team1".to_owned()] };
        let read: Vec<Value> = serde_saphyr::from_multiple(&text(&injection)).expect("YAML");
        assert_eq!(read, objects(&injection));
    }
}
