//! A replica of the controller: a process behind a proxy of its own, killed and started again as often as the plan says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::Place;
use crate::inputs::SYSTEM;
use crate::proxy::Proxy;
use crate::server::Server;

/// How long a lease lasts: short, so that it changes hands often.
pub const LEASE: Duration = Duration::from_secs(4);

pub struct Replica {
    /// `a` or `b`.
    pub name: &'static str,
    pub proxy: Proxy,
    kubeconfig: PathBuf,
    logs: PathBuf,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    child: Option<Child>,
    /// How many processes there have been.
    processes: usize,
    kills: usize,
}

impl Replica {
    /// A replica that does not run yet. `user` is whom the API server takes it for.
    pub fn new(name: &'static str, user: &str, server: &Server, place: &Place, dir: &Path) -> Self {
        let proxy = Proxy::start(place);
        let kubeconfig = dir.join(format!("kubeconfig-{name}"));
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "chaos",
            "clusters": [{"name": "chaos", "cluster": {"server": proxy.address}}],
            "users": [{"name": user, "user": {"token": server.token_of(user)}}],
            "contexts": [{"name": "chaos", "context": {"cluster": "chaos", "user": user, "namespace": SYSTEM}}],
        });
        std::fs::write(&kubeconfig, text.to_string()).expect("a writable directory");
        Self { name, proxy, kubeconfig, logs: dir.to_owned(), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self, server: &Server) {
        let mut running = self.running();
        running.processes += 1;
        let process = format!("{}-{}", self.name, running.processes);
        // Its requests carry this name into the audit log, and its lease the same.
        self.proxy.name(&process);
        let log =
            std::fs::File::create(self.logs.join(format!("{process}.log"))).expect("a writable directory");
        let lease = format!("{}s", LEASE.as_secs());
        let mut command = server.skills_command(&["controller", "--health-address", "127.0.0.1:0"]);
        command
            .args(["--profile", "pr332-merged", "--config-view", "full", "--rollout-rate", "100"])
            .args(["--leader-elect", "--lease-duration", &lease, "--lease-namespace", SYSTEM])
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOSTNAME", &process)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        running.child = Some(command.spawn().expect("a process"));
    }

    /// Kills it as a node that loses power does.
    pub fn kill(&self) {
        let mut running = self.running();
        let mut child = running.child.take().expect("a running replica");
        if let Some(status) = child.try_wait().expect("a process") {
            panic!("replica {} ended by itself: {status}, see {}", self.name, self.logs.display());
        }
        child.kill().expect("a kill");
        child.wait().expect("its end");
        running.kills += 1;
    }

    /// Stops it for a while, wherever it is; not where it is killed just now.
    pub fn stand_still(&self, while_: Duration) {
        let id = self.running().child.as_ref().map(|child| child.id().to_string());
        let Some(id) = id else { return };
        let signal = |name: &str| Command::new("kill").args([name, &id]).stderr(Stdio::null()).status();
        assert!(signal("-STOP").expect("kill").success());
        std::thread::sleep(while_);
        // It may have been killed meanwhile.
        let _ = signal("-CONT");
    }

    /// Asks it to end; its exit code.
    pub fn end(&self) -> Option<i32> {
        let mut running = self.running();
        let mut child = running.child.take().expect("a running replica");
        let sent = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
        assert!(sent.success());
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            if let Some(status) = child.try_wait().expect("a process") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().expect("a kill");
        child.wait().expect("its end");
        None
    }

    pub fn kills(&self) -> usize {
        self.running().kills
    }

    /// What all its processes logged.
    pub fn log(&self) -> String {
        let processes = self.running().processes;
        let logs = (1..=processes).map(|number| self.logs.join(format!("{}-{number}.log", self.name)));
        logs.map(|path| std::fs::read_to_string(path).expect("a log")).collect()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running().child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
