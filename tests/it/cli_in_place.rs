//! `render -i`: which files are written, and that a file is either the old or the new one, whatever happens.

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::program::{DEPLOYMENT, Folder, RUNTIME, SERVICE, fed, program, recorded, said};

fn manifests() -> Folder {
    Folder::with(&[
        ("a/deployment.yaml", DEPLOYMENT),
        ("a/runtime.yaml", RUNTIME),
        ("a/service.yaml", SERVICE),
    ])
}

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    std::fs::set_permissions(folder.path(name), std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Root may do everything; what others may not is shown as somebody who owns nothing.
fn as_nobody(command: &mut Command, folder: &Folder) {
    if std::fs::metadata(folder.root()).expect("a folder").uid() == 0 {
        command.uid(65534).gid(65534);
    }
}

fn names(folder: &Folder, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path(name)).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// What is built of a kustomization is no file; a message about it has to say which are.
#[test]
fn nothing_is_written_into_what_is_built() {
    for verb in [&["render"][..], &["migrate"], &["update"], &["copy", "--to-registry", "localhost:1/a"]] {
        let said = crate::program::skills(&[verb, &["-k", "ov", "-i"]].concat());
        let wanted = "-i writes into files, and what is built of ov is none: write what is built into one, and name that: \
                      kubectl kustomize ov > FILE, then -f FILE";
        assert!(said.code == 2 && said.stderr.contains(wanted), "{verb:?}: {said:?}");
    }
}

/// An overlay may have nothing but its kustomization: the files are those of its bases.
#[test]
fn the_files_that_a_kustomization_is_built_of_are_named() {
    let folder = Folder::with(&[
        ("base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/a.yaml", "kind: Service\n"),
        ("ov/kustomization.yaml", "resources: [../base]\n"),
    ]);
    let said = folder.skills(&["render", "-k", "ov", "-i"]);
    let wanted = "what is built of ov is none: name those that it is built of: -f base/a.yaml\n";
    assert!(said.code == 2 && said.stderr.contains(wanted), "{said:?}");
}

/// An image volume of the author's that a skill takes over, and its mounts: what changes comes back as it was written, and
/// where it was.
#[test]
fn an_adopted_reference_comes_back_as_it_was_written() {
    for volume in [
        "{name: skill-a, image: {reference: reg.example/a:0}}",
        "{name: skill-a, image: {reference: reg.example/a:0, pullPolicy: Always}}",
        "{name: skill-a, image: {reference: localhost:5000/a}}",
        "{name: skill-a, image: {reference: localhost/a}}",
        "{name: skill-a, image: {reference: a@sha256:0f0f}}",
        "{name: skill-a, image: {reference: \"reg.example/a:0\"}}",
        "{name: skill-a, image: {reference: 'reg.example/a'}}",
        "{\"name\": \"skill-a\", \"image\": {\"reference\": reg.example/a:0}}",
        "{\"name\": \"skill-a\", \"image\": {\"reference\": \"reg.example/a:0\"}}",
        "name: skill-a\n        image: {reference: reg.example/a:0}",
        "name: \"skill-a\"\n        image:\n          reference: reg.example/a:0 # mine",
    ] {
        for mounts in [
            "",
            "\n        volumeMounts: [{name: skill-a, mountPath: /skills/a}, {name: tmp, mountPath: /tmp}]",
            "\n        volumeMounts:\n        # mine\n        - {name: skill-a, mountPath: /skills/a}\n        - name: tmp\n          \
             mountPath: /tmp",
            "\n        volumeMounts:\n        - name: tmp\n          mountPath: /tmp\n        - name: skill-a\n          \
             mountPath: /skills/a # mine\n          readOnly: false\n        - {mountPath: /second, name: skill-a}",
        ] {
            let text = format!(
                "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: desk, namespace: team1}}
spec:
  selector: {{matchLabels: {{app: desk}}}}
  template:
    metadata:
      labels: {{app: desk}}
    spec:
      containers:
      - name: agent
        image: \"reg.example/desk:1\"{mounts}
      volumes:
      - {{name: tmp, emptyDir: {{}}}}
      - {volume}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {{name: desk, namespace: team1}}
spec:
  type: agent
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: desk}}
  skills:
  - {{name: a, image: \"reg.example/b:1\", mountPath: /skills/a}}
"
            );
            let folder = Folder::with(&[("agent.yaml", &text)]);
            let said = folder.skills(&["render", "-q", "-i", "-f", "agent.yaml"]);
            assert_eq!(said.code, 0, "{said:?}");
            assert_eq!(folder.read("agent.yaml").matches("reg.example/b:1").count(), 2, "taken over");
            let said = folder.skills(&["render", "-q", "-i", "--remove", "-f", "agent.yaml"]);
            assert_eq!((said.code, folder.read("agent.yaml")), (0, text), "{said:?}");
        }
    }
}

/// A rewritten file without a change would wake every watcher and build.
#[test]
fn only_files_in_which_something_changes_are_written() {
    let folder = manifests();
    set_mode(&folder, "a/deployment.yaml", 0o640);
    let inode = |name: &str| std::fs::metadata(folder.path(name)).expect("a file").ino();
    let before = ["a/deployment.yaml", "a/runtime.yaml", "a/service.yaml"].map(inode);
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    assert!(
        said.stderr.starts_with(
            "note: a/deployment.yaml rewritten\nsummary: 1 agent, 1 skill: 1 workload changed, 2 objects"
        ),
        "{said:?}"
    );
    let after = ["a/deployment.yaml", "a/runtime.yaml", "a/service.yaml"].map(inode);
    assert_eq!((before[0] == after[0], before[1] == after[1], before[2] == after[2]), (false, true, true));
    assert_eq!(folder.read("a/deployment.yaml"), recorded());
    let mode = std::fs::metadata(folder.path("a/deployment.yaml")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(names(&folder, "a"), ["deployment.yaml", "runtime.yaml", "service.yaml"]);
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!((said.code, said.stderr.contains("rewritten")), (0, false), "{said:?}");
    assert_eq!(inode("a/deployment.yaml"), after[0]);
    assert_eq!(folder.skills(&["render", "-i", "--remove", "-f", "a"]).code, 0);
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
}

/// A4: the list of skills stands nowhere else. Who wants the workload alone to list them says so.
#[test]
fn skills_leave_their_manifest_only_where_that_is_asked_for() {
    let folder = manifests();
    let refused = folder.skills(&["render", "-i", "-f", "a", "--profile", "head"]);
    let error = "error: the CRD of profile head has no spec.skills, so -i would take the list of skills out of 1 AgentRuntime, \
                 and it stands nowhere else; nothing was written (keep these files as the source and render into others (without \
                 -i), or give --drop-skills if the workloads alone are to list the skills from now on)\n";
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.ends_with(error), "{refused:?}");
    assert_eq!(
        (folder.read("a/deployment.yaml").as_str(), folder.read("a/runtime.yaml").as_str()),
        (DEPLOYMENT, RUNTIME)
    );
    let dropped = folder.skills(&["render", "-i", "--drop-skills", "-f", "a", "--profile", "head"]);
    assert_eq!(dropped.code, 0, "{dropped:?}");
    assert!(!folder.read("a/runtime.yaml").contains("skills:"), "the CRD would drop them");
    let again = folder.skills(&["render", "-i", "-f", "a", "--profile", "head"]);
    assert_eq!(again.code, 0, "nothing is left to lose: {again:?}");
    // The record knows what was mounted, though no manifest lists it any more.
    assert_eq!(folder.skills(&["render", "-i", "--remove", "-f", "a", "--profile", "head"]).code, 0);
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
}

/// Beside a SkillBinding the dropped list would be lost twice: the next render takes out what no list has any more.
#[test]
fn a_list_beside_a_skill_binding_is_never_dropped() {
    let folder = manifests();
    let binding = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata:\n  name: more\n  namespace: team1\nspec:\n  \
                   targetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: weather\n  skills:\n  - name: charts\n    \
                   image: ghcr.io/acme/skills/charts:1.0.0\n    mountPath: /skills/charts\n";
    for binding in [binding, &binding.replace("spec:\n", "spec:\n  delivery: Pod\n")] {
        folder.write("a/binding.yaml", binding);
        let refused = folder.skills(&["render", "-i", "--drop-skills", "-f", "a", "--profile", "head"]);
        let error = "error: a/runtime.yaml:8:5: AgentRuntime team1/weather: spec.skills: the CRD of profile head has no \
                     spec.skills, so this list goes; SkillBinding more, which stays, is about the same workload, and whoever reads \
                     it next takes these skills out (move it into SkillBinding more)\n";
        assert_eq!((refused.code, refused.stderr.as_str()), (3, error));
        assert_eq!(
            (folder.read("a/deployment.yaml").as_str(), folder.read("a/runtime.yaml").as_str()),
            (DEPLOYMENT, RUNTIME)
        );
    }
}

/// A render to stdout has its source, and leaves no record where nothing is ambiguous: what it printed is kept, with a
/// warning for each thing.
#[test]
fn where_the_operator_observes_only_a_record_is_the_way_back() {
    let folder = manifests();
    let printed = folder.skills(&["render", "-f", "a", "--profile", "head"]).stdout;
    assert!(
        printed.contains("name: skill-pdf") && !printed.contains("skills.kagenti.dev/record"),
        "{printed}"
    );
    let back = fed(&["render", "--remove", "-f", "-", "--profile", "head"], &printed);
    assert_eq!((back.code, back.stdout.as_str()), (0, printed.as_str()));
    for kept in
        ["image volume skill-pdf and its mounts are kept", "names skills of others, which are kept: pdf"]
    {
        assert!(back.stderr.contains(kept), "{back:?}");
    }
}

/// A file that is written in place has no source: what its author had there is kept in it, as data.
#[test]
fn the_record_gives_back_what_the_author_wrote() {
    let own = DEPLOYMENT
        .replace("  namespace: team1\n", "  namespace: team1\n  labels: {kagenti.io/type: agent}\n")
        + "      volumes:\n        - name: skill-pdf # by hand\n          image:\n            reference: quay.io/acme/pdf:0\n";
    let folder = manifests();
    for (flags, is_there) in [(&[][..], true), (&["--no-record"][..], false), (&["--exact"][..], false)] {
        folder.write("a/deployment.yaml", &own);
        let said = folder.skills(&[&["render", "-i", "-f", "a"], flags].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let text = folder.read("a/deployment.yaml");
        assert_eq!(text.contains("skills.kagenti.dev/record"), is_there, "{flags:?}: {text}");
        if is_there {
            assert_eq!(folder.skills(&["render", "--check", "-f", "a"]).code, 0, "{text}");
            assert_eq!(folder.skills(&["render", "-i", "--remove", "-f", "a"]).code, 0);
            assert_eq!(folder.read("a/deployment.yaml"), own);
        }
    }
}

/// `links` is not where the file stands: only who names it, or its folder, has it written.
#[test]
fn a_link_is_followed_but_not_out_of_what_was_named() {
    let folder = manifests();
    std::fs::create_dir(folder.path("links")).expect("a folder");
    symlink("../a/deployment.yaml", folder.path("links/deployment.yaml")).expect("a link");
    let said = folder.skills(&["render", "-i", "-f", "links", "-f", "a/runtime.yaml"]);
    let error = format!(
        "error: links/deployment.yaml: is a link to {}, outside of the folders that were given (give that file with -f as \
         well, or leave the link out with --exclude)\n",
        std::fs::canonicalize(folder.path("a/deployment.yaml")).expect("a file").display()
    );
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.ends_with(&error), "{said:?}");
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
    for args in [
        ["render", "-i", "-f", "links/deployment.yaml", "-f", "a/runtime.yaml"],
        ["render", "-i", "-f", "links", "-f", "a"],
    ] {
        folder.write("a/deployment.yaml", DEPLOYMENT);
        let said = folder.skills(&args);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(
            std::fs::symlink_metadata(folder.path("links/deployment.yaml")).expect("a link").is_symlink()
        );
        assert_eq!(folder.read("a/deployment.yaml"), recorded());
        assert_eq!(names(&folder, "links"), ["deployment.yaml"]);
    }
}

/// A pipe in a folder would stop the run for ever, a device would fill the memory.
#[test]
fn what_is_no_file_is_skipped_in_a_folder_and_refused_by_name() {
    let folder = manifests();
    let made = Command::new("mkfifo").arg(folder.path("a/pipe.yaml")).status().expect("mkfifo");
    assert!(made.success(), "no pipe");
    symlink("/dev/zero", folder.path("a/zero.yaml")).expect("a link");
    symlink("nobody@host.1", folder.path("a/.#deployment.yaml")).expect("a link");
    symlink("gone.yaml", folder.path("a/dangling.yaml")).expect("a link");
    symlink("round.yaml", folder.path("a/round.yaml")).expect("a link");
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!(said.code, 0, "{said:?}");
    let note = "note: skipped what is no regular file: a/.#deployment.yaml, a/dangling.yaml, a/pipe.yaml and 2 more\n";
    assert!(said.stderr.contains(note), "{said:?}");
    assert_eq!(folder.read("a/deployment.yaml"), recorded());
    for (name, error) in [
        (
            "a/pipe.yaml",
            "error: a/pipe.yaml: is a named pipe, and no file (pipe its content in: ... -f - < PIPE)\n",
        ),
        ("a/zero.yaml", "error: a/zero.yaml: is a device, and no file (name a file)\n"),
        (
            "a/dangling.yaml",
            "error: a/dangling.yaml: cannot be read: No such file or directory (os error 2) (check the name)\n",
        ),
    ] {
        assert_eq!(folder.skills(&["render", "-f", name]).parts(), (3, "", error));
    }
    // What bash makes of `<(kustomize build)`.
    let shell =
        format!("{} render -f /dev/fd/3 3< <(cat a/deployment.yaml)", env!("CARGO_BIN_EXE_kubectl-skills"));
    let read = crate::program::said(Command::new("bash").args(["-c", &shell]).current_dir(folder.root()));
    assert_eq!(read.code, 0, "{read:?}");
}

/// The rename gives the new text to one of the names only: whoever links must know.
#[test]
fn hard_links_are_reported_and_extended_attributes_kept() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let folder = manifests();
    std::fs::hard_link(folder.path("a/deployment.yaml"), folder.path("other")).expect("a link");
    let has_attributes =
        setxattr(folder.path("a/deployment.yaml"), "user.team", b"desk", XattrFlags::empty()).is_ok();
    // One user more may read: version 2, then tag, permissions and id of owner, that user, group, mask and others.
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 4, 1234), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 4, u32::MAX)];
    let list: Vec<u8> = entries
        .iter()
        .flat_map(|(tag, may, id)| [&tag.to_le_bytes()[..], &may.to_le_bytes(), &id.to_le_bytes()].concat())
        .collect();
    let list = [&2_u32.to_le_bytes()[..], &list].concat();
    let access = "system.posix_acl_access";
    let has_lists = setxattr(folder.path("a/deployment.yaml"), access, &list, XattrFlags::empty()).is_ok();
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!(said.code, 0, "{said:?}");
    let warning = "warning: a/deployment.yaml has 2 hard links: the other names keep the old text\n";
    assert!(said.stderr.contains(warning), "{said:?}");
    assert_eq!(
        (folder.read("a/deployment.yaml").as_str(), folder.read("other").as_str()),
        (recorded().as_str(), DEPLOYMENT)
    );
    // Some file systems of test machines have none.
    if has_attributes {
        let mut value = [0; 8];
        let length = getxattr(folder.path("a/deployment.yaml"), "user.team", &mut value[..]);
        assert_eq!(length.map(|length| &value[..length]), Ok(&b"desk"[..]));
    }
    if has_lists {
        let mut kept = vec![0; 2 * list.len()];
        let length = getxattr(folder.path("a/deployment.yaml"), access, &mut kept[..]);
        assert_eq!(length.map(|length| &kept[..length]), Ok(&list[..]), "who may read it has changed");
    }
}

