//! What went into a config hash, and what did not and why: spec and configuration come in, rows go out. Printing them
//! is left to the command line; what could explain another hash is in `against`.

mod against;

use std::fmt;

pub use against::{Against, Explanation, Inputs, against};

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, Trace};
use crate::api::names::{APP_NAME, AUTHBRIDGE_KEY, AUTHBRIDGE_RUNTIME, SPIFFE_HELPER, SPIFFE_HELPER_KEY};
use crate::api::object::{ConfigMap, Origin};
use crate::api::profile::{HashField, Profile};
use crate::config::hash::json_name;
use crate::config::layers::{Ignored, Layer, ResolvedConfig};
use crate::go::json::push_number;

/// One input of the hash, or one that could have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Field of the hash input, such as `type`, `defaults.log-level` or `skills[0]`.
    pub field: String,
    /// The value as it is, not escaped; empty where there is none.
    pub value: String,
    /// Where it stands.
    pub source: Source,
    /// Whether it went into the hash.
    pub hashed: bool,
    /// Why not, or what it overrides; empty where there is nothing to say.
    pub note: String,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A field of the AgentRuntime.
    Spec(String),
    /// A key of a ConfigMap; all of it where the key is empty.
    ConfigMap {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// Key of `data`.
        key: String,
        /// Where the ConfigMap was read.
        origin: Origin,
    },
    /// Nowhere: no object has it.
    Absent,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(path) => write!(f, "AgentRuntime {path}"),
            Self::ConfigMap { namespace, name, key, origin } => {
                write!(f, "ConfigMap {namespace}/{name}")?;
                if !key.is_empty() {
                    write!(f, " key {key}")?;
                }
                write!(f, " ({origin})")
            }
            Self::Absent => f.write_str("none"),
        }
    }
}

/// Rows for every input, in the order in which the profile hashes them; last come fields that are set and not hashed.
/// Without a spec: the defaults-only hash.
pub fn explain(profile: &Profile, spec: Option<&AgentRuntimeSpec>, config: &ResolvedConfig) -> Vec<Row> {
    let mut rows = Vec::new();
    for field in profile.hash_fields {
        match field {
            HashField::FeatureGates => feature_gates(&mut rows, profile, config),
            HashField::Defaults => defaults(&mut rows, profile, config),
            HashField::AuthBridgeRuntime => one_key(&mut rows, profile, config, Layer::AuthBridgeRuntime),
            HashField::SpiffeHelperConfig => one_key(&mut rows, profile, config, Layer::SpiffeHelper),
            spec_field => rows.extend(spec_rows(*spec_field, spec)),
        }
    }
    let everything = [
        HashField::Type,
        HashField::TrustDomain,
        HashField::Trace,
        HashField::AuthBridgeMode,
        HashField::MtlsMode,
        HashField::Skills,
    ];
    for field in everything.into_iter().filter(|field| !profile.hash_fields.contains(field)) {
        rows.extend(spec_rows(field, spec).into_iter().filter(|row| row.hashed).map(|row| Row {
            hashed: false,
            note: format!("profile {} does not hash it", profile.name),
            ..row
        }));
    }
    rows
}

