//! Which image of an index is looked into, and what is seen of it.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use super::*;
use crate::api::error::Fault;
use crate::skill::content::Failed;
use crate::skill::oci::media_type;
use crate::skill::pack::{self, Member};

/// Blobs by digest.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn put(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes).to_string();
        self.0.insert(digest.clone(), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn put_json(&mut self, media_type: &str, value: &Value) -> Value {
        self.put(media_type, value.to_string().as_bytes())
    }

    /// An image of one file, for a machine.
    fn image(&mut self, text: &str, architecture: &str) -> Value {
        let member = Member { path: "SKILL.md".into(), size: text.len() as u64, executable: false };
        let mut open = |_| Ok(Box::new(text.as_bytes()) as Box<dyn Read>);
        let (packed, bytes) =
            pack::layer(&[member], &mut open, &Limits::default(), Vec::new()).expect("memory");
        let layer = self.put(media_type::OCI_LAYER_GZIP, &bytes);
        let config = json!({"architecture": architecture, "os": "linux", "rootfs": {"diff_ids": [packed.diff_id.as_str()]}});
        let config = self.put_json(media_type::OCI_CONFIG, &config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        self.put_json(media_type::OCI_MANIFEST, &manifest)
    }

    fn index(&mut self, entries: &[(Value, Option<&str>)]) -> Value {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(descriptor, platform)| {
                let mut entry = descriptor.clone();
                if let Some((os, architecture)) = platform.and_then(|platform| platform.split_once('/')) {
                    entry["platform"] = json!({"os": os, "architecture": architecture});
                }
                entry
            })
            .collect();
        self.put_json(media_type::OCI_INDEX, &json!({"schemaVersion": 2, "manifests": entries}))
    }
}

fn none() -> Failed {
    Failed { fault: Fault::Input, message: "not found".into(), help: String::new() }
}

