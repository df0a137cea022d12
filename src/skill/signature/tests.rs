//! Keys, bundles and payloads as cosign and its peers make them, and what is done to them on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::check::{bundle, tagged};
use super::key::PublicKey;
use super::trust::{Identity, Match, Root, Trust};
use super::*;

mod logs;

type Signs = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// Who signs.
struct Maker {
    pem: String,
    spki: Vec<u8>,
    sign: Signs,
}

impl Maker {
    fn new(spki: Vec<u8>, sign: Signs) -> Self {
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&spki));
        Self { pem, spki, sign }
    }

    fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, head: &[u8]) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect("a key");
        let spki = [head, key.public_key().as_ref()].concat();
        Self::new(
            spki,
            Box::new(move |message| key.sign(&random, message).expect("a signature").as_ref().to_vec()),
        )
    }

    fn p256() -> Self {
        let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
        Self::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, head)
    }

    fn p384() -> Self {
        let head =
            b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
        Self::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, head)
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key");
        let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", key.public_key().as_ref()].concat();
        Self::new(spki, Box::new(move |message| key.sign(message).as_ref().to_vec()))
    }

    fn signer(&self) -> Signer {
        Signer::Key { fingerprint: Digest::of(&self.spki) }
    }

    /// A bundle, as cosign makes it with a key.
    fn bundle(&self, payload: &str) -> Vec<u8> {
        self.bundle_of("application/vnd.in-toto+json", payload).to_string().into_bytes()
    }

    fn bundle_of(&self, kind: &str, payload: &str) -> Value {
        let pae = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": STANDARD.encode(&Digest::of(&self.spki).hex()[..8])}},
            "dsseEnvelope": {"payload": STANDARD.encode(payload), "payloadType": kind,
                "signatures": [{"sig": STANDARD.encode((self.sign)(pae.as_bytes()))}]},
        })
    }

    /// The annotations of a signature of the older kind.
    fn annotations(&self, payload: &str) -> BTreeMap<String, String> {
        let signature = STANDARD.encode((self.sign)(payload.as_bytes()));
        BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), signature)])
    }
}

fn image() -> Digest {
    Digest::of(b"an image")
}

fn statement(digest: &Digest, predicate: &str) -> String {
    json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": digest.hex()}, "annotations": {}}],
        "predicateType": predicate, "predicate": {}})
    .to_string()
}

fn simple(digest: &Digest) -> String {
    json!({"critical": {"identity": {"docker-reference": "quay.io/acme/pdf"}, "image": {"docker-manifest-digest": digest.as_str()},
        "type": "cosign container image signature"}, "optional": null})
    .to_string()
}

fn trust(makers: &[&Maker]) -> Trust {
    let keys = makers.iter().flat_map(|maker| PublicKey::read(&maker.pem).expect("a key")).collect();
    Trust { keys, identities: Vec::new(), root: Root::public_good().expect("a root"), require_log: false }
}

fn by(maker: &Maker, format: Format, predicate: Option<&str>) -> Verified {
    Verified {
        signer: maker.signer(),
        format,
        digest: image(),
        log: false,
        predicate_type: predicate.map(str::to_owned),
    }
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/signatures/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
}

#[test]
fn every_kind_of_key_verifies_what_it_has_signed() {
    let payload = statement(&image(), SIGNATURE_PREDICATE);
    let old = simple(&image());
    for maker in [Maker::p256(), Maker::p384(), Maker::ed25519()] {
        let other = Maker::p256();
        let trust = trust(&[&other, &maker]);
        let wanted = by(&maker, Format::Bundle, Some(SIGNATURE_PREDICATE));
        assert_eq!(bundle(&maker.bundle(&payload), &image(), &trust), Ok(wanted));
        let wanted = by(&maker, Format::SignatureTag, None);
        assert_eq!(tagged(old.as_bytes(), &maker.annotations(&old), &image(), &trust), Ok(wanted));
        let stranger = Maker::p256();
        assert_eq!(bundle(&stranger.bundle(&payload), &image(), &trust), Err(Refusal::OtherKey));
    }
    let pem = String::from_utf8(data("rsa-2048.pub")).expect("text");
    let keys = PublicKey::read(&pem).expect("a key");
    let trust = Trust { keys, ..trust(&[]) };
    let verified = bundle(&data("rsa-2048.sigstore.json"), &image(), &trust).expect("a signature");
    assert_eq!(verified.signer, Signer::Key { fingerprint: trust.keys[0].fingerprint() });
}

