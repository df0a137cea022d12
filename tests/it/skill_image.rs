//! Images that tests make, byte by byte, in OCI layouts.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at the first surprise"
)]

use std::io::Write as _;
use std::path::Path;

use kubectl_skills::skill::oci::{Digest, media_type};
use serde_json::{Value, json};

/// An entry of a tar, as it is written: nothing is checked.
#[derive(Clone)]
pub struct Entry<'t> {
    pub name: &'t [u8],
    pub kind: u8,
    pub link: &'t [u8],
    pub content: &'t [u8],
    /// The size in the header, where it is not that of the content.
    pub size: Option<u64>,
    pub mode: u32,
}

/// A file.
pub fn file<'t>(name: &'t [u8], content: &'t [u8]) -> Entry<'t> {
    Entry { name, kind: b'0', link: b"", content, size: None, mode: 0o644 }
}

/// Anything without content.
pub fn other<'t>(kind: u8, name: &'t [u8], link: &'t [u8]) -> Entry<'t> {
    Entry { kind, link, ..file(name, b"") }
}

impl Entry<'_> {
    /// Its header and content.
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(self.size.unwrap_or(self.content.len() as u64));
        header.set_mode(self.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let raw = header.as_mut_bytes();
        raw[..self.name.len()].copy_from_slice(self.name);
        raw[156] = self.kind;
        raw[157..157 + self.link.len()].copy_from_slice(self.link);
        header.set_cksum();
        [header.as_bytes().as_slice(), self.content, &vec![0; self.content.len().wrapping_neg() % 512]]
            .concat()
    }
}

/// The entries without the end of the archive.
pub fn entries(all: &[Entry]) -> Vec<u8> {
    all.iter().flat_map(Entry::bytes).collect()
}

/// A whole tar.
pub fn tar(all: &[Entry]) -> Vec<u8> {
    [entries(all), vec![0; 1024]].concat()
}

/// PAX records in front of an entry.
pub fn pax(records: &[u8]) -> Entry<'_> {
    Entry { kind: b'x', ..file(b"pax", records) }
}

/// A PAX record.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory");
    packer.finish().expect("memory")
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A layout in a folder.
pub struct Layout<'p>(pub &'p Path);

impl Layout<'_> {
    /// Writes a blob, and gives what names it.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.put_as(&digest, bytes);
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()})
    }

    /// Writes a blob under a digest that may not be its own.
    pub fn put_as(&self, digest: &Digest, bytes: &[u8]) {
        let blobs = self.0.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("a folder");
        std::fs::write(blobs.join(digest.hex()), bytes).expect("a file");
    }

    pub fn put_json(&self, media_type: &str, value: &Value) -> Value {
        self.put(media_type, value.to_string().as_bytes())
    }

    /// A configuration that names these tars.
    pub fn config(&self, diff_ids: &[Digest]) -> Value {
        let diff_ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        self.put_json(media_type::OCI_CONFIG, &config)
    }

    /// A manifest of these parts.
    pub fn manifest(&self, config: &Value, layers: &[Value]) -> Value {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers,
        });
        self.put_json(media_type::OCI_MANIFEST, &manifest)
    }

    /// An image of gzipped tars.
    pub fn image(&self, tars: &[Vec<u8>]) -> Value {
        let diff_ids: Vec<Digest> = tars.iter().map(|tar| Digest::of(tar)).collect();
        let layers: Vec<Value> =
            tars.iter().map(|tar| self.put(media_type::OCI_LAYER_GZIP, &gzip(tar))).collect();
        self.manifest(&self.config(&diff_ids), &layers)
    }

    /// Names the image of the layout.
    pub fn name(&self, descriptor: &Value) {
        let index =
            json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [descriptor]});
        std::fs::write(self.0.join("index.json"), index.to_string()).expect("a file");
        std::fs::write(self.0.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").expect("a file");
    }
}
