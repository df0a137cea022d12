//! Whom we log in as: the flags, the credential files of Docker and Podman in their order, and credential helpers in; a
//! login and where it was found out. What a registry does with it is left to `auth`.
//!
//! The order is that of docs/registries.md. In each file the longest path that holds the repository counts
//! (containers-auth.json(5)); a helper for the host counts before what stands in the file (docker/cli, `configfile`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::args::RegistryArgs;
use super::error::{Kind, RegistryError, Result};
use super::reference::DOCKER_HUB;

/// How long a credential helper may take; some ask on a screen of their own.
const HELPER_LIMIT: Duration = Duration::from_secs(60);
/// Overrides it, in seconds.
const HELPER_LIMIT_VARIABLE: &str = "KUBECTL_SKILLS_HELPER_TIMEOUT";
/// Most that is read of what a helper prints.
const HELPER_BYTES: u64 = 64 << 10;
/// What Docker calls its Hub in its files.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Who logs in, and how.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Name and password.
    Password(String, String),
    /// A refresh token of the registry's token service.
    IdentityToken(String),
}

/// A login and where it comes from, for messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The login.
    pub login: Login,
    /// Such as `/root/.docker/config.json`, or the helper that a file names.
    pub origin: String,
}

/// Where credentials may be.
pub struct Credentials {
    given: Option<Found>,
    files: Vec<PathBuf>,
    /// The first file must be there: it was named by a flag.
    named: bool,
    limit: Duration,
}

impl Credentials {
    /// From the flags and the environment. Nothing is read yet but the password.
    pub fn new(args: &RegistryArgs) -> Result<Self> {
        let limit = std::env::var(HELPER_LIMIT_VARIABLE).ok().and_then(|text| text.parse().ok());
        let limit = limit.map_or(HELPER_LIMIT, Duration::from_secs);
        let given = args.username.as_ref().map(|user| {
            let password = password()?;
            Ok(Found { login: Login::Password(user.clone(), password), origin: "--username".into() })
        });
        let given = given.transpose()?;
        let named = args.registry_config.is_some();
        let files = if given.is_some() {
            Vec::new()
        } else if let Some(path) = &args.registry_config {
            if path.is_dir() { files_in(path)? } else { vec![path.clone()] }
        } else {
            usual_files(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
        };
        Ok(Self { given, files, named, limit })
    }

    /// The login for a repository; `None` if nobody says one.
    pub async fn of(&self, registry: &str, repository: &str) -> Result<Option<Found>> {
        if let Some(given) = &self.given {
            return Ok(Some(given.clone()));
        }
        for path in &self.files {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.named => continue,
                Err(error) => {
                    return Err(RegistryError::io(
                        format!("read credentials from {}", path.display()),
                        &error,
                    ));
                }
            };
            if let Some(found) = self.in_file(path, &text, registry, repository).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The places that were looked at, for messages.
    pub fn places(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|path| path.display().to_string()).collect();
        if files.is_empty() { "no file".into() } else { files.join(", ") }
    }

    async fn in_file(
        &self,
        path: &Path,
        text: &str,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>> {
        let wrong = |why: &str| {
            // What stands there is a secret, and a syntax error may quote it.
            RegistryError::new(Kind::Local, format!("credentials file {}: {why}", path.display()))
                .help("correct the file, or name another one with --registry-config")
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let config: Value = serde_json::from_str(text)
            .map_err(|error| wrong(&format!("no JSON at line {}", error.line())))?;
        let mut store = config.get("credsStore").and_then(Value::as_str).filter(|name| !name.is_empty());
        for key in keys(registry, repository) {
            let helper =
                config.pointer("/credHelpers").and_then(|helpers| helpers.get(&key)).and_then(Value::as_str);
            if let Some(name) = helper {
                let found = self.helper(name, &key, path).await?;
                // A host that has a helper is looked for nowhere else, as Docker has it.
                return Ok(found);
            }
            // Asked once, for the host; Docker Hub has several names, of which the first is Docker's own.
            if is_host(&key)
                && let Some(name) = store.take()
                && let Some(found) = self.helper(name, &key, path).await?
            {
                return Ok(Some(found));
            }
            let Some(entry) = entry(&config, &key) else { continue };
            if let Some(login) = login(entry).map_err(|why| wrong(&format!("auths[{key:?}]: {why}")))? {
                return Ok(Some(Found { login, origin: path.display().to_string() }));
            }
        }
        Ok(None)
    }

    /// Asks a credential helper; `None` if it has nothing for that server.
    async fn helper(&self, name: &str, server: &str, file: &Path) -> Result<Option<Found>> {
        let program = format!("docker-credential-{name}");
        let origin = format!("{program}, which {} names", file.display());
        let failed = |why: &str| {
            RegistryError::new(Kind::Local, format!("credential helper {program} {why}"))
                .help(format!("it is named in {}; try: echo {server} | {program} get", file.display()))
        };
        if name.is_empty() || name.contains(['/', '\\', '\0']) {
            return Err(failed("is no name of a program"));
        }
        let mut child = tokio::process::Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("cannot be run: {error}")))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let exchange = async {
            if let Some(mut stdin) = stdin {
                // A helper that does not read what it is asked is answered by its output; closed when dropped.
                let _ = stdin.write_all(server.as_bytes()).await;
            }
            let mut printed = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(HELPER_BYTES).read_to_end(&mut printed).await?;
            }
            Ok::<_, std::io::Error>((child.wait().await?, printed))
        };
        let exchanged = tokio::time::timeout(self.limit, exchange).await;
        let Ok(exchanged) = exchanged else {
            // Until it is gone, so that nothing of it is left when this program ends.
            child.kill().await.map_err(|error| failed(&format!("cannot be ended: {error}")))?;
            return Err(failed(&format!("did not answer within {} s and was ended", self.limit.as_secs())));
        };
        let (status, printed) = exchanged.map_err(|error| failed(&format!("cannot be read: {error}")))?;
        if !status.success() {
            // Said on stdout by all helpers made with docker-credential-helpers.
            let said = String::from_utf8_lossy(&printed);
            if said.contains("credentials not found") || said.contains("no credentials server URL") {
                return Ok(None);
            }
            return Err(failed(&format!("failed ({status})")));
        }
        let answer: Value = serde_json::from_slice(&printed).map_err(|_| failed("printed no JSON"))?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        let (Some(user), Some(secret)) = (text("Username"), text("Secret")) else {
            return Err(failed("printed no Username and Secret"));
        };
        if user.is_empty() && secret.is_empty() {
            return Ok(None);
        }
        let login =
            if user == "<token>" { Login::IdentityToken(secret) } else { Login::Password(user, secret) };
        Ok(Some(Found { login, origin }))
    }
}

