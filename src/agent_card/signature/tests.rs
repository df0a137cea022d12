//! Cards that others signed, cards that are signed here in ways that must not hold, and what of them is not covered.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::super::reading::uncovered;
use super::*;

const NOW: u64 = 1_795_000_000;
const WEATHER: &str = "spiffe://example.org/ns/team1/sa/weather";
const PUBLIC: &str = include_str!("../../../testdata/agent_cards/pub.pem");
const CERTIFICATE: &str = include_str!("../../../testdata/agent_cards/cert.pem");
const CARDS: [&str; 3] = [
    include_str!("../../../testdata/agent_cards/plain.signed.json"),
    include_str!("../../../testdata/agent_cards/escapes.signed.json"),
    include_str!("../../../testdata/agent_cards/unknown.signed.json"),
];

fn card(text: &str) -> Value {
    super::super::read(text).expect("a card")
}

fn by_key(text: &str) -> Trust {
    let mut trust = Trust::new(NOW);
    trust.add_keys(text).expect("keys");
    trust
}

fn by_authority(identity: &str) -> Trust {
    let mut trust = Trust::new(NOW);
    trust.add_authorities(CERTIFICATE).expect("an authority");
    trust.add_identity(Match::Exact(identity.into()));
    trust
}

fn verdicts(trust: &Trust, card: &Value) -> Vec<Result<(Signer, Vec<Reading>), String>> {
    trust.check(card, &Reading::ALL).expect("signatures").into_iter().map(|one| one.verdict).collect()
}

/// The card that kagenti serves is signed by its own reading of it; that of RFC 8785 differs as soon as a letter is escaped.
#[test]
fn cards_of_kagentis_signer_hold_by_its_reading() {
    use Reading::{A2aServed, Kagenti, Raw};
    let wanted: [&[Reading]; 3] = [&[Kagenti, A2aServed, Raw], &[Kagenti], &[Kagenti, A2aServed, Raw]];
    let fingerprint = PublicKey::read(PUBLIC).expect("a key")[0].fingerprint().to_string();
    for (text, readings) in CARDS.into_iter().zip(wanted) {
        let card = card(text);
        let signers = [
            (by_key(PUBLIC), Signer::Key(fingerprint.clone())),
            (by_authority(WEATHER), Signer::Identity(WEATHER.into())),
        ];
        for (trust, signer) in signers {
            assert_eq!(verdicts(&trust, &card), [Ok((signer, readings.to_vec()))], "{text}");
        }
    }
}

/// Upstream says "verified" of all of these, and shows people the field that an attacker has added.
#[test]
fn what_is_added_after_signing_holds_and_is_not_covered() {
    let mut card = card(CARDS[0]);
    card["injected"] = "evil".into();
    card["skills"][0]["security"] = json!([{"oauth": []}, {"key": ["x"]}]);
    let verdict = verdicts(&by_key(PUBLIC), &card).remove(0).expect("holds by kagenti's reading");
    assert_eq!(verdict.1, [Reading::Kagenti]);
    let signed = Reading::Kagenti.signed(&card).expect("a card");
    assert_eq!(uncovered(&card, &[signed.fields]), ["skills[0].security", "injected"]);
    card["name"] = "Other".into();
    assert!(verdicts(&by_key(PUBLIC), &card).remove(0).is_err());
}

#[test]
fn certificates_are_of_who_is_trusted_and_of_today() {
    let card = card(CARDS[0]);
    let refused =
        |trust: &Trust| verdicts(trust, &card).remove(0).expect_err("a card that nobody trusted signed");
    assert_eq!(
        refused(&by_authority("spiffe://example.org/ns/team2/sa/weather")),
        format!("it is by {WEATHER}, who is not trusted")
    );
    assert_eq!(refused(&Trust::new(NOW)), "it comes with a certificate, and no authority is trusted");
    let mut late = by_authority(WEATHER);
    late.now = 4_200_000_000;
    assert_eq!(refused(&late), "its certificate has expired");
    let mut early = by_authority(WEATHER);
    early.now = 1_600_000_000;
    assert_eq!(refused(&early), "its certificate is not valid yet");
    let mut nobody = Trust::new(NOW);
    nobody.add_authorities(CERTIFICATE).expect("an authority");
    assert_eq!(refused(&nobody), format!("it is by {WEATHER}, who is not trusted"));
    assert_eq!(Trust::new(NOW).add_authorities(PUBLIC), Err("there is no certificate in it".into()));
    assert!(Trust::new(NOW).add_authorities("{\"keys\":[]}").is_err());
}

