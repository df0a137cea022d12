//! A line on stderr about what takes long: on a terminal only, after a second, wiped when done.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Silence before the first line.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// A line that is being shown, or will be. Without a terminal it is nothing.
pub struct Progress {
    shared: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    what: String,
    done: AtomicUsize,
    total: AtomicUsize,
    ended: AtomicBool,
    /// Held while a line is written, so that no tick comes after the wipe.
    screen: Mutex<bool>,
}

impl Progress {
    /// Begins alongside lines on stdout: shown only where those go elsewhere than to the terminal.
    pub fn beside_output(what: &str) -> Self {
        if std::io::stdout().is_terminal() { Self { shared: None, thread: None } } else { Self::start(what) }
    }

    /// Begins. Nothing is shown in the first second.
    pub fn start(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { shared: None, thread: None };
        }
        let shared = Arc::new(Shared {
            what: what.to_owned(),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            screen: Mutex::new(false),
        });
        let shown = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            std::thread::park_timeout(PATIENCE);
            while !shown.ended.load(Ordering::Relaxed) {
                shown.draw();
                std::thread::park_timeout(TICK);
            }
        });
        Self { shared: Some(shared), thread: Some(thread) }
    }

    /// How many of how many are done.
    pub fn count(&self, done: usize, total: usize) {
        if let Some(shared) = &self.shared {
            shared.done.store(done, Ordering::Relaxed);
            shared.total.store(total, Ordering::Relaxed);
        }
    }

    /// Wipes the line.
    pub fn end(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread only writes to stderr; whatever became of it, the result of the run stands.
            let _ = thread.join();
        }
        if shared.screen.lock().is_ok_and(|drawn| *drawn) {
            write("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn draw(&self) {
        let Ok(mut drawn) = self.screen.lock() else { return };
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let count = if total > 0 { format!(" {done}/{total}") } else { String::new() };
        write(&format!("\r\x1b[K{}{count}...", self.what));
        *drawn = true;
    }
}

fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    // A terminal that went away takes only the progress with it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
