//! `render -i` while it is killed, while somebody edits the same files, and with few descriptors: each file is the old or
//! the new one, and no edit is lost. `IN_PLACE_ROUNDS` says how often (`make in-place`: 100).

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{DEPLOYMENT, Folder, RUNTIME, program, recorded, said};

const FILES: usize = 60;

fn rounds() -> u32 {
    std::env::var("IN_PLACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// Agents of a folder, before and after.
struct Agents {
    folder: Folder,
    old: Vec<String>,
    new: Vec<String>,
}

impl Agents {
    fn new(count: usize) -> Self {
        let numbered = |deployment: &str, number: usize| {
            let text = format!("{deployment}---\n{RUNTIME}").replace("weather", &format!("w{number}"));
            text.replace(&format!("acme/w{number}"), "acme/weather")
        };
        let agents = Self {
            folder: Folder::with(&[]),
            old: (0..count).map(|number| numbered(DEPLOYMENT, number)).collect(),
            new: (0..count).map(|number| numbered(&recorded(), number)).collect(),
        };
        agents.reset();
        agents
    }

    fn reset(&self) {
        for (number, text) in self.old.iter().enumerate() {
            self.folder.write(Self::name(number), text);
        }
    }

    fn name(number: usize) -> String {
        format!("m/{number:04}.yaml")
    }

    fn render(&self) -> Command {
        let mut command = program(&["render", "-i", "-f", "m"]);
        command.current_dir(self.folder.root()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How many files are new; none may be half of either.
    fn written(&self, what: &str) -> usize {
        let texts = (0..self.old.len()).map(|number| (number, self.folder.read(&Self::name(number))));
        texts
            .filter(|(number, text)| {
                let new = *text == self.new[*number];
                assert!(
                    new || *text == self.old[*number],
                    "{what}: file {number} is neither old nor new: {text}"
                );
                new
            })
            .count()
    }

    fn temporary(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path("m")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names.filter(|name| name.to_string_lossy().starts_with('.')).count()
    }
}

/// A repository has more files than a process may have descriptors.
#[test]
fn two_thousand_files_are_written_with_sixty_four_descriptors() {
    let agents = Agents::new(2000);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" render -i -f m", env!("CARGO_BIN_EXE_kubectl-skills")]);
    let said = said(command.current_dir(agents.folder.root()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!((agents.written("64 descriptors"), agents.temporary()), (2000, 0));
}

/// Killed at any moment: whole files; after a signal that can be caught no temporary file stays, after SIGKILL until the
/// next run.
#[test]
fn a_run_that_is_killed_leaves_whole_files_and_nothing_else() {
    let agents = Agents::new(FILES);
    // The shortest of three: where other work held up the first, all that follow would have ended before their signal.
    let runs = [(); 3].map(|()| {
        agents.reset();
        let began = Instant::now();
        assert!(agents.render().status().expect("a run").success(), "a run to its end");
        began.elapsed()
    });
    let whole = runs.into_iter().min().expect("three runs");
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let mut killed = 0;
        for round in 0..rounds() {
            agents.reset();
            let child = agents.render().spawn().expect("a run");
            std::thread::sleep(whole * round / rounds());
            let pid = Pid::from_child(&child);
            // It may be done already.
            let _ = kill_process(pid, signal);
            let output = child.wait_with_output().expect("an end");
            let stderr = String::from_utf8_lossy(&output.stderr);
            let what = format!("{signal:?} in round {round}: {:?}, {stderr}", output.status);
            let written = agents.written(&what);
            if output.status.signal().is_none() {
                assert_eq!((output.status.code(), written), (Some(0), FILES), "{what}");
            } else {
                killed += 1;
                assert_eq!(output.status.signal(), Some(signal.as_raw()), "{what}");
            }
            if signal != Signal::KILL {
                assert_eq!(agents.temporary(), 0, "{what}: temporary files stay");
                let reported = format!("{written} of {FILES} files are written; not written: ");
                assert!(
                    !stderr.contains("stopped by") || written == FILES || stderr.contains(&reported),
                    "{what}"
                );
            }
        }
        assert!(killed > 0, "no run was ended by {signal:?}");
        let again = agents.render().output().expect("a run");
        assert!(again.status.success(), "{again:?}");
        assert_eq!((agents.written("the next run"), agents.temporary()), (FILES, 0), "leftovers are cleaned");
    }
}

/// Somebody appends lines, or saves whole files as editors do, while the files are written.
#[test]
fn no_edit_of_somebody_else_is_lost() {
    let agents = Agents::new(FILES);
    let (mut refused, mut edited) = (0, 0);
    for round in 0..rounds() {
        agents.reset();
        let mut child = agents.render().spawn().expect("a run");
        let mut edits = vec![0; FILES];
        let mut number = round as usize;
        while child.try_wait().expect("a child").is_none() {
            number = (number * 31 + 7) % FILES;
            let line = format!("# edit {}\n", edits[number]);
            if round % 2 == 0 {
                append(&agents, number, &line)
            } else {
                save(&agents, number, &line)
            }
            edits[number] += 1;
            edited += 1;
            std::thread::sleep(Duration::from_micros(300));
        }
        let output = child.wait_with_output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let what = format!("round {round}: {:?}, {stderr}", output.status);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{what}");
        refused += usize::from(output.status.code() == Some(3));
        for (number, edits) in edits.iter().enumerate() {
            let text = agents.folder.read(&Agents::name(number));
            let lines: String = (0..*edits).map(|edit| format!("# edit {edit}\n")).collect();
            let is_whole = [&agents.old[number], &agents.new[number]]
                .into_iter()
                .any(|whole| text.strip_prefix(whole.as_str()) == Some(&lines));
            assert!(
                is_whole,
                "{what}: file {number} has lost an edit or half of itself; {lines} wanted in {text}"
            );
        }
        assert_eq!(agents.temporary(), 0, "{what}: temporary files stay");
    }
    assert!(refused > 0 && edited > 0, "{edited} edits, and no run met one");
}

fn append(agents: &Agents, number: usize, line: &str) {
    let path = agents.folder.path(&Agents::name(number));
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("a file");
    file.write_all(line.as_bytes()).expect("a line");
}

fn save(agents: &Agents, number: usize, line: &str) {
    let name = Agents::name(number);
    agents.folder.write("editor", format!("{}{line}", agents.folder.read(&name)));
    std::fs::rename(agents.folder.path("editor"), agents.folder.path(&name)).expect("a rename");
}
