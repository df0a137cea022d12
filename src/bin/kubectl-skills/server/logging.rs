//! What the controller and the webhook log: lines on stderr, as JSON or for people, with the object and the run that they
//! are about; and, where the environment names a collector, traces ([`super::traces`]).

use std::time::Duration;

use clap::ValueEnum;
use tokio::time::Instant;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Name of the span that a run of the controller is in.
#[cfg(any(feature = "controller", feature = "otlp"))]
pub const RUN: &str = "run";

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Failures.
    Error,
    /// And what should be looked into.
    Warn,
    /// And every change made.
    #[default]
    Info,
    /// And every run.
    Debug,
    /// And what the libraries below have to say.
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// What has to be sent when the program ends; `None` if there are no traces.
#[cfg(feature = "otlp")]
pub type Unsent = Option<super::traces::Traces>;
/// Nothing.
#[cfg(all(feature = "controller", not(feature = "otlp")))]
pub type Unsent = Option<std::convert::Infallible>;

/// Starts logging, once for a process; a second call changes nothing.
pub fn start(format: Format, level: Level) {
    // Someone who logs already goes on doing so.
    drop(tracing_subscriber::registry().with(lines(format, level)).try_init());
}

/// The same, and traces of runs where the environment asks for them.
///
/// # Errors
/// Variables for traces that cannot be understood.
#[cfg(feature = "controller")]
pub fn start_traced(
    format: Format,
    level: Level,
    runtime: &tokio::runtime::Handle,
) -> Result<Unsent, String> {
    #[cfg(feature = "otlp")]
    if let Some((layer, traces)) = super::traces::layer(runtime)? {
        drop(tracing_subscriber::registry().with(lines(format, level)).with(layer).try_init());
        return Ok(Some(traces));
    }
    let _ = runtime;
    start(format, level);
    Ok(None)
}

fn lines<S>(format: Format, level: Level) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    // Libraries log every request at debug level; that is for `trace`.
    let wanted = LevelFilter::from(level);
    let filter = filter_fn(move |metadata| {
        *metadata.level() <= wanted
            && (level == Level::Trace
                || metadata.target().starts_with("kubectl_skills")
                || *metadata.level() <= tracing::Level::WARN)
    });
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let lines = match format {
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        Format::Text => lines.boxed(),
    };
    lines.with_filter(filter)
}

/// Sends what is left.
#[cfg(feature = "controller")]
pub async fn end(unsent: Unsent) {
    #[cfg(not(feature = "otlp"))]
    let _ = unsent;
    #[cfg(feature = "otlp")]
    if let Some(traces) = unsent {
        let ended = tokio::task::spawn_blocking(move || traces.end()).await;
        if let Err(error) = ended.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(error, "the last traces were not sent");
        }
    }
}

/// A message that would be logged again and again: it is due when it changes, and then after twice the time each time.
#[derive(Debug, Default)]
pub struct Repeated {
    message: String,
    next: Option<Instant>,
    wait: Duration,
    first: Duration,
}

/// The first repetition, and the longest time between two.
const REPEATED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

impl Repeated {
    /// One that is due only if it still holds after so long.
    #[cfg(feature = "controller")]
    pub fn after(first: Duration) -> Self {
        Self { first, ..Self::default() }
    }

    /// Whether the message is to be logged now. An empty one says that all is well.
    pub fn is_due(&mut self, message: &str) -> bool {
        if message.is_empty() {
            self.clear();
            return false;
        }
        let now = Instant::now();
        if self.message != message {
            let news = self.message.is_empty();
            self.message = message.to_owned();
            self.wait = REPEATED.0;
            let after = if news { self.first } else { Duration::ZERO };
            if !after.is_zero() {
                self.next = Some(now + after);
                return false;
            }
        } else if self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.next = Some(now + self.wait);
        self.wait = (2 * self.wait).min(REPEATED.1);
        true
    }

    /// All is well: the next message is news.
    pub fn clear(&mut self) {
        self.message.clear();
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster without CRDs over a weekend must not fill the log, and must still say why nothing happens.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_stays_is_logged_ever_more_seldom() {
        let mut repeated = Repeated::default();
        let mut logged = Vec::new();
        for second in 0..4000 {
            if repeated.is_due("no CRD") {
                logged.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(logged, [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030, 3630]);
        assert!(repeated.is_due("another"), "what changes is news");
        assert!(!repeated.is_due(""));
        assert!(repeated.is_due("another"));
    }
}
