//! Who signed what a lock has, so that nothing takes the place of a signed image that none of its signers has signed.

use std::collections::BTreeSet;

use super::{Entry, Lock, Signer};
use crate::api::image_reference;

impl Entry {
    /// Who has signed it.
    pub fn signers(&self) -> BTreeSet<Signer> {
        self.signed.iter().flatten().map(|signed| signed.signer.clone()).collect()
    }
}

impl Lock {
    /// Who signed the image that this lock has in the place of `entry`, if none of them has signed that; of an image that is new to
    /// it, who signed the others of its repository: a new tag is no way around them.
    pub fn lost_signers(&self, entry: &Entry) -> BTreeSet<Signer> {
        let old = match self.find(&entry.image) {
            Some(own) => own.signers(),
            None => self.signers_of_repository(&entry.image),
        };
        if old.is_disjoint(&entry.signers()) { old } else { BTreeSet::new() }
    }

    /// Who signed images of the same repository.
    pub fn signers_of_repository(&self, image: &str) -> BTreeSet<Signer> {
        let repository = |image: &str| {
            image_reference::parts(image).map(|parts| {
                let (registry, repository) = parts.location();
                format!("{registry}/{repository}")
            })
        };
        let Some(own) = repository(image) else { return BTreeSet::new() };
        let of_it = |entry: &&Entry| repository(&entry.image).as_ref() == Some(&own);
        self.entries().iter().filter(of_it).flat_map(Entry::signers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::Signed;
    use crate::skill::oci::Digest;

    fn entry(image: &str, keys: &[&str]) -> Entry {
        let digest = Digest::of(image.as_bytes());
        let signed = |key: &&str| Signed {
            signer: Signer::Key { fingerprint: (*key).to_owned() },
            format: "bundle".into(),
            digest: digest.clone(),
            of: "index".into(),
            platform: None,
            log: false,
        };
        Entry { signed: Some(keys.iter().map(signed).collect()), ..Entry::new(image, digest.clone()) }
    }

    /// Anyone who takes over a repository has a key, too; and may push a tag that no lock has.
    #[test]
    fn a_signer_that_is_lost_is_noticed() {
        let lock = Lock::new(vec![
            entry("acme/pdf:1", &["a", "b"]),
            entry("acme/pdf:2", &[]),
            entry("acme/csv:1", &["c"]),
            entry("acme/new:1", &[]),
        ]);
        for (image, keys, lost) in [
            ("acme/pdf:1", &["a"][..], &[][..]),
            ("acme/pdf:1", &["b", "x"], &[]),
            ("docker.io/acme/pdf:1", &["x"], &["a", "b"]),
            ("acme/pdf:1", &[], &["a", "b"]),
            ("acme/pdf:2", &[], &[]),
            ("acme/pdf:3", &[], &["a", "b"]),
            ("acme/pdf:3", &["c"], &["a", "b"]),
            ("docker.io/acme/pdf:3", &["b"], &[]),
            ("acme/new:2", &[], &[]),
            ("acme/other:1", &[], &[]),
        ] {
            let lost: BTreeSet<Signer> =
                lost.iter().map(|key| Signer::Key { fingerprint: (*key).to_owned() }).collect();
            assert_eq!(lock.lost_signers(&entry(image, keys)), lost, "{image} {keys:?}");
        }
    }
}
