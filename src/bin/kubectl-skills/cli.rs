//! The command line as a whole: the verbs, the flags of all of them, and which code runs a verb.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anstream::ColorChoice;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, Args as _, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    ValueEnum,
};

use crate::commands;
use crate::exit::{Failure, Run};
use crate::notes;
use crate::planning;

mod defaults;

/// The program's name in help and errors.
const BIN_NAME: &str = "kubectl skills";
/// Columns that help is wrapped at where the terminal is wider.
const WIDTH: usize = 120;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-skills",
    bin_name = BIN_NAME,
    version,
    about = "Mounts the skill images of AgentRuntimes and SkillBindings into their workloads: in manifests or in a cluster",
    max_term_width = WIDTH,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  # What would a manifest become?
  kubectl skills diff -f agent.yaml

  # Between kustomize and kubectl
  kustomize build . | kubectl skills render -n team1 -f - | kubectl apply -n team1 -f -

Exit codes: 0 done, nothing differs, nothing found; 1 differs or findings; 2 usage; 3 bad input; 4 the cluster or a registry \
refused or failed. 'kubectl skills VERB --help' has examples of each verb."
)]
pub struct Args {
    #[command(flatten)]
    pub everywhere: Everywhere,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The flags of all verbs.
#[derive(Debug, clap::Args)]
pub struct Everywhere {
    /// When to colour what is printed: auto, always or never
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN", hide_possible_values = true)]
    pub color: Color,
    /// Print the result and errors only: no summary, no notes, no warnings
    #[arg(short = 'q', long, global = true)]
    pub quiet: bool,
    /// Print a line for each object; -vv prints each request to the API server as well
    #[arg(short = 'v', long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Configuration file with defaults of flags [default: .kubectl-skills.yaml in the folder of the first manifest, or above it]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to do. The order is that of the help.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Render(commands::render::Args),
    Diff(commands::diff::Args),
    Plan(commands::plan::Args),
    #[cfg(feature = "cluster")]
    Apply(commands::apply::Args),
    #[cfg(feature = "cluster")]
    Status(commands::status::Args),
    List(Box<commands::list::Args>),
    Set(Box<commands::set::Args>),
    #[cfg(feature = "cluster")]
    Restart(commands::restart::Args),
    Hash(commands::hash::Args),
    Migrate(commands::migrate::Args),
    Import(commands::import::Args),
    Validate(commands::validate::Args),
    Lint(Box<commands::lint::Args>),
    Explain(commands::explain::Args),
    Lock(Box<commands::lock::Args>),
    Inspect(commands::inspect::Args),
    Pack(commands::pack::Args),
    Convert(commands::convert::Args),
    #[cfg(feature = "cluster")]
    Doctor(commands::doctor::Args),
    #[cfg(feature = "registry")]
    Push(Box<commands::push::Args>),
    #[cfg(feature = "registry")]
    Pull(Box<commands::pull::Args>),
    #[cfg(feature = "registry")]
    Copy(Box<commands::copy::Args>),
    #[cfg(feature = "registry")]
    Tags(commands::tags::Args),
    #[cfg(feature = "registry")]
    Outdated(Box<commands::outdated::Args>),
    #[cfg(feature = "registry")]
    Update(Box<commands::update::Args>),
    #[cfg(feature = "registry")]
    Verify(Box<commands::verify::Args>),
    #[command(name = commands::function::VERB)]
    Function(commands::function::Args),
    #[cfg(feature = "controller")]
    Controller(Box<commands::controller::Args>),
    Crd(commands::crd::Args),
    Policy(commands::policy::Args),
    Report(Box<commands::report::Args>),
    Card(Box<commands::card::Args>),
    Rbac(commands::rbac::Args),
    Schema(commands::schema::Args),
    #[cfg(feature = "cluster")]
    Uninstall(commands::uninstall::Args),
    #[cfg(feature = "webhook")]
    Webhook(commands::webhook::Args),
    #[cfg(feature = "cluster")]
    Completion(commands::completion::Args),
    Version(commands::version::Args),
    #[cfg(feature = "cluster")]
    #[command(name = commands::complete::NAME, hide = true)]
    Complete(commands::complete::Args),
    /// Prints docs/cli.md, or the page of a verb
    #[command(name = "__docs", hide = true)]
    Docs(commands::docs::Args),
    /// A verb that this build lacks, or that there is not.
    #[cfg(not(feature = "cluster"))]
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE=1 colours everywhere.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The command line; called by a name that stands for a verb, with that verb inserted; `help VERB` as `VERB --help`.
pub fn words(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
        return words;
    }
    let name = words.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    let verb = if name == "kubectl_complete-skills" {
        commands::complete::NAME
    } else if commands::function::NAMES.iter().any(|known| name == *known) {
        commands::function::VERB
    } else {
        return words;
    };
    words.insert(1, verb.into());
    words
}

/// What defines the flags of a verb.
type Define = fn(Command) -> Command;

/// The verbs that pipelines run with each file.
const IN_PIPELINES: [(&str, Define); 7] = [
    ("render", commands::render::Args::augment_args),
    ("diff", commands::diff::Args::augment_args),
    ("plan", commands::plan::Args::augment_args),
    ("hash", commands::hash::Args::augment_args),
    ("validate", commands::validate::Args::augment_args),
    ("lint", commands::lint::Args::augment_args),
    (commands::function::VERB, commands::function::Args::augment_args),
];

/// The command line for one run: of [`IN_PIPELINES`] the one verb alone. To define all of them takes longer than to render a small
/// input.
fn command(words: &[OsString]) -> Command {
    let typed = |(name, _): &&(&str, Define)| words.get(1).is_some_and(|word| word == name);
    let Some((name, define)) = IN_PIPELINES.iter().find(typed) else { return Args::command() };
    let whole = Command::new("kubectl-skills").bin_name(BIN_NAME).max_term_width(WIDTH);
    let verb = define(Command::new(*name));
    Everywhere::augment_args(whole.disable_help_subcommand(true)).subcommand(verb)
}

/// Reads the command line. Help and the version are failures here, as for clap: nothing is left to run.
pub fn parse(words: Vec<OsString>) -> Result<Args, Failure> {
    let matches =
        command(&words).try_get_matches_from(words.clone()).map_err(|error| without_files(&words, error))?;
    let typed = Args::from_arg_matches(&matches).map_err(Failure::CommandLine)?;
    colours(typed.everywhere.color);
    notes::set(typed.everywhere.quiet, typed.everywhere.verbose);
    let (command, Some(used)) = defaults::from_file(command(&words), &matches)? else { return Ok(typed) };
    if notes::lists_objects() {
        notes::note(&used.to_string());
    }
    let matches = command.try_get_matches_from(words).map_err(Failure::CommandLine)?;
    let is_default =
        |(_, typed): (&str, &ArgMatches)| typed.value_source("profile") == Some(ValueSource::DefaultValue);
    if used.keys.contains(&"profile") && matches.subcommand().is_some_and(is_default) {
        planning::profile_is_from(used.path.display().to_string());
    }
    Args::from_arg_matches(&matches).map_err(Failure::CommandLine)
}

/// Manifests given to a verb that reads none: clap would advise to pass `-f` as a value.
fn without_files(words: &[OsString], error: clap::Error) -> Failure {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => flag.as_str(),
        _ => return Failure::CommandLine(error),
    };
    let command = Args::command();
    let verb = words.iter().skip(1).find_map(|word| command.find_subcommand(word));
    let reads = |verb: &Command| verb.get_arguments().any(|arg| arg.get_long() == Some("filename"));
    if let Some(verb) = verb.filter(|verb| !flag.starts_with('-') && reads(verb)) {
        // An optional value is one with `=` alone.
        let before = words.iter().position(|word| word == flag).and_then(|at| words.get(at.checked_sub(1)?));
        let named = before.and_then(|word| word.to_str()?.strip_prefix("--"));
        let has_optional = |arg: &clap::Arg| arg.is_require_equals_set() && arg.get_long() == named;
        if let Some(option) = named.filter(|_| verb.get_arguments().any(has_optional)) {
            return Failure::Usage(format!(
                "the value of --{option} is given with an equals sign: --{option}={flag}"
            ));
        }
        let verb = verb.get_name();
        return Failure::Usage(format!("{verb} takes manifests with -f: kubectl skills {verb} -f {flag}"));
    }
    if let Some(verb) = verb.filter(|verb| flag == "--timeout" && verb.get_arguments().any(is_wait)) {
        return Failure::Usage(format!(
            "{} knows no --timeout: how long it waits is the value of --wait, as in --wait=5s",
            verb.get_name()
        ));
    }
    match verb.map(Command::get_name) {
        Some(verb @ ("apply" | "status" | "doctor" | "restart"))
            if ["-f", "--filename", "-k", "--kustomize", "-R"].contains(&flag) =>
        {
            let what = if verb == "restart" { "a SkillBinding" } else { "the AgentRuntimes" };
            Failure::Usage(format!(
                "{verb} works on {what} of a cluster and reads no manifests: '{flag}' is of render, diff, plan, hash \
                 and validate; to apply manifests: kubectl skills render -f FILE | kubectl apply -f -"
            ))
        }
        _ => Failure::CommandLine(error),
    }
}

