use super::*;
use crate::skill::lock::{Unsigned, edit_with};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// A tool, its file, and the images with their digests that are in it.
type Sample = (Peer, &'static str, &'static [(&'static str, &'static str)]);

/// A file of each tool.
const FILES: [Sample; 4] = [
    (
        Peer::ToolHive,
        include_str!("../../../../testdata/locks/toolhive.lock.yaml"),
        &[("ghcr.io/acme/skills/csv:2.0.0", TWO), ("ghcr.io/acme/skills/pdf:1.2.0", ONE)],
    ),
    (Peer::Npx, include_str!("../../../../testdata/locks/skills-lock.json"), &[]),
    (
        Peer::Flux,
        include_str!("../../../../testdata/locks/catalog-lock.yaml"),
        &[("ghcr.io/acme/gitops-skills:latest", ONE), ("ghcr.io/acme/agent-skills:v1.0.0", TWO)],
    ),
    (
        Peer::SkillsOci,
        include_str!("../../../../testdata/locks/skills.lock.json"),
        &[("ghcr.io/acme/skills/pull-requests:1.0.0", ONE)],
    ),
];

fn value(text: &str) -> Value {
    Document::parse(text).expect("a document").to_value().expect("a value")
}

/// A file imported, and a lock made of it.
fn locked(text: &str) -> (Imported, Lock) {
    let imported = import(text, "peer").expect("a file that is known");
    let text = edit_with("", "skills.lock", &imported.entries, Some((imported.peer.name(), &imported.raw)));
    let lock = Lock::read(&text.expect("a text"), "skills.lock").expect("a lock");
    (imported, lock)
}

/// Anyone who tries the lock and goes back must find everything as it was.
#[test]
fn what_is_imported_is_exported_without_loss() {
    for (peer, text, images) in FILES {
        let (imported, lock) = locked(text);
        assert_eq!(imported.peer, peer);
        let found: Vec<(&str, &str)> =
            imported.entries.iter().map(|entry| (entry.image.as_str(), entry.digest.as_str())).collect();
        assert_eq!(found, images, "{peer:?}");
        let exported = export(peer, &lock);
        assert_eq!(exported.warnings, Vec::<String>::new(), "{peer:?}");
        assert_eq!(value(&exported.text), value(text), "{peer:?}");
        assert_eq!(import(&exported.text, "peer"), Ok(imported), "{peer:?}: a second import differs");
    }
}

#[test]
fn what_is_no_image_is_named_and_kept() {
    let warnings: Vec<Vec<String>> = FILES.map(|(_, text, _)| locked(text).0.warnings).into();
    assert_eq!(
        warnings,
        [
            vec![
                "ghcr.io/acme/skills/csv:2.0.0: signed by .github/workflows/release.yaml, as ToolHive says: not taken over, \
                 since it was not verified here"
                    .to_owned(),
                "notes: names no image, but the source \
                 git://github.com/acme/notes@0123456789abcdef0123456789abcdef01234567; it is kept for --export alone"
                    .to_owned(),
                "ghcr.io/acme/skills/pdf:1.2.0: accepted unsigned in ToolHive: not taken over; --accept-unsigned decides it \
                 here"
                    .to_owned(),
            ],
            vec![
                "pdf: names no image, but the source acme/skills; it is kept for --export alone".to_owned(),
                "own: names no image, but the source ./skills/own; it is kept for --export alone".to_owned(),
            ],
            vec![],
            vec![],
        ]
    );
}

