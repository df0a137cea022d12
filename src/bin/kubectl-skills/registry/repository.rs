//! One repository of one registry: what it has by tag and digest, verified; its tags; what is written into it. The order in
//! which things are written is left to `copy`.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{ACCEPT, ACCEPT_ENCODING, RANGE};
use http::{Method, StatusCode, Uri};
use kubectl_skills::skill::oci::{Descriptor, Digest, MANIFEST_LIMIT, media_type};
use serde_json::Value;

use super::args::RegistryArgs;
use super::auth::{Access, Session};
use super::error::{Kind, RegistryError, Result};
use super::reference::api_host;
use super::transport::{Answer, Ask};
use super::url::{next_link, resolve, same_server};

/// Tags that are asked for at once; a registry may give fewer.
const TAGS_AT_ONCE: usize = 1000;
/// Most pages of one list, and most bytes of a page.
const MOST_PAGES: usize = 1000;
const PAGE_BYTES: usize = 4 << 20;

/// A repository.
#[derive(Clone)]
pub struct Repository {
    pub(super) session: Arc<Session>,
    pub(super) access: Access,
}

/// By what a manifest is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<'n> {
    /// A tag.
    Tag(&'n str),
    /// Its digest.
    Digest(&'n Digest),
}

impl Named<'_> {
    fn as_str(&self) -> &str {
        match self {
            Named::Tag(tag) => tag,
            Named::Digest(digest) => digest.as_str(),
        }
    }
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Tag(tag) => write!(f, ":{tag}"),
            Named::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl Repository {
    /// A repository of a registry. `push`: it will be written to.
    pub fn new(
        session: &Arc<Session>,
        args: &RegistryArgs,
        registry: &str,
        name: &str,
        push: bool,
    ) -> Result<Self> {
        let host = api_host(registry);
        let scheme = if args.is_plain(host) { "http" } else { "https" };
        let base: Uri = format!("{scheme}://{host}")
            .parse()
            .map_err(|error| RegistryError::new(Kind::Local, format!("{registry:?} is no host: {error}")))?;
        let access =
            Access { registry: registry.to_owned(), base, repository: name.to_owned(), push, from: None };
        Ok(Self { session: Arc::clone(session), access })
    }

    /// `HOST/REPOSITORY`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.access.registry, self.access.repository)
    }

    pub(super) fn uri(&self, path: &str) -> Result<Uri> {
        let base = self.access.base.to_string();
        format!("{}/v2/{}/{path}", base.trim_end_matches('/'), self.access.repository).parse().map_err(
            |error| RegistryError::new(Kind::Local, format!("{}/{path} is no address: {error}", self.name())),
        )
    }

    pub(super) async fn send(&self, ask: Ask) -> Result<Answer> {
        self.session.send(ask, &self.access).await
    }

    fn manifest_ask(&self, method: Method, named: &Named<'_>) -> Result<Ask> {
        let what: Arc<str> = format!("read the manifest of {}{named}", self.name()).into();
        let ask = Ask::new(method, self.uri(&format!("manifests/{}", named.as_str()))?, &what);
        Ok(ask.header(ACCEPT, &media_type::ACCEPTED.join(", ")).header(ACCEPT_ENCODING, "identity"))
    }

    /// What a tag or digest names: by HEAD, which no rate limit counts, or by its bytes where that does not say enough.
    pub async fn resolve(&self, named: &Named<'_>) -> Result<Descriptor> {
        let head = self.send(self.manifest_ask(Method::HEAD, named)?).await?;
        if head.status == StatusCode::OK {
            let digest = head.header("docker-content-digest").map(Digest::parse).transpose();
            let digest = digest.map_err(|why| self.wrong(named, &why))?;
            let size = head.header("content-length").and_then(|text| text.parse().ok());
            let kind = head.header("content-type").map(without_parameters);
            if let (Some(digest), Some(size), Some(kind)) = (digest, size, kind)
                && media_type::ACCEPTED.contains(&kind)
            {
                self.same_digest(named, &digest)?;
                return Ok(descriptor(digest, size, kind));
            }
        }
        // An error of HEAD has no words; GET says why.
        let (bytes, kind) = self.get_manifest(named).await?;
        let digest = Digest::of(&bytes);
        self.same_digest(named, &digest)?;
        Ok(descriptor(digest, bytes.len() as u64, &kind))
    }

    /// What a tag names; `None` if there is no such tag.
    pub async fn find(&self, tag: &str) -> Result<Option<Descriptor>> {
        let named = Named::Tag(tag);
        let head = self.send(self.manifest_ask(Method::HEAD, &named)?).await?;
        if head.status == StatusCode::NOT_FOUND { Ok(None) } else { self.resolve(&named).await.map(Some) }
    }

    fn same_digest(&self, named: &Named<'_>, found: &Digest) -> Result<()> {
        match named {
            Named::Digest(wanted) if *wanted != found => {
                Err(self.wrong(named, &format!("the registry has {found} under that digest")))
            }
            _ => Ok(()),
        }
    }

    fn wrong(&self, named: &Named<'_>, why: &str) -> RegistryError {
        RegistryError::new(Kind::Integrity, format!("the manifest of {}{named}: {why}", self.name()))
            .help("the registry, or something on the way to it, is broken or lies; nothing of it was used")
    }

    /// A manifest's bytes and media type, as they are served.
    async fn get_manifest(&self, named: &Named<'_>) -> Result<(Vec<u8>, String)> {
        let mut answer = self.send(self.manifest_ask(Method::GET, named)?).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.into_error().await);
        }
        let kind = answer.header("content-type").map(without_parameters).unwrap_or_default().to_owned();
        let bytes = answer.bytes(usize::try_from(MANIFEST_LIMIT).unwrap_or(usize::MAX)).await?;
        let said = answer.header("docker-content-digest");
        if said.is_some_and(|said| said.starts_with("sha256:") && said != Digest::of(&bytes).as_str()) {
            return Err(self.wrong(named, "it is not the one that Docker-Content-Digest names"));
        }
        Ok((bytes, kind))
    }

    /// The bytes of a manifest that a descriptor names.
    pub async fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let named = Named::Digest(&descriptor.digest);
        if descriptor.size > MANIFEST_LIMIT {
            return Err(self.wrong(
                &named,
                &format!("it has {} bytes; at most {MANIFEST_LIMIT} are read", descriptor.size),
            ));
        }
        let (bytes, _) = self.get_manifest(&named).await?;
        check(&bytes, descriptor).map_err(|why| self.wrong(&named, &why))?;
        Ok(bytes)
    }

    /// A manifest by its tag; `None` if there is no such tag.
    pub async fn tagged(&self, tag: &str) -> Result<Option<(Vec<u8>, String)>> {
        match self.get_manifest(&Named::Tag(tag)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The answer that carries a blob, from a byte on.
    pub(super) async fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<Answer> {
        let what: Arc<str> = format!("read blob {} of {}", descriptor.digest, self.name()).into();
        let mut ask = Ask::new(Method::GET, self.uri(&format!("blobs/{}", descriptor.digest))?, &what);
        ask = ask.header(ACCEPT_ENCODING, "identity");
        let whole = ask.clone();
        if from > 0 {
            // With its end, without which go-containerregistry's does not understand it.
            ask = ask.header(RANGE, &format!("bytes={from}-{}", descriptor.size.saturating_sub(1)));
        }
        let mut answer = self.send(ask).await?;
        if answer.status == StatusCode::RANGE_NOT_SATISFIABLE && from > 0 {
            answer = self.send(whole).await?;
        }
        match answer.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(answer),
            _ => Err(answer.into_error().await),
        }
    }

    /// Whether the repository has a blob.
    pub async fn has_blob(&self, descriptor: &Descriptor) -> Result<bool> {
        let what: Arc<str> = format!("look for blob {} in {}", descriptor.digest, self.name()).into();
        let mut ask = Ask::new(Method::HEAD, self.uri(&format!("blobs/{}", descriptor.digest))?, &what);
        // Where it redirects it has the blob; a store that signs addresses for GET refuses HEAD.
        ask.follow = false;
        let answer = self.send(ask).await?;
        match answer.status.as_u16() {
            200 | 300..=399 => Ok(true),
            404 => Ok(false),
            _ => Err(answer.into_error().await),
        }
    }

    /// All tags, in the registry's order.
    pub async fn tags(&self) -> Result<Vec<String>> {
        let what: Arc<str> = format!("list the tags of {}", self.name()).into();
        let mut tags = Vec::new();
        let mut seen = BTreeSet::new();
        let mut pages = Pages::new(self.uri(&format!("tags/list?n={TAGS_AT_ONCE}"))?, Arc::clone(&what));
        while let Some(ask) = pages.next() {
            let mut answer = self.send(ask).await?;
            if answer.status != StatusCode::OK {
                return Err(answer.into_error().await);
            }
            let page: Value = serde_json::from_slice(&answer.bytes(PAGE_BYTES).await?).unwrap_or_default();
            let found = match page.get("tags") {
                Some(Value::Array(found)) => found.as_slice(),
                // As Go writes none.
                Some(Value::Null) => &[],
                _ => {
                    let message = format!("{what}: {} answered no list of tags", self.access.registry);
                    return Err(
                        RegistryError::new(Kind::Refused, message).help("check the registry's host and port")
                    );
                }
            };
            let before = tags.len();
            let new = found.iter().filter_map(Value::as_str).filter(|tag| seen.insert((*tag).to_owned()));
            tags.extend(new.map(str::to_owned));
            // A full page without a link: some registries cut the list off there and do not say so.
            let is_cut = found.len() >= TAGS_AT_ONCE && tags.len() > before;
            if !pages.after(&answer)?
                && let Some(last) = tags.last().filter(|_| is_cut)
            {
                pages.goes_on(self.uri(&format!("tags/list?n={TAGS_AT_ONCE}&last={last}"))?)?;
            }
        }
        Ok(tags)
    }

    /// Writes a manifest. True where the registry keeps the list of its subject's referrers itself.
    pub async fn put_manifest(&self, named: &Named<'_>, bytes: &[u8], kind: &str) -> Result<bool> {
        let what: Arc<str> = format!("write the manifest of {}{named}", self.name()).into();
        let ask = Ask::new(Method::PUT, self.uri(&format!("manifests/{}", named.as_str()))?, &what)
            .body(bytes.to_vec().into(), kind)
            .repeatable();
        let answer = self.send(ask).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error().await);
        }
        let said = answer.header("docker-content-digest");
        if said.is_some_and(|said| said.starts_with("sha256:") && said != Digest::of(bytes).as_str()) {
            return Err(self.wrong(named, "the registry stored another one than it was sent"));
        }
        Ok(answer.headers.contains_key("oci-subject"))
    }
}

