//! What the verbs that move images have in common: two places in, an image in the second one out.

use clap::Args as ClapArgs;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::oci::Descriptor;
use serde_json::{Value, json};

use crate::args::Report;
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::notes;
use crate::registry::args::RegistryArgs;
use crate::registry::copy::{Copied, copy};
use crate::registry::error::{Kind, RegistryError, Result};
use crate::registry::interrupt::unless_interrupted;
use crate::registry::place::Place;
use crate::registry::progress::Progress;
use crate::registry::store::Stores;
use crate::sink;

/// Flags of every verb that moves images.
#[derive(Debug, ClapArgs)]
pub struct TransferArgs {
    /// Leave out what refers to the image: signatures, attestations, bills of materials
    #[arg(long)]
    pub no_referrers: bool,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Report,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// An image that was moved.
pub struct Moved {
    /// Where it was.
    pub source: Place,
    /// Where it is.
    pub destination: Place,
    /// The image.
    pub root: Descriptor,
    /// What it came to.
    pub copied: Copied,
}

impl Moved {
    /// How whoever goes on names it: never by what may move.
    pub fn pinned(&self) -> String {
        match &self.destination {
            Place::Registry(reference) => {
                let mut pinned = reference.clone();
                pinned.digest = Some(self.root.digest.clone());
                pinned.to_string()
            }
            Place::Layout(path, _) => {
                Place::Layout(path.clone(), Some(self.root.digest.to_string())).to_string()
            }
        }
    }

    /// For machines.
    pub fn value(&self) -> Value {
        let Copied { manifests, referrers, sent, bytes, mounted, present } = &self.copied;
        json!({
            "source": self.source.to_string(),
            "destination": self.destination.to_string(),
            "pinned": self.pinned(),
            "digest": self.root.digest.as_str(),
            "mediaType": self.root.media_type,
            "manifests": manifests,
            "referrers": referrers,
            "blobs": {"sent": sent, "bytes": bytes, "mounted": mounted, "present": present},
        })
    }
}

/// Moves one image for a verb, and says so.
pub fn run(verb: &'static str, source: Place, destination: Place, args: &TransferArgs) -> Run {
    let moved = moved(verb, source, destination, !args.no_referrers, &args.registry)?;
    match args.output {
        Report::Text => sink::text(&format!("{}\n", moved.pinned()))?,
        format => sink::object(format, &moved.value())?,
    }
    notes::summary(&summed_up(1, &moved.copied));
    Ok(Outcome::Done)
}

/// Moves one image for a verb.
pub fn moved(
    verb: &'static str,
    source: Place,
    destination: Place,
    referrers: bool,
    args: &RegistryArgs,
) -> std::result::Result<Moved, Failure> {
    let progress = Progress::start(verb);
    let moved = block_on(async {
        let stores = Stores::new(args, verb)?;
        let work = one(&stores, source, destination, referrers, &progress);
        Ok(unless_interrupted(work).await?)
    });
    progress.end();
    moved
}

async fn one(
    stores: &Stores,
    source: Place,
    mut destination: Place,
    referrers: bool,
    progress: &Progress,
) -> Result<Moved> {
    let from = stores.source(&source)?;
    let root = from.resolve(&source).await?;
    let name = match &mut destination {
        Place::Registry(reference) => {
            if let Some(wanted) = reference.digest.as_ref().filter(|digest| **digest != root.digest) {
                let message = format!("{source} is {}, and {wanted} is asked for", root.digest);
                return Err(
                    RegistryError::new(Kind::Local, message).help("leave the digest out of the destination")
                );
            }
            reference.tag_or_latest().map(str::to_owned)
        }
        Place::Layout(_, name) => {
            if name.is_none() {
                *name = usual_name(&source);
            }
            name.clone()
        }
    };
    let to = stores.sink(&destination)?;
    let copied = copy(&from, &to, &root, name.as_deref(), referrers, progress).await?;
    to.finish()?;
    Ok(Moved { source, destination, root, copied })
}

/// The name of an image in a layout that gives it none: its tag with its repository, so that two repositories with the same
/// tag are two images.
pub fn usual_name(source: &Place) -> Option<String> {
    match source {
        Place::Registry(reference) => {
            reference.tag_or_latest().map(|tag| format!("{}:{tag}", reference.name()))
        }
        Place::Layout(_, name) => name.clone().filter(|name| !name.starts_with("sha256:")),
    }
}

/// What came of images, in a line.
pub fn summed_up(images: usize, copied: &Copied) -> String {
    let Copied { manifests, referrers, sent, bytes, mounted, present } = copied;
    format!(
        "{}: {}, {} among them; {} sent ({bytes} bytes), {mounted} mounted, {present} there already",
        counted(images, "image"),
        counted(*manifests, "manifest"),
        counted(*referrers, "referrer"),
        counted(*sent, "blob"),
    )
}

/// A word that names an image in a registry.
pub fn registry_place(word: &str) -> std::result::Result<Place, Failure> {
    match Place::parse(word).map_err(Failure::Usage)? {
        place @ Place::Registry(_) => Ok(place),
        Place::Layout(path, _) => Err(Failure::Usage(format!(
            "{} is an OCI layout, and a reference to a registry is wanted: HOST/REPOSITORY:TAG; 'copy' moves images between layouts",
            path.display()
        ))),
    }
}
