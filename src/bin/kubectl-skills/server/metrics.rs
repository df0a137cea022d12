//! One registry of numbers for whatever runs in the process, and their text in the Prometheus exposition format. Serving
//! that text is left to [`super::health`].
//!
//! A registry of our own rather than a crate: every metric and label is known here, and the text of the known crates is
//! OpenMetrics, which would rename what dashboards read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PREFIX: &str = "kubectl_skills_";

/// Declares the metrics: documentation that is also the help text, name without prefix, label keys. A counter's name ends
/// in `_total`. The order is that of the output.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $metric:ident = $name:literal [$($label:literal),*],)+) => {
        /// A number that is reported.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric { $($(#[doc = $help])+ $metric,)+ }

        const ALL: &[Metric] = &[$(Metric::$metric,)+];

        impl Metric {
            fn describe(self) -> Description {
                match self {
                    $(Self::$metric => Description {
                        name: $name, labels: &[$($label),*], help: concat!($($help),+),
                    },)+
                }
            }
        }
    };
}

struct Description {
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

metrics! {
    /// Reconciliations of AgentRuntimes by result: written, unchanged, error.
    Reconciles = "reconciles_total" ["result"],
    /// Failures by reason.
    Errors = "errors_total" ["reason"],
    /// Requests that changed something, by what was written.
    Writes = "writes_total" ["what"],
    /// Requests sent to the API server, watches and retries included.
    Requests = "requests_total" [],
    /// Workloads corrected after another writer changed what is ours.
    DriftHealed = "drift_healed_total" [],
    /// Writes that --dry-run held back.
    WithheldWrites = "withheld_writes_total" ["what"],
    /// Events left out because too many were due or the API server refused them.
    EventsDropped = "events_dropped_total" [],
    /// Watches begun again from a list.
    Relists = "relists_total" ["resource"],
    /// AgentRuntimes that wait for their turn.
    QueueDepth = "queue_depth" [],
    /// AgentRuntimes that wait for a time: requeues, backoff, rollouts.
    QueueDelayed = "queue_delayed" [],
    /// Reconciliations under way.
    InFlight = "reconciles_in_flight" [],
    /// AgentRuntimes seen.
    Runtimes = "runtimes" [],
    /// AgentRuntimes whose last reconciliation ended in an error.
    RuntimesFailing = "runtimes_failing" [],
    /// AgentRuntimes left alone because another writer owns their workload.
    RuntimesContested = "runtimes_contested" [],
    /// Skill images mounted into workloads.
    SkillsMounted = "skills_mounted" [],
    /// Objects held in memory.
    CachedObjects = "cached_objects" ["kind"],
    /// 1 while this replica leads.
    Leader = "leader" [],
    /// 1 once everything that is watched has been listed.
    Synced = "synced" [],
    /// 1 while the feature gate over skills is on.
    GateOpen = "gate_open" [],
    /// Rights that were missing when they were last asked for.
    RightsMissing = "rights_missing" [],
    /// 1; the labels say what runs.
    BuildInfo = "build_info" ["version", "profile", "revision"],
    /// How long AgentRuntimes waited for their turn.
    QueueWait = "queue_wait_seconds" [],
    /// How long reconciliations took, waiting for the API server included.
    ReconcileTime = "reconcile_seconds" [],
    /// AdmissionReviews answered.
    Reviews = "webhook_reviews_total" ["allowed"],
    /// Pods reviewed for their skills, by what became of them: injected, unchanged, untargeted, refused, unknown.
    Injections = "webhook_injections_total" ["outcome"],
    /// Requests that were no AdmissionReview of an AgentRuntime, nor of a new pod.
    Unreadable = "webhook_unreadable_total" [],
    /// Reviews answered without knowing the other AgentRuntimes of the namespace.
    ClaimantsUnknown = "webhook_rivals_unknown_total" [],
    /// New certificate files found, by whether they could be used.
    CertificateLoads = "webhook_certificate_loads_total" ["outcome"],
    /// When the certificate in use expires, in seconds since 1970.
    CertificateEnd = "webhook_certificate_end_seconds" [],
    /// Connections accepted.
    Connections = "webhook_connections_total" [],
    /// Connections that are open.
    ConnectionsOpen = "webhook_connections_open" [],
    /// Connections closed to make room, by what they were doing: new, idle, receiving.
    ConnectionsEvicted = "webhook_connections_evicted_total" ["phase"],
    /// Connections refused because none could be closed for them.
    ConnectionsRefused = "webhook_connections_refused_total" [],
    /// 1 while no connection is free, or an address holds its whole share of them.
    ConnectionsFull = "webhook_connections_full" [],
    /// Time from a whole request to its answer.
    AnswerTime = "webhook_answer_seconds" [],
}

/// What runs in the process and reports its numbers from the start, at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The loop.
    #[cfg(feature = "controller")]
    Controller,
    /// The admission webhook.
    #[cfg(feature = "webhook")]
    Webhook,
}