/// The pages of a list: each only once, and none on another server.
pub(super) struct Pages {
    next: Option<Uri>,
    seen: BTreeSet<String>,
    what: Arc<str>,
}

impl Pages {
    pub(super) fn new(first: Uri, what: Arc<str>) -> Self {
        Self { next: Some(first), seen: BTreeSet::new(), what }
    }

    /// The request for the next page; none after the last.
    pub(super) fn next(&mut self) -> Option<Ask> {
        let uri = self.next.take()?;
        self.seen.insert(uri.to_string());
        Some(Ask::new(Method::GET, uri, &self.what))
    }

    fn refuse(&self, why: String) -> RegistryError {
        RegistryError::new(Kind::Refused, format!("{}: {why}", self.what))
            .help("the list would not be whole; nothing of it was used")
    }

    /// Notes what a page says about the next one; false where it names none.
    pub(super) fn after(&mut self, answer: &Answer) -> Result<bool> {
        let links = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
        let Some(link) = links.filter_map(next_link).next() else { return Ok(false) };
        let next = resolve(&answer.uri, link)
            .ok_or_else(|| self.refuse(format!("the next page is at {link:?}, which is no address")))?;
        if !same_server(&next, &answer.uri) {
            return Err(self.refuse(format!("the next page is at {next}, on another server")));
        }
        self.goes_on(next)?;
        Ok(true)
    }