fn is_wait(arg: &clap::Arg) -> bool {
    arg.get_long() == Some("wait")
}

fn colours(color: Color) {
    let choice = match color {
        // As NO_COLOR, CLICOLOR_FORCE and the terminal say.
        Color::Auto => return,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// Runs a verb.
pub fn run(args: &Args) -> Run {
    match &args.verb {
        Verb::Render(args) => commands::render::run(args),
        Verb::Diff(args) => commands::diff::run(args),
        Verb::Plan(args) => commands::plan::run(args),
        Verb::Hash(args) => commands::hash::run(args),
        Verb::Migrate(args) => commands::migrate::run(args),
        Verb::Import(args) => commands::import::run(args),
        Verb::Validate(args) => commands::validate::run(args),
        Verb::Lint(args) => commands::lint::run(args),
        Verb::Explain(args) => commands::explain::run(args),
        Verb::Lock(args) => commands::lock::run(args),
        Verb::Inspect(args) => commands::inspect::run(args),
        Verb::Pack(args) => commands::pack::run(args),
        Verb::Convert(args) => commands::convert::run(args),
        Verb::Crd(args) => commands::crd::run(args),
        Verb::Policy(args) => commands::policy::run(args),
        Verb::Report(args) => commands::report::run(args),
        Verb::Card(args) => commands::card::run(args),
        Verb::Set(args) => commands::set::run(args),
        Verb::List(args) => commands::list::run(args),
        Verb::Schema(args) => commands::schema::run(args),
        Verb::Rbac(args) => commands::rbac::run(args),
        Verb::Function(args) => commands::function::run(args),
        Verb::Version(args) => commands::version::run(args),
        Verb::Docs(args) => commands::docs::run(args, Args::command()),
        #[cfg(feature = "cluster")]
        Verb::Apply(args) => commands::apply::run(args),
        #[cfg(feature = "cluster")]
        Verb::Status(args) => commands::status::run(args),
        #[cfg(feature = "cluster")]
        Verb::Uninstall(args) => commands::uninstall::run(args),
        #[cfg(feature = "cluster")]
        Verb::Restart(args) => commands::restart::run(args),
        #[cfg(feature = "cluster")]
        Verb::Doctor(args) => commands::doctor::run(args),
        #[cfg(feature = "controller")]
        Verb::Controller(args) => commands::controller::run(args),
        #[cfg(feature = "cluster")]
        Verb::Completion(args) => commands::completion::run(args, Args::command()),
        #[cfg(feature = "cluster")]
        Verb::Complete(args) => commands::complete::run(args, &Args::command()),
        #[cfg(feature = "webhook")]
        Verb::Webhook(args) => commands::webhook::run(args),
        #[cfg(feature = "registry")]
        Verb::Push(args) => commands::push::run(args),
        #[cfg(feature = "registry")]
        Verb::Pull(args) => commands::pull::run(args),
        #[cfg(feature = "registry")]
        Verb::Copy(args) => commands::copy::run(args),
        #[cfg(feature = "registry")]
        Verb::Tags(args) => commands::tags::run(args),
        #[cfg(feature = "registry")]
        Verb::Outdated(args) => commands::outdated::run(args),
        #[cfg(feature = "registry")]
        Verb::Update(args) => commands::update::run(args),
        #[cfg(feature = "registry")]
        Verb::Verify(args) => commands::verify::run(args),
        #[cfg(not(feature = "cluster"))]
        Verb::Other(words) => Err(absent(words)),
    }
}

#[cfg(not(feature = "cluster"))]
fn absent(words: &[std::ffi::OsString]) -> Failure {
    let verb = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let verbs = [
        "apply",
        "status",
        "restart",
        "uninstall",
        "doctor",
        "completion",
        commands::complete::NAME,
        "controller",
        "webhook",
    ];
    Failure::Usage(if verbs.contains(&verb.as_str()) {
        format!("{verb}: this build cannot talk to a cluster; {}", commands::INSTALL)
    } else {
        format!("unrecognized subcommand '{verb}'; 'kubectl skills --help' lists them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap finds contradictions in a definition only when it is asked.
    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    /// A verb that is defined alone must be the verb that it is among all.
    #[test]
    fn a_verb_alone_is_what_it_is_among_all() {
        for (verb, _) in IN_PIPELINES {
            let words = ["kubectl-skills", verb].map(OsString::from);
            let seen = |mut all: Command| {
                all.build();
                let verb = all.find_subcommand_mut(verb).unwrap_or_else(|| panic!("{verb} is no verb"));
                (
                    format!("{:?}", verb.get_arguments().collect::<Vec<_>>()),
                    verb.render_long_help().to_string(),
                )
            };
            let alone = command(&words);
            assert_eq!(alone.get_subcommands().count(), 1, "{verb}");
            alone.clone().debug_assert();
            assert_eq!(seen(alone), seen(Args::command()), "{verb}");
        }
    }
}
