//! The program against a registry that misbehaves: pages that lead in circles, throttling, cut connections, wrong digests,
//! logins that are refused. Each time: the whole result or a clear error, the right exit code, nothing half done.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests run programs and stop at the first surprise"
)]

mod cards;
#[path = "../webhook/certificates.rs"]
mod certificates;
mod delivery;
#[path = "../executable.rs"]
mod executable;
mod lint;
mod lists;
mod lock;
mod login;
mod manifests;
mod migrate_docs;
mod model;
mod reads;
mod reports;
#[path = "../faults/said.rs"]
mod said;
mod server;
mod signatures;
mod skills;
mod tls;
mod updates;
mod updates_held;
#[cfg(feature = "cluster")]
mod updates_live;
mod writes;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use model::Model;
use said::{Said, said};
use serde_json::Value;
use server::{Answer, Request, Server};
use tempfile::TempDir;

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
    command
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .env("PATH", "/usr/bin:/bin");
    command
}

fn skills(args: &[&str]) -> Said {
    said(command(args).output().expect("a run"))
}

/// A server of the model where `fault` answers first.
fn faulty(
    model: &Arc<Model>,
    fault: impl Fn(&Request, &Model) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    let model = Arc::clone(model);
    Server::start(move |request| fault(request, &model).unwrap_or_else(|| model.answer(request)))
}

fn healthy(model: &Arc<Model>) -> Server {
    faulty(model, |_, _| None)
}

/// A folder for layouts.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn text(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// All files below a folder, but for those of blobs that are whole.
fn leftovers(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if name.len() != 64
                || model::digest(&std::fs::read(entry.path()).expect("a file")) != format!("sha256:{name}")
            {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Bytes that no two places of are alike.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut out = Vec::with_capacity(length);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}
