//! Who has to sign skills, for those that verify signatures at admission: a policy in, an ImageValidatingPolicy of Kyverno or
//! ClusterImagePolicies of the sigstore policy-controller out. What these cannot say stands above them as comments.
//!
//! Sources: kyverno.io/docs/policy-types/image-validating-policy; policy-controller 048185e:pkg/apis/policy/v1beta1, whose admission
//! webhook reads image volumes since sigstore/policy-controller#1976.

use serde_json::{Map, Value, json};

use super::admission_policy::Action;
use super::skill_policy::{Binding, Printed};
use crate::skill::policy::{Authority, Matcher, Policy, Who};

/// Name of what is made for Kyverno; with a number after it, of what is made for the policy-controller.
pub const NAME: &str = "skill-images";
/// Where certificates of the public instance come from.
const FULCIO: &str = "https://fulcio.sigstore.dev";
/// Its transparency log.
const REKOR: &str = "https://rekor.sigstore.dev";

/// An authority that can be printed: a key of which only the fingerprint is known is none.
fn printable(policy: &Policy) -> (Vec<(usize, &Authority)>, Vec<usize>) {
    let all = policy.signed_by.iter().enumerate();
    let (known, unknown): (Vec<_>, Vec<_>) =
        all.partition(|(_, one)| !matches!(one.who, Who::Key { pem: None, .. }));
    (known, unknown.into_iter().map(|(index, _)| index).collect())
}

/// An ImageValidatingPolicy over the image volumes of pods.
///
/// # Errors
/// Why there is nothing to print.
pub fn kyverno(policy: &Policy, binding: &Binding) -> Result<Printed, String> {
    let (known, unknown) = printable(policy);
    let mut comments = above(policy, &known, &unknown)?;
    comments.push(
        "Kyverno reads images of containers by itself, those of volumes only by the expression under images; its cosign verifier reads \
         signatures of the format that its version knows: see whether it finds bundles of cosign 3."
            .to_owned(),
    );
    if known.iter().any(|(_, one)| matches!(one.who, Who::Key { .. })) {
        comments.push("Kyverno asks for an entry in the log of Rekor with a key as well: sign with it, or set ctlog.insecureIgnoreTlog: true.".to_owned());
    }
    let attestors: Vec<Value> = known
        .iter()
        .map(|(index, one)| json!({"name": attestor(*index), "cosign": kyverno_authority(&one.who)}))
        .collect();
    let taken: Vec<String> = known.iter().map(|(index, one)| taken_from(*index, one)).collect();
    let validations = json!([{
        "expression": format!("images.skills.all(image, {})", taken.join(" || ")),
        "message": "a skill is not signed by who is named in the policy",
    }]);
    let mut spec = json!({
        "failurePolicy": "Fail",
        "validationActions": [match binding.action { Action::Deny => "Deny", Action::Warn => "Warn", Action::Audit => "Audit" }],
        "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
        ]},
        "matchImageReferences": [{"glob": "*"}],
        "validationConfigurations": {"mutateDigest": false, "verifyDigest": policy.pinned, "required": true},
        "images": [{
            "name": "skills",
            "expression": "object.spec.?volumes.orValue([]).filter(v, has(v.image) && has(v.image.reference)).map(v, v.image.reference)",
        }],
        "attestors": attestors,
        "validations": validations,
    });
    if !binding.namespaces.is_empty() {
        spec["matchConstraints"]["namespaceSelector"] = json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": binding.namespaces},
        ]});
    }
    let object = json!({
        "apiVersion": "policies.kyverno.io/v1", "kind": "ImageValidatingPolicy", "metadata": {"name": NAME}, "spec": spec,
    });
    Ok(Printed { comments, objects: vec![object] })
}

fn attestor(index: usize) -> String {
    format!("signer{}", index + 1)
}

fn kyverno_authority(who: &Who) -> Value {
    match who {
        Who::Key { pem, .. } => json!({"key": {"data": pem}, "ctlog": {"url": REKOR}}),
        Who::Certificate { identity, issuer } => json!({
            "keyless": {"identities": [identities(identity, issuer, ["subject", "subjectRegExp", "issuer", "issuerRegExp"])]},
            "ctlog": {"url": REKOR},
        }),
    }
}

fn identities(identity: &Matcher, issuer: &Matcher, names: [&str; 4]) -> Value {
    let mut out = Map::new();
    for (matcher, [exact, pattern]) in [(identity, [names[0], names[1]]), (issuer, [names[2], names[3]])] {
        match matcher {
            Matcher::Exact(text) => out.insert(exact.to_owned(), json!(text)),
            Matcher::Pattern { text, .. } => out.insert(pattern.to_owned(), json!(format!("^(?:{text})$"))),
        };
    }
    Value::Object(out)
}

/// Whether an image is one that a pattern means, in CEL.
fn matching(pattern: &str) -> String {
    let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
    format!("image.matches({})", crate::crd::cel::text(&format!("^{}(:[^/@]+)?(@.+)?$", parts.join(".*"))))
}

