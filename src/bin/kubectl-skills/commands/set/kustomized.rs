//! `set` where kustomize has the last word: an image that a kustomization replaces as it is built, and a build, which is no file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference::parts;
use kubectl_skills::api::object::{Object, Origin};
use kubectl_skills::manifest::kustomize_images::{ImageEntry, entries, teaches_lists};
use kubectl_skills::manifest::stream::Stream;

use super::files::{Found, chosen, namespace};
use super::lists::ListOf;
use super::{Task, plan};
use crate::exit::Failure;
use crate::notes;
use crate::source::{Build, Input, built_of, read_text};

/// An entry of `images` by which a build has another image than its list.
struct Replaced {
    file: PathBuf,
    entry: ImageEntry,
    becomes: String,
}

/// Refuses an image that every build which is known replaces: what is written in the list would count for nothing. Where only some
/// do, these are warned of.
pub(super) fn refuse_replaced(builds: &[Build], chosen: &[(&ListOf, &str, &str)]) -> Result<(), Failure> {
    let mut errors: Vec<InputError> = Vec::new();
    for (list, skill, image) in chosen {
        let Ok(file) = Path::new(&list.origin.file).canonicalize() else { continue };
        let of: Vec<&Build> = builds.iter().filter(|build| build.reads(&file)).collect();
        let mut found: BTreeMap<(PathBuf, usize), InputError> = BTreeMap::new();
        let mut keep = 0;
        for build in &of {
            match replaced(build, list, &file, image)? {
                None => keep += 1,
                Some(one) => {
                    let at = (one.file.clone(), one.entry.index);
                    found.insert(at, one.error(skill, image, of.len() == 1));
                }
            }
        }
        if keep == 0 {
            errors.extend(
                found.into_values().map(|error| InputError {
                    message: format!("{}; nothing is set", error.message),
                    ..error
                }),
            );
        } else {
            found.values().for_each(|error| notes::warning(&error.to_string()));
        }
    }
    errors.dedup();
    if errors.is_empty() { Ok(()) } else { Err(Failure::Input(errors)) }
}

/// The entry that a build has of an image of a list in a file, the last one that is carried out.
fn replaced(build: &Build, list: &ListOf, file: &Path, image: &str) -> Result<Option<Replaced>, Failure> {
    for layer in build.layers(file) {
        let mut is_taught = false;
        for path in layer.configurations() {
            is_taught |=
                teaches_lists(&read_text(path)?, Object(&list.object).str("/apiVersion"), &list.kind);
        }
        for path in layer.own.iter().filter(|_| is_taught) {
            for entry in entries(&read_text(path)?) {
                if let Some(becomes) = entry.replacing(image) {
                    return Ok(Some(Replaced { file: path.clone(), entry, becomes }));
                }
            }
        }
    }
    Ok(None)
}

impl Replaced {
    fn error(&self, skill: &str, image: &str, is_only: bool) -> InputError {
        let Self { file, entry, becomes } = self;
        let builds = if is_only { "the build" } else { "this build" };
        InputError {
            origin: Origin { file: file.display().to_string(), line: entry.line, ..Origin::default() },
            field: entry.field(),
            message: format!(
                "{builds} has {becomes}, and what is written in the list of {skill} counts for nothing there"
            ),
            help: self.mend(image),
            ..InputError::default()
        }
    }

    /// What to write in its place, for the image that is wanted.
    fn mend(&self, image: &str) -> String {
        let own = parts(image);
        let (tag, digest) = own.map_or((None, None), |own| (own.tag, own.digest));
        let mut writes: Vec<String> = Vec::new();
        let mut goes: Vec<&str> = Vec::new();
        for (key, wanted, found) in
            [("newTag", tag, &self.entry.new_tag), ("digest", digest, &self.entry.digest)]
        {
            match wanted {
                Some(wanted) => writes.push(format!("{key}: {wanted:?}")),
                None if found.is_some() => goes.push(key),
                None => {}
            }
        }
        let name = self.entry.new_name.as_ref();
        let named = name.map_or(String::new(), |name| format!(", for the image {name}"));
        match (writes.is_empty(), goes.is_empty()) {
            (true, _) => format!("change the entry there{named}"),
            (false, true) => format!("write {} there{named}", writes.join(" and ")),
            (false, false) => {
                format!("write {} there and take {} out{named}", writes.join(" and "), goes.join(" and "))
            }
        }
    }
}

/// The answer to `-i` over a build: the command that writes into the files that it is built of, which has been tried up to the
/// writing; or why that would not do.
pub(super) fn refusal(task: &Task<'_>, folder: &Path) -> Result<Failure, Failure> {
    let args = task.args;
    let files = built_of(folder);
    let general =
        || args.input.check_in_place().err().unwrap_or_else(|| Failure::Usage("-i writes into files".into()));
    let (Some(build), false) = (Build::of(folder), files.is_empty()) else { return Ok(general()) };
    let input = Input { files: files.clone(), ..Input::default() };
    let inputs = input.read_with_kustomizations()?;
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_with(&inputs.sources, namespace(args), kinds)?;
    let found = Found::of(task, &stream, kinds)?;
    let (kind, name) =
        args.workload.rsplit_once('/').map_or(("", args.workload.as_str()), |(kind, name)| (kind, name));
    let word = |name: String| if kind.is_empty() { name } else { format!("{kind}/{name}") };
    let words = build.names_before(name).into_iter().chain([name.to_owned()]).map(word);
    let Some((word, meant)) =
        words.into_iter().find_map(|word| Some((word.clone(), found.meant(args, &word, kinds).ok()?)))
    else {
        return Ok(general());
    };
    plan(task, &found.lists, &meant)?;
    refuse_replaced(&[build], &chosen(task, &found.lists, &meant)?)?;
    let flags: String = files.iter().map(|file| format!("-f {} ", file.display())).collect();
    let before = if word == args.workload { String::new() } else { format!(", where it is {word}") };
    Ok(Failure::Usage(format!(
        "-i writes into files, and what is built of {} is none: set it in those that it is built of{before}: {}",
        folder.display(),
        args.command(&word, &format!("{flags}-i"))
    )))
}
