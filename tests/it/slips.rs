//! Slips of the hand in manifests: each is named with its place, next to objects that are right too, and none passes without a word.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at bad data"
)]

use crate::program::{Said, fed, skills};

const WORKLOAD: &str = "\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather, labels: {team: a}}
spec: {template: {metadata: {labels: {app: weather}}, spec: {containers: [{name: agent, image: 'i:1'}]}}}
";
const GOOD: &str = "\
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: good}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills: [{name: pdf, image: 'acme/pdf:1', mountPath: /skills/pdf}]
";
const RUNTIME: &str = "\
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: good}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills: [{name: csv, image: 'acme/csv:1', mountPath: /skills/csv}]
";

fn validate(input: &str) -> Said {
    fed(&["validate", "-f", "-"], input)
}

fn render(input: &str) -> Said {
    fed(&["render", "-f", "-"], input)
}

/// kubectl refuses such a field by strict decoding; whatever else applies a manifest drops it without a word.
#[test]
fn unknown_fields_are_named_wherever_they_stand() {
    for (good, from, to, said) in [
        (
            GOOD,
            "spec:\n",
            "specs: {}\nspec:\n",
            "unknown field \"specs\": the API server drops it; did you mean spec?",
        ),
        (
            GOOD,
            "  skills:",
            "  deliver: Pod\n  skills:",
            "unknown field \"spec.deliver\": the API server drops it; did you mean delivery?",
        ),
        (
            GOOD,
            "mountPath: ",
            "pullpolicy: Always, mountPath: ",
            "unknown field \"spec.skills[0].pullpolicy\": the API server drops it; did you mean pullPolicy?",
        ),
        (
            GOOD,
            "kind: Deployment, ",
            "kind: Deployment, namespace: a, ",
            "unknown field \"spec.targetRef.namespace\": the API server drops it",
        ),
        (
            GOOD,
            "{name: good}",
            "{name: good, label: {a: b}}",
            "unknown field \"metadata.label\": the API server drops it; did you mean labels?",
        ),
        (
            RUNTIME,
            "spec:\n",
            "specs: {}\nspec:\n",
            "unknown field \"specs\": the API server drops it; did you mean spec?",
        ),
        (
            RUNTIME,
            "kind: Deployment, ",
            "kind: Deployment, namespace: a, ",
            "unknown field \"spec.targetRef.namespace\": the API server drops it",
        ),
        (
            RUNTIME,
            "{name: good}",
            "{name: good, annotation: {a: b}}",
            "unknown field \"metadata.annotation\": the API server drops it; did you mean annotations?",
        ),
    ] {
        let text = format!("{}{WORKLOAD}", good.replacen(from, to, 1));
        for verb in [validate, render] {
            let got = verb(&text);
            assert!(got.code == 0 && got.stderr.contains(said), "{said}: {got:?}");
        }
    }
    let selector = GOOD.replace(
        "targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}",
        "selector: {matchlabels: {app: weather}, matchLabels: {app: weather}}",
    );
    let said = render(&format!("{selector}{WORKLOAD}"));
    let words =
        "unknown field \"spec.selector.matchlabels\": the API server drops it; did you mean matchLabels?";
    assert!(said.code == 0 && said.stderr.contains(words), "{said:?}");
}

