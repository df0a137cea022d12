//! `verify` against a registry: what it says of each way in which an image can be signed or not, and that no answer of a
//! registry other than "there is none" makes an image an unsigned one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::{INDEX, MANIFEST, Model, digest};
use crate::said::Said;
use crate::server::{Answer, Server};
use crate::{faulty, folder, healthy, skills, text};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
pub const SLSA: &str = "https://slsa.dev/provenance/v1";

/// Who signs, and the file with the public key.
pub struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    folder: TempDir,
    pub fingerprint: String,
}

impl Key {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pair.as_ref(), &random).expect("a key");
        let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
        let spki = [head, pair.public_key().as_ref()].concat();
        let folder = folder();
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&spki));
        std::fs::write(folder.path().join("cosign.pub"), pem).expect("a file");
        Self { pair, random, folder, fingerprint: digest(&spki) }
    }

    pub fn file(&self) -> String {
        text(&self.folder.path().join("cosign.pub"))
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(&self.random, message).expect("a signature"))
    }

    pub fn bundle(&self, image: &str, predicate: &str) -> Vec<u8> {
        let kind = "application/vnd.in-toto+json";
        let payload = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": &image[7..]}}],
            "predicateType": predicate, "predicate": {}});
        let payload = payload.to_string();
        let pae = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        json!({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": ""}}, "dsseEnvelope": {
            "payload": STANDARD.encode(&payload), "payloadType": kind, "signatures": [{"sig": self.sign(pae.as_bytes())}]}})
        .to_string()
        .into_bytes()
    }

    /// The manifest under the tag of a digest, with a signature of the older kind of another one or the same.
    fn tag(&self, model: &Model, of: &str, names: &str) {
        let payload = json!({"critical": {"identity": {"docker-reference": "r"}, "image": {"docker-manifest-digest": names},
            "type": "cosign container image signature"}, "optional": null});
        let payload = payload.to_string();
        let mut layer = model.put_blob("a/b", payload.as_bytes());
        layer["mediaType"] = json!(SIMPLE);
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": self.sign(payload.as_bytes())});
        let config = model.put_blob("a/b", b"{}");
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        model.put_manifest("a/b", Some(&format!("sha256-{}.sig", &of[7..])), MANIFEST, &manifest);
    }
}

/// A manifest with a bundle that refers to an image.
pub fn attach(model: &Model, subject: &str, bundle: &[u8]) -> String {
    let mut layer = model.put_blob("a/b", bundle);
    layer["mediaType"] = json!(BUNDLE);
    let mut config = model.put_blob("a/b", b"{}");
    config["mediaType"] = json!("application/vnd.oci.empty.v1+json");
    let subject = json!({"mediaType": MANIFEST, "digest": subject, "size": 1});
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": config, "layers": [layer],
        "subject": subject});
    model.put_manifest("a/b", None, MANIFEST, &manifest)
}

/// The list that clients keep where the registry keeps none.
fn list(model: &Model, subject: &str, manifests: &[String]) {
    list_as(model, subject, manifests, BUNDLE);
}

fn list_as(model: &Model, subject: &str, manifests: &[String], kind: &str) {
    let entry = |name: &String| {
        let size = model
            .state
            .lock()
            .expect("it")
            .manifests
            .get(&("a/b".to_owned(), name.clone()))
            .map_or(1, |(_, bytes)| bytes.len());
        json!({"mediaType": MANIFEST, "digest": name, "size": size, "artifactType": kind})
    };
    let entries: Vec<Value> = manifests.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    model.put_manifest("a/b", Some(&format!("sha256-{}", &subject[7..])), INDEX, &index);
}

pub fn native() -> Arc<Model> {
    Arc::new(Model { referrers: true, page: 50, ..Model::default() })
}

fn verify(server: &Server, key: &Key, more: &[&str]) -> Said {
    verify_tag(server, key, "1", more)
}

fn verify_tag(server: &Server, key: &Key, tag: &str, more: &[&str]) -> Said {
    let (reference, file) = (format!("{}/a/b:{tag}", server.host), key.file());
    skills(&[&["verify", &reference, "--key", &file], more].concat())
}

/// What is said of an image without a good signature.
fn refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("   no   ") || said.stdout.contains("\"verified\": false"), "{said:?}");
    for word in words {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
}

