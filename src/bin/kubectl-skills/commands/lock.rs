//! `lock`: the images that manifests name, looked into and written down; and whether what is written down still fits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference;
use kubectl_skills::manifest::skill_images::skill_images;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::manifest::wanted_images::{WantedImage, wanted};
use kubectl_skills::skill::lock::{self, Entry, FILE, Lock, Unknown, peers};
use serde_json::{Value, json};

use super::files::left_out;
use super::image_source::SourceArgs;
use crate::args::{KindsArgs, Report};
use crate::exit::{Failure, Outcome, Run};
use crate::in_place::{self, Change};
use crate::planning::DEFAULT_NAMESPACE;
#[cfg(feature = "registry")]
use crate::registry::trust::TrustArgs;
use crate::skill_files::LimitArgs;
use crate::source::{Input, read_text};
use crate::table::Table;
use crate::{notes, sink};

pub mod agents;
mod check;
mod continuity;
mod decision;
mod exchange;
pub mod look;
mod online;
pub mod signers;

use look::{Looked, Order};

/// Write down which image each skill is, what is in it and who signed it, so that 'render --locked' can pin it
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # All skill images of the manifests, into skills.lock
  kubectl skills lock -f manifests -R

  # Does the lock have every skill, and nothing else? No registry is asked
  kubectl skills lock -f manifests -R --check

  # Is what it says true: of what is in each image, and of who signed it?
  kubectl skills lock -f manifests -R --check --online --key cosign.pub

  # A tag has moved, and that is meant
  kubectl skills lock -f manifests -R --update ghcr.io/acme/skills/pdf:1.2

  # Who signed them, too
  kubectl skills lock -f manifests -R --key cosign.pub

  # Nobody signed it, and somebody decides to use it all the same
  kubectl skills lock -f manifests -R --accept-unsigned --reason 'pilot until March' ghcr.io/acme/skills/pdf:1.2

  # What ToolHive has locked, and back
  kubectl skills lock --import toolhive.lock.yaml
  kubectl skills lock --export toolhive > toolhive.lock.yaml

Exit codes: 0 done; 1 the lock does not fit the manifests (--check); 2 usage; 3 bad input, and nothing is written; \
4 a registry refused or failed, and nothing is written")]
pub struct Args {
    /// Only these of the images, as the manifests or the lock name them
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// The lock
    #[arg(long, alias = "locked", default_value = FILE, value_name = "FILE")]
    lock_file: PathBuf,
    /// Write nothing: end with 1 if the lock lacks an image, has one that is not named, or another digest than a manifest
    #[arg(long, conflicts_with_all = ["update", "keep", "accept_unsigned", "allow_signer_change", "import", "export"])]
    check: bool,
    /// With --check: ask the registries too whether a tag has moved, whether what the lock says of each image is what is in it and,
    /// with --key or --certificate-identity, whether who it says has signed it
    #[arg(long, requires = "check")]
    online: bool,
    /// Take over the digests of tags that have moved, and look into every image again; without it a moved tag is reported, and the
    /// lock keeps what it has
    #[arg(long)]
    update: bool,
    /// Write down images that none of those has signed who signed them before or, where they are new, the others of their repository
    #[arg(long)]
    allow_signer_change: bool,
    /// Keep entries of images that no manifest names
    #[arg(long)]
    keep: bool,
    /// Write down that images may be used though nobody signed them
    #[arg(long, requires = "reason")]
    accept_unsigned: bool,
    /// With --accept-unsigned: why
    #[arg(long, value_name = "TEXT", requires = "accept_unsigned")]
    reason: Option<String>,
    /// With --accept-unsigned: who decides [default: user.email of git]
    #[arg(long = "as", value_name = "WHO", requires = "accept_unsigned")]
    who: Option<String>,
    /// Take over what a lock file of another tool says: toolhive.lock.yaml, skills-lock.json, catalog-lock.yaml, skills.lock.json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "kustomize", "export"])]
    import: Option<PathBuf>,
    /// Print the lock as that of another tool: toolhive, npx, flux or skills-oci
    #[arg(long, value_name = "TOOL", value_parser = tool, conflicts_with_all = ["files", "kustomize", "update", "accept_unsigned"])]
    export: Option<peers::Peer>,
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Report,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[cfg(feature = "registry")]
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    source: SourceArgs,
}

