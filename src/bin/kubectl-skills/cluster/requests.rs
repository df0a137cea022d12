//! One request to the API server: a path and a body in, a value out. Counts, retries, bounds time and size; knows no kinds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

use super::error::{ClusterError, Failure, failed};
use crate::net::retry;

/// Where a right is asked for: a question, though it is sent as an object is made.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// Objects of one page of a list.
const PAGE: usize = 500;
/// One request with all its attempts, or one list with all its pages, takes at most so many times the request timeout.
pub const PATIENCE: u32 = 10;
/// The longest answer that is read. A page of 500 objects as large as etcd takes them would be longer, and none is.
const MAX_BODY: usize = 256 * 1024 * 1024;
/// Pages without an object, one after the other, before a list is given up.
const MAX_EMPTY_PAGES: usize = 1000;
/// Restarts of a list whose continue token expired before it is given up.
const LIST_RESTARTS: usize = 3;

/// Says whether a write may be sent now, and how long it may take at most.
#[cfg(feature = "controller")]
pub type Permit = Box<dyn Fn() -> Result<Option<Duration>, ClusterError> + Send + Sync>;

/// A connection that counts what goes over it.
pub struct Requests {
    client: kube::Client,
    /// Address of the server, for messages; empty where that is not known.
    server: String,
    timeout: Option<Duration>,
    /// Attempts of one request, the first included.
    attempts: u32,
    #[cfg(feature = "controller")]
    permit: Option<Permit>,
    /// Requests sent, attempts included.
    sent: AtomicUsize,
    /// Of those, the writes that were not dry runs.
    written: AtomicUsize,
    trace: bool,
}

/// A list as the server gave it.
pub struct List {
    /// The items, each with `apiVersion` and `kind`, which the server leaves out in items of built-in kinds.
    pub items: Vec<Value>,
}

impl Requests {
    /// Wraps a client. `trace` prints one line per request on stderr, as kubectl's `-v=6` does.
    pub fn new(client: kube::Client, timeout: Option<Duration>, trace: bool) -> Self {
        Self {
            client,
            server: String::new(),
            timeout,
            attempts: retry::MAX_ATTEMPTS,
            #[cfg(feature = "controller")]
            permit: None,
            sent: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            trace,
        }
    }

    /// Names the server in messages.
    #[must_use]
    pub fn of_server(mut self, server: String) -> Self {
        self.server = server;
        self
    }

    /// Gives up after so many attempts: for those who come again by themselves.
    #[cfg(any(feature = "controller", feature = "webhook"))]
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Asks before every attempt of a write, dry runs excepted.
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn permitted_by(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Requests sent so far, attempts included.
    #[cfg(feature = "controller")]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Opens a watch: the answer's body, to be read as it comes. Only the wait for its beginning is bounded here.
    pub async fn open(&self, path: &str, accept: &'static str, what: &str) -> Result<Body, ClusterError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        // Not compressed: what is read as it comes must not wait for a block to be full, and a server that flushes in the
        // middle makes several streams of one, which the client takes for an error.
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, "identity");
        let request = request.body(Body::empty()).map_err(|error| no_path(path, what, &error))?;
        let opened = async {
            let response =
                self.client.send(request).await.map_err(|error| failed(error, &self.server, what))?;
            let code = response.status().as_u16();
            if (200..300).contains(&code) {
                return Ok(response.into_body());
            }
            let body = self.read(response.into_body(), what).await?;
            Err(ClusterError::from_status(code, &body, what).of_server(&self.server))
        };
        self.bounded(self.timeout, opened, what).await
    }

    /// The connection, for those who make requests of their own.
    #[cfg(any(feature = "controller", feature = "webhook"))]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Reads one object or document. None only where the server said 404.
    pub async fn get(&self, path: &str, what: &str) -> Result<Option<Value>, ClusterError> {
        absent_if_not_found(self.send(Method::GET, path, None, self.end(), what).await)
    }

