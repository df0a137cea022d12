//! Answers AdmissionReviews, and hands requests about health on. Connections are left to [`crate::server::connections`],
//! verdicts to the library.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use http::{Method, Request, StatusCode, header};
use hyper::body::Bytes;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::webhook_registration;
use kubectl_skills::plan::Options;
use kubectl_skills::plan::demands::reviewed;
use kubectl_skills::validate::admission_review::{Answer, Extra, Review};
use kubectl_skills::validate::webhook::{Rivals, Targets};

use super::claimants::Claimants;
use super::injection::Injection;
use crate::server::connections::{Handler, Reply, text, typed};
use crate::server::health::{Health, HealthCheck};
use crate::server::metrics::{Metric, Metrics};
use crate::server::policy_files::InForce;

/// What becomes of an AgentRuntime if the others of its namespace cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Unknown {
    /// It passes, as in the operator.
    Allow,
    /// It is refused with 500.
    Refuse,
}

/// Answers reviews by the rules of a profile, on the path of its operator.
pub struct Reviewer {
    profile: &'static Profile,
    path: String,
    extra: Extra,
    unknown: Unknown,
    claimants: Arc<Claimants>,
    /// Where pods are reviewed for their skills as well.
    pub injection: Option<Arc<Injection>>,
    health: Arc<Health>,
    leaving: AtomicBool,
    in_force: RwLock<Arc<InForce>>,
}

impl Reviewer {
    /// A reviewer that is ready as soon as `claimants` is.
    pub fn new(
        profile: &'static Profile,
        extra: Extra,
        unknown: Unknown,
        claimants: Arc<Claimants>,
        health: Arc<Health>,
    ) -> Self {
        let path = webhook_registration::path(profile);
        for allowed in ["true", "false"] {
            health.metrics.add(Metric::Reviews, &[allowed], 0.0);
        }
        Self {
            profile,
            path,
            extra,
            unknown,
            claimants,
            injection: None,
            health,
            leaving: AtomicBool::new(false),
            in_force: RwLock::default(),
        }
    }

    /// From now on AgentRuntimes are judged by this as well.
    pub fn judge_by(&self, in_force: InForce) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_force);
    }

    /// From now on `/readyz` says no, so that no new connections are sent here.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    fn metrics(&self) -> &Metrics {
        &self.health.metrics
    }

    async fn review(&self, request: &Request<Bytes>) -> Reply {
        let begun = Instant::now();
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            self.metrics().count(Metric::Unreadable, &[]);
            return text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &format!("the body must be application/json, not {kind:?}\n"),
            );
        }
        let review = match Review::read(self.profile, request.body()) {
            Ok(review) => review,
            Err(message) => {
                self.metrics().count(Metric::Unreadable, &[]);
                tracing::warn!("a request that is no review: {message}");
                return text(StatusCode::BAD_REQUEST, &format!("{message}\n"));
            }
        };
        let answer = self.judge(&review).await;
        self.metrics().count(Metric::Reviews, &[if answer.allowed { "true" } else { "false" }]);
        self.metrics().observe(Metric::AnswerTime, begun.elapsed());
        if answer.allowed {
            tracing::debug!(uid = %review.uid, object = %review.runtime, "allowed");
        } else {
            tracing::info!(uid = %review.uid, object = %review.runtime, "refused: {}", answer.message);
        }
        typed(StatusCode::OK, "application/json", Bytes::from(review.reply(&answer).to_string()))
    }

    async fn judge(&self, review: &Review) -> Answer {
        let mut known: Option<Targets> = None;
        if review.wants_rivals(self.extra)
            && let Ok(spec) = &review.spec
        {
            known = self.claimants.of(&review.runtime.namespace, &spec.target_ref).await;
            if known.is_none() {
                self.metrics().count(Metric::ClaimantsUnknown, &[]);
                if self.unknown == Unknown::Refuse {
                    let message = "the other AgentRuntimes of the namespace could not be read; try again";
                    return Answer::refused(500, message);
                }
            }
        }
        let rivals = known.as_ref().map_or(Rivals::Unknown, Rivals::Known);
        let in_force = Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner));
        let options = in_force.of(Options::new(self.profile));
        reviewed(review, review.judge(self.profile, rivals, self.extra), &options)
    }
}

impl HealthCheck for Reviewer {
    fn unready(&self) -> Option<String> {
        if self.leaving.load(Ordering::Relaxed) {
            return Some("shutting down".to_owned());
        }
        if !self.claimants.is_ready() {
            return Some("the AgentRuntimes have not been listed yet".to_owned());
        }
        let injection = self.injection.as_ref().filter(|injection| !injection.is_ready());
        injection.map(|_| "the SkillBindings have not been listed yet".to_owned())
    }
}

impl Handler for Reviewer {
    async fn answer(&self, request: &Request<Bytes>) -> Reply {
        let injection =
            self.injection.as_ref().filter(|_| request.uri().path() == webhook_registration::INJECT_PATH);
        if injection.is_some() || request.uri().path() == self.path {
            if request.method() == Method::POST {
                return match injection {
                    Some(injection) => injection.answer(request),
                    None => self.review(request).await,
                };
            }
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview\n");
            reply.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
            return reply;
        }
        self.health.about(request).unwrap_or_else(|| {
            text(StatusCode::NOT_FOUND, &format!("AgentRuntimes are judged at {}\n", self.path))
        })
    }
}
