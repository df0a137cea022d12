//! Parts of image references where a whole one is wanted: a version alone is a name of Docker Hub to who reads references, and a
//! slip of the one who wrote it.

use kubectl_skills::api::image_reference::{name_of, parts};

use crate::exit::Failure;

/// Whether an image is meant by a text: a reference, or a part of one for which the list has the rest.
pub(super) fn is_meant(text: &str) -> bool {
    match tail(text) {
        Some(tail) => parts(&format!("name{tail}")).is_some(),
        None => parts(text).is_some(),
    }
}

/// Refuses a part: `:1.2.0`, `1.2.0`, `latest`, a digest. An image without a slash is one of Docker Hub's, and has a tag or a digest,
/// such as `busybox:1`. `now`: the image that the skill has.
pub(super) fn whole(text: &str, skill: &str, now: Option<&str>) -> Result<(), Failure> {
    let Some(tail) = tail(text) else { return Ok(()) };
    let completed = now.and_then(|now| {
        parts(now)?;
        Some(format!("{}{tail}", name_of(now))).filter(|image| parts(image).is_some())
    });
    let mend = completed
        .map_or("; write HOST/REPOSITORY:TAG".to_owned(), |image| format!("; did you mean {image}?"));
    // A word may be a name.
    let hub = if is_word(text) {
        format!(" (one of Docker Hub is written with its tag: {text}:latest)")
    } else {
        String::new()
    };
    Err(Failure::Usage(format!("{skill}={text}: {text} is no image{mend}{hub}")))
}

/// What a part comes after, where the text is one: `:1.2.0`, `@sha256:...`.
fn tail(text: &str) -> Option<String> {
    if text.contains('/') {
        return None;
    }
    if text.starts_with([':', '@']) {
        return Some(text.to_owned());
    }
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(format!("@sha256:{text}"));
    }
    let is_algorithm = |name: &str| matches!(name, "sha256" | "sha384" | "sha512");
    match (text.split_once(':'), text.split_once('@')) {
        (Some((name, _)), None) => is_algorithm(name).then(|| format!("@{text}")),
        // A digest has a colon too.
        (_, Some((name, _))) => is_version(name).then(|| format!(":{text}")),
        (None, None) => Some(format!(":{text}")),
    }
}

/// Whether a text is what tags are, and names are not: `1.2.0`, `v2`, `latest`.
fn is_version(text: &str) -> bool {
    text == "latest" || text.strip_prefix('v').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a text may be a name as well as a tag.
fn is_word(text: &str) -> bool {
    !text.contains([':', '@']) && text.len() != 64 && !is_version(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    /// Written into a list, `1.2.0` is docker.io/library/1.2.0:latest, which no node finds.
    #[test]
    fn a_part_of_a_reference_is_refused_with_the_whole_one() {
        let of = |text: &str| match whole(text, "pdf", Some(&format!("quay.io/acme/pdf:1.0.0@{DIGEST}"))) {
            Err(Failure::Usage(said)) => {
                said.split_once("did you mean ").map_or(said.clone(), |(_, mend)| mend.to_owned())
            }
            other => format!("{other:?}"),
        };
        for (text, wanted) in [
            ("1.2.0", "quay.io/acme/pdf:1.2.0?".to_owned()),
            (":1.2.0", "quay.io/acme/pdf:1.2.0?".to_owned()),
            ("v1.2", "quay.io/acme/pdf:v1.2?".to_owned()),
            ("latest", "quay.io/acme/pdf:latest?".to_owned()),
            ("2", "quay.io/acme/pdf:2?".to_owned()),
            (
                "stable",
                "quay.io/acme/pdf:stable? (one of Docker Hub is written with its tag: stable:latest)"
                    .to_owned(),
            ),
            (DIGEST, format!("quay.io/acme/pdf@{DIGEST}?")),
            (&DIGEST[7..], format!("quay.io/acme/pdf@{DIGEST}?")),
            (&format!("@{DIGEST}"), format!("quay.io/acme/pdf@{DIGEST}?")),
            (&format!("1.2.0@{DIGEST}"), format!("quay.io/acme/pdf:1.2.0@{DIGEST}?")),
            (&format!(":1.2.0@{DIGEST}"), format!("quay.io/acme/pdf:1.2.0@{DIGEST}?")),
        ] {
            assert!(is_meant(text), "{text}");
            assert_eq!(of(text), wanted, "{text}");
        }
        let git = "app:0123456789abcdef0123456789abcdef01234567";
        for text in [
            "busybox:1",
            "acme/pdf",
            "quay.io/acme/pdf",
            "localhost:5000/pdf",
            git,
            &format!("busybox@{DIGEST}"),
        ] {
            assert!(is_meant(text) && whole(text, "pdf", Some("quay.io/acme/pdf:1")).is_ok(), "{text}");
        }
        for text in [":", "@", "", "a b", ":1:2", "sha256:12", "@sha256:12", "Not:a:reference", "x/a:1:2"] {
            assert!(!is_meant(text), "{text}");
        }
        // A skill that is added has none yet.
        assert!(
            matches!(whole("1.2.0", "pdf", None), Err(Failure::Usage(said)) if said.ends_with("write HOST/REPOSITORY:TAG"))
        );
    }
}
