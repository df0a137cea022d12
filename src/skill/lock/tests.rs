use super::read::AGAIN;
use super::*;

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn digest(text: &str) -> Digest {
    Digest::parse(text).expect("a digest")
}

fn entry(image: &str) -> Entry {
    Entry::new(image, digest(ONE))
}

fn full() -> Entry {
    Entry {
        content: Some(digest(TWO)),
        facts: Facts {
            name: Some("pdf".into()),
            version: Some("1.2".into()),
            description: Some("Reads PDF: all of it".into()),
            license: Some("Apache-2.0".into()),
            allowed_tools: Some(vec!["Bash".into(), "Read".into()]),
            files: Some(12),
            bytes: Some(34567),
            tokens: Some(1234),
            description_tokens: Some(40),
            platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
            different: vec!["linux/arm64".into()],
            skills: vec![Contained { folder: "pdf".into(), name: Some("pdf".into()), content: digest(ONE) }],
        },
        signed: Some(vec![
            Signed {
                signer: Signer::Key { fingerprint: TWO.into() },
                format: "bundle".into(),
                digest: digest(ONE),
                of: "index".into(),
                platform: None,
                log: false,
            },
            Signed {
                signer: Signer::Certificate {
                    identity: "alice@example.com".into(),
                    issuer: "https://accounts.example.com".into(),
                },
                format: "signature-tag".into(),
                digest: digest(TWO),
                of: "manifest".into(),
                platform: Some("linux/amd64".into()),
                log: true,
            },
        ]),
        unsigned: Some(Unsigned {
            by: "alice@example.com".into(),
            at: "2026-11-27T20:00:00Z".into(),
            reason: "pilot".into(),
        }),
        attestations: Some(vec![
            Attestation {
                kind: "https://slsa.dev/provenance/v1".into(),
                signed: Some(Signed {
                    signer: Signer::Key { fingerprint: TWO.into() },
                    format: "bundle".into(),
                    digest: digest(ONE),
                    of: "index".into(),
                    platform: None,
                    log: false,
                }),
            },
            // As locks have it that were written before the signer was kept.
            Attestation { kind: "https://spdx.dev/Document".into(), signed: None },
        ]),
        ..entry("ghcr.io/acme/pdf:1.2")
    }
}

fn read(text: &str) -> Lock {
    Lock::read(text, FILE).expect("a lock")
}

fn without_lines(lock: &Lock) -> Vec<Entry> {
    lock.entries().iter().map(|entry| Entry { line: 0, ..entry.clone() }).collect()
}

