//! From flags, KUBECONFIG and the pod's service account to a connection and a namespace. Reads no object.

use std::path::Path;

use kube::config::{
    AuthInfo, Cluster, Config, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster, NamedContext,
};

use super::args::ClusterArgs;
use super::error::{ClusterError, Failure, chain, failed};
use super::login;
use super::proxy;
use super::requests::Requests;
use crate::complete::Known;
use crate::net::user_agent;

/// A connection with the namespace that it starts from.
pub struct Connection {
    /// Where requests go.
    pub requests: Requests,
    /// Namespace of the context: that of a run without `-n`.
    pub namespace: String,
}

/// Name by which flags without a kubeconfig are looked up in the one made for them.
const FROM_FLAGS: &str = "from-flags";

/// Who connects.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    verb: &'static str,
    /// It can work on manifests in place of a cluster.
    or_files: bool,
}

impl Caller {
    /// A verb that needs a cluster for what it was asked.
    pub const fn of(verb: &'static str) -> Self {
        Self { verb, or_files: false }
    }

    /// A verb that was asked about a cluster and could have been about manifests.
    pub const fn or_files(verb: &'static str) -> Self {
        Self { verb, or_files: true }
    }
}

/// Connects for a verb. No request is sent yet, but an exec credential plugin may run.
pub async fn connect(args: &ClusterArgs, caller: Caller, trace: bool) -> Result<Connection, ClusterError> {
    // kube-rs asks for the process-wide provider. Someone before us is fine as well: only ring is linked in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = configuration(args, caller).await?;
    config.headers.push((http::header::USER_AGENT, user_agent(caller.verb)));
    let namespace = config.default_namespace.clone();
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = match config.auth_info.exec.take() {
        // As client-go: whoever has a token, or a name and a password, needs no plugin.
        Some(plugin) if config.auth_info.token.is_none() && config.auth_info.token_file.is_none() => {
            login::client(config, plugin)?
        }
        _ => kube::Client::try_from(config).map_err(|error| failed(error, &server, "connect"))?,
    };
    let requests = Requests::new(client, args.timeout(), trace).of_server(server);
    Ok(Connection { requests, namespace })
}

async fn configuration(args: &ClusterArgs, caller: Caller) -> Result<Config, ClusterError> {
    let kubeconfig = read_kubeconfig(args.kubeconfig.as_deref())?;
    let mut config = match kubeconfig {
        Some(kubeconfig) => from_kubeconfig(kubeconfig, args).await?,
        None if args.server.is_some() => from_kubeconfig(Kubeconfig::default(), args).await?,
        None => Config::incluster().map_err(|_| {
            ClusterError::new(
                Failure::Configuration,
                "no cluster is configured: no kubeconfig, and not inside a pod",
            )
            .help(if caller.or_files {
                "give --kubeconfig FILE, set KUBECONFIG, or read manifests from files with -f"
            } else {
                "give --kubeconfig FILE, or set KUBECONFIG"
            })
        })?,
    };
    // Retries are ours: kube-rs knows nothing of Retry-After beyond its own three attempts.
    config.default_retry = false;
    if args.tls_server_name.is_some() {
        config.tls_server_name.clone_from(&args.tls_server_name);
    }
    impersonate(&mut config.auth_info, args)?;
    refuse_auth_provider(&config.auth_info)?;
    Ok(config)
}

fn impersonate(user: &mut AuthInfo, args: &ClusterArgs) -> Result<(), ClusterError> {
    if args.impersonate.is_some() {
        user.impersonate.clone_from(&args.impersonate);
    }
    if args.impersonate_uid.is_some() {
        user.impersonate_uid.clone_from(&args.impersonate_uid);
    }
    if !args.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(args.impersonate_groups.clone());
    }
    if user.impersonate.is_none() && (user.impersonate_uid.is_some() || user.impersonate_groups.is_some()) {
        return Err(ClusterError::new(Failure::Configuration, "--as-group and --as-uid need --as USER"));
    }
    Ok(())
}

/// Built-in logins that client-go took out in 1.26. kube-rs would run their commands and quote what they print.
fn refuse_auth_provider(user: &AuthInfo) -> Result<(), ClusterError> {
    let Some(provider) = user.auth_provider.as_ref().filter(|provider| provider.name != "oidc") else {
        return Ok(());
    };
    let plugin = match provider.name.as_str() {
        "gcp" => "gke-gcloud-auth-plugin",
        "azure" => "kubelogin (https://github.com/Azure/kubelogin)",
        _ => "an exec credential plugin",
    };
    let message = format!(
        "the auth provider {:?} of the kubeconfig is not supported, nor is it by kubectl",
        provider.name
    );
    Err(ClusterError::new(Failure::Configuration, message).help(format!("use {plugin} in users[].user.exec")))
}

