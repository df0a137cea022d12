//! `make oracle`: reads YAML and writes strings alongside Go. Needs the path of the program built from hack/oracle, which says
//! how sigs.k8s.io/yaml reads a document; prints counts and disagreements, and exits with 1 if there is one.
//!
//! What we read must be what Go reads, value for value; what Go refuses we must refuse. Each text is read as a whole, by
//! the port of Go's reader alone, and document by document, as manifests are read. What we write (through the editor, as
//! key and as value, in block and flow, alongside neighbours of every quoting) must read in Go as the string that was meant.
//!
//! Documents that are JSON objects are compared with `encoding/json`, which Kubernetes tries first.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for developers at the edge of the library: it starts Go and reports"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use kubectl_skills::yaml::resolve::first_document;
use kubectl_skills::yaml::{Document, SyntaxError, apply, edit, split};
use serde_json::{Map, Value, json};

mod texts;

/// Scalars that are drawn at random, alongside the listed ones.
const RANDOM_SCALARS: usize = 20_000;
/// Texts of generated documents, most of them damaged.
const DAMAGED: usize = 39_936;
/// Texts with one scalar over some lines.
const SCALAR_TEXTS: usize = 60_091;
/// Texts of every kind, from another seed: the second argument, or [`RANDOM_SEED`].
const RANDOM: usize = 100_000;
const RANDOM_SEED: u64 = 0x6a09_e667_f3bc_c908;
/// Strings that are drawn at random to be written, alongside the listed ones.
const RANDOM_STRINGS: usize = 5_000;
/// Disagreements that are printed in full.
const SHOWN: usize = 40;

fn main() -> ExitCode {
    let Some(oracle) = std::env::args().nth(1) else {
        eprintln!("oracle: name the program built by `hack/tools.sh go-oracle`");
        return ExitCode::from(2);
    };
    let seed = std::env::args().nth(2).map_or(Ok(RANDOM_SEED), |seed| seed.parse());
    let Ok(seed) = seed else {
        eprintln!("oracle: the seed must be a number");
        return ExitCode::from(2);
    };
    match run(&oracle, seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error}");
            ExitCode::from(4)
        }
    }
}

fn run(oracle: &str, seed: u64) -> Result<bool, String> {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    let mut scalars: BTreeSet<String> = tricky().into_iter().collect();
    while scalars.len() < RANDOM_SCALARS {
        scalars.insert(draw.scalar());
    }
    let scalars: Vec<String> = scalars.iter().flat_map(|scalar| documents_around(scalar)).collect();
    let mut holds = reading(oracle, "scalars in their places", &scalars)?;
    holds &= reading(oracle, "indentation indicators in their places", &texts::indicators())?;
    holds &= reading(oracle, "generated and damaged documents", &draw_texts(&mut draw, DAMAGED, &[damaged]))?;
    holds &= reading(
        oracle,
        "quoted, plain and block scalars",
        &draw_texts(&mut draw, SCALAR_TEXTS, &[texts::scalar_text]),
    )?;
    let kinds = [damaged, texts::scalar_text, damaged_scalar, texts::any_text];
    holds &=
        reading(oracle, &format!("texts of seed {seed}"), &draw_texts(&mut Draw(seed | 1), RANDOM, &kinds))?;
    holds &= writing(oracle, &mut draw)?;
    Ok(holds)
}

// === reading ===

