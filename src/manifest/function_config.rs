//! `functionConfig` of a KRM function: an object in, options out, or every defect of it. What the options mean is left
//! to `render`; reading the AgentRuntimes, SkillBindings and ConfigMaps given in it, to the stream.
//!
//! Taken are our own `SkillsFunction`, a ConfigMap (kpt's `-- key=value`), and an AgentRuntime or a SkillBinding itself.
//! [`OPTIONS`] is the only list of options: the reader, the JSON schema and the documentation's table come from it.

#[cfg(feature = "skill")]
use std::sync::Arc;

#[cfg(feature = "skill")]
use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::api::agent_runtime::type_name;
use crate::api::error::InputError;
use crate::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILL_BINDING, SKILLS_GROUP};
use crate::api::nearest::nearest;
use crate::api::object::{ConfigMap, Object, ObjectRef, Origin, group_of};
use crate::api::profile::{PROFILES, Profile};
use crate::api::workload::Kinds;
use crate::config::layers::ConfigView;
#[cfg(feature = "skill")]
use crate::skill::policy::Policy;

pub mod schema;

/// apiVersion of [`KIND`].
pub const API_VERSION: &str = "skills.kagenti.dev/v1alpha1";
/// Kind of our own configuration.
pub const KIND: &str = "SkillsFunction";

/// What a value of an option may be, and where it goes.
#[derive(Debug, Clone, Copy)]
pub enum OptionKind {
    /// `true` or `false`.
    Flag(fn(&mut FunctionConfig) -> &mut Option<bool>),
    /// Any text but the empty one.
    Text(fn(&mut FunctionConfig) -> &mut Option<String>),
    /// A list of kinds with the way to their pod template, or in a text joined by commas.
    PodTemplatePaths,
    /// `auto` or the name of a profile.
    Profile,
    /// `operator` or `full`.
    View,
    /// A map of gates, or the text `NAME=true,NAME=false`.
    Gates,
    /// A list of ConfigMaps; not in a ConfigMap.
    ConfigMaps,
    /// A list of AgentRuntimes; not in a ConfigMap.
    AgentRuntimes,
    /// A list of SkillBindings; not in a ConfigMap.
    SkillBindings,
}

/// An option of the function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionOption {
    /// Key under `spec`, and in a ConfigMap's `data`.
    pub name: &'static str,
    /// What it may be.
    pub kind: OptionKind,
    /// What it does.
    pub text: &'static str,
}

