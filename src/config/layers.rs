//! Which ConfigMaps make up the configuration of a namespace: ConfigMaps come in, one [`ResolvedConfig`] per namespace
//! goes out, each value with the ConfigMap that it came from. Hashing is left to `hash`, telling people to `explain`.
//!
//! Source: operator-spec.md section 3; visibility from the upstream commits before 67b8a5e.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::api::names::{
    APP_NAME, AUTHBRIDGE_KEY, AUTHBRIDGE_RUNTIME, Names, SPIFFE_HELPER, SPIFFE_HELPER_KEY,
};
use crate::api::object::ConfigMap;
use crate::api::profile::Profile;
use crate::go::json::{push_string, push_string_entries, push_string_map};

/// Which ConfigMaps the hash sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConfigView {
    /// What the deployed operator of the profile sees: [`ConfigView::Cache`] where [`Profile::cached_reader`], else
    /// [`ConfigView::Full`].
    #[default]
    Operator,
    /// Only what label-selected informers hold: in the system namespace ConfigMaps of the operator's chart, elsewhere
    /// those labelled as namespace defaults.
    Cache,
    /// All ConfigMaps.
    Full,
}

impl ConfigView {
    /// Whether ConfigMaps are hidden in this view under this profile.
    fn hides(self, profile: &Profile) -> bool {
        match self {
            Self::Operator => profile.cached_reader,
            Self::Cache => true,
            Self::Full => false,
        }
    }
}

/// The part that a ConfigMap plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Feature gates, in the system namespace.
    FeatureGates,
    /// Cluster-wide defaults, in the system namespace.
    Cluster,
    /// Defaults of a namespace, by label.
    Namespace,
    /// `authbridge-runtime-config` of a namespace.
    AuthBridgeRuntime,
    /// `spiffe-helper-config` of a namespace.
    SpiffeHelper,
}

/// Why a ConfigMap that has a part by its name or label does not play it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The operator's cache does not hold it (operator-spec.md section 11, Q1).
    Invisible,
    /// Another ConfigMap with the defaults label comes first by name.
    NotFirst,
}

/// The configuration of one namespace, with its sources. Shared by all AgentRuntimes of the namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedConfig {
    sources: [Option<Arc<ConfigMap>>; 5],
    ignored: Vec<(Layer, Ignored, Arc<ConfigMap>)>,
    warnings: Vec<String>,
    fragments: Fragments,
}

/// The configuration's part of the hash input as JSON text, empty where there is nothing to write. Made once for a
/// namespace, since ConfigMaps are large and AgentRuntimes many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fragments {
    pub(super) feature_gates: String,
    pub(super) defaults: String,
    pub(super) auth_bridge_runtime: String,
    pub(super) spiffe_helper: String,
}

impl ResolvedConfig {
    /// The ConfigMap of a layer, if there is one that counts.
    pub fn source(&self, layer: Layer) -> Option<&ConfigMap> {
        self.sources[layer as usize].as_deref()
    }

    /// ConfigMaps that have a part by name or label and do not play it, in order of layer and name.
    pub fn ignored(&self) -> impl Iterator<Item = (Layer, Ignored, &ConfigMap)> {
        self.ignored.iter().map(|(layer, why, map)| (*layer, *why, map.as_ref()))
    }

    /// The operator's warnings, in its words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Data of the feature gates ConfigMap.
    pub fn feature_gates(&self) -> impl Iterator<Item = (&str, &str)> {
        entries(self.source(Layer::FeatureGates))
    }

