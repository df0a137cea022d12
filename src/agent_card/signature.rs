//! Whether the signatures of a card hold: a card and what is trusted in; for each signature who made it, and by which readings,
//! out. Nothing is fetched: a `jku` is not looked at.
//!
//! Sources: RFC 7515, 7517, 7518; A2A 1.0.1 section 8.4; kagenti operator d790f656 `internal/signature/{verifier,provider}.go`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use serde_json::Value;
use sigstore_crypto::KeyAlgorithm;
use webpki::{EndEntityCert, KeyUsage};

use super::reading::Reading;
use crate::api::unique_json;
use crate::skill::oci::Digest;
use crate::skill::signature::key::PublicKey;
use crate::skill::signature::trust::Match;

/// Signatures of a card that are looked at.
const MOST: usize = 32;
const ALGORITHMS: &str = "ES256, ES384, RS256, RS384, RS512, PS256, PS384, PS512 and EdDSA";

/// What is trusted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys; any one suffices.
    keys: Vec<TrustedKey>,
    /// Certificate authorities, as certificates.
    authorities: Vec<CertificateDer<'static>>,
    /// Which SPIFFE IDs the authorities may vouch for; any one suffices.
    identities: Vec<Match>,
    /// The time for certificates, in seconds since 1970.
    now: u64,
}

#[derive(Debug, Clone)]
struct TrustedKey {
    key: Key,
    /// What a JWK calls itself; signatures that name another one are not its.
    kid: Option<String>,
    name: String,
}

#[derive(Debug, Clone)]
struct Key {
    kind: KeyAlgorithm,
    /// As in the bit string of a SPKI.
    raw: Vec<u8>,
}

/// Who made a signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// The owner of a key that is trusted: `kid` of a JWK, else the digest of the key.
    Key(String),
    /// Whom a trusted authority vouches for: a SPIFFE ID.
    Identity(String),
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its `alg`; empty if its header cannot be read.
    pub algorithm: String,
    /// Its `kid`.
    pub kid: Option<String>,
    /// The readings by which it holds, and who made it; else why it does not hold.
    pub verdict: Result<(Signer, Vec<Reading>), String>,
}

/// What a signature says of itself.
struct Header {
    algorithm: String,
    kid: Option<String>,
    /// The certificate that it was made with, and those above it.
    chain: Vec<Vec<u8>>,
}

/// A way to read the card, and what is signed by it in base64url, or why the card cannot be read so.
type Read = (Reading, Result<String, String>);

