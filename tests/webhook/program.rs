//! The program under test as a process: started with a scripted API server behind it, its log read as it comes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running webhook.
pub struct Program {
    child: Child,
    log: Receiver<Value>,
    /// Where reviews are taken.
    pub address: String,
    /// Where health is served.
    pub health: String,
}

impl Program {
    /// Starts and waits until it listens.
    pub fn start(server: &str, certificates: &Path, more: &[&str]) -> Self {
        Self::run(command(certificates, &[&["--server", server], more].concat()))
    }

    /// Runs such a command line and waits until it listens.
    pub fn run(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program");
        let (sender, log) = channel();
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut program = Self { child, log, address: String::new(), health: String::new() };
        program.address =
            program.logged("the webhook listens")["address"].as_str().expect("an address").to_owned();
        program.health = program.logged("health and metrics are served")["address"]
            .as_str()
            .expect("an address")
            .to_owned();
        program
    }

    /// Waits for a line that begins so.
    pub fn logged(&self, begin: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(30);
        let mut seen = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("no {begin:?} in {seen:#?}"));
            if line["message"].as_str().is_some_and(|message| message.starts_with(begin)) {
                return line;
            }
            seen.push(line);
        }
    }

    /// Code and body of a health path.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.health).expect("the health listener");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        (head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code"), body.to_owned())
    }

    /// Waits until a health path answers so.
    pub fn until(&self, path: &str, code: u16) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.get(path).0 != code {
            assert!(Instant::now() < until, "{path} is still {:?}", self.get(path));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The most memory that it has held so far, in KiB (Linux).
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// A signal, such as TERM.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// The exit code; waits at most that long.
    pub fn ended(&mut self, within: Duration) -> Option<i32> {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The command line.
pub fn command(certificates: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
    command.args(["webhook", "--health-address", "127.0.0.1:0"]);
    for (flag, value) in [("--shutdown-delay", "0s"), ("--webhook-address", "127.0.0.1:0")] {
        if !more.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command.args(["--certificates-every", "50ms", "--certificates"]).arg(certificates).args(more);
    // No kubeconfig of whoever runs the tests.
    command.env("KUBECONFIG", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
