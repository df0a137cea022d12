//! A line on stderr about what takes long: on a terminal only, after a second, wiped when done and while anything else is
//! printed.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Silence before the first line.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// Whether a line of ours is on the screen. Held while anything is written to it, so that no line runs into another.
static SCREEN: Mutex<bool> = Mutex::new(false);
/// What is being done, the innermost last: that alone is shown.
static DOING: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// A line that is being shown, or will be. Without a terminal it is nothing.
pub struct Progress {
    shared: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    what: String,
    since: Instant,
    done: AtomicUsize,
    total: AtomicUsize,
    ended: AtomicBool,
}

impl Progress {
    /// Begins. Nothing is shown in the first second.
    pub fn start(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { shared: None, thread: None };
        }
        let shared = Arc::new(Shared {
            what: what.to_owned(),
            since: Instant::now(),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        if let Ok(mut doing) = DOING.lock() {
            doing.push(Arc::clone(&shared));
        }
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
    #[cfg(feature = "cluster")]
    pub fn count(&self, done: usize, total: usize) {
        if let Some(shared) = &self.shared {
            shared.done.store(done, Ordering::Relaxed);
            shared.total.store(total, Ordering::Relaxed);
        }
    }
}

/// Wipes the line. Whoever prints while it is still held goes through [`without`].
impl Drop for Progress {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        shared.ended.store(true, Ordering::Relaxed);
        if let Ok(mut doing) = DOING.lock() {
            doing.retain(|other| !Arc::ptr_eq(other, &shared));
        }
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread only writes to stderr; whatever became of it, the result of the run stands.
            let _ = thread.join();
        }
        without(|| ());
    }
}

/// Writes something else to the terminal: the line is wiped before, and comes again with its next tick.
pub fn without<T>(writing: impl FnOnce() -> T) -> T {
    let mut screen = SCREEN.lock();
    if let Ok(drawn) = &mut screen
        && std::mem::take(&mut **drawn)
    {
        write("\r\x1b[K");
    }
    writing()
}

impl Shared {
    fn draw(&self) {
        let innermost =
            DOING.lock().is_ok_and(|doing| doing.last().is_some_and(|last| std::ptr::eq(&**last, self)));
        if let Ok(mut drawn) = SCREEN.lock()
            && innermost
        {
            write(&format!("\r\x1b[K{}", self.line()));
            *drawn = true;
        }
    }

    /// `reading the cluster 12/40 (3 s) ...`.
    fn line(&self) -> String {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let count = if total > 0 { format!(" {done}/{total}") } else { String::new() };
        format!("{}{count} ({} s) ...", self.what, self.since.elapsed().as_secs())
    }
}

fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    // A terminal that went away takes only the progress with it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
