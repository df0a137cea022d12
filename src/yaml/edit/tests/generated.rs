//! Documents nobody wrote: random trees in random styles, with random changes. `PROPTEST_CASES` sets how many.

use super::*;
use crate::yaml::emit::{self, plain_is_safe, plain_key_is_safe, single_is_safe};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult};

/// Decisions, read from bytes so that a failing case shrinks; at the end of the bytes every answer is the first one.
pub(crate) struct Dice<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
}

impl Dice<'_> {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % sides
    }

    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == sides - 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

const KEYS: [&str; 14] = [
    "name",
    "spec",
    "labels",
    "app.kubernetes.io/name",
    "volumes",
    "mountPath",
    "yes",
    "1",
    "a b",
    "täg",
    "metadata",
    "k: v",
    "#k",
    "",
];
const TEXTS: [&str; 22] = [
    "agent",
    "cache",
    "12e4567",
    "yes",
    "null",
    "",
    "1_000",
    "ghcr.io/a/b:v1",
    "two words",
    " lead",
    "it's",
    "a\"b",
    "größe 日本 🌦",
    "a: b",
    "a #b",
    "line one\nline two\n",
    "no end\nof it",
    "- x",
    "[\"a\",\"b\"]",
    "a\tb",
    "/app/skills",
    "\u{85}\u{2028}",
];

fn scalar(dice: &mut Dice<'_>) -> Value {
    match dice.roll(8) {
        0..=4 => json!(dice.pick(&TEXTS)),
        5 => json!(dice.roll(9000)),
        6 => json!(dice.one_in(2)),
        _ => Value::Null,
    }
}

pub(crate) fn tree(dice: &mut Dice<'_>, depth: usize) -> Value {
    match dice.roll(if depth == 0 { 3 } else { 9 }) {
        0..=2 => scalar(dice),
        3..=6 => Value::Object(mapping(dice, depth)),
        _ => {
            let count = dice.roll(4);
            let named = dice.one_in(2);
            (0..count)
                .map(|at| match named {
                    true => {
                        let mut map = mapping(dice, depth - 1);
                        map.insert("name".to_owned(), json!(format!("item-{at}")));
                        Value::Object(map)
                    }
                    false => tree(dice, depth - 1),
                })
                .collect()
        }
    }
}

fn mapping(dice: &mut Dice<'_>, depth: usize) -> Map<String, Value> {
    let count = dice.roll(4);
    (0..count).map(|_| (dice.pick(&KEYS).to_owned(), tree(dice, depth.saturating_sub(1)))).collect()
}

/// Writes a tree as some author might have.
pub(crate) struct Author<'d, 'b> {
    dice: &'d mut Dice<'b>,
    out: String,
    step: usize,
    offset: usize,
    dash: usize,
    comments: bool,
}

