//! What the webhook did, counted, and as Prometheus text. Where it is served is left to others.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of answer times, in microseconds.
const BUCKETS: [u64; 8] = [100, 250, 500, 1_000, 5_000, 25_000, 250_000, 2_500_000];

/// Counters; all of them begin at zero.
#[derive(Debug, Default)]
pub struct Metrics {
    allowed: AtomicU64,
    refused: AtomicU64,
    unreadable: AtomicU64,
    rivals_unknown: AtomicU64,
    certificates_loaded: AtomicU64,
    certificates_failed: AtomicU64,
    certificate_end: AtomicU64,
    connections: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len()],
    answers: AtomicU64,
    answer_micros: AtomicU64,
}

impl Metrics {
    /// An AdmissionReview was answered.
    pub fn answered(&self, allowed: bool, took: Duration) {
        add(if allowed { &self.allowed } else { &self.refused });
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            if micros <= bound {
                add(bucket);
            }
        }
        add(&self.answers);
        self.answer_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// A request was no AdmissionReview for this path.
    pub fn unreadable(&self) {
        add(&self.unreadable);
    }

    /// The rivals of an object could not be read.
    pub fn rivals_unknown(&self) {
        add(&self.rivals_unknown);
    }

    /// New certificate files were found: usable or not.
    pub fn certificate_loaded(&self, usable: bool) {
        add(if usable { &self.certificates_loaded } else { &self.certificates_failed });
    }

    /// When the certificate in use ends, in seconds since 1970.
    pub fn certificate_ends(&self, seconds: u64) {
        self.certificate_end.store(seconds, Ordering::Relaxed);
    }

    /// A connection was opened.
    pub fn connected(&self) {
        add(&self.connections);
    }

    /// All of it as Prometheus text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut family = |name: &str, kind: &str, help: &str, rows: &[(&str, u64)]| {
            let _ = writeln!(out, "# HELP kubectl_skills_webhook_{name} {help}");
            let _ = writeln!(out, "# TYPE kubectl_skills_webhook_{name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(out, "kubectl_skills_webhook_{name}{labels} {value}");
            }
        };
        family(
            "reviews_total",
            "counter",
            "AdmissionReviews answered.",
            &[("{allowed=\"true\"}", get(&self.allowed)), ("{allowed=\"false\"}", get(&self.refused))],
        );
        family(
            "unreadable_total",
            "counter",
            "Requests that were no AdmissionReview of an AgentRuntime.",
            &[("", get(&self.unreadable))],
        );
        family(
            "rivals_unknown_total",
            "counter",
            "Reviews answered without knowing the other AgentRuntimes of the namespace.",
            &[("", get(&self.rivals_unknown))],
        );
        family(
            "certificate_loads_total",
            "counter",
            "New certificate files found, by whether they could be used.",
            &[
                ("{outcome=\"loaded\"}", get(&self.certificates_loaded)),
                ("{outcome=\"failed\"}", get(&self.certificates_failed)),
            ],
        );
        family(
            "certificate_end_seconds",
            "gauge",
            "When the certificate in use ends, in seconds since 1970.",
            &[("", get(&self.certificate_end))],
        );
        family("connections_total", "counter", "Connections accepted.", &[("", get(&self.connections))]);
        let name = "kubectl_skills_webhook_answer_seconds";
        let _ =
            writeln!(out, "# HELP {name} Time from a whole request to its answer.\n# TYPE {name} histogram");
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {}", seconds(bound), get(bucket));
        }
        let answers = get(&self.answers);
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {answers}");
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {answers}", seconds(get(&self.answer_micros)));
        out
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Microseconds as decimal seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prometheus wants cumulative buckets; others make every quantile wrong.
    #[test]
    fn buckets_are_cumulative_and_sums_exact() {
        let metrics = Metrics::default();
        metrics.answered(true, Duration::from_micros(90));
        metrics.answered(false, Duration::from_micros(900));
        metrics.answered(true, Duration::from_secs(9));
        let text = metrics.text();
        for line in [
            "kubectl_skills_webhook_reviews_total{allowed=\"true\"} 2",
            "kubectl_skills_webhook_reviews_total{allowed=\"false\"} 1",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"0.0001\"} 1",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"0.001\"} 2",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"2.5\"} 2",
            "kubectl_skills_webhook_answer_seconds_bucket{le=\"+Inf\"} 3",
            "kubectl_skills_webhook_answer_seconds_sum 9.00099",
            "kubectl_skills_webhook_answer_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}
