//! A registry in memory that keeps to the distribution spec: what tests put faults in front of.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::server::{Answer, Request};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `sha256:...` of these bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

#[derive(Default)]
pub struct State {
    /// By repository and digest.
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    /// By repository and digest: media type and bytes.
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// By repository and tag.
    pub tags: BTreeMap<(String, String), String>,
    pub uploads: BTreeMap<String, Vec<u8>>,
}

/// The registry.
#[derive(Default)]
pub struct Model {
    pub state: Mutex<State>,
    /// Entries of a page of tags or referrers; 0 for all.
    pub page: usize,
    /// Whether it has the referrers API.
    pub referrers: bool,
    pub count: AtomicUsize,
}

impl Model {
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> Value {
        let name = digest(bytes);
        self.state.lock().expect("it").blobs.insert((repository.into(), name.clone()), bytes.to_vec());
        json!({"mediaType": "application/octet-stream", "digest": name, "size": bytes.len()})
    }

    /// Stores a manifest and gives its digest.
    pub fn put_manifest(&self, repository: &str, tag: Option<&str>, kind: &str, value: &Value) -> String {
        let bytes = value.to_string().into_bytes();
        let name = digest(&bytes);
        let mut state = self.state.lock().expect("it");
        state.manifests.insert((repository.into(), name.clone()), (kind.into(), bytes));
        if let Some(tag) = tag {
            state.tags.insert((repository.into(), tag.into()), name.clone());
        }
        name
    }

    /// An image with one layer of these bytes.
    pub fn image(&self, repository: &str, tag: &str, layer: &[u8]) -> String {
        let config = self.put_blob(repository, b"{}");
        let layer = self.put_blob(repository, layer);
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        self.put_manifest(repository, Some(tag), MANIFEST, &manifest)
    }

    /// An index of the images of tags, each for a machine.
    pub fn index(&self, repository: &str, tag: &str, of: &[(&str, &str)]) -> String {
        let entry = |(machine, tag): &(&str, &str)| {
            let state = self.state.lock().expect("it");
            let manifest = |digest: &str| -> Value {
                let (_, bytes) = &state.manifests[&(repository.to_owned(), digest.to_owned())];
                serde_json::from_slice(bytes).expect("a manifest")
            };
            let named = &state.tags[&(repository.to_owned(), (*tag).to_owned())];
            let only = manifest(named)["manifests"][0]["digest"].as_str().unwrap_or(named).to_owned();
            let size = state.manifests[&(repository.to_owned(), only.clone())].1.len();
            json!({"mediaType": MANIFEST, "digest": only, "size": size, "platform": {"os": "linux", "architecture": machine}})
        };
        let manifests: Vec<Value> = of.iter().map(entry).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.put_manifest(repository, Some(tag), INDEX, &index)
    }

