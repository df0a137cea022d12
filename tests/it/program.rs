//! The program as users run it: arguments and standard input in, exit code and both outputs out. The environment is empty
//! but for what a test sets.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a run said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Code and both outputs, to be compared at once.
    pub fn parts(&self) -> (i32, &str, &str) {
        (self.code, &self.stdout, &self.stderr)
    }
}

/// The program with nothing of the developer's environment: neither kubeconfig nor colours nor an external diff.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
    command.args(args).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs the program without input.
pub fn skills(args: &[&str]) -> Said {
    said(&mut program(args))
}

/// Runs the program with text on standard input.
pub fn fed(args: &[&str], input: impl AsRef<[u8]>) -> Said {
    let mut command = program(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a run");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.as_ref().to_vec();
    // The program may print before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("an end");
    // A program that refuses its arguments reads nothing.
    let _ = writer.join().expect("a writer");
    read(output)
}

/// Runs a command that a test has prepared.
pub fn said(command: &mut Command) -> Said {
    read(command.output().expect("a run"))
}

fn read(output: std::process::Output) -> Said {
    Said {
        code: output.status.code().expect("an exit code, no signal"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A folder of files.
pub struct Folder(TempDir);

impl Folder {
    /// A folder with these files; names may lead into folders.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(Path::new(name.as_ref()));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).expect("a file")
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Path of a file in it.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a UTF-8 path").to_owned()
    }

    /// Runs the program with this folder as the working directory.
    pub fn skills(&self, args: &[&str]) -> Said {
        said(program(args).current_dir(self.0.path()))
    }
}

/// A Deployment without skills.
pub const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: weather # the agent
  namespace: team1
spec:
  template:
    metadata:
      labels: {app: weather}
    spec:
      containers:
        - name: agent
          image: quay.io/acme/weather:1
";

/// Its AgentRuntime, with one skill.
pub const RUNTIME: &str = "\
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: weather, namespace: team1}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills:
    - name: pdf
      image: quay.io/acme/pdf:1
      mountPath: /skills/pdf
";

/// A SkillBinding of the same workload, with the same skill.
pub const BINDING: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: tools, namespace: team1}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills: [{name: pdf, image: 'quay.io/example/pdf:1', mountPath: /skills/pdf}]
";

/// A document that does not matter, in a style of its own.
pub const SERVICE: &str = "{\"apiVersion\": 'v1',  \"kind\": Service,\n  metadata: {name:  weather}} # odd\n";

/// All three in one stream.
pub fn stream() -> String {
    format!("{DEPLOYMENT}---\n{SERVICE}---\n{RUNTIME}")
}

/// What `render` makes of [`DEPLOYMENT`].
pub const RENDERED: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: weather # the agent
  namespace: team1
  labels:
    kagenti.io/type: agent
    app.kubernetes.io/managed-by: kagenti-operator
  annotations:
    kagenti.io/skills: '[\"pdf\"]'
spec:
  template:
    metadata:
      labels: {app: weather, kagenti.io/type: agent}
      annotations:
        kagenti.io/config-hash: \"d50a0886c9021b691a96d108e71486db791abc7e2100bbc17375b04b3a9a0d44\"
    spec:
      containers:
        - name: agent
          image: quay.io/acme/weather:1
          volumeMounts:
            - name: skill-pdf
              mountPath: /skills/pdf
              readOnly: true
      volumes:
        - name: skill-pdf
          image:
            reference: quay.io/acme/pdf:1
";

/// What `render -i` makes of it: the same with a record of what is ours.
pub fn recorded() -> String {
    let names = "    kagenti.io/skills: '[\"pdf\"]'\n";
    let record = "    skills.kagenti.dev/record: '{\"skills\":[\"pdf\"],\"container\":\"agent\"}'\n";
    RENDERED.replace(names, &[names, record].concat())
}
