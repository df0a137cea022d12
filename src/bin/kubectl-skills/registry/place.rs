//! Where an image is or goes: a word of the command line in, a registry's reference or a layout out.

use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference;
use kubectl_skills::api::nearest::is_slip_of;
use kubectl_skills::skill::refused;

use super::reference::Reference;
use crate::skill_files;

/// Most entries of a folder among which one of a similar name is looked for.
const MOST_ENTRIES: usize = 10_000;

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

    /// Reads the word of an image that is there, as [`Place::parse`] does. A word without a host is also what a mistyped path
    /// looks like, and Docker Hub has images of strangers under most of them: it is a path where it is there, where it has
    /// neither a tag nor a digest, or where a layout of almost that name is there.
    ///
    /// # Errors
    /// It is neither a layout nor a reference, or a path at which there is no layout.
    pub fn existing(word: &str) -> Result<Self, InputError> {
        let place = Self::parse(word).map_err(|why| {
            refused(format!("{word}: no folder, no OCI layout and no reference: {why}"), "")
        })?;
        let Self::Registry(reference) = &place else { return Ok(place) };
        let path = match Self::layout(word) {
            Self::Layout(path, _) => path,
            Self::Registry(_) => return Ok(place),
        };
        let hub = format!("an image of Docker Hub is named {reference}");
        if Path::new(word).exists() || (has_no_host(word) && path.exists()) {
            let what = format!("{}: is there, and no OCI layout", path.display());
            return Err(refused(what, format!("'pack' makes images of folders and zips; {hub}")));
        }
        if !has_no_host(word) {
            return Ok(place);
        }
        let near = similar(&path);
        let is_path = match &near {
            _ if reference.tag.is_none() && reference.digest.is_none() => true,
            Some((near, slip)) => slip.len() > 3 && is_layout(near),
            None => false,
        };
        if !is_path {
            return Ok(place);
        }
        let near = near.map_or(String::new(), |(near, _)| format!("did you mean {}? ", near.display()));
        Err(refused(format!("{word}: no such folder or file"), format!("{near}{hub}")))
    }

    /// Reads the word of an image that is to be made, as [`Place::parse`] does, where it cannot be meant for another place.
    ///
    /// # Errors
    /// It is neither a layout nor a reference, or may be either.
    pub fn new(word: &str) -> Result<Self, String> {
        match Self::parse(word)? {
            Self::Registry(Reference { tag: None, digest: None, registry, repository })
                if has_no_host(word) =>
            {
                Err(format!(
                    "{word}: a folder or an image of Docker Hub? write ./{word} or {registry}/{repository}:TAG"
                ))
            }
            place => Ok(place),
        }
    }

    /// Reads a word that can only be a layout: `PATH`, `PATH:NAME` or `PATH@sha256:DIGEST`. A path that is there is taken
    /// whole.
    pub fn layout(word: &str) -> Self {
        let (path, name) = skill_files::layout(word);
        Self::Layout(path.into(), name)
    }
}

/// Whether a reference leaves out the registry, which is Docker Hub then.
fn has_no_host(word: &str) -> bool {
    image_reference::parts(word).is_some_and(|parts| parts.registry.is_none())
}

fn is_layout(path: &Path) -> bool {
    path.join("index.json").is_file() || path.extension().is_some_and(|ending| ending == "tar")
}

/// What is there under almost this path, and its part that is another one: that in which the path ends to be there.
fn similar(path: &Path) -> Option<(PathBuf, String)> {
    let missing =
        path.ancestors().take_while(|part| !part.exists() && !part.as_os_str().is_empty()).last()?;
    let name = missing.file_name()?.to_str()?;
    let folder = missing.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.take(MOST_ENTRIES).flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|other| is_slip_of(name, other))
        .collect();
    names.sort_unstable();
    let rest = path.strip_prefix(missing).ok()?;
    let at = |other: &String| {
        let found = missing.with_file_name(other);
        if rest.as_os_str().is_empty() { found } else { found.join(rest) }
    };
    names.into_iter().map(|name| (at(&name), name)).find(|(found, _)| found.exists())
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
        // No folder `b:acme` is meant.
        assert_eq!(Place::parse("./b:acme/pdf:1"), layout("./b", Some("acme/pdf:1")));
        assert_eq!(Place::parse("oci:a/b:1"), layout("a/b", Some("1")));
        assert_eq!(Place::parse("oci:a@sha256:00"), layout("a", Some("sha256:00")));
        // This folder is there, and the name has slashes.
        assert_eq!(Place::parse("oci:src:quay.io/a/b:1"), layout("src", Some("quay.io/a/b:1")));
        assert_eq!(Place::parse("quay.io/a/b:1"), Reference::parse("quay.io/a/b:1").map(Place::Registry));
        assert!(Place::parse("A b").is_err());
    }

    /// Tests run in the folder of the project: `src` and `docs` are there, and no layouts.
    #[test]
    fn a_mistyped_path_is_no_image_of_a_stranger() {
        for (word, message, help) in [
            (
                "src/bim",
                "src/bim: no such folder or file",
                "did you mean src/bin? an image of Docker Hub is named docker.io/src/bim:latest",
            ),
            (
                "scr/bin",
                "scr/bin: no such folder or file",
                "did you mean src/bin? an image of Docker Hub is named docker.io/scr/bin:latest",
            ),
            (
                "nginx",
                "nginx: no such folder or file",
                "an image of Docker Hub is named docker.io/library/nginx:latest",
            ),
            (
                "docs",
                "docs: is there, and no OCI layout",
                "'pack' makes images of folders and zips; an image of Docker Hub is named docker.io/library/docs:latest",
            ),
            (
                "src/bin:1",
                "src/bin: is there, and no OCI layout",
                "'pack' makes images of folders and zips; an image of Docker Hub is named docker.io/src/bin:1",
            ),
        ] {
            assert_eq!(Place::existing(word), Err(refused(message, help)), "{word}");
        }
        let image = |text: &str| Reference::parse(text).map(Place::Registry).map_err(|why| refused(why, ""));
        for word in ["nginx:1", "acme/pdf:1", "docss:1", "quay.io/a/b", "localhost/docss", "docker.io/docss"]
        {
            assert_eq!(Place::existing(word), image(word), "{word}");
        }
        assert_eq!(Place::existing("./docss"), Ok(Place::Layout("./docss".into(), None)));
    }

    #[test]
    fn a_new_image_goes_where_it_is_meant_to() {
        let error = "out: a folder or an image of Docker Hub? write ./out or docker.io/library/out:TAG";
        assert_eq!(Place::new("out"), Err(error.to_owned()));
        for word in ["./out", "out.tar", "acme/out:1", "quay.io/acme/out"] {
            assert_eq!(Place::new(word), Place::parse(word), "{word}");
        }
    }
}
