//! The formats in which skills lie in registries, as data: a manifest in, its format out, and for each container runtime
//! whether a kubelet can mount it and what the agent then sees. Where in an image its skills are is read from its paths
//! ([`layout`]); reading manifests and layers is left to others.
//!
//! Sources: redhat-et/skillimage 92dde21 (pkg/oci/mediatype.go, collection.go), stacklok/toolhive-core 24d618f
//! (mediatypes.go), redhat-et/docsclaw 94d5dc7 (internal/oci/media.go, ADR-0001), agentskills discussion 292,
//! controlplaneio-fluxcd/flux-operator 17c6aea; containerd/containerd#11907, #11578, #11580, cri-o/cri-o#9062, #9159, #9150.

use super::oci::{Index, Manifest, media_type};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An image that says nothing of skills.
    PlainImage,
    /// An image of skillctl.
    SkillImage,
    /// The same with Red Hat's media types.
    RedHat,
    /// An image of `thv skill`.
    ToolHive,
    /// An artifact of the agentskills proposal: one archive.
    AgentSkills,
    /// The same with a layer for each file.
    AgentSkillsFiles,
    /// docsclaw's artifact, with a card.
    Docsclaw,
    /// docsclaw's image.
    DocsclawImage,
    /// An artifact of flux-operator.
    Flux,
    /// A skill of the CNCF's cloud-native AI group.
    Cnai,
    /// A list of skills of skillctl.
    SkillImageCollection,
    /// A list of skills of the agentskills proposal.
    AgentSkillsCollection,
    /// None of these.
    Unknown,
}

/// A container runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// containerd
    Containerd,
    /// CRI-O
    Crio,
}

/// Whether a runtime can mount a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounts {
    /// As the folder that its layers make.
    Folder,
    /// As a folder with a file for each layer, by its title; nothing is unpacked.
    Layers,
    /// Not at all: the pod waits with `ErrImagePull` or `CreateContainerError`.
    No,
    /// Nobody has tried.
    Unknown,
}

/// What a runtime does with a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Whether it can mount it.
    pub mounts: Mounts,
    /// What the agent sees there.
    pub sees: &'static str,
    /// The first release that does; empty where none does.
    pub since: &'static str,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The format.
    pub format: Format,
    /// What it is called.
    pub name: &'static str,
    /// What it is recognised by.
    pub known_by: &'static str,
    /// Where `SKILL.md` is in it.
    pub content: &'static str,
    /// containerd's answer.
    pub containerd: Answer,
    /// CRI-O's answer.
    pub crio: Answer,
    /// What to do so that an agent has the skill.
    pub how: &'static str,
}

const NO: Answer = Answer { mounts: Mounts::No, sees: "nothing: the pod does not start", since: "" };
const IMAGE: Answer = Answer { mounts: Mounts::Folder, sees: "the files", since: "2.1" };
const CRIO_IMAGE: Answer = Answer { since: "1.31", ..IMAGE };
const CRIO_FILES: Answer = Answer { mounts: Mounts::Layers, sees: "the files", since: "1.33" };
const CRIO_ARCHIVE: Answer =
    Answer { mounts: Mounts::Layers, sees: "one archive that no agent opens", since: "1.33" };

const AT_NAME: &str = "mountPath ROOT/NAME";
const CONVERT: &str = "make an image of it: `kubectl skills convert`";