    /// The merged defaults in byte order of their keys, each with the layer that won.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str, Layer)> {
        let namespace = self.source(Layer::Namespace);
        let mut merged: BTreeMap<&str, (&str, Layer)> = BTreeMap::new();
        merged
            .extend(entries(self.source(Layer::Cluster)).map(|(key, value)| (key, (value, Layer::Cluster))));
        merged.extend(entries(namespace).map(|(key, value)| (key, (value, Layer::Namespace))));
        merged.into_iter().map(|(key, (value, layer))| (key, value, layer))
    }

    /// `config.yaml` of `authbridge-runtime-config`; empty where there is none.
    pub fn auth_bridge_runtime(&self) -> &str {
        value(self.source(Layer::AuthBridgeRuntime), AUTHBRIDGE_KEY)
    }

    /// `helper.conf` of `spiffe-helper-config`; empty where there is none.
    pub fn spiffe_helper(&self) -> &str {
        value(self.source(Layer::SpiffeHelper), SPIFFE_HELPER_KEY)
    }

    pub(super) fn fragments(&self) -> &Fragments {
        &self.fragments
    }

    fn set(&mut self, layer: Layer, map: &Arc<ConfigMap>) {
        self.sources[layer as usize] = Some(Arc::clone(map));
    }

    /// Writes the fragments once the sources are set.
    fn finish(mut self) -> Self {
        let mut fragments = Fragments::default();
        if let Some(gates) = self.source(Layer::FeatureGates).filter(|map| !map.data.is_empty()) {
            push_string_map(&mut fragments.feature_gates, &gates.data);
        }
        if self.defaults().next().is_some() {
            push_string_entries(&mut fragments.defaults, self.defaults().map(|(key, value, _)| (key, value)));
        }
        if !self.auth_bridge_runtime().is_empty() {
            push_string(&mut fragments.auth_bridge_runtime, self.auth_bridge_runtime());
        }
        if !self.spiffe_helper().is_empty() {
            push_string(&mut fragments.spiffe_helper, self.spiffe_helper());
        }
        self.fragments = fragments;
        self
    }
}

fn entries(map: Option<&ConfigMap>) -> impl Iterator<Item = (&str, &str)> {
    map.into_iter().flat_map(|map| map.data.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

fn value<'m>(map: Option<&'m ConfigMap>, key: &str) -> &'m str {
    map.and_then(|map| map.data.get(key)).map_or("", String::as_str)
}

/// The configuration of every namespace, resolved once: looking one up costs one hash lookup.
#[derive(Debug, Clone)]
pub struct ConfigLayers {
    namespaces: HashMap<String, ResolvedConfig>,
    /// For namespaces without a ConfigMap of their own.
    elsewhere: ResolvedConfig,
}

impl ConfigLayers {
    /// Resolves the ConfigMaps of all namespaces. ConfigMaps that have no part in any hash are passed over; of two with
    /// one namespace and name, which a caller should refuse, the later counts.
    pub fn new(profile: &Profile, maps: &[ConfigMap], view: ConfigView) -> Self {
        let names = profile.names;
        let hides = view.hides(profile);
        // In byte order of namespace and name: the order of an API list (operator-spec.md section 3, rule 2).
        let mut sorted: BTreeMap<(&str, &str), Arc<ConfigMap>> = BTreeMap::new();
        for map in maps.iter().filter(|map| layers_of(map, names).next().is_some()) {
            sorted.insert((&map.namespace, &map.name), Arc::new(map.clone()));
        }
        let mut cluster = ResolvedConfig::default();
        let mut own: BTreeMap<&str, Vec<&Arc<ConfigMap>>> = BTreeMap::new();
        for ((namespace, _), map) in &sorted {
            for layer in layers_of(map, names) {
                if !matches!(layer, Layer::FeatureGates | Layer::Cluster) {
                    let maps = own.entry(namespace).or_default();
                    if !maps.last().is_some_and(|last| Arc::ptr_eq(last, map)) {
                        maps.push(map);
                    }
                } else if hides && !in_cache(map, names) {
                    cluster.ignored.push((layer, Ignored::Invisible, Arc::clone(map)));
                } else {
                    cluster.set(layer, map);
                }
            }
        }
        let namespaces = own
            .into_iter()
            .map(|(namespace, maps)| {
                (
                    namespace.to_owned(),
                    namespace_config(cluster.clone(), namespace, &maps, names, hides).finish(),
                )
            })
            .collect();
        Self { namespaces, elsewhere: cluster.finish() }
    }

