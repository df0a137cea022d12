//! The platforms of two indexes: which image of the one takes the place of which of the other, and how their files differ. A change that
//! is only in one that nobody asks about is one all the same: the nodes of that platform mount it.

use std::collections::BTreeSet;

use super::{ContentChange, trees};
use crate::skill::content::Content;
use crate::skill::inspect::{self, Chosen, DEFAULT_PLATFORM};
use crate::skill::limits::Limits;
use crate::skill::oci::{Descriptor, Digest, Manifest, Platform};
use crate::skill::{InputError, refused};

/// Most platforms with another manifest that are compared.
const MOST: usize = 64;
/// Most of them whose files are read.
const MOST_CONTENTS: usize = 8;

/// An image and the one in whose place it comes.
pub(super) struct Pair {
    /// Its platform; none for the one that was asked about.
    platform: Option<String>,
    pub(super) before: Chosen,
    pub(super) after: Chosen,
}

/// The images of the platform that was asked about, then all others that are not the same image. A platform that is new comes in the
/// place of what was there for the one that was asked about.
pub(super) fn pairs(
    content: &mut dyn Content,
    before: Chosen,
    after: Chosen,
) -> Result<Vec<Pair>, InputError> {
    let name = |leaf: &Descriptor| leaf.platform.as_ref().map(Platform::to_string);
    let mut others: Vec<(&Descriptor, &Descriptor)> = Vec::new();
    for leaf in &after.others {
        let mut there = before.others.iter().chain([&before.descriptor]);
        let own = there.find(|own| name(own).is_some() && name(own) == name(leaf));
        let own = own.unwrap_or(&before.descriptor);
        if own.digest != leaf.digest {
            others.push((own, leaf));
        }
    }
    if others.len() > MOST {
        return Err(refused(
            format!("{} platforms have other images; at most {MOST} are compared", others.len()),
            "name a manifest by its digest",
        ));
    }
    let mut out = Vec::with_capacity(1 + others.len());
    for (own, leaf) in others {
        let platform = Some(name(leaf).unwrap_or_else(|| leaf.digest.to_string()));
        let mut choose = |root| inspect::choose(content, root, None, DEFAULT_PLATFORM);
        let (own, leaf) = (choose(own)?, choose(leaf)?);
        out.push(Pair { platform, before: own, after: leaf });
    }
    out.insert(0, Pair { platform: None, before, after });
    Ok(out)
}

/// How their files differ: those of the platform that was asked about or, if these are the same, of the first that has others.
pub(super) fn between(
    content: &mut dyn Content,
    pairs: Vec<Pair>,
    limits: &Limits,
) -> Result<Option<ContentChange>, InputError> {
    let layers = |manifest: &Manifest| -> Vec<Digest> {
        manifest.layers.iter().map(|layer| layer.digest.clone()).collect()
    };
    let (mut out, mut seen): (Option<ContentChange>, _) = (None, BTreeSet::new());
    let mut not_read = Vec::new();
    for Pair { platform, before, after } in pairs {
        // Platforms of one skill have the same layers, as a rule.
        if !seen.insert((layers(&before.manifest), layers(&after.manifest))) {
            continue;
        }
        if seen.len() > MOST_CONTENTS {
            not_read.extend(platform);
            continue;
        }
        let before = inspect::unpack(content, before, limits)?.tree;
        let Some(change) = trees(&before, &inspect::unpack(content, after, limits)?.tree) else { continue };
        match &mut out {
            None => out = Some(ContentChange { platform, ..change }),
            Some(first) if (&first.before, &first.after) == (&change.before, &change.after) => {}
            Some(first) => first.otherwise.extend(platform),
        }
    }
    if not_read.is_empty() {
        return Ok(out);
    }
    let mut out = out.unwrap_or_default();
    out.otherwise.extend(not_read);
    Ok(Some(out))
}
