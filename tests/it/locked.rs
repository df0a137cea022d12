//! Skills pinned by a lock: what is rendered is what pinned references would give, nothing is rendered without them, and no
//! registry is asked.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::process::Command;

use serde_json::json;

use crate::program::{DEPLOYMENT, Folder, RUNTIME, SERVICE, fed, program, said};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const PDF: &str = "quay.io/acme/pdf:1";

const BINDING: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: more, namespace: team1}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills:
    - {name: csv, image: acme/csv, mountPath: /skills/csv}
";

fn lock(images: &[(&str, &str)]) -> String {
    let items = images.iter().map(|(image, digest)| format!("- image: {image}\n  digest: {digest}\n"));
    format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n{}",
        items.collect::<String>()
    )
}

fn manifests(lock: &str) -> Folder {
    Folder::with(&[
        ("m/deployment.yaml", DEPLOYMENT),
        ("m/runtime.yaml", RUNTIME),
        ("m/service.yaml", SERVICE),
        ("m/binding.yaml", BINDING),
        ("skills.lock", lock),
    ])
}

fn both() -> String {
    lock(&[(PDF, ONE), ("docker.io/acme/csv:latest", TWO)])
}

/// An operator that finds another hash than it would have written rolls every pod.
#[test]
fn a_locked_render_is_that_of_pinned_references() {
    let folder = manifests(&both());
    for profile in ["pr332-merged", "head"] {
        let locked = folder.skills(&[
            "render",
            "--locked",
            "--profile",
            profile,
            "-f",
            "m/deployment.yaml",
            "-f",
            "m",
        ]);
        assert_eq!(locked.code, 0, "{}", locked.stderr);
        let written = Folder::with(&[
            ("m/deployment.yaml", DEPLOYMENT),
            ("m/runtime.yaml", &RUNTIME.replace(PDF, &format!("{PDF}@{ONE}"))),
            ("m/service.yaml", SERVICE),
            ("m/binding.yaml", &BINDING.replace("acme/csv,", &format!("acme/csv@{TWO},"))),
        ]);
        let by_hand = written.skills(&["render", "--profile", profile, "-f", "m/deployment.yaml", "-f", "m"]);
        let first = |text: &str| text.split("---\n").next().expect("a document").to_owned();
        assert_eq!(first(&locked.stdout), first(&by_hand.stdout), "{profile}");
        for reference in [format!("reference: {PDF}@{ONE}\n"), format!("reference: acme/csv@{TWO}\n")] {
            assert!(locked.stdout.contains(&reference), "{profile}: {}", locked.stdout);
        }
    }
}

