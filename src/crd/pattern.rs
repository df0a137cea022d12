//! The regular expressions of the CRDs, each with a matcher written for it: text in, match or not.
//! No regex engine: the set is closed, all are anchored classes, and `tests/it/schema_oracle.rs` holds the
//! matchers against the API server's own.
//!
//! Go's `$` without flags is the end of the text, so a final line feed does not match.

/// A regular expression and its matcher.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// As the CRD prints it and messages quote it.
    pub text: &'static str,
    /// Whether a whole text matches.
    pub matches: fn(&str) -> bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// `spec.identity.spiffe.trustDomain`.
pub static TRUST_DOMAIN: Pattern = Pattern {
    text: r"^[a-zA-Z0-9]([a-zA-Z0-9\-\.]*[a-zA-Z0-9])?$",
    matches: |text| framed(text, alphanumeric, |byte| alphanumeric(byte) || matches!(byte, b'-' | b'.')),
};

/// `spec.skills[].name`.
pub static SKILL_NAME: Pattern = Pattern {
    text: r"^[a-z0-9]([a-z0-9\-]*[a-z0-9])?$",
    matches: |text| framed(text, lower_alphanumeric, |byte| lower_alphanumeric(byte) || byte == b'-'),
};

/// `spec.skills[].mountPath`. Not anchored at its end: anything may follow the slash, line feeds too.
pub static MOUNT_PATH: Pattern = Pattern { text: r"^/.*", matches: |text| text.starts_with('/') };

/// `spec.home` of a SkillBinding: absolute, without empty segments and what ends a list of paths.
pub static HOME: Pattern = Pattern {
    text: r"^/([^/,:\s]+(/[^/,:\s]+)*)?$",
    matches: |text| {
        let segment = |segment: &str| {
            !segment.is_empty() && !segment.contains([',', ':', ' ', '\t', '\n', '\u{c}', '\r'])
        };
        text.strip_prefix('/').is_some_and(|rest| rest.is_empty() || rest.split('/').all(segment))
    },
};

/// `spec.targetRef.apiVersion` of a SkillBinding.
pub static API_VERSION: Pattern = Pattern {
    text: r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?v[0-9][a-z0-9]*$",
    matches: |text| {
        let version = match text.split_once('/') {
            None => text,
            Some((group, version)) if dns_subdomain(group) => version,
            Some(_) => return false,
        };
        let rest = version.strip_prefix('v').unwrap_or_default().as_bytes();
        rest.first().is_some_and(u8::is_ascii_digit) && rest.iter().copied().all(lower_alphanumeric)
    },
};

/// `status.conditions[].reason`.
pub static CONDITION_REASON: Pattern = Pattern {
    text: r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    matches: |text| {
        text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
            && text.bytes().all(|byte| alphanumeric(byte) || matches!(byte, b'_' | b',' | b':'))
            && text.as_bytes().last().is_some_and(|&byte| alphanumeric(byte) || byte == b'_')
    },
};

/// `status.conditions[].type`: a label key.
pub static CONDITION_TYPE: Pattern = Pattern {
    text: r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    matches: |text| match text.split_once('/') {
        None => qualified_name(text),
        Some((prefix, name)) => dns_subdomain(prefix) && qualified_name(name),
    },
};

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`: a DNS label but for its length.
pub fn dns_label(text: &str) -> bool {
    framed(text, lower_alphanumeric, |byte| lower_alphanumeric(byte) || byte == b'-')
}

/// DNS labels joined by dots, without a bound on the length.
pub fn dns_subdomain(text: &str) -> bool {
    text.split('.').all(dns_label)
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`: the name part of a label key, without a bound on the length.
pub fn qualified_name(text: &str) -> bool {
    framed(text, alphanumeric, |byte| alphanumeric(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

fn framed(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => edge(first) && edge(last) && bytes.iter().copied().all(inner),
        _ => false,
    }
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'t>(pattern: &Pattern, texts: &[&'t str]) -> Vec<&'t str> {
        texts.iter().copied().filter(|text| (pattern.matches)(text)).collect()
    }

    /// A line feed at the end, an empty text or a wide digit must not slip through, as they would with `\d` or `(?m)`.
    #[test]
    fn names_match_as_in_go() {
        let texts = ["a", "0", "a-b", "a--b", "", "-a", "a-", "a\n", "A", "a.b", "a_b", "٣", "ä"];
        assert_eq!(split(&SKILL_NAME, &texts), ["a", "0", "a-b", "a--b"]);
        assert_eq!(split(&TRUST_DOMAIN, &texts), ["a", "0", "a-b", "a--b", "A", "a.b"]);
    }

    #[test]
    fn anything_may_follow_the_slash_of_a_mount_path() {
        assert_eq!(split(&MOUNT_PATH, &["/", "/a\nb", "/..", " /a", "a", "", "\n/a"]), ["/", "/a\nb", "/.."]);
    }

    #[test]
    fn bindings_match_as_in_go() {
        let texts = ["/", "/root", "/home/a", "", "root", "/a/", "//", "/a//b", "/a,b", "/a b", "/a\n"];
        assert_eq!(split(&HOME, &texts), ["/", "/root", "/home/a"]);
        let texts = [
            "v1",
            "apps/v1",
            "a.b/v1alpha1",
            "",
            "apps",
            "apps/",
            "/v1",
            "a/b/v1",
            "A/v1",
            "v",
            "vx",
            "v1\n",
        ];
        assert_eq!(split(&API_VERSION, &texts), ["v1", "apps/v1", "a.b/v1alpha1"]);
    }

    #[test]
    fn conditions_match_as_in_go() {
        let texts = ["Ready", "a/b", "x.y/Z_.z", "R:", "R,_", "_R", "9", "A.b/c", "a/b/c", "/a", "a/", ""];
        assert_eq!(split(&CONDITION_REASON, &texts), ["Ready", "R,_"]);
        assert_eq!(split(&CONDITION_TYPE, &texts), ["Ready", "a/b", "x.y/Z_.z", "9"]);
    }
}
