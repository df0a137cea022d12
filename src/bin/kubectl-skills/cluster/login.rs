//! Logs in by an exec credential plugin, once a process: the kubeconfig's `exec` section in, a client out that bears what
//! the plugin printed and asks it again when that expires. What the plugin prints is a secret: no error shows any of it.
//!
//! Rules: client-go (kubernetes v1.37.2, `staging/src/k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go`). kube-rs runs
//! the plugin for the header, for the TLS identity and for the proxy, each by itself.

use std::io::{ErrorKind, IsTerminal as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use kube::client::Body;
use kube::config::{Config, ExecConfig, ExecInteractiveMode};
use kubectl_skills::yaml::resolve::first_document;
use serde_json::{Value, json};

use super::error::{ClusterError, Failure};

/// Where plugins are explained, as client-go says it.
const DOCUMENTATION: &str =
    "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins";

/// A client whose requests bear what the plugin printed. The plugin runs now.
///
/// # Errors
/// The plugin cannot be run, failed, or printed no credential; the configuration makes no client.
pub fn client(config: Config, plugin: ExecConfig) -> Result<kube::Client, ClusterError> {
    let namespace = config.default_namespace.clone();
    let first = Session::start(&config, &plugin)?;
    let login =
        Arc::new(Login { config, plugin, session: RwLock::new(Arc::new(first)), running: Mutex::new(()) });
    let service = tower::service_fn(move |request| Arc::clone(&login).send(request));
    Ok(kube::Client::new(service, namespace))
}

struct Login {
    /// Without the plugin.
    config: Config,
    plugin: ExecConfig,
    session: RwLock<Arc<Session>>,
    /// Held while the plugin runs: a second one would prompt on top of the first.
    running: Mutex<()>,
}

/// What one run of the plugin gave.
struct Session {
    client: kube::Client,
    bearer: Option<HeaderValue>,
    expires: Option<jiff::Timestamp>,
    /// The server did not take it: the plugin is asked again before the next request.
    refused: AtomicBool,
}

impl Login {
    async fn send(self: Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, tower::BoxError> {
        let mut session = self.session();
        if session.is_over() {
            let login = Arc::clone(&self);
            session = tokio::task::spawn_blocking(move || login.renew()).await??;
        }
        if let Some(bearer) = &session.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
        }
        let response = session.client.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            session.refused.store(true, Ordering::Relaxed);
        }
        Ok(response)
    }

    fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the plugin, unless somebody did so while this waited for it.
    fn renew(&self) -> Result<Arc<Session>, ClusterError> {
        let _one = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.session();
        if !found.is_over() {
            return Ok(found);
        }
        let renewed = Arc::new(Session::start(&self.config, &self.plugin)?);
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&renewed);
        Ok(renewed)
    }
}

impl Session {
    fn start(config: &Config, plugin: &ExecConfig) -> Result<Self, ClusterError> {
        let credential = Credential::from_plugin(plugin)?;
        let mut config = config.clone();
        if let Some((certificate, key)) = credential.certificate {
            config.auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
            config.auth_info.client_key_data = Some(STANDARD.encode(key).into());
        }
        let bearer = credential.token.map(|token| {
            let header = HeaderValue::try_from(format!("Bearer {token}"));
            header.map_err(|_| failed(plugin, "printed a token that fits in no header"))
        });
        let mut bearer = bearer.transpose()?;
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        let client = kube::Client::try_from(config).map_err(|_| {
            // The cause may quote the certificate.
            failed(plugin, "printed a client certificate or key that cannot be used")
        })?;
        Ok(Self { client, bearer, expires: credential.expires, refused: AtomicBool::new(false) })
    }

    fn is_over(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
            || self.expires.is_some_and(|expires| jiff::Timestamp::now() >= expires)
    }
}

/// What a plugin printed.
struct Credential {
    token: Option<String>,
    /// Certificate and key, PEM.
    certificate: Option<(String, String)>,
    expires: Option<jiff::Timestamp>,
}

