//! Which plans a stream asks for: AgentRuntimes, SkillBindings and workloads in, who leads the plan of which workload and
//! which SkillBindings add to it out. The rule is in `plan::bindings`.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _};

use super::{Key, duplicates, key};
use crate::api::error::InputError;
use crate::api::object::ObjectRef;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::plan::Options;
use crate::plan::bindings::{self, Binding, Bindings, leads};
use crate::plan::claims::{Claim, Claims, WorkloadKey};

/// One plan to be made.
#[derive(Debug)]
pub(super) struct Order {
    /// Who leads.
    pub lead: Lead,
    /// Index of the workload; `None` if it is not in the stream.
    pub workload: Option<usize>,
    /// The SkillBindings that add to it, as indexes of [`Bindings::all`].
    pub bindings: Vec<usize>,
    /// The same, as indexes of [`Stream::bindings`].
    pub items: Vec<usize>,
}

/// The SkillBindings of a stream that can be read.
pub(super) fn bindings(stream: &Stream<'_>) -> Bindings {
    Bindings::new(stream.bindings.iter().filter_map(|item| {
        let object = stream.object(item).ok()?;
        Binding::of(item.id.clone(), item.origin.clone(), &object).ok()
    }))
}

/// Kind, namespace and name of a workload.
pub(super) fn workload_key(item: &Item) -> WorkloadKey {
    (item.id.kind.clone(), item.id.namespace.clone(), item.id.name.clone())
}

/// All plans to be made. SkillBindings that cannot be read are last: to judge one says why.
///
/// # Errors
/// Workloads that cannot be read.
pub(super) fn of(
    stream: &Stream<'_>,
    options: &Options,
    claims: &Claims,
    bindings: &Bindings,
    workloads: &HashMap<Key<'_>, usize>,
) -> Result<Vec<Order>, Vec<InputError>> {
    let mut errors = Vec::new();
    let mut of_workload: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let asked = if options.exact || bindings.is_empty() { &[][..] } else { &stream.workloads };
    for (index, item) in asked.iter().enumerate() {
        let key = workload_key(item);
        let Some(kind) = options.kinds.of(&item.id).filter(|_| bindings.ask_for(&key)) else { continue };
        match stream.object(item) {
            Ok(object) => drop(of_workload.insert(index, bindings.of(kind, &key, &object))),
            Err(error) => errors.push(error),
        }
    }
    of_workload.retain(|_, bound| !bound.is_empty());
    let found = |item: &Item| {
        workloads.get(&(item.target.0.as_str(), item.id.namespace.as_str(), item.target.1.as_str())).copied()
    };
    let runtimes = stream.runtimes.iter().map(|item| {
        let workload = found(item);
        let leads = workload.is_some_and(|workload| of_workload.contains_key(&workload)) && {
            // One that cannot be read is an error of its own.
            let object = stream.object(item).unwrap_or_default();
            duplicates::claim(claims, item, &object) == Claim::Held
                && leads(options.profile, options.exact, &object)
        };
        (workload, leads)
    });
    let orders = bindings.orders(runtimes, &of_workload);
    let mut index_of: HashMap<&ObjectRef, usize> =
        stream.bindings.iter().enumerate().rev().map(|(index, item)| (&item.id, index)).collect();
    let mut out = Vec::with_capacity(orders.len());
    let leading: Vec<Option<usize>> =
        bindings.all().iter().map(|binding| index_of.remove(&binding.id)).collect();
    for bindings::Order { lead, workload, bindings } in orders {
        let (lead, workload) = match lead {
            bindings::Lead::Runtime(index) => (Lead::Runtime(index), workload),
            bindings::Lead::Binding(index) => {
                let Some(index) = leading[index] else { continue };
                (Lead::Binding(index), workload.or_else(|| found(&stream.bindings[index])))
            }
        };
        let items = bindings.iter().filter_map(|index| leading[*index]).collect();
        out.push(Order { lead, workload, bindings, items });
    }
    let mut unreadable: Vec<usize> = index_of.into_values().collect();
    unreadable.sort_unstable();
    out.extend(unreadable.into_iter().map(|index| Order {
        lead: Lead::Binding(index),
        workload: None,
        bindings: Vec::new(),
        items: Vec::new(),
    }));
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Calls for each object of these that is in the input twice, with the first one.
pub(super) fn twice<'i>(items: &'i [Item], mut found: impl FnMut(&'i Item, &'i Item)) {
    let mut seen: HashMap<Key<'i>, &Item> = HashMap::with_capacity(items.len());
    for item in items.iter().filter(|item| !item.id.name.is_empty()) {
        if let Some(first) = seen.insert(key(&item.id), item) {
            found(item, first);
        }
    }
}
