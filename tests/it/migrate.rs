//! Moves of lists between AgentRuntimes and SkillBindings by the program: nothing is lost without a word.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at bad data"
)]

use crate::program::fed;

fn runtime(more: &str, skills: &str) -> String {
    format!(
        "\
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {{name: clerk, namespace: shop{more}}}
spec:
  type: agent
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: clerk}}
{skills}"
    )
}

fn binding(metadata: &str, spec: &str) -> String {
    format!(
        "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {{name: more, namespace: shop{metadata}}}
spec:
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: clerk}}
{spec}  skills:
  - {{name: tax, image: 'ghcr.io/acme/tax:1.0.0', mountPath: /skills/tax}}
"
    )
}

/// A look that says "moved" is taken for the move.
#[test]
fn a_dry_run_says_what_would_move() {
    let text =
        runtime("", "  skills:\n  - {name: tax, image: 'ghcr.io/acme/tax:1.0.0', mountPath: /skills/tax}\n");
    let said = fed(&["migrate", "--dry-run", "-f", "-"], text);
    assert_eq!(
        said.parts(),
        (
            0,
            "1 skill of AgentRuntime shop/clerk would move to SkillBinding shop/clerk\n",
            "note: render went by profile pr332-merged here and goes by head now, which writes no labels and no config hash; name \
             the other with --profile to keep them\n\
             summary: 1 list with 1 skill would move\n"
        )
    );
}

/// Labels and annotations choose objects and say whose they are: they go with the document.
#[test]
fn labels_and_annotations_that_would_go_are_refused() {
    let back = |more: &str| {
        let text = format!(
            "{}---\n{}",
            runtime(more, ""),
            binding(", labels: {team: x}, annotations: {owner: me}", "")
        );
        fed(&["migrate", "--to", "AgentRuntime", "-f", "-"], text)
    };
    let said = back("");
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    for words in [
        "metadata.labels: AgentRuntime clerk does not have these labels: team",
        "metadata.annotations: AgentRuntime clerk does not have these annotations: owner",
        "write them into the AgentRuntime as well, or remove them here",
    ] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    // The advice.
    let said = back(", labels: {team: x}, annotations: {owner: me}");
    assert!(said.code == 0 && said.stdout.contains("name: tax"), "{said:?}");
}

/// Fields of `spec` that an AgentRuntime does not have.
#[test]
fn fields_that_would_go_are_refused() {
    for (field, value) in
        [("home", "/root"), ("rollout", "Manual"), ("delivery", "Pod"), ("container", "main")]
    {
        let text = format!("{}---\n{}", runtime("", ""), binding("", &format!("  {field}: {value}\n")));
        let said = fed(&["migrate", "--to", "AgentRuntime", "-f", "-"], text);
        let words = format!("spec.{field}: an AgentRuntime cannot say this");
        assert!(said.code == 3 && said.stderr.contains(&words), "{words}: {said:?}");
    }
}

/// What migrate prints, validate takes.
#[test]
fn a_list_that_a_skill_binding_cannot_have_is_refused() {
    let moved = |path: &str| {
        let skills = format!("  skills:\n  - {{name: tax, image: 'ghcr.io/acme/tax:1.0.0'{path}}}\n");
        fed(&["migrate", "-f", "-"], runtime("", &skills))
    };
    let said = moved("");
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(
        said.stderr.contains(
            "spec.skills[0]: a SkillBinding cannot say this: Invalid value: mountPath may be left out only"
        ),
        "{said:?}"
    );
    let said = moved(", mountPath: /skills/tax");
    assert_eq!(said.code, 0, "{said:?}");
    let checked = fed(&["validate", "-f", "-"], said.stdout);
    assert_eq!(checked.code, 0, "{checked:?}");
}

/// The rules change with the list: labels and hash of the operator that mounted are not written any more.
#[test]
fn another_profile_after_a_move_is_named() {
    let skills = "  skills:\n  - {name: tax, image: 'ghcr.io/acme/tax:1.0.0', mountPath: /skills/tax}\n";
    let said = fed(&["migrate", "-f", "-"], runtime("", skills));
    let words = "render went by profile pr332-merged here and goes by head now, which writes no labels and no config hash; name \
                 the other with --profile to keep them";
    assert!(said.code == 0 && said.stderr.contains(words), "{said:?}");
    let again = fed(&["migrate", "-f", "-"], said.stdout);
    assert!(again.code == 0 && !again.stderr.contains("render went by"), "{again:?}");
}

/// A file of 0 bytes is no manifest, and a name that is gone cannot be given back.
#[test]
fn an_emptied_file_and_a_lost_name_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("runtime.yaml"), runtime("", "")).expect("a file");
    std::fs::write(at("binding.yaml"), binding("", "")).expect("a file");
    let said = crate::program::skills(&[
        "migrate",
        "--to",
        "AgentRuntime",
        "-i",
        "-f",
        &at("runtime.yaml"),
        "-f",
        &at("binding.yaml"),
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!folder.path().join("binding.yaml").exists(), "{said:?}");
    for words in [
        format!("{} is removed, since nothing was left in it", at("binding.yaml")),
        "moved out of AgentRuntime shop/clerk again, its list is SkillBinding clerk".to_owned(),
    ] {
        assert!(said.stderr.contains(&words), "{words}: {said:?}");
    }
    let list = "  skills:\n  - {name: tax, image: 'ghcr.io/acme/tax:1.0.0', mountPath: /skills/tax}\n";
    let after = std::fs::read_to_string(at("runtime.yaml")).expect("a file");
    assert_eq!(after.replace("\n    - ", "\n  - "), runtime("", list));
}
