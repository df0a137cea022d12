//! The commands of docs/deploy.md and docs/start.md on an empty cluster: what they install works, and what they take out is gone.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::objects::{deployment, gates_on, one, path_of, runtime};
use crate::server::{CURRENT, Said, Server, fed};

/// The shell commands of a section of a page, line by line.
pub fn commands(page: &str, heading: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join(page)).expect("the page");
    let section = page.split_once(&format!("\n## {heading}\n")).expect("the section").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.flat_map(str::lines).filter(|line| line.starts_with("kubectl ")).map(str::to_owned).collect()
}

/// A shell in the repository with kubectl and the plugin on its path.
pub struct Shell<'s> {
    server: &'s Server,
    dir: tempfile::TempDir,
}

impl<'s> Shell<'s> {
    pub fn new(server: &'s Server) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        symlink(env!("CARGO_BIN_EXE_kubectl-skills"), dir.path().join("kubectl-skills")).expect("a link");
        symlink(server.kubectl_path(), dir.path().join("kubectl")).expect("a link");
        Self { server, dir }
    }

    pub fn run(&self, line: &str) -> Said {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", path).env("KUBECONFIG", self.server.kubeconfig());
        fed(command.current_dir(env!("CARGO_MANIFEST_DIR")), "")
    }

    pub fn succeeds(&self, line: &str) -> Said {
        let said = self.run(line);
        assert_eq!(said.code, 0, "{line}: {}{}", said.stdout, said.stderr);
        said
    }
}

/// The pipeline of docs/start.md on a cluster with the CRD of a profile: render, and kubectl takes it without a word of its own.
#[test]
fn the_pipeline_speaks_the_dialect_of_the_cluster() {
    let server = Server::start(CURRENT, &[]);
    let shell = Shell::new(&server);
    for namespace in ["kagenti-system", "team1"] {
        server.namespace(namespace);
    }
    server.create(&path_of(&gates_on()), &gates_on());
    let pipeline = commands("docs/start.md", "With an operator's AgentRuntimes");
    // The lines before install what a cluster without an operator lacks; those after are for another group.
    let [.., render, status, of_rossoctl, again] = pipeline.as_slice() else { panic!("{pipeline:#?}") };
    assert_eq!(status, again);
    // The operator that mounts, the last one of the example's API group, and the newest one.
    for (profile, render) in [("rossoctl", of_rossoctl), ("pr332-merged", render), ("head", render)] {
        let group = if profile == "rossoctl" { "agent.rossoctl.dev" } else { "agent.kagenti.dev" };
        shell.succeeds(&format!(
            "kubectl skills crd --profile {profile} | kubectl apply --server-side --force-conflicts -f -"
        ));
        let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        assert_eq!(server.get(&format!("{crds}/agentruntimes.{group}"))["spec"]["group"], group);
        // The server's description of its API follows the CRD after a moment.
        let said = (0..50)
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(200));
                shell.run(render)
            })
            .find(|said| said.stderr.contains(&format!("profile {profile}")))
            .unwrap_or_else(|| panic!("the profile is not that of the cluster: {:?}", shell.run(render)));
        assert_eq!(said.code, 0, "{profile}: {said:?}");
        assert!(
            !said.stderr.contains("unknown field") && !said.stderr.contains("rror"),
            "{profile}: {said:?}"
        );
        assert!(said.stdout.contains(&format!("agentruntime.{group}/weather")), "{profile}: {said:?}");
        let live = server.get("/apis/apps/v1/namespaces/team1/deployments/weather");
        assert_eq!(
            live["spec"]["template"]["spec"]["volumes"][0]["name"], "skill-forecast",
            "{profile}: {live}"
        );
        let said = shell.succeeds(status);
        assert!(!said.stderr.contains("rror"), "{profile}: {said:?}");
        assert!(said.stdout.contains("forecast"), "{profile}: {said:?}");
        if profile == "rossoctl" {
            // The manifest of the other group is refused once, with what to write.
            let wrong = shell.run(
                "kubectl skills render -n team1 -f docs/examples/quickstart/weather.yaml --config-from cluster",
            );
            let errors: Vec<&str> = wrong.stderr.lines().filter(|line| line.starts_with("error")).collect();
            assert_eq!(
                (wrong.code, errors),
                (
                    3,
                    vec![
                        "error: docs/examples/quickstart/weather.yaml:27:13: document 2: AgentRuntime team1/weather: apiVersion: is \
                         of group agent.kagenti.dev, and profile rossoctl reads agent.rossoctl.dev (write apiVersion \
                         agent.rossoctl.dev/v1alpha1 for that operator, or choose a profile of group agent.kagenti.dev with \
                         --profile)"
                    ]
                )
            );
            shell.succeeds(&format!("kubectl delete crd agentruntimes.{group}"));
        }
    }
}

