//! Which files of a folder are manifests: files by their ending, as for kubectl, without what a Helm chart or a
//! kustomization keeps for itself. Reading them is left to `read`.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;

use super::exclude::Exclude;
use super::kustomization::{self, Kustomization};
use super::skipped::Skipped;
use super::{CONFIG_FILE, OfKustomize, defect, read};

/// Files of a folder that hold manifests, as for kubectl.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
const CHART: &str = "Chart.yaml";
const TEMPLATES: &str = "templates";

/// A walk over the folders that were given.
pub(super) struct Walk {
    recursive: bool,
    exclude: Exclude,
    /// What was met and is no manifest.
    pub skipped: Skipped,
    files: Vec<PathBuf>,
    kustomizations: Vec<Kustomization>,
    excluded: bool,
}

impl Walk {
    pub(super) fn new(recursive: bool, exclude: Exclude) -> Self {
        Self {
            recursive,
            exclude,
            skipped: Skipped::default(),
            files: Vec::new(),
            kustomizations: Vec::new(),
            excluded: false,
        }
    }

    /// Manifests of a folder, in the order of their names.
    pub(super) fn files_of(&mut self, root: &Path, errors: &mut Vec<InputError>) -> Vec<PathBuf> {
        if let Some(chart) = chart_around(root) {
            self.skipped.charts.push(chart);
        } else {
            self.folder(root, root, errors);
        }
        let files = std::mem::take(&mut self.files);
        let kustomizations = std::mem::take(&mut self.kustomizations);
        if kustomizations.is_empty() {
            return files;
        }
        let mut theirs: BTreeSet<PathBuf> = BTreeSet::new();
        let mut resources: BTreeSet<PathBuf> = BTreeSet::new();
        for one in kustomizations {
            theirs.extend(one.others.iter().filter_map(|path| path.canonicalize().ok()));
            resources.extend(one.resources.iter().filter_map(|path| path.canonicalize().ok()));
        }
        let (skipped, manifests) = files.into_iter().partition(|file| {
            file.canonicalize().is_ok_and(|real| theirs.contains(&real) && !resources.contains(&real))
        });
        self.skipped.kustomize_files.extend::<Vec<PathBuf>>(skipped);
        manifests
    }

    /// The error about a folder in which there is no manifest.
    pub(super) fn nothing_in(&self, folder: &Path) -> InputError {
        if !self.skipped.is_empty() {
            let skipped = self.skipped.lines(OfKustomize::Nothing).join("; ");
            return defect(folder, "no manifest in this folder", &skipped);
        }
        let deeper = if self.recursive { "" } else { ", or -R to look into folders in it" };
        let excluded = if self.excluded { ", or a narrower --exclude" } else { "" };
        defect(
            folder,
            "no .yaml, .yml or .json file in this folder",
            &format!("name another folder{deeper}{excluded}"),
        )
    }

    /// The error about kustomizations without the manifests that they are about; `None` if there is no kustomization.
    pub(super) fn overlay_alone(&self) -> Option<InputError> {
        let folder = self.skipped.kustomizations.first()?;
        let files = self.skipped.kustomize_files.iter().filter(|file| kustomization::is_named_so(file));
        let bases: BTreeSet<PathBuf> = files
            .filter_map(|file| Some(Kustomization::read(file.parent()?, file).resources))
            .flatten()
            .filter(|path| path.exists())
            .collect();
        let bases: String = bases.iter().map(|path| format!(" -f {}", path.display())).collect();
        Some(defect(
            folder,
            "a kustomization alone does not say which of its images are skills",
            &format!("name the manifests that it is made of as well:{bases} -f {}", folder.display()),
        ))
    }

    fn folder(&mut self, root: &Path, folder: &Path, errors: &mut Vec<InputError>) {
        let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut paths: Vec<PathBuf> = match entries {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
            Err(error) => return errors.push(defect(folder, &format!("cannot be read: {error}"), "")),
        };
        paths.sort();
        if paths.iter().any(|path| path.file_name().is_some_and(|name| name == CHART)) {
            return self.skipped.charts.push(folder.to_owned());
        }
        for path in paths {
            if path.file_name().is_some_and(|name| name == CONFIG_FILE) {
                continue;
            }
            let is_folder = path.is_dir();
            if !self.exclude.is_empty()
                && path.strip_prefix(root).is_ok_and(|path| self.exclude.matches(path, is_folder))
            {
                self.excluded = true;
            } else if is_folder {
                // A link to a folder may lead back to where we are.
                match (self.recursive, path.is_symlink()) {
                    (true, true) => self.skipped.linked_folders.push(path),
                    (true, false) => self.folder(root, &path, errors),
                    (false, _) => {}
                }
            } else if kustomization::is_named_so(&path) {
                let kustomization = Kustomization::read(folder, &path);
                self.skipped.changes |= kustomization.changes;
                self.kustomizations.push(kustomization);
                self.skipped.kustomizations.push(folder.to_owned());
                self.skipped.kustomize_files.push(path);
            } else if is_manifest(&path) {
                self.file(path);
            }
        }
    }

    fn file(&mut self, path: PathBuf) {
        let is_no_file = match path.metadata() {
            Ok(about) => read::special(&about).is_some(),
            // A link to nowhere or to itself, as Emacs marks a file that is being edited.
            Err(error) => path.is_symlink() && error.kind() != ErrorKind::PermissionDenied,
        };
        if is_no_file {
            self.skipped.no_files.push(path);
        } else {
            self.files.push(path);
        }
    }
}

/// Whether a file may hold manifests, by its ending.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

/// The chart whose templates a folder is, or holds some of.
fn chart_around(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    let inside = real.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == TEMPLATES))?;
    let chart = inside.parent()?;
    chart.join(CHART).is_file().then(|| chart.to_owned())
}
