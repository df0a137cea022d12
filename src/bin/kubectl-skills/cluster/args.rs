//! kubectl's global flags, as kubectl spells and shortens them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kubectl_skills::api::kind_word::{KindWord, kind_of};
use kubectl_skills::api::workload::Kinds;

use crate::net::duration::{DEFAULT_REQUEST_TIMEOUT, parse_timeout};

/// Which cluster, and as whom. `-n` is an argument of the verbs: it is about files as well.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Kubeconfig file; by default KUBECONFIG (a list is merged), then ~/.kube/config, then the pod's service account
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Cluster in the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// User in the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short = 's', long, value_name = "URL")]
    pub server: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to act as; repeatable
    #[arg(long = "as-group", value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,
    /// UID to act as
    #[arg(long = "as-uid", value_name = "UID")]
    pub impersonate_uid: Option<String>,
    /// How long one request may take, such as 5s, 2m or 1h; 0 for no limit [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    pub request_timeout: Option<Duration>,
    /// Does not check the server's certificate; insecure
    #[arg(long)]
    pub insecure_skip_tls_verify: bool,
    /// Certificate authority file
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// Client certificate file
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,
    /// Client key file
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Bearer token
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Name to check the server's certificate against
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
}

/// Which AgentRuntimes of the cluster, where no files are given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ScopeArgs {
    /// AgentRuntimes by name; all of the namespace where none is given
    #[arg(value_name = "AGENTRUNTIME", value_parser = parse_name)]
    pub names: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// AgentRuntimes by label, such as team=search
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "names")]
    pub selector: Option<String>,
    /// Namespace of the operator and its ConfigMaps, where it is not the usual one
    #[arg(long, value_name = "NAME")]
    pub operator_namespace: Option<String>,
    /// Whether a run that removes looks for workloads that nobody is about even where SkillBindings are not served
    #[arg(skip)]
    pub left: bool,
}

/// Arguments of every verb that works on a cluster.
#[derive(Debug, Clone, Default, Args)]
pub struct LiveArgs {
    #[command(flatten)]
    pub scope: ScopeArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

impl ClusterArgs {
    /// Time limit of one request; none for `0`.
    pub fn timeout(&self) -> Option<Duration> {
        match self.request_timeout {
            None => Some(DEFAULT_REQUEST_TIMEOUT),
            Some(limit) if limit.is_zero() => None,
            Some(limit) => Some(limit),
        }
    }
}

/// Refuses a file where a name is wanted: no AgentRuntime would be found, and the user would look for it in the cluster.
fn parse_name(text: &str) -> Result<String, String> {
    if let Some((kind, name)) = text.split_once('/') {
        match kind_of(kind, Kinds::default()) {
            // What takes skills out takes a workload; the others refuse it.
            Some(KindWord::Workload(_)) if !name.is_empty() && !name.contains('/') => {
                return Ok(text.to_owned());
            }
            Some(_) => return Err(format!("a name alone is wanted, without a kind: {name}")),
            None => {}
        }
    }
    let is_file =
        text.contains('/') || [".yaml", ".yml", ".json"].iter().any(|ending| text.ends_with(ending));
    if is_file {
        return Err("a name of an AgentRuntime is wanted; manifests are given to render, diff, plan, hash and validate with -f"
            .to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_zero_waits_for_ever_and_none_given_does_not() {
        let given = |request_timeout| ClusterArgs { request_timeout, ..ClusterArgs::default() }.timeout();
        assert_eq!(given(None), Some(DEFAULT_REQUEST_TIMEOUT));
        assert_eq!(given(Some(Duration::ZERO)), None);
        assert_eq!(given(Some(Duration::from_secs(5))), Some(Duration::from_secs(5)));
    }
    /// The output of 'kubectl get -o name' is pasted, and a file is no name.
    #[test]
    fn a_kind_in_front_of_a_name_is_said_to_be_one() {
        let alone = |name: &str| Err(format!("a name alone is wanted, without a kind: {name}"));
        for text in ["skillbinding/x", "agentruntime.agent.kagenti.dev/x", "deployment/x/y"] {
            assert!(parse_name(text).is_err(), "{text}");
        }
        assert_eq!(parse_name("skillbinding/x"), alone("x"));
        for text in ["deployment/x", "deployment.apps/x", "Deployment/x", "deployments/x", "sts/x"] {
            assert_eq!(parse_name(text), Ok(text.to_owned()));
        }
        assert!(parse_name("manifests/x").is_err_and(|why| why.contains("with -f")));
        assert_eq!(parse_name("x"), Ok("x".to_owned()));
    }
}
