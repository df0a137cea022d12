//! What a request or a connection can fail of, in words that say how to go on. Nothing here decides an exit code but 4.

use std::fmt;

use serde_json::Value;

pub use crate::net::chain;

/// Kind of a failure, for those who react to it rather than report it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Kubeconfig, flags or credentials do not make a connection.
    Configuration,
    /// No connection: it was refused, or the server's certificate is not trusted.
    NoConnection,
    /// A connection broke, or none was made for a reason that may pass.
    Connection,
    /// The server did not answer within the request timeout.
    TimedOut,
    /// 401.
    Unauthorized,
    /// 403, from RBAC or from admission.
    Forbidden,
    /// 404. For reads this is an answer, not a failure: see [`super::requests::Requests::get`].
    NotFound,
    /// 409 of a server-side apply, with who owns which field.
    ApplyConflict(Vec<FieldConflict>),
    /// 409 of any other kind.
    Conflict,
    /// 410: a continue token or resourceVersion is too old.
    Expired,
    /// 422.
    Invalid,
    /// 429 or 5xx, after what retries there are for it.
    Unavailable,
    /// The server accepts workloads with image volumes and stores them without.
    ImageVolumesDropped,
    /// Not sent: another replica leads.
    #[cfg(feature = "controller")]
    NotPermitted,
    /// Anything else, an answer that is not JSON among it.
    Other,
}

/// A field that a server-side apply would have taken from another manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// Who owns it, such as `kubectl-client-side-apply` or `manager using apps/v1`.
    pub manager: String,
    /// Field path in the server's notation, such as `.spec.template.spec.volumes[name="skill-a"].image.reference`.
    pub field: String,
}

/// A failure with its story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterError {
    /// What kind.
    pub failure: Failure,
    /// What happened: lower case, no final stop, names the object or the list.
    pub message: String,
    /// How to go on; may be empty.
    pub help: String,
    /// The API server's own words; empty where it said nothing.
    pub said: String,
}

impl ClusterError {
    /// A failure without help.
    pub fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into(), help: String::new(), said: String::new() }
    }

    /// Adds how to go on.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The whole error without line breaks, for a log.
    #[cfg(any(feature = "controller", feature = "webhook"))]
    pub fn one_line(&self) -> String {
        self.to_string().replace('\n', ";").replace(";  ", "; ")
    }

    /// Says which server it was, unless the message does so.
    #[must_use]
    pub fn of_server(mut self, server: &str) -> Self {
        let about_object = matches!(
            self.failure,
            Failure::NotFound
                | Failure::ApplyConflict(_)
                | Failure::Conflict
                | Failure::Expired
                | Failure::Invalid
        );
        if !server.is_empty() && !about_object && !self.message.contains(server) {
            self.message.push_str(&format!(" (server {server})"));
        }
        self
    }

    /// Reads a `Status` answer of the API server. `what` says what was asked, such as `list deployments in team1`.
    pub fn from_status(code: u16, body: &[u8], what: &str) -> Self {
        let status: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let said = match status.get("message").and_then(Value::as_str) {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => {
                let text = String::from_utf8_lossy(body);
                let text: String = text.trim().chars().take(300).collect();
                if text.is_empty() {
                    format!("the server answered {code}")
                } else {
                    format!("the server answered {code}: {text}")
                }
            }
        };
        let failure = classify(code, &status);
        let help = match &failure {
            Failure::Unauthorized => {
                "the credentials are missing, wrong or expired: log in again, or check --context, --user and --token"
            }
            Failure::Forbidden if said.contains("admission webhook") => "",
            Failure::Forbidden => {
                "ask for that right, narrow the run with -n NAMESPACE and names, or see what is missing with 'doctor'"
            }
            Failure::Unavailable if code == 429 => "the server is overloaded: try again later",
            Failure::Unavailable if said.contains("failed calling webhook") => {
                "an admission webhook does not answer: 'kubectl get mutatingwebhookconfigurations,\
                 validatingwebhookconfigurations' lists them; nothing was written"
            }
            Failure::Unavailable if code == 500 => "",
            Failure::Unavailable => "the server is in trouble: try again later",
            _ => "",
        };
        let message = match &failure {
            Failure::ApplyConflict(fields) => {
                let list: Vec<String> =
                    fields.iter().map(|c| format!("{} is owned by {}", c.field, c.manager)).collect();
                format!("{what}: {}", list.join("; "))
            }
            Failure::Unauthorized => format!("{what}: not logged in ({said})"),
            _ => format!("{what}: {said}"),
        };
        Self { failure, message, help: help.to_owned(), said }
    }
}

fn classify(code: u16, status: &Value) -> Failure {
    match code {
        401 => Failure::Unauthorized,
        403 => Failure::Forbidden,
        404 => Failure::NotFound,
        409 => {
            let fields = field_conflicts(status);
            if fields.is_empty() { Failure::Conflict } else { Failure::ApplyConflict(fields) }
        }
        410 => Failure::Expired,
        422 => Failure::Invalid,
        429 | 500..=599 => Failure::Unavailable,
        _ => Failure::Other,
    }
}

