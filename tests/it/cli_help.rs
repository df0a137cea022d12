//! Help, the page made of it, and completion.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use crate::program::skills;

/// Verbs of this build, from its own help.
fn verbs() -> Vec<String> {
    let help = skills(&["--help"]).stdout;
    let list = help.split("Commands:\n").nth(1).expect("the verbs").split("\n\n").next().expect("their end");
    // Lines that go on are indented further.
    let named = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let verbs: Vec<String> = named.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(verbs.len() >= 7 && verbs.contains(&"render".to_owned()), "{verbs:?}");
    verbs
}

/// Who does not know a verb learns it from its examples, and who scripts it from its exit codes.
#[test]
fn the_help_of_each_verb_has_examples_and_exit_codes() {
    for verb in verbs() {
        let said = skills(&[&verb, "--help"]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{verb}");
        let (_, tail) =
            said.stdout.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{verb}: no examples"));
        let (examples, codes) =
            tail.split_once("\nExit codes: ").unwrap_or_else(|| panic!("{verb}: no exit codes"));
        let commands = examples.lines().filter(|line| line.contains(&format!("skills {verb}"))).count();
        let comments = examples.lines().filter(|line| line.starts_with("  # ")).count();
        assert!(commands >= 2 && comments >= 2, "{verb}: two examples with a comment each: {examples}");
        assert!(codes.starts_with('0') && codes.contains("; 2 usage"), "{verb}: {codes}");
        assert!(said.stdout.contains(&format!("\nUsage: kubectl skills {verb}")), "{verb}: {}", said.stdout);
        assert_eq!(skills(&[&verb, "-h"]).code, 0, "{verb}");
        assert_eq!(skills(&["help", &verb]), said, "{verb}");
    }
    let version = skills(&["--version"]);
    assert_eq!(version.parts(), (0, concat!("kubectl-skills ", env!("CARGO_PKG_VERSION"), "\n"), ""));
}

/// Each line of an example fits a terminal of 100 columns: a command that is broken in two cannot be copied.
#[test]
fn examples_are_not_broken() {
    for verb in verbs() {
        let help = skills(&[&verb, "--help"]).stdout;
        let (_, examples) = help.split_once("\nExamples:\n").expect("examples");
        for line in examples.lines().take_while(|line| !line.starts_with("Exit codes")) {
            let whole = line.is_empty() || line.starts_with("  ");
            assert!(whole && line.chars().count() <= 100, "{verb}: {line:?}");
        }
    }
}

/// The pages are the help of a build with the default features: whoever changes a flag makes them anew. A verb that is
/// gone leaves no page.
#[cfg(all(feature = "controller", feature = "webhook", feature = "otlp", feature = "registry"))]
#[test]
fn the_pages_are_made_of_the_help() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages = vec![("cli.md".to_owned(), skills(&["__docs"]).stdout)];
    // The book lists them below that page.
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).expect("the list of pages");
    let (before, after) = summary.split_once("](cli.md)").expect("the command line");
    let mut list = format!("{before}](cli.md)");
    for verb in verbs() {
        list.push_str(&format!("\n  - [{verb}](verbs/{verb}.md)"));
        pages.push((format!("verbs/{verb}.md"), skills(&["__docs", &verb]).stdout));
    }
    list.push_str(&after[after.find("\n- ").expect("what comes after it")..]);
    pages.push(("SUMMARY.md".to_owned(), list));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::remove_dir_all(docs.join("verbs")).expect("pages of before");
        std::fs::create_dir_all(docs.join("verbs")).expect("a folder");
        for (name, made) in &pages {
            std::fs::write(docs.join(name), made).expect("a page");
        }
    }
    assert_eq!(std::fs::read_dir(docs.join("verbs")).expect("pages").count(), pages.len() - 2);
    for (name, made) in &pages {
        let page = std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(
            &page == made,
            "docs/{name} is not the program's help any more: run 'make docs' and look at it"
        );
    }
}

/// kubectl calls a file of this name for completion; the same program must know what is meant.
#[cfg(all(unix, feature = "cluster"))]
#[test]
fn the_name_that_kubectl_completes_with_completes() {
    use crate::program::{Folder, said};
    let folder = Folder::with(&[]);
    let link = folder.path("kubectl_complete-skills");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-skills"), &link).expect("a link");
    let mut command = std::process::Command::new(&link);
    let found = said(command.arg("ren").env_clear());
    assert_eq!(
        found.parts(),
        (0, "render\tPrint manifests with skills mounted, and everything else as it was\n:4\n", "")
    );
    let asked = skills(&["__complete", "crd", "--profile", "pr3"]);
    assert_eq!(asked.parts(), (0, "pr332\npr332-merged\n:4\n", ""));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = skills(&["completion", shell]);
        assert_eq!((script.code, script.stdout.contains("kubectl-skills")), (0, true), "{shell}");
    }
    assert_eq!(
        skills(&["completion", "kubectl"]).stdout,
        "#!/bin/sh\nexec kubectl-skills __complete -- \"$@\"\n"
    );
}
