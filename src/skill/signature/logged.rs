//! Signatures of the older kind with what a log says of them: made into a bundle of the first version, which has the same parts
//! in other places.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sigstore_verify::types::{Bundle, DerCertificate};
use sigstore_verify::{Policy, VerificationResult};

use super::provider;
use super::trust::Root;
use crate::api::unique_json as strict;

/// The annotation that has a signature.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const ENTRY: &str = "dev.sigstore.cosign/bundle";

/// An annotation that says something: cosign writes some of them empty.
fn given<'a>(annotations: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    annotations.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether a certificate vouches for the signature, rather than a key.
pub(super) fn has_certificate(annotations: &BTreeMap<String, String>) -> bool {
    given(annotations, CERTIFICATE).is_some()
}

/// Checks log entry, certificate and signature.
pub(super) fn verify(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
    root: &Root,
    policy: &dyn Policy,
) -> Result<VerificationResult, String> {
    let bundle = bundle(payload, annotations)?;
    let verified = provider::with_message(payload, || root.0.verify(payload, &bundle, policy));
    verified.map_err(|error| error.to_string())
}

fn bundle(payload: &[u8], annotations: &BTreeMap<String, String>) -> Result<Bundle, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        signed_entry_timestamp: String,
        payload: Entry,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        body: String,
        integrated_time: i64,
        log_index: i64,
        #[serde(rename = "logID")]
        log_id: String,
    }
    let entry = given(annotations, ENTRY).ok_or("it has no log entry")?;
    let Written { signed_entry_timestamp: promise, payload: entry } =
        strict::read(entry.as_bytes()).map_err(|why| format!("its annotation {ENTRY}: {why}"))?;
    let signer = match given(annotations, CERTIFICATE) {
        Some(pem) => {
            let certificate = DerCertificate::from_pem(pem).map_err(|error| error.to_string())?;
            let certificate = STANDARD.encode(certificate.as_bytes());
            ("x509CertificateChain", json!({"certificates": [{"rawBytes": certificate}]}))
        }
        None => ("publicKey", json!({"hint": ""})),
    };
    let material = json!({
        (signer.0): signer.1,
        "tlogEntries": [{
            "logIndex": entry.log_index.to_string(),
            "logId": {"keyId": STANDARD.encode(bytes(&entry.log_id)?)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": entry.integrated_time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": promise},
            "canonicalizedBody": entry.body,
        }],
    });
    let value = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": material,
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Sha256::digest(payload))},
            "signature": given(annotations, SIGNATURE).unwrap_or_default(),
        },
    });
    Bundle::from_json(&value.to_string()).map_err(|error| error.to_string())
}

/// The bytes of hexadecimal digits.
fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("its log has the name {hex:?}, which is not hexadecimal");
    let digit = |at: &u8| char::from(*at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => digit(high).zip(digit(low)).map(|(high, low)| (high << 4) | low).ok_or_else(wrong),
            _ => Err(wrong()),
        })
        .collect()
}