fn tool(text: &str) -> Result<peers::Peer, String> {
    peers::Peer::by_name(text).ok_or_else(|| "known are toolhive, npx, flux and skills-oci".to_owned())
}

/// The lock of a run, as it was read.
struct File<'a> {
    path: &'a Path,
    name: String,
    /// None if there is no such file.
    text: Option<String>,
    lock: Lock,
}

impl<'a> File<'a> {
    fn read(path: &'a Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = if path.exists() { Some(read_text(path)?) } else { None };
        let lock = text.as_deref().map(|text| Lock::read(text, &name)).transpose()?.unwrap_or_default();
        Ok(Self { path, name, text, lock })
    }

    /// Writes these entries; whether anything changed.
    fn write(&self, entries: &[Entry]) -> Result<bool, Failure> {
        self.replace(&lock::edit(self.text.as_deref().unwrap_or_default(), &self.name, entries)?)
    }

    /// Writes this text; whether anything changed.
    fn replace(&self, after: &str) -> Result<bool, Failure> {
        match &self.text {
            Some(before) if before == after => return Ok(false),
            Some(before) => {
                let root = self.path.canonicalize().map_err(|error| Failure::Io(self.name.clone(), error))?;
                let roots = BTreeSet::from([root]);
                in_place::clean([self.path]);
                in_place::write(&[Change { path: self.path, before, after: vec![after] }], &roots)?;
            }
            None => in_place::create(self.path, after)?,
        }
        Ok(true)
    }
}

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Same,
    Moved,
    Updated,
    Dropped,
    /// It is not named, or not among the images of the command line.
    Kept,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Updated => "updated",
            Self::Dropped => "dropped",
            Self::Kept => "kept",
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if let Some(from) = &args.import {
        return exchange::import(args, from);
    }
    if let Some(peer) = args.export {
        return exchange::export(args, peer);
    }
    let inputs = args.input.read()?;
    let namespace = args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_all(&inputs.sources, namespace, kinds)?;
    left_out(&stream, kinds);
    let all = wanted(skill_images(&stream, kinds)?)?;
    let file = File::read(&args.lock_file)?;
    let chosen = Chosen::of(&args.images, &all, &file.lock)?;
    if all.is_empty() {
        notes::warning("no skill image is named in the manifests");
    }
    if args.check {
        if signers::Signers::given(args) && !args.online {
            return Err(Failure::Usage(
                "signatures are kept in registries: with --check, whose signature counts needs --online as well".into(),
            ));
        }
        return check::run(args, &file, &all, &chosen);
    }
    let (entries, fates) = locked(args, &file, &all, &chosen)?;
    let is_changed = file.write(&kept(&entries))?;
    let after = Lock::new(kept(&entries));
    let agents = agents::of(&stream, kinds, &after, &file.name);
    print(args, &entries, &fates, &agents)?;
    for agent in &agents {
        notes::object(&format!(
            "{}: {}, skill set {}",
            agent.id,
            counted(agent.skills, "skill"),
            agent.digest
        ));
    }
    let count = |fate: Fate| fates.iter().filter(|(_, one)| *one == fate).count();
    notes::summary(&format!(
        "{}: {}; {} new, {} updated, {} moved, {} dropped{}",
        file.name,
        counted(after.entries().len(), "image"),
        count(Fate::New),
        count(Fate::Updated),
        count(Fate::Moved),
        count(Fate::Dropped),
        if is_changed { "" } else { "; nothing is written" },
    ));
    Ok(Outcome::Done)
}

