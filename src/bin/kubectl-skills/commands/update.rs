//! `update`: newer versions of skill images written into manifests, kustomizations and the lock, after what changed and who
//! signed it was looked at. All of it is written, or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::SkillChange;
use kubectl_skills::skill::versions::Level;
use serde_json::{Value, json};

use super::change_text::in_words;
use super::image_versions::{Answer, How, Newer, Tag, ask};
use super::images_in_use::{ImagesInUse, InUse, LockArgs, LockFile, of_manifests, stream};
use super::inspect::platform;
use super::outdated::question;
use super::render::joined;
use crate::args::{KindsArgs, Report};
use crate::exit::{Failure, Outcome, RemoteError, Run};
use crate::net::block_on;
use crate::progress::Progress;
use crate::registry::args::RegistryArgs;
use crate::registry::interrupt::unless_interrupted;
use crate::registry::store::Stores;
use crate::registry::trust::TrustArgs;
use crate::skill_files::LimitArgs;
use crate::source::{Input, Inputs};
use crate::{notes, sink};
use choose::choose;
use look::Looked;
use signer::Verdict;
use write::Page;

mod body;
mod choose;
mod look;
mod signer;
mod write;

/// Write newer versions of skill images into manifests, kustomizations and the lock
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # What would be written, and what changed: new scripts and wider allowed-tools first
  kubectl skills update -f manifests -R --dry-run --pr-body -

  # The newest version of the same major one, of each skill, signed by the same key as before
  kubectl skills update -f manifests -R -i --lock-file skills.lock --key cosign.pub

  # One skill, to a version
  kubectl skills update pdf=2.1.0 -f manifests -R -i

Exit codes: 0 done; 2 usage; 3 bad input, or a signer that changed, and nothing is written; 4 a registry refused or failed, and \
nothing is written")]
pub struct Args {
    /// Which: a reference, a repository or the name of a skill; with =VERSION, to that version [default: all]
    #[arg(value_name = "IMAGE|NAME[=VERSION]")]
    what: Vec<String>,
    /// How far: patch keeps the minor version, minor the major one
    #[arg(long, value_enum, default_value_t = To::Minor, value_name = "patch|minor|major", hide_possible_values = true)]
    to: To,
    /// Take prereleases, such as 2.0.0-rc.1, for versions
    #[arg(long)]
    pre: bool,
    /// Write versions and digests of which only the metadata changed, too: pods restart for the same files
    #[arg(long)]
    metadata: bool,
    /// Write images that others signed than before, or of which that cannot be verified
    #[arg(long)]
    allow_signer_change: bool,
    /// Write into the files; without, the manifests are printed
    #[arg(short = 'i', long)]
    in_place: bool,
    /// Print which images would get which versions, and write nothing but --pr-body
    #[arg(long, conflicts_with = "in_place")]
    dry_run: bool,
    /// Write what changed as Markdown, for a pull request; - is standard output, in the place of all else
    #[arg(long, value_name = "FILE|-", conflicts_with = "output")]
    pr_body: Option<PathBuf>,
    /// Which image of an index is compared: os/architecture [default: linux/amd64, or the only one there is]
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<String>,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<Report>,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Patch,
    Minor,
    Major,
}

impl From<To> for Level {
    fn from(to: To) -> Self {
        match to {
            To::Patch => Self::Patch,
            To::Minor => Self::Minor,
            To::Major => Self::Major,
        }
    }
}

/// An image that gets another version.
pub struct Update {
    used: InUse,
    /// What is in use.
    version: Option<String>,
    new: Newer,
    /// Whether it is another image under the tag in use.
    moved: bool,
    signer: Verdict,
    /// What the lock is to say of it, where there is a lock.
    entry: Option<kubectl_skills::skill::lock::Entry>,
}

impl Update {
    /// How manifests name it then.
    fn renamed(&self, written: &str) -> String {
        choose::renamed(written, &self.new.tag, self.new.digest.as_str())
    }

    fn to(&self) -> String {
        self.renamed(&self.used.image)
    }

    fn value(&self) -> Value {
        json!({
            "image": self.used.image, "to": self.to(), "namedBy": self.used.named_by, "skills": self.used.skills,
            "version": self.version, "new": self.new.value(), "moved": self.moved, "signer": self.signer.text(),
        })
    }

    /// What changed, in a few words.
    fn verdict(&self) -> String {
        let moved = if self.moved { "the tag has moved: " } else { "" };
        format!("{moved}{}", self.new.verdict())
    }
}

