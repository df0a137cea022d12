//! Layers of every writer in use are read to the same entries; what is not the layer that was named is refused.

use std::io::Write as _;

use super::*;

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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory");
    packer.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
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

/// Whoever mounts the image sees the same files however the layer is packed; so do we.
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

/// What follows the end counts for the digests and for nothing else.
#[test]
fn bytes_after_the_end_are_hashed() {
    let mut tar = tar(&[("SKILL.md", 0o644, b"x")]);
    tar.extend([0; 10240]);
    tar.extend(b"trailing");
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
