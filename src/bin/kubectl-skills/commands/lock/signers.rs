//! Who signed an image, for its entry: what was verified with the flags of this run. Without them nobody looks, and the lock says so.

use kubectl_skills::skill::lock::Entry;

use super::Args;
use crate::exit::Failure;

#[cfg(feature = "registry")]
pub use with_registry::{Signers, record};

/// A build without registries looks at no signatures.
#[cfg(not(feature = "registry"))]
pub struct Signers;

#[cfg(not(feature = "registry"))]
impl Signers {
    /// Nobody.
    pub fn of(_: &Args) -> Result<Self, Failure> {
        Ok(Self)
    }

    /// Nobody can be.
    pub fn given(_: &Args) -> bool {
        false
    }

    /// Nobody.
    pub fn verified(&self, _: &Args, _: &Entry) -> Result<Option<Entry>, Failure> {
        Ok(None)
    }

    /// Only what the lock says.
    pub fn signed_by(&self, _: &Args, entry: &Entry) -> Result<Option<(String, &'static str)>, Failure> {
        let signed = entry.signed.iter().flatten().count();
        Ok((signed > 0).then(|| ("the lock says that it is signed".to_owned(), "")))
    }

    /// Leaves it as it is.
    pub fn look(&self, _: &Args, _: &mut Entry) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}

#[cfg(feature = "registry")]
mod with_registry {
    use std::collections::BTreeSet;

    use kubectl_skills::api::image_reference;
    use kubectl_skills::skill::lock::{Attestation, Signed};
    use kubectl_skills::skill::policy::judge::shown;
    use kubectl_skills::skill::signature::Refusal;
    use kubectl_skills::skill::signature::trust::{Root, Trust};

    use super::super::super::image_source;
    use super::{Args, Entry, Failure};
    use crate::notes;
    use crate::registry::signatures::{Checked, Of};

    /// Whose signatures count in this run.
    pub struct Signers(Option<Trust>);

    impl Signers {
        /// Whether the flags name anybody.
        pub fn given(args: &Args) -> bool {
            args.trust.given()
        }

        /// An entry as it is by the signatures that hold; `None` if the flags name nobody.
        ///
        /// # Errors
        /// An answer that says neither.
        pub fn verified(&self, args: &Args, entry: &Entry) -> Result<Option<Entry>, Failure> {
            let Some(trust) = &self.0 else { return Ok(None) };
            // Nothing of what the lock says is taken over: it is what is asked about.
            let mut found = Entry { signed: None, attestations: None, ..entry.clone() };
            record(&mut found, &checked(args, entry, trust)?, trust);
            Ok(Some(found))
        }

        /// Why an image is not one that nobody signed, and how to go on: it is signed, or has signatures at which nobody looked.
        ///
        /// # Errors
        /// An answer that says neither.
        pub fn signed_by(
            &self,
            args: &Args,
            entry: &Entry,
        ) -> Result<Option<(String, &'static str)>, Failure> {
            let signed: BTreeSet<String> =
                entry.signed.iter().flatten().map(|one| shown(&one.signer)).collect();
            if !signed.is_empty() {
                let who = signed.into_iter().collect::<Vec<_>>().join("; ");
                return Ok(Some((format!("it is signed by {who}"), "it needs no decision")));
            }
            // Who was looked for has not signed it; or was decided before.
            if self.0.is_some() || entry.unsigned.is_some() {
                return Ok(None);
            }
            let root = Root::public_good().map_err(|why| Failure::input(why, ""))?;
            let nobody = Trust { keys: Vec::new(), identities: Vec::new(), root, require_log: false };
            let checked = checked(args, entry, &nobody)?;
            let found: BTreeSet<String> = checked.refused().map(|(_, _, refusal)| by(refusal)).collect();
            if found.is_empty() {
                return Ok(None);
            }
            let found = found.into_iter().collect::<Vec<_>>().join("; ");
            let help =
                "look who signed it first: --key, or --certificate-identity with --certificate-oidc-issuer";
            Ok(Some((format!("it has signatures or attestations at which nobody has looked: {found}"), help)))
        }

        /// Those of the flags.
        pub fn of(args: &Args) -> Result<Self, Failure> {
            Ok(Self(args.trust.given().then(|| args.trust.resolve()).transpose()?))
        }

        /// Looks who signed the image of an entry; whose signatures and attestations are there and do not count.
        ///
        /// # Errors
        /// An answer that says neither.
        pub fn look(&self, args: &Args, entry: &mut Entry) -> Result<Vec<String>, Failure> {
            let Some(trust) = &self.0 else { return Ok(Vec::new()) };
            let stays: BTreeSet<String> = entry.not_asked(trust).map(shown).collect();
            for who in stays {
                let kept = "is not asked about with these flags, and stays as the lock has it";
                notes::note(&format!("{}: the signature of {who} {kept}", entry.image));
            }
            let checked = checked(args, entry, trust)?;
            record(entry, &checked, trust);
            if entry.signers().is_empty() && entry.unsigned.is_none() && !args.accept_unsigned {
                notes::warning(&format!(
                    "{}: nobody who is trusted has signed {} ('kubectl skills verify' says what is there)",
                    entry.image, entry.digest
                ));
            }
            let others: BTreeSet<String> = checked.refused().map(|(_, _, refusal)| by(refusal)).collect();
            Ok(others.into_iter().collect())
        }
    }

    /// What is kept with the image of an entry.
    fn checked(args: &Args, entry: &Entry, trust: &Trust) -> Result<Checked, Failure> {
        let digest = image_reference::parts(&entry.image).and_then(|parts| parts.digest);
        let image = match digest {
            Some(_) => entry.image.clone(),
            None => format!("{}@{}", entry.image, entry.digest),
        };
        image_source::signatures(&image, &args.source, trust, "lock")
    }

    /// Whose a signature is of which nobody knows whether it counts.
    fn by(refusal: &Refusal) -> String {
        match refusal {
            Refusal::NoKey => "by a key".to_owned(),
            Refusal::OtherKey => "by another key than those given".to_owned(),
            Refusal::NoIdentity { identity, issuer } | Refusal::OtherIdentity { identity, issuer } => {
                format!("by {identity} of {issuer}")
            }
            _ => "one that cannot be checked".to_owned(),
        }
    }

    /// Writes what was verified into an entry.
    pub fn record(entry: &mut Entry, checked: &Checked, trust: &Trust) {
        let (mut signatures, mut attestations) = (Vec::new(), Vec::new());
        for (part, _, verified) in checked.verified() {
            let (of, platform) = match &part.of {
                Of::Manifest => ("manifest", None),
                Of::Index => ("index", None),
                Of::Platform(platform) => ("manifest", Some(platform.as_str())),
            };
            let signed = Signed::new(verified, of, platform);
            match &verified.predicate_type {
                _ if verified.is_signature() => signatures.push(signed),
                Some(kind) => attestations.push(Attestation { kind: kind.clone(), signed: Some(signed) }),
                None => {}
            }
        }
        entry.verified(trust, signatures, attestations);
    }
}
