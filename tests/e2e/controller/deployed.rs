//! The controller as deploy/ installs it: `kubectl apply -k` on a fresh server, the program run with the token of that
//! service account and the arguments of that Deployment: with exactly these rights it works, and without any one of them it
//! says which is missing.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::rbac::NAME;
use kubectl_skills::install::webhook_registration::{self, Address, Registration};
use serde_json::{Value, json};

use super::process::{Controller, events, eventually, images, live, merge, put, until_condition};
use crate::certificates::Authority;
use crate::objects::{binding, deployment, gates_on, listed, one, path_of, runtime};
use crate::server::{CURRENT, Server};

const SYSTEM: &str = "kagenti-system";
const SKILLS: [(&str, &str, &str); 2] =
    [("pdf", "quay.io/example/pdf:1", "/skills/pdf"), ("web", "quay.io/example/web:1", "/skills/web")];
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A server on which the overlay is installed, and a kubeconfig with the token of its service account.
struct Installed {
    server: Server,
    _directory: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Installed {
    fn new(overlay: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Lists that are not streamed, as those of older servers: only they need the right to list.
        let server = Server::start(CURRENT, &["--", "--feature-gates=WatchList=false"]);
        let text = |path: PathBuf| path.to_str().expect("a path").to_owned();
        for kinds in ["sandboxes.yaml", "more_kinds.yaml"] {
            server.kubectl(&["apply", "-f", &text(root.join("tests/e2e/fixtures").join(kinds))], "");
        }
        let bindings = server.skills(&["crd", "--skill-binding"]).stdout;
        server.kubectl(&["apply", "--server-side", "-f", "-"], &bindings);
        server.namespace(SYSTEM);
        apply(&server, overlay);
        put(&server, &gates_on());
        let token = server.kubectl(&["create", "token", NAME, "-n", SYSTEM], "").stdout;
        let directory = tempfile::tempdir().expect("a directory");
        let kubeconfig = directory.path().join("kubeconfig");
        let authority = server.kubeconfig().with_file_name("ca.crt");
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "pod",
            "clusters": [{"name": "pod", "cluster": {"server": server.address(), "certificate-authority": authority}}],
            "users": [{"name": "pod", "user": {"token": token.trim()}}],
            // What the pod's own namespace is in a cluster.
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": SYSTEM}}]});
        std::fs::write(&kubeconfig, config.to_string()).expect("a writable directory");
        Self { server, _directory: directory, kubeconfig }
    }

    /// Runs the program with the arguments of the Deployment, and some more.
    fn run(&self, more: &[&str]) -> Controller {
        let deployed =
            self.server.get(&format!("/apis/apps/v1/namespaces/{SYSTEM}/deployments/kubectl-skills"));
        let args =
            deployed["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
        let args: Vec<&str> = args.iter().map(|arg| arg.as_str().expect("text")).collect();
        assert_eq!(args.first(), Some(&"controller"));
        Controller::start_with(&self.server, &self.kubeconfig, &[&args[1..], more].concat())
    }
}

fn apply(server: &Server, overlay: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/overlays").join(overlay);
    server.kubectl(&["apply", "-k", folder.to_str().expect("a path")], "");
}

/// A workload of each kind, with an AgentRuntime.
fn agents(namespace: &str) -> [(Value, Value); 3] {
    let plain = deployment(namespace, "weather");
    let mut set = plain.clone();
    set["kind"] = json!("StatefulSet");
    set["metadata"]["name"] = json!("memory");
    set["spec"]["serviceName"] = json!("memory");
    let template = &plain["spec"]["template"];
    let sandbox = json!({"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox",
        "metadata": {"name": "box", "namespace": namespace}, "spec": {"podTemplate": template}});
    [plain, set, sandbox].map(|workload| {
        let mut agent = runtime(namespace, workload["metadata"]["name"].as_str().expect("a name"), &SKILLS);
        agent["spec"]["targetRef"]["apiVersion"] = workload["apiVersion"].clone();
        agent["spec"]["targetRef"]["kind"] = workload["kind"].clone();
        (agent, workload)
    })
}

/// A workload of each kind that SkillBindings alone are about, with one of these.
fn bound(namespace: &str) -> Vec<(Value, Value)> {
    let plain = deployment(namespace, "plain");
    let spec = |kind: &str| {
        let mut template = plain["spec"]["template"].clone();
        let selector = plain["spec"]["selector"].clone();
        match kind {
            "Job" | "CronJob" => {
                template["spec"]["restartPolicy"] = json!("Never");
                let job = json!({"template": template});
                if kind == "Job" {
                    job
                } else {
                    json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}})
                }
            }
            "Service" => json!({"template": template}),
            _ => json!({"selector": selector, "template": template}),
        }
    };
    let kinds = [
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("serving.knative.dev/v1", "Service"),
    ];
    let of = |(version, kind): (&str, &str)| {
        let name = format!("of-{}", kind.to_lowercase());
        let workload = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec(kind)});
        let mut binding = binding(namespace, &name, &name, &[("csv", "quay.io/example/csv:1")]);
        binding["spec"]["targetRef"] = json!({"apiVersion": version, "kind": kind, "name": name});
        (binding, workload)
    };
    kinds.into_iter().map(of).collect()
}

