//! Pods that are created while replicas of the webhook are killed and the API server is restarted: with `failurePolicy:
//! Fail` none is stored without its skills.

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

fn pod(name: &str, agent: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "agents", "labels": {"app": format!("agent-{agent}")}},
        "spec": {"containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]},
    })
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

#[test]
fn no_pod_is_stored_without_its_skills_while_webhooks_and_api_server_die() {
    let bindings = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crd/skillbindings.yaml");
    let server = Server::start(CURRENT, &["--crd", bindings.to_str().expect("a path")]);
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "agents", "labels": {INJECT_NAMESPACE: "enabled"}},
    });
    server.create("/api/v1/namespaces", &namespace);
    for agent in 0..AGENTS {
        let name = format!("agent-{agent}");
        let skills = json!([{"name": "pdf", "image": format!("i:{agent}"), "mountPath": "/skills/pdf"}]);
        let binding = json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"name": name, "namespace": "agents"},
            "spec": {"delivery": "Pod", "selector": {"matchLabels": {"app": name}}, "skills": skills},
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
        *replica_of = Some(replica(&server, certificates.path()));
    }
    known(&replicas);
    let registration = webhook_registration::injection(
        "kubectl-skills",
        &Registration {
            address: Address::Url(format!("https://{}", front.address)),
            ca_bundle: base64::engine::general_purpose::STANDARD.encode(&authority.pem),
            fail_open: false,
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
            let (server, stop, counts) = (&server, &stop, [&created, &refused, &unanswered]);
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
                *replica_of = Some(replica(&server, certificates.path()));
            }
            known(&replicas);
            std::thread::sleep(FAULT);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let [created, refused, unanswered] = [created, refused, unanswered].map(AtomicUsize::into_inner);
    let list = server.get(PODS);
    let pods = list["items"].as_array().expect("pods");
    println!(
        "chaos: {created} pods created, {refused} refused, {unanswered} without an answer, {} stored",
        pods.len()
    );
    assert!(created > 100 && refused > 0, "{created} created, {refused} refused");
    assert!(pods.len() >= created, "{created} created, {} stored", pods.len());
    for pod in pods {
        let app = pod["metadata"]["labels"]["app"].as_str().expect("a label");
        let image = app.replace("agent-", "i:");
        assert_eq!(
            skill(pod),
            (json!([image]), json!("/skills/pdf"), json!("/skills/pdf")),
            "{}",
            pod["metadata"]["name"]
        );
    }
}
