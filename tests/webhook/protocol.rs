//! What is not about verdicts: certificates that are renewed, requests that are none, bounds, and the end of the process.

use std::time::Duration;

use kubectl_skills::api::profile::Profile;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::client::Client;
use crate::program::{Program, command};
use crate::server::Server;
use crate::verdicts::{api_server, review};

pub const PATH: &str = "/validate-agent-kagenti-dev-v1alpha1-agentruntime";
pub const JSON: &str = "application/json";

pub struct Running {
    pub program: Program,
    pub authority: Authority,
    pub directory: TempDir,
    _server: Server,
}

pub fn running(more: &[&str], broken: bool) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    let server = api_server(Vec::new(), broken);
    let program =
        Program::start(&server.address, directory.path(), &[&["--profile", "pr332-merged"], more].concat());
    Running { program, authority, directory, _server: server }
}

pub fn runtime(name: &str, path: &str) -> Value {
    json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime",
        "metadata": {"name": "weather", "namespace": "team1"},
        "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
            "skills": [{"name": name, "image": "quay.io/example/a:1", "mountPath": path}]},
    })
}

pub fn body(object: &Value) -> Vec<u8> {
    review(Profile::by_name("pr332-merged").expect("a profile"), "UPDATE", object)
}

pub fn allowed(client: &mut Client, object: &Value) -> Value {
    client.request("POST", PATH, JSON, &body(object)).json()["response"].clone()
}

/// A renewed certificate must be used without a restart, and the API server's open connections must not be cut.
#[test]
fn a_renewed_certificate_is_used_and_open_connections_stay() {
    let Running { program, authority, directory, _server } = running(&[], false);
    let fine = runtime("a", "/skills/a");
    let mut old = Client::connect(&program.address, &authority.der);
    let first = old.certificate();
    assert_eq!(allowed(&mut old, &fine)["allowed"], true);
    for round in 1..=3 {
        let renewed = authority.renew(directory.path(), round);
        program.logged("a new certificate is in use");
        let mut new = Client::connect(&program.address, &authority.der);
        assert_eq!(new.certificate(), renewed, "round {round}");
        assert_eq!(allowed(&mut new, &fine)["allowed"], true);
    }
    assert_eq!(allowed(&mut old, &fine)["allowed"], true);
    assert_eq!(old.certificate(), first);
    // Rubbish in place of a certificate changes nothing for anybody.
    std::fs::write(directory.path().join("..data").join("tls.crt"), "rubbish").expect("a file");
    program.logged("the certificate stays as it is");
    let mut new = Client::connect(&program.address, &authority.der);
    assert_eq!(allowed(&mut new, &fine)["allowed"], true);
}

#[test]
fn what_is_no_review_is_refused_by_http_and_the_connection_stays() {
    let Running { program, authority, .. } = running(&[], false);
    let mut client = Client::connect(&program.address, &authority.der);
    let fine = body(&runtime("a", "/skills/a"));
    let mut said = |method: &str, path: &str, kind: &str, body: &[u8]| {
        let answer = client.request(method, path, kind, body);
        (answer.code, answer.body)
    };
    assert_eq!(said("GET", PATH, JSON, b""), (405, "POST an AdmissionReview\n".to_owned()));
    assert_eq!(
        said("POST", "/validate-agent-rossoctl-dev-v1alpha1-agentruntime", JSON, &fine),
        (404, format!("AgentRuntimes are judged at {PATH}\n"))
    );
    assert_eq!(
        said("POST", PATH, "application/yaml", &fine),
        (415, "the body must be application/json, not \"application/yaml\"\n".to_owned())
    );
    assert_eq!(said("POST", PATH, JSON, b"{}").0, 400);
    assert!(said("POST", PATH, JSON, b"[1,").1.starts_with("the body is not JSON: "));
    assert_eq!(said("POST", PATH, "application/json; charset=utf-8", &fine).0, 200);
    assert_eq!(said("GET", "/healthz", JSON, b""), (200, "ok\n".to_owned()));
    let metrics = program.get("/metrics").1;
    assert!(metrics.contains("kubectl_skills_webhook_unreadable_total 3\n"), "{metrics}");
    assert_eq!(program.get(PATH).0, 404, "reviews are not taken without TLS");
}

