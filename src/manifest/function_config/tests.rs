use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<FunctionConfig, Vec<String>> {
    FunctionConfig::read(value, &Origin::default())
        .map_err(|errors| errors.iter().map(|error| error.to_string()).collect())
}

fn function(spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "skills"}, "spec": spec})
}

fn id(api_version: &str, kind: &str, name: &str) -> Option<ObjectRef> {
    Some(ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: String::new(),
        name: name.into(),
    })
}

fn runtime() -> Value {
    json!({"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": "weather"},
           "spec": {"type": "agent"}})
}

fn binding() -> Value {
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding", "metadata": {"name": "weather"},
           "spec": {}})
}

#[test]
fn every_option_of_the_own_kind_is_read() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "defaults", "namespace": "a"},
                     "data": {"a": "1"}});
    let value = function(json!({
        "profile": "head", "exact": true, "featureGates": {"skillDiscovery": true, "envoyProxy": false},
        "featureGatesFile": "skillDiscovery: true\n", "configView": "full", "config": [map], "container": "agent",
        "skillFolders": false, "podTemplatePaths": ["Workflow.example.com=spec.run"], "lock": "kind: SkillLock", "remove": true, "validate": true, "allowNone": true, "dropSkills": true, "namespace": "demo",
        "agentRuntimes": [runtime()], "skillBindings": [binding()],
        "policy": "kind: SkillPolicy\n",
    }));
    let expected = FunctionConfig {
        id: id(API_VERSION, KIND, "skills"),
        profile: Some("head".into()),
        exact: Some(true),
        feature_gates: Some("skillDiscovery=true,envoyProxy=false".into()),
        feature_gates_file: Some("skillDiscovery: true\n".into()),
        config_view: Some(ConfigView::Full),
        config: vec![ConfigMap::from_value(&map, Origin::default()).unwrap()],
        container: Some("agent".into()),
        skill_folders: Some(false),
        pod_template_paths: vec!["Workflow.example.com=spec.run".into()],
        lock: Some("kind: SkillLock".into()),
        remove: Some(true),
        validate: Some(true),
        allow_none: Some(true),
        drop_skills: Some(true),
        namespace: Some("demo".into()),
        agent_runtimes: vec![runtime()],
        skill_bindings: vec![binding()],
        policy: Some("kind: SkillPolicy\n".into()),
        ..FunctionConfig::default()
    };
    assert_eq!(read(&value), Ok(expected));
    // All of them, so that a new one cannot be forgotten here.
    let given = value["spec"].as_object().unwrap();
    assert!(OPTIONS.iter().all(|option| given.contains_key(option.name)));
}

#[test]
fn nothing_said_means_defaults() {
    assert_eq!(read(&Value::Null), Ok(FunctionConfig::default()));
    let bare = FunctionConfig { id: id(API_VERSION, KIND, "skills"), ..FunctionConfig::default() };
    for spec in [json!({}), Value::Null, json!({"profile": null, "exact": null})] {
        assert_eq!(read(&function(spec.clone())), Ok(bare.clone()), "{spec}");
    }
}

/// An emptied text of a policy does not say that all is allowed.
#[test]
fn a_policy_without_text_is_a_defect() {
    let object = "SkillsFunction skills: ";
    let help = "has no value (give it the text of a file, or leave the key out)";
    assert_eq!(
        read(&function(json!({"policy": null, "lock": null}))),
        Err(vec![format!("{object}spec.policy: {help}"), format!("{object}spec.lock: {help}")])
    );
}

/// kpt's `-- key=value` arrives so, and kustomize hands a ConfigMap on as it is.
#[test]
fn a_config_map_holds_options_as_text() {
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "function-input"},
        "data": {"profile": "pr332-merged", "exact": "false", "featureGates": "skillImageVolumes=true",
                 "podTemplatePaths": "Workflow.example.com=spec.run,Run.example.com=spec.template"}});
    let expected = FunctionConfig {
        id: id("v1", "ConfigMap", "function-input"),
        profile: Some("pr332-merged".into()),
        exact: Some(false),
        feature_gates: Some("skillImageVolumes=true".into()),
        pod_template_paths: ["Workflow.example.com=spec.run", "Run.example.com=spec.template"]
            .map(Into::into)
            .into(),
        ..FunctionConfig::default()
    };
    assert_eq!(read(&value), Ok(expected));
}

#[test]
fn an_agent_runtime_is_a_configuration_by_itself() {
    let expected = FunctionConfig {
        id: id("agent.kagenti.dev/v1alpha1", "AgentRuntime", "weather"),
        agent_runtimes: vec![runtime()],
        ..FunctionConfig::default()
    };
    assert_eq!(read(&runtime()), Ok(expected));
    let expected = FunctionConfig {
        id: id("skills.kagenti.dev/v1alpha1", "SkillBinding", "weather"),
        skill_bindings: vec![binding()],
        ..FunctionConfig::default()
    };
    assert_eq!(read(&binding()), Ok(expected));
}

