//! What the clients of a cluster and of registries have in common: the runtime, who they say they are, when they ask
//! again. What is asked, and of whom, is theirs.

pub mod duration;
pub mod retry;

use http::HeaderValue;

use crate::build_info;
use crate::exit::Failure;

/// A runtime of this thread.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io("start the network runtime".into(), error))
}

/// Runs a future to its end on this thread.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(future);
    // A blocked name lookup or credential plugin must not keep the program from ending.
    runtime.shutdown_background();
    result
}

/// `kubectl-skills/0.1.0 (linux/amd64) apply`, with system and machine as Go names them.
pub fn user_agent(verb: &'static str) -> HeaderValue {
    let (system, machine) = (build_info::os(), build_info::architecture());
    let text = format!("kubectl-skills/{} ({system}/{machine}) {verb}", env!("CARGO_PKG_VERSION"));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("kubectl-skills"))
}

/// An error and its causes in one line, each once, without the names that libraries give to their layers.
pub fn chain(error: &dyn std::error::Error) -> String {
    const LAYERS: [&str; 4] =
        ["ServiceError: ", "HyperError: ", "client error (Connect)", "client error (SendRequest)"];
    let mut parts: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let text = LAYERS.iter().fold(inner.to_string(), |text, layer| text.replace(layer, ""));
        let text = text.trim_start_matches(": ").trim();
        if !text.is_empty() && !parts.iter().any(|part| part.contains(text)) {
            parts.push(text.to_owned());
        }
        cause = inner.source();
    }
    parts.join(": ")
}
