//! Zips as tools make them, and as attackers do.

use std::io::Write as _;

use super::*;

struct Made {
    name: &'static str,
    content: &'static [u8],
    mode: u32,
    deflate: bool,
}

fn file(name: &'static str, content: &'static [u8]) -> Made {
    Made { name, content, mode: 0o100_644, deflate: true }
}

/// A zip of these files, as `zip` makes it.
fn zip(files: &[Made]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for made in files {
        let packed = if made.deflate {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(made.content).expect("memory");
            packer.finish().expect("memory")
        } else {
            made.content.to_vec()
        };
        let mut crc = flate2::Crc::new();
        crc.update(made.content);
        let at = out.len() as u32;
        let mut common = Vec::new();
        common.extend([20, 0, 0, 8]);
        common.extend(if made.deflate { [8, 0] } else { [0, 0] });
        common.extend([0; 4]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((made.content.len() as u32).to_le_bytes());
        common.extend((made.name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(made.name.as_bytes());
        out.extend(&packed);
        list.extend(b"PK\x01\x02\x1e\x03");
        list.extend(&common);
        list.extend([0; 6]);
        list.extend((made.mode << 16).to_le_bytes());
        list.extend(at.to_le_bytes());
        list.extend(made.name.as_bytes());
    }
    let at = out.len() as u32;
    out.extend(&list);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((list.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn read(bytes: &[u8]) -> Result<Vec<(String, bool, Vec<u8>)>, String> {
    let files = list(bytes, &Limits::default()).map_err(|error| error.to_string())?;
    let read = files.iter().map(|file| {
        let mut content = Vec::new();
        let mut reader = file.open(bytes).map_err(|error| error.to_string())?;
        reader.read_to_end(&mut content).map_err(|error| error.to_string())?;
        Ok((file.member.path.clone(), file.member.executable, content))
    });
    read.collect()
}

#[test]
fn a_zip_is_read() {
    let made = zip(&[
        Made { mode: 0o040_755, deflate: false, ..file("pdf/", b"") },
        file("pdf/SKILL.md", b"---\n"),
        Made { mode: 0o100_755, deflate: false, ..file("pdf/run.sh", b"#!/bin/sh\n") },
    ]);
    let expected = vec![
        ("pdf/SKILL.md".to_owned(), false, b"---\n".to_vec()),
        ("pdf/run.sh".to_owned(), true, b"#!/bin/sh\n".to_vec()),
    ];
    assert_eq!(read(&made), Ok(expected));
    let mut members: Vec<Member> =
        list(&made, &Limits::default()).expect("a zip").into_iter().map(|file| file.member).collect();
    crate::skill::pack::without_top_folder(&mut members);
    let paths: Vec<&str> = members.iter().map(|member| member.path.as_str()).collect();
    assert_eq!(paths, ["SKILL.md", "run.sh"]);
}

/// Each would be one file to us and another, or none, to who unpacks it.
#[test]
fn a_zip_that_readers_do_not_agree_about_is_refused() {
    let sound = zip(&[file("SKILL.md", b"content")]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        bytes
    };
    let list = sound.windows(4).position(|part| part == b"PK\x01\x02").expect("a list");
    for (what, bytes) in [
        ("traversal", zip(&[file("../SKILL.md", b"x")])),
        ("absolute", zip(&[file("/SKILL.md", b"x")])),
        ("backslash", zip(&[file("a\\SKILL.md", b"x")])),
        ("link", zip(&[Made { mode: 0o120_777, ..file("l", b"SKILL.md") }])),
        ("device", zip(&[Made { mode: 0o020_777, ..file("l", b"") }])),
        ("another name in front", changed(30, b'T')),
        ("encrypted", changed(list + 8, 1)),
        ("another method", changed(list + 10, 12)),
        ("checksum", changed(list + 16, 0)),
        ("larger", changed(list + 21, 1)),
        ("elsewhere", changed(list + 42, 1)),
        ("cut", sound[..sound.len() - 1].to_vec()),
        ("nothing", Vec::new()),
        ("no zip", vec![b'x'; 100]),
    ] {
        assert!(read(&bytes).is_err(), "{what} would be read");
    }
}

/// Finder's own entries would keep the skill's folder from being the only one.
#[test]
fn what_finder_adds_is_known() {
    let own = |name: &&str| is_of_finder(name);
    let all = [
        "pdf/SKILL.md",
        "__MACOSX/pdf/._SKILL.md",
        "pdf/.DS_Store",
        ".DS_Store",
        "pdf/__MACOSX/a",
        "a.DS_Store",
    ];
    let found: Vec<&str> = all.into_iter().filter(own).collect();
    assert_eq!(found, ["__MACOSX/pdf/._SKILL.md", "pdf/.DS_Store", ".DS_Store"]);
    assert_eq!(place_of_finder(found[0].to_owned()), "__MACOSX");
}
