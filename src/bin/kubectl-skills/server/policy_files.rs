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
    /// The same on another day, on which exceptions may have ended.
    fn on(&self, today: Date) -> Self {
        let policy = self.policy.as_ref().map(|policy| Arc::new(policy.on(today)));
        Self { policy, pins: self.pins.clone() }
    }

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
    last: InForce,
}

impl PolicyFiles {
    /// Files that nobody has read yet.
    pub fn new(args: PolicyArgs) -> Self {
        Self { args, seen: None, last: InForce::default() }
    }

    /// What holds, where it is not what was said last.
    ///
    /// # Errors
    /// A file that cannot be read; what held before should stay.
    pub fn look(&mut self) -> Result<Option<InForce>, String> {
        self.look_on(today())
    }

    fn look_on(&mut self, today: Date) -> Result<Option<InForce>, String> {
        // First, and whatever the files say now: an exception ends with its day, though nobody can read them.
        if let Some(seen) = self.seen.as_mut().filter(|seen| seen.today != today) {
            seen.today = today;
            self.last = self.last.on(today);
            return Ok(Some(self.last.clone()));
        }
        let same = |(path, text): &(PathBuf, String)| source::read_text(path).is_ok_and(|now| now == *text);
        if self.seen.as_ref().is_some_and(|seen| seen.texts.iter().all(same)) {
            return Ok(None);
        }
        let mut texts = Vec::new();
        let in_force = self.read(today, &mut texts)?;
        self.seen = Some(Seen { texts, today });
        self.last = in_force.clone();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Who breaks the file, or the lock alongside it, must not keep an exception that way.
    #[test]
    fn an_exception_ends_though_its_file_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("policy.yaml");
        let text = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\nspec:\n  registries: [ghcr.io/acme]\n  \
                    exceptions: [{image: quay.io/old/pdf, rule: policy-registry, reason: later, until: 2026-11-27}]\n";
        std::fs::write(&path, text).expect("a file");
        let day = |text: &str| text.parse::<Date>().expect("a day");
        let mut files = PolicyFiles::new(PolicyArgs { policy: Some(path.clone()), locked: None });
        let broken = |in_force: Option<InForce>| {
            let policy = in_force.and_then(|one| one.policy).expect("a policy");
            policy.judge(["quay.io/old/pdf:1"]).len()
        };
        assert_eq!(files.look_on(day("2026-11-27")).map(broken), Ok(0));
        assert_eq!(files.look_on(day("2026-11-27")), Ok(None));
        std::fs::write(&path, "spec: [").expect("a file");
        assert!(files.look_on(day("2026-11-27")).is_err(), "what held before stays");
        assert_eq!(files.look_on(day("2026-11-28")).map(broken), Ok(1));
        assert!(files.look_on(day("2026-11-28")).is_err());
        std::fs::write(&path, text.replace("2026-11-27}", "2026-11-28}")).expect("a file");
        assert_eq!(files.look_on(day("2026-11-28")).map(broken), Ok(0));
    }
}
