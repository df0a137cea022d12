//! `inspect`: what is in a skill image, or would be in that of a folder.

use std::path::Path;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::{self, TEXT_BYTES};
use kubectl_skills::skill::describe::Found;
use kubectl_skills::skill::inspect::{self, DEFAULT_PLATFORM, Different, Image, Inspected};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::tree::{Tree, Type};
use kubectl_skills::skill::{path, within};
use kubectl_skills::yaml::emit::{self, Scalars};
use serde_json::{Value, json};

use super::change_text;
use super::image_source::{self, Opened, SourceArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::skill_files::{LimitArgs, folder, human};
use crate::table::Table;
use crate::{notes, sink};

/// Show what is in a skill image: skills, files, layers, content identity, and how it is mounted
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # What would an agent see of this folder?
  kubectl skills inspect skills/pdf

  # The image that was packed of it, with every file
  kubectl skills inspect -o tree ./layout:1.2.0

  # What changed since the last version: new scripts and wider allowed-tools first
  kubectl skills inspect ghcr.io/acme/skills/pdf:1.3.0 --against ghcr.io/acme/skills/pdf:1.2.0

  # Does the image in the registry have the same content, whatever its digest?
  kubectl skills inspect -o json ghcr.io/acme/skills/pdf:1.2.0 | jq -r .contentIdentity

Exit codes: 0 done; 1 errors in SKILL.md or skill.yaml, or other files (--against); 2 usage; 3 an image that cannot be read, or must not be used; \
4 the registry refused or failed")]
pub struct Args {
    /// A folder; an OCI layout: PATH, PATH:TAG or PATH@DIGEST; or a reference: HOST/REPOSITORY:TAG, or REPOSITORY:TAG of Docker Hub
    #[arg(value_name = "DIR|LAYOUT|REFERENCE")]
    what: String,
    /// What changed since this one, which is named in the same ways
    #[arg(long, value_name = "DIR|LAYOUT|REFERENCE")]
    against: Option<String>,
    /// Which image of an index: os/architecture [default: linux/amd64, or the only one there is]
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<String>,
    /// Output format: table; tree, with every file; json or yaml, with everything
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Tree,
    Json,
    Yaml,
}

/// The version of what is printed for machines.
const API_VERSION: &str = "skills.kagenti.dev/v1alpha1";

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let limits = args.limits.limits();
    if let Some(other) = &args.against {
        return against(args, other, &Limits { kept_bytes: TEXT_BYTES as u64, ..limits });
    }
    let found = read(args, &limits)?;
    let findings: Vec<&Found> = found.skills.iter().flat_map(|skill| &skill.description.findings).collect();
    match args.output {
        Format::Table => sink::text(&to_table(&found))?,
        Format::Tree => sink::text(&to_tree(&found))?,
        Format::Json => sink::json(&to_value(&found))?,
        Format::Yaml => sink::yaml(&to_value(&found))?,
    }
    let root = if Path::new(&args.what).is_dir() && found.image.is_none() { args.what.as_str() } else { "" };
    for finding in &findings {
        let text = finding.in_folder(root).to_string();
        if finding.is_error() { notes::error(&text) } else { notes::warning(&text) }
    }
    if let Some(image) = &found.image {
        let own = image.platform.as_deref().unwrap_or(&image.manifest);
        image
            .different
            .iter()
            .for_each(|other| notes::warning(&of_platform(other, own, &found.content_identity)));
    }
    if found.skills.is_empty() {
        notes::error("no SKILL.md: no agent finds a skill in it");
    }
    let sound = !found.skills.is_empty() && !findings.iter().any(|finding| finding.is_error());
    Ok(if sound { Outcome::Done } else { Outcome::Found })
}

/// What is said of a platform that has not the content of the one that was looked into.
pub fn of_platform(other: &Different, own: &str, identity: &str) -> String {
    let Different { platform, content_identity, error } = other;
    match (content_identity, error) {
        (Some(other), _) => format!(
            "{platform} has other content than {own}: {other}, and not {identity} (each node mounts what is for it: \
             build the index of one layer, as 'pack' does)"
        ),
        (None, error) => format!(
            "{platform} may have other content than {own}: {}",
            error.as_deref().unwrap_or("it was not read")
        ),
    }
}

/// `linux/arm64` or `linux/arm64/v8`.
pub fn platform(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if matches!(parts.len(), 2 | 3) && parts.iter().all(is_word) {
        Ok(text.to_owned())
    } else {
        Err("write it as OS/ARCHITECTURE, such as linux/arm64".to_owned())
    }
}

