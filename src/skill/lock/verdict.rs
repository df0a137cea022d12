//! What a lock says of signatures that were verified.

use std::collections::BTreeSet;

use super::{Entry, Signed, Signer};
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
    /// Takes over what was verified: signatures, and types of attestations. A decision to use the image unsigned goes where
    /// it is signed.
    pub fn verified(&mut self, signed: Vec<Signed>, attestations: BTreeSet<String>) {
        if !signed.is_empty() {
            self.unsigned = None;
        }
        let mut all: Vec<Signed> = Vec::new();
        for one in signed {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        self.signed = Some(all);
        self.attestations = Some(attestations.into_iter().collect());
    }

    /// Whether it was signed, and is not any more by anybody who had signed `before`.
    pub fn lost_its_signers(&self, before: &Entry) -> bool {
        let of = |entry: &Entry| -> BTreeSet<Signer> {
            entry.signed.iter().flatten().map(|signed| signed.signer.clone()).collect()
        };
        let (old, new) = (of(before), of(self));
        !old.is_empty() && old.is_disjoint(&new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::Unsigned;
    use crate::skill::oci::Digest;
    use crate::skill::signature::Format;

    fn verified(key: &[u8]) -> Verified {
        Verified {
            signer: signature::Signer::Key { fingerprint: Digest::of(key) },
            format: Format::Bundle,
            digest: Digest::of(b"image"),
            log: false,
            predicate_type: Some(signature::SIGNATURE_PREDICATE.to_owned()),
        }
    }

    /// Anyone who takes over a repository has a key, too.
    #[test]
    fn a_signer_that_changes_is_noticed() {
        let entry = |keys: &[&[u8]]| {
            let mut entry = Entry::new("a:1", Digest::of(b"image"));
            entry.unsigned = Some(Unsigned { by: "a".into(), at: "b".into(), reason: "c".into() });
            let signed = keys.iter().map(|key| Signed::new(&verified(key), "index", None)).collect();
            entry.verified(signed, BTreeSet::new());
            entry
        };
        let (one, both, other, none) =
            (entry(&[b"1", b"1"]), entry(&[b"1", b"2"]), entry(&[b"3"]), entry(&[]));
        assert_eq!(one.signed.as_ref().map(Vec::len), Some(1), "one signature twice is one");
        assert!(one.unsigned.is_none() && none.unsigned.is_some());
        assert!(
            !both.lost_its_signers(&one) && !one.lost_its_signers(&both) && !other.lost_its_signers(&none)
        );
        assert!(other.lost_its_signers(&one) && none.lost_its_signers(&one));
    }
}