/// All options.
pub const OPTIONS: [FunctionOption; 18] = [
    FunctionOption {
        name: "profile",
        kind: OptionKind::Profile,
        text: "Whose rules: the dialect of the operator in the cluster; auto takes it from the manifests",
    },
    FunctionOption {
        name: "exact",
        kind: OptionKind::Flag(|config| &mut config.exact),
        text: "As the operator does it, bug for bug",
    },
    FunctionOption {
        name: "featureGates",
        kind: OptionKind::Gates,
        text: "Feature gates by name; they decide over those of the configuration",
    },
    FunctionOption {
        name: "featureGatesFile",
        kind: OptionKind::Text(|config| &mut config.feature_gates_file),
        text: "Text of the gates file as the operator's manager mounts it",
    },
    FunctionOption {
        name: "configView",
        kind: OptionKind::View,
        text: "Which ConfigMaps the config hash sees: operator (what the deployed operator sees) or full",
    },
    FunctionOption {
        name: "config",
        kind: OptionKind::ConfigMaps,
        text: "The operator's ConfigMaps that go into the config hash, alongside those among the items",
    },
    FunctionOption {
        name: "container",
        kind: OptionKind::Text(|config| &mut config.container),
        text: "Container that gets the mounts, instead of the one that the operator chooses",
    },
    FunctionOption {
        name: "skillFolders",
        kind: OptionKind::Flag(|config| &mut config.skill_folders),
        text: "Whether SKILL_FOLDERS is set; by default as the profile has it",
    },
    FunctionOption {
        name: "podTemplatePaths",
        kind: OptionKind::PodTemplatePaths,
        text: "Further kinds that a SkillBinding can point at, and where their pod template is: Workflow.example.com=spec.template",
    },
    FunctionOption {
        name: "lock",
        kind: OptionKind::Text(|config| &mut config.lock),
        text: "Text of a skills.lock: images get their digests from it, and one that it does not have is an error",
    },
    FunctionOption {
        name: "policy",
        kind: OptionKind::Text(|config| &mut config.policy),
        text: "Text of a policy about skills (kind SkillPolicy), judged by the lock: what breaks it is an error",
    },
    FunctionOption {
        name: "remove",
        kind: OptionKind::Flag(|config| &mut config.remove),
        text: "Takes skills out again instead of mounting them",
    },
    FunctionOption {
        name: "validate",
        kind: OptionKind::Flag(|config| &mut config.validate),
        text: "Changes nothing: what is not carried out is an error; for kustomize's validators, which must get no items back",
    },
    FunctionOption {
        name: "allowNone",
        kind: OptionKind::Flag(|config| &mut config.allow_none),
        text: "With validate: an input without an AgentRuntime or a SkillBinding is no error",
    },
    FunctionOption {
        name: "dropSkills",
        kind: OptionKind::Flag(|config| &mut config.drop_skills),
        text: "With kpt: takes skills out of AgentRuntimes whose CRD does not know them, though the package holds them nowhere else",
    },
    FunctionOption {
        name: "namespace",
        kind: OptionKind::Text(|config| &mut config.namespace),
        text: "Namespace of items that name none; default",
    },
    FunctionOption {
        name: "agentRuntimes",
        kind: OptionKind::AgentRuntimes,
        text: "AgentRuntimes alongside those among the items; they are carried out and not printed",
    },
    FunctionOption {
        name: "skillBindings",
        kind: OptionKind::SkillBindings,
        text: "SkillBindings alongside those among the items; they are carried out and not printed",
    },
];

/// What a functionConfig says. None: not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FunctionConfig {
    /// The object itself.
    pub id: Option<ObjectRef>,
    /// `auto` or the name of a profile.
    pub profile: Option<String>,
    /// See [`OPTIONS`], as for all below.
    pub exact: Option<bool>,
    /// As the flag has them: `NAME=true,NAME=false`.
    pub feature_gates: Option<String>,
    /// Text of a gates file.
    pub feature_gates_file: Option<String>,
    /// Which ConfigMaps the hash sees.
    pub config_view: Option<ConfigView>,
    /// ConfigMaps.
    pub config: Vec<ConfigMap>,
    /// A container's name.
    pub container: Option<String>,
    /// Whether SKILL_FOLDERS is set.
    pub skill_folders: Option<bool>,
    /// Kinds as `--pod-template-path` has them.
    pub pod_template_paths: Vec<String>,
    /// Text of a lock.
    pub lock: Option<String>,
    /// Text of a policy.
    pub policy: Option<String>,
    /// The same, read already: a file may name files of keys.
    #[cfg(feature = "skill")]
    pub policy_file: Option<Arc<Policy>>,
    /// The day by which exceptions of a policy end; there is no clock here.
    #[cfg(feature = "skill")]
    pub today: Option<Date>,
    /// Skills are taken out.
    pub remove: Option<bool>,
    /// Nothing is changed.
    pub validate: Option<bool>,
    /// With `validate`, an input without an AgentRuntime is no error.
    pub allow_none: Option<bool>,
    /// What a package alone holds may go.
    pub drop_skills: Option<bool>,
    /// Namespace of items without one.
    pub namespace: Option<String>,
    /// AgentRuntimes.
    pub agent_runtimes: Vec<Value>,
    /// SkillBindings.
    pub skill_bindings: Vec<Value>,
}

impl FunctionConfig {
    /// Reads a functionConfig; null is one that says nothing.
    ///
    /// # Errors
    /// All defects: a kind that is none of ours, unknown fields with the nearest known one, values of a wrong type.
    pub fn read(value: &Value, origin: &Origin) -> Result<Self, Vec<InputError>> {
        let mut reader = Reader { origin, id: None, errors: Vec::new(), out: Self::default() };
        match value {
            Value::Null => {}
            Value::Object(map) => reader.object(value, map),
            other => {
                reader.refuse("", format!("functionConfig must be an object, found {}", type_name(other)), "")
            }
        }
        reader.out.id = reader.id;
        if reader.errors.is_empty() { Ok(reader.out) } else { Err(reader.errors) }
    }
}

