//! The admission webhook through its own listener: real TLS, real HTTP, a scripted API server behind it.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests run programs and stop at the first surprise"
)]

mod certificates;
mod client;
mod flood;
mod injection;
mod policy;
mod program;
mod protocol;
#[path = "../faults/server.rs"]
#[allow(dead_code, reason = "shared with the tests of misbehaving servers, which need more of it")]
mod server;
mod tls;
#[path = "../it/vectors.rs"]
#[allow(dead_code, reason = "shared with the tests of the library")]
mod vectors;
mod verdicts;
