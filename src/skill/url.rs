//! Addresses of repositories as they may be printed and published: a URL in, the same without user and password out.

use std::borrow::Cow;

/// A text with the logins of its URLs taken out. A user alone of `ssh://` stays: without it nothing is fetched.
pub fn without_login(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let end = rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let kept = match authority.rsplit_once('@') {
        Some((login, _)) if scheme.ends_with("ssh") && !login.contains(':') => authority,
        Some((_, host)) => host,
        None => authority,
    };
    let path = without_login(path);
    if kept == authority && matches!(path, Cow::Borrowed(_)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{scheme}://{kept}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_and_nothing_else() {
        for (text, wanted) in [
            ("https://user:pw@host/a@b", "https://host/a@b"),
            ("git+https://user:p@w@host:8443/a", "git+https://host:8443/a"),
            ("https://token@host?x=y@z", "https://host?x=y@z"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("ssh://git:pw@host/a", "ssh://host/a"),
            ("https://a:b@c/d and https://e:f@g/h", "https://c/d and https://g/h"),
            ("git@host:a/b", "git@host:a/b"),
            ("quay.io/acme/pdf@sha256:00", "quay.io/acme/pdf@sha256:00"),
        ] {
            assert_eq!(without_login(text), wanted, "{text}");
        }
    }
}
