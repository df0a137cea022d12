//! Objects that stand twice in the manifests, and who claims which workload.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};
use serde_json::Value;

use super::{Key, Planned, key};
use crate::api::error::InputError;
use crate::api::object::{ConfigMap, Object, ObjectRef};
use crate::api::profile::Profile;
use crate::config::layers::is_read_for;
use crate::manifest::stream::{Item, Stream};
use crate::plan::claims::{Claim, Claimant, Claims};

/// How many AgentRuntimes point at which workload.
pub(super) struct Targets<'p>(HashMap<Key<'p>, usize>);

impl<'p> Targets<'p> {
    /// Counts them, and adds an error for each AgentRuntime that is in the input twice.
    pub(super) fn of(stream: &'p Stream<'_>, planned: &mut Planned) -> Self {
        let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(stream.runtimes.len());
        let mut targets: HashMap<Key<'_>, usize> = HashMap::with_capacity(stream.runtimes.len());
        for (index, item) in stream.runtimes.iter().enumerate() {
            if let Some(first) = seen.insert((&item.id.namespace, &item.id.name), index)
                && !item.id.name.is_empty()
            {
                planned.errors.push(duplicate(stream, item, &stream.runtimes[first]));
            }
            *targets.entry(target(item)).or_default() += 1;
        }
        Self(targets)
    }

    /// Whether any points at the workload.
    pub(super) fn has(&self, workload: &Item) -> bool {
        self.0.contains_key(&key(&workload.id))
    }

    /// The claims of those that share a target. Only they are read for it.
    pub(super) fn claims(&self, stream: &Stream<'_>) -> Claims {
        let sharing = stream.runtimes.iter().filter(|item| self.0[&target(item)] > 1);
        Claims::new(sharing.map(|item| {
            // One that cannot be read is an error of its own.
            let object = stream.object(item).unwrap_or_default();
            let claimant =
                Claimant { name: item.id.name.clone(), ..Claimant::of(Object(&object), item.origin.clone()) };
            (item.target_key(), claimant)
        }))
    }
}

/// The claim of an AgentRuntime on its target, by the claims of those that share one.
pub(super) fn claim(claims: &Claims, runtime: &Item, object: &Value) -> Claim {
    if claims.is_empty() {
        return Claim::Held;
    }
    claims.claim(&runtime.target_key(), &runtime.id.name, Object(object).is_being_deleted())
}

/// The target of an AgentRuntime.
fn target(item: &Item) -> Key<'_> {
    (&item.target.0, &item.id.namespace, &item.target.1)
}

pub(super) fn duplicate(stream: &Stream<'_>, item: &Item, first: &Item) -> InputError {
    let message = format!("is in the input twice; the other is at {}", first.origin);
    stream.error(
        item,
        &["metadata".into(), "name".into()],
        message,
        "remove one of them, or give them different namespaces",
    )
}

/// An error for each ConfigMap that is in the input twice and is a part of some AgentRuntime's configuration.
pub(super) fn duplicate_maps(stream: &Stream<'_>, profile: &Profile, errors: &mut Vec<InputError>) {
    let namespaces: BTreeSet<&str> = stream.runtimes.iter().map(|item| item.id.namespace.as_str()).collect();
    let mut seen: BTreeMap<(&str, &str), &ConfigMap> = BTreeMap::new();
    for map in stream.maps.iter().filter(|map| is_read_for(map, profile, &namespaces)) {
        if let Some(first) = seen.insert((&map.namespace, &map.name), map) {
            errors.push(InputError {
                origin: map.origin.clone(),
                object: Some(ObjectRef {
                    api_version: "v1".into(),
                    kind: "ConfigMap".into(),
                    namespace: map.namespace.clone(),
                    name: map.name.clone(),
                }),
                message: format!("is in the input twice; the other is at {}", first.origin),
                help: "remove one of them".into(),
                ..InputError::default()
            });
        }
    }
}
