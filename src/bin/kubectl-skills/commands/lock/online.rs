//! `lock --check --online`: whether what a lock says is so in the registries: tags, what is in each image and, with whose signature
//! counts, who signed it. What manifests say is left to `check`.

use kubectl_skills::manifest::wanted_images::WantedImage;
use kubectl_skills::skill::lock::{self, Attestation, Entry, Signed};
use kubectl_skills::skill::policy::judge::shown;
use serde_json::Value;

use super::check::{Difference, of_entry};
use super::look::{self, Order};
use super::signers::Signers;
use super::{Args, File};
use crate::exit::Failure;
use crate::notes;

/// What of an entry the image itself says.
const FACTS: [&str; 13] = [
    "content",
    "name",
    "version",
    "description",
    "license",
    "allowedTools",
    "files",
    "bytes",
    "tokens",
    "descriptionTokens",
    "platforms",
    "different",
    "skills",
];

/// All that is not as the lock has it.
pub fn differences(args: &Args, file: &File<'_>, asked: &[&WantedImage]) -> Result<Vec<Difference>, Failure> {
    let mut known: Vec<(&WantedImage, &Entry)> = Vec::new();
    for one in asked {
        // Two references may be one entry.
        match file.lock.find(&one.image) {
            Some(own) if known.iter().all(|(_, other)| other.image != own.image) => known.push((one, own)),
            _ => {}
        }
    }
    let mut out = moved(args, file, &known)?;
    // What is locked is looked into, whatever the tag is now.
    let orders: Vec<Order> = known
        .iter()
        .map(|(_, own)| Order { image: by_digest(own), known: None, look: true, locked: None })
        .collect();
    let looked = look::all(&orders, &args.source, args.limits.limits(), "lock")?;
    let signers = Signers::of(args)?;
    for ((_, own), looked) in known.iter().zip(&looked) {
        let found = looked.found.as_ref().and_then(|found| lock::of_image(&own.image, found));
        out.extend(found.iter().flat_map(|found| facts(file, own, found)));
        if let Some(found) = signers.verified(args, own)? {
            out.extend(signatures(file, own, &found));
        }
    }
    if !Signers::given(args) && known.iter().any(|(_, own)| own.signed.iter().flatten().next().is_some()) {
        notes::note(
            "who signed is not verified: say whose signature counts with --key, or --certificate-identity with \
             --certificate-oidc-issuer",
        );
    }
    Ok(out)
}

fn by_digest(entry: &Entry) -> String {
    if entry.image.contains('@') { entry.image.clone() } else { format!("{}@{}", entry.image, entry.digest) }
}

/// Tags that have moved since.
fn moved(args: &Args, file: &File<'_>, known: &[(&WantedImage, &Entry)]) -> Result<Vec<Difference>, Failure> {
    let orders: Vec<Order> = known
        .iter()
        .map(|(one, own)| Order {
            image: one.to_resolve(),
            known: Some(own.digest.clone()),
            look: false,
            locked: Some(own.digest.clone()),
        })
        .collect();
    let looked = look::all(&orders, &args.source, args.limits.limits(), "lock")?;
    let mut out = Vec::new();
    for ((_, own), looked) in known.iter().zip(looked) {
        if looked.is_gone {
            notes::warning(&gone(own));
        } else if own.digest != looked.digest {
            out.push(of_entry("moved", file, own, format!("its tag is {} now", looked.digest)));
        }
    }
    Ok(out)
}

/// What is said of a tag that is gone.
pub fn gone(entry: &Entry) -> String {
    format!(
        "{}: the registry has no such tag any more; {} is there, and stays locked",
        entry.image, entry.digest
    )
}

/// Facts that are others in the image.
fn facts(file: &File<'_>, own: &Entry, found: &Entry) -> Vec<Difference> {
    let (own_value, found) = (lock::value(own), lock::value(found));
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => value.to_string(),
    };
    FACTS
        .into_iter()
        .map(|key| (key, own_value.get(key), found.get(key)))
        .filter(|(_, said, is)| said != is)
        .map(|(key, said, is)| {
            let message = format!("{key}: the lock says {}, and the image {}", shown(said), shown(is));
            of_entry("facts", file, own, message)
        })
        .collect()
}

/// Signatures and attestations that the lock has and do not hold, and those that hold and it does not have.
fn signatures(file: &File<'_>, own: &Entry, found: &Entry) -> Vec<Difference> {
    let mut messages = Vec::new();
    let all = |entry: &Entry| -> Vec<Signed> { entry.signed.iter().flatten().cloned().collect() };
    let (said, holds) = (all(own), all(found));
    let of = |one: &Signed| {
        let platform = one.platform.as_deref().map(|platform| format!(" for {platform}")).unwrap_or_default();
        format!("{}, as {} of the {}{platform}", shown(&one.signer), one.format, one.of)
    };
    for one in said.iter().filter(|one| !holds.contains(one)) {
        messages.push(format!("the lock says that it is signed by {}; no such signature holds", of(one)));
    }
    for one in holds.iter().filter(|one| !said.contains(one)) {
        messages.push(format!("it is signed by {}; the lock does not say so", of(one)));
    }
    let all = |entry: &Entry| entry.attestations.clone().unwrap_or_default();
    let (said, holds) = (all(own), all(found));
    let of = |one: &Attestation| {
        let by = one.signed.as_ref().map(|signed| format!(" by {}", of(signed))).unwrap_or_default();
        format!("{}{by}", one.kind)
    };
    for one in said.iter().filter(|one| !holds.contains(one)) {
        messages.push(format!("the lock says that it has the attestation {}; none such holds", of(one)));
    }
    for one in holds.iter().filter(|one| !said.contains(one)) {
        messages.push(format!("it has the attestation {}; the lock does not say so", of(one)));
    }
    messages.into_iter().map(|message| of_entry("signature", file, own, message)).collect()
}
