//! Tests that hold the readers against each other: the quick one, the one for JSON, and granit.
//! In: generated documents and damaged ones; out: nothing but a verdict.

use proptest::prelude::*;

use super::document::check_characters;
use super::node::{NodeKind, Tree};
use super::{Document, fast, granit, json};

/// Randomness that shrinks: a document is drawn from a list of numbers, and an exhausted list draws zeros, which
/// stand for the simplest choice.
pub(super) struct Tape<'t>(pub &'t [u16]);

impl Tape<'_> {
    pub(super) fn draw(&mut self, below: usize) -> usize {
        match self.0 {
            [] => 0,
            [first, rest @ ..] => {
                self.0 = rest;
                usize::from(*first) % below.max(1)
            }
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.draw(from.len())]
    }

    fn rarely(&mut self, one_in: usize) -> bool {
        self.draw(one_in) == one_in - 1
    }
}

const WORDS: &[&str] = &[
    "a",
    "name",
    "web-0",
    "true",
    "yes",
    "~",
    "0755",
    "1.5",
    "x y",
    "a:b",
    "http://x/y?z#w",
    "-1",
    "-x",
    "ü",
    "a#b",
    "a\"b",
    "1e3",
    "$(VAR)",
    "a'b",
    "a, b",
    "[x",
    "k: v",
    "- x",
    "#c",
    "*a",
    "&a",
    "!t",
    "|",
    ">",
    "%",
    "@",
    "",
    "a ",
    " a",
    "?",
    "-",
    ":",
    ".",
    "...",
    "---",
    "<<",
    "=",
    "a\tb",
    "日本",
    "a{b}",
    "a]",
    "\\n",
    "''",
];
/// So many of [`WORDS`] are scalars in every style but between brackets.
const SAFE_WORDS: usize = 18;
const KEYS: &[&str] = &[
    "a",
    "name",
    "kagenti.io/type",
    "b c",
    "\"q\"",
    "'s'",
    "0",
    "yes",
    "é",
    "-k",
    "a#b",
    "\"\\x41\"",
    "x:y",
    "<<",
];
const COMMENTS: &[&str] = &["# c", "#", "# a: b", "#\t", "# \"", "#é"];

struct Writer<'t, 'o> {
    tape: Tape<'t>,
    out: &'o mut String,
    anchors: usize,
    /// Nothing but what is surely valid; otherwise few documents would grow large before they break.
    tame: bool,
}

