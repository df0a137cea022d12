//! The admission webhook: answers AdmissionReviews until the process is asked to end. Verdicts come from the library, other
//! claimants of a target from a watch, certificates from files.

pub mod certificate;
mod certificate_expiry;
pub mod claimants;
pub mod handler;
pub mod injection;
mod watches;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::webhook_registration;
use kubectl_skills::plan::Options as PlanOptions;
use kubectl_skills::validate::admission_review::Extra;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use certificate::{Certificates, Files};
use claimants::Claimants;
use handler::{Reviewer, Unknown};
use injection::Injection;

use crate::cluster::requests::Requests;
use crate::net::duration::parse_timeout;
use crate::server::address;
use crate::server::connections::{Limits, listen, serve, stopped};
use crate::server::health::{Health, HealthCheck};
use crate::server::logging::Repeated;
use crate::server::metrics::Part;
use crate::server::policy_files::{PolicyArgs, PolicyFiles};
use crate::server::slots::Slots;

/// How often the files of policy and lock are looked at.
const POLICY_EVERY: Duration = Duration::from_secs(2);

/// How the webhook listens and judges; the same for `webhook` and `controller --webhook`.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Webhook")]
#[group(id = "webhook_options")]
pub struct Options {
    /// Where reviews are taken, over TLS [default: port 9443; in a pod on all addresses, elsewhere on loopback]
    #[arg(long, value_name = "ADDRESS")]
    pub webhook_address: Option<String>,
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
    /// Put the skills of SkillBindings with 'delivery: Pod' into pods as they are created
    #[arg(long)]
    pub inject: bool,
    /// How long requests are still taken after the signal to end, until nobody sends any
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = parse_timeout)]
    pub shutdown_delay: Duration,
}

/// A webhook that listens.
pub struct Webhook {
    profile: &'static Profile,
    reviewer: Arc<Reviewer>,
    claimants: Arc<Claimants>,
    injection: Option<Arc<Injection>>,
    listener: tokio::net::TcpListener,
    slots: Arc<Slots>,
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
    loaded: certificate::Loaded,
    policy: PolicyFiles,
    options: Options,
}

impl Webhook {
    /// Reads the certificate and begins to listen; connections wait until [`Webhook::serve`]. `requests` are for the
    /// AgentRuntimes of `namespaces`, or of all.
    ///
    /// # Errors
    /// What keeps it from listening, in one line.
    pub async fn open(
        profile: &'static Profile,
        options: Options,
        policy: PolicyArgs,
        requests: Requests,
        namespaces: Vec<String>,
        health: &Arc<Health>,
    ) -> Result<Self, String> {
        let metrics = &health.metrics;
        metrics.report(Part::Webhook);
        let mut policy = PolicyFiles::new(policy);
        let in_force = policy.look()?.unwrap_or_default();
        let files = Files::within(&options.certificates);
        let (certificates, loaded) = Certificates::load(files, metrics.clone()).map_err(|error| {
            format!("{error}; the webhook needs a certificate: see --certificates and docs/webhook.md")
        })?;
        let acceptor = acceptor(Arc::clone(&certificates))?;
        let (listener, address) = listen(&address(options.webhook_address.as_deref(), 9443))
            .await
            .map_err(|(what, error)| format!("{what}: {error}"))?;
        let extra = Extra { strict: options.strict, pass_deleting: options.pass_deleting };
        let requests = Arc::new(requests);
        let injection = options.inject.then(|| {
            let (requests, namespaces) = (Arc::clone(&requests), namespaces.clone());
            let options = in_force.of(PlanOptions::new(profile));
            Arc::new(Injection::new(requests, namespaces, &options, metrics.clone()))
        });
        let claimants = Arc::new(Claimants::new(requests, profile, namespaces));
        let mut reviewer =
            Reviewer::new(profile, extra, options.unknown_rivals, Arc::clone(&claimants), Arc::clone(health));
        reviewer.injection.clone_from(&injection);
        reviewer.judge_by(in_force);
        let reviewer = Arc::new(reviewer);
        let slots = Slots::new(Limits::REVIEWS.connections, Limits::REVIEWS.share, Some(metrics.clone()));
        health.add(Arc::clone(&reviewer) as Arc<dyn HealthCheck>);
        health.add(Arc::clone(&slots) as Arc<dyn HealthCheck>);
        tracing::info!(
            %address,
            path = webhook_registration::path(profile),
            profile = profile.name,
            strict = extra.strict,
            "the webhook listens"
        );
        Ok(Self {
            profile,
            reviewer,
            claimants,
            injection,
            listener,
            slots,
            acceptor,
            certificates,
            loaded,
            policy,
            options,
        })
    }

    /// Answers until `stop` is true, then a little longer: anyone who was sent here before is still answered.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let (end, ends) = watch::channel(false);
        let policy = tokio::spawn(follow(
            self.profile,
            self.policy,
            Arc::clone(&self.reviewer),
            self.injection.clone(),
        ));
        let watches = tokio::spawn(async move {
            let injection = async {
                match &self.injection {
                    Some(injection) => injection.run().await,
                    None => std::future::pending().await,
                }
            };
            tokio::join!(self.claimants.run(), injection);
        });
        let reload =
            tokio::spawn(Arc::clone(&self.certificates).reload(self.loaded, self.options.certificates_every));
        let serving = tokio::spawn(serve(
            self.listener,
            Some(self.acceptor),
            Arc::clone(&self.reviewer),
            Limits::REVIEWS,
            self.slots,
            ends,
        ));
        stopped(&mut stop).await;
        self.reviewer.leave();
        tracing::info!("the webhook ends in {:?}", self.options.shutdown_delay);
        tokio::time::sleep(self.options.shutdown_delay).await;
        end.send_replace(true);
        if let Err(error) = serving.await {
            tracing::error!("the webhook's listener failed: {error}");
        }
        watches.abort();
        reload.abort();
        policy.abort();
    }
}

/// Judges by what the files say whenever they say something else. One that cannot be read changes nothing.
async fn follow(
    profile: &'static Profile,
    mut files: PolicyFiles,
    reviewer: Arc<Reviewer>,
    injection: Option<Arc<Injection>>,
) {
    let mut unread = Repeated::default();
    loop {
        tokio::time::sleep(POLICY_EVERY).await;
        match files.look() {
            Ok(None) => unread.clear(),
            Ok(Some(in_force)) => {
                tracing::info!("the policy or the lock changed");
                if let Some(injection) = &injection {
                    injection.plan_by(&in_force.of(PlanOptions::new(profile)));
                }
                reviewer.judge_by(in_force);
            }
            Err(error) if unread.is_due(&error) => {
                tracing::warn!(error, "the policy or the lock cannot be read; what held before stays");
            }
            Err(_) => {}
        }
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
