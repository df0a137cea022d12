//! Numbers about the running controller, and their text in the Prometheus exposition format. A registry of our own of this
//! size rather than a crate: counters, gauges and one histogram over labels that are known here are all there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A number that is told. The order is that of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Runs over AgentRuntimes, by result.
    Reconciles,
    /// Failures, by reason.
    Errors,
    /// Requests that changed something, by what was written.
    Writes,
    /// Requests sent, attempts and reads included.
    Requests,
    /// Workloads brought back after somebody changed what is ours.
    DriftHealed,
    /// Writes that `--dry-run` kept back.
    WithheldWrites,
    /// Events left out because too many were due.
    EventsDropped,
    /// Times that a watch had to begin again from a list, by what is watched.
    Relists,
    /// AgentRuntimes that wait for their turn.
    QueueDepth,
    /// AgentRuntimes that wait for a time.
    QueueDelayed,
    /// Runs under way.
    InFlight,
    /// AgentRuntimes seen.
    Runtimes,
    /// AgentRuntimes whose last run ended in an error.
    RuntimesFailing,
    /// AgentRuntimes left alone because another writer owns them.
    RuntimesContested,
    /// Skill images mounted.
    SkillsMounted,
    /// Objects held in memory, by kind.
    CachedObjects,
    /// Whether this replica leads.
    Leader,
    /// Whether everything that is watched has been seen.
    Synced,
    /// The gate over skills.
    GateOpen,
    /// Rights that were missing when they were asked for last.
    RightsMissing,
    /// Version and profile, value 1.
    BuildInfo,
}

const ALL: [Metric; 21] = [
    Metric::Reconciles,
    Metric::Errors,
    Metric::Writes,
    Metric::Requests,
    Metric::DriftHealed,
    Metric::WithheldWrites,
    Metric::EventsDropped,
    Metric::Relists,
    Metric::QueueDepth,
    Metric::QueueDelayed,
    Metric::InFlight,
    Metric::Runtimes,
    Metric::RuntimesFailing,
    Metric::RuntimesContested,
    Metric::SkillsMounted,
    Metric::CachedObjects,
    Metric::Leader,
    Metric::Synced,
    Metric::GateOpen,
    Metric::RightsMissing,
    Metric::BuildInfo,
];

const PREFIX: &str = "kubectl_skills_";

impl Metric {
    /// Name without the prefix, label keys, help; a counter by its ending.
    fn about(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Reconciles => (
                "reconciles_total",
                &["result"],
                "Runs over AgentRuntimes by result: written, unchanged, error.",
            ),
            Self::Errors => ("errors_total", &["reason"], "Failures by reason."),
            Self::Writes => {
                ("writes_total", &["what"], "Requests that changed something, by what was written.")
            }
            Self::Requests => {
                ("requests_total", &[], "Requests sent to the API server, watches and retries included.")
            }
            Self::DriftHealed => {
                ("drift_healed_total", &[], "Workloads brought back after somebody changed what is ours.")
            }
            Self::WithheldWrites => ("withheld_writes_total", &["what"], "Writes that --dry-run kept back."),
            Self::EventsDropped => {
                ("events_dropped_total", &[], "Events left out because too many were due.")
            }
            Self::Relists => ("relists_total", &["resource"], "Watches begun again from a list."),
            Self::QueueDepth => ("queue_depth", &[], "AgentRuntimes that wait for their turn."),
            Self::QueueDelayed => {
                ("queue_delayed", &[], "AgentRuntimes that wait for a time: requeues, backoff, rollouts.")
            }
            Self::InFlight => ("reconciles_in_flight", &[], "Runs under way."),
            Self::Runtimes => ("runtimes", &[], "AgentRuntimes seen."),
            Self::RuntimesFailing => {
                ("runtimes_failing", &[], "AgentRuntimes whose last run ended in an error.")
            }
            Self::RuntimesContested => (
                "runtimes_contested",
                &[],
                "AgentRuntimes left alone because another writer owns their workload.",
            ),
            Self::SkillsMounted => ("skills_mounted", &[], "Skill images mounted into workloads."),
            Self::CachedObjects => ("cached_objects", &["kind"], "Objects held in memory."),
            Self::Leader => ("leader", &[], "1 while this replica leads."),
            Self::Synced => ("synced", &[], "1 once everything that is watched has been seen."),
            Self::GateOpen => ("gate_open", &[], "1 while the feature gate over skills is on."),
            Self::RightsMissing => {
                ("rights_missing", &[], "Rights that were missing when they were asked for last.")
            }
            Self::BuildInfo => {
                ("build_info", &["version", "profile", "revision"], "1; labels tell what runs.")
            }
        }
    }
}