struct Own {
    keys: EcdsaKeyPair,
    jwk: String,
}

impl Own {
    fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let keys = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .expect("a key");
        let point = keys.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}).to_string();
        Self { keys, jwk }
    }

    fn sign(&self, header: &Value, payload: &str) -> Value {
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let message = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signed = self.keys.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        json!({"protected": protected, "signature": URL_SAFE_NO_PAD.encode(signed)})
    }
}

fn probe() -> Value {
    json!({"name": "Probe", "description": "", "version": "1", "supportedInterfaces": [{"url": "https://x/", "protocolBinding":
        "JSONRPC", "protocolVersion": "1.0"}], "capabilities": {"streaming": false}, "defaultInputModes": ["text/plain"],
        "defaultOutputModes": [], "skills": [{"id": "a", "name": "a", "description": "é 😀 <b>", "tags": ["t"]}], "x-own": 1})
}

#[test]
fn each_reading_is_named_and_covers_what_it_reads() {
    let own = Own::new("k1");
    let cases = [
        (Reading::A2aServed, vec![Reading::A2aServed, Reading::Raw], vec![]),
        (Reading::A2aProto, vec![Reading::A2aProto], vec!["x-own"]),
        (Reading::Kagenti, vec![Reading::Kagenti], vec!["supportedInterfaces", "x-own"]),
    ];
    for (reading, held, open) in cases {
        let mut card = probe();
        let payload = reading.signed(&card).expect("a card").payload;
        card["signatures"] =
            json!([own.sign(&json!({"alg": "ES256", "kid": "k1", "typ": "JOSE"}), &payload)]);
        let verdict = verdicts(&by_key(&own.jwk), &card).remove(0);
        assert_eq!(verdict, Ok((Signer::Key("k1".into()), held.clone())), "{reading}");
        let covered: Vec<Value> = held.iter().map(|one| one.signed(&card).expect("a card").fields).collect();
        assert_eq!(uncovered(&card, &covered), open, "{reading}");
    }
}

/// A key set may hold many keys: only the one that is named counts, and one signature that holds does not make others hold.
#[test]
fn each_signature_is_judged_by_itself() {
    let (own, other) = (Own::new("k1"), Own::new("k1"));
    let mut card = probe();
    let payload = Reading::Raw.signed(&card).expect("a card").payload;
    let header = |kid: &str| json!({"alg": "ES256", "kid": kid});
    card["signatures"] = json!([
        own.sign(&header("k1"), &payload),
        own.sign(&header("k2"), &payload),
        other.sign(&header("k1"), &payload),
        own.sign(&json!({"alg": "ES256"}), &payload),
        own.sign(&header("k1"), "{}"),
        own.sign(&json!({"alg": "none"}), &payload),
        own.sign(&json!({"alg": "HS256"}), &payload),
        own.sign(&json!({"alg": "ES384"}), &payload),
        own.sign(&json!({"alg": "ES512"}), &payload),
        own.sign(&json!({"kid": "k1"}), &payload),
        own.sign(&json!({"alg": "ES256", "crit": ["b64"], "b64": false}), &payload),
        {"protected": "e30=", "signature": ""}, {"signature": ""}, {"protected": "bm8", "signature": ""},
        {"protected": "eyJhbGciOiJub25lIiwiYWxnIjoiRVMyNTYifQ", "signature": ""},
    ]);
    let found: Vec<String> = verdicts(&by_key(&own.jwk), &card)
        .into_iter()
        .map(|one| one.map_or_else(|why| why, |(_, held)| format!("{held:?}")))
        .collect();
    let not_of_it = "it is not of this card, or by another key than those that are trusted (read as kagenti, a2a-served, \
                     a2a-proto, raw)";
    let algorithm = |name: &str| format!("its algorithm is {name:?}; {ALGORITHMS} are checked");
    let wanted = [
        "[A2aServed, Raw]".to_owned(),
        "no key for ES256 that is called \"k2\" is trusted".to_owned(),
        not_of_it.to_owned(),
        "[A2aServed, Raw]".to_owned(),
        not_of_it.to_owned(),
        "its algorithm is none: it signs nothing".to_owned(),
        algorithm("HS256"),
        "no key for ES384 is trusted".to_owned(),
        algorithm("ES512"),
        "its header names no \"alg\"".to_owned(),
        "its header has \"crit\": it must not be taken by who does not know what is in there".to_owned(),
        "its header is not base64url without padding".to_owned(),
        "its \"protected\" must be a string".to_owned(),
        "its header is no JSON: expected ident at line 1 column 2".to_owned(),
        "its header is no JSON: the key \"alg\" comes twice at line 1 column 28".to_owned(),
    ];
    assert_eq!(found, wanted);
    card["signatures"] = vec![json!({}); MOST + 1].into();
    assert!(by_key(&own.jwk).check(&card, &Reading::ALL).is_err());
    card["signatures"] = json!({});
    assert!(by_key(&own.jwk).check(&card, &Reading::ALL).is_err());
    card["signatures"] = Value::Null;
    assert_eq!(by_key(&own.jwk).check(&card, &Reading::ALL), Ok(vec![]));
}

