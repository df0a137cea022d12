//! Reads a policy file: a text in, a policy or every defect of it with its place out. Files of keys are read by who calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use spdx::{Licensee, ParseMode};

use super::{
    API_VERSION, Authority, Exception, KIND, License, Limits, Matcher, PerAgent, Policy, RuleId, Who, keys,
    reference,
};
use crate::api::agent_runtime::type_name;
use crate::api::error::InputError;
use crate::api::nearest::nearest;
use crate::api::object::Origin;
use crate::skill::oci::Digest;
use crate::skill::pattern::whole;
use crate::yaml::duplicates::is_there_already;
use crate::yaml::node::NodeId;
use crate::yaml::{self, Document, DocumentSlice, Step, SyntaxError};

/// What makes a policy of one that demands nothing.
const NOTHING: &str = "write a rule, such as registries: [ghcr.io/acme]; without a policy leave the flag out";

/// How licences are read: as SPDX has them, those with an old name among them.
pub(super) const LICENSES: ParseMode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };

/// Reads the text of a policy file of that name. `key_file` reads a file that the policy names, which is counted from its own.
///
/// # Errors
/// Every defect: unknown keys with the nearest known one, values that are none.
pub fn read(
    file: &str,
    text: &str,
    key_file: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Policy, Vec<InputError>> {
    let slices = yaml::split(text);
    let error = |line: usize, column: usize, message: String| {
        let origin = Origin { file: file.to_owned(), document: 0, line };
        vec![InputError { origin, column, message, ..InputError::default() }]
    };
    let slice = match slices.as_slice() {
        [] => return Err(error(1, 0, format!("is empty; a policy is one {KIND} of {API_VERSION}"))),
        [only] => *only,
        [_, second, ..] => {
            return Err(error(second.line, 0, "a second document: a policy is one".to_owned()));
        }
    };
    let syntax = |wrong: SyntaxError| {
        let (line, column) = slice.place(wrong.line, wrong.column);
        error(line, column, wrong.message)
    };
    let document = Document::parse(slice.text(text)).map_err(syntax)?;
    let value = document.to_value().map_err(syntax)?;
    let mut reader = Reader { file, slice, document: &document, key_file, errors: Vec::new() };
    // Of two the last would count: a later `pinned: false` turns off the rule that a reviewer of the file has read.
    for (at, key) in document.duplicate_keys() {
        let (message, help) = is_there_already(&key);
        reader.refuse_at(at, &[], message, help);
    }
    let policy = reader.policy(&value);
    if reader.errors.is_empty() { Ok(policy) } else { Err(reader.errors) }
}

/// The keys of a mapping that are read, and where it stands.
struct Fields<'v> {
    map: &'v Map<String, Value>,
    path: Vec<Step>,
}

impl<'v> Fields<'v> {
    /// A value that is neither absent nor null.
    fn get(&self, key: &str) -> Option<(Vec<Step>, &'v Value)> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some((self.path(key), value))
    }

    fn path(&self, key: &str) -> Vec<Step> {
        [self.path.as_slice(), &[key.into()]].concat()
    }
}

struct Reader<'a> {
    file: &'a str,
    slice: DocumentSlice,
    document: &'a Document<'a>,
    key_file: &'a mut dyn FnMut(&str) -> Result<String, String>,
    errors: Vec<InputError>,
}

