//! What a verb leaves out, or decides by itself, is named: nothing that was asked for is missing without a word.

#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test stops at bad data")]

use serde_json::Value;

use crate::program::fed;

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather}
spec:
  template:
    metadata: {labels: {app: weather}}
    spec:
      containers:
      - {name: agent, image: 'i:1'}
";

fn binding(kind: &str, name: &str, image: &str) -> String {
    format!(
        "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
spec:
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}
  skills: [{{name: pdf, image: '{image}', mountPath: /skills/pdf}}]
"
    )
}

/// A document as an item of a list, or below a key.
fn indented(text: &str, first: &str) -> String {
    let rest = " ".repeat(first.len());
    let line = |(at, line): (usize, &str)| format!("{}{line}\n", if at == 0 { first } else { &rest });
    text.lines().enumerate().map(line).collect()
}

fn list(config: &str, items: &[&str]) -> String {
    let items: String = items.iter().map(|item| indented(item, "- ")).collect();
    format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: skills.kagenti.dev/v1alpha1\n  \
         kind: SkillsFunction\n  metadata: {{name: f}}\n  spec:\n    skillBindings:\n{}items:\n{items}",
        indented(config, "    - ")
    )
}

/// One of two lists of one name would be carried out, and the other not, without a word.
#[test]
fn a_function_config_that_an_item_contradicts_is_an_error() {
    let ours = binding("SkillBinding", "b", "acme/pdf:2");
    let said = fed(&["fn"], list(&ours, &[&binding("SkillBinding", "b", "acme/pdf:1"), DEPLOYMENT]));
    assert_eq!(said.code, 1, "{said:?}");
    let words =
        "spec: the functionConfig has a SkillBinding of this name as well, and it says something else";
    assert!(
        said.stderr.contains("SkillBinding default/b") || said.stderr.contains("SkillBinding b"),
        "{said:?}"
    );
    assert!(
        said.stderr.contains(words.trim_start_matches("spec: ")) && !said.stdout.contains("skill-pdf"),
        "{said:?}"
    );
    assert!(said.stdout.contains("severity: error") && said.stdout.contains("name: b"), "{said:?}");
    // With kpt the configuration is an item as well, with annotations of its own.
    let annotated = ours.replace("{name: b}", "{name: b, annotations: {config.kubernetes.io/path: b.yaml}}");
    let said = fed(&["fn"], list(&ours, &[&annotated, DEPLOYMENT]));
    assert!(said.code == 0 && said.stdout.contains("reference: acme/pdf:2"), "{said:?}");
}

/// The words with which render names a near miss.
#[test]
fn every_verb_over_manifests_names_a_near_miss() {
    let slip = binding("Skillbinding", "b", "acme/pdf:1");
    let group = binding("SkillBinding", "b", "acme/pdf:1").replace("skills.kagenti.dev", "skill.kagenti.dev");
    for (object, words) in [
        (&slip, "kind \"Skillbinding\" is not read: did you mean SkillBinding?"),
        (
            &group,
            "SkillBinding of apiVersion \"skill.kagenti.dev/v1alpha1\" is not read: did you mean skills.kagenti.dev/v1alpha1?",
        ),
    ] {
        let good = binding("SkillBinding", "good", "acme/csv:1").replace("pdf", "csv");
        for objects in [vec![object.as_str(), DEPLOYMENT], vec![&good, object, DEPLOYMENT]] {
            let text = objects.join("---\n");
            for verb in [
                &["render", "-f", "-"][..],
                &["fn"],
                &["migrate", "-f", "-"],
                &["copy", "-f", "-", "--dry-run", "--to-layout", "./none"],
                &["plan", "-f", "-"],
                &["validate", "-f", "-", "--allow-none"],
            ] {
                let said = fed(verb, &text);
                assert!(said.code == 0 && said.stderr.contains(words), "{verb:?}: {said:?}");
            }
            let said = fed(
                &["fn"],
                list(&binding("SkillBinding", "other", "acme/x:1").replace("pdf", "x"), &objects),
            );
            assert!(said.code == 0 && said.stdout.contains("severity: warning"), "{said:?}");
            assert!(said.stderr.contains(words), "{said:?}");
        }
    }
}

