//! Tells documents that cannot matter from the rest without parsing. In: one document's text; out: whether to parse it.
//!
//! Nine in ten documents of a repository are Services, Roles and the like. They may be left as they are, unread,
//! if it is certain that no object of interest hides in them.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Kinds that are read or edited wherever they stand, also as items of a list.
const KINDS: [&str; 4] = ["AgentRuntime", "Deployment", "StatefulSet", "Sandbox"];

/// What the name or a label of each ConfigMap the operator reads contains (operator-spec.md sections 2 and 3): those that
/// end in [`CONFIG`], and the others.
const CONFIG_MAPS: [&str; 3] = ["platform-config", "authbridge-runtime-config", "spiffe-helper-config"];
const CONFIG: &str = "-config";
const OTHER_CONFIG_MAPS: [&str; 2] = ["feature-gates", "/defaults"];

struct Finders {
    config_map: Finder<'static>,
    config: Finder<'static>,
    config_maps: Vec<Finder<'static>>,
    other_config_maps: Vec<Finder<'static>>,
    kind_line: Finder<'static>,
    list: Finder<'static>,
}

static FINDERS: LazyLock<Finders> = LazyLock::new(|| Finders {
    config_map: Finder::new("ConfigMap"),
    config: Finder::new(CONFIG),
    config_maps: CONFIG_MAPS.iter().map(Finder::new).collect(),
    other_config_maps: OTHER_CONFIG_MAPS.iter().map(Finder::new).collect(),
    kind_line: Finder::new("\nkind:"),
    list: Finder::new("List"),
});

/// Whether a document could be, or hold as an item of a list, an AgentRuntime, a workload, or a ConfigMap the operator
/// reads. `false` is certain; `true` is a guess.
///
/// A kind or name of interest can hide only after an escape in double quotes, after an escaped line break, or in a
/// `!!binary` value: documents that might hold one of these are never left out. All else (aliases, merge keys, quotes,
/// comments, block scalars, duplicate keys) shows the word as it is. Documents without one plain `kind: Word` line,
/// and lists, are left out only if they are JSON that does not mention a list.
pub fn may_matter(doc: &str) -> bool {
    dull(doc).is_none()
}

/// A document of no interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dull<'d> {
    /// One object of this kind.
    Kind(&'d str),
    /// One object as JSON.
    Json,
}

/// The document, where [`may_matter`] is certain that it is of no interest.
pub fn dull(doc: &str) -> Option<Dull<'_>> {
    let bytes = doc.as_bytes();
    let finders = &*FINDERS;
    let holds = |finder: &Finder<'_>| finder.find(bytes).is_some();
    // One search for what they have in common is cheaper than one for each.
    let is_config = || {
        holds(&finders.config_map)
            && (finders.other_config_maps.iter().any(holds)
                || (holds(&finders.config) && finders.config_maps.iter().any(holds)))
    };
    if holds_kind(bytes) || is_config() {
        return None;
    }
    let dull = match dull_kind(doc, finders) {
        Some(kind) => Dull::Kind(kind),
        None if is_json_object(bytes) && !holds(&finders.list) => Dull::Json,
        None => return None,
    };
    (!hides_text(bytes)).then_some(dull)
}

/// The same for kinds that matter only where there are SkillBindings.
pub struct WideFilter(Vec<Finder<'static>>);

impl WideFilter {
    /// Looks for a word of each kind: its name, or its group where other groups have kinds of that name.
    pub fn new(words: impl IntoIterator<Item = &'static str>) -> Self {
        Self(words.into_iter().chain(["SkillBinding"]).map(Finder::new).collect())
    }

    /// Whether a document could hold one of them. `false` is certain after [`may_matter`] has said so, too.
    pub fn may_matter(&self, doc: &str) -> bool {
        self.0.iter().any(|word| word.find(doc.as_bytes()).is_some())
    }
}

/// Whether one of [`KINDS`] stands anywhere. Capital letters are few, so one search for the first of each is enough.
fn holds_kind(bytes: &[u8]) -> bool {
    let begins = |at: usize| KINDS.iter().any(|kind| bytes[at..].starts_with(kind.as_bytes()));
    memchr::memchr3_iter(b'A', b'D', b'S', bytes).any(begins)
}

/// The word, where exactly one line is `kind: Word` at the top, and the word is not that of a list.
fn dull_kind<'d>(doc: &'d str, finders: &Finders) -> Option<&'d str> {
    let bytes = doc.as_bytes();
    let (value, after) = if bytes.starts_with(b"kind:") {
        (5, 5)
    } else {
        match finders.kind_line.find(bytes) {
            Some(at) => (at + 6, at + 6),
            None => return None,
        }
    };
    let line = &bytes[value..];
    let line = doc.get(value..value + memchr::memchr(b'\n', line).unwrap_or(line.len()))?;
    let word = line.trim_ascii();
    let is_one = line.starts_with(' ')
        && !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !word.ends_with("List")
        && finders.kind_line.find(&bytes[after..]).is_none();
    is_one.then_some(word)
}

