//! Generated YAML: documents in many styles, and damaged ones. For the differential tests of the readers, and for the
//! comparison with Go.

/// Randomness that shrinks: a document is drawn from a list of numbers, and an exhausted list draws zeros, which
/// stand for the simplest choice.
pub struct Tape<'t>(pub &'t [u16]);

impl Tape<'_> {
    pub fn draw(&mut self, below: usize) -> usize {
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
            // A compact collection after the dash.
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
pub fn document(tape: &[u16]) -> String {
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
pub fn damage(text: &str, tape: &[u16]) -> String {
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

/// A plain, quoted or block scalar over some lines, in one of the places where one may stand.
pub fn scalar_text(tape: &[u16]) -> String {
    const PLACES: &[(&str, &str)] = &[
        ("a: ", "\nb: c\n"),
        ("- ", "\n- b\n"),
        ("", "\n"),
        ("--- ", ""),
        ("a:\n  ", "\nb: c\n"),
        ("- - ", "\n  - b\n- c\n"),
        ("a:\n- ", "\nb: c\n"),
        ("- k: ", "\n  l: b\n"),
        ("? ", "\n: b\n"),
        ("[", "]\n"),
        ("{a: ", "}\n"),
        ("[b, ", ", c]\n"),
        ("a: !!str ", "\n"),
        ("a: &x ", "\nb: *x\n"),
    ];
    const STYLES: &[(&str, &str)] = &[
        ("", ""),
        ("\"", "\""),
        ("'", "'"),
        ("|\n", ""),
        (">\n", ""),
        ("|-\n", ""),
        (">+\n", ""),
        ("|+ # c\n", ""),
        (">1\n", ""),
        ("|2-\n", ""),
        ("|+3\n", ""),
        ("|#\n", ""),
        (">- \t\n", ""),
    ];
    const ENDS: &[&str] =
        &["\n", "\n", "\n", "\n", "\n\n", "\r\n", "\r", " \n", "\t\n", "\\\n", " ", "\u{85}", "\u{2028}"];
    const PARTS: &[&str] = &[
        "a", "bc", "x y", "0", "", " ", "  ", "\t", " \t", "# c", " # c", "a: b", "- a", "''", "\\\"", "\\n",
        "\\x41", "\\q", "é", ",", "]", "---", "...", ":", "?", "-", "k:", "\\ ", "\\\t", "\u{feff}",
    ];
    let mut tape = Tape(tape);
    let (before, after) = PLACES[tape.draw(PLACES.len())];
    let (open, close) = STYLES[tape.draw(STYLES.len())];
    let mut text = format!("{before}{open}");
    for _ in 0..=tape.draw(5) {
        let indent = tape.draw(6);
        text.extend(std::iter::repeat_n(' ', indent));
        for _ in 0..=tape.draw(3) {
            // The first parts are what most lines hold.
            let among = if tape.rarely(3) { PARTS.len() } else { 5 };
            text.push_str(tape.pick(&PARTS[..among]));
        }
        text.push_str(tape.pick(ENDS));
    }
    text.push_str(close);
    text.push_str(after);
    text
}

/// Block scalars with an indentation indicator below every kind of key, item and property, which it counts from.
pub fn indicators() -> Vec<String> {
    fn nest(before: &str, column: usize, levels: usize, out: &mut Vec<String>) {
        for place in ["k: ", "- ", "? ", "<<: "] {
            for props in ["", "&s ", "!!str ", "&s !!str "] {
                let body = " ".repeat(column + 5);
                out.push(format!("{before}{place}{props}|2\n\n{body}x\n{body} y\n"));
            }
        }
        if levels == 0 {
            return;
        }
        let (same, more) = (" ".repeat(column), " ".repeat(column + 2));
        for compact in ["- ", "? "] {
            nest(&format!("{before}{compact}"), column + 2, levels - 1, out);
        }
        nest(&format!("{before}<<:\n{same}- "), column + 2, levels - 1, out);
        for place in ["k:", "<<:", "-", "?"] {
            for props in ["", " &p", " !t", " &p !t"] {
                nest(&format!("{before}{place}{props}\n{more}"), column + 2, levels - 1, out);
            }
            for props in ["&p", "!t", "!t &p"] {
                nest(&format!("{before}{place}\n{more}{props}\n{more}"), column + 2, levels - 1, out);
            }
        }
    }
    let mut out = Vec::new();
    nest("", 0, 2, &mut out);
    out
}

/// Anything at all, of the characters that mean something.
pub fn any_text(tape: &[u16]) -> String {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "0",
        "é",
        " ",
        " ",
        "  ",
        "\n",
        "\n",
        "\n  ",
        "\n- ",
        ": ",
        ":",
        "- ",
        "-",
        "? ",
        "?",
        "#",
        " #",
        "'",
        "\"",
        "\\",
        "|",
        ">",
        "[",
        "]",
        "{",
        "}",
        ",",
        ", ",
        "&a ",
        "*a",
        "&a",
        "!t ",
        "!!int ",
        "!",
        "<<: ",
        "%",
        "\n%YAML 1.1\n",
        "---",
        "\n---\n",
        "\n...\n",
        "\t",
        "\r",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\0",
        "~",
        "@",
        "`",
        "1.5",
        "yes",
        "\u{7f}",
        "\u{fffe}",
    ];
    let mut tape = Tape(tape);
    (0..=tape.draw(24)).map(|_| tape.pick(PARTS)).collect()
}
