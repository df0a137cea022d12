//! What a kustomization is built of on this machine: its own files, and those of its bases and components. Building is left to
//! `kustomize`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Inputs;
use super::kustomization::{Kustomization, file_in, is_named_so, plain};

/// A kustomization with what it is built of.
#[derive(Debug, Default)]
pub struct Build {
    /// Its file, and those of its components, which change what it is built of as if they stood in it.
    pub own: Vec<PathBuf>,
    /// The kustomizations that it is built of.
    bases: Vec<Build>,
    /// Manifests and patches that it reads itself, symbolic links followed.
    files: BTreeSet<PathBuf>,
    configurations: Vec<PathBuf>,
    /// What it puts before and after names, in its order.
    affixes: Vec<(String, String)>,
}

impl Build {
    /// Reads the kustomization of a folder; none where there is none.
    pub fn of(folder: &Path) -> Option<Self> {
        let mut out = Self::default();
        out.read(&plain(folder), &mut Vec::new()).then_some(out)
    }

    /// The kustomizations that are known, without those that another one of them is built of: of the folders that were given, those
    /// that were named as files, and those alongside the files.
    pub fn outermost(inputs: &Inputs) -> Vec<Self> {
        let named = inputs.paths.iter().flatten();
        let alongside = named.clone().filter_map(|path| file_in(path.parent()?));
        let named = named.filter(|path| is_named_so(path)).cloned();
        let mut seen = BTreeSet::new();
        let mut found: Vec<(PathBuf, Self)> = Vec::new();
        for file in inputs.kustomizations.iter().cloned().chain(named).chain(alongside) {
            let (Ok(real), Some(folder)) = (file.canonicalize(), file.parent()) else { continue };
            if seen.insert(real.clone()) {
                // Of a file in the working directory the folder is empty.
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                found.extend(Self::of(folder).map(|build| (real, build)));
            }
        }
        let is_base = |file: &Path| found.iter().any(|(_, build)| build.has_base(file));
        let bases: BTreeSet<PathBuf> =
            found.iter().filter(|(file, _)| is_base(file)).map(|(file, _)| file.clone()).collect();
        found.into_iter().filter(|(file, _)| !bases.contains(file)).map(|(_, build)| build).collect()
    }

    /// Reads a folder into this one; false if there is no kustomization, or it is being read already.
    fn read(&mut self, folder: &Path, open: &mut Vec<PathBuf>) -> bool {
        let (Some(file), Ok(real)) = (file_in(folder), folder.canonicalize()) else { return false };
        if open.contains(&real) {
            return false;
        }
        open.push(real);
        let found = Kustomization::read(folder, &file);
        self.own.push(file);
        self.affixes.push(found.affixes);
        self.configurations.extend(found.configurations.into_iter().filter(|path| path.is_file()));
        for path in found.resources.iter().chain(&found.others).map(|path| plain(path)) {
            let mut base = Self::default();
            if path.is_dir() {
                if base.read(&path, open) {
                    self.bases.push(base);
                }
            } else {
                self.files.extend(path.canonicalize());
            }
        }
        for component in &found.components {
            self.read(&plain(component), open);
        }
        open.pop();
        true
    }

    /// Whether a file is read for it; its path without symbolic links.
    pub fn reads(&self, file: &Path) -> bool {
        self.files.contains(file) || self.bases.iter().any(|base| base.reads(file))
    }

    /// Whether another kustomization is built into it, or into one of its bases; its file without symbolic links.
    pub fn has_base(&self, file: &Path) -> bool {
        let is_it = |path: &PathBuf| path.canonicalize().is_ok_and(|real| real == file);
        self.own.iter().skip(1).any(is_it)
            || self.bases.iter().any(|base| base.own.iter().any(is_it) || base.has_base(file))
    }

    /// The files with what kustomize was taught by the time it builds this one.
    pub fn configurations(&self) -> Vec<&Path> {
        let own = self.configurations.iter().map(PathBuf::as_path);
        own.chain(self.bases.iter().flat_map(Self::configurations)).collect()
    }

    /// It and its bases that read a file, from the outermost.
    pub fn layers(&self, file: &Path) -> Vec<&Self> {
        let mut out = Vec::new();
        if self.reads(file) {
            out.push(self);
            out.extend(self.bases.iter().flat_map(|base| base.layers(file)));
        }
        out
    }

    /// What a name that is built may be in the files: without what each layer puts before and after it.
    pub fn names_before(&self, built: &str) -> Vec<String> {
        let strip = |name: String, (prefix, suffix): &(String, String)| {
            let bare = name.strip_prefix(prefix.as_str()).and_then(|name| name.strip_suffix(suffix.as_str()));
            bare.filter(|bare| !bare.is_empty()).map_or(name.clone(), str::to_owned)
        };
        let name = self.affixes.iter().fold(built.to_owned(), strip);
        let mut out: Vec<String> = self.bases.iter().flat_map(|base| base.names_before(&name)).collect();
        if !self.files.is_empty() && !out.contains(&name) {
            out.push(name);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base that is built by nobody else, an overlay with a component, and a loop, which kustomize refuses and we must survive.
    #[test]
    fn an_overlay_reads_what_its_bases_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.canonicalize().unwrap()
        };
        let list = write("base/list.yaml", "");
        let config = write("base/config.yaml", "");
        let base = write(
            "base/kustomization.yaml",
            "resources: [list.yaml, ../prod]\nconfigurations: [config.yaml]\nnameSuffix: -x\n",
        );
        let part = write("part/kustomization.yaml", "kind: Component\nnamePrefix: a-\n");
        write("prod/kustomization.yaml", "resources: [../base]\ncomponents: [../part]\nnamePrefix: prod-\n");
        let other = write("other/list.yaml", "");
        let found = Build::of(&folder.path().join("prod")).unwrap();
        assert!(found.reads(&list) && !found.reads(&other));
        assert!(found.has_base(&base) && found.has_base(&part));
        assert_eq!(found.layers(&list).len(), 2);
        assert_eq!(
            found.configurations().iter().map(|path| path.canonicalize().unwrap()).collect::<Vec<_>>(),
            [config]
        );
        assert_eq!(found.names_before("prod-a-triage-x"), ["triage"]);
        assert_eq!(found.names_before("triage"), ["triage"]);
        assert!(Build::of(&folder.path().join("other")).is_none());
    }
}