/// A disk with no room: nothing is replaced, and nothing is left over. A limit on the size of files stands for it, which
/// the second file goes over.
#[test]
fn without_room_for_a_file_all_stay_as_they_were() {
    let folder = manifests();
    let big = format!("{}---\n{DEPLOYMENT}", "# a line\n".repeat(20_000));
    folder.write("a/z.yaml", big.replace("weather", "news"));
    folder.write("a/zr.yaml", RUNTIME.replace("weather", "news"));
    let before: Vec<_> = names(&folder, "a").iter().map(|name| folder.read(&format!("a/{name}"))).collect();
    let mut command = Command::new("sh");
    let line = "trap '' XFSZ; ulimit -f 64; exec \"$0\" render -i -f a";
    command.args(["-c", line, env!("CARGO_BIN_EXE_kubectl-skills")]).current_dir(folder.root());
    let said = said(&mut command);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.starts_with("error: a/z.yaml: "), "{said:?}");
    let after: Vec<_> = names(&folder, "a").iter().map(|name| folder.read(&format!("a/{name}"))).collect();
    assert_eq!(after, before, "something was written");
}

/// What a run that was killed has left is removed, but nobody else's file.
#[test]
fn leftovers_of_a_run_that_was_killed_are_removed() {
    let folder = manifests();
    let gone = {
        let mut child = Command::new("true").spawn().expect("a process");
        let id = child.id();
        child.wait().expect("an end");
        id
    };
    folder.write(format!("a/.kubectl-skills-{gone}-aB3dE6.tmp"), "half");
    folder.write(format!("a/.kubectl-skills-{}-aB3dE6.tmp", std::process::id()), "of a run that goes on");
    folder.write("a/.kubectl-skills-notes.tmp", "mine");
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("note: 1 temporary files of an earlier run, which was killed, are removed\n"),
        "{said:?}"
    );
    let running = format!(".kubectl-skills-{}-aB3dE6.tmp", std::process::id());
    assert_eq!(
        names(&folder, "a"),
        [running.as_str(), ".kubectl-skills-notes.tmp", "deployment.yaml", "runtime.yaml", "service.yaml"]
    );
}

