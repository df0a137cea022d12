//! What is said of signatures that do not hold, and of images without one.

use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::signature::{Refusal, Signer};

use super::Judged;

/// Most refused signatures that are listed of one image.
const LISTED: usize = 5;

/// Who has signed, in a few words.
pub fn signer(signer: &Signer) -> String {
    match signer {
        Signer::Key { fingerprint } => format!("key {}", short(fingerprint)),
        Signer::Certificate { identity, issuer } => format!("{identity} ({issuer})"),
    }
}

/// A digest that people can compare.
pub fn short(digest: &Digest) -> String {
    format!("sha256:{}", digest.hex().get(..12).unwrap_or_default())
}

/// The name of a refusal for machines.
pub fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unreadable(_) => "unreadable",
        Refusal::Unsupported(_) => "unsupported",
        Refusal::NoKey => "no-key",
        Refusal::OtherKey => "other-key",
        Refusal::NoIdentity { .. } => "no-identity",
        Refusal::OtherIdentity { .. } => "other-identity",
        Refusal::Untrusted(_) => "untrusted",
        Refusal::NoLog(_) => "no-log",
        Refusal::OtherImage { .. } => "other-image",
    }
}

/// Why a signature does not count.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unreadable(why) => format!("it cannot be read: {why}"),
        Refusal::Unsupported(why) => format!("it is not checked: {why}"),
        Refusal::NoKey => "it is by a key, and no --key is given".into(),
        Refusal::OtherKey => "it is by another key than those given, or was changed".into(),
        Refusal::NoIdentity { identity, issuer } => {
            format!("it is by {identity}, identified by {issuer}, and no --certificate-identity is given")
        }
        Refusal::OtherIdentity { identity, issuer } => {
            format!("it is by {identity}, identified by {issuer}, who is not whom the flags name")
        }
        Refusal::Untrusted(why) => format!("its certificate or log entry is refused: {why}"),
        Refusal::NoLog(why) => format!("it has no log entry that holds: {why}"),
        Refusal::OtherImage { signer: by, digests } => {
            let digests: Vec<String> = digests.iter().map(Digest::to_string).collect();
            let digests = if digests.is_empty() { "no image at all".to_owned() } else { digests.join(", ") };
            format!("it is good, by {}, and signs {digests}", signer(by))
        }
    }
}

/// Whether a refusal next to a good signature is worth a word: that of another signer is not.
pub fn is_odd(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::NoKey | Refusal::OtherKey | Refusal::NoIdentity { .. } | Refusal::OtherIdentity { .. }
    )
}

/// What is said of an image that is not verified, and how to go on.
pub fn not_verified(judged: &Judged) -> (String, String) {
    let mut help = Vec::new();
    let refused: Vec<_> = judged.checked.refused().collect();
    let attested = judged.attestations().next().is_some();
    let message = if judged.is_signed() {
        "it is signed, and lacks what --attestation demands".to_owned()
    } else if let Some((part, _, signed)) = judged.signatures().next() {
        help.push(format!(
            "other platforms may have anything: have the index signed, or use what is signed: {}",
            judged.by_digest(&signed.digest)
        ));
        format!(
            "only its manifest is signed{}, and not the index",
            judged.part(part).replace(" of the manifest of", ": that of")
        )
    } else if attested && refused.is_empty() {
        help.push(
            "an attestation says something about an image, and vouches for nothing else; cosign takes it for a signature, and \
             --any-predicate does as well"
                .to_owned(),
        );
        "it is attested and not signed".to_owned()
    } else if refused.is_empty() {
        let root = &judged.checked.root.digest;
        help.push(format!(
            "nothing that refers to {root} is a signature, and nothing under the tag sha256-{}.sig",
            root.hex()
        ));
        "it has no signature".to_owned()
    } else {
        "none of its signatures counts".to_owned()
    };
    for kind in judged.missing() {
        help.push(format!("no attestation of the type {kind} by a signer that the flags name"));
    }
    for (part, manifest, why) in refused.iter().take(LISTED) {
        let of = judged.part(part);
        help.push(format!("signature {}{of}: {}", short(manifest), refusal(why)));
    }
    if refused.len() > LISTED {
        help.push(format!("and {} more; -o json lists all", refused.len() - LISTED));
    }
    if judged.signatures().next().is_none() {
        help.extend(mend(judged));
    }
    (message, help.join("\n"))
}

/// How to get it signed, by the first thing that is wrong.
fn mend(judged: &Judged) -> Vec<String> {
    let mut lines = Vec::new();
    let root = &judged.checked.root.digest;
    let refused: Vec<&Refusal> = judged.checked.refused().map(|(_, _, why)| why).collect();
    let any = |is: fn(&Refusal) -> bool| refused.iter().any(|why| is(why));
    if any(|why| matches!(why, Refusal::OtherImage { .. })) {
        lines.push(
            "a signature of another image counts for that image only: the tag was moved after it was signed, or somebody copied it \
             here; pin the digest that was signed, or have this one signed"
                .to_owned(),
        );
    }
    for why in &refused {
        if let Refusal::NoIdentity { identity, issuer } = why {
            lines.push(format!(
                "if you trust that signer: --certificate-identity '{identity}' --certificate-oidc-issuer '{issuer}'"
            ));
            break;
        }
    }
    if any(|why| matches!(why, Refusal::NoKey)) {
        lines.push("give the public key of the signer with --key".to_owned());
    }
    if any(|why| matches!(why, Refusal::OtherKey)) {
        lines.push("check the key with whoever signs; a key that was replaced can be given as well, with a second --key".to_owned());
    }
    if any(|why| matches!(why, Refusal::OtherIdentity { .. })) {
        lines.push(
            "check --certificate-identity and --certificate-oidc-issuer, which must be the whole name and the whole URL".to_owned(),
        );
    }
    if any(|why| matches!(why, Refusal::NoLog(_))) {
        lines.push("sign it again with an entry in the log, or leave --require-log out".to_owned());
    }
    if any(|why| matches!(why, Refusal::Unsupported(_) | Refusal::Unreadable(_) | Refusal::Untrusted(_))) {
        lines.push("sign it again with cosign 3".to_owned());
    }
    if refused.is_empty() {
        lines.push(format!(
            "have it signed: cosign sign --key cosign.key {}; if the tag was signed before, it has been moved since",
            judged.by_digest(root)
        ));
    }
    if judged.could_ask_a_platform() {
        lines.push(
            "it is an index; the signature of the manifest of one platform is looked at with --platform, such as linux/amd64".to_owned(),
        );
    }
    lines
}
