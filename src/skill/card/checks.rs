//! What the programs that read cards check in code: versions, addresses, keys of annotations. Text in, yes or no out.

/// Whether Masterminds' `StrictNewVersion` takes a version: three numbers, and what semver 2.0 allows after them.
pub fn is_strict_version(text: &str) -> bool {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, prerelease) = match rest.split_once('-') {
        Some((core, prerelease)) => (core, Some(prerelease)),
        None => (rest, None),
    };
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_prerelease =
        |word: &str| is_word(word) && (word.bytes().any(|byte| !byte.is_ascii_digit()) || is_number(word));
    core.split('.').count() == 3
        && core.split('.').all(|part| is_number(part) && part.parse::<u64>().is_ok())
        && prerelease.is_none_or(|text| text.split('.').all(is_prerelease))
        && build.is_none_or(|text| text.split('.').all(is_word))
}

/// `^[0-9]+\.[0-9]+\.[0-9]+$`
pub fn is_base_version(text: &str) -> bool {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(is_digits)
}

/// Digits without a zero in front.
fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'))
}

/// `^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)*$`
pub fn is_namespace(text: &str) -> bool {
    text.split('/').all(is_name)
}

/// `^[a-z0-9]+(-[a-z0-9]+)*$`
pub fn is_name(text: &str) -> bool {
    crate::skill::frontmatter::readers::is_plain_name(text)
}

/// Whether an address is absolute and https; http for this machine only.
pub fn is_https(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty()
        || text.chars().any(|char| char.is_control())
        || host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}'])
    {
        return false;
    }
    let name = match host.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => name,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if is_port(&format!(":{port}")) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "::1");
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") && is_local
}

/// `:` and digits, or none of them.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the key of an annotation begins with a domain: `^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.[A-Za-z0-9][A-Za-z0-9._-]*...$`.
pub fn is_annotation_key(key: &str) -> bool {
    let is_domain = |text: &str| {
        let is_edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        is_edge(text.as_bytes().first()) && is_edge(text.as_bytes().last()) && text.bytes().all(inner)
    };
    // What follows the dot may have dots itself, so that the rest of the pattern adds nothing.
    let is_rest = |text: &str| {
        text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    key.match_indices('.').any(|(at, _)| is_domain(&key[..at]) && is_rest(&key[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masterminds/semver v3 `StrictNewVersion`: its own cases, and those that catalogs have seen.
    #[test]
    fn versions_are_those_of_the_library() {
        for (text, expected) in [
            ("1.2.3", true),
            ("0.0.0", true),
            ("1.2.3-alpha.01", false),
            ("1.2.3-alpha.1", true),
            ("1.2.3-alpha-a.b+c.007", true),
            ("1.2.3+test.01", true),
            ("1.2.3-0", true),
            ("v1.2.3", false),
            ("1.2", false),
            ("1.0", false),
            ("1", false),
            ("", false),
            ("01.2.3", false),
            ("1.2.3.4", false),
            ("1.2.3-", false),
            ("1.2.3+", false),
            ("1.2.3-a..b", false),
            ("1.2.3-é", false),
            ("1.2.99999999999999999999", false),
        ] {
            assert_eq!(is_strict_version(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_https_or_of_this_machine() {
        for (text, expected) in [
            ("https://example.com", true),
            ("HTTPS://example.com/a?b#c", true),
            ("https://user@example.com:8443/", true),
            ("http://localhost:8080/x", true),
            ("http://[::1]/x", true),
            ("http://127.0.0.1", true),
            ("http://example.com", false),
            ("https://", false),
            ("https:///path", false),
            ("https://exa mple.com", false),
            ("https://example.com:port", false),
            ("example.com", false),
            ("mailto:me@example.com", false),
            ("ftp://example.com", false),
        ] {
            assert_eq!(is_https(text), expected, "{text}");
        }
    }

    #[test]
    fn annotations_begin_with_a_domain() {
        for (text, expected) in [
            ("com.example.security.reviewed", true),
            ("com.example", true),
            ("c.E_x", true),
            ("com.example.A-b_c", true),
            ("reviewed", false),
            ("Com.example", false),
            (".example", false),
            ("com.", false),
            ("com.example/reviewed", false),
            ("com-.example", false),
        ] {
            assert_eq!(is_annotation_key(text), expected, "{text}");
        }
    }
}
