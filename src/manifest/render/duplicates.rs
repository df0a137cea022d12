//! Objects that stand twice in the manifests, and who claims which workload.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};

use super::{Key, Planned};
use crate::api::error::InputError;
use crate::api::object::{ConfigMap, Object, ObjectRef};
use crate::api::profile::Profile;
use crate::config::layers::is_read_for;
use crate::manifest::stream::{Item, Stream};
use crate::plan::claims::{Claimant, Claims};

/// Who points at which workload, and an error for each AgentRuntime that is in the input twice. Only those that share a
/// target are read for it.
pub(super) fn claims(stream: &Stream<'_>, planned: &mut Planned) -> Claims {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(stream.runtimes.len());
    let mut sharing: HashMap<Key<'_>, usize> = HashMap::with_capacity(stream.runtimes.len());
    let target = |item: &'_ Item| (item.target.0.clone(), item.id.namespace.clone(), item.target.1.clone());
    for (index, item) in stream.runtimes.iter().enumerate() {
        if let Some(first) = seen.insert((&item.id.namespace, &item.id.name), index)
            && !item.id.name.is_empty()
        {
            planned.errors.push(duplicate(stream, item, &stream.runtimes[first]));
        }
        *sharing.entry((&item.target.0, &item.id.namespace, &item.target.1)).or_default() += 1;
    }
    Claims::new(stream.runtimes.iter().map(|item| {
        let shared =
            sharing[&(item.target.0.as_str(), item.id.namespace.as_str(), item.target.1.as_str())] > 1;
        // One that cannot be read is an error of its own.
        let object = shared.then(|| stream.object(item).ok()).flatten().unwrap_or_default();
        let claimant =
            Claimant { name: item.id.name.clone(), ..Claimant::of(Object(&object), item.origin.clone()) };
        (target(item), claimant)
    }))
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
