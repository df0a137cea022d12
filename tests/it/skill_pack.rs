//! `pack`, `convert` and `inspect` as users run them: the same bytes each time, and the same content wherever it is.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at the first surprise"
)]

use std::process::Command;

use kubectl_skills::skill::oci::{Digest, media_type};
use serde_json::{Value, json};

use crate::program::{Folder, program, said};
use crate::skill_image::{Layout, file, gzip, tar};

const SKILL: &str = "---\nname: pdf\ndescription: Reads PDF files\nlicense: MIT\n---\n# PDF\n\nRead it.\n";
const CARD: &str = "apiVersion: skillimage.io/v1alpha1\nkind: SkillCard\nmetadata:\n  name: pdf\n  \
    namespace: acme/docs\n  version: 1.2.0\n  description: Reads PDF files\n";

/// A skill with a script, in a folder.
fn skill() -> Folder {
    let folder = Folder::with(&[
        ("pdf/SKILL.md", SKILL),
        ("pdf/skill.yaml", CARD),
        ("pdf/scripts/run.sh", "#!/bin/sh\n"),
    ]);
    executable(&folder.path("pdf/scripts/run.sh"));
    folder
}

fn executable(path: &str) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o750)).expect("a mode");
    }
}

fn line(mode: &str, content: &str, path: &str) -> String {
    format!("{mode} {} {path}\n", Digest::of(content.as_bytes()).hex())
}

/// The identity of the skill, by its definition.
fn identity() -> String {
    let list = [
        "skill content v1\n".to_owned(),
        line("-", SKILL, "SKILL.md"),
        line("x", "#!/bin/sh\n", "scripts/run.sh"),
        line("-", CARD, "skill.yaml"),
    ];
    Digest::of(list.concat().as_bytes()).to_string()
}

/// A lock names a digest: anyone who packs the same files must come to it, whenever and wherever.
#[test]
fn the_same_files_have_the_same_digest() {
    let (one, other) = (skill(), skill());
    let first = one.skills(&["pack", "pdf", "-o", "json"]);
    assert_eq!(first.code, 0, "{first:?}");
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
    let changed = std::fs::File::open(other.path("pdf/SKILL.md")).expect("a file");
    changed.set_modified(past).expect("a time");
    other.write("pdf/.git/config", "not a part of it");
    let second = other.skills(&["pack", "pdf", "-o", "json", "--to", "layout", "-t", "acme/pdf:1.2.0"]);
    assert_eq!((second.code, first.json()), (0, second.json()), "{second:?}");
    assert!(second.stderr.starts_with("note: left out: .git\nsummary: 3 files, "), "{}", second.stderr);
    let packed = second.json();
    let expected = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "PackedSkill", "source": "pdf",
        "digest": packed["digest"], "manifests": packed["manifests"], "layer": packed["layer"],
        "contentIdentity": identity(),
        "skills": [{"name": "pdf", "folder": "", "files": 3, "bytes": SKILL.len() + CARD.len() + 10}],
    });
    assert_eq!(packed, expected);
    // What is in the image is what was in the folder, on each platform.
    for (platform, at) in [("linux/amd64", 0), ("linux/arm64", 1)] {
        let seen = other.skills(&["inspect", "layout:1.2.0", "-o", "json", "--platform", platform]);
        let seen = seen.json();
        let annotations = json!({
            "io.skillimage.status": "draft", "io.skillimage.wordcount": "4",
            "org.opencontainers.image.description": "Reads PDF files",
            "org.opencontainers.image.licenses": "MIT", "org.opencontainers.image.title": "pdf",
            "org.opencontainers.image.vendor": "acme/docs", "org.opencontainers.image.version": "1.2.0",
        });
        let image = json!({
            "digest": packed["digest"], "manifest": packed["manifests"][at]["digest"], "platform": platform,
            "platforms": ["linux/amd64", "linux/arm64"], "format": "skillimage", "runtimes": [
                {"runtime": "containerd", "mounts": "folder", "sees": "the files", "since": "2.1"},
                {"runtime": "CRI-O", "mounts": "folder", "sees": "the files", "since": "1.31"},
            ],
            "how": "mountPath ROOT/NAME", "configMediaType": media_type::OCI_CONFIG, "annotations": annotations,
            "layers": [{
                "digest": packed["layer"]["digest"], "mediaType": media_type::OCI_LAYER_GZIP,
                "size": packed["layer"]["size"], "diffId": packed["layer"]["diffId"],
                "unpacked": 4608, "entries": 4,
            }],
        });
        assert_eq!(seen["image"], image);
        let mut of_folder = one.skills(&["inspect", "pdf", "-o", "json"]).json();
        of_folder["reference"] = json!("layout:1.2.0");
        of_folder["image"] = image;
        assert_eq!(seen, of_folder);
    }
}

/// Anyone who trusts no tool computes it himself.
#[cfg(unix)]
#[test]
fn the_shell_lines_of_the_page_print_the_content_identity() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/skills.md")).expect("a page");
    let lines = page.rsplit("```sh\n").next().and_then(|rest| rest.split("```").next()).expect("lines");
    let folder = skill();
    folder.write("pdf/a b/é.txt", "x");
    folder.write("pdf/a-b", "y");
    let output = Command::new("sh").args(["-c", lines]).current_dir(folder.root()).output().expect("a shell");
    let printed = String::from_utf8(output.stdout).expect("text");
    let seen = folder.skills(&["inspect", "pdf", "-o", "json"]).json();
    assert_eq!(format!("sha256:{}", printed.split(' ').next().unwrap_or_default()), seen["contentIdentity"]);
}