/// A check that is silent of what render warns of is green for what will not work.
#[test]
fn validate_warns_of_all_that_render_warns_of() {
    let two = DEPLOYMENT.replace("'i:1'}\n", "'i:1'}\n      - {name: other, image: 'i:1'}\n");
    let taken = format!("{DEPLOYMENT}      volumes:\n      - {{name: skill-old, emptyDir: {{}}}}\n");
    let nested = DEPLOYMENT
        .replace("image: 'i:1'}", "image: 'i:1', volumeMounts: [{name: v, mountPath: /skills/pdf/in}]}")
        + "      volumes:\n      - {name: v, emptyDir: {}}\n";
    let one = binding("SkillBinding", "b", "acme/pdf:1");
    let docsclaw = one.replace("spec:\n", "spec:\n  runtime: docsclaw\n");
    let inside = one.replace("/skills/pdf", "/run/secrets/x");
    let moved = one.replace("name: weather}", "name: other}")
        + "---\n"
        + &DEPLOYMENT.replace("name: weather", "name: other");
    let rendered = fed(&["render", "-f", "-"], format!("{DEPLOYMENT}---\n{one}")).stdout;
    let left = rendered.split("---\n").next().expect("a document");
    let mut all = 0;
    for text in [
        format!("{two}---\n{one}"),
        format!("{taken}---\n{one}"),
        format!("{nested}---\n{one}"),
        format!("{DEPLOYMENT}---\n{docsclaw}"),
        format!("{DEPLOYMENT}---\n{inside}"),
        format!("{left}---\n{moved}"),
        format!("{DEPLOYMENT}---\n{}", one.replace("image:", "imgae: x, image:")),
    ] {
        let warnings = |verb: &str| {
            let said = fed(&[verb, "-f", "-"], &text);
            assert_eq!(said.code, 0, "{said:?}");
            let lines = said.stderr.lines().filter_map(|line| line.strip_prefix("warning: "));
            lines.map(str::to_owned).collect::<Vec<String>>()
        };
        let (rendered, validated) = (warnings("render"), warnings("validate"));
        assert!(!rendered.is_empty(), "{text}");
        for warning in &rendered {
            let (_, words) = warning.split_once(": ").expect("an object");
            let words = words.split(" [Q").next().expect("words");
            assert!(validated.iter().any(|line| line.contains(words)), "{warning}: {validated:#?}");
            all += 1;
        }
        let mut once = validated.clone();
        once.dedup();
        assert_eq!(once, validated, "said twice");
    }
    assert!(all >= 7, "{all}");
}

#[test]
fn patches_of_nothing_say_why() {
    let selects = binding("SkillBinding", "b", "acme/pdf:1").replace(
        "targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}",
        "selector: {matchLabels: {app: wether}}",
    );
    let text = format!("{DEPLOYMENT}---\n{selects}");
    let said = fed(&["render", "-f", "-", "-o", "kustomize-patch"], &text);
    assert!(said.code == 0 && said.stdout.ends_with("patches: []\n"), "{said:?}");
    for words in [
        "warning: SkillBinding default/b: its selector chooses no workload of the input in namespace default; Deployment \
         default/weather has app=weather, and the selector asks for app=wether",
        "note: nothing would change, so the Component has no patches",
        "0 workloads changed",
    ] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
}

const WORKFLOW: &str = "\
apiVersion: example.com/v1
kind: Workflow
metadata: {name: flow}
spec:
  run:
    template:
      spec:
        containers:
        - {name: agent, image: 'i:1'}
";