/// As many different texts of the given kinds.
fn draw_texts(draw: &mut Draw, count: usize, kinds: &[fn(&[u16]) -> String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::with_capacity(count);
    while out.len() < count {
        let tape: Vec<u16> = (0..draw.below(200)).map(|_| (draw.next() >> 16) as u16).collect();
        let text = kinds[out.len() % kinds.len()](&tape);
        if seen.insert(text.clone()) {
            out.push(text);
        }
    }
    out
}

/// A generated document, three of four times damaged.
fn damaged(tape: &[u16]) -> String {
    let (hurt, rest) = tape.split_at(tape.len() / 8);
    let text = texts::document(rest);
    if hurt.first().is_none_or(|first| first % 4 == 0) { text } else { texts::damage(&text, hurt) }
}

fn damaged_scalar(tape: &[u16]) -> String {
    let (hurt, rest) = tape.split_at(tape.len() / 4);
    texts::damage(&texts::scalar_text(rest), hurt)
}

/// Reads texts here and in Go, each as a whole and document by document.
fn reading(oracle: &str, what: &str, texts: &[String]) -> Result<bool, String> {
    let mut documents: Vec<&str> = Vec::new();
    for text in texts {
        documents.push(text);
        documents.extend(split(text).iter().map(|slice| slice.text(text)));
    }
    let answers = ask(oracle, &documents)?;
    let mut report = Report::new("read");
    let mut at = 0;
    for text in texts {
        let count = split(text).len();
        let answers = &answers[at..=at + count];
        let slices = &documents[at + 1..=at + count];
        at += 1 + count;
        let whole = first_document(text);
        if let (Err(ours), Err(go)) = (&whole, &answers[0].yaml)
            && ours != go
        {
            report.in_other_words(text, ours, go);
        }
        report.compare(text, whole, &answers[0].yaml);
        for (slice, answer) in slices.iter().zip(&answers[1..]) {
            let go = answer.json.clone().map_or(answer.yaml.clone(), Ok);
            report.compare(slice, read(slice).map_err(|error| error.to_string()), &go);
        }
    }
    println!("{} {what}, read as {} documents", texts.len(), documents.len());
    Ok(report.print())
}

fn read(text: &str) -> Result<Value, SyntaxError> {
    Document::parse(text)?.to_value()
}

/// A scalar as block value, block key, item, in flow as value, key and item, and below an explicit tag.
fn documents_around(scalar: &str) -> Vec<String> {
    vec![
        format!("a: {scalar}\n"),
        format!("{scalar}: a\n"),
        format!("- {scalar}\n- b\n"),
        format!("a: {{b: {scalar}}}\n"),
        format!("[{scalar}, {scalar}]\n"),
        format!("a: !!str {scalar}\n"),
    ]
}

// === writing ===

/// Adds each string as key and as value to documents of different styles, with our editor, and has Go read them.
fn writing(oracle: &str, draw: &mut Draw) -> Result<bool, String> {
    let mut strings: BTreeSet<String> = tricky().into_iter().collect();
    let least = strings.len() + RANDOM_STRINGS;
    while strings.len() < least {
        strings.insert(draw.string());
    }
    let bases = [
        "a: b\n",
        "a: 'b'\n",
        "a: \"b\"\n",
        "'a': b\n",
        "a: {b: c}\n",
        "{a: b}\n",
        "{\"a\":\"b\"}\n",
        "a:\n- b\n",
        "a: [b]\n",
    ];
    let mut report = Report::new("write");
    let mut written = Vec::new();
    let mut wanted = Vec::new();
    for text in &strings {
        for base in bases {
            let document = Document::parse(base).map_err(|error| format!("{base:?}: {error}"))?;
            let before = document.to_value().map_err(|error| format!("{base:?}: {error}"))?;
            for desired in with_string(&before, text) {
                match edit(&document, &desired) {
                    Ok(splices) => {
                        written.push(apply(base, &splices));
                        wanted.push(desired);
                    }
                    // No mapping can hold a key of more than 1000 characters on one line, which is what an edit adds.
                    Err(_) if text.chars().count() > 1000 => report.too_long += 1,
                    Err(error) => report.differs(base, &format!("error: {error}"), &desired.to_string()),
                }
            }
        }
    }
    let texts: Vec<&str> = written.iter().map(String::as_str).collect();
    for ((text, desired), answer) in texts.iter().zip(wanted).zip(&ask(oracle, &texts)?) {
        report.compare(text, Ok(desired), &answer.yaml);
    }
    println!("{} strings in {} documents", strings.len(), written.len());
    Ok(report.print())
}

/// The values that an edit shall reach: the string as value of a new key, in the place of an old value, and as key.
fn with_string(before: &Value, text: &str) -> Vec<Value> {
    let Value::Object(map) = before else { return Vec::new() };
    let mut added = map.clone();
    added.insert("new".into(), json!(text));
    let mut keyed = map.clone();
    keyed.insert(text.into(), json!("x"));
    let mut nested = map.clone();
    match nested.get_mut("a") {
        Some(Value::Array(items)) => items.push(json!(text)),
        Some(Value::Object(inner)) => {
            inner.insert(text.into(), json!(text));
        }
        Some(other) => *other = json!(text),
        None => {}
    }
    [added, keyed, nested]
        .into_iter()
        .filter(|map| map.len() >= before.as_object().map_or(0, Map::len))
        .map(Value::Object)
        .collect()
}

// === Go ===

struct Answer {
    /// As sigs.k8s.io/yaml reads a document.
    yaml: Result<Value, String>,
    /// As encoding/json reads it, if it is a JSON object.
    json: Option<Value>,
}

/// Has the Go program read documents, all in one run.
fn ask(oracle: &str, documents: &[&str]) -> Result<Vec<Answer>, String> {
    let mut child = Command::new(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{oracle}: {error}"))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("no pipes to the Go program".into());
    };
    let lines: Vec<String> = documents.iter().map(|document| json!(document).to_string()).collect();
    // Written by another thread, or both sides would wait for each other once the pipes are full.
    let writer = std::thread::spawn(move || lines.iter().try_for_each(|line| writeln!(stdin, "{line}")));
    let mut answers = Vec::with_capacity(documents.len());
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
        let yaml = match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(with_numbers(answer["value"].take())?),
        };
        let json = answer.get_mut("json").map(|json| with_numbers(json.take())).transpose()?;
        answers.push(Answer { yaml, json });
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let sent = writer.join().map_err(|_| "the writer ended early")?;
    sent.map_err(|error| error.to_string())?;
    if !status.success() || answers.len() != documents.len() {
        return Err(format!(
            "{oracle} gave {} answers to {} documents ({status})",
            answers.len(),
            documents.len()
        ));
    }
    Ok(answers)
}