/// The entries that the lock has afterwards.
fn kept(entries: &[(Entry, Fate)]) -> Vec<Entry> {
    entries.iter().filter(|(_, fate)| *fate != Fate::Dropped).map(|(entry, _)| entry.clone()).collect()
}

/// The images of the command line; none: all.
struct Chosen(Option<BTreeSet<String>>);

impl Chosen {
    fn of(images: &[String], all: &[WantedImage], lock: &Lock) -> Result<Self, Failure> {
        let mut keys = BTreeSet::new();
        for image in images {
            let key = image_reference::key(image);
            let is_known = |key: &String| {
                let named = all.iter().any(|one| image_reference::key(&one.image).as_ref() == Some(key));
                named || lock.find(image).is_some()
            };
            match key.filter(is_known) {
                Some(key) => drop(keys.insert(key)),
                None => {
                    return Err(Failure::Usage(format!(
                        "{image}: neither the manifests nor the lock name it"
                    )));
                }
            }
        }
        Ok(Self((!images.is_empty()).then_some(keys)))
    }

    fn has(&self, image: &str) -> bool {
        match &self.0 {
            None => true,
            Some(keys) => image_reference::key(image).is_some_and(|key| keys.contains(&key)),
        }
    }
}

/// What became of each image, in the order of the lock; and the list of what happened.
type Entries = Vec<(Entry, Fate)>;