/// The rows of a field of the spec. A field that is not set has one row that says so.
fn spec_rows(field: HashField, spec: Option<&AgentRuntimeSpec>) -> Vec<Row> {
    let name = json_name(field);
    let Some(spec) = spec else {
        let (hashed, note) = match field {
            HashField::Type => (true, "defaults only: written as empty"),
            _ => (false, "defaults only: the spec is left out"),
        };
        let note = note.to_owned();
        return vec![Row {
            field: name.to_owned(),
            value: String::new(),
            source: Source::Absent,
            hashed,
            note,
        }];
    };
    let text = |path: &str, value: &str| {
        let mut row = row(name.to_owned(), path, value.to_owned());
        if value.is_empty() {
            row.hashed = false;
            row.note = "not set".to_owned();
        }
        vec![row]
    };
    match field {
        HashField::Type => {
            let mut row = row(name.to_owned(), "type", spec.agent_type.clone());
            if spec.agent_type.is_empty() {
                row.note = "not set; written as empty".to_owned();
            }
            vec![row]
        }
        HashField::TrustDomain => text("identity.spiffe.trustDomain", &spec.trust_domain),
        HashField::AuthBridgeMode => text("authBridgeMode", &spec.auth_bridge_mode),
        HashField::MtlsMode => text("mtlsMode", &spec.mtls_mode),
        HashField::Trace => match &spec.trace {
            None => text("trace", ""),
            Some(trace) => trace_rows(trace),
        },
        HashField::Skills if spec.skills.is_empty() => text("skills", ""),
        HashField::Skills => spec
            .skills
            .iter()
            .enumerate()
            .map(|(index, skill)| {
                row(format!("skills[{index}]"), &format!("skills[{index}]"), skill_text(skill))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A row of a field that is hashed.
fn row(field: String, path: &str, value: String) -> Row {
    Row { field, value, source: Source::Spec(format!("spec.{path}")), hashed: true, note: String::new() }
}

fn trace_rows(trace: &Trace) -> Vec<Row> {
    let mut rate = String::new();
    push_number(&mut rate, trace.rate);
    let parts = [
        ("endpoint", "trace.endpoint", trace.endpoint.clone(), trace.endpoint.is_empty()),
        ("protocol", "trace.protocol", trace.protocol.clone(), trace.protocol.is_empty()),
        ("rate", "trace.sampling.rate", rate, trace.rate == 0.0),
    ];
    let mut rows: Vec<Row> = parts
        .into_iter()
        .map(|(part, path, value, left_out)| Row {
            hashed: !left_out,
            note: if left_out { "empty or 0: not written".to_owned() } else { String::new() },
            ..row(format!("trace.{part}"), path, value)
        })
        .collect();
    if rows.iter().all(|row| !row.hashed) {
        let note = "an empty trace is written as {}".to_owned();
        rows.insert(0, Row { note, ..row("trace".to_owned(), "trace", String::new()) });
    }
    rows
}

/// A skill in one line: name, image, mount path and, if set, pull policy.
fn skill_text(skill: &Skill) -> String {
    let parts = [&skill.name, &skill.image, &skill.mount_path, &skill.pull_policy];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn source(map: &ConfigMap, key: &str) -> Source {
    Source::ConfigMap {
        namespace: map.namespace.clone(),
        name: map.name.clone(),
        key: key.to_owned(),
        origin: map.origin.clone(),
    }
}

fn absent(field: &str, note: String) -> Row {
    Row { field: field.to_owned(), value: String::new(), source: Source::Absent, hashed: false, note }
}

/// All keys of a ConfigMap as rows of one field.
fn data_rows<'m>(
    field: &'m str,
    map: &'m ConfigMap,
    hashed: bool,
    note: &'m str,
) -> impl Iterator<Item = Row> + 'm {
    map.data.iter().map(move |(key, value)| Row {
        field: format!("{field}.{key}"),
        value: value.clone(),
        source: source(map, key),
        hashed,
        note: note.to_owned(),
    })
}

fn feature_gates(rows: &mut Vec<Row>, profile: &Profile, config: &ResolvedConfig) {
    let names = profile.names;
    let before = rows.len();
    match config.source(Layer::FeatureGates) {
        Some(map) if map.data.is_empty() => rows.push(empty_map("featureGates", map)),
        Some(map) => rows.extend(data_rows("featureGates", map, true, "")),
        None => {}
    }
    ignored(rows, profile, config, Layer::FeatureGates, "featureGates", None);
    if rows.len() == before {
        rows.push(absent(
            "featureGates",
            format!("no ConfigMap {}/{}", names.system_namespace, names.feature_gates),
        ));
    }
}

fn empty_map(field: &str, map: &ConfigMap) -> Row {
    Row { source: source(map, ""), ..absent(field, "its data is empty".to_owned()) }
}

fn defaults(rows: &mut Vec<Row>, profile: &Profile, config: &ResolvedConfig) {
    let before = rows.len();
    let cluster = config.source(Layer::Cluster);
    let namespace = config.source(Layer::Namespace);
    for map in [cluster, namespace].into_iter().flatten().filter(|map| map.data.is_empty()) {
        rows.push(empty_map("defaults", map));
    }
    for (key, value, layer) in config.defaults() {
        let Some(map) = config.source(layer) else { continue };
        let below = cluster.filter(|_| layer == Layer::Namespace).and_then(|map| map.data.get_key_value(key));
        let note = match below {
            Some(_) if value.is_empty() => "overrides the cluster's with nothing".to_owned(),
            Some(_) => "overrides the cluster's".to_owned(),
            None => String::new(),
        };
        let field = format!("defaults.{key}");
        rows.push(Row {
            field: field.clone(),
            value: value.to_owned(),
            source: source(map, key),
            hashed: true,
            note,
        });
        if let (Some((_, below)), Some(cluster)) = (below, cluster) {
            rows.push(Row {
                field,
                value: below.clone(),
                source: source(cluster, key),
                hashed: false,
                note: format!("overridden by ConfigMap {}/{}", map.namespace, map.name),
            });
        }
    }
    ignored(rows, profile, config, Layer::Cluster, "defaults", None);
    ignored(rows, profile, config, Layer::Namespace, "defaults", None);
    if rows.len() == before {
        let names = profile.names;
        rows.push(absent(
            "defaults",
            format!(
                "no ConfigMap {}/{} and none labelled {}=true in the namespace",
                names.system_namespace, names.platform_config, names.defaults_label
            ),
        ));
    }
}

/// A layer of which one key is hashed.
fn one_key(rows: &mut Vec<Row>, profile: &Profile, config: &ResolvedConfig, layer: Layer) {
    let (field, name, key) = match layer {
        Layer::SpiffeHelper => ("spiffeHelperConfig", SPIFFE_HELPER, SPIFFE_HELPER_KEY),
        _ => ("authBridgeRuntime", AUTHBRIDGE_RUNTIME, AUTHBRIDGE_KEY),
    };
    let before = rows.len();
    if let Some(map) = config.source(layer) {
        let mut row = Row {
            field: field.to_owned(),
            value: map.data.get(key).cloned().unwrap_or_default(),
            source: source(map, key),
            hashed: true,
            note: String::new(),
        };
        if row.value.is_empty() {
            row.hashed = false;
            row.note =
                if map.data.contains_key(key) { "empty: not written" } else { "has no such key" }.to_owned();
        }
        rows.push(row);
        // As a namespace's defaults the same ConfigMap may be hashed whole.
        rows.extend(map.data.keys().filter(|other| *other != key).map(|other| Row {
            source: source(map, other),
            ..absent(field, format!("another key; of this ConfigMap {key} alone is hashed here"))
        }));
    }
    ignored(rows, profile, config, layer, field, Some(key));
    if rows.len() == before {
        rows.push(absent(field, format!("no ConfigMap {name} in the namespace")));
    }
}

/// ConfigMaps that have the part by name or label and do not play it.
fn ignored(
    rows: &mut Vec<Row>,
    profile: &Profile,
    config: &ResolvedConfig,
    layer: Layer,
    field: &str,
    only: Option<&str>,
) {
    let names = profile.names;
    for (_, why, map) in config.ignored().filter(|(of, ..)| *of == layer) {
        let note = match why {
            Ignored::NotFirst => {
                let first = config.source(Layer::Namespace).map_or("", |map| map.name.as_str());
                format!("another ConfigMap with the defaults label comes first by name: {first}")
            }
            Ignored::Invisible if map.namespace == names.system_namespace => format!(
                "invisible to the operator's cache: it holds only those labelled {APP_NAME}={} there",
                names.chart_name
            ),
            Ignored::Invisible => format!(
                "invisible to the operator's cache: it holds only those labelled {}=true there",
                names.defaults_label
            ),
        };
        match only {
            Some(key) => rows.extend(map.data.get(key).map(|value| Row {
                value: value.clone(),
                source: source(map, key),
                ..absent(field, note)
            })),
            None if map.data.is_empty() => rows.push(Row { source: source(map, ""), ..absent(field, note) }),
            None => rows.extend(data_rows(field, map, false, &note)),
        }
    }
}

#[cfg(test)]
mod tests;