/// The kubeconfig, merged from its files; `None` if there is none. A file named by `--kubeconfig` must exist; files in
/// KUBECONFIG may be missing, as for kubectl.
fn read_kubeconfig(flag: Option<&Path>) -> Result<Option<Kubeconfig>, ClusterError> {
    if let Some(path) = flag {
        return read_file(path).map(Some);
    }
    let listed: Vec<_> = match std::env::var_os("KUBECONFIG") {
        Some(list) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => Vec::new(),
    };
    let paths = if listed.is_empty() {
        std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect()
    } else {
        listed
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read_file(path)?;
        merged = Some(match merged {
            None => next,
            Some(before) => before.merge(next).map_err(|error| kubeconfig_error(&error))?,
        });
    }
    Ok(merged)
}

fn read_file(path: &Path) -> Result<Kubeconfig, ClusterError> {
    Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::ReadConfig(error, _) => {
            let message = format!("error loading config file {:?}: {error}", path.display().to_string());
            ClusterError::new(Failure::Configuration, message).help("check --kubeconfig and KUBECONFIG")
        }
        other => {
            // The reader of the YAML knows no file names, and shows the lines around, which may hold a token.
            let text = chain(&other).replace("<input>", "");
            let first =
                text.lines().next().unwrap_or_default().replace("failed to parse kubeconfig YAML: ", "");
            let message = format!("error loading config file {:?}: {first}", path.display().to_string());
            ClusterError::new(Failure::Configuration, message)
                .help("'kubectl config view --kubeconfig FILE' reads it as kubectl does")
        }
    })
}

/// Names of contexts, clusters or users in the kubeconfig; `None` if it cannot be read.
pub fn kubeconfig_names(flag: Option<&Path>, which: Known) -> Vec<String> {
    let Ok(Some(kubeconfig)) = read_kubeconfig(flag) else { return Vec::new() };
    match which {
        Known::Contexts => kubeconfig.contexts.into_iter().map(|named| named.name).collect(),
        Known::Clusters => kubeconfig.clusters.into_iter().map(|named| named.name).collect(),
        Known::Users => kubeconfig.auth_infos.into_iter().map(|named| named.name).collect(),
        _ => Vec::new(),
    }
}

async fn from_kubeconfig(mut kubeconfig: Kubeconfig, args: &ClusterArgs) -> Result<Config, ClusterError> {
    let mut options = KubeConfigOptions {
        context: args.context.clone(),
        cluster: args.cluster.clone(),
        user: args.user.clone(),
    };
    // kubectl works with flags alone: without a context in the file it makes one of them.
    let no_context =
        options.context.is_none() && kubeconfig.current_context.as_deref().unwrap_or_default().is_empty();
    if no_context && (args.server.is_some() || args.cluster.is_some()) {
        let context = kube::config::Context {
            cluster: args.cluster.clone().unwrap_or_else(|| FROM_FLAGS.into()),
            user: args.user.clone(),
            ..Default::default()
        };
        if args.cluster.is_none() {
            let cluster = Cluster { server: args.server.clone(), ..Default::default() };
            kubeconfig.clusters.push(NamedCluster {
                name: FROM_FLAGS.into(),
                cluster: Some(cluster),
                other: Default::default(),
            });
        }
        kubeconfig.contexts.push(NamedContext {
            name: FROM_FLAGS.into(),
            context: Some(context),
            other: Default::default(),
        });
        options.context = Some(FROM_FLAGS.into());
    }
    refuse_unknown_user(&kubeconfig, &options)?;
    let mut user_proxy = false;
    let wanted_cluster = options.cluster.clone().or_else(|| {
        let context = options.context.clone().or_else(|| kubeconfig.current_context.clone())?;
        let found = kubeconfig.contexts.iter().find(|named| named.name == context)?;
        Some(found.context.as_ref()?.cluster.clone())
    });
    for named in kubeconfig.clusters.iter_mut().filter(|named| Some(&named.name) == wanted_cluster.as_ref()) {
        let Some(cluster) = &mut named.cluster else { continue };
        overlay_cluster(cluster, args);
        user_proxy = cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty());
    }
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| kubeconfig_error(&error))?;
    overlay_user(&mut config.auth_info, args);
    if !user_proxy && config.proxy_url.is_some() {
        let host = config.cluster_url.host().unwrap_or_default();
        let port = config.cluster_url.port_u16().unwrap_or(443);
        let list = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
        if proxy::bypasses(&list, host, port) {
            config.proxy_url = None;
        }
    }
    Ok(config)
}

/// kube-rs goes on without credentials where the named user is not there.
fn refuse_unknown_user(kubeconfig: &Kubeconfig, options: &KubeConfigOptions) -> Result<(), ClusterError> {
    let context = options.context.as_ref().or(kubeconfig.current_context.as_ref());
    let of_context = || {
        let found = kubeconfig.contexts.iter().find(|named| Some(&named.name) == context)?;
        found.context.as_ref()?.user.clone()
    };
    let Some(user) = options.user.clone().or_else(of_context).filter(|user| !user.is_empty()) else {
        return Ok(());
    };
    if kubeconfig.auth_infos.iter().any(|named| named.name == user) {
        return Ok(());
    }
    let message = format!("the kubeconfig has no user {user:?}");
    Err(ClusterError::new(Failure::Configuration, message).help("'kubectl config get-users' lists them"))
}