/// The good one hides it: the counts look right.
#[test]
fn a_kind_or_group_with_a_slip_is_named_next_to_a_good_one() {
    for (good, from, to, said) in [
        (
            GOOD,
            "kind: SkillBinding",
            "kind: Skillbinding",
            "kind \"Skillbinding\" is not read: did you mean SkillBinding?",
        ),
        (
            GOOD,
            "kind: SkillBinding",
            "kind: SKILLBINDING",
            "kind \"SKILLBINDING\" is not read: did you mean SkillBinding?",
        ),
        (
            GOOD,
            "kind: SkillBinding",
            "kind: SkillBindings",
            "kind \"SkillBindings\" is not read: did you mean SkillBinding?",
        ),
        (
            GOOD,
            "skills.kagenti.dev",
            "Skills.kagenti.dev",
            "SkillBinding of apiVersion \"Skills.kagenti.dev/v1alpha1\" is not read: did you mean skills.kagenti.dev/v1alpha1?",
        ),
        (
            RUNTIME,
            "kind: AgentRuntime",
            "kind: Agentruntime",
            "kind \"Agentruntime\" is not read: did you mean AgentRuntime?",
        ),
        (
            RUNTIME,
            "kind: AgentRuntime",
            "kind: AGENTRUNTIME",
            "kind \"AGENTRUNTIME\" is not read: did you mean AgentRuntime?",
        ),
        (
            RUNTIME,
            "agent.kagenti.dev",
            "agents.kagenti.dev",
            "AgentRuntime of apiVersion \"agents.kagenti.dev/v1alpha1\" is not read: did you mean agent.kagenti.dev/v1alpha1?",
        ),
    ] {
        let bad = good.replacen(from, to, 1).replace("name: good", "name: bad");
        for verb in [validate, render] {
            let got = verb(&format!("{good}{WORKLOAD}{bad}"));
            assert!(
                got.stderr.contains(&format!(": {said}")) && got.stderr.contains("warning: -:1"),
                "{said}: {got:?}"
            );
        }
    }
    let other = GOOD
        .replace("skills.kagenti.dev/v1alpha1", "skills.kagenti.dev/v1")
        .replace("name: good", "name: bad");
    let words = "apiVersion: is of apiVersion skills.kagenti.dev/v1, and skills.kagenti.dev/v1alpha1 is read";
    let text = format!("{other}{GOOD}{WORKLOAD}");
    let said = validate(&text);
    assert!(said.code == 1 && said.stdout.contains(words), "{said:?}");
    let said = render(&text);
    assert!(said.code == 3 && said.stderr.contains(words), "{said:?}");
}

/// What render would find one object later.
#[test]
fn validate_says_what_render_refuses_of_several_objects() {
    for (input, words) in [
        (
            format!("{GOOD}{WORKLOAD}{GOOD}"),
            "-:16:18: SkillBinding default/good: metadata.name: is in the input twice; the other is at -:2",
        ),
        (format!("{RUNTIME}{WORKLOAD}{RUNTIME}"), "is in the input twice; the other is at -:2"),
        (
            format!("{GOOD}{WORKLOAD}{WORKLOAD}"),
            "Deployment default/weather: metadata.name: is in the input twice",
        ),
        (
            format!("{}{WORKLOAD}", GOOD.replace("  skills:", "  container: brain\n  skills:")),
            "SkillBinding default/good: spec.container: Deployment weather has no container brain (name one of: agent)",
        ),
        (
            format!("{GOOD}{WORKLOAD}")
                .replace("kind: Deployment, name: weather", "kind: Deploymnt, name: weather"),
            "spec.targetRef.kind: apps/v1 Deploymnt is no kind whose pod template is known (there is a Deployment of that name",
        ),
        (
            GOOD.replace("kind: Deployment", "kind: deployment"),
            "did you mean Deployment of apiVersion apps/v1?",
        ),
        (
            GOOD.replace("apiVersion: apps/v1, kind: Deployment", "apiVersion: example.com/v1, kind: Flow"),
            "--pod-template-path Flow.example.com=spec.template",
        ),
        (
            format!("{GOOD}{WORKLOAD}")
                .replace("kind: Deployment, name: weather", "kind: Pod, name: weather"),
            "apps/v1 Pod is no kind whose pod template is known",
        ),
    ] {
        let checked = validate(&input);
        assert!(checked.code == 1 && checked.stdout.contains(words), "{words}\n{checked:?}");
        let rendered = render(&input);
        assert_eq!(rendered.code, 3, "{rendered:?}");
    }
    // A workload may be in another file, but not one whose name is nearly there.
    let said = validate(GOOD);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    assert!(!said.stderr.contains("warning"), "{said:?}");
    let said = validate(&format!("{}{WORKLOAD}", GOOD.replace("name: weather", "name: wether")));
    assert!(
        said.code == 0
            && said
                .stderr
                .contains("not found in namespace default (did you mean weather, which is at -:9?)"),
        "{said:?}"
    );
}

/// A selector that chooses nothing looks like one that is done.
#[test]
fn a_selector_that_chooses_nothing_is_warned_of() {
    let selecting = |labels: &str| {
        GOOD.replace(
            "targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}",
            &format!("selector: {{matchLabels: {labels}}}"),
        )
    };
    let nothing = "its selector chooses no workload of the input in namespace default";
    for (labels, hint) in [
        ("{app: other-thing}", ""),
        (
            "{app: wether}",
            "; Deployment default/weather has app=weather, and the selector asks for app=wether",
        ),
        (
            "{ap: weather}",
            "; Deployment default/weather has app=weather, and the selector asks for ap=weather",
        ),
        ("{team: a}", "; Deployment default/weather has them itself, and its pod template has not"),
    ] {
        let text = format!("{}{WORKLOAD}", selecting(labels));
        for said in [validate(&text), render(&text), fed(&["render", "--check", "-f", "-"], &text)] {
            let line = said.stderr.lines().find(|line| line.contains(nothing)).unwrap_or_default();
            assert!(
                said.code == 0
                    && line.starts_with("warning: ")
                    && line.ends_with(&format!("{nothing}{hint}")),
                "{labels}: {said:?}"
            );
        }
    }
    // Alone it is about workloads of other files.
    let said = validate(&selecting("{app: wether}"));
    assert!(said.code == 0 && !said.stderr.contains(nothing), "{said:?}");
    let said = render(&selecting("{app: wether}"));
    assert!(said.code == 0 && said.stderr.contains(nothing), "{said:?}");
}