/// Files that hold the plain references stay the source of what is rendered by them.
#[test]
fn a_second_render_changes_nothing_and_one_without_a_lock_takes_the_digests_back() {
    let folder = manifests(&both());
    let render = |args: &[&str]| folder.skills(&[&["render", "-f", "m"], args].concat());
    let plain = ["-i"];
    let locked = ["-i", "--locked"];
    assert_eq!(render(&plain).code, 0);
    let unpinned = folder.read("m/deployment.yaml");
    assert_eq!(render(&["--check"]).code, 0);
    assert_eq!(render(&["--check", "--locked"]).code, 1, "a lock changes the workload");
    assert_eq!(render(&locked).code, 0);
    let pinned = folder.read("m/deployment.yaml");
    assert!(pinned.contains(&format!("reference: {PDF}@{ONE}\n")), "{pinned}");
    assert_eq!(folder.read("m/runtime.yaml"), RUNTIME, "the list of skills is the author's");
    assert_eq!(folder.read("m/binding.yaml"), BINDING);
    assert_eq!(render(&["--check", "--locked"]).code, 0);
    assert_eq!(render(&locked).code, 0);
    assert_eq!(folder.read("m/deployment.yaml"), pinned);
    assert_eq!(render(&plain).code, 0);
    assert_eq!(folder.read("m/deployment.yaml"), unpinned);
    assert_eq!(render(&locked).code, 0);
    // To take skills out no lock is needed.
    std::fs::remove_file(folder.path("skills.lock")).expect("a file less");
    let removed = render(&["-i", "--locked", "--remove"]);
    assert_eq!(
        (removed.code, folder.read("m/deployment.yaml")),
        (0, DEPLOYMENT.to_owned()),
        "{}",
        removed.stderr
    );
    let missing = render(&["--locked"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    assert_eq!(
        missing.stderr,
        "error: skills.lock: there is no such file (run 'kubectl skills lock -f' on the manifests, which writes it)\n"
    );
}

/// What the lock does not have is written nowhere, whichever verb looks.
#[test]
fn what_is_not_locked_is_refused_with_its_place() {
    let folder = manifests(&lock(&[("acme/csv", TWO)]));
    let wanted = "m/runtime.yaml:9:14: AgentRuntime team1/weather: spec.skills[0].image: quay.io/acme/pdf:1 is not in \
                  skills.lock (run 'kubectl skills lock -f' on the manifests)";
    for verb in ["render", "render -i", "render --check", "render -o kustomize-patch", "diff", "plan"] {
        let mut words: Vec<&str> = verb.split(' ').collect();
        words.extend(["--locked", "-f", "m"]);
        let said = folder.skills(&words);
        assert!(said.stderr.contains(wanted) || said.stdout.contains(wanted), "{verb}: {said:?}");
        assert_ne!(said.code, 0, "{verb}");
        assert_eq!(folder.read("m/deployment.yaml"), DEPLOYMENT);
    }
    // The same of a list that adds to it, with the file of that list.
    folder.write("skills.lock", lock(&[(PDF, ONE)]));
    let said = folder.skills(&["render", "--locked", "-f", "m"]);
    assert!(
        said.stderr.contains(
            "m/binding.yaml:7:26: SkillBinding team1/more: spec.skills[0].image: acme/csv is not in"
        ),
        "{}",
        said.stderr
    );
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    // What the author has pinned must be what is locked.
    folder.write("skills.lock", both());
    folder.write("m/runtime.yaml", RUNTIME.replace(PDF, &format!("{PDF}@{TWO}")));
    let said = folder.skills(&["render", "--locked", "-f", "m"]);
    assert!(
        said.stderr.contains(&format!("{PDF}@{TWO} names another digest than skills.lock, which has {ONE}")),
        "{}",
        said.stderr
    );
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    folder.write("m/runtime.yaml", RUNTIME.replace(PDF, &format!("{PDF}@{ONE}")));
    assert_eq!(folder.skills(&["render", "--locked", "-f", "m"]).code, 0);
}

/// A pipeline has its lock where it has the rest of its configuration.
#[test]
fn the_function_and_the_configuration_file_know_locks() {
    let folder = manifests(&both());
    folder.write("m/.kubectl-skills.yaml", "locked: ../skills.lock\n");
    folder.write("none.yaml", "{}\n");
    let by_file = folder.skills(&["render", "-f", "m"]);
    assert!(by_file.stdout.contains(&format!("reference: {PDF}@{ONE}\n")), "{by_file:?}");
    let list = |lock: &str| {
        let items: Vec<serde_json::Value> = serde_json::from_str::<serde_json::Value>(
            &folder
                .skills(&[
                    "render",
                    "--config",
                    &folder.path("none.yaml"),
                    "--remove",
                    "-f",
                    "m",
                    "-o",
                    "json",
                ])
                .stdout,
        )
        .expect("a list")["items"]
            .as_array()
            .expect("items")
            .clone();
        json!({
            "apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items,
            "functionConfig": {
                "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillsFunction", "metadata": {"name": "x"},
                "spec": {"lock": lock},
            },
        })
        .to_string()
    };
    let said = fed(&["fn"], list(&both()));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains(&format!("{PDF}@{ONE}")), "{}", said.stdout);
    let said = fed(&["fn"], list(&lock(&[(PDF, ONE)])));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("acme/csv is not in the lock"), "{}", said.stderr);
    let path = folder.path("skills.lock");
    let by_flag = fed(&["fn", &format!("--locked={path}")], list("apiVersion: nonsense\n"));
    assert_eq!(by_flag.code, 0, "flags decide over the functionConfig: {by_flag:?}");
}