/// Whether an image is one that an entry is about, and signed by who it names, in CEL.
fn taken_from(index: usize, one: &Authority) -> String {
    let signed = format!("verifyImageSignatures(image, [attestors.{}]) > 0", attestor(index));
    match one.images.iter().map(|pattern| matching(pattern)).collect::<Vec<_>>().as_slice() {
        [] => signed,
        meant => format!("(({}) && {signed})", meant.join(" || ")),
    }
}

/// Who may sign what: entries with the same patterns together.
fn groups(known: &[(usize, &Authority)]) -> Vec<(Vec<String>, Vec<usize>)> {
    let mut out: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (_, one) in known {
        if !out.iter().any(|(patterns, _)| *patterns == one.images) {
            out.push((one.images.clone(), Vec::new()));
        }
    }
    // Who may sign all images may sign these as well.
    for (patterns, indexes) in &mut out {
        let may = known.iter().filter(|(_, one)| one.images.is_empty() || one.images == *patterns);
        indexes.extend(may.map(|(index, _)| *index));
    }
    out
}

/// A ClusterImagePolicy for each group of images.
///
/// # Errors
/// Why there is nothing to print.
pub fn sigstore(policy: &Policy, binding: &Binding) -> Result<Printed, String> {
    let (known, unknown) = printable(policy);
    let mut comments = above(policy, &known, &unknown)?;
    comments.push(
        "The policy-controller asks in namespaces with the label policy.sigstore.dev/include=true; a ClusterImagePolicy knows no namespaces, \
         and these are about images of containers as well. It reads image volumes since the release with pull request 1976."
            .to_owned(),
    );
    let groups = groups(&known);
    if groups.len() > 1 {
        comments.push(
            "Stricter: an image that several of these are about has to satisfy each of them.".to_owned(),
        );
    }
    let objects: Vec<Value> = groups
        .into_iter()
        .enumerate()
        .map(|(number, (patterns, indexes))| {
            let globs: Vec<Value> = if patterns.is_empty() {
                skills_globs(policy)
            } else {
                patterns.iter().flat_map(|pattern| globs(pattern)).collect()
            };
            let authorities: Vec<Value> = known
                .iter()
                .filter(|(index, _)| indexes.contains(index))
                .flat_map(|(index, one)| {
                    ["bundle", "legacy"].map(|format| sigstore_authority(*index, &one.who, format))
                })
                .collect();
            json!({
                "apiVersion": "policy.sigstore.dev/v1beta1",
                "kind": "ClusterImagePolicy",
                "metadata": {"name": format!("{NAME}-{}", number + 1)},
                "spec": {
                    "images": globs,
                    "mode": if binding.action == Action::Deny { "enforce" } else { "warn" },
                    "authorities": authorities,
                },
            })
        })
        .collect();
    Ok(Printed { comments, objects })
}

/// The images of an entry that is about all: those of the registries that are allowed.
fn skills_globs(policy: &Policy) -> Vec<Value> {
    match &policy.registries {
        Some(registries) => registries.iter().map(|prefix| json!({"glob": format!("{prefix}/**")})).collect(),
        None => vec![json!({"glob": "**"})],
    }
}

/// With any tag and digest; there `*` stops at a slash, and `**` does not.
fn globs(pattern: &str) -> Vec<Value> {
    let pattern = pattern.replace('*', "**");
    let mut out = vec![json!({"glob": pattern})];
    if !pattern.ends_with('*') {
        out.extend([":**", "@**"].map(|mark| json!({"glob": format!("{pattern}{mark}")})));
    }
    out
}

fn sigstore_authority(index: usize, who: &Who, format: &str) -> Value {
    let name = format!("signer-{}-{format}", index + 1);
    match who {
        Who::Key { pem, .. } => json!({
            "name": name, "key": {"data": pem, "hashAlgorithm": "sha256"}, "signatureFormat": format,
        }),
        Who::Certificate { identity, issuer } => json!({
            "name": name,
            "keyless": {
                "url": FULCIO,
                "identities": [identities(identity, issuer, ["subject", "subjectRegExp", "issuer", "issuerRegExp"])],
            },
            "ctlog": {"url": REKOR},
            "signatureFormat": format,
        }),
    }
}

/// What is said above the objects.
fn above(policy: &Policy, known: &[(usize, &Authority)], unknown: &[usize]) -> Result<Vec<String>, String> {
    if policy.signed_by.is_empty() {
        return Err(format!("{} asks for no signature: it has no signedBy", policy.file));
    }
    if known.is_empty() {
        return Err(format!(
            "{} names keys by fingerprint alone, and their text is needed here: write keyFile",
            policy.file
        ));
    }
    let mut out = vec![format!("Of {}: signedBy.", policy.file)];
    for index in unknown {
        out.push(format!("Left out: signedBy[{index}] names a key by fingerprint, and its text is needed here; write keyFile."));
    }
    if policy.allow_unsigned {
        out.push(
            "Stricter: decisions of the lock to take an image unsigned (allowUnsigned) are not known here."
                .to_owned(),
        );
    }
    if !policy.attestations.is_empty() {
        out.push(
            "Left out: attestations; 'webhook' and 'controller' ask for them with --policy and --locked."
                .to_owned(),
        );
    }
    out.push("The registry is asked while the API server waits; 'webhook' and 'controller' take the lock's word and ask nobody.".to_owned());
    Ok(out)
}