/// What becomes of an image.
enum Decision {
    Update(Box<Newer>),
    /// There is nothing newer within the limit.
    Current,
    /// Nothing is written, for this reason.
    Skip(String),
    /// Nothing of any image is written.
    Refuse(String),
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.in_place {
        args.input.check_in_place()?;
    }
    let inputs = args.input.read_with_kustomizations()?;
    let kinds = args.kinds.resolve()?;
    let stream = stream(&inputs, kinds)?;
    let found = of_manifests(&inputs, &stream, kinds)?;
    let lock = args.lock.read()?;
    if let Some(path) = args.pr_body.as_deref().filter(|path| *path != Path::new("-")) {
        Page::check(path, &inputs, lock.as_ref())?;
    }
    let (updates, skipped) = updates(args, &found, lock.as_ref())?;
    let files = Files { inputs: &inputs, stream: &stream, kinds, found: &found, lock: lock.as_ref() };
    finish(args, &files, &updates, &skipped)
}

/// What is read, and may be written.
struct Files<'f> {
    inputs: &'f Inputs,
    stream: &'f Stream<'f>,
    kinds: Kinds,
    found: &'f ImagesInUse,
    lock: Option<&'f LockFile>,
}

/// The images that get other versions, and why others do not.
type Decided = (Vec<Update>, Vec<(String, String)>);