/// Puts numbers back where the Go program wrote `{"number": "1e+21"}`. Documents here hold no such key of their own.
fn with_numbers(value: Value) -> Result<Value, String> {
    match value {
        Value::Object(map) => {
            if let (1, Some(Value::String(text))) = (map.len(), map.get("number")) {
                return number(text).ok_or_else(|| format!("{text} is no number"));
            }
            let entries = map.into_iter().map(|(key, value)| Ok((key, with_numbers(value)?)));
            Ok(Value::Object(entries.collect::<Result<Map<_, _>, String>>()?))
        }
        Value::Array(items) => {
            Ok(Value::Array(items.into_iter().map(with_numbers).collect::<Result<_, _>>()?))
        }
        other => Ok(other),
    }
}

/// The number that Go wrote, by the standard library: serde_json may be off by the last bit of a float.
fn number(text: &str) -> Option<Value> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(json!(integer));
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Some(json!(integer));
    }
    text.parse::<f64>().ok().map(|float| json!(float))
}

/// Whether two values are the same to JSON: `1000` is `1e3`, keys have no order.
fn same(ours: &Value, go: &Value) -> bool {
    match (ours, go) {
        (Value::Number(a), Value::Number(b)) => {
            if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
                return a == b;
            }
            if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
                return a == b;
            }
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => ours == go,
    }
}

struct Report {
    what: &'static str,
    equal: usize,
    refused: usize,
    too_long: usize,
    different: usize,
    other_words: usize,
}

