//! Older API servers, with the feature gates that they ask for: what a pod gets there, by the webhook and by the policies, is
//! what `render` writes into its template.
//!
//! `KUBE_VERSIONS="1.34.4 1.35.4"` names others than the one that `make e2e` builds; hack/apiserver/build.sh builds them.

use kubectl_skills::install::inject_policy::{self, Injection};
use serde_json::json;

use super::generated::{bound_cases, compare};
use super::webhook::{opt_in, webhook};
use super::{bind, by_label, container, crds, dry_run, pod, until, until_asked, until_seen};
use crate::server::{GATE_OFF, Server};

fn versions() -> Vec<String> {
    let given = std::env::var("KUBE_VERSIONS").unwrap_or_else(|_| GATE_OFF.to_owned());
    given.split_whitespace().map(str::to_owned).collect()
}

/// The version of the API in which a server has MutatingAdmissionPolicy, behind a gate.
fn policy_version(kubernetes: &str) -> &'static str {
    match kubernetes.split('.').nth(1).expect("a minor version") {
        "32" | "33" => "v1alpha1",
        _ => "v1beta1",
    }
}

fn start(version: &str) -> Server {
    let gates = "--feature-gates=ImageVolume=true,MutatingAdmissionPolicy=true";
    let api = format!("--runtime-config=admissionregistration.k8s.io/{}=true", policy_version(version));
    let crds = crds();
    let crds: Vec<&str> = crds.iter().map(String::as_str).collect();
    Server::start(version, &[&crds[..], &["--", gates, &api]].concat())
}

#[test]
fn the_webhook_gives_the_same_on_an_older_server() {
    for version in versions() {
        let server = start(&version);
        server.namespace("plain");
        let cases = bound_cases(&server, |namespace| opt_in(&server, namespace));
        let _webhook = webhook(&server, false);
        server.namespace("canary");
        opt_in(&server, "canary");
        bind(&server, "canary", "canary", &by_label("canary", &json!({})));
        let spec = json!({"containers": [container("agent", &json!({}))]});
        let canary = pod("canary", &json!({"app": "canary"}), &spec);
        until("the webhook to be called", || {
            dry_run(&server, &canary).1.pointer("/spec/volumes/0").is_some()
        });
        compare(&server, &format!("webhook on {version}"), &cases);
    }
}

/// They are printed in the version of 1.36; the objects are the same in those before.
#[test]
fn the_policies_give_the_same_on_an_older_server() {
    for version in versions() {
        let server = start(&version);
        let text = inject_policy::text(&Injection::default());
        let of_server = |document: &str| match document.contains("\nkind: Mutating") {
            true => document.replace(
                "apiVersion: admissionregistration.k8s.io/v1\n",
                &format!("apiVersion: admissionregistration.k8s.io/{}\n", policy_version(&version)),
            ),
            false => document.to_owned(),
        };
        let text: Vec<String> = text.split("---\n").map(of_server).collect();
        server.kubectl(&["apply", "--server-side", "-f", "-"], &text.join("---\n"));
        until_asked(&server);
        server.namespace("plain");
        let cases = bound_cases(&server, |_| {});
        until_seen(&server);
        compare(&server, &format!("policies on {version}"), &cases);
    }
}
