//! Whether an image that is to come is signed by who signed the one before: the lock's word and what was verified in, whether
//! the update may go on out. Verifying is left to `registry`.

use std::collections::BTreeSet;

use kubectl_skills::skill::lock::{Entry, Signer};
use kubectl_skills::skill::signature::Verified;

/// What is said of signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One who signed the image before signed the new one too.
    Same(String),
    /// Nothing stands against it, and this is to be said.
    Noted(String),
    /// The update stops here.
    Refused(String),
}

impl Verdict {
    /// The words.
    pub fn text(&self) -> &str {
        match self {
            Self::Same(text) | Self::Noted(text) | Self::Refused(text) => text,
        }
    }
}

/// Compares. `lock`: the entry of the image in the lock, where one was read; `others`: who signed other images of its repository, for
/// one that the lock does not have; `verified`: the signatures of the new image that
/// hold, `None` where nothing to verify them by was given.
pub fn judge(
    lock: Option<Option<&Entry>>,
    others: BTreeSet<Signer>,
    verified: Option<&[Verified]>,
) -> Verdict {
    let entry = lock.flatten();
    let new: Option<Vec<Signer>> = verified.map(|all| {
        let mut signers: Vec<Signer> =
            all.iter().filter(|one| one.is_signature()).map(|one| Signer::from(&one.signer)).collect();
        signers.sort();
        signers.dedup();
        signers
    });
    let old: Vec<Signer> = entry.map_or(others, Entry::signers).into_iter().collect();
    if old.is_empty() {
        let unsigned = entry.and_then(|entry| entry.unsigned.as_ref());
        let before = match (entry, unsigned) {
            (None, _) if lock.is_none() => "no lock was read that says who signed it before".to_owned(),
            (None, _) => "the lock does not have it, and does not say who signed it before".to_owned(),
            (_, Some(unsigned)) => {
                format!(
                    "unsigned before, as {} decided ({}), which was about that image and not about the new one",
                    unsigned.by, unsigned.reason
                )
            }
            (Some(entry), _) if entry.signed.is_some() => "unsigned before".to_owned(),
            _ => "nobody looked at signatures before".to_owned(),
        };
        return match &new {
            None => Verdict::Noted(before),
            // Anyone who says whose signature counts wants one.
            Some(new) if new.is_empty() => {
                Verdict::Refused(format!("{before}; no trusted signature is on the new image"))
            }
            Some(new) => Verdict::Noted(format!("{before}; signed now by {}", names(new))),
        };
    }
    match new {
        None => Verdict::Refused(format!(
            "the lock says that {} signed it; whether the new image is signed by the same cannot be verified: give --key, or \
             --certificate-identity with --certificate-oidc-issuer",
            names(&old)
        )),
        Some(new) if new.is_empty() => Verdict::Refused(format!(
            "{} signed it before, and no trusted signature is on the new image",
            names(&old)
        )),
        Some(new) if !new.iter().any(|signer| old.contains(signer)) => {
            Verdict::Refused(format!("{} signed it before, and {} now", names(&old), names(&new)))
        }
        Some(new) => {
            let same: Vec<Signer> = new.iter().filter(|signer| old.contains(signer)).cloned().collect();
            let gone: Vec<Signer> = old.iter().filter(|signer| !new.contains(signer)).cloned().collect();
            let same = format!("signed by {} as before", names(&same));
            if gone.is_empty() {
                Verdict::Same(same)
            } else {
                Verdict::Noted(format!("{same}, and not by {} any more", names(&gone)))
            }
        }
    }
}

