//! JSON Schemas (2020-12) of what people write about skills, for editors: SkillBinding, the policy and the lock. Nothing in, a
//! schema out. The readers decide; what a schema cannot say (rules over two fields, licences, digests of files) is theirs alone.

use serde_json::{Map, Value, json};

use super::lock;
use super::policy::{self, RuleId, keys};
use crate::api::names::{SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::crd::skill_binding;

/// The dialect in which all of them are written.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A digest, as readers take it.
const DIGEST: &str = "^sha256:[0-9a-f]{64}$";

/// The schema of SkillBinding: that of its CRD, closed, so that a slip in a key is seen. Rules in CEL are left out.
pub fn skill_binding() -> Value {
    let mut out = closed(skill_binding::schema().to_value());
    out["$schema"] = json!(DIALECT);
    out["title"] = json!(SKILL_BINDING);
    out["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    out["properties"]["apiVersion"] = json!({"const": format!("{SKILLS_GROUP}/{VERSION}")});
    out["properties"]["kind"] = json!({"const": SKILL_BINDING});
    out["properties"]["metadata"] = metadata();
    out
}

fn metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 253},
            "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
            "labels": texts,
            "annotations": texts,
        },
    })
}

/// A structural schema without what only the API server knows, and without room for other keys.
fn closed(schema: Value) -> Value {
    let Value::Object(map) = schema else { return schema };
    let mut out = Map::new();
    for (key, value) in map {
        match key.as_str() {
            _ if key.starts_with("x-kubernetes-") => {}
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let fields: Map<String, Value> =
                    fields.map(|(name, one)| (name.clone(), closed(one.clone()))).collect();
                out.insert("additionalProperties".into(), json!(false));
                out.insert(key, Value::Object(fields));
            }
            "items" | "additionalProperties" => drop(out.insert(key, closed(value))),
            _ => drop(out.insert(key, value)),
        }
    }
    Value::Object(out)
}

