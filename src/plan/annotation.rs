//! The skills annotation of the workload: the names in it and the wanted ones in, its new text out.
//!
//! Source: operator-spec.md section 6, step 2. Others write it too (kagenti's backend, with a blank behind each comma), so
//! it is compared as JSON, and names that are not ours are kept where there is reason to think that they mean something (Q5).

use std::collections::HashSet;

use crate::go::json;
use crate::go::strings::string_list;

/// What becomes of the annotation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Annotation {
    /// It stays as it is.
    Keep,
    /// It stays, though the operator would take it away or overwrite it: it is somebody else's.
    KeepForeign,
    /// It gets this text.
    Set(String),
    /// It gets this text, in which names of others are kept.
    SetWithForeign(String),
    /// It goes.
    Remove,
}

/// The operator's text for these names.
pub(super) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    json::string_array(names)
}

/// The annotation that goes with these skills. `ours` are the names that are ours though they may go: those of the spec
/// and of image volumes that were there. `keep_foreign`: volumes of others with our prefix are in the pod, so that names
/// of others may mean them.
pub(super) fn wanted(
    existing: Option<&str>,
    names: &[&str],
    ours: &HashSet<&str>,
    keep_foreign: bool,
) -> Annotation {
    let Some(existing) = existing else {
        return if names.is_empty() {
            Annotation::Keep
        } else {
            Annotation::Set(text(names.iter().copied()))
        };
    };
    let Ok(found) = string_list(existing) else {
        return if names.is_empty() {
            Annotation::KeepForeign
        } else {
            Annotation::Set(text(names.iter().copied()))
        };
    };
    let foreign: Vec<&str> = found.iter().map(String::as_str).filter(|name| !ours.contains(name)).collect();
    if names.is_empty() {
        return if foreign.is_empty() {
            Annotation::Remove
        } else if foreign.len() == found.len() {
            Annotation::KeepForeign
        } else {
            Annotation::SetWithForeign(text(foreign))
        };
    }
    let kept: Vec<&str> = if keep_foreign { foreign } else { Vec::new() };
    let all: Vec<&str> = kept.iter().chain(names).copied().collect();
    if found.iter().map(String::as_str).eq(all.iter().copied()) {
        Annotation::Keep
    } else if kept.is_empty() {
        Annotation::Set(text(all))
    } else {
        Annotation::SetWithForeign(text(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Annotation {
        Annotation::Set(text.to_owned())
    }

    #[test]
    fn names_of_others_are_kept_where_they_mean_something() {
        let ours: HashSet<&str> = ["a", "old"].into();
        assert_eq!(wanted(None, &["a"], &ours, false), set(r#"["a"]"#));
        assert_eq!(wanted(None, &[], &ours, false), Annotation::Keep);
        assert_eq!(wanted(Some(r#"[ "a" ]"#), &["a"], &ours, false), Annotation::Keep, "compared as JSON");
        assert_eq!(wanted(Some(r#"["old", "x"]"#), &["a"], &ours, false), set(r#"["a"]"#));
        assert_eq!(
            wanted(Some(r#"["old", "x"]"#), &["a"], &ours, true),
            Annotation::SetWithForeign(r#"["x","a"]"#.into())
        );
        assert_eq!(wanted(Some(r#"["x","a"]"#), &["a"], &ours, true), Annotation::Keep);
        assert_eq!(wanted(Some("no json"), &["a"], &ours, true), set(r#"["a"]"#));
    }

    #[test]
    fn without_skills_only_our_names_go() {
        let ours: HashSet<&str> = ["a"].into();
        assert_eq!(wanted(Some(r#"["a"]"#), &[], &ours, false), Annotation::Remove);
        assert_eq!(wanted(Some("[]"), &[], &ours, false), Annotation::Remove);
        assert_eq!(wanted(Some(r#"["x"]"#), &[], &ours, false), Annotation::KeepForeign);
        assert_eq!(
            wanted(Some(r#"["x","a"]"#), &[], &ours, false),
            Annotation::SetWithForeign(r#"["x"]"#.into())
        );
        assert_eq!(wanted(Some("{"), &[], &ours, false), Annotation::KeepForeign);
    }
}