fn locked(
    args: &Args,
    file: &File<'_>,
    all: &[WantedImage],
    chosen: &Chosen,
) -> Result<(Entries, Vec<(String, Fate)>), Failure> {
    let asked: Vec<&WantedImage> = all.iter().filter(|one| chosen.has(&one.image)).collect();
    let orders: Vec<Order> = asked
        .iter()
        .map(|one| {
            let own = file.lock.find(&one.image);
            Order {
                image: one.to_resolve(),
                // What was looked into once need not be again.
                known: own
                    .filter(|entry| {
                        matches!(entry.is_known(), Ok(()) | Err(Unknown::Different(_))) && !args.update
                    })
                    .map(|entry| entry.digest.clone()),
                look: own.is_none() || args.update || one.digest.is_some(),
                locked: own.map(|entry| entry.digest.clone()),
            }
        })
        .collect();
    let looked = look::all(&orders, &args.source, args.limits.limits(), "lock")?;
    let decision = args.accept_unsigned.then(|| decision::of(args)).transpose()?;
    let signers = signers::Signers::of(args)?;
    let (mut entries, mut unaccepted) = (Entries::new(), Vec::new());
    for (one, looked) in asked.iter().zip(looked) {
        let (mut entry, fate) = judged(args, file, one, looked)?;
        let others = signers.look(args, &mut entry)?;
        continuity::keep(args, &file.lock, &entry)?;
        if let Some(decision) = &decision {
            match signers.signed_by(args, &entry)? {
                Some(why) => unaccepted.push((entry.image.clone(), why)),
                None if entry.unsigned.is_none() => {
                    notes::note(&format!("{}: accepted as unsigned by {}", entry.image, decision.by));
                    if !others.is_empty() {
                        notes::warning(&format!(
                            "{}: it has signatures or attestations that do not count with these flags: {}",
                            entry.image,
                            others.join("; ")
                        ));
                    }
                    entry.unsigned = Some(decision.clone());
                }
                None => {}
            }
        }
        entries.push((entry, fate));
    }
    if chosen.0.is_some() && !unaccepted.is_empty() {
        let refused = |(image, (why, help)): (String, (String, &'static str))| InputError {
            message: format!("{image}: {why}; it is not accepted as unsigned"),
            help: help.to_owned(),
            ..InputError::default()
        };
        return Err(Failure::Input(unaccepted.into_iter().map(refused).collect()));
    }
    for (image, (why, help)) in &unaccepted {
        notes::warning(&format!("{image}: {why}; it is not accepted as unsigned ({help})"));
    }
    for entry in file.lock.entries() {
        let is_named =
            all.iter().any(|one| file.lock.find(&one.image).is_some_and(|own| own.image == entry.image));
        let fate = if is_named && chosen.has(&entry.image) {
            continue;
        } else if is_named || args.keep || chosen.0.is_some() {
            Fate::Kept
        } else {
            notes::note(&format!("{}: no manifest names it; it is taken out (--keep keeps it)", entry.image));
            Fate::Dropped
        };
        entries.push((entry.clone(), fate));
    }
    entries.sort_by(|(a, _), (b, _)| a.image.cmp(&b.image));
    let fates = entries.iter().map(|(entry, fate)| (entry.image.clone(), *fate)).collect();
    Ok((entries, fates))
}

/// The entry of an image after a look at it.
fn judged(args: &Args, file: &File<'_>, one: &WantedImage, looked: Looked) -> Result<(Entry, Fate), Failure> {
    let read = |looked: Looked, image: &str| {
        let found = looked.found.as_ref().and_then(|found| lock::of_image(image, found));
        if looked.found.as_ref().is_some_and(|found| found.skills.is_empty()) {
            notes::warning(&format!("{image}: no SKILL.md: no agent finds a skill in it"));
        }
        if let Some(Err(Unknown::Different(platforms))) = found.as_ref().map(Entry::is_known) {
            notes::warning(&format!(
                "{image}: other files are in it for {}: what is in it is not written down, and a policy that asks refuses it",
                platforms.join(", ")
            ));
        }
        found.unwrap_or_else(|| Entry::new(image, looked.digest.clone()))
    };
    let Some(own) = file.lock.find(&one.image) else { return Ok((read(looked, &one.image), Fate::New)) };
    if own.digest == looked.digest {
        if looked.is_gone {
            notes::warning(&online::gone(own));
        }
        let mut entry = own.clone();
        if looked.found.is_some() {
            let fresh = read(looked, &own.image);
            entry = Entry { content: fresh.content, facts: fresh.facts, ..entry };
        }
        return Ok((entry, Fate::Same));
    }
    if !args.update && one.digest.is_none() {
        notes::warning(&format!(
            "{}: the tag has moved, to {}; the lock keeps {} (--update takes it over)",
            own.image, looked.digest, own.digest
        ));
        return Ok((own.clone(), Fate::Moved));
    }
    notes::note(&format!("{}: {} instead of {}", own.image, looked.digest, own.digest));
    if own.unsigned.is_some() {
        notes::warning(&format!(
            "{}: the decision to use it unsigned was about {}, and is taken out",
            own.image, own.digest
        ));
    }
    Ok((read(looked, &own.image), Fate::Updated))
}

fn print(
    args: &Args,
    entries: &[(Entry, Fate)],
    fates: &[(String, Fate)],
    agents: &[agents::Agent],
) -> Result<(), Failure> {
    match args.output {
        Report::Text => {
            let mut table = Table::new(&["IMAGE", "SKILL", "VERSION", "DIGEST", "STATE"]);
            for (entry, fate) in entries {
                let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                table.row([
                    entry.image.clone(),
                    or_dash(&entry.facts.name),
                    or_dash(&entry.facts.version),
                    entry.digest.as_str()[..19].to_owned(),
                    fate.name().to_owned(),
                ]);
            }
            sink::table(&table)
        }
        format => {
            let skills: Vec<Value> = kept(entries).iter().map(lock::value).collect();
            let changes: Vec<Value> =
                fates.iter().map(|(image, fate)| json!({"image": image, "state": fate.name()})).collect();
            let agents: Vec<Value> = agents.iter().map(agents::Agent::value).collect();
            sink::object(
                format,
                &json!({
                    "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": lock::KIND,
                    "skills": skills, "changes": changes, "agents": agents,
                }),
            )
        }
    }
}