fn read(args: &Args, limits: &Limits) -> Result<Inspected, Failure> {
    let what = args.what.as_str();
    let at = |error| Failure::from(within(what.to_owned(), error));
    let root = Path::new(what);
    if root.is_dir() && !root.join("oci-layout").is_file() {
        return of_folder(root, what, limits).map_err(at);
    }
    let Opened { mut content, root } = image_source::open(what, &args.source, "inspect")?;
    inspect::image(&mut *content, what, &root, args.platform.as_deref(), limits).map_err(at)
}

/// Shows how the files differ from those of another image or folder.
fn against(args: &Args, other: &str, limits: &Limits) -> Run {
    let ((before, of_before), (after, of_after)) =
        (tree(args, other, limits)?, tree(args, &args.what, limits)?);
    let platforms: Vec<&String> = of_after.iter().map(|one| &one.platform).collect();
    // What is the same for the platform that is compared is not the same where another one has other files.
    let is_otherwise = of_before != of_after;
    if is_otherwise && !platforms.is_empty() {
        let all = platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
        notes::warning(&format!("{}: other files are in it for {all}: --platform shows them", args.what));
    }
    let Some(change) = changes::trees(&before, &after) else {
        let (outcome, verdict) =
            if is_otherwise { (Outcome::Found, "content") } else { (Outcome::Done, "same") };
        let but = if is_otherwise { ", and not for all platforms" } else { "" };
        notes::summary(&format!("{} and {other} have the same files{but}", args.what));
        if !matches!(args.output, Format::Table | Format::Tree) {
            let mut value = json!({"apiVersion": API_VERSION, "kind": "SkillChange", "verdict": verdict});
            if is_otherwise {
                value["otherwise"] = json!(platforms);
            }
            machine(args.output, &value)?;
        }
        return Ok(outcome);
    };
    match args.output {
        Format::Table | Format::Tree => sink::text(&change_text::text(&change))?,
        format => {
            let mut value = json!({"apiVersion": API_VERSION, "kind": "SkillChange", "verdict": "content"});
            if let (Some(value), Ok(Value::Object(fields))) =
                (value.as_object_mut(), serde_json::to_value(&change))
            {
                value.extend(fields);
            }
            machine(format, &value)?;
        }
    }
    Ok(Outcome::Found)
}

fn machine(format: Format, value: &Value) -> Result<(), Failure> {
    if format == Format::Yaml { sink::yaml(value) } else { sink::json(value) }
}

/// The files of an image or folder, and the platforms that have others.
fn tree(args: &Args, what: &str, limits: &Limits) -> Result<(Tree, Vec<Different>), Failure> {
    let at = |error| Failure::from(within(what.to_owned(), error));
    let root = Path::new(what);
    if root.is_dir() && !root.join("oci-layout").is_file() {
        let read = folder::list(root, limits).and_then(|found| folder::read(&found, limits));
        return read.map(|tree| (tree, Vec::new())).map_err(at);
    }
    let Opened { mut content, root } = image_source::open(what, &args.source, "inspect")?;
    let chosen =
        inspect::choose(&mut *content, &root, args.platform.as_deref(), DEFAULT_PLATFORM).map_err(at)?;
    let image = inspect::unpack(&mut *content, chosen, limits).map_err(at)?;
    let different = inspect::different(&mut *content, &image.chosen, &image.tree, limits);
    Ok((image.tree, different))
}

fn of_folder(root: &Path, what: &str, limits: &Limits) -> Result<Inspected, InputError> {
    let found = folder::list(root, limits)?;
    for skipped in &found.skipped {
        notes::warning(&format!("skipped: {skipped}"));
    }
    if !found.left_out.is_empty() {
        notes::note(&format!("left out: {}", found.left_out.join(", ")));
    }
    Ok(inspect::folder(what, &folder::read(&found, limits)?))
}

fn to_value(found: &Inspected) -> Value {
    let mut value = json!({"apiVersion": API_VERSION, "kind": "SkillContent"});
    if let (Some(value), Ok(Value::Object(fields))) = (value.as_object_mut(), serde_json::to_value(found)) {
        value.extend(fields);
    }
    value
}

fn to_table(found: &Inspected) -> String {
    let mut out = String::new();
    if let Some(image) = &found.image {
        out.push_str(&head(image));
        let mut layers = Table::new(&["LAYER", "SIZE", "UNPACKED", "ENTRIES", "MEDIA-TYPE"]);
        for layer in &image.layers {
            layers.row([
                layer.digest.clone(),
                human(layer.size),
                human(layer.unpacked),
                layer.entries.to_string(),
                layer.media_type.clone(),
            ]);
        }
        out.push_str(&format!("\n{}\n", layers.fitted()));
    }
    let mut skills =
        Table::new(&["SKILL", "FOLDER", "VERSION", "FILES", "SIZE", "WORDS", "TOKENS", "CONTENT-IDENTITY"]);
    for skill in &found.skills {
        let said = &skill.description;
        let or_dash = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), short);
        skills.row([
            or_dash(&said.name),
            folder_or_dot(&skill.folder).to_owned(),
            or_dash(&said.version),
            skill.files.to_string(),
            human(skill.bytes),
            said.words.to_string(),
            said.tokens.to_string(),
            skill.content_identity.clone(),
        ]);
    }
    out.push_str(&skills.fitted());
    out.push_str(&mounts(found));
    out
}

