//! Reads any bytes as a bundle, as a payload with its signature, and as keys: no panic, and nothing holds that names no digest
//! of the image.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::signature::check;
use kubectl_skills::skill::signature::key::PublicKey;
use kubectl_skills::skill::signature::trust::{Identity, Match, Root, Trust};
use libfuzzer_sys::fuzz_target;

/// The key and the identity of the seeds.
static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust {
    keys: PublicKey::read(include_str!("../../testdata/signatures/cosign-registry/cosign.pub")).expect("a key"),
    identities: vec![Identity { identity: Match::Exact("cody@soyland.com".into()), issuer: Match::regexp(".*").expect("a pattern") }],
    root: Root::public_good().expect("a root"),
    require_log: false,
});

fuzz_target!(|bytes: &[u8]| {
    let image = Digest::of(b"no image has this digest");
    assert!(check::bundle(bytes, &image, &TRUST).is_err());
    // The first line is the signature, the second one the log entry, the rest the payload.
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let annotations = BTreeMap::from([
        ("dev.cosignproject.cosign/signature".to_owned(), text()),
        ("dev.sigstore.cosign/bundle".to_owned(), text()),
    ]);
    assert!(check::tagged(parts.next().unwrap_or_default(), &annotations, &image, &TRUST).is_err());
    if let Ok(text) = std::str::from_utf8(bytes) {
        for key in PublicKey::read(text).unwrap_or_default() {
            assert!(!key.has_signed(b"a message", bytes));
        }
        let _ = Match::regexp(text);
    }
});
