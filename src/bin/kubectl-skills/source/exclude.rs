//! `--exclude`: which files and folders are left out, by patterns as in .gitignore. Walking folders is left to `walk`.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::exit::Failure;

/// Patterns: without a slash inside they match a name at any depth, with one the path from the folder that was given;
/// one that ends in a slash matches folders only.
#[derive(Debug)]
pub(super) struct Exclude {
    all: GlobSet,
    folders: GlobSet,
}

/// Why a text is no pattern.
pub fn check(pattern: &str) -> Result<(), String> {
    glob(pattern.strip_suffix('/').unwrap_or(pattern)).map(|_| ())
}

fn glob(path: &str) -> Result<Glob, String> {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path.starts_with('!') {
        return Err("no pattern that leaves something out".to_owned());
    }
    let anywhere = if path.contains('/') { "" } else { "**/" };
    let path = format!("{anywhere}{}", path.trim_start_matches('/'));
    let glob = GlobBuilder::new(&path).literal_separator(true).backslash_escape(true).build();
    glob.map_err(|error| error.kind().to_string())
}

impl Exclude {
    pub(super) fn new(patterns: &[String]) -> Result<Self, Failure> {
        let (mut all, mut folders) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let (path, into) = match pattern.strip_suffix('/') {
                Some(path) => (path, &mut folders),
                None => (pattern.as_str(), &mut all),
            };
            let wrong = |why: String| Failure::Usage(format!("--exclude {pattern}: {why}"));
            into.add(glob(path).map_err(wrong)?);
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|error| Failure::Usage(error.to_string()));
        Ok(Self { all: build(all)?, folders: build(folders)? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.folders.is_empty()
    }

    /// Whether a path, counted from the folder that was given, is left out. What stands in a folder that is left out is
    /// never asked about.
    pub(super) fn matches(&self, path: &Path, is_folder: bool) -> bool {
        self.all.is_match(path) || (is_folder && self.folders.is_match(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_gitignore() {
        for (pattern, path, is_folder, expected) in [
            ("values.yaml", "values.yaml", false, true),
            ("values.yaml", "a/b/values.yaml", false, true),
            ("values*.yaml", "a/values-prod.yaml", false, true),
            ("*.yaml", "a/b.yml", false, false),
            ("old", "a/old", true, true),
            ("old/", "a/old", true, true),
            ("old/", "a/old", false, false),
            ("/old", "old", true, true),
            ("/old", "a/old", true, false),
            ("a/old", "a/old", true, true),
            ("a/old", "b/a/old", true, false),
            ("**/old/x.yaml", "b/old/x.yaml", false, true),
            ("a/*.yaml", "a/b/c.yaml", false, false),
            ("a/**", "a/b/c.yaml", false, true),
            ("{x,y}.yaml", "y.yaml", false, true),
        ] {
            let exclude = Exclude::new(&[pattern.to_owned()]).unwrap();
            assert_eq!(exclude.matches(Path::new(path), is_folder), expected, "{pattern} on {path}");
        }
        for wrong in ["", "/", "!a", "a[", "{a"] {
            assert!(Exclude::new(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
