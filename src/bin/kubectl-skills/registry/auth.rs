//! Requests as somebody: a registry's challenge answered with what `credentials` has, tokens fetched and kept until they
//! expire. A login that is refused is an error: nobody is made anonymous without saying so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::Mutex;

use super::challenge::{self, Challenge};
use super::credentials::{Credentials, Found, Login};
use super::error::{Kind, RegistryError, Result};
use super::transport::{Answer, Ask, Transport};
use super::url::{encoded, same_server};

/// How long a token is good for that does not say so (distribution's token specification).
const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// A token is renewed so long before its end.
const MARGIN: Duration = Duration::from_secs(5);
/// Most that is read of a token service's answer.
const TOKEN_BYTES: usize = 1 << 20;
/// What we call ourselves to a token service.
const CLIENT_ID: &str = "kubectl-skills";

/// What a request is about, as the registry's token service counts it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// The registry, as references name it.
    pub registry: String,
    /// Address of its API.
    pub base: Uri,
    /// Repository.
    pub repository: String,
    /// Whether it writes.
    pub push: bool,
    /// Repository that a blob is mounted from.
    pub from: Option<String>,
}

impl Access {
    /// The scopes of a token, with a space between.
    fn scope(&self) -> String {
        let actions = if self.push { "pull,push" } else { "pull" };
        let mut scope = format!("repository:{}:{actions}", self.repository);
        if let Some(from) = &self.from {
            scope.push_str(&format!(" repository:{from}:pull"));
        }
        scope
    }
}

/// What is known of a registry.
#[derive(Default)]
struct Known {
    challenge: Option<Challenge>,
    /// By repository and scope: what goes into the header, and until when.
    headers: HashMap<(String, String), (HeaderValue, Instant)>,
}

/// Sends requests as whom the credentials say.
pub struct Session {
    /// The transport.
    pub transport: Transport,
    credentials: Credentials,
    /// By registry. Held while a token is fetched: four blobs at once need one.
    known: Mutex<HashMap<String, Known>>,
}

impl Session {
    /// Nobody is asked yet.
    pub fn new(transport: Transport, credentials: Credentials) -> Arc<Self> {
        Arc::new(Self { transport, credentials, known: Mutex::default() })
    }