/// A kind of one's own is not read without its option: what is left in it would be nobody's.
#[test]
fn a_custom_kind_that_lost_its_skill_binding_is_warned_of() {
    let bound = binding("SkillBinding", "b", "acme/pdf:1").replace(
        "apiVersion: apps/v1, kind: Deployment, name: weather",
        "apiVersion: example.com/v1, kind: Workflow, name: flow",
    );
    let option = "--pod-template-path=Workflow.example.com=spec.run.template";
    let rendered = fed(&["render", "-f", "-", option], format!("{WORKFLOW}---\n{bound}"));
    let left = rendered.stdout.split("---\n").next().expect("a document");
    assert!(left.contains("skill-pdf"), "{rendered:?}");
    let words = "Workflow flow: it keeps what an earlier render left: pdf; its kind is not known here, so no SkillBinding can be \
                 about it: --pod-template-path Workflow.example.com=spec.run.template names it";
    let alone = left.to_owned();
    let other = format!("{left}---\n{DEPLOYMENT}---\n{}", binding("SkillBinding", "b", "acme/pdf:1"));
    for text in [&alone, &other] {
        for verb in [&["render", "-f", "-"][..], &["fn"], &["plan", "-f", "-"]] {
            let said = fed(verb, text);
            assert!(said.code == 0 && said.stderr.contains(words), "{verb:?}: {said:?}");
        }
    }
    // Neither one that is read, nor one that was never rendered.
    let said = fed(&["render", "-f", "-", option], &alone);
    assert!(
        !said.stderr.contains("is not known here")
            && said.stderr.contains("no SkillBinding or AgentRuntime is about it"),
        "{said:?}"
    );
    let mounted = format!(
        "{WORKFLOW}        volumes:\n        - {{name: skill-pdf, image: {{reference: 'acme/pdf:1'}}}}\n"
    );
    assert!(!fed(&["render", "-f", "-"], mounted).stderr.contains("Workflow"));
}

#[test]
fn the_summary_of_validate_counts_each_kind_by_itself() {
    let twice =
        DEPLOYMENT.replace("- {name: agent, image: 'i:1'}\n", "- {name: agent, image: 'i:1', env: 1}\n");
    let text = format!(
        "{twice}---\n{}",
        binding("SkillBinding", "b", "acme/pdf:1").replace("/skills/pdf", "skills")
    );
    let said = fed(&["validate", "-f", "-"], text);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("summary: 1 of 1 SkillBinding and 1 of 1 other object refused; "),
        "{said:?}"
    );
}

/// An image that stays in the old registry is found where there is none: over the air gap.
#[test]
fn copy_takes_or_names_all_that_names_an_image_of_a_skill() {
    let config = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillsFunction\nmetadata: {name: f}\nspec:\n  skillBindings:\n";
    let config =
        config.to_owned() + &indented(&binding("SkillBinding", "c", "quay.io/acme/config:1"), "  - ");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: a, image: 'i:1'}]\n  volumes:\n  \
               - {name: skill-x, image: {reference: 'quay.io/acme/pod:1'}}\n  - {name: other, image: {reference: 'quay.io/acme/no:1'}}\n";
    let volumes =
        "        volumes:\n        - {name: skill-pdf, image: {reference: 'quay.io/acme/flow:1'}}\n";
    let flow = format!("{WORKFLOW}{volumes}");
    let text = format!("{config}---\n{pod}---\n{flow}");
    let ask = |text: &str, more: &[&str]| -> (Vec<String>, String) {
        let args = [&["copy", "-f", "-", "--dry-run", "--to-registry", "r.lan", "-o", "json"], more].concat();
        let said = fed(&args, text);
        assert_eq!(said.code, 0, "{said:?}");
        let images = said.json()["images"].as_array().cloned().expect("images");
        let line = |one: &Value| {
            format!("{} {}", one["source"].as_str().unwrap_or("?"), one["namedBy"][0].as_str().unwrap_or("?"))
        };
        (images.iter().map(line).collect(), said.stderr)
    };
    let (images, stderr) = ask(&text, &[]);
    assert_eq!(
        images,
        ["quay.io/acme/config:1 SkillsFunction default/f", "quay.io/acme/pod:1 Pod default/p"]
    );
    let words = "Workflow flow has image volumes of skills, and its kind is not known here, so they are left out: pdf: \
                 --pod-template-path Workflow.example.com=spec.run.template names it";
    assert!(stderr.contains(words), "{stderr}");
    let (images, stderr) = ask(&text, &["--pod-template-path", "Workflow.example.com=spec.run.template"]);
    assert!(images.len() == 3 && !stderr.contains("Workflow"), "{images:?} {stderr}");
    let (images, _) = ask(&list(&binding("SkillBinding", "c", "quay.io/acme/config:1"), &[pod]), &[]);
    assert_eq!(
        images,
        ["quay.io/acme/pod:1 Pod default/p", "quay.io/acme/config:1 SkillsFunction default/f"]
    );
}