impl Trust {
    /// Nothing is trusted yet; `now` is the time for certificates, in seconds since 1970.
    pub fn new(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Trusts keys: PEM, a JWK, or a set of them.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn add_keys(&mut self, text: &str) -> Result<(), String> {
        if text.trim_start().starts_with('{') {
            let found = jwks(text)?;
            if found.keys.is_empty() {
                return Err("there is no key for signatures in it".into());
            }
            self.keys.extend(found.keys);
            return Ok(());
        }
        for key in PublicKey::read(text)? {
            self.keys.push(TrustedKey { name: key.fingerprint().to_string(), kid: None, key: Key::of(&key) });
        }
        Ok(())
    }

    /// Trusts certificate authorities: PEM, or the bundle of a SPIFFE trust domain.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn add_authorities(&mut self, text: &str) -> Result<(), String> {
        let found = if text.trim_start().starts_with('{') {
            jwks(text)?.certificates
        } else {
            CertificateDer::pem_slice_iter(text.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| format!("no PEM: {error}"))?
        };
        if found.is_empty() {
            return Err("there is no certificate in it".into());
        }
        for certificate in &found {
            webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| format!("no certificate: {error}"))?;
        }
        self.authorities.extend(found);
        Ok(())
    }

    /// Trusts the authorities with a SPIFFE ID.
    pub fn add_identity(&mut self, identity: Match) {
        self.identities.push(identity);
    }

    /// Checks all signatures of a card by the given readings.
    ///
    /// # Errors
    /// Why its signatures cannot be looked at, in words.
    pub fn check(&self, card: &Value, readings: &[Reading]) -> Result<Vec<Checked>, String> {
        let all = match card.get("signatures") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(all)) if all.len() <= MOST => all,
            Some(Value::Array(all)) => {
                return Err(format!("{} signatures; at most {MOST} are checked", all.len()));
            }
            Some(_) => return Err("signatures must be a list".into()),
        };
        let read: Vec<Read> = readings
            .iter()
            .map(|reading| {
                (*reading, reading.signed(card).map(|signed| URL_SAFE_NO_PAD.encode(signed.payload)))
            })
            .collect();
        Ok(all.iter().map(|one| self.check_one(one, &read)).collect())
    }

    fn check_one(&self, one: &Value, read: &[Read]) -> Checked {
        let mut out = Checked { algorithm: String::new(), kid: None, verdict: Err(String::new()) };
        out.verdict = self.verdict(one, read, &mut out.algorithm, &mut out.kid);
        out
    }

    fn verdict(
        &self,
        one: &Value,
        read: &[Read],
        algorithm: &mut String,
        kid: &mut Option<String>,
    ) -> Result<(Signer, Vec<Reading>), String> {
        let text = |key: &str| {
            one.get(key).and_then(Value::as_str).ok_or_else(|| format!("its {key:?} must be a string"))
        };
        let protected = text("protected")?;
        let header = Header::read(protected)?;
        algorithm.clone_from(&header.algorithm);
        kid.clone_from(&header.kid);
        let signed = URL_SAFE_NO_PAD
            .decode(text("signature")?)
            .map_err(|_| "its signature is not base64url without padding".to_owned())?;
        let keys = self.keys_for(&header)?;
        for (signer, key) in &keys {
            let has_signed = |reading: Reading, payload: &str| {
                let message = format!("{protected}.{payload}");
                key.has_signed(&header.algorithm, reading, message.as_bytes(), &signed)
            };
            let held: Vec<Reading> = read
                .iter()
                .filter(|(reading, payload)| {
                    payload.as_ref().is_ok_and(|payload| has_signed(*reading, payload))
                })
                .map(|(reading, _)| *reading)
                .collect();
            if !held.is_empty() {
                return Ok((signer.clone(), held));
            }
        }
        let by = read.iter().map(|(reading, _)| reading.name()).collect::<Vec<_>>().join(", ");
        let mut why =
            format!("it is not of this card, or by another key than those that are trusted (read as {by})");
        let unreadable: Vec<String> = read
            .iter()
            .filter_map(|(reading, payload)| Some(format!("{reading}: {}", payload.as_ref().err()?)))
            .collect();
        if !unreadable.is_empty() {
            why += &format!("; unreadable as {}", unreadable.join("; "));
        }
        Err(why)
    }

    /// Keys that may have made a signature, and whose they are.
    fn keys_for(&self, header: &Header) -> Result<Vec<(Signer, Key)>, String> {
        let kind = kind_of(&header.algorithm)?;
        let is_named = |one: &&TrustedKey| match (&one.kid, &header.kid) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        let mut out: Vec<(Signer, Key)> = self
            .keys
            .iter()
            .filter(|one| one.key.kind == kind)
            .filter(is_named)
            .map(|one| (Signer::Key(one.name.clone()), one.key.clone()))
            .collect();
        let certified = match header.chain.as_slice() {
            [] => Err(None),
            _ if self.authorities.is_empty() => {
                Err(Some("it comes with a certificate, and no authority is trusted".to_owned()))
            }
            [leaf, above @ ..] => self.certified(leaf, above).map_err(Some),
        };
        match certified {
            Ok((identity, key)) if key.kind == kind => out.push((Signer::Identity(identity), key)),
            Ok((identity, _)) => {
                return Err(format!("the certificate of {identity} has no key for {}", header.algorithm));
            }
            Err(Some(why)) if out.is_empty() => return Err(why),
            Err(_) => {}
        }
        if out.is_empty() {
            let named = header.kid.as_ref().map_or(String::new(), |kid| format!(" that is called {kid:?}"));
            return Err(format!("no key for {}{named} is trusted", header.algorithm));
        }
        Ok(out)
    }

    /// Whom an authority vouches for.
    fn certified(&self, leaf: &[u8], above: &[Vec<u8>]) -> Result<(String, Key), String> {
        let leaf = CertificateDer::from(leaf);
        let wrong = |error: webpki::Error| match error {
            webpki::Error::CertExpired { .. } => "its certificate has expired".to_owned(),
            webpki::Error::CertNotValidYet { .. } => "its certificate is not valid yet".to_owned(),
            webpki::Error::UnknownIssuer => "its certificate is of no authority that is trusted".to_owned(),
            other => format!("its certificate does not hold: {other}"),
        };
        let certificate = EndEntityCert::try_from(&leaf).map_err(wrong)?;
        let above: Vec<CertificateDer<'_>> =
            above.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let anchors: Vec<TrustAnchor<'_>> = self
            .authorities
            .iter()
            .map(webpki::anchor_from_trusted_cert)
            .collect::<Result<_, _>>()
            .map_err(wrong)?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.now));
        let verify = |usage: KeyUsage| {
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            certificate.verify_for_usage(algorithms, &anchors, &above, now, usage, None, None).map(|_| ())
        };
        verify(KeyUsage::client_auth()).or_else(|_| verify(KeyUsage::server_auth())).map_err(wrong)?;
        let mut names = certificate.valid_uri_names().filter(|name| name.starts_with("spiffe://"));
        let (Some(identity), None) = (names.next(), names.next()) else {
            return Err("its certificate must name one SPIFFE ID".into());
        };
        if !self.identities.iter().any(|wanted| wanted.is(identity)) {
            return Err(format!("it is by {identity}, who is not trusted"));
        }
        let key = PublicKey::of_der(certificate.subject_public_key_info().as_ref())?;
        Ok((identity.to_owned(), Key::of(&key)))
    }
}

