//! Which images a policy means: a reference and prefixes or patterns in, whether they fit out.

use crate::api::image_reference;

/// `HOST/REPOSITORY` in normal spelling; the text itself where it is no reference.
pub fn name(image: &str) -> String {
    image_reference::parts(image).map_or_else(
        || image.to_owned(),
        |parts| {
            let (registry, repository) = parts.location();
            format!("{registry}/{repository}")
        },
    )
}

/// Whether the first part of a reference is the host of a registry, and no folder of Docker Hub.
pub fn is_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

/// Whether a reference names its image by digest.
pub fn is_pinned(image: &str) -> bool {
    image_reference::parts(image).is_some_and(|parts| parts.digest.is_some())
}

/// Whether an image is that prefix or lies below it.
pub fn is_within(image: &str, prefix: &str) -> bool {
    let rest = image.strip_prefix(prefix.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a pattern means an image: as it is written, in normal spelling with its tag, or without one.
pub fn means(pattern: &str, image: &str) -> bool {
    wildcard(pattern, image)
        || wildcard(pattern, &name(image))
        || image_reference::key(image).is_some_and(|key| wildcard(pattern, &key))
}

/// Whether a pattern means a tool. `*` alone means each; else it ends with the parentheses that it stands in: `Bash(git *)` is about
/// one command.
pub fn means_tool(pattern: &str, tool: &str) -> bool {
    pattern == "*" || glob(pattern, tool, |text| !text.contains(')'))
}

/// Whether a text is what a pattern describes, in which `*` stands for any text.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    glob(pattern, text, |_| true)
}

/// The same, where `*` may stand for some texts only.
fn glob(pattern: &str, text: &str, may: impl Fn(&str) -> bool) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.strip_suffix(part).is_some_and(may);
        }
        let Some(at) = text.find(part).filter(|at| may(&text[..*at])) else { return false };
        text = &text[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prefix that ended within a word would let the registry of a stranger in.
    #[test]
    fn prefixes_end_where_a_path_does() {
        for (image, prefix, within) in [
            ("ghcr.io/acme/pdf:1", "ghcr.io/acme/", true),
            ("ghcr.io/acme/pdf:1", "ghcr.io/acme", true),
            ("ghcr.io/acme/pdf:1", "ghcr.io/acme/pdf", true),
            ("ghcr.io/acme-evil/pdf:1", "ghcr.io/acme", false),
            ("ghcr.io.evil.com/acme/pdf:1", "ghcr.io", false),
            (
                "ghcr.io/acme/pdf@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "ghcr.io",
                true,
            ),
            ("acme/pdf", "docker.io/acme", true),
            ("index.docker.io/acme/pdf", "docker.io/acme", true),
            ("pdf", "docker.io/library", true),
            ("localhost:5000/pdf", "localhost:5000", true),
            ("localhost:5000/pdf", "localhost", false),
        ] {
            assert_eq!(is_within(&name(image), prefix), within, "{image} in {prefix}");
        }
    }

    #[test]
    fn patterns_mean_whole_texts() {
        for (pattern, text, matches) in [
            ("Read", "Read", true),
            ("Read", "ReadAll", false),
            ("Bash(git *)", "Bash(git log)", true),
            ("Bash(git *)", "Bash(*)", false),
            ("Bash(git *)", "Bash(git log) Write", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("mcp__*", "mcp__x", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} and {text}");
        }
        for (pattern, text, matches) in [
            ("Bash(git *)", "Bash(git log)", true),
            ("Bash(git *)", "Bash(git log) Write(x)", false),
            ("Bash(git *)", "Bash(git log)(x)", false),
            ("Bash(*)", "Bash(a(b))", false),
            ("Bash(*", "Bash(a) Write", false),
            ("*", "Bash(a)", true),
            ("mcp__*", "mcp__x", true),
            ("R*d", "Read", true),
        ] {
            assert_eq!(means_tool(pattern, text), matches, "{pattern} and {text}");
        }
        assert!(means("ghcr.io/acme/pdf", "ghcr.io/acme/pdf:1"));
        assert!(means(
            "ghcr.io/acme/pdf:1",
            "ghcr.io/acme/pdf:1@sha256:0000000000000000000000000000000000000000000000000000000000000000"
        ));
        assert!(means("docker.io/acme/*", "acme/pdf"));
        assert!(!means("ghcr.io/acme/pdf:2", "ghcr.io/acme/pdf:1"));
    }
}
