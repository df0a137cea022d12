//! The commands and the policy of docs/skill-binding.md do what the page says.

use serde_json::json;

use super::{bind, by_label, container, dry_run, pod, until};
use crate::server::{CURRENT, Server};
use crate::uninstall::{Shell, commands};

const PAGE: &str = "docs/skill-binding.md";

/// A newcomer copies these lines, on a cluster on which nothing is installed.
#[test]
fn the_documented_commands_lead_to_a_pod_with_its_skills() {
    let server = Server::start(CURRENT, &["--controller-manager"]);
    let shell = Shell::new(&server);
    let lines = commands(PAGE, "Delivery to the pod by policy");
    let (walk, removal) = lines.split_at(7);
    assert!(removal.len() == 2 && removal[0].contains("overlays/inject"), "{lines:#?}");
    for line in &walk[..4] {
        shell.succeeds(line);
    }
    until("the policies to be asked", || shell.succeeds(&walk[4]).stdout == "skill-forecast");
    shell.succeeds(&walk[5]);
    until("a pod", || !shell.succeeds(&walk[6]).stdout.is_empty());
    assert_eq!(shell.succeeds(&walk[6]).stdout, "/skills/forecast");
    let deployment = server.get("/apis/apps/v1/namespaces/default/deployments/weather");
    assert_eq!(deployment["spec"]["template"]["spec"].get("volumes"), None, "{deployment}");
    for line in removal {
        shell.succeeds(line);
    }
    let spec = json!({"containers": [container("agent", &json!({}))]});
    let free = pod("default", &json!({"app": "weather"}), &spec);
    until("pods without skills", || dry_run(&server, &free).1["spec"].get("volumes").is_none());
}

/// The page says that it was tried.
#[test]
fn the_documented_policy_admits_one_registry() {
    let server = super::server();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join(PAGE)).expect("the page");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let policy = blocks.last().expect("the policy");
    server.namespace("registries");
    // Only for this test's namespace: others share the server.
    let bound = policy.replace(
        "validationActions: [Deny]",
        "validationActions: [Deny]\n  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: registries}}}",
    );
    server.kubectl(&["apply", "--server-side", "-f", "-"], &bound);
    let volume = |image: &str| {
        let spec = json!({
            "containers": [container("agent", &json!({}))],
            "volumes": [{"name": "x", "image": {"reference": image}}],
        });
        pod("registries", &json!({}), &spec)
    };
    until("the policy to be asked", || dry_run(server, &volume("docker.io/evil:1")).0 != 201);
    let words = "skills come from ghcr.io/acme/ only, not docker.io/evil:1";
    let (code, answer) = dry_run(server, &volume("docker.io/evil:1"));
    assert!(code == 422 && answer["message"].as_str().unwrap_or_default().ends_with(words), "{answer}");
    assert_eq!(dry_run(server, &volume("ghcr.io/acme/x:1")).0, 201);
    let sound = by_label("web", &json!({}));
    bind(server, "registries", "sound", &sound);
    let mut evil = sound.clone();
    evil["skills"][0]["image"] = json!("docker.io/evil:1");
    let object = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": "evil", "namespace": "registries"}, "spec": evil,
    });
    let path = "/apis/skills.kagenti.dev/v1alpha1/namespaces/registries/skillbindings";
    let (code, answer) = server.request("POST", path, Some(&object));
    assert!(code == 422 && answer["message"].as_str().unwrap_or_default().ends_with(words), "{answer}");
    server.kubectl(&["delete", "-f", "-"], &bound);
}
