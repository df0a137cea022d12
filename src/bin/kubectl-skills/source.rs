//! Where manifests come from: `-f` and `-k` in, named texts out. What the texts mean is left to the library.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;
use kubectl_skills::manifest::stream::Source;
use kubectl_skills::yaml;

use crate::exit::Failure;

mod kustomize;

/// Name of standard input in messages.
const STDIN: &str = "-";
/// Files of a folder that hold manifests, as for kubectl.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Which manifests.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct Input {
    /// File, folder (its .yaml, .yml and .json files) or - for standard input; repeatable
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub files: Vec<PathBuf>,
    /// Folders in folders as well
    #[arg(short = 'R', long, requires = "files")]
    pub recursive: bool,
    /// Folder of a kustomization: what the installed 'kubectl kustomize' or 'kustomize build' makes of it
    #[arg(short = 'k', long, value_name = "DIR", conflicts_with = "files")]
    pub kustomize: Option<PathBuf>,
}

/// Texts and where each of them can be written back to.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order of the command line; files of a folder by name.
    pub sources: Vec<Source>,
    /// The file of each source; none for standard input and kustomizations.
    pub paths: Vec<Option<PathBuf>>,
}

impl Input {
    /// Whether any was named; else the verb is about the cluster.
    pub fn given(&self) -> bool {
        !self.files.is_empty() || self.kustomize.is_some()
    }

    /// Reads all of them. All defects are told, not only the first; an input without any object is one of them, for a
    /// pipeline whose first part failed looks just so.
    pub fn read(&self) -> Result<Inputs, Failure> {
        let mut inputs = Inputs::default();
        if let Some(folder) = &self.kustomize {
            let text = kustomize::build(folder)?;
            let name = folder.display().to_string();
            let text = utf8(text, &name).map_err(|error| Failure::Input(vec![error]))?;
            inputs.push(Source { name, text }, None);
        } else if self.files.is_empty() {
            return Err(Failure::Usage(
                "no manifests: give files or folders with -f, '-f -' to read standard input, or a kustomization with -k"
                    .into(),
            ));
        }
        let mut errors = Vec::new();
        let mut seen = BTreeSet::new();
        for path in &self.files {
            self.read_one(path, &mut inputs, &mut seen, &mut errors)?;
        }
        if errors.is_empty() && !inputs.sources.iter().any(|source| has_object(&source.text)) {
            errors.push(nothing(&inputs.sources));
        }
        if errors.is_empty() { Ok(inputs) } else { Err(Failure::Input(errors)) }
    }

    fn read_one(
        &self,
        path: &Path,
        inputs: &mut Inputs,
        seen: &mut BTreeSet<PathBuf>,
        errors: &mut Vec<InputError>,
    ) -> Result<(), Failure> {
        if path.as_os_str() == STDIN {
            if !seen.insert(path.to_owned()) {
                return Err(Failure::Usage("'-f -' is given twice: standard input can be read once".into()));
            }
            match utf8(stdin_bytes()?, STDIN) {
                Ok(text) => inputs.push(Source { name: STDIN.into(), text }, None),
                Err(error) => errors.push(error),
            }
            return Ok(());
        }
        if let Some(text) = path.to_str()
            && (text.starts_with("http://") || text.starts_with("https://"))
        {
            return Err(Failure::Usage(format!(
                "-f {text}: addresses are not read; pipe them in: curl -sSf {text} | kubectl skills ... -f -"
            )));
        }
        let mut files = Vec::new();
        if path.is_dir() {
            let before = errors.len();
            list(path, self.recursive, &mut files, errors);
            if files.is_empty() && errors.len() == before {
                let deeper = if self.recursive { "" } else { ", or -R to look into folders in it" };
                errors.push(defect(
                    path,
                    "no .yaml, .yml or .json file in this folder",
                    &format!("name another folder{deeper}"),
                ));
            }
        } else {
            files.push(path.to_owned());
        }
        for file in files {
            // A file that is named and also stands in a named folder is one file.
            if file.canonicalize().is_ok_and(|real| !seen.insert(real)) {
                continue;
            }
            match read_file(&file) {
                Ok(text) => inputs.push(Source { name: file.display().to_string(), text }, Some(file)),
                Err(error) => errors.push(error),
            }
        }
        Ok(())
    }
}

impl Inputs {
    fn push(&mut self, source: Source, path: Option<PathBuf>) {
        self.sources.push(source);
        self.paths.push(path);
    }
}

