//! ring as what sigstore-verify calculates with: no C but ring's own comes along.

use std::cell::RefCell;

use ring::{digest, signature};
use sigstore_crypto::{CryptoProvider, Error, HashContext, Result, SigningScheme, install_default_provider};
use sigstore_verify::types::HashAlgorithm;

/// Has sigstore-verify calculate with ring; it panics without a provider.
pub(super) fn install() {
    let _ = install_default_provider(&Ring);
}

thread_local! {
    /// The message whose digest sigstore-verify may ask about.
    static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs something that may ask for a signature over the digest of a message: ring checks signatures over messages only.
pub(super) fn with_message<T>(message: &[u8], run: impl FnOnce() -> T) -> T {
    MESSAGE.with(|kept| *kept.borrow_mut() = message.to_vec());
    let done = run();
    MESSAGE.with(|kept| kept.borrow_mut().clear());
    done
}

#[derive(Debug)]
struct Ring;

struct Context(digest::Context);

impl HashContext for Context {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

fn hash(algorithm: HashAlgorithm) -> Result<&'static digest::Algorithm> {
    match algorithm {
        HashAlgorithm::Sha2256 => Ok(&digest::SHA256),
        HashAlgorithm::Sha2384 => Ok(&digest::SHA384),
        HashAlgorithm::Sha2512 => Ok(&digest::SHA512),
        other => Err(Error::UnsupportedAlgorithm(other.to_string())),
    }
}

fn algorithm(scheme: SigningScheme) -> Option<&'static dyn signature::VerificationAlgorithm> {
    Some(match scheme {
        SigningScheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        SigningScheme::EcdsaP256Sha384 => &signature::ECDSA_P256_SHA384_ASN1,
        SigningScheme::EcdsaP384Sha256 => &signature::ECDSA_P384_SHA256_ASN1,
        SigningScheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
        SigningScheme::Ed25519 => &signature::ED25519,
        SigningScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SigningScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SigningScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        SigningScheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        SigningScheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        SigningScheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// Whether a key has signed a message; the key as it stands in the bit string of its SPKI.
pub(super) fn verify(scheme: SigningScheme, key: &[u8], message: &[u8], signed: &[u8]) -> Result<()> {
    let Some(algorithm) = algorithm(scheme) else {
        return Err(Error::UnsupportedAlgorithm(scheme.name().to_owned()));
    };
    let verified = signature::UnparsedPublicKey::new(algorithm, key).verify(message, signed);
    verified.map_err(|_| Error::Verification(format!("{} signature invalid", scheme.name())))
}

impl CryptoProvider for Ring {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        Ok(Box::new(Context(digest::Context::new(hash(algorithm)?))))
    }

    fn verify_raw(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signed: &[u8]) -> Result<()> {
        verify(scheme, key, data, signed)
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        digest: &[u8],
        signed: &[u8],
    ) -> Result<()> {
        MESSAGE.with(|message| {
            let message = message.borrow();
            let known = scheme.hash_algorithm().map(hash).transpose()?;
            if known.is_some_and(|known| digest::digest(known, &message).as_ref() == digest) {
                return verify(scheme, key, &message, signed);
            }
            Err(Error::UnsupportedAlgorithm("a signature over a digest whose message is not at hand".into()))
        })
    }
}