fn overlay_cluster(cluster: &mut Cluster, args: &ClusterArgs) {
    if args.server.is_some() {
        cluster.server.clone_from(&args.server);
    }
    if let Some(path) = &args.certificate_authority {
        cluster.certificate_authority = Some(path.to_string_lossy().into_owned());
        cluster.certificate_authority_data = None;
    }
    if args.insecure_skip_tls_verify {
        // As kubectl has it: a certificate authority alongside it would be a contradiction.
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
}

fn overlay_user(user: &mut AuthInfo, args: &ClusterArgs) {
    if let Some(token) = &args.token {
        // A token given by hand takes the place of whatever else logs in.
        let impersonation = (
            user.impersonate.take(),
            user.impersonate_uid.take(),
            user.impersonate_groups.take(),
            user.impersonate_user_extra.take(),
        );
        *user = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
        (user.impersonate, user.impersonate_uid, user.impersonate_groups, user.impersonate_user_extra) =
            impersonation;
    }
    if let Some(path) = &args.client_certificate {
        user.client_certificate = Some(path.to_string_lossy().into_owned());
        user.client_certificate_data = None;
    }
    if let Some(path) = &args.client_key {
        user.client_key = Some(path.to_string_lossy().into_owned());
        user.client_key_data = None;
    }
}

fn kubeconfig_error(error: &KubeconfigError) -> ClusterError {
    let (message, help) = match error {
        KubeconfigError::CurrentContextNotSet => (
            "the kubeconfig has no current context".to_owned(),
            "choose one with --context NAME or 'kubectl config use-context NAME'",
        ),
        KubeconfigError::LoadContext(name) => {
            (format!("the kubeconfig has no context {name:?}"), "'kubectl config get-contexts' lists them")
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            (format!("the kubeconfig has no cluster {name:?}"), "'kubectl config get-clusters' lists them")
        }
        other => {
            (format!("kubeconfig: {}", chain(other)), "check --kubeconfig, KUBECONFIG or ~/.kube/config")
        }
    };
    ClusterError::new(Failure::Configuration, message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
clusters:
- {name: one, cluster: {server: 'https://one.test:6443', certificate-authority-data: QUJD, proxy-url: 'http://p.test:1'}}
- {name: two, cluster: {server: 'https://two.test:6443'}}
users:
- {name: alice, user: {token: secret-a, as: carol}}
contexts:
- {name: c1, context: {cluster: one, user: alice, namespace: team1}}
- {name: c2, context: {cluster: two, user: alice}}
";

    fn configure(args: &ClusterArgs) -> Result<Config, ClusterError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| ClusterError::new(Failure::Other, error.to_string()))?;
        let kubeconfig = Kubeconfig::from_yaml(KUBECONFIG).map_err(|error| kubeconfig_error(&error))?;
        runtime.block_on(from_kubeconfig(kubeconfig, args))
    }

    #[test]
    fn flags_win_over_the_kubeconfig() {
        let args = ClusterArgs {
            context: Some("c1".into()),
            server: Some("https://other.test".into()),
            insecure_skip_tls_verify: true,
            token: Some("given".into()),
            ..ClusterArgs::default()
        };
        let config = configure(&args).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.cluster_url.to_string(), "https://other.test/");
        assert_eq!(config.default_namespace, "team1");
        assert!(config.accept_invalid_certs);
        assert_eq!(config.root_cert, None);
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("carol"));
        assert_eq!(config.proxy_url.map(|url| url.to_string()).as_deref(), Some("http://p.test:1/"));
    }

    #[test]
    fn what_is_missing_in_the_kubeconfig_is_said_with_a_way_on() {
        let no_context = configure(&ClusterArgs::default()).err().map(|error| error.to_string());
        assert_eq!(
            no_context.as_deref(),
            Some(
                "the kubeconfig has no current context\n  choose one with --context NAME or 'kubectl config use-context NAME'"
            )
        );
        let args = ClusterArgs { context: Some("c9".into()), ..ClusterArgs::default() };
        assert_eq!(
            configure(&args).err().map(|error| error.to_string()).as_deref(),
            Some("the kubeconfig has no context \"c9\"\n  'kubectl config get-contexts' lists them")
        );
    }

    /// `kubectl --server=http://localhost:8001` needs no kubeconfig, and `kubectl proxy` users rely on it.
    #[test]
    fn an_address_alone_is_enough() {
        let args = ClusterArgs { server: Some("http://localhost:8001".into()), ..ClusterArgs::default() };
        let config = configure(&args).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.cluster_url.to_string(), "http://localhost:8001/");
    }
}
