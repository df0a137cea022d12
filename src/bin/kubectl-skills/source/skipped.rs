//! What stands in the folders that were given and is no manifest: one note for each kind, which says how to give it.

use std::path::PathBuf;

use super::OfKustomize;
use super::kustomization::is_named_so;
use crate::notes;

/// Most names in one note.
const LISTED: usize = 3;

/// What was skipped, by kind.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// Folders with a Chart.yaml.
    pub charts: Vec<PathBuf>,
    /// Folders with a kustomization.
    pub kustomizations: Vec<PathBuf>,
    /// Files that a kustomization lists as patches, values or configuration, and the kustomizations themselves.
    pub kustomize_files: Vec<PathBuf>,
    /// Whether one of the kustomizations does more than to list manifests.
    pub changes: bool,
    /// JSON with comments.
    pub json_with_comments: Vec<PathBuf>,
    /// Pipes, sockets, devices, and links that lead nowhere.
    pub no_files: Vec<PathBuf>,
    /// Links to folders, which may lead back to where we are.
    pub linked_folders: Vec<PathBuf>,
}

impl Skipped {
    /// Whether something is here that another command would give.
    pub(super) fn is_empty(&self) -> bool {
        self.charts.is_empty() && self.kustomize_files.is_empty()
    }

    /// A note for each kind that was met.
    pub(super) fn tell(&self, wanted: OfKustomize) {
        self.lines(wanted).iter().for_each(|line| notes::note(line));
    }

    /// The same as text. What is wanted of kustomize was not skipped.
    pub(super) fn lines(&self, wanted: OfKustomize) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(first) = self.charts.first() {
            out.push(format!(
                "skipped Helm charts, whose templates are no manifests: {}; render what they make: helm template NAME {} -n NS | \
                 kubectl skills render -n NS -f -",
                names(&self.charts),
                first.display()
            ));
        }
        if wanted == OfKustomize::Patches {
            // Nothing of kustomize was skipped.
        } else if wanted.takes_kustomizations() {
            let is_other = |path: &&PathBuf| !is_named_so(path);
            let others: Vec<PathBuf> = self.kustomize_files.iter().filter(is_other).cloned().collect();
            if !others.is_empty() {
                out.push(format!("skipped files that kustomize reads, such as patches: {}", names(&others)));
            }
        } else if let Some(first) = self.kustomizations.first()
            && self.changes
        {
            out.push(format!(
                "skipped files that kustomize reads, such as patches: {}; render what it makes: -k {}",
                names(&self.kustomize_files),
                first.display()
            ));
        }
        let rest = [
            (&self.json_with_comments, "JSON with comments, which Kubernetes does not read"),
            (&self.no_files, "what is no regular file"),
            (&self.linked_folders, "links to folders; name those that you want with -f"),
        ];
        for (paths, what) in rest {
            if !paths.is_empty() {
                out.push(format!("skipped {what}: {}", names(paths)));
            }
        }
        out
    }
}

fn names(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().take(LISTED).map(|path| path.display().to_string()).collect();
    match paths.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
