//! Which version a tag is, and which of many tags is the newest one within a limit: tags in, versions out. Asking a registry
//! for its tags is left to who calls.

use semver::Version;
use serde::Serialize;

/// What skillimage puts after the version of an image that is not published.
const UNPUBLISHED: [&str; 2] = ["-draft", "-testing"];

/// A tag that is a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tagged {
    /// The tag, as it is written.
    pub tag: String,
    /// The version.
    #[serde(serialize_with = "as_text")]
    pub version: Version,
}

fn as_text<S: serde::Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(version)
}

/// How far a version may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The same major and minor version.
    Patch,
    /// The same major version.
    Minor,
    /// Any.
    Major,
}

impl Level {
    fn allows(self, from: &Version, to: &Version) -> bool {
        match self {
            Level::Patch => (from.major, from.minor) == (to.major, to.minor),
            Level::Minor => from.major == to.major,
            Level::Major => true,
        }
    }
}

/// The version that a tag is: three numbers, perhaps with a `v` in front and a prerelease after. What skillimage has not
/// published is none.
pub fn of_tag(tag: &str) -> Option<Version> {
    if UNPUBLISHED.iter().any(|ending| tag.ends_with(ending)) {
        return None;
    }
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// The newest of the tags that is newer than `from` and within `level`; without `pre`, no prerelease. Of two tags of one
/// version, the one that is spelled as `tag` is, with `v` or without.
pub fn newest<'t>(
    tags: impl IntoIterator<Item = &'t str>,
    (tag, from): (&str, &Version),
    level: Level,
    pre: bool,
) -> Option<Tagged> {
    let versions = tags.into_iter().filter_map(|tag| Some((tag, of_tag(tag)?)));
    let fits = versions.filter(|(_, version)| {
        (pre || version.pre.is_empty()) && version.cmp_precedence(from).is_gt() && level.allows(from, version)
    });
    let alike = |other: &str| other.starts_with('v') == tag.starts_with('v');
    let newest = fits.max_by(|(one, own), (other, theirs)| {
        own.cmp_precedence(theirs).then(alike(one).cmp(&alike(other))).then_with(|| other.cmp(one))
    });
    newest.map(|(tag, version)| Tagged { tag: tag.to_owned(), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers() {
        for (tag, version) in [
            ("1.2.0", Some("1.2.0")),
            ("v1.2.0", Some("1.2.0")),
            ("1.2.0-rc.1", Some("1.2.0-rc.1")),
            ("1.2", None),
            ("1", None),
            ("latest", None),
            ("01.2.0", None),
            ("vv1.2.0", None),
            ("V1.2.0", None),
            ("1.2.0-draft", None),
            ("1.2.0-rc.1-testing", None),
            ("1.2.0-drafty", Some("1.2.0-drafty")),
            ("1.2.0_build", None),
            ("99999999999999999999.0.0", None),
        ] {
            assert_eq!(of_tag(tag).map(|version| version.to_string()).as_deref(), version, "{tag}");
        }
    }

    /// 1.10.0 is newer than 1.9.0, a prerelease is older than its release, and nobody gets one unasked.
    #[test]
    fn the_newest_is_found_within_the_limit() {
        let tags = [
            "1.2.0",
            "1.2.1",
            "1.2.9-draft",
            "1.9.0",
            "1.10.0",
            "v1.10.0",
            "1.11.0-rc.1",
            "2.0.0",
            "v2.1.0",
            "3.0.0-rc.2",
            "3.0.0-rc.10",
            "latest",
            "main",
        ];
        let of = |tag: &str, level, pre| {
            let from = of_tag(tag).expect("a version");
            newest(tags, (tag, &from), level, pre).map(|found| found.tag)
        };
        for (tag, level, pre, wanted) in [
            ("1.2.0", Level::Patch, false, Some("1.2.1")),
            ("1.2.0", Level::Minor, false, Some("1.10.0")),
            ("v1.2.0", Level::Minor, false, Some("v1.10.0")),
            ("1.2.0", Level::Minor, true, Some("1.11.0-rc.1")),
            ("1.2.0", Level::Major, false, Some("v2.1.0")),
            ("1.2.0", Level::Major, true, Some("3.0.0-rc.10")),
            ("1.10.0", Level::Minor, false, None),
            ("1.11.0-rc.1", Level::Minor, true, None),
            ("2.1.0-rc.1", Level::Minor, false, Some("v2.1.0")),
            ("4.0.0", Level::Major, true, None),
        ] {
            assert_eq!(of(tag, level, pre).as_deref(), wanted, "{tag} {level:?} {pre}");
        }
    }
}