/// The causes of a 409 of server-side apply: `conflict with "MANAGER" using apps/v1` and the field.
fn field_conflicts(status: &Value) -> Vec<FieldConflict> {
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    causes
        .into_iter()
        .flatten()
        .filter(|cause| cause.get("reason").and_then(Value::as_str) == Some("FieldManagerConflict"))
        .map(|cause| {
            let text = |key| cause.get(key).and_then(Value::as_str).unwrap_or_default();
            let message = text("message");
            let manager = message.split('"').nth(1).unwrap_or(message);
            FieldConflict { manager: manager.to_owned(), field: text("field").to_owned() }
        })
        .collect()
}

/// Words for a request to which no server answered, as kubectl has them.
pub fn failed(error: kube::Error, server: &str, what: &str) -> ClusterError {
    let error = match error {
        // From the login of an exec plugin, which stands around the client.
        kube::Error::Service(inner) => match inner.downcast::<ClusterError>() {
            Ok(login) => return *login,
            Err(inner) => kube::Error::Service(inner),
        },
        kube::Error::Auth(auth) => return not_logged_in(&auth),
        other => other,
    };
    let text = chain(&error);
    let causes = || std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let refused = causes().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    let host = server.split("://").last().unwrap_or(server).trim_end_matches('/');
    if refused {
        let message = format!(
            "the connection to the server {host} was refused - did you specify the right host or port?"
        );
        return ClusterError::new(Failure::NoConnection, message)
            .help("check the server's address in the kubeconfig or in --server, and any proxy");
    }
    let connecting = causes().any(|cause| {
        let client = cause.downcast_ref::<hyper_util::client::legacy::Error>();
        client.is_some_and(hyper_util::client::legacy::Error::is_connect)
    });
    let untrusted = text.contains("UnknownIssuer") || text.contains("certificate");
    if !connecting {
        let message = format!("{what}: the connection to the server {host} broke: {text}");
        return ClusterError::new(Failure::Connection, message)
            .help("check the network and any proxy, and run again");
    }
    let failure = if untrusted { Failure::NoConnection } else { Failure::Connection };
    let help = if untrusted {
        "the server's certificate is not trusted: check certificate-authority in the kubeconfig, or --certificate-authority"
    } else {
        "check the server's address, the network and any proxy"
    };
    ClusterError::new(failure, format!("unable to connect to the server {host}: {text}")).help(help)
}

/// Words for a login that failed. What a helper program printed is a secret and not part of them.
fn not_logged_in(error: &kube::client::AuthError) -> ClusterError {
    use kube::client::AuthError;
    let why = match error {
        AuthError::AuthExecRun { out, .. } => format!("the credential helper failed ({})", out.status),
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "the credential helper printed no credential".to_owned()
        }
        AuthError::ReadTokenFile(..) | AuthError::AuthExecStart(_) => chain(error),
        AuthError::InvalidBearerToken(_) => "the token fits in no header: it may hold a line end".to_owned(),
        _ => "the credentials of the kubeconfig cannot be used".to_owned(),
    };
    ClusterError::new(Failure::Configuration, format!("cannot log in: {why}"))
        .help("check the user in the kubeconfig: 'kubectl config view --minify' shows it")
}

impl ClusterError {
    /// The same in one line, for who has no more.
    pub fn in_a_line(&self) -> String {
        let help = if self.help.is_empty() { String::new() } else { format!(" ({})", self.help) };
        format!("{}{help}", self.message.lines().map(str::trim).collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\n  {}", self.help) }
    }
}

impl std::error::Error for ClusterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Without this a user who loses a conflict learns neither with whom nor about what.
    #[test]
    fn a_conflict_names_manager_and_field() {
        let status = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"manager\" using apps/v1",
                "field": ".spec.template.spec.volumes[name=\"skill-z\"].image.reference"}]}});
        let error =
            ClusterError::from_status(409, status.to_string().as_bytes(), "apply Deployment team1/web");
        assert_eq!(
            error,
            ClusterError {
                failure: Failure::ApplyConflict(vec![FieldConflict {
                    manager: "manager".into(),
                    field: ".spec.template.spec.volumes[name=\"skill-z\"].image.reference".into(),
                }]),
                message: "apply Deployment team1/web: .spec.template.spec.volumes[name=\"skill-z\"].image.reference is owned by \
                          manager"
                    .into(),
                help: String::new(),
                said: "Apply failed with 1 conflict".into(),
            }
        );
    }

    /// A load balancer's HTML page must not come out as an empty message.
    #[test]
    fn an_answer_that_is_no_status_is_quoted() {
        let error = ClusterError::from_status(502, b"<html>bad gateway</html>", "list deployments");
        assert_eq!(error.message, "list deployments: the server answered 502: <html>bad gateway</html>");
        assert_eq!(error.failure, Failure::Unavailable);
    }
}