#[test]
fn a_table_and_a_tree_are_for_people() {
    let folder = skill();
    let packed = folder.skills(&["pack", "pdf", "--to", "layout", "-o", "json"]).json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let table = folder.skills(&["inspect", "layout"]);
    let size = packed["layer"]["size"].as_u64().expect("a size");
    let expected = format!(
        "digest     {}\nmanifest   {}\nplatform   linux/amd64 (of linux/amd64, linux/arm64)\nformat     skillimage\n\
         containerd folder: the files, from 2.1\nCRI-O      folder: the files, from 1.31\n\n\
         LAYER{}   SIZE    UNPACKED   ENTRIES   MEDIA-TYPE\n{}   {size} B   4.5 KiB    4         {}\n\n\
         SKILL   FOLDER   VERSION   FILES   SIZE    WORDS   TOKENS   CONTENT-IDENTITY\n\
         pdf     .        1.2.0     3       {} B   4       4        {}\n\n\
         As skills of a SkillBinding or AgentRuntime:\n- {{name: pdf, image: REFERENCE, mountPath: /skills/pdf}}\n",
        text(&packed["digest"]),
        text(&packed["manifests"][0]["digest"]),
        " ".repeat(66),
        text(&packed["layer"]["digest"]),
        media_type::OCI_LAYER_GZIP,
        SKILL.len() + CARD.len() + 10,
        identity(),
    );
    assert_eq!(table.parts(), (0, expected.as_str(), ""));
    let tree = folder.skills(&["inspect", "-o", "tree", "pdf"]);
    let expected = format!(
        "pdf\n  SKILL.md  {} B\n  scripts/\n    run.sh*  10 B\n  skill.yaml  {} B\n3 files, {} B, content {}\n",
        SKILL.len(),
        CARD.len(),
        SKILL.len() + CARD.len() + 10,
        identity()
    );
    assert_eq!(tree.parts(), (0, expected.as_str(), ""));
}

