//! The formats of skills: what manifests are recognised as, where skills are mounted, and the tables of
//! docs/skill-formats.md.

use kubectl_skills::api::image_volume::KNOWN_BAD;
use kubectl_skills::skill::format::{
    FORMATS, Format, Layout, Mounts, Runtime, Way, layout, markdown, recognise, recognise_index, ways,
};
use kubectl_skills::skill::oci::{Document, media_type, parse};
use serde_json::{Value, json};

use crate::docs;

const IMAGE: &str = media_type::OCI_CONFIG;
const LAYER: &str = media_type::OCI_LAYER_GZIP;

fn descriptor(media_type: &str) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", "a".repeat(64)), "size": 2})
}

/// The format of a manifest with an artifactType, a config, layers and the keys of annotations.
fn of(artifact: &str, config: &str, layers: &[&str], keys: &[&str], labels: &[u8]) -> Format {
    let annotations: serde_json::Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), "x".into())).collect();
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": descriptor(config),
        "layers": layers.iter().map(|layer| descriptor(layer)).collect::<Vec<_>>(), "annotations": annotations,
    });
    if !artifact.is_empty() {
        manifest["artifactType"] = artifact.into();
    }
    match parse(manifest.to_string().as_bytes(), None) {
        Ok(Document::Image(manifest)) => recognise(&manifest, Some(labels)),
        other => panic!("{other:?}"),
    }
}

/// Whoever takes an artifact for an image mounts nothing, or an archive.
#[test]
fn each_format_is_recognised_by_its_manifest() {
    let labels = json!({"config": {"Labels": {"dev.toolhive.skills.name": "pdf"}}}).to_string();
    let skill = "application/vnd.agentskills.skill.v1";
    let skill_config = "application/vnd.agentskills.skill.config.v1+json";
    let archive = "application/vnd.agentskills.skill.content.v1.tar+gzip";
    let raw = "application/octet-stream";
    let card = "application/vnd.docsclaw.skill.card.v1+yaml";
    let collection = "application/vnd.skillimage.collection.v1+yaml";
    let mut seen = Vec::new();
    for (artifact, config, layers, keys, labels, expected) in [
        ("", IMAGE, &[LAYER][..], &[][..], "", Format::PlainImage),
        (
            "",
            media_type::DOCKER_CONFIG,
            &[media_type::DOCKER_LAYER_GZIP],
            &[],
            "not JSON",
            Format::PlainImage,
        ),
        ("", IMAGE, &[LAYER], &["io.skillimage.status"], "", Format::SkillImage),
        (
            "",
            "application/vnd.redhat.agentskill.config.v1+json",
            &["application/vnd.redhat.agentskill.layer.v1.tar+gzip"],
            &["io.skillimage.status"],
            "",
            Format::RedHat,
        ),
        ("dev.toolhive.skills.v1", IMAGE, &[LAYER], &[], "", Format::ToolHive),
        ("", IMAGE, &[LAYER], &[], &labels, Format::ToolHive),
        ("", IMAGE, &[LAYER], &["dev.toolhive.skills.name"], "", Format::ToolHive),
        (skill, skill_config, &[archive], &["io.agentskills.skill.name"], "", Format::AgentSkills),
        ("", skill_config, &[archive], &[], "", Format::AgentSkills),
        (skill, media_type::EMPTY, &[raw, raw], &[], "", Format::AgentSkillsFiles),
        (skill, skill_config, &[card, raw], &[], "", Format::Docsclaw),
        (skill, skill_config, &[raw], &["io.docsclaw.skill.resources.cpu"], "", Format::Docsclaw),
        (skill, IMAGE, &[LAYER], &["io.agentskills.skill.name"], "", Format::DocsclawImage),
        ("", IMAGE, &[LAYER], &["io.docsclaw.skill.tools.required"], "", Format::DocsclawImage),
        (
            "",
            "application/vnd.cncf.flux.config.v1+json",
            &["application/vnd.cncf.flux.content.v1.tar+gzip"],
            &[],
            "",
            Format::Flux,
        ),
        (
            "application/vnd.cncf.skill.manifest.v1+json",
            "application/vnd.cncf.skill.config.v1+json",
            &["application/vnd.cncf.skill.bundle.v1.tar+gzip"],
            &[],
            "",
            Format::Cnai,
        ),
        (collection, media_type::EMPTY, &[collection], &[], "", Format::SkillImageCollection),
        ("", "application/vnd.wasm.config.v1+json", &["application/wasm"], &[], "", Format::Unknown),
    ] {
        assert_eq!(
            of(artifact, config, layers, keys, labels.as_bytes()),
            expected,
            "{artifact} {config} {keys:?}"
        );
        seen.push(expected);
    }
    let index = json!({"schemaVersion": 2, "artifactType": "application/vnd.agentskills.collection.v1", "manifests": []});
    match parse(index.to_string().as_bytes(), None) {
        Ok(Document::Index(index)) => {
            assert_eq!(recognise_index(&index), Some(Format::AgentSkillsCollection))
        }
        other => panic!("{other:?}"),
    }
    seen.push(Format::AgentSkillsCollection);
    let missing: Vec<&str> =
        FORMATS.iter().filter(|row| !seen.contains(&row.format)).map(|row| row.name).collect();
    assert_eq!(missing, [""; 0], "formats that nothing is recognised as");
}

