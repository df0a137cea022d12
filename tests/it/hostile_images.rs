//! Images that somebody made to harm who looks into them: each is refused with where and what, and nothing is written.
//! `make bench-skill-images` measures time and memory over the same ones.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::path::Path;

use kubectl_skills::skill::oci::{Digest, media_type};
use serde_json::{Value, json};

use crate::program::{program, said};
use crate::skill_image::{Entry, Layout, entries, file, gzip, other, pax, record, tar, zstd};

const SKILL: &[u8] = b"---\nname: pdf\ndescription: Reads PDF\n---\n# PDF\n";

/// What makes the image, and what is said of it.
type Case = (&'static str, Box<dyn Fn(&Layout)>, &'static str);

/// An image of one layer with a skill and these entries.
fn one(name: &'static str, all: Vec<Entry<'static>>, message: &'static str) -> Case {
    let make = move |layout: &Layout| {
        let all: Vec<Entry> = [vec![file(b"SKILL.md", SKILL)], all.clone()].concat();
        layout.name(&layout.image(&[tar(&all)]));
    };
    (name, Box::new(make), message)
}

/// An image whose one layer is these bytes, whatever its tar would be.
fn blob(name: &'static str, media_type: &'static str, bytes: fn() -> Vec<u8>, message: &'static str) -> Case {
    let make = move |layout: &Layout| {
        let layer = layout.put(media_type, &bytes());
        // No image configuration: what it says of the tar would be noticed only at the end.
        let config = layout.put(media_type::EMPTY, b"{}");
        layout.name(&layout.manifest(&config, &[layer]));
    };
    (name, Box::new(make), message)
}

/// Anything else.
fn made(name: &'static str, make: impl Fn(&Layout) + 'static, message: &'static str) -> Case {
    (name, Box::new(make), message)
}

fn leak(bytes: impl Into<Vec<u8>>) -> &'static [u8] {
    bytes.into().leak()
}