#[test]
fn advice_can_be_followed() {
    let flow = format!(
        "{}---\napiVersion: example.com/v1\nkind: Flow\nmetadata: {{name: weather}}\nspec: {{run: {{spec: {{containers: [{{name: a, image: i}}]}}}}}}\n",
        GOOD.replace("apiVersion: apps/v1, kind: Deployment", "apiVersion: example.com/v1, kind: Flow")
    );
    let said = render(&flow);
    assert!(
        said.code == 3 && said.stderr.contains("--pod-template-path Flow.example.com=spec.template"),
        "{said:?}"
    );
    let with = |path: &str| fed(&["render", "-f", "-", "--pod-template-path", path], &flow);
    let said = with("Flow.example.com=spec.template");
    let words = "its pod template was looked for at spec.template: correct --pod-template-path";
    assert!(said.code == 3 && said.stderr.contains(words), "{said:?}");
    let said = with("Flow.example.com=spec.run");
    assert!(said.code == 0 && said.stdout.contains("skill-pdf"), "{said:?}");
    for wrong in ["Flow.example.com/v1=spec.run", "Deployment.apps=spec.foo"] {
        assert_eq!(with(wrong).code, 2, "{wrong}");
    }
    let wrong_type = GOOD
        .replace("name: good", "name: good, labels: [a]")
        .replace("targetRef: {", "delivery: [a]\n  targetRef: {");
    for said in [validate(&wrong_type), render(&format!("{wrong_type}{WORKLOAD}"))] {
        assert!(
            !said.stderr.contains("correct the AgentRuntime")
                && !said.stdout.contains("correct the AgentRuntime"),
            "{said:?}"
        );
    }
}

/// The file after a render into it.
fn in_place(path: &str, more: &[&str]) -> String {
    let said = skills(&[&["render", "-i", "-f", path], more].concat());
    let text = std::fs::read_to_string(path).expect("the file");
    assert_eq!(said.code, 0, "{text}: {said:?}");
    text
}

/// The variable of a runtime that its author had set is his, though we would have written the same.
#[test]
fn a_variable_of_a_runtime_stays_its_authors() {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let path = file.path().to_str().expect("a path");
    let binding = "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: b}\nspec:\n  runtime: kagent\n  \
                   targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}\n  skills:\n  - {name: pdf, image: 'acme/pdf:1'}\n";
    for env in ["", "        env:\n        - name: KAGENT_SKILLS_FOLDER\n          value: /skills\n"] {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: weather\nspec:\n  template:\n    spec:\n      containers:\n      \
             - name: agent\n        image: i:1\n{env}{binding}"
        );
        std::fs::write(path, &text).expect("a file");
        let run = |more: &[&str]| in_place(path, more);
        let rendered = run(&[]);
        assert!(rendered.contains("KAGENT_SKILLS_FOLDER") && rendered.contains("/skills/pdf"), "{rendered}");
        assert_eq!(run(&[]), rendered);
        assert_eq!(run(&["--remove"]), text, "{rendered}");
    }
}