    /// The configuration of one namespace.
    pub fn for_namespace(&self, namespace: &str) -> &ResolvedConfig {
        self.namespaces.get(namespace).unwrap_or(&self.elsewhere)
    }
}

/// Resolves the configuration of a single namespace; for many, [`ConfigLayers`] does the common work once.
pub fn resolve(profile: &Profile, maps: &[ConfigMap], namespace: &str, view: ConfigView) -> ResolvedConfig {
    ConfigLayers::new(profile, maps, view).for_namespace(namespace).clone()
}

/// Adds the ConfigMaps of a namespace, in the order of their names, to the cluster's.
fn namespace_config(
    mut config: ResolvedConfig,
    namespace: &str,
    maps: &[&Arc<ConfigMap>],
    names: &Names,
    hides: bool,
) -> ResolvedConfig {
    let mut defaults: Vec<&str> = Vec::new();
    for map in maps {
        for layer in layers_of(map, names) {
            match layer {
                Layer::FeatureGates | Layer::Cluster => {}
                _ if hides && !in_cache(map, names) => {
                    config.ignored.push((layer, Ignored::Invisible, Arc::clone(map)));
                }
                Layer::Namespace => {
                    if defaults.is_empty() {
                        config.set(layer, map);
                    } else {
                        config.ignored.push((layer, Ignored::NotFirst, Arc::clone(map)));
                    }
                    defaults.push(&map.name);
                }
                Layer::AuthBridgeRuntime | Layer::SpiffeHelper => config.set(layer, map),
            }
        }
    }
    if let [first, _, ..] = defaults.as_slice() {
        config.warnings.push(format!(
            "multiple namespace defaults ConfigMaps found in {namespace} (expected at most one): [{}]; using {first}",
            defaults.join(" ")
        ));
    }
    config.ignored.sort_by_key(|(layer, ..)| *layer as usize);
    config
}

/// The parts that a ConfigMap has by name and label: it can be a namespace's defaults alongside another part
/// (vector hash/cluster-cm-also-ns-defaults).
fn layers_of(map: &ConfigMap, names: &Names) -> impl Iterator<Item = Layer> {
    let system = map.namespace == names.system_namespace;
    [
        (system && map.name == names.feature_gates, Layer::FeatureGates),
        (system && map.name == names.platform_config, Layer::Cluster),
        (is_defaults(map, names), Layer::Namespace),
        (map.name == AUTHBRIDGE_RUNTIME, Layer::AuthBridgeRuntime),
        (map.name == SPIFFE_HELPER, Layer::SpiffeHelper),
    ]
    .into_iter()
    .filter_map(|(has, layer)| has.then_some(layer))
}

/// Whether a ConfigMap has a part in the configuration of one of these namespaces, seen or hidden.
pub(crate) fn is_read_for(map: &ConfigMap, profile: &Profile, namespaces: &BTreeSet<&str>) -> bool {
    layers_of(map, profile.names).any(|layer| match layer {
        Layer::FeatureGates | Layer::Cluster => !namespaces.is_empty(),
        _ => namespaces.contains(map.namespace.as_str()),
    })
}

fn is_defaults(map: &ConfigMap, names: &Names) -> bool {
    map.labels.get(names.defaults_label).is_some_and(|value| value == "true")
}

