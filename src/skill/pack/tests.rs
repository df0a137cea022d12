//! The same files are the same image, and what is packed is what is read back.

use super::*;
use crate::skill::layer::{self as read_layer, Entry};
use crate::skill::oci::Descriptor;
use crate::skill::{card, identity, tree::Merge};

const SKILL: &str = "---\nname: pdf\ndescription: Reads PDF\n---\n# PDF\n";

fn files() -> Vec<(String, &'static str, bool)> {
    let long = format!("{}/{}.md", "é".repeat(60), "name".repeat(40));
    vec![
        ("SKILL.md".into(), SKILL, false),
        ("scripts/run.sh".into(), "#!/bin/sh\n", true),
        ("scripts/lib/a.py".into(), "", false),
        (long, "far", false),
        ("scripts-old".into(), "x", false),
    ]
}

fn packed(files: &[(String, &'static str, bool)]) -> (Packed, Vec<u8>) {
    let members: Vec<Member> = files
        .iter()
        .map(|(path, text, executable)| Member {
            path: path.clone(),
            size: text.len() as u64,
            executable: *executable,
        })
        .collect();
    let mut open = |at: usize| Ok(Box::new(files[at].1.as_bytes()) as Box<dyn Read>);
    layer(&members, &mut open, &Limits::default(), Vec::new()).expect("memory")
}

/// A registry that holds the image already takes no byte of it again, and a review sees that nothing changed.
#[test]
fn the_same_files_in_any_order_are_the_same_bytes() {
    let (one, bytes) = packed(&files());
    let mut turned = files();
    turned.reverse();
    let (other, again) = packed(&turned);
    assert_eq!((bytes, one.digest.clone(), one.tree.clone()), (again, other.digest, other.tree));
}

#[test]
fn what_is_packed_is_read_back() {
    let (packed, bytes) = packed(&files());
    let descriptor = Descriptor {
        media_type: media_type::OCI_LAYER_GZIP.into(),
        digest: packed.digest.clone(),
        size: packed.size,
        artifact_type: None,
        annotations: BTreeMap::new(),
        platform: None,
    };
    let mut merge = Merge::default();
    merge.next_layer();
    let mut each = |entry: Entry| merge.apply(entry);
    let limits = Limits::default();
    let mut spent = Spent::default();
    read_layer::read(&mut &bytes[..], &descriptor, Some(&packed.diff_id), &limits, &mut spent, &mut each)
        .expect("a layer");
    let tree = merge.finish().expect("a tree");
    assert_eq!(tree, packed.tree);
    assert_eq!(identity::of(&tree, ""), identity::of(&packed.tree, ""));
}

/// The definition in docs/skills.md, done by hand; it must never change, or locks would break.
#[test]
fn the_content_identity_is_as_documented() {
    let (packed, _) = packed(&[("b/run.sh".into(), "x", true), ("SKILL.md".into(), "a", false)]);
    let list = "skill content v1\n\
        - ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb SKILL.md\n\
        x 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 b/run.sh\n";
    assert_eq!(identity::of(&packed.tree, ""), Digest::of(list.as_bytes()));
    let folder =
        "skill content v1\nx 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 run.sh\n";
    assert_eq!(identity::of(&packed.tree, "b"), Digest::of(folder.as_bytes()));
}

#[test]
fn a_file_that_is_twice_or_a_folder_too_is_refused() {
    for paths in [["a", "a"], ["a", "a/b"]] {
        let members = paths.map(|path| Member { path: path.into(), size: 0, executable: false });
        let mut open = |_| Ok(Box::new(io::empty()) as Box<dyn Read>);
        assert!(layer(&members, &mut open, &Limits::default(), Vec::new()).is_err(), "{paths:?}");
    }
}

/// Catalogs read these and nothing else.
#[test]
fn annotations_say_what_skillimage_says() {
    let author =
        |name: &str, email: Option<&str>| Author { name: name.into(), email: email.map(str::to_owned) };
    let card = Card {
        title: Some("PDF".into()),
        namespace: Some("acme/docs".into()),
        tags: vec!["pdf".into(), "text".into()],
        authors: vec![author("Ann", Some("ann@example.com")), author("Bo", None)],
        provenance: card::Provenance {
            source: Some("https://example.com/card".into()),
            commit: Some("abc".into()),
            path: None,
        },
        ..Card::default()
    };
    let skill = Description {
        name: Some("pdf".into()),
        description: Some("é".repeat(200)),
        version: Some("1.2.0".into()),
        license: Some("Apache-2.0 OR MIT".into()),
        words: 3,
        ..Description::default()
    };
    let created = Some("2026-11-27T00:00:00Z".to_owned());
    let provenance = Provenance { source: Some("https://example.com/git".into()), revision: None, created };
    let found = annotations(&skill, &card, &provenance);
    let expected = [
        ("io.skillimage.status", "draft"),
        ("io.skillimage.tags", "[\"pdf\",\"text\"]"),
        ("io.skillimage.wordcount", "3"),
        ("org.opencontainers.image.authors", "Ann <ann@example.com>, Bo"),
        ("org.opencontainers.image.created", "2026-11-27T00:00:00Z"),
        ("org.opencontainers.image.description", &"é".repeat(128)),
        ("org.opencontainers.image.licenses", "Apache-2.0 OR MIT"),
        ("org.opencontainers.image.revision", "abc"),
        ("org.opencontainers.image.source", "https://example.com/git"),
        ("org.opencontainers.image.title", "PDF"),
        ("org.opencontainers.image.vendor", "acme/docs"),
        ("org.opencontainers.image.version", "1.2.0"),
    ];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let free = Description { license: Some("see LICENSE.txt".into()), ..skill };
    assert_eq!(
        annotations(&free, &Card::default(), &Provenance::default()).get("org.opencontainers.image.licenses"),
        None
    );
}

#[test]
fn a_length_in_pax_counts_itself() {
    for value in ["a".repeat(87), "a".repeat(88), "a".repeat(89), "a".repeat(90), "a".repeat(991)] {
        let record = pax("path", &value);
        let text = String::from_utf8(record.clone()).expect("text");
        let length: usize = text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
        assert_eq!(length, record.len(), "{text}");
    }
}

#[test]
fn seconds_are_a_time() {
    for (seconds, time) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_795_737_599, "2026-11-26T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(rfc3339(seconds), time);
    }
}