/// The table.
pub static FORMATS: [Row; 12] = [
    Row {
        format: Format::PlainImage,
        name: "plain image",
        known_by: "config of an image, nothing else",
        content: "at the root by convention, or in folders",
        containerd: IMAGE,
        crio: CRIO_IMAGE,
        how: "at the root: mountPath ROOT/NAME; in folders: subPath, or their paths in SKILL_FOLDERS",
    },
    Row {
        format: Format::SkillImage,
        name: "skillimage",
        known_by: "config of an image, annotations `io.skillimage.*`",
        content: "at the root",
        containerd: IMAGE,
        crio: CRIO_IMAGE,
        how: AT_NAME,
    },
    Row {
        format: Format::RedHat,
        name: "skillimage, `--media-type redhat`",
        known_by: "config `application/vnd.redhat.agentskill.config.v1+json`",
        content: "at the root of one archive",
        containerd: NO,
        crio: CRIO_ARCHIVE,
        how: CONVERT,
    },
    Row {
        format: Format::ToolHive,
        name: "ToolHive",
        known_by: "artifactType `dev.toolhive.skills.v1` with the config of an image, or its annotations or labels `dev.toolhive.skills.*`",
        content: "at the root",
        containerd: IMAGE,
        crio: Answer {
            mounts: Mounts::Unknown,
            sees: "the files, or one archive: it tries an artifact before an image",
            since: "1.31",
        },
        how: AT_NAME,
    },
    Row {
        format: Format::AgentSkills,
        name: "agentskills artifact",
        known_by: "artifactType `application/vnd.agentskills.skill.v1`, a layer `...content.v1.tar+gzip`",
        content: "in the folder NAME of one archive",
        containerd: NO,
        crio: CRIO_ARCHIVE,
        how: CONVERT,
    },
    Row {
        format: Format::AgentSkillsFiles,
        name: "agentskills artifact, a layer a file",
        known_by: "artifactType or config of agentskills, raw layers with titles",
        content: "a layer",
        containerd: NO,
        crio: CRIO_FILES,
        how: "CRI-O: mountPath ROOT/NAME; else `kubectl skills convert`",
    },
    Row {
        format: Format::Docsclaw,
        name: "docsclaw artifact",
        known_by: "config of agentskills, a layer `application/vnd.docsclaw.skill.card.v1+yaml` or annotations `io.docsclaw.*`",
        content: "a layer",
        containerd: NO,
        crio: CRIO_FILES,
        how: "CRI-O: mountPath ROOT/NAME; else `docsclaw skill pack --as-image` or `kubectl skills convert`",
    },
    Row {
        format: Format::DocsclawImage,
        name: "docsclaw, `--as-image`",
        known_by: "config of an image, annotations `io.docsclaw.*` or `io.agentskills.skill.name`",
        content: "at the root",
        containerd: IMAGE,
        crio: CRIO_IMAGE,
        how: AT_NAME,
    },
    Row {
        format: Format::Flux,
        name: "flux-operator",
        known_by: "config `application/vnd.cncf.flux.config.v1+json`",
        content: "in folders of one archive",
        containerd: NO,
        crio: CRIO_ARCHIVE,
        how: CONVERT,
    },
    Row {
        format: Format::Cnai,
        name: "CNAI",
        known_by: "artifactType `application/vnd.cncf.skill.manifest.v1+json` or its config",
        content: "in one archive",
        containerd: NO,
        crio: CRIO_ARCHIVE,
        how: CONVERT,
    },
    Row {
        format: Format::SkillImageCollection,
        name: "collection of skillimage",
        known_by: "artifactType `application/vnd.skillimage.collection.v1+yaml`",
        content: "not there: a list of images",
        containerd: NO,
        crio: Answer { mounts: Mounts::Layers, sees: "the list, no skill", since: "1.33" },
        how: "fetch the file of the list (`oras blob fetch`), and `kubectl skills import` it",
    },
    Row {
        format: Format::AgentSkillsCollection,
        name: "collection of agentskills",
        known_by: "an index with artifactType `application/vnd.agentskills.collection.v1`",
        content: "not there: an index of skills",
        containerd: NO,
        crio: NO,
        how: "name its skills one by one",
    },
];

impl Format {
    /// Its row; none if the format is unknown.
    pub fn row(self) -> Option<&'static Row> {
        FORMATS.iter().find(|row| row.format == self)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        self.row().map_or("unknown", |row| row.name)
    }

    /// What a runtime does with it.
    pub fn on(self, runtime: Runtime) -> Answer {
        let unknown = Answer { mounts: Mounts::Unknown, sees: "not known", since: "" };
        self.row().map_or(unknown, |row| match runtime {
            Runtime::Containerd => row.containerd,
            Runtime::Crio => row.crio,
        })
    }

    /// Whether every runtime mounts it as a folder.
    pub fn is_image(self) -> bool {
        matches!(self, Self::PlainImage | Self::SkillImage | Self::ToolHive | Self::DocsclawImage)
    }
}

