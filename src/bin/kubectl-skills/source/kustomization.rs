//! Which files a kustomization reads that are no manifests: patches, values, configuration of kustomize. Building it is
//! left to `kustomize`.

use std::path::{Component, Path, PathBuf};

use kubectl_skills::manifest::kustomization::NAMES;
use kubectl_skills::yaml::{self, Document};
use serde_json::Value;

/// Fields that list manifests, or say what the file is: with these alone a build gives the manifests as they are.
const LISTS: [&str; 6] = ["apiVersion", "kind", "metadata", "resources", "bases", "sortOptions"];

/// Whether a file is a kustomization, by its name.
pub(super) fn is_named_so(path: &Path) -> bool {
    path.file_name().is_some_and(|file| NAMES.iter().any(|name| file == *name))
}

/// Fields with paths of files that are no manifests, or with objects that hold such a path.
const OTHERS: [&str; 11] = [
    "configurations",
    "configMapGenerator",
    "crds",
    "generators",
    "helmCharts",
    "openapi",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "secretGenerator",
];
/// Fields with functions or plugins that a build runs.
const FUNCTIONS: [&str; 3] = ["generators", "transformers", "validators"];
/// Fields of those objects that hold paths.
const PATHS: [&str; 6] = ["additionalValuesFiles", "envs", "env", "files", "path", "valuesFile"];

/// Files that a kustomization names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kustomization {
    /// Manifests: these are read although they may be something else to another kustomization.
    pub resources: Vec<PathBuf>,
    /// Patches and the like.
    pub others: Vec<PathBuf>,
    /// Folders of components, which change what this one is built of.
    pub components: Vec<PathBuf>,
    /// What it teaches kustomize; these are among the others as well.
    pub configurations: Vec<PathBuf>,
    /// What names begin and end with once it is built.
    pub affixes: (String, String),
    /// Whether a build gives anything but these manifests as they are.
    pub changes: bool,
    /// Whether a build runs functions or plugins.
    pub runs_functions: bool,
}

impl Kustomization {
    /// Reads the file in its folder. One that cannot be read names nothing: kustomize will say so.
    pub(super) fn read(folder: &Path, file: &Path) -> Self {
        let text = super::read::read_text(file).unwrap_or_default();
        let value = yaml::split(&text)
            .first()
            .and_then(|slice| Document::parse(slice.text(&text)).ok()?.to_value().ok())
            .unwrap_or_default();
        let changes =
            value.as_object().is_none_or(|map| map.keys().any(|key| !LISTS.contains(&key.as_str())));
        let runs_functions = FUNCTIONS.iter().any(|key| value.get(key).is_some());
        let mut out = Self { changes, runs_functions, ..Self::default() };
        for field in ["resources", "bases"] {
            paths(value.get(field), folder, &mut out.resources);
        }
        for field in OTHERS {
            paths(value.get(field), folder, &mut out.others);
        }
        paths(value.get("components"), folder, &mut out.components);
        paths(value.get("configurations"), folder, &mut out.configurations);
        let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        out.affixes = (text("namePrefix"), text("nameSuffix"));
        out
    }
}

/// The file of a folder's kustomization.
pub(super) fn file_in(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// Whether a build of a folder runs functions or plugins.
pub(super) fn runs_functions(folder: &Path) -> bool {
    file_in(folder).is_some_and(|file| Kustomization::read(folder, &file).runs_functions)
}

/// The kustomization of a folder and the files that it names; nothing if there is none.
pub(super) fn around(folder: &Path) -> Vec<PathBuf> {
    let Some(file) = file_in(folder) else { return Vec::new() };
    let others = Kustomization::read(folder, &file).others;
    [file].into_iter().chain(others.into_iter().filter(|path| path.is_file())).collect()
}

/// Manifests on this machine that a kustomization is built of, and its bases are, in their order.
pub fn manifests(folder: &Path) -> Vec<PathBuf> {
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    collect(folder, &mut seen, &mut out);
    out
}

fn collect(folder: &Path, seen: &mut Vec<PathBuf>, out: &mut Vec<PathBuf>) {
    let Ok(real) = folder.canonicalize() else { return };
    let Some(file) = file_in(folder) else { return };
    if seen.contains(&real) {
        return;
    }
    seen.push(real);
    for resource in Kustomization::read(folder, &file).resources {
        let resource = plain(&resource);
        if resource.is_dir() {
            collect(&resource, seen, out);
        } else if resource.is_file() && !out.contains(&resource) {
            out.push(resource);
        }
    }
}

/// A path without `a/..`, where that is no link.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let goes_back = part == Component::ParentDir
            && matches!(out.components().next_back(), Some(Component::Normal(_)))
            && !out.is_symlink();
        if goes_back {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

fn paths(value: Option<&Value>, folder: &Path, out: &mut Vec<PathBuf>) {
    match value {
        // `key=file` is a file under another name. What is no path is a patch itself.
        Some(Value::String(text)) if !text.contains('\n') => {
            let path = text.split_once('=').map_or(text.as_str(), |(_, path)| path);
            out.push(folder.join(path));
        }
        Some(Value::Array(items)) => items.iter().for_each(|item| paths(Some(item), folder, out)),
        Some(Value::Object(map)) => PATHS.iter().for_each(|key| paths(map.get(*key), folder, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A patch that is taken for a manifest is an object twice, and a run that stops.
    #[test]
    fn every_file_that_is_no_manifest_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kustomization.yaml");
        let text = "\
resources: [../base, deployment.yaml]
components: [../part]
namePrefix: st-
patches:
- path: patch.yaml
  target: {kind: Deployment}
- patch: |
    kind: Deployment
patchesStrategicMerge:
- merge.yaml
- |-
  kind: Deployment
  metadata: {name: a}
patchesJson6902: [{target: {kind: Deployment}, path: json.yaml}]
configurations: [names.yaml]
openapi: {path: schema.json}
configMapGenerator: [{name: a, files: [a.yaml, key=b.yaml], envs: [c.env]}]
secretGenerator: [{name: a, files: [secret.yaml]}]
helmCharts: [{name: a, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}]
replacements: [{path: replacement.yaml}]
";
        std::fs::write(&file, text).unwrap();
        let at = |names: &[&str]| names.iter().map(|name| folder.path().join(name)).collect::<Vec<_>>();
        let mut found = Kustomization::read(folder.path(), &file);
        found.others.sort();
        let mut others = at(&[
            "patch.yaml",
            "merge.yaml",
            "json.yaml",
            "names.yaml",
            "schema.json",
            "a.yaml",
            "b.yaml",
            "c.env",
            "secret.yaml",
            "values.yaml",
            "more.yaml",
            "replacement.yaml",
        ]);
        others.sort();
        assert_eq!(
            found,
            Kustomization {
                resources: at(&["../base", "deployment.yaml"]),
                others,
                components: at(&["../part"]),
                configurations: at(&["names.yaml"]),
                affixes: ("st-".into(), String::new()),
                changes: true,
                runs_functions: false
            }
        );
        for field in ["generators", "transformers", "validators"] {
            std::fs::write(&file, format!("resources: [a.yaml]\n{field}: [b.yaml]\n")).unwrap();
            assert!(runs_functions(folder.path()), "{field}");
        }
        std::fs::write(&file, "{{ broken").unwrap();
        assert_eq!(
            Kustomization::read(folder.path(), &file),
            Kustomization { changes: true, ..Kustomization::default() }
        );
    }
}
