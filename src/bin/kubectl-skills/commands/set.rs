//! `set`: other images of skills in the list that feeds a workload, in files or in a cluster. Which list is meant is decided in
//! `set/lists`; writing is left to `set/files` and `set/live`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::object::Object;
use kubectl_skills::manifest::set_skills::{Change, holds, image_of};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::lock::{FILE, Lock};
use serde_json::{Value, json};

use crate::args::{ClusterArgs, KindsArgs, Report};
use crate::exit::{Failure, Outcome, Run};
use crate::object_diff::{self, Pair};
use crate::planning::read_lock;
use crate::source::Input;
use crate::{notes, sink};
use lists::ListOf;

mod files;
mod kustomized;
mod lists;
#[cfg(feature = "cluster")]
mod live;
mod part;

/// Set the images of skills in the list that feeds a workload, add skills to it, or take them out
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
WORKLOAD is deployment/web, or any other kind with its name; agentruntime/NAME or skillbinding/NAME, where a workload has \
several lists; or a name alone. A skill that is in no list is refused unless --add says that it is meant. IMAGE is a whole \
reference: one without a slash is an image of Docker Hub and has a tag or a digest, such as busybox:1, and a version, a tag or a \
digest alone is refused.

Examples:
  # Another version of a skill, in the file that lists it: no other byte changes
  kubectl skills set deployment/weather forecast=ghcr.io/acme/skills/forecast:1.5.0 -f manifests -R -i

  # The same in the cluster, after a look
  kubectl skills set deployment/weather forecast=ghcr.io/acme/skills/forecast:1.5.0 -n team1 --dry-run -o diff

  # One more skill, and one less
  kubectl skills set weather maps=ghcr.io/acme/skills/maps:2.0.0 --add --mount-path /skills/maps -f agent.yaml -i
  kubectl skills set weather maps- -f agent.yaml -i

Exit codes: 0 done or nothing to do; 2 usage; 3 bad input; 4 the cluster refused or failed")]
pub struct Args {
    /// Whose list: KIND/NAME, or a name
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// What becomes of which skill: NAME=IMAGE sets its image, NAME- takes it out
    #[arg(value_name = "NAME=IMAGE|NAME-", required = true)]
    skills: Vec<String>,
    /// Add skills that are not in the list
    #[arg(long)]
    add: bool,
    /// Where the skill that is added is mounted [default: alongside the others, where these are in one folder]
    #[arg(long, value_name = "PATH", requires = "add")]
    mount_path: Option<String>,
    /// Namespace: of objects in manifests that name none, or in the cluster
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Write into the files; without, the manifests are printed
    #[arg(short = 'i', long)]
    in_place: bool,
    /// Print what would be set, and write nothing; a cluster tries it
    #[arg(long, conflicts_with = "in_place")]
    dry_run: bool,
    /// Output format: the difference, json or yaml
    #[arg(short = 'o', long, value_enum, value_name = "diff|json|yaml", hide_possible_values = true)]
    output: Option<Output>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// How a cluster is written.
#[cfg(feature = "cluster")]
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Cluster")]
struct WriteArgs {
    /// Name under which the API server records the list
    #[arg(long, default_value = kubectl_skills::api::names::FIELD_MANAGER, value_name = "NAME")]
    field_manager: String,
    /// Write also what another manager applies, a Helm release or a Git tool, which writes it back in its time
    #[arg(long)]
    force_conflicts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Diff,
    Json,
    Yaml,
}

/// What a word of the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    skill: String,
    /// The image; none takes the skill out.
    image: Option<String>,
}

/// What a run is to do.
struct Task<'a> {
    args: &'a Args,
    asks: Vec<Ask>,
    /// What the lock knows, if there is one.
    lock: Option<Lock>,
}

impl Args {
    /// This command about `workload` with other flags at its end, for advice.
    fn command(&self, workload: &str, flags: &str) -> String {
        let mut out = format!("kubectl skills set {workload} {}", self.skills.join(" "));
        if self.add {
            out.push_str(" --add");
        }
        for (flag, value) in [("--mount-path", &self.mount_path), ("-n", &self.namespace)] {
            if let Some(value) = value {
                out.push_str(&format!(" {flag} {value}"));
            }
        }
        format!("{out} {flags}")
    }
}

/// A list with what becomes of it.
struct Planned {
    list: ListOf,
    /// Those that make a difference.
    changes: Vec<Change>,
    after: Value,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let asks = asks(&args.skills)?;
    if args.mount_path.is_some() && asks.iter().filter(|ask| ask.image.is_some()).count() != 1 {
        return Err(Failure::Usage("--mount-path is of one skill: give one NAME=IMAGE with it".into()));
    }
    if args.in_place && !args.input.given() {
        return Err(Failure::Usage("-i writes into files: name them with -f".into()));
    }
    // Read before anything is written: a lock that cannot be read is no reason to fail afterwards.
    let lock = Path::new(FILE);
    let lock = if lock.is_file() { Some(read_lock(lock)?.1) } else { None };
    let task = Task { args, asks, lock };
    if args.input.given() { files::run(&task) } else { of_cluster(&task) }
}

#[cfg(feature = "cluster")]
fn of_cluster(task: &Task<'_>) -> Run {
    live::run(task)
}

#[cfg(not(feature = "cluster"))]
fn of_cluster(_: &Task<'_>) -> Run {
    super::no_cluster("set")
}

