//! Whether an entry that is to be written keeps the signers that a lock has: of the same image and, for one that is new to the lock, of
//! its repository. Each way into a lock asks it.

use kubectl_skills::skill::lock::{Entry, Lock};
use kubectl_skills::skill::policy::judge::shown;

use super::Args;
use super::signers::Signers;
use crate::exit::Failure;
use crate::notes;

/// Refuses an entry that has lost all signers, unless that is meant.
///
/// # Errors
/// Whose signatures are missing, and how to go on.
pub fn keep(args: &Args, before: &Lock, entry: &Entry) -> Result<(), Failure> {
    let lost = before.lost_signers(entry);
    if lost.is_empty() {
        return Ok(());
    }
    let who = lost.iter().map(shown).collect::<Vec<_>>().join("; ");
    let of = match before.find(&entry.image) {
        Some(_) => "nobody who signed it before has signed",
        None => "nobody who signed the other images of its repository has signed",
    };
    let message = format!("{}: {of} {} ({who})", entry.image, entry.digest);
    if args.allow_signer_change {
        notes::warning(&format!("{message}; --allow-signer-change"));
        return Ok(());
    }
    let help = if Signers::given(args) {
        "find out who changed it; if it is meant, give --allow-signer-change"
    } else {
        "say whose signature counts: --key, or --certificate-identity with --certificate-oidc-issuer; if it is meant, give \
         --allow-signer-change"
    };
    Err(Failure::input(message, help))
}
