//! The entry of an image that was looked into.

use super::{Contained, Entry, Facts};
use crate::skill::inspect::{Image, Inspected, Skill};
use crate::skill::oci::Digest;

/// The annotations of a manifest that say what SKILL.md and card do not.
const VERSION: &str = "org.opencontainers.image.version";
const LICENSES: &str = "org.opencontainers.image.licenses";

/// What is known of an image; none of a folder. `image` is how manifests name it.
pub fn entry(image: &str, found: &Inspected) -> Option<Entry> {
    let of = found.image.as_ref()?;
    let only = match found.skills.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let annotation = |key: &str| of.annotations.get(key).filter(|text| !text.is_empty()).cloned();
    // What the image says is no word about skills of which one says something else, nor about files that are no skill.
    let is_skill = !found.skills.is_empty();
    let of_image = is_skill && found.skills.iter().all(|skill| skill.description.license.is_none());
    let is_root = only.is_some_and(|skill| skill.folder.is_empty());
    let facts = Facts {
        name: only.and_then(|skill| skill.description.name.clone()),
        version: only.and_then(|skill| skill.description.version.clone()).or_else(|| annotation(VERSION)),
        description: only.and_then(|skill| skill.description.description.clone()),
        license: license(&found.skills).or_else(|| of_image.then(|| annotation(LICENSES)).flatten()),
        allowed_tools: if is_skill { allowed_tools(&found.skills) } else { None },
        files: Some(found.files.len() as u64),
        bytes: Some(found.bytes),
        tokens: is_skill.then(|| found.skills.iter().map(|skill| skill.description.tokens as u64).sum()),
        description_tokens: is_skill.then_some(found.listing.tokens as u64),
        platforms: platforms(of),
        different: of.different.iter().map(|one| one.platform.clone()).collect(),
        skills: if is_root { Vec::new() } else { found.skills.iter().filter_map(contained).collect() },
    };
    let content = Digest::parse(&found.content_identity).ok();
    // What one platform has is no fact of the others.
    let (content, facts) = match facts.different.as_slice() {
        [] => (content, facts),
        _ => (None, of_all_platforms(facts)),
    };
    Some(Entry { content, facts, ..Entry::new(image, Digest::parse(&of.digest).ok()?) })
}

/// What is left where platforms have other files.
fn of_all_platforms(facts: Facts) -> Facts {
    let Facts { name, version, description, platforms, different, .. } = facts;
    Facts { name, version, description, platforms, different, ..Facts::default() }
}

/// The tools of all skills; none if those of one cannot be said.
fn allowed_tools(skills: &[Skill]) -> Option<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    for skill in skills {
        for tool in skill.description.allowed_tools.as_ref()? {
            if !out.contains(tool) {
                out.push(tool.clone());
            }
        }
    }
    Some(out)
}

/// The licences of all skills as one SPDX expression; none if one of them says none.
fn license(skills: &[Skill]) -> Option<String> {
    let all: Option<Vec<&str>> = skills.iter().map(|skill| skill.description.license.as_deref()).collect();
    let mut all = all?;
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => None,
        [only] => Some((*only).to_owned()),
        _ => Some(all.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" AND ")),
    }
}

