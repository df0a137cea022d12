//! `-k`: a folder in, what the installed kustomize makes of it out. Its complaints go to stderr as they are.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::kustomization::runs_functions;
use crate::exit::Failure;

/// Longest build. Remote bases are cloned meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);

/// kubectl's own first: who writes `-k` has kubectl in mind.
const BUILDERS: [(&str, &str); 2] = [("kubectl", "kustomize"), ("kustomize", "build")];

/// Builds the kustomization of a folder.
pub fn build(folder: &Path) -> Result<Vec<u8>, Failure> {
    for (program, verb) in BUILDERS {
        let what = format!("{program} {verb} {}", folder.display());
        let spawned =
            Command::new(program).arg(verb).arg(folder).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        match spawned {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::Io(what, error)),
            Ok(child) => return output(child, what, folder),
        }
    }
    Err(Failure::input(
        "-k needs kubectl or kustomize, and neither is on the PATH",
        "install one of them, or pipe the output of your own in with -f -",
    ))
}

fn output(mut child: Child, what: String, folder: &Path) -> Result<Vec<u8>, Failure> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let read = super::read::bounded(stdout, 0);
            // Nobody listens any more when the build took too long.
            let _ = sender.send(read);
        });
    }
    let read = match receiver.recv_timeout(PATIENCE) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let killed = child.kill().and_then(|()| child.wait().map(drop));
            let reported = format!("no result within {} s", PATIENCE.as_secs());
            return Err(Failure::Io(
                what,
                killed.err().unwrap_or(std::io::Error::new(ErrorKind::TimedOut, reported)),
            ));
        }
    };
    let status = child.wait().map_err(|error| Failure::Io(what.clone(), error))?;
    if !status.success() {
        if runs_functions(folder) {
            return Err(Failure::input(
                format!("{what}: it failed ({status})"),
                "the folder lists transformers, and -k runs none: name the folder that it is built of, or build it with \
                 kustomize and its flags for functions, and give the output with -f -",
            ));
        }
        return Err(Failure::Io(what, std::io::Error::other(format!("it failed ({status})"))));
    }
    read.map_err(|error| Failure::Io(what, error))
}
