//! The config hash: an AgentRuntime's spec and its namespace's configuration come in, the exact JSON text that the
//! operator hashes and its SHA-256 go out. Which ConfigMaps count is left to `layers`.
//!
//! Source: operator-spec.md section 4. Fields and their order are data of the profile.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, Trace};
use crate::api::profile::{HashField, Profile};
use crate::config::layers::ResolvedConfig;
use crate::go::json::{push_number, push_string};

/// The bytes that the operator of `profile` hashes. Without a spec: the defaults-only hash input, which the operator
/// stamps when an AgentRuntime is deleted (all fields of the spec absent, `type` empty).
pub fn hash_input(profile: &Profile, spec: Option<&AgentRuntimeSpec>, config: &ResolvedConfig) -> String {
    let absent = AgentRuntimeSpec::default();
    let spec = spec.unwrap_or(&absent);
    let config = config.fragments();
    let mut out = String::with_capacity(
        256 + config.feature_gates.len()
            + config.defaults.len()
            + config.auth_bridge_runtime.len()
            + config.spiffe_helper.len(),
    );
    out.push('{');
    for field in profile.hash_fields {
        match field {
            // The only field that Go writes also when empty.
            HashField::Type => push_text(&mut out, *field, &spec.agent_type),
            HashField::TrustDomain if !spec.trust_domain.is_empty() => {
                push_text(&mut out, *field, &spec.trust_domain);
            }
            HashField::AuthBridgeMode if !spec.auth_bridge_mode.is_empty() => {
                push_text(&mut out, *field, &spec.auth_bridge_mode);
            }
            HashField::MtlsMode if !spec.mtls_mode.is_empty() => push_text(&mut out, *field, &spec.mtls_mode),
            HashField::TrustDomain | HashField::AuthBridgeMode | HashField::MtlsMode => {}
            HashField::Trace => {
                if let Some(trace) = &spec.trace {
                    push_key(&mut out, json_name(*field));
                    push_trace(&mut out, trace);
                }
            }
            HashField::Skills => {
                if !spec.skills.is_empty() {
                    push_key(&mut out, json_name(*field));
                    push_skills(&mut out, &spec.skills);
                }
            }
            HashField::FeatureGates => push_fragment(&mut out, *field, &config.feature_gates),
            HashField::Defaults => push_fragment(&mut out, *field, &config.defaults),
            HashField::AuthBridgeRuntime => push_fragment(&mut out, *field, &config.auth_bridge_runtime),
            HashField::SpiffeHelperConfig => push_fragment(&mut out, *field, &config.spiffe_helper),
        }
    }
    out.push('}');
    out
}

/// The field's name in the hash input.
pub fn json_name(field: HashField) -> &'static str {
    match field {
        HashField::Type => "type",
        HashField::TrustDomain => "trustDomain",
        HashField::Trace => "trace",
        HashField::FeatureGates => "featureGates",
        HashField::Defaults => "defaults",
        HashField::AuthBridgeMode => "authBridgeMode",
        HashField::MtlsMode => "mtlsMode",
        HashField::AuthBridgeRuntime => "authBridgeRuntime",
        HashField::Skills => "skills",
        HashField::SpiffeHelperConfig => "spiffeHelperConfig",
    }
}

/// Appends `"key":`, with a comma unless it is the first of its object.
fn push_key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    push_string(out, key);
    out.push(':');
}

fn push_text(out: &mut String, field: HashField, text: &str) {
    push_key(out, json_name(field));
    push_string(out, text);
}

fn push_fragment(out: &mut String, field: HashField, fragment: &str) {
    if !fragment.is_empty() {
        push_key(out, json_name(field));
        out.push_str(fragment);
    }
}

fn push_trace(out: &mut String, trace: &Trace) {
    out.push('{');
    for (key, text) in [("endpoint", &trace.endpoint), ("protocol", &trace.protocol)] {
        if !text.is_empty() {
            push_key(out, key);
            push_string(out, text);
        }
    }
    // Go's omitempty compares with zero, to which -0 is equal.
    if trace.rate != 0.0 {
        push_key(out, "rate");
        push_number(out, trace.rate);
    }
    out.push('}');
}

fn push_skills(out: &mut String, skills: &[Skill]) {
    out.push('[');
    for (index, skill) in skills.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('{');
        for (key, text) in [("name", &skill.name), ("image", &skill.image), ("mountPath", &skill.mount_path)]
        {
            push_key(out, key);
            push_string(out, text);
        }
        if !skill.pull_policy.is_empty() {
            push_key(out, "pullPolicy");
            push_string(out, &skill.pull_policy);
        }
        out.push('}');
    }
    out.push(']');
}

/// A config hash: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigHash(String);

impl ConfigHash {
    /// SHA-256 of a hash input.
    pub fn of(input: &str) -> Self {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(input.as_bytes()) {
            for digit in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        Self(hex)
    }

    /// Takes a hash as found in an annotation; nothing but 64 lower-case hex digits is one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && is_hex(text)).then(|| Self(text.to_owned()))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as in the operator's Ready message.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first digits of a config hash, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashPrefix(String);

impl HashPrefix {
    /// Fewest digits that are taken for a hash.
    pub const SHORTEST: usize = 8;

    /// Takes 8 to 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        ((Self::SHORTEST..=64).contains(&text.len()) && is_hex(text)).then(|| Self(text.to_owned()))
    }

    /// Whether a hash begins so.
    pub fn begins(&self, hash: &ConfigHash) -> bool {
        hash.0.starts_with(&self.0)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&ConfigHash> for HashPrefix {
    fn from(hash: &ConfigHash) -> Self {
        Self(hash.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::{ConfigView, resolve};

    /// The hashes that an operator without any configuration stamps: known by heart in every cluster.
    #[test]
    fn nothing_at_all_is_hashed_as_the_dialect_does() {
        for (name, input, short) in [
            ("pr332", r#"{"type":""}"#, "8b52856f38dd"),
            ("no-skills", r#"{"type":""}"#, "8b52856f38dd"),
            ("two-layer", "{}", "44136fa355b3"),
            ("rossoctl", "{}", "44136fa355b3"),
        ] {
            let profile = Profile::by_name(name).unwrap();
            let config = resolve(profile, &[], "team", ConfigView::Full);
            let ours = hash_input(profile, None, &config);
            assert_eq!((ours.as_str(), ConfigHash::of(&ours).short()), (input, short), "{name}");
        }
    }

    /// A hash on the command line is taken as it is or not at all.
    #[test]
    fn only_sixty_four_lower_case_digits_are_a_hash() {
        let hash = ConfigHash::of("{}");
        assert_eq!(hash.as_str(), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_eq!(ConfigHash::parse(hash.as_str()), Some(hash.clone()));
        assert_eq!(ConfigHash::parse(hash.short()), None);
        assert_eq!(ConfigHash::parse(&hash.as_str().to_uppercase()), None);
        assert_eq!(ConfigHash::parse(&"é".repeat(32)), None);
    }
}