fn updates(args: &Args, found: &ImagesInUse, lock: Option<&LockFile>) -> Result<Decided, Failure> {
    let chosen: Vec<(InUse, Option<String>)> = choose(&args.what, &found.images)?
        .into_iter()
        .map(|(at, version)| (found.images[at].clone(), version))
        .collect();
    let questions = chosen.iter().map(|(used, version)| question(used, lock, version.as_deref())).collect();
    let how = How {
        pre: args.pre,
        platform: args.platform.clone(),
        content: Some(args.limits.limits()),
        level: args.to.into(),
    };
    let trust = args.trust.given().then(|| args.trust.resolve()).transpose()?;
    block_on(async {
        let stores = Arc::new(Stores::new(&args.registry, "update")?);
        let progress = Progress::start("asking registries");
        let answers = unless_interrupted(async { Ok(ask(&stores, questions, &how).await) }).await?;
        drop(progress);
        let (mut answered, mut failed) = (Vec::new(), Vec::new());
        for ((used, version), answer) in chosen.into_iter().zip(answers) {
            match answer {
                Ok(answer) => answered.push((used, version, answer)),
                Err(error) => failed.push(RemoteError {
                    message: format!("{}: {}", used.image, error.message),
                    help: error.help,
                }),
            }
        }
        if !failed.is_empty() {
            return Err(Failure::Remote(failed));
        }
        let (mut updates, mut skipped, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (used, version, answer) in answered {
            match decide(args, &used, version.is_some(), &answer) {
                Decision::Update(new) => {
                    match look::at(&stores, args, &used, &new, (lock, trust.as_ref())).await? {
                        Looked::Moved(why) => refused.push((used.image, why, MOVED)),
                        Looked::Seen { signer: Verdict::Refused(why), .. } if !args.allow_signer_change => {
                            refused.push((used.image, why, OTHER_SIGNER));
                        }
                        Looked::Seen { signer, entry } => updates.push(Update {
                            moved: answer.tag == Tag::Moved
                                && used.reference.tag_or_latest() == Some(new.tag.as_str()),
                            used,
                            version: answer.version.map(|version| version.to_string()),
                            new: *new,
                            signer,
                            entry: entry.map(|entry| *entry),
                        }),
                    }
                }
                Decision::Current => {}
                Decision::Skip(why) => skipped.push((used.image, why)),
                Decision::Refuse(why) => refused.push((used.image, why, "")),
            }
        }
        if refused.is_empty() { Ok((updates, skipped)) } else { Err(stopped(refused)) }
    })
}

/// How to go on where somebody else signed.
const OTHER_SIGNER: &str =
    "leave the image out by naming the others, or give --allow-signer-change if it is meant";

/// How to go on where the lock has another image under the new tag.
const MOVED: &str = "ask who moved it; 'kubectl skills lock --update' takes it over if it is meant";

fn stopped(refused: Vec<(String, String, &str)>) -> Failure {
    let error = |(image, why, help): (String, String, &str)| InputError {
        message: format!("{image}: {why}; nothing is written"),
        help: help.to_owned(),
        ..InputError::default()
    };
    Failure::Input(refused.into_iter().map(error).collect())
}

/// What becomes of an image. `explicit`: this version was asked for.
fn decide(args: &Args, used: &InUse, explicit: bool, answer: &Answer) -> Decision {
    let Some(new) = &answer.near else {
        let beyond = |newest: &Newer| format!("{} is beyond --to {}", newest.tag, args.to.name());
        let of_tag = match (&answer.moved, answer.tag) {
            // Anyone who can push can move a tag: that is no newer version.
            (Some(moved), _) => Some(format!(
                "its tag has moved, to {} ({}); {}={} takes that over",
                moved.digest,
                moved.verdict(),
                used.image,
                moved.tag
            )),
            (None, Tag::Gone) => Some(answer.gone(used.reference.digest.is_some())),
            _ => None,
        };
        let reasons: Vec<String> = of_tag.into_iter().chain(answer.newest.as_ref().map(beyond)).collect();
        return if reasons.is_empty() { Decision::Current } else { Decision::Skip(reasons.join("; ")) };
    };
    match &new.change {
        Err(why) if explicit => Decision::Refuse(format!("what changed to {} is not known: {why}", new.tag)),
        Err(why) => Decision::Skip(format!("what changed to {} is not known: {why}", new.tag)),
        Ok(SkillChange::Same) if !explicit => Decision::Current,
        Ok(change @ SkillChange::MetadataOnly { .. }) if !explicit && !args.metadata => {
            let words = in_words(change).unwrap_or_default();
            Decision::Skip(format!("{}: {words} (--metadata writes it)", new.tag))
        }
        Ok(_) => Decision::Update(Box::new(new.clone())),
    }
}

impl To {
    fn name(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

/// Writes or prints all of it.
fn finish(args: &Args, files: &Files<'_>, updates: &[Update], skipped: &[(String, String)]) -> Run {
    let names: BTreeMap<String, String> = updates
        .iter()
        .flat_map(|update| {
            update.used.written.iter().map(|written| (written.clone(), update.renamed(written)))
        })
        .collect();
    // What cannot be written is said before anything is.
    let written = write::prepare(files, updates, &names)?;
    let page = args.pr_body.as_ref().map(|_| body::markdown(updates, skipped));
    for (image, why) in skipped {
        notes::note(&format!("{image} stays: {why}"));
    }
    for update in updates {
        match &update.signer {
            Verdict::Refused(text) => {
                notes::warning(&format!("{}: {text} (--allow-signer-change)", update.used.image))
            }
            Verdict::Noted(text) => notes::note(&format!("{}: {text}", update.used.image)),
            Verdict::Same(text) => notes::object(&format!("{}: {text}", update.used.image)),
        }
    }
    let to_stdout = args.pr_body.as_deref() == Some(Path::new("-"));
    let to_file = args.pr_body.as_deref().filter(|_| !to_stdout).map(Page::open).transpose()?;
    if args.in_place {
        if let Err(failure) = written.carry_out(files) {
            to_file.into_iter().for_each(Page::leave);
            return Err(failure);
        }
        if updates.iter().any(|update| update.entry.is_some()) {
            notes::note(
                "the lock keeps the images before, which others may name; 'kubectl skills lock -f' takes out what no manifest names",
            );
        }
        if !updates.is_empty() && !files.stream.workloads.is_empty() {
            notes::note(
                "run 'kubectl skills render -i' on the files again: the config hash of workloads counts references",
            );
        }
    }
    match (&page, to_file) {
        (Some(page), Some(file)) => file.write(page)?,
        (Some(page), None) => sink::text(page)?,
        (None, _) => {}
    }
    match args.output {
        _ if to_stdout => {}
        None | Some(Report::Text) if !args.in_place && !args.dry_run => {
            sink::pieces(joined(&files.inputs.sources, &written.manifests))?;
            let others = written.others();
            if !others.is_empty() {
                notes::note(&format!("-i would write these too: {}", others.join(", ")));
            }
        }
        None | Some(Report::Text) => {
            let line = |update: &Update| {
                format!("{} -> {} ({})\n", update.used.image, update.to(), update.verdict())
            };
            sink::text(&updates.iter().map(line).collect::<String>())?;
        }
        Some(format) => {
            let skipped: Vec<Value> =
                skipped.iter().map(|(image, why)| json!({"image": image, "reason": why})).collect();
            let list = json!({
                "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "UpdateList",
                "updates": updates.iter().map(Update::value).collect::<Vec<_>>(), "skipped": skipped,
            });
            sink::object(format, &list)?;
        }
    }
    let done = if args.in_place { "updated" } else { "would be updated" };
    notes::summary(&format!("{} {done}, {} skipped", counted(updates.len(), "image"), skipped.len()));
    Ok(Outcome::Done)
}