impl Author<'_, '_> {
    pub(crate) fn write(dice: &mut Dice<'_>, value: &Value) -> String {
        let json = dice.one_in(6);
        let (step, offset, dash) = (dice.pick(&[2, 4, 3, 1]), dice.roll(3), dice.pick(&[2, 4, 3]));
        let comments = dice.one_in(2);
        let mut author = Author { dice, out: String::new(), step, offset, dash, comments };
        if json {
            let text = match author.dice.roll(2) {
                0 => serde_json::to_string(value),
                _ => serde_json::to_string_pretty(value),
            };
            author.out = text.unwrap_or_default().replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028");
        } else {
            author.trivia(0);
            author.block(value, 0, true);
        }
        if !author.out.ends_with('\n') {
            author.out.push('\n');
        }
        let ends_in_block = author.out.ends_with("\n\n");
        if author.dice.one_in(4) && !ends_in_block {
            author.out.pop();
        }
        if author.dice.one_in(4) {
            author.out = author.out.replace('\n', "\r\n");
        }
        author.out
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    fn trivia(&mut self, column: usize) {
        if self.comments && self.dice.one_in(5) {
            self.spaces(column);
            self.out.push_str(self.dice.pick(&["# note\n", "\n", "# - commented: out\n", "#\ttab # hash\n"]));
        }
    }

    fn end_line(&mut self) {
        if self.comments && self.dice.one_in(6) {
            let comment = self.dice.pick(&[" # why", "\t# tab", "   # \"quoted\" it's", "  "]);
            // Kubernetes' reader takes no tab behind a dash.
            let behind_dash = self.out.ends_with('-') || self.out.ends_with("- ");
            self.out.push_str(if behind_dash && comment.starts_with('\t') { " # why" } else { comment });
        }
        self.out.push('\n');
    }

    fn text(&mut self, text: &str, flow: bool, key: bool) {
        let plain = if key { plain_key_is_safe(text, flow) } else { plain_is_safe(text, flow) };
        match self.dice.roll(4) {
            0 | 1 if plain => self.out.push_str(text),
            2 if single_is_safe(text) => emit::single_quoted(&mut self.out, text),
            _ => emit::double_quoted(&mut self.out, text),
        }
    }

    /// A value on the line of its key or dash.
    fn inline(&mut self, value: &Value, flow: bool) {
        match value {
            Value::String(text) => self.text(text, flow, false),
            Value::Null if !flow && self.dice.one_in(3) => {
                while self.out.ends_with(' ') {
                    self.out.pop();
                }
            }
            Value::Null => {
                let null = self.dice.pick(&["null", "~", "Null"]);
                self.out.push_str(null);
            }
            Value::Object(map) => {
                let pad = self.dice.one_in(3) && !map.is_empty();
                self.out.push_str(if pad { "{ " } else { "{" });
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    self.text(key, true, true);
                    self.out.push_str(": ");
                    self.inline(value, true);
                }
                self.out.push_str(if pad { " }" } else { "}" });
            }
            Value::Array(items) => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    self.inline(item, true);
                }
                self.out.push(']');
            }
            other => self.out.push_str(&other.to_string()),
        }
    }

    /// A literal block scalar, if the text is fit for one.
    fn literal(&mut self, text: &str, column: usize) -> bool {
        let (header, content) = match text.strip_suffix('\n') {
            Some(content) => ("|", content),
            None => ("|-", text),
        };
        let fit = content.contains('\n')
            && !content.starts_with([' ', '\n'])
            && content.split('\n').all(single_is_safe);
        if !fit || self.dice.one_in(3) {
            return false;
        }
        self.out.push_str(header);
        for line in content.split('\n') {
            self.out.push('\n');
            self.spaces(column);
            self.out.push_str(line);
        }
        self.out.push('\n');
        true
    }

    /// Lines from `column` on; the first line's indent stands there unless `indent`.
    fn block(&mut self, value: &Value, column: usize, indent: bool) {
        let flow = (column > 0 && self.dice.one_in(6)) || is_empty_or_scalar(value);
        match value {
            Value::Object(map) if !flow => {
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 || indent {
                        self.trivia(column);
                        self.spaces(column);
                    }
                    self.text(key, false, true);
                    self.out.push(':');
                    if let Value::String(text) = value {
                        self.out.push(' ');
                        if self.literal(text, column + self.step) {
                            continue;
                        }
                        self.text(text, false, false);
                        self.end_line();
                        continue;
                    }
                    if is_empty_or_scalar(value) || self.dice.one_in(8) {
                        self.out.push(' ');
                        self.inline(value, false);
                        self.end_line();
                        continue;
                    }
                    self.end_line();
                    let below = column + if value.is_array() { self.offset } else { self.step };
                    self.trivia(below);
                    self.block_below(value, below);
                }
            }
            Value::Array(items) if !flow => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 || indent {
                        self.trivia(column);
                        self.spaces(column);
                    }
                    self.out.push('-');
                    if is_empty_or_scalar(item) || self.dice.one_in(8) {
                        self.out.push(' ');
                        self.inline(item, false);
                        self.end_line();
                    } else if self.dice.one_in(8) {
                        self.end_line();
                        self.block_below(item, column + self.dash);
                    } else {
                        self.spaces(self.dash - 1);
                        self.block_from(item, column + self.dash);
                    }
                }
            }
            _ => {
                if indent {
                    // Flow must stand right of the key above it.
                    self.spaces(column + 1);
                }
                self.inline(value, false);
                self.end_line();
            }
        }
    }

    fn block_below(&mut self, value: &Value, column: usize) {
        self.block(value, column, true);
    }

    fn block_from(&mut self, value: &Value, column: usize) {
        self.block(value, column, false);
    }
}

