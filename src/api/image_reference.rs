//! Image references: text in, what its tag or digest is out. Whether a registry has the image is left to others.
//!
//! Source: `ParseNormalizedNamed` of `distribution/reference` 0.6.0, which the kubelet asks; a text that it refuses ends in
//! `InvalidImageName`.

use std::borrow::Cow;

/// Longest path of a name, without its registry, in bytes.
const LONGEST_PATH: usize = 255;

/// By what a reference names its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin<'t> {
    /// A digest, which never names another image.
    Digest,
    /// A tag, and whether a digest stands after it; `latest` where there is neither.
    Tag {
        /// The tag.
        tag: &'t str,
        /// Whether there is a digest too.
        digest: bool,
    },
}

impl Pin<'_> {
    /// Whether the reference is made to name another image from time to time: no tag, or `latest`.
    pub fn moves(self) -> bool {
        self == Self::Tag { tag: "latest", digest: false }
    }
}

/// The parts of a reference, as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'t> {
    /// The registry's host, and its port if it names one; none for Docker Hub, unless it is named.
    pub registry: Option<&'t str>,
    /// The repository in that registry; Docker Hub's `library/` is not added.
    pub repository: &'t str,
    /// The tag.
    pub tag: Option<&'t str>,
    /// The digest.
    pub digest: Option<&'t str>,
}

/// The registry that a reference without one names.
pub const DOCKER_HUB: &str = "docker.io";

impl Parts<'_> {
    /// Registry and repository as every client reads them: Docker Hub where none is named, and its `library/` written out.
    pub fn location(&self) -> (&str, Cow<'_, str>) {
        let registry = match self.registry {
            None | Some("index.docker.io" | "registry-1.docker.io") => DOCKER_HUB,
            Some(host) => host,
        };
        let repository = if registry == DOCKER_HUB && !self.repository.contains('/') {
            Cow::Owned(format!("library/{}", self.repository))
        } else {
            Cow::Borrowed(self.repository)
        };
        (registry, repository)
    }

    /// The same as [`key`].
    pub fn key(&self) -> String {
        let (registry, repository) = self.location();
        let (mark, name) = match (self.tag, self.digest) {
            (None, Some(digest)) => ("@", digest),
            (tag, _) => (":", tag.unwrap_or("latest")),
        };
        [registry, "/", &repository, mark, name].concat()
    }
}

/// What two references have in common that ask for one image: the tag where there is one, whatever digest stands after it, else
/// the digest, else `latest`. None for text that is no reference.
pub fn key(reference: &str) -> Option<String> {
    parts(reference).map(|parts| parts.key())
}

/// Reads a reference; none for text that is none.
pub fn parse(reference: &str) -> Option<Pin<'_>> {
    parts(reference).map(|parts| match (parts.tag, parts.digest) {
        (None, Some(_)) => Pin::Digest,
        (tag, digest) => Pin::Tag { tag: tag.unwrap_or("latest"), digest: digest.is_some() },
    })
}

/// A reference without its tag and digest, as it is written.
pub fn name_of(reference: &str) -> &str {
    let named = reference.split_once('@').map_or(reference, |(named, _)| named);
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => named,
    }
}

/// What of a text keeps it from being a reference, where that is a part of it; none for a reference, and where its form is wrong.
pub fn fault(text: &str) -> Option<String> {
    if parts(text).is_some() {
        return None;
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Some(format!("leave {scheme}:// out"));
    }
    let is_known = |c: char| c.is_ascii_alphanumeric() || "._-/:@[]".contains(c);
    if let Some(char) = text.chars().find(|c| !is_known(*c)) {
        return Some(format!("{char:?} may not stand in it"));
    }
    let (_, remainder) = split_domain(text);
    let (named, _) = cut(remainder, b'@');
    let (path, tag) = cut(named, b':');
    match path.chars().find(char::is_ascii_uppercase) {
        Some(char) => Some(format!("{char:?} is in upper case")),
        None => tag.filter(|tag| !is_tag(tag)).map(|tag| match tag {
            "" => "after its colon there is no tag".to_owned(),
            tag => format!("{tag:?} is no tag"),
        }),
    }
}

/// Takes a reference apart; none for text that is none.
pub fn parts(reference: &str) -> Option<Parts<'_>> {
    // Text of 64 hex digits is an image id, not a name.
    if reference.len() == 64 && reference.bytes().all(is_lower_hex) {
        return None;
    }
    let (domain, remainder) = split_domain(reference);
    let (named, digest) = cut(remainder, b'@');
    let (path, tag) = cut(named, b':');
    // A first part with a dot or an upper-case letter that is no domain may still be one of the name's.
    let joined = domain.filter(|domain| !is_domain(domain));
    let official = domain.is_none_or(|domain| matches!(domain, "docker.io" | "index.docker.io"));
    let prefix = match joined {
        Some(domain) => domain.len() + 1,
        None if official && cut(path, b'/').1.is_none() => "library/".len(),
        None => 0,
    };
    let sound = joined.is_none_or(|first| is_path_component(first.as_bytes()))
        && path.as_bytes().split(|byte| *byte == b'/').all(is_path_component)
        && prefix + path.len() <= LONGEST_PATH
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    // The first part belongs to the name where it is no domain.
    let repository = match joined {
        Some(first) => reference.get(..first.len() + 1 + path.len())?,
        None => path,
    };
    let registry = if joined.is_some() { None } else { domain };
    sound.then_some(Parts { registry, repository, tag, digest })
}