impl Writer<'_, '_> {
    /// One of the choices, in a tame document one of the first `safe`.
    fn choose<'a>(&mut self, from: &[&'a str], safe: usize) -> &'a str {
        let count = if self.tame { safe } else { from.len() };
        self.tape.pick(&from[..count])
    }

    fn write(&mut self, from: &[&str], safe: usize) {
        let text = self.choose(from, safe);
        self.out.push_str(text);
    }

    fn end_line(&mut self) {
        if self.tape.rarely(8) {
            self.out.push_str(self.tape.pick(&[" ", "  "]));
            if self.tape.rarely(2) {
                self.out.push_str(self.tape.pick(COMMENTS));
            }
        }
        self.out.push('\n');
        while self.tape.rarely(10) {
            let indent = self.tape.draw(6);
            self.out.extend(std::iter::repeat_n(' ', indent));
            if self.tape.rarely(2) {
                self.out.push_str(self.tape.pick(COMMENTS));
            }
            self.out.push('\n');
        }
    }

    fn indent(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    fn spaces(&mut self) {
        let count = if self.tape.rarely(8) { self.tape.draw(4) + 1 } else { 1 };
        self.indent(count);
    }

    fn inline_scalar(&mut self) {
        let word = self.choose(WORDS, SAFE_WORDS);
        let text = match self.tape.draw(4) {
            0 | 1 => word.to_owned(),
            2 => format!("'{word}'"),
            _ => {
                let tail = self.choose(
                    &["", "\\n", "\\\"", "\\u00e9", "\\U0001F600", "\\x", "\\ud800", "\\/", "\\ ", "\\q"],
                    5,
                );
                format!("\"{}{tail}\"", word.replace('"', "\\\""))
            }
        };
        self.out.push_str(&text);
    }

    fn flow(&mut self, depth: usize) {
        let mapping = self.tape.rarely(2);
        self.out.push(if mapping { '{' } else { '[' });
        for _ in 0..self.tape.draw(4) {
            if mapping {
                self.write(KEYS, 9);
                self.write(&[": ", " : ", ":", ":\n  "], 2);
            }
            match self.tape.draw(6) {
                5 if depth < 4 => self.flow(depth + 1),
                _ => self.inline_scalar(),
            }
            self.write(&[", ", ",", " ,", ",\n              ", ", # c\n    ", "\n,", ",\t"], 4);
        }
        if self.tape.rarely(3) {
            self.write(&["", "\n", "\n  ", "x"], 1);
        }
        self.out.push(if mapping { '}' } else { ']' });
    }

    fn block_text(&mut self, column: usize) {
        self.write(&["|", ">", "|-", "|+", ">-", ">+", "| # c", "|2", ">1-", "|#", "|x"], 7);
        self.out.push('\n');
        let more = self.tape.draw(4) + usize::from(self.tame || !self.tape.rarely(10));
        let mut first = true;
        for _ in 0..self.tape.draw(5) {
            match self.tape.draw(6) {
                0 => {}
                1 => {
                    let blanks = self.tape.draw(if self.tame { column + more + 1 } else { 8 });
                    self.indent(blanks);
                }
                choice => {
                    let extra = if choice == 2 && !(first && self.tame) { self.tape.draw(3) } else { 0 };
                    first = false;
                    self.indent(column + more + extra);
                    self.write(WORDS, SAFE_WORDS);
                }
            }
            self.out.push('\n');
        }
    }

    fn props(&mut self) {
        match self.tape.draw(12) {
            9 => {
                self.anchors += 1;
                self.out.push_str(&format!("&a{} ", self.anchors));
            }
            10 => self.write(&["!!str ", "!local ", "! ", "!!int "], 4),
            11 => self.out.push_str("&a !!map "),
            _ => {}
        }
    }

    /// What follows `key:` or `-`; ends its line.
    fn value(&mut self, column: usize, in_mapping: bool, depth: usize) {
        let nested = depth < 5 && self.tape.rarely(3);
        if nested && in_mapping {
            if self.tape.rarely(8) {
                self.out.push(' ');
                self.props();
            }
            self.end_line();
            let sequence = self.tape.rarely(2);
            let more = match (sequence, self.tape.draw(8)) {
                (true, 0..=3) => 0,
                (_, 6) => 4,
                (_, 7) => 1,
                _ => 2,
            };
            return self.block(column + more, sequence, depth + 1, true);
        }
        if nested {
            // A compact collection behind the dash.
            let gap = self.tape.draw(3) + 1;
            self.indent(gap);
            let sequence = self.tape.rarely(4);
            return self.block(column + 1 + gap, sequence, depth + 1, false);
        }
        match self.tape.draw(12) {
            8 => {
                self.spaces();
                self.block_text(column);
                return;
            }
            9 | 10 => {
                self.spaces();
                self.props();
                self.flow(0);
            }
            7 if self.anchors > 0 || !self.tame => {
                self.spaces();
                let name = self.tape.draw(self.anchors + 1);
                self.out.push_str(&format!("*a{}", if self.tame { name.max(1) } else { name }));
            }
            11 => {}
            _ => {
                self.spaces();
                self.props();
                self.inline_scalar();
            }
        }
        self.end_line();
    }

    fn block(&mut self, column: usize, sequence: bool, depth: usize, mut own_line: bool) {
        for _ in 0..=self.tape.draw(4) {
            if own_line {
                self.indent(column);
            }
            own_line = true;
            if sequence {
                self.out.push('-');
            } else {
                self.write(KEYS, 9);
                self.out.push(':');
            }
            self.value(column, !sequence, depth);
        }
    }
}

/// A document in one of many styles; most are valid.
pub(super) fn document(tape: &[u16]) -> String {
    let mut out = String::new();
    let mut tape = Tape(tape);
    let tame = tape.draw(3) < 2;
    let mut writer = Writer { tape, out: &mut out, anchors: 0, tame };
    if writer.tape.rarely(8) {
        writer.end_line();
    }
    let sequence = writer.tape.rarely(4);
    writer.block(0, sequence, 0, true);
    let crlf = writer.tape.rarely(6);
    let cut = writer.tape.rarely(6);
    if crlf {
        out = out.replace('\n', "\r\n");
    }
    if cut {
        out.pop();
    }
    out
}