    /// Reads a list whole, page by page. `None` if the server does not serve that kind (404). When a page's token
    /// expired (410) the list is begun again, since pages of two moments do not make one snapshot.
    pub async fn list(&self, path: &str, selector: &str, what: &str) -> Result<Option<List>, ClusterError> {
        let end = self.end();
        let mut restarts = 0;
        let mut empty = 0;
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let mut query = format!("{path}?limit={PAGE}");
            if !selector.is_empty() {
                query.push('&');
                query.push_str(selector);
            }
            if !token.is_empty() {
                query.push_str("&continue=");
                query.push_str(&escape_query(&token));
            }
            let mut page = match self.send(Method::GET, &query, None, end, what).await {
                Ok(page) => page,
                Err(error) if error.failure == Failure::NotFound && items.is_empty() && token.is_empty() => {
                    return Ok(None);
                }
                Err(error) if error.failure == Failure::Expired && restarts < LIST_RESTARTS => {
                    restarts += 1;
                    items.clear();
                    token.clear();
                    continue;
                }
                Err(error) => return Err(error),
            };
            let api_version = page.get("apiVersion").cloned().unwrap_or_default();
            let kind = page
                .get("kind")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .trim_end_matches("List")
                .to_owned();
            let next = page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default();
            let repeated = !next.is_empty() && next == token;
            token = next.to_owned();
            let before = items.len();
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(found)) => {
                    items.extend(found.into_iter().map(|item| with_type(item, &api_version, &kind)))
                }
                Some(Value::Null) => {}
                _ => return Err(ClusterError::new(Failure::Other, format!("{what}: the answer is no list"))),
            }
            if token.is_empty() {
                return Ok(Some(List { items }));
            }
            empty = if items.len() == before { empty + 1 } else { 0 };
            if repeated || empty > MAX_EMPTY_PAGES {
                let why = if repeated { "the same page again" } else { "empty pages without end" };
                let message = format!("{what}: the server gives {why} (server {})", self.server);
                return Err(ClusterError::new(Failure::Other, message)
                    .help("a list that does not end cannot be trusted: look at the server, or at what is in front of it"));
            }
        }
    }

    /// Sends a body and reads the answer.
    pub async fn write(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: &Value,
        what: &str,
    ) -> Result<Value, ClusterError> {
        if !path.contains("dryRun=All") && path != REVIEWS {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        let body = Some((content_type, body.to_string().into_bytes()));
        self.send(method, path, body, self.end(), what).await
    }

    /// Whether we have the right that a SelfSubjectAccessReview asks for.
    pub async fn grants(&self, review: &Value) -> Result<bool, ClusterError> {
        let answer = self.write(Method::POST, REVIEWS, "application/json", review, "ask for rights").await?;
        Ok(answer.pointer("/status/allowed") == Some(&Value::Bool(true)))
    }

    /// Until when an operation that begins now may go on.
    fn end(&self) -> Option<Instant> {
        self.timeout.map(|timeout| Instant::now() + timeout.saturating_mul(PATIENCE))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
        end: Option<Instant>,
        what: &str,
    ) -> Result<Value, ClusterError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (error, retry_after) = match self.attempt(&method, path, body.as_ref(), end, what).await {
                Ok(Answer { code, body, .. }) if (200..300).contains(&code) => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        let message = format!("{what}: the answer is not JSON: {error}");
                        ClusterError::new(Failure::Other, message).of_server(&self.server)
                    });
                }
                Ok(answer) => {
                    let error =
                        ClusterError::from_status(answer.code, &answer.body, what).of_server(&self.server);
                    if !retry::is_transient(answer.code, answer.retry_after, &error.said) {
                        return Err(error);
                    }
                    (error, answer.retry_after)
                }
                // A connection that broke in the middle is worth two more attempts; a refused one is an answer.
                Err(error) if error.failure == Failure::Connection && attempt < self.attempts.min(3) => {
                    (error, None)
                }
                Err(error) => return Err(error),
            };
            let wait = retry::wait(attempt, retry_after);
            let late = end.is_some_and(|end| Instant::now() + wait > end);
            if attempt >= self.attempts || late {
                if attempt == 1 && !late {
                    return Err(error);
                }
                let counted =
                    if attempt == 1 { "1 attempt".to_owned() } else { format!("{attempt} attempts") };
                return Err(ClusterError {
                    message: format!("{} (after {counted})", error.message),
                    ..error
                });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&(&'static str, Vec<u8>)>,
        end: Option<Instant>,
        what: &str,
    ) -> Result<Answer, ClusterError> {
        #[cfg(feature = "controller")]
        let limit = match &self.permit {
            Some(permit) if *method != Method::GET && !path.contains("dryRun=All") => {
                let left = permit()?;
                [left, self.timeout].into_iter().flatten().min()
            }
            _ => self.timeout,
        };
        #[cfg(not(feature = "controller"))]
        let limit = self.timeout;
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let limit = [limit, left].into_iter().flatten().min();
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut request =
            Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        if let Some((content_type, _)) = body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        let bytes = body.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
        let request = request.body(Body::from(bytes)).map_err(|error| no_path(path, what, &error))?;
        let exchange = async {
            let response =
                self.client.send(request).await.map_err(|error| failed(error, &self.server, what))?;
            let code = response.status().as_u16();
            let retry_after = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Ok(Answer { code, retry_after, body: self.read(response.into_body(), what).await? })
        };
        let started = std::time::Instant::now();
        let result = self.bounded(limit, exchange, what).await;
        if self.trace {
            let outcome = result
                .as_ref()
                .map_or_else(|error| format!("{:?}", error.failure), |answer| answer.code.to_string());
            anstream::eprintln!("{method} {path} {outcome} in {} ms", started.elapsed().as_millis());
        }
        result
    }

    /// Reads an answer to its end.
    async fn read(&self, mut body: Body, what: &str) -> Result<Vec<u8>, ClusterError> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failed(error, &self.server, what))?;
            let Some(data) = frame.data_ref() else { continue };
            if bytes.len() + data.len() > MAX_BODY {
                let mib = MAX_BODY / 1024 / 1024;
                let message = format!("{what}: the answer is longer than {mib} MiB");
                return Err(ClusterError::new(Failure::Other, message).of_server(&self.server));
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    }

    async fn bounded<T>(
        &self,
        limit: Option<Duration>,
        exchange: impl Future<Output = Result<T, ClusterError>>,
        what: &str,
    ) -> Result<T, ClusterError> {
        let Some(limit) = limit else { return exchange.await };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
            let message = format!("{what}: no answer within {}", seconds(limit));
            Err(ClusterError::new(Failure::TimedOut, message)
                .of_server(&self.server)
                .help("check the connection, or give more time with --request-timeout"))
        })
    }
}

