//! `convert`: an artifact that runtimes do not mount as an image that they do, with the same content identity.

use std::io::{self, Cursor, Read};

use clap::Args as ClapArgs;
use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::content::{Content, unread};
use kubectl_skills::skill::convert::{Way, kept, way};
use kubectl_skills::skill::inspect::{self, Chosen, DEFAULT_PLATFORM};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::oci::{Descriptor, media_type};
use kubectl_skills::skill::pack::{self, Layer, Member, Provenance};
use kubectl_skills::skill::tree::Tree;
use kubectl_skills::skill::{identity, refused, within};

use super::image_source::{self, Opened, SourceArgs};
use super::inspect::of_platform;
use crate::exit::{Failure, Outcome, Run};
use crate::skill_files::LimitArgs;
use crate::skill_files::layout_write::{OnFailure, Output, Writer};
use crate::{notes, sink, skill_files};

/// Convert an artifact that no runtime mounts into an image with the same files
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # A skill whose files are layers each (docsclaw, the agentskills proposal)
  kubectl skills convert ./artifact:1.2.0 --to ./layout -t 1.2.0

  # A skill under Red Hat's media types, which oc-mirror copies: the layer stays as it is
  kubectl skills convert ./redhat:1.2.0 --to image.tar -t 1.2.0

Exit codes: 0 done; 2 usage; 3 an artifact that cannot be read, or is an image already; 4 the \
registry refused or failed")]
pub struct Args {
    /// An OCI layout: PATH, PATH:TAG or PATH@DIGEST; or a reference: HOST/REPOSITORY:TAG, or REPOSITORY:TAG of Docker Hub
    #[arg(value_name = "LAYOUT|REFERENCE")]
    what: String,
    /// Where the image is written: an OCI layout folder, or one as a file that ends in .tar, and its tag
    #[arg(long, value_name = "PATH[:TAG]")]
    to: String,
    /// Tag of the image in the layout, where --to has none; what stands before the last colon is left out
    #[arg(short = 't', long, value_name = "[NAME:]TAG", value_parser = skill_files::tag)]
    tag: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let (to, tag) = skill_files::layout_to(&args.to, args.tag.as_deref()).map_err(Failure::Usage)?;
    let limits = args.limits.limits();
    let Opened { mut content, root } = image_source::open(&args.what, &args.source, "convert")?;
    let content = &mut *content;
    let writer = Writer::open(&to, OnFailure::Undo)?;
    let at = |error| Failure::from(within(args.what.clone(), error));
    let chosen = inspect::choose(content, &root, None, DEFAULT_PLATFORM).map_err(at)?;
    let way = way(&chosen.manifest).map_err(at)?;
    let (tree, layers) = inspect::files(content, &chosen.manifest, &[], &limits).map_err(at)?;
    tree.check(&limits).map_err(at)?;
    if tree.skills().is_empty() {
        let none = refused("no SKILL.md: no agent would find a skill in the image", "");
        return Err(at(none));
    }
    let own = chosen.platform.as_deref().unwrap_or(chosen.descriptor.digest.as_str());
    for other in inspect::different(content, &chosen, &tree, &limits) {
        let own_identity = identity::of(&tree, "").to_string();
        notes::warning(&of_platform(&other, own, &own_identity));
    }
    let layers = match way {
        Way::Keep => {
            let kept: Result<Vec<Layer>, InputError> = layers.iter().map(kept).collect();
            for descriptor in &chosen.manifest.layers {
                copy(content, descriptor, &writer)?;
            }
            kept?
        }
        Way::Pack(files) => vec![packed(content, &files, &tree, &limits, &writer)?],
    };
    let blobs = pack::image(&layers, &annotations(&chosen, &tree), None);
    let digest = writer.image(&blobs, tag.as_deref())?;
    let identity = identity::of(&tree, "");
    sink::text(&format!("digest            {digest}\ncontent identity  {identity}\n"))?;
    notes::summary(&format!("converted into {}; its content is the same", to.display()));
    Ok(Outcome::Done)
}

/// What it said of itself, and what it left to be read in its files.
fn annotations(chosen: &Chosen, tree: &Tree) -> std::collections::BTreeMap<String, String> {
    let mut annotations = match tree.skills().as_slice() {
        [folder] => {
            let (skill, card) = inspect::described(tree, folder);
            pack::annotations(&skill, &card, &Provenance::default())
        }
        _ => Default::default(),
    };
    annotations.extend(chosen.manifest.annotations.clone());
    pack::without_logins(annotations)
}

fn copy(content: &mut dyn Content, descriptor: &Descriptor, writer: &Writer) -> Result<(), InputError> {
    let staged = writer.stage()?;
    let mut blob = content.blob(descriptor)?;
    let mut out = Output(staged.as_file());
    io::copy(&mut blob, &mut out).map_err(|error| writer.named(unread(&error, "")))?;
    writer.keep(staged, &descriptor.digest)
}

/// One layer of all files; it has to hold what was read before.
fn packed(
    content: &mut dyn Content,
    files: &[(Member, Descriptor)],
    tree: &Tree,
    limits: &Limits,
    writer: &Writer,
) -> Result<Layer, InputError> {
    let members: Vec<Member> = files.iter().map(|(member, _)| member.clone()).collect();
    let content = std::cell::RefCell::new(content);
    let mut open = |at: usize| -> Result<Box<dyn Read>, InputError> {
        let (_, descriptor) = &files[at];
        let mut content = content.borrow_mut();
        let mut bytes = Vec::new();
        let blob = content.blob(descriptor)?;
        blob.take(descriptor.size + 1).read_to_end(&mut bytes).map_err(|error| unread(&error, ""))?;
        Ok(Box::new(Cursor::new(bytes)))
    };
    let packed = writer.layer(|out| pack::layer(&members, &mut open, limits, out))?;
    if identity::of(&packed.tree, "") != identity::of(tree, "") {
        return Err(refused("its files changed while they were read", "try again"));
    }
    Ok(Layer {
        media_type: media_type::OCI_LAYER_GZIP.into(),
        digest: packed.digest,
        size: packed.size,
        diff_id: packed.diff_id,
    })
}
