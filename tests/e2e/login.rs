//! Logins, names and refused connections against a real API server, whose audit log says what it was asked and by whom.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::objects::{deployment, gates_on, path_of, runtime};
use crate::server::{CURRENT, Server, fed};

const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n";
const NAMESPACE: &str = "login";

/// A kubeconfig whose user logs in by a program that counts its runs and asks for a code.
fn kubeconfig(server: &Server, dir: &std::path::Path) -> std::path::PathBuf {
    let (plugin, runs) = (dir.join("plugin"), dir.join("runs"));
    let credential = format!(
        "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"{}\"}}}}",
        server.token()
    );
    let text = format!(
        "#!/bin/sh\necho run >> {}\nprintf 'Code: ' >&2; read code; [ \"$code\" = 4711 ] || exit 9\necho '{credential}'\n",
        runs.display()
    );
    crate::executable::write(&plugin, text);
    let user = format!(
        "users:\n- name: asks\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {}\n      \
         interactiveMode: Always\n",
        plugin.display()
    );
    let users = dir.join("users");
    std::fs::write(&users, user).expect("a kubeconfig");
    users
}

/// An interactive program asks once on the terminal, for all requests of an apply; and each request says what sent it.
#[test]
fn a_login_asks_once_on_the_terminal_and_requests_say_who_sends_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let (policy, log) = (dir.path().join("policy.yaml"), dir.path().join("audit.log"));
    std::fs::write(&policy, POLICY).expect("a policy");
    let audit =
        [format!("--audit-policy-file={}", policy.display()), format!("--audit-log-path={}", log.display())];
    let server = Server::start(CURRENT, &["--", &audit[0], &audit[1]]);
    server.namespace(NAMESPACE);
    server.namespace("kagenti-system");
    let skills = [("a", "quay.io/example/a:1", "/skills/a")];
    for object in [gates_on(), deployment(NAMESPACE, "web"), runtime(NAMESPACE, "web", &skills)] {
        server.create(&path_of(&object), &object);
    }
    let list = format!("{}:{}", kubeconfig(&server, dir.path()).display(), server.kubeconfig().display());
    let line = format!("{} apply -n {NAMESPACE} --user asks", env!("CARGO_BIN_EXE_kubectl-skills"));
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &line, "/dev/null"]).env("KUBECONFIG", list).env("NO_COLOR", "1");
    let mut session =
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script of util-linux");
    // Closing the keyboard would end the session before the run does.
    let mut keyboard = session.stdin.take().expect("a keyboard");
    keyboard.write_all(b"4711\n").expect("key presses");
    let mut said = String::new();
    session.stdout.take().expect("a screen").read_to_string(&mut said).expect("text");
    assert_eq!(session.wait().expect("an end").code(), Some(0), "{said}");
    assert!(said.contains("Code: "), "{said}");
    let runs = std::fs::read_to_string(dir.path().join("runs")).expect("a run");
    assert_eq!(runs, "run\n", "{said}");
    let live = server.get(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/web"));
    let volumes = live["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    assert!(volumes.iter().any(|volume| volume["name"] == "skill-a"), "{said}");

    let text = std::fs::read_to_string(&log).expect("an audit log");
    let of_writes = |entry: &Value| entry["verb"] == "patch" && entry["objectRef"]["namespace"] == NAMESPACE;
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(of_writes);
    let mut agents: Vec<String> =
        entries.map(|entry| entry["userAgent"].as_str().unwrap_or_default().to_owned()).collect();
    agents.dedup();
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    assert_eq!(agents, [format!("kubectl-skills/{} ({system}/{machine}) apply", env!("CARGO_PKG_VERSION"))]);
}

/// As kubectl says it: which server, and what about it.
#[test]
fn a_connection_that_fails_names_the_server() {
    let server = Server::shared();
    let dir = tempfile::tempdir().expect("a folder");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let refused = server.skills(&["status", "--server", &format!("https://{free}")]);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (
            4,
            &*format!(
                "error: the connection to the server {free} was refused - did you specify the right host or port?\n  check the \
                 server's address in the kubeconfig or in --server, and any proxy\n"
            )
        )
    );
    let (key, other) = (dir.path().join("key"), dir.path().join("ca.crt"));
    let mut made = Command::new("openssl");
    made.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]);
    made.args(["-subj", "/CN=other", "-keyout"]).arg(&key).arg("-out").arg(&other);
    assert_eq!(fed(&mut made, "").code, 0);
    let untrusted = server.skills(&["status", "--certificate-authority", other.to_str().expect("a path")]);
    let address = server.address();
    let address = address.trim_start_matches("https://");
    assert_eq!(
        (untrusted.code, untrusted.stderr.as_str()),
        (
            4,
            &*format!(
                "error: unable to connect to the server {address}: invalid peer certificate: UnknownIssuer\n  the server's \
                 certificate is not trusted: check certificate-authority in the kubeconfig, or --certificate-authority\n"
            )
        )
    );
}