impl Part {
    fn reports(self, name: &str) -> bool {
        match self {
            #[cfg(feature = "controller")]
            Self::Controller => !name.starts_with("webhook_"),
            #[cfg(feature = "webhook")]
            Self::Webhook => name.starts_with("webhook_"),
        }
    }
}

impl Metric {
    /// Upper bounds of a histogram's buckets, in seconds.
    fn bounds(self) -> Option<&'static [f64]> {
        match self {
            Self::QueueWait | Self::ReconcileTime => {
                Some(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0])
            }
            Self::AnswerTime => Some(&[0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.25, 2.5]),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    /// Observations by bucket, not cumulative; the last one has no bound.
    counts: Vec<u64>,
    total: Duration,
}

#[derive(Debug, Default)]
struct Numbers {
    values: BTreeMap<Metric, BTreeMap<Vec<String>, f64>>,
    histograms: BTreeMap<Metric, Histogram>,
    reported: BTreeSet<Metric>,
}

/// The registry. Clones share their numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Numbers>>);

impl Metrics {
    /// Reports the numbers of a part from now on. One that has labels appears with its first value.
    pub fn report(&self, part: Part) {
        let all = ALL.iter().copied().filter(|metric| part.reports(metric.describe().name));
        self.lock().reported.extend(all);
    }

    /// Counts one.
    pub fn count(&self, metric: Metric, labels: &[&str]) {
        self.add(metric, labels, 1.0);
    }

    /// Adds to a number.
    pub fn add(&self, metric: Metric, labels: &[&str], by: f64) {
        *self.lock().values.entry(metric).or_default().entry(owned(labels)).or_default() += by;
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: &[&str], to: f64) {
        self.lock().values.entry(metric).or_default().insert(owned(labels), to);
    }

    /// Adds an observation to a histogram; other metrics ignore it.
    pub fn observe(&self, metric: Metric, took: Duration) {
        let Some(bounds) = metric.bounds() else { return };
        let mut numbers = self.lock();
        let histogram = numbers.histograms.entry(metric).or_default();
        histogram.counts.resize(bounds.len() + 1, 0);
        let bucket = bounds.iter().position(|bound| took.as_secs_f64() <= *bound).unwrap_or(bounds.len());
        histogram.counts[bucket] += 1;
        histogram.total += took;
    }