fn long(name: &'static [u8]) -> Entry<'static> {
    Entry { kind: b'L', ..file(b"././@LongLink", name) }
}

fn names() -> Vec<Case> {
    let by_pax = |name: &[u8]| vec![pax(leak(record("path", name))), file(b"x", b"")];
    vec![
        one("traversal", vec![file(b"../evil", b"x")], "entry \"../evil\": its name leads out of the image"),
        one("traversal-inside", vec![file(b"a/../../evil", b"x")], "its name leads out of the image (..)"),
        one("traversal-end", vec![other(b'5', b"a/..", b"")], "its name leads out of the image"),
        one("traversal-pax", by_pax(b"../../evil"), "entry \"../../evil\": its name leads out of the image"),
        one("traversal-gnu", vec![long(b"../../evil\0"), file(b"x", b"")], "its name leads out of the image"),
        one("absolute", vec![file(b"/etc/passwd", b"x")], "entry \"/etc/passwd\": its name is absolute"),
        one("absolute-folder", vec![other(b'5', b"/", b"")], "its name is absolute"),
        one("windows", vec![file(b"..\\evil", b"x")], "its name contains a backslash"),
        one("nul", by_pax(b"a\0b"), "its name contains '\\0'"),
        one("line-end", by_pax(b"a\nSKILL.md"), "its name contains '\\n'"),
        one("terminal", vec![file(b"\x1b[2J", b"x")], "its name contains '\\u{1b}'"),
        one("latin-1", vec![file(b"caf\xe9", b"x")], "its name is not UTF-8"),
        one("utf-16", by_pax(b"\xff\xfea\0b\0"), "its name is not UTF-8"),
        one(
            "charset",
            vec![pax(leak(record("hdrcharset", b"BINARY"))), file(b"x", b"")],
            "names that are not UTF-8",
        ),
        one("long-path", by_pax(&b"ab/".repeat(2000)), "its name has 6000 bytes"),
        one("long-name", by_pax(&b"x".repeat(300)), "its name has a part of 300 bytes"),
        one("deep", by_pax(&b"a/".repeat(100)), "its name is more than 64 folders deep"),
        one("nameless", vec![file(b"", b"x")], "a file without a name"),
        one("file-or-folder", vec![file(b"a/", b"x")], "a folder to some readers"),
        one(
            "two-gnu-names",
            vec![long(b"a\0"), long(b"b\0"), file(b"x", b"")],
            "two long names of one entry",
        ),
        one("gnu-and-pax-name", [vec![long(b"a\0")], by_pax(b"b")].concat(), "two long names of one entry"),
    ]
}

fn links() -> Vec<Case> {
    let link = |name: &'static [u8], target: &'static [u8]| other(b'2', name, target);
    let many = (0..4097).map(|n| link(leak(format!("l{n}")), b"SKILL.md")).collect();
    vec![
        one(
            "link-absolute",
            vec![link(b"l", b"/etc/passwd")],
            "entry \"l\": a symbolic link to \"/etc/passwd\", which leads out of the image",
        ),
        one("link-out", vec![link(b"l", b"../../etc/passwd")], "which leads out of the image"),
        one("link-to-itself", vec![link(b"l", b"l")], "which leads in a circle"),
        one("link-circle", vec![link(b"a", b"b"), link(b"b", b"a")], "which leads in a circle"),
        one(
            "link-chain",
            (0..100).map(|n| link(leak(format!("l{n}")), leak(format!("l{}", n + 1)))).collect(),
            "which leads in a circle, or over more than 40 links",
        ),
        one("link-nowhere", vec![link(b"l", b"none")], "which does not exist"),
        one("link-through-file", vec![link(b"l", b"SKILL.md/x")], "which goes through a file"),
        one(
            "link-out-by-links",
            vec![file(b"a/b/c", b""), link(b"a/b/up", b".."), link(b"l", b"a/b/up/../../x")],
            "which leads out of the image",
        ),
        one(
            "write-through-link",
            vec![other(b'5', b"d/", b""), link(b"l", b"d"), file(b"l/x", b"x")],
            "written through the symbolic link \"l\"",
        ),
        one("link-as-root", vec![link(b"./", b"/")], "a file whose name ends in a slash"),
        one("link-not-utf-8", vec![link(b"l", b"\xff")], "a link whose target is not UTF-8"),
        one("links-many", many, "more than 4096 symbolic links"),
        one(
            "hard-link-out",
            vec![other(b'1', b"l", b"../etc/passwd")],
            "a hard link whose target leads out of the image",
        ),
        one(
            "hard-link-absolute",
            vec![other(b'1', b"l", b"/etc/passwd")],
            "a hard link whose target is absolute",
        ),
        one(
            "hard-link-nowhere",
            vec![other(b'1', b"l", b"none")],
            "a hard link to \"none\", which is no file",
        ),
        one("hard-link-to-folder", vec![file(b"d/x", b""), other(b'1', b"l", b"d")], "a hard link to \"d\""),
        one(
            "hard-link-to-link",
            vec![link(b"s", b"SKILL.md"), other(b'1', b"l", b"s")],
            "a hard link to \"s\"",
        ),
    ]
}

fn kinds() -> Vec<Case> {
    let sparse = [record("GNU.sparse.major", b"1"), record("GNU.sparse.name", b"x")].concat();
    vec![
        one("character-device", vec![other(b'3', b"null", b"")], "entry \"null\": a device"),
        one("block-device", vec![other(b'4', b"sda", b"")], "entry \"sda\": a device"),
        one("pipe", vec![other(b'6', b"p", b"")], "entry \"p\": a pipe"),
        one("sparse-gnu", vec![Entry { kind: b'S', ..file(b"s", b"x") }], "entry \"s\": a sparse file"),
        one("sparse-pax", vec![pax(leak(sparse)), file(b"s", b"x")], "a sparse file"),
        one("contiguous", vec![other(b'7', b"c", b"")], "of type '7'"),
        one("unknown-type", vec![other(b'Z', b"z", b"")], "of type 'Z'"),
        one(
            "folder-with-content",
            vec![Entry { kind: b'5', ..file(b"d/", b"x") }],
            "content where none may be",
        ),
        one(
            "link-with-content",
            vec![Entry { kind: b'2', link: b"SKILL.md", ..file(b"l", b"x") }],
            "content where none may be",
        ),
    ]
}

fn structure() -> Vec<Case> {
    let large = |kind| Entry { kind, size: Some(1 << 31), ..file(b"x", b"") };
    let global = Entry { kind: b'g', ..file(b"g", leak(record("path", b"SKILL.md"))) };
    vec![
        one("pax-size", vec![pax(leak(record("size", b"0"))), file(b"a", b"x")], "two sizes"),
        one(
            "pax-size-no-number",
            vec![pax(leak(record("size", b"-1"))), file(b"a", b"x")],
            "a PAX size that is no number",
        ),
        one("pax-global", vec![global, file(b"a", b"x")], "a PAX header that sets path of all entries"),
        one("pax-damaged", vec![pax(b"99 path=a\n"), file(b"a", b"x")], "a PAX header that is damaged"),
        one("pax-huge", vec![large(b'x')], "a PAX header of 2147483648 bytes"),
        one("gnu-name-huge", vec![large(b'L')], "a GNU long name of 2147483648 bytes"),
        one("gnu-name-alone", vec![long(b"a\0")], "without the entry that it is about"),
        one("file-huge", vec![large(b'0')], "2147483648 bytes; a file may have 52428800"),
        blob(
            "hidden",
            media_type::OCI_LAYER_GZIP,
            || {
                gzip(
                    &[entries(&[file(b"SKILL.md", SKILL)]), vec![0; 512], tar(&[file(b"hidden", b"x")])]
                        .concat(),
                )
            },
            "a block of zeros amid the entries",
        ),
        blob(
            "second-archive",
            media_type::OCI_LAYER_GZIP,
            || gzip(&[tar(&[file(b"SKILL.md", SKILL)]), tar(&[file(b"hidden", b"x")])].concat()),
            "bytes after the end of its archive",
        ),
        blob(
            "garbage-at-end",
            media_type::OCI_LAYER_GZIP,
            || gzip(&[tar(&[file(b"SKILL.md", SKILL)]), vec![0; 20000], b"x".to_vec()].concat()),
            "bytes after the end of its archive",
        ),
        blob(
            "checksum",
            media_type::OCI_LAYER_GZIP,
            || {
                let mut bytes = tar(&[file(b"SKILL.md", SKILL)]);
                bytes[0] = b'T';
                gzip(&bytes)
            },
            "archive header checksum mismatch",
        ),
        blob(
            "cut-content",
            media_type::OCI_LAYER_GZIP,
            || gzip(&entries(&[file(b"SKILL.md", &[b'x'; 5000])])[..3000]),
            "ends after 2488 of 5000 bytes",
        ),
        blob(
            "cut-header",
            media_type::OCI_LAYER_GZIP,
            || gzip(&entries(&[file(b"SKILL.md", SKILL), file(b"a", b"")])[..1300]),
            "failed to read entire block",
        ),
        blob(
            "size-no-number",
            media_type::OCI_LAYER_GZIP,
            || {
                let mut header = tar::Header::from_byte_slice(&entries(&[file(b"SKILL.md", b"")])).clone();
                header.as_mut_bytes()[124..135].copy_from_slice(b"zzzzzzzzzzz");
                header.set_cksum();
                gzip(header.as_bytes())
            },
            "numeric field was not a number",
        ),
        blob(
            "size-negative",
            media_type::OCI_LAYER_GZIP,
            || {
                let mut header = tar::Header::from_byte_slice(&entries(&[file(b"SKILL.md", b"")])).clone();
                header.as_mut_bytes()[124..136].fill(0xff);
                header.set_cksum();
                gzip(header.as_bytes())
            },
            "layer 1",
        ),
        blob("no-tar", media_type::OCI_LAYER_GZIP, || gzip(&[b'x'; 4096]), "layer 1"),
        blob(
            "gzip-in-gzip",
            media_type::OCI_LAYER_GZIP,
            || gzip(&gzip(&tar(&[file(b"SKILL.md", SKILL)]))),
            "layer 1",
        ),
    ]
}

fn merging() -> Vec<Case> {
    vec![
        one("duplicate", vec![file(b"SKILL.md", b"other")], "entry \"SKILL.md\": twice in one layer"),
        one("duplicate-by-dot", vec![file(b"./SKILL.md", b"other")], "twice in one layer"),
        one(
            "file-and-folder",
            vec![file(b"a", b""), other(b'5', b"a/", b"")],
            "twice in one layer, as a file and as a folder",
        ),
        one(
            "folder-and-file",
            vec![file(b"a/b", b""), file(b"a", b"")],
            "twice in one layer, as a folder and as a file",
        ),
        one("file-in-file", vec![file(b"SKILL.md/x", b"")], "it is in \"SKILL.md\", which is a file"),
        one("written-and-removed", vec![file(b".wh.SKILL.md", b"")], "written and removed by one layer"),
        one(
            "removed-and-written",
            vec![file(b".wh.a", b""), file(b"a", b"x")],
            "written and removed by one layer",
        ),
        one("whiteout-of-above", vec![file(b".wh...", b"")], "a whiteout that would remove"),
        one("whiteout-of-all", vec![file(b"a/.wh..", b"")], "a whiteout that would remove"),
        one("whiteout-of-nothing", vec![file(b".wh.", b"")], "a whiteout that would remove"),
    ]
}

/// 10 GB of zeros: gzip takes as many members one after another as there are.
fn zeros_gzip() -> Vec<u8> {
    gzip(&vec![0; 64 << 20]).repeat(160)
}

/// 10 GB of zeros as zstd writes them: "this byte 131,072 times", again and again.
fn zeros_zstd() -> Vec<u8> {
    let block = ((128_u32 << 10) << 3) | (1 << 1);
    let block = [&block.to_le_bytes()[..3], &[0]].concat();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3][..], &block.repeat(80_000)].concat()
}

