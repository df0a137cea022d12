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

    /// Leaves it as it is.
    pub fn look(&self, _: &Args, _: &mut Entry, _: Option<&Entry>) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(feature = "registry")]
mod with_registry {
    use kubectl_skills::api::image_reference;
    use kubectl_skills::skill::lock::Signed;
    use kubectl_skills::skill::signature::trust::Trust;

    use super::super::super::image_source;
    use super::{Args, Entry, Failure};
    use crate::notes;
    use crate::registry::signatures::{Checked, Of};

    /// Whose signatures count in this run.
    pub struct Signers(Option<Trust>);

    impl Signers {
        /// Those of the flags.
        pub fn of(args: &Args) -> Result<Self, Failure> {
            Ok(Self(args.trust.given().then(|| args.trust.resolve()).transpose()?))
        }

        /// Looks who signed the image of an entry; `before` is what the lock had.
        ///
        /// # Errors
        /// An answer that says neither; or the image was signed before, and none of those has signed this one.
        pub fn look(&self, args: &Args, entry: &mut Entry, before: Option<&Entry>) -> Result<(), Failure> {
            if let Some(trust) = &self.0 {
                verify(args, entry, trust)?;
            }
            let before = before.filter(|before| before.digest != entry.digest);
            if before.is_some_and(|before| entry.lost_its_signers(before)) {
                let help = match &self.0 {
                    None => {
                        "say whose signature counts: --key, or --certificate-identity with --certificate-oidc-issuer"
                    }
                    Some(_) => {
                        "find out who changed it; if it is meant, take its entry out of the lock first"
                    }
                };
                let message =
                    format!("{}: nobody who signed it before has signed {}", entry.image, entry.digest);
                return Err(Failure::input(message, help));
            }
            Ok(())
        }
    }

    fn verify(args: &Args, entry: &mut Entry, trust: &Trust) -> Result<(), Failure> {
        let digest = image_reference::parts(&entry.image).and_then(|parts| parts.digest);
        let image = match digest {
            Some(_) => entry.image.clone(),
            None => format!("{}@{}", entry.image, entry.digest),
        };
        let checked = image_source::signatures(&image, &args.source, trust, "lock")?;
        let is_signed = record(entry, &checked);
        if !is_signed && entry.unsigned.is_none() && !args.accept_unsigned {
            notes::warning(&format!(
                "{}: nobody who is trusted has signed {} ('kubectl skills verify' says what is there)",
                entry.image, entry.digest
            ));
        }
        Ok(())
    }

    /// Writes what was verified into an entry; whether it is signed.
    pub fn record(entry: &mut Entry, checked: &Checked) -> bool {
        let (mut signed, mut attestations) = (Vec::new(), std::collections::BTreeSet::new());
        for (part, _, verified) in checked.verified() {
            if verified.is_signature() {
                let (of, platform) = match &part.of {
                    Of::Manifest => ("manifest", None),
                    Of::Index => ("index", None),
                    Of::Platform(platform) => ("manifest", Some(platform.as_str())),
                };
                signed.push(Signed::new(verified, of, platform));
            } else {
                attestations.extend(verified.predicate_type.clone());
            }
        }
        let is_signed = !signed.is_empty();
        entry.verified(signed, attestations);
        is_signed
    }
}
