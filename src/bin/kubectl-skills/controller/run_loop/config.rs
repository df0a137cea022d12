//! What the loop reads while it runs: ConfigMaps of the operator, the file of gates, the policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use kubectl_skills::api::object::ConfigMap;
use tokio::time::Instant;

use super::{CONFIG_AGAIN, Loop, Reading};
use crate::cluster::error::ClusterError;
use crate::controller::config::{Snapshot, read_gates_file};
use crate::controller::config_read;
use crate::controller::reconcile::execute::reason;
use crate::controller::unit::Unit;
use crate::server::metrics::Metric;

impl Loop {
    /// Whether ConfigMaps may be read: they are watched, so that later changes are noticed, and are not being read; the policy is
    /// known that the plans are to keep.
    pub(super) fn may_read_config(&self) -> bool {
        self.in_force.is_some()
            && self.reading.is_none()
            && self.cache.synced()
            && self.cache.config_is_live()
    }

    pub(super) fn read_config(&mut self) {
        self.config_due = None;
        let (context, places) = (Arc::clone(&self.context), Arc::clone(&self.places));
        self.reading = Some(Box::pin(async move { config_read::read(&context.requests, &places).await }));
    }

    /// Makes a new snapshot of the configuration.
    pub(super) fn configure(&mut self, read: Result<Vec<ConfigMap>, ClusterError>) {
        let now = Instant::now();
        let maps = match read {
            Ok(maps) => maps,
            Err(error) => {
                self.metrics.count(Metric::Errors, &[reason(&error.failure)]);
                let error = error.one_line();
                if self.unread_config.is_due(&error) {
                    tracing::warn!(error, "ConfigMaps cannot be read; those of before stay");
                }
                self.config_due.get_or_insert(now + CONFIG_AGAIN);
                return;
            }
        };
        let planning = &self.context.planning;
        let Some(in_force) = &self.in_force else { return };
        let options = in_force.of(planning.options());
        let new = match Snapshot::new(options, planning.view, maps, &self.settings.gates) {
            Ok(new) => Arc::new(new),
            Err(error) => {
                self.metrics.count(Metric::Errors, &["FeatureGates"]);
                tracing::error!(
                    %error,
                    kept = self.snapshot.is_some(),
                    "feature gates cannot be read; those of before stay"
                );
                return;
            }
        };
        match self.snapshot.replace(Arc::clone(&new)) {
            None if self.leading => self.add_all(),
            None => {}
            Some(old) => {
                let concerned = old.concerned(&new, self.cache.runtime_keys());
                // What SkillBindings alone give hangs on no ConfigMap, but on these.
                let bound = if old.judges_as(&new) { BTreeSet::new() } else { self.cache.binding_units() };
                if old.gate() != new.gate() {
                    tracing::info!(gate = new.gate(), "the feature gate over skills changed");
                }
                if !concerned.is_empty() {
                    tracing::info!(
                        agentruntimes = concerned.len(),
                        rate = self.settings.rollout_rate,
                        "the configuration changed"
                    );
                }
                if self.leading {
                    let concerned = concerned.into_iter().map(Unit::Runtime).chain(bound);
                    self.queue.spread(concerned, self.settings.rollout_rate, now);
                }
            }
        }
    }

    /// What held before stays where a file cannot be read.
    pub(super) fn read_policy(&mut self) {
        match self.policy_files.look() {
            Ok(Some(new)) if self.in_force.as_ref() != Some(&new) => {
                tracing::info!("the policy or the lock changed");
                self.in_force = Some(new);
                self.config_due = Some(Instant::now());
            }
            Ok(_) => self.unread_policy.clear(),
            Err(error) if self.unread_policy.is_due(&error) => {
                tracing::warn!(error, "the policy or the lock cannot be read; what held before stays");
            }
            Err(_) => {}
        }
    }

    pub(super) fn read_gates(&mut self) {
        let Some(path) = &self.settings.gates_path else { return };
        match read_gates_file(path) {
            Ok(file) if self.settings.gates.file.as_ref() != Some(&file) => {
                tracing::info!(path = file.path, "the feature gates file changed");
                self.settings.gates.file = Some(file);
                self.config_due = Some(Instant::now());
            }
            Ok(_) => self.unread_gates.clear(),
            // The gates of before stay: a file that cannot be read says nothing.
            Err(error) if self.unread_gates.is_due(&error.to_string()) => {
                tracing::warn!(path = %path.display(), %error, "the feature gates file cannot be read");
            }
            Err(_) => {}
        }
    }
}

/// The end of a look at the ConfigMaps; never, where none is under way.
pub(super) async fn end_of(reading: &mut Option<Reading>) -> Result<Vec<ConfigMap>, ClusterError> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