#[test]
fn statements_of_both_versions_are_read() {
    let maker = Maker::p256();
    let trust = trust(&[&maker]);
    let old = json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
        "subject": [{"name": "a", "digest": {"sha256": Digest::of(b"other").hex()}}, {"name": "b", "digest": {"sha256": image().hex(), "sha512": "x"}}],
        "predicate": {"a": [1]}});
    let attested = bundle(&maker.bundle(&old.to_string()), &image(), &trust).expect("an attestation");
    assert_eq!(attested, by(&maker, Format::Bundle, Some("https://spdx.dev/Document")));
    assert!(!attested.is_signature());
    assert!(
        bundle(&maker.bundle(&statement(&image(), SIGNATURE_PREDICATE)), &image(), &trust)
            .is_ok_and(|one| one.is_signature())
    );
    assert!(by(&maker, Format::SignatureTag, None).is_signature());
}

#[test]
fn a_signature_of_another_image_says_which() {
    let maker = Maker::p256();
    let trust = trust(&[&maker]);
    let other = Digest::of(b"another image");
    let wanted = Err(Refusal::OtherImage { signer: maker.signer(), digests: vec![other.clone()] });
    assert_eq!(bundle(&maker.bundle(&statement(&other, SIGNATURE_PREDICATE)), &image(), &trust), wanted);
    let old = simple(&other);
    assert_eq!(tagged(old.as_bytes(), &maker.annotations(&old), &image(), &trust), wanted);
}

#[test]
fn without_a_key_no_key_fits() {
    let maker = Maker::p256();
    let payload = statement(&image(), SIGNATURE_PREDICATE);
    assert_eq!(bundle(&maker.bundle(&payload), &image(), &trust(&[])), Err(Refusal::NoKey));
}

/// One byte anywhere, and it is not what was signed.
#[test]
fn a_changed_byte_is_refused() {
    let maker = Maker::p256();
    let trust = trust(&[&maker]);
    let good = maker.bundle_of("application/vnd.in-toto+json", &statement(&image(), SIGNATURE_PREDICATE));
    for part in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
        let text = good.pointer(part).and_then(Value::as_str).expect("base64");
        let bytes = STANDARD.decode(text).expect("base64");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let mut value = good.clone();
            *value.pointer_mut(part).expect("it") = STANDARD.encode(changed).into();
            assert!(bundle(value.to_string().as_bytes(), &image(), &trust).is_err(), "{part}, byte {at}");
        }
    }
    let old = simple(&image());
    let annotations = maker.annotations(&old);
    for at in 0..old.len() {
        let mut changed = old.clone().into_bytes();
        changed[at] ^= 1;
        assert!(tagged(&changed, &annotations, &image(), &trust).is_err(), "byte {at}");
    }
}

#[test]
fn what_is_no_signature_is_said_to_be_none() {
    let maker = Maker::p256();
    let trust = trust(&[&maker]);
    let payload = statement(&image(), SIGNATURE_PREDICATE);
    let whole = String::from_utf8(maker.bundle(&payload)).expect("JSON");
    let twice = payload.replacen(
        "{",
        &format!("{{\"subject\":[{{\"digest\":{{\"sha256\":\"{}\"}}}}],", image().hex()),
        1,
    );
    let mut two = maker.bundle_of("application/vnd.in-toto+json", &payload);
    let first = two["dsseEnvelope"]["signatures"][0].clone();
    two["dsseEnvelope"]["signatures"].as_array_mut().expect("a list").push(first);
    for (what, bytes) in [
        ("nothing", String::new()),
        ("half of one", whole[..whole.len() / 2].to_owned()),
        ("a list", "[]".to_owned()),
        ("a key twice", whole.replacen('{', "{\"dsseEnvelope\":{},", 1)),
        ("a key twice, in the payload", String::from_utf8(maker.bundle(&twice)).expect("JSON")),
        ("no base64", whole.replace("\"payload\":\"", "\"payload\":\"*")),
        ("two signatures", two.to_string()),
        ("none of a known version", whole.replace("bundle.v0.3+json", "bundle.v9.9+json")),
        ("no statement", String::from_utf8(maker.bundle("{}")).expect("JSON")),
        (
            "a statement of another kind",
            String::from_utf8(maker.bundle(&payload.replace("Statement/v1", "Statement/v2"))).expect("JSON"),
        ),
        (
            "a digest that is none",
            String::from_utf8(maker.bundle(&payload.replace(image().hex(), "12"))).expect("JSON"),
        ),
        ("nested deep", format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
    ] {
        let refused = bundle(bytes.as_bytes(), &image(), &trust);
        assert!(matches!(refused, Err(Refusal::Unreadable(_))), "{what}: {refused:?}");
    }
    let other = maker.bundle_of("text/plain", &payload).to_string();
    assert!(matches!(bundle(other.as_bytes(), &image(), &trust), Err(Refusal::Unsupported(_))));
    let message = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": ""}},
        "messageSignature": {"signature": "AAAA"}});
    assert!(
        matches!(bundle(message.to_string().as_bytes(), &image(), &trust), Err(Refusal::Unsupported(why)) if why.contains("messageSignature"))
    );

    let old = simple(&image());
    let annotations = maker.annotations(&old);
    let unreadable = |payload: &str, annotations: &BTreeMap<String, String>| {
        let refused = tagged(payload.as_bytes(), annotations, &image(), &trust);
        assert!(matches!(refused, Err(Refusal::Unreadable(_))), "{payload}: {refused:?}");
    };
    unreadable(&old, &BTreeMap::new());
    unreadable(&old, &BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), "*".to_owned())]));
    for wrong in [
        old.replace("cosign container image signature", "atomic container signature"),
        old.replacen(
            "{\"critical\":{",
            &format!("{{\"critical\":{{\"image\":{{\"docker-manifest-digest\":\"{}\"}},", image()),
            1,
        ),
        old.replace("sha256:", "sha512:"),
        "{}".to_owned(),
    ] {
        unreadable(&wrong, &annotations);
        unreadable(&wrong, &maker.annotations(&wrong));
    }
}

