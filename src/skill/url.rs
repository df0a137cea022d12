//! Addresses of repositories as they may be printed and published: a URL in, the same without user and password out.

use std::borrow::Cow;

/// A text with the logins of its URLs taken out. A user alone of `ssh://` stays: without it nothing is fetched.
pub fn without_login(text: &str) -> Cow<'_, str> {
    let (mut out, mut taken, mut at) = (String::new(), 0, 0);
    while let Some(mark) = text[at..].find("://") {
        let (scheme, start) = (&text[at..at + mark], at + mark + "://".len());
        let ends = |c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace();
        let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
        if let Some((login, host)) = text[start..end].rsplit_once('@')
            && (login.contains(':') || !scheme.ends_with("ssh"))
        {
            out.push_str(&text[taken..start]);
            taken = end - host.len();
        }
        at = end;
    }
    if taken == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[taken..]);
    Cow::Owned(out)
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
        // As long as a card may be.
        let many = "s://u:p@h/".repeat(100_000);
        assert_eq!(without_login(&many), "s://h/".repeat(100_000));
    }
}