/// Whether the label-selected cache of the deployed operator holds a ConfigMap (evidence/cache-probe.txt of the vectors).
fn in_cache(map: &ConfigMap, names: &Names) -> bool {
    if map.namespace == names.system_namespace {
        map.labels.get(APP_NAME).is_some_and(|value| value == names.chart_name)
    } else {
        is_defaults(map, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::Origin;

    fn map(namespace: &str, name: &str, labels: &[(&str, &str)], data: &[(&str, &str)]) -> ConfigMap {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        ConfigMap {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: owned(labels),
            data: owned(data),
            origin: Origin::default(),
        }
    }

    fn profile(name: &str) -> &'static Profile {
        Profile::by_name(name).unwrap()
    }

    /// Several defaults ConfigMaps are what users write most often wrongly; the warning is the operator's, and an empty
    /// first one hides the rest.
    #[test]
    fn the_first_by_name_counts_even_if_it_is_empty() {
        let label = [("kagenti.io/defaults", "true")];
        let maps = [
            map("team", "b", &label, &[("log", "b")]),
            map("team", "a", &label, &[]),
            map("team", "0", &[("kagenti.io/defaults", "True")], &[("log", "0")]),
        ];
        let config = resolve(profile("pr332"), &maps, "team", ConfigView::Full);
        assert_eq!(config.defaults().count(), 0);
        assert_eq!(
            config.warnings(),
            ["multiple namespace defaults ConfigMaps found in team (expected at most one): [a b]; using a"]
        );
        let ignored: Vec<_> =
            config.ignored().map(|(layer, why, map)| (layer, why, map.name.as_str())).collect();
        assert_eq!(ignored, [(Layer::Namespace, Ignored::NotFirst, "b")]);
    }

    /// Each dialect's operator sees what its reader sees, and the names are the dialect's own.
    #[test]
    fn the_operators_view_is_the_profiles() {
        let maps = [
            map("kagenti-system", "kagenti-platform-config", &[], &[("log", "k")]),
            map("rossoctl-system", "rossoctl-platform-config", &[], &[("log", "r")]),
            map("team", "spiffe-helper-config", &[], &[("helper.conf", "h")]),
        ];
        let seen = |name: &str, view: ConfigView| {
            let config = resolve(profile(name), &maps, "team", view);
            let defaults: Vec<String> = config.defaults().map(|(_, value, _)| value.to_owned()).collect();
            (defaults.join(","), config.spiffe_helper().to_owned(), config.ignored().count())
        };
        let row = |defaults: &str, spiffe: &str, ignored| (defaults.to_owned(), spiffe.to_owned(), ignored);
        assert_eq!(seen("spiffe-helper", ConfigView::Operator), row("", "", 2));
        assert_eq!(seen("spiffe-helper", ConfigView::Full), row("k", "h", 0));
        assert_eq!(seen("head", ConfigView::Operator), row("k", "h", 0));
        assert_eq!(seen("rossoctl", ConfigView::Operator), row("r", "h", 0));
        assert_eq!(seen("rossoctl", ConfigView::Cache), row("", "", 2));
    }

    /// A namespace without ConfigMaps of its own still has the cluster's, and another's never leak in.
    #[test]
    fn namespaces_do_not_mix() {
        let maps = [
            map("kagenti-system", "kagenti-platform-config", &[], &[("log", "debug"), ("zone", "x")]),
            map("team", "d", &[("kagenti.io/defaults", "true")], &[("log", "info")]),
        ];
        let layers = ConfigLayers::new(profile("pr332"), &maps, ConfigView::Full);
        let of = |namespace: &str| -> Vec<(String, String, Layer)> {
            let config = layers.for_namespace(namespace);
            config.defaults().map(|(key, value, layer)| (key.to_owned(), value.to_owned(), layer)).collect()
        };
        let row = |key: &str, value: &str, layer| (key.to_owned(), value.to_owned(), layer);
        let team = [row("log", "info", Layer::Namespace), row("zone", "x", Layer::Cluster)];
        assert_eq!(of("team"), team);
        let other = [row("log", "debug", Layer::Cluster), row("zone", "x", Layer::Cluster)];
        assert_eq!(of("other"), other);
    }
}
