//! What talks to a cluster: arguments in, objects as values in and out, every request counted and bounded in time.
//! What is to be written is decided by the library; this layer reads, sends and checks what the server kept.

pub mod apply;
pub mod args;
pub mod carry_out;
pub mod connect;
pub mod delivery;
pub mod discovery;
pub mod doctor;
pub mod dry_run_overlay;
pub mod error;
pub mod every_object;
pub mod finalizer;
pub mod informer;
pub mod left;
pub mod login;
pub mod paths;
pub mod proxy;
pub mod requests;
pub mod restart;
pub mod run;
pub mod skills_of_pods;
pub mod snapshot;
pub mod try_pod;
pub mod wait;
pub mod watch;
