use super::*;
use crate::manifest::function_config::API_VERSION;
use serde_json::json;

const HEAD: &str = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n";

const DEPLOYMENT: &str = "\
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: weather # ours
    namespace: demo
    annotations:
      internal.config.kubernetes.io/index: '0'
      team: 'a'
  spec:
    template:
      spec:
        containers:
        - name: agent # the first
          image: registry.example/weather:1
";

const RUNTIME: &str = "\
- apiVersion: agent.kagenti.dev/v1alpha1
  kind: AgentRuntime
  metadata: {name: weather, namespace: demo}
  spec:
    type: agent
    targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
    skills:
    - {name: forecast, image: 'registry.example/forecast:1', mountPath: /skills/forecast}
";

fn list(rest: &str) -> String {
    format!("{HEAD}items:\n{DEPLOYMENT}{RUNTIME}{rest}")
}

fn config(spec: &str) -> String {
    format!(
        "functionConfig:\n  apiVersion: {API_VERSION}\n  kind: SkillsFunction\n  metadata: {{name: skills}}\n  spec: {spec}\n"
    )
}

fn run(text: &str) -> Output {
    super::run(text.to_owned(), &FunctionConfig::default(), None)
        .unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

fn refused(text: &str) -> Vec<String> {
    let errors = super::run(text.to_owned(), &FunctionConfig::default(), None).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn value(text: &str) -> Value {
    Document::parse(text).unwrap().to_value().unwrap()
}

/// What `render` makes of the same objects.
fn rendered(text: &str) -> String {
    let sources = [Source { name: STDIN.into(), text: text.to_owned() }];
    let stream = Stream::read(&sources, "default").unwrap();
    let (profile, _) = render::choose_profile(&stream, "auto").unwrap();
    let rendered = render::render(&stream, &Settings::new(profile)).unwrap();
    rendered.edited.text(0, text).unwrap()
}

/// A failed list comes out as it came, but for its results.
fn failed(text: &str, message: &str) -> Value {
    let out = run(text);
    assert!(out.failed, "{}", out.text);
    let mut after = value(&out.text);
    let results = after.as_object_mut().unwrap().shift_remove("results").unwrap();
    let mut before = value(text);
    before.as_object_mut().unwrap().shift_remove("results");
    assert_eq!(after, before);
    assert!(out.text.starts_with(text.trim_end()), "{}", out.text);
    let reported: Vec<String> = out.results.errors().map(ToString::to_string).collect();
    assert!(
        reported.iter().any(|line| line.contains(message) && !line.contains('\n')),
        "{message} is not in {reported:?}"
    );
    results
}

#[test]
fn a_list_is_edited_as_render_edits_it() {
    let text = list("");
    let out = run(&text);
    assert_eq!((out.failed, out.results.items()), (false, &[][..]));
    assert_eq!(out.text, rendered(&text));
    let deployment = &value(&out.text)["items"][0];
    assert_eq!(
        deployment["spec"]["template"]["spec"]["volumes"][0]["image"]["reference"],
        "registry.example/forecast:1"
    );
    // Annotations of the orchestrator and comments stay.
    assert_eq!(deployment["metadata"]["annotations"]["internal.config.kubernetes.io/index"], "0");
    for kept in ["name: weather # ours", "name: agent # the first", "team: 'a'"] {
        assert!(out.text.contains(kept), "{kept}");
    }
    // And once more: nothing.
    assert_eq!(run(&out.text).text, out.text);
}

#[test]
fn plain_manifests_come_out_as_manifests() {
    let item = |text: &str| {
        text.replace("- api", "  api").lines().map(|line| format!("{}\n", &line[2..])).collect::<String>()
    };
    let text = format!(
        "# kept\n{}---\n{}---\nkind: Service\nmetadata: {{name: a}}\n",
        item(DEPLOYMENT),
        item(RUNTIME)
    );
    let out = run(&text);
    assert_eq!(out.text, rendered(&text));
    assert!(
        !out.failed && out.text.contains("mountPath: /skills/forecast") && out.text.starts_with("# kept\n")
    );
    let broken = text.replace("name: weather}", "name: gone}");
    let reported = super::run(broken, &FunctionConfig::default(), None).unwrap_err();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].field, "spec.targetRef.name");
}

