//! What people type alongside diff and apply: status, its watch, doctor, dry runs, --wait, completion through the real kubectl.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use kubectl_skills::yaml::Document;
use serde_json::{Value, json};

use crate::objects::{deployment, path_of, runtime};
use crate::server::{Server, fed};

fn set_up(namespace: &str) -> &'static Server {
    let server = Server::with_gate_on(namespace);
    for (name, image) in [("web", "quay.io/example/a:1"), ("other", "quay.io/example/b:1")] {
        let mut workload = deployment(namespace, name);
        // Without nodes no pod becomes ready: a rollout of none is done as soon as it is seen.
        workload["spec"]["replicas"] = u8::from(name == "other").into();
        let skill = image.rsplit_once('/').map_or("", |(_, name)| &name[..1]);
        for object in [workload, runtime(namespace, name, &[(skill, image, "/skills/x")])] {
            server.create(&path_of(&object), &object);
        }
    }
    server
}

#[test]
fn a_dry_run_writes_nothing_and_a_wait_ends() {
    let namespace = "verbs-apply";
    let server = set_up(namespace);
    let generation = || {
        server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"))["metadata"]["generation"]
            .clone()
    };
    for (flags, expected) in [
        (
            &["--dry-run=client"][..],
            "deployment.apps/other serverside-applied (dry run)\ndeployment.apps/web serverside-applied (dry run)\n",
        ),
        (
            &["--dry-run=server"],
            "deployment.apps/other serverside-applied (server dry run)\ndeployment.apps/web serverside-applied (server dry run)\n",
        ),
        (&["--dry-run=server", "-o", "name"], "deployment.apps/other\ndeployment.apps/web\n"),
    ] {
        let said = server.skills(&[&["apply", "-n", namespace][..], flags].concat());
        assert_eq!((said.code, said.stdout.as_str()), (0, expected), "{}", said.stderr);
        assert_eq!(generation(), 1);
    }
    let said = server.skills(&["apply", "-n", namespace, "web", "--wait=60s"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{}",
        said.stderr
    );
    let said = server.skills(&["apply", "-n", namespace, "--wait=2s"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert_eq!(said.stdout, "deployment.apps/web unchanged\ndeployment.apps/other serverside-applied\n");
    assert!(
        said.stderr.contains("not done after 2s") && said.stderr.contains("goes on rolling out"),
        "{}",
        said.stderr
    );
}

#[test]
fn status_tells_who_has_a_skill_and_what_changes() {
    let namespace = "verbs-status";
    let server = set_up(namespace);
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let said = server.skills(&["status", "-n", namespace, "--who-has", "quay.io/example/a"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (
            0,
            "NAME   TARGET           SKILLS   MOUNTED   STATE   REASON\nweb    Deployment/web   a        a         ok      <none>\n"
        ),
        "{}",
        said.stderr
    );
    let mut child = server
        .skills_command(&["status", "-n", namespace, "-w"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a start");
    let mut lines =
        BufReader::new(child.stdout.take().expect("its output")).lines().map(|line| line.expect("text"));
    let first: Vec<String> = lines.by_ref().take(3).collect();
    let rows: Vec<Vec<&str>> = first.iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            ["NAME", "TARGET", "SKILLS", "MOUNTED", "STATE", "REASON"],
            ["other", "Deployment/other", "b", "b", "ok", "<none>"],
            ["web", "Deployment/web", "a", "a", "ok", "<none>"],
        ]
    );
    let newer = json!({"spec": {"skills": [{"name": "a", "image": "quay.io/example/a:2", "mountPath": "/skills/x"}]}});
    server.merge(&runtime(namespace, "web", &[]), "kubectl", &newer);
    let next = lines.next().expect("a change");
    assert!(
        next.starts_with("web ")
            && next.contains("skill a is mounted from quay.io/example/a:1, wanted quay.io/example/a:2"),
        "{next}"
    );
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(stopped.success());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn doctor_finds_a_sound_cluster_sound() {
    let namespace = "verbs-doctor";
    let server = set_up(namespace);
    let said = server.skills(&["doctor", "-n", namespace, "-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let diagnosis: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let rows: Vec<(&str, &str)> = diagnosis["checks"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["check"].as_str().expect("a check"), row["state"].as_str().expect("a state")))
        .filter(|(check, _)| !check.starts_with("may "))
        .collect();
    assert_eq!(
        rows,
        [
            ("server version", "ok"),
            ("image volumes kept", "ok"),
            ("image volumes kept in Pods", "ok"),
            ("AgentRuntime API", "ok"),
            ("gate skillImageVolumes", "ok"),
            ("operator", "warning"),
            ("nodes", "warning"),
            ("PodSecurity", "ok"),
        ]
    );
    // Without rights, the missing ones are named, and nothing of an OpenShift that is not there.
    let said = server.skills(&["doctor", "-n", namespace, "--user", "nobody"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout.contains("grant patch on deployments") && !said.stdout.contains("OpenShift"),
        "{}",
        said.stdout
    );
}

/// The protocol is kubectl's, not ours: only it can tell whether the shim speaks it.
#[test]
fn kubectl_runs_and_completes_the_plugin() {
    let namespace = "verbs-complete";
    let server = set_up(namespace);
    let dir = tempfile::tempdir().expect("a temporary directory");
    symlink(env!("CARGO_BIN_EXE_kubectl-skills"), dir.path().join("kubectl-skills")).expect("a link");
    let shim = dir.path().join("kubectl_complete-skills");
    crate::executable::write(&shim, server.skills(&["completion", "kubectl"]).stdout);
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let kubectl = |args: &[&str]| {
        let mut command = Command::new(server.kubectl_path());
        command.args(args).env("KUBECONFIG", server.kubeconfig()).env("PATH", &path);
        fed(&mut command, "")
    };
    let said = kubectl(&["skills", "status", "-n", namespace, "web"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("web    Deployment/web"), "{}", said.stdout);
    for (words, expected) in [
        (
            &["sta"][..],
            "status\tShow where skills are: in the spec, the live workload, the annotation and the status\n:4\n",
        ),
        (&["apply", "-n", namespace, ""], "other\nweb\n:4\n"),
        (&["apply", "-n", "verbs-comp"], "verbs-complete\n:4\n"),
        (&["diff", "--context", ""], "test\n:4\n"),
        (&["apply", "--dry-run="], "--dry-run=none\n--dry-run=client\n--dry-run=server\n:4\n"),
    ] {
        let said = kubectl(&[&["__complete", "skills"][..], words].concat());
        assert_eq!(said.stdout, expected, "{words:?}: {}", said.stderr);
    }
}

/// A pipeline reads what became of each; a name that is mistyped hides nothing of the others.
#[test]
fn machines_read_apply_and_a_missing_name_hides_no_other() {
    let namespace = "verbs-machines";
    let server = set_up(namespace);
    let said = server.skills(&["apply", "-n", namespace, "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let result: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let item = |name: &str| json!({"namespace": namespace, "object": format!("deployment.apps/{name}"), "result": "serverside-applied"});
    assert_eq!(
        result,
        json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "ApplyResult", "items": [item("other"), item("web")],
            "errors": []})
    );
    let said = server.skills(&["apply", "-n", namespace, "web", "-o", "yaml"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (
            0,
            "apiVersion: skills.kagenti.dev/v1alpha1\nkind: ApplyResult\nitems:\n- namespace: verbs-machines\n  object: \
             deployment.apps/web\n  result: unchanged\nerrors: []\n"
        ),
        "{}",
        said.stderr
    );
    // Both forms of what `status` sees, and names as kubectl takes them.
    let status = |output: &str| {
        let said = server.skills(&["status", "-n", namespace, "-o", output]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stdout
    };
    let as_json: Value = serde_json::from_str(&status("json")).expect("JSON");
    assert_eq!(
        (as_json["kind"].as_str(), as_json["items"].as_array().map(Vec::len)),
        (Some("StatusList"), Some(2))
    );
    let yaml = status("yaml");
    assert!(
        yaml.starts_with("apiVersion: skills.kagenti.dev/v1alpha1\nkind: StatusList\nitems:\n- "),
        "{yaml}"
    );
    let as_yaml = Document::parse(&yaml).and_then(|document| document.to_value());
    assert_eq!(as_yaml.as_ref(), Ok(&as_json));
    assert_eq!(status("name"), "agentruntime.agent.kagenti.dev/other\nagentruntime.agent.kagenti.dev/web\n");
    // The manifest has moved on; what is mounted says from where.
    let moved = runtime(namespace, "web", &[("a", "quay.io/example/a:2", "/skills/x")]).to_string();
    let words = ["hash", "-q", "-f", "-", "--config-from", "cluster", "--against", "live"];
    let said = server.skills_fed(&words, &moved);
    assert_eq!(said.code, 0, "{said:?}");
    let why = "  explained by: spec.skills[0].image quay.io/example/a:1, which is mounted, instead of quay.io/example/a:2 (profile ";
    assert!(said.stdout.lines().any(|line| line.starts_with(why)), "{said:?}");
    // A time limit that is taken for a name.
    let said = server.skills(&["apply", "-n", namespace, "web", "--wait", "5m"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(
        said.stderr.contains("agentruntimes not found in namespace \"verbs-machines\": 5m")
            && said.stderr.contains("a time limit is written with an equals sign: --wait=5m"),
        "{}",
        said.stderr
    );
    // A namespace that is not there is no fault of admission.
    let said = server.skills(&["doctor", "-n", "verbs-nowhere", "-o", "json"]);
    let rows: Value = serde_json::from_str(&said.stdout).expect("JSON");
    for check in ["image volumes kept", "image volumes kept in Pods", "PodSecurity"] {
        let row = rows["checks"].as_array().into_iter().flatten().find(|row| row["check"] == check);
        let row = row.unwrap_or_else(|| panic!("no {check} in {rows}"));
        assert_eq!(row["mend"], "create the namespace, or give another with -n", "{row}");
    }
    let said = server.skills(&["status", "-n", namespace, "web", "nosuch"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stdout.contains("web    Deployment/web"), "{}", said.stdout);
    assert!(
        said.stderr.contains("agentruntimes not found in namespace \"verbs-machines\": nosuch"),
        "{}",
        said.stderr
    );
}
