//! `lock --import` and `--export`: lock files of other tools.

use std::path::Path;

use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::lock::{self, Entry, Lock, peers};

use super::{Args, Fate, File, continuity, print};
use crate::exit::{Failure, Outcome, Run};
use crate::source::{read_stdin, read_text};
use crate::{notes, sink};

/// Takes a file of another tool into the lock.
pub fn import(args: &Args, from: &Path) -> Run {
    let name = from.display().to_string();
    let text = if name == "-" { read_stdin()? } else { read_text(from)? };
    let imported = peers::import(&text, &name)?;
    imported.warnings.iter().for_each(|warning| notes::warning(warning));
    let file = File::read(&args.lock_file)?;
    let mut entries: Vec<(Entry, Fate)> =
        file.lock.entries().iter().map(|entry| (entry.clone(), Fate::Kept)).collect();
    for entry in imported.entries {
        let Some(own) = file.lock.find(&entry.image) else {
            continuity::keep(args, &file.lock, &entry)?;
            entries.push((entry, Fate::New));
            continue;
        };
        let Some(place) = entries.iter_mut().find(|(one, _)| one.image == own.image) else { continue };
        *place = if own.digest == entry.digest {
            (own.clone(), Fate::Same)
        } else if args.update {
            continuity::keep(args, &file.lock, &entry)?;
            notes::note(&format!("{}: {} instead of {}", own.image, entry.digest, own.digest));
            (Entry { image: own.image.clone(), ..entry }, Fate::Updated)
        } else {
            notes::warning(&format!(
                "{}: {name} has {}; the lock keeps {} (--update takes it over)",
                own.image, entry.digest, own.digest
            ));
            (own.clone(), Fate::Moved)
        };
    }
    entries.sort_by(|(a, _), (b, _)| a.image.cmp(&b.image));
    let all: Vec<Entry> = entries.iter().map(|(entry, _)| entry.clone()).collect();
    let text = file.text.as_deref().unwrap_or_default();
    let after = lock::edit_with(text, &file.name, &all, Some((imported.peer.name(), &imported.raw)))?;
    file.replace(&after)?;
    let fates: Vec<(String, Fate)> =
        entries.iter().map(|(entry, fate)| (entry.image.clone(), *fate)).collect();
    print(args, &entries, &fates, &[])?;
    let bare = all.iter().filter(|entry| entry.facts.files.is_none()).count();
    notes::summary(&format!(
        "{}: {}{}",
        file.name,
        counted(all.len(), "image"),
        if bare > 0 { "; 'kubectl skills lock -f' on manifests looks into those that are new" } else { "" }
    ));
    Ok(Outcome::Done)
}

/// Prints the lock as that of another tool.
pub fn export(args: &Args, peer: peers::Peer) -> Run {
    let file = File::read(&args.lock_file)?;
    if file.text.is_none() {
        return Err(Failure::input(
            format!("{}: there is no such file", file.name),
            "run 'kubectl skills lock -f' on the manifests, which writes it",
        ));
    }
    let lock: &Lock = &file.lock;
    let exported = peers::export(peer, lock);
    exported.warnings.iter().for_each(|warning| notes::warning(warning));
    sink::text(&exported.text)?;
    notes::summary(&format!("{} as {}", counted(lock.entries().len(), "image"), peer.file()));
    Ok(Outcome::Done)
}