/// Half of the files written is worse than none: all are tried before any is put in its place.
#[test]
fn a_folder_that_cannot_be_written_leaves_all_as_it_was() {
    let second = |text: &str| text.replace("weather", "other").replace("acme/other", "acme/weather");
    let folder = manifests();
    folder.write("b/all.yaml", format!("{}---\n{}", second(DEPLOYMENT), second(RUNTIME)));
    for (name, mode) in
        [("", 0o755), ("a", 0o777), ("a/deployment.yaml", 0o666), ("b/all.yaml", 0o666), ("b", 0o555)]
    {
        set_mode(&folder, name, mode);
    }
    let mut command = program(&["render", "-i", "-f", "a", "-f", "b"]);
    command.current_dir(folder.root());
    as_nobody(&mut command, &folder);
    let said = said(&mut command);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(
        said.stderr.contains("cannot write a new file alongside it")
            && said.stderr.contains("Permission denied"),
        "{said:?}"
    );
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
    assert_eq!(names(&folder, "a"), ["deployment.yaml", "runtime.yaml", "service.yaml"]);
    set_mode(&folder, "b", 0o755);
}

/// A rename would replace what its owner has protected.
#[test]
fn a_read_only_file_is_refused() {
    let folder = manifests();
    set_mode(&folder, "a/deployment.yaml", 0o444);
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("error: a/deployment.yaml: the file is read-only"), "{said:?}");
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let folder = manifests();
    set_mode(&folder, "", 0o755);
    set_mode(&folder, "a/deployment.yaml", 0o000);
    let mut command = program(&["render", "-f", "a"]);
    command.current_dir(folder.root());
    as_nobody(&mut command, &folder);
    let said = said(&mut command);
    assert_eq!(
        said.parts(),
        (3, "", "error: a/deployment.yaml: cannot be read: Permission denied (os error 13)\n")
    );
}