fn asks(words: &[String]) -> Result<Vec<Ask>, Failure> {
    let mut out: Vec<Ask> = Vec::new();
    for word in words {
        let ask = match (word.split_once('='), word.strip_suffix('-')) {
            (Some((skill, image)), _) if !skill.is_empty() => {
                if !part::is_meant(image) {
                    let message =
                        format!("{word}: {image:?} is no image reference; write HOST/REPOSITORY:TAG");
                    return Err(Failure::Usage(message));
                }
                Ask { skill: skill.to_owned(), image: Some(image.to_owned()) }
            }
            (None, Some(skill)) if !skill.is_empty() => Ask { skill: skill.to_owned(), image: None },
            _ => {
                return Err(Failure::Usage(format!(
                    "{word}: write NAME=IMAGE, or NAME- to take a skill out, such as forecast=ghcr.io/acme/skills/forecast:1.5.0"
                )));
            }
        };
        if out.iter().any(|other| other.skill == ask.skill) {
            return Err(Failure::Usage(format!("{} is named twice", ask.skill)));
        }
        out.push(ask);
    }
    Ok(out)
}

/// What becomes of which list; lists in which nothing changes are left out.
fn plan(task: &Task<'_>, lists: &[ListOf], about: &[usize]) -> Result<Vec<Planned>, Failure> {
    let mut changes: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
    for ask in &task.asks {
        let Some((at, change)) = lists::choose(task.args, ask, lists, about)? else { continue };
        changes.entry(at).or_default().push(change);
    }
    let mut out = Vec::new();
    for (at, changes) in changes {
        let list = &lists[at];
        let after = lists::changed(list, &changes)?;
        let changes: Vec<Change> =
            changes.into_iter().filter(|change| !holds(&list.object, change)).collect();
        if !changes.is_empty() {
            out.push(Planned { list: list.clone(), changes, after });
        }
    }
    Ok(out)
}

/// A line for each skill: what it was, what it is.
fn lines(planned: &[Planned]) -> String {
    let mut out = String::new();
    for one in planned {
        for change in &one.changes {
            let before = image_of(&one.list.object, change.skill()).unwrap_or("<none>");
            let after = image_of(&one.after, change.skill()).unwrap_or("<none>");
            out.push_str(&format!("{}: {} {before} -> {after}\n", one.list.title(), change.skill()));
        }
    }
    out
}

/// The same for machines.
fn value(planned: &[Planned]) -> Value {
    let of_list = |one: &Planned| -> Vec<Value> {
        let of_change = |change: &Change| {
            json!({
                "kind": one.list.kind, "namespace": one.list.namespace, "name": one.list.name, "skill": change.skill(),
                "from": image_of(&one.list.object, change.skill()), "to": image_of(&one.after, change.skill()),
            })
        };
        one.changes.iter().map(of_change).collect()
    };
    let changes: Vec<Value> = planned.iter().flat_map(of_list).collect();
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillChangeList", "items": changes})
}

/// Prints what changes in the format that was asked for; false where none was.
fn show(args: &Args, planned: &[Planned]) -> Result<bool, Failure> {
    match args.output {
        None => return Ok(false),
        Some(Output::Diff) => {
            let pair = |one: &Planned| Pair {
                id: Object(&one.list.object).reference_in(&one.list.namespace),
                ..Pair::new(&one.list.object, &one.after, false)
            };
            let pairs: Vec<Pair> = planned.iter().map(pair).collect();
            object_diff::show(&pairs, ("now", "set"))?;
        }
        Some(Output::Json) => sink::object(Report::Json, &value(planned))?,
        Some(Output::Yaml) => sink::object(Report::Yaml, &value(planned))?,
    }
    Ok(true)
}

/// Says how many were set, and that the lock does not know the new ones.
fn conclude(task: &Task<'_>, planned: &[Planned], done: bool) -> Run {
    if let Some(known) = &task.lock {
        let images = task.asks.iter().filter_map(|ask| ask.image.as_deref());
        let missing: Vec<&str> = images.filter(|image| known.find(image).is_none()).collect();
        if !missing.is_empty() {
            notes::note(&format!(
                "{FILE} does not have {}: 'kubectl skills lock -f' on the manifests looks them up",
                missing.join(", ")
            ));
        }
    }
    let count = planned.iter().map(|one| one.changes.len()).sum::<usize>();
    let verb = if done { "set" } else { "would be set" };
    let already = task.asks.len() - count;
    let rest = match (count, already) {
        (0, _) => ": already so".to_owned(),
        (_, 0) => format!(" in {}", counted(planned.len(), "list")),
        _ => format!(" in {}, {already} already so", counted(planned.len(), "list")),
    };
    notes::summary(&format!("{} {verb}{rest}", counted(count, "skill")));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_kubectl_set_and_label_read_theirs() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            asks(&words).map_err(|error| format!("{error:?}"))
        };
        let ask =
            |skill: &str, image: Option<&str>| Ask { skill: skill.into(), image: image.map(str::to_owned) };
        assert_eq!(
            read(&[
                "a=x/a:1",
                "b-",
                "c-d=localhost:5000/c@sha256:1234567890123456789012345678901234567890123456789012345678901234"
            ]),
            Ok(vec![
                ask("a", Some("x/a:1")),
                ask("b", None),
                ask(
                    "c-d",
                    Some(
                        "localhost:5000/c@sha256:1234567890123456789012345678901234567890123456789012345678901234"
                    )
                ),
            ])
        );
        for wrong in [&["a"][..], &["=x"], &["-"], &["a="], &["a=x y"], &["a=X/Y:1:2"], &["a=x:1", "a-"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
