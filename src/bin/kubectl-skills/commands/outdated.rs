//! `outdated`: which skill images of manifests or of a lock have newer versions or moved tags, and what changed in them. A
//! cluster is left to `outdated/live`; writing newer versions, to `update`.

use std::sync::Arc;

use clap::Args as ClapArgs;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::versions::{Level, of_tag};
use serde_json::{Value, json};

use super::change_text::in_words;
use super::change_text::text;
use super::image_versions::{Answer, How, Newer, Question, Tag, ask};
use super::images_in_use::{InUse, LockArgs, LockFile, of_lock, of_manifests, stream};
use super::inspect::platform;
use crate::args::{KindsArgs, LiveArgs, Report};
use crate::exit::{Failure, Outcome, RemoteError, Run};
use crate::net::block_on;
use crate::notes;
use crate::progress::Progress;
use crate::registry::args::RegistryArgs;
use crate::registry::error::RegistryError;
use crate::registry::interrupt::unless_interrupted;
use crate::registry::store::Stores;
use crate::skill_files::LimitArgs;
use crate::source::Input;
use crate::table::Table;
use crate::{printable, sink};

#[cfg(feature = "cluster")]
mod live;

/// Show newer versions and moved tags of skill images, and what changed in them
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Newer versions of the skills in manifests, and tags that moved since the lock was written
  kubectl skills outdated -f manifests -R --lock-file skills.lock

  # What would an agent get? New scripts and wider allowed-tools first, then every line
  kubectl skills outdated -f manifests -R --diff

  # In a cluster: which pods run another image than their reference names now?
  kubectl skills outdated -A

Exit codes: 0 done; 1 an image is outdated (--exit-code); 2 usage; 3 bad input; 4 a registry or the cluster refused or failed")]
pub struct Args {
    /// Namespace, in a cluster; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Take prereleases, such as 2.0.0-rc.1, for versions
    #[arg(long)]
    pre: bool,
    /// Compare files where layers differ; without, only manifests and configurations are read
    #[arg(long)]
    content: bool,
    /// Print how files differ; reads them as --content does
    #[arg(long, conflicts_with = "output")]
    diff: bool,
    /// Exit with 1 where an image is outdated: a newer version or a moved tag, with other files
    #[arg(long)]
    exit_code: bool,
    /// Which image of an index is compared: os/architecture [default: linux/amd64, or the only one there is]
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<String>,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<Report>,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// An image with what is known of it.
type Known = (InUse, Result<Answer, RegistryError>);

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if !args.input.given() && !args.lock.given() {
        return of_cluster(args);
    }
    super::files::refuse_live(&args.live)?;
    let lock = args.lock.read()?;
    let used = if args.input.given() {
        let inputs = args.input.read_with_kustomizations()?;
        let kinds = args.kinds.resolve()?;
        of_manifests(&inputs, &stream(&inputs, kinds)?, kinds)?.images
    } else {
        lock.as_ref().map(of_lock).transpose()?.unwrap_or_default()
    };
    let questions = used.iter().map(|used| question(used, lock.as_ref(), None)).collect();
    let how = How {
        pre: args.pre,
        platform: args.platform.clone(),
        content: (args.content || args.diff).then(|| args.limits.limits()),
        level: Level::Minor,
    };
    let answers = answers(&args.registry, "outdated", questions, &how)?;
    let known: Vec<Known> = used.into_iter().zip(answers).collect();
    said(args, &known)
}

#[cfg(feature = "cluster")]
fn of_cluster(args: &Args) -> Run {
    live::run(args)
}

#[cfg(not(feature = "cluster"))]
fn of_cluster(_: &Args) -> Run {
    super::no_cluster("outdated")
}

/// What to ask about an image.
pub fn question(used: &InUse, lock: Option<&LockFile>, version: Option<&str>) -> Question {
    let locked = lock.and_then(|file| file.lock.find(&used.image));
    Question {
        reference: used.reference.clone(),
        digest: locked.map(|entry| entry.digest.clone()),
        content: locked.and_then(|entry| entry.content.clone()),
        version: locked.and_then(|entry| entry.facts.version.clone()),
        wanted: version.map(str::to_owned),
    }
}

/// Asks registries.
pub fn answers(
    registry: &RegistryArgs,
    verb: &'static str,
    questions: Vec<Question>,
    how: &How,
) -> Result<Vec<Result<Answer, RegistryError>>, Failure> {
    let _progress = Progress::start("asking registries");
    block_on(async {
        let stores = Arc::new(Stores::new(registry, verb)?);
        let work = async { Ok(ask(&stores, questions, how).await) };
        Ok(unless_interrupted(work).await?)
    })
}

