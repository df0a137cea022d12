//! The image that a word of the command line names: in an OCI layout on this machine or, in a build with it, in a registry.

use clap::Args as ClapArgs;
use kubectl_skills::skill::content::Content;
use kubectl_skills::skill::oci::Descriptor;
#[cfg(feature = "registry")]
use kubectl_skills::skill::signature::trust::Trust;

use crate::exit::Failure;
#[cfg(feature = "registry")]
use crate::registry::{
    args::RegistryArgs,
    blocking::Blocking,
    place::Place,
    reference::Reference,
    signatures::{Checked, check_image},
    store::Stores,
};

/// How images are reached.
#[derive(Debug, ClapArgs)]
pub struct SourceArgs {
    #[cfg(feature = "registry")]
    #[command(flatten)]
    registry: RegistryArgs,
}

/// What an image is read through, and what names it there.
pub struct Opened {
    /// Its manifests and blobs.
    pub content: Box<dyn Content>,
    /// Its index or manifest.
    pub root: Descriptor,
}

/// Opens an image.
#[cfg(feature = "registry")]
pub fn open(word: &str, args: &SourceArgs, verb: &'static str) -> Result<Opened, Failure> {
    let place = Place::existing(word)?;
    let (content, root) = Blocking::open(&place, &args.registry, verb)?;
    Ok(Opened { content: Box::new(content), root })
}

/// Opens the image that a manifest names: in a registry, whatever is in the working directory.
#[cfg(feature = "registry")]
pub fn open_reference(image: &str, args: &SourceArgs, verb: &'static str) -> Result<Opened, Failure> {
    let reference = Reference::parse(image).map_err(|error| Failure::input(error, ""))?;
    let (content, root) = Blocking::open(&Place::Registry(reference), &args.registry, verb)?;
    Ok(Opened { content: Box::new(content), root })
}

/// Whether a registry answers that there is no such tag; any other answer says nothing.
#[cfg(feature = "registry")]
pub fn tag_is_gone(image: &str, args: &SourceArgs, verb: &'static str) -> bool {
    let Ok(reference) = Reference::parse(image) else { return false };
    let Some(tag) = reference.tag_or_latest().filter(|_| reference.digest.is_none()).map(str::to_owned)
    else {
        return false;
    };
    let asked = crate::net::block_on(async {
        let source = Stores::new(&args.registry, verb)?.source(&Place::Registry(reference))?;
        Ok(source.tag(&tag).await?)
    });
    matches!(asked, Ok(None))
}

/// A build without registries hears of no tag.
#[cfg(not(feature = "registry"))]
pub fn tag_is_gone(_: &str, _: &SourceArgs, _: &'static str) -> bool {
    false
}

/// What is kept in its registry about who signed the image that a manifest names.
#[cfg(feature = "registry")]
pub fn signatures(
    image: &str,
    args: &SourceArgs,
    trust: &Trust,
    verb: &'static str,
) -> Result<Checked, Failure> {
    let place = Place::Registry(Reference::parse(image).map_err(|error| Failure::input(error, ""))?);
    crate::net::block_on(async {
        let source = Stores::new(&args.registry, verb)?.source(&place)?;
        check_image(&source, &place, None, trust).await
    })
}

/// Opens the image that a manifest names.
#[cfg(not(feature = "registry"))]
pub fn open_reference(image: &str, args: &SourceArgs, verb: &'static str) -> Result<Opened, Failure> {
    open(image, args, verb)
}

/// Opens an image.
#[cfg(not(feature = "registry"))]
pub fn open(word: &str, _: &SourceArgs, _: &'static str) -> Result<Opened, Failure> {
    Err(Failure::input(
        format!("{word}: no folder"),
        "this build reads no OCI layouts and registries: install one that does: cargo install kubectl-skills",
    ))
}
