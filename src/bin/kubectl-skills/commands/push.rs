//! `push`: an image of an OCI layout into a registry.

use clap::Args as ClapArgs;

use super::transfer::{self, TransferArgs, registry_place};
use crate::exit::Run;
use crate::registry::place::Place;

/// Push a skill image from an OCI layout to a registry
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # The only image of a layout, under a tag
  kubectl skills push ./out quay.io/acme/skills/pdf:1.0.0

  # One of several, and what to write into a manifest
  kubectl skills push out.tar:1.0.0 quay.io/acme/skills/pdf:1.0.0 -o json | jq -r .pinned

Exit codes: 0 done; 2 usage; 3 bad input; 4 the registry refused or failed, and the tag is as it was")]
pub struct Args {
    /// Folder or tar, with the image's name or digest where there are several: PATH[:NAME|@DIGEST]
    #[arg(value_name = "LAYOUT")]
    layout: String,
    /// Where to: HOST/REPOSITORY:TAG
    #[arg(value_name = "REFERENCE")]
    reference: String,
    #[command(flatten)]
    transfer: TransferArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let layout = args.layout.strip_prefix("oci:").unwrap_or(&args.layout);
    transfer::run("push", Place::layout(layout), registry_place(&args.reference)?, &args.transfer)
}