fn sizes() -> Vec<Case> {
    fn zeros(name: &'static str, size: u64) -> Vec<u8> {
        let head = Entry { size: Some(size), ..file(name.as_bytes(), b"") }.bytes();
        [gzip(&head), gzip(&vec![0; size as usize])].concat()
    }
    vec![
        blob(
            "zeros-gzip",
            media_type::OCI_LAYER_GZIP,
            || {
                let head = gzip(&Entry { size: Some(48 << 20), ..file(b"SKILL.md", b"") }.bytes());
                [head, zeros_gzip()].concat()
            },
            "unpacks to more bytes than an image may have",
        ),
        blob(
            "zeros-only",
            media_type::OCI_LAYER_GZIP,
            zeros_gzip,
            "unpacks to more bytes than an image may have",
        ),
        blob(
            "zeros-zstd",
            media_type::OCI_LAYER_ZSTD,
            zeros_zstd,
            "unpacks to more bytes than an image may have",
        ),
        blob(
            "million-entries",
            media_type::OCI_LAYER_GZIP,
            || gzip(&other(b'5', b"d/", b"").bytes().repeat(10_000)).repeat(100),
            "more than 131072 entries",
        ),
        blob(
            "files-of-a-skill",
            media_type::OCI_LAYER_GZIP,
            || {
                let names: Vec<String> = (0..17_000).map(|n| format!("f/{n}")).collect();
                let files: Vec<Entry> = names.iter().map(|name| file(name.as_bytes(), b"")).collect();
                gzip(&tar(&[vec![file(b"SKILL.md", SKILL)], files].concat()))
            },
            "skill: 17001 files; a skill may have 16384",
        ),
        blob(
            "bytes-of-a-skill",
            media_type::OCI_LAYER_GZIP,
            || ["a", "b", "c"].map(|name| zeros(name, 48 << 20)).concat(),
            "skill: 150994944 bytes; a skill may have 134217728",
        ),
        blob(
            "texts",
            media_type::OCI_LAYER_GZIP,
            || {
                let text = vec![b'x'; 1 << 20];
                let names: Vec<String> = (0..17).map(|n| format!("{n}/SKILL.md")).collect();
                let files: Vec<Entry> = names.iter().map(|name| file(name.as_bytes(), &text)).collect();
                gzip(&tar(&files))
            },
            "have more than 16777216 bytes together",
        ),
        made(
            "layers",
            |layout| {
                let layer = tar(&[file(b"SKILL.md", SKILL)]);
                layout.name(&layout.image(&vec![layer; 129]));
            },
            "129 layers; at most 128 are read",
        ),
        made(
            "layer-of-a-terabyte",
            |layout| {
                let mut layer = layout.put(media_type::OCI_LAYER_GZIP, &gzip(b""));
                layer["size"] = json!(1_u64 << 40);
                layout.name(&layout.manifest(&layout.put(media_type::EMPTY, b"{}"), &[layer]));
            },
            "has 20 bytes, and 1099511627776 were announced",
        ),
    ]
}