    /// A manifest that refers to another one.
    pub fn referrer(&self, repository: &str, subject: &str, kind: &str, number: usize) -> String {
        let config = self.put_blob(repository, b"{}");
        let size =
            self.state.lock().expect("it").manifests[&(repository.to_owned(), subject.to_owned())].1.len();
        let subject = json!({"mediaType": MANIFEST, "digest": subject, "size": size});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config, "layers": [],
            "subject": subject, "annotations": {"number": number.to_string()}});
        self.put_manifest(repository, None, MANIFEST, &manifest)
    }

    pub fn answer(&self, request: &Request) -> Answer {
        let Some(rest) = request.path.strip_prefix("/v2/") else { return unknown("NOT_FOUND") };
        for (mark, act) in [
            ("/manifests/", Self::manifest as fn(&Self, &Request, &str, &str) -> Answer),
            ("/blobs/uploads/", Self::upload),
            ("/blobs/", Self::blob),
            ("/tags/", Self::tags),
            ("/referrers/", Self::list_referrers),
        ] {
            if let Some((repository, name)) = rest.split_once(mark) {
                return act(self, request, repository, name);
            }
        }
        Answer::new(200, "{}")
    }

    fn manifest(&self, request: &Request, repository: &str, name: &str) -> Answer {
        let mut state = self.state.lock().expect("it");
        let key = |name: &str| (repository.to_owned(), name.to_owned());
        if request.method == "PUT" {
            let kind = request.header("content-type").unwrap_or_default().to_owned();
            let value: Value = serde_json::from_slice(&request.body).expect("a manifest");
            let own = digest(&request.body);
            state.manifests.insert(key(&own), (kind, request.body.clone()));
            if name != own {
                state.tags.insert(key(name), own.clone());
            }
            let answer = Answer::new(201, "").with("Docker-Content-Digest", own);
            return match value.pointer("/subject/digest").and_then(Value::as_str) {
                Some(subject) if self.referrers => answer.with("OCI-Subject", subject),
                _ => answer,
            };
        }
        let found = state.tags.get(&key(name)).cloned().unwrap_or_else(|| name.to_owned());
        match state.manifests.get(&key(&found)) {
            Some((kind, bytes)) => Answer::new(200, bytes.clone())
                .with("Content-Type", kind)
                .with("Docker-Content-Digest", found),
            None => unknown("MANIFEST_UNKNOWN"),
        }
    }

    fn blob(&self, request: &Request, repository: &str, name: &str) -> Answer {
        let state = self.state.lock().expect("it");
        let Some(bytes) = state.blobs.get(&(repository.to_owned(), name.to_owned())) else {
            return unknown("BLOB_UNKNOWN");
        };
        let range = request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
        match range {
            Some(from) if from < bytes.len() => Answer::new(206, &bytes[from..])
                .with("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())),
            _ => Answer::new(200, bytes.clone()),
        }
    }

    fn upload(&self, request: &Request, repository: &str, name: &str) -> Answer {
        let mut state = self.state.lock().expect("it");
        if let (Some(mount), Some(from)) = (request.parameter("mount"), request.parameter("from"))
            && let Some(bytes) = state.blobs.get(&(from.to_owned(), mount.to_owned())).cloned()
        {
            state.blobs.insert((repository.to_owned(), mount.to_owned()), bytes);
            return Answer::new(201, "");
        }
        if request.method == "POST" {
            let name = self.count.fetch_add(1, Ordering::Relaxed).to_string();
            state.uploads.insert(name.clone(), Vec::new());
            return Answer::new(202, "")
                .with("Location", format!("/v2/{repository}/blobs/uploads/{name}?state=s"));
        }
        let Some(upload) = state.uploads.get_mut(name) else { return unknown("BLOB_UPLOAD_UNKNOWN") };
        if let Some(start) =
            request.header("content-range").and_then(|range| range.split('-').next()?.parse::<usize>().ok())
            && start != upload.len()
        {
            return Answer::new(416, "").with("Range", format!("0-{}", upload.len().saturating_sub(1)));
        }
        upload.extend_from_slice(&request.body);
        let length = upload.len();
        if request.method == "PUT" {
            let wanted = request.parameter("digest").unwrap_or_default().to_owned();
            let bytes = state.uploads.remove(name).expect("it");
            if digest(&bytes) != wanted {
                return Answer::new(
                    400,
                    json!({"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}).to_string(),
                );
            }
            state.blobs.insert((repository.to_owned(), wanted), bytes);
            return Answer::new(201, "");
        }
        let code = if request.method == "GET" { 204 } else { 202 };
        Answer::new(code, "")
            .with("Location", format!("/v2/{repository}/blobs/uploads/{name}?state=s{length}"))
            .with("Range", format!("0-{}", length.saturating_sub(1)))
    }

    fn tags(&self, request: &Request, repository: &str, _: &str) -> Answer {
        let state = self.state.lock().expect("it");
        let all: Vec<Value> =
            state.tags.keys().filter(|(own, _)| own == repository).map(|(_, tag)| json!(tag)).collect();
        let (page, next) = self.paged(request, all);
        let answer = Answer::new(200, json!({"name": repository, "tags": page}).to_string());
        match next {
            Some(next) => {
                answer.with("Link", format!("</v2/{repository}/tags/list?at={next}>; rel=\"next\""))
            }
            None => answer,
        }
    }

    fn list_referrers(&self, request: &Request, repository: &str, subject: &str) -> Answer {
        if !self.referrers {
            return Answer::new(404, "page not found");
        }
        let state = self.state.lock().expect("it");
        let mut all = Vec::new();
        for ((own, name), (kind, bytes)) in &state.manifests {
            let value: Value = serde_json::from_slice(bytes).expect("a manifest");
            if own == repository && value.pointer("/subject/digest").is_some_and(|of| of == subject) {
                all.push(json!({"mediaType": kind, "digest": name, "size": bytes.len(), "artifactType": value["artifactType"]}));
            }
        }
        let (page, next) = self.paged(request, all);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": page});
        let answer = Answer::new(200, index.to_string()).with("Content-Type", INDEX);
        match next {
            Some(next) => answer.with("Link", format!("<?at={next}>; rel=\"next\"")),
            None => answer,
        }
    }

    fn paged(&self, request: &Request, all: Vec<Value>) -> (Vec<Value>, Option<usize>) {
        let from: usize = request.parameter("at").and_then(|at| at.parse().ok()).unwrap_or(0);
        let page = if self.page == 0 { all.len().max(1) } else { self.page };
        let next = Some(from + page).filter(|next| *next < all.len());
        (all.into_iter().skip(from).take(page).collect(), next)
    }
}

pub fn unknown(code: &str) -> Answer {
    Answer::new(404, json!({"errors": [{"code": code, "message": "it is unknown"}]}).to_string())
}
