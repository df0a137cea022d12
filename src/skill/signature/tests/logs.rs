//! Entries of a transparency log of our own, which a root of our own knows.

use super::*;

/// A log with a key.
struct Log(Maker);

impl Log {
    /// A root that knows this log and nobody else.
    fn root(&self) -> Root {
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{"baseUrl": "https://log.example", "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": STANDARD.encode(&self.0.spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2021-01-12T11:53:27Z"}},
                "logId": {"keyId": STANDARD.encode(self.id())}}],
            "certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": [],
        });
        Root::read(&root.to_string()).expect("a root")
    }

    fn id(&self) -> Vec<u8> {
        ring::digest::digest(&ring::digest::SHA256, &self.0.spki).as_ref().to_vec()
    }

    /// The annotation that cosign writes of an entry.
    fn entry(&self, payload: &str, signature: &str, pem: &str) -> Value {
        let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": Digest::of(payload.as_bytes()).hex()}},
            "signature": {"content": signature, "publicKey": {"content": STANDARD.encode(pem)}}}});
        let body = STANDARD.encode(body.to_string());
        let id = Digest::parse(&format!(
            "sha256:{}",
            self.id().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        ));
        let id = id.expect("a name").hex().to_owned();
        // In the order of RFC 8785.
        let promised = format!(
            "{{\"body\":\"{body}\",\"integratedTime\":1700000000,\"logID\":\"{id}\",\"logIndex\":7}}"
        );
        json!({"SignedEntryTimestamp": STANDARD.encode((self.0.sign)(promised.as_bytes())),
            "Payload": {"body": body, "integratedTime": 1_700_000_000, "logIndex": 7, "logID": id}})
    }
}

const ENTRY: &str = "dev.sigstore.cosign/bundle";

/// The older kind by key, with the entry that cosign 2 made of it.
#[test]
fn an_entry_of_the_older_kind_is_checked() {
    let (maker, log) = (Maker::p256(), Log(Maker::p256()));
    let strict = |root: Root| Trust { root, require_log: true, ..trust(&[&maker]) };
    let payload = simple(&image());
    let mut annotations = maker.annotations(&payload);
    let signature = annotations["dev.cosignproject.cosign/signature"].clone();
    let check = |annotations: &BTreeMap<String, String>, trust: &Trust| {
        tagged(payload.as_bytes(), annotations, &image(), trust)
    };
    let no_log = |refused: Result<Verified, Refusal>| matches!(refused, Err(Refusal::NoLog(_)));
    assert!(no_log(check(&annotations, &strict(log.root()))));

    let entry = log.entry(&payload, &signature, &maker.pem);
    annotations.insert(ENTRY.into(), entry.to_string());
    let wanted = Verified { log: true, ..by(&maker, Format::SignatureTag, None) };
    assert_eq!(check(&annotations, &strict(log.root())), Ok(wanted));
    // A log that nobody knows counts as none.
    assert!(no_log(check(&annotations, &strict(Root::public_good().expect("a root")))));
    assert_eq!(check(&annotations, &trust(&[&maker])), Ok(by(&maker, Format::SignatureTag, None)));

    let mut later = entry.clone();
    later["Payload"]["integratedTime"] = json!(1_700_000_001);
    let mut renamed = entry.clone();
    renamed["Payload"]["logID"] = json!("xyz");
    for (what, wrong) in [
        ("a time that was changed", later),
        ("a log whose name is none", renamed),
        ("an entry of another payload", log.entry("else", &signature, &maker.pem)),
        ("an entry of another signature", log.entry(&payload, "AAAA", &maker.pem)),
        ("an entry of another key", log.entry(&payload, &signature, &Maker::p256().pem)),
        ("an entry of another log", Log(Maker::p256()).entry(&payload, &signature, &maker.pem)),
        ("nothing", json!({})),
    ] {
        annotations.insert(ENTRY.into(), wrong.to_string());
        let refused = check(&annotations, &strict(log.root()));
        assert!(no_log(refused.clone()), "{what}: {refused:?}");
    }
}

/// A bundle with a timestamp, or with nothing, is in no log.
#[test]
fn a_bundle_without_an_entry_is_in_no_log() {
    let maker = Maker::p256();
    let trust = Trust { require_log: true, ..trust(&[&maker]) };
    let mut value =
        maker.bundle_of("application/vnd.in-toto+json", &statement(&image(), SIGNATURE_PREDICATE));
    let no_log = |value: &Value| {
        let refused = bundle(value.to_string().as_bytes(), &image(), &trust);
        assert_eq!(refused, Err(Refusal::NoLog("it has no log entry".into())));
    };
    no_log(&value);
    value["verificationMaterial"]["timestampVerificationData"] = json!({"rfc3161Timestamps": []});
    no_log(&value);
}
