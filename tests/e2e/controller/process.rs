//! The controller as a process, and ways to wait for what it does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::objects::{one, path_of};
use crate::server::Server;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running controller. It ends with this value.
pub struct Controller {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Controller {
    /// Starts one, with health and metrics on a port of its own.
    pub fn start(server: &Server, args: &[&str]) -> Self {
        Self::start_with(server, &server.kubeconfig(), args)
    }

    /// The same with another kubeconfig than the administrator's.
    pub fn start_with(server: &Server, kubeconfig: &Path, args: &[&str]) -> Self {
        Self::start_in(server, kubeconfig, args, &[])
    }

    /// The same with variables in its environment.
    pub fn start_in(server: &Server, kubeconfig: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut command = server.skills_command(&["controller", "--health-address", "127.0.0.1:0"]);
        command.env("KUBECONFIG", kubeconfig).envs(environment.iter().copied());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log.reopen().expect("the same file"));
        let controller = Self { child: command.spawn().expect("a process"), log };
        eventually("the controller's first line", || controller.address());
        controller
    }

    /// One that looks after some namespaces, the gate on.
    pub fn of(server: &Server, namespaces: &str) -> Self {
        Self::of_with(server, namespaces, &[], &[])
    }

    /// The same with more arguments, and variables in its environment.
    pub fn of_with(server: &Server, namespaces: &str, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let looks_after = ["--namespaces", namespaces, "--feature-gates", "skillImageVolumes=true"];
        let args = [&looks_after[..], &["--profile", "pr332-merged"], more].concat();
        Self::start_in(server, &server.kubeconfig(), &args, environment)
    }

    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// What it logged, line by line.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log.path()).expect("a log");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Messages that contain a text.
    pub fn said(&self, text: &str) -> usize {
        self.log().iter().filter(|line| line["message"].as_str().is_some_and(|m| m.contains(text))).count()
    }

    fn address(&self) -> Option<String> {
        self.log().iter().find_map(|line| line["address"].as_str().map(str::to_owned))
    }

    /// Where reviews are taken, once they are.
    pub fn reviews(&self) -> Option<String> {
        let listens = |line: &&Value| line["message"] == "the webhook listens";
        self.log().iter().find(listens).and_then(|line| line["address"].as_str().map(str::to_owned))
    }

    /// Code and body of one of its own pages.
    pub fn page(&self, path: &str) -> (String, String) {
        let address = self.address().expect("an address");
        let mut stream = TcpStream::connect(&address).expect("its listener");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        (head.split(' ').nth(1).expect("a code").to_owned(), body.to_owned())
    }

    /// A number of `/metrics`; 0 if it is missing.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("kubectl_skills_{name} ")));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Ends it as the kernel does.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("an end");
    }

    /// Asks it to end and waits; its exit code.
    pub fn end(mut self) -> (Option<i32>, Vec<Value>) {
        self.signal("TERM");
        let status = self.child.wait().expect("an end");
        (status.code(), self.log())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- controller {}\n{}",
                self.id(),
                std::fs::read_to_string(self.log.path()).unwrap_or_default()
            );
        }
    }
}

/// Waits until something is there.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn put(server: &Server, object: &Value) {
    server.create(&path_of(object), object);
}

pub fn live(server: &Server, object: &Value) -> Value {
    server.get(&one(object))
}

pub fn merge(server: &Server, object: &Value, manager: &str, patch: &Value) {
    server.merge(object, manager, patch);
}

/// Status and reason of a condition, such as `True Configured`; empty where it is not set.
pub fn condition(server: &Server, runtime: &Value, kind: &str) -> String {
    let object = live(server, runtime);
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.map_or(String::new(), |condition| {
        format!(
            "{} {}",
            condition["status"].as_str().expect("a status"),
            condition["reason"].as_str().expect("a reason")
        )
    })
}

pub fn until_condition(server: &Server, runtime: &Value, kind: &str, wanted: &str) {
    eventually(&format!("{kind} {wanted:?}"), || (condition(server, runtime, kind) == wanted).then_some(()));
}

/// Images of the skill volumes of a Deployment.
pub fn images(object: &Value) -> Vec<String> {
    let volumes = object.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    let of = |volume: &Value| volume.pointer("/image/reference").and_then(Value::as_str).map(str::to_owned);
    volumes.into_iter().flatten().filter_map(of).collect()
}

pub fn hash(object: &Value) -> String {
    object["spec"]["template"]["metadata"]["annotations"]["kagenti.io/config-hash"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Events on an object, `Type Reason Message`, oldest first.
pub fn events(server: &Server, runtime: &Value) -> Vec<String> {
    let namespace = runtime["metadata"]["namespace"].as_str().expect("a namespace");
    let list = server.get(&format!("/api/v1/namespaces/{namespace}/events"));
    let mut items: Vec<&Value> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| {
            event["involvedObject"]["name"] == runtime["metadata"]["name"]
                && event["involvedObject"]["kind"] == runtime["kind"]
        })
        .collect();
    items.sort_by_key(|event| event["firstTimestamp"].as_str().unwrap_or_default().to_owned());
    items
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            format!("{} {} {}", text("type"), text("reason"), text("message"))
        })
        .collect()
}

pub fn defaults(namespace: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "defaults", "namespace": namespace, "labels": {"kagenti.io/defaults": "true"}},
        "data": {"LOG": value}})
}