/// With exit 0 an orchestrator would take each of these for "delete everything".
#[test]
fn input_without_objects_is_refused() {
    for text in ["", " \n", "\n\n", "---\n", "# nothing\n", "---\n---\n# x\n"] {
        assert_eq!(
            refused(text),
            [
                "standard input holds no object (an empty output would mean to delete everything; see whether the program before this one failed)"
            ],
            "{text:?}"
        );
    }
}

#[test]
fn an_empty_list_stays_an_empty_list() {
    for items in ["", "items: []\n", "items:\n"] {
        let text = format!("{HEAD}{items}");
        let out = run(&text);
        assert_eq!((out.text, out.failed), (text, false));
        let summary = out.summary.map(|summary| summary.to_string());
        assert_eq!(summary.as_deref(), Some("no AgentRuntime or SkillBinding in 0 objects: nothing to do"));
    }
}

#[test]
fn a_list_that_cannot_be_read_is_refused_as_a_whole() {
    let cut = list("")[..300].to_owned() + "  \"cut";
    assert!(refused(&cut)[0].contains("-:"), "{:?}", refused(&cut));
    let two = format!("{}---\nkind: Service\n", list(""));
    assert_eq!(refused(&two), ["-:1: a ResourceList must be the only document, and 1 follow"]);
    let version = list("").replace("config.kubernetes.io/v1", "config.kubernetes.io/v7");
    assert!(refused(&version)[0].contains("is unknown"), "{:?}", refused(&version));
}