impl FunctionConfig {
    /// What is said here, and of what is not, what `other` says. Lists are joined.
    pub fn or(self, other: Self) -> Self {
        Self {
            id: self.id.or(other.id),
            profile: self.profile.or(other.profile),
            exact: self.exact.or(other.exact),
            feature_gates: self.feature_gates.or(other.feature_gates),
            feature_gates_file: self.feature_gates_file.or(other.feature_gates_file),
            config_view: self.config_view.or(other.config_view),
            config: [self.config, other.config].concat(),
            container: self.container.or(other.container),
            skill_folders: self.skill_folders.or(other.skill_folders),
            pod_template_paths: [self.pod_template_paths, other.pod_template_paths].concat(),
            lock: self.lock.or(other.lock),
            policy: self.policy.or(other.policy),
            #[cfg(feature = "skill")]
            policy_file: self.policy_file.or(other.policy_file),
            #[cfg(feature = "skill")]
            today: self.today.or(other.today),
            remove: self.remove.or(other.remove),
            validate: self.validate.or(other.validate),
            allow_none: self.allow_none.or(other.allow_none),
            drop_skills: self.drop_skills.or(other.drop_skills),
            namespace: self.namespace.or(other.namespace),
            agent_runtimes: [self.agent_runtimes, other.agent_runtimes].concat(),
            skill_bindings: [self.skill_bindings, other.skill_bindings].concat(),
        }
    }
}

/// Whether an object is an AgentRuntime of either naming scheme.
fn is_agent_runtime(api_version: &str, kind: &str) -> bool {
    let group = group_of(api_version);
    kind == AGENT_RUNTIME && [KAGENTI.group, ROSSOCTL.group].contains(&group)
}

/// Whether an object is a SkillBinding.
fn is_skill_binding(api_version: &str, kind: &str) -> bool {
    kind == SKILL_BINDING && group_of(api_version) == SKILLS_GROUP
}

struct Reader<'a> {
    origin: &'a Origin,
    id: Option<ObjectRef>,
    errors: Vec<InputError>,
    out: FunctionConfig,
}

