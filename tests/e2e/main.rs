//! Tests against a real API server: `make e2e`. They need the servers that hack/apiserver.sh builds, or
//! KUBEBUILDER_ASSETS, and `curl` and `openssl`; nothing of this runs in `make test`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests run programs and stop at the first surprise"
)]

mod admission;
#[path = "../webhook/certificates.rs"]
mod certificates;
mod coexist;
mod conflicts;
mod containers;
mod controller;
mod day_two;
mod deleted;
mod delivery;
#[path = "../executable.rs"]
mod executable;
mod gate_off;
mod http;
mod inject_policy;
mod kubeconfig;
mod left_over;
mod lint;
mod live_files;
mod login;
mod objects;
mod outdated;
mod pods;
#[path = "../webhook/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the webhook, which need more of it")]
mod program;
mod proxy;
mod refusals;
mod rights;
mod sandbox;
mod scale;
mod server;
mod skill_binding;
mod skill_policy;
#[path = "../webhook/tls.rs"]
mod tls;
mod uninstall;
#[path = "../it/vectors.rs"]
#[allow(dead_code, reason = "shared with the tests of the library")]
mod vector_cases;
mod vectors;
mod verbs;
mod waits;
