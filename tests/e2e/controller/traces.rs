//! Traces, as a collector gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::process::{Controller, put, until_condition};
use crate::objects::{deployment, runtime};
use crate::server::Server;

/// Path and body of each request that came.
type Posts = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything; its address.
fn collector() -> (String, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let posts = Posts::default();
    let kept = Arc::clone(&posts);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let posts = Arc::clone(&kept);
            // An exporter that goes away ends the conversation.
            std::thread::spawn(move || drop(take(stream, &posts)));
        }
    });
    (address, posts)
}

fn take(mut stream: TcpStream, posts: &Posts) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        posts.lock().expect("the list").push((path, body));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        )?;
    }
}

/// Texts stand in protobuf as they are.
fn holds(bodies: &[u8], text: &str) -> bool {
    bodies.windows(text.len()).any(|window| window == text.as_bytes())
}

fn put_agent(server: &Server, namespace: &str) -> Value {
    server.namespace(namespace);
    let agent = runtime(namespace, "weather", &[("pdf", "quay.io/example/pdf:1", "/skills/pdf")]);
    put(server, &deployment(namespace, "weather"));
    put(server, &agent);
    agent
}

/// A run and its requests are one trace; renewals of the lease, which nobody asked for, are none.
#[test]
fn a_run_and_its_requests_are_a_trace() {
    let (server, namespace) = (Server::shared(), "ctl-traces");
    let (address, posts) = collector();
    let agent = put_agent(server, namespace);
    let controller = Controller::of_with(
        server,
        namespace,
        &["--leader-elect", "--lease-namespace", namespace],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
            ("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=test-cluster"),
        ],
    );
    until_condition(server, &agent, "Ready", "True Configured");
    let (code, log) = controller.end();
    assert_eq!(code, Some(0), "{log:?}");
    let posts = posts.lock().expect("the list");
    assert!(!posts.is_empty(), "what was left was sent at the end: {log:?}");
    assert!(posts.iter().all(|(path, _)| path == "/v1/traces"), "{:?}", posts[0].0);
    let bodies: Vec<u8> = posts.iter().flat_map(|(_, body)| body.clone()).collect();
    for text in [
        "kubectl-skills",
        "test-cluster",
        "run",
        "ctl-traces/weather",
        "configured",
        "HTTP",
        "/apis/apps/v1/namespaces/ctl-traces/deployments/weather",
    ] {
        assert!(holds(&bodies, text), "no {text:?} in the traces");
    }
    assert!(!holds(&bodies, "/leases/"), "a lease is no run");
}

/// A collector that is away must not hold up what the controller is there for, nor its end.
#[test]
fn a_collector_that_does_not_answer_costs_nothing_but_traces() {
    let (server, namespace) = (Server::shared(), "ctl-traces-away");
    let agent = put_agent(server, namespace);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    let controller = Controller::of_with(
        server,
        namespace,
        &["--leader-elect", "--lease-namespace", namespace],
        &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &address)],
    );
    until_condition(server, &agent, "Ready", "True Configured");
    let asked = std::time::Instant::now();
    let (code, log) = controller.end();
    assert_eq!(code, Some(0), "{log:?}");
    assert!(asked.elapsed().as_secs() < 30, "it took {:?} to end", asked.elapsed());
    assert!(
        log.iter().any(|line| line["message"] == "the last traces were not sent"),
        "who waits for traces is reported: {log:?}"
    );
}
