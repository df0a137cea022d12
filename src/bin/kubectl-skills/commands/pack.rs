//! `pack`: a folder, zip, commit or ConfigMap as a skill image, with the same bytes whenever and wherever it is packed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::error::InputError;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::card::Card;
use kubectl_skills::skill::config_map;
use kubectl_skills::skill::describe::{Description, Text, describe};
use kubectl_skills::skill::inspect::{self, Inspected};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::oci::media_type;
use kubectl_skills::skill::pack::{self, Blob, Layer, Packed, Provenance};
use kubectl_skills::skill::{refused, url, within};
use kubectl_skills::yaml::emit;
use serde_json::{Value, json};

#[cfg(feature = "registry")]
use super::transfer;
use crate::exit::{Failure, Outcome, Run};
use crate::in_place::leftovers;
#[cfg(feature = "registry")]
use crate::registry::{args::RegistryArgs, place::Place};
use crate::skill_files::layout_write::{OnFailure, Writer};
use crate::skill_files::source::Source;
use crate::skill_files::{LimitArgs, human};
use crate::{notes, sink, skill_files};

/// Pack a folder, a zip, a commit or a ConfigMap as a skill image, with the same digest each time
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Which digest would the image of this folder have? Nothing is written
  kubectl skills pack skills/pdf

  # Into an OCI layout, from which any tool pushes it
  kubectl skills pack skills/pdf -t pdf:1.2.0 --to ./layout

  # One folder of one commit, with where it came from
  kubectl skills pack git+https://github.com/acme/skills@$COMMIT//pdf -t pdf:1.2.0 --to pdf.tar

  # A skill that kagenti keeps in a ConfigMap as an image, and an image's folder as a ConfigMap
  kubectl get configmap pdf -n team1 -o yaml | kubectl skills pack - --push ghcr.io/acme/skills/pdf:1.2.0
  kubectl skills pack skills/pdf --config-map pdf -n team1 | kubectl apply -f -

Exit codes: 0 done; 2 usage; 3 a skill that is refused, or files that cannot be read or written; 4 the registry refused \
or failed")]
pub struct Args {
    /// A folder, a zip, git+https://HOST/REPOSITORY@COMMIT[//FOLDER], or the manifest of a ConfigMap with a skill; - reads one
    #[arg(value_name = "DIR|ZIP|git+URL@COMMIT|CONFIGMAP")]
    what: String,
    /// Where the image is written: an OCI layout folder, or one as a file that ends in .tar, and its tag [default: nowhere]
    #[arg(long, value_name = "PATH[:TAG]")]
    to: Option<String>,
    /// Print a ConfigMap of that name, as kagenti keeps skills, instead of making an image
    #[arg(long, value_name = "NAME", conflicts_with_all = ["to", "created", "source", "revision"])]
    config_map: Option<String>,
    /// With --config-map: its namespace
    #[arg(short = 'n', long, value_name = "NAMESPACE", requires = "config_map")]
    namespace: Option<String>,
    /// With --config-map: whose labels and annotations, rossoctl.io or kagenti.io
    #[arg(long, value_name = "GROUP", requires = "config_map", default_value = config_map::PREFIXES[0], value_parser = config_map::PREFIXES, hide_possible_values = true)]
    group: String,
    /// Tag of the image in the layout, where --to has none; what stands before the last colon is left out
    #[arg(short = 't', long, value_name = "[NAME:]TAG", requires = "to", value_parser = skill_files::tag)]
    tag: Option<String>,
    /// Push the image to a registry: HOST/REPOSITORY:TAG
    #[cfg(feature = "registry")]
    #[arg(long, value_name = "REFERENCE", conflicts_with_all = ["to", "tag"])]
    push: Option<String>,
    /// Version of the skill, in place of its own
    #[arg(long, value_name = "VERSION")]
    skill_version: Option<String>,
    /// Write a SkillCard for a skill without one, in this namespace
    #[arg(long, value_name = "NAMESPACE")]
    write_card: Option<String>,
    /// When it was made, such as 2026-11-27T00:00:00Z [default: SOURCE_DATE_EPOCH, else left out]
    #[arg(long, value_name = "TIME", value_parser = time)]
    created: Option<String>,
    /// URL of the source [default: that of git+URL]
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Commit of the source [default: that of git+URL]
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
    /// Pack it in spite of findings in SKILL.md
    #[arg(long)]
    force: bool,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
    #[command(flatten)]
    limits: LimitArgs,
    #[cfg(feature = "registry")]
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Yaml,
}

