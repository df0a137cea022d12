//! `outdated -A` on a real API server: what new pods would get, by a registry, against the images that pods run.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::objects::{binding, deployment, path_of};
use crate::server::Server;

const OLD: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The manifest of an image that was made at a moment, and its digest.
fn image(created: &str) -> (String, String) {
    let empty = json!({"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"});
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty],
        "annotations": {"org.opencontainers.image.created": created}})
    .to_string();
    let hash: String = Sha256::digest(&manifest).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("sha256:{hash}"), manifest)
}

/// A registry of manifests and a list of tags, by the last part of their paths; its host.
fn registry(manifests: BTreeMap<String, (String, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            let request = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let name = path.split('?').next().and_then(|path| path.rsplit('/').next());
            let found = name.and_then(|name| manifests.get(name));
            let (status, digest, body) = match found {
                Some((digest, body)) => {
                    ("200 OK", format!("Docker-Content-Digest: {digest}\r\n"), body.as_str())
                }
                None if path == "/v2/" => ("200 OK", String::new(), "{}"),
                None => ("404 Not Found", String::new(), "{\"errors\": []}"),
            };
            let sent = if method == "HEAD" { "" } else { body };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {MANIFEST}\r\nContent-Length: {}\r\n{digest}Connection: close\r\n\r\n{sent}",
                body.len()
            );
            // One that has gone needs no answer.
            let _ = stream.write_all(head.as_bytes());
        }
    });
    host
}

/// Anyone may move a tag: pods that were made before go on with what it named then, and only their nodes know what that was.
#[test]
fn pods_of_all_namespaces_are_held_against_what_their_tags_name() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let (now, first) = image("2026-01-01T00:00:00Z");
    let (late, second) = image("2099-01-01T00:00:00Z");
    let entry = |digest: &String, body: &String| (digest.clone(), body.clone());
    let host = registry(BTreeMap::from([
        (
            "list".to_owned(),
            (String::new(), "{\"name\": \"a\", \"tags\": [\"1.0.0\", \"moved\"]}".to_owned()),
        ),
        ("1.0.0".to_owned(), entry(&now, &first)),
        (now.clone(), entry(&now, &first)),
        ("moved".to_owned(), entry(&late, &second)),
        (late.clone(), entry(&late, &second)),
    ]));
    let (pdf, csv) = (format!("{host}/acme/pdf:1.0.0"), format!("{host}/acme/csv:moved"));
    for (namespace, name, image) in [("team-1", "pdf", &pdf), ("team-2", "csv", &csv)] {
        server.namespace(namespace);
        let mut workload = deployment(namespace, "web");
        workload["spec"]["replicas"] = json!(0);
        for object in [&workload, &binding(namespace, "more", "web", &[(name, image)])] {
            server.create(&path_of(object), object);
        }
        assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
        // Without nodes none becomes ready, and a rollout would go no further: there are none of before.
        server.merge(&workload, "kubectl", &json!({"spec": {"replicas": 3}}));
    }
    let pods_of = |namespace: &str| -> Vec<String> {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        for _ in 0..150 {
            let list = server.get(&path);
            let pods = list["items"].as_array().into_iter().flatten();
            let names: Vec<String> =
                pods.filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect();
            if names.len() == 3 {
                return names;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("no three pods: {}", server.get(&path));
    };
    let report = |namespace: &str, pod: &str, skill: &str, running: &str| {
        let volume = json!({"name": format!("skill-{skill}"), "mountPath": format!("/skills/{skill}"), "readOnly": true,
            "volumeStatus": {"image": {"imageRef": running}}});
        let status = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "agent", "image": "i", "imageID": "",
            "ready": true, "restartCount": 0, "volumeMounts": [volume]}]}});
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/status");
        let (code, answer) = server.send("PATCH", &path, "application/merge-patch+json", Some(&status));
        assert_eq!(code, 200, "{answer}");
    };
    let own = pods_of("team-1");
    report("team-1", &own[0], "pdf", &format!("{host}/acme/pdf@{now}"));
    report("team-1", &own[1], "pdf", &format!("{host}/acme/pdf@{OLD}"));
    let others = pods_of("team-2");
    let said = server.skills(&["outdated", "-A", "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let of = |index: usize| {
        let one = &found["workloads"][index];
        let mut pods = one["pods"].clone();
        for state in ["current", "stale", "unknown"] {
            if let Some(names) = pods[state].as_array_mut() {
                names.sort_by_key(ToString::to_string);
            }
        }
        json!([one["namespace"], one["image"], one["digest"], pods])
    };
    let sorted = |names: &[&String]| {
        let mut names: Vec<String> = names.iter().map(|name| (*name).clone()).collect();
        names.sort();
        names
    };
    assert_eq!(
        of(0),
        json!(["team-1", pdf, now, {"current": [own[0]], "stale": [own[1]], "unknown": [own[2]]}]),
        "{found:#}"
    );
    // Pods that are older than what the tag names now run something else, though no node says what.
    let all = sorted(&others.iter().collect::<Vec<_>>());
    assert_eq!(
        of(1),
        json!(["team-2", csv, late, {"current": [], "stale": all, "unknown": []}]),
        "{found:#}"
    );
    assert_eq!(server.skills(&["outdated", "-A", "--exit-code"]).code, 1);
}
