//! `pull`: an image of a registry into an OCI layout.

use clap::Args as ClapArgs;

use super::transfer::{self, TransferArgs, registry_place};
use crate::exit::Run;
use crate::registry::place::Place;

/// Pull a skill image from a registry into an OCI layout
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Into a folder, with its signatures; a second image comes next to the first
  kubectl skills pull quay.io/acme/skills/pdf:1.0.0 ./out
  kubectl skills pull quay.io/acme/skills/csv:2.1.0 ./out

  # Into a tar of its own, which is written anew
  kubectl skills pull quay.io/acme/skills/pdf:1.0.0 pdf.tar

Exit codes: 0 done; 2 usage; 3 bad input; 4 the registry refused or failed, and the layout's index is as it was")]
pub struct Args {
    /// What: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Folder or tar, and the name that the image gets in it [default: the reference]: PATH[:NAME]
    #[arg(value_name = "LAYOUT")]
    layout: String,
    #[command(flatten)]
    transfer: TransferArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let layout = args.layout.strip_prefix("oci:").unwrap_or(&args.layout);
    transfer::run("pull", registry_place(&args.reference)?, Place::layout(layout), &args.transfer)
}