/// RFC 3339 in UTC.
fn time(text: &str) -> Result<String, String> {
    let form = "0000-00-00T00:00:00Z";
    let part = |at: std::ops::Range<usize>| text.get(at).and_then(|part| part.parse::<u32>().ok());
    let has_form = text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
    let (year, month) = (part(0..4).unwrap_or(0), part(5..7).unwrap_or(0));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    };
    let below = |at, most| part(at).is_some_and(|part| part < most);
    let is_day = part(8..10).is_some_and(|day| (1..=days).contains(&day));
    if has_form && is_day && below(11..13, 24) && below(14..16, 60) && below(17..19, 60) {
        Ok(text.to_owned())
    } else {
        Err("a time is a moment of the calendar in UTC, written as 2026-11-27T00:00:00Z".into())
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let limits = args.limits.limits();
    let to = args.to.as_deref().map(|to| skill_files::layout_to(to, args.tag.as_deref()));
    let to = to.transpose().map_err(Failure::Usage)?;
    let source = Source::list(&args.what, &limits)?;
    if !source.left_out.is_empty() {
        notes::note(&format!("left out: {}", source.left_out.join(", ")));
    }
    if !source.guessed.is_empty() {
        notes::warning(&format!(
            "no annotation file-paths says where these keys belong, and they are taken as kagenti shows them: {}",
            source.guessed.join(", ")
        ));
    }
    if let Some(name) = &args.config_map {
        return as_config_map(args, &source, name, &limits);
    }
    let provenance = provenance(args, &source)?;
    let card = match &args.write_card {
        Some(namespace) => Some(made_card(args, &source, namespace, &provenance, &limits)?),
        None => None,
    };
    let all: Vec<&Source> = [Some(&source), card.as_ref()].into_iter().flatten().collect();
    let (made, packed, summary) = match (&to, args.push()) {
        (None, None) => {
            let (packed, _) = layer(&all, &limits, io::sink())?;
            let made = judge(args, &packed, &provenance)?;
            (made, packed, "nothing is written; --to PATH writes an OCI layout".to_owned())
        }
        (Some((to, tag)), _) => {
            let (made, packed) = write(args, &all, &limits, &provenance, (to, tag.as_deref()))?;
            let summary = format!("{} packed into {}", size(&packed), to.display());
            (made, packed, summary)
        }
        (None, Some(reference)) => {
            let folder =
                leftovers::folder().map_err(|error| Failure::Io("a temporary folder".into(), error))?;
            let layout = folder.path().join("layout");
            let (mut made, packed) = write(args, &all, &limits, &provenance, (&layout, None))?;
            made.pinned = Some(args.push_from(&layout, reference)?);
            let summary = format!("{} packed and pushed to {reference}", size(&packed));
            (made, packed, summary)
        }
    };
    report(args, &made, &packed)?;
    notes::summary(&summary);
    Ok(Outcome::Done)
}

/// Prints the ConfigMap that holds the same files.
fn as_config_map(args: &Args, source: &Source, name: &str, limits: &Limits) -> Run {
    let (packed, _) = layer(&[source], limits, io::sink())?;
    judge(args, &packed, &Provenance::default())?;
    let mut files = BTreeMap::new();
    for member in &source.members {
        files.insert(member.path.clone(), source.text(&member.path, limits)?.unwrap_or_default());
    }
    let described = inspect::described(&packed.tree, "").0.description;
    let mut map = config_map::write(name, &args.group, described.as_deref(), &files).map_err(|problems| {
        let errors = problems.into_iter().map(|one| {
            let mut error = refused(one.message, &one.help);
            error.field = one.key;
            within(args.what.clone(), error)
        });
        Failure::Input(errors.collect())
    })?;
    if let Some(namespace) = &args.namespace {
        map["metadata"]["namespace"] = namespace.as_str().into();
    }
    sink::yaml(&map)?;
    let executable: Vec<&str> =
        source.members.iter().filter(|one| one.executable).map(|one| one.path.as_str()).collect();
    if !executable.is_empty() {
        notes::warning(&format!(
            "a ConfigMap keeps no executable bit: {}; call these by their interpreter, or mount them with defaultMode 0755",
            executable.join(", ")
        ));
    }
    notes::summary(&format!("ConfigMap {name} with {}", size(&packed)));
    Ok(Outcome::Done)
}

