//! The rules that a plan follows: flags resolved, files read, names looked up. What was typed is left to `args`; nothing
//! here knows the command line.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use jiff::civil::Date;
use kubectl_skills::api::object::ConfigMap;
use kubectl_skills::api::pins::Pins;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::plan::Options;
use kubectl_skills::skill::lock::Lock;
use kubectl_skills::skill::policy::{self, Enforced, Policy};

use crate::exit::Failure;
use crate::notes;
use crate::source;

/// Namespace of objects that name none, as for kubectl without a cluster.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The word that stands for a cluster among the files of `--config-from`.
pub const CLUSTER: &str = "cluster";

/// Whose rules a plan follows, and what it takes for granted.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// The profile; none: `auto`, the input or the cluster decides.
    pub profile: Option<&'static Profile>,
    /// The operator's code bug for bug.
    pub exact: bool,
    /// Where the feature gates come from.
    pub gates: GateSource,
    /// Which ConfigMaps the hash sees.
    pub view: ConfigView,
    /// The operator's ConfigMaps.
    pub config: ConfigFrom,
    /// Name of the agent container; none: the rules decide.
    pub container: Option<String>,
    /// Whether `SKILL_FOLDERS` is written; none: as the profile has it.
    pub skill_folders: Option<bool>,
    /// The kinds that SkillBindings can point at.
    pub kinds: Kinds,
    /// What is demanded of skills.
    pub policy: Option<Arc<Policy>>,
    /// The lock by which images are pinned.
    pub lock: Option<Locked>,
}

/// A lock that was read.
#[derive(Debug, Clone)]
pub struct Locked {
    /// What it says.
    pub lock: Arc<Lock>,
    /// What plans need of it.
    pub pins: Arc<Pins>,
}

impl Locked {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let (_, lock) = read_lock(path)?;
        Ok(Self { pins: Arc::new(lock.pins(path.display().to_string())), lock: Arc::new(lock) })
    }
}

/// The text of a lock that must be there, and what it says.
pub fn read_lock(path: &Path) -> Result<(String, Lock), Failure> {
    let file = path.display().to_string();
    if !path.exists() {
        return Err(Failure::input(
            format!("{file}: there is no such file"),
            "run 'kubectl skills lock -f' on the manifests, which writes it",
        ));
    }
    let text = source::read_text(path)?;
    let lock = Lock::read(&text, &file)?;
    Ok((text, lock))
}

impl Planning {
    /// The policy with what the lock knows and today's date.
    pub fn enforced(&self) -> Option<Enforced> {
        let lock = self.lock.as_ref().map(|locked| Arc::clone(&locked.lock)).unwrap_or_default();
        self.policy.as_ref().map(|policy| Enforced::new(Arc::clone(policy), lock, today()))
    }

    /// Options of a plan that follows this profile.
    pub fn options(&self, profile: &'static Profile) -> Options {
        Options {
            exact: self.exact,
            container: self.container.clone(),
            skill_folders: self.skill_folders,
            kinds: self.kinds,
            policy: self.enforced().map(Arc::new),
            pins: self.lock.as_ref().map(|lock| lock.pins.clone()),
            ..Options::new(profile)
        }
    }
}

/// Today, where time is counted for everybody: exceptions of policies end with a day.
pub fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The policy of a file; files that it names are counted from it.
pub fn policy_of(path: &Path) -> Result<Policy, Failure> {
    let text = source::read_text(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut key_file = |name: &str| {
        let read = source::read_text(&folder.join(name));
        read.map_err(|failure| match failure {
            Failure::Input(errors) => {
                errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
            }
            _ => "cannot be read".to_owned(),
        })
    };
    Ok(policy::read(&path.display().to_string(), &text, &mut key_file)?)
}

/// The same, to be judged by: an exception that has ended is warned of, whether anything needs it or not.
pub fn policy_in_force(path: &Path) -> Result<Arc<Policy>, Failure> {
    let policy = policy_of(path)?;
    for one in policy.ended(today()) {
        let (image, rule) = (&one.image, one.rule.name());
        notes::warning(&format!(
            "{}: the exception of {image} from {rule} ended on {}; take it out, or give it another day",
            policy.file, one.until
        ));
    }
    Ok(Arc::new(policy))
}

/// What `--config-from` names.
#[derive(Debug, Clone, Default)]
pub struct ConfigFrom {
    /// ConfigMaps of files; none if no file is named.
    pub files: Option<Vec<ConfigMap>>,
    /// The word `cluster` is among them.
    pub cluster: bool,
}

impl ConfigFrom {
    /// Reads the files.
    pub fn read(paths: &[std::path::PathBuf]) -> Result<Self, Failure> {
        let mut out = Self::default();
        for path in paths {
            if path.as_os_str() == CLUSTER {
                out.cluster = true;
                continue;
            }
            let text = source::read_text(path)?;
            let sources = [Source { name: path.display().to_string(), text }];
            let maps = Stream::read(&sources, DEFAULT_NAMESPACE)?.maps;
            out.files.get_or_insert_default().extend(maps);
        }
        Ok(out)
    }
}

/// The configuration file that names the profile, where the command line does not.
static PROFILE_FILE: OnceLock<String> = OnceLock::new();

/// Remembers that the profile comes from this configuration file.
pub fn profile_is_from(file: String) {
    // A run reads one configuration file.
    let _ = PROFILE_FILE.set(file);
}

/// Why a profile that was named is taken.
pub fn named_by() -> String {
    format!("{} names it", PROFILE_FILE.get().map_or("--profile", String::as_str))
}

/// The profile of that name.
pub fn profile_by_name(name: &str) -> Result<&'static Profile, Failure> {
    Profile::by_name(name).ok_or_else(|| {
        Failure::Usage(format!("--profile {name}: no such profile; 'kubectl skills version' lists them"))
    })
}

/// The profile of `--profile`; none for `auto`.
pub fn chosen_profile(name: &str) -> Result<Option<&'static Profile>, Failure> {
    match name {
        "auto" => Ok(None),
        name => profile_by_name(name).map(Some),
    }
}
