//! The digest of all skills that an agent has: what it is given and where out of a list and a lock in. Two agents with one
//! digest are instructed alike, however their images are called or packed.

use sha2::{Digest as _, Sha256};

use super::Lock;
use crate::skill::oci::Digest;

/// First line of what is hashed, so that it is the digest of nothing else.
const HEAD: &str = "skill set v1\n";

/// A skill of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'m> {
    /// Its name in the list.
    pub name: &'m str,
    /// Where it is mounted.
    pub mount_path: &'m str,
    /// What is there: [`super::Entry::content_of`].
    pub content: &'m Digest,
}

/// The SHA-256 of a line for each skill, sorted: a JSON list of its name, its mount path and its content.
pub fn skill_set_digest(members: &[Member<'_>]) -> Digest {
    let line = |one: &Member<'_>| {
        serde_json::json!([one.name, one.mount_path, one.content.as_str()]).to_string() + "\n"
    };
    let mut lines: Vec<String> = members.iter().map(line).collect();
    lines.sort_unstable();
    let mut hash = Sha256::new_with_prefix(HEAD);
    for line in lines {
        hash.update(line);
    }
    Digest::finish(hash)
}

/// The same of skills as name, image, mount path and folder of the image; none if the lock does not have all of them.
pub fn of_skills<'s>(
    lock: &Lock,
    skills: impl IntoIterator<Item = (&'s str, &'s str, &'s str, &'s str)>,
) -> Option<Digest> {
    let member = |(name, image, mount_path, sub_path)| {
        Some(Member { name, mount_path, content: lock.find(image)?.content_of(sub_path) })
    };
    Some(skill_set_digest(&skills.into_iter().map(member).collect::<Option<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::{Contained, Entry};

    /// Order of the list, tag and packing are no difference to an agent; a path, a name and a byte of content are.
    #[test]
    fn a_set_is_what_an_agent_sees() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let entry = |image: &str, content: &str| Entry {
            content: Some(digest(content)),
            ..Entry::new(image, digest(image))
        };
        let mut both = entry("acme/both:1", "all");
        both.facts.skills =
            vec![Contained { folder: "skills/pdf".into(), name: Some("pdf".into()), content: digest("pdf") }];
        let lock = Lock::new(vec![entry("acme/pdf:1", "pdf"), entry("acme/csv:1", "csv"), both]);
        let of = |skills: &[(&str, &str, &str, &str)]| of_skills(&lock, skills.iter().copied());
        let pdf = ("pdf", "acme/pdf:1", "/s/pdf", "");
        let csv = ("csv", "acme/csv:1", "/s/csv", "");
        let one = of(&[pdf, csv]).expect("a digest");
        assert_eq!(of(&[csv, pdf]), Some(one.clone()));
        assert_eq!(of(&[("pdf", "acme/both:1", "/s/pdf", "skills/pdf/"), csv]), Some(one.clone()));
        for other in [
            vec![pdf],
            vec![("pdf", "acme/both:1", "/s/pdf", ""), csv],
            vec![("pdf", "acme/pdf:1", "/s/pdfs", ""), csv],
            vec![("pdfs", "acme/pdf:1", "/s/pdf", ""), csv],
        ] {
            assert!(of(&other).is_some_and(|other| other != one), "{other:?}");
        }
        assert_eq!(of(&[("x", "acme/x:1", "/s/x", "")]), None);
        assert_eq!(one.as_str(), "sha256:8eb9e761946c20830e3c8fd72425a5ef6608cc0f121865fa7a053558527938c7");
    }
}
