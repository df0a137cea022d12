//! Reads manifests: `-f` and `-k` in, named texts out. What the texts mean is left to the library; which files of a folder
//! are manifests is decided in `walk`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;
use kubectl_skills::manifest::no_object::no_object;
use kubectl_skills::manifest::stream::Source;
use kubectl_skills::yaml;

use crate::exit::Failure;
use crate::progress::Progress;

mod build;
mod exclude;
mod kustomization;
mod kustomize;
mod read;
mod skipped;
mod walk;

pub use build::Build;
pub use exclude::check as exclude_pattern;
pub use kustomization::manifests as built_of;
use read::{STDIN, named_file, stdin_bytes, utf8};
pub use read::{read_stdin, read_text};

/// Name of the configuration file, which lies among manifests and is none.
pub const CONFIG_FILE: &str = ".kubectl-skills.yaml";

/// What of the files of kustomize in folders is of interest. They are no manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfKustomize {
    /// None: the notes say how to render what it makes.
    Nothing,
    /// The kustomizations: a folder may have nothing else.
    Kustomizations,
    /// These and what they name, among the manifests.
    Sources,
    /// What they name, apart from the manifests.
    Patches,
}

impl OfKustomize {
    /// Whether a folder with a kustomization alone is one to read.
    fn takes_kustomizations(self) -> bool {
        matches!(self, Self::Kustomizations | Self::Sources)
    }
}

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
    /// Leave files and folders out that match, as in .gitignore: 'values*.yaml', 'old/', '/charts/**'; repeatable
    #[arg(long, value_name = "PATTERN", requires = "files")]
    pub exclude: Vec<String>,
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
    /// The files and folders that were named, symbolic links followed: nothing outside of them is written.
    pub roots: BTreeSet<PathBuf>,
    /// The kustomizations of folders, which are no manifests.
    pub kustomizations: Vec<PathBuf>,
    /// What kustomize reads of the folders, where it was asked for with the manifests.
    pub kustomize: Vec<Source>,
}

impl Input {
    /// Whether any was named; else the verb is about the cluster.
    pub fn given(&self) -> bool {
        !self.files.is_empty() || self.kustomize.is_some()
    }

    /// Refuses what cannot be written into.
    pub fn check_in_place(&self) -> Result<(), Failure> {
        if let Some(folder) = &self.kustomize {
            let files = kustomization::manifests(folder);
            let way = if files.is_empty() {
                "write what is built into one, and name that: kubectl kustomize".to_owned()
                    + &format!(" {} > FILE, then -f FILE", folder.display())
            } else {
                let named: Vec<String> = files.iter().map(|file| format!("-f {}", file.display())).collect();
                format!("name those that it is built of: {}", named.join(" "))
            };
            return Err(Failure::Usage(format!(
                "-i writes into files, and what is built of {} is none: {way}",
                folder.display()
            )));
        }
        if self.files.iter().any(|file| file.as_os_str() == "-") {
            return Err(Failure::Usage(
                "-i writes into files, and standard input is none: leave one of them out".into(),
            ));
        }
        Ok(())
    }

    /// Reads all of them. All defects are reported, not only the first; an input without any object is one of them, for
    /// that is how a pipeline looks whose first part failed.
    pub fn read(&self) -> Result<Inputs, Failure> {
        self.read_as(OfKustomize::Nothing)
    }

    /// The same with the YAML and JSON files that kustomize reads, and the kustomizations themselves, for who looks at names
    /// and not at objects.
    pub fn read_with_kustomize_files(&self) -> Result<Inputs, Failure> {
        self.read_as(OfKustomize::Sources)
    }

    /// The same for who looks at kustomizations too: a folder may have nothing else.
    pub fn read_with_kustomizations(&self) -> Result<Inputs, Failure> {
        self.read_as(OfKustomize::Kustomizations)
    }

    /// Manifests, and what kustomize reads of their folders, for verbs that look at both. A file that is named brings the
    /// kustomization of its folder.
    pub fn read_with_patches(&self) -> Result<Inputs, Failure> {
        let mut inputs = self.read_with(OfKustomize::Patches)?;
        inputs.read_kustomize()?;
        Ok(inputs)
    }

    /// Manifests, and the same of kustomize for who looks at it and carries nothing of it out: the notes say so.
    pub fn read_alongside_kustomize(&self) -> Result<Inputs, Failure> {
        let mut inputs = self.read_with(OfKustomize::Nothing)?;
        inputs.read_kustomize()?;
        // Kustomizations first.
        inputs.kustomize.sort_by_key(|source| !kustomization::is_named_so(Path::new(&source.name)));
        Ok(inputs)
    }

    /// With the kustomizations alone of what kustomize reads.
    fn read_as(&self, wanted: OfKustomize) -> Result<Inputs, Failure> {
        let mut inputs = self.read_with(wanted)?;
        inputs.kustomizations.retain(|path| kustomization::is_named_so(path));
        Ok(inputs)
    }

