//! Answers HTTP requests whose whole body has been read. Connections are left to [`super::connections`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::webhook_registration;
use kubectl_skills::validate::admission_review::{Answer, Extra, Review};
use kubectl_skills::validate::webhook::{Rivals, Targets};

use super::claimants::Claimants;
use super::metrics::Metrics;

/// What becomes of a request whose rivals are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Unknown {
    /// It passes, as in the operator.
    Allow,
    /// It is refused with 500.
    Refuse,
}

/// Everything that an answer depends on.
pub struct Reviewer<S> {
    profile: &'static Profile,
    path: String,
    extra: Extra,
    unknown: Unknown,
    rivals: Arc<S>,
    metrics: Arc<Metrics>,
    leaving: AtomicBool,
}

/// A request without its connection.
pub struct Asked<'r> {
    /// Method.
    pub method: &'r Method,
    /// Path without query.
    pub path: &'r str,
    /// `Content-Type`; empty where there is none.
    pub content_type: &'r str,
    /// Whole body.
    pub body: &'r [u8],
}

type Answered = Response<Full<Bytes>>;

impl<S: Claimants> Reviewer<S> {
    /// Judges by the rules of a profile, on the path of its operator.
    pub fn new(
        profile: &'static Profile,
        extra: Extra,
        unknown: Unknown,
        rivals: Arc<S>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let path = webhook_registration::path(profile);
        Self { profile, path, extra, unknown, rivals, metrics, leaving: AtomicBool::new(false) }
    }

    /// From now on `/readyz` says no, so that no new connections are sent here.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Why no reviews should be sent here, where that is so.
    pub fn unready(&self) -> Option<&'static str> {
        if self.leaving.load(Ordering::Relaxed) {
            return Some("shutting down");
        }
        (!self.rivals.ready()).then_some("the AgentRuntimes are not yet read")
    }

    /// Answers.
    pub async fn answer(&self, asked: &Asked<'_>) -> Answered {
        if asked.path == self.path {
            return match *asked.method {
                Method::POST => self.review(asked).await,
                _ => {
                    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview\n");
                    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
                    answer
                }
            };
        }
        self.about(asked).unwrap_or_else(|| {
            text(StatusCode::NOT_FOUND, &format!("AgentRuntimes are judged at {}\n", self.path))
        })
    }

    /// Answers to what is asked about the webhook itself, which needs no TLS.
    pub fn about(&self, asked: &Asked<'_>) -> Option<Answered> {
        if !matches!(*asked.method, Method::GET | Method::HEAD) {
            return None;
        }
        match asked.path {
            "/healthz" => Some(text(StatusCode::OK, "ok\n")),
            "/readyz" => Some(match self.unready() {
                None => text(StatusCode::OK, "ok\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            }),
            "/metrics" => Some(typed(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                Bytes::from(self.metrics.text()),
            )),
            _ => None,
        }
    }

    async fn review(&self, asked: &Asked<'_>) -> Answered {
        let begun = Instant::now();
        let kind = asked.content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            self.metrics.unreadable();
            return text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &format!("the body must be application/json, not {kind:?}\n"),
            );
        }
        let review = match Review::read(self.profile, asked.body) {
            Ok(review) => review,
            Err(message) => {
                self.metrics.unreadable();
                tracing::warn!("a request that is no review: {message}");
                return text(StatusCode::BAD_REQUEST, &format!("{message}\n"));
            }
        };
        let rivals = if review.wants_rivals(self.extra) { self.rivals_of(&review).await } else { Some(None) };
        let answer = match &rivals {
            None => {
                Answer::refused(500, "the other AgentRuntimes of the namespace could not be read; try again")
            }
            Some(known) => {
                let rivals = known.as_ref().map_or(Rivals::Unknown, Rivals::Known);
                review.judge(self.profile, rivals, self.extra)
            }
        };
        let took = begun.elapsed();
        self.metrics.answered(answer.allowed, took);
        if answer.allowed {
            tracing::debug!(uid = %review.uid, object = %review.runtime, "allowed");
        } else {
            tracing::info!(uid = %review.uid, object = %review.runtime, "refused: {}", answer.message);
        }
        typed(StatusCode::OK, "application/json", Bytes::from(review.reply(&answer).to_string()))
    }

    /// None: to be refused. `Some(None)`: not known, and so judged without.
    async fn rivals_of(&self, review: &Review) -> Option<Option<Targets>> {
        let Ok(spec) = &review.spec else { return Some(None) };
        let found = self.rivals.targets(&review.runtime.namespace, &spec.target_ref).await;
        if found.is_none() {
            self.metrics.rivals_unknown();
            if self.unknown == Unknown::Refuse {
                return None;
            }
        }
        Some(found)
    }
}

/// A plain text answer.
pub fn text(status: StatusCode, text: &str) -> Answered {
    typed(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

fn typed(status: StatusCode, kind: &'static str, body: Bytes) -> Answered {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    answer
}
