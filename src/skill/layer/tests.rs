//! Layers of every writer in use are read to the same entries; what is not the layer that was named is refused.

use super::*;
use crate::skill::compression::tests::{gzip, zstd};

/// A tar of files: name, mode, content.
fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).expect("memory");
    }
    builder.into_inner().expect("memory")
}

fn descriptor(kind: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: format!("application/vnd.oci.image.layer.v1.{kind}"),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: Default::default(),
        platform: None,
    }
}

/// The entries of a layer, a line each, and what it is as a whole.
fn read_as(
    descriptor: &Descriptor,
    blob: &[u8],
    diff_id: Option<&Digest>,
) -> Result<(Vec<String>, Layer), String> {
    let mut entries = Vec::new();
    let (limits, mut spent) = (Limits::default(), Spent::default());
    let mut each = |entry: Entry| {
        entries.push(match entry.kind {
            Kind::File(facts) => {
                let mode = if facts.executable { "x" } else { "-" };
                format!("{mode} {} {} {}", entry.path, facts.size, if facts.text { "text" } else { "binary" })
            }
            other => format!("{other:?} {}", entry.path),
        });
        Ok(())
    };
    let layer = read(&mut &*blob, descriptor, diff_id, &limits, &mut spent, &mut each);
    layer.map(|layer| (entries, layer)).map_err(|error| error.to_string())
}

/// Anyone who mounts the image sees the same files however the layer is packed; so do we.
#[test]
fn a_layer_is_read_however_it_is_packed() {
    let long = format!("{}/{}.md", "folder".repeat(20), "name".repeat(30));
    let tar = tar(&[
        ("./SKILL.md", 0o644, b"---\nname: a\n---\n"),
        ("scripts/run.sh", 0o755, b"#!/bin/sh\n"),
        ("assets/x.png", 0o600, b"\x89PNG\0"),
        (&long, 0o644, b"far"),
    ]);
    let expected = vec![
        "- SKILL.md 16 text".to_owned(),
        "x scripts/run.sh 10 text".into(),
        "- assets/x.png 5 binary".into(),
        format!("- {long} 3 text"),
    ];
    for (kind, blob) in [("tar", tar.clone()), ("tar+gzip", gzip(&tar)), ("tar+zstd", zstd(&tar))] {
        let (entries, layer) =
            read_as(&descriptor(kind, &blob), &blob, Some(&Digest::of(&tar))).expect("a layer");
        assert_eq!(entries, expected, "{kind}");
        let expected = Layer {
            digest: Digest::of(&blob).to_string(),
            media_type: format!("application/vnd.oci.image.layer.v1.{kind}"),
            size: blob.len() as u64,
            diff_id: Digest::of(&tar).to_string(),
            unpacked: tar.len() as u64,
            // The long name is an entry of its own.
            entries: 5,
        };
        assert_eq!(layer, expected);
    }
}

/// Zeros fill the last record of a tar, as many as the writer likes; they count for the digests.
#[test]
fn zeros_after_the_end_are_hashed() {
    let mut tar = tar(&[("SKILL.md", 0o644, b"x")]);
    tar.extend([0; 10240 + 7]);
    let (entries, layer) = read_as(&descriptor("tar", &tar), &tar, Some(&Digest::of(&tar))).expect("a layer");
    assert_eq!((entries.len(), layer.unpacked), (1, tar.len() as u64));
}