fn names(signers: &[Signer]) -> String {
    let name = |signer: &Signer| match signer {
        Signer::Key { fingerprint } => format!("key {}", fingerprint.get(..19).unwrap_or(fingerprint)),
        Signer::Certificate { identity, issuer } => format!("{identity} ({issuer})"),
    };
    signers.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use kubectl_skills::skill::lock::{Signed, Unsigned};
    use kubectl_skills::skill::oci::Digest;
    use kubectl_skills::skill::signature::{self, Format};

    use super::*;

    fn entry(signed: Option<&[&str]>) -> Entry {
        let digest = Digest::of(b"image");
        let one = |key: &&str| Signed {
            signer: Signer::Key { fingerprint: Digest::of(key.as_bytes()).to_string() },
            format: "bundle".into(),
            digest: digest.clone(),
            of: "manifest".into(),
            platform: None,
            log: false,
        };
        let signed = signed.map(|keys| keys.iter().map(one).collect());
        Entry { signed, ..Entry::new("quay.io/acme/pdf:1.0.0", digest.clone()) }
    }

    fn verified(keys: &[&str]) -> Vec<Verified> {
        let one = |key: &&str| Verified {
            signer: signature::Signer::Key { fingerprint: Digest::of(key.as_bytes()) },
            format: Format::Bundle,
            digest: Digest::of(b"new"),
            log: false,
            predicate_type: Some(signature::SIGNATURE_PREDICATE.into()),
        };
        keys.iter().map(one).collect()
    }

    /// An attacker who can push an image cannot sign it: an update must not go on because nobody looked.
    #[test]
    fn another_signer_stops_the_update() {
        type Case<'t> = (Option<Entry>, Option<&'t [&'t str]>, char, &'t str);
        let decided = Entry {
            unsigned: Some(Unsigned { by: "ann@acme.com".into(), at: String::new(), reason: "pilot".into() }),
            ..entry(None)
        };
        let cases: [Case<'_>; 12] = [
            (Some(entry(Some(&["a"]))), Some(&["a"]), 'S', "as before"),
            (Some(entry(Some(&["a"]))), Some(&["b", "a"]), 'S', "as before"),
            (Some(entry(Some(&["a", "b"]))), Some(&["a"]), 'N', "any more"),
            (Some(entry(Some(&["a"]))), Some(&["b"]), 'R', " now"),
            (Some(entry(Some(&["a"]))), Some(&[]), 'R', "no trusted signature"),
            (Some(entry(Some(&["a"]))), None, 'R', "give --key"),
            (Some(entry(Some(&[]))), Some(&["a"]), 'N', "unsigned before; signed now by key sha256:"),
            (Some(entry(None)), None, 'N', "nobody looked"),
            (Some(entry(None)), Some(&[]), 'R', "no trusted signature"),
            (None, Some(&[]), 'R', "no trusted signature"),
            (Some(decided), None, 'N', "as ann@acme.com decided (pilot), which was about that image"),
            (None, None, 'N', "does not say"),
        ];
        for (entry, keys, wanted, words) in cases {
            let found = judge(Some(entry.as_ref()), BTreeSet::new(), keys.map(verified).as_deref());
            let kind = match &found {
                Verdict::Same(_) => 'S',
                Verdict::Noted(_) => 'N',
                Verdict::Refused(_) => 'R',
            };
            assert!(kind == wanted && found.text().contains(words), "{found:?}, and not {wanted} {words:?}");
        }
        let without = Verdict::Noted("no lock was read that says who signed it before".into());
        assert_eq!(judge(None, BTreeSet::new(), None), without);
        // A tag that the lock does not have is no way around who signed the others.
        let others = || entry(Some(&["a"])).signers();
        for (entry, keys, wanted) in [
            (None, Some(&["b"][..]), 'R'),
            (None, None, 'R'),
            (None, Some(&["a"]), 'S'),
            (Some(entry(Some(&[]))), Some(&["b"]), 'N'),
        ] {
            let found = judge(Some(entry.as_ref()), others(), keys.map(verified).as_deref());
            let kind = match &found {
                Verdict::Same(_) => 'S',
                Verdict::Noted(_) => 'N',
                Verdict::Refused(_) => 'R',
            };
            assert_eq!(kind, wanted, "{found:?}");
        }
    }

    /// An attestation is no signature, no matter who made it.
    #[test]
    fn an_attestation_does_not_keep_a_signer() {
        let mut attested = verified(&["a"]);
        attested[0].predicate_type = Some("https://slsa.dev/provenance/v1".into());
        assert!(matches!(
            judge(Some(Some(&entry(Some(&["a"])))), BTreeSet::new(), Some(&attested)),
            Verdict::Refused(_)
        ));
    }
}