/// Whether there is a document in the text. The first line that can be nothing else answers for nearly every file.
fn has_object(text: &str) -> bool {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let mut certain =
        lines.filter(|line| !line.is_empty()).map(|line| !line.starts_with(['#', '-', '.', '%']));
    certain.next() == Some(true) || !yaml::split(text).is_empty()
}

fn nothing(sources: &[Source]) -> InputError {
    match sources {
        [only] if only.name == STDIN && only.text.trim().is_empty() => InputError {
            message: "standard input is empty".into(),
            help: "see whether the command in front of the pipe failed; bash's 'set -o pipefail' would have told".into(),
            ..InputError::default()
        },
        [only] => defect(Path::new(&only.name), "there is no object in it", ""),
        _ => InputError { message: "there is no object in the files".into(), ..InputError::default() },
    }
}

/// Manifests of a folder, in the order of their names.
fn list(folder: &Path, recursive: bool, files: &mut Vec<PathBuf>, errors: &mut Vec<InputError>) {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut paths: Vec<PathBuf> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => return errors.push(defect(folder, &format!("cannot be read: {error}"), "")),
    };
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // A link to a folder may lead back to where we are.
            if recursive && !path.is_symlink() {
                list(&path, recursive, files, errors);
            }
        } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|e| ENDINGS.contains(&e)) {
            files.push(path);
        }
    }
}

/// Reads standard input to its end.
pub fn read_stdin() -> Result<String, Failure> {
    utf8(stdin_bytes()?, STDIN).map_err(|error| Failure::Input(vec![error]))
}

fn stdin_bytes() -> Result<Vec<u8>, Failure> {
    // A file is read into memory of its size: to grow step by step takes twice as much of it.
    let mut bytes = Vec::with_capacity(stdin_size().unwrap_or(0));
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::Io("standard input".into(), error))?;
    Ok(bytes)
}

/// Bytes of standard input, if it is a file.
#[cfg(unix)]
fn stdin_size() -> Option<usize> {
    use std::os::fd::AsFd as _;
    let file = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    usize::try_from(about.len()).ok()
}

#[cfg(not(unix))]
fn stdin_size() -> Option<usize> {
    None
}

/// Reads a file that a flag names.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    read_file(path).map_err(|error| Failure::Input(vec![error]))
}

fn read_file(path: &Path) -> Result<String, InputError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let help = if error.kind() == std::io::ErrorKind::NotFound { "check the name" } else { "" };
        defect(path, &format!("cannot be read: {error}"), help)
    })?;
    utf8(bytes, &path.display().to_string())
}

fn defect(path: &Path, message: &str, help: &str) -> InputError {
    InputError {
        origin: Origin { file: path.display().to_string(), ..Origin::default() },
        message: message.into(),
        help: help.into(),
        ..InputError::default()
    }
}

fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, InputError> {
    let origin = |line| Origin { file: name.to_owned(), document: 0, line };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(InputError {
            origin: origin(0),
            message: "the text is UTF-16, and YAML for Kubernetes is UTF-8".into(),
            help: "convert it: iconv -f UTF-16 -t UTF-8".into(),
            ..InputError::default()
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        // Valid up to there, so whole characters.
        let before = String::from_utf8_lossy(&bytes[..at]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        InputError {
            origin: origin(before.matches('\n').count() + 1),
            column: line.chars().count() + 1,
            message: format!("the byte 0x{:02x} is not UTF-8", bytes[at]),
            help: "save the file as UTF-8; iconv -t UTF-8 converts it".into(),
            ..InputError::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        utf8(bytes.to_vec(), "web.yaml")
            .map_or_else(|error| error.to_string(), |text| format!("read {text:?}"))
    }

    /// "invalid utf-8 sequence of 1 bytes from index 48211" helps nobody.
    #[test]
    fn a_byte_that_is_no_text_is_told_by_line_and_column() {
        assert_eq!(told("a: ü\r\nb: \u{e9}x\n".as_bytes()), "read \"a: ü\\r\\nb: éx\\n\"");
        assert_eq!(
            told(b"a: \xc3\xbc\nname: caf\xe9\n"),
            "web.yaml:2:10: the byte 0xe9 is not UTF-8 (save the file as UTF-8; iconv -t UTF-8 converts it)"
        );
        assert_eq!(
            told(b"\xff\xfea\x00"),
            "web.yaml: the text is UTF-16, and YAML for Kubernetes is UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)"
        );
    }
}