/// Only what a render has written is taken out of a scalar, and how its author wrote the rest stays.
#[test]
fn the_variable_comes_back_as_its_author_wrote_it() {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let path = file.path().to_str().expect("a path");
    let workload = |env: &str, more: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: weather\nspec:\n  template:\n    spec:\n      containers:\n      \
             - name: agent\n        image: i:1\n{env}{more}"
        )
    };
    let env = |value: &str| {
        format!(
            "        env:\n        - name: SKILL_FOLDERS\n          value: {value}\n        - name: OTHER\n          value: x\n"
        )
    };
    let volumes = "        volumeMounts:\n        - name: skill-pdf\n          mountPath: /skills/pdf\n          readOnly: true\n      \
                   volumes:\n      - name: skill-pdf\n        image:\n          reference: acme/pdf:1\n";
    for text in [
        workload(&env("/opt/own"), ""),
        workload(&env("/opt/own  # mine"), ""),
        workload(&env("/opt/a,/opt/b"), ""),
        workload(&env("/opt/a, /opt/b"), ""),
        workload(&env("'/opt/own'"), ""),
        workload(&env("\"/opt/own\""), ""),
        workload(&env(">-\n            /opt/own"), ""),
        workload(&env(">-  # folded\n            /opt/a,\n            /opt/b"), ""),
        workload(&env(">\n            /opt/own"), ""),
        workload(&env("|-\n            /opt/own"), ""),
        workload(&env("|\n            /opt/own"), ""),
        workload("", volumes),
        workload(&env("/skills/pdf"), volumes),
        workload(&env("/opt/own"), volumes),
    ] {
        std::fs::write(path, format!("{text}{GOOD}")).expect("a file");
        let run = |more: &[&str]| in_place(path, more);
        let rendered = run(&[]);
        assert!(rendered.contains("/skills/pdf") && rendered.contains("SKILL_FOLDERS"), "{rendered}");
        assert_eq!(run(&[]), rendered);
        assert_eq!(run(&["--remove"]), format!("{text}{GOOD}"), "{rendered}");
    }
}

/// To change a list and then to take it out gives the author's bytes again, also where the variable had no value.
#[test]
fn the_variable_comes_back_after_a_list_that_changed() {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let path = file.path().to_str().expect("a path");
    let binding = |skills: &str| {
        let skills = skills.split(' ');
        let skills = skills
            .map(|name| format!("  - {{name: {name}, image: 'acme/{name}:1', mountPath: /skills/{name}}}\n"));
        format!(
            "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: b}}\nspec:\n  targetRef: \
             {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n{}",
            skills.collect::<String>()
        )
    };
    let values = [
        " /opt/own",
        " /opt/own  # mine",
        " /opt/a, /opt/b",
        " '/opt/own'",
        " \"/opt/\\u0041\"",
        " >-\n            /opt/own",
        " |\n            /opt/own",
        " /skills/pdf,/opt",
        "",
        "  # nothing yet",
        " null",
        " ~  # none",
        " \"\"",
        " ''",
        " 5",
    ];
    let item =
        |value: &str| format!("        env:\n        - name: SKILL_FOLDERS\n          value:{value}\n");
    let written = values
        .iter()
        .flat_map(|value| [item(value), item(value) + "        - name: OTHER\n          value: x\n"]);
    let others = [
        "        env:\n        - name: SKILL_FOLDERS\n",
        "        env:\n        - name: SKILL_FOLDERS  # later\n        - name: X\n          value: y\n",
        "        env:\n        - value: # why\n          name: SKILL_FOLDERS\n",
        "        env:\n        - {name: SKILL_FOLDERS}\n",
        "        env: [{name: SKILL_FOLDERS}]\n",
        "        env: [{name: SKILL_FOLDERS, value: ~}, {name: X, value: y}]\n",
        "        env: [{name: SKILL_FOLDERS, value: /a}]\n",
        "        env: [{value: /a, name: SKILL_FOLDERS}]\n",
        "        env: [{name: SKILL_FOLDERS, value: '/a'}]\n",
    ];
    for env in written.chain(others.map(str::to_owned)) {
        for lists in
            [&["pdf"][..], &["pdf", "tax"], &["pdf tax", "pdf"], &["pdf", "pdf tax"], &["pdf", "tax", "pdf"]]
        {
            let text = format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: weather\nspec:\n  template:\n    spec:\n      containers:\n      \
                 - name: agent\n        image: i:1\n{env}"
            );
            let mut now = text.clone();
            for list in lists {
                std::fs::write(path, format!("{now}{}", binding(list))).expect("a file");
                let rendered = in_place(path, &[]);
                now = rendered.split_once("---\n").expect("documents").0.to_owned();
                assert!(list.split(' ').all(|name| now.contains(&format!("/skills/{name}"))), "{now}");
            }
            let after = in_place(path, &["--remove"]);
            assert_eq!(after.split_once("---\n").expect("documents").0, text, "{lists:?}: {now}");
        }
    }
}

