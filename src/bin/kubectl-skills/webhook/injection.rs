//! Puts the skills of SkillBindings with `delivery: Pod` into pods as they are created: a review in, its answer out, from what
//! a watch has brought. What a pod gets is the library's; nothing is read while the API server waits.
//!
//! Before everything was listed once nothing is known, and that is not "none": such a review fails, and the registration's
//! failurePolicy decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use hyper::body::Bytes;
use kubectl_skills::api::object::{Object, Origin};
use kubectl_skills::api::pod_owner::owners;
use kubectl_skills::plan::Options;
use kubectl_skills::plan::bindings::{Binding, Bindings};
use kubectl_skills::plan::pod_injection::{Injected, Injector, is_injectable};
use kubectl_skills::validate::pod_review::{PodAnswer, PodReview};
use serde_json::Value;

use super::watches;
use crate::cluster::informer::{Change, Store};
use crate::cluster::paths::skill_bindings;
use crate::cluster::requests::Requests;
use crate::cluster::watch::{Transform, Update, WatchId};
use crate::server::connections::{Reply, text, typed};
use crate::server::metrics::{Metric, Metrics};

/// What becomes of pods, as the metric has it.
const OUTCOMES: [&str; 5] = ["injected", "unchanged", "untargeted", "refused", "unknown"];

/// Keeps what identifies a SkillBinding, and its spec.
#[derive(Debug, Clone, Copy)]
struct SpecOnly;

impl Transform for SpecOnly {
    fn apply(&self, mut object: Value) -> Value {
        if let Some(map) = object.as_object_mut() {
            map.shift_remove("status");
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.retain(|key, _| {
                    matches!(key.as_str(), "name" | "namespace" | "resourceVersion" | "deletionTimestamp")
                });
            }
        }
        object
    }
}

/// SkillBindings by namespace, and what they do to pods.
pub struct Injection {
    requests: Arc<Requests>,
    namespaces: Vec<String>,
    injector: RwLock<Arc<Injector>>,
    metrics: Metrics,
    /// What each watch has brought; none for one that cannot be read, which the CRD lets nobody write.
    stores: RwLock<Vec<Store<Option<Binding>>>>,
    /// The index of a namespace, made when it is asked for.
    indexes: Mutex<HashMap<String, Arc<Bindings>>>,
}

impl Injection {
    /// Nothing is read yet: see [`Injection::run`].
    pub fn new(
        requests: Arc<Requests>,
        namespaces: Vec<String>,
        options: &Options,
        metrics: Metrics,
    ) -> Self {
        for outcome in OUTCOMES {
            metrics.add(Metric::Injections, &[outcome], 0.0);
        }
        let watches = watches::number(&namespaces);
        Self {
            requests,
            namespaces,
            injector: RwLock::new(Arc::new(Injector::new(options))),
            metrics,
            stores: RwLock::new((0..watches).map(|_| Store::default()).collect()),
            indexes: Mutex::default(),
        }
    }