/// Damages a text: bytes that mean something to YAML come, go and change places.
pub(super) fn damage(text: &str, tape: &[u16]) -> String {
    const PIECES: &[&str] = &[
        " ", "\n", "\t", ":", "-", "- ", ": ", "#", " #", "'", "\"", "\\", "|", ">", "[", "]", "{", "}", ",",
        "&a ", "*a", "!t ", "? ", "%", "\r", "\r\n", "---\n", "...\n", "  ", "a", "é", "\u{2028}", "\u{85}",
        "\u{feff}", "\0", "~", "<<: ", "|+\n", "\n\n", "\u{7f}",
    ];
    let mut tape = Tape(tape);
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=tape.draw(4) {
        let at = tape.draw(chars.len() + 1);
        match tape.draw(4) {
            0 if at < chars.len() => {
                chars.remove(at);
            }
            1 if at < chars.len() => {
                let to = (at + tape.draw(12)).min(chars.len());
                chars.drain(at..to);
            }
            2 => {
                let to = (at + tape.draw(12)).min(chars.len());
                let copy: Vec<char> = chars[at..to].to_vec();
                let into = tape.draw(chars.len() + 1);
                chars.splice(into..into, copy);
            }
            _ => {
                chars.splice(at..at, tape.pick(PIECES).chars());
            }
        }
    }
    chars.into_iter().collect()
}

/// Says whether the quick reader took the text.
fn check(text: &str) -> Result<bool, TestCaseError> {
    let mut quick = Tree::default();
    let mut thorough = Tree::default();
    // Texts with characters that only JSON may hold never reach these two.
    if check_characters(text).is_err() {
        return Ok(false);
    }
    let taken = fast::parse(text, &mut quick);
    let verdict = granit::parse(text, &mut thorough);
    if taken {
        prop_assert!(verdict.is_ok(), "taken, but refused by granit: {:?}\n{}", verdict, text);
        prop_assert_eq!(&quick, &thorough, "{}", text);
    }
    if json::looks_like_json(text) {
        let mut as_json = Tree::default();
        let is_json = json::parse(text, &mut as_json);
        prop_assert_eq!(
            is_json,
            serde_json::from_str::<serde_json::Value>(text).is_ok() || is_json && text.contains("\\u")
        );
        if is_json && verdict.is_ok() {
            prop_assert_eq!(&as_json, &thorough, "{}", text);
        }
    }
    if verdict.is_ok() {
        check_tree(text, &thorough)?;
    }
    Ok(taken)
}

/// What every tree promises.
fn check_tree(text: &str, tree: &Tree) -> Result<(), TestCaseError> {
    for (id, node) in tree.nodes.iter().enumerate() {
        prop_assert!(node.props <= node.start && node.start <= node.end, "{:?}\n{}", node, text);
        let source = &text[node.start as usize..node.end as usize];
        match node.kind {
            NodeKind::Alias => prop_assert!(source.starts_with('*')),
            NodeKind::Scalar(super::node::ScalarStyle::SingleQuoted) => {
                prop_assert!(source.len() > 1 && source.starts_with('\'') && source.ends_with('\''))
            }
            NodeKind::Scalar(super::node::ScalarStyle::DoubleQuoted) => {
                prop_assert!(source.len() > 1 && source.starts_with('"') && source.ends_with('"'))
            }
            NodeKind::Scalar(super::node::ScalarStyle::Literal) => prop_assert!(source.starts_with('|')),
            NodeKind::Scalar(super::node::ScalarStyle::Folded) => prop_assert!(source.starts_with('>')),
            _ => {}
        }
        let mut before = node.start;
        for child in tree.children(id as u32) {
            prop_assert!(child as usize > id, "parents come first");
            let child = tree.node(child);
            prop_assert!(
                before <= child.props && child.end <= node.end,
                "{:?} in {:?}\n{}",
                child,
                node,
                text
            );
            before = child.end;
        }
    }
    Ok(())
}

fn cases(default: u32) -> ProptestConfig {
    let cases = option_env_cases().unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

/// `PROPTEST_CASES`, which proptest itself reads into its default configuration.
fn option_env_cases() -> Option<u32> {
    let set = ProptestConfig::default().cases;
    (set != 256).then_some(set)
}

fn tape(longest: usize) -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..longest)
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Breaks if the quick reader takes a text granit refuses, or puts a node anywhere else: an edit would then hit the wrong bytes.
    #[test]
    fn the_quick_reader_agrees_with_granit_on_documents_of_many_styles(tape in tape(400)) {
        check(&document(&tape))?;
    }

    /// As above for damaged documents: what is no YAML must never be read by luck.
    #[test]
    fn the_quick_reader_agrees_with_granit_on_damaged_documents(tape in tape(200), hurt in tape(30)) {
        check(&damage(&document(&tape), &hurt))?;
    }
}

