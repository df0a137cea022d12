//! Addresses that registries name: the next page, where an upload goes on, where a blob really is.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// What an address in a `Location` or `Link` header means, seen from the address that was asked.
pub fn resolve(base: &Uri, given: &str) -> Option<Uri> {
    if given.contains("://") {
        return given.parse().ok().filter(|uri: &Uri| uri.host().is_some());
    }
    let scheme = base.scheme().cloned()?;
    if let Some(rest) = given.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    let path = match given.as_bytes().first() {
        Some(b'/') => given.to_owned(),
        Some(b'?') => format!("{}{given}", base.path()),
        Some(_) => {
            let folder = base.path().rfind('/').and_then(|end| base.path().get(..=end)).unwrap_or("/");
            format!("{folder}{given}")
        }
        None => return None,
    };
    build(scheme, base.authority().cloned()?, path.parse().ok()?)
}

fn build(scheme: Scheme, authority: Authority, path: PathAndQuery) -> Option<Uri> {
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

/// Whether two addresses are of one server: what is meant for the one may be sent to the other.
pub fn same_server(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().or(Some(if uri.scheme_str() == Some("http") { 80 } else { 443 }));
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

/// An address with a parameter more.
pub fn with_parameter(uri: &Uri, name: &str, value: &str) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mark = if uri.query().is_some() { '&' } else { '?' };
    let path = format!("{path}{mark}{name}={}", encoded(value)).parse().ok()?;
    build(uri.scheme().cloned()?, uri.authority().cloned()?, path)
}

/// Text as a value of a query: everything but what RFC 3986 leaves unreserved, and `:`, `/` and `,`, which may stand in one.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The address of `rel="next"` in a `Link` header, as it stands there.
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (address, parameters) = after.split_once('>')?;
        let end = parameters.find('<').unwrap_or(parameters.len());
        let (own, more) = parameters.split_at(end);
        let is_next = own.split([';', ',']).any(|parameter| {
            let parameter = parameter.trim().to_ascii_lowercase();
            let value =
                parameter.strip_prefix("rel").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| value.trim().trim_matches('"').split(' ').any(|word| word == "next"))
        });
        if is_next {
            return Some(address);
        }
        rest = more;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_resolved_as_browsers_do() {
        let base: Uri = "https://quay.io/v2/a/tags/list?n=2".parse().expect("an address");
        for (given, wanted) in [
            ("/v2/a/tags/list?last=b", Some("https://quay.io/v2/a/tags/list?last=b")),
            ("?last=b", Some("https://quay.io/v2/a/tags/list?last=b")),
            ("list?last=b", Some("https://quay.io/v2/a/tags/list?last=b")),
            ("//cdn.quay.io/x", Some("https://cdn.quay.io/x")),
            ("http://other/x", Some("http://other/x")),
            ("", None),
            ("/a b", None),
        ] {
            let found = resolve(&base, given).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), wanted, "{given}");
        }
        let server = |text: &str| text.parse::<Uri>().expect("an address");
        assert!(same_server(&base, &server("https://QUAY.io:443/x")));
        assert!(
            !same_server(&base, &server("http://quay.io/x"))
                && !same_server(&base, &server("https://quay.io:5000/x"))
        );
        let upload =
            with_parameter(&server("https://a/u?state=1"), "digest", "sha256:0").map(|uri| uri.to_string());
        assert_eq!(upload.as_deref(), Some("https://a/u?state=1&digest=sha256:0"));
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        assert_eq!(
            next_link("</v2/a/tags/list?last=b&n=2>; rel=\"next\""),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        assert_eq!(
            next_link("</x>; rel=prev, <https://h/y?a=1,2>; title=\"z\"; REL=next"),
            Some("https://h/y?a=1,2")
        );
        assert_eq!(next_link("</x>; rel=\"prev\""), None);
        assert_eq!(next_link("no link"), None);
    }
}
