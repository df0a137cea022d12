//! What the controller and the webhook log: lines on stderr, as JSON or for people, with the object and the run that they
//! are about.

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

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

/// Starts logging, once for a process; a second call changes nothing.
pub fn start(format: Format, level: Level) {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    // Libraries log every request at debug level; that is for `trace`.
    let wanted = LevelFilter::from(level);
    let filter = tracing_subscriber::filter::filter_fn(move |metadata| {
        *metadata.level() <= wanted
            && (level == Level::Trace
                || metadata.target().starts_with("kubectl_skills")
                || *metadata.level() <= tracing::Level::WARN)
    });
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let started = match format {
        Format::Json => tracing_subscriber::registry()
            .with(filter)
            .with(lines.json().flatten_event(true).with_current_span(true).with_span_list(false))
            .try_init(),
        Format::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
    };
    // Someone who logs already goes on doing so.
    drop(started);
}