fn forbidden(controller: &Controller) -> Vec<String> {
    let lines = controller.log().into_iter().map(|line| line.to_string());
    lines.filter(|line| line.contains("forbidden") || line.contains("cannot ")).collect()
}

/// Makes all that a right is needed for, as far as it gets: nothing here waits for the controller.
fn make(server: &Server, namespace: &str) -> [(Value, Value); 3] {
    server.namespace(namespace);
    let agents = agents(namespace);
    for (agent, workload) in agents.iter().chain(&bound(namespace)) {
        put(server, workload);
        put(server, agent);
    }
    agents
}

#[test]
fn the_overlay_grants_what_the_loop_needs_and_nothing_in_vain() {
    let installed = Installed::new("cluster");
    the_overlay_grants_what_the_loop_needs(&installed);
    each_right_that_is_taken_away_is_missed_by_name(&installed);
    the_namespaced_overlay_is_enough_without_a_cluster_role(&installed);
}

fn the_overlay_grants_what_the_loop_needs(installed: &Installed) {
    let server = &installed.server;
    let controller = installed.run(&[]);
    let agents = make(server, "team1");
    for (agent, _) in &agents {
        until_condition(server, agent, "Ready", "True Configured");
    }
    let one_skill = json!({"spec": {"skills": [{"name": "pdf", "image": "quay.io/example/pdf:2", "mountPath": "/skills/pdf"}]}});
    for (agent, _) in &agents {
        merge(server, agent, "kubectl", &one_skill);
    }
    eventually("the change", || {
        (images(&live(server, &agents[0].1)) == ["quay.io/example/pdf:2"]).then_some(())
    });
    eventually("events", || (!events(server, &agents[0].0).is_empty()).then_some(()));
    for (agent, _) in &agents {
        assert_eq!(server.request("DELETE", &one(agent), None).0, 200);
        eventually("the finalizer to go", || {
            (server.request("GET", &one(agent), None).0 == 404).then_some(())
        });
    }
    for (binding, workload) in bound("team1") {
        // The template of a Job cannot be changed any more.
        let is_job = workload["kind"] == "Job";
        until_condition(
            server,
            &binding,
            "Ready",
            if is_job { "False WriteFailed" } else { "True Delivered" },
        );
        assert_eq!(server.request("DELETE", &one(&binding), None).0, 200);
        eventually("the finalizer to go", || {
            (server.request("GET", &one(&binding), None).0 == 404).then_some(())
        });
    }
    let holder = |server: &Server| {
        let lease =
            server.get(&format!("/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/kubectl-skills"));
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    };
    assert_ne!(holder(server), "");
    assert_eq!(forbidden(&controller), [""; 0]);
    assert_eq!(controller.said("a right is missing"), 0);
    let (code, _) = controller.end();
    assert_eq!((code, holder(server).as_str()), (Some(0), ""));

    // A volume that changes its kind is tried in another way than the rest; `--exact` takes such volumes.
    let (agent, mut workload) = (runtime("team1", "claimed", &[SKILLS[0]]), deployment("team1", "claimed"));
    workload["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "cache", "emptyDir": {}}, {"name": "skill-pdf", "configMap": {"name": "pdf"}}]);
    put(server, &workload);
    put(server, &agent);
    let controller = installed.run(&["--exact"]);
    until_condition(server, &agent, "Ready", "True Configured");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/pdf:1"]);
    assert_eq!(forbidden(&controller), [""; 0]);
}

/// The same service account with rights in one namespace and for the operator's ConfigMaps, and none in the cluster.
fn the_namespaced_overlay_is_enough_without_a_cluster_role(installed: &Installed) {
    let server = &installed.server;
    server.kubectl(&["delete", "clusterrolebinding,clusterrole", NAME], "");
    apply(server, "namespaced");
    let controller = installed.run(&[]);
    let (agent, workload) = (runtime("team1", "inside", &SKILLS), deployment("team1", "inside"));
    put(server, &workload);
    put(server, &agent);
    until_condition(server, &agent, "Ready", "True Configured");
    merge(server, &agent, "kubectl", &json!({"spec": {"skills": []}}));
    eventually("the end of the skills", || images(&live(server, &workload)).is_empty().then_some(()));
    eventually("an event", || (!events(server, &agent).is_empty()).then_some(()));
    assert_eq!(forbidden(&controller), [""; 0]);
    assert_eq!(controller.said("a right is missing"), 0);
}

/// A role with its rules.
fn role_of(server: &Server, path: &str) -> Vec<Value> {
    server.get(path)["rules"].as_array().expect("rules").clone()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|text| text.as_str().expect("text")).collect()
}