#[test]
fn keys_that_are_none_say_why() {
    let good = Maker::p256().pem;
    let two = PublicKey::read(&format!("{good}{}", Maker::ed25519().pem)).expect("two keys");
    assert_eq!(two.len(), 2);
    let text = |name: &str| String::from_utf8(data(name)).expect("text");
    let mut cut = STANDARD.decode(good.lines().nth(1).expect("a body")).expect("base64");
    cut.truncate(50);
    let cut = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(cut));
    for (pem, why) in [
        (String::new(), "no PEM"),
        ("ssh-ed25519 AAAA".to_owned(), "no PEM"),
        (good.replace("-----END PUBLIC KEY-----", ""), "cut off"),
        (good.replacen("M", "*", 1), "PEM"),
        (cut, "Invalid"),
        (good.replace("PUBLIC KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"), "a private key"),
        (good.replace("PUBLIC KEY", "CERTIFICATE"), "openssl x509 -pubkey"),
        (good.replace("PUBLIC KEY", "RSA PUBLIC KEY"), "a PUBLIC KEY is wanted"),
        (text("rsa-1024.pub"), "1024"),
        (text("p521.pub"), "curve"),
        (text("p256-compressed.pub"), "uncompressed"),
    ] {
        let refused = PublicKey::read(&pem).map(|keys| keys.len());
        assert!(refused.as_ref().is_err_and(|error| error.contains(why)), "{why}: {refused:?}");
    }
}

/// A bundle that others published: `pkg/cosign/testdata/oci-attestation.sigstore.json` of sigstore/cosign at d6d86c2. It stays in
/// the folder of data that is shared between checkouts; `None` if that is not there.
fn published() -> Option<Vec<u8>> {
    let named = std::env::var_os("KUBECTL_SKILLS_SHARED").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [named, Some(root.join("../shared")), Some(root.join("../../shared"))];
    let file = "data/skill-images/cosign-oci-attestation.sigstore.json";
    let found = folders.into_iter().flatten().find_map(|folder| std::fs::read(folder.join(file)).ok());
    if found.is_none() {
        eprintln!("skipped: {file} is in no shared folder, nor in KUBECTL_SKILLS_SHARED");
    }
    found
}

/// The digest that it names.
const KEYLESS: &str = "sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4";

fn keyless(identity: Match, issuer: Match) -> Trust {
    Trust { identities: vec![Identity { identity, issuer }], ..trust(&[]) }
}

