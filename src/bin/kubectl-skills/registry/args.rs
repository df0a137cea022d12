//! Flags of every verb that asks a registry: as they were typed, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::{Kind, RegistryError, Result};
use super::reference::{DOCKER_HUB, is_loopback, without_port};
use crate::net::duration::{DEFAULT_REQUEST_TIMEOUT, parse_timeout};

/// How registries are reached, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryArgs {
    /// Credentials file in the place of all others, as Docker and Podman write it; or a folder of such files, by name
    #[arg(long, value_name = "FILE|DIR")]
    pub registry_config: Option<PathBuf>,
    /// User to log in as, in the place of all credential files; the password is read from standard input
    #[arg(long, value_name = "USER", requires = "password_stdin", conflicts_with = "registry_config")]
    pub username: Option<String>,
    /// Read the password or token of --username from standard input
    #[arg(long, requires = "username")]
    pub password_stdin: bool,
    /// Host that is asked over plain HTTP; repeatable. Hosts on loopback always are
    #[arg(long, value_name = "HOST[:PORT]")]
    pub insecure_registry: Vec<String>,
    /// Ask every registry over plain HTTP
    #[arg(long)]
    pub plain_http: bool,
    /// File of certificate authorities to trust in the place of the system's, for one host or for all; repeatable
    #[arg(long, value_name = "[HOST=]FILE")]
    pub registry_ca: Vec<String>,
    /// Registry to read from before another one, such as docker.io=mirror.example.com/hub; repeatable
    #[arg(long, value_name = "HOST=MIRROR")]
    pub mirror: Vec<String>,
    /// How long a registry may be silent, such as 5s or 2m; 0 for no limit [default: 60s]
    #[arg(long = "registry-timeout", value_name = "DURATION", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
}

/// A registry that is read in the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The registry in whose place it is.
    pub of: String,
    /// Its host.
    pub host: String,
    /// What stands before each repository there, with its slash; may be empty.
    pub prefix: String,
}

impl RegistryArgs {
    /// Time limit of a silence; none for `0`.
    pub fn timeout(&self) -> Option<Duration> {
        Some(self.timeout.unwrap_or(DEFAULT_REQUEST_TIMEOUT)).filter(|limit| !limit.is_zero())
    }

    /// Certificate authorities by host; none for all hosts.
    pub fn authorities(&self) -> Vec<(Option<String>, PathBuf)> {
        let one = |text: &String| match text.split_once('=') {
            Some((host, file)) if !host.contains(['/', '\\']) => (Some(host.to_owned()), PathBuf::from(file)),
            _ => (None, PathBuf::from(text)),
        };
        self.registry_ca.iter().map(one).collect()
    }

    /// Whether a host is asked over plain HTTP.
    pub fn is_plain(&self, host: &str) -> bool {
        let named = |list: &String| list == host || list == without_port(host);
        let has_authority = || {
            self.authorities().iter().any(|(of, _)| match of {
                Some(of) => of == host || of == without_port(host),
                None => true,
            })
        };
        self.plain_http || self.insecure_registry.iter().any(named) || (is_loopback(host) && !has_authority())
    }

    /// The mirrors.
    pub fn mirrors(&self) -> Result<Vec<Mirror>> {
        let one = |text: &String| {
            let wrong = || {
                RegistryError::new(
                    Kind::Usage,
                    format!("--mirror {text}: write HOST=MIRROR, such as docker.io=mirror.example.com"),
                )
            };
            let (of, mirror) = text.split_once('=').ok_or_else(wrong)?;
            let (host, prefix) = mirror.split_once('/').unwrap_or((mirror, ""));
            if of.is_empty() || host.is_empty() || of.contains('/') {
                return Err(wrong());
            }
            let of = if of == "index.docker.io" { DOCKER_HUB } else { of };
            let prefix = prefix.trim_end_matches('/');
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            Ok(Mirror { of: of.to_owned(), host: host.to_owned(), prefix })
        };
        self.mirror.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login that goes over plain HTTP to a host that nobody named would be read on the way.
    #[test]
    fn plain_http_is_for_loopback_and_who_is_named() {
        let args = RegistryArgs {
            insecure_registry: vec!["reg.lan".into(), "other.lan:5000".into()],
            ..RegistryArgs::default()
        };
        let plain = |host: &str| args.is_plain(host);
        assert!(
            plain("localhost:5000") && plain("127.0.0.1") && plain("reg.lan:5000") && plain("other.lan:5000")
        );
        assert!(!plain("quay.io") && !plain("other.lan") && !plain("other.lan:443"));
        let trusting =
            RegistryArgs { registry_ca: vec!["localhost:5000=ca.pem".into()], ..RegistryArgs::default() };
        assert!(!trusting.is_plain("localhost:5000") && trusting.is_plain("localhost:5001"));
        assert!(RegistryArgs { plain_http: true, ..RegistryArgs::default() }.is_plain("quay.io"));
    }

    #[test]
    fn mirrors_have_a_host_and_may_have_a_prefix() {
        let args =
            |text: &str| RegistryArgs { mirror: vec![text.into()], ..RegistryArgs::default() }.mirrors();
        let mirror = |of: &str, host: &str, prefix: &str| Mirror {
            of: of.into(),
            host: host.into(),
            prefix: prefix.into(),
        };
        assert_eq!(args("docker.io=m.example:5000"), Ok(vec![mirror("docker.io", "m.example:5000", "")]));
        assert_eq!(args("index.docker.io=m/hub/"), Ok(vec![mirror("docker.io", "m", "hub/")]));
        for wrong in ["docker.io", "=m", "docker.io=", "docker.io/x=m", "docker.io=/x"] {
            assert!(args(wrong).is_err(), "{wrong}");
        }
    }
}