#[test]
fn a_missing_target_is_a_result_with_object_field_and_file() {
    let text = list("")
        .replace("kind: Deployment, name: weather", "kind: Deployment, name: gone")
        .replace("{name: weather, namespace: demo}", "{name: weather, namespace: demo, annotations: {config.kubernetes.io/path: a/b.yaml, config.kubernetes.io/index: '1'}}");
    let results = failed(&text, "AgentRuntime demo/weather: spec.targetRef.name: ");
    let [result] = results.as_array().unwrap().as_slice() else { panic!("{results}") };
    let mut result = result.clone();
    let message = result.as_object_mut().unwrap().shift_remove("message").unwrap();
    assert!(
        message.as_str().unwrap().starts_with("apps/v1/Deployment gone not found in namespace demo ("),
        "{message}"
    );
    assert_eq!(
        result,
        json!({
            "severity": "error",
            "resourceRef": {"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "name": "weather", "namespace": "demo"},
            "field": {"path": "spec.targetRef.name", "currentValue": "gone"},
            "file": {"path": "a/b.yaml", "index": 1},
            "tags": {"source": "kubectl-skills"},
        })
    );
}

/// namePrefix without the shipped configurations: the cluster's controller would look for the old name.
#[test]
fn a_renamed_target_is_an_error_that_names_the_fix() {
    let text = list("")
        .replace("name: weather # ours", "name: p-weather")
        .replace("      team: 'a'\n", "      internal.config.kubernetes.io/previousNames: weather,weather\n");
    let results = failed(&text, "p-weather");
    assert!(results[0]["message"].as_str().unwrap().contains("`configurations:`"), "{results}");
}

#[test]
fn options_that_are_not_understood_are_results() {
    let results =
        failed(&list(&config("{profil: head}")), "SkillsFunction skills: spec.profil: unknown field");
    assert_eq!(results[0]["resourceRef"]["kind"], "SkillsFunction");
    failed(&list(&config("{featureGates: {nope: true}}")), "nope");
    failed(&list("functionConfig:\n  kind: Secret\n"), "a functionConfig cannot be");
}

#[test]
fn one_error_leaves_all_items_as_they_are() {
    let other = DEPLOYMENT.replace("weather", "other")
        + &RUNTIME.replace("weather", "other").replace("type: agent", "type: agnet");
    failed(&format!("{HEAD}items:\n{DEPLOYMENT}{RUNTIME}{other}"), "agnet");
}

#[test]
fn options_reach_the_plan() {
    let second = "- name: side\n          image: side:1\n";
    let text = list(&config("{container: side, profile: pr332-merged}")).replace(
        "image: registry.example/weather:1\n",
        &format!("image: registry.example/weather:1\n        {second}"),
    );
    let containers = value(&run(&text).text)["items"][0]["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(containers[0].get("volumeMounts"), None);
    assert_eq!(containers[1]["volumeMounts"][0]["mountPath"], "/skills/forecast");
    // Flags decide over the configuration.
    let flags = FunctionConfig { container: Some("agent".into()), ..FunctionConfig::default() };
    let out = super::run(text, &flags, None).unwrap();
    let containers = value(&out.text)["items"][0]["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(containers[0]["volumeMounts"][0]["mountPath"], "/skills/forecast");
}

#[test]
fn a_gate_that_is_off_mounts_nothing_and_says_so() {
    let out = run(&list(&config("{featureGates: {skillImageVolumes: false}}")));
    assert!(!out.failed && !out.text.contains("skill-forecast"), "{}", out.text);
}

/// Where no AgentRuntime is deployed, the configuration brings it along.
#[test]
fn agent_runtimes_of_the_configuration_are_carried_out_and_not_printed() {
    let inner = RUNTIME.replace("- api", "  api");
    let expected = value(&run(&list("")).text)["items"][0].clone();
    let text = format!("{HEAD}items:\n{DEPLOYMENT}functionConfig:\n{inner}");
    let out = run(&text);
    assert!(!out.failed, "{}", out.text);
    assert_eq!(value(&out.text)["items"], json!([expected]));
    // kpt's function configuration is an item too: it is planned once.
    let both = list(&format!("functionConfig:\n{inner}"));
    assert_eq!(value(&run(&both).text)["items"][0], expected);
    // A list of them in our own kind.
    let spec = json!({"agentRuntimes": [value(&format!("a:\n{inner}"))["a"]]});
    assert_eq!(
        value(&run(&format!("{HEAD}items:\n{DEPLOYMENT}{}", config(&spec.to_string()))).text)["items"][0],
        expected
    );
}

/// The same of SkillBindings: alone, in a list, and as an item of kpt as well.
#[test]
fn skill_bindings_of_the_configuration_are_carried_out_and_not_printed() {
    let binding = RUNTIME
        .replace("agent.kagenti.dev", "skills.kagenti.dev")
        .replace("AgentRuntime", "SkillBinding")
        .replace("    type: agent\n", "");
    let items = |more: &str| format!("{HEAD}items:\n{DEPLOYMENT}{more}");
    let expected = value(&run(&items(&binding)).text)["items"][0].clone();
    assert!(expected.to_string().contains("/skills/forecast"), "{expected}");
    let inner = binding.replace("- api", "  api");
    let spec = json!({"skillBindings": [value(&format!("a:\n{inner}"))["a"]]});
    for given in [format!("functionConfig:\n{inner}"), config(&spec.to_string())] {
        let out = run(&items(&given));
        assert!(!out.failed, "{}", out.text);
        assert_eq!(value(&out.text)["items"], json!([expected]));
        assert_eq!(value(&run(&items(&format!("{binding}{given}"))).text)["items"][0], expected);
    }
}

/// The kind is known only when the list has been read for its configuration.
#[test]
fn a_kind_of_the_configuration_gets_its_skills() {
    let workflow = DEPLOYMENT
        .replace("apps/v1", "example.com/v1")
        .replace("Deployment", "Workflow")
        .replace("    template:\n      spec:", "    run:\n      spec:");
    let binding = RUNTIME
        .replace("agent.kagenti.dev", "skills.kagenti.dev")
        .replace("AgentRuntime", "SkillBinding")
        .replace("    type: agent\n", "")
        .replace("apps/v1, kind: Deployment", "example.com/v1, kind: Workflow");
    let items = format!("{HEAD}items:\n{workflow}{binding}");
    failed(&items, "example.com/v1 Workflow is no kind whose pod template is known");
    failed(
        &(items.clone() + &config("{podTemplatePaths: [Workflow=spec.run]}")),
        "spec.podTemplatePaths[0]: \"Workflow=spec.run\": the kind has no group; write KIND.GROUP=path",
    );
    let kind = "Workflow.example.com=spec.run".to_owned();
    let out = run(&(items.clone() + &config(&format!("{{podTemplatePaths: [{kind}]}}"))));
    assert_eq!((out.failed, out.results.items()), (false, &[][..]), "{}", out.text);
    let mut wanted = value(&items)["items"].clone();
    wanted[0]["metadata"]["annotations"]["rossoctl.io/skills"] = "[\"forecast\"]".into();
    let pod = &mut wanted[0]["spec"]["run"]["spec"];
    let reference = json!({"reference": "registry.example/forecast:1"});
    pod["volumes"] = json!([{"name": "skill-forecast", "image": reference}]);
    let container = &mut pod["containers"][0];
    container["volumeMounts"] =
        json!([{"name": "skill-forecast", "mountPath": "/skills/forecast", "readOnly": true}]);
    container["env"] = json!([{"name": "SKILL_FOLDERS", "value": "/skills/forecast"}]);
    assert_eq!(value(&out.text)["items"], wanted);
    let flags = FunctionConfig { pod_template_paths: vec![kind], ..FunctionConfig::default() };
    assert_eq!(value(&super::run(items, &flags, None).unwrap().text)["items"], wanted);
}

#[test]
fn items_without_a_namespace_are_in_that_of_the_configuration() {
    let text = list("").replace("    namespace: demo\n", "").replace(", namespace: demo}", "}");
    let own = RUNTIME.replace("- api", "  api");
    let spec = json!({"namespace": "demo", "agentRuntimes": [value(&format!("a:\n{own}"))["a"]]});
    let out = run(&format!("{}{}", text.split(RUNTIME_START).next().unwrap(), config(&spec.to_string())));
    assert!(!out.failed && out.text.contains("/skills/forecast"), "{}", out.text);
}
const RUNTIME_START: &str = "- apiVersion: agent.kagenti.dev";

/// What kustomize's `validators:` need, and a list that does no harm among `transformers:`.
#[test]
fn a_validation_finds_what_is_not_carried_out() {
    let validate = config("{validate: true}");
    let out = run(&list(&validate));
    assert!(out.failed);
    let reported: Vec<String> = out.results.errors().map(ToString::to_string).collect();
    assert_eq!(reported.len(), 1);
    assert!(
        reported[0].starts_with("Deployment demo/weather: ")
            && reported[0].contains("is not as AgentRuntime weather wants it"),
        "{reported:?}"
    );
    let done = run(&list("")).text + &validate;
    let out = run(&done);
    assert!(!out.failed, "{}", out.text);
    let printed = value(&out.text);
    assert_eq!(printed["items"][0]["kind"], "ValidateBelongsUnderValidators");
    assert_eq!(printed["items"].as_array().unwrap().len(), 1);
    // kpt says of each item which package it came from, and keeps what is echoed.
    let path = "    annotations:\n      internal.config.kubernetes.io/package-path: a\n";
    let kpt = done.replacen("    annotations:\n", path, 1).replace(
        "{name: weather, namespace: demo}",
        "{name: weather, namespace: demo, annotations: {internal.config.kubernetes.io/package-path: b}}",
    );
    assert_eq!(run(&kpt).text, kpt);
}

/// kpt writes what comes out into the package: a list of skills that stands nowhere else would leave it for ever.
#[test]
fn a_package_keeps_its_only_list_of_skills() {
    let head = |more: &str| list(&config(&format!("{{profile: head{more}}}")));
    let of_package = |text: String| {
        text.replacen(
            "    annotations:\n",
            "    annotations:\n      internal.config.kubernetes.io/path: a.yaml\n",
            1,
        )
        .replace(
            "{name: weather, namespace: demo}",
            "{name: weather, namespace: demo, annotations: {internal.config.kubernetes.io/path: a.yaml}}",
        )
    };
    failed(&of_package(head("")), "the package would lose the list of skills of 1 AgentRuntime,");
    let binding = "- {apiVersion: skills.kagenti.dev/v1alpha1, kind: SkillBinding, metadata: {name: more, namespace: demo, \
                   annotations: {internal.config.kubernetes.io/path: b.yaml}}, spec: {targetRef: {apiVersion: apps/v1, \
                   kind: Deployment, name: weather}, skills: [{name: a, image: 'registry.example/a:1', mountPath: /skills/a}]}}\n";
    let beside = of_package(head(", dropSkills: true")).replacen(
        "functionConfig:",
        &format!("{binding}functionConfig:"),
        1,
    );
    failed(&beside, "so this list goes; SkillBinding more, which stays, is about the same workload");
    for printed in [head(""), of_package(head(", dropSkills: true"))] {
        let out = run(&printed);
        assert!(!out.failed, "{}", out.text);
        let items = value(&out.text)["items"].clone();
        assert_eq!(items[1]["spec"].get("skills"), None, "{}", out.text);
        assert!(items[0].to_string().contains("/skills/forecast"), "{}", out.text);
    }
}

/// Under `generators:` the function gets none of the manifests and would do nothing, unseen.
#[test]
fn a_generator_is_refused_with_the_reason() {
    let annotated =
        "metadata:\n      name: skills\n      annotations: {config.kubernetes.io/function: 'exec: {}'}\n";
    let own = format!("apiVersion: {API_VERSION}\n    kind: SkillsFunction\n    {annotated}");
    let text = format!("{HEAD}items:\n  -\n    {own}functionConfig:\n    {own}");
    failed(&text, "`generators:`");
}

#[test]
fn a_configuration_from_a_file_is_for_plain_manifests() {
    let file = |text: &str| Source { name: "config.yaml".into(), text: text.into() };
    let good = file(&format!("apiVersion: {API_VERSION}\nkind: SkillsFunction\nspec: {{profile: pr332}}\n"));
    let plain = list("").replace(HEAD, "apiVersion: v1\nkind: List\n");
    let of = |text: &str, file: &Source| super::run(text.to_owned(), &FunctionConfig::default(), Some(file));
    assert_eq!(of(&plain, &good).unwrap().text, rendered(&plain));
    for (bad, message) in [
        ("a: [", "config.yaml:"),
        ("", "config.yaml:1: must hold one object, found 0"),
        ("a: 1\n---\nb: 1\n", "must hold one object, found 2"),
        (
            "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillsFunction\nspec: {x: 1}\n",
            "config.yaml:1: SkillsFunction : spec.x: unknown field",
        ),
    ] {
        let reported = of(&plain, &file(bad)).unwrap_err();
        assert!(reported[0].to_string().contains(message), "{}", reported[0]);
    }
    // In a list the configuration has its place.
    let twice = of(&list(&config("{}")), &good).unwrap();
    assert!(twice.failed && twice.text.contains("given twice"), "{}", twice.text);
}

/// Formats that orchestrators accept and send.
#[test]
fn lists_in_json_and_with_other_line_ends_are_lists() {
    let json = value(&list("")).to_string();
    let out = run(&json);
    assert!(!out.failed, "{}", out.text);
    let edited: Value = serde_json::from_str(&out.text).unwrap();
    assert_eq!(edited["items"], value(&run(&list("")).text)["items"]);
    for text in [
        format!("\u{feff}{}", list("")),
        format!("---\n{}", list("")),
        list("").replace('\n', "\r\n"),
        list("").replace("io/v1\n", "io/v1beta1\n"),
    ] {
        let out = run(&text);
        assert!(!out.failed && out.text.contains("skill-forecast"), "{}", out.text);
    }
}

#[test]
fn results_of_a_function_before_us_count() {
    let theirs = "results:\n- {message: theirs, severity: error}\n";
    let out = run(&list(theirs));
    // The list holds an error, whoever found it.
    assert!(out.failed && out.text.contains("skill-forecast"), "{}", out.text);
    assert_eq!(value(&out.text)["results"], json!([{"message": "theirs", "severity": "error"}]));
    // Ours of an earlier run are replaced.
    let broken = list("").replace("type: agent\n", "type: agnet\n");
    let mended = run(&broken).text.replace("type: agnet\n", "type: agent\n");
    let out = run(&mended);
    assert!(!out.failed, "{}", out.text);
    assert_eq!(value(&out.text)["results"], json!([]));
}