impl Runtime {
    /// Both.
    pub const ALL: [Runtime; 2] = [Runtime::Containerd, Runtime::Crio];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Crio => "CRI-O",
        }
    }

    /// The first release that mounts a folder of an image alone (`subPath`). containerd 2.1 passes over it, and mounts the
    /// whole image; of files both make no mount.
    pub fn sub_path_since(self) -> &'static str {
        match self {
            Self::Containerd => "2.2",
            Self::Crio => "1.33",
        }
    }
}

const COLLECTION: &str = "application/vnd.skillimage.collection.v1+yaml";
const SKILLS_COLLECTION: &str = "application/vnd.agentskills.collection.v1";
const TOOLHIVE: &str = "dev.toolhive.skills.v1";
const TOOLHIVE_KEYS: &str = "dev.toolhive.skills.";
const REDHAT: &str = "application/vnd.redhat.agentskill.";
const AGENTSKILLS: &str = "application/vnd.agentskills.skill.";
const DOCSCLAW_CARD: &str = "application/vnd.docsclaw.skill.card.";
const DOCSCLAW_KEYS: &str = "io.docsclaw.";
const FLUX: &str = "application/vnd.cncf.flux.";
const CNAI: &str = "application/vnd.cncf.skill.";
const SKILLIMAGE_KEYS: &str = "io.skillimage.";
const AGENTSKILLS_NAME: &str = "io.agentskills.skill.name";

/// The format of a manifest. `config` is its configuration, which ToolHive puts labels into; without it these are not seen.
pub fn recognise(manifest: &Manifest, config: Option<&[u8]>) -> Format {
    let artifact = manifest.artifact_type.as_deref().unwrap_or_default();
    let configured = manifest.config.media_type.as_str();
    let is_of = |prefix: &str| artifact.starts_with(prefix) || configured.starts_with(prefix);
    let has_layer = |fits: &dyn Fn(&str) -> bool| manifest.layers.iter().any(|layer| fits(&layer.media_type));
    let has_key = |prefix: &str| manifest.annotations.keys().any(|key| key.starts_with(prefix));
    if is_of(COLLECTION) || has_layer(&|layer| layer == COLLECTION) {
        return Format::SkillImageCollection;
    }
    if is_of(SKILLS_COLLECTION) {
        return Format::AgentSkillsCollection;
    }
    if is_of(REDHAT) || has_layer(&|layer| layer.starts_with(REDHAT)) {
        return Format::RedHat;
    }
    if is_of(FLUX) {
        return Format::Flux;
    }
    if is_of(CNAI) {
        return Format::Cnai;
    }
    let is_image = matches!(configured, media_type::OCI_CONFIG | media_type::DOCKER_CONFIG);
    if artifact == TOOLHIVE || is_image && (has_key(TOOLHIVE_KEYS) || has_label(config, TOOLHIVE_KEYS)) {
        return Format::ToolHive;
    }
    let has_card = has_layer(&|layer| layer.starts_with(DOCSCLAW_CARD));
    if is_image {
        // Images for docsclaw have the artifactType of the proposal as well.
        return if has_key(SKILLIMAGE_KEYS) {
            Format::SkillImage
        } else if has_card || has_key(DOCSCLAW_KEYS) || has_key(AGENTSKILLS_NAME) {
            Format::DocsclawImage
        } else {
            Format::PlainImage
        };
    }
    if is_of(AGENTSKILLS) || has_layer(&|layer| layer.starts_with(AGENTSKILLS)) {
        let is_archive = |layer: &str| layer.contains(".tar");
        return match has_layer(&is_archive) {
            true => Format::AgentSkills,
            false if has_card || has_key(DOCSCLAW_KEYS) => Format::Docsclaw,
            false => Format::AgentSkillsFiles,
        };
    }
    Format::Unknown
}

/// The format of an index that is more than one image for several machines.
pub fn recognise_index(index: &Index) -> Option<Format> {
    match index.artifact_type.as_deref()? {
        SKILLS_COLLECTION => Some(Format::AgentSkillsCollection),
        TOOLHIVE => Some(Format::ToolHive),
        _ => None,
    }
}

/// Whether the configuration of an image has a label whose key begins so.
fn has_label(config: Option<&[u8]>, prefix: &str) -> bool {
    let read = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let config = config.and_then(read).unwrap_or_default();
    let labels = config.pointer("/config/Labels").and_then(serde_json::Value::as_object);
    labels.is_some_and(|labels| labels.keys().any(|key| key.starts_with(prefix)))
}