fn size(packed: &Packed) -> String {
    format!("{}, {}", counted(packed.tree.files.len(), "file"), human(packed.size))
}

#[cfg(feature = "registry")]
impl Args {
    /// Where the image is pushed to.
    fn push(&self) -> Option<&str> {
        self.push.as_deref()
    }

    /// Pushes the image of a layout; gives how a manifest names it.
    fn push_from(&self, layout: &Path, reference: &str) -> Result<String, Failure> {
        let from = Place::Layout(layout.to_owned(), None);
        let to = transfer::registry_place(reference)?;
        Ok(transfer::moved("pack", from, to, false, &self.registry)?.pinned())
    }
}

#[cfg(not(feature = "registry"))]
impl Args {
    /// This build pushes nothing.
    fn push(&self) -> Option<&str> {
        None
    }

    fn push_from(&self, _: &Path, reference: &str) -> Result<String, Failure> {
        Err(Failure::Usage(format!("{reference}: this build pushes nothing")))
    }
}

/// Packs into a layout.
fn write(
    args: &Args,
    all: &[&Source],
    limits: &Limits,
    provenance: &Provenance,
    (to, tag): (&Path, Option<&str>),
) -> Result<(Made, Packed), Failure> {
    let writer = Writer::open(to, OnFailure::Undo)?;
    let packed = writer.layer(|out| layer(all, limits, out))?;
    let made = judge(args, &packed, provenance)?;
    writer.image(&made.blobs, tag)?;
    Ok((made, packed))
}

/// The last second that RFC 3339 has a year for.
const LAST_SECOND: u64 = 253_402_300_799;

/// The time that builds that can be repeated take for now, as RFC 3339 has it; `None` if none is set.
pub fn source_date_epoch() -> Result<Option<String>, Failure> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LAST_SECOND);
    let wrong = || format!("SOURCE_DATE_EPOCH is {text:?}, and no number of seconds up to {LAST_SECOND}");
    Ok(Some(pack::rfc3339(seconds.ok_or_else(|| Failure::Usage(wrong()))?)))
}

fn provenance(args: &Args, source: &Source) -> Result<Provenance, Failure> {
    let (url, commit) = source.origin.clone().unzip();
    if args.source.as_deref().is_some_and(|url| url::without_login(url) != url) {
        return Err(Failure::Usage(
            "--source has a user or password, which would be published: leave it out".into(),
        ));
    }
    let created = match &args.created {
        Some(created) => Some(created.clone()),
        None => source_date_epoch()?,
    };
    Ok(Provenance {
        source: args.source.clone().or(url),
        revision: args.revision.clone().or(commit),
        created,
    })
}

fn made_card(
    args: &Args,
    source: &Source,
    namespace: &str,
    provenance: &Provenance,
    limits: &Limits,
) -> Result<Source, InputError> {
    if source.members.iter().any(|member| member.path == pack::CARD) {
        return Err(refused("--write-card: the skill has a skill.yaml already", "leave --write-card out"));
    }
    let text = source.text("SKILL.md", limits)?;
    let text = text.ok_or_else(|| refused("--write-card: no SKILL.md at the root", ""))?;
    let (mut skill, _) = describe("", Text { bytes: &text, size: text.len() as u64 }, None);
    version(args, &mut skill);
    let card = pack::card(&skill, namespace, provenance)?;
    Ok(Source::made(pack::CARD, emit::document(&card).into_bytes()))
}