/// The cause is named, not its consequence: a blob that was cut off is no damaged tar.
#[test]
fn a_blob_that_is_not_the_one_named_is_refused() {
    let tar = tar(&[("SKILL.md", 0o644, &[b'x'; 5000])]);
    let blob = gzip(&tar);
    let named = descriptor("tar+gzip", &blob);
    let other = gzip(&[&tar[..], &[0; 512]].concat());
    let cut = &blob[..blob.len() - 20];
    let digest = |bytes: &[u8]| Digest::of(bytes).to_string();
    for (descriptor, blob, diff_id, expected) in [
        (named.clone(), cut, None, format!("ends after {} of {} bytes", cut.len(), blob.len())),
        (
            Descriptor { size: other.len() as u64, ..named.clone() },
            &other[..],
            None,
            format!("its bytes have the digest {}", digest(&other)),
        ),
        (
            Descriptor { size: 10, ..named.clone() },
            &blob[..],
            None,
            "more bytes than the manifest says".into(),
        ),
        (
            named.clone(),
            &blob[..],
            Some(Digest::of(b"another")),
            format!("its tar has the digest {}", digest(&tar)),
        ),
        (
            Descriptor { media_type: "text/plain".into(), ..named.clone() },
            &blob[..],
            None,
            "media type \"text/plain\", which is no tar".into(),
        ),
        (descriptor("tar+zstd", &blob), &blob[..], None, "is gzip and not zstd".into()),
        (descriptor("tar", &blob), &blob[..], None, "is gzip and not an uncompressed tar".into()),
        (descriptor("tar+gzip", &tar), &tar[..], None, "is an uncompressed tar and not gzip".into()),
    ] {
        let error = read_as(&descriptor, blob, diff_id.as_ref()).expect_err("another layer");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

/// Numbers in an order that looks like none.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("small")
    }
}

/// Makes the checksums of a damaged tar right again, so that what is damaged is read.
fn with_checksums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if block.iter().any(|&byte| byte != 0) && block[257..262] == *b"ustar" {
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
}

/// Whatever bytes there are: entries and an end, or an error that says something; paths are below the root, and nothing is
/// read beyond the limits.
#[test]
fn damage_is_an_error_or_a_tree() {
    let long = format!("{}/SKILL.md", "n".repeat(120));
    let mut seed = tar(&[("SKILL.md", 0o644, b"---\n"), (&long, 0o755, b"x"), ("d/.wh.y", 0o644, b"")]);
    seed.truncate(seed.len() - 1024);
    let mut builder = tar::Builder::new(seed);
    for (kind, name, target) in [
        (tar::EntryType::Symlink, "l", "SKILL.md"),
        (tar::EntryType::Link, "h", "SKILL.md"),
        (tar::EntryType::Directory, "d/", ""),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(0);
        header.set_path(name).expect("a name");
        header.set_link_name_literal(target).expect("a target");
        header.set_cksum();
        builder.append(&header, std::io::empty()).expect("memory");
    }
    builder.append_pax_extensions([("path", &b"pax"[..])]).expect("memory");
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_path("short").expect("a name");
    header.set_cksum();
    builder.append(&header, &b"y"[..]).expect("memory");
    let seed = builder.into_inner().expect("memory");
    let limits = Limits { image_bytes: 1 << 16, file_bytes: 1 << 13, entries: 40, ..Limits::default() };
    let (mut chance, mut trees) = (Chance(0x9e37_79b9_7f4a_7c15), 0);
    for _ in 0..5_000 {
        let mut bytes = seed.clone();
        for _ in 0..chance.below(4) {
            let at = chance.below(bytes.len());
            match chance.below(4) {
                0 => bytes[at] = u8::try_from(chance.below(256)).expect("a byte"),
                1 => bytes[at] = b"/.0147\0xgLKS"[chance.below(12)],
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let block = at / 512 * 512;
                    let end = (block + 512).min(bytes.len());
                    bytes.extend_from_within(block..end);
                }
            }
        }
        with_checksums(&mut bytes);
        let blob = match chance.below(8) {
            0 => gzip(&bytes),
            1 => zstd(&bytes),
            _ => bytes,
        };
        let kind = match Compression::sniffed(&blob) {
            Compression::Gzip => "tar+gzip",
            Compression::Zstd => "tar+zstd",
            Compression::None => "tar",
        };
        let (mut merge, mut spent) = (crate::skill::tree::Merge::default(), Spent::default());
        merge.next_layer();
        let mut each = |entry: Entry| {
            assert_eq!(path::normal(entry.path.as_bytes()), Ok(entry.path.clone()));
            merge.apply(entry)
        };
        let descriptor = descriptor(kind, &blob);
        match read(&mut &blob[..], &descriptor, None, &limits, &mut spent, &mut each) {
            Ok(layer) => {
                assert!(layer.unpacked <= limits.image_bytes && layer.entries <= limits.entries);
                trees += u32::from(merge.finish().is_ok());
            }
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
    // Else the damage is such that little is tried but the first check.
    assert!((500..4_500).contains(&trees), "{trees}");
}