fn no_path(path: &str, what: &str, error: &http::Error) -> ClusterError {
    ClusterError::new(Failure::Configuration, format!("{what}: {path:?} is no path: {error}"))
}

impl Drop for Requests {
    fn drop(&mut self) {
        if self.trace {
            let (sent, written) = (self.sent.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
            anstream::eprintln!("{sent} requests, {written} of them writes");
        }
    }
}

struct Answer {
    code: u16,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

/// Turns the failure "not found" into an answer.
fn absent_if_not_found(result: Result<Value, ClusterError>) -> Result<Option<Value>, ClusterError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.failure == Failure::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn with_type(mut item: Value, api_version: &Value, kind: &str) -> Value {
    let Value::Object(map) = &mut item else { return item };
    if map.contains_key("kind") {
        return item;
    }
    let mut typed = serde_json::Map::with_capacity(map.len() + 2);
    typed.insert("apiVersion".into(), api_version.clone());
    typed.insert("kind".into(), kind.into());
    typed.append(map);
    Value::Object(typed)
}

fn seconds(limit: Duration) -> String {
    format!("{}s", (limit.as_secs_f64() * 10.0).round() / 10.0)
}

/// Escapes a value of a query.
pub fn escape_query(text: &str) -> String {
    crate::printable::percent_encoded(text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Items of a built-in list come without kind; everything after would take them for unknown objects.
    #[test]
    fn list_items_get_their_kind_first() {
        let typed = with_type(json!({"metadata": {"name": "a"}}), &json!("apps/v1"), "Deployment");
        assert_eq!(
            typed.to_string(),
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}}"#
        );
        let own = json!({"kind": "AgentRuntime", "metadata": {}});
        assert_eq!(with_type(own.clone(), &json!("x/v1"), "Other"), own);
    }

    #[test]
    fn a_continue_token_survives_the_query() {
        assert_eq!(escape_query("eyJ2+/=&x y"), "eyJ2%2B%2F%3D%26x%20y");
    }
}