/// Breaks if the quick reader gives up on ordinary manifests, which would make all of them ten times slower to read.
#[test]
fn the_quick_reader_takes_ordinary_manifests() {
    for text in [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: \"x:1\"\n        args: [\"-c\", 'x y']\n        env:\n          - name: A\n            value: 'it''s'\n",
        "\n# c\nkind: ConfigMap\ndata:\n  a.yaml: |\n    x: 1\n\n      y\n  b: >-\n    folded\n    text\n\n  c: |+\n    kept\n\n\n  d:\nother: null\n",
        "a: &x\n  b: 1\nc: *x\nd: &y [1, 2]\ne: !!str 5\nf:\n  - *y\n",
        "a: {\n    b: [1,\n      2], # c\n    \"c\":3\n  }\n",
        "- - a\n  - b\n-\n  c: d\n-\n- e: f\n  g:\n  - h\n",
        "a: 1\r\nb:\r\n  - c\r\nd: |\r\n  x\r\n  y\r\n",
    ] {
        assert!(fast::parse(text, &mut Tree::default()), "{text}");
        assert!(matches!(check(text), Ok(true)), "{text}");
    }
}

/// Breaks if JSON that Kubernetes reads is refused because YAML does not allow it.
#[test]
fn json_is_read_as_json_even_where_it_is_no_yaml() {
    let long = "k".repeat(2000);
    for text in [
        "{\n\t\"a\":\t[1,\n\t\t-25e-1]\n}".to_owned(),
        format!("{{\"{long}\":1}}"),
        "{\"a\"\n:\n1}".to_owned(),
        "{\"a\":\"\u{2028}\u{7f}\\/\\ud83d\\ude00\"}\n".to_owned(),
        "[]".to_owned(),
        " {} ".to_owned(),
    ] {
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(document.to_value().as_ref(), Ok(&value), "{text}");
    }
    for text in [
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1,}",
        "{'a':1}",
        "[1 2]",
        "{\"a\":\"\\q\"}",
        "{} x",
        "[\"\t\"",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "[1e]",
        "[-]",
    ] {
        assert!(!json::parse(text, &mut Tree::default()), "{text}");
    }
}

/// Breaks if the two readers disagree on any of the objects the other tests use.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn the_readers_agree_on_all_test_data() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let mut seen = 0;
    let mut folders = vec![std::path::PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let extension = path.extension().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let texts: Vec<&str> = match extension {
                "jsonl" => text.lines().collect(),
                "json" | "yaml" | "yml" => {
                    super::split(&text).iter().map(|slice| slice.text(&text)).collect()
                }
                _ => continue,
            };
            for text in texts {
                seen += 1;
                if let Err(error) = check(text) {
                    panic!("{}: {error}", path.display());
                }
                if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
                    let document =
                        Document::parse(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    assert_eq!(document.equals(&value), Ok(true), "{}", path.display());
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} texts found under {root}");
}

/// Breaks if the generated documents no longer reach the quick reader, or all do: then the tests above prove nothing.
#[test]
fn generated_documents_reach_both_readers() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut taken, mut left, mut refused, mut nodes) = (0, 0, 0, 0);
    for _ in 0..2000 {
        let Ok(tree) = tape(400).new_tree(&mut runner) else { continue };
        let text = document(&proptest::strategy::ValueTree::current(&tree));
        match (check(&text), Document::parse(&text)) {
            (Ok(true), Ok(document)) => {
                taken += 1;
                nodes += document.tree.nodes.len();
            }
            (Ok(false), Ok(_)) => left += 1,
            (Ok(false), Err(_)) => refused += 1,
            (verdict, _) => panic!("{verdict:?}\n{text}"),
        }
    }
    assert!(
        taken > 900 && left > 100 && refused > 100,
        "{taken} taken, {left} left to granit, {refused} refused"
    );
    assert!(nodes / taken > 9, "{nodes} nodes in {taken} documents");
}