    /// With all that kustomize reads of the folders.
    fn read_with(&self, wanted: OfKustomize) -> Result<Inputs, Failure> {
        // Whoever types manifests in is not to be disturbed.
        let typed = self.files.iter().any(|file| file.as_os_str() == STDIN);
        let _progress = (!typed).then(|| Progress::start("reading manifests"));
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
        let mut reader = Reader {
            walk: walk::Walk::new(self.recursive, exclude::Exclude::new(&self.exclude)?),
            wanted,
            inputs: &mut inputs,
            seen: BTreeSet::new(),
            errors: Vec::new(),
        };
        for path in &self.files {
            reader.one(path)?;
        }
        if wanted == OfKustomize::Sources {
            reader.kustomize_files();
        }
        let Reader { walk, mut errors, .. } = reader;
        if errors.is_empty() && !inputs.sources.iter().any(|source| has_object(&source.text)) {
            errors.push(
                wanted
                    .takes_kustomizations()
                    .then(|| walk.overlay_alone())
                    .flatten()
                    .unwrap_or_else(|| nothing(&inputs.sources)),
            );
        } else if errors.is_empty() {
            let none: Vec<InputError> = inputs.sources.iter().map_while(no_object).collect();
            // Alongside manifests, a text is whatever its folder needs.
            if none.len() == inputs.sources.len() {
                errors = none;
            }
        }
        if !errors.is_empty() {
            return Err(Failure::Input(errors));
        }
        walk.skipped.tell(wanted);
        inputs.kustomizations = walk.skipped.kustomize_files;
        Ok(inputs)
    }
}

struct Reader<'i> {
    walk: walk::Walk,
    wanted: OfKustomize,
    inputs: &'i mut Inputs,
    /// Files that were read, symbolic links followed.
    seen: BTreeSet<PathBuf>,
    errors: Vec<InputError>,
}

impl Reader<'_> {
    fn one(&mut self, path: &Path) -> Result<(), Failure> {
        if path.as_os_str() == STDIN {
            return self.stdin(path);
        }
        if let Some(text) = path.to_str()
            && (text.starts_with("http://") || text.starts_with("https://"))
        {
            return Err(Failure::Usage(format!(
                "-f {text}: addresses are not read; pipe them in: curl -sSf {text} | kubectl skills ... -f -"
            )));
        }
        self.inputs.roots.extend(path.canonicalize());
        if path.is_dir() {
            return self.folder(path);
        }
        // A file that is named and also stands in a named folder is one file.
        if path.canonicalize().map_or(true, |real| self.seen.insert(real)) {
            let read = named_file(path);
            self.add(path, read);
        }
        Ok(())
    }

    fn stdin(&mut self, path: &Path) -> Result<(), Failure> {
        if !self.seen.insert(path.to_owned()) {
            return Err(Failure::Usage("'-f -' is given twice: standard input can be read once".into()));
        }
        match utf8(stdin_bytes()?, STDIN) {
            Ok(text) => self.inputs.push(Source { name: STDIN.into(), text }, None),
            Err(error) => self.errors.push(error),
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> Result<(), Failure> {
        let before = (self.errors.len(), self.inputs.sources.len());
        let kustomizations = self.walk.skipped.kustomizations.len();
        for file in self.walk.files_of(path, &mut self.errors) {
            if file.canonicalize().is_ok_and(|real| !self.seen.insert(real)) {
                continue;
            }
            match read::manifest_of_folder(&file) {
                Ok(Some(text)) => self.add(&file, Ok(text)),
                Ok(None) => self.walk.skipped.json_with_comments.push(file),
                Err(error) => self.errors.push(error),
            }
        }
        let has_kustomization = self.walk.skipped.kustomizations.len() > kustomizations;
        if before == (self.errors.len(), self.inputs.sources.len())
            && !(self.wanted.takes_kustomizations() && has_kustomization)
        {
            self.errors.push(self.walk.nothing_in(path));
        }
        Ok(())
    }

    /// Reads what kustomize reads of the folders, once they are known.
    fn kustomize_files(&mut self) {
        for path in std::mem::take(&mut self.walk.skipped.kustomize_files) {
            let is_text = path
                .extension()
                .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|one| ending == *one));
            let mut is_new = || path.canonicalize().map_or(true, |real| self.seen.insert(real));
            if (is_text || kustomization::is_named_so(&path)) && is_new() {
                let read = named_file(&path);
                self.add(&path, read);
            }
        }
    }

    fn add(&mut self, path: &Path, read: Result<String, InputError>) {
        match read {
            Ok(text) => {
                let source = Source { name: path.display().to_string(), text };
                self.inputs.push(source, Some(path.to_owned()));
            }
            Err(error) => self.errors.push(error),
        }
    }
}

impl Inputs {
    /// Reads what kustomize reads of the folders. A file that is named brings the kustomization of its folder.
    fn read_kustomize(&mut self) -> Result<(), Failure> {
        let folders: BTreeSet<PathBuf> =
            self.paths.iter().flatten().filter_map(|path| path.parent().map(Path::to_owned)).collect();
        let mut files = std::mem::take(&mut self.kustomizations);
        for folder in folders {
            files.extend(kustomization::around(&folder));
        }
        let mut seen: BTreeSet<PathBuf> =
            self.paths.iter().flatten().filter_map(|path| path.canonicalize().ok()).collect();
        for path in files {
            let is_text = kustomization::is_named_so(&path) || walk::is_manifest(&path);
            if is_text && path.canonicalize().is_ok_and(|real| seen.insert(real)) {
                match named_file(&path) {
                    Ok(text) => self.kustomize.push(Source { name: path.display().to_string(), text }),
                    Err(error) => return Err(Failure::Input(vec![error])),
                }
            }
        }
        Ok(())
    }

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
            help:
                "see whether the command before the pipe failed; bash's 'set -o pipefail' would have reported it"
                    .into(),
            ..InputError::default()
        },
        [only] => defect(Path::new(&only.name), "there is no object in it", ""),
        _ => InputError { message: "there is no object in the files".into(), ..InputError::default() },
    }
}

fn defect(path: &Path, message: &str, help: &str) -> InputError {
    InputError {
        origin: Origin { file: path.display().to_string(), ..Origin::default() },
        message: message.into(),
        help: help.into(),
        ..InputError::default()
    }
}
