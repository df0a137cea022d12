//! The ConfigMaps as they were at one moment: where they are in, all of them at one version of the cluster out.
//!
//! Each watch delivers its own ConfigMaps in its own time, so what they have delivered never is one snapshot: of two ConfigMaps
//! that change one after the other the second may be seen first, and a hash of the new one and the old other would roll
//! pods for a configuration that never was. The watches say when to read, and this is what is read.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kubectl_skills::api::object::{ConfigMap, Object, Origin};
use serde_json::Value;

use super::trim::Trim;
use super::watch_targets::Watched;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::requests::{Requests, escape_query};
use crate::cluster::watch::WatchTarget;

/// Lists asked for at the same time.
const CONCURRENCY: usize = 8;

/// A list of ConfigMaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    what: String,
    path: String,
    selector: String,
}

/// Where the sources have their ConfigMaps.
pub fn places(sources: &[(Watched, WatchTarget<Trim>)]) -> Vec<Place> {
    let config = sources.iter().filter(|(about, _)| *about == Watched::Config);
    config
        .map(|(_, source)| Place {
            what: format!("list {}", source.what),
            path: source.path.clone(),
            selector: source.selector.clone(),
        })
        .collect()
}

/// Reads them all, as they were when the first list was read.
///
/// # Errors
/// One list that failed is enough: what is left of the others is no snapshot.
pub async fn read(requests: &Requests, places: &[Place]) -> Result<Vec<ConfigMap>, ClusterError> {
    let Some((first, others)) = places.split_first() else { return Ok(Vec::new()) };
    let (version, mut all) = list(requests, first, None).await?;
    let others: Vec<_> = others.iter().map(|place| list(requests, place, Some(&version))).collect();
    let others: Vec<_> = stream::iter(others).buffered(CONCURRENCY).try_collect().await?;
    all.extend(others.into_iter().flat_map(|(_, maps)| maps));
    Ok(all)
}

/// One list, at a version or at the newest; with the version that it is of.
async fn list(
    requests: &Requests,
    place: &Place,
    version: Option<&str>,
) -> Result<(String, Vec<ConfigMap>), ClusterError> {
    let path = path(place, version);
    let answer = requests.get(&path, &place.what).await?;
    let refused = |message: &str| ClusterError::new(Failure::Other, format!("{}: {message}", place.what));
    let answer = answer.ok_or_else(|| refused("the server has no such list"))?;
    let of = Object(&answer).resource_version();
    if of.is_empty() || version.is_some_and(|version| version != of) {
        return Err(refused(&format!(
            "asked for version {:?}, the server answered with {of:?}",
            version.unwrap_or_default()
        )));
    }
    let items = answer.get("items").and_then(Value::as_array);
    let maps: Result<Vec<ConfigMap>, ClusterError> = items
        .into_iter()
        .flatten()
        .map(|item| {
            ConfigMap::from_value(item, Origin::default()).map_err(|error| {
                let name = Object(item).name();
                refused(&format!("configmap {name}: {error}"))
            })
        })
        .collect();
    Ok((of.to_owned(), maps?))
}

/// Not by pages: they are few, and all of one version anyway.
fn path(place: &Place, version: Option<&str>) -> String {
    let mut query: Vec<String> = Vec::new();
    query.extend(Some(place.selector.clone()).filter(|selector| !selector.is_empty()));
    query.extend(
        version
            .map(|version| format!("resourceVersion={}&resourceVersionMatch=Exact", escape_query(version))),
    );
    if query.is_empty() { place.path.clone() } else { format!("{}?{}", place.path, query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::watch_targets::{Scope, watch_targets};
    use kubectl_skills::api::profile::Profile;

    #[test]
    fn what_is_read_is_what_is_watched_at_one_version() {
        let profile = Profile::by_name("pr332-merged").unwrap();
        let places = places(&watch_targets(profile, &Scope::default()));
        let paths = |version| places.iter().map(|place| path(place, version)).collect::<Vec<_>>();
        assert_eq!(paths(None).len(), 5);
        assert_eq!(paths(None)[0], "/api/v1/configmaps?labelSelector=kagenti.io%2Fdefaults%3Dtrue");
        assert_eq!(
            paths(Some("7"))[4],
            "/api/v1/namespaces/kagenti-system/configmaps?fieldSelector=metadata.name%3Dkagenti-feature-gates\
             &resourceVersion=7&resourceVersionMatch=Exact"
        );
    }
}
