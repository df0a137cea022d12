//! Which configuration file a run has, and what it changes: the defaults of the verb's flags. What may stand in the file is
//! left to `config_file`.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use crate::commands::{self, function};
use crate::config_file::{self, KEYS};
use crate::exit::Failure;
use crate::source::{self, CONFIG_FILE};

/// A configuration file that was read, and the keys of it that the verb has.
#[derive(Debug)]
pub struct Used {
    pub path: PathBuf,
    pub keys: Vec<&'static str>,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = if self.keys.is_empty() { "nothing for this verb".into() } else { self.keys.join(", ") };
        write!(f, "configuration file {}: {keys}", self.path.display())
    }
}

/// Puts the values of the configuration file into the command as defaults; `None` if there is no such file.
pub fn from_file(command: Command, matches: &ArgMatches) -> Result<(Command, Option<Used>), Failure> {
    let Some((verb, typed)) = matches.subcommand() else { return Ok((command, None)) };
    let named = typed.try_get_one::<PathBuf>("config").ok().flatten();
    let knows = |name: &str| argument(&command, verb, name).is_some();
    if !KEYS.iter().any(|key| knows(key.name)) {
        return Ok((command, None));
    }
    let path = match named {
        Some(path) => path.clone(),
        // What they do hangs on their own configuration, not on where they run.
        None if commands::SERVERS.contains(&verb) || verb == function::VERB => return Ok((command, None)),
        // It is about a cluster, wherever it is typed.
        None if verb == "uninstall" => return Ok((command, None)),
        None => match found(typed) {
            Some(path) => path,
            None => return Ok((command, None)),
        },
    };
    let text = source::read_text(&path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let settings = config_file::read(&path.display().to_string(), folder, &text)?;
    let everywhere = typed.try_get_one::<bool>("all_namespaces").ok().flatten() == Some(&true);
    let mut used = Used { path, keys: Vec::new() };
    let command = settings.into_iter().fold(command, |command, setting| {
        let Some(id) = argument(&command, verb, setting.name) else { return command };
        // `auto` is what there is without it, and no name of a profile.
        let nothing = setting.values.is_empty() || setting.values == ["auto"];
        if nothing || (everywhere && setting.name == "namespace") {
            return command;
        }
        used.keys.push(setting.name);
        command.mut_subcommand(verb, |sub| {
            sub.mut_arg(id, |arg| {
                // A flag that names a file and may stand without one means this one.
                let may_be_bare = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
                let arg = match setting.values.as_slice() {
                    [only] if may_be_bare && setting.name == "locked" => {
                        arg.default_missing_value(only.clone())
                    }
                    _ => arg,
                };
                arg.default_values(setting.values)
            })
        })
    });
    Ok((command, Some(used)))
}

/// The identifier of a verb's flag of that name.
fn argument(command: &Command, verb: &str, name: &str) -> Option<String> {
    let mut all = command.find_subcommand(verb)?.get_arguments();
    let is_named = |arg: &&clap::Arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
    };
    all.find(is_named).map(|arg| arg.get_id().to_string())
}

/// The file in the folder of the first manifest, or above it; without manifests, in the working directory or above.
fn found(typed: &ArgMatches) -> Option<PathBuf> {
    let files = typed.try_get_many::<PathBuf>("files").ok().flatten();
    let first = files.and_then(|mut all| all.next()).filter(|path| *path != Path::new("-"));
    let given = first.or_else(|| typed.try_get_one::<PathBuf>("kustomize").ok().flatten());
    let given = given.map_or(Path::new("."), PathBuf::as_path);
    // What is not there is an error of its reader.
    let real = given.canonicalize().ok()?;
    let start = if real.is_dir() { real.as_path() } else { real.parent()? };
    let path = start.ancestors().map(|folder| folder.join(CONFIG_FILE)).find(|path| path.is_file())?;
    // As short as a user would write it.
    let here = Path::new(".").canonicalize().ok()?;
    Some(path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path))
}
