//! One request and its answer: sent within time limits, again where the server asks for it or the network broke, and to
//! where it redirects. Who is logged in is left to `auth`, what an answer means to `repository`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use super::args::RegistryArgs;
use super::dial::Dial;
use super::error::{Kind, RegistryError, Result};
use super::url::{resolve, same_server};
use crate::net::{chain, retry, user_agent};
use crate::notes;

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: usize = 5;
/// Longest that a server can have us wait. Whoever wants more is given up at once, with its wish in the message.
const LONGEST_WISH: Duration = Duration::from_secs(120);
/// Most that is read of an answer that says what went wrong.
const ERROR_BYTES: usize = 64 << 10;
/// How long a connection that nobody uses is kept. Many servers close theirs after a minute.
const IDLE: Duration = Duration::from_secs(20);

/// A request. It can be sent more than once, so its body is in memory.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Method.
    pub method: Method,
    /// Address.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Whether sending it twice does what sending it once does.
    pub repeatable: bool,
    /// Whether a redirect is followed.
    pub follow: bool,
    /// What it is for, for messages: `read the manifest of quay.io/acme/pdf:1`.
    pub what: Arc<str>,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: Method, uri: Uri, what: &Arc<str>) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            repeatable: reads,
            follow: reads,
            what: Arc::clone(what),
        }
    }

    /// Adds a header; a value that fits in none is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, body: Bytes, media_type: &str) -> Self {
        self.body = body;
        self.header(http::header::CONTENT_TYPE, media_type)
    }

    /// That it may be sent twice.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub uri: Uri,
    body: Incoming,
    /// Bytes of the body that are passed over.
    skipped: u64,
    limit: Option<Duration>,
    what: Arc<str>,
}

/// Sends requests.
pub struct Transport {
    client: Client<Dial, Full<Bytes>>,
    dial: Dial,
    limit: Option<Duration>,
    agent: HeaderValue,
    trace: bool,
}

impl Transport {
    /// A transport for a verb.
    pub fn new(args: &RegistryArgs, verb: &'static str) -> Result<Self> {
        let dial = Dial::new(&args.authorities())?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            // What was sent over a connection that broke is sent again by rules of ours.
            .retry_canceled_requests(false)
            .build(dial.clone());
        Ok(Self {
            client,
            dial,
            limit: args.timeout(),
            agent: user_agent(verb),
            trace: notes::lists_requests(),
        })
    }

    /// Sends a request, and again while there is hope.
    ///
    /// # Errors
    /// There is no answer, or after all attempts only one that asks to come again.
    pub async fn send(&self, ask: &Ask) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            let (error, wish) = match self.follow(ask).await {
                Ok(answer) => {
                    let wish = answer.retry_after();
                    let seconds = wish.map(|wish| wish.as_secs());
                    let code = answer.status.as_u16();
                    // A request that was turned away did nothing; after other failures nobody knows.
                    let again = retry::is_transient(code, seconds, "")
                        && (ask.repeatable || code == 429 || (code == 503 && wish.is_some()));
                    if !again {
                        return Ok(answer);
                    }
                    (answer.into_error().await, wish)
                }
                Err(error) if ask.repeatable && error.may_pass() => (error, None),
                Err(error) => return Err(error),
            };
            if let Some(wish) = wish.filter(|wish| *wish > LONGEST_WISH) {
                let message = format!("{}; it asks to come again in {} s", error.message, wish.as_secs());
                return Err(RegistryError { message, ..error }
                    .help("run again then; what is complete is not fetched again"));
            }
            if attempt == retry::MAX_ATTEMPTS {
                let message = format!("{} (after {attempt} attempts)", error.message);
                return Err(RegistryError { message, ..error });
            }
            let pause = retry::wait(attempt, None);
            tokio::time::sleep(wish.map_or(pause, |wish| wish + pause.min(Duration::from_millis(200)))).await;
            attempt += 1;
        }
    }

    async fn follow(&self, ask: &Ask) -> Result<Answer> {
        let mut uri = ask.uri.clone();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.once(ask, &uri).await?;
            if !(ask.follow && answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED) {
                return Ok(answer);
            }
            let refuse =
                |why: &str| RegistryError::new(Kind::Refused, format!("{}: {uri} redirects {why}", ask.what));
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location
                .and_then(|location| resolve(&uri, location))
                .ok_or_else(|| refuse("to no address"))?;
            match next.scheme_str() {
                Some("https") => {}
                Some("http") if uri.scheme_str() == Some("http") => {}
                _ => {
                    let why = format!("to {next}, which is not HTTPS");
                    return Err(refuse(&why)
                        .help("the answer would be read on the way; have the registry's address corrected"));
                }
            }
            uri = next;
        }
        Err(RegistryError::new(Kind::Refused, format!("{}: more than {MOST_REDIRECTS} redirects", ask.what)))
    }

    async fn once(&self, ask: &Ask, uri: &Uri) -> Result<Answer> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = ask.headers.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.agent.clone());
        if !same_server(uri, &ask.uri) {
            // What is meant for the registry is nobody else's.
            headers.remove(AUTHORIZATION);
        }
        if let Some(login) = self.dial.proxy_login(uri) {
            headers.insert(PROXY_AUTHORIZATION, login);
        }
        let started = Instant::now();
        let sent = within(self.limit, self.client.request(request)).await;
        if self.trace {
            let outcome = match &sent {
                Some(Ok(answer)) => answer.status().as_u16().to_string(),
                Some(Err(error)) => chain(error),
                None => "no answer".into(),
            };
            anstream::eprintln!("{} {uri} {outcome} in {} ms", ask.method, started.elapsed().as_millis());
        }
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let answer = match sent {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(failed(&error, host, &ask.what)),
            None => return Err(silent(self.limit, host, &ask.what)),
        };
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            uri: uri.clone(),
            body,
            skipped: 0,
            limit: self.limit,
            what: Arc::clone(&ask.what),
        })
    }
}