fn platforms(image: &Image) -> Vec<String> {
    let mut all = image.platforms.clone();
    if all.is_empty() {
        all.extend(image.platform.clone());
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn contained(skill: &Skill) -> Option<Contained> {
    let content = Digest::parse(&skill.content_identity).ok()?;
    Some(Contained { folder: skill.folder.clone(), name: skill.description.name.clone(), content })
}

#[cfg(test)]
mod tests {
    use super::super::Unknown;
    use super::*;
    use crate::skill::describe::Description;
    use crate::skill::inspect::{Budget, Different};

    fn skill(folder: &str, license: Option<&str>, tools: &[&str]) -> Skill {
        let description = Description {
            name: Some("pdf".into()),
            license: license.map(str::to_owned),
            allowed_tools: Some(tools.iter().map(|tool| (*tool).to_owned()).collect()),
            tokens: 10,
            ..Description::default()
        };
        Skill {
            folder: folder.into(),
            description,
            files: 1,
            executables: 0,
            bytes: 5,
            content_identity: Digest::of(folder.as_bytes()).to_string(),
        }
    }

    fn found(skills: Vec<Skill>) -> Inspected {
        let digest = Digest::of(b"image").to_string();
        Inspected {
            reference: "r".into(),
            image: Some(Image {
                digest: digest.clone(),
                manifest: digest,
                platform: Some("linux/amd64".into()),
                platforms: Vec::new(),
                different: Vec::new(),
                format: "image",
                runtimes: Vec::new(),
                how: "",
                config_media_type: String::new(),
                artifact_type: None,
                annotations: [(VERSION.to_owned(), "1.2.0".to_owned())].into(),
                layers: Vec::new(),
            }),
            skills,
            listing: Budget { characters: 9, tokens: 4 },
            content_identity: Digest::of(b"all").to_string(),
            bytes: 5,
            files: Vec::new(),
        }
    }

    #[test]
    fn an_image_of_one_skill_is_that_skill() {
        let entry = entry("a:1", &found(vec![skill("", Some("MIT"), &["Read", "Bash", "Read"])]));
        let wanted = Entry {
            content: Some(Digest::of(b"all")),
            facts: Facts {
                name: Some("pdf".into()),
                version: Some("1.2.0".into()),
                license: Some("MIT".into()),
                allowed_tools: Some(vec!["Read".into(), "Bash".into()]),
                files: Some(0),
                bytes: Some(5),
                tokens: Some(10),
                description_tokens: Some(4),
                platforms: vec!["linux/amd64".into()],
                ..Facts::default()
            },
            ..Entry::new("a:1", Digest::of(b"image"))
        };
        assert_eq!(entry, Some(wanted));
    }

    /// A policy that asks for the licence of an image with several skills must not be answered by the first of them.
    #[test]
    fn an_image_of_several_skills_is_all_of_them() {
        let both = vec![skill("a", Some("MIT OR X"), &["Read"]), skill("b", Some("Apache-2.0"), &["Bash"])];
        let entry_of_both = entry("a:1", &found(both)).expect("an entry");
        let facts = entry_of_both.facts;
        assert_eq!((facts.name, facts.tokens), (None, Some(20)));
        assert_eq!(facts.license.as_deref(), Some("(Apache-2.0) AND (MIT OR X)"));
        assert_eq!(facts.allowed_tools, Some(vec!["Read".into(), "Bash".into()]));
        assert_eq!(facts.skills.iter().map(|one| one.folder.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let one = entry("a:1", &found(vec![skill("a", Some("MIT"), &[]), skill("b", None, &[])]));
        assert_eq!(one.and_then(|one| one.facts.license), None);
        let mut unclear = skill("b", Some("MIT"), &[]);
        unclear.description.allowed_tools = None;
        let both = entry("a:1", &found(vec![skill("a", Some("MIT"), &["Read"]), unclear]));
        assert_eq!(both.and_then(|one| one.facts.allowed_tools), None, "not those of the first alone");
    }

    /// Files without a SKILL.md may be anything: no tools, no tokens and the licence of an annotation would be the facts of a skill.
    #[test]
    fn an_image_without_a_skill_has_no_facts_of_one() {
        let mut none = found(Vec::new());
        none.image.as_mut().expect("an image").annotations.insert(LICENSES.to_owned(), "MIT".to_owned());
        let entry = entry("a:1", &none).expect("an entry");
        assert_eq!(entry.is_known(), Err(Unknown::NoSkill));
        let wanted = Facts {
            version: Some("1.2.0".into()),
            files: Some(0),
            bytes: Some(5),
            platforms: vec!["linux/amd64".into()],
            ..Facts::default()
        };
        assert_eq!(entry.facts, wanted);
    }

    /// Nodes of another platform mount what nobody looked into.
    #[test]
    fn what_holds_for_one_platform_is_no_fact() {
        let mut two = found(vec![skill("", Some("MIT"), &["Read"])]);
        let image = two.image.as_mut().expect("an image");
        image.platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
        image.different =
            vec![Different { platform: "linux/arm64".into(), content_identity: None, error: None }];
        let entry = entry("a:1", &two).expect("an entry");
        let platform = ["linux/arm64".to_owned()];
        assert_eq!(entry.is_known(), Err(Unknown::Different(&platform)));
        let wanted = Facts {
            name: Some("pdf".into()),
            version: Some("1.2.0".into()),
            platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
            different: platform.to_vec(),
            ..Facts::default()
        };
        assert_eq!((entry.content, entry.facts), (None, wanted));
    }
}
