//! Where an image is or goes: a word of the command line in, a registry's reference or a layout out.

use std::path::{Path, PathBuf};

use super::reference::Reference;

/// Where an image is or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a registry.
    Registry(Reference),
    /// In an OCI layout, under a name or digest; none for the only image.
    Layout(PathBuf, Option<String>),
}

impl Place {
    /// Reads a word: a layout where it is written like a path (`./DIR`, `/DIR`, `FILE.tar`), begins with `oci:`, or is there;
    /// else a reference.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(word: &str) -> Result<Self, String> {
        if let Some(rest) = word.strip_prefix("oci-archive:").or_else(|| word.strip_prefix("oci:")) {
            return Ok(Self::layout(rest));
        }
        let layout = Self::layout(word);
        let is_path = match &layout {
            Self::Layout(path, _) => {
                word.starts_with(['/', '.'])
                    || path.extension().is_some_and(|ending| ending == "tar")
                    || path.join("index.json").is_file()
            }
            Self::Registry(_) => false,
        };
        if is_path { Ok(layout) } else { Reference::parse(word).map(Self::Registry) }
    }

    /// Reads a word that can only be a layout: `PATH`, `PATH:NAME` or `PATH@sha256:DIGEST`. A path that is there is taken
    /// whole.
    pub fn layout(word: &str) -> Self {
        if Path::new(word).exists() {
            return Self::Layout(word.into(), None);
        }
        if let Some((path, digest)) = word.rsplit_once("@sha256:") {
            return Self::Layout(path.into(), Some(format!("sha256:{digest}")));
        }
        // A name may itself have slashes and colons: what is there decides, else the last part.
        let there = word
            .match_indices(':')
            .find(|(at, _)| word.get(..*at).is_some_and(|path| Path::new(path).exists()));
        let last = || {
            word.rmatch_indices(':')
                .next()
                .filter(|(at, _)| word.get(*at..).is_some_and(|name| !name.contains('/')))
        };
        match there.or_else(last).and_then(|(at, _)| word.split_at_checked(at)) {
            Some((path, name)) => Self::Layout(
                path.into(),
                Some(name.trim_start_matches(':').to_owned()).filter(|name| !name.is_empty()),
            ),
            None => Self::Layout(word.into(), None),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Layout(path, None) => path.display().fmt(f),
            Self::Layout(path, Some(name)) if name.starts_with("sha256:") => {
                write!(f, "{}@{name}", path.display())
            }
            Self::Layout(path, Some(name)) => write!(f, "{}:{name}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_like_a_path_is_one() {
        let layout = |path: &str, name: Option<&str>| Ok(Place::Layout(path.into(), name.map(str::to_owned)));
        assert_eq!(Place::parse("./a/b"), layout("./a/b", None));
        assert_eq!(Place::parse("./a/b:1"), layout("./a/b", Some("1")));
        assert_eq!(Place::parse("out.tar:x"), layout("out.tar", Some("x")));
        assert_eq!(Place::parse("oci:a/b:1"), layout("a/b", Some("1")));
        assert_eq!(Place::parse("oci:a@sha256:00"), layout("a", Some("sha256:00")));
        // This folder is there, and the name has slashes.
        assert_eq!(Place::parse("oci:src:quay.io/a/b:1"), layout("src", Some("quay.io/a/b:1")));
        assert_eq!(Place::parse("quay.io/a/b:1"), Reference::parse("quay.io/a/b:1").map(Place::Registry));
        assert!(Place::parse("A b").is_err());
    }
}
