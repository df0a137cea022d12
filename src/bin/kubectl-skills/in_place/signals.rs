//! Signals that ask the program to end, while files are written: they are noted, and obeyed once the temporary files are
//! removed. Those that the caller has ignored (`nohup`, a job in the background) stay ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGQUIT};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::Failure;

#[cfg(unix)]
const WATCHED: [(i32, &str); 4] =
    [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP"), (SIGQUIT, "SIGQUIT")];
#[cfg(not(unix))]
const WATCHED: [(i32, &str); 2] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")];

/// Notes the last signal that came; 0 for none.
pub(super) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on signals are noted and end nothing.
    pub(super) fn catch() -> Result<Self, Failure> {
        let caught = Arc::new(AtomicUsize::new(0));
        for (signal, name) in WATCHED {
            if is_ignored(signal) {
                continue;
            }
            signal_hook::flag::register_usize(signal, Arc::clone(&caught), signal as usize)
                .map_err(|error| Failure::Io(format!("cannot watch for {name}"), error))?;
        }
        Ok(Self(caught))
    }

    /// Whether one has come.
    pub(super) fn caught(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The name of the one that has come.
    pub(super) fn first(&self) -> Option<&'static str> {
        let caught = self.0.load(Ordering::Relaxed);
        WATCHED.iter().find(|(signal, _)| *signal as usize == caught).map(|(_, name)| *name)
    }

    /// Ends the process as the signal would have: shells and make look at it.
    pub(super) fn end(&self) {
        let signal = self.0.load(Ordering::Relaxed);
        let signal = i32::try_from(signal).unwrap_or(SIGTERM);
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
}

/// Whether the caller has the signal ignored. Linux says so in /proc; elsewhere nobody can be asked without unsafe code.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal - 1) & 1 == 1
}
