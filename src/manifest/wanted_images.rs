//! The images that a lock of manifests has to have: references out of a stream in, each image once out. What they are is left to
//! the binary, what is known of them to `skill::lock`.

use std::collections::{HashMap, HashSet};

use crate::api::error::InputError;
use crate::api::image_reference::{key, parts};
use crate::api::names::{AGENT_RUNTIME, SKILL_BINDING};
use crate::manifest::skill_images::SkillImage;

/// An image that manifests ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    /// As it is first written, without the digest where there is a tag.
    pub image: String,
    /// The digest that a manifest has written after the tag.
    pub digest: Option<String>,
    /// Everything that names it, in the order of the input.
    pub named_by: Vec<SkillImage>,
}

impl WantedImage {
    /// The reference by which a registry is asked: the digest decides where there is one.
    pub fn to_resolve(&self) -> String {
        match &self.digest {
            Some(digest) if !self.image.contains('@') => format!("{}@{digest}", self.image),
            _ => self.image.clone(),
        }
    }
}

/// Each image once. A volume of a workload whose reference has a digest is what was rendered, where an AgentRuntime or a
/// SkillBinding names the same repository.
///
/// # Errors
/// What is no reference; one tag with two digests.
pub fn wanted(found: Vec<SkillImage>) -> Result<Vec<WantedImage>, Vec<InputError>> {
    let repository = |image: &str| {
        parts(image).map(|parts| {
            let (registry, repository) = parts.location();
            format!("{registry}/{repository}")
        })
    };
    let leads = |one: &SkillImage| [AGENT_RUNTIME, SKILL_BINDING].contains(&one.object.kind.as_str());
    let led: HashSet<String> =
        found.iter().filter(|one| leads(one)).filter_map(|one| repository(&one.image)).collect();
    let (mut out, mut errors): (Vec<WantedImage>, Vec<InputError>) = (Vec::new(), Vec::new());
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for one in found {
        let refuse =
            |message: String, help: &str| InputError { message, help: help.to_owned(), ..one.place.clone() };
        let (Some(parts), Some(key)) = (parts(&one.image), key(&one.image)) else {
            errors
                .push(refuse(format!("{:?} is no image reference", one.image), "write HOST/REPOSITORY:TAG"));
            continue;
        };
        if parts.digest.is_some()
            && !leads(&one)
            && repository(&one.image).is_some_and(|name| led.contains(&name))
        {
            continue;
        }
        let digest = parts.digest.map(str::to_owned);
        let image = match (parts.tag, one.image.split_once('@')) {
            (Some(_), Some((image, _))) => image.to_owned(),
            _ => one.image.clone(),
        };
        let index = *by_key.entry(key).or_insert_with(|| {
            out.push(WantedImage { image, digest: None, named_by: Vec::new() });
            out.len() - 1
        });
        let wanted = &mut out[index];
        match (&wanted.digest, digest) {
            (Some(own), Some(other)) if *own != other => {
                let first = wanted.named_by.iter().find(|one| one.image.contains('@'));
                let place = first.map(|first| first.place.origin.to_string()).unwrap_or_default();
                errors.push(refuse(
                    format!("{} has another digest at {place}: {own}", wanted.image),
                    "write one digest after one tag",
                ));
            }
            (None, Some(other)) => wanted.digest = Some(other),
            _ => {}
        }
        wanted.named_by.push(one);
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::ObjectRef;

    const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

    fn named(kind: &str, image: &str) -> SkillImage {
        SkillImage {
            object: ObjectRef {
                api_version: String::new(),
                kind: kind.into(),
                namespace: String::new(),
                name: "weather".into(),
            },
            field: "f".into(),
            image: image.into(),
            skill: "pdf".into(),
            place: InputError::default(),
        }
    }

    fn asked(found: &[(&str, &str)]) -> Vec<(String, Option<String>, usize)> {
        let all = wanted(found.iter().map(|(kind, image)| named(kind, image)).collect());
        all.expect("references")
            .into_iter()
            .map(|one| (one.to_resolve(), one.digest, one.named_by.len()))
            .collect()
    }

    /// What a render has pinned must not stand against a newer lock; what a person has pinned must.
    #[test]
    fn each_image_is_asked_for_once() {
        let pinned = format!("acme/pdf:1@{ONE}");
        assert_eq!(
            asked(&[
                ("AgentRuntime", "acme/pdf:1"),
                ("SkillBinding", "docker.io/acme/pdf:1"),
                ("Deployment", &pinned),
                ("Deployment", "quay.io/acme/zip:1"),
                ("Deployment", &format!("quay.io/acme/tar:1@{TWO}")),
                ("AgentRuntime", &format!("acme/csv:1@{TWO}")),
                ("AgentRuntime", &format!("acme/csv@{ONE}")),
            ]),
            [
                ("acme/pdf:1".to_owned(), None, 2),
                ("quay.io/acme/zip:1".to_owned(), None, 1),
                (format!("quay.io/acme/tar:1@{TWO}"), Some(TWO.to_owned()), 1),
                (format!("acme/csv:1@{TWO}"), Some(TWO.to_owned()), 1),
                (format!("acme/csv@{ONE}"), Some(ONE.to_owned()), 1),
            ]
        );
        let both =
            wanted(vec![named("AgentRuntime", &pinned), named("AgentRuntime", &format!("acme/pdf:1@{TWO}"))]);
        assert!(both.is_err_and(|errors| errors[0].message.contains("another digest")));
        assert!(wanted(vec![named("AgentRuntime", "No reference")]).is_err());
    }
}
