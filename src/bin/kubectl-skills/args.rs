//! The command line: verbs, and the flags that several of them share. Each verb's own flags stand beside its code.

#[cfg(not(feature = "cluster"))]
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use kubectl_skills::config::layers::ConfigView;

use crate::commands;
use crate::source::Input;

#[cfg(feature = "cluster")]
pub use crate::cluster::{args::ClusterArgs, live_run::LiveArgs};

/// Flags about a cluster, of which a build without one has none.
#[cfg(not(feature = "cluster"))]
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ClusterArgs {}

/// What of a cluster a verb is about.
#[cfg(not(feature = "cluster"))]
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LiveArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-skills",
    bin_name = "kubectl skills",
    version,
    about = "Mounts the skill images of AgentRuntimes into their workloads, as the operator would: in manifests or in a cluster",
    max_term_width = 120,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  # What would a manifest become?
  kubectl skills diff -f agent.yaml

  # Between kustomize and kubectl
  kustomize build . | kubectl skills render -f - | kubectl apply -f -

Exit codes: 0 done, nothing differs, nothing found; 1 differs or findings; 2 usage; 3 bad input; 4 the cluster refused or \
failed. 'kubectl skills VERB --help' has examples of each verb."
)]
pub struct Args {
    /// When to colour what is printed: auto, always or never
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN", hide_possible_values = true)]
    pub color: Color,
    #[command(subcommand)]
    pub verb: Verb,
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
    Hash(commands::hash::Args),
    Validate(commands::validate::Args),
    #[cfg(feature = "cluster")]
    Doctor(commands::doctor::Args),
    #[command(name = commands::function::VERB)]
    Function(commands::function::Args),
    #[cfg(feature = "controller")]
    Controller(Box<commands::controller::Args>),
    Crd(commands::crd::Args),
    Policy(commands::policy::Args),
    Rbac(commands::rbac::Args),
    #[cfg(feature = "controller")]
    Webhook(commands::webhook::Args),
    #[cfg(feature = "cluster")]
    Completion(commands::completion::Args),
    Version(commands::version::Args),
    #[cfg(feature = "cluster")]
    #[command(name = commands::complete::NAME, hide = true)]
    Complete(commands::complete::Args),
    /// Prints docs/cli.md
    #[command(name = "__docs", hide = true)]
    Docs,
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

/// Whose rules a plan follows, and what it takes for granted.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct Planning {
    /// Whose rules: auto, or a profile's name as 'version' lists them
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub profile: String,
    /// Follow the operator's code bug for bug, also where it loses data or breaks the pod
    #[arg(long)]
    pub exact: bool,
    /// Feature gates that decide over all others, such as skillImageVolumes=true,envoyProxy=false
    #[arg(long, value_name = "NAME=BOOL,...")]
    pub feature_gates: Option<String>,
    /// The feature gates file that the operator's manager has mounted
    #[arg(long, value_name = "FILE")]
    pub feature_gates_file: Option<PathBuf>,
    /// Which ConfigMaps the config hash sees: those the deployed operator sees, or all
    #[arg(long, value_enum, default_value_t = View::Operator, value_name = "operator|full", hide_possible_values = true)]
    pub config_view: View,
    /// The operator's ConfigMaps: a file with them, or the word cluster; repeatable
    #[arg(long, value_name = "FILE|cluster")]
    pub config_from: Vec<PathBuf>,
    /// Agent container, where it is not the first
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// Whether the agent container's SKILL_FOLDERS names the mount paths [default: as the profile has it]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub skill_folders: Option<bool>,
}

/// What verbs look at that work on manifests and on a cluster, and how they say what they see.
#[derive(Debug, clap::Args)]
pub struct Subject {
    /// Namespace: of objects in manifests that name none, or in the cluster
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Output format: text or json
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Report,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub planning: Planning,
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Which ConfigMaps the config hash sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// What the deployed operator sees through its caches.
    #[default]
    Operator,
    /// All.
    Full,
}

impl From<View> for ConfigView {
    fn from(view: View) -> Self {
        match view {
            View::Operator => Self::Operator,
            View::Full => Self::Full,
        }
    }
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// clap finds contradictions in a definition only when it is asked.
    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