#[test]
fn secret_and_strange_keys_are_refused() {
    for (text, wanted) in [
        ("{\"kty\":\"oct\",\"k\":\"AA\"}", "secret"),
        ("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "32 bytes"),
        ("{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}", "P-521"),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\",\"d\":\"AA\"}", "secret"),
        ("{\"keys\":[]}", "no key"),
        ("{\"keys\":[{\"use\":\"jwt-svid\",\"kty\":\"EC\"}]}", "no key"),
        ("{\"keys\":{}}", "must be a list"),
        ("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", "must be base64url"),
        ("", "no PEM"),
    ] {
        let error = Trust::new(NOW).add_keys(text).expect_err("a key that nobody should trust");
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

/// EdDSA is in A2A's test kit; the operator refuses it.
#[test]
fn ed25519_signs_for_all_but_kagenti() {
    let keys = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(keys.public_key().as_ref())});
    let mut card = json!({"name": "n", "version": "1"});
    let protected = URL_SAFE_NO_PAD.encode("{\"alg\":\"EdDSA\"}");
    let message = format!("{protected}.{}", URL_SAFE_NO_PAD.encode("{\"name\":\"n\",\"version\":\"1\"}"));
    let signed = URL_SAFE_NO_PAD.encode(keys.sign(message.as_bytes()));
    card["signatures"] = json!([{"protected": protected, "signature": signed}]);
    let (_, held) = verdicts(&by_key(&jwk.to_string()), &card).remove(0).expect("it holds");
    assert_eq!(held, [Reading::A2aServed, Reading::A2aProto, Reading::Raw]);
}

/// The vectors of a2a-python (494a8ece) and a2a-tck (d366cbc6), where they are at hand: they are not ours to keep.
#[test]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads files, and says which are missing"
)]
fn vectors_of_others_hold() {
    let read = |name: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let named = std::env::var_os("KUBECTL_SKILLS_SHARED").map(std::path::PathBuf::from);
        let folders = [named, Some(root.join("../shared")), Some(root.join("../../shared"))];
        let mut files =
            folders.into_iter().flatten().map(|folder| folder.join("data/skill-images").join(name));
        let text = files.find_map(|file| std::fs::read_to_string(file).ok())?;
        Some(serde_json::from_str::<Value>(&text).expect("JSON"))
    };
    let (Some(interop), Some(kit)) =
        (read("a2a-signing-interop-vectors.json"), read("a2a-tck-card-signing-vectors.json"))
    else {
        eprintln!("vectors of A2A are not at hand");
        return;
    };
    let trust = by_key(&interop["test_key"]["jwk"].to_string());
    for vector in interop["vectors"].as_array().expect("vectors") {
        let verdict = verdicts(&trust, &vector["served_card"]).remove(0);
        let accepted = vector["disposition"] == "MUST-ACCEPT";
        assert_eq!(verdict.is_ok(), accepted, "{}: {verdict:?}", vector["id"]);
    }
    for case in kit["canonicalization_cases"].as_array().expect("cases") {
        let card = case["agent_card_json"].as_str().map_or_else(|| case["agent_card"].clone(), card);
        let served = Reading::A2aServed.signed(&card).expect("a card").payload;
        assert_eq!(served, case["expected_jcs_payload"].as_str().expect("a payload"), "{}", case["id"]);
    }
    let trust = by_key(&kit["public_jwk"].to_string());
    for case in kit["signing_cases"].as_array().expect("cases") {
        let mut card = card(case["expected_jcs_payload"].as_str().expect("a payload"));
        card["signatures"] =
            json!([{"protected": case["expected_protected_b64"], "signature": case["signature"]}]);
        let (_, held) = verdicts(&trust, &card).remove(0).expect("it holds");
        assert!(held.contains(&Reading::Raw), "{}: {held:?}", case["id"]);
    }
}