    /// Sends a request, and once more where the registry wants a login. An address on another server is asked without.
    ///
    /// # Errors
    /// There is no answer, or the registry still answers 401.
    pub async fn send(&self, mut ask: Ask, access: &Access) -> Result<Answer> {
        if !same_server(&ask.uri, &access.base) {
            return self.transport.send(&ask).await;
        }
        let first = self.header(access).await?;
        if let Some(header) = &first {
            ask.headers.insert(AUTHORIZATION, header.clone());
        }
        let answer = self.transport.send(&ask).await?;
        // A redirect led elsewhere: that server's challenge is not for the registry's login.
        if answer.status != StatusCode::UNAUTHORIZED || !same_server(&answer.uri, &access.base) {
            return Ok(answer);
        }
        let Some(challenge) = challenge::of(&answer.headers) else {
            let error = answer.into_error().await;
            return Err(error.help("the registry names no login that is supported: Basic and Bearer are"));
        };
        let (header, found) = self.log_in(access, challenge, first.as_ref(), &ask.what).await?;
        ask.headers.insert(AUTHORIZATION, header);
        let answer = self.transport.send(&ask).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.forget(access).await;
            return Err(refused(answer.into_error().await, access, found.as_ref()));
        }
        Ok(answer)
    }

    /// What is known to be wanted, without asking for a challenge again.
    async fn header(&self, access: &Access) -> Result<Option<HeaderValue>> {
        let mut all = self.known.lock().await;
        let known = all.entry(access.registry.clone()).or_default();
        let key = (access.repository.clone(), access.scope());
        if let Some((header, until)) = known.headers.get(&key)
            && Instant::now() < *until
        {
            return Ok(Some(header.clone()));
        }
        let Some(challenge) = known.challenge.clone() else { return Ok(None) };
        let what: Arc<str> = format!("log in to {}", access.registry).into();
        let Some((header, until, _)) = self.answer(access, &challenge, &what).await? else { return Ok(None) };
        known.headers.insert(key, (header.clone(), until));
        Ok(Some(header))
    }

    /// Answers a challenge. `used` is what the registry has just refused: where somebody else has renewed it meanwhile, that
    /// is taken.
    async fn log_in(
        &self,
        access: &Access,
        challenge: Challenge,
        used: Option<&HeaderValue>,
        what: &Arc<str>,
    ) -> Result<(HeaderValue, Option<Found>)> {
        let mut all = self.known.lock().await;
        let known = all.entry(access.registry.clone()).or_default();
        let key = (access.repository.clone(), access.scope());
        if let Some((header, until)) = known.headers.get(&key)
            && Some(header) != used
            && Instant::now() < *until
        {
            return Ok((header.clone(), None));
        }
        known.headers.remove(&key);
        let Some((header, until, found)) = self.answer(access, &challenge, what).await? else {
            return Err(self.no_login(access, what));
        };
        if challenge == Challenge::Basic && Some(&header) == used {
            let message = format!("{what}: {} answered 401 Unauthorized", access.registry);
            return Err(refused(RegistryError::new(Kind::Unauthorized, message), access, found.as_ref()));
        }
        known.challenge = Some(challenge);
        known.headers.insert(key, (header.clone(), until));
        Ok((header, found))
    }

    async fn forget(&self, access: &Access) {
        self.known.lock().await.remove(&access.registry);
    }

    /// The header that answers a challenge, until when it is good, and by whose login; `None` if a login is needed and
    /// there is none.
    async fn answer(
        &self,
        access: &Access,
        challenge: &Challenge,
        what: &Arc<str>,
    ) -> Result<Option<(HeaderValue, Instant, Option<Found>)>> {
        let found = self.credentials.of(&access.registry, &access.repository).await?;
        match challenge {
            Challenge::Basic => {
                let Some(found) = found else { return Ok(None) };
                let Login::Password(user, password) = &found.login else {
                    let message = format!(
                        "{what}: {} wants a name and a password, and {} has an identity token",
                        access.registry, found.origin
                    );
                    return Err(RegistryError::new(Kind::Unauthorized, message)
                        .help("log in again with a name and a password"));
                };
                let header = basic(user, password)?;
                // Good until it is refused.
                Ok(Some((header, Instant::now() + Duration::from_secs(3600), Some(found))))
            }
            Challenge::Bearer { realm, service, scope } => {
                let realm = self.realm(realm, access, found.is_some(), what)?;
                let scope = merged(&access.scope(), scope.as_deref());
                let token = self.token(&realm, service.as_deref(), &scope, found.as_ref(), access).await?;
                Ok(Some((token.0, token.1, found)))
            }
        }
    }

    /// The token service's address. A login is sent there, so it must not be less safe than the registry.
    fn realm(&self, realm: &str, access: &Access, login: bool, what: &Arc<str>) -> Result<Uri> {
        let uri = super::url::resolve(&access.base, realm);
        let is_safe = |uri: &Uri| match uri.scheme_str() {
            Some("https") => true,
            Some("http") => access.base.scheme_str() == Some("http") || !login,
            _ => false,
        };
        uri.filter(is_safe).ok_or_else(|| {
            let message =
                format!("{what}: {} wants the login sent to {realm:?}, which is not HTTPS", access.registry);
            RegistryError::new(Kind::Refused, message)
                .help("the login was not sent; have the registry's token service corrected")
        })
    }

    async fn token(
        &self,
        realm: &Uri,
        service: Option<&str>,
        scope: &str,
        found: Option<&Found>,
        access: &Access,
    ) -> Result<(HeaderValue, Instant)> {
        let what: Arc<str> =
            format!("get a token for {}/{} from {}", access.registry, access.repository, host(realm)).into();
        let mut answer = match found.map(|found| &found.login) {
            Some(Login::IdentityToken(token)) => {
                self.post(
                    realm,
                    service,
                    scope,
                    &[("grant_type", "refresh_token"), ("refresh_token", token)],
                    &what,
                )
                .await?
            }
            Some(Login::Password(user, password)) => {
                let answer = self.get(realm, service, scope, Some(basic(user, password)?), &what).await?;
                match answer.status {
                    // It has only the way of OAuth 2.
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                        let words =
                            [("grant_type", "password"), ("username", user.as_str()), ("password", password)];
                        self.post(realm, service, scope, &words, &what).await?
                    }
                    _ => answer,
                }
            }
            None => self.get(realm, service, scope, None, &what).await?,
        };
        if !answer.status.is_success() {
            let is_refusal = matches!(answer.status.as_u16(), 400 | 401 | 403);
            let error = answer.into_error().await;
            if !is_refusal {
                return Err(error);
            }
            let error = RegistryError { kind: Kind::Unauthorized, ..error };
            return Err(match found {
                Some(_) => refused(error, access, found),
                None => error.help(self.no_login(access, &what).help),
            });
        }
        let body = answer.bytes(TOKEN_BYTES).await?;
        // What cannot be read may hold a token: it is not quoted.
        let no_token = || RegistryError::new(Kind::Refused, format!("{what}: the answer holds no token"));
        let value: Value = serde_json::from_slice(&body).map_err(|_| no_token())?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = text("token").or_else(|| text("access_token")).ok_or_else(no_token)?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| no_token())?;
        header.set_sensitive(true);
        let life = value.get("expires_in").and_then(Value::as_u64).map_or(TOKEN_LIFE, Duration::from_secs);
        let life = life.min(Duration::from_secs(24 * 3600)).max(MARGIN * 2);
        Ok((header, Instant::now() + life - MARGIN))
    }

    async fn get(
        &self,
        realm: &Uri,
        service: Option<&str>,
        scope: &str,
        login: Option<HeaderValue>,
        what: &Arc<str>,
    ) -> Result<Answer> {
        let mut uri = realm.clone();
        let parameters = service.map(|service| ("service", service)).into_iter();
        for (name, value) in parameters.chain(scope.split(' ').map(|one| ("scope", one))) {
            uri = super::url::with_parameter(&uri, name, value)
                .ok_or_else(|| RegistryError::new(Kind::Refused, format!("{what}: {realm} is no address")))?;
        }
        let mut ask = Ask::new(Method::GET, uri, what);
        if let Some(login) = login {
            ask.headers.insert(AUTHORIZATION, login);
        }
        self.transport.send(&ask).await
    }

    async fn post(
        &self,
        realm: &Uri,
        service: Option<&str>,
        scope: &str,
        words: &[(&str, &str)],
        what: &Arc<str>,
    ) -> Result<Answer> {
        let all = words.iter().copied().chain([
            ("service", service.unwrap_or_default()),
            ("scope", scope),
            ("client_id", CLIENT_ID),
        ]);
        let form: Vec<String> = all.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let ask = Ask::new(Method::POST, realm.clone(), what)
            .body(form.join("&").into(), "application/x-www-form-urlencoded")
            .repeatable();
        self.transport.send(&ask).await
    }

    fn no_login(&self, access: &Access, what: &str) -> RegistryError {
        let message =
            format!("{what}: {} wants a login, and there is none for {}", access.registry, access.repository);
        RegistryError::new(Kind::Unauthorized, message).help(format!(
            "log in with 'docker login {0}' or 'podman login {0}', or give --username and --password-stdin; looked at: {1}",
            access.registry,
            self.credentials.places()
        ))
    }
}