#[test]
fn a_signature_is_found_where_the_registry_lists_it_and_where_clients_do() {
    let key = Key::new();
    for lists in [true, false] {
        let model = if lists { native() } else { Arc::new(Model::default()) };
        let image = model.image("a/b", "1", b"layer");
        let manifest = attach(&model, &image, &key.bundle(&image, SIGN));
        list(&model, &image, std::slice::from_ref(&manifest));
        let server = healthy(&model);
        let said = verify(&server, &key, &[]);
        let name = format!("{}/a/b:1", server.host);
        let width = name.len();
        let table = format!(
            "{:width$}   VERIFIED   {:71}   OF         {:23}   LOG\n{name}   yes        {image}   manifest   key {}   not checked\n",
            "IMAGE",
            "DIGEST",
            "SIGNED BY",
            &key.fingerprint[..19]
        );
        assert_eq!(
            (said.code, said.stdout.as_str(), said.stderr.as_str()),
            (0, table.as_str(), "summary: 1 of 1 image verified\n")
        );
        let said = verify(&server, &key, &["-o", "json"]);
        let signature = json!({"by": "key", "key": key.fingerprint, "format": "bundle", "digest": image, "of": "manifest",
            "log": false, "predicateType": SIGN, "manifest": manifest});
        let wanted = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillVerification", "images": [{
            "image": name, "digest": image, "verified": true, "signatures": [signature], "attestations": [], "refused": [], "missing": []}]});
        assert_eq!((said.code, said.json()), (0, wanted));
    }
}

/// go-containerregistry's registry gives the kind of the configuration for that of the manifest.
#[test]
fn a_list_that_gives_another_kind_does_not_hide_a_signature() {
    let key = Key::new();
    for kind in ["", "application/vnd.oci.empty.v1+json", "application/vnd.oci.image.config.v1+json"] {
        let model = Arc::new(Model::default());
        let image = model.image("a/b", "1", b"layer");
        let manifest = attach(&model, &image, &key.bundle(&image, SIGN));
        list_as(&model, &image, &[manifest], kind);
        let said = verify(&healthy(&model), &key, &[]);
        assert_eq!(said.code, 0, "{kind}: {said:?}");
    }
}

#[test]
fn any_of_the_keys_will_do() {
    let (one, other, third) = (Key::new(), Key::new(), Key::new());
    let model = native();
    let image = model.image("a/b", "1", b"layer");
    attach(&model, &image, &one.bundle(&image, SIGN));
    attach(&model, &image, &other.bundle(&image, SIGN));
    let server = healthy(&model);
    for key in [&one, &other] {
        let said = verify(&server, key, &["-o", "json"]);
        let found = said.json();
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(found["images"][0]["signatures"].as_array().map(Vec::len), Some(1));
        // Somebody else's signature is no news.
        assert_eq!(found["images"][0]["refused"][0]["reason"], "other-key");
        assert_eq!(said.stderr, "summary: 1 of 1 image verified\n");
    }
    let both = verify(&server, &one, &["--key", &other.file(), "-o", "json"]).json();
    assert_eq!(both["images"][0]["signatures"].as_array().map(Vec::len), Some(2));
    let said = verify(&server, &third, &[]);
    refused(
        &said,
        &[
            "none of its signatures counts",
            "by another key than those given",
            "check the key with whoever signs",
        ],
    );
}

#[test]
fn an_image_without_a_signature_is_not_one_that_is_attested_only() {
    let key = Key::new();
    let model = native();
    let image = model.image("a/b", "1", b"layer");
    let server = healthy(&model);
    let said = verify(&server, &key, &[]);
    let tag = format!("nothing under the tag sha256-{}.sig", &image[7..]);
    refused(
        &said,
        &[
            "it has no signature",
            &tag,
            "cosign sign --key cosign.key",
            &format!("/a/b@{image}"),
            "has been moved since",
        ],
    );

    attach(&model, &image, &key.bundle(&image, SLSA));
    let said = verify(&server, &key, &[]);
    refused(&said, &["it is attested and not signed", "cosign takes it for a signature", "--any-predicate"]);
    assert_eq!(verify(&server, &key, &["--any-predicate"]).code, 0);
    assert_eq!(verify(&server, &key, &["--any-predicate", "--attestation", "slsaprovenance1"]).code, 0);
    let said = verify(&server, &key, &["--any-predicate", "--attestation", "spdx"]);
    refused(
        &said,
        &["lacks what --attestation demands", "no attestation of the type https://spdx.dev/Document"],
    );
    attach(&model, &image, &key.bundle(&image, SIGN));
    assert_eq!(verify(&server, &key, &["--attestation", SLSA]).code, 0);
    // An attestation by somebody else is none.
    attach(&model, &image, &Key::new().bundle(&image, "https://spdx.dev/Document"));
    refused(&verify(&server, &key, &["--attestation", "spdx"]), &["no attestation of the type"]);
}

