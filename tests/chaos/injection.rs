//! Pods that are created while replicas of the webhook are killed and the API server is restarted: with `failurePolicy:
//! Fail` none is stored without its skills, with `Ignore` `status` lists every one that is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use kubectl_skills::install::webhook_registration::{self, Address, INJECT_NAMESPACE, Registration};
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::http::{self, Request};
use crate::program::{Program, command};
use crate::server::{CURRENT, Server};

const PODS: &str = "/api/v1/namespaces/agents/pods";
/// Agents, each with a skill of its own.
const AGENTS: usize = 5;
const OF_DEPLOYMENT: usize = 3;
const OF_CRON_JOB: usize = 4;
/// How long each fault lasts, and the quiet after it.
const FAULT: Duration = Duration::from_secs(2);

/// One address for whoever of the replicas lives, as a Service is.
struct Front {
    address: String,
    replicas: Arc<Mutex<Vec<String>>>,
}

impl Front {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let replicas: Arc<Mutex<Vec<String>>> = Arc::default();
        let known = Arc::clone(&replicas);
        std::thread::spawn(move || {
            for (turn, client) in listener.incoming().flatten().enumerate() {
                let mut known = known.lock().expect("a lock").clone();
                if !known.is_empty() {
                    let turn = turn % known.len();
                    known.rotate_left(turn);
                }
                if let Some(replica) = known.iter().find_map(|address| TcpStream::connect(address).ok()) {
                    join(&client, &replica);
                    join(&replica, &client);
                }
            }
        });
        Self { address, replicas }
    }
}

/// Carries what comes from one to the other, until either ends.
fn join(from: &TcpStream, to: &TcpStream) {
    let [mut from, mut to] = [from, to].map(|stream| stream.try_clone().expect("a stream"));
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}

fn replica(server: &Server, certificates: &Path) -> Program {
    let authority = server.dir().join("ca.crt").display().to_string();
    let (address, token) = (server.address(), server.token());
    let program = Program::run(command(
        certificates,
        &["--server", &address, "--certificate-authority", &authority, "--token", &token, "--inject"],
    ));
    program.until("/readyz", 200);
    program
}

/// A pod as whoever makes it for its agent does: nobody, the ReplicaSet of a Deployment, the Job of a CronJob.
fn pod(name: &str, agent: usize) -> Value {
    let app = format!("agent-{agent}");
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "agents", "labels": {"app": app}},
        "spec": {"containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]},
    });
    let owner = match agent {
        OF_DEPLOYMENT => ("apps/v1", "ReplicaSet", format!("{app}-5d4f")),
        OF_CRON_JOB => ("batch/v1", "Job", format!("{app}-29400000")),
        _ => return pod,
    };
    pod["metadata"]["labels"]["pod-template-hash"] = json!("5d4f");
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": owner.0, "kind": owner.1, "name": owner.2, "uid": "u", "controller": true}]);
    pod
}

/// The workload of an agent, if it has one.
fn workload(agent: usize) -> Option<(&'static str, Value)> {
    let name = format!("agent-{agent}");
    let template = json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]},
    });
    let metadata = json!({"name": name, "namespace": "agents"});
    match agent {
        OF_DEPLOYMENT => {
            let mut template = template;
            template["spec"]["restartPolicy"] = json!("Always");
            let spec = json!({"selector": {"matchLabels": {"app": name}}, "template": template});
            let object =
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
            Some(("/apis/apps/v1/namespaces/agents/deployments", object))
        }
        OF_CRON_JOB => {
            let spec = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}});
            let object =
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec});
            Some(("/apis/batch/v1/namespaces/agents/cronjobs", object))
        }
        _ => None,
    }
}

/// One creation; `None` if no answer came. A pod of which nobody knows whether it is there is found by the list.
fn create(server: &Server, pod: &Value) -> Option<u16> {
    let (token, body) = (server.token(), pod.to_string());
    let request = Request {
        method: "POST",
        path: PODS,
        content_type: "application/json",
        token: &token,
        body: body.as_bytes(),
    };
    http::send(&server.address(), &server.dir().join("ca.crt"), &request).ok().map(|(code, _)| code)
}

