//! Whether a signature holds: its bytes, the digest of the image, and what is trusted in; a verdict out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{Artifact, Bundle, DsseEnvelope, Sha256Hash, SignatureContent};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult};

use super::key::PublicKey;
use super::logged::{self, SIGNATURE};
use super::statement::{PAYLOAD_TYPE, Statement, simple};
use super::trust::Trust;
use super::{Format, Refusal, Signer, Verified};
use crate::api::unique_json as json;
use crate::skill::oci::Digest;

/// Checks a Sigstore bundle that is kept with an image.
///
/// # Errors
/// Why it does not hold.
pub fn bundle(bytes: &[u8], image: &Digest, trust: &Trust) -> Result<Verified, Refusal> {
    let bundle: Bundle =
        json::read(bytes).map_err(|why| Refusal::Unreadable(format!("no Sigstore bundle: {why}")))?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        return Err(Refusal::Unsupported(
            "it signs bytes (messageSignature) rather than a statement about an image".into(),
        ));
    };
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Refusal::Unsupported(format!("its payload is of the type {:?}", envelope.payload_type)));
    }
    let statement = Statement::read(envelope.payload.as_bytes())
        .map_err(|why| Refusal::Unreadable(format!("no statement: {why}")))?;
    let (signer, log) = match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(_) => by_key(&bundle, envelope, &statement, trust)?,
        _ => by_certificate(&bundle, &statement, trust)?,
    };
    names(&signer, &statement.digests, image)?;
    Ok(Verified {
        signer,
        format: Format::Bundle,
        digest: image.clone(),
        log,
        predicate_type: Some(statement.predicate_type),
    })
}

/// Checks a signature of the older kind: a payload, and the annotations of its layer.
///
/// # Errors
/// Why it does not hold.
pub fn tagged(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
    image: &Digest,
    trust: &Trust,
) -> Result<Verified, Refusal> {
    let signature = annotations.get(SIGNATURE);
    let signature =
        signature.ok_or_else(|| Refusal::Unreadable(format!("it has no annotation {SIGNATURE}")))?;
    let signature = STANDARD
        .decode(signature)
        .map_err(|why| Refusal::Unreadable(format!("its annotation {SIGNATURE} is no base64: {why}")))?;
    let named = simple(payload).map_err(|why| Refusal::Unreadable(format!("no payload of cosign: {why}")))?;
    let (signer, log) = if logged::has_certificate(annotations) {
        // Who it must be is asked afterwards, so that a refusal can say who it is.
        let found = logged::verify(payload, annotations, &trust.root, &VerificationPolicy::any_identity());
        (certified(&found.map_err(Refusal::Untrusted)?, trust)?, true)
    } else {
        let key = signed_by(trust, payload, &signature)?;
        let policy = PublicKeyVerificationPolicy::new(key.spki.clone());
        let logged = logged::verify(payload, annotations, &trust.root, &policy);
        with_log(key, logged.map(drop), trust)?
    };
    names(&signer, &[named], image)?;
    let digest = image.clone();
    Ok(Verified { signer, format: Format::SignatureTag, digest, log, predicate_type: None })
}

/// A good signature may be that of another image.
fn names(signer: &Signer, digests: &[Digest], image: &Digest) -> Result<(), Refusal> {
    if digests.contains(image) {
        return Ok(());
    }
    Err(Refusal::OtherImage { signer: signer.clone(), digests: digests.to_vec() })
}

fn signed_by<'t>(trust: &'t Trust, message: &[u8], signature: &[u8]) -> Result<&'t PublicKey, Refusal> {
    if trust.keys.is_empty() {
        return Err(Refusal::NoKey);
    }
    trust.keys.iter().find(|key| key.has_signed(message, signature)).ok_or(Refusal::OtherKey)
}

fn by_key(
    bundle: &Bundle,
    envelope: &DsseEnvelope,
    statement: &Statement,
    trust: &Trust,
) -> Result<(Signer, bool), Refusal> {
    let key = signed_by(trust, &envelope.pae(), envelope.signature.sig.as_bytes())?;
    let entries = bundle.verification_material.tlog_entries.len();
    // sigstore-verify takes a bundle with a timestamp and no entry for one that is in a log.
    let logged = if entries == 0 {
        Err("it has no log entry".to_owned())
    } else {
        let policy = PublicKeyVerificationPolicy::new(key.spki.clone());
        let verified = trust.root.0.verify(artifact(statement)?, bundle, &policy);
        verified.map(drop).map_err(|error| error.to_string())
    };
    with_log(key, logged, trust)
}

/// Who holds a key that has signed; a log entry that does not hold counts as none.
fn with_log(key: &PublicKey, logged: Result<(), String>, trust: &Trust) -> Result<(Signer, bool), Refusal> {
    match logged {
        Err(why) if trust.require_log => Err(Refusal::NoLog(why)),
        logged => Ok((Signer::Key { fingerprint: key.fingerprint() }, logged.is_ok())),
    }
}

fn by_certificate(bundle: &Bundle, statement: &Statement, trust: &Trust) -> Result<(Signer, bool), Refusal> {
    // Who it must be is asked afterwards, so that a refusal can say who it is.
    let policy = VerificationPolicy::any_identity();
    let found = trust.root.0.verify(artifact(statement)?, bundle, &policy);
    let found = found.map_err(|error| Refusal::Untrusted(error.to_string()))?;
    let log = !bundle.verification_material.tlog_entries.is_empty();
    if trust.require_log && !log {
        return Err(Refusal::NoLog("it has no log entry".into()));
    }
    Ok((certified(&found, trust)?, log))
}

/// Whom a certificate that holds names, if that is one who is trusted.
fn certified(found: &VerificationResult, trust: &Trust) -> Result<Signer, Refusal> {
    if !(found.certificate_verified() && found.sct_verified() && found.tlog_verified()) {
        return Err(Refusal::Untrusted("a part of it was not checked".into()));
    }
    let (Some(identity), Some(issuer)) = (found.identity(), found.issuer()) else {
        return Err(Refusal::Untrusted("its certificate names no identity, or no issuer".into()));
    };
    let (identity, issuer) = (identity.as_str().to_owned(), issuer.to_owned());
    if trust.identities.is_empty() {
        return Err(Refusal::NoIdentity { identity, issuer });
    }
    if !trust.identities.iter().any(|wanted| wanted.is(&identity, &issuer)) {
        return Err(Refusal::OtherIdentity { identity, issuer });
    }
    Ok(Signer::Certificate { identity, issuer })
}

/// What the statement itself names: whether that is the image is asked afterwards.
fn artifact(statement: &Statement) -> Result<Artifact<'static>, Refusal> {
    let unreadable = |why: String| Refusal::Unreadable(format!("no statement: {why}"));
    let digest = statement.digests.first().ok_or_else(|| unreadable("it names no sha256 digest".into()))?;
    Sha256Hash::from_hex(digest.hex()).map(Artifact::from).map_err(|error| unreadable(error.to_string()))
}