/// One verb on one resource.
#[derive(Debug, Clone)]
struct Right {
    /// Of the namespace's own role rather than the cluster's.
    own: bool,
    group: String,
    resource: String,
    verb: String,
}

impl Right {
    /// As the controller tells it at its start.
    fn text(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        format!("{} {}{dot}{} in ", self.verb, self.resource, self.group)
    }

    /// As the API server tells it when something is refused.
    fn refusal(&self) -> String {
        format!("cannot {} resource \"{}\"", self.verb, self.resource)
    }
}

/// Every right by itself.
fn rights(rules: &[Value], own: bool) -> Vec<Right> {
    let mut out = Vec::new();
    for rule in rules {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let (group, resource, verb) = (group.to_owned(), resource.to_owned(), verb.to_owned());
                    out.push(Right { own, group, resource, verb });
                }
            }
        }
    }
    out
}

/// A service account that has all of the rights but one, with the roles as objects.
fn account_without(name: &str, all: &[Right], missing: usize) -> Vec<Value> {
    let rules = |own: bool| -> Vec<Value> {
        let left = all.iter().enumerate().filter(|(number, right)| *number != missing && right.own == own);
        left.map(|(_, right)| json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}))
            .collect()
    };
    let subject = json!([{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}]);
    let api_version = "rbac.authorization.k8s.io/v1";
    let reference = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    let inside = json!({"name": name, "namespace": SYSTEM});
    vec![
        json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules(false)}),
        json!({"apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": reference("ClusterRole"), "subjects": subject}),
        json!({"apiVersion": api_version, "kind": "Role", "metadata": inside, "rules": rules(true)}),
        json!({"apiVersion": api_version, "kind": "RoleBinding", "metadata": inside,
            "roleRef": reference("Role"), "subjects": subject}),
    ]
}

/// Each right taken away by itself: the log names it at the start and again, in the API server's words, where it is
/// needed. So nothing is granted in vain, and nobody has to guess.
fn each_right_that_is_taken_away_is_missed_by_name(installed: &Installed) {
    let server = &installed.server;
    let mut all = rights(&role_of(server, &format!("{ROLES}/clusterroles/kubectl-skills")), false);
    let own = format!("{ROLES}/namespaces/{SYSTEM}/roles/kubectl-skills-own");
    all.extend(rights(&role_of(server, &own), true));
    assert!(all.len() > 20, "only {} rights", all.len());
    let accounts: Vec<Value> = (0..all.len())
        .flat_map(|number| account_without(&format!("without-{number}"), &all, number))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": accounts});
    server.kubectl(&["create", "-f", "-"], &list.to_string());
    let next = AtomicUsize::new(0);
    let unnamed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(right) = all.get(number) else { break };
                    for what in unnamed_of(server, &format!("without-{number}"), right) {
                        unnamed.lock().expect("a list").push(format!("{right:?}: {what}"));
                    }
                }
            });
        }
    });
    let unnamed = unnamed.into_inner().expect("a list");
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    println!("each of {} rights taken away is missed by name, at the start and in use", all.len());
}

