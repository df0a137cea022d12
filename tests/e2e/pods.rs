//! Webhooks over Pods: they see none of the workloads that we write, and take out what an older client does not know.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::objects::{deployment, path_of, runtime};
use crate::server::Server;

const REGISTRATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// A webhook that decodes Pods with a client that knows no image volumes. It ends with the test process.
struct OldWebhook {
    name: String,
    registration: Value,
}

impl OldWebhook {
    fn start(namespace: &str) -> Self {
        let authority = Authority::new();
        let dir = tempfile::tempdir().expect("a temporary directory");
        authority.renew(dir.path(), 0);
        let certificate = CertificateDer::from_pem_file(dir.path().join("tls.crt")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(dir.path().join("tls.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate with its key");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}/mutate", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                std::thread::spawn(move || {
                    let session = ServerConnection::new(config).expect("a session");
                    // An API server that goes away ends the conversation.
                    drop(serve(StreamOwned::new(session, stream)));
                });
            }
        });
        let name = format!("old-{namespace}");
        let registration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
            "webhooks": [{"name": "old.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": {"url": url, "caBundle": STANDARD.encode(&authority.pem)},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}]}]
        });
        Self { name, registration }
    }

    /// Registers it, and waits until the server calls it.
    fn register(&self, server: &Server, namespace: &str) {
        server.create(REGISTRATIONS, &self.registration);
        self.wait(server, namespace, false);
    }

    fn unregister(&self, server: &Server, namespace: &str) {
        let (code, answer) = server.request("DELETE", &format!("{REGISTRATIONS}/{}", self.name), None);
        assert_eq!(code, 200, "{answer}");
        self.wait(server, namespace, true);
    }

    fn wait(&self, server: &Server, namespace: &str, keeps: bool) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {
            "containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", "image": {"reference": "i"}}]}});
        let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
        for _ in 0..100 {
            let stored = server.create(&path, &pod);
            if stored["spec"]["volumes"][0].get("image").is_some() == keeps {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the server does not take the registration up");
    }
}

fn serve(stream: StreamOwned<ServerConnection, std::net::TcpStream>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let review: Value = serde_json::from_slice(&body).expect("a review");
        let volumes = review.pointer("/request/object/spec/volumes").and_then(Value::as_array);
        let patch: Vec<Value> = volumes
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, volume)| volume.get("image").is_some())
            .map(|(at, _)| json!({"op": "remove", "path": format!("/spec/volumes/{at}/image")}))
            .collect();
        let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
        if !patch.is_empty() {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(STANDARD.encode(Value::Array(patch).to_string()));
        }
        let answer =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
                .to_string();
        let out = stream.get_mut();
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
        out.flush()?;
    }
}

fn check(said: &str, name: &str) -> Value {
    let diagnosis: Value = serde_json::from_str(said).expect("JSON");
    let rows = diagnosis["checks"].as_array().expect("rows").clone();
    rows.into_iter().find(|row| row["check"] == name).unwrap_or_else(|| panic!("no {name} in {diagnosis}"))
}

/// The Deployment keeps its volumes, the agents start with empty folders, and every status says ok.
#[test]
fn a_webhook_that_strips_pods_is_seen_before_the_write_and_after() {
    let namespace = "pods-stripped";
    let server = Server::with_gate_on(namespace);
    for object in [
        deployment(namespace, "web"),
        runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]),
    ] {
        server.create(&path_of(&object), &object);
    }
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
    let webhook = OldWebhook::start(namespace);
    webhook.register(server, namespace);
    for flags in [&["--dry-run=server"][..], &[]] {
        let said = server.skills(&[&["apply", "-n", namespace][..], flags].concat());
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
        let expected = "the Pods of deployment.apps/web would lose their image volumes (skill-a); webhooks that see pods: ";
        assert!(said.stderr.contains(expected) && said.stderr.contains(&webhook.name), "{}", said.stderr);
        assert_eq!(server.get(&path)["metadata"]["generation"], 1, "something was written");
    }
    let said = server.skills(&["doctor", "-n", namespace, "-o", "json"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert_eq!(check(&said.stdout, "image volumes kept")["state"], "ok");
    let row = check(&said.stdout, "image volumes kept in Pods");
    assert_eq!(row["state"], "failed", "{row}");
    assert!(row["found"].as_str().is_some_and(|found| found.contains(&webhook.name)), "{row}");

    webhook.unregister(server, namespace);
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    webhook.register(server, namespace);
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let stripped = || {
        let said = server.skills(&["status", "-n", namespace, "-o", "json"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let list: Value = serde_json::from_str(&said.stdout).expect("JSON");
        list["items"][0]["findings"].to_string()
    };
    for _ in 0..100 {
        // Pods that are made now come without; those of before are replaced as a node that fails would have them.
        for pod in server.get(&pods)["items"].as_array().cloned().unwrap_or_default() {
            let whole = pod["spec"]["volumes"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one.get("image").is_some()));
            let current = pod["metadata"]["annotations"].get("kagenti.io/config-hash").is_some();
            if whole || !current {
                let name = pod["metadata"]["name"].as_str().expect("a name");
                server.request("DELETE", &format!("{pods}/{name}?gracePeriodSeconds=0"), None);
            }
        }
        if stripped().contains("pods lack skill a") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let findings = stripped();
    assert!(
        findings.contains("1 of 1 pods lack skill a") && findings.contains("webhook over Pods"),
        "{findings}"
    );
    webhook.unregister(server, namespace);
}

/// The right to create pods is a great one; who lacks it is shown what is not known, and works on.
#[test]
fn who_may_not_create_pods_is_told_that_it_is_unknown() {
    let namespace = "pods-unknown";
    let server = Server::with_gate_on(namespace);
    for object in [
        deployment(namespace, "web"),
        runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]),
    ] {
        server.create(&path_of(&object), &object);
    }
    let rules = json!([
        {"apiGroups": ["agent.kagenti.dev"], "resources": ["agentruntimes"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
    ]);
    crate::refusals::grant_to(server, namespace, "joe-of-pods", &rules);
    let system = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
    crate::refusals::grant_to(server, "kagenti-system", "joe-of-pods", &system);
    let said = server.skills(&["apply", "-n", namespace, "--as", "joe-of-pods"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("whether Pods keep their image volumes is unknown"), "{}", said.stderr);
    let said = server.skills(&["status", "-n", namespace, "--as", "joe-of-pods"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("whether pods have their skills is unknown"), "{}", said.stderr);
    let said = server.skills(&["doctor", "-n", namespace, "--as", "joe-of-pods", "-o", "json"]);
    assert_eq!(check(&said.stdout, "image volumes kept in Pods")["state"], "unknown");
}