impl Reader<'_> {
    fn refuse(&mut self, path: &[Step], message: impl Into<String>, help: impl Into<String>) {
        let (mut at, _) = self.document.deepest(path);
        // A key stands where it is written, not where its value begins.
        if let [parent @ .., Step::Key(key)] = path
            && let Some(parent) = self.document.find(parent)
        {
            let own = |id: &_| self.document.key_text(*id).is_ok_and(|text| text == key.as_str());
            at = self.document.tree.entries(parent).map(|(id, _)| id).filter(own).last().unwrap_or(at);
        }
        self.refuse_at(at, path, message, help);
    }

    fn refuse_at(&mut self, at: NodeId, path: &[Step], message: impl Into<String>, help: impl Into<String>) {
        let (line, column) = self.document.position(at);
        let (line, column) = self.slice.place(line, column);
        self.errors.push(InputError {
            origin: Origin { file: self.file.to_owned(), document: 0, line },
            column,
            field: if path.is_empty() { String::new() } else { yaml::path::display(path).to_string() },
            message: message.into(),
            help: help.into(),
            ..InputError::default()
        });
    }

    /// A mapping in which only these keys may stand.
    fn fields<'v>(&mut self, path: Vec<Step>, value: &'v Value, known: &[&str]) -> Option<Fields<'v>> {
        let Value::Object(map) = value else {
            self.refuse(&path, format!("must be keys and values, found {}", type_name(value)), "");
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let at = [path.as_slice(), &[key.as_str().into()]].concat();
            let near = nearest(key, known.iter().copied()).unwrap_or_default();
            self.refuse(&at, "unknown key", format!("did you mean {near}? known are {}", known.join(", ")));
        }
        // A list whose items are all commented out would ask for nothing.
        for key in map
            .iter()
            .filter(|(key, value)| value.is_null() && known.contains(&key.as_str()))
            .map(|(key, _)| key)
        {
            let at = [path.as_slice(), &[key.as_str().into()]].concat();
            self.refuse(&at, "has no value", "give it one, or leave the key out");
        }
        Some(Fields { map, path })
    }

    fn policy(&mut self, value: &Value) -> Policy {
        let mut out = Policy { file: self.file.to_owned(), ..Policy::default() };
        let Some(top) = self.fields(Vec::new(), value, &keys::TOP) else {
            return out;
        };
        for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            let found = top.map.get(key).and_then(Value::as_str).unwrap_or_default();
            if found != wanted {
                self.refuse(&top.path(key), format!("must be {wanted}, found {found:?}"), "");
            }
        }
        let Some((path, spec)) = top.get("spec") else {
            // What is no policy at all needs no second word.
            if self.errors.is_empty() {
                self.refuse(&top.path("spec"), "is required", NOTHING);
            }
            return out;
        };
        let Some(spec) = self.fields(path, spec, &keys::SPEC) else { return out };
        out.registries = spec.get("registries").map(|(path, value)| self.registries(&path, value));
        out.pinned = self.flag(&spec, "pinned");
        out.signed_by =
            self.each(&spec, "signedBy", Self::authority).unwrap_or_default().into_iter().flatten().collect();
        // Left empty it would ask for nothing, where its author may mean that nobody is trusted.
        if out.signed_by.is_empty() && spec.get("signedBy").is_some_and(|(_, value)| value == &json!([])) {
            self.refuse(&spec.path("signedBy"), "names nobody", "name a signer, or leave it out");
        }
        out.allow_unsigned = self.flag(&spec, "allowUnsigned");
        out.licenses =
            self.each(&spec, "licenses", Self::license).map(|all| all.into_iter().flatten().collect());
        out.allowed_tools = self.texts(&spec, "allowedTools");
        if let Some((path, value)) = spec.get("limits")
            && let Some(of) = self.fields(path, value, &keys::LIMITS)
        {
            out.limits = Limits {
                files: self.number(&of, "files"),
                bytes: self.number(&of, "bytes"),
                tokens: self.number(&of, "tokens"),
                description_tokens: self.number(&of, "descriptionTokens"),
            };
        }
        if let Some((path, value)) = spec.get("perAgent")
            && let Some(of) = self.fields(path, value, &keys::PER_AGENT)
        {
            out.per_agent = PerAgent {
                skills: self.number(&of, "skills"),
                tokens: self.number(&of, "tokens"),
                description_tokens: self.number(&of, "descriptionTokens"),
            };
        }
        out.attestations = self.texts(&spec, "attestations").unwrap_or_default();
        out.exceptions = self
            .each(&spec, "exceptions", Self::exception)
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .collect();
        if self.errors.is_empty() && out.demands_nothing() {
            self.refuse(&spec.path, "demands nothing, and would allow every skill", NOTHING);
        }
        out
    }

    fn registries(&mut self, path: &[Step], value: &Value) -> Vec<String> {
        let mut out = Vec::new();
        for (path, text) in self.list(path, value) {
            let Some(text) = self.text(&path, text) else { continue };
            let prefix = text.trim_end_matches('/');
            // `acme` alone would be a registry's name or a folder of Docker Hub: who writes it has to say which.
            let host = prefix.split('/').next().unwrap_or_default();
            if !reference::is_host(host) {
                self.refuse(
                    &path,
                    format!("{text:?} does not begin with the host of a registry"),
                    format!("write docker.io/{prefix} for Docker Hub"),
                );
            } else if text.contains(['*', '@', ' ']) || prefix.is_empty() {
                self.refuse(
                    &path,
                    format!("{text:?} is no prefix of images"),
                    "write HOST or HOST/PATH, without patterns",
                );
            } else {
                out.push(prefix.replacen("index.docker.io", "docker.io", 1));
            }
        }
        out
    }

    fn authority(&mut self, path: Vec<Step>, value: &Value) -> Option<Authority> {
        let of = self.fields(path, value, &keys::SIGNER)?;
        let images = self.texts(&of, "images").unwrap_or_default();
        if images.is_empty() && of.get("images").is_some() {
            self.refuse(&of.path("images"), "names no image", "name images, or leave it out for all");
        }
        for (index, image) in images.iter().enumerate() {
            self.pattern(&[of.path("images"), vec![index.into()]].concat(), image);
        }
        let key = self.key(&of);
        let identity = self.matcher(&of, "identity", "identityRegexp");
        let issuer = self.matcher(&of, "issuer", "issuerRegexp");
        let names = |keys: &[&str]| keys.iter().filter(|key| of.get(key).is_some()).count();
        let (keys, people) = (names(&["key", "keyFile"]), names(&["identity", "identityRegexp"]));
        if keys + people != 1 {
            self.refuse(
                &of.path,
                "must have one of key, keyFile, identity and identityRegexp",
                "write an entry for each signer",
            );
            return None;
        }
        if keys == 1 {
            if names(&["issuer", "issuerRegexp"]) > 0 {
                self.refuse(&of.path, "a key has no issuer", "take issuer out");
            }
            return Some(Authority { who: key?, images });
        }
        if names(&["issuer", "issuerRegexp"]) != 1 {
            self.refuse(
                &of.path,
                "an identity needs who vouches for it: any issuer can state any identity",
                "write issuer or issuerRegexp, such as issuer: https://token.actions.githubusercontent.com",
            );
            return None;
        }
        Some(Authority { who: Who::Certificate { identity: identity?, issuer: issuer? }, images })
    }

    fn key(&mut self, of: &Fields<'_>) -> Option<Who> {
        if let Some((path, value)) = of.get("key") {
            let text = self.text(&path, value)?;
            return match Digest::parse(&text) {
                Ok(_) => Some(Who::Key { fingerprint: text, pem: None }),
                Err(_) => {
                    let help = "write sha256: and the hash of the key's SPKI in DER, or keyFile: cosign.pub";
                    self.refuse(&path, format!("{text:?} is no fingerprint of a key"), help);
                    None
                }
            };
        }
        let (path, value) = of.get("keyFile")?;
        let name = self.text(&path, value)?;
        match (self.key_file)(&name).and_then(|pem| Ok((fingerprint(&pem)?, pem))) {
            Ok((fingerprint, pem)) => Some(Who::Key { fingerprint, pem: Some(pem) }),
            Err(why) => {
                self.refuse(&path, format!("{name}: {why}"), "");
                None
            }
        }
    }

    fn matcher(&mut self, of: &Fields<'_>, exact: &str, pattern: &str) -> Option<Matcher> {
        if let Some((path, value)) = of.get(exact) {
            return self.text(&path, value).map(Matcher::Exact);
        }
        let (path, value) = of.get(pattern)?;
        let text = self.text(&path, value)?;
        match whole(&text) {
            Ok(regex) => Some(Matcher::Pattern { text, regex }),
            Err(why) => {
                let why = why.to_string();
                self.refuse(
                    &path,
                    format!("{text:?} is no regular expression: {}", why.lines().last().unwrap_or("")),
                    "",
                );
                None
            }
        }
    }

    fn license(&mut self, path: Vec<Step>, value: &Value) -> Option<License> {
        let text = self.text(&path, value)?;
        match Licensee::parse_mode(&text, LICENSES) {
            Ok(licensee) => Some(License { text, licensee }),
            Err(why) => {
                let help = "write one identifier of https://spdx.org/licenses, or LicenseRef-NAME; what is joined by OR are two entries";
                self.refuse(&path, format!("{text:?} is no SPDX licence: {}", why.reason), help);
                None
            }
        }
    }

    fn exception(&mut self, path: Vec<Step>, value: &Value) -> Option<Exception> {
        let of = self.fields(path, value, &keys::EXCEPTION)?;
        let mut text = |key: &str| match of.get(key) {
            Some((path, value)) => self.text(&path, value),
            None => {
                self.refuse(&of.path, format!("{key} must be set"), "");
                None
            }
        };
        let (image, rule, reason, until) = (text("image"), text("rule"), text("reason"), text("until"));
        let rule = rule.and_then(|name| {
            // The limits of an agent are not about an image.
            let known: Vec<RuleId> = RuleId::ALL.into_iter().filter(|rule| *rule != RuleId::Agent).collect();
            let found = known.iter().copied().find(|rule| rule.name() == name);
            if found.is_none() {
                let names: Vec<&str> = known.iter().map(|rule| rule.name()).collect();
                let near = nearest(&name, names.iter().copied()).unwrap_or_default();
                let help = format!("did you mean {near}? known are {}", names.join(", "));
                self.refuse(&of.path("rule"), format!("unknown rule {name:?}"), help);
            }
            found
        });
        let until = until.and_then(|text| {
            let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
            if date.is_none() {
                self.refuse(
                    &of.path("until"),
                    format!("{text:?} is no day"),
                    "write YEAR-MONTH-DAY, such as 2027-01-31",
                );
            }
            date
        });
        if let Some(image) = &image {
            self.pattern(&of.path("image"), image);
        }
        Some(Exception { image: image?, rule: rule?, reason: reason?, until: until? })
    }

    /// A pattern of images that leaves their registry open, such as `*/*` or `*:latest`, would be about those of strangers too.
    fn pattern(&mut self, path: &[Step], pattern: &str) {
        let Some((head, _)) = pattern.split_once('*') else { return };
        if !head.split_once('/').is_some_and(|(host, _)| reference::is_host(host)) {
            self.refuse(
                path,
                format!("{pattern:?} does not begin with the host of a registry"),
                "write HOST/PATH*, such as ghcr.io/acme/* or docker.io/acme/*, or the image itself",
            );
        }
    }

    fn flag(&mut self, of: &Fields<'_>, key: &str) -> bool {
        let Some((path, value)) = of.get(key) else { return false };
        match value {
            Value::Bool(flag) => return *flag,
            Value::String(text) if text == "true" || text == "false" => {
                self.refuse(&path, "must be true or false, found a string", "remove the quotes");
            }
            other => self.refuse(&path, format!("must be true or false, found {}", type_name(other)), ""),
        }
        false
    }

    fn number(&mut self, of: &Fields<'_>, key: &str) -> Option<u64> {
        let (path, value) = of.get(key)?;
        let number = value.as_u64();
        if number.is_none() {
            self.refuse(&path, format!("must be a whole number from 0 on, found {value}"), "");
        }
        number
    }

    fn text(&mut self, path: &[Step], value: &Value) -> Option<String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => return Some(text.clone()),
            Value::String(_) => self.refuse(path, "must not be empty", ""),
            Value::Array(_) | Value::Object(_) => {
                self.refuse(path, format!("must be a string, found {}", type_name(value)), "");
            }
            other => self.refuse(path, format!("must be a string, found {}", type_name(other)), "quote it"),
        }
        None
    }

    fn list<'v>(&mut self, path: &[Step], value: &'v Value) -> Vec<(Vec<Step>, &'v Value)> {
        let Value::Array(items) = value else {
            self.refuse(path, format!("must be a list, found {}", type_name(value)), "");
            return Vec::new();
        };
        let items = items.iter().enumerate();
        items.map(|(index, item)| ([path, &[index.into()]].concat(), item)).collect()
    }

    fn each<T>(
        &mut self,
        of: &Fields<'_>,
        key: &str,
        read: fn(&mut Self, Vec<Step>, &Value) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        let (path, value) = of.get(key)?;
        let items = self.list(&path, value);
        Some(items.into_iter().map(|(path, item)| read(self, path, item)).collect())
    }

    fn texts(&mut self, of: &Fields<'_>, key: &str) -> Option<Vec<String>> {
        let all = self.each(of, key, |reader, path, value| reader.text(&path, value))?;
        Some(all.into_iter().flatten().collect())
    }
}

/// `sha256:` and the hash of a public key in PEM.
///
/// # Errors
/// What the text is instead.
pub fn fingerprint(pem: &str) -> Result<String, String> {
    let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
    let body = pem.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
    let Some((body, _)) = body else {
        return Err(format!("is no public key in PEM: there is no {begin}"));
    };
    let text: String = body.split_whitespace().collect();
    let der =
        STANDARD.decode(text).map_err(|_| "is no public key in PEM: its text is not base64".to_owned())?;
    Ok(Digest::of(&der).to_string())
}