fn password() -> Result<String> {
    let text = std::io::read_to_string(std::io::stdin().lock())
        .map_err(|error| RegistryError::io("read the password from standard input", &error))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(RegistryError::new(Kind::Local, "--password-stdin: standard input is empty"));
    }
    Ok(text.to_owned())
}

/// The files of a folder, by name: pull secrets as a pod mounts them, of which any may be missing. What begins with a dot is the
/// kubelet's.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| RegistryError::io(format!("read the credentials in {}", folder.display()), &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Through links, as a Secret's volume has them.
        if !is_hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The files in their order. `variable` gives the value of an environment variable that is not empty.
fn usual_files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let home = variable("HOME").or_else(std::env::home_dir);
    let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let containers = |folder: PathBuf| folder.join("containers/auth.json");
    let all = [
        variable("REGISTRY_AUTH_FILE"),
        variable("DOCKER_CONFIG")
            .map(|folder| folder.join("config.json"))
            .or_else(|| in_home(".docker/config.json")),
        variable("XDG_RUNTIME_DIR").map(containers),
        variable("XDG_CONFIG_HOME").or_else(|| in_home(".config")).map(containers),
        in_home(".docker/config.json"),
    ];
    let mut files: Vec<PathBuf> = Vec::new();
    for path in all.into_iter().flatten() {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    files
}

/// Under which names a file may have credentials for a repository, the longest first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = repository;
    loop {
        keys.push(format!("{registry}/{path}"));
        match path.rsplit_once('/') {
            Some((parent, _)) => path = parent,
            None => break,
        }
    }
    if registry == DOCKER_HUB {
        keys.extend([HUB_KEY, DOCKER_HUB, "index.docker.io", "registry-1.docker.io"].map(str::to_owned));
    } else {
        keys.push(registry.to_owned());
    }
    keys
}

/// Whether a key is a host, and no repository.
fn is_host(key: &str) -> bool {
    key == HUB_KEY || !key.contains('/')
}