impl Header {
    fn read(protected: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD
            .decode(protected)
            .map_err(|_| "its header is not base64url without padding".to_owned())?;
        let header: Value =
            unique_json::read(&bytes).map_err(|why| format!("its header is no JSON: {why}"))?;
        if header.get("crit").is_some() {
            return Err(
                "its header has \"crit\": it must not be taken by who does not know what is in there".into(),
            );
        }
        let text = |key: &str| header.get(key).and_then(Value::as_str).map(str::to_owned);
        let chain = match header.get("x5c") {
            None => Vec::new(),
            Some(Value::Array(chain)) => chain
                .iter()
                .map(|one| one.as_str().and_then(|text| STANDARD.decode(text).ok()))
                .collect::<Option<_>>()
                .ok_or("its x5c must be certificates in base64")?,
            Some(_) => return Err("its x5c must be a list".into()),
        };
        Ok(Self { algorithm: text("alg").ok_or("its header names no \"alg\"")?, kid: text("kid"), chain })
    }
}

/// The kind of key that an algorithm needs.
fn kind_of(algorithm: &str) -> Result<KeyAlgorithm, String> {
    Ok(match algorithm {
        "ES256" => KeyAlgorithm::EcdsaP256,
        "ES384" => KeyAlgorithm::EcdsaP384,
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => KeyAlgorithm::Rsa,
        "EdDSA" => KeyAlgorithm::Ed25519,
        "none" => return Err("its algorithm is none: it signs nothing".into()),
        other => return Err(format!("its algorithm is {other:?}; {ALGORITHMS} are checked")),
    })
}

impl Key {
    fn of(key: &PublicKey) -> Self {
        let (kind, raw) = key.parts();
        Self { kind, raw: raw.to_vec() }
    }

    fn has_signed(&self, algorithm: &str, reading: Reading, message: &[u8], signed: &[u8]) -> bool {
        let by = |how: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(how, &self.raw).verify(message, signed).is_ok()
        };
        // kagenti's operator takes ASN.1 as well, and no Ed25519.
        let is_kagenti = reading == Reading::Kagenti;
        match algorithm {
            "ES256" => {
                by(&signature::ECDSA_P256_SHA256_FIXED)
                    || is_kagenti && by(&signature::ECDSA_P256_SHA256_ASN1)
            }
            "ES384" => {
                by(&signature::ECDSA_P384_SHA384_FIXED)
                    || is_kagenti && by(&signature::ECDSA_P384_SHA384_ASN1)
            }
            "RS256" => by(&signature::RSA_PKCS1_2048_8192_SHA256),
            "RS384" => by(&signature::RSA_PKCS1_2048_8192_SHA384),
            "RS512" => by(&signature::RSA_PKCS1_2048_8192_SHA512),
            "PS256" => by(&signature::RSA_PSS_2048_8192_SHA256),
            "PS384" => by(&signature::RSA_PSS_2048_8192_SHA384),
            "PS512" => by(&signature::RSA_PSS_2048_8192_SHA512),
            "EdDSA" => !is_kagenti && by(&signature::ED25519),
            _ => false,
        }
    }
}

