//! The policy and the lock of a server, mounted as files: what they say in, and again when they change or a day ends. Nobody is asked
//! over the network.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::civil::Date;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::pins::Pins;
use kubectl_skills::plan::Options;
use kubectl_skills::skill::lock::Lock;
use kubectl_skills::skill::policy::{self, Enforced};

use crate::planning::today;
use crate::source;

/// What a server demands of skills.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// Refuse what breaks this policy about skills (kind SkillPolicy), judged by the lock alone; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Pin images by a lock, as 'lock' writes it, and refuse those that it does not have; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub locked: Option<PathBuf>,
}

/// What holds now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InForce {
    policy: Option<Arc<Enforced>>,
    pins: Option<Arc<Pins>>,
}

impl InForce {
    /// Options of plans by which it holds.
    pub fn of(&self, options: Options) -> Options {
        Options { policy: self.policy.clone(), pins: self.pins.clone(), ..options }
    }
}

/// The texts that something was made of, and the day.
#[derive(Debug, PartialEq)]
struct Seen {
    texts: Vec<(PathBuf, String)>,
    today: Date,
}

/// The files, and what was read of them last.
#[derive(Debug, Default)]
pub struct PolicyFiles {
    args: PolicyArgs,
    seen: Option<Seen>,
}

impl PolicyFiles {
    /// Files that nobody has read yet.
    pub fn new(args: PolicyArgs) -> Self {
        Self { args, seen: None }
    }

    /// What holds, where it is not what was said last.
    ///
    /// # Errors
    /// A file that cannot be read; what held before should stay.
    pub fn look(&mut self) -> Result<Option<InForce>, String> {
        let today = today();
        let same = |(path, text): &(PathBuf, String)| source::read_text(path).is_ok_and(|now| now == *text);
        if self.seen.as_ref().is_some_and(|seen| seen.today == today && seen.texts.iter().all(same)) {
            return Ok(None);
        }
        let mut texts = Vec::new();
        let in_force = self.read(today, &mut texts)?;
        self.seen = Some(Seen { texts, today });
        Ok(Some(in_force))
    }

    fn read(&self, today: Date, texts: &mut Vec<(PathBuf, String)>) -> Result<InForce, String> {
        let mut out = InForce::default();
        let mut lock = Arc::new(Lock::default());
        if let Some(path) = &self.args.locked {
            let name = path.display().to_string();
            let text = text_of(path, texts)?;
            lock = Arc::new(Lock::read(&text, &name).map_err(|errors| in_a_line(&errors))?);
            out.pins = Some(Arc::new(lock.pins(name)));
        }
        if let Some(path) = &self.args.policy {
            let text = text_of(path, texts)?;
            let mut key_file = |name: &str| {
                let folder = path.parent().map_or_else(PathBuf::new, std::path::Path::to_path_buf);
                text_of(&folder.join(name), texts)
            };
            let policy = policy::read(&path.display().to_string(), &text, &mut key_file);
            let policy = policy.map_err(|errors| in_a_line(&errors))?;
            out.policy = Some(Arc::new(Enforced::new(Arc::new(policy), lock, today)));
        }
        Ok(out)
    }
}

fn text_of(path: &std::path::Path, texts: &mut Vec<(PathBuf, String)>) -> Result<String, String> {
    let text = source::read_text(path).map_err(|failure| match failure {
        crate::exit::Failure::Input(errors) => in_a_line(&errors),
        _ => format!("{}: cannot be read", path.display()),
    })?;
    texts.push((path.to_path_buf(), text.clone()));
    Ok(text)
}

fn in_a_line(errors: &[InputError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
