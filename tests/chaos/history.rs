//! Everything that was ever stored, in the order in which it was, and who stored it: etcd's own history (nothing is
//! compacted during the run) alongside the API server's audit log.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::Server;

/// What is read; everything else in etcd is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Runtime,
    Workload(&'static str),
    ConfigMap,
    Lease,
    Event,
}

const PLACES: [(&str, Kind); 7] = [
    ("agent.kagenti.dev/agentruntimes/", Kind::Runtime),
    ("deployments/", Kind::Workload("Deployment")),
    ("statefulsets/", Kind::Workload("StatefulSet")),
    ("agents.x-k8s.io/sandboxes/", Kind::Workload("Sandbox")),
    ("configmaps/", Kind::ConfigMap),
    ("leases/", Kind::Lease),
    ("events/", Kind::Event),
];

/// Kind, namespace and name.
pub type Name = (Kind, String, String);

/// An object as it was stored at a revision; `None` if it was deleted then.
#[derive(Debug, Clone)]
pub struct Version {
    pub revision: u64,
    /// Revision of the version before; 0 for the first.
    before: u64,
    pub name: Name,
    pub object: Option<Value>,
}

/// Who made a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub user: String,
    /// Of replicas the name of the process.
    pub agent: String,
    /// When the request came.
    pub received: jiff::Timestamp,
}

/// The whole story.
pub struct History {
    pub versions: Vec<Version>,
    authors: Authors,
}

/// Who made versions.
#[derive(Default)]
struct Authors {
    /// By the revision.
    made: BTreeMap<u64, Author>,
    /// Who took the last finalizer off, by the revision before: the answer to that has no newer one.
    ended: BTreeMap<u64, Author>,
}

impl History {
    /// Reads up to the last revision there is.
    pub fn read(server: &Server, audit: &Path) -> Self {
        Self { versions: versions(server), authors: authors(audit) }
    }

    /// A short one, for tests of those who judge: revisions count from 1, and each has its author.
    pub fn reported(story: Vec<(Name, Option<Value>, Author)>) -> Self {
        let (mut versions, mut authors) = (Vec::new(), Authors::default());
        let mut last = BTreeMap::new();
        for (revision, (name, object, author)) in (1..).zip(story) {
            let before = last.insert(name.clone(), revision).unwrap_or_default();
            match object {
                Some(_) => authors.made.insert(revision, author),
                None => authors.ended.insert(before, author),
            };
            versions.push(Version { revision, before, name, object });
        }
        Self { versions, authors }
    }

    /// Who made a version, if the server lived to tell.
    pub fn author(&self, version: &Version) -> Option<&Author> {
        match version.object {
            Some(_) => self.authors.made.get(&version.revision),
            None => self.authors.ended.get(&version.before),
        }
    }

    /// The versions of each object, in order.
    pub fn by_name(&self) -> BTreeMap<&Name, Vec<&Version>> {
        let mut out: BTreeMap<&Name, Vec<&Version>> = BTreeMap::new();
        for version in &self.versions {
            out.entry(&version.name).or_default().push(version);
        }
        out
    }
}

/// Asks etcd for all changes since the first, by its gateway for JSON.
fn versions(server: &Server) -> Vec<Version> {
    let marker = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "the-end", "namespace": "default"}});
    server.create("/api/v1/namespaces/default/configmaps", &marker);
    let line = server.command_line("etcd");
    let at = line.iter().position(|word| word == "--listen-client-urls").expect("etcd's address");
    let (all, end) = (STANDARD.encode("/registry/"), STANDARD.encode("/registry0"));
    let watch =
        json!({"create_request": {"key": all, "range_end": end, "start_revision": "1", "fragment": true}});
    let mut curl = Command::new("curl")
        .args(["-sN", "--max-time", "60", "--data-binary", &watch.to_string()])
        .arg(format!("{}/v3/watch", line[at + 1]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl");
    let mut out: Vec<Version> = Vec::new();
    let mut last: BTreeMap<Name, u64> = BTreeMap::new();
    let mut ended = false;
    for line in BufReader::new(curl.stdout.take().expect("a pipe")).lines() {
        let answer: Value = serde_json::from_str(&line.expect("text")).expect("JSON of etcd");
        assert!(answer.get("error").is_none(), "{answer}");
        let events = answer.pointer("/result/events").and_then(Value::as_array);
        let mut versions = events.into_iter().flatten().filter_map(version);
        // Others write on, such as the API server its own lease; what comes after the mark is no more of the story.
        ended = versions.any(|mut version| {
            version.before = last.insert(version.name.clone(), version.revision).unwrap_or_default();
            out.push(version);
            out.last().is_some_and(|version| version.name.2 == "the-end")
        });
        if ended {
            break;
        }
    }
    // It would go on to listen.
    let _ = curl.kill();
    let _ = curl.wait();
    assert!(ended, "etcd's history has no end: {} versions", out.len());
    out
}

fn version(event: &Value) -> Option<Version> {
    let decoded = |field: &str| {
        let text = event.pointer(&format!("/kv/{field}")).and_then(Value::as_str)?;
        Some(STANDARD.decode(text).expect("base64"))
    };
    let key = String::from_utf8(decoded("key")?).ok()?;
    let key = key.strip_prefix("/registry/")?;
    let (prefix, kind) = PLACES.iter().find(|(prefix, _)| key.starts_with(prefix))?;
    let (namespace, name) = key[prefix.len()..].split_once('/')?;
    let revision = event["kv"]["mod_revision"].as_str()?.parse().ok()?;
    let object = match event["type"].as_str() {
        Some("DELETE") => None,
        _ => Some(serde_json::from_slice(&decoded("value")?).expect("objects are stored as JSON")),
    };
    Some(Version { revision, before: 0, name: (*kind, namespace.to_owned(), name.to_owned()), object })
}

/// Who made which revision. A write that changes nothing is answered with the version that is there; whoever came first
/// made it.
fn authors(audit: &Path) -> Authors {
    let mut out = Authors::default();
    let text = std::fs::read_to_string(audit).expect("the audit log");
    // A server that is killed may leave half a line.
    for entry in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let done = matches!(entry.pointer("/responseStatus/code").and_then(Value::as_u64), Some(200 | 201));
        if !done || text("/requestURI").contains("dryRun=All") {
            continue;
        }
        let Ok(revision) = text("/responseObject/metadata/resourceVersion").parse() else { continue };
        let author = Author {
            user: text("/user/username").to_owned(),
            agent: text("/userAgent").to_owned(),
            received: text("/requestReceivedTimestamp").parse().expect("a time"),
        };
        let metadata = &entry["responseObject"]["metadata"];
        let goes = metadata.get("deletionTimestamp").is_some();
        let held = metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        let to = if goes && !held { &mut out.ended } else { &mut out.made };
        let first = to.get(&revision).is_none_or(|known| author.received < known.received);
        if first {
            to.insert(revision, author);
        }
    }
    out
}