impl Reader<'_> {
    fn refuse(&mut self, field: &str, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(InputError {
            origin: self.origin.clone(),
            object: self.id.clone(),
            field: field.to_owned(),
            message: message.into(),
            help: help.into(),
            ..InputError::default()
        });
    }

    fn object(&mut self, value: &Value, map: &Map<String, Value>) {
        let (api_version, kind) = (Object(value).api_version(), Object(value).kind());
        self.id = Some(Object(value).reference());
        if kind == "ConfigMap" && api_version == "v1" {
            self.config_map(map);
        } else if is_agent_runtime(api_version, kind) {
            self.named("", value, |config| &mut config.agent_runtimes);
        } else if is_skill_binding(api_version, kind) {
            self.named("", value, |config| &mut config.skill_bindings);
        } else if kind == KIND && api_version == API_VERSION {
            self.skills_function(map);
        } else if kind == KIND {
            self.refuse("apiVersion", format!("{api_version:?} is unknown"), format!("write {API_VERSION}"));
        } else {
            self.refuse(
                "kind",
                format!("a functionConfig cannot be {kind:?} of {api_version:?}"),
                format!(
                    "use {KIND} of {API_VERSION}, a ConfigMap with `data`, an AgentRuntime or a SkillBinding"
                ),
            );
        }
    }

    fn skills_function(&mut self, map: &Map<String, Value>) {
        const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
        for (key, value) in map {
            if !FIELDS.contains(&key.as_str()) {
                let known = OPTIONS.iter().find(|option| option.name == key);
                let help = match known {
                    Some(option) => format!("it belongs under spec: spec.{}", option.name),
                    None => suggestion(key, &FIELDS),
                };
                self.refuse(key, "unknown field", help);
            } else if key == "spec" {
                match value {
                    Value::Null => {}
                    Value::Object(spec) => self.options("spec", spec, false),
                    other => {
                        self.refuse("spec", format!("must be an object, found {}", type_name(other)), "")
                    }
                }
            }
        }
    }

    fn config_map(&mut self, map: &Map<String, Value>) {
        if map.get("binaryData").is_some_and(|value| !value.is_null()) {
            self.refuse("binaryData", "options are text", "move them to data");
        }
        match map.get("data") {
            None | Some(Value::Null) => {}
            Some(Value::Object(data)) => self.options("data", data, true),
            Some(other) => self.refuse("data", format!("must be an object, found {}", type_name(other)), ""),
        }
    }

    fn options(&mut self, parent: &str, map: &Map<String, Value>, strings: bool) {
        for (key, value) in map {
            let field = format!("{parent}.{key}");
            let Some(option) = OPTIONS.iter().find(|option| option.name == key) else {
                let names: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
                self.refuse(&field, "unknown field", suggestion(key, &names));
                continue;
            };
            if value.is_null() {
                // A policy or a lock that is commented out would be none.
                if matches!(option.name, "policy" | "lock") {
                    self.refuse(&field, "has no value", "give it the text of a file, or leave the key out");
                }
                continue;
            }
            let holds_objects = matches!(
                option.kind,
                OptionKind::ConfigMaps | OptionKind::AgentRuntimes | OptionKind::SkillBindings
            );
            if strings && holds_objects {
                let help = format!("use kind {KIND} of {API_VERSION} instead of a ConfigMap");
                self.refuse(&field, "holds whole objects, which a ConfigMap cannot", help);
                continue;
            }
            self.option(&field, option, value, strings);
        }
    }

    fn option(&mut self, field: &str, option: &FunctionOption, value: &Value, strings: bool) {
        match option.kind {
            OptionKind::Flag(slot) => {
                if let Some(flag) = self.flag(field, value, strings) {
                    *slot(&mut self.out) = Some(flag);
                }
            }
            OptionKind::Text(slot) => {
                if let Some(text) = self.text(field, value) {
                    *slot(&mut self.out) = Some(text);
                }
            }
            OptionKind::Profile => self.out.profile = self.profile(field, value),
            OptionKind::View => self.out.config_view = self.view(field, value),
            OptionKind::Gates => self.out.feature_gates = self.gates(field, value),
            OptionKind::PodTemplatePaths if strings => {
                let text = self.text(field, value).unwrap_or_default();
                text.split(',')
                    .filter(|one| !one.is_empty())
                    .for_each(|one| self.pod_template_path(field, one));
            }
            OptionKind::PodTemplatePaths => self.each(field, value, |reader, field, value| {
                if let Some(text) = reader.text(field, value) {
                    reader.pod_template_path(field, &text);
                }
            }),
            OptionKind::ConfigMaps => self.each(field, value, Self::map),
            OptionKind::AgentRuntimes => self.each(field, value, Self::listed_runtime),
            OptionKind::SkillBindings => self.each(field, value, Self::listed_binding),
        }
    }

    fn each(&mut self, field: &str, value: &Value, read: fn(&mut Self, &str, &Value)) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    read(self, &format!("{field}[{index}]"), item);
                }
            }
            other => self.refuse(field, format!("must be an array, found {}", type_name(other)), ""),
        }
    }

    /// In a ConfigMap all values are strings; elsewhere a quoted flag is a mistake.
    fn flag(&mut self, field: &str, value: &Value, strings: bool) -> Option<bool> {
        match value {
            Value::Bool(flag) if !strings => return Some(*flag),
            Value::String(text) if strings && text == "true" => return Some(true),
            Value::String(text) if strings && text == "false" => return Some(false),
            Value::Bool(_) => self.refuse(field, "values of a ConfigMap are strings", "quote it"),
            Value::String(text) if text == "true" || text == "false" => {
                self.refuse(field, "must be true or false, found a string", "remove the quotes");
            }
            other => self.refuse(field, format!("must be true or false, found {other}"), ""),
        }
        None
    }

    fn text(&mut self, field: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => return Some(text.clone()),
            Value::String(_) => self.refuse(field, "must not be empty", "leave it out for the default"),
            other => self.refuse(field, format!("must be a string, found {}", type_name(other)), "quote it"),
        }
        None
    }

    fn profile(&mut self, field: &str, value: &Value) -> Option<String> {
        let name = self.text(field, value)?;
        if name == "auto" || Profile::by_name(&name).is_some() {
            return Some(name);
        }
        let known: Vec<&str> = profiles().collect();
        self.refuse(field, format!("unknown profile {name:?}"), suggestion(&name, &known));
        None
    }

    fn view(&mut self, field: &str, value: &Value) -> Option<ConfigView> {
        let name = self.text(field, value)?;
        match name.as_str() {
            "operator" => Some(ConfigView::Operator),
            "full" => Some(ConfigView::Full),
            _ => {
                self.refuse(field, format!("unknown view {name:?}"), suggestion(&name, &VIEWS));
                None
            }
        }
    }

    fn pod_template_path(&mut self, field: &str, text: &str) {
        match Kinds::check(text) {
            Ok(()) => self.out.pod_template_paths.push(text.to_owned()),
            Err(why) => self.refuse(field, format!("{text:?}: {why}"), ""),
        }
    }

    /// Names are checked where the profile is known.
    fn gates(&mut self, field: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Object(map) => {
                let mut parts = Vec::new();
                for (name, on) in map {
                    match on {
                        Value::Bool(on) => parts.push(format!("{name}={on}")),
                        other => {
                            let message = format!("must be true or false, found {other}");
                            self.refuse(&format!("{field}.{name}"), message, "");
                        }
                    }
                }
                Some(parts.join(","))
            }
            other => {
                let message = format!("must be an object, found {}", type_name(other));
                self.refuse(field, message, "write each gate as NAME: true");
                None
            }
        }
    }

    fn map(&mut self, field: &str, value: &Value) {
        if value["kind"] != "ConfigMap" || value["apiVersion"] != "v1" {
            self.refuse(field, "must be a ConfigMap of v1", "");
            return;
        }
        match ConfigMap::from_value(value, self.origin.clone()) {
            Ok(map) if map.name.is_empty() => {
                self.refuse(&format!("{field}.metadata.name"), "must be set", "")
            }
            Ok(map) => self.out.config.push(map),
            Err(message) => self.refuse(field, message, ""),
        }
    }

    fn listed_runtime(&mut self, field: &str, value: &Value) {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        if is_agent_runtime(text("apiVersion"), text("kind")) {
            self.named(&format!("{field}."), value, |config| &mut config.agent_runtimes);
        } else {
            let help = format!("apiVersion {}/{}", KAGENTI.group, crate::api::names::VERSION);
            self.refuse(field, "must be an AgentRuntime", help);
        }
    }

    fn listed_binding(&mut self, field: &str, value: &Value) {
        let object = Object(value);
        if is_skill_binding(object.api_version(), object.kind()) {
            self.named(&format!("{field}."), value, |config| &mut config.skill_bindings);
        } else {
            let help = format!("apiVersion {SKILLS_GROUP}/{}", crate::api::names::VERSION);
            self.refuse(field, "must be a SkillBinding", help);
        }
    }

    /// Takes an object in that has a name.
    fn named(&mut self, prefix: &str, value: &Value, list: fn(&mut FunctionConfig) -> &mut Vec<Value>) {
        if Object(value).name().is_empty() {
            self.refuse(&format!("{prefix}metadata.name"), "must be set", "");
            return;
        }
        list(&mut self.out).push(value.clone());
    }
}

const VIEWS: [&str; 2] = ["operator", "full"];

/// What `profile` may be.
fn profiles() -> impl Iterator<Item = &'static str> {
    std::iter::once("auto").chain(PROFILES.iter().map(|profile| profile.name))
}

fn suggestion(word: &str, known: &[&str]) -> String {
    let nearest = nearest(word, known.iter().copied()).unwrap_or_default();
    format!("did you mean {nearest}? known are {}", known.join(", "))
}

#[cfg(test)]
mod tests;