/// In a version that nobody knows the pod template may be elsewhere.
#[test]
fn a_workload_of_an_unknown_version_is_warned_of() {
    let text = |version: &str| {
        format!(
            "apiVersion: agents.x-k8s.io/{version}\nkind: Sandbox\nmetadata: {{name: desk, namespace: team1}}\n\
             spec: {{podTemplate: {{spec: {{containers: [{{name: a, image: x}}]}}}}}}\n---\n\
             apiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata: {{name: desk, namespace: team1}}\n\
             spec: {{type: agent, targetRef: {{apiVersion: agents.x-k8s.io/{version}, kind: Sandbox, name: desk}}, \
             skills: [{{name: a, image: 'r.io/a:1', mountPath: /skills/a}}]}}\n"
        )
    };
    let warning = "Sandbox of apiVersion agents.x-k8s.io/v7 is not known: it is read as agents.x-k8s.io/v1alpha1 and \
                   agents.x-k8s.io/v1beta1";
    for verb in ["plan", "render", "diff"] {
        let said = fed(&[verb, "-f", "-", "--profile", "head"], text("v7"));
        assert!(said.stderr.contains(warning), "{verb}: {said:?}");
        let known = fed(&[verb, "-f", "-", "--profile", "head"], text("v1beta1"));
        assert!(!known.stderr.contains("is not known"), "{verb}: {known:?}");
    }
}

/// A pipeline that checks must not be green for a list that nobody reads, whatever the field is called.
#[test]
fn a_list_under_an_unknown_field_fails_every_check() {
    let text = |field: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: desk, namespace: team1}}\n\
             spec: {{template: {{spec: {{containers: [{{name: a, image: x}}]}}}}}}\n---\n\
             apiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata: {{name: desk, namespace: team1}}\n\
             spec: {{type: agent, targetRef: {{apiVersion: apps/v1, kind: Deployment, name: desk}}, \
             {field}: [{{name: a, image: 'r.io/a:1', mountPath: /skills/a}}]}}\n"
        )
    };
    for field in ["skils", "agentSkills", "mounts"] {
        for args in [&["render", "--check", "-f", "-"][..], &["validate", "-f", "-"], &["fn", "--validate"]] {
            let said = fed(args, text(field));
            assert_eq!(said.code, 1, "{args:?} {field}: {said:?}");
        }
        assert_eq!(fed(&["render", "-f", "-"], text(field)).code, 0, "{field}");
    }
    let said = fed(&["validate", "-f", "-"], text("agentSkills"));
    assert!(said.stdout.contains("did you mean skills?"), "{said:?}");
}

/// What a kustomization adds to a name is in no annotation where something else has built it.
#[test]
fn a_target_whose_name_has_got_a_prefix_is_named() {
    let said = render(&format!("{}{GOOD}", WORKLOAD.replace("name: weather,", "name: prod-weather-v2,")));
    assert_eq!(said.code, 3, "{said:?}");
    for words in ["did you mean prod-weather-v2", "namePrefix or nameSuffix"] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    let said = render(&format!("{}{GOOD}", WORKLOAD.replace("name: weather,", "name: weatherman,")));
    assert!(!said.stderr.contains("namePrefix"), "{said:?}");
}

/// The value of an option that may have none is no file with manifests.
#[test]
fn a_lock_without_an_equals_sign_is_said_to_need_one() {
    let said = skills(&["render", "-f", "a.yaml", "--locked", "my.lock"]);
    let words = "the value of --locked is given with an equals sign: --locked=my.lock";
    assert!(said.code == 2 && said.stderr.contains(words), "{said:?}");
}

/// Skills that pods get as they are created are in a list still.
#[test]
fn a_skill_that_pods_get_is_not_said_to_be_in_no_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.yaml").display().to_string();
    std::fs::write(&file, format!("{WORKLOAD}{GOOD}")).expect("a file");
    let said = skills(&["render", "-i", "-f", &file]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = std::fs::read_to_string(&file).expect("a file");
    let said = render(&text.replace("  targetRef", "  delivery: Pod\n  targetRef"));
    assert!(
        said.stderr.contains("taken out of the workload, as its pods get it as they are created: pdf"),
        "{said:?}"
    );
    assert!(!said.stderr.contains("no list of the input"), "{said:?}");
}

/// A mountPath that is left out is an error of its own, and no volume at the root that all others are inside of.
#[test]
fn a_skill_without_a_path_holds_no_other() {
    let skills = "skills: [{name: csv, image: 'acme/csv:1'}, {name: pdf,";
    let said = validate(&format!("{WORKLOAD}{}", GOOD.replace("skills: [{name: pdf,", skills)));
    assert!(said.code == 1 && said.stdout.contains("mountPath may be left out only where"), "{said:?}");
    assert!(!format!("{said:?}").contains("inside the read-only volume"), "{said:?}");
}