/// A body of any size would be a way to take all memory.
#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let Running { program, authority, .. } = running(&[], false);
    let mut client = Client::connect(&program.address, &authority.der);
    client.send(Client::head("POST", PATH, JSON, 9 << 20).as_bytes());
    let answer = client.answer();
    assert_eq!((answer.code, answer.body.as_str()), (413, "the body is larger than 8388608 bytes\n"));
    assert!(answer.head.to_ascii_lowercase().contains("connection: close"), "{}", answer.head);
    // Without a length, too.
    let mut client = Client::connect(&program.address, &authority.der);
    client.send(
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: w\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        .as_bytes(),
    );
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..8 {
        client.send(b"100000\r\n");
        client.send(&chunk);
        client.send(b"\r\n");
    }
    // One byte too many, and no more: who is refused while still sending may meet a closed connection.
    client.send(b"1\r\n \r\n");
    assert_eq!(client.answer().code, 413);
}

/// The API server gives up after ten seconds; who waits longer for half a body only holds memory.
#[test]
fn half_a_request_is_given_up_and_others_are_served_meanwhile() {
    let Running { program, authority, .. } = running(&[], false);
    let whole = body(&runtime("a", "/skills/a"));
    let mut slow = Client::connect(&program.address, &authority.der);
    slow.send(Client::head("POST", PATH, JSON, whole.len()).as_bytes());
    slow.send(&whole[..whole.len() / 2]);
    let mut quick = Client::connect(&program.address, &authority.der);
    assert_eq!(quick.request("POST", PATH, JSON, &whole).code, 200);
    assert_eq!(slow.answer().code, 408);
}

/// A rolling update of the webhook must not fail anybody's request.
#[test]
fn the_end_of_the_process_drops_no_request() {
    let Running { mut program, authority, .. } = running(&["--shutdown-delay", "1s"], false);
    let whole = body(&runtime("a", "/skills/a"));
    let (first, second) = whole.split_at(whole.len() / 2);
    let mut under_way = Client::connect(&program.address, &authority.der);
    let mut idle = Client::connect(&program.address, &authority.der);
    assert_eq!(idle.request("POST", PATH, JSON, &whole).code, 200);
    under_way.send(Client::head("POST", PATH, JSON, whole.len()).as_bytes());
    under_way.send(first);
    program.signal("TERM");
    program.until("/readyz", 503);
    assert_eq!(program.get("/readyz").1, "shutting down\n");
    // Who has not yet heard of it is still served.
    let mut late = Client::connect(&program.address, &authority.der);
    assert_eq!(late.request("POST", PATH, JSON, &whole).code, 200);
    assert!(idle.ended(), "an idle connection is closed properly");
    under_way.send(second);
    assert_eq!(under_way.answer().json()["response"]["allowed"], true);
    assert_eq!(program.ended(Duration::from_secs(10)), Some(0));
}

#[test]
fn the_stricter_rules_and_the_lenient_one_come_only_when_asked_for() {
    let long = runtime(&"a".repeat(58), "/skills/a");
    let mut leaving = runtime("a", "/proc");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let outcomes = |more: &[&str]| {
        let running = running(more, false);
        let mut client = Client::connect(&running.program.address, &running.authority.der);
        [&long, &leaving].map(|object| allowed(&mut client, object)["allowed"] == true)
    };
    assert_eq!(outcomes(&[]), [true, false]);
    assert_eq!(outcomes(&["--strict"]), [false, false]);
    assert_eq!(outcomes(&["--pass-deleting"]), [true, true]);
}

/// The operator lets pass what it cannot check; who would rather not says so.
#[test]
fn unknown_rivals_refuse_when_asked_to() {
    let Running { program, authority, .. } = running(&["--unknown-rivals", "refuse"], true);
    let mut client = Client::connect(&program.address, &authority.der);
    assert_eq!(
        allowed(&mut client, &runtime("a", "/skills/a")),
        json!({"uid": "5e9a", "allowed": false, "status": {
            "code": 500, "reason": "InternalError",
            "message": "the other AgentRuntimes of the namespace could not be read; try again"}})
    );
    assert!(program.get("/metrics").1.contains("kubectl_skills_webhook_rivals_unknown_total 1\n"));
}

#[test]
fn a_start_that_cannot_work_says_why_and_ends() {
    let server = api_server(Vec::new(), false);
    let directory = tempfile::tempdir().expect("a directory");
    let said = |more: &[&str]| {
        let words = [&["--server", server.address.as_str()], more].concat();
        let said = command(directory.path(), &words).output().expect("the program");
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (code, text) = said(&["--profile", "head"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("tls.crt: ") && text.contains("the webhook needs a certificate"), "{text}");
    assert_eq!(said(&["--profile", "none"]).0, Some(2));
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().expect("an address").to_string();
    Authority::new().renew(directory.path(), 0);
    let (code, text) = said(&["--profile", "head", "--webhook-address", &address]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(&format!("listen on {address}: ")), "{text}");
}
