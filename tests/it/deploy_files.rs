//! The generated files of deploy/ are those that the tables give: a right added in src/install/rbac.rs alone would be asked for
//! and never granted.

use std::path::Path;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn committed_files_are_the_generated_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let command = kubectl_skills::install::deploy_files::COMMAND;
    let stale: Vec<String> = kubectl_skills::install::deploy_files::files()
        .into_iter()
        .filter(|(path, text)| std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| format!("deploy/{path}"))
        .collect();
    assert!(stale.is_empty(), "not as generated; run '{command}': {stale:?}");
}

/// docs/deploy.md shows the table of rights as it is.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn the_documented_rights_are_those_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let profile =
        kubectl_skills::api::profile::Profile::by_name(kubectl_skills::install::deploy_files::PROFILE);
    let table = kubectl_skills::install::rbac::markdown(profile.expect("a profile"));
    assert!(text.contains(&table), "docs/deploy.md: the table of rights must be\n{table}");
}

/// docs/skill-binding.md shows the table of runtimes as it is.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn the_documented_runtimes_are_those_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/skill-binding.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table = kubectl_skills::api::agent_location::markdown();
    assert!(text.contains(&table), "docs/skill-binding.md: the table of runtimes must be\n{table}");
}

/// An init container that runs another image than what is deployed runs another version, or none.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn what_is_deployed_runs_the_image_of_the_program() {
    let (name, tag) = kubectl_skills::api::names::PROGRAM_IMAGE.split_once(':').expect("a tag");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for (file, wanted) in [
        ("base/kustomization.yaml", vec![format!("newName: {name}\n"), format!("newTag: {tag}\n")]),
        ("chart/values.yaml", vec![format!("repository: {name}\n")]),
        ("chart/Chart.yaml", vec![format!("appVersion: {}\n", tag.trim_start_matches('v'))]),
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        for line in wanted {
            assert!(text.contains(&line), "deploy/{file} must have {line:?}: {text}");
        }
    }
}