/// A hash of the old content next to the digest of the new one would be believed.
#[test]
fn what_has_changed_since_takes_the_old_facts_with_it() {
    let text = FILES[0].1;
    let (imported, _) = locked(text);
    let mut entries = imported.entries.clone();
    entries[0].digest = Digest::parse(ONE).expect("a digest");
    entries[0].facts.version = Some("2.0.1".into());
    entries.remove(1);
    let mut new = Entry::new("quay.io/acme/zip:3", Digest::parse(TWO).expect("a digest"));
    new.facts.license = Some("MIT".into());
    new.unsigned = Some(Unsigned { by: "a".into(), at: "b".into(), reason: "c".into() });
    entries.push(new);
    let lock = edit_with("", "skills.lock", &entries, Some(("toolhive", &imported.raw))).expect("a text");
    let exported = export(Peer::ToolHive, &Lock::read(&lock, "skills.lock").expect("a lock"));
    let mut wanted = value(text);
    wanted["skills"] = json!([
        {
            "name": "csv", "source": "csv", "digest": ONE, "requiredBy": ["pdf"], "x-later": {"kept": true},
            "version": "2.0.1", "resolvedReference": "ghcr.io/acme/skills/csv:2.0.0",
        },
        wanted["skills"][1],
        {
            "name": "zip", "source": "quay.io/acme/zip:3", "resolvedReference": "quay.io/acme/zip:3", "digest": TWO,
            "unsigned": true, "explicit": true,
        },
    ]);
    assert_eq!(value(&exported.text), wanted);
    assert_eq!(
        exported.warnings,
        [
            "ghcr.io/acme/skills/csv:2.0.0: its digest has changed; what was known of the old one is left out",
            "ghcr.io/acme/skills/pdf:1.2.0: the lock has it no longer; it is left out",
            "toolhive.lock.yaml cannot hold license, who accepted it unsigned, when and why",
        ]
    );
}

/// A lock that was never another tool's becomes a file that this tool reads.
#[test]
fn a_lock_of_ours_is_exported_from_nothing() {
    let mut entry = Entry::new("ghcr.io/acme/pdf:1", Digest::parse(ONE).expect("a digest"));
    entry.facts.name = Some("pdf".into());
    let lock = Lock::new(vec![entry]);
    assert_eq!(
        value(&export(Peer::Flux, &lock).text),
        json!({
            "apiVersion": FLUX, "kind": "Catalog",
            "spec": {"sources": [{"repository": "ghcr.io/acme/pdf", "tag": "1"}]},
            "status": {"inventory": [
                {"id": "31f205d9", "url": "ghcr.io/acme/pdf:1", "digest": ONE, "skills": [{"name": "pdf"}]},
            ]},
        })
    );
    assert_eq!(
        value(&export(Peer::SkillsOci, &lock).text),
        json!({"lockfileVersion": 1, "skills": [{
            "name": "pdf", "path": ".agents/skills/pdf",
            "source": {
                "registry": "ghcr.io", "repository": "acme/pdf", "tag": "1", "digest": ONE,
                "ref": format!("ghcr.io/acme/pdf:1@{ONE}"),
            },
        }]})
    );
    let npx = export(Peer::Npx, &lock);
    assert_eq!(value(&npx.text), json!({"version": 1, "skills": {}}));
    assert_eq!(
        npx.warnings,
        ["ghcr.io/acme/pdf:1: skills-lock.json names repositories, no images; it is left out"]
    );
    for peer in [Peer::ToolHive, Peer::Flux, Peer::SkillsOci] {
        let again = import(&export(peer, &lock).text, "x").expect("a file of that tool");
        assert_eq!((again.peer, again.entries[0].image.as_str()), (peer, "ghcr.io/acme/pdf:1"));
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    for (text, wanted) in [
        ("a: 1\n", "is no lock file of a tool that is known"),
        ("version: 2\nskills: []\n", "version 2 of toolhive.lock.yaml is not known"),
        ("{\"skills\": {}}", "version (none) of skills-lock.json is not known"),
        ("{\"lockfileVersion\": 3, \"skills\": []}", "lockfileVersion 3 of skills.lock.json is not known"),
        ("kind: Catalog\napiVersion: x/v2\n", "a Catalog of \"x/v2\" is not known"),
    ] {
        let found = import(text, "f").map_err(|errors| errors[0].message.clone());
        assert_eq!(found.map(|found| found.peer), Err(wanted.to_owned()), "{text}");
    }
}