/// A mistyped option that were ignored would deploy something else than was asked for.
#[test]
fn whatever_is_not_understood_is_refused_with_the_nearest_name() {
    let options = "profile, exact, featureGates, featureGatesFile, configView, config, container, skillFolders, podTemplatePaths, lock, policy, remove, validate, allowNone, dropSkills, namespace, agentRuntimes, skillBindings";
    let of = |spec| function(spec);
    for (value, expected) in [
        (
            of(json!({"profil": "head", "feature-gates": {}})),
            vec![
                format!("SkillsFunction skills: spec.profil: unknown field (did you mean profile? known are {options})"),
                format!(
                    "SkillsFunction skills: spec.feature-gates: unknown field (did you mean featureGates? known are {options})"
                ),
            ],
        ),
        (
            json!({"apiVersion": API_VERSION, "kind": KIND, "profile": "head", "specs": {}}),
            vec![
                "SkillsFunction : profile: unknown field (it belongs under spec: spec.profile)".into(),
                "SkillsFunction : specs: unknown field (did you mean spec? known are apiVersion, kind, metadata, spec)".into(),
            ],
        ),
        (
            of(json!({"profile": "heads", "configView": "Full", "exact": "true", "container": 1, "namespace": " "})),
            vec![
                "SkillsFunction skills: spec.profile: unknown profile \"heads\" (did you mean head? known are auto, pr332, pr332-merged, no-trace, no-skills, two-layer, identity-removed, spiffe-helper, head, rossoctl)".into(),
                "SkillsFunction skills: spec.configView: unknown view \"Full\" (did you mean full? known are operator, full)".into(),
                "SkillsFunction skills: spec.exact: must be true or false, found a string (remove the quotes)".into(),
                "SkillsFunction skills: spec.container: must be a string, found integer (quote it)".into(),
                "SkillsFunction skills: spec.namespace: must not be empty (leave it out for the default)".into(),
            ],
        ),
        (
            of(json!({"featureGates": {"a": "true"}, "config": {}, "agentRuntimes": [{"kind": "Deployment"}], "skillBindings": [runtime(), {"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding"}]})),
            vec![
                "SkillsFunction skills: spec.featureGates.a: must be true or false, found \"true\"".into(),
                "SkillsFunction skills: spec.config: must be an array, found object".into(),
                "SkillsFunction skills: spec.agentRuntimes[0]: must be an AgentRuntime (apiVersion agent.kagenti.dev/v1alpha1)".into(),
                "SkillsFunction skills: spec.skillBindings[0]: must be a SkillBinding (apiVersion skills.kagenti.dev/v1alpha1)".into(),
                "SkillsFunction skills: spec.skillBindings[1].metadata.name: must be set".into(),
            ],
        ),
        (
            of(json!({"config": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": 1}},
                                 {"apiVersion": "v1", "kind": "Secret"}]})),
            vec![
                "SkillsFunction skills: spec.config[0]: data.b: must be a string, found 1; quote it".into(),
                "SkillsFunction skills: spec.config[1]: must be a ConfigMap of v1".into(),
            ],
        ),
        (of(json!([])), vec!["SkillsFunction skills: spec: must be an object, found array".into()]),
        (json!("x"), vec!["functionConfig must be an object, found string".into()]),
        (
            json!({"apiVersion": "skills.kagenti.dev/v1", "kind": KIND, "metadata": {"name": "s"}}),
            vec!["SkillsFunction s: apiVersion: \"skills.kagenti.dev/v1\" is unknown (write skills.kagenti.dev/v1alpha1)".into()],
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
            vec!["Secret s: kind: a functionConfig cannot be \"Secret\" of \"v1\" (use SkillsFunction of skills.kagenti.dev/v1alpha1, a ConfigMap with `data`, an AgentRuntime or a SkillBinding)".into()],
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                   "data": {"exact": true, "remove": "yes", "config": "x", "prof": "a"}, "binaryData": {"a": "eA=="}}),
            vec![
                "ConfigMap c: binaryData: options are text (move them to data)".into(),
                "ConfigMap c: data.exact: values of a ConfigMap are strings (quote it)".into(),
                "ConfigMap c: data.remove: must be true or false, found \"yes\"".into(),
                "ConfigMap c: data.config: holds whole objects, which a ConfigMap cannot (use kind SkillsFunction of skills.kagenti.dev/v1alpha1 instead of a ConfigMap)".into(),
                format!("ConfigMap c: data.prof: unknown field (did you mean profile? known are {options})"),
            ],
        ),
        (
            json!({"apiVersion": "agent.rossoctl.dev/v1alpha1", "kind": "AgentRuntime"}),
            vec!["AgentRuntime : metadata.name: must be set".into()],
        ),
    ] {
        assert_eq!(read(&value), Err(expected), "{value}");
    }
}

/// The schema that editors use must take what we take.
#[test]
fn the_schema_lists_the_options() {
    let schema = schema::schema();
    let spec = schema.pointer("/properties/spec/properties").and_then(Value::as_object).unwrap();
    let names: Vec<&str> = spec.keys().map(String::as_str).collect();
    assert_eq!(names, OPTIONS.iter().map(|option| option.name).collect::<Vec<_>>());
    assert_eq!(
        spec["exact"],
        json!({"type": "boolean", "description": "As the operator does it, bug for bug"})
    );
}