#[test]
fn a_lock_comes_back_as_it_was_written() {
    let entries = [entry("ghcr.io/acme/csv:2"), full()];
    let text = edit("", FILE, &[entries[1].clone(), entries[0].clone()]).expect("a text");
    let expected = format!(
        "# Written by 'kubectl skills lock'. Comments and keys of your own stay.\n\
         apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n\
         - image: ghcr.io/acme/csv:2\n  digest: {ONE}\n  content: null\n\
         - image: ghcr.io/acme/pdf:1.2\n  digest: {ONE}\n  content: {TWO}\n  name: pdf\n  version: \"1.2\"\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    let lock = read(&text);
    assert_eq!(without_lines(&lock), entries);
    assert_eq!(lock.entries().iter().map(|entry| entry.line).collect::<Vec<_>>(), [5, 8]);
    assert_eq!(edit(&text, FILE, &entries), Ok(text.clone()), "a second write changes nothing");
    assert_eq!(edit("# mine\n", FILE, &[]).map(|text| text.starts_with("# mine\napiVersion")), Ok(true));
}

/// What a person has written into the file is not the program's to take away.
#[test]
fn comments_and_unknown_keys_stay() {
    let text = format!(
        "# our skills\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nteam: weather   # ours\nskills:\n\
         # reads\n- image: ghcr.io/acme/pdf:1   # asked for by Bob\n  digest: '{ONE}'\n  content: null\n  ticket: OPS-1\n\
         \x20 signed: [{{by: key, key: k, format: bundle, digest: {ONE}, of: index, seen: yesterday}}]\n\
         - image: ghcr.io/acme/old:1\n  digest: {ONE}\n- {{image: ghcr.io/acme/zip:1, digest: {ONE}}}\n"
    );
    let mut entries = without_lines(&read(&text));
    entries.remove(1);
    entries[0].digest = digest(TWO);
    entries.push(entry("ghcr.io/acme/tar:1"));
    let after = edit(&text, FILE, &entries).expect("an edit");
    let expected = text.replace(&format!("digest: '{ONE}'"), &format!("digest: '{TWO}'")).replace(
        &format!("- image: ghcr.io/acme/old:1\n  digest: {ONE}\n"),
        &format!("- image: ghcr.io/acme/tar:1\n  digest: {ONE}\n  content: null\n"),
    );
    assert_eq!(after, expected);
    assert_eq!(without_lines(&read(&after)).len(), 3);
}

/// A digest that is passed over for a slip of the pen would let any image through.
#[test]
fn what_is_wrong_is_reported_with_its_line() {
    let reported = |text: &str| -> String {
        match Lock::read(text, FILE) {
            Ok(_) => "read".into(),
            Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
        }
    };
    let cut_off = format!("skills.lock:1: is empty; a lock without images has its kind at least ({AGAIN})\n");
    assert_eq!((reported(""), reported(" \n")), (cut_off.clone(), cut_off));
    assert_eq!(reported("# nothing\n"), "read");
    let head = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\n";
    for (text, wanted) in [
        (
            "kind: SkillLocks\n".to_owned(),
            "skills.lock:1:1: apiVersion: is required (write apiVersion: skills.kagenti.dev/v1alpha1)\n\
             skills.lock:1:7: kind: \"SkillLocks\" is not known (known is SkillLock)\n",
        ),
        ("[]\n".into(), &format!("skills.lock:1:1: must be a SkillLock, found array ({AGAIN})\n")),
        (format!("{head}---\na: 1\n"), "skills.lock:3: a second document: a lock is one\n"),
        (
            format!(
                "{head}skills:\n- image: a/b:1\n- image: a/b:1\n  digest: sha256:1\n  files: many\n  version: 1.0\n"
            ),
            &format!(
                "skills.lock:4:3: skills[0].digest: is required ({AGAIN})\n\
                 skills.lock:6:11: skills[1].digest: \"sha256:1\" is no digest: sha256: must be followed by 64 hexadecimal digits in \
                 lower case ({AGAIN})\n\
                 skills.lock:8:12: skills[1].version: must be a string, found integer (quote it)\n\
                 skills.lock:7:10: skills[1].files: must be a whole number from 0 on, found string\n"
            ),
        ),
        (
            format!("{head}skills:\n- image: a/b:1\n  digest: {ONE}\n  files: -1\n"),
            "skills.lock:6:10: skills[0].files: must be a whole number from 0 on, found -1\n",
        ),
        (
            format!(
                "{head}skills:\n- {{image: a/b, digest: {ONE}}}\n- {{image: docker.io/a/b:latest, digest: {ONE}}}\n"
            ),
            "skills.lock:5:11: skills[1].image: docker.io/a/b:latest is there already, on line 4 (remove one of the two)\n",
        ),
        (
            format!("{head}skills:\n- {{image: a/b, digest: {ONE}, digest: {TWO}}}\n"),
            &format!(
                "skills.lock:4:{}: the key \"digest\" is there already (remove one of the two)\n",
                16 + 8 + 73
            ),
        ),
        (
            format!(
                "{head}skills:\n- {{image: 'a/b:1@{ONE}', digest: {TWO}, unsigned: {{by: me}}, signed: [{{by: me}}]}}\n"
            ),
            "",
        ),
    ] {
        if !wanted.is_empty() {
            assert_eq!(reported(&text), wanted, "{text}");
        } else {
            let found = reported(&text);
            for part in ["another digest", "unsigned.at: is required", "signed[0].by: \"me\" is not known"] {
                assert!(found.contains(part), "{found}");
            }
        }
    }
}

#[test]
fn an_image_is_found_however_it_is_spelled() {
    let lock = Lock::new(vec![entry("acme/pdf:1"), full()]);
    assert_eq!(lock.find("docker.io/acme/pdf:1").map(|one| one.image.as_str()), Some("acme/pdf:1"));
    assert_eq!(lock.find(&format!("acme/pdf:1@{ONE}")).map(|one| one.image.as_str()), Some("acme/pdf:1"));
    assert_eq!(lock.find(&format!("acme/pdf@{ONE}")).map(|one| one.image.as_str()), Some("acme/pdf:1"));
    assert_eq!(lock.find("acme/pdf:2"), None);
    assert_eq!(full().content_of("pdf").as_str(), ONE);
    assert_eq!((full().content_of("").as_str(), entry("a").content_of("").as_str()), (TWO, ONE));
}

/// A list under another name would be a lock without images, and each of them a new one.
#[test]
fn a_list_under_another_name_is_refused() {
    let text = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nimages:\n- image: ghcr.io/acme/pdf:1\n  digest: {ONE}\n"
    );
    let errors = Lock::read(&text, FILE).expect_err("a refusal");
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said, [format!("{FILE}:4:1: images: is no list of a lock (the list is called skills)")]);
}
