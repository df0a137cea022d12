//! The part of the loop that is about SkillBindings: what they ask to be watched, their own runs, the pods that are made
//! anew, and what came of the workloads that they are about.

use std::sync::Arc;
use std::time::Duration;

use kubectl_skills::plan::Finalizer;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Left, Loop, PODS_SETTLE, Started, WORKLOADS_SETTLE};
use crate::cluster::watch::watch_once_served;
use crate::controller::cache::Target;
use crate::controller::clock;
use crate::controller::queue::Again;
use crate::controller::reconcile::binding::BindingDecision;
use crate::controller::reconcile::binding_write::{write, write_rollout};
use crate::controller::unit::Unit;
use crate::controller::watch_targets::{Watched, kind_watches, pod_watches};
use crate::server::logging::RUN;

impl Loop {
    /// Begins to watch what SkillBindings ask for and is not watched yet.
    pub(super) fn watch_more(&mut self) {
        let (profile, scope) = (self.context.planning.profile, &self.settings.scope);
        let kinds = self.cache.index().kinds();
        if kinds.is_empty() {
            return;
        }
        let mut more = Vec::new();
        let mut next = self.cache.sources();
        for kind in kinds.into_iter().filter(|kind| !self.cache.has_source(Watched::Workloads(*kind))) {
            let resource = self.context.resource(kind);
            let watches = kind_watches(profile, scope, (kind, resource), next);
            next += watches.len();
            let api = resource.base.to_owned();
            more.extend(watches.into_iter().map(|(about, source)| (about, api.clone(), source)));
        }
        if !self.cache.has_source(Watched::SkillsOfPods) {
            let watches = pod_watches(scope, next);
            more.extend(watches.into_iter().map(|(about, source)| (about, "/api/v1".to_owned(), source)));
        }
        self.cache.add(more.iter().map(|(about, _, source)| (*about, source.what.clone())));
        for (_, api, source) in more {
            tracing::info!(what = source.what, "SkillBindings ask for it: watched from now on");
            tokio::spawn(watch_once_served(Arc::clone(&self.watches), api, source, self.reports.clone()));
        }
    }

    pub(super) fn start_rollout(&mut self, target: Target, hash: String, waited: Duration, now: Instant) {
        let workload = self.cache.workload(&target).unwrap_or_default();
        self.writing.insert(target.clone());
        self.runs += 1;
        let unit = Unit::Rollout(target.clone());
        let span = tracing::info_span!(
            RUN,
            id = self.runs,
            object = %unit,
            action = "restarted",
            failed = tracing::field::Empty,
        );
        let of = Some(target.clone());
        let started = Started { unit, target: of, wanted: 0, drift: false, skills: 0, at: now, waited };
        let run = write_rollout(Arc::clone(&self.context), target, workload, hash);
        self.under_way.push(Box::pin(async move { (started, run.instrument(span).await) }));
    }

    pub(super) fn start_binding(
        &mut self,
        unit: Unit,
        decision: BindingDecision,
        waited: Duration,
        now: Instant,
    ) {
        // Whoever writes pods hears of a change as this loop does, and perhaps a little later.
        let rollouts = decision.rollouts.iter().cloned().map(Unit::Rollout);
        self.queue.spread(rollouts, self.settings.rollout_rate, now + PODS_SETTLE);
        if decision.finalizer == Finalizer::Keep && decision.status.is_none() {
            self.left.insert(unit.clone(), Left { failing: !decision.refused.is_empty(), ..Left::default() });
            self.queue.done(&unit, Again::No, now);
            return;
        }
        self.runs += 1;
        let span = tracing::info_span!(
            RUN,
            id = self.runs,
            object = %unit,
            action = tracing::field::Empty,
            failed = tracing::field::Empty,
        );
        let started = Started { unit, target: None, wanted: 0, drift: false, skills: 0, at: now, waited };
        let run = write(Arc::clone(&self.context), decision, clock::seconds());
        self.under_way.push(Box::pin(async move { (started, run.instrument(span).await) }));
    }

    /// What came of a workload is for the SkillBindings about it to say.
    pub(super) fn tell_bindings(&mut self, target: &Target, written: bool, message: String, now: Instant) {
        let known = self.failures.get(target).is_some_and(|known| *known == message);
        let was_known = if message.is_empty() {
            self.failures.remove(target).is_none()
        } else if self.cache.index().has(target) {
            self.failures.insert(target.clone(), message);
            known
        } else {
            true
        };
        let mut bindings = std::mem::take(&mut self.waiting);
        if written || !was_known {
            bindings.extend(self.cache.index().of(target).cloned().map(Unit::Binding));
        }
        for unit in bindings {
            self.queue.add_at(unit, now + WORKLOADS_SETTLE);
        }
    }
}