    /// From now on pods are planned with these options.
    pub fn plan_by(&self, options: &Options) {
        *self.injector.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Injector::new(options));
    }

    /// Watches; returns only when dropped.
    pub async fn run(&self) {
        let of_kind = ("skillbindings", skill_bindings);
        let mut updates = watches::start(&self.requests, &self.namespaces, of_kind, false, SpecOnly);
        while let Some((id, update)) = updates.recv().await {
            self.take(id, update);
        }
    }

    fn take(&self, id: WatchId, update: Update) {
        let changed = match &update {
            Update::Put(object) | Update::Gone(object) => Some(Object(object).namespace().to_owned()),
            _ => None,
        };
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = stores.get_mut(id) else { return };
        let change = store.take(update, |object| read(&object), |old, new| old != new);
        drop(stores);
        match change {
            Change::Lost { error, first: true } => {
                tracing::warn!(error = %error.one_line(), "a watch of SkillBindings broke; it is tried again");
            }
            Change::Objects => {
                let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
                match changed {
                    Some(namespace) => drop(indexes.remove(&namespace)),
                    None => indexes.clear(),
                }
            }
            _ => {}
        }
    }

    /// Whether everything was listed once.
    pub fn is_ready(&self) -> bool {
        self.stores.read().unwrap_or_else(PoisonError::into_inner).iter().all(Store::is_listed)
    }

    fn of_namespace(&self, namespace: &str) -> Arc<Bindings> {
        // Held meanwhile: an index that is made of what was there before a change must not stay.
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = indexes.entry(namespace.to_owned()).or_insert_with(|| {
            let from = (namespace.to_owned(), String::new());
            let here = stores.iter().flat_map(|store| {
                store.objects().range(from.clone()..).take_while(|((of, _), _)| of == namespace)
            });
            Arc::new(Bindings::new(here.filter_map(|(_, binding)| binding.clone())))
        });
        Arc::clone(index)
    }

    /// Answers a review.
    pub fn answer(&self, request: &Request<Bytes>) -> Reply {
        let begun = std::time::Instant::now();
        let review = match PodReview::read(request.body()) {
            Ok(review) => review,
            Err(message) => {
                self.metrics.count(Metric::Unreadable, &[]);
                tracing::warn!("a request that is no review of a new pod: {message}");
                return text(StatusCode::BAD_REQUEST, &format!("{message}\n"));
            }
        };
        let known = self.namespaces.is_empty() || self.namespaces.contains(&review.namespace);
        if !known || !self.is_ready() {
            self.metrics.count(Metric::Injections, &["unknown"]);
            let why = if known { "have not been listed yet" } else { "of that namespace are not watched" };
            return text(StatusCode::SERVICE_UNAVAILABLE, &format!("the SkillBindings {why}\n"));
        }
        let (outcome, answer) = self.judge(&review);
        self.metrics.count(Metric::Injections, &[outcome]);
        self.metrics.observe(Metric::AnswerTime, begun.elapsed());
        typed(StatusCode::OK, "application/json", Bytes::from(review.reply(&answer).to_string()))
    }

    fn judge(&self, review: &PodReview) -> (&'static str, PodAnswer) {
        let index = self.of_namespace(&review.namespace);
        let pod = &review.pod;
        let bindings = index.of_pod(&review.namespace, &owners(pod), pod.pointer("/metadata/labels"));
        if bindings.is_empty() || !is_injectable(pod) {
            return ("untargeted", PodAnswer::Allowed);
        }
        let name = |key| Object(pod).str(key).to_owned();
        let name = Some(name("/metadata/name"))
            .filter(|own| !own.is_empty())
            .unwrap_or_else(|| name("/metadata/generateName"));
        let injector = Arc::clone(&self.injector.read().unwrap_or_else(PoisonError::into_inner));
        match injector.inject(pod, &bindings) {
            Injected::Unchanged => ("unchanged", PodAnswer::Allowed),
            Injected::Patched { patch, given, warnings } => {
                tracing::debug!(namespace = %review.namespace, pod = %name, skills = %given.join(","), "injected");
                let patch = STANDARD.encode(Value::Array(patch).to_string());
                ("injected", PodAnswer::Patched { patch, warnings })
            }
            Injected::Refused(findings) => {
                let whose: Vec<String> = bindings.iter().map(|binding| binding.id.name.clone()).collect();
                let said: Vec<String> = findings
                    .iter()
                    .map(|one| match one.help.as_str() {
                        "" => one.message.clone(),
                        help => format!("{} ({help})", one.message),
                    })
                    .collect();
                let message = format!("SkillBinding {}: {}", whose.join(", "), said.join("; "));
                tracing::info!(namespace = %review.namespace, pod = %name, "refused: {message}");
                ("refused", PodAnswer::Refused(message))
            }
        }
    }
}

fn read(object: &Value) -> Option<Binding> {
    let id = Object(object).reference();
    Binding::of(id.clone(), Origin::default(), object)
        .inspect_err(|errors| {
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            tracing::warn!(binding = %id, "cannot be read and is left out: {}", said.join("; "));
        })
        .ok()
}
