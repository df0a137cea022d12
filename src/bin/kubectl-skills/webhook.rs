//! The admission webhook: options in, AdmissionReviews answered until the process is asked to end. Verdicts come from the
//! library, rivals from a watch (or whatever [`claimants::Claimants`] the controller's loop has), certificates from files.

pub mod certificate;
mod certificate_expiry;
pub mod claimants;
pub mod connections;
pub mod handler;
pub mod metrics;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::webhook_registration;
use kubectl_skills::validate::admission_review::Extra;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use certificate::{Certificates, Files};
use claimants::Claimants;
use connections::{Limits, Mode};
use handler::{Reviewer, Unknown};
use metrics::Metrics;

use crate::cluster::args::parse_timeout;

/// How the webhook listens and judges; the same for `webhook` and `controller --webhook`.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Webhook")]
#[group(id = "webhook_options")]
pub struct Options {
    /// Where reviews are taken, over TLS
    #[arg(long, default_value = "0.0.0.0:9443", value_name = "ADDRESS")]
    pub webhook_address: String,
    /// Directory of tls.crt and tls.key, such as a mounted Secret; they are read again when they change
    #[arg(long, default_value = "/etc/kubectl-skills/certificates", value_name = "DIR")]
    pub certificates: PathBuf,
    /// How often the certificate files are looked at
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = parse_timeout)]
    pub certificates_every: Duration,
    /// Refuse also skills whose volume the API server would refuse later, which the operator's webhook lets through
    #[arg(long)]
    pub strict: bool,
    /// Let changes of an AgentRuntime pass that is being deleted: the operator's webhook checks them too, and an object
    /// that became invalid never loses its finalizer
    #[arg(long)]
    pub pass_deleting: bool,
    /// What becomes of an AgentRuntime when the others of its namespace cannot be read; the operator's webhook allows it
    #[arg(long, value_enum, default_value_t = Unknown::Allow, value_name = "allow|refuse", hide_possible_values = true)]
    pub unknown_rivals: Unknown,
    /// How long requests are still taken after the signal to end, until nobody sends any
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = parse_timeout)]
    pub shutdown_delay: Duration,
}

/// A webhook that listens.
pub struct Webhook<S> {
    reviewer: Arc<Reviewer<S>>,
    listener: tokio::net::TcpListener,
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
    loaded: certificate::Loaded,
    options: Options,
}

impl<S: Claimants> Webhook<S> {
    /// Reads the certificate and begins to listen; connections wait until [`Webhook::serve`].
    ///
    /// # Errors
    /// What keeps it from listening, in one line.
    pub async fn open(profile: &'static Profile, options: Options, rivals: Arc<S>) -> Result<Self, String> {
        let metrics = Arc::<Metrics>::default();
        let files = Files::within(&options.certificates);
        let (certificates, loaded) = Certificates::load(files, Arc::clone(&metrics)).map_err(|error| {
            format!("{error}; the webhook needs a certificate: see --certificates and docs/webhook.md")
        })?;
        let acceptor = acceptor(Arc::clone(&certificates))?;
        let listener = connections::listen(&options.webhook_address)
            .await
            .map_err(|(what, error)| format!("{what}: {error}"))?;
        let extra = Extra { strict: options.strict, pass_deleting: options.pass_deleting };
        let reviewer = Arc::new(Reviewer::new(profile, extra, options.unknown_rivals, rivals, metrics));
        let address =
            listener.local_addr().map_or_else(|_| options.webhook_address.clone(), |a| a.to_string());
        tracing::info!(
            address,
            path = webhook_registration::path(profile),
            profile = profile.name,
            strict = extra.strict,
            "the webhook listens"
        );
        Ok(Self { reviewer, listener, acceptor, certificates, loaded, options })
    }

    /// For `/readyz` and `/metrics` elsewhere.
    pub fn reviewer(&self) -> Arc<Reviewer<S>> {
        Arc::clone(&self.reviewer)
    }

    /// Answers until `stop` ends, then a little longer, so that nobody is turned away who was sent here before.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (ended, ending) = watch::channel(false);
        let follower =
            tokio::spawn(Arc::clone(&self.certificates).run(self.loaded, self.options.certificates_every));
        let serving = tokio::spawn(connections::serve(
            self.listener,
            Mode::Tls(self.acceptor),
            Arc::clone(&self.reviewer),
            Limits::default(),
            ending,
        ));
        stop.await;
        self.reviewer.leave();
        tracing::info!("the webhook ends in {:?}", self.options.shutdown_delay);
        tokio::time::sleep(self.options.shutdown_delay).await;
        ended.send_replace(true);
        if let Err(error) = serving.await {
            tracing::error!("the webhook's listener failed: {error}");
        }
        follower.abort();
    }
}

fn acceptor(certificates: Arc<Certificates>) -> Result<TlsAcceptor, String> {
    // The provider is named: with a second one linked in by accident, the process-wide default would panic.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