/// The section of docs/start.md from its first line to its last on a cluster on which nothing was ever installed.
#[test]
fn the_whole_section_works_on_an_empty_cluster() {
    let server = Server::start(CURRENT, &[]);
    let shell = Shell::new(&server);
    let lines = commands("docs/start.md", "With an operator's AgentRuntimes");
    // The last two are for the operator of another group.
    let (here, elsewhere) = lines.split_at(lines.len() - 2);
    assert!(here.len() >= 8 && elsewhere[0].contains("rossoctl.yaml"), "{lines:#?}");
    for line in here {
        let said = shell.run(line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        assert!(!said.stderr.contains("rror"), "{line}: {said:?}");
    }
    let live = server.get("/apis/apps/v1/namespaces/team1/deployments/weather");
    let volumes = live["spec"]["template"]["spec"]["volumes"].as_array().map_or(0, Vec::len);
    assert_eq!(volumes, 2, "{live}");
}

/// Five lines on a cluster that knows nothing of kagenti, from the CRD to a pod that has its skill.
#[test]
fn the_start_brings_a_skill_into_a_pod_without_any_operator() {
    brings_a_skill_into_a_pod(None);
}

/// The same lines alongside the newest operator's CRD.
#[test]
fn the_start_brings_a_skill_into_a_pod_alongside_the_newest_operator() {
    brings_a_skill_into_a_pod(Some("rossoctl"));
}

fn brings_a_skill_into_a_pod(operator: Option<&str>) {
    let server = Server::start(CURRENT, &["--controller-manager"]);
    let shell = Shell::new(&server);
    if let Some(profile) = operator {
        shell.succeeds(&format!("kubectl skills crd --profile {profile} | kubectl apply --server-side -f -"));
        shell.succeeds("kubectl wait --for condition=established crd/agentruntimes.agent.rossoctl.dev");
    }
    let lines = commands("docs/start.md", "On any cluster");
    let [installs @ .., looks] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for line in installs {
        shell.succeeds(line);
    }
    let image = "ghcr.io/acme/skills/forecast:1.4.0";
    let of_pods = "kubectl get pods -l app=weather -o jsonpath='{.items[*].spec.volumes[*].image.reference}'";
    let seen = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        shell.succeeds(looks).stdout == image && shell.succeeds(of_pods).stdout.contains(image)
    });
    assert!(seen, "no pod has its skill: {:?}", shell.run("kubectl get pods -o yaml"));
    let status = shell.succeeds("kubectl skills status");
    let row = status.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    assert_eq!(
        row[..4],
        ["skillbinding/weather", "Deployment/weather", "forecast", "forecast"],
        "{status:?}"
    );
    // And out again: nothing is left in the workload.
    shell.succeeds("kubectl skills apply --remove");
    let live = server.get("/apis/apps/v1/namespaces/default/deployments/weather");
    assert_eq!(live.pointer("/spec/template/spec/volumes"), None, "{live}");
    assert_eq!(live.pointer("/metadata/annotations/rossoctl.io~1skills"), None, "{live}");
}

/// A newcomer copies these lines; and who leaves must not keep namespaces that nobody can delete.
#[test]
fn the_documented_commands_install_on_an_empty_cluster_and_take_everything_out() {
    let server = Server::start(CURRENT, &["--controller-manager"]);
    let shell = Shell::new(&server);
    let install = commands("docs/deploy.md", "Install");
    let (webhook, others): (Vec<&String>, Vec<&String>) =
        install.iter().partition(|line| line.contains("overlays/webhook") || line.contains("rollout"));
    assert!(others.len() >= 4 && webhook.len() == 3, "{install:#?}");
    for line in others {
        shell.succeeds(line);
    }
    // Without cert-manager the first step fails, and AgentRuntimes can be written as before.
    let said = shell.run(webhook[0]);
    assert!(said.code != 0 && said.stderr.contains("Certificate"), "{said:?}");
    let registrations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    assert_eq!(server.get(registrations)["items"], json!([]), "a webhook is registered that is not there");

    server.namespace("team9");
    server.request("POST", &path_of(&gates_on()), Some(&gates_on()));
    let finalizer = json!(["kagenti.io/cleanup"]);
    let mut agents = Vec::new();
    for name in ["stays", "goes"] {
        let mut agent = runtime("team9", name, &[("a", "quay.io/example/a:1", "/skills/a")]);
        agent["metadata"]["finalizers"] = finalizer.clone();
        let workload = deployment("team9", name);
        for object in [&workload, &agent] {
            server.create(&path_of(object), object);
        }
        agents.push((agent, workload));
    }
    let before: Vec<Value> =
        agents.iter().map(|(_, workload)| server.get(&one(workload))["spec"].clone()).collect();
    shell.succeeds("kubectl skills apply -n team9");
    // No controller runs here: an AgentRuntime that is deleted waits for a finalizer that nobody takes off.
    server.request("DELETE", &one(&agents[1].0), None);
    assert!(server.get(&one(&agents[1].0))["metadata"].get("deletionTimestamp").is_some());

    for line in commands("docs/deploy.md", "Uninstall") {
        shell.succeeds(&line);
    }
    assert_eq!(server.request("GET", &one(&agents[1].0), None).0, 404, "it still waits");
    let stays = server.get(&one(&agents[0].0));
    assert_eq!(stays["metadata"].get("finalizers"), None, "{stays}");
    for ((_, workload), before) in agents.iter().zip(before) {
        let after = server.get(&one(workload));
        assert_eq!(after["spec"], before, "something of ours is left");
        let labels = after["metadata"]["labels"].as_object().expect("labels");
        assert!(!labels.contains_key("kagenti.io/type"), "{labels:?}");
    }
    for path in [
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/kubectl-skills",
        "/apis/apps/v1/namespaces/kagenti-system/deployments/kubectl-skills",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/agentruntimes.agent.kagenti.dev",
        "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/inject.skillbindings.skills.kagenti.dev",
    ] {
        assert_eq!(server.request("GET", path, None).0, 404, "{path} is left");
    }
    // And the namespace can go.
    server.request("DELETE", "/api/v1/namespaces/team9", None);
    for _ in 0..150 {
        if server.request("GET", "/api/v1/namespaces/team9", None).0 == 404 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("the namespace cannot be deleted");
}
