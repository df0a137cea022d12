//! What a lock says of signatures that were verified.

use super::{Attestation, Entry, Signed, Signer};
use crate::skill::signature::trust::Trust;
use crate::skill::signature::{self, Verified};

impl From<&signature::Signer> for Signer {
    fn from(signer: &signature::Signer) -> Self {
        match signer {
            signature::Signer::Key { fingerprint } => Self::Key { fingerprint: fingerprint.to_string() },
            signature::Signer::Certificate { identity, issuer } => {
                Self::Certificate { identity: identity.clone(), issuer: issuer.clone() }
            }
        }
    }
}

impl Signed {
    /// A signature that holds; `of` is what the digest is that it names, with its platform where it is one of an index.
    pub fn new(verified: &Verified, of: &str, platform: Option<&str>) -> Self {
        Self {
            signer: (&verified.signer).into(),
            format: verified.format.as_str().to_owned(),
            digest: verified.digest.clone(),
            of: of.to_owned(),
            platform: platform.map(str::to_owned),
            log: verified.log,
        }
    }
}

impl Entry {
    /// Takes over what was verified by `trust`: signatures and attestations. What others have signed, whom `trust` does not name, was
    /// not asked about: it is of the same digest, and stays. A decision to use the image unsigned goes where it is signed.
    pub fn verified(&mut self, trust: &Trust, signed: Vec<Signed>, attestations: Vec<Attestation>) {
        let stays = |one: &Signed| !is_named(trust, &one.signer);
        let mut all: Vec<Signed> =
            self.signed.take().unwrap_or_default().into_iter().filter(|one| stays(one)).collect();
        for one in signed {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        if !all.is_empty() {
            self.unsigned = None;
        }
        self.signed = Some(all);
        let mut all: Vec<Attestation> = self.attestations.take().unwrap_or_default();
        // Of those without a signer nobody can say whether they were asked about.
        all.retain(|one| one.signed.as_ref().is_some_and(stays));
        for one in attestations {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all.sort_by(|one, other| one.kind.cmp(&other.kind));
        self.attestations = Some(all);
    }

    /// The signatures of it that `trust` does not ask about.
    pub fn not_asked<'e>(&'e self, trust: &'e Trust) -> impl Iterator<Item = &'e Signer> {
        self.signed.iter().flatten().map(|one| &one.signer).filter(|signer| !is_named(trust, signer))
    }
}

/// Whether signatures of somebody are looked for.
fn is_named(trust: &Trust, signer: &Signer) -> bool {
    match signer {
        Signer::Key { fingerprint } => trust.keys.iter().any(|key| key.fingerprint().as_str() == fingerprint),
        Signer::Certificate { identity, issuer } => {
            trust.identities.iter().any(|wanted| wanted.is(identity, issuer))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::Unsigned;
    use crate::skill::oci::Digest;
    use crate::skill::signature::Format;
    use crate::skill::signature::key::PublicKey;
    use crate::skill::signature::trust::Root;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra/N9sbqOPZrfM\n5/KAQN0/KrZ5FLaTYsSNaTYbYBGLaeg3hYa0Ta7JqY8LS0vJ1n3FTYKNVg==\n-----END PUBLIC KEY-----\n";

    fn trust(keys: Vec<PublicKey>) -> Trust {
        let root = Root::public_good().expect("a root");
        Trust { keys, identities: Vec::new(), root, require_log: false }
    }

    fn signed(fingerprint: Digest) -> Signed {
        let signer = signature::Signer::Key { fingerprint };
        let predicate_type = Some(signature::SIGNATURE_PREDICATE.to_owned());
        let digest = Digest::of(b"image");
        Signed::new(
            &Verified { signer, format: Format::Bundle, digest, log: false, predicate_type },
            "index",
            None,
        )
    }

    /// A look with another key is none at what was signed with this one.
    #[test]
    fn what_was_not_asked_about_stays() {
        let key = PublicKey::read(KEY).expect("a key").remove(0);
        let (own, other) = (signed(key.fingerprint()), signed(Digest::of(b"other")));
        let attestation = |signed: &Signed| Attestation { kind: "t".into(), signed: Some(signed.clone()) };
        let old = Attestation { kind: "s".into(), signed: None };
        let before = Entry {
            signed: Some(vec![own.clone()]),
            attestations: Some(vec![attestation(&own), old]),
            ..Entry::new("a:1", Digest::of(b"image"))
        };
        let after = |mut entry: Entry, trust: &Trust, found: &[&Signed]| {
            let all: Vec<Signed> = found.iter().map(|one| (*one).clone()).collect();
            let attested = all.iter().map(attestation).collect();
            entry.verified(trust, all, attested);
            entry
        };
        let with = |signed: &[&Signed]| Entry {
            signed: Some(signed.iter().map(|one| (*one).clone()).collect()),
            attestations: Some(signed.iter().map(|one| attestation(one)).collect()),
            ..before.clone()
        };
        let nobody = trust(Vec::new());
        assert_eq!(after(before.clone(), &nobody, &[]), with(&[&own]));
        assert_eq!(after(before.clone(), &nobody, &[&other, &other]), with(&[&own, &other]));
        let keys = trust(vec![key]);
        assert_eq!(after(before.clone(), &keys, &[]), with(&[]));
        assert_eq!(after(before.clone(), &keys, &[&own]), with(&[&own]));
        let decided = Unsigned { by: "a".into(), at: "b".into(), reason: "c".into() };
        let decided = Entry { signed: None, attestations: None, unsigned: Some(decided), ..before.clone() };
        assert!(after(decided.clone(), &keys, &[]).unsigned.is_some());
        assert!(after(decided, &keys, &[&own]).unsigned.is_none());
    }
}