fn compression() -> Vec<Case> {
    fn packed() -> Vec<u8> {
        gzip(&tar(&[file(b"SKILL.md", SKILL)]))
    }
    vec![
        blob(
            "giant-window",
            media_type::OCI_LAYER_ZSTD,
            || vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0],
            "a zstd frame asks for a window of 2147483648 bytes",
        ),
        blob(
            "single-segment-giant",
            media_type::OCI_LAYER_ZSTD,
            || [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 40).to_le_bytes(), &[1, 0, 0]].concat(),
            "layer 1",
        ),
        blob(
            "zstd-dictionary",
            media_type::OCI_LAYER_ZSTD,
            || vec![0x28, 0xb5, 0x2f, 0xfd, 0x01, 10 << 3, 7, 1, 0, 0],
            "layer 1",
        ),
        blob(
            "zstd-cut",
            media_type::OCI_LAYER_ZSTD,
            || {
                let bytes = zstd(&tar(&[file(b"SKILL.md", SKILL)]));
                bytes[..bytes.len() - 5].to_vec()
            },
            "layer 1",
        ),
        blob("gzip-cut", media_type::OCI_LAYER_GZIP, || packed()[..packed().len() - 12].to_vec(), "layer 1"),
        blob(
            "gzip-crc",
            media_type::OCI_LAYER_GZIP,
            || {
                let mut bytes = packed();
                let at = bytes.len() - 5;
                bytes[at] ^= 1;
                bytes
            },
            "corrupt gzip stream",
        ),
        blob(
            "gzip-garbage-after",
            media_type::OCI_LAYER_GZIP,
            || [packed(), b"garbage".to_vec()].concat(),
            "layer 1",
        ),
        blob(
            "gzip-endless-name",
            media_type::OCI_LAYER_GZIP,
            || [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &vec![b'x'; 1 << 20]].concat(),
            "layer 1",
        ),
        blob(
            "not-gzip",
            media_type::OCI_LAYER_GZIP,
            || tar(&[file(b"SKILL.md", SKILL)]),
            "is an uncompressed tar and not gzip",
        ),
        blob("not-zstd", media_type::OCI_LAYER_ZSTD, packed, "is gzip and not zstd"),
        blob("not-tar", media_type::OCI_LAYER, packed, "is gzip and not an uncompressed tar"),
        blob("empty", media_type::OCI_LAYER_GZIP, Vec::new, "is an uncompressed tar and not gzip"),
        blob("media-type", "text/plain", packed, "media type \"text/plain\", which is no tar"),
        blob("encrypted", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", packed, "which is no tar"),
    ]
}