/// Anyone who may write into the registry can copy a good signature of another image under this one.
#[test]
fn a_signature_of_another_digest_is_refused_and_said() {
    let key = Key::new();
    for old in [false, true] {
        let model = native();
        let image = model.image("a/b", "1", b"layer");
        let other = model.image("a/b", "2", b"other");
        if old {
            key.tag(&model, &image, &other);
        } else {
            attach(&model, &image, &key.bundle(&other, SIGN));
        }
        let server = healthy(&model);
        let said = verify(&server, &key, &[]);
        refused(
            &said,
            &[
                "none of its signatures counts",
                &format!("and signs {other}"),
                "the tag was moved after it was signed",
            ],
        );
        let found = verify(&server, &key, &["-o", "json"]).json();
        assert_eq!(found["images"][0]["refused"][0]["reason"], "other-image");
    }
}

#[test]
fn a_tag_that_was_moved_after_signing_is_not_verified() {
    let key = Key::new();
    let model = native();
    let image = model.image("a/b", "1", b"layer");
    attach(&model, &image, &key.bundle(&image, SIGN));
    model.image("a/b", "1", b"another layer");
    let server = healthy(&model);
    refused(
        &verify(&server, &key, &[]),
        &["it has no signature", "if the tag was signed before, it has been moved since"],
    );
    let pinned = format!("{}/a/b:1@{image}", server.host);
    assert_eq!(skills(&["verify", &pinned, "--key", &key.file()]).code, 0);
}

#[test]
fn signatures_of_the_older_kind_are_found_under_their_tag() {
    let key = Key::new();
    for model in [native(), Arc::new(Model::default())] {
        let image = model.image("a/b", "1", b"layer");
        key.tag(&model, &image, &image);
        let said = verify(&healthy(&model), &key, &["-o", "json"]);
        let found = said.json();
        assert_eq!((said.code, &found["images"][0]["signatures"][0]["format"]), (0, &json!("signature-tag")));
    }
}

#[test]
fn an_index_is_not_the_manifest_of_a_platform() {
    let key = Key::new();
    let model = native();
    let manifests: Vec<Value> = ["amd64", "arm64"].iter().map(|machine| {
        let digest = model.image("a/b", machine, machine.as_bytes());
        let size = model.state.lock().expect("it").manifests[&("a/b".to_owned(), digest.clone())].1.len();
        json!({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": machine}})
    }).collect();
    let arm = manifests[1]["digest"].as_str().expect("a digest").to_owned();
    let index = model.put_manifest(
        "a/b",
        Some("1"),
        INDEX,
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}),
    );
    attach(&model, &arm, &key.bundle(&arm, SIGN));
    let server = healthy(&model);
    refused(&verify(&server, &key, &[]), &["it has no signature", "it is an index", "--platform"]);
    refused(&verify(&server, &key, &["--platform", "linux/amd64"]), &["it has no signature"]);
    // The nodes of the other platform may have anything.
    let found = verify(&server, &key, &["--platform", "linux/arm64", "-o", "json"]);
    let said = &found.json()["images"][0];
    let signature = &said["signatures"][0];
    assert_eq!(
        (found.code, &said["verified"], &signature["of"], &signature["platform"], &signature["digest"]),
        (1, &json!(false), &json!("manifest"), &json!("linux/arm64"), &json!(arm))
    );
    refused(
        &verify(&server, &key, &["--platform", "linux/arm64"]),
        &["only its manifest is signed: that of linux/arm64, and not the index", &format!("a/b@{arm}")],
    );
    // Nor is what is attested of one platform said of all of them.
    attach(&model, &arm, &key.bundle(&arm, SLSA));
    let none = verify(&server, &key, &["--platform", "linux/s390x"]);
    assert_eq!((none.code, none.stdout.as_str()), (3, ""), "{none:?}");

    attach(&model, &index, &key.bundle(&index, SIGN));
    let attested = ["--platform", "linux/arm64", "--attestation", "slsaprovenance1"];
    refused(&verify(&server, &key, &attested), &["it is signed, and lacks what --attestation demands"]);
    attach(&model, &index, &key.bundle(&index, SLSA));
    assert_eq!(verify(&server, &key, &attested).code, 0);
    let found = verify(&server, &key, &["-o", "json"]).json();
    assert_eq!(
        (&found["images"][0]["signatures"][0]["of"], &found["images"][0]["digest"]),
        (&json!("index"), &json!(index))
    );
}

