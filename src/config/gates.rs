//! Reads feature gates from flags, a gates file or the operator's ConfigMap, and decides which of them counts. What a gate
//! decides is left to the plan.
//!
//! Source: operator-spec.md section 2. The decision comes from the file on the manager's disk; the hash takes the
//! ConfigMap's data as it is, which is not this module's matter.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::nearest::nearest;
use crate::api::object::ConfigMap;
use crate::api::profile::Profile;
use crate::go::value::json_type_name;
use crate::yaml::resolve::first_document;

/// Key of the feature gates ConfigMap that is mounted as the manager's gates file.
pub const GATES_KEY: &str = "feature-gates.yaml";

/// The values of all gates that a profile knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureGates {
    /// In the order of the Go struct.
    values: Vec<(&'static str, bool)>,
}

/// Why gates cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatesError {
    /// Of a file, in the operator's words after `parsing feature gates file <PATH>: `. At its start the operator ends
    /// with it; on a reload it logs it and keeps the gates it had.
    #[error("{0}")]
    File(String),
    /// Of a flag.
    #[error("{0}")]
    Flag(String),
    /// The same as [`GatesError::File`], with the file or ConfigMap that holds the text.
    #[error("{place}: {message}")]
    At {
        /// `parsing feature gates file /etc/gates.yaml`, or `ConfigMap kagenti-system/kagenti-feature-gates`.
        place: String,
        /// In the operator's words.
        message: String,
    },
}

/// A gates file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatesFile {
    /// For messages.
    pub path: String,
    /// Its text; none if there is no such file, which for the operator is as good as an empty one.
    pub text: Option<String>,
}

/// The gates if neither a file nor the operator's ConfigMap says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateDefault {
    /// As compiled into the operator: the ConfigMap was looked for and is not there.
    #[default]
    Compiled,
    /// The gate over skills is on: nobody looked for the ConfigMap, and who renders skills wants them mounted.
    SkillsOn,
}

/// Where the gates come from. [`GateSource::resolve`] is the only place that decides among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct GateSource {
    /// `--feature-gates`, over all.
    pub flags: Option<String>,
    /// The gates file, over the ConfigMap.
    pub file: Option<GatesFile>,
    /// The operator's namespace; by default the profile's.
    pub operator_namespace: Option<String>,
    /// What counts without file and ConfigMap.
    pub default: GateDefault,
}

impl GateSource {
    /// The gates of one moment; `maps` are the ConfigMaps that were read, the operator's gates among them.
    ///
    /// # Errors
    /// Flags, file or ConfigMap that cannot be read: an unreadable gate is never taken for a value.
    pub fn resolve(&self, profile: &Profile, maps: &[ConfigMap]) -> Result<FeatureGates, GatesError> {
        let names = profile.names;
        let system = self.operator_namespace.as_deref().unwrap_or(names.system_namespace);
        let config_map = maps.iter().find(|map| map.namespace == system && map.name == names.feature_gates);
        let load = |text: Option<&str>, place: String| {
            FeatureGates::load(profile, text)
                .map_err(|error| GatesError::At { place, message: error.to_string() })
        };
        let gates = match (&self.file, config_map, self.default) {
            (Some(file), _, _) => {
                load(file.text.as_deref(), format!("parsing feature gates file {}", file.path))?
            }
            (None, Some(map), _) => load(
                map.data.get(GATES_KEY).map(String::as_str),
                format!("ConfigMap {}/{}", map.namespace, map.name),
            )?,
            (None, None, GateDefault::Compiled) => FeatureGates::defaults(profile),
            (None, None, GateDefault::SkillsOn) => {
                FeatureGates::from_flag(profile, &format!("{}=true", profile.skill_gate))?
            }
        };
        match &self.flags {
            Some(flags) => gates.with_flag(profile, flags),
            None => Ok(gates),
        }
    }
}

impl FeatureGates {
    /// The gates as compiled in.
    pub fn defaults(profile: &Profile) -> Self {
        Self { values: profile.gates.to_vec() }
    }

    /// Reads a gates file's text; without a file the compiled defaults.
    ///
    /// Keys match whatever their case, and of keys that differ only by case the last by bytes wins; unknown keys are
    /// ignored, null leaves the default. If every gate comes out false, the compiled defaults count instead
    /// (operator-spec.md section 11, Q24).
    ///
    /// # Errors
    /// [`GatesError::File`] with the operator's text: not YAML, not a mapping, or a known gate that is not a boolean.
    pub fn load(profile: &Profile, text: Option<&str>) -> Result<Self, GatesError> {
        let mut gates = Self::defaults(profile);
        let Some(text) = text else { return Ok(gates) };
        let value = first_document(text)
            .map_err(|error| GatesError::File(format!("error converting YAML to JSON: {error}")))?;
        gates.decode(&value).map_err(|error| {
            GatesError::File(format!("error unmarshaling JSON: while decoding JSON: json: {error}"))
        })?;
        if gates.values.iter().all(|(_, on)| !on) {
            return Ok(Self::defaults(profile));
        }
        Ok(gates)
    }