fn digests() -> Vec<Case> {
    fn with_layer(layout: &Layout, change: impl Fn(&mut Value, &mut Vec<Digest>)) {
        let tar = tar(&[file(b"SKILL.md", SKILL)]);
        let mut layer = layout.put(media_type::OCI_LAYER_GZIP, &gzip(&tar));
        let mut diff_ids = vec![Digest::of(&tar)];
        change(&mut layer, &mut diff_ids);
        layout.name(&layout.manifest(&layout.config(&diff_ids), &[layer]));
    }
    vec![
        made(
            "layer-digest",
            |layout| {
                with_layer(layout, |layer, _| {
                    let other = Digest::of(b"another");
                    layout.put_as(&other, &gzip(&tar(&[file(b"SKILL.md", SKILL)])));
                    layer["digest"] = json!(other.as_str());
                })
            },
            "its digest is sha256:",
        ),
        made(
            "layer-shorter",
            |layout| with_layer(layout, |layer, _| layer["size"] = json!(100_000)),
            "and 100000 were announced",
        ),
        made(
            "layer-longer",
            |layout| with_layer(layout, |layer, _| layer["size"] = json!(10)),
            "and 10 were announced",
        ),
        made(
            "diff-id",
            |layout| with_layer(layout, |_, ids| ids[0] = Digest::of(b"another")),
            "and the configuration says",
        ),
        made(
            "diff-ids-more",
            |layout| with_layer(layout, |_, ids| ids.push(Digest::of(b"another"))),
            "it names 2 layers, and the manifest 1",
        ),
        made(
            "diff-ids-fewer",
            |layout| with_layer(layout, |_, ids| ids.clear()),
            "it names 0 layers, and the manifest 1",
        ),
        made(
            "blob-missing",
            |layout| {
                with_layer(layout, |layer, _| {
                    layer["digest"] = json!(Digest::of(b"missing").as_str());
                })
            },
            "No such file or directory",
        ),
        made(
            "digest-sha512",
            |layout| {
                with_layer(layout, |layer, _| {
                    layer["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
                })
            },
            "is no digest that is supported",
        ),
        made(
            "digest-path",
            |layout| {
                with_layer(layout, |layer, _| {
                    layer["digest"] = json!("sha256:../../../../etc/passwd");
                })
            },
            "is no digest",
        ),
        made(
            "config-digest",
            |layout| {
                let other = Digest::of(b"another");
                layout.put_as(&other, b"{}");
                let config =
                    json!({"mediaType": media_type::OCI_CONFIG, "digest": other.as_str(), "size": 2});
                layout.name(&layout.manifest(&config, &[]));
            },
            "its digest is sha256:44136",
        ),
        made(
            "config-huge",
            |layout| {
                let config = layout.put(media_type::OCI_CONFIG, &vec![b' '; 5 << 20]);
                layout.name(&layout.manifest(&config, &[]));
            },
            "5242880 bytes; at most 4194304 are read",
        ),
        made(
            "config-no-json",
            |layout| {
                let config = layout.put(media_type::OCI_CONFIG, b"[[[");
                layout.name(&layout.manifest(&config, &[]));
            },
            "no image configuration",
        ),
        made(
            "manifest-digest",
            |layout| {
                let other = Digest::of(b"another");
                layout.put_as(&other, b"{}");
                layout.name(
                    &json!({"mediaType": media_type::OCI_MANIFEST, "digest": other.as_str(), "size": 2}),
                );
            },
            "its digest is sha256:",
        ),
        #[cfg(unix)]
        made(
            "blob-is-a-link",
            |layout| {
                with_layer(layout, |layer, _| {
                    let digest = Digest::of(b"link");
                    let path = layout.0.join("blobs/sha256").join(digest.hex());
                    std::os::unix::fs::symlink("/etc/passwd", path).expect("a link");
                    layer["digest"] = json!(digest.as_str());
                })
            },
            "were announced",
        ),
    ]
}

fn manifests() -> Vec<Case> {
    let index = |entries: Vec<Value>| json!({"schemaVersion": 2, "manifests": entries});
    vec![
        made(
            "manifest-huge",
            |layout| {
                layout.name(&layout.put(media_type::OCI_MANIFEST, &vec![b' '; 5 << 20]));
            },
            "5242880 bytes; at most 4194304 are read",
        ),
        made(
            "manifest-huge-said-small",
            |layout| {
                let mut named = layout.put(media_type::OCI_MANIFEST, &vec![b' '; 5 << 20]);
                named["size"] = json!(100);
                layout.name(&named);
            },
            "5242880 bytes; at most 4194304 are read",
        ),
        made(
            "manifest-nested",
            |layout| {
                layout.name(&layout.put(media_type::OCI_MANIFEST, &vec![b'['; 1 << 20]));
            },
            "no manifest: ",
        ),
        made(
            "manifest-schema-1",
            |layout| {
                layout
                    .name(&layout.put(media_type::DOCKER_MANIFEST, br#"{"schemaVersion":1,"fsLayers":[]}"#));
            },
            "a manifest of Docker's schema 1",
        ),
        made(
            "manifest-and-index",
            |layout| {
                let config = layout.put(media_type::EMPTY, b"{}");
                let both = json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []});
                layout.name(&layout.put_json(media_type::OCI_MANIFEST, &both));
            },
            "an image to one reader and an index to another",
        ),
        made(
            "manifest-of-another-type",
            |layout| {
                let manifest =
                    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []});
                layout.name(&layout.put_json(media_type::OCI_MANIFEST, &manifest));
            },
            "it is served as",
        ),
        made(
            "index-of-itself",
            move |layout| {
                let digest = Digest::of(b"loop");
                let entry = json!({"mediaType": media_type::OCI_INDEX, "digest": digest.as_str(), "size": 1});
                layout.put_as(&digest, index(vec![entry.clone()]).to_string().as_bytes());
                layout.name(&entry);
            },
            "bytes, and 1 were announced",
        ),
        made(
            "indexes-deep",
            move |layout| {
                let mut at = layout.image(&[tar(&[file(b"SKILL.md", SKILL)])]);
                for _ in 0..10 {
                    at = layout.put_json(media_type::OCI_INDEX, &index(vec![at]));
                }
                layout.name(&at);
            },
            "indexes in indexes, more than 4 deep",
        ),
        made(
            "index-long",
            move |layout| {
                let image = layout.image(&[tar(&[file(b"SKILL.md", SKILL)])]);
                layout.name(&layout.put_json(media_type::OCI_INDEX, &index(vec![image; 5000])));
            },
            "more than 1024 manifests in indexes",
        ),
        made(
            "index-wide-and-deep",
            move |layout| {
                let image = layout.image(&[tar(&[file(b"SKILL.md", SKILL)])]);
                let mut at = image;
                for _ in 0..4 {
                    at = layout.put_json(media_type::OCI_INDEX, &index(vec![at; 100]));
                }
                layout.name(&at);
            },
            "more than 1024 manifests in indexes",
        ),
        made(
            "index-empty",
            move |layout| {
                layout.name(&layout.put_json(media_type::OCI_INDEX, &index(Vec::new())));
            },
            "no manifest for linux/amd64",
        ),
        made(
            "index-of-attestations",
            move |layout| {
                let mut image = layout.image(&[tar(&[file(b"SKILL.md", SKILL)])]);
                image["platform"] = json!({"os": "unknown", "architecture": "unknown"});
                layout.name(&layout.put_json(media_type::OCI_INDEX, &index(vec![image])));
            },
            "no manifest for linux/amd64",
        ),
        made(
            "index-listed-as-image",
            move |layout| {
                let inner = layout.put_json(media_type::OCI_INDEX, &index(Vec::new()));
                let mut listed = inner;
                listed["mediaType"] = json!(media_type::OCI_MANIFEST);
                layout.name(&layout.put_json(media_type::OCI_INDEX, &index(vec![listed])));
            },
            "no image manifest",
        ),
        made(
            "title-out",
            |layout| {
                let mut layer = layout.put("text/markdown", SKILL);
                layer["annotations"] = json!({"org.opencontainers.image.title": "../../evil"});
                layout.name(&layout.manifest(&layout.put(media_type::EMPTY, b"{}"), &[layer]));
            },
            "its title \"../../evil\" leads out of the image",
        ),
    ]
}

