//! What was typed: the flags that several verbs share, as clap reads them. Each verb's own flags stand with its code; what
//! they come to is in `planning`.

use std::path::PathBuf;

use clap::ValueEnum;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::config::gates::{GateSource, GatesFile};
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::skill::lock::FILE;

use crate::exit::Failure;
use crate::planning::{ConfigFrom, Locked, Planning, chosen_profile, policy_in_force};
use crate::source::{self, Input};

pub use crate::sink::Report;

/// `-o` of verbs that list things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// A table with more columns.
    Wide,
    /// One JSON object.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names as kubectl takes them.
    Name,
}

#[cfg(feature = "cluster")]
pub use crate::cluster::args::{ClusterArgs, LiveArgs};

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

/// Whose rules a plan follows, and what it takes for granted.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct PlanningArgs {
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
    /// Pin images by a lock, as 'lock' writes it; one that it does not have is an error, and no registry is asked
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = FILE)]
    pub locked: Option<PathBuf>,
    /// Refuse what breaks this policy about skills (kind SkillPolicy), which is judged by the lock alone
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    #[command(flatten)]
    pub kinds: KindsArgs,
}

/// Which kinds of workload there are.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct KindsArgs {
    /// A further kind that a SkillBinding can point at, and where its pod template is; repeatable
    #[arg(long, value_name = "KIND.GROUP=PATH")]
    pub pod_template_path: Vec<String>,
}

impl KindsArgs {
    /// Reads them.
    pub fn resolve(&self) -> Result<Kinds, Failure> {
        Kinds::with(&self.pod_template_path)
            .map_err(|why| Failure::Usage(format!("--pod-template-path {why}")))
    }
}

fn gates_file(path: &std::path::Path) -> Result<GatesFile, Failure> {
    Ok(GatesFile { path: path.display().to_string(), text: Some(source::read_text(path)?) })
}

impl PlanningArgs {
    /// Looks names up and reads the files.
    pub fn resolve(&self) -> Result<Planning, Failure> {
        self.resolve_for(false)
    }

    /// The same where skills are perhaps taken out, for which no lock is needed.
    pub fn resolve_for(&self, remove: bool) -> Result<Planning, Failure> {
        Ok(Planning {
            profile: chosen_profile(&self.profile)?,
            exact: self.exact,
            gates: GateSource {
                flags: self.feature_gates.clone(),
                file: self.feature_gates_file.as_deref().map(gates_file).transpose()?,
                ..GateSource::default()
            },
            view: self.config_view.into(),
            config: ConfigFrom::read(&self.config_from)?,
            container: self.container.clone(),
            skill_folders: self.skill_folders,
            kinds: self.kinds.resolve()?,
            lock: self.locked.as_deref().filter(|_| !remove).map(Locked::read).transpose()?,
            policy: self.policy.as_deref().filter(|_| !remove).map(policy_in_force).transpose()?,
        })
    }
}

/// What verbs look at that work on manifests and on a cluster, and how they say what they see.
#[derive(Debug, clap::Args)]
pub struct Subject {
    /// Namespace: of objects in manifests that name none, or in the cluster
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Report,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub planning: PlanningArgs,
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
