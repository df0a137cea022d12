//! Tests against a real API server: `make e2e`. They need the servers that hack/apiserver.sh builds, or
//! KUBEBUILDER_ASSETS, and `curl` and `openssl`; nothing of this runs in `make test`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests run programs and stop at the first surprise"
)]

mod coexist;
mod gate_off;
mod kubeconfig;
mod objects;
mod refusals;
mod scale;
mod server;
mod vectors;
