//! Trees and texts nobody wrote: bytes in, a random tree and how some author might have written it out. Properties and
//! fuzz targets share it; what is held of the result is left to them.

use serde_json::{Map, Value, json};

use crate::yaml::emit::{self, plain_is_safe, plain_key_is_safe, single_is_safe};

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

pub(crate) fn mapping(dice: &mut Dice<'_>, depth: usize) -> Map<String, Value> {
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
            // Kubernetes' reader takes no tab after a dash.
            let after_dash = self.out.ends_with('-') || self.out.ends_with("- ");
            self.out.push_str(if after_dash && comment.starts_with('\t') { " # why" } else { comment });
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
