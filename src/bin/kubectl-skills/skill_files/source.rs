//! The files that are packed, wherever they come from: listed first, opened one by one.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;
use kubectl_skills::manifest::objects;
use kubectl_skills::manifest::stream::Source as Manifest;
use kubectl_skills::skill::config_map;
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::pack::{self, Member};
use kubectl_skills::skill::zip::{self, Zipped};
use kubectl_skills::skill::{refused, within};
use serde_json::Value;

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
    /// What its reader had to guess.
    pub guessed: Vec<String>,
    from: From,
}

enum From {
    Folder(Vec<folder::Member>),
    Zip {
        bytes: Vec<u8>,
        files: Vec<Zipped>,
    },
    Git(Checkout),
    /// Files that are in memory.
    Made(Vec<Vec<u8>>),
}

impl Source {
    /// Lists what a word of the command line names: a folder, a zip, `git+https://HOST/REPOSITORY@COMMIT[//FOLDER]`,
    /// or a manifest of a ConfigMap, `-` for standard input.
    pub fn list(what: &str, limits: &Limits) -> Result<Self, InputError> {
        if let Some(url) = what.strip_prefix("git+") {
            let checkout = git::fetch(url, limits)?;
            let members = checkout.files.iter().map(|file| file.member.clone()).collect();
            let origin = Some((checkout.url.clone(), checkout.commit.clone()));
            return Ok(Self { origin, ..Self::new(members, From::Git(checkout)) });
        }
        let path = Path::new(what);
        let at = |error| within(what.to_owned(), error);
        if path.is_dir() {
            return of_folder(path, limits).map_err(at);
        }
        if what == "-" || [".yaml", ".yml", ".json"].iter().any(|ending| what.ends_with(ending)) {
            return of_config_map(what, limits).map_err(at);
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
            From::Made(files) => Ok(Box::new(Cursor::new(&files[at]))),
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
        Self::new(vec![member], From::Made(vec![bytes]))
    }

    fn new(members: Vec<Member>, from: From) -> Self {
        Self { members, left_out: Vec::new(), origin: None, guessed: Vec::new(), from }
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
    Ok(Source { left_out: found.left_out, ..Source::new(members, From::Folder(found.files)) })
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
    Ok(Source { left_out, ..Source::new(members, From::Zip { bytes, files }) })
}

/// The one ConfigMap of a manifest that holds a skill.
fn of_config_map(what: &str, limits: &Limits) -> Result<Source, InputError> {
    let mut bytes = Vec::new();
    let most = limits.image_bytes.saturating_add(1);
    let read = match what {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        path => File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| refused(error.to_string(), ""))?;
    if bytes.len() as u64 > limits.image_bytes {
        return Err(refused(
            format!("no manifest of at most {}", human(limits.image_bytes)),
            "raise --max-image-size if it is meant",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| refused(error.to_string(), ""))?;
    let source = Manifest { name: what.to_owned(), text };
    let documents = objects::documents(&source).map_err(|errors| {
        let first = errors.into_iter().next().unwrap_or_default();
        let Origin { document, line, .. } = first.origin;
        refused(format!("document {document}, line {line}: {}", first.message), "")
    })?;
    let mut maps: Vec<&Value> =
        documents.iter().flat_map(|document| document.objects()).map(|object| object.value).collect();
    maps.retain(|map| map.get("kind").and_then(Value::as_str) == Some("ConfigMap"));
    if maps.iter().any(|map| config_map::is_skill(map)) {
        maps.retain(|map| config_map::is_skill(map));
    }
    let name =
        |map: &Value| map.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let [only] = maps.as_slice() else {
        let names: Vec<String> = maps.iter().map(|map| name(map)).collect();
        let found = if names.is_empty() {
            "no ConfigMap".to_owned()
        } else {
            format!("{} ConfigMaps: {}", names.len(), names.join(", "))
        };
        return Err(refused(
            format!("a manifest of one skill is wanted, found {found}"),
            "give one: kubectl get configmap NAME -o yaml | kubectl skills pack - --push REFERENCE",
        ));
    };
    let skill = config_map::read(only).map_err(|problems| {
        let text: Vec<String> = problems
            .iter()
            .map(|one| {
                let key = if one.key.is_empty() { String::new() } else { format!("key {}: ", one.key) };
                let help = if one.help.is_empty() { String::new() } else { format!(" ({})", one.help) };
                format!("{key}{}{help}", one.message)
            })
            .collect();
        refused(format!("ConfigMap {}: {}", name(only), text.join("; ")), "")
    })?;
    if let Some((path, _)) = skill.files.iter().find(|(_, bytes)| bytes.len() as u64 > limits.file_bytes) {
        return Err(refused(format!("{path} is too large"), "raise --max-file-size if it is meant"));
    }
    let guessed = skill.guessed.iter().map(|(key, path)| format!("{key} as {path}")).collect();
    let member = |(path, bytes): (&String, &Vec<u8>)| Member {
        path: path.clone(),
        size: bytes.len() as u64,
        executable: false,
    };
    let members = skill.files.iter().map(member).collect();
    Ok(Source { guessed, ..Source::new(members, From::Made(skill.files.into_values().collect())) })
}
