//! Ways into a cluster that companies use: credentials from a program, a kubeconfig in several files, an external diff.

use std::path::Path;

use crate::objects::{deployment, path_of, runtime};
use crate::server::{Server, fed};

fn set_up(namespace: &str) -> &'static Server {
    let server = Server::with_gate_on(namespace);
    let skills = [("a", "quay.io/example/a:1", "/skills/a")];
    for object in [deployment(namespace, "web"), runtime(namespace, "web", &skills)] {
        server.create(&path_of(&object), &object);
    }
    server
}

fn script(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    crate::executable::write(&path, format!("#!/bin/sh\n{text}"));
    path.to_str().expect("a path").to_owned()
}

/// EKS, GKE and AKS all log in by such a program; the cluster and the user often stand in different files.
#[test]
fn credentials_come_from_a_program_and_the_kubeconfig_from_several_files() {
    let server = set_up("kubeconfig-exec");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let token = server.token();
    let plugin = script(
        dir.path(),
        "login",
        &format!(
            "echo '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"{token}\"}}}}'\n"
        ),
    );
    let users = dir.path().join("users");
    let text = format!(
        "users:\n- name: program\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {plugin}\n      \
         interactiveMode: Never\n- name: broken\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      \
         command: {plugin}-is-not-there\n      interactiveMode: Never\ncontexts:\n- name: program\n  context: {{cluster: test, user: program, \
         namespace: kubeconfig-exec}}\ncurrent-context: program\n"
    );
    std::fs::write(&users, text).expect("a writable directory");
    let list = format!(
        "{}:{}:{}",
        dir.path().join("missing").display(),
        users.display(),
        server.kubeconfig().display()
    );
    let said = fed(server.skills_command(&["status"]).env("KUBECONFIG", &list), "");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("web    Deployment/web"), "{}", said.stdout);
    let said = fed(server.skills_command(&["status", "--user", "broken"]).env("KUBECONFIG", &list), "");
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("users[].user.exec"), "{}", said.stderr);
    let said = fed(
        server
            .skills_command(&["status"])
            .env("KUBECONFIG", dir.path().join("missing"))
            .env("HOME", dir.path()),
        "",
    );
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("no cluster is configured"), "{}", said.stderr);
}

/// kubectl drops arguments with a dot or a slash in them without a word; ours come through.
#[test]
fn an_external_diff_gets_both_directories_and_all_its_arguments() {
    let namespace = "kubeconfig-diff";
    let server = set_up(namespace);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let seen = dir.path().join("seen");
    let program = script(
        dir.path(),
        "differ",
        &format!("ls \"$1\" \"$2\" > {0}; shift 2; echo \"$@\" >> {0}; exit ${{RC:-1}}\n", seen.display()),
    );
    let run = |code: &str| {
        let mut command = server.skills_command(&["diff", "-n", namespace]);
        command.env("KUBECTL_EXTERNAL_DIFF", format!("{program} --ignore=spec.x/y --color")).env("RC", code);
        fed(&mut command, "").code
    };
    assert_eq!(run("1"), 1);
    let text = std::fs::read_to_string(&seen).expect("what was seen");
    assert_eq!(text.matches("apps.v1.Deployment.kubeconfig-diff.web").count(), 2, "{text}");
    assert!(text.ends_with("--ignore=spec.x/y --color\n"), "{text}");
    assert_eq!(run("0"), 0);
    assert_eq!(run("2"), 3);
}