fn version(args: &Args, skill: &mut Description) {
    if let Some(version) = &args.skill_version {
        skill.version = Some(version.clone());
    }
}

fn layer<W: io::Write>(all: &[&Source], limits: &Limits, out: W) -> Result<(Packed, W), InputError> {
    let members: Vec<_> = all.iter().flat_map(|source| source.members.iter().cloned()).collect();
    let mut open = |mut at: usize| -> Result<Box<dyn Read>, InputError> {
        for source in all {
            if at < source.members.len() {
                return source.open(at);
            }
            at -= source.members.len();
        }
        Err(refused("no such file", ""))
    };
    pack::layer(&members, &mut open, limits, out)
}

/// What is packed, and the blobs around its layer.
struct Made {
    found: Inspected,
    blobs: Vec<Blob>,
    /// How a manifest names it, once it is pushed.
    pinned: Option<String>,
}

/// Refuses what no reader should get, and makes the rest of the image.
fn judge(args: &Args, packed: &Packed, provenance: &Provenance) -> Result<Made, Failure> {
    let found = inspect::folder(&args.what, &packed.tree);
    let all = found.skills.iter().flat_map(|skill| &skill.description.findings);
    let (errors, warnings): (Vec<_>, Vec<_>) = all.partition(|finding| finding.is_error());
    let mut errors: Vec<InputError> = errors.iter().map(|found| found.in_folder(&args.what)).collect();
    if found.skills.is_empty() {
        let none = refused("no SKILL.md: no agent would find a skill in the image", "");
        errors.push(within(args.what.clone(), none));
    }
    if !errors.is_empty() && !args.force {
        notes::note("a skill with errors is packed with --force alone");
        return Err(Failure::Input(errors));
    }
    errors.iter().for_each(|error| notes::warning(&error.to_string()));
    warnings.iter().for_each(|found| notes::warning(&found.in_folder(&args.what).to_string()));
    let annotations = match found.skills.as_slice() {
        [skill] => {
            let (mut description, card) = inspect::described(&packed.tree, &skill.folder);
            version(args, &mut description);
            pack::annotations(&description, &card, provenance)
        }
        // Several skills have no name or version in common.
        _ => pack::annotations(&Description::default(), &Card::default(), provenance),
    };
    let layer = Layer {
        media_type: media_type::OCI_LAYER_GZIP.into(),
        digest: packed.digest.clone(),
        size: packed.size,
        diff_id: packed.diff_id.clone(),
    };
    let blobs = pack::image(&[layer], &annotations, provenance.created.as_deref());
    Ok(Made { found, blobs, pinned: None })
}

fn report(args: &Args, made: &Made, packed: &Packed) -> Result<(), Failure> {
    let digest = made.blobs.last().map(|index| index.digest.as_str()).unwrap_or_default();
    let manifests: Vec<Value> = made
        .blobs
        .iter()
        .filter(|blob| blob.media_type == media_type::OCI_MANIFEST)
        .zip(pack::PLATFORMS)
        .map(|(blob, (os, architecture))| {
            json!({"platform": format!("{os}/{architecture}"), "digest": blob.digest.as_str()})
        })
        .collect();
    let mut value = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "PackedSkill",
        "source": args.what, "digest": digest, "manifests": manifests,
        "layer": {"digest": packed.digest.as_str(), "diffId": packed.diff_id.as_str(), "size": packed.size},
        "contentIdentity": made.found.content_identity,
        "skills": made.found.skills.iter().map(|skill| {
            json!({"name": skill.description.name, "folder": skill.folder, "files": skill.files, "bytes": skill.bytes})
        }).collect::<Vec<_>>(),
    });
    let mut text = format!(
        "digest            {digest}\nlayer             {}\ncontent identity  {}\n",
        packed.digest, made.found.content_identity
    );
    if let Some(pinned) = &made.pinned {
        value["pinned"] = pinned.as_str().into();
        text.push_str(&format!("pinned            {pinned}\n"));
    }
    match args.output {
        Format::Text => sink::text(&text),
        Format::Json => sink::json(&value),
        Format::Yaml => sink::yaml(&value),
    }
}
