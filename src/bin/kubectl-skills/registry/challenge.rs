//! What a registry says when it wants a login: the header `WWW-Authenticate` in, the schemes that we know out (RFC 9110,
//! 11.6.1, and the distribution project's token authentication).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password with every request.
    Basic,
    /// A token of this service.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What it must allow.
        scope: Option<String>,
    },
}

/// The challenge to answer: a token where there is a choice.
pub fn of(headers: &HeaderMap) -> Option<Challenge> {
    let all: Vec<Challenge> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect();
    let bearer = all.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or_else(|| all.first()).cloned()
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        let (word, after) = rest.split_at(end);
        let after = after.trim_start();
        match (after.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, more) = value_of(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = more;
            }
            (Some(_), None) => break,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    found.into_iter().filter_map(known).collect()
}

fn known((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let parameter = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope"),
        }),
        _ => None,
    }
}

/// A value, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => value.push(c),
        }
    }
    (value, "")
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_in_every_spelling() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (text, wanted) in [
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"",
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                )],
            ),
            (
                "bearer  REALM=https://a/t , service=\"a \\\"b\\\"\"",
                vec![bearer("https://a/t", Some("a \"b\""), None)],
            ),
            ("Basic realm=\"x\"", vec![Challenge::Basic]),
            ("Basic", vec![Challenge::Basic]),
            (
                "Negotiate, Basic realm=\"a, b\", Bearer realm=\"r\"",
                vec![Challenge::Basic, bearer("r", None, None)],
            ),
            ("Bearer service=\"no realm\"", vec![]),
            ("=\"", vec![]),
            ("Bearer realm=\"unfinished", vec![bearer("unfinished", None, None)]),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }
}