/// What no image can hold as it is must not be lost on the way without a word.
#[cfg(unix)]
#[test]
fn links_stand_for_files_of_the_folder_or_are_refused() {
    use std::os::unix::fs::symlink;
    let folder = skill();
    let before = folder.skills(&["inspect", "pdf", "-o", "json"]).json();
    symlink("scripts/run.sh", folder.path("pdf/run")).expect("a link");
    let seen = folder.skills(&["inspect", "pdf", "-o", "json"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (0, ""));
    let linked = seen.json()["files"][1].clone();
    let mut expected = before["files"][1].clone();
    expected["path"] = json!("run");
    assert_eq!(linked, expected);
    for (name, target, why) in [
        ("out", "../..", "a symbolic link that leads out of the folder"),
        ("passwd", "/etc/passwd", "a symbolic link that leads out of the folder"),
        ("nowhere", "none", "a symbolic link that leads nowhere"),
        ("loop", "loop", "a symbolic link that leads nowhere"),
        ("folder", "scripts", "a symbolic link to a folder"),
    ] {
        symlink(target, folder.path(&format!("pdf/{name}"))).expect("a link");
        let seen = folder.skills(&["inspect", "pdf", "-o", "json"]);
        assert_eq!((seen.code, seen.stderr), (0, format!("warning: skipped: {name}: {why}\n")));
        let packed = folder.skills(&["pack", "pdf", "--to", "layout"]);
        let expected = format!(
            "error: pdf: {name}: {why} (an image cannot hold it as it is; replace it by the file itself, or remove it)\n"
        );
        assert_eq!(packed.parts(), (3, "", expected.as_str()));
        assert!(!folder.root().join("layout").exists());
        std::fs::remove_file(folder.path(&format!("pdf/{name}"))).expect("a link");
    }
}

/// A layout without an image, or half of one, would be pushed by the next step of a pipeline.
#[test]
fn what_is_refused_leaves_nothing() {
    let folder = Folder::with(&[
        ("bad/SKILL.md", "# no frontmatter\n"),
        ("none/README.md", "x"),
        ("taken/file", "x"),
        ("good/SKILL.md", SKILL),
        ("whiteout/SKILL.md", SKILL),
        ("whiteout/notes/.wh.SKILL.md", "x"),
    ]);
    std::fs::create_dir(folder.path("empty")).expect("a folder");
    for (what, to, error) in [
        ("bad", "layout", "note: a skill with errors is packed with --force alone\nerror: bad/SKILL.md:1: "),
        ("bad", "empty", "note: a skill with errors is packed with --force alone\nerror: bad/SKILL.md:1: "),
        ("bad", "x.tar", "note: a skill with errors is packed with --force alone\nerror: bad/SKILL.md:1: "),
        (
            "none",
            "layout",
            "note: a skill with errors is packed with --force alone\nerror: none: no SKILL.md: no agent would find a skill in the image\n",
        ),
        (
            "good",
            "taken",
            "error: OCI layout taken: the folder is not empty, and no OCI layout (name a folder",
        ),
        ("missing", "layout", "error: missing: No such file or directory"),
        ("none/README.md", "layout", "error: none/README.md: no zip ("),
        (
            "whiteout",
            "layout",
            "error: the name of \"notes/.wh.SKILL.md\" begins with .wh., by which a layer says that another file is gone \
             (rename the file, or leave it out)",
        ),
    ] {
        let said = folder.skills(&["pack", what, "--to", to]);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{what} {to}: {said:?}");
        assert!(said.stderr.starts_with(error), "{what} {to}: {}", said.stderr);
        let mut left: Vec<_> = std::fs::read_dir(folder.root())
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["bad", "empty", "good", "none", "taken", "whiteout"], "{what} {to}");
        assert_eq!(std::fs::read_dir(folder.path("empty")).expect("a folder").count(), 0, "{what} {to}");
    }
    let forced = folder.skills(&["pack", "bad", "--to", "layout", "--force"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(forced.stderr.starts_with("warning: bad/SKILL.md:1: "), "{}", forced.stderr);
    // Found again by who inspects it.
    assert_eq!(folder.skills(&["inspect", "layout"]).code, 1);
}

/// One layout holds several versions; a tag that is packed again names the new image.
#[test]
fn a_layout_keeps_what_has_another_tag() {
    let folder = skill();
    let pack = |tag: &str, version: &str| {
        let said =
            folder.skills(&["pack", "pdf", "--to", "l", "-t", tag, "--skill-version", version, "-o", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.json()["digest"].clone()
    };
    let (one, two, again) = (pack("1", "1.0.0"), pack("2", "2.0.0"), pack("1", "1.0.1"));
    let of = |what: &str| folder.skills(&["inspect", what, "-o", "json"]).json()["image"]["digest"].clone();
    assert_ne!(one, again);
    assert_eq!((of("l:1"), of("l:2")), (again.clone(), two));
    assert_eq!(of(&format!("l@{}", again.as_str().expect("text"))), again);
    let said = folder.skills(&["inspect", "l"]);
    assert_eq!(said.code, 3);
    assert!(
        said.stderr.contains("has more than one image (name one: l:NAME; there are 2, 1)"),
        "{}",
        said.stderr
    );
    let said = folder.skills(&["inspect", "l:3"]);
    assert_eq!(
        (said.code, said.stderr.contains("OCI layout l: has no image 3 (name one: l:NAME; there are 2, 1)")),
        (3, true),
        "{said:?}"
    );
    assert_eq!(folder.skills(&["inspect", "l:1", "--platform", "arm"]).code, 2);
}

/// The time is left out unless somebody gives it: then it is part of the digest.
#[test]
fn a_time_is_only_there_if_it_is_given() {
    let folder = skill();
    let created = |said: crate::program::Said| {
        assert_eq!(said.code, 0, "{said:?}");
        let image = folder.skills(&["inspect", "l:x", "-o", "json"]).json();
        image["image"]["annotations"]["org.opencontainers.image.created"].clone()
    };
    let pack = ["pack", "pdf", "--to", "l", "-t", "x"];
    assert_eq!(created(folder.skills(&pack)), Value::Null);
    let mut epoch = program(&pack);
    assert_eq!(
        created(said(epoch.current_dir(folder.root()).env("SOURCE_DATE_EPOCH", "1795737600"))),
        "2026-11-27T00:00:00Z"
    );
    let given = [&pack[..], &["--created", "2026-01-02T03:04:05Z"]].concat();
    assert_eq!(created(folder.skills(&given)), "2026-01-02T03:04:05Z");
    for wrong in [
        "yesterday",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-00-01T00:00:00Z",
    ] {
        assert_eq!(folder.skills(&[&pack[..], &["--created", wrong]].concat()).code, 2, "{wrong}");
    }
    assert_eq!(folder.skills(&[&pack[..], &["--created", "2024-02-29T23:59:59Z"]].concat()).code, 0);
    let mut late = program(&pack);
    assert_eq!(said(late.current_dir(folder.root()).env("SOURCE_DATE_EPOCH", "99999999999999")).code, 2);
}

#[test]
fn a_card_is_written_for_a_skill_without_one() {
    let folder = Folder::with(&[("pdf/SKILL.md", SKILL)]);
    let args = ["pack", "pdf", "--to", "l", "--write-card", "acme", "--skill-version", "1.0.0"];
    assert_eq!(folder.skills(&args).code, 0);
    let seen = folder.skills(&["inspect", "l", "-o", "json"]).json();
    assert_eq!(
        (&seen["skills"][0]["card"], &seen["skills"][0]["version"]),
        (&json!("skillimage.io/v1alpha1"), &json!("1.0.0"))
    );
    assert_eq!(seen["files"].as_array().map(Vec::len), Some(2));
    // The folder is the author's.
    assert!(!folder.root().join("pdf/skill.yaml").exists());
    folder.write("pdf/skill.yaml", CARD);
    assert!(folder.skills(&args).stderr.contains("the skill has a skill.yaml already"));
}

#[test]
fn a_tar_is_the_layout_as_one_file() {
    let folder = skill();
    for name in ["one.tar", "two.tar"] {
        assert_eq!(folder.skills(&["pack", "pdf", "--to", name, "-t", "1"]).code, 0);
    }
    assert_eq!(
        std::fs::read(folder.path("one.tar")).expect("a file"),
        std::fs::read(folder.path("two.tar")).expect("a file")
    );
    let mut archive = tar::Archive::new(std::fs::File::open(folder.path("one.tar")).expect("a file"));
    archive.unpack(folder.path("unpacked")).expect("a tar");
    let seen = folder.skills(&["inspect", "unpacked:1", "-o", "json"]).json();
    assert_eq!(seen["contentIdentity"], identity());
}

/// A file whose name ends in `.tar` may be anybody's: only a layout is added to.
#[test]
fn a_tar_that_is_there_is_kept_or_added_to() {
    let folder = skill();
    folder.write("mine.tar", "a backup\n");
    folder.write("docker.tar", tar(&[file(b"oci-layout", b"{}"), file(b"manifest.json", b"[]")]));
    folder.write("empty.tar", "");
    for name in ["mine.tar", "docker.tar"] {
        let before = std::fs::read(folder.path(name)).expect("a file");
        let said = folder.skills(&["pack", "pdf", "--to", name]);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
        assert!(said.stderr.starts_with(&format!("error: OCI layout {name}: ")), "{}", said.stderr);
        assert!(
            said.stderr.contains("(it would be replaced: name another file, or a folder)"),
            "{}",
            said.stderr
        );
        assert_eq!(std::fs::read(folder.path(name)).expect("a file"), before);
    }
    let mut digests = Vec::new();
    for version in ["1", "2", "3"] {
        let said = folder.skills(&[
            "pack",
            "pdf",
            "--to",
            "empty.tar",
            "-t",
            version,
            "--skill-version",
            version,
            "-o",
            "json",
        ]);
        assert_eq!(said.code, 0, "{said:?}");
        digests.push(said.json()["digest"].clone());
    }
    for (version, digest) in ["1", "2", "3"].iter().zip(digests) {
        let seen = folder.skills(&["inspect", &format!("empty.tar:{version}"), "-o", "json"]);
        assert_eq!((seen.code, &seen.json()["image"]["digest"]), (0, &digest), "{seen:?}");
    }
}

/// Two images without a name in one layout are found by their digests alone.
#[test]
fn a_second_image_without_a_tag_is_refused() {
    let folder = skill();
    for to in ["l", "x.tar"] {
        let pack =
            |more: &[&str]| folder.skills(&[&["pack", "pdf", "--to", to, "-o", "json"], more].concat());
        let first = pack(&[]);
        assert_eq!((first.code, pack(&[]).code), (0, 0), "the same image once more is no second one");
        let digest = first.json()["digest"].as_str().expect("a digest").to_owned();
        let second = pack(&["--skill-version", "2"]);
        let wanted = format!(
            "error: OCI layout {to}: it has an image without a name, {digest} (name this one: -t TAG, or PATH:NAME)\n"
        );
        assert_eq!(second.parts(), (3, "", wanted.as_str()));
        assert_eq!(pack(&["--skill-version", "2", "-t", "2"]).code, 0);
        let seen = folder.skills(&["inspect", &format!("{to}@{digest}"), "-o", "json"]).json();
        assert_eq!(seen["image"]["digest"], digest.as_str());
    }
}

/// A disk that is full is no defect of the file that was being read.
#[test]
#[cfg(unix)]
fn a_full_disk_is_not_blamed_on_a_file() {
    let folder = skill();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(1 << 18)
    .collect();
    folder.write("pdf/model.bin", noise);
    // A file may have 64 KiB, and writing more is an error as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
    for to in ["l", "x.tar"] {
        let mut command = Command::new("sh");
        command.args(["-c", limited, env!("CARGO_BIN_EXE_kubectl-skills"), "pack", "pdf", "--to", to]);
        let full = said(command.current_dir(folder.root()));
        let wanted = format!("error: OCI layout {to}: cannot be written: File too large (os error 27)\n");
        assert_eq!(full.parts(), (3, "", wanted.as_str()));
        assert!(!folder.root().join(to).exists());
    }
}

/// What is no tar is named, for the name of the file says that it is one.
#[test]
fn a_packed_tar_is_named() {
    let folder = skill();
    assert_eq!(folder.skills(&["pack", "pdf", "--to", "x.tar"]).code, 0);
    folder.write("y.tar", gzip(&std::fs::read(folder.path("x.tar")).expect("a file")));
    let wanted = "error: OCI layout y.tar: is packed with gzip (a layout is a folder or a tar that is not compressed: gzip -dc \
        FILE > FILE.tar)\n";
    assert_eq!(folder.skills(&["inspect", "y.tar"]).parts(), (3, "", wanted));
}

/// Agents seldom run as root; a file that only root may read is none to them.
#[test]
fn files_that_an_agent_may_not_read_are_found() {
    use crate::skill_image::{Entry, other};
    let skill = || file(b"SKILL.md", SKILL.as_bytes());
    let folder = |name, mode| Entry { mode, ..other(b'5', name, b"") };
    let cases = [
        (vec![Entry { mode: 0, ..skill() }], Some(("SKILL.md", ""))),
        (vec![Entry { mode: 0o640, ..skill() }, file(b"a.md", b"a")], Some(("SKILL.md", ""))),
        (vec![folder(b"./", 0o700), skill(), file(b"a.md", b"a")], Some(("SKILL.md", ", and so of 1 more"))),
        (vec![skill(), folder(b"b", 0o754), file(b"b/c/d.md", b"d")], Some(("b/c/d.md", ""))),
        (vec![folder(b"./", 0o755), skill(), folder(b"b", 0o755), file(b"b/d.md", b"d")], None),
    ];
    for (entries, wanted) in cases {
        let work = Folder::with(&[]);
        let root = work.root().join("l");
        std::fs::create_dir(&root).expect("a folder");
        let layout = Layout(&root);
        layout.name(&layout.image(&[tar(&entries)]));
        let seen = work.skills(&["inspect", "l", "-o", "json"]);
        assert_eq!(seen.code, 0, "{seen:?}");
        let found: Vec<Value> = seen.json()["skills"][0]["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|found| found["rule"] == "skill-mode")
            .cloned()
            .collect();
        let wanted = wanted.map(|(file, more)| {
            json!({
                "rule": "skill-mode", "severity": "warning", "file": file, "line": 1,
                "message": format!("its mode, or that of a folder above, lets nobody read it but its owner and group{more}"),
                "help": "an agent that runs as another user cannot use the skill: chmod -R go+rX before the image is built, as \
                    'pack' does",
            })
        });
        assert_eq!(found, Vec::from_iter(wanted));
    }
}

/// An amd64 node would give its agent another skill than an arm64 one.
#[test]
fn platforms_with_other_content_are_named() {
    let folder = Folder::with(&[]);
    let root = folder.root().join("l");
    std::fs::create_dir(&root).expect("a folder");
    let layout = Layout(&root);
    let other = SKILL.replace("Read it.", "Read it twice.");
    let mut images = Vec::new();
    for (architecture, texts) in [
        ("amd64", [SKILL, "a"]),
        ("arm64", [&other, "a"]),
        ("s390x", [SKILL, "a"]),
        ("ppc64le", [SKILL, "a"]),
    ] {
        let layers = match architecture {
            // The same files, packed in another way.
            "s390x" => vec![
                tar(&[file(b"SKILL.md", texts[0].as_bytes())]),
                tar(&[file(b"a.md", texts[1].as_bytes())]),
            ],
            _ => vec![tar(&[file(b"SKILL.md", texts[0].as_bytes()), file(b"a.md", texts[1].as_bytes())])],
        };
        let mut image = layout.image(&layers);
        image["platform"] = json!({"os": "linux", "architecture": architecture});
        images.push(image);
    }
    // Left out of the layout, as by tools that save one platform.
    images[3]["digest"] = json!(Digest::of(b"none").as_str());
    let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": images});
    layout.name(&layout.put_json(media_type::OCI_INDEX, &index));
    let identity = |text: &str| {
        let list = ["skill content v1\n".to_owned(), line("-", text, "SKILL.md"), line("-", "a", "a.md")];
        Digest::of(list.concat().as_bytes()).to_string()
    };
    let seen = folder.skills(&["inspect", "l", "-o", "json"]);
    let different = seen.json()["image"]["different"].clone();
    let error = &different[1]["error"];
    let wanted = json!([
        {"platform": "linux/arm64", "contentIdentity": identity(&other)},
        {"platform": "linux/ppc64le", "error": error},
    ]);
    assert_eq!((seen.code, &different), (0, &wanted), "{seen:?}");
    let wanted = format!(
        "warning: linux/arm64 has other content than linux/amd64: {}, and not {} (each node mounts what is for it: build the \
         index of one layer, as 'pack' does)\nwarning: linux/ppc64le may have other content than linux/amd64: {}\n",
        identity(&other),
        identity(SKILL),
        error.as_str().expect("a reason"),
    );
    assert_eq!(seen.stderr, wanted);
    let arm = folder.skills(&["inspect", "l", "-o", "json", "--platform", "linux/arm64"]).json();
    let others = arm["image"]["different"].as_array().expect("a list");
    assert_eq!(
        others.iter().map(|one| one["platform"].clone()).collect::<Vec<_>>(),
        ["linux/amd64", "linux/s390x", "linux/ppc64le"]
    );
}

/// Half of a list would pass for the whole.
#[test]
fn a_second_list_in_one_file_is_an_error() {
    let list = "apiVersion: skillimage.io/v1alpha1\nkind: SkillCollection\nskills: [{name: a, image: quay.io/acme/a:1}]\n";
    let folder = Folder::with(&[("one.yaml", list), ("two.yaml", &format!("{list}---\n{list}"))]);
    let import = |file: &str| folder.skills(&["import", file, "--selector", "a=b", "--name", "x"]);
    assert_eq!(import("one.yaml").code, 0);
    let two = import("two.yaml");
    assert_eq!((two.code, two.stdout.as_str()), (3, ""), "{two:?}");
    assert!(two.stderr.contains("a further document; one list is read"), "{}", two.stderr);
}

/// A registry would refuse them, and a script would not see where they came from.
#[test]
fn a_tag_is_one() {
    let folder = skill();
    for tag in ["a b", "../x", "a\nb", "", "x:"] {
        let said = folder.skills(&["pack", "pdf", "--to", "l", "-t", tag]);
        assert_eq!((said.code, folder.root().join("l").exists()), (2, false), "{tag}: {said:?}");
    }
}

/// The lines are there to be copied: they must be YAML, and pass the rules of agentskills and of the API.
#[test]
fn lines_for_a_manifest_are_valid() {
    let folder = Folder::with(&[
        ("all/foo/SKILL.md", SKILL),
        ("all/My Folder_X/SKILL.md", &SKILL.replace("name: pdf", "nam: x")),
    ]);
    assert_eq!(folder.skills(&["pack", "all", "--to", "l", "--force"]).code, 0);
    let seen = folder.skills(&["inspect", "l"]).stdout;
    let (_, lines) = seen.split_once("AgentRuntime:\n").expect("lines");
    assert_eq!(
        lines,
        "- {name: my-folder-x, image: REFERENCE, mountPath: /skills/my-folder-x, subPath: \"My Folder_X\"}\n\
         - {name: pdf, image: REFERENCE, mountPath: /skills/pdf, subPath: foo}\n"
    );
}

/// What a run that was killed has left goes with the next one.
#[test]
#[cfg(unix)]
fn temporary_files_of_a_killed_run_are_removed() {
    let folder = skill();
    assert_eq!(folder.skills(&["pack", "pdf", "--to", "l", "-t", "1"]).code, 0);
    // No process has this number.
    let left = ".kubectl-skills-2147483647-aB3.tmp";
    for name in [left.to_owned(), format!("l/{left}"), format!("l/blobs/sha256/{left}")] {
        folder.write(&name, "x");
    }
    assert_eq!(folder.skills(&["pack", "pdf", "--to", "l", "-t", "1"]).code, 0);
    assert_eq!(folder.skills(&["pack", "pdf", "--to", "x.tar", "-t", "1"]).code, 0);
    for name in [left.to_owned(), format!("l/{left}"), format!("l/blobs/sha256/{left}")] {
        assert!(!folder.root().join(&name).exists(), "{name}");
    }
}

/// What is published for ever must not hold a password, nor an error in a log of CI.
#[test]
fn passwords_are_neither_published_nor_printed() {
    let folder = skill();
    let commit = "0".repeat(40);
    folder.write(
        "lock.json",
        r#"{"version": 1, "skills": {"pdf": {"source": "https://user:secretpw@example.com/a", "sourceType": "git"}}}"#,
    );
    for (args, code) in [
        (&["pack", "pdf", "--source", "https://user:secretpw@example.com/a"][..], 2),
        (&["pack", &format!("git+https://user:secretpw@example.com/a@{commit}")], 3),
        (&["pack", "git+https://user:secretpw@example.com/a"], 3),
        (&["import", "lock.json", "--selector", "a=b", "--name", "x"], 3),
    ] {
        let said = folder.skills(args);
        assert_eq!(said.code, code, "{said:?}");
        assert!(!said.stderr.contains("secretpw") && said.stdout.is_empty(), "{args:?}: {}", said.stderr);
    }
    // In a card it would be published with the file, and in the annotations.
    folder.write(
        "pdf/skill.yaml",
        format!("{CARD}provenance:\n  source: https://user:secretpw@example.com/a\n"),
    );
    let refused = folder.skills(&["pack", "pdf", "--to", "l"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    assert!(
        refused.stderr.contains(
            "error: pdf/skill.yaml:9: provenance.source: has a user or password, which would be published (leave it out of the \
             address)\n"
        ),
        "{}",
        refused.stderr
    );
    let forced = folder.skills(&["pack", "pdf", "--to", "l", "--force"]);
    assert_eq!((forced.code, forced.stderr.contains("secretpw")), (0, false), "{forced:?}");
    let seen = folder.skills(&["inspect", "l", "-o", "json"]);
    assert_eq!((seen.code, seen.stdout.contains("secretpw")), (1, false), "{seen:?}");
    let source = &seen.json()["image"]["annotations"]["org.opencontainers.image.source"];
    assert_eq!(source, "https://example.com/a");
}

/// Annotations of an artifact are published again with the image that is made of it.
#[test]
fn convert_publishes_no_login() {
    let folder = Folder::with(&[]);
    let root = folder.root().join("l");
    std::fs::create_dir(&root).expect("a folder");
    let layout = Layout(&root);
    let mut layer = layout.put("text/markdown", SKILL.as_bytes());
    layer["annotations"] = json!({"org.opencontainers.image.title": "SKILL.md"});
    let config = layout.put("application/vnd.agentskills.skill.config.v1+json", b"{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [layer],
        "annotations": {"org.opencontainers.image.source": "https://user:secretpw@example.com/a"},
    });
    layout.name(&layout.put_json(media_type::OCI_MANIFEST, &manifest));
    assert_eq!(folder.skills(&["convert", "l", "--to", "m"]).code, 0);
    let seen = folder.skills(&["inspect", "m", "-o", "json"]).json();
    assert_eq!(seen["image"]["annotations"]["org.opencontainers.image.source"], "https://example.com/a");
}

/// A commit is packed as it is in git, whatever the machine's settings would make of it.
#[test]
fn a_commit_is_packed_without_a_checkout() {
    let folder = skill();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(folder.root())
            .output()
            .expect("git");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    folder.write("other/file", "x");
    #[cfg(unix)]
    std::os::unix::fs::symlink("scripts/run.sh", folder.path("pdf/run")).expect("a link");
    git(&["init", "--quiet"]);
    git(&["add", "-A"]);
    git(&["commit", "--quiet", "-m", "a"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let url = format!("file://{}", folder.root().display());
    let pack = |address: &str| {
        let mut command = program(&["pack", address, "--to", "l", "-t", "x", "-o", "json"]);
        said(command.current_dir(folder.root()).env("PATH", std::env::var_os("PATH").unwrap_or_default()))
    };
    let packed = pack(&format!("git+{url}@{commit}//pdf"));
    assert_eq!(packed.code, 0, "{packed:?}");
    let of_folder = folder.skills(&["inspect", "pdf", "-o", "json"]).json();
    assert_eq!(packed.json()["contentIdentity"], of_folder["contentIdentity"]);
    let seen = folder.skills(&["inspect", "l:x", "-o", "json"]).json();
    let annotations = &seen["image"]["annotations"];
    assert_eq!(annotations["org.opencontainers.image.source"], url.as_str());
    assert_eq!(annotations["org.opencontainers.image.revision"], commit.as_str());
    for (address, error) in [
        (format!("git+{url}@main//pdf"), "\"main\" is no full commit id"),
        (format!("git+{url}@{}", "0".repeat(40)), "git: "),
        (format!("git+{url}@{commit}//none"), "no files in \"none\" of the commit"),
        (format!("git+http://example.com/x@{commit}"), "\"http\" is no protocol"),
    ] {
        let refused = pack(&address);
        assert!(refused.code == 3 && refused.stderr.contains(error), "{address}: {refused:?}");
    }
    folder.write("pdf/SKILL.md", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    git(&["commit", "--quiet", "-a", "-m", "b"]);
    let refused = pack(&format!("git+{url}@{}//pdf", git(&["rev-parse", "HEAD"])));
    assert!(refused.stderr.contains("a Git LFS pointer, and not the file"), "{refused:?}");
}

/// Readers would take the first or the last of two files, or make no image at all.
#[test]
fn artifacts_whose_files_are_not_apart_are_refused() {
    for (titles, error) in [
        (&["SKILL.md", "SKILL.md"][..], "two layers are the file \"SKILL.md\""),
        (&["SKILL.md", "a/b", "a"], "two layers are the file \"a\""),
        (&["SKILL.md", "a", "a/b"], "two layers are the file \"a/b\""),
        (&["SKILL.md", "../../evil"], "its title \"../../evil\" "),
        (&["README.md"], "no SKILL.md"),
    ] {
        let folder = Folder::with(&[]);
        let root = folder.root().join("artifact");
        std::fs::create_dir_all(&root).expect("a folder");
        let layout = Layout(&root);
        let layers: Vec<Value> = titles
            .iter()
            .enumerate()
            .map(|(at, title)| {
                let mut layer = layout.put("text/markdown", format!("{SKILL}{at}").as_bytes());
                layer["annotations"] = json!({"org.opencontainers.image.title": title});
                layer
            })
            .collect();
        layout.name(
            &layout.manifest(&layout.put("application/vnd.agentskills.skill.config.v1+json", b"{}"), &layers),
        );
        for args in [&["inspect", "artifact"][..], &["convert", "artifact", "--to", "l"]] {
            let said = folder.skills(args);
            assert!(matches!(said.code, 1 | 3) && said.stderr.contains(error), "{args:?}: {said:?}");
        }
        assert!(!folder.root().join("l").exists(), "{titles:?}");
    }
}

/// An agent that was given the artifact sees the same files when it is given the image.
#[test]
fn an_artifact_becomes_an_image_with_the_same_content() {
    let folder = Folder::with(&[]);
    let write = |name: &str, make: &dyn Fn(&Layout) -> Value| {
        let root = folder.root().join(name);
        std::fs::create_dir_all(&root).expect("a folder");
        let layout = Layout(&root);
        layout.name(&make(&layout));
    };
    write("files", &|layout| {
        let mut layers = [("SKILL.md", SKILL), ("references/a.md", "a")].map(|(title, text)| {
            let mut layer = layout.put("text/markdown", text.as_bytes());
            layer["annotations"] = json!({"org.opencontainers.image.title": title});
            layer
        });
        layers.reverse();
        layout.manifest(&layout.put("application/vnd.agentskills.skill.config.v1+json", b"{}"), &layers)
    });
    let redhat = gzip(&tar(&[file(b"SKILL.md", SKILL.as_bytes()), file(b"references/a.md", b"a")]));
    write("redhat", &|layout| {
        let layer = layout.put("application/vnd.redhat.agentskill.layer.v1.tar+gzip", &redhat);
        layout.manifest(&layout.put("application/vnd.redhat.agentskill.config.v1+json", b"{}"), &[layer])
    });
    let mut seen = Vec::new();
    for (name, format) in
        [("files", "agentskills artifact, a layer a file"), ("redhat", "skillimage, `--media-type redhat`")]
    {
        let before = folder.skills(&["inspect", name, "-o", "json"]).json();
        assert_eq!(before["image"]["format"], format);
        let to = format!("{name}-image");
        let said = folder.skills(&["convert", name, "--to", &to, "-t", "1"]);
        assert_eq!(said.code, 0, "{said:?}");
        let after = folder.skills(&["inspect", &to, "-o", "json"]).json();
        assert_eq!((&after["files"], &after["skills"]), (&before["files"], &before["skills"]));
        assert_eq!(after["image"]["format"], "skillimage");
        assert_eq!(after["image"]["annotations"]["org.opencontainers.image.title"], "pdf");
        seen.push(after["contentIdentity"].clone());
        let again = folder.skills(&["convert", &to, "--to", "x"]);
        assert_eq!((again.code, again.stderr.contains("it is an image already")), (3, true), "{again:?}");
    }
    assert_eq!(seen[0], seen[1]);
    let layers = folder.skills(&["inspect", "redhat-image", "-o", "json"]).json();
    assert_eq!(layers["image"]["layers"][0]["digest"], Digest::of(&redhat).as_str(), "the layer is the same");
}

/// A title that begins with `.wh.` would take a file out of the image that is made of the artifact.
#[test]
fn convert_refuses_a_title_that_would_remove_a_file() {
    for title in [".wh.SKILL.md", "notes/.wh.a", ".wh..wh..opq", ".wh.notes/a"] {
        let folder = Folder::with(&[]);
        let root = folder.root().join("artifact");
        std::fs::create_dir_all(&root).expect("a folder");
        let layout = Layout(&root);
        let layers = ["SKILL.md", title].map(|title| {
            let mut layer = layout.put("text/markdown", format!("{SKILL}{title}").as_bytes());
            layer["annotations"] = json!({"org.opencontainers.image.title": title});
            layer
        });
        layout.name(
            &layout.manifest(&layout.put("application/vnd.agentskills.skill.config.v1+json", b"{}"), &layers),
        );
        let said = folder.skills(&["convert", "artifact", "--to", "l"]);
        let words = format!("{title:?} begins with .wh., by which a layer says that another file is gone");
        assert!(said.code == 3 && said.stderr.contains(&words), "{said:?}");
        assert!(!folder.root().join("l").exists(), "{title}");
    }
}

/// Two skills of one name in one image: each line can be taken as it is, and all of them together.
#[test]
fn inspect_advises_lines_that_go_together() {
    let other = SKILL.replace("name: pdf", "name: tax");
    for (folders, wanted) in [
        (
            &[("img/a/pdf/SKILL.md", SKILL), ("img/b/pdf/SKILL.md", SKILL)][..],
            &[("a-pdf", "a/pdf"), ("b-pdf", "b/pdf")][..],
        ),
        (&[("img/one/SKILL.md", SKILL), ("img/two/SKILL.md", SKILL)], &[("one", "one"), ("two", "two")]),
        (
            &[("img/a/x/SKILL.md", SKILL), ("img/b/x/SKILL.md", &other), ("img/c/SKILL.md", SKILL)],
            &[("a-x", "a/x"), ("tax", "b/x"), ("c", "c")],
        ),
        (
            &[("img/a-b/c/SKILL.md", SKILL), ("img/a/b-c/SKILL.md", SKILL), ("img/d/c/SKILL.md", SKILL)],
            &[("a-b-c", "a-b/c"), ("b-c", "a/b-c"), ("d-c", "d/c")],
        ),
        (&[("img/x/SKILL.md", &other), ("img/tax/SKILL.md", "# none\n")], &[("tax", "tax"), ("tax-2", "x")]),
    ] {
        let folder = Folder::with(folders);
        assert_eq!(folder.skills(&["pack", "img", "--to", "l", "--force"]).code, 0);
        let said = folder.skills(&["inspect", "l"]).stdout;
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("- {name: ")).collect();
        let line = |(name, sub): &(&str, &str)| {
            format!("- {{name: {name}, image: REFERENCE, mountPath: /skills/{name}, subPath: {sub}}}")
        };
        assert_eq!(lines, wanted.iter().map(line).collect::<Vec<String>>(), "{said}");
    }
}

/// As other tools write a layout and its tag; a folder that looks like a file is pushed by nobody.
#[test]
fn the_tag_may_stand_after_the_layout_and_other_archives_are_refused() {
    let folder = skill();
    for (to, path, tag) in
        [("n.tar:two", "n.tar", "two"), ("oci:layout:1.0", "layout", "1.0"), ("layout:3", "layout", "3")]
    {
        let said = folder.skills(&["pack", "pdf", "--to", to]);
        assert!(said.code == 0 && folder.root().join(path).exists(), "{to}: {said:?}");
        assert!(!folder.root().join(to).exists(), "{to}");
        assert_eq!(folder.skills(&["inspect", &format!("./{path}:{tag}")]).code, 0, "{to}");
    }
    for (args, code, error) in [
        (
            &["--to", "n.tar:two", "-t", "one"][..],
            2,
            "--to n.tar:two: the tag is given twice, here and with -t",
        ),
        (&["--to", "m.tar:-"], 2, "--to m.tar:-: a tag is up to 128 letters"),
        (&["--to", "m.tar@sha256:00"], 2, "the digest is that of what is written; give a tag"),
        (
            &["--to", "x.tgz"],
            3,
            "OCI layout x.tgz: named like an archive of a kind that is not written (write x.tar, which is not compressed, or name a folder)",
        ),
        (&["--to", "x.TAR"], 3, "(write x.tar, which is not compressed, or name a folder)"),
        (&["--to", "x.tar.gz"], 3, "OCI layout x.tar.gz: named like an archive"),
        (&["--to", "x.zip:1"], 3, "OCI layout x.zip: named like an archive"),
    ] {
        let said = folder.skills(&[&["pack", "pdf"], args].concat());
        assert!(said.code == code && said.stderr.contains(error), "{args:?}: {said:?}");
    }
    let mut left: Vec<_> = std::fs::read_dir(folder.root())
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["layout", "n.tar", "pdf"]);
}

/// The file that a link leads to is what others read; a link that is replaced parts them.
#[cfg(unix)]
#[test]
fn a_tar_is_written_through_a_link() {
    use std::os::unix::fs::symlink;
    let folder = skill();
    folder.write("store/real.tar", "");
    symlink("store/real.tar", folder.path("link.tar")).expect("a link");
    for tag in ["1", "2"] {
        let said = folder.skills(&["pack", "pdf", "--to", "link.tar", "-t", tag]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(std::fs::symlink_metadata(folder.path("link.tar")).expect("a link").is_symlink());
    }
    for tag in ["1", "2"] {
        assert_eq!(folder.skills(&["inspect", &format!("store/real.tar:{tag}")]).code, 0);
    }
    assert_eq!(std::fs::read_dir(folder.path("store")).expect("a folder").count(), 1);
    symlink("nowhere/x.tar", folder.path("broken.tar")).expect("a link");
    let said = folder.skills(&["pack", "pdf", "--to", "broken.tar"]);
    assert!(
        said.code == 3 && said.stderr.contains("OCI layout broken.tar: a link: No such file"),
        "{said:?}"
    );
}