impl Credential {
    fn from_plugin(plugin: &ExecConfig) -> Result<Self, ClusterError> {
        let version = plugin.api_version.as_deref().unwrap_or_default();
        let printed = run(plugin, version)?;
        let Some(read) = decode(&printed) else {
            return Err(failed(plugin, "printed no ExecCredential as JSON"));
        };
        let text =
            |pointer: &str| read.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text("/kind") != Some("ExecCredential") || text("/apiVersion") != Some(version) {
            return Err(failed(
                plugin,
                &format!("printed another kind of object than ExecCredential {version}"),
            ));
        }
        let certificate = match (text("/status/clientCertificateData"), text("/status/clientKeyData")) {
            (Some(certificate), Some(key)) => Some((certificate.to_owned(), key.to_owned())),
            (None, None) => None,
            _ => return Err(failed(plugin, "printed only one of certificate and key")),
        };
        let token = text("/status/token").map(str::to_owned);
        if token.is_none() && certificate.is_none() {
            return Err(failed(plugin, "printed neither a token nor a certificate with its key"));
        }
        let expires = text("/status/expirationTimestamp").map(str::parse).transpose();
        let expires =
            expires.map_err(|_| failed(plugin, "printed an expirationTimestamp that is no time"))?;
        Ok(Self { token, certificate, expires })
    }
}

/// JSON, or YAML, which client-go takes as well.
fn decode(printed: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(printed).ok()?;
    serde_json::from_str(text).ok().or_else(|| first_document(text).ok())
}

/// Runs the plugin and returns what it printed. It may ask on the terminal: standard input and error are ours.
fn run(plugin: &ExecConfig, version: &str) -> Result<Vec<u8>, ClusterError> {
    let Some(program) = plugin.command.as_deref().filter(|program| !program.is_empty()) else {
        return Err(ClusterError::new(
            Failure::Configuration,
            "the kubeconfig's users[].user.exec names no command",
        ));
    };
    if !matches!(version, "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1") {
        let message = format!("exec plugin {program}: invalid apiVersion {version:?}");
        return Err(ClusterError::new(Failure::Configuration, message).help(
            "write client.authentication.k8s.io/v1 or v1beta1 in users[].user.exec of the kubeconfig",
        ));
    }
    let interactive = is_interactive(plugin, program)?;
    let mut command = Command::new(program);
    command.args(plugin.args.iter().flatten());
    for pair in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
            command.env(name, value);
        }
    }
    let mut spec = json!({"interactive": interactive});
    if plugin.provide_cluster_info {
        let cluster = plugin.cluster.as_ref().and_then(|cluster| serde_json::to_value(kebab(cluster)).ok());
        spec["cluster"] = cluster.unwrap_or_default();
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(if interactive { Stdio::inherit() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    match output {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(failed(plugin, &how(output.status))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            Err(not_installed(plugin, program, &error))
        }
        Err(error) => Err(failed(plugin, &format!("cannot be run: {error}"))),
    }
}

/// The cluster as `ExecCredential.spec.cluster` spells it.
fn kebab(cluster: &kube::config::ExecAuthCluster) -> Value {
    let mut out = json!({
        "server": cluster.server, "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": cluster.certificate_authority_data.as_deref().map(|data| STANDARD.encode(data)),
        "proxy-url": cluster.proxy_url, "config": cluster.config,
    });
    if let Value::Object(map) = &mut out {
        map.retain(|_, value| !value.is_null());
    }
    out
}

/// Whether the plugin may ask on the terminal.
fn is_interactive(plugin: &ExecConfig, program: &str) -> Result<bool, ClusterError> {
    let terminal = std::io::stdin().is_terminal();
    match plugin.interactive_mode {
        Some(ExecInteractiveMode::Never) => Ok(false),
        Some(ExecInteractiveMode::Always) if !terminal => Err(ClusterError::new(
            Failure::Configuration,
            format!(
                "exec plugin {program} cannot support interactive mode: standard input is not a terminal"
            ),
        )
        .help("run the command on a terminal, or log in by other means where there is none")),
        Some(ExecInteractiveMode::Always | ExecInteractiveMode::IfAvailable) | None => Ok(terminal),
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("ended by a signal ({status})"),
    }
}

fn failed(plugin: &ExecConfig, what: &str) -> ClusterError {
    let program = plugin.command.as_deref().unwrap_or_default();
    ClusterError::new(Failure::Configuration, format!("cannot log in: exec plugin {program} {what}"))
        .help("run the command of users[].user.exec in the kubeconfig by hand to see what it says")
}

fn not_installed(plugin: &ExecConfig, program: &str, error: &std::io::Error) -> ClusterError {
    let found = if error.kind() == ErrorKind::NotFound { "not found" } else { "cannot be executed" };
    let hint = plugin.install_hint.as_deref().unwrap_or_default().trim();
    let help = if hint.is_empty() {
        format!("install it, or correct users[].user.exec in the kubeconfig; see {DOCUMENTATION}")
    } else {
        hint.to_owned()
    };
    ClusterError::new(Failure::Configuration, format!("cannot log in: exec: executable {program} {found}"))
        .help(help)
}