/// The result in time, or none.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

fn silent(limit: Option<Duration>, host: &str, what: &str) -> RegistryError {
    let limit = limit.unwrap_or_default().as_secs_f64();
    RegistryError::new(Kind::Broken, format!("{what}: {host} was silent for {limit} s"))
        .help("check the connection, or give more time with --registry-timeout")
}

fn failed(error: &hyper_util::client::legacy::Error, host: &str, what: &str) -> RegistryError {
    let text = chain(error);
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let refused = causes.any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    if refused {
        return RegistryError::new(
            Kind::NoConnection,
            format!("{what}: the connection to {host} was refused"),
        )
        .help("check the registry's host and port, and any proxy");
    }
    if !error.is_connect() {
        return RegistryError::new(Kind::Broken, format!("{what}: the connection to {host} broke: {text}"))
            .help("check the network and any proxy, and run again");
    }
    let message = format!("{what}: unable to connect to {host}: {text}");
    if text.contains("dns error") && !text.contains("Temporary failure") {
        return RegistryError::new(Kind::NoConnection, message)
            .help("check the registry's host, and any proxy");
    }
    if text.contains("UnknownIssuer") || text.contains("certificate") {
        return RegistryError::new(Kind::NoConnection, message).help(
            "the registry's certificate is not trusted: name its certificate authority with --registry-ca",
        );
    }
    if text.contains("InvalidContentType") || text.contains("corrupt message") {
        return RegistryError::new(Kind::NoConnection, message).help(
            "it seems to speak plain HTTP; where that is meant, give --insecure-registry with its host",
        );
    }
    RegistryError::new(Kind::Broken, message).help("check the registry's host, the network and any proxy")
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// The server's wish for a pause: seconds, or a date (RFC 9110, 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        let pause = then.duration_since(jiff::Timestamp::now());
        Some(Duration::try_from(pause).unwrap_or_default())
    }

    /// Passes over the first bytes of the body.
    pub fn skip(&mut self, bytes: u64) {
        self.skipped = bytes;
    }

    /// The next piece of the body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let host = self.uri.authority().map_or("", |authority| authority.as_str());
            match within(self.limit, self.body.frame()).await {
                None => return Err(silent(self.limit, host, &self.what)),
                Some(None) => return Ok(None),
                Some(Some(Err(error))) => {
                    let text = chain(&error);
                    let message = format!("{}: the connection to {host} broke: {text}", self.what);
                    return Err(RegistryError::new(Kind::Broken, message)
                        .help("check the network and any proxy, and run again"));
                }
                Some(Some(Ok(frame))) => {
                    let Ok(mut data) = frame.into_data() else { continue };
                    let passed = data.len().min(usize::try_from(self.skipped).unwrap_or(usize::MAX));
                    self.skipped -= passed as u64;
                    let data = data.split_off(passed);
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, if it is not longer than `most` bytes.
    pub async fn bytes(&mut self, most: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(data) = self.chunk().await? {
            if bytes.len() + data.len() > most {
                let host = self.uri.authority().map_or("", |authority| authority.as_str());
                let message = format!("{}: the answer of {host} is longer than {most} bytes", self.what);
                return Err(RegistryError::new(Kind::Refused, message)
                    .help("no registry should send that much; nothing of it was used"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    /// What an answer of an unwanted status says.
    pub async fn into_error(mut self) -> RegistryError {
        let body = self.bytes(ERROR_BYTES).await.unwrap_or_default();
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let code = self.status.as_u16();
        let mut message = format!("{}: {host} answered {}", self.what, self.status);
        if let Some(said) = said(&body) {
            message.push_str(&format!(": {said}"));
        }
        let (kind, help) = match code {
            401 => (Kind::Unauthorized, "log in with docker login or podman login, or check the credentials"),
            403 => {
                (Kind::Forbidden, "the login lacks the right for this, or there is no such repository for it")
            }
            404 => (Kind::NotFound, "check repository and tag; 'kubectl skills tags' lists the tags"),
            413 => (Kind::Refused, "the registry, or a proxy in front of it, takes no request of this size"),
            429 => (Kind::Unavailable, "the registry's rate limit is reached: log in, or come again later"),
            500..=599 => {
                (Kind::Unavailable, "the registry failed; run again, and see its log if it stays so")
            }
            _ => (Kind::Refused, ""),
        };
        RegistryError::new(kind, message).help(help)
    }
}

/// The registry's own words: the errors of the distribution spec, or the beginning of a text.
fn said(body: &[u8]) -> Option<String> {
    if let Ok(value) = serde_json::from_slice::<Value>(body)
        && let Some(errors) = value.get("errors").and_then(Value::as_array)
    {
        let text =
            |error: &Value, key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines = errors.iter().take(3).map(|error| {
            let (code, message) = (text(error, "code"), text(error, "message"));
            if message.is_empty() { code } else { format!("{message} ({code})") }
        });
        let line = lines.collect::<Vec<_>>().join("; ");
        return Some(line).filter(|line| !line.is_empty());
    }
    let text = String::from_utf8_lossy(body);
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    Some(text).filter(|text| !text.is_empty())
}
