//! Public keys as cosign writes them: PEM in, what has signed something out.

use sigstore_crypto::{KeyAlgorithm, SigningScheme, VerificationKey, validate_raw_public_key};
use sigstore_verify::types::DerPublicKey;

use super::provider;
use crate::skill::oci::Digest;

const KINDS: &str = "ECDSA on P-256 or P-384, Ed25519, and RSA of 2048 to 8192 bits";

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// As SPKI.
    pub(super) spki: DerPublicKey,
    /// As it stands in there.
    raw: Vec<u8>,
    /// How it signs.
    schemes: Vec<SigningScheme>,
}

impl PublicKey {
    /// Reads the keys of a PEM file; at least one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(pem: &str) -> Result<Vec<PublicKey>, String> {
        let mut keys = Vec::new();
        for (at, _) in pem.match_indices("-----BEGIN ") {
            let block = pem.get(at..).unwrap_or_default();
            let kind = block.strip_prefix("-----BEGIN ").and_then(|rest| rest.split("-----").next());
            match kind.unwrap_or_default() {
                "PUBLIC KEY" => {}
                kind if kind.contains("PRIVATE KEY") => {
                    return Err(
                        "a private key; the public one is needed, which cosign writes as cosign.pub".into()
                    );
                }
                "CERTIFICATE" => {
                    return Err("a certificate; give its public key: openssl x509 -pubkey -noout".into());
                }
                kind => return Err(format!("a {kind:?}, and a PUBLIC KEY is wanted")),
            }
            let end = block
                .find("-----END PUBLIC KEY-----")
                .ok_or("it is cut off: the line END PUBLIC KEY is missing")?;
            let whole =
                block.get(..end).map(|body| format!("{body}-----END PUBLIC KEY-----\n")).unwrap_or_default();
            let spki = DerPublicKey::from_pem(&whole).map_err(|error| error.to_string())?;
            keys.push(Self::of_spki(spki)?);
        }
        if keys.is_empty() {
            return Err("no PEM: it must have a line -----BEGIN PUBLIC KEY-----".into());
        }
        Ok(keys)
    }

    /// The key of a SPKI in DER.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn of_der(spki: &[u8]) -> Result<PublicKey, String> {
        Self::of_spki(DerPublicKey::new(spki.to_vec()))
    }

    /// Its kind, and how it stands in the bit string of its SPKI.
    pub(crate) fn parts(&self) -> (KeyAlgorithm, &[u8]) {
        (self.schemes.first().map_or(KeyAlgorithm::Rsa, |scheme| scheme.key_algorithm()), &self.raw)
    }

    fn of_spki(spki: DerPublicKey) -> Result<PublicKey, String> {
        let wrong = |error: sigstore_crypto::Error| format!("{error}; {KINDS} are known");
        let key = VerificationKey::from_spki(&spki).map_err(wrong)?;
        let schemes = match key.scheme().key_algorithm() {
            // cosign hashes with SHA-256 whatever the curve; others as the curve is wide.
            KeyAlgorithm::EcdsaP384 => vec![SigningScheme::EcdsaP384Sha384, SigningScheme::EcdsaP384Sha256],
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa => vec![key.scheme()],
            other => return Err(format!("a key of the kind {other:?}; {KINDS} are known")),
        };
        validate_raw_public_key(key.scheme(), key.as_bytes()).map_err(wrong)?;
        let raw = key.as_bytes().to_vec();
        Ok(Self { spki, raw, schemes })
    }

    /// Its name: the digest of its SPKI in DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.spki.as_bytes())
    }

    /// Whether it has signed a message.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.schemes.iter().any(|scheme| provider::verify(*scheme, &self.raw, message, signature).is_ok())
    }
}