/// The entry of that name. Old files have addresses in the place of hosts.
fn entry<'v>(config: &'v Value, key: &str) -> Option<&'v Value> {
    let auths = config.get("auths")?.as_object()?;
    auths.get(key).or_else(|| {
        let bare = |name: &str| {
            let name =
                name.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
            name.trim_end_matches("/v1").trim_end_matches("/v2").to_owned()
        };
        let is_address = |name: &str| name.starts_with("http://") || name.starts_with("https://");
        auths.iter().find(|(name, _)| is_address(name) && bare(name) == key).map(|(_, value)| value)
    })
}

/// The login of an entry; `None` if it has none, as where a store keeps it.
fn login(entry: &Value) -> std::result::Result<Option<Login>, &'static str> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Login::IdentityToken(token.to_owned())));
    }
    if let Some(auth) = text("auth") {
        let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or("auth is no base64 of a text")?;
        let (user, password) =
            decoded.split_once(':').ok_or("auth has no colon between name and password")?;
        let password = password.trim_end_matches('\0');
        return Ok(Some(Login::Password(user.to_owned(), password.to_owned())));
    }
    match (text("username"), text("password")) {
        (Some(user), Some(password)) => Ok(Some(Login::Password(user.to_owned(), password.to_owned()))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn credentials() -> Credentials {
        Credentials { given: None, files: Vec::new(), named: false, limit: HELPER_LIMIT }
    }

    async fn found(config: &Value, registry: &str, repository: &str) -> Option<String> {
        let all = credentials();
        let found = all.in_file(Path::new("f"), &config.to_string(), registry, repository).await;
        found.expect("a sound file").map(|found| match found.login {
            Login::Password(user, password) => format!("{user}:{password}"),
            Login::IdentityToken(token) => format!("token {token}"),
        })
    }

    /// The credentials of one team used for another team's repository are refused, or worse, taken.
    #[tokio::test]
    async fn the_longest_path_counts() {
        let auth = |text: &str| json!({"auth": STANDARD.encode(text)});
        let config = json!({"auths": {
            "quay.io": auth("host:1"), "quay.io/acme": auth("acme:2"), "quay.io/acme/skills/pdf": auth("pdf:3:x"),
            "https://reg.example/v1/": auth("old:4"), "https://index.docker.io/v1/": auth("hub:5"),
            "token.example": {"identitytoken": "t0", "auth": STANDARD.encode("<token>:")},
            "plain.example": {"username": "u", "password": "p"}, "empty.example": {},
        }});
        for (registry, repository, wanted) in [
            ("quay.io", "acme/skills/pdf", Some("pdf:3:x")),
            ("quay.io", "acme/skills/pdfs", Some("acme:2")),
            ("quay.io", "acme-2/x", Some("host:1")),
            ("reg.example", "a", Some("old:4")),
            ("docker.io", "library/nginx", Some("hub:5")),
            ("token.example", "a", Some("token t0")),
            ("plain.example", "a", Some("u:p")),
            ("empty.example", "a", None),
            ("quay.io.evil", "acme/skills/pdf", None),
        ] {
            assert_eq!(
                found(&config, registry, repository).await.as_deref(),
                wanted,
                "{registry}/{repository}"
            );
        }
        let broken = json!({"auths": {"quay.io": {"auth": "s3cret!"}}}).to_string();
        let all = credentials();
        let error = all.in_file(Path::new("f"), &broken, "quay.io", "a").await.err().expect("an error");
        assert_eq!(error.message, "credentials file f: auths[\"quay.io\"]: auth is no base64 of a text");
    }

    /// A pod has its pull secrets as a folder, in which the kubelet keeps things of its own.
    #[test]
    fn a_folder_is_its_files_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("..data")).expect("a folder");
        for name in ["b.json", "a.json", "..hidden"] {
            std::fs::write(folder.path().join(name), "{}").expect("a file");
        }
        let found = files_in(folder.path()).map_err(|error| error.message);
        assert_eq!(found, Ok(["a.json", "b.json"].map(|name| folder.path().join(name)).to_vec()));
    }

    #[test]
    fn files_are_looked_at_in_order_and_once() {
        let files = |set: &[(&str, &str)]| {
            let set: Vec<(String, PathBuf)> =
                set.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
            let found =
                usual_files(|name| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()));
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(files(&[("HOME", "/h")]), ["/h/.docker/config.json", "/h/.config/containers/auth.json"]);
        let all = [
            ("HOME", "/h"),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("DOCKER_CONFIG", "/d"),
            ("XDG_RUNTIME_DIR", "/run/u"),
            ("XDG_CONFIG_HOME", "/c"),
        ];
        assert_eq!(
            files(&all),
            [
                "/a.json",
                "/d/config.json",
                "/run/u/containers/auth.json",
                "/c/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
    }
}