/// Page 3 has the signature; the rest are bills of materials, and other people's signatures.
#[test]
fn a_signature_among_120_referrers_is_found() {
    let (key, other) = (Key::new(), Key::new());
    let model = native();
    let image = model.image("a/b", "1", b"layer");
    for number in 0..60 {
        model.referrer("a/b", &image, "application/spdx+json", number);
        attach(&model, &image, &other.bundle(&image, if number % 2 == 0 { SIGN } else { SLSA }));
    }
    attach(&model, &image, &key.bundle(&image, SIGN));
    let server = healthy(&model);
    let said = verify(&server, &key, &["-o", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["images"][0]["refused"].as_array().map(Vec::len), Some(60));
    // What is no signature by its kind was not fetched.
    let blobs = server.lines().iter().filter(|line| line.contains("/blobs/")).count();
    assert_eq!(blobs, 61);
}

/// A registry that throttles, wants a login, or breaks has not said that there is no signature.
#[test]
fn no_failure_makes_an_image_an_unsigned_one() {
    let key = Key::new();
    let model = Arc::new(Model::default());
    let image = model.image("a/b", "1", b"layer");
    let manifest = attach(&model, &image, &key.bundle(&image, SIGN));
    list(&model, &image, std::slice::from_ref(&manifest));
    let hex = &image[7..];
    let marks = [
        format!("/referrers/sha256:{hex}"),
        format!("/manifests/sha256-{hex}"),
        format!("/manifests/sha256-{hex}.sig"),
        format!("/manifests/{manifest}"),
        "/blobs/".to_owned(),
    ];
    for mark in &marks {
        for code in [401, 403, 500] {
            let at = mark.clone();
            let server = faulty(&model, move |request, _| {
                (request.path.ends_with(&at) || at == "/blobs/" && request.path.contains(&at))
                    .then(|| Answer::new(code, "no"))
            });
            let said = verify(&server, &key, &[]);
            assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{mark} {code}: {said:?}");
            assert!(!said.stderr.contains("no signature"), "{mark} {code}: {said:?}");
        }
        if mark == "/blobs/" {
            continue;
        }
        let at = mark.clone();
        let server = faulty(&model, move |request, _| {
            (request.path.ends_with(&at) && request.method == "GET")
                .then(|| Answer::new(200, "<html>").with("Content-Type", INDEX))
        });
        let said = verify(&server, &key, &[]);
        // A signature's own tag is asked for by HEAD, and is not there.
        let code = if mark.ends_with(".sig") { 0 } else { 4 };
        assert_eq!(said.code, code, "{mark}: {said:?}");
    }
}

/// An entry of a list outlives the signature that somebody has removed.
#[test]
fn what_is_listed_and_gone_is_said_to_be_so() {
    let key = Key::new();
    let model = Arc::new(Model::default());
    let image = model.image("a/b", "1", b"layer");
    list(&model, &image, &[digest(b"gone")]);
    let server = healthy(&model);
    refused(&verify(&server, &key, &[]), &["it is listed, and the registry does not have it"]);
    let manifest = attach(&model, &image, &key.bundle(&image, SIGN));
    list(&model, &image, &[digest(b"gone"), manifest]);
    let said = verify(&server, &key, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("warning: ") && said.stderr.contains("another signature"), "{said:?}");
}

#[test]
fn what_is_too_much_is_refused() {
    let key = Key::new();
    let model = Arc::new(Model::default());
    let image = model.image("a/b", "1", b"layer");
    // 17 MiB of JSON are no signature; the good one next to it counts.
    let huge = format!("{{\"mediaType\":\"{BUNDLE}\",\"x\":\"{}\"}}", "x".repeat(17 << 20));
    let huge = attach(&model, &image, huge.as_bytes());
    list(&model, &image, std::slice::from_ref(&huge));
    let server = healthy(&model);
    refused(&verify(&server, &key, &[]), &["bytes; at most 16 MiB are read"]);
    assert!(!server.lines().iter().any(|line| line.contains("/blobs/")), "{:?}", server.lines());
    let good = attach(&model, &image, &key.bundle(&image, SIGN));
    list(&model, &image, &[huge, good.clone()]);
    assert_eq!(verify(&server, &key, &[]).code, 0);

    let many: Vec<String> = (0..1001_u32).map(|number| digest(&number.to_be_bytes())).collect();
    list(&model, &image, &many);
    let said = verify(&server, &key, &[]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{said:?}");
    assert!(said.stderr.contains("more than 1000 manifests may have signatures of"), "{said:?}");
    let mut many = many;
    many.truncate(999);
    many.push(good);
    list(&model, &image, &many);
    assert_eq!(verify(&server, &key, &["-q"]).code, 0);
}

/// All that is wrong with several images is said at once, and one that cannot be reached leaves no verdict about the others.
#[test]
fn manifests_name_what_is_verified() {
    let key = Key::new();
    let model = native();
    let image = model.image("a/b", "1", b"layer");
    model.image("a/b", "2", b"unsigned");
    attach(&model, &image, &key.bundle(&image, SIGN));
    let server = healthy(&model);
    let work = folder();
    let file = work.path().join("binding.yaml");
    let binding = |tags: &[&str]| {
        let skills: String = tags
            .iter()
            .enumerate()
            .map(|(at, tag)| {
                format!("  - {{name: s{at}, image: '{}/a/b:{tag}', mountPath: /skills/{at}}}\n", server.host)
            })
            .collect();
        let text = format!(
            "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: weather, namespace: team1}}\nspec:\n  \
             targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n{skills}"
        );
        std::fs::write(&file, text).expect("a file");
        skills_of(&file, &key)
    };
    let said = binding(&["1", "2", "1"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains(":2 (named by SkillBinding team1/weather)")
            && said.stderr.contains("1 of 2 images verified"),
        "{said:?}"
    );
    assert_eq!(binding(&["1"]).code, 0);
    let said = binding(&["1", "3"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{said:?}");
}

fn skills_of(file: &std::path::Path, key: &Key) -> Said {
    skills(&["verify", "-f", &text(file), "--key", &key.file()])
}

/// A folder of this machine that is called like an image is not what the kubelet pulls.
#[test]
fn an_image_of_manifests_is_never_a_layout_of_this_machine() {
    let key = Key::new();
    let work = folder();
    let layout = work.path().join("localhost:1/a/b");
    std::fs::create_dir_all(&layout).expect("a folder");
    std::fs::write(layout.join("index.json"), "{}").expect("a file");
    std::fs::write(
        work.path().join("binding.yaml"),
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: weather, namespace: team1}\nspec:\n  \
         targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}\n  skills:\n  \
         - {name: pdf, image: 'localhost:1/a/b', mountPath: /skills/pdf}\n",
    )
    .expect("a file");
    let mut command = crate::command(&["verify", "-f", "binding.yaml", "--key", &key.file()]);
    let said = crate::said::said(command.current_dir(work.path()).output().expect("a run"));
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{said:?}");
}

fn testdata(name: &str) -> String {
    format!("{}/testdata/signatures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What the real cosign has written.
#[test]
fn signatures_of_cosign_are_verified_in_a_layout() {
    let (key, other) = (testdata("cosign-registry/cosign.pub"), testdata("cosign-registry/other.pub"));
    let run = |name: &str, key: &str, more: &[&str]| {
        let layout = format!("oci:{}:skills/{name}:1.0.0", testdata("cosign-registry"));
        skills(&[&["verify", &layout, "--key", key, "-o", "json"], more].concat())
    };
    let said = run("hello-world", &key, &[]);
    let formats: Vec<Value> = said.json()["images"][0]["signatures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["format"].clone())
        .collect();
    assert_eq!((said.code, formats), (0, vec![json!("bundle"), json!("signature-tag")]), "{said:?}");
    refused(&run("hello-world", &other, &[]), &["none of its signatures counts"]);
    refused(&run("unsigned", &key, &[]), &["it has no signature"]);
    refused(&run("wrong-key", &key, &[]), &["by another key"]);
    assert_eq!(run("wrong-key", &other, &[]).code, 0);
    refused(&run("attested-only", &key, &[]), &["it is attested and not signed"]);
    let said = run("attested-only", &key, &["--any-predicate", "--attestation", "spdxjson"]);
    assert_eq!(
        (said.code, &said.json()["images"][0]["attestations"][0]["predicateType"]),
        (0, &json!("https://spdx.dev/Document"))
    );
    refused(
        &run("hello-world", &key, &["--require-log"]),
        &["it has no log entry", "leave --require-log out"],
    );
}

/// `cosign save` marks what it writes, and lists bundles nowhere.
#[test]
fn a_layout_of_cosign_save_is_read() {
    let work = folder();
    let copy = work.path().join("saved");
    let blobs = copy.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a folder");
    for entry in std::fs::read_dir(testdata("cosign-registry/blobs/sha256")).expect("blobs") {
        let entry = entry.expect("a blob");
        std::fs::copy(entry.path(), blobs.join(entry.file_name())).expect("a copy");
    }
    std::fs::write(copy.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").expect("a file");
    let index = std::fs::read(testdata("cosign-registry/index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let entry = |end: &str, kind: &str| {
        let name = |one: &&Value| {
            let name = one["annotations"]["org.opencontainers.image.ref.name"].as_str().expect("a name");
            name.starts_with("skills/hello-world:") && name.ends_with(end)
        };
        let found = index["manifests"].as_array().expect("a list").iter().find(name).expect("an entry");
        let mut entry = found.clone();
        entry["annotations"] = json!({"kind": format!("dev.cosignproject.cosign/{kind}")});
        entry
    };
    let (image, signatures) = (entry(":1.0.0", "image"), entry(".sig", "sigs"));
    let index = |entries: &[&Value]| {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        std::fs::write(copy.join("index.json"), index.to_string()).expect("a file");
    };
    let run =
        || skills(&["verify", &text(&copy), "--key", &testdata("cosign-registry/cosign.pub"), "-o", "json"]);
    let formats = |said: &Said| -> Vec<Value> {
        said.json()["images"][0]["signatures"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["format"].clone())
            .collect()
    };
    index(&[&image, &signatures]);
    let said = run();
    assert_eq!((said.code, formats(&said)), (0, vec![json!("bundle"), json!("signature-tag")]), "{said:?}");
    index(&[&image]);
    let said = run();
    assert_eq!((said.code, formats(&said)), (0, vec![json!("bundle")]), "{said:?}");
    // The same as a tar.
    let tar = work.path().join("saved.tar");
    let made = std::process::Command::new("tar")
        .arg("-cf")
        .arg(&tar)
        .arg("-C")
        .arg(&copy)
        .arg(".")
        .status()
        .expect("tar");
    assert!(made.success());
    let said = skills(&["verify", &text(&tar), "--key", &testdata("cosign-registry/cosign.pub")]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn whom_to_trust_must_be_said() {
    let key = Key::new();
    let none = skills(&["verify", "localhost:1/a/b:1"]);
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("say whose signature counts"), "{none:?}");
    let half = skills(&["verify", "localhost:1/a/b:1", "--certificate-identity", "a@example.com"]);
    assert!(half.code == 2 && half.stderr.contains("needs --certificate-oidc-issuer"), "{half:?}");
    let nothing = skills(&["verify", "--key", &key.file()]);
    assert!(nothing.code == 2 && nothing.stderr.contains("give references"), "{nothing:?}");
    let missing = skills(&["verify", "localhost:1/a/b:1", "--key", "/nonexistent/cosign.pub"]);
    assert!(missing.code == 3 && missing.stderr.contains("/nonexistent/cosign.pub"), "{missing:?}");
    let kind = skills(&["verify", "localhost:1/a/b:1", "--key", &key.file(), "--attestation", "nonsense"]);
    assert!(kind.code == 2 && kind.stderr.contains("slsaprovenance1"), "{kind:?}");
    let root = skills(&["verify", "localhost:1/a/b:1", "--key", &key.file(), "--trusted-root", &key.file()]);
    assert!(root.code == 3 && root.stderr.contains("trusted_root.json"), "{root:?}");
}
