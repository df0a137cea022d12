//! The files that are packed, wherever they come from: listed first, opened one by one.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::pack::{self, Member};
use kubectl_skills::skill::zip::{self, Zipped};
use kubectl_skills::skill::{refused, within};

use super::git::{self, Checkout};
use super::{folder, human};

/// Files that are packed.
pub struct Source {
    /// What is packed; [`Source::open`] takes the places in this list.
    pub members: Vec<Member>,
    /// What is left out of every image, by its path.
    pub left_out: Vec<String>,
    /// URL and commit, where it came from git.
    pub origin: Option<(String, String)>,
    from: From,
}

enum From {
    Folder(Vec<folder::Member>),
    Zip {
        bytes: Vec<u8>,
        files: Vec<Zipped>,
    },
    Git(Checkout),
    /// A file that is made.
    Made(Vec<u8>),
}

impl Source {
    /// Lists what a word of the command line names: a folder, a zip, `git+https://HOST/REPOSITORY@COMMIT[//FOLDER]`.
    pub fn list(what: &str, limits: &Limits) -> Result<Self, InputError> {
        if let Some(url) = what.strip_prefix("git+") {
            let checkout = git::fetch(url, limits)?;
            let members = checkout.files.iter().map(|file| file.member.clone()).collect();
            let origin = Some((checkout.url.clone(), checkout.commit.clone()));
            return Ok(Self { members, left_out: Vec::new(), origin, from: From::Git(checkout) });
        }
        let path = Path::new(what);
        let at = |error| within(what.to_owned(), error);
        if path.is_dir() {
            return of_folder(path, limits).map_err(at);
        }
        of_zip(path, limits).map_err(at)
    }

    /// Opens a file.
    pub fn open(&self, at: usize) -> Result<Box<dyn Read + '_>, InputError> {
        match &self.from {
            From::Folder(files) => {
                let file = File::open(&files[at].at).map_err(|error| folder::io(&files[at].at, &error))?;
                Ok(Box::new(file))
            }
            From::Zip { bytes, files } => files[at].open(bytes),
            From::Git(checkout) => checkout.open(at),
            From::Made(bytes) => Ok(Box::new(Cursor::new(bytes))),
        }
    }

    /// The text of a file, if it is there.
    pub fn text(&self, path: &str, limits: &Limits) -> Result<Option<Vec<u8>>, InputError> {
        let Some(at) = self.members.iter().position(|member| member.path == path) else { return Ok(None) };
        if self.members[at].size > limits.file_bytes {
            return Err(refused(format!("{path}: {}", human(self.members[at].size)), ""));
        }
        let mut bytes = Vec::new();
        let read = self.open(at)?.take(limits.file_bytes).read_to_end(&mut bytes);
        read.map_err(|error| refused(format!("{path}: {error}"), ""))?;
        Ok(Some(bytes))
    }

    /// A source of one file.
    pub fn made(path: &str, bytes: Vec<u8>) -> Self {
        let member = Member { path: path.to_owned(), size: bytes.len() as u64, executable: false };
        Self { members: vec![member], left_out: Vec::new(), origin: None, from: From::Made(bytes) }
    }
}

fn of_folder(path: &Path, limits: &Limits) -> Result<Source, InputError> {
    let found = folder::list(path, limits)?;
    if let [first, rest @ ..] = found.skipped.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
        return Err(refused(
            format!("{first}{more}"),
            "an image cannot hold it as it is; replace it by the file itself, or remove it",
        ));
    }
    let member = |file: &folder::Member| Member {
        path: file.path.clone(),
        size: file.size,
        executable: file.executable,
    };
    let members = found.files.iter().map(member).collect();
    Ok(Source { members, left_out: found.left_out, origin: None, from: From::Folder(found.files) })
}

fn of_zip(path: &Path, limits: &Limits) -> Result<Source, InputError> {
    let metadata = std::fs::metadata(path).map_err(|error| refused(error.to_string(), ""))?;
    if !metadata.is_file() || metadata.len() > limits.image_bytes {
        return Err(refused(
            format!("no folder, and no zip of at most {}", human(limits.image_bytes)),
            "raise --max-image-size if it is meant",
        ));
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limits.image_bytes).read_to_end(&mut bytes));
    read.map_err(|error| refused(error.to_string(), ""))?;
    let (files, finder): (Vec<_>, Vec<_>) =
        zip::list(&bytes, limits)?.into_iter().partition(|file| !zip::is_of_finder(&file.member.path));
    let mut left_out: Vec<String> =
        finder.into_iter().map(|file| zip::place_of_finder(file.member.path)).collect();
    left_out.dedup();
    let mut members: Vec<Member> = files.iter().map(|file| file.member.clone()).collect();
    pack::without_top_folder(&mut members);
    Ok(Source { members, left_out, origin: None, from: From::Zip { bytes, files } })
}