impl Report {
    fn new(what: &'static str) -> Self {
        Report { what, equal: 0, refused: 0, too_long: 0, different: 0, other_words: 0 }
    }

    fn compare(&mut self, document: &str, ours: Result<Value, String>, go: &Result<Value, String>) {
        let shown = |read: &Result<Value, String>| match read {
            Ok(value) => value.to_string(),
            Err(error) => format!("error: {error}"),
        };
        match (&ours, go) {
            (Ok(value), Ok(go)) if same(value, go) => self.equal += 1,
            (Err(_), Err(_)) => self.refused += 1,
            _ => self.differs(document, &shown(&ours), &shown(go)),
        }
    }

    fn differs(&mut self, document: &str, ours: &str, go: &str) {
        self.different += 1;
        if self.different <= SHOWN {
            println!("{}: {document:?}\n  ours {ours}\n  Go   {go}", self.what);
        }
    }

    fn in_other_words(&mut self, document: &str, ours: &str, go: &str) {
        self.other_words += 1;
        if self.other_words <= SHOWN / 8 {
            println!("words: {document:?}\n  ours {ours}\n  Go   {go}");
        }
    }

    fn print(&self) -> bool {
        println!(
            "{}: {} equal, {} refused by both ({} in other words), {} too long to write, {} differ",
            self.what, self.equal, self.refused, self.other_words, self.too_long, self.different
        );
        self.different == 0
    }
}

// === what is drawn ===

/// Texts on which YAML 1.1, YAML 1.2, Go and people disagree.
fn tricky() -> Vec<String> {
    let words = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".inf", ".nan", "nan", "inf",
        "infinity",
    ];
    let mut out: Vec<String> = Vec::new();
    for word in words {
        let mut capital = word.to_owned();
        if let Some(first) = capital.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        for word in [word.to_owned(), word.to_uppercase(), capital] {
            for sign in ["", "+", "-"] {
                out.push(format!("{sign}{word}"));
            }
            out.push(format!("{word}_"));
            out.push(format!("'{word}'"));
            out.push(format!("\"{word}\""));
        }
    }
    let numbers = [
        "0",
        "00",
        "010",
        "08",
        "0755",
        "0o17",
        "0O17",
        "0x1F",
        "0X1f",
        "0x",
        "0b101",
        "0B1",
        "0b2",
        "1_000",
        "_1",
        "1_",
        "1__0",
        "0x_1",
        "0_7",
        "1e3",
        "1E3",
        "1e+3",
        "1e-3",
        "1e",
        "1.e3",
        "1.",
        ".5",
        ".5e1",
        ".",
        "..",
        "1.5",
        "1_0.5",
        "1.5_0",
        "1e400",
        "1e-400",
        "12e4567",
        "12e03",
        "0e0",
        "0.0",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807.0",
        "123456789012345678901234567890",
        "0x7fffffffffffffff",
        "0xffffffffffffffff",
        "0x10000000000000000",
        "0777777777777777777777",
        "1777777777777777777777",
        "1:30",
        "190:20:30",
        "1:60",
        "1:30.5",
        "0:0",
        "2001-01-01",
        "2001-1-1",
        "2001-01-01T00:00:00Z",
        "2001-12-14 21:59:43.10 -5",
        "2001-13-45",
        "1,000",
        "1/2",
        "3.14.15",
        "1..2",
        "1e1e1",
        "0x1.8p1",
        "0b",
        "0o",
        "0o8",
        "1e+",
        "1E",
        "0.1e",
        "5e-324",
        "1.7976931348623157e308",
        "0.30000000000000004",
        "1e21",
        "1e20",
        "123456789.123456789",
        "0x1e3",
    ];
    for number in numbers {
        for sign in ["", "+", "-", "++", "- "] {
            out.push(format!("{sign}{number}"));
        }
    }
    let others = [
        "=",
        "<<",
        "<",
        ">",
        "|",
        "|-",
        "?",
        "? a",
        "-",
        "--",
        "---",
        "...",
        "- a",
        ":",
        ": a",
        "a:",
        "a: b",
        "a:b",
        "::",
        "#",
        "a #b",
        "a#b",
        " #",
        "%",
        "%YAML",
        "@a",
        "`a",
        "!",
        "!!",
        "!a",
        "!!str",
        "!!int 1",
        "!!binary aGk=",
        "&",
        "&a",
        "&a b",
        "*",
        "*a",
        "'",
        "''",
        "''''",
        "'a''b'",
        "\"",
        "\"\"",
        "\"\\\"\"",
        "{",
        "}",
        "{}",
        "[",
        "]",
        "[]",
        ",",
        "a,b",
        "a, b",
        "{a}",
        "[a]",
        "a]",
        "a}",
        "\\",
        "\\n",
        "\"\\n\"",
        "\"\\x41\"",
        "\"\\u263a\"",
        "\"\\U0001F600\"",
        "\"\\ud83d\\ude00\"",
        "\"\\e\\0\\a\\b\\t\\v\\f\\r\\N\\_\\L\\P\\/\"",
        "\"\\q\"",
        "\"a\\",
        "\u{1}",
        "\u{7f}",
        "\u{85}",
        "a\u{85}b",
        "\u{a0}",
        "\u{ad}",
        "\u{2028}",
        "a\u{2028}b",
        "\u{2029}",
        "\u{feff}",
        "a\u{feff}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{10ffff}",
        "\u{1f600}",
        "ü",
        "日本",
        "\t",
        "a\tb",
        "a\t",
        "\ta",
        " ",
        "  a",
        "a  ",
        "a\nb",
        "\n",
        "a\r\nb",
        "\r",
        "\0",
        "1 2",
        "a b",
        "true false",
        "yes!",
        "no.",
        "on,",
        "/a",
        "a/b:1.0",
        "registry.example/a:1.0",
        "a@sha256:12e4567",
        "-a",
        "-1a",
        "1a",
        "0xg",
        "a-",
        "$",
        "$a",
        "(a)",
        "*.example",
        "a*",
        "é: è",
        "~a",
        "~~",
        "a~",
        "null a",
        "nullnull",
        "Null_",
        "TRUE.",
        ".true",
        ".infinity",
        ".NaN",
        ".Nan",
    ];
    out.extend(others.map(str::to_owned));
    for length in [127, 128, 129, 1000, 1023, 1024, 1025] {
        out.push("k".repeat(length));
        out.push(format!("'{}'", "k".repeat(length)));
    }
    out
}