fn is_empty_or_scalar(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// All places below a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Whether all list items on the way to a place have a name of their own. Only then is it certain which item changed:
/// of `[{}, {}]` and `[{a: 1}, {}, {a: 1}]` nobody can tell.
fn is_named(value: &Value, at: &str) -> bool {
    let mut here = value;
    at.split('/').skip(1).all(|step| {
        let name = step.replace("~1", "/").replace("~0", "~");
        let (named, next) = match here {
            Value::Array(items) => {
                let item =
                    name.parse::<usize>().ok().and_then(|index| items.get(index)).unwrap_or(&Value::Null);
                let same = items.iter().filter(|other| other["name"] == item["name"]).count();
                (item["name"].is_string() && same == 1, item)
            }
            other => (true, &other[name.as_str()]),
        };
        here = next;
        named
    })
}

/// Changes some places; `adding`: only adds keys and items and fills what is empty.
fn change(dice: &mut Dice<'_>, value: &mut Value, adding: bool) {
    for _ in 0..=dice.roll(6) {
        let mut all = Vec::new();
        places(value, "", &mut all);
        let at = all[dice.roll(all.len())].clone();
        if adding && !is_named(value, &at) {
            continue;
        }
        let below = tree(dice, 2);
        let in_mapping =
            at.rsplit_once('/').and_then(|(parent, _)| value.pointer(parent)).is_some_and(Value::is_object);
        let Some(place) = value.pointer_mut(&at) else { continue };
        let roll = dice.roll(if adding { 2 } else { 6 });
        match (place, roll) {
            (Value::Object(map), 0 | 1) => {
                let key = format!("{}{}", dice.pick(&["new-", "kagenti.io/", "x y"]), map.len());
                map.entry(key).or_insert(below);
            }
            (Value::Array(items), 0 | 1) => {
                let index = if adding { items.len() } else { dice.roll(items.len() + 1) };
                items.insert(index, below);
            }
            (place @ Value::Null, 0 | 1) if in_mapping => {
                *place = if dice.one_in(2) { json!([below]) } else { json!({"filled": below}) };
            }
            (Value::Object(map), 2 | 3) if !map.is_empty() => {
                let index = dice.roll(map.len());
                let key = map.keys().nth(index).cloned().unwrap_or_default();
                map.shift_remove(&key);
            }
            (Value::Array(items), 2 | 3) if !items.is_empty() => {
                let index = dice.roll(items.len());
                items.remove(index);
            }
            (place, 4 | 5) if !adding && !at.is_empty() => *place = below,
            _ => {}
        }
    }
}

/// Absent, null and empty are one: what a restore may make of the wanted value.
pub(crate) fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), bare(value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Whether something empty of the one is filled in the other.
fn fills(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if !old.is_empty() => {
            old.iter().any(|(key, old)| fills(old, &new[key]))
        }
        (Value::Array(old), Value::Array(new)) if !old.is_empty() => {
            old.iter().zip(new).any(|(old, new)| fills(old, new))
        }
        _ => before != after,
    }
}

/// How often each comment that an author writes stands in a text.
fn comments(text: &str) -> Vec<usize> {
    ["# why", "# tab", "# \"quoted\" it's", "# note", "# - commented: out", "#\ttab # hash"]
        .map(|comment| text.matches(comment).count())
        .to_vec()
}

fn check(bytes: &[u8]) -> TestCaseResult {
    let mut dice = Dice { bytes, at: 0 };
    let mut root = mapping(&mut dice, 4);
    root.entry("kind").or_insert(json!("List"));
    let root = Value::Object(root);
    let text = Author::write(&mut dice, &root);
    let Ok(document) = Document::parse(&text) else {
        return Err(TestCaseError::fail(format!("the author wrote nonsense:\n{text}")));
    };
    let before = document.to_value().map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    let adding = dice.one_in(2);
    let mut desired = before.clone();
    change(&mut dice, &mut desired, adding);

    let splices = edit(&document, &desired)
        .map_err(|error| TestCaseError::fail(format!("{error}\nwanted {desired}\nof\n{text}")))?;
    let after = apply(&text, &splices);
    // Text edit == tree edit.
    prop_assert_eq!(&value(&after), &desired, "\nof\n{}\ngot\n{}", text, after);
    // A second run finds nothing.
    prop_assert_eq!(edit(&read(&after), &desired), Ok(Vec::new()), "\nof\n{}", after);
    // No lone break in a text with CRLF.
    if text.contains("\r\n") {
        prop_assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "\n{:?}", after);
    }
    if before == desired {
        prop_assert!(splices.is_empty());
    }
    let back = edited(&after, &before);
    if adding {
        // Only what is empty is replaced, and `|` at an end without a break.
        let replaced: Vec<&str> = splices
            .iter()
            .map(|splice| text[splice.start..splice.end].trim())
            .filter(|old| !old.is_empty())
            .collect();
        prop_assert!(
            replaced.iter().all(|old| ["null", "~", "Null", "[]", "{}"].contains(old)),
            "replaced {:?}\nof\n{}\ngot\n{}",
            replaced,
            text,
            after
        );
        prop_assert_eq!(comments(&after), comments(&text), "\nof\n{}\ngot\n{}", text, after);
        prop_assert_eq!(comments(&back), comments(&text), "\nthrough\n{}\nback\n{}", after, back);
        if !fills(&before, &desired) {
            prop_assert_eq!(&back, &text, "\nthrough\n{}", after);
        }
    }
    prop_assert_eq!(value(&back), before, "\nthrough\n{}\nback\n{}", after, back);
    Ok(())
}

pub(crate) fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 500;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_edit_of_the_text_is_an_edit_of_the_tree_and_can_be_taken_back(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }
}
