//! Logins through an exec credential plugin: how often it runs, what it is given, and that nothing it prints is shown.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::Server;
use crate::{Said, faulty, said};

/// A kubeconfig whose user logs in by a program, which counts its runs in the file `runs`.
struct Login {
    dir: TempDir,
    server: Server,
}

impl Login {
    /// `script` is what the program does after it has counted; `more` stands in the exec section.
    fn by(script: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = faulty(|_, _| None);
        let runs = dir.path().join("runs");
        let plugin = dir.path().join("plugin");
        crate::executable::write(&plugin, format!("#!/bin/sh\necho run >> {}\n{script}\n", runs.display()));
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: s\n  cluster: {{server: '{}'}}\n\
             contexts:\n- name: c\n  context: {{cluster: s, user: u, namespace: team1}}\nusers:\n- name: u\n  user:\n    \
             exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: ./plugin\n{more}",
            server.address
        );
        write(&dir.path().join("config"), &text);
        Self { dir, server }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
        command.args(args).env_clear().env("NO_COLOR", "1").env("PATH", "/usr/bin:/bin");
        command.env("KUBECONFIG", self.dir.path().join("config"));
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().expect("a run"))
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("runs")).map_or(0, |text| text.lines().count())
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a writable directory");
}

const GOOD: &str = r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"s3cret"}}'"#;
const NEVER: &str = "      interactiveMode: Never\n";

/// A plugin that asks for a second factor must ask once.
#[test]
fn a_plugin_runs_once_a_process() {
    let login = Login::by(GOOD, NEVER);
    let said = login.run(&["apply"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(login.runs(), 1);
    let sent = login.server.requests();
    assert!(sent.len() > 5);
    for request in sent {
        assert!(
            request.headers.contains(&("authorization".into(), "Bearer s3cret".into())),
            "{}",
            request.path
        );
    }
}

/// A token that is valid for a moment is asked for again, one plugin at a time.
#[test]
fn a_token_that_expires_is_renewed_and_never_by_two_at_once() {
    let script = r#"
if [ -e "$0.busy" ]; then echo two > "$0.two"; fi
touch "$0.busy"; sleep 0.1; rm "$0.busy"
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
echo "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"s3cret\",\"expirationTimestamp\":\"$now\"}}"
"#;
    let login = Login::by(script, NEVER);
    let said = login.run(&["apply"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(login.runs() > 1, "an expired token was used");
    assert!(!login.dir.path().join("plugin.two").exists(), "two plugins ran at once");
}

#[test]
fn a_plugin_that_fails_is_told_without_what_it_printed() {
    let wrong_kind = r#"echo '{"kind":"Other","apiVersion":"v1","status":{"token":"s3cret"}}'"#;
    let cases = [
        ("echo s3cret; exit 7", "failed with exit code 7"),
        ("echo '{\"status\": s3cret'", "printed no ExecCredential as JSON"),
        (wrong_kind, "printed another kind of object"),
        ("printf 's3cret: [\\n'", "printed no ExecCredential as JSON"),
        ("echo s3cret; kill -9 $$", "ended by a signal"),
    ];
    for (script, why) in cases {
        let login = Login::by(script, NEVER);
        let said = login.run(&["status"]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{script}: {}", said.stderr);
        assert!(said.stderr.contains(why), "{script}: {}", said.stderr);
        assert!(!said.stderr.contains("s3cret"), "a secret is shown: {}", said.stderr);
        assert_eq!(login.runs(), 1, "{script}");
        assert!(login.server.requests().is_empty(), "{script}: asked without credentials");
    }
}

/// Legacy logins, which kube-rs would run, quote what their commands print.
#[test]
fn a_legacy_auth_provider_is_refused() {
    let login = Login::by(GOOD, NEVER);
    let config = login.dir.path().join("config");
    let text = std::fs::read_to_string(&config).expect("a kubeconfig");
    let (before, _) = text.split_once("    exec:").expect("the exec section");
    let text = format!(
        "{before}    auth-provider:\n      name: gcp\n      config: {{cmd-path: /bin/echo, cmd-args: s3cret, token-key: '{{.x}}'}}\n"
    );
    write(&config, &text);
    let said = login.run(&["status"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(
        said.stderr.contains("gke-gcloud-auth-plugin") && !said.stderr.contains("s3cret"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_plugin_that_is_not_installed_is_told_with_its_hint() {
    let login = Login::by(GOOD, "      interactiveMode: Never\n      installHint: brew install acme-login\n");
    std::fs::remove_file(login.dir.path().join("plugin")).expect("a plugin");
    let said = login.run(&["status"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    let plugin = login.dir.path().join("./plugin");
    assert_eq!(
        said.stderr,
        format!(
            "error: cannot log in: exec: executable {} not found\n  brew install acme-login\n",
            plugin.display()
        )
    );
}

#[test]
fn a_user_that_is_not_there_is_refused() {
    let login = Login::by(GOOD, NEVER);
    let said = login.run(&["status", "--user", "nope"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (4, "error: the kubeconfig has no user \"nope\"\n  'kubectl config get-users' lists them\n")
    );
    assert!(login.server.requests().is_empty(), "it went on without credentials");
}

#[test]
fn a_broken_kubeconfig_is_called_by_its_path_and_not_quoted() {
    let login = Login::by(GOOD, NEVER);
    let config = login.dir.path().join("config");
    write(&config, "users:\n- name: u\n  user: {token: s3cret\nclusters: [\n");
    let said = login.run(&["status"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    let path = config.display().to_string();
    assert!(
        said.stderr.starts_with(&format!("error: error loading config file {path:?}: ")),
        "{}",
        said.stderr
    );
    assert!(!said.stderr.contains("s3cret") && !said.stderr.contains("<input>"), "{}", said.stderr);
}

/// `script` of util-linux gives a pseudo-terminal; a plugin that asks there must get the answer typed there.
#[test]
fn an_interactive_plugin_asks_on_the_terminal() {
    let ask = format!("printf 'Code: ' >&2; read code; [ \"$code\" = 4711 ] || exit 9\n{GOOD}");
    let login = Login::by(&ask, "      interactiveMode: Always\n");
    let alone = login.run(&["status"]);
    assert_eq!(alone.code, 4, "{}", alone.stderr);
    assert!(alone.stderr.contains("standard input is not a terminal"), "{}", alone.stderr);
    let line = format!("{} status", env!("CARGO_BIN_EXE_kubectl-skills"));
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .env("NO_COLOR", "1")
        .env("PATH", "/usr/bin:/bin")
        .env("KUBECONFIG", login.dir.path().join("config"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script of util-linux");
    {
        use std::io::Write as _;
        let mut typed = child.stdin.take().expect("a keyboard");
        std::thread::sleep(std::time::Duration::from_millis(500));
        typed.write_all(b"4711\n").expect("a key press");
        // Closing the keyboard would end the session before the run does.
        let shown = {
            use std::io::Read as _;
            let mut shown = String::new();
            child.stdout.take().expect("a screen").read_to_string(&mut shown).expect("text");
            shown
        };
        assert!(shown.contains("Code: ") && shown.contains("a0"), "{shown}");
    }
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert_eq!(login.runs(), 1, "the plugin asked more than once");
}
