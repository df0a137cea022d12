//! A bar on stderr about bytes that come or go: on a terminal only, never with `-q` or in CI, gone when done.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::notes;

/// A bar, or nothing. Clones are the same bar.
#[derive(Clone)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins, for what is done: `pushing`.
    pub fn start(what: &str) -> Self {
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
        if notes::quiet() || notes::lists_requests() || in_ci || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
        // A template that cannot be read leaves the usual bar.
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self(Some(bar))
    }

    /// So many bytes more are to come.
    pub fn expect(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc_length(bytes);
        }
    }

    /// So many have come.
    pub fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }

    /// Wipes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
