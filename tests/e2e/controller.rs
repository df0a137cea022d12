//! The running controller against a real API server: one scenario a test, each in namespaces of its own.

mod bindings;
mod config;
mod custom_kinds;
mod deployed;
mod election;
mod faults;
mod lifecycle;
mod others;
pub mod process;
mod traces;
mod trouble;
mod vectors;