/// A fixed sequence of numbers (xorshift), so that every run draws the same texts.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit as u64)).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A text such as may stand in a manifest without quotes, or nearly.
    fn scalar(&mut self) -> String {
        let numbers: Vec<char> = "0123456789012345678900..__+-eExXoObaAfF: TZ".chars().collect();
        let words: Vec<char> = "yesnofftrualYESNOFTRUL~.infNaN ".chars().collect();
        let ascii: Vec<char> = (' '..='~').collect();
        let alphabet = match self.below(10) {
            0..=4 => numbers,
            5 | 6 => words,
            7 | 8 => ascii,
            _ => return self.string(),
        };
        let length = 1 + self.below(8);
        let text: String = (0..length).map(|_| self.pick(&alphabet)).collect();
        match self.below(12) {
            0 => format!("'{}'", text.replace('\'', "''")),
            1 => format!("\"{text}\""),
            _ => text,
        }
    }

    /// Any string at all.
    fn string(&mut self) -> String {
        let length = 1 + self.below(10);
        (0..length)
            .map(|_| {
                let code = match self.below(6) {
                    0 | 1 => self.below(0x80),
                    2 => self.below(0x100),
                    3 => self.below(0x3000),
                    4 => 0x2000 + self.below(0x70),
                    _ => self.below(0x11_0000),
                };
                u32::try_from(code).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
            })
            .collect()
    }
}