/// An error in one file writes none.
#[test]
fn an_error_anywhere_writes_nothing() {
    let folder = manifests();
    folder.write("a/zz.yaml", RUNTIME.replace("weather", "missing"));
    let said = folder.skills(&["render", "-i", "-f", "a"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(folder.read("a/deployment.yaml"), DEPLOYMENT);
}

/// A hash that somebody has copied says nothing of who wrote the labels, nor is it ours.
const HASH_ALONE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: desk
  namespace: team1
  labels: {kagenti.io/type: agent}   # mine
spec:
  template:
    metadata:
      labels: {app: desk}
      annotations: {kagenti.io/config-hash: \"abc\"}
    spec:
      containers:
      - {name: agent, image: x}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: desk, namespace: team1}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: desk}
  skills:
  - {name: forecast, image: \"reg.example/skills/forecast:1.0.0\", mountPath: /skills/forecast}
";

#[test]
fn a_config_hash_alone_is_no_evidence() {
    let folder = Folder::with(&[("desk.yaml", HASH_ALONE)]);
    // Never rendered: there is nothing to take out.
    let said = folder.skills(&["render", "-i", "--remove", "-f", "desk.yaml"]);
    assert_eq!((said.code, folder.read("desk.yaml").as_str()), (0, HASH_ALONE), "{said:?}");
    assert!(said.stderr.contains("kagenti.io/type is kept"), "{said:?}");
    assert!(said.stderr.contains("kagenti.io/config-hash is kept"), "{said:?}");
    // Rendered and taken back, in place and by a pipe.
    let said = folder.skills(&["render", "-i", "-f", "desk.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        folder.read("desk.yaml").contains(r#""entries":{"type":"agent","hash":"abc"}"#),
        "{}",
        folder.read("desk.yaml")
    );
    let said = folder.skills(&["render", "-i", "--remove", "-f", "desk.yaml"]);
    assert_eq!((said.code, folder.read("desk.yaml").as_str()), (0, HASH_ALONE), "{said:?}");
    let printed = folder.skills(&["render", "-f", "desk.yaml"]).stdout;
    std::fs::write(folder.path("printed.yaml"), printed).expect("a file");
    assert_eq!(folder.skills(&["render", "--remove", "-f", "printed.yaml"]).stdout, HASH_ALONE);
}