#[derive(Default)]
struct Found {
    keys: Vec<TrustedKey>,
    certificates: Vec<CertificateDer<'static>>,
}

/// Keys of a JWK or a set of them, and the authorities of a SPIFFE bundle.
fn jwks(text: &str) -> Result<Found, String> {
    let set: Value = unique_json::read(text.as_bytes()).map_err(|why| format!("no JSON: {why}"))?;
    let all = match set.get("keys") {
        Some(Value::Array(keys)) => keys.clone(),
        Some(_) => return Err("\"keys\" must be a list".into()),
        None => vec![set],
    };
    let mut out = Found::default();
    for (index, one) in all.iter().enumerate() {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("use") {
            "x509-svid" => {
                let first =
                    one.pointer("/x5c/0").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
                let der =
                    first.ok_or_else(|| format!("keys[{index}].x5c must be a certificate in base64"))?;
                out.certificates.push(CertificateDer::from(der));
            }
            // What tokens and secrets are made with signs no cards.
            "jwt-svid" | "enc" => {}
            _ => {
                let (key, digest) = jwk(one).map_err(|why| format!("keys[{index}]: {why}"))?;
                let kid = Some(text("kid").to_owned()).filter(|kid| !kid.is_empty());
                out.keys.push(TrustedKey { name: kid.clone().unwrap_or(digest), kid, key });
            }
        }
    }
    Ok(out)
}

fn jwk(one: &Value) -> Result<(Key, String), String> {
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    if one.get("d").is_some() || text("kty") == "oct" {
        return Err("a secret key; the public one is needed".into());
    }
    let bytes = |name: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(text(name)).ok().filter(|bytes| !bytes.is_empty());
        decoded.ok_or_else(|| format!("its {name:?} must be base64url"))
    };
    let point = |size: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        match x.len() == size && y.len() == size {
            true => Ok([&[4], x.as_slice(), &y].concat()),
            false => Err(format!("\"x\" and \"y\" must have {size} bytes")),
        }
    };
    let (kind, raw) = match (text("kty"), text("crv")) {
        ("EC", "P-256") => (KeyAlgorithm::EcdsaP256, point(32)?),
        ("EC", "P-384") => (KeyAlgorithm::EcdsaP384, point(48)?),
        ("OKP", "Ed25519") => (KeyAlgorithm::Ed25519, bytes("x")?),
        ("RSA", _) => (KeyAlgorithm::Rsa, rsa(&bytes("n")?, &bytes("e")?)),
        (kty, crv) => {
            return Err(format!(
                "a key {kty:?} {crv:?}; EC on P-256 or P-384, OKP Ed25519 and RSA are known"
            ));
        }
    };
    let digest = Digest::of(&raw).to_string();
    Ok((Key { kind, raw }, digest))
}

/// `RSAPublicKey` of RFC 8017 in DER.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let tagged = |tag: u8, body: &[u8]| {
        let length = body.len().to_be_bytes();
        let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
        let mut out = vec![tag];
        if body.len() >= 128 {
            out.push(0x80 | length.len() as u8);
        }
        out.extend(length);
        out.extend(body);
        out
    };
    let integer = |number: &[u8]| {
        let number = &number[number.iter().position(|byte| *byte != 0).unwrap_or(number.len())..];
        let sign: &[u8] = if number.first().is_none_or(|byte| *byte >= 128) { &[0] } else { &[] };
        tagged(2, &[sign, number].concat())
    };
    tagged(0x30, &[integer(modulus), integer(exponent)].concat())
}

#[cfg(test)]
mod tests;