/// In a pipeline without network a lookup would be the end of it; so nothing may even try.
#[test]
fn no_socket_is_opened() {
    let strace = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !strace {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let folder = manifests(&both());
    for verb in [
        vec!["render", "--locked", "-f", "m", "-v"],
        vec!["render", "--locked", "-f", "m", "-i"],
        vec!["render", "--locked", "-f", "m", "--check"],
        vec!["diff", "--locked", "-f", "m"],
        vec!["lock", "-f", "m", "--check"],
    ] {
        let program = program(&verb);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=network", "-o", "trace"]).arg(program.get_program());
        let said = said(
            traced
                .args(program.get_args())
                .env_clear()
                .env("HOME", "/nonexistent")
                .current_dir(folder.root()),
        );
        assert!(said.code <= 1, "{verb:?}: {said:?}");
        assert_eq!(folder.read("trace"), "", "{verb:?}");
    }
}

/// What each agent has, as one digest: two that have the same are instructed alike.
#[test]
fn the_set_of_skills_of_a_workload_is_named() {
    let folder = manifests(&both());
    let said = folder.skills(&["render", "-v", "--locked", "-f", "m"]);
    let line = said
        .stderr
        .lines()
        .find(|line| line.starts_with("object: deployment team1/weather: "))
        .expect("a line");
    let (before, digest) = line.split_once("skill set ").expect("a digest");
    assert_eq!((before, digest.len()), ("object: deployment team1/weather: 2 skills mounted, ", 71));
    let other = RUNTIME.replace(PDF, &format!("quay.io/acme/pdf@{ONE}"));
    folder.write("m/runtime.yaml", other);
    let again = folder.skills(&["render", "-v", "--locked", "-f", "m"]);
    assert!(again.stderr.contains(line), "the name of an image is no part of it: {}", again.stderr);
}

/// In CI nobody has a login; what the manifests ask for and what is locked can be compared without.
#[test]
fn a_lock_is_checked_without_a_registry() {
    let folder = manifests(&both());
    let check = |args: &[&str]| folder.skills(&[&["lock", "-f", "m", "--check"], args].concat());
    let fits = check(&[]);
    assert_eq!(fits.parts(), (0, "", "summary: skills.lock has 2 images, and nothing else\n"));
    folder.write("skills.lock", lock(&[(PDF, ONE), ("quay.io/acme/old:1", TWO)]));
    folder.write("m/runtime.yaml", RUNTIME.replace(PDF, &format!("{PDF}@{TWO}")));
    let differs = check(&[]);
    assert_eq!(
        differs.parts(),
        (
            1,
            &*format!(
                "differs: m/runtime.yaml:9:14: AgentRuntime team1/weather: spec.skills[0].image: {PDF}@{TWO} names another \
                 digest than skills.lock: {ONE}\n\
                 missing: m/binding.yaml:7:26: SkillBinding team1/more: spec.skills[0].image: acme/csv is not in skills.lock\n\
                 unused: skills.lock:6: quay.io/acme/old:1: no manifest names it\n"
            ),
            "summary: skills.lock does not fit the manifests in 3 places; run 'kubectl skills lock -f' on them\n"
        )
    );
    let json = check(&["-o", "json"]).json();
    let kinds: Vec<&serde_json::Value> =
        json["differences"].as_array().expect("a list").iter().map(|one| &one["difference"]).collect();
    assert_eq!(kinds, ["differs", "missing", "unused"]);
    std::fs::remove_file(folder.path("skills.lock")).expect("a file less");
    assert_eq!(check(&[]).code, 1, "no lock has nothing");
    folder.write("skills.lock", "kind: SkillLock\n");
    assert_eq!(check(&[]).code, 3);
}

#[test]
fn lock_files_of_other_tools_come_and_go() {
    let folder = Folder::with(&[("theirs", include_str!("../../testdata/locks/toolhive.lock.yaml"))]);
    let imported = folder.skills(&["lock", "--import", "theirs"]);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    assert_eq!(
        imported
            .stdout
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>(),
        [
            "IMAGE SKILL VERSION DIGEST STATE",
            "ghcr.io/acme/skills/csv:2.0.0 csv 2.0.0 sha256:222222222222 new",
            "ghcr.io/acme/skills/pdf:1.2.0 pdf - sha256:111111111111 new",
        ]
    );
    let again = folder.skills(&["lock", "--import", "theirs"]);
    assert!(again.stdout.contains("same") && !again.stdout.contains("new"), "{}", again.stdout);
    let exported = folder.skills(&["lock", "--export", "toolhive"]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    folder.write("back", &exported.stdout);
    let other = Folder::with(&[("theirs", &exported.stdout)]);
    assert_eq!(other.skills(&["lock", "--import", "theirs"]).stdout, imported.stdout);
    assert_eq!(folder.skills(&["lock", "--export", "cargo"]).code, 2);
    assert_eq!(folder.skills(&["lock", "--import", "nowhere"]).code, 3);
    assert_eq!(other.skills(&["lock", "--export", "npx", "--lock-file", "none"]).code, 3);
    assert_eq!(folder.skills(&["lock"]).code, 2, "without manifests there is nothing to lock");
}

/// What the configuration file names is what the flag without a value means.
#[test]
fn a_bare_flag_is_the_lock_of_the_configuration_file() {
    let folder = manifests("");
    std::fs::remove_file(folder.path("skills.lock")).expect("a file less");
    folder.write("locks/ours.lock", both());
    folder.write(".kubectl-skills.yaml", "locked: locks/ours.lock\n");
    for args in [&["render", "-f", "m"][..], &["render", "--locked", "-f", "m"]] {
        let said = folder.skills(args);
        assert_eq!(said.code, 0, "{args:?}: {}", said.stderr);
        assert!(said.stdout.contains(&format!("reference: {PDF}@{ONE}\n")), "{args:?}: {}", said.stdout);
    }
    let other = folder.skills(&["render", "--locked=skills.lock", "-f", "m"]);
    assert_eq!(other.code, 3, "what is typed decides: {}", other.stderr);
}

/// Nothing is planned for a workload that nobody points at, and so nothing pins it.
#[test]
fn a_rendered_workload_alone_is_not_passed_over() {
    let folder = manifests(&both());
    let rendered = folder.skills(&["render", "-f", "m"]);
    let deployment =
        rendered.stdout.split("---\n").find(|text| text.contains("reference: ")).expect("one").to_owned();
    folder.write("r/deployment.yaml", &deployment);
    let said = folder.skills(&["render", "--locked", "-f", "r"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, deployment.as_str()), "{}", said.stderr);
    for image in [PDF, "acme/csv"] {
        let warning = format!("Deployment team1/weather: {image} is not pinned, and stays as it is");
        assert_eq!(said.stderr.matches(&warning).count(), 1, "{}", said.stderr);
    }
    assert!(!folder.skills(&["render", "-f", "r"]).stderr.contains("is not pinned"));
    let pinned = folder.skills(&["render", "--locked", "-f", "m"]);
    assert!(!pinned.stderr.contains("is not pinned"), "{}", pinned.stderr);
}

/// A write that was cut off would make every image a new one, and forget who had signed it.
#[test]
fn an_empty_lock_and_a_link_to_nothing_are_refused() {
    let folder = manifests("");
    for args in
        [&["lock", "-f", "m"][..], &["lock", "-f", "m", "--check"], &["render", "--locked", "-f", "m"]]
    {
        let said = folder.skills(args);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("skills.lock:1: is empty; "), "{args:?}: {}", said.stderr);
    }
    folder.write("theirs", include_str!("../../testdata/locks/toolhive.lock.yaml"));
    std::os::unix::fs::symlink("nowhere", folder.path("a.lock")).expect("a link");
    for (lock, wanted) in [
        ("a.lock", "is a link to a file that is not there (make what it points at, or remove the link)"),
        ("no/a.lock", "No such file or directory (os error 2)"),
    ] {
        let said = folder.skills(&["lock", "--import", "theirs", "--lock-file", lock]);
        let last = said.stderr.lines().last().expect("a line");
        assert_eq!((said.code, last), (3, format!("error: {lock}: {wanted}").as_str()), "{}", said.stderr);
    }
}