/// Upper bounds of the histograms, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

#[derive(Debug, Default, Clone)]
struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += seconds;
    }

    fn write(&self, name: &str, help: &str, out: &mut String) {
        let _ = writeln!(out, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} histogram");
        let mut total = 0;
        for (bound, count) in BOUNDS.iter().zip(self.counts) {
            total += count;
            let _ = writeln!(out, "{PREFIX}{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        total += self.counts[BOUNDS.len()];
        let _ = writeln!(out, "{PREFIX}{name}_bucket{{le=\"+Inf\"}} {total}");
        let _ = writeln!(out, "{PREFIX}{name}_sum {}\n{PREFIX}{name}_count {total}", self.sum);
    }
}

#[derive(Debug, Default)]
struct Numbers {
    values: BTreeMap<(Metric, Vec<String>), f64>,
    lag: Histogram,
    duration: Histogram,
}

/// The registry. Clones are of one and the same.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Numbers>>);

impl Metrics {
    /// Counts one.
    pub fn count(&self, metric: Metric, labels: &[&str]) {
        self.add(metric, labels, 1.0);
    }

    /// Counts some.
    pub fn add(&self, metric: Metric, labels: &[&str], by: f64) {
        *self.lock().values.entry(key(metric, labels)).or_default() += by;
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: &[&str], to: f64) {
        self.lock().values.insert(key(metric, labels), to);
    }

    /// How long a key waited, and how long its run took.
    pub fn observe_run(&self, waited: Duration, took: Duration) {
        let mut numbers = self.lock();
        numbers.lag.observe(waited.as_secs_f64());
        numbers.duration.observe(took.as_secs_f64());
    }

    /// The text of all numbers. What has no labels is told from the start, at 0.
    pub fn text(&self) -> String {
        let numbers = self.lock();
        let mut out = String::new();
        for metric in ALL {
            let (name, keys, help) = metric.about();
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let _ = writeln!(out, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}");
            let from = (metric, Vec::new());
            let mut any = false;
            for ((_, labels), value) in
                numbers.values.range(from..).take_while(|((found, _), _)| *found == metric)
            {
                any = true;
                let labels: Vec<String> = keys
                    .iter()
                    .zip(labels)
                    .map(|(key, value)| format!("{key}=\"{}\"", escape(value)))
                    .collect();
                let labels =
                    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let _ = writeln!(out, "{PREFIX}{name}{labels} {value}");
            }
            if !any && keys.is_empty() {
                let _ = writeln!(out, "{PREFIX}{name} 0");
            }
        }
        numbers.lag.write("queue_wait_seconds", "How long AgentRuntimes waited for their turn.", &mut out);
        numbers.duration.write(
            "reconcile_seconds",
            "How long runs took, waiting for the API server included.",
            &mut out,
        );
        out
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(metric: Metric, labels: &[&str]) -> (Metric, Vec<String>) {
    (metric, labels.iter().map(|label| (*label).to_owned()).collect())
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.count(Metric::Errors, &["a\"b\\c\nd"]);
        metrics.add(Metric::Writes, &["workload"], 2.0);
        metrics.set(Metric::QueueDepth, &[], 7.0);
        metrics.observe_run(Duration::from_millis(20), Duration::from_secs(90));
        let text = metrics.text();
        for line in [
            "# TYPE kubectl_skills_errors_total counter\nkubectl_skills_errors_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n",
            "kubectl_skills_writes_total{what=\"workload\"} 2\n",
            "# TYPE kubectl_skills_queue_depth gauge\nkubectl_skills_queue_depth 7\n",
            "kubectl_skills_drift_healed_total 0\n",
            "kubectl_skills_queue_wait_seconds_bucket{le=\"0.01\"} 0\nkubectl_skills_queue_wait_seconds_bucket{le=\"0.025\"} 1\n",
            "kubectl_skills_reconcile_seconds_bucket{le=\"60\"} 0\nkubectl_skills_reconcile_seconds_bucket{le=\"+Inf\"} 1\n",
            "kubectl_skills_reconcile_seconds_sum 90\nkubectl_skills_reconcile_seconds_count 1\n",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(PREFIX) && value.parse::<f64>().is_ok(), "{line}");
        }
    }

    /// A metric that is not in the list would be counted and never told.
    #[test]
    fn every_metric_is_told_once_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ALL.len(), Metric::BuildInfo as usize + 1);
    }
}
