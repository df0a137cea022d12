//! The decision to use images that nobody signed: who, when and why.

use std::process::Command;
use std::time::SystemTime;

use kubectl_skills::skill::lock::Unsigned;
use kubectl_skills::skill::pack;

use super::Args;
use crate::exit::Failure;

/// The decision of this run.
pub fn of(args: &Args) -> Result<Unsigned, Failure> {
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(Failure::Usage("--reason: say why the images may be used unsigned".into()));
    }
    let by = match &args.who {
        Some(who) => who.clone(),
        None => user().ok_or_else(|| {
            Failure::Usage("git knows no user.email: say who decides, with --as WHO".to_owned())
        })?,
    };
    Ok(Unsigned { by, at: now()?, reason: reason.to_owned() })
}

fn user() -> Option<String> {
    let output = Command::new("git").args(["config", "--get", "user.email"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// The time, or what SOURCE_DATE_EPOCH takes for it.
fn now() -> Result<String, Failure> {
    if let Some(epoch) = super::super::pack::source_date_epoch()? {
        return Ok(epoch);
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(pack::rfc3339(since.as_secs()))
}
