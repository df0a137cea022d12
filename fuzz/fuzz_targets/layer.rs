//! Reads any bytes as layers of an image, packed as the first byte says: never a panic, never more than the limits allow, and
//! a tree whose paths are below the root. What was read is packed, and that is read as the same content.
#![no_main]

use std::io::Read;

use kubectl_skills::skill::compression::Compression;
use kubectl_skills::skill::layer::{self, Entry, Kind};
use kubectl_skills::skill::limits::{Limits, Spent};
use kubectl_skills::skill::oci::{Descriptor, Digest};
use kubectl_skills::skill::pack::{self, Member};
use kubectl_skills::skill::tree::{Content, Merge, Tree};
use kubectl_skills::skill::{identity, inspect, path, zip};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits =
    Limits { files: 100, skill_bytes: 1 << 18, image_bytes: 1 << 19, file_bytes: 1 << 17, entries: 200, layers: 4, kept_bytes: 1 << 12 };

fn read(media_type: &str, bytes: &[u8], merge: &mut Merge, spent: &mut Spent) -> Result<(), ()> {
    let descriptor = Descriptor {
        media_type: media_type.into(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: Default::default(),
        platform: None,
    };
    merge.next_layer();
    let mut each = |entry: Entry| {
        assert!(!entry.path.split('/').any(|part| matches!(part, "." | "..")), "{:?}", entry.path);
        assert_eq!(path::normal(entry.path.as_bytes()), Ok(entry.path.clone()));
        if let Kind::File(facts) = &entry.kind {
            assert!(facts.size <= LIMITS.file_bytes);
        }
        merge.apply(entry)
    };
    layer::read(&mut &*bytes, &descriptor, None, &LIMITS, spent, &mut each).map_err(|error| {
        assert!(!error.message.is_empty());
    })?;
    assert!(spent.bytes <= LIMITS.image_bytes && spent.entries <= LIMITS.entries, "{spent:?}");
    Ok(())
}

fn again(tree: &Tree) {
    let (mut members, mut contents) = (Vec::new(), Vec::new());
    for file in &tree.files {
        // What is kept of a file is all of a small one.
        let Content::File(facts) = &file.content else { return };
        let Some(content) = &facts.content else { return };
        members.push(Member { path: file.path.clone(), size: facts.size, executable: facts.executable });
        contents.push(content.clone());
    }
    let mut open = |at: usize| Ok(Box::new(std::io::Cursor::new(contents[at].clone())) as Box<dyn Read>);
    let Ok((packed, bytes)) = pack::layer(&members, &mut open, &LIMITS, Vec::new()) else { return };
    assert_eq!(packed.digest, Digest::of(&bytes));
    let (mut merge, mut spent) = (Merge::default(), Spent::default());
    if read("application/vnd.oci.image.layer.v1.tar+gzip", &bytes, &mut merge, &mut spent).is_ok() {
        let back = merge.finish().expect("a tree that was packed");
        assert_eq!(identity::of(&back, ""), identity::of(tree, ""));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else { return };
    let (kind, layers) = match first % 4 {
        0 => ("tar", 2),
        1 => ("tar+gzip", 1),
        2 => ("tar+zstd", 1),
        _ => {
            if let Ok(files) = zip::list(bytes, &LIMITS) {
                for file in files {
                    assert_eq!(path::normal(file.member.path.as_bytes()), Ok(file.member.path.clone()));
                    let _ = file.open(bytes).map(|reader| std::io::copy(&mut reader.take(1 << 20), &mut std::io::sink()));
                }
            }
            return;
        }
    };
    let media_type = format!("application/vnd.oci.image.layer.v1.{kind}");
    assert!(Compression::of(&media_type).is_some());
    let (mut merge, mut spent) = (Merge::default(), Spent::default());
    let half = if layers == 2 { bytes.len() / 1024 * 512 } else { bytes.len() };
    for part in [&bytes[..half], &bytes[half..]].iter().take(layers) {
        if read(&media_type, part, &mut merge, &mut spent).is_err() {
            return;
        }
    }
    let Ok(tree) = merge.finish() else { return };
    let _ = tree.check(&LIMITS);
    let found = inspect::folder("fuzz", &tree);
    assert_eq!(found.files.len(), tree.files.len());
    again(&tree);
});
