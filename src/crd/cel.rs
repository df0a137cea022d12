//! Pieces of CEL that the SkillBinding CRD and the policies over pods share: text in, text out. What they are put together
//! to is left to [`super::skill_binding`] and to the policies.

use crate::api::agent_location::{AGENT_LOCATIONS, AgentLocation, Root};

/// A text as a literal of CEL.
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A list of texts.
pub fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(text).collect();
    format!("[{}]", texts.join(", "))
}

/// Names of the runtimes for which something holds, as a list.
pub fn runtimes(holds: impl Fn(&AgentLocation) -> bool) -> String {
    list(AGENT_LOCATIONS.iter().filter(|location| holds(location)).map(|location| location.name))
}

/// The folder into which the runtime of a spec looks; only to be evaluated where it names one.
pub fn root(spec: &str) -> String {
    let entry = |location: &AgentLocation| {
        let folder = match location.root {
            Root::Absolute(folder) => folder.to_owned(),
            Root::Home(folder) => format!("/{folder}"),
        };
        format!("{}: {}", text(location.name), text(&folder))
    };
    let folders: Vec<String> = AGENT_LOCATIONS.iter().map(entry).collect();
    let below_home = runtimes(AgentLocation::needs_home);
    format!(
        "(({spec}.runtime in {below_home} && has({spec}.home) && {spec}.home != '/' ? {spec}.home : '') + \
         {{{}}}[{spec}.runtime])",
        folders.join(", ")
    )
}

/// Where a skill is mounted; a skill without a path in a spec without a runtime, which the CRD refuses, below `/`.
pub fn mount_path(spec: &str, skill: &str) -> String {
    let root = root(spec);
    format!(
        "(has({skill}.mountPath) ? {skill}.mountPath : (has({spec}.runtime) ? {root} : '') + '/' + {skill}.name)"
    )
}

/// A path as it is compared: with a slash at its end, and without empty and `.` segments as far as anybody writes them. The API
/// server allows no more work than that over each two of twenty skills.
pub fn comparable(path: &str) -> String {
    let steps: Vec<String> = CLEANING.iter().map(|from| format!(".replace({}, '/')", text(from))).collect();
    format!("(({path}) + '/'){}", steps.concat())
}

/// What becomes `/`, one after the other.
pub const CLEANING: [&str; 5] = ["/./", "/./", "//", "//", "//"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_literals() {
        assert_eq!(text(r"a'b\c"), r"'a\'b\\c'");
        assert_eq!(list(["a", "b"]), "['a', 'b']");
        assert_eq!(runtimes(|location| !location.needs_home()), "['docsclaw', 'kagent', 'kagenti']");
    }
}