/// Where the skills of an image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Nowhere.
    None,
    /// At the root: the image is one skill.
    Root,
    /// In these folders, without a slash at an edge.
    Folders(Vec<String>),
}

/// Where the skills of an image are, from the paths of its files. A `SKILL.md` below another one is part of that skill.
pub fn layout<'p>(paths: impl IntoIterator<Item = &'p str>) -> Layout {
    let clean = |path: &'p str| path.trim_start_matches("./").trim_start_matches('/');
    let folder = |path: &'p str| match path.rsplit_once('/') {
        Some((folder, "SKILL.md")) => Some(folder),
        None if path == "SKILL.md" => Some(""),
        _ => None,
    };
    let mut folders: Vec<&str> = paths.into_iter().map(clean).filter_map(folder).collect();
    folders.sort_unstable();
    folders.dedup();
    match folders.first() {
        None => return Layout::None,
        Some(&"") => return Layout::Root,
        _ => {}
    }
    let mut kept: Vec<String> = Vec::new();
    for folder in folders {
        let is_below =
            |above: &String| folder.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if !kept.iter().any(is_below) {
            kept.push(folder.to_owned());
        }
    }
    Layout::Folders(kept)
}

/// One way to give an agent the skills of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The mounts: `mountPath`, and `subPath` if there is one.
    pub mounts: Vec<(String, Option<String>)>,
    /// The folders that an agent has to be given, one for each skill: entries of `SKILL_FOLDERS`.
    pub folders: Vec<String>,
    /// Whether an agent that looks into the root by itself finds them.
    pub found_in_root: bool,
}

/// The ways to mount an image with such a layout below `root`, the best first. `name` is what the image is called.
pub fn ways(layout: &Layout, root: &str, name: &str) -> Vec<Way> {
    let root = root.trim_end_matches('/');
    let whole = format!("{root}/{name}");
    let folders = match layout {
        Layout::None => return Vec::new(),
        Layout::Root => {
            let mounts = vec![(whole.clone(), None)];
            return vec![Way { mounts, folders: vec![whole], found_in_root: true }];
        }
        Layout::Folders(folders) => folders,
    };
    let base = |folder: &str| folder.rsplit('/').next().unwrap_or_default().to_owned();
    let listed = Way {
        mounts: vec![(whole.clone(), None)],
        folders: folders.iter().map(|folder| format!("{whole}/{folder}")).collect(),
        found_in_root: false,
    };
    // Two skills of one name cannot lie in one folder: these are called by the whole way to them.
    let alone = |folder: &str| folders.iter().filter(|other| base(other) == base(folder)).count() == 1;
    let mut places: Vec<String> = Vec::new();
    for folder in folders {
        let name = if alone(folder) { base(folder) } else { folder.replace('/', "-") };
        let name = |count: usize| match count {
            1 => format!("{root}/{name}"),
            _ => format!("{root}/{name}-{count}"),
        };
        places.extend((1..).map(name).find(|place| !places.contains(place)));
    }
    let mounts = places.iter().cloned().zip(folders.iter().cloned().map(Some)).collect();
    vec![Way { mounts, folders: places, found_in_root: true }, listed]
}

/// The table of docs/skill-formats.md.
pub fn markdown() -> String {
    let cell = |runtime: Runtime, answer: Answer| {
        let since = format!("{} {}", runtime.name(), answer.since);
        match answer.mounts {
            Mounts::Folder => format!("yes, from {since}: {}", answer.sees),
            Mounts::Layers => format!("a file a layer, from {since}: {}", answer.sees),
            Mounts::No => "no".to_owned(),
            Mounts::Unknown => format!("not tried: {}", answer.sees),
        }
    };
    let mut out = "| format | recognised by | SKILL.md | containerd | CRI-O | how an agent gets it |\n|---|---|---|---|---|---|\n".to_owned();
    for row in &FORMATS {
        let Row { name, known_by, content, how, .. } = row;
        let containerd = cell(Runtime::Containerd, row.containerd);
        let crio = cell(Runtime::Crio, row.crio);
        out.push_str(&format!("| {name} | {known_by} | {content} | {containerd} | {crio} | {how} |\n"));
    }
    out
}
