//! `pull`: an image of a registry into an OCI layout, or its files into a folder.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::inspect::{self, Unpacked};
use kubectl_skills::skill::{identity, path, within};
use serde_json::json;

use super::inspect::platform;
use super::transfer::{self, TransferArgs, registry_place};
use crate::args::Report;
use crate::exit::{Failure, Outcome, Run};
use crate::registry::blocking::Blocking;
use crate::registry::place::Place;
use crate::skill_files::LimitArgs;
use crate::skill_files::unpack::Unpacker;
use crate::{build_info, notes, sink};

/// Pull a skill image from a registry into an OCI layout, or its files into a folder
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Into a folder, with its signatures; a second image comes next to the first
  kubectl skills pull quay.io/acme/skills/pdf:1.0.0 ./out
  kubectl skills pull quay.io/acme/skills/csv:2.1.0 ./out

  # Into a tar of its own, which is written anew
  kubectl skills pull quay.io/acme/skills/pdf:1.0.0 pdf.tar

  # Its files, as an agent sees them; what was in the folder before is removed
  kubectl skills pull quay.io/acme/skills/pdf:1.0.0 --to skills/pdf --replace

Exit codes: 0 done; 2 usage; 3 bad input, or what cannot be written; 4 the registry refused or failed; after any of them the \
layout's index, or the folder, is as it was")]
pub struct Args {
    /// What: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Folder or tar, and the name that the image gets in it [default: the reference]: PATH[:NAME]
    #[arg(value_name = "LAYOUT", required_unless_present = "to")]
    layout: Option<String>,
    /// Write its files into this folder, as an image volume would show them
    ///
    /// Every byte is checked against the digests of the image before the first file is in place. The folder has to be
    /// empty or absent; what a run that was ended has moved is moved back first, and one run at a time writes a folder. Init
    /// containers of 'render --delivery init' run this.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["layout", "no_referrers"])]
    to: Option<PathBuf>,
    /// With --to: remove what is in the folder, once all that comes in its place is there and checked
    #[arg(long, requires = "to")]
    replace: bool,
    /// With --to: only what is at this path of the image or below it, at the same path; nothing there is an error
    ///
    /// Links on the way are followed and kept, with what they lead to. A link that leads out of what is at the path is an error.
    #[arg(long, value_name = "PATH", requires = "to")]
    sub_path: Option<String>,
    /// With --to: which image of an index, os/architecture [default: linux and this machine's architecture, or the only one there is]
    #[arg(long, value_name = "PLATFORM", value_parser = platform, requires = "to")]
    platform: Option<String>,
    #[command(flatten)]
    transfer: TransferArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let place = registry_place(&args.reference)?;
    match (&args.to, &args.layout) {
        (Some(folder), _) => files(args, &place, folder),
        (None, layout) => {
            let layout = layout.as_deref().unwrap_or_default();
            let layout = layout.strip_prefix("oci:").unwrap_or(layout);
            transfer::run("pull", place, Place::layout(layout), &args.transfer)
        }
    }
}

/// Writes the files of an image into a folder.
fn files(args: &Args, place: &Place, folder: &Path) -> Run {
    let at = |error| Failure::from(within(args.reference.clone(), error));
    let limits = args.limits.limits();
    let wanted = args.sub_path.as_deref().map(within_image).transpose()?;
    let (mut content, root) = Blocking::open(place, &args.transfer.registry, "pull")?;
    // Where none is named, the image that a kubelet of this machine would take.
    let own = format!("linux/{}", build_info::architecture());
    let chosen = inspect::choose(&mut content, &root, args.platform.as_deref(), &own).map_err(at)?;
    let mut unpacker = Unpacker::open(folder, args.replace)?;
    let unpacked = inspect::unpack_keeping(&mut content, chosen, &limits, &mut unpacker);
    let Unpacked { chosen, tree, .. } = unpacked.map_err(at)?;
    let tree = match &wanted {
        Some(wanted) => tree.at_sub_path(wanted).map_err(at)?,
        None => tree,
    };
    unpacker.finish(&tree)?;
    let (digest, identity) = (root.digest.as_str(), identity::of(&tree, "").to_string());
    match args.transfer.output {
        Report::Text => {
            sink::text(&format!("digest            {digest}\ncontent identity  {identity}\n"))?;
        }
        format => sink::object(
            format,
            &json!({
                "source": place.to_string(),
                "folder": folder.display().to_string(),
                "digest": digest,
                "manifest": chosen.descriptor.digest.as_str(),
                "platform": chosen.platform,
                "contentIdentity": identity,
                "files": tree.files.len(),
            }),
        )?,
    }
    if tree.skills().is_empty() {
        notes::warning("no SKILL.md: no agent finds a skill in it");
    }
    notes::summary(&format!("{} of {} in {}", counted(tree.files.len(), "file"), place, folder.display()));
    Ok(Outcome::Done)
}

/// The path that `--sub-path` is.
fn within_image(text: &str) -> Result<String, Failure> {
    match path::normal(text.as_bytes()) {
        Ok(path) if !path.is_empty() => Ok(path),
        Ok(_) => Err(Failure::Usage(format!("--sub-path {text}: is the whole image: leave it out"))),
        Err(why) => Err(Failure::Usage(format!("--sub-path {text}: {why}"))),
    }
}