fn host(uri: &Uri) -> &str {
    uri.authority().map_or("", |authority| authority.as_str())
}

fn basic(user: &str, password: &str) -> Result<HeaderValue> {
    let header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    let mut header = header
        .map_err(|_| RegistryError::new(Kind::Local, "name and password fit in no header".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The scopes that we need, and what else the registry asks for.
fn merged(ours: &str, wanted: Option<&str>) -> String {
    let mut all = ours.to_owned();
    for scope in wanted.into_iter().flat_map(str::split_whitespace) {
        // Ours say the same of this repository, and perhaps more.
        let is_ours = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':')).is_some_and(
            |(name, _)| {
                ours.split(' ').any(|own| {
                    own.strip_prefix("repository:")
                        .is_some_and(|own| own.rsplit_once(':').is_some_and(|(own, _)| own == name))
                })
            },
        );
        if !is_ours {
            all.push(' ');
            all.push_str(scope);
        }
    }
    all
}

/// A login that was found and not taken.
fn refused(error: RegistryError, access: &Access, found: Option<&Found>) -> RegistryError {
    let Some(found) = found else {
        return error.help("the registry gave a token without a login and refuses it: log in, or check the repository's name");
    };
    let who = match &found.login {
        Login::Password(user, _) => format!("the login of {user:?}"),
        Login::IdentityToken(_) => "the identity token".to_owned(),
    };
    let message = format!("{} (as {who} from {})", error.message, found.origin);
    let registry = &access.registry;
    RegistryError::new(Kind::Unauthorized, message).help(format!(
        "nothing was tried without this login: log in again with 'docker login {registry}' or 'podman login {registry}', or remove \
         it with 'docker logout {registry}' to ask as nobody"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_all_that_is_needed_and_nothing_twice() {
        let access = Access {
            registry: "quay.io".into(),
            base: Uri::from_static("https://quay.io"),
            repository: "a/b".into(),
            push: true,
            from: Some("c/d".into()),
        };
        assert_eq!(access.scope(), "repository:a/b:pull,push repository:c/d:pull");
        assert_eq!(merged(&access.scope(), Some("repository:a/b:pull")), access.scope());
        assert_eq!(
            merged("repository:a/b:pull", Some("repository:a/b:pull registry:catalog:*")),
            "repository:a/b:pull registry:catalog:*"
        );
    }
}
