//! A real API server for the length of the test run, and ways to talk to it that are not the program under test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

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

impl Server {
    /// The server that tests share; each takes a namespace of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        let sandboxes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/sandboxes.yaml");
        let sandboxes = sandboxes.to_str().expect("a path");
        SHARED.get_or_init(|| Self::start(CURRENT, &["--controller-manager", "--crd", sandboxes]))
    }

    /// A server of its own, for tests about all namespaces.
    pub fn start(version: &str, more: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/apiserver.sh");
        let crd = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/agentruntimes.yaml");
        let assets = said(Command::new(&script).args(["assets", "--version", version]));
        assert_eq!(assets.code, 0, "{}", assets.stderr);
        let dir = tempfile::Builder::new()
            .prefix("kubectl-skills-e2e-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let mut command = Command::new(&script);
        command.args(["start", "--version", version, "--dir"]).arg(&dir).arg("--crd").arg(crd);
        command.args(["--owner", &std::process::id().to_string()]).args(more);
        let started = said(&mut command);
        assert_eq!(started.code, 0, "{}", started.stderr);
        Self { dir, assets: PathBuf::from(assets.stdout.trim()) }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
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
        let mut command = self.curl();
        command.args(["-X", method, "-w", "\n%{http_code}"]).arg(format!("{}{path}", self.address()));
        if body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        let said = fed(&mut command, &body.map(Value::to_string).unwrap_or_default());
        let (text, code) = said.stdout.rsplit_once('\n').expect("a code behind the body");
        (code.parse().expect("a number"), serde_json::from_str(text).unwrap_or(Value::Null))
    }

    /// A server-side apply, whatever comes of it.
    pub fn apply(&self, path: &str, body: &Value) {
        let mut command = Command::new("curl");
        command.args(["-s", "--cacert"]).arg(self.dir.join("ca.crt"));
        command.args([
            "-H",
            "Content-Type: application/apply-patch+yaml",
            "-X",
            "PATCH",
            "--data-binary",
            "@-",
            "-H",
        ]);
        command
            .arg(format!("Authorization: Bearer {}", self.token()))
            .arg(format!("{}{path}", self.address()));
        fed(&mut command, &body.to_string());
    }

    /// Ends the API server and starts it again with the same arguments, over the same data.
    pub fn restart_api_server(&self) {
        let file = self.dir.join("kube-apiserver.pid");
        let id = std::fs::read_to_string(&file).expect("a process id").trim().to_owned();
        let line = std::fs::read(format!("/proc/{id}/cmdline")).expect("its arguments");
        let line = String::from_utf8(line).expect("text");
        let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
        said(Command::new("kill").arg(&id));
        while Path::new(&format!("/proc/{id}")).exists() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let log = std::fs::OpenOptions::new()
            .append(true)
            .open(self.dir.join("kube-apiserver.log"))
            .expect("its log");
        let mut child = Command::new(words[0])
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
            let mut command = self.curl();
            command.args(["--max-time", "2", "-o", "/dev/null", "-w", "%{http_code}"]);
            fed(command.arg(format!("{}/readyz", self.address())), "").stdout == "200"
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
        let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.create("/api/v1/namespaces", &body);
    }

    /// Creates many objects over few connections.
    pub fn create_all(&self, objects: &[(String, Value)]) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut config = String::new();
        for (number, (path, body)) in objects.iter().enumerate() {
            let file = dir.path().join(number.to_string());
            std::fs::write(&file, body.to_string()).expect("a writable directory");
            if number > 0 {
                config.push_str("next\n");
            }
            config.push_str(&format!(
                "url = \"{}{path}\"\ndata-binary = \"@{}\"\noutput = \"{}.out\"\nwrite-out = \"%{{http_code}}\\n\"\nheader = \"Content-Type: application/json\"\nheader = \"Authorization: Bearer {}\"\ncacert = \"{}\"\n",
                self.address(), file.display(), file.display(), self.token(), self.dir.join("ca.crt").display()
            ));
        }
        let said =
            fed(Command::new("curl").args(["-s", "--parallel", "--parallel-max", "8", "-K", "-"]), &config);
        let made = said.stdout.lines().filter(|code| *code == "201").count();
        assert_eq!(
            made,
            objects.len(),
            "{}",
            said.stdout.lines().find(|code| *code != "201").unwrap_or("no answer")
        );
    }

    fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args(["-s", "--cacert"]).arg(self.dir.join("ca.crt"));
        command
            .args(["-H", "Content-Type: application/json", "-H"])
            .arg(format!("Authorization: Bearer {}", self.token()));
        command
    }

    pub fn token(&self) -> String {
        let tokens = std::fs::read_to_string(self.dir.join("tokens.csv")).expect("tokens");
        tokens.split(',').next().expect("a token").to_owned()
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