fn said(args: &Args, known: &[Known]) -> Run {
    match args.output {
        None | Some(Report::Text) => {
            sink::table(&table(known))?;
            if args.diff {
                sink::text(&known.iter().map(diffs).collect::<String>())?;
            }
        }
        Some(format) => {
            let images: Vec<Value> = known.iter().map(value).collect();
            let list = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "OutdatedList", "images": images});
            sink::object(format, &list)?;
        }
    }
    let mut outdated = 0;
    let mut errors = Vec::new();
    for (used, answer) in known {
        match answer {
            Ok(answer) => {
                outdated += usize::from(answer.is_outdated());
                remarks(used, answer);
            }
            Err(error) => errors.push(RemoteError {
                message: format!("{}: {}", used.image, error.message),
                help: error.help.clone(),
            }),
        }
    }
    notes::summary(&summed_up(&counted(known.len(), "image"), outdated, errors.len()));
    if !errors.is_empty() {
        return Err(Failure::Remote(errors));
    }
    Ok(if args.exit_code && outdated > 0 { Outcome::Found } else { Outcome::Done })
}

/// How many there are, and of how many a registry gave no answer: these may be outdated as well.
fn summed_up(all: &str, outdated: usize, unknown: usize) -> String {
    match unknown {
        0 => format!("{all}, {outdated} outdated"),
        unknown => format!("{all}, {outdated} outdated, {unknown} not known"),
    }
}

/// What the table has no room for.
fn remarks(used: &InUse, answer: &Answer) {
    if answer.tag == Tag::Gone {
        notes::warning(&format!("{}: {}", used.image, answer.gone(used.reference.digest.is_some())));
    }
    for newer in answer.newer() {
        if let Err(why) = &newer.change {
            notes::warning(&format!("{}: what changed to {} is not known: {why}", used.image, newer.tag));
        }
    }
    notes::object(&format!("{} is named by {}", used.image, used.named_by.join(", ")));
}

fn table(known: &[Known]) -> Table {
    let mut table = Table::new(&["IMAGE", "VERSION", "TAG", "IN-MAJOR", "NEWEST"]);
    for (used, answer) in known {
        let Ok(answer) = answer else {
            let version = used.reference.tag.as_deref().and_then(of_tag).map(|version| version.to_string());
            let version = version.unwrap_or_else(|| "failed".to_owned());
            table.row([used.image.clone(), version, "failed".into(), "failed".into(), "failed".into()]);
            continue;
        };
        let newer = |newer: &Option<Newer>| match newer {
            Some(newer) => format!("{} ({})", newer.tag, newer.verdict()),
            None => "-".to_owned(),
        };
        let tag = match &answer.moved {
            Some(moved) => format!("moved ({})", moved.verdict()),
            None => match answer.tag {
                Tag::None | Tag::Unknown => "-".to_owned(),
                tag => tag.as_str().to_owned(),
            },
        };
        let version = answer.version.as_ref().map_or("-".to_owned(), ToString::to_string);
        table.row([used.image.clone(), version, tag, newer(&answer.near), newer(&answer.newest)]);
    }
    table
}

fn value((used, answer): &Known) -> Value {
    let mut out = json!({"image": used.image, "namedBy": used.named_by, "skills": used.skills});
    match answer {
        Ok(answer) => {
            out["version"] = json!(answer.version.as_ref().map(ToString::to_string));
            out["digest"] = json!(answer.digest.as_ref().map(|digest| digest.as_str()));
            out["tag"] = answer.tag.as_str().into();
            for (key, newer) in
                [("moved", &answer.moved), ("newestInMajor", &answer.near), ("newest", &answer.newest)]
            {
                out[key] = newer.as_ref().map_or(Value::Null, Newer::value);
            }
            out["outdated"] = answer.is_outdated().into();
        }
        Err(error) => out["error"] = error.one_line().into(),
    }
    out
}

/// How the files of each newer image differ; each image once.
fn diffs((used, answer): &Known) -> String {
    let Ok(answer) = answer else { return String::new() };
    let mut out = String::new();
    let mut seen = Vec::new();
    for newer in answer.newer() {
        if seen.contains(&&newer.digest) {
            continue;
        }
        seen.push(&newer.digest);
        let said = match &newer.change {
            Ok(change) => in_words(change).map(|words| format!("{words}\n")),
            Err(why) => Some(format!("not known: {}\n", printable::line(why))),
        };
        let body = said.unwrap_or_else(|| newer.content().map(text).unwrap_or_default());
        out.push_str(&format!("\n{} -> {}\n{body}", used.image, newer.tag));
    }
    out
}