    /// Sets gates from a flag such as `skillImageVolumes=true,envoyProxy=false`. Unlike in a file, every gate may be
    /// turned off.
    ///
    /// # Errors
    /// [`GatesError::Flag`] for a part that is not `NAME=true` or `NAME=false`, or a gate that the profile has not.
    pub fn with_flag(mut self, profile: &Profile, flag: &str) -> Result<Self, GatesError> {
        for part in flag.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(GatesError::Flag(format!(
                    "feature gate {part:?}: must be written NAME=true or NAME=false"
                )));
            };
            let on = match value.trim() {
                "true" => true,
                "false" => false,
                other => {
                    return Err(GatesError::Flag(format!(
                        "feature gate {name}: must be true or false, found {other:?}"
                    )));
                }
            };
            let name = name.trim();
            let Some(gate) = self.values.iter_mut().find(|(known, _)| *known == name) else {
                return Err(GatesError::Flag(unknown(profile, name)));
            };
            gate.1 = on;
        }
        Ok(self)
    }

    /// The compiled defaults with a flag's gates; see [`FeatureGates::with_flag`].
    ///
    /// # Errors
    /// As [`FeatureGates::with_flag`].
    pub fn from_flag(profile: &Profile, flag: &str) -> Result<Self, GatesError> {
        Self::defaults(profile).with_flag(profile, flag)
    }

    /// Whether a gate is on; false for a gate that the profile has not.
    pub fn get(&self, name: &str) -> bool {
        self.values.iter().any(|(known, on)| *known == name && *on)
    }

    /// Whether the gate that decides over skills is on.
    pub fn skills(&self, profile: &Profile) -> bool {
        self.get(profile.skill_gate)
    }

    /// All gates by name.
    pub fn to_map(&self) -> BTreeMap<&'static str, bool> {
        self.values.iter().copied().collect()
    }

    /// Decodes an object over the present values as Go's `encoding/json` does: a wrong type does not stop it, the first
    /// is the error.
    fn decode(&mut self, value: &Value) -> Result<(), String> {
        let object = match value {
            Value::Null => return Ok(()),
            Value::Object(object) => object,
            other => {
                let found = json_type_name(other);
                return Err(format!("cannot unmarshal {found} into Go value of type config.FeatureGates"));
            }
        };
        // In byte order of the keys: `first_document` sorts them, as Go does between YAML and JSON.
        for (key, value) in object {
            let exact = self.values.iter().position(|(name, _)| name == key);
            let folded = || self.values.iter().position(|(name, _)| fold(name).eq(fold(key)));
            let Some(index) = exact.or_else(folded) else { continue };
            let (name, on) = &mut self.values[index];
            match value {
                Value::Null => {}
                Value::Bool(value) => *on = *value,
                other => {
                    let found = json_type_name(other);
                    return Err(format!(
                        "cannot unmarshal {found} into Go struct field FeatureGates.{name} of type bool"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A key's letters as Go compares them without regard to case: two characters beyond ASCII fold to ASCII letters.
fn fold(key: &str) -> impl Iterator<Item = char> + '_ {
    key.chars().map(|char| match char {
        '\u{17f}' => 'S',
        '\u{212a}' => 'K',
        other => other.to_ascii_uppercase(),
    })
}

fn unknown(profile: &Profile, name: &str) -> String {
    let suggestion = nearest(name, profile.gates.iter().map(|(known, _)| *known));
    let known: Vec<&str> = profile.gates.iter().map(|(known, _)| *known).collect();
    format!(
        "feature gate {name:?}: unknown in profile {}; did you mean {}? known are {}",
        profile.name,
        suggestion.unwrap_or_default(),
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str) -> &'static Profile {
        Profile::by_name(name).unwrap()
    }

    /// What an administrator sees in the manager's log when the gate is quoted.
    #[test]
    fn a_quoted_gate_is_refused_in_the_operators_words() {
        let error =
            FeatureGates::load(profile("pr332"), Some("envoyProxy: x\nskillImageVolumes: \"true\"\n"));
        assert_eq!(
            error,
            Err(GatesError::File(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field \
                 FeatureGates.envoyProxy of type bool"
                    .to_owned()
            ))
        );
    }

    /// Whoever turns every gate off gets the defaults, two of which are on (Q24); which gates are known is the
    /// profile's.
    #[test]
    fn all_false_brings_the_defaults_back() {
        let text = "globalEnabled: false\nenvoyProxy: false\ncombinedSidecar: true\n";
        let with = FeatureGates::load(profile("pr332"), Some(text)).unwrap();
        assert!(with.get("combinedSidecar") && !with.get("globalEnabled"));
        let without = FeatureGates::load(profile("pr332-merged"), Some(text)).unwrap();
        assert_eq!(without, FeatureGates::defaults(profile("pr332-merged")));
    }

    /// Deep nesting must be an error, not the end of the process.
    #[test]
    fn hostile_nesting_is_refused() {
        let sound = format!("a: {}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(
            FeatureGates::load(profile("pr332"), Some(&sound)),
            Ok(FeatureGates::defaults(profile("pr332")))
        );
        for depth in [1_100, 9_000, 20_000] {
            for text in [
                format!("a: {}1{}", "[".repeat(depth), "]".repeat(depth)),
                format!("a: {}", "{a: ".repeat(depth)),
                "- ".repeat(depth),
                "? ".repeat(depth),
            ] {
                let loaded = FeatureGates::load(profile("pr332"), Some(&text));
                assert!(matches!(loaded, Err(GatesError::File(_))), "{depth} of {}", &text[..6]);
            }
        }
    }

    /// The ConfigMap's key is what the manager's file would be; a ConfigMap without it counts as an empty file.
    #[test]
    fn the_config_map_is_read_as_the_file() {
        let names = profile("head").names;
        let mut map = ConfigMap {
            namespace: names.system_namespace.to_owned(),
            name: names.feature_gates.to_owned(),
            ..ConfigMap::default()
        };
        let of = |map: &ConfigMap| GateSource::default().resolve(profile("head"), std::slice::from_ref(map));
        assert_eq!(of(&map), Ok(FeatureGates::defaults(profile("head"))));
        map.data.insert(GATES_KEY.to_owned(), "SkillDiscovery: yes".to_owned());
        map.data.insert("skillDiscovery".to_owned(), "false".to_owned());
        assert!(of(&map).is_ok_and(|gates| gates.skills(profile("head"))));
    }

    /// Flags over the file, the file over the ConfigMap; a broken source is an error that names it, in the same words
    /// for every verb and the controller.
    #[test]
    fn one_resolver_for_files_cluster_and_controller() {
        let profile = profile("pr332");
        let map = |text: &str| ConfigMap {
            namespace: "kagenti-system".into(),
            name: "kagenti-feature-gates".into(),
            data: [(GATES_KEY.to_owned(), text.to_owned())].into(),
            ..ConfigMap::default()
        };
        let skills = |source: &GateSource, maps: &[ConfigMap]| {
            source
                .resolve(profile, maps)
                .map(|gates| gates.skills(profile))
                .map_err(|error| error.to_string())
        };
        let file = |text: &str| GateSource {
            file: Some(GatesFile { path: "/etc/g.yaml".into(), text: Some(text.into()) }),
            ..GateSource::default()
        };
        let none = GateSource::default();
        assert_eq!(skills(&none, &[]), Ok(false));
        assert_eq!(skills(&GateSource { default: GateDefault::SkillsOn, ..none.clone() }, &[]), Ok(true));
        assert_eq!(skills(&none, &[map("skillImageVolumes: true")]), Ok(true));
        let elsewhere = GateSource { operator_namespace: Some("other".into()), ..none.clone() };
        assert_eq!(skills(&elsewhere, &[map("skillImageVolumes: true")]), Ok(false));
        assert_eq!(skills(&file("skillImageVolumes: yes"), &[map("[")]), Ok(true));
        let flags =
            GateSource { flags: Some("skillImageVolumes=false".into()), ..file("skillImageVolumes: yes") };
        assert_eq!(skills(&flags, &[]), Ok(false));
        let unmarshal = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go struct field \
                         FeatureGates.skillImageVolumes of type bool";
        assert_eq!(
            skills(&file("skillImageVolumes: 1"), &[]),
            Err(format!("parsing feature gates file /etc/g.yaml: {unmarshal}"))
        );
        assert_eq!(
            skills(&none, &[map("skillImageVolumes: 1")]),
            Err(format!("ConfigMap kagenti-system/kagenti-feature-gates: {unmarshal}"))
        );
    }

    /// A mistyped gate must not silently do nothing.
    #[test]
    fn flags_set_gates_and_name_the_nearest() {
        let gates =
            FeatureGates::from_flag(profile("pr332-merged"), "skillImageVolumes=true, envoyProxy=false")
                .unwrap();
        assert!(gates.get("skillImageVolumes") && !gates.get("envoyProxy") && gates.get("globalEnabled"));
        for (flag, message) in [
            (
                "skillimagevolumes=true",
                "feature gate \"skillimagevolumes\": unknown in profile pr332-merged; did you mean skillImageVolumes? known are globalEnabled, envoyProxy, injectTools, perWorkloadConfigResolution, skillImageVolumes",
            ),
            (
                "skillImageVolumes",
                "feature gate \"skillImageVolumes\": must be written NAME=true or NAME=false",
            ),
            ("skillImageVolumes=yes", "feature gate skillImageVolumes: must be true or false, found \"yes\""),
        ] {
            let error = FeatureGates::from_flag(profile("pr332-merged"), flag).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        // What a file cannot do: all off.
        let off = "globalEnabled=false,envoyProxy=false";
        assert!(FeatureGates::from_flag(profile("head"), off).unwrap().to_map().values().all(|on| !on));
    }
}