fn head(image: &Image) -> String {
    let mut out = format!("digest     {}\n", image.digest);
    if image.manifest != image.digest {
        out.push_str(&format!("manifest   {}\n", image.manifest));
    }
    let all = match image.platforms.as_slice() {
        [] => String::new(),
        [_] => " (the only one)".to_owned(),
        all => format!(" (of {})", all.join(", ")),
    };
    out.push_str(&format!("platform   {}{all}\n", image.platform.as_deref().unwrap_or("none")));
    out.push_str(&format!("format     {}\n", image.format));
    for runtime in &image.runtimes {
        let since =
            if runtime.since.is_empty() { String::new() } else { format!(", from {}", runtime.since) };
        out.push_str(&format!("{:<10} {}: {}{since}\n", runtime.runtime, runtime.mounts, runtime.sees));
    }
    if let Some(kind) = &image.artifact_type {
        out.push_str(&format!("artifact   {kind}\n"));
    }
    out
}

/// As much of a text as a cell takes.
fn short(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn folder_or_dot(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// What a SkillBinding needs of each skill, or what to do where no runtime mounts the image as a folder.
fn mounts(found: &Inspected) -> String {
    let ways = inspect::ways(found, "/skills");
    let Some(way) = ways.first() else {
        let how = found.image.as_ref().map_or("", |image| image.how);
        return if how.is_empty() { String::new() } else { format!("\nSo that an agent has it: {how}\n") };
    };
    let mut out = "\nAs skills of a SkillBinding or AgentRuntime:\n".to_owned();
    let quoted = |text: &str| {
        let mut out = String::new();
        emit::string(&mut out, text, Scalars::default(), true);
        out
    };
    let image =
        if is_reference(&found.reference) { quoted(&found.reference) } else { "REFERENCE".to_owned() };
    let mut names: Vec<String> = Vec::new();
    for (at, sub) in &way.mounts {
        let skill = found.skills.iter().find(|skill| Some(&skill.folder) == sub.as_ref());
        let own = skill.and_then(|skill| skill.description.name.as_deref());
        let taken = |name: &str| {
            let of = |skill: &&inspect::Skill| skill.description.name.as_deref() == Some(name);
            found.skills.iter().filter(of).count() > 1
        };
        let name = as_name(own.filter(|name| !taken(name)).unwrap_or(path::base(at)));
        let number = |count: usize| if count == 1 { name.clone() } else { format!("{name}-{count}") };
        let Some(name) = (1..).map(number).find(|name| !names.contains(name)) else { continue };
        names.push(name.clone());
        let sub = sub.as_ref().map_or(String::new(), |folder| format!(", subPath: {}", quoted(folder)));
        out.push_str(&format!(
            "- {{name: {}, image: {image}, mountPath: {}{sub}}}\n",
            quoted(&name),
            quoted(&format!("/skills/{name}"))
        ));
    }
    out
}

/// Whether what was inspected is named as a manifest names an image: no path of this machine.
fn is_reference(what: &str) -> bool {
    let path = what.split([':', '@']).next().unwrap_or(what);
    image_reference::parse(what).is_some() && !Path::new(path).exists() && !path.ends_with(".tar")
}

/// A name that a list of skills takes, which a folder's need not be.
fn as_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let name: String = text.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).take(57).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "skill".to_owned() } else { name.to_owned() }
}

fn to_tree(found: &Inspected) -> String {
    let mut out = format!("{}\n", found.reference);
    let mut above: Vec<&str> = Vec::new();
    for file in &found.files {
        let parts: Vec<&str> = file.path.split('/').collect();
        let folders = &parts[..parts.len() - 1];
        let shared = above.iter().zip(folders).take_while(|(one, other)| one == other).count();
        for (depth, folder) in folders.iter().enumerate().skip(shared) {
            out.push_str(&format!("{}{folder}/\n", "  ".repeat(depth + 1)));
        }
        let what = match (&file.target, file.kind) {
            (Some(target), _) => format!("-> {target}"),
            (None, Type::Binary) => format!("{}, binary", human(file.size)),
            (None, _) => human(file.size),
        };
        let mark = if file.executable { "*" } else { "" };
        let indent = "  ".repeat(parts.len());
        out.push_str(&format!("{indent}{}{mark}  {what}\n", path::base(&file.path)));
        above = folders.to_vec();
    }
    out.push_str(&format!(
        "{}, {}, content {}\n",
        counted(found.files.len(), "file"),
        human(found.bytes),
        found.content_identity
    ));
    out
}
