//! Digests for images: references and what they were when somebody looked in, the same references with their digests out.
//! Reading them of a file is left to `skill::lock`, what becomes of an image without one to the plan.

use std::collections::HashMap;

use super::image_reference::parts;

/// What images are pinned to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    file: String,
    /// By [`super::image_reference::key`]: of the tag, and of the digest alone, for anyone who names one needs no tag.
    digests: HashMap<String, String>,
    /// The same by references as they are written, without a digest: most are written so where they are asked for, too.
    written: HashMap<String, String>,
}

/// What becomes of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    /// It stays: it names the digest already, or is no reference at all.
    Same,
    /// It gets a digest.
    As(String),
    /// There is none for it.
    Missing,
    /// It has one, and another one is known.
    Differs(String),
}

impl Pins {
    /// References with their digests; `file` is where they stand. Of two for one image the first counts.
    pub fn new<'i>(file: impl Into<String>, images: impl IntoIterator<Item = (&'i str, &'i str)>) -> Self {
        let mut out = Self { file: file.into(), ..Self::default() };
        for (image, digest) in images {
            let Some(parts) = parts(image) else { continue };
            let (registry, repository) = parts.location();
            out.digests.entry(parts.key()).or_insert_with(|| digest.to_owned());
            let alone = [registry, "/", &repository, "@", digest].concat();
            out.digests.entry(alone).or_insert_with(|| digest.to_owned());
            if parts.digest.is_none() {
                out.written.entry(image.to_owned()).or_insert_with(|| digest.to_owned());
            }
        }
        out
    }

    /// Where they stand.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Pins a reference.
    pub fn pin(&self, image: &str) -> Pinned {
        if let Some(digest) = self.written.get(image) {
            return Pinned::As([image, "@", digest].concat());
        }
        let Some(parts) = parts(image) else { return Pinned::Same };
        match (self.digests.get(&parts.key()), parts.digest) {
            (Some(digest), Some(own)) if digest != own => Pinned::Differs(digest.clone()),
            (Some(_), Some(_)) => Pinned::Same,
            (Some(digest), None) => Pinned::As([image, "@", digest].concat()),
            (None, _) => Pinned::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_gets_the_digest_of_its_tag_and_no_other() {
        let [one, other] = ["1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let images = [("quay.io/acme/pdf:1", one.as_str()), ("acme/csv", &other), ("acme/csv:latest", &one)];
        let pins = Pins::new("skills.lock", images);
        for (image, wanted) in [
            ("quay.io/acme/pdf:1", Pinned::As(format!("quay.io/acme/pdf:1@{one}"))),
            (&format!("quay.io/acme/pdf:1@{one}"), Pinned::Same),
            (&format!("quay.io/acme/pdf:1@{other}"), Pinned::Differs(one.clone())),
            (&format!("quay.io/acme/pdf@{one}"), Pinned::Same),
            (&format!("quay.io/acme/pdf@{other}"), Pinned::Missing),
            ("quay.io/acme/pdf:2", Pinned::Missing),
            ("quay.io/acme/pdf", Pinned::Missing),
            ("docker.io/acme/csv", Pinned::As(format!("docker.io/acme/csv@{other}"))),
            ("No Reference", Pinned::Same),
        ] {
            assert_eq!(pins.pin(image), wanted, "{image}");
        }
    }
}
