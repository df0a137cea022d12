//! The watches that the webhook answers from: one for each of its namespaces, or one of all. What they bring is kept by
//! [`super::claimants`] and [`super::injection`].

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cluster::requests::Requests;
use crate::cluster::watch::{Transform, Update, WatchId, WatchTarget, watch};

/// Updates that may wait to be taken in.
const WAITING: usize = 256;

/// How many watches that makes.
pub fn number(namespaces: &[String]) -> usize {
    namespaces.len().max(1)
}

/// Starts them; their ids count from 0. `plural` and `path` are of the kind; one that is `optional` has no objects where the
/// cluster does not serve it.
pub fn start<T: Transform + Copy + Send + 'static>(
    requests: &Arc<Requests>,
    namespaces: &[String],
    (plural, path): (&str, impl Fn(Option<&str>) -> String),
    optional: bool,
    transform: T,
) -> mpsc::Receiver<(WatchId, Update)> {
    let (to, updates) = mpsc::channel(WAITING);
    let places: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        some => some.iter().map(|name| Some(name.as_str())).collect(),
    };
    for (id, namespace) in places.into_iter().enumerate() {
        let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name:?}"));
        let target = WatchTarget {
            id,
            what: format!("{plural} in {place}"),
            path: path(namespace),
            selector: String::new(),
            metadata_only: false,
            optional,
            transform,
        };
        tokio::spawn(watch(Arc::clone(requests), target, to.clone()));
    }
    updates
}