impl Content for Memory {
    fn manifest(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, Failed> {
        self.0.get(descriptor.digest.as_str()).cloned().ok_or_else(none)
    }

    fn blob(&mut self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Failed> {
        let bytes = self.0.get(descriptor.digest.as_str()).ok_or_else(none)?;
        Ok(Box::new(&bytes[..]))
    }
}

fn look(memory: &mut Memory, root: &Value, platform: Option<&str>) -> Result<Inspected, String> {
    let root: Descriptor = serde_json::from_value(root.clone()).expect("a descriptor");
    image(memory, "ref", &root, platform, &Limits::default()).map_err(|error| error.to_string())
}

/// Words of the SKILL.md that was seen.
fn words(found: Result<Inspected, String>) -> Result<usize, String> {
    found.map(|found| found.skills[0].description.words)
}

#[test]
fn an_index_is_looked_into_as_a_node_would() {
    let mut memory = Memory::default();
    let (amd, arm) = (memory.image("one", "amd64"), memory.image("one two", "arm64"));
    let attestation = memory.image("", "unknown");
    let both = memory.index(&[
        (attestation.clone(), Some("unknown/unknown")),
        (arm.clone(), Some("linux/arm64")),
        (amd.clone(), Some("linux/amd64")),
    ]);
    assert_eq!(words(look(&mut memory, &both, None)), Ok(1));
    assert_eq!(words(look(&mut memory, &both, Some("linux/arm64"))), Ok(2));
    let error = look(&mut memory, &both, Some("linux/s390x")).expect_err("none");
    assert!(
        error.starts_with("no manifest for linux/s390x; the index has linux/arm64, linux/amd64"),
        "{error}"
    );
    // An index of one, with or without its machine, and an index in an index.
    let one = memory.index(&[(attestation, Some("unknown/unknown")), (arm.clone(), Some("linux/arm64"))]);
    assert_eq!(words(look(&mut memory, &one, None)), Ok(2));
    assert!(look(&mut memory, &one, Some("linux/amd64")).is_err());
    let bare = memory.index(&[(arm.clone(), None)]);
    assert_eq!(words(look(&mut memory, &bare, Some("linux/amd64"))), Ok(2));
    // The machine that 'pull --to' runs on is a default, and no wish: an image for another one alone is pulled all the same.
    let lone = memory.index(&[(amd.clone(), Some("linux/amd64"))]);
    let lone: Descriptor = serde_json::from_value(lone).expect("a descriptor");
    let mut on_arm = |platform| {
        choose(&mut memory, &lone, platform, "linux/arm64")
            .map(|chosen| chosen.platform)
            .map_err(|error| error.message)
    };
    assert_eq!(on_arm(None), Ok(Some("linux/amd64".to_owned())));
    let none = "no manifest for linux/arm64; the index has linux/amd64".to_owned();
    assert_eq!(on_arm(Some("linux/arm64")), Err(none));
    let nested = memory.index(&[(both, None)]);
    assert_eq!(words(look(&mut memory, &nested, None)), Ok(1));
    let ambiguous = memory.index(&[(arm, Some("linux/arm64")), (amd, Some("linux/riscv64"))]);
    assert!(look(&mut memory, &ambiguous, None).is_err());
}

#[test]
fn what_is_seen_of_an_image() {
    let mut memory = Memory::default();
    let text = "---\nname: pdf\ndescription: Reads PDF\n---\n# PDF\n";
    let root = memory.image(text, "arm64");
    let mut found = serde_json::to_value(look(&mut memory, &root, None).expect("an image")).expect("JSON");
    let layer = found["image"]["layers"][0].take();
    let identity = "skill content v1\n- SHA SKILL.md\n".replace("SHA", Digest::of(text.as_bytes()).hex());
    let identity = Digest::of(identity.as_bytes());
    let expected = json!({
        "reference": "ref",
        "image": {
            "digest": root["digest"], "manifest": root["digest"], "platform": "linux/arm64", "platforms": [],
            "format": "plain image", "runtimes": [
                {"runtime": "containerd", "mounts": "folder", "sees": "the files", "since": "2.1"},
                {"runtime": "CRI-O", "mounts": "folder", "sees": "the files", "since": "1.31"},
            ],
            "how": "at the root: mountPath ROOT/NAME; in folders: subPath, or their paths in SKILL_FOLDERS",
            "configMediaType": media_type::OCI_CONFIG, "annotations": {}, "layers": [null],
        },
        "skills": [{
            "folder": "", "name": "pdf", "description": "Reads PDF", "words": 2, "lines": 1, "tokens": 2,
            "files": 1, "executables": 0, "bytes": text.len(), "contentIdentity": identity.as_str(),
        }],
        "listing": {"characters": 3 + 9 + 109, "tokens": 1 + 3 + 28},
        "contentIdentity": identity.as_str(),
        "bytes": text.len(),
        "files": [{
            "path": "SKILL.md", "type": "text", "size": text.len(), "executable": false,
            "sha256": Digest::of(text.as_bytes()).hex(),
        }],
    });
    assert_eq!(found, expected);
    assert_eq!(layer["entries"], 1);
}

/// docsclaw's artifacts and the agentskills proposal: a layer a file, named by its title.
#[test]
fn an_artifact_of_files_is_seen_as_the_same_content() {
    let mut memory = Memory::default();
    let config = memory.put("application/vnd.agentskills.skill.config.v1+json", b"{}");
    let layer = |memory: &mut Memory, title: &str, text: &str| {
        let mut layer = memory.put("text/markdown", text.as_bytes());
        layer["annotations"] = json!({ TITLE: title });
        layer
    };
    let text = "---\nname: pdf\ndescription: x\n---\n";
    let layers = [layer(&mut memory, "SKILL.md", text), layer(&mut memory, "references/a.md", "a")];
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
    let root = memory.put_json(media_type::OCI_MANIFEST, &manifest);
    let found = look(&mut memory, &root, None).expect("an artifact");
    assert_eq!(found.image.as_ref().map(|image| image.format), Some("agentskills artifact, a layer a file"));
    let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["SKILL.md", "references/a.md"]);
    let plain = memory.image(text, "amd64");
    let one = json!({"schemaVersion": 2, "config": config, "layers": [layer(&mut memory, "SKILL.md", text)]});
    let one = memory.put_json(media_type::OCI_MANIFEST, &one);
    let identity = |found: Result<Inspected, String>| found.expect("an image").content_identity;
    assert_eq!(identity(look(&mut memory, &one, None)), identity(look(&mut memory, &plain, None)));
    for wrong in ["../SKILL.md", "/SKILL.md", ""] {
        let manifest =
            json!({"schemaVersion": 2, "config": config, "layers": [layer(&mut memory, wrong, text)]});
        let root = memory.put_json(media_type::OCI_MANIFEST, &manifest);
        assert!(look(&mut memory, &root, None).is_err(), "{wrong:?} would be a file");
    }
}
