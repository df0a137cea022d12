//! docs/function.md, held against what the function reads.

#![allow(clippy::disallowed_methods, reason = "a test may read files")]

use kubectl_skills::manifest::function_config::{OPTIONS, OptionKind};
use kubectl_skills::manifest::kustomize_configuration::{COMMAND, FILE};

use crate::program::{Folder, fed, skills};

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whoever has the program alone gets the file that the examples have, under the name by which messages call it.
#[test]
fn the_configuration_of_kustomize_is_printed() {
    let said = skills(&["fn", "--kustomize-configuration"]);
    for example in ["kustomize/base", "kustomize-skill-binding", "kustomize-legacy-plugin"] {
        assert_eq!(said.parts(), (0, &*file(&format!("examples/{example}/{FILE}")), ""), "{example}");
    }
    let page = file("function.md");
    assert!(page.contains(COMMAND) && COMMAND.ends_with(&format!(" > {FILE}")), "{COMMAND}");
}

/// An option that is not documented is found by nobody; one that is documented and gone is refused to whoever uses it.
#[test]
fn the_page_lists_every_option() {
    let rows: Vec<String> = OPTIONS
        .iter()
        .map(|option| {
            let kind = match option.kind {
                OptionKind::Flag(_) => "boolean",
                OptionKind::Text(_) => "text",
                OptionKind::Profile => "profile",
                OptionKind::PodTemplatePaths => "texts",
                OptionKind::View => "view",
                OptionKind::Gates => "gates",
                OptionKind::ConfigMaps => "ConfigMaps",
                OptionKind::AgentRuntimes => "AgentRuntimes",
                OptionKind::SkillBindings => "SkillBindings",
            };
            format!("| `{}` | {kind} | {} |", option.name, option.text)
        })
        .collect();
    let page = file("function.md");
    let table = page.split("| option | type | what it does |\n|---|---|---|\n").nth(1).unwrap_or_default();
    assert_eq!(table.lines().take(rows.len() + 1).collect::<Vec<_>>(), [rows, vec![String::new()]].concat());
}

const WORKLOAD: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: planner}
spec:
  selector: {matchLabels: {app: planner}}
  template:
    metadata: {labels: {app: planner}}
    spec: {containers: [{name: brain, image: 'reg.example/planner:1'}]}
";
const BINDING: &str = "\
# What the planner knows.
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: planner}
spec:
  targetRef: {apiVersion: apps/v1, kind: StatefulSet, name: planner}
  container: brian
  skills:
  - {name: pdf, image: 'reg.example/pdf:1', mountPath: /skills/pdf}
";

/// An error of a configuration's file says where in that file, as render says it of a manifest.
#[test]
fn errors_of_a_configuration_are_at_their_place_in_its_file() {
    let indented = BINDING.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let listed = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillsFunction\nmetadata: {{name: skills}}\nspec:\n  skillBindings:\n  -\n{indented}"
    );
    let name = "SkillBinding default/planner: spec.container: StatefulSet planner has no container brian \
                (did you mean brain? the containers are brain)";
    for (text, place) in [(BINDING, "7:14"), (&format!("---\n{BINDING}"), "8:14"), (&listed, "13:18")] {
        let folder = Folder::with(&[("skills.yaml", text)]);
        let path = folder.path("skills.yaml");
        let said = fed(&["fn", &path], WORKLOAD);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
        assert_eq!(said.stderr.lines().next(), Some(&*format!("error: {path}:{place}: {name}")), "{said:?}");
    }
}

/// Nobody sees the lines of the list that kustomize or kpt hands over.
#[test]
fn what_is_meant_is_at_its_file_or_in_the_list() {
    let item = |text: &str, annotations: &str| {
        let text = text.replace(
            "metadata: {name: planner}",
            &format!("metadata: {{name: planner, annotations: {{{annotations}}}}}"),
        );
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        format!("- {}\n", lines.collect::<Vec<_>>().join("\n  "))
    };
    let binding = BINDING.replace("kind: StatefulSet, name", "kind: Deployment, name");
    for (annotations, place) in [
        ("config.kubernetes.io/path: agents/planner.yaml", "agents/planner.yaml"),
        ("internal.config.kubernetes.io/path: b.yaml, config.kubernetes.io/path: a.yaml", "b.yaml"),
        ("a: b", "items[1] of the list"),
    ] {
        let list = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{}{}",
            item(&binding, "a: b"),
            item(WORKLOAD, annotations)
        );
        let said = fed(&["fn"], &list);
        let wanted = format!("there is a StatefulSet of that name at {place}: correct spec.targetRef.kind");
        assert!(said.code == 1 && said.stderr.contains(&wanted) && !said.stderr.contains("-:"), "{said:?}");
    }
}
