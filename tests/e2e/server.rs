//! A real API server for the length of the test run, and ways to talk to it that are not the program under test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::objects::{gates_on, one, path_of};

/// Server with image volumes.
pub const CURRENT: &str = "1.37.2";
/// Server with image volumes switched off, as it comes.
pub const GATE_OFF: &str = "1.33.13";

/// A running server. It ends with this test process.
pub struct Server {
    dir: PathBuf,
    assets: PathBuf,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Tells how long a test took, from its first look at a server to the end of its thread, which bears its name.
struct Stopwatch(Instant);

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if let Some(name) = std::thread::current().name() {
            eprintln!("took {:5.1} s: {name}", self.0.elapsed().as_secs_f64());
        }
    }
}

thread_local! {
    static STOPWATCH: Stopwatch = Stopwatch(Instant::now());
}

impl Server {
    /// The server that tests share; each takes a namespace of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        let sandboxes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/sandboxes.yaml");
        let sandboxes = sandboxes.to_str().expect("a path");
        STOPWATCH.with(|_| ());
        SHARED.get_or_init(|| Self::start(CURRENT, &["--controller-manager", "--crd", sandboxes]))
    }

    /// The shared server with a new namespace, and the gate over skills on.
    pub fn with_gate_on(namespace: &str) -> &'static Self {
        let server = Self::shared();
        server.namespace(namespace);
        // Several tests make these, and the first one wins.
        let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kagenti-system"}});
        server.request("POST", "/api/v1/namespaces", Some(&system));
        server.request("POST", &path_of(&gates_on()), Some(&gates_on()));
        server
    }

    /// A server of its own, for tests about all namespaces.
    pub fn start(version: &str, more: &[&str]) -> Self {
        let crd = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/agentruntimes.yaml");
        Self::start_with(version, &[&["--crd", crd.to_str().expect("a path")], more].concat())
    }

    /// A server of its own with the CRDs that 'crd' prints, by its arguments, and no others.
    pub fn with_crds(crds: &[&[&str]]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut more = vec!["--controller-manager".to_owned()];
        for (index, args) in crds.iter().enumerate() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
            let printed = said(command.arg("crd").args(*args));
            assert_eq!(printed.code, 0, "{}", printed.stderr);
            let path = folder.path().join(format!("{index}.yaml"));
            std::fs::write(&path, printed.stdout).expect("a file");
            more.extend(["--crd".to_owned(), path.to_str().expect("a path").to_owned()]);
        }
        // Alpha, and off by default: without it what nodes report of image volumes is dropped.
        more.extend(["--".to_owned(), "--feature-gates=ImageVolumeWithDigest=true".to_owned()]);
        Self::start_with(CURRENT, &more.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start_with(version: &str, more: &[&str]) -> Self {
        STOPWATCH.with(|_| ());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/apiserver.sh");
        let assets = said(Command::new(&script).args(["assets", "--version", version]));
        assert_eq!(assets.code, 0, "{}", assets.stderr);
        let dir = tempfile::Builder::new()
            .prefix("kubectl-skills-e2e-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let mut command = Command::new(&script);
        command.args(["start", "--version", version, "--dir"]).arg(&dir);
        command.args(["--owner", &std::process::id().to_string()]).args(more);
        let started = said(&mut command);
        assert_eq!(started.code, 0, "{}", started.stderr);
        Self { dir, assets: PathBuf::from(assets.stdout.trim()) }
    }

    /// Where its certificates, tokens, logs and process ids are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir().join("kubeconfig")
    }

    /// Runs the program under test as the administrator.
    pub fn skills(&self, args: &[&str]) -> Said {
        self.skills_fed(args, "")
    }

    pub fn skills_fed(&self, args: &[&str], stdin: &str) -> Said {
        fed(&mut self.skills_command(args), stdin)
    }

    pub fn skills_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
        command
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .env("NO_COLOR", "1")
            .env_remove("KUBECTL_EXTERNAL_DIFF");
        command
    }

    pub fn kubectl(&self, args: &[&str], stdin: &str) -> Said {
        let said = fed(
            Command::new(self.assets.join("kubectl")).args(args).env("KUBECONFIG", self.kubeconfig()),
            stdin,
        );
        assert!(said.code == 0 || args.first() == Some(&"diff"), "kubectl {args:?}: {}", said.stderr);
        said
    }

    pub fn kubectl_path(&self) -> PathBuf {
        self.assets.join("kubectl")
    }

    /// One request; the answer's code and body.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.send(method, path, "application/json", body)
    }

    /// A server-side apply, whatever comes of it.
    pub fn apply(&self, path: &str, body: &Value) {
        self.send("PATCH", path, "application/apply-patch+yaml", Some(body));
    }

    /// Merges a patch into an object, under the name of a field manager.
    pub fn merge(&self, object: &Value, manager: &str, patch: &Value) -> Value {
        let path = format!("{}?fieldManager={manager}", one(object));
        let (code, answer) = self.send("PATCH", &path, "application/merge-patch+json", Some(patch));
        assert_eq!(code, 200, "PATCH {path}: {answer}\n{patch}");
        answer
    }

    /// A request with a body of any type. None of a server that is not there is a failure of the test.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request { method, path, content_type, token: &self.token(), body: body.as_bytes() };
        let (code, text) = http::send(&self.address(), &self.dir.join("ca.crt"), &request)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (code, serde_json::from_slice(&text).unwrap_or(Value::Null))
    }

    /// Process id of one of its programs, such as `etcd`.
    pub fn process(&self, program: &str) -> String {
        let file = self.dir.join(format!("{program}.pid"));
        std::fs::read_to_string(file).expect("a process id").trim().to_owned()
    }

    /// Program and arguments of one of its programs.
    pub fn command_line(&self, program: &str) -> Vec<String> {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.process(program))).expect("its arguments");
        let line = String::from_utf8(line).expect("text");
        line.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    }

    /// Ends the API server by a signal and starts it again with the same arguments, over the same data.
    pub fn restart_api_server(&self, signal: &str) {
        let file = self.dir.join("kube-apiserver.pid");
        let id = self.process("kube-apiserver");
        let words = self.command_line("kube-apiserver");
        said(Command::new("kill").args([&format!("-{signal}"), &id]));
        while Path::new(&format!("/proc/{id}")).exists() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let log = std::fs::OpenOptions::new()
            .append(true)
            .open(self.dir.join("kube-apiserver.log"))
            .expect("its log");
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same log"))
            .stderr(log)
            .spawn()
            .expect("an API server");
        std::fs::write(&file, child.id().to_string()).expect("a writable file");
        // Whoever waits for its end looks whether the process is there; unreaped it always would be.
        std::thread::spawn(move || child.wait());
        let ready = || {
            let token = self.token();
            let (path, content_type) = ("/readyz", "application/json");
            let request = Request { method: "GET", path, content_type, token: &token, body: b"" };
            let answer = http::send(&self.address(), &self.dir.join("ca.crt"), &request);
            answer.is_ok_and(|(code, _)| code == 200)
        };
        for _ in 0..600 {
            if ready() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("the API server does not come back");
    }

    pub fn get(&self, path: &str) -> Value {
        let (code, body) = self.request("GET", path, None);
        assert_eq!(code, 200, "GET {path}: {body}");
        body
    }

    pub fn create(&self, path: &str, body: &Value) -> Value {
        let (code, answer) = self.request("POST", path, Some(body));
        assert!(code == 201, "POST {path}: {code} {answer}\n{body}");
        answer
    }

    pub fn namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.create("/api/v1/namespaces", &body);
    }

    /// Creates many objects over few connections.
    pub fn create_all(&self, objects: &[(String, Value)]) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while let Some((path, body)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.create(path, body);
                    }
                });
            }
        });
    }

    /// The administrator's token.
    pub fn token(&self) -> String {
        self.token_of("admin")
    }

    pub fn token_of(&self, user: &str) -> String {
        let tokens = std::fs::read_to_string(self.dir.join("tokens.csv")).expect("tokens");
        let prefix = format!("{user}-");
        let line = tokens.lines().find(|line| line.starts_with(&prefix)).expect("a user of the server");
        line.split(',').next().expect("a token").to_owned()
    }

    pub fn address(&self) -> String {
        let config = std::fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let rest = config.split("server: \"").nth(1).expect("a server");
        rest.split('"').next().expect("its end").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/apiserver.sh");
        said(Command::new(script).args(["stop", "--dir"]).arg(&self.dir));
        // Its logs are for who looks for a failure; without one they and etcd's data would only fill the disk.
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.dir));
        }
    }
}

fn said(command: &mut Command) -> Said {
    fed(command, "")
}

/// Runs a command with text on its standard input.
pub fn fed(command: &mut Command, stdin: &str) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let text = stdin.to_owned();
    let mut pipe = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        // A command that does not read to the end is no failure of the test.
        let _ = pipe.write_all(text.as_bytes());
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("an end");
    writer.join().expect("a writer");
    Said {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
