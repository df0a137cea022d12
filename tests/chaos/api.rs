//! Requests to the API server that are not the program's own: one connection over TLS, opened again when it broke. What
//! the proxy forwards goes through here, and so does what the users of the cluster write.

use std::io::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::server::Server;
use crate::tls;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long somebody goes on trying.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the API server is and how it is known.
#[derive(Clone)]
pub struct Place {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Place {
    pub fn of(server: &Server) -> Self {
        let authority = CertificateDer::from_pem_file(server.dir().join("ca.crt")).expect("a certificate");
        let address = server.address();
        let address = address.trim_start_matches("https://").parse().expect("an address");
        Self { address, tls: TlsConnector::from(tls::trusting([authority])) }
    }

    pub async fn open(&self) -> Result<Link, Error> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.tls.connect(name, socket).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Error::other)?;
        Ok(Link { sender, task: tokio::spawn(async move { drop(connection.await) }) })
    }
}

/// An open connection. It ends with this value, and with it what the server is still doing for it.
pub struct Link {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Link {
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.sender.ready().await.map_err(Error::other)?;
        self.sender.send_request(request).await.map_err(Error::other)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Somebody who works on the cluster, past all proxies.
pub struct User {
    place: Place,
    token: String,
    runtime: tokio::runtime::Runtime,
    link: Option<Link>,
}

/// An answer: its code and body.
pub type Answer = (u16, Value);

impl User {
    pub fn new(place: &Place, token: String) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { place: place.clone(), token, runtime, link: None }
    }

    /// One request; an error where no answer came.
    pub fn try_send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "kubernetes")
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json")
            .header("content-type", kind)
            .body(Full::new(Bytes::from(bytes)))
            .map_err(Error::other)?;
        let Self { place, runtime, link, .. } = self;
        let result = runtime.block_on(async {
            let exchange = async {
                if !link.as_ref().is_some_and(Link::is_open) {
                    *link = Some(place.open().await?);
                }
                let Some(open) = link else { return Err(Error::other("no connection")) };
                let answer = open.send(request).await?;
                let code = answer.status().as_u16();
                let bytes = answer.into_body().collect().await.map_err(Error::other)?.to_bytes();
                Ok((code, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
            };
            tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|late| Err(Error::other(late)))
        });
        if result.is_err() {
            self.link = None;
        }
        result
    }

    /// The same until the server says something that is not about its own state.
    pub fn send(&mut self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Answer {
        let started = Instant::now();
        loop {
            let last = match self.try_send(method, path, kind, body) {
                // A server that starts has no custom resources and knows no rights for a moment.
                Ok((code, answer))
                    if !matches!(code, 403 | 429 | 500..=599) && !is_unserved(code, &answer) =>
                {
                    return (code, answer);
                }
                other => format!("{other:?}"),
            };
            assert!(started.elapsed() < PATIENCE, "{method} {path}: {last}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn get(&mut self, path: &str) -> Option<Value> {
        let (code, answer) = self.send("GET", path, "application/json", None);
        (code == 200).then_some(answer)
    }

    /// Server-side apply; what another set in these fields is overruled.
    pub fn apply(&mut self, path: &str, manager: &str, object: &Value) {
        let path = format!("{path}?fieldManager={manager}&force=true");
        let (code, answer) = self.send("PATCH", &path, "application/apply-patch+yaml", Some(object));
        assert!(code == 200 || code == 201, "PATCH {path}: {code} {answer}\n{object}");
    }

    pub fn delete(&mut self, path: &str) {
        let (code, answer) = self.send("DELETE", path, "application/json", None);
        assert!(matches!(code, 200 | 202 | 404), "DELETE {path}: {code} {answer}");
    }
}

/// 404 without an object after it: the kind is not served (yet).
fn is_unserved(code: u16, answer: &Value) -> bool {
    code == 404 && answer.pointer("/details/name").is_none()
}