    /// Has the list go on at an address.
    pub(super) fn goes_on(&mut self, next: Uri) -> Result<()> {
        if self.seen.contains(&next.to_string()) {
            return Err(self.refuse(format!("the page {next} comes after itself")));
        }
        if self.seen.len() >= MOST_PAGES {
            return Err(self.refuse(format!("more than {MOST_PAGES} pages")));
        }
        self.next = Some(next);
        Ok(())
    }
}

/// What bytes are not that a descriptor says.
pub(super) fn check(bytes: &[u8], descriptor: &Descriptor) -> std::result::Result<(), String> {
    if bytes.len() as u64 != descriptor.size {
        return Err(format!("it has {} bytes, and {} were announced", bytes.len(), descriptor.size));
    }
    let found = Digest::of(bytes);
    if found != descriptor.digest {
        return Err(format!("its digest is {found}, and {} was announced", descriptor.digest));
    }
    Ok(())
}

/// A descriptor of what has no annotations.
pub(super) fn descriptor(digest: Digest, size: u64, kind: &str) -> Descriptor {
    Descriptor {
        media_type: kind.to_owned(),
        digest,
        size,
        artifact_type: None,
        annotations: Default::default(),
        platform: None,
    }
}

fn without_parameters(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind).trim()
}

/// The media type of what is sent as it is.
pub(super) const OCTETS: &str = "application/octet-stream";
