//! Mounts the skill images of AgentRuntimes into their workloads: manifests and configuration in, a plan and edited text
//! out. Nothing here reads a file, a clock, the environment or a network; that is left to who calls, and a failed read
//! can therefore not be mistaken for an absent object.
//!
//! ```text
//! text ──▶ Stream ──┐
//!                   ├──▶ plan ──▶ Planned          what is to be done, and why
//! Settings ─────────┘    render ──▶ Rendered       the same text, with only the bytes changed that must change
//! ```
//!
//! ```
//! use kubectl_skills::{Settings, Source, Stream, choose_profile, render};
//!
//! let text = "\
//! apiVersion: apps/v1
//! kind: Deployment
//! metadata: {name: weather}
//! spec:
//!   template:
//!     spec:
//!       containers:
//!       - name: agent   # the only one
//!         image: acme/weather:1
//! ---
//! apiVersion: agent.kagenti.dev/v1alpha1
//! kind: AgentRuntime
//! metadata: {name: weather}
//! spec:
//!   type: agent
//!   targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
//!   skills:
//!   - {name: forecast, image: acme/forecast:1, mountPath: /skills/forecast}
//! ";
//! let sources = [Source { name: "weather.yaml".into(), text: text.into() }];
//! let stream = Stream::read(&sources, "default").expect("manifests that can be read");
//! let (profile, _) = choose_profile(&stream, "auto").expect("AgentRuntimes of one group");
//! let rendered = render(&stream, &Settings::new(profile)).expect("manifests that can be rendered");
//! let after = rendered.edited.text(0, text).expect("a change");
//! assert!(after.contains("        image: acme/weather:1\n        volumeMounts:\n        - name: skill-forecast\n"));
//! assert!(after.contains("      volumes:\n      - name: skill-forecast\n        image:\n          reference: acme/forecast:1\n"));
//! assert!(after.contains("- name: agent   # the only one\n"));
//! ```
//!
//! The rest of the crate is the program's own: it is public with the feature `internals` only, and promises nothing.

// In the binary, `pub` means visible to its other modules; only the library has a surface.
#![warn(unreachable_pub)]
#![cfg_attr(
    not(feature = "internals"),
    allow(
        dead_code,
        unreachable_pub,
        reason = "what only the program uses is public with `internals`, and checked there"
    )
)]

#[cfg(feature = "skill")]
#[doc(hidden)]
pub mod agent_card;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod api;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod config;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod crd;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod go;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod install;
#[cfg(feature = "skill")]
#[doc(hidden)]
pub mod lint;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod live;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod manifest;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod plan;
#[cfg(feature = "skill")]
#[doc(hidden)]
pub mod skill;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod validate;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod yaml;

#[cfg(not(feature = "internals"))]
mod api;
#[cfg(not(feature = "internals"))]
mod config;
#[cfg(not(feature = "internals"))]
mod crd;
#[cfg(not(feature = "internals"))]
mod go;
#[cfg(not(feature = "internals"))]
mod manifest;
#[cfg(not(feature = "internals"))]
mod plan;
#[cfg(not(feature = "internals"))]
mod validate;
#[cfg(not(feature = "internals"))]
mod yaml;

pub use api::error::InputError;
pub use api::profile::Profile;
pub use manifest::render::{Planned, Rendered, Settings, choose_profile, plan_all as plan, render};
pub use manifest::stream::{Source, Stream};

/// Changes what a YAML document means, and only the bytes that must change for it.
///
/// ```
/// use kubectl_skills::editor::{Document, apply, edit};
///
/// let text = "replicas: 1   # one is enough\nimage: 'acme/weather:1'\n";
/// let document = Document::parse(text).expect("one YAML document");
/// let mut value = document.to_value().expect("a value as Kubernetes reads it");
/// value["replicas"] = 2.into();
/// value["image"] = "acme/weather:2".into();
/// let splices = edit(&document, &value).expect("nothing in the way of the change");
/// assert_eq!(apply(text, &splices), "replicas: 2   # one is enough\nimage: 'acme/weather:2'\n");
/// ```
pub mod editor {
    pub use crate::yaml::{Document, DocumentSlice, EditError, Splice, SyntaxError, apply, edit, split};
}

/// What the other names are made of: fields of settings, plans and errors.
pub mod types {
    pub use crate::api::object::{ConfigMap, ObjectRef, Origin};
    pub use crate::api::pins::Pins;
    pub use crate::api::workload::Kinds;
    pub use crate::config::gates::{GateDefault, GateSource, GatesFile};
    pub use crate::config::layers::ConfigView;
    pub use crate::manifest::render::{Edited, PlannedRuntime, Report};
    pub use crate::manifest::stream::{Item, Lead};
    pub use crate::manifest::summary::Tally;
    pub use crate::plan::change_set::Change;
    pub use crate::plan::{
        Action, Condition, Event, Finalizer, Options, PlannedSkill, RecordMode, RuntimePlan, StatusPlan,
        Warning,
    };
    pub use crate::validate::findings::{Finding, Rule, Severity};
}
