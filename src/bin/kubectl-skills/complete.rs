//! What kubectl asks of `kubectl_complete-skills`: the words typed so far in, lines of `value<TAB>description` and a last
//! `:DIRECTIVE` out. Also the text of that file, for who installs it.
//!
//! Protocol: kubectl 1.26 on runs an executable of that name with the words after `kubectl skills`, the last of which may
//! be empty (kubernetes/kubernetes#105867). The directive is Cobra's: 4 for no file names, 0 for file names as well.

use clap::{Arg, Command};

/// Cobra's directive "do not complete file names".
const NO_FILES: u8 = 4;
/// Cobra's directive "whatever the shell does".
const DEFAULT: u8 = 0;

/// A value that the cluster or the kubeconfig knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Namespaces.
    Namespaces,
    /// Contexts of the kubeconfig.
    Contexts,
    /// Clusters of the kubeconfig.
    Clusters,
    /// Users of the kubeconfig.
    Users,
    /// AgentRuntimes and SkillBindings of the namespace typed before.
    Names,
    /// Profiles.
    Profiles,
}

/// A suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What would be typed.
    pub value: String,
    /// What it is.
    pub about: String,
}

/// The script `kubectl_complete-skills`.
pub const SHIM: &str = "#!/bin/sh\nexec kubectl-skills __complete -- \"$@\"\n";
/// The scripts for shells. Each asks the program, so that all of them know what it knows.
pub const BASH: &str = include_str!("complete/bash.sh");
/// See [`BASH`].
pub const ZSH: &str = include_str!("complete/zsh.zsh");
/// See [`BASH`].
pub const FISH: &str = include_str!("complete/fish.fish");

/// Answers one request of kubectl. `look_up` gets what is asked for and the words typed before; what it cannot find out it
/// leaves out, for a completion must never fail loudly.
pub fn answer(root: &Command, words: &[String], look_up: &dyn Fn(Known, &[String]) -> Vec<String>) -> String {
    let (suggestions, directive) = suggest(root, words, look_up);
    let mut out = String::new();
    for suggestion in suggestions {
        out.push_str(&suggestion.value);
        if !suggestion.about.is_empty() {
            out.push('\t');
            out.push_str(&suggestion.about);
        }
        out.push('\n');
    }
    out.push_str(&format!(":{directive}\n"));
    out
}

fn suggest(
    root: &Command,
    words: &[String],
    look_up: &dyn Fn(Known, &[String]) -> Vec<String>,
) -> (Vec<Suggestion>, u8) {
    let Some((current, before)) = words.split_last() else { return (Vec::new(), NO_FILES) };
    let mut command = root;
    let mut pending: Option<&Arg> = None;
    for word in before {
        if pending.take().is_some() {
            continue;
        }
        if let Some(found) = command.find_subcommand(word) {
            command = found;
        } else {
            pending = flag(root, command, word).filter(|arg| takes_next_word(arg) && !word.contains('='));
        }
    }
    if let Some(arg) = pending {
        return values(arg, current, "", before, look_up);
    }
    if current.starts_with('-') {
        if let Some((name, value)) = current.split_once('=')
            && let Some(arg) = flag(root, command, name)
        {
            return values(arg, value, &format!("{name}="), before, look_up);
        }
        return (flags(root, command, current), NO_FILES);
    }
    if command.has_subcommands() {
        let named = command.get_subcommands().filter(|found| !found.is_hide_set());
        let all = named.map(|found| suggestion(found.get_name(), found.get_about().map(ToString::to_string)));
        return (all.filter(|found| found.value.starts_with(current.as_str())).collect(), NO_FILES);
    }
    match command.get_positionals().next() {
        Some(arg) => values(arg, current, "", before, look_up),
        None => (Vec::new(), NO_FILES),
    }
}

fn values(
    arg: &Arg,
    typed: &str,
    prefix: &str,
    before: &[String],
    look_up: &dyn Fn(Known, &[String]) -> Vec<String>,
) -> (Vec<Suggestion>, u8) {
    let known = match arg.get_id().as_str() {
        "namespace" | "operator_namespace" => Some(Known::Namespaces),
        "context" => Some(Known::Contexts),
        "cluster" => Some(Known::Clusters),
        "user" => Some(Known::Users),
        "names" | "workload" => Some(Known::Names),
        "profile" => Some(Known::Profiles),
        _ => None,
    };
    let found: Vec<(String, Option<String>)> = match known {
        Some(known) => look_up(known, before).into_iter().map(|value| (value, None)).collect(),
        None => arg
            .get_possible_values()
            .into_iter()
            .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string)))
            .collect(),
    };
    let files = known.is_none() && found.is_empty();
    let all = found.into_iter().filter(|(value, _)| value.starts_with(typed));
    let all = all.map(|(value, about)| suggestion(&format!("{prefix}{value}"), about)).collect();
    (all, if files { DEFAULT } else { NO_FILES })
}

