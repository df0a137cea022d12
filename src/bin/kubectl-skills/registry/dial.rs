//! From an address to a connection: through the proxies that the environment names, with TLS against the right
//! certificate authorities. What is sent over it is left to `transport`.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tower::Service;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::error::{Kind, RegistryError, Result};
use super::reference::{is_loopback, without_port};
use crate::notes;

/// How long it may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Later<T> = Pin<Box<dyn Future<Output = std::result::Result<T, BoxError>> + Send>>;

/// Connects to any address. Clones share what they have learnt.
#[derive(Clone)]
pub struct Dial {
    shared: Arc<Shared>,
}

struct Shared {
    plain: Plain,
    /// By host; none for all.
    authorities: Vec<(Option<String>, HttpsConnector<Plain>)>,
    /// With the system's certificate authorities, which are read when they are first needed.
    system: Mutex<Option<HttpsConnector<Plain>>>,
}

impl Dial {
    /// `authorities`: files of certificate authorities by host, none for all hosts.
    pub fn new(authorities: &[(Option<String>, PathBuf)]) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let plain = Plain { tcp, proxies: Arc::new(Matcher::from_env()) };
        let trusting = |(host, path): &(Option<String>, PathBuf)| Ok((host.clone(), trusting(&plain, path)?));
        let authorities = authorities.iter().map(trusting).collect::<Result<_>>()?;
        Ok(Self { shared: Arc::new(Shared { plain, authorities, system: Mutex::new(None) }) })
    }

    /// The proxy's name and password, for requests that it is asked for itself: those over plain HTTP.
    pub fn proxy_login(&self, uri: &Uri) -> Option<HeaderValue> {
        let proxy = self.shared.plain.proxy(uri).filter(|_| uri.scheme_str() == Some("http"))?;
        proxy.basic_auth().cloned()
    }

    fn connector(&self, uri: &Uri) -> std::result::Result<HttpsConnector<Plain>, BoxError> {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let own = self.shared.authorities.iter();
        let rank = |of: &Option<String>| match of {
            Some(of) if of == host => Some(0),
            Some(of) if of == without_port(host) => Some(1),
            Some(_) => None,
            None => Some(2),
        };
        let own =
            own.filter_map(|(of, connector)| Some((rank(of)?, connector))).min_by_key(|(rank, _)| *rank);
        if let Some((_, connector)) = own {
            return Ok(connector.clone());
        }
        let mut system = self.shared.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = &*system {
            return Ok(connector.clone());
        }
        let plain = self.shared.plain.clone();
        // Roots are needed only where there is TLS.
        let connector = if uri.scheme_str() == Some("http") {
            return Ok(https(plain, rustls::RootCertStore::empty())?);
        } else {
            let builder = HttpsConnectorBuilder::new();
            match builder.with_provider_and_native_roots(rustls::crypto::ring::default_provider()) {
                Ok(builder) => builder.https_or_http().enable_http1().wrap_connector(plain),
                // Whoever names authorities wants these and no others.
                Err(error) if let Some(name) = named_authorities() => {
                    return Err(format!("the certificate authorities that {name} names: {error}; correct it, or name a file with --registry-ca").into());
                }
                // As in an image that holds this program alone.
                Err(error) => {
                    notes::note(&format!(
                        "the certificate authorities of this system: {error}; those of Mozilla are trusted, or name a file with \
                         --registry-ca"
                    ));
                    let mut roots = rustls::RootCertStore::empty();
                    roots.add_parsable_certificates(TLS_SERVER_ROOT_CERTS.iter().cloned());
                    https(plain, roots)?
                }
            }
        };
        *system = Some(connector.clone());
        Ok(connector)
    }
}

/// The variable that names certificate authorities in the place of the system's.
fn named_authorities() -> Option<&'static str> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| std::env::var_os(name).is_some())
}

fn https(
    plain: Plain,
    roots: rustls::RootCertStore,
) -> std::result::Result<HttpsConnector<Plain>, rustls::Error> {
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain))
}

fn trusting(plain: &Plain, path: &Path) -> Result<HttpsConnector<Plain>> {
    let wrong =
        |why: String| RegistryError::new(Kind::Local, format!("--registry-ca {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in PEM in it".into()));
    }
    https(plain.clone(), roots).map_err(|error| wrong(error.to_string()))
}

impl Service<Uri> for Dial {
    type Response = MaybeHttpsStream<Dialed>;
    type Error = BoxError;
    type Future = Later<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.connector(&uri) {
            Ok(mut connector) => connector.call(uri),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// Connects without TLS: to the server itself, or to what a proxy makes of it.
#[derive(Clone)]
struct Plain {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Plain {
    /// The proxy for an address. This machine is never asked through one, as Go's clients have it.
    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        if is_loopback(host) { None } else { self.proxies.intercept(uri) }
    }
}

impl Service<Uri> for Plain {
    type Response = Dialed;
    type Error = BoxError;
    type Future = Later<Dialed>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (mut tcp, proxy) = (self.tcp.clone(), self.proxy(&uri));
        Box::pin(async move {
            let Some(proxy) = proxy else {
                return Ok(Dialed { io: tcp.call(uri).await?, proxied: false });
            };
            let failed = |error: BoxError| format!("proxy {}: {error}", proxy.uri());
            let (io, proxied) = match (proxy.uri().scheme_str(), uri.scheme_str()) {
                (Some("http"), Some("https")) => {
                    let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                    if let Some(login) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(login.clone());
                    }
                    (tunnel.call(uri).await.map_err(|error| failed(error.into()))?, false)
                }
                (Some("http"), _) => {
                    (tcp.call(proxy.uri().clone()).await.map_err(|error| failed(error.into()))?, true)
                }
                (Some("socks5" | "socks5h"), _) => {
                    let mut socks = SocksV5::new(proxy.uri().clone(), tcp)
                        .local_dns(proxy.uri().scheme_str() == Some("socks5"));
                    if let Some((user, password)) = proxy.raw_auth() {
                        socks = socks.with_auth(user.to_owned(), password.to_owned());
                    }
                    (socks.call(uri).await.map_err(|error| failed(error.into()))?, false)
                }
                (scheme, _) => {
                    let scheme = scheme.unwrap_or_default();
                    return Err(failed(
                        format!("{scheme} is no kind of proxy that is supported; http and socks5 are").into(),
                    )
                    .into());
                }
            };
            Ok(Dialed { io, proxied })
        })
    }
}

/// A connection, and whether a proxy reads what is sent over it.
pub struct Dialed {
    io: TokioIo<TcpStream>,
    proxied: bool,
}

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        self.io.inner().connected().proxy(self.proxied)
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Dialed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
    }
}