/// All that is in a folder, by path.
fn listed(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, metadata) = (entry.path(), entry.path().symlink_metadata().expect("a file"));
        if metadata.is_dir() {
            found.extend(listed(&path));
        }
        found.insert(path.display().to_string(), metadata.len());
    }
    found
}

#[test]
fn each_is_refused_with_where_and_what() {
    let kept = std::env::var_os("HOSTILE_IMAGES");
    let cases =
        [names(), links(), kinds(), structure(), merging(), sizes(), compression(), digests(), manifests()];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for (name, make, message) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let root = match &kept {
            Some(kept) => Path::new(kept).join(name),
            None => folder.path().join("layout"),
        };
        std::fs::create_dir_all(&root).expect("a folder");
        make(&Layout(&root));
        let before = listed(&root);
        let empty = tempfile::tempdir().expect("a folder");
        let mut command = program(&["inspect", "-o", "json", root.to_str().expect("UTF-8")]);
        let said = said(command.current_dir(empty.path()).env("TMPDIR", empty.path()));
        let place = root.display().to_string();
        let fits = said.code == 3
            && said.stdout.is_empty()
            && said.stderr.starts_with("error: ")
            && said.stderr.contains(&place)
            && said.stderr.lines().count() == 1
            && said.stderr.contains(message);
        if !fits {
            wrong.push(format!("{name}: {message}\n    {} {} {}", said.code, said.stdout, said.stderr));
        }
        assert_eq!((listed(&root), listed(empty.path())), (before, BTreeMap::new()), "{name}: it writes");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a text is a finding, however it is built.
#[test]
fn bombs_in_frontmatter_are_findings() {
    let doubling: String = (0..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1)
    });
    for (name, text, finding) in [
        ("aliases", format!("---\n{doubling}---\n"), "SKILL.md:"),
        ("nested", format!("---\nname: {}\n---\n", "[".repeat(100_000)), "SKILL.md:"),
        ("open", format!("---\n{}", "a: b\n".repeat(150_000)), "SKILL.md:"),
        ("long", format!("---\nname: {}\ndescription: x\n---\n", "a".repeat(1 << 19)), "SKILL.md:2: name: "),
        ("empty", String::new(), "SKILL.md:1: "),
        ("binary", "\0".repeat(1000), "SKILL.md:1: "),
        ("huge", "x".repeat(40 << 20), "SKILL.md:1: 41943040 bytes"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout(folder.path());
        layout.name(&layout.image(&[tar(&[file(b"SKILL.md", text.as_bytes())])]));
        let said = said(&mut program(&["inspect", folder.path().to_str().expect("UTF-8")]));
        assert_eq!(said.code, 1, "{name}: {said:?}");
        assert!(said.stderr.contains(&format!("error: {finding}")), "{name}: {}", said.stderr);
    }
}