/// An object with these keys and no other.
fn object(required: &[&str], fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut out = json!({"type": "object", "additionalProperties": false, "properties": fields});
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn text(description: &str) -> Value {
    let mut out = json!({"type": "string", "pattern": "\\S"});
    if !description.is_empty() {
        out["description"] = json!(description);
    }
    out
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn number(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

fn list(items: Value, description: &str) -> Value {
    json!({"type": "array", "items": items, "description": description})
}

/// The schema of a policy file.
pub fn skill_policy() -> Value {
    let mut spec = object(&[], keys::SPEC.map(|key| (key, of_spec(key))));
    spec["minProperties"] = json!(1);
    let fields = keys::TOP.map(|key| {
        let value = match key {
            "apiVersion" => json!({"const": policy::API_VERSION}),
            "kind" => json!({"const": policy::KIND}),
            "metadata" => json!({"type": "object"}),
            _ => spec.clone(),
        };
        (key, value)
    });
    let mut out = object(&["apiVersion", "kind", "spec"], fields);
    out["$schema"] = json!(DIALECT);
    out["title"] = json!(policy::KIND);
    out["description"] = json!("What is demanded of the skills of agents");
    out
}

fn of_spec(key: &str) -> Value {
    let texts = |description: &str| list(text(""), description);
    match key {
        "registries" => texts("Prefixes of images that are allowed: HOST or HOST/PATH, without patterns"),
        "pinned" => flag("Images are named by digest, or pinned by the lock"),
        "signedBy" => {
            let mut out = list(signer(), "Who must have signed an image: one of them is enough");
            out["minItems"] = json!(1);
            out
        }
        "allowUnsigned" => {
            flag("Images whose lock entry records a decision to take them unsigned are allowed")
        }
        "licenses" => texts("SPDX identifiers, one an entry; LicenseRef-NAME for others"),
        "allowedTools" => texts("Tools that a skill may ask for in allowed-tools"),
        "limits" => object(&[], keys::LIMITS.map(|key| (key, number("At most so many in one skill")))),
        "perAgent" => object(
            &[],
            keys::PER_AGENT.map(|key| (key, number("At most so many for all skills of one agent"))),
        ),
        "attestations" => texts("Predicate types that must be attested of an image"),
        _ => list(exception(), "Images that a rule lets pass until a day"),
    }
}

fn signer() -> Value {
    let mut out = object(
        &[],
        keys::SIGNER.map(|key| {
            let value = match key {
                "key" => json!({"type": "string", "pattern": DIGEST,
                                "description": "Fingerprint of a public key: sha256: and the hash of its SPKI in DER"}),
                "keyFile" => text("File of a public key in PEM, counted from the policy's folder"),
                "identity" => text("Subject of a certificate, to the letter"),
                "identityRegexp" => text("Subject of a certificate, as a regular expression over all of it"),
                "issuer" => text("Who vouches for the identity, to the letter"),
                "issuerRegexp" => text("Who vouches for the identity, as a regular expression over all of it"),
                _ => json!({"type": "array", "minItems": 1, "items": text(""),
                            "description": "Images that it is about, * for any text; all where it is left out"}),
            };
            (key, value)
        }),
    );
    let with = |key: &str, without: &[&str]| {
        let others: Vec<Value> = without.iter().map(|other| json!({"required": [other]})).collect();
        json!({"required": [key], "not": {"anyOf": others}})
    };
    let people = ["identity", "identityRegexp"];
    let issuers = ["issuer", "issuerRegexp"];
    let mut choices = vec![
        with("key", &[&["keyFile"], &people[..], &issuers[..]].concat()),
        with("keyFile", &[&["key"], &people[..], &issuers[..]].concat()),
    ];
    for (who, other) in [(people[0], people[1]), (people[1], people[0])] {
        let mut choice = with(who, &["key", "keyFile", other]);
        choice["oneOf"] = issuers.iter().map(|issuer| json!({"required": [issuer]})).collect();
        choices.push(choice);
    }
    out["oneOf"] = Value::Array(choices);
    out
}

fn exception() -> Value {
    let rules: Vec<&str> =
        RuleId::ALL.into_iter().filter(|rule| *rule != RuleId::Agent).map(RuleId::name).collect();
    object(
        &keys::EXCEPTION,
        keys::EXCEPTION.map(|key| {
            let value = match key {
                "image" => text("The image, or HOST/PATH*"),
                "rule" => json!({"enum": rules, "description": "The rule that lets it pass"}),
                "reason" => text("Why"),
                _ => json!({"type": "string", "format": "date", "pattern": "^\\d{4}-\\d{2}-\\d{2}$",
                            "description": "Its last day, as YEAR-MONTH-DAY"}),
            };
            (key, value)
        }),
    )
}

/// The schema of a lock. Keys of one's own are allowed in it, and stay.
pub fn skill_lock() -> Value {
    json!({
        "$schema": DIALECT,
        "title": lock::KIND,
        "description": "The images of skills as 'kubectl skills lock' found them",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"const": format!("{SKILLS_GROUP}/{VERSION}")},
            "kind": {"const": lock::KIND},
            "skills": {"type": ["array", "null"], "items": entry()},
            "imported": {"type": ["object", "null"], "description": "Locks of other tools, as they are"},
        },
    })
}

fn entry() -> Value {
    let text = |description: &str| json!({"type": ["string", "null"], "description": description});
    let texts = |description: &str| json!({"type": ["array", "null"], "items": {"type": "string"}, "description": description});
    let number =
        |description: &str| json!({"type": ["integer", "null"], "minimum": 0, "description": description});
    let digest = json!({"type": "string", "pattern": DIGEST});
    json!({
        "type": "object",
        "required": ["image", "digest"],
        "properties": {
            "image": {"type": "string", "minLength": 1, "description": "The reference, as manifests name it"},
            "digest": digest,
            "content": {"type": ["string", "null"], "pattern": DIGEST, "description": "Identity of its files"},
            "name": text("Name of the skill"),
            "version": text("Its version"),
            "description": text("When an agent is to use it"),
            "license": text("Its licence"),
            "allowedTools": texts("Tools that it asks for"),
            "files": number("How many files it has"),
            "bytes": number("How large they are"),
            "tokens": number("About how many tokens its instructions are"),
            "descriptionTokens": number("The same of its description"),
            "platforms": texts("Platforms of its index"),
            "different": texts("Platforms whose files are others"),
            "skills": {"type": ["array", "null"], "items": {
                "type": "object", "required": ["content"],
                "properties": {"folder": text("Its folder in the image"), "content": digest, "name": text("Its name")},
            }},
            "signed": {"type": ["array", "null"], "items": signature(&[])},
            "unsigned": {"type": ["object", "null"], "required": ["by", "at", "reason"],
                         "properties": {"by": {"type": "string"}, "at": {"type": "string"}, "reason": {"type": "string"}}},
            "attestations": {"type": ["array", "null"],
                             "items": {"anyOf": [{"type": "string"}, signature(&["type"])]}},
        },
    })
}

fn signature(more: &[&str]) -> Value {
    let mut required = vec!["by", "format", "digest", "of"];
    required.extend(more);
    json!({
        "type": "object",
        "required": required,
        "properties": {
            "type": {"type": "string"},
            "by": {"enum": ["key", "certificate"]},
            "key": {"type": "string"},
            "identity": {"type": "string"},
            "issuer": {"type": "string"},
            "format": {"type": "string"},
            "digest": {"type": "string", "pattern": DIGEST},
            "of": {"type": "string"},
            "platform": {"type": ["string", "null"]},
            "log": {"type": ["boolean", "null"]},
        },
        "oneOf": [
            {"properties": {"by": {"const": "key"}}, "required": ["key"]},
            {"properties": {"by": {"const": "certificate"}}, "required": ["identity", "issuer"]},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::{
        Attestation, Contained, Entry, Facts, Lock, Signed, Signer, Unsigned, edit, value,
    };
    use crate::skill::oci::Digest;
    use crate::yaml::Document;

    fn takes(schema: &Value, text: &str) -> bool {
        let value = Document::parse(text).expect(text).to_value().expect(text);
        jsonschema::validator_for(schema).expect("a schema").is_valid(&value)
    }

    /// An editor that underlines what a render takes, or takes what it refuses, is switched off the same day.
    #[test]
    fn the_schema_of_a_policy_says_what_its_reader_says() {
        let head = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\n";
        let key = format!("key: 'sha256:{}'", "a".repeat(64));
        let specs = [
            "{registries: [ghcr.io/acme], pinned: true, allowUnsigned: false, licenses: [MIT], allowedTools: [Read]}",
            "{limits: {files: 1, bytes: 2, tokens: 3, descriptionTokens: 4}, perAgent: {skills: 1, tokens: 2, descriptionTokens: 3}}",
            "{attestations: ['https://slsa.dev/provenance/v1']}",
            &format!("{{signedBy: [{{{key}, images: [ghcr.io/acme/*]}}]}}"),
            "{signedBy: [{identity: a@b, issuer: https://x}, {identityRegexp: .*, issuerRegexp: .*}]}",
            "{pinned: true, exceptions: [{image: ghcr.io/acme/x:1, rule: policy-pinned, reason: soon, until: 2027-01-31}]}",
            // What is wrong with each of these is for both to see.
            "{}",
            "{registry: [ghcr.io/acme]}",
            "{pinned: 'true'}",
            "{pinned: yes please}",
            "{registries: ghcr.io/acme}",
            "{registries: ['']}",
            "{limits: {file: 1}}",
            "{limits: {files: -1}}",
            "{limits: {files: 1.5}}",
            "{perAgent: {files: 1}}",
            "{signedBy: []}",
            "{signedBy: [{}]}",
            "{signedBy: [{key: abc}]}",
            &format!("{{signedBy: [{{{key}, issuer: https://x}}]}}"),
            &format!("{{signedBy: [{{{key}, images: []}}]}}"),
            "{signedBy: [{identity: a@b}]}",
            "{signedBy: [{identity: a@b, issuer: x, issuerRegexp: x}]}",
            "{signedBy: [{identity: a@b, identityRegexp: x, issuer: x}]}",
            "{pinned: true, exceptions: [{image: ghcr.io/acme/x:1, rule: policy-agent, reason: soon, until: 2027-01-31}]}",
            "{pinned: true, exceptions: [{image: ghcr.io/acme/x:1, rule: policy-pinned, until: 2027-01-31}]}",
            "{pinned: true, exceptions: [{image: ghcr.io/acme/x:1, rule: policy-pinned, reason: soon, until: soon}]}",
        ];
        let mut files: Vec<String> = specs.iter().map(|spec| format!("{head}spec: {spec}\n")).collect();
        files.push(format!("{head}spec: {{pinned: true}}\nstatus: {{}}\n"));
        files.push(head.to_owned());
        files.push("apiVersion: v1\nkind: SkillPolicy\nspec: {pinned: true}\n".to_owned());
        let schema = skill_policy();
        let (mut taken, mut refused) = (0, 0);
        for file in &files {
            let read = policy::read("p.yaml", file, &mut |_| Err("no file".into()));
            assert_eq!(takes(&schema, file), read.is_ok(), "{file}{read:?}");
            if read.is_ok() { taken += 1 } else { refused += 1 }
        }
        assert_eq!((taken, refused), (6, files.len() - 6));
    }

    fn full_entry() -> Entry {
        let digest = Digest::of(b"x");
        let signed = |signer| Signed {
            signer,
            format: "bundle".into(),
            digest: digest.clone(),
            of: "image".into(),
            platform: Some("linux/amd64".into()),
            log: true,
        };
        let by_key = signed(Signer::Key { fingerprint: digest.as_str().into() });
        let by_name = signed(Signer::Certificate { identity: "a@b".into(), issuer: "https://x".into() });
        Entry {
            content: Some(digest.clone()),
            facts: Facts {
                name: Some("pdf".into()),
                version: Some("1.0.0".into()),
                description: Some("Reads".into()),
                license: Some("MIT".into()),
                allowed_tools: Some(vec!["Read".into()]),
                files: Some(1),
                bytes: Some(2),
                tokens: Some(3),
                description_tokens: Some(4),
                platforms: vec!["linux/amd64".into()],
                different: vec!["linux/arm64".into()],
                skills: vec![Contained {
                    folder: "a".into(),
                    name: Some("a".into()),
                    content: digest.clone(),
                }],
            },
            signed: Some(vec![by_key.clone(), by_name]),
            unsigned: Some(Unsigned { by: "me".into(), at: "2026-01-01".into(), reason: "soon".into() }),
            attestations: Some(vec![
                Attestation { kind: "https://slsa.dev/provenance/v1".into(), signed: Some(by_key) },
                Attestation { kind: "https://cyclonedx.org/bom".into(), signed: None },
            ]),
            ..Entry::new("ghcr.io/acme/pdf:1.0.0", digest)
        }
    }

    /// A lock that the program writes must not be underlined, and each of its keys is to be explained.
    #[test]
    fn the_schema_of_a_lock_knows_all_that_is_written_and_read() {
        let schema = skill_lock();
        let entries = [full_entry(), Entry::new("ghcr.io/acme/csv:1", Digest::of(b"y"))];
        let text = edit("", "skills.lock", &entries).expect("a lock");
        assert!(takes(&schema, &text), "{text}");
        let written = value(&entries[0]);
        let written: Vec<&String> = written.as_object().expect("keys").keys().collect();
        let known = schema["properties"]["skills"]["items"]["properties"].as_object().expect("keys");
        assert_eq!(written, known.keys().collect::<Vec<_>>());
        for wrong in [
            "kind: SkillLock\n".to_owned(),
            text.replace("kind: SkillLock", "kind: Lock"),
            text.replace("sha256:", "sha512:"),
            text.replace("files: 1", "files: -1"),
            text.replace("files: 1", "files: many"),
            text.replace("by: key", "by: hand"),
            text.replace("image: ghcr.io/acme/csv:1", "picture: ghcr.io/acme/csv:1"),
        ] {
            assert!(!takes(&schema, &wrong), "{wrong}");
            assert!(Lock::read(&wrong, "skills.lock").is_err(), "{wrong}");
        }
        let own = text.replace("kind: SkillLock\n", "kind: SkillLock\nteam: search\n");
        assert!(takes(&schema, &own) && Lock::read(&own, "skills.lock").is_ok());
    }

    /// Of a SkillBinding the reader prunes what it does not know, as the API server does: only an editor can say so in time.
    #[test]
    fn a_skill_binding_with_a_slip_in_a_key_is_refused() {
        let schema = skill_binding();
        let good = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: weather, labels: {team: a}}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  runtime: claude
  delivery: Pod
  skills:
  - {name: forecast, image: 'ghcr.io/acme/forecast:1', mountPath: /skills/forecast}
";
        assert!(takes(&schema, good), "{good}");
        for (from, to) in [
            ("mountPath:", "mountpath:"),
            ("delivery: Pod", "delivery: Pods"),
            ("name: forecast", "name: Fore_cast"),
            ("  skills:", "  skill:"),
            ("kind: SkillBinding", "kind: SkillBindings"),
            ("spec:", "status: {}\nspecs:"),
            ("runtime: claude", "runtime: nothing"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert!(wrong != good && !takes(&schema, &wrong), "{wrong}");
        }
    }
}
