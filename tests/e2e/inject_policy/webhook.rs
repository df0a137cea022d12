//! The same by the webhook: a real program that a real API server calls, without any policy. What a pod gets is held to what
//! `render` writes, as for the policies; and what becomes of pods while nobody knows the SkillBindings, or nobody answers.

use base64::Engine as _;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::rbac::{self, Grant, NAME, Task};
use kubectl_skills::install::webhook_registration::{self, Address, INJECT_NAMESPACE, Registration};
use serde_json::{Value, json};

use super::generated::{bound_cases, compare};
use super::{bind, by_label, container, dry_run, pod, start, until};
use crate::certificates::Authority;
use crate::program::{Program, command};
use crate::server::Server;

/// The webhook, as the service account of its rights.
pub(super) struct Webhook {
    program: Program,
    registration: Value,
    directory: tempfile::TempDir,
}

pub(super) fn webhook(server: &Server, fail_open: bool) -> Webhook {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    let profile = Profile::by_name("rossoctl").expect("a profile");
    server.namespace("webhook");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}});
    server.create("/api/v1/namespaces/webhook/serviceaccounts", &account);
    let grant = Grant {
        own_namespace: "webhook".to_owned(),
        ..Grant::cluster(profile, &[Task::Webhook, Task::Injection])
    };
    server.kubectl(&["apply", "-f", "-"], &rbac::text(profile, &grant));
    let program = started(server, &directory);
    let registration = Registration {
        address: Address::Url(format!("https://{}", program.address)),
        ca_bundle: base64::engine::general_purpose::STANDARD.encode(&authority.pem),
        fail_open,
        namespaces: Vec::new(),
    };
    let registration = webhook_registration::injection(NAME, &registration);
    server.kubectl(&["apply", "--server-side", "-f", "-"], &registration.to_string());
    Webhook { program, registration, directory }
}

fn started(server: &Server, directory: &tempfile::TempDir) -> Program {
    let token = server.kubectl(&["create", "token", NAME, "-n", "webhook"], "").stdout.trim().to_owned();
    let server = [
        "--server",
        &server.address(),
        "--certificate-authority",
        &server.dir().join("ca.crt").display().to_string(),
        "--token",
        &token,
    ]
    .map(str::to_owned);
    let server: Vec<&str> = server.iter().map(String::as_str).collect();
    let program = Program::run(command(
        directory.path(),
        &[&server[..], &["--profile", "rossoctl", "--inject"]].concat(),
    ));
    program.until("/readyz", 200);
    program
}

pub(super) fn opt_in(server: &Server, namespace: &str) {
    server.kubectl(&["label", "namespace", namespace, &format!("{INJECT_NAMESPACE}=enabled")], "");
}

/// A pod that is created by the webhook's hand is the one that the policies and the template would give.
#[test]
fn the_webhook_gives_a_pod_what_render_writes_into_its_template() {
    let server = start();
    server.namespace("plain");
    let cases = bound_cases(&server, |namespace| opt_in(&server, namespace));
    let webhook = webhook(&server, false);
    // The last of all has come when the server calls and the webhook knows.
    server.namespace("canary");
    opt_in(&server, "canary");
    bind(&server, "canary", "canary", &by_label("canary", &json!({})));
    let canary =
        pod("canary", &json!({"app": "canary"}), &json!({"containers": [container("agent", &json!({}))]}));
    until("the webhook to be called", || dry_run(&server, &canary).1.pointer("/spec/volumes/0").is_some());
    compare(&server, "webhook", &cases);
    let metrics = webhook.program.get("/metrics").1;
    assert!(metrics.contains("webhook_injections_total{outcome=\"injected\"}"), "{metrics}");

    // Opted out by label; nobody's; in a namespace that did not opt in.
    let spec = json!({"containers": [container("agent", &json!({}))]});
    let untouched = |pod: &Value| dry_run(&server, pod).1.pointer("/spec/volumes").is_none();
    assert!(untouched(&pod(
        "canary",
        &json!({"app": "canary", "skills.kagenti.dev/inject": "false"}),
        &spec
    )));
    assert!(untouched(&pod("canary", &json!({"app": "other"}), &spec)));
    server.namespace("aside");
    bind(&server, "aside", "canary", &by_label("canary", &json!({})));
    assert!(untouched(&pod("aside", &json!({"app": "canary"}), &spec)));

    // Nobody answers: fail-closed keeps the pod out, fail-open lets it in without its skills.
    let Webhook { program, mut registration, directory } = webhook;
    drop(program);
    let (code, answer) = dry_run(&server, &canary);
    assert_eq!(code, 500, "a pod came without its skills: {answer}");
    registration["webhooks"][0]["failurePolicy"] = json!("Ignore");
    server.kubectl(&["apply", "--server-side", "-f", "-"], &registration.to_string());
    until("the registration to be seen", || dry_run(&server, &canary).0 == 201);
    assert!(untouched(&canary));
    drop(directory);
}
