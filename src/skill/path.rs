//! Names of entries as the paths that an agent sees, below the root of an image or skill. What is no such path is refused:
//! readers of it differ, and where they differ one can be shown what the other does not see.

use super::limits::{DEPTH, NAME_BYTES, PATH_BYTES};

/// The path of an entry: parts joined by `/`, without `.`, and nothing at either end. Empty for the root.
///
/// # Errors
/// What is wrong with it, in words that go after "its name".
pub fn normal(name: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(name)
        .map_err(|_| "is not UTF-8: every reader makes another name of it".to_owned())?;
    if text.len() > PATH_BYTES {
        return Err(format!("has {} bytes; no file system takes more than {PATH_BYTES}", text.len()));
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(format!("contains {:?}, which no list of files can show", c));
    }
    if text.contains('\\') {
        return Err("contains a backslash, which separates folders on Windows".into());
    }
    if text.starts_with('/') {
        return Err("is absolute".into());
    }
    let mut path = String::with_capacity(text.len());
    let mut depth = 0;
    for part in text.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return Err("leads out of the image (..)".into());
        }
        if part.len() > NAME_BYTES {
            return Err(format!(
                "has a part of {} bytes; no file system takes more than {NAME_BYTES}",
                part.len()
            ));
        }
        depth += 1;
        if depth > DEPTH {
            return Err(format!("is more than {DEPTH} folders deep"));
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    Ok(path)
}

/// The folder that a path is in; the root is empty.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last part of a path.
pub fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, base)| base)
}

/// A path below a folder; the root is empty.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path as seen from a folder that it is in.
pub fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that means one file to us and another to whoever unpacks it hides one of them.
    #[test]
    fn a_name_is_a_path_below_the_root_or_refused() {
        for (name, path) in [
            ("./SKILL.md", "SKILL.md"),
            ("a//b/./c/", "a/b/c"),
            ("./", ""),
            ("données/é.md", "données/é.md"),
            ("...", "..."),
        ] {
            assert_eq!(normal(name.as_bytes()), Ok(path.to_owned()));
        }
        let long = "x".repeat(256);
        let deep = "a/".repeat(65);
        let huge = "ab/".repeat(1366);
        for wrong in ["/etc/passwd", "../x", "a/../../x", "a/..", "a\\b", "a\nb", "a\0b", &long, &deep, &huge]
        {
            assert!(normal(wrong.as_bytes()).is_err(), "{wrong:?} would be read");
        }
        assert!(normal(b"caf\xe9").is_err());
        assert_eq!((parent("a/b/c"), base("a/b/c"), parent("c"), base("c")), ("a/b", "c", "", "c"));
        assert_eq!((below("a/b", "a"), below("ab", "a"), below("a", "")), (Some("b"), None, Some("a")));
    }
}