/// Whether a kubelet can mount it decides whether a pod starts.
#[test]
fn images_are_mounted_everywhere_and_artifacts_as_files_on_cri_o_alone() {
    for row in &FORMATS {
        let [containerd, crio] = Runtime::ALL.map(|runtime| row.format.on(runtime).mounts);
        assert_eq!(containerd == Mounts::Folder, row.format.is_image(), "{}", row.name);
        assert_ne!(containerd, Mounts::Layers, "{}", row.name);
        assert!(crio != Mounts::Folder || containerd == Mounts::Folder, "{}", row.name);
        for answer in [row.containerd, row.crio] {
            assert_eq!(answer.since.is_empty(), answer.mounts == Mounts::No, "{}", row.name);
        }
    }
    assert_eq!(Format::Unknown.on(Runtime::Crio).mounts, Mounts::Unknown);
}

/// What a mount path makes of an image: a skill that lies deeper than its agent looks is not there.
#[test]
fn skills_are_mounted_where_an_agent_finds_them() {
    assert_eq!(layout(["README.md", "docs/skill.md"]), Layout::None);
    assert_eq!(layout(["./SKILL.md", "examples/a/SKILL.md", "scripts/x.py"]), Layout::Root);
    let folders = |names: &[&str]| Layout::Folders(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(
        layout(["pdf/SKILL.md", "pdf/examples/x/SKILL.md", "pdf-2/SKILL.md"]),
        folders(&["pdf", "pdf-2"])
    );
    assert_eq!(
        layout(["/skills/a/x/SKILL.md", "skills/b/y/SKILL.md"]),
        folders(&["skills/a/x", "skills/b/y"])
    );

    assert_eq!(ways(&Layout::None, "/skills", "pdf"), []);
    let whole = Way {
        mounts: vec![("/skills/pdf".into(), None)],
        folders: vec!["/skills/pdf".into()],
        found_in_root: true,
    };
    assert_eq!(ways(&Layout::Root, "/skills/", "pdf"), [whole]);
    let each = Way {
        mounts: vec![
            ("/skills/x".into(), Some("skills/a/x".into())),
            ("/skills/y".into(), Some("skills/b/y".into())),
        ],
        folders: vec!["/skills/x".into(), "/skills/y".into()],
        found_in_root: true,
    };
    let listed = Way {
        mounts: vec![("/skills/tools".into(), None)],
        folders: vec!["/skills/tools/skills/a/x".into(), "/skills/tools/skills/b/y".into()],
        found_in_root: false,
    };
    assert_eq!(ways(&folders(&["skills/a/x", "skills/b/y"]), "/skills", "tools"), [each, listed]);
    // Two skills of one name are called by the whole way to them.
    let same = ways(&folders(&["a/x", "b/x", "c"]), "/skills", "tools");
    let mounts = [("a-x", "a/x"), ("b-x", "b/x"), ("c", "c")];
    let mounts = mounts.map(|(name, folder)| (format!("/skills/{name}"), Some(folder.to_owned())));
    assert_eq!((same[0].mounts.as_slice(), same[0].found_in_root), (mounts.as_slice(), true));
}

/// The releases of runtimes that fail although their number promises more, as the page lists them.
fn known_bad() -> String {
    let mut out = "| runtime | it | what to do | reported |\n|---|---|---|---|\n".to_owned();
    for bad in &KNOWN_BAD {
        let build = if bad.build.is_empty() { String::new() } else { format!("{}*", bad.build) };
        let only = if bad.only.is_empty() { String::new() } else { format!(" {}", bad.only) };
        out.push_str(&format!(
            "| {} {}{build}{only} | {} | {} | {} |\n",
            bad.runtime, bad.release, bad.does, bad.mend, bad.source
        ));
    }
    out
}

/// The page is what people choose a format by.
#[test]
fn the_page_has_the_tables() {
    docs::table("skill-formats.md", "formats", &markdown());
    docs::table("skill-formats.md", "known-bad", &known_bad());
}