/// Certificate, SCT, log entry and time, by the root that the program carries.
#[test]
fn a_signature_by_certificate_is_verified_without_a_network() {
    let image = Digest::parse(KEYLESS).expect("a digest");
    let Some(bytes) = published() else { return };
    let exact = |text: &str| Match::Exact(text.to_owned());
    let (identity, issuer) = ("cody@soyland.com", "https://github.com/login/oauth");
    let wanted = Verified {
        signer: Signer::Certificate { identity: identity.into(), issuer: issuer.into() },
        format: Format::Bundle,
        digest: image.clone(),
        log: true,
        predicate_type: Some("https://cosign.sigstore.dev/attestation/v1".into()),
    };
    assert_eq!(bundle(&bytes, &image, &keyless(exact(identity), exact(issuer))), Ok(wanted.clone()));
    let pattern = |text: &str| Match::regexp(text).expect("a pattern");
    assert_eq!(bundle(&bytes, &image, &keyless(pattern(".*@soyland[.]com"), exact(issuer))), Ok(wanted));

    let (identity, issuer) = (identity.to_owned(), issuer.to_owned());
    let other = Err(Refusal::OtherIdentity { identity: identity.clone(), issuer: issuer.clone() });
    for (a, b) in [
        (exact("mallory@example.com"), exact(&issuer)),
        (exact(&identity), exact("https://accounts.google.com")),
        (pattern("cody"), exact(&issuer)),
        (exact(&identity), pattern("https://github.com")),
    ] {
        assert_eq!(bundle(&bytes, &image, &keyless(a, b)), other);
    }
    let nobody = bundle(&bytes, &image, &trust(&[&Maker::p256()]));
    assert_eq!(nobody, Err(Refusal::NoIdentity { identity: identity.clone(), issuer: issuer.clone() }));
    let good = || keyless(exact(&identity), exact(&issuer));
    let named = vec![Digest::parse(KEYLESS).expect("a digest")];
    let signer = Signer::Certificate { identity: identity.clone(), issuer: issuer.clone() };
    assert_eq!(bundle(&bytes, &self::image(), &good()), Err(Refusal::OtherImage { signer, digests: named }));
}

/// Whatever of it is changed: the certificate, the entry, its proof, its time, the statement.
#[test]
fn a_changed_byte_of_a_signature_by_certificate_is_refused() {
    let image = Digest::parse(KEYLESS).expect("a digest");
    let trust = keyless(Match::regexp(".*").expect("a pattern"), Match::regexp(".*").expect("a pattern"));
    let Some(bytes) = published() else { return };
    let good: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert!(bundle(good.to_string().as_bytes(), &image, &trust).is_ok());
    let entry = "/verificationMaterial/tlogEntries/0";
    for part in [
        "/verificationMaterial/certificate/rawBytes".to_owned(),
        "/dsseEnvelope/payload".to_owned(),
        "/dsseEnvelope/signatures/0/sig".to_owned(),
        format!("{entry}/canonicalizedBody"),
        format!("{entry}/inclusionPromise/signedEntryTimestamp"),
        format!("{entry}/inclusionProof/rootHash"),
        format!("{entry}/inclusionProof/hashes/0"),
        format!("{entry}/logId/keyId"),
    ] {
        let text = good.pointer(&part).and_then(Value::as_str).unwrap_or_else(|| panic!("{part}"));
        let mut bytes = STANDARD.decode(text).expect("base64");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let mut value = good.clone();
        *value.pointer_mut(&part).expect("it") = STANDARD.encode(bytes).into();
        assert!(bundle(value.to_string().as_bytes(), &image, &trust).is_err(), "{part}");
    }
    for (part, new) in [
        (format!("{entry}/integratedTime"), json!("1740770292")),
        (format!("{entry}/inclusionProof/treeSize"), json!("1")),
        (format!("{entry}/inclusionProof/checkpoint/envelope"), json!("rekor.sigstore.dev - 1\n1\nAAAA\n\n")),
        ("/verificationMaterial/tlogEntries".to_owned(), json!([])),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(&part).unwrap_or_else(|| panic!("{part}")) = new;
        let refused = bundle(value.to_string().as_bytes(), &image, &trust);
        assert!(
            matches!(refused, Err(Refusal::Untrusted(_) | Refusal::Unreadable(_))),
            "{part}: {refused:?}"
        );
    }
}

/// A root whose authority had ended before it signed, and one that knows neither authority nor log.
#[test]
fn a_root_that_does_not_know_the_signer_is_no_reason_to_trust_him() {
    let Some(bytes) = published() else { return };
    let image = Digest::parse(KEYLESS).expect("a digest");
    let root: Value = serde_json::from_str(include_str!("trusted_root/public-good.json")).expect("JSON");
    let mut ended = root.clone();
    for authority in ended["certificateAuthorities"].as_array_mut().expect("authorities") {
        authority["validFor"]["end"] = json!("2022-12-31T23:59:59Z");
    }
    let mut no_authority = root.clone();
    no_authority["certificateAuthorities"] = json!([]);
    let mut no_log = root.clone();
    no_log["tlogs"] = json!([]);
    let mut no_certificate_log = root;
    no_certificate_log["ctlogs"] = json!([]);
    for (what, root) in [
        ("ended", ended),
        ("no authority", no_authority),
        ("no log", no_log),
        ("no CT log", no_certificate_log),
    ] {
        let root = Root::read(&root.to_string()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let any = || Match::regexp(".*").expect("a pattern");
        let trust = Trust { root, ..keyless(any(), any()) };
        let refused = bundle(&bytes, &image, &trust);
        assert!(matches!(refused, Err(Refusal::Untrusted(_))), "{what}: {refused:?}");
    }
}