fn is_json_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

/// Whether text may be written so that a search does not see it: `\x41`, `\u0041`, `\U00000041`, a backslash before a
/// line break, or a tag with `!!` or `!<` that may be binary's.
fn hides_text(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b'\\', b'!', bytes).any(|at| match (bytes[at], bytes.get(at + 1)) {
        (b'\\', next) => matches!(next, Some(b'x' | b'u' | b'U' | b'\n' | b'\r')),
        (_, next) => matches!(next, Some(b'!' | b'<')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The search goes by their first letters.
    #[test]
    fn every_kind_begins_with_a_letter_that_is_searched() {
        assert!(KINDS.iter().all(|kind| kind.starts_with(['A', 'D', 'S'])), "{KINDS:?}");
        assert!(CONFIG_MAPS.iter().all(|name| name.ends_with(CONFIG)), "{CONFIG_MAPS:?}");
    }

    #[test]
    fn what_cannot_matter_is_left_unread() {
        for doc in [
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n",
            "kind: Role\r\nmetadata:\r\n  name: a\r\n",
            "\nkind:   NetworkPolicy  \nspec: {}\n",
            "kind: ConfigMap\ndata:\n  a: |\n    echo 'it\\n' # fine! really\n",
            "{\"kind\": \"Service\", \"metadata\": {\"name\": \"a\\nb\"}}\n",
            "{\n\t\"kind\": \"Role\"\n}",
        ] {
            assert!(!may_matter(doc), "{doc:?}");
        }
    }

    #[test]
    fn every_object_of_interest_is_seen() {
        for kind in
            ["AgentRuntime", "Deployment", "StatefulSet", "Sandbox", "List", "ResourceList", "ServiceList"]
        {
            for doc in [
                format!("apiVersion: v1\nkind: {kind}\n"),
                format!("kind: \"{kind}\"\n"),
                format!("  kind: {kind}\n"),
                format!("{{\"kind\":\"{kind}\"}}"),
                format!("{{kind: {kind}}}"),
                format!("? kind\n: {kind}\n"),
                format!("kind: Service\nkind: {kind}\n"),
                format!("x: &k {kind}\nkind: *k\n"),
                format!("kind: >-\n  {kind}\n"),
                format!("kind:\n  {kind}\n"),
            ] {
                assert!(may_matter(&doc), "{doc:?}");
            }
        }
        for name in [
            "kagenti-platform-config",
            "kagenti-feature-gates",
            "authbridge-runtime-config",
            "spiffe-helper-config",
        ] {
            assert!(may_matter(&format!("kind: ConfigMap\nmetadata:\n  name: {name}\n")));
            assert!(may_matter(&format!("{{\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"{name}\"}}}}")));
        }
        assert!(may_matter("kind: ConfigMap\nmetadata:\n  labels:\n    kagenti.io/defaults: 'true'\n"));
    }

    #[test]
    fn nothing_hides_from_the_search() {
        for doc in [
            "kind: Service\n\"k\\x69nd\": \"\\u0041gentRuntime\"\n",
            "kind: Service\n\"kind\": \"Agent\\\n  Runtime\"\n",
            "kind: Service\n\"kind\": \"Agent\\\r\n  Runtime\"\n",
            "kind: Service\n\"kind\": !!binary QWdlbnRSdW50aW1l\n",
            "kind: Service\n\"kind\": !<tag:yaml.org,2002:binary> QWdlbnRSdW50aW1l\n",
            "kind: Service\n\"kind\": \"\\U00000041gentRuntime\"\n",
            "{\"kind\":\"\\u0041gentRuntime\"}",
            "note: \"\nkind: Service\n\"\nkind: StatefulSet\n",
            "items:\n- kind: Deployment\nkind: Service\n",
            "just text",
            "- kind: Service\n",
            "kind:\n",
            "kind: [a]\n",
            "kind:Service\n",
            "",
        ] {
            assert!(may_matter(doc), "{doc:?}");
        }
    }
}