/// Lives a whole life with the rights of an account, and tells where the missing one was not named.
fn unnamed_of(server: &Server, account: &str, right: &Right) -> Vec<&'static str> {
    let user = format!("system:serviceaccount:{SYSTEM}:{account}");
    let controller = Controller::start(
        server,
        &[
            "--as",
            &user,
            "--namespaces",
            account,
            "--leader-elect",
            "--lease-name",
            account,
            "--lease-namespace",
            SYSTEM,
            "--lease-duration",
            "5s",
        ],
    );
    let agents = make(server, account);
    let said = |words: &str| {
        let says = |value: &Value| value.as_str().is_some_and(|text| text.contains(words));
        controller.log().iter().any(|line| line.as_object().is_some_and(|fields| fields.values().any(says)))
    };
    let (reported, refused) = (right.text(), right.refusal());
    let named = || said(&reported) && said(&refused);
    let wait = |seconds: u64| {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !named() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        named()
    };
    let bound = bound(account);
    let change = |skills: Value| {
        for (agent, _) in &agents {
            merge(server, agent, "kubectl", &json!({"spec": {"skills": skills}}));
        }
        let of_bindings =
            if skills == json!([]) { listed(&[("web", "quay.io/example/web:1")]) } else { skills };
        for (binding, _) in &bound {
            merge(server, binding, "kubectl", &json!({"spec": {"skills": of_bindings}}));
        }
    };
    let other = json!([{"name": "pdf", "image": "quay.io/example/pdf:1", "mountPath": "/a"}]);
    // What is missed at once needs no more; the rest needs a change, a second one of the same news, an end.
    let mut done = wait(4);
    for skills in [json!([]), other, json!([])] {
        if !done {
            change(skills);
            done = wait(4);
        }
    }
    if !done {
        for (object, _) in agents.iter().chain(&bound) {
            server.request("DELETE", &one(object), None);
        }
        wait(6);
    }
    let missed = [(&reported, "at the start"), (&refused, "in use")];
    missed.into_iter().filter(|(words, _)| !said(words)).map(|(_, when)| when).collect()
}

/// With the arguments of the webhook's overlay both replicas answer the API server, and one leads.
#[test]
fn the_controller_answers_reviews_whether_it_leads_or_not() {
    let (server, namespace) = (Server::shared(), "ctl-reviews");
    server.namespace(namespace);
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    let certificates = directory.path().to_str().expect("a path");
    let args = ["--leader-elect", "--lease-namespace", namespace, "--shutdown-delay", "0s"];
    let webhook = ["--webhook", "--webhook-address", "127.0.0.1:0", "--certificates", certificates];
    let scope =
        ["--namespaces", namespace, "--feature-gates", "skillImageVolumes=true", "--profile", "pr332-merged"];
    let replica = || Controller::start(server, &[&args[..], &webhook, &scope].concat());
    let leader = replica();
    eventually("a leader", || (leader.said("this replica leads") == 1).then_some(()));
    let standby = replica();
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &workload);
    put(server, &agent);
    until_condition(server, &agent, "Ready", "True Configured");
    let mut rival = agent.clone();
    rival["metadata"]["name"] = json!("rival");
    let dry = format!("{}?dryRun=All", path_of(&rival));
    for replica in [&leader, &standby] {
        eventually("readiness", || (replica.page("/readyz").0 == "200").then_some(()));
        let registration = Registration {
            address: Address::Url(format!("https://{}", replica.reviews().expect("an address"))),
            ca_bundle: base64::engine::general_purpose::STANDARD.encode(&authority.pem),
            fail_open: false,
            namespaces: vec![namespace.to_owned()],
        };
        let registration = webhook_registration::configuration(profile, NAME, &registration);
        server
            .kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &registration.to_string());
        let answer = eventually("a refusal", || {
            let (code, answer) = server.request("POST", &dry, Some(&rival));
            // The standby is asked once the server has noticed its address.
            let asked = replica.page("/metrics").1.contains("reviews_total{allowed=\"false\"} 1\n");
            (code == 403 && asked).then_some(answer)
        });
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains("an AgentRuntime already targets"), "{message}");
    }
    server.kubectl(&["delete", "validatingwebhookconfiguration", NAME], "");
    assert_eq!(standby.said("this replica leads"), 0);
    for replica in [leader, standby] {
        assert_eq!(replica.end().0, Some(0));
    }
}