/// Text before and after the first of a byte of ASCII. References are short: looking at each byte beats a search.
fn cut(text: &str, at: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == at) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}

/// The part before the first slash is a registry where it looks like one; else the name is Docker Hub's.
fn split_domain(reference: &str) -> (Option<&str>, &str) {
    match cut(reference, b'/') {
        (first, Some(rest))
            if first.bytes().any(|b| matches!(b, b'.' | b':' | b'A'..=b'Z'))
                || first == "localhost"
                || (!first.is_ascii() && first.chars().any(char::is_uppercase)) =>
        {
            (Some(first), rest)
        }
        _ => (None, reference),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port))
                if address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') && !address.is_empty() =>
            {
                return port.is_empty() || port.strip_prefix(':').is_some_and(is_digits);
            }
            _ => return false,
        },
        None => cut(text, b':'),
    };
    let label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    };
    host.as_bytes().split(|byte| *byte == b'.').all(label) && port.is_none_or(is_digits)
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_path_component(bytes: &[u8]) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    alphanumeric(first)
        && alphanumeric(last)
        && (bytes.iter().all(|&b| alphanumeric(b))
            || bytes
                .split(|&b| alphanumeric(b))
                .filter(|run| !run.is_empty())
                .all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|&b| b == b'-')))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    // The digest library knows these three and refuses any other.
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(is_lower_hex)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_lower_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port is no tag.
    #[test]
    fn a_name_is_without_tag_and_digest() {
        for (image, name) in [
            ("reg.lan:5000/acme/pdf", "reg.lan:5000/acme/pdf"),
            ("reg.lan:5000/acme/pdf:1", "reg.lan:5000/acme/pdf"),
            ("acme/pdf:1@sha256:00", "acme/pdf"),
            ("pdf", "pdf"),
        ] {
            assert_eq!(name_of(image), name, "{image}");
        }
    }

    /// Who reads that a long reference is none looks for the letter.
    #[test]
    fn the_part_that_is_wrong_is_named() {
        for (text, said) in [
            ("ghcr.io/acme/pdf:1.0+0", Some("'+' may not stand in it")),
            (" ghcr.io/acme/pdf:1", Some("' ' may not stand in it")),
            ("https://ghcr.io/acme/pdf:1", Some("leave https:// out")),
            ("ghcr.io/Acme/pdf:1", Some("'A' is in upper case")),
            ("ghcr.io/acme/pdf:", Some("after its colon there is no tag")),
            ("ghcr.io/acme/pdf:.1", Some("\".1\" is no tag")),
            ("ghcr.io/acme//pdf:1", None),
            ("ghcr.io/acme/pdf:1", None),
        ] {
            assert_eq!(fault(text).as_deref(), said, "{text}");
        }
    }

    /// A lock that misses an image for its spelling makes people pin by hand.
    #[test]
    fn one_image_has_one_key() {
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        for (reference, wanted) in [
            ("pdf", "docker.io/library/pdf:latest"),
            ("index.docker.io/acme/pdf:1", "docker.io/acme/pdf:1"),
            (&format!("acme/pdf:1@{digest}"), "docker.io/acme/pdf:1"),
            (&format!("acme/pdf@{digest}"), &format!("docker.io/acme/pdf@{digest}")),
            ("quay.io/acme/pdf", "quay.io/acme/pdf:latest"),
        ] {
            assert_eq!(key(reference).as_deref(), Some(wanted), "{reference}");
        }
        assert_eq!(key("Quay.io/Acme"), None);
    }

    /// What the kubelet refuses and we pass never starts; what we refuse and it takes cannot be written.
    #[test]
    fn references_are_read_as_by_the_kubelet() {
        let lines = include_str!("../../testdata/values/image-references.jsonl").lines();
        for line in lines {
            let (reference, wanted): (String, String) = serde_json::from_str(line).unwrap();
            let found = match parse(&reference) {
                None => "bad",
                Some(Pin::Digest | Pin::Tag { digest: true, .. }) => "fixed",
                Some(pin) if pin.moves() => "moving",
                Some(_) => "tagged",
            };
            assert_eq!(found, wanted, "{reference:?}");
        }
    }
}
