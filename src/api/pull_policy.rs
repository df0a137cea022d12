//! The pull policy that the API server gives an image volume without one. A reference in, a policy out; whether a
//! reference makes sense to a registry is left to others.
//!
//! Source: `SetDefaults_Volume` of k8s.io/kubernetes 1.37.2 by way of `pkg/util/parsers` and `distribution/reference`;
//! conventions.md section 6.

/// `Always` where the tag is `latest` or neither tag nor digest is given, else `IfNotPresent`, also for text that is no
/// image reference at all.
pub fn default_pull_policy(reference: &str) -> &'static str {
    match tag(reference) {
        Some("latest") => "Always",
        _ => "IfNotPresent",
    }
}

/// The tag with the default filled in; none with a digest alone and for text that is no reference.
fn tag(reference: &str) -> Option<&str> {
    // Text of 64 hex digits is an image id, not a name.
    if reference.len() == 64 && reference.bytes().all(is_lower_hex) {
        return None;
    }
    let (domain, remainder) = split_domain(reference);
    let (named, digest) = match remainder.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (remainder, None),
    };
    let (path, tag) = match named.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (named, None),
    };
    let domain_length = domain.map_or("docker.io/".len(), |domain| domain.len() + 1);
    let sound = domain.is_none_or(is_domain)
        && path.split('/').all(is_path_component)
        && domain_length + path.len() <= 255
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    match (sound, tag, digest) {
        (false, ..) => None,
        (true, Some(tag), _) => Some(tag),
        (true, None, Some(_)) => None,
        (true, None, None) => Some("latest"),
    }
}

/// The part before the first slash is a registry where it looks like one; else the name is Docker Hub's.
fn split_domain(reference: &str) -> (Option<&str>, &str) {
    match reference.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
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
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(is_digits)
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    alphanumeric(first)
        && alphanumeric(last)
        && bytes
            .split(|&b| alphanumeric(b))
            .all(|run| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|&b| b == b'-'))
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

    /// A wrong default shows as a difference that no apply removes, or hides one that the kubelet acts upon.
    #[test]
    fn policies_are_those_of_the_api_server() {
        let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let always = [
            "nginx",
            "nginx:latest",
            "quay.io/a/b",
            "quay.io:5000/a/b:latest",
            "localhost/a",
            "a__b/c-d--e",
            "UPPER/lower",
            "[fd00::1]:5000/a",
            &format!("quay.io/a/b:latest@{digest}"),
        ];
        let if_not_present = [
            "nginx:1",
            "quay.io/a/b:v1.2",
            "quay.io/a/Upper",
            "Not A Valid Ref!!",
            " nginx",
            "nginx:",
            "",
            "a//b",
            "a:latest:latest",
            "quay.io/a/b:latest@sha256:12",
            "a_-b",
            &digest["sha256:".len()..],
            &format!("quay.io/a/b@{digest}"),
            &format!("nginx@{}", digest.to_uppercase()),
        ];
        for reference in always {
            assert_eq!(default_pull_policy(reference), "Always", "{reference:?}");
        }
        for reference in if_not_present {
            assert_eq!(default_pull_policy(reference), "IfNotPresent", "{reference:?}");
        }
    }
}