fn skill(pod: &Value) -> (Value, Value, Value) {
    let at = |pointer: &str| pod.pointer(pointer).cloned().unwrap_or_default();
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let reference = volumes.filter_map(|volume| volume.pointer("/image/reference")).cloned().collect();
    (reference, at("/spec/containers/0/volumeMounts/0/mountPath"), at("/spec/containers/0/env/0/value"))
}

/// What came of the creations, and the pods that are there in the end.
struct Made {
    refused: usize,
    pods: Vec<Value>,
}

/// A server with agents, SkillBindings and the webhook by two replicas; pods are created meanwhile.
fn pods_while_all_die(server: &Server, fail_open: bool) -> Made {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "agents", "labels": {INJECT_NAMESPACE: "enabled"}},
    });
    server.create("/api/v1/namespaces", &namespace);
    for agent in 0..AGENTS {
        let name = format!("agent-{agent}");
        let skills = json!([{"name": "pdf", "image": format!("i:{agent}"), "mountPath": "/skills/pdf"}]);
        let mut spec = json!({"delivery": "Pod", "skills": skills});
        match workload(agent) {
            None => spec["selector"] = json!({"matchLabels": {"app": name}}),
            Some((path, object)) => {
                server.create(path, &object);
                spec["targetRef"] =
                    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "name": name});
            }
        }
        let binding = json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"name": name, "namespace": "agents"}, "spec": spec,
        });
        server.create("/apis/skills.kagenti.dev/v1alpha1/namespaces/agents/skillbindings", &binding);
    }
    let certificates = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(certificates.path(), 0);
    let front = Front::start();
    let mut replicas: Vec<Option<Program>> = vec![None, None];
    let known = |replicas: &[Option<Program>]| {
        let addresses = replicas.iter().flatten().map(|replica| replica.address.clone()).collect();
        *front.replicas.lock().expect("a lock") = addresses;
    };
    for replica_of in &mut replicas {
        *replica_of = Some(replica(server, certificates.path()));
    }
    known(&replicas);
    let registration = webhook_registration::injection(
        "kubectl-skills",
        &Registration {
            address: Address::Url(format!("https://{}", front.address)),
            ca_bundle: base64::engine::general_purpose::STANDARD.encode(&authority.pem),
            fail_open,
            namespaces: Vec::new(),
        },
    );
    server.kubectl(&["apply", "--server-side", "-f", "-"], &registration.to_string());
    // The server takes a registration up a moment after it was stored.
    let end = Instant::now() + Duration::from_secs(60);
    let probe = format!("{PODS}?dryRun=All");
    while server.request("POST", &probe, Some(&pod("probe", 0))).1.pointer("/spec/volumes").is_none() {
        assert!(Instant::now() < end, "the webhook is not called");
        std::thread::sleep(Duration::from_millis(50));
    }

    let (stop, created, refused, unanswered) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for creator in 0..3 {
            let (stop, counts) = (&stop, [&created, &refused, &unanswered]);
            scope.spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let count =
                        match create(server, &pod(&format!("pod-{creator}-{number}"), number % AGENTS)) {
                            Some(201) => counts[0],
                            Some(_) => counts[1],
                            None => counts[2],
                        };
                    count.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        for fault in ["first", "server by KILL", "second", "both", "server by TERM", "both, then the server"]
        {
            let dies =
                [fault == "first" || fault.contains("both"), fault == "second" || fault.contains("both")];
            for (replica_of, dies) in replicas.iter_mut().zip(dies) {
                // Dropping kills it, without a word of farewell to its callers.
                drop(if dies { replica_of.take() } else { None });
            }
            if fault.contains("server") {
                server.restart_api_server(if fault.ends_with("TERM") { "TERM" } else { "KILL" });
            }
            std::thread::sleep(FAULT);
            for replica_of in replicas.iter_mut().filter(|replica_of| replica_of.is_none()) {
                *replica_of = Some(replica(server, certificates.path()));
            }
            known(&replicas);
            std::thread::sleep(FAULT);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let [created, refused, unanswered] = [created, refused, unanswered].map(AtomicUsize::into_inner);
    let list = server.get(PODS);
    let pods = list["items"].as_array().expect("pods").clone();
    eprintln!(
        "chaos: {created} pods created, {refused} refused, {unanswered} without an answer, {} stored",
        pods.len()
    );
    assert!(created > 100, "{created} created");
    assert!(pods.len() >= created, "{created} created, {} stored", pods.len());
    Made { refused, pods }
}

fn server() -> Server {
    let bindings = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crd/skillbindings.yaml");
    Server::start(CURRENT, &["--crd", bindings.to_str().expect("a path")])
}

/// The skill that a pod is to have: image, mount path, variable.
fn wanted(pod: &Value) -> (Value, Value, Value) {
    let app = pod["metadata"]["labels"]["app"].as_str().expect("a label");
    (json!([app.replace("agent-", "i:")]), json!("/skills/pdf"), json!("/skills/pdf"))
}

#[test]
fn no_pod_is_stored_without_its_skills_while_webhooks_and_api_server_die() {
    let server = server();
    let made = pods_while_all_die(&server, false);
    assert!(made.refused > 0, "nothing was refused");
    for pod in &made.pods {
        assert_eq!(skill(pod), wanted(pod), "{}", pod["metadata"]["name"]);
    }
}

/// Some pods come without: `status` names each of them, whoever made it.
#[test]
fn every_pod_that_came_without_its_skills_is_listed_by_status() {
    let server = server();
    let made = pods_while_all_die(&server, true);
    let mut without: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for pod in &made.pods {
        let text = |at: &Value| at.as_str().expect("text").to_owned();
        let (app, name) = (text(&pod["metadata"]["labels"]["app"]), text(&pod["metadata"]["name"]));
        *all.entry(app.clone()).or_default() += 1;
        if skill(pod) != wanted(pod) {
            assert_eq!(skill(pod), (json!([]), Value::Null, Value::Null), "{name} has a part of them");
            without.entry(app).or_default().insert(name);
        }
    }
    println!("chaos: {} pods without their skills", without.values().map(BTreeSet::len).sum::<usize>());
    assert_eq!(without.len(), AGENTS, "an agent lost nothing: the faults were too short");

    let json = server.skills(&["status", "-n", "agents", "-o", "json"]);
    assert_eq!(json.code, 0, "{}", json.stderr);
    let list: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let table = server.skills(&["status", "-n", "agents"]).stdout;
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in list["items"].as_array().expect("reports") {
        let name = item["name"].as_str().expect("a name").to_owned();
        let pods = &item["podsOfBindings"];
        let (lacking, total) = (without[&name].len(), all[&name]);
        let counts = json!([pods["upToDate"], pods["stale"], pods["without"]]);
        assert_eq!(counts, json!([total - lacking, 0, lacking]), "{name}: {item}");
        assert_eq!(item["state"], "stale", "{item}");
        let outdated = pods["outdated"].as_array().expect("names").iter();
        listed.insert(name.clone(), outdated.map(|pod| pod.as_str().expect("text").to_owned()).collect());
        let row = table.lines().find(|row| row.starts_with(&format!("skillbinding/{name} "))).expect("a row");
        let said = format!(
            "{lacking} of {total} {} {} none of the skills",
            if total == 1 { "pod" } else { "pods" },
            if lacking == 1 { "has" } else { "have" }
        );
        assert!(row.contains(&said) && row.contains(&format!("{}/{total} pods", total - lacking)), "{row}");
    }
    assert_eq!(listed, without);
}
