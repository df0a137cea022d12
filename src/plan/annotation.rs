//! The skills annotation of the workload: the names in it and the wanted ones in, its new text out.
//!
//! Source: operator-spec.md section 6, step 2. Others write it too (kagenti's backend, with a blank after each comma), so
//! it is compared as JSON, and names that are not ours are kept (Q5).

use foldhash::HashSet;

use crate::go::json;
use crate::go::strings::string_list;

/// What becomes of the annotation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotation {
    /// Its new text; an outer none leaves it as it is, an inner one takes it out.
    pub set: Option<Option<String>>,
    /// Names of others in it, which stay.
    pub foreign: Vec<String>,
    /// Text of others that is no list: it is replaced where there are skills, else it stays.
    pub malformed: bool,
}

/// The operator's text for these names.
pub(super) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    json::string_array(names)
}

/// The annotation that goes with these skills. `is_ours`: whether a name that is in it already is ours. `before`: its text
/// before us, which comes back with the last name of ours.
pub(super) fn wanted(
    existing: Option<&str>,
    names: &[&str],
    is_ours: impl Fn(&str) -> bool,
    before: Option<&str>,
) -> Annotation {
    let Some(existing) = existing else {
        let set = (!names.is_empty()).then(|| Some(text(names.iter().copied())));
        return Annotation { set, ..Annotation::default() };
    };
    let Ok(found) = string_list(existing) else {
        let set = (!names.is_empty()).then(|| Some(text(names.iter().copied())));
        return Annotation { set, malformed: true, ..Annotation::default() };
    };
    let theirs = before.map(|text| string_list(text).unwrap_or_default());
    let in_spec: HashSet<&str> = names.iter().copied().collect();
    let author: HashSet<&str> = theirs.iter().flatten().map(String::as_str).collect();
    let is_foreign = |name: &str| !in_spec.contains(name) && (author.contains(name) || !is_ours(name));
    let foreign: Vec<String> = found.iter().filter(|name| is_foreign(name)).cloned().collect();
    let set = if !names.is_empty() {
        let all: Vec<&str> = foreign.iter().map(String::as_str).chain(names.iter().copied()).collect();
        (!found.iter().map(String::as_str).eq(all.iter().copied())).then(|| Some(text(all)))
    } else if theirs.as_ref().is_some_and(|theirs| {
        let rest: HashSet<&str> = foreign.iter().map(String::as_str).collect();
        theirs.iter().map(String::as_str).collect::<HashSet<_>>() == rest
    }) {
        before.filter(|before| *before != existing).map(|before| Some(before.to_owned()))
    } else if foreign.len() == found.len() {
        // An empty list says nothing, whoever wrote it, and is left.
        None
    } else if foreign.is_empty() {
        Some(None)
    } else {
        Some(Some(text(foreign.iter().map(String::as_str))))
    };
    Annotation { set, foreign, malformed: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, foreign: &[&str]) -> Annotation {
        let foreign = foreign.iter().map(|name| (*name).to_owned()).collect();
        Annotation { set: Some(Some(text.to_owned())), foreign, malformed: false }
    }

    fn of(existing: &str, names: &[&str], ours: &[&str], before: Option<&str>) -> Annotation {
        wanted(Some(existing), names, |name| ours.contains(&name), before)
    }

    #[test]
    fn names_of_others_are_kept() {
        assert_eq!(wanted(None, &["a"], |_| false, None), set(r#"["a"]"#, &[]));
        assert_eq!(wanted(None, &[], |_| false, None), Annotation::default());
        assert_eq!(of(r#"[ "a" ]"#, &["a"], &[], None), Annotation::default(), "compared as JSON");
        assert_eq!(of(r#"["old", "x"]"#, &["a"], &["old"], None), set(r#"["x","a"]"#, &["x"]));
        assert_eq!(of(r#"["x","a"]"#, &["a"], &["a"], None).set, None);
        assert!(of("no json", &["a"], &[], None).malformed);
    }

    #[test]
    fn without_skills_only_our_names_are_taken_out() {
        let removed = Annotation { set: Some(None), ..Annotation::default() };
        assert_eq!(of(r#"["a"]"#, &[], &["a"], None), removed);
        assert_eq!(of("[]", &[], &["a"], None).set, None);
        assert_eq!(of(r#"["x"]"#, &[], &["a"], None).set, None);
        assert_eq!(of(r#"["x","a"]"#, &[], &["a"], None), set(r#"["x"]"#, &["x"]));
        assert_eq!(of("{", &[], &["a"], None), Annotation { malformed: true, ..Annotation::default() });
        // The author's own text, blanks and all, also where it was no list.
        assert_eq!(of(r#"["x","a"]"#, &[], &["a"], Some(r#"[ "x" ]"#)), set(r#"[ "x" ]"#, &["x"]));
        assert_eq!(of(r#"["x","a"]"#, &[], &["x", "a"], Some(r#"["x"]"#)), set(r#"["x"]"#, &["x"]));
        assert_eq!(of(r#"["a"]"#, &[], &["a"], Some("no json")), set("no json", &[]));
    }
}
