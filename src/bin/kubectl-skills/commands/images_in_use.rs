//! The skill images that manifests, the kustomizations among them and a lock name: files in, each image once out, with who
//! names it. Asking registries about them is left to `image_versions`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::kustomization::NAMES;
use kubectl_skills::manifest::kustomize_images::{ImageEntry, entries};
use kubectl_skills::manifest::skill_images::skill_images;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::wanted_images::wanted;
use kubectl_skills::skill::lock::{FILE, Lock};

use crate::commands::files::left_out;
use crate::exit::Failure;
use crate::notes;
use crate::planning::{DEFAULT_NAMESPACE, read_lock};
use crate::registry::reference::Reference;
use crate::source::{Inputs, read_text};

/// Which lock.
#[derive(Debug, Clone, Default, Args)]
pub struct LockArgs {
    /// Lock that says which images are in use [default: skills.lock in the working directory, where it is there]
    #[arg(long, value_name = "FILE")]
    lock_file: Option<PathBuf>,
    // Where the configuration file puts its `locked`: a lock of the command line decides.
    #[arg(long, value_name = "FILE", hide = true)]
    locked: Option<PathBuf>,
}

/// A lock that was read.
pub struct LockFile {
    /// Where it stands.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub lock: Lock,
}

impl LockArgs {
    /// Whether one was named on the command line.
    pub fn given(&self) -> bool {
        self.lock_file.is_some()
    }

    /// Reads it; `None` where none was named and there is none.
    pub fn read(&self) -> Result<Option<LockFile>, Failure> {
        let path = match self.lock_file.as_ref().or(self.locked.as_ref()) {
            Some(path) => path.clone(),
            None if Path::new(FILE).is_file() => FILE.into(),
            None => return Ok(None),
        };
        let (text, lock) = read_lock(&path)?;
        Ok(Some(LockFile { path, text, lock }))
    }
}

/// An image, and who names it.
#[derive(Debug, Clone)]
pub struct InUse {
    /// As it is written; by a kustomization, as manifests get it.
    pub image: String,
    /// The same, read.
    pub reference: Reference,
    /// The objects and kustomizations that name it, or the lock alone.
    pub named_by: Vec<String>,
    /// Names of the skills that it is of.
    pub skills: BTreeSet<String>,
    /// How manifests write it; none of a kustomization or lock.
    pub written: BTreeSet<String>,
    /// The entries of kustomizations that make it, by the index of their file.
    pub entries: Vec<(usize, ImageEntry)>,
}

impl InUse {
    /// An image that nobody names yet.
    pub fn new(image: &str, reference: Reference) -> Self {
        Self {
            image: image.to_owned(),
            reference,
            named_by: Vec::new(),
            skills: BTreeSet::new(),
            written: BTreeSet::new(),
            entries: Vec::new(),
        }
    }
}

/// A file that kustomize reads.
pub struct Kustomization {
    /// Where it stands.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// What files name.
pub struct ImagesInUse {
    /// In the order of the files.
    pub images: Vec<InUse>,
    /// The kustomizations among them.
    pub kustomizations: Vec<Kustomization>,
}

/// The images of manifests and of the kustomizations in their folders.
pub fn of_manifests(inputs: &Inputs, stream: &Stream<'_>, kinds: Kinds) -> Result<ImagesInUse, Failure> {
    let mut out = ImagesInUse { images: Vec::new(), kustomizations: Vec::new() };
    for one in wanted(skill_images(stream, kinds)?)? {
        let image = one.to_resolve();
        let reference = Reference::parse(&image)
            .map_err(|why| Failure::input(format!("{image}: {why}"), "correct the reference"))?;
        let used = entry(&mut out.images, &image, reference);
        for by in one.named_by {
            let name = by.object.to_string();
            if !used.named_by.contains(&name) {
                used.named_by.push(name);
            }
            used.skills.insert(by.skill);
            used.written.insert(by.image);
        }
    }
    let named_alone = inputs.paths.iter().flatten().filter(|path| is_kustomization(path));
    for path in inputs.kustomizations.iter().chain(named_alone) {
        let text = read_text(path)?;
        let file = out.kustomizations.len();
        for found in entries(&text) {
            let Some(image) = found.reference() else { continue };
            // Names of containers' images stand there as well.
            let Ok(name) = Reference::parse(&found.name) else { continue };
            let of: BTreeSet<String> = out
                .images
                .iter()
                .filter(|used| !used.written.is_empty() && used.reference.name() == name.name())
                .flat_map(|used| used.skills.iter().cloned())
                .collect();
            if of.is_empty() {
                continue;
            }
            let place = format!("{}: images[{}]", path.display(), found.index);
            let reference = Reference::parse(&image)
                .map_err(|why| Failure::input(format!("{place}: {why}"), "correct the entry"))?;
            let used = entry(&mut out.images, &image, reference);
            used.skills.extend(of);
            used.named_by.push(place);
            used.entries.push((file, found));
        }
        out.kustomizations.push(Kustomization { path: path.clone(), text });
    }
    Ok(out)
}

/// The images of a lock.
pub fn of_lock(file: &LockFile) -> Result<Vec<InUse>, Failure> {
    let mut out = Vec::new();
    for locked in file.lock.entries() {
        let place = format!("{}:{}", file.path.display(), locked.line);
        let reference = Reference::parse(&locked.image)
            .map_err(|why| Failure::input(format!("{place}: {why}"), "correct the reference"))?;
        let used = entry(&mut out, &locked.image, reference);
        used.named_by.push(place);
        used.skills.extend(locked.facts.name.clone());
    }
    Ok(out)
}

/// Reads manifests as objects that may name skills.
pub fn stream<'i>(inputs: &'i Inputs, kinds: Kinds) -> Result<Stream<'i>, Failure> {
    let stream = Stream::read_all(&inputs.sources, DEFAULT_NAMESPACE, kinds)?;
    left_out(&stream, kinds);
    if stream.asks_nothing() && stream.workloads.is_empty() && stream.others.is_empty() {
        notes::warning("no skill image is named in the manifests");
    }
    Ok(stream)
}

fn is_kustomization(path: &Path) -> bool {
    path.file_name().is_some_and(|name| NAMES.iter().any(|known| name == *known))
}

fn entry<'w>(all: &'w mut Vec<InUse>, image: &str, reference: Reference) -> &'w mut InUse {
    let at = all.iter().position(|used| used.image == image).unwrap_or_else(|| {
        all.push(InUse::new(image, reference));
        all.len() - 1
    });
    &mut all[at]
}
