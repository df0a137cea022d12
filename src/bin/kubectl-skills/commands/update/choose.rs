//! Which images an update is about, and which version each is to get: the words of the command line in.

use std::collections::BTreeMap;

use super::super::images_in_use::InUse;
use crate::exit::Failure;
use crate::registry::reference::Reference;

/// What a word asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    /// An image, a repository or the name of a skill.
    what: String,
    /// The version that it is to get; `None` for the newest one.
    version: Option<String>,
}

/// The images that the words are about, by their index, with the version that each is to get; without words, all.
pub fn choose(words: &[String], images: &[InUse]) -> Result<BTreeMap<usize, Option<String>>, Failure> {
    if words.is_empty() {
        return Ok((0..images.len()).map(|at| (at, None)).collect());
    }
    let mut out: BTreeMap<usize, Option<String>> = BTreeMap::new();
    for word in words {
        let ask = read(word)?;
        let found: Vec<usize> =
            images.iter().enumerate().filter(|(_, used)| is(used, &ask.what)).map(|(at, _)| at).collect();
        if found.is_empty() {
            let mut names: Vec<&str> = images.iter().map(|used| used.image.as_str()).collect();
            names.sort_unstable();
            let known = if names.is_empty() {
                "there are none; an overlay does not say which of its images are skills: name its base as well, -f BASE -f OVERLAY"
                    .to_owned()
            } else {
                format!("there are {}", names.join(", "))
            };
            return Err(Failure::Usage(format!(
                "{}: no image, repository or skill of that name; {known}",
                ask.what
            )));
        }
        for at in found {
            match out.insert(at, ask.version.clone()) {
                Some(other) if other != ask.version => {
                    return Err(Failure::Usage(format!(
                        "{} is named twice, with two versions",
                        images[at].image
                    )));
                }
                _ => {}
            }
        }
    }
    Ok(out)
}

fn read(word: &str) -> Result<Ask, Failure> {
    match word.split_once('=') {
        Some((what, version)) if what.is_empty() || !is_tag(version) => {
            Err(Failure::Usage(format!("{word}: write IMAGE=VERSION, or NAME=VERSION for a skill")))
        }
        Some((what, version)) => Ok(Ask { what: what.to_owned(), version: Some(version.to_owned()) }),
        None => Ok(Ask { what: word.to_owned(), version: None }),
    }
}

fn is_tag(text: &str) -> bool {
    crate::skill_files::tag(text).is_ok_and(|tag| tag == text)
}

/// Whether an image is meant: by its reference, by its repository, or by the name of its skill.
fn is(used: &InUse, what: &str) -> bool {
    if used.image == what || used.skills.contains(what) {
        return true;
    }
    let Ok(reference) = Reference::parse(what) else { return false };
    let is_bare = reference.tag.is_none() && reference.digest.is_none();
    if is_bare { reference.name() == used.reference.name() } else { reference == used.reference }
}

/// A reference with another tag, digest, or both, as it is written: what it has not, it does not get, but for a tag where there
/// is neither.
pub fn renamed(written: &str, tag: &str, digest: &str) -> String {
    let (name, pinned) = match written.split_once('@') {
        Some((name, _)) => (name, true),
        None => (written, false),
    };
    let after_host = name.rfind('/').map_or(0, |at| at + 1);
    let (name, tagged) = match name[after_host..].find(':') {
        Some(at) => (&name[..after_host + at], true),
        None => (name, false),
    };
    match (tagged, pinned) {
        (false, true) => format!("{name}@{digest}"),
        (true, true) => format!("{name}:{tag}@{digest}"),
        (_, false) => format!("{name}:{tag}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(image: &str, skill: &str) -> InUse {
        let mut used = InUse::new(image, Reference::parse(image).expect("a reference"));
        used.skills.insert(skill.to_owned());
        used
    }

    #[test]
    fn images_are_named_by_reference_repository_or_skill() {
        let images = [
            used("quay.io/acme/pdf:1.0.0", "pdf"),
            used("quay.io/acme/pdf:2.0.0", "reader"),
            used("csv:1.0.0", "csv"),
        ];
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            choose(&words, &images).map_err(|error| format!("{error:?}"))
        };
        let plain = |at: &[usize]| Ok(at.iter().map(|at| (*at, None)).collect());
        assert_eq!(of(&[]), plain(&[0, 1, 2]));
        assert_eq!(of(&["quay.io/acme/pdf"]), plain(&[0, 1]));
        assert_eq!(of(&["quay.io/acme/pdf:2.0.0"]), plain(&[1]));
        assert_eq!(of(&["docker.io/library/csv:1.0.0"]), plain(&[2]));
        assert_eq!(of(&["reader=2.1.0"]), Ok(BTreeMap::from([(1, Some("2.1.0".to_owned()))])));
        // An overlay without its base has images of no skill.
        let alone = format!("{:?}", choose(&["pdf=1.0.0".to_owned()], &[]));
        assert!(alone.contains("name its base as well, -f BASE -f OVERLAY"), "{alone}");
        for wrong in [&["xml"][..], &["pdf="], &["=1"], &["pdf=a b"], &["pdf=1.0.0", "pdf=2.0.0"]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_reference_keeps_what_it_is_made_of() {
        let (one, other) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
        for (written, wanted) in [
            ("quay.io/a/b:1.0.0".to_owned(), "quay.io/a/b:2.0.0".to_owned()),
            ("localhost:5000/b".to_owned(), "localhost:5000/b:2.0.0".to_owned()),
            ("b:1".to_owned(), "b:2.0.0".to_owned()),
            (format!("localhost:5000/b@{one}"), format!("localhost:5000/b@{other}")),
            (format!("localhost:5000/b:1@{one}"), format!("localhost:5000/b:2.0.0@{other}")),
        ] {
            assert_eq!(renamed(&written, "2.0.0", &other), wanted);
        }
    }
}