fn flags(root: &Command, command: &Command, typed: &str) -> Vec<Suggestion> {
    let own = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    let mut out: Vec<Suggestion> = own
        .chain(global)
        .filter_map(|arg| {
            Some(suggestion(&format!("--{}", arg.get_long()?), arg.get_help().map(ToString::to_string)))
        })
        .filter(|found| found.value.starts_with(typed))
        .collect();
    out.sort_by(|a, b| a.value.cmp(&b.value));
    out.dedup_by(|a, b| a.value == b.value);
    out
}

fn flag<'c>(root: &'c Command, command: &'c Command, word: &str) -> Option<&'c Arg> {
    let name = word.split('=').next().unwrap_or(word);
    let mut all = command.get_arguments().chain(root.get_arguments().filter(|arg| arg.is_global_set()));
    if let Some(long) = name.strip_prefix("--") {
        return all.find(|arg| arg.get_long() == Some(long));
    }
    let short = name.strip_prefix('-')?.chars().next()?;
    // `-nteam1` holds its value already.
    (name.chars().count() == 2).then(|| all.find(|arg| arg.get_short() == Some(short))).flatten()
}

fn takes_next_word(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn suggestion(value: &str, about: Option<String>) -> Suggestion {
    let about = about.unwrap_or_default();
    Suggestion { value: value.to_owned(), about: about.lines().next().unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("skills")
            .arg(
                Arg::new("color")
                    .long("color")
                    .global(true)
                    .value_parser(["auto", "always"])
                    .help("When to colour"),
            )
            .subcommand(
                Command::new("apply")
                    .about("Write")
                    .arg(Arg::new("names").num_args(0..))
                    .arg(Arg::new("namespace").short('n').long("namespace").help("Namespace"))
                    .arg(Arg::new("wait").long("wait").num_args(0..=1).require_equals(true))
                    .arg(Arg::new("file").long("feature-gates-file"))
                    .arg(
                        Arg::new("force")
                            .long("force-conflicts")
                            .action(clap::ArgAction::SetTrue)
                            .help("Take over"),
                    ),
            )
            .subcommand(Command::new("status").about("Show"))
            .subcommand(Command::new("set").arg(Arg::new("workload")).arg(Arg::new("skills").num_args(0..)))
            .subcommand(Command::new("__complete").hide(true))
    }

    fn complete(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        answer(&command(), &words, &|known, before| match known {
            Known::Namespaces => vec!["team1".into(), "team2".into(), "other".into()],
            Known::Names => vec![format!("seen-{}", before.len())],
            _ => Vec::new(),
        })
    }

    /// kubectl shows what comes out as it is: a wrong line is typed into the user's shell.
    #[test]
    fn words_are_completed_as_kubectl_expects() {
        assert_eq!(complete(&[""]), "apply\tWrite\nstatus\tShow\nset\n:4\n");
        assert_eq!(complete(&["set", "se"]), "seen-1\n:4\n");
        assert_eq!(complete(&["st"]), "status\tShow\n:4\n");
        assert_eq!(complete(&["apply", "-n", "team"]), "team1\nteam2\n:4\n");
        assert_eq!(complete(&["apply", "--namespace=o"]), "--namespace=other\n:4\n");
        assert_eq!(complete(&["apply", "-n", "team1", ""]), "seen-3\n:4\n");
        assert_eq!(complete(&["apply", "--wait", "se"]), "seen-2\n:4\n");
        assert_eq!(complete(&["apply", "--f"]), "--feature-gates-file\n--force-conflicts\tTake over\n:4\n");
        assert_eq!(complete(&["apply", "--feature-gates-file", ""]), ":0\n");
        assert_eq!(complete(&["apply", "--color", "a"]), "auto\nalways\n:4\n");
        assert_eq!(complete(&["status", ""]), ":4\n");
        assert_eq!(complete(&[]), ":4\n");
    }
}