    /// The text of all numbers that are reported.
    pub fn text(&self) -> String {
        let numbers = self.lock();
        let mut out = String::new();
        for metric in numbers.reported.iter().copied() {
            let Description { name, labels, help } = metric.describe();
            let kind = match metric.bounds() {
                Some(_) => "histogram",
                None if name.ends_with("_total") => "counter",
                None => "gauge",
            };
            let _ = writeln!(out, "# HELP {PREFIX}{name} {}\n# TYPE {PREFIX}{name} {kind}", help.trim());
            if let Some(bounds) = metric.bounds() {
                numbers.histograms.get(&metric).cloned().unwrap_or_default().write(name, bounds, &mut out);
                continue;
            }
            let values = numbers.values.get(&metric);
            if values.is_none() && labels.is_empty() {
                let _ = writeln!(out, "{PREFIX}{name} 0");
            }
            for (found, value) in values.into_iter().flatten() {
                let pairs: Vec<String> = labels
                    .iter()
                    .zip(found)
                    .map(|(key, value)| format!("{key}=\"{}\"", escape(value)))
                    .collect();
                let pairs = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
                let _ = writeln!(out, "{PREFIX}{name}{pairs} {value}");
            }
        }
        out
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Histogram {
    fn write(&self, name: &str, bounds: &[f64], out: &mut String) {
        let mut total = 0;
        let endless = [f64::INFINITY];
        for (index, bound) in bounds.iter().chain(&endless).enumerate() {
            total += self.counts.get(index).copied().unwrap_or_default();
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            let _ = writeln!(out, "{PREFIX}{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        let sum = self.total.as_secs_f64();
        let _ = writeln!(out, "{PREFIX}{name}_sum {sum}\n{PREFIX}{name}_count {total}");
    }
}

fn owned(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(all(test, feature = "controller", feature = "webhook"))]
mod tests {
    use super::*;

    /// Prometheus wants cumulative buckets, escaped labels and numbers; anything else makes it drop the whole scrape.
    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.report(Part::Controller);
        metrics.report(Part::Webhook);
        metrics.count(Metric::Errors, &["a\"b\\c\nd"]);
        metrics.add(Metric::Writes, &["workload"], 2.0);
        metrics.set(Metric::QueueDepth, &[], 7.0);
        metrics.observe(Metric::QueueWait, Duration::from_millis(20));
        metrics.observe(Metric::ReconcileTime, Duration::from_secs(90));
        for micros in [90, 900, 9_000_000] {
            metrics.observe(Metric::AnswerTime, Duration::from_micros(micros));
        }
        let text = metrics.text();
        for line in [
            "# TYPE kubectl_skills_errors_total counter\nkubectl_skills_errors_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n",
            "kubectl_skills_writes_total{what=\"workload\"} 2\n",
            "# HELP kubectl_skills_queue_depth AgentRuntimes that wait for their turn.\n# TYPE kubectl_skills_queue_depth gauge\n\
             kubectl_skills_queue_depth 7\n",
            "kubectl_skills_drift_healed_total 0\n",
            "kubectl_skills_queue_wait_seconds_bucket{le=\"0.01\"} 0\nkubectl_skills_queue_wait_seconds_bucket{le=\"0.025\"} 1\n",
            "kubectl_skills_reconcile_seconds_bucket{le=\"60\"} 0\nkubectl_skills_reconcile_seconds_bucket{le=\"+Inf\"} 1\n",
            "kubectl_skills_reconcile_seconds_sum 90\nkubectl_skills_reconcile_seconds_count 1\n",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"0.0001\"} 1\n",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"0.001\"} 2\n",
            "kubectl_skills_webhook_answer_seconds_sum 9.00099\nkubectl_skills_webhook_answer_seconds_count 3\n",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(PREFIX) && value.parse::<f64>().is_ok(), "{line}");
        }
    }

    /// A process that runs the webhook alone must not report an idle loop, on which people alert.
    #[test]
    fn only_what_runs_is_reported() {
        let metrics = Metrics::default();
        metrics.report(Part::Webhook);
        metrics.set(Metric::Leader, &[], 0.0);
        let text = metrics.text();
        assert!(text.contains("kubectl_skills_webhook_connections_open 0\n"), "{text}");
        assert!(!text.contains("kubectl_skills_leader"), "{text}");
    }

    /// An alert on a number that nobody reports never fires; and the dashboard shows all that is reported.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may read files")]
    fn alerts_dashboard_and_pages_name_what_is_reported() {
        let names = |file: &str| -> BTreeSet<String> {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(path).expect(file);
            let rests = text.split(PREFIX).skip(1);
            let ends = |c: char| !c.is_ascii_lowercase() && c != '_';
            rests.filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
        };
        let known: BTreeSet<String> = ALL
            .iter()
            .map(|metric| (metric.describe().name, metric.bounds()))
            .map(|(name, bounds)| if bounds.is_some() { format!("{name}_bucket") } else { name.to_owned() })
            .collect();
        for file in [
            "deploy/chart/templates/monitoring.yaml",
            "docs/operations.md",
            "docs/troubleshooting.md",
            "docs/webhook.md",
        ] {
            let found = names(file);
            assert!(!found.is_empty() && found.is_subset(&known), "{file}: {found:?}");
        }
        assert_eq!(names("deploy/chart/files/dashboard.json"), known);
    }
}
