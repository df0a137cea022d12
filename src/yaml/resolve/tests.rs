//! Values alongside what Go made of the same texts, limits, and what is refused on purpose.

use serde_json::{Value, json};

use crate::yaml::resolve::{ALIAS_BUDGET, MAX_VALUE_DEPTH, first_document};
use crate::yaml::{Document, SyntaxError, split};

fn read(text: &str) -> Result<Value, SyntaxError> {
    match split(text).first() {
        None => Ok(Value::Null),
        Some(slice) => {
            let document = Document::parse(slice.text(text))?;
            let value = document.to_value()?;
            assert_eq!(document.equals(&value), Ok(true), "{text:?}");
            Ok(value)
        }
    }
}

fn refused(text: &str) -> String {
    match read(text) {
        Err(error) => error.to_string(),
        Ok(value) => panic!("{text:?} was read as {value}"),
    }
}

/// Breaks if a manifest means something else here than in the cluster it is applied to.
#[test]
fn every_document_has_the_value_go_gives_it() {
    let cases = include_str!("../../../testdata/values/cases.jsonl");
    let mut seen = [0, 0];
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap_or_default();
        let text = case["text"].as_str().unwrap_or_default();
        match (case["json"].as_str(), read(text)) {
            (Some(expected), Ok(value)) => {
                let expected: Value = serde_json::from_str(expected).unwrap_or_default();
                assert_eq!(value, expected, "{text:?}");
                seen[0] += 1;
            }
            (None, Err(_)) => seen[1] += 1,
            // Go reads the beginning of the text and leaves the rest unread.
            (None, Ok(_)) if case["error"] == "trailing" => seen[0] += 1,
            (Some(expected), Err(error)) => panic!("{text:?}: {error}, but Go reads {expected}"),
            (None, Ok(value)) => panic!("{text:?} was read as {value}, but Go says {}", case["error"]),
        }
    }
    assert!(seen[0] > 1400 && seen[1] > 500, "{seen:?}");
}

/// What readers of YAML 1.2 refuse or read otherwise; a manifest means here what the cluster makes of it.
#[test]
fn what_go_reads_otherwise_than_yaml_1_2_is_read_as_go_reads_it() {
    for (text, value) in [
        ("k: |# x\n  a\n", json!({"k": "a\n"})),
        ("k: {a:}\n", json!({"k": {"a:": null}})),
        ("k: [?b: c]\n", json!({"k": [{"b": "c"}]})),
        ("a: b\n\u{feff}c: d\n", json!({"a": "b", "\u{feff}c": "d"})),
        ("k: a\u{2028}l: b\n", json!({"k": "a", "l": "b"})),
        ("k: 'a \u{85} b'\n", json!({"k": "a b"})),
        ("{k: a} b\n", json!({"k": "a"})),
        ("|\nk: a\n", json!("")),
        ("k: 'a'#b\n", json!({"k": "a"})),
        ("%TAG !y! tag:yaml.org,2002:\n---\nk: !y!str 1\n", json!({"k": "1"})),
        ("k: .nan\nk: 1\n", json!({"k": 1})),
        ("a:\tb\n", json!({"a": "b"})),
        ("a: b \t# x\nc: d\n", json!({"a": "b", "c": "d"})),
        ("a: b\n \t# x\nc: d\n", json!({"a": "b", "c": "d"})),
        ("a: \"b\n\tc\"\n", json!({"a": "b c"})),
        ("a: |\n  b\n  \tc\n", json!({"a": "b\n\tc\n"})),
        ("- a\tb\n", json!(["a\tb"])),
    ] {
        assert_eq!(read(text), Ok(value), "{text:?}");
    }
}

/// An indentation indicator counts from the mapping that it is written in, not from the one that it is merged into, and
/// not from an anchor, a tag or an alias.
#[test]
fn indentation_indicators_count_from_the_collection_they_are_written_in() {
    let lines = "|2\n\n         x\n          y\n";
    for (before, value) in [
        ("<<:\n    k: ", json!({"k": "\n   x\n    y\n"})),
        ("<<: &p !t\n    k: &s !!str ", json!({"k": "\n   x\n    y\n"})),
        ("<<:\n    !t &p\n    k: ", json!({"k": "\n   x\n    y\n"})),
        ("<<:\n- z: a\n- k: ", json!({"k": "\n     x\n      y\n", "z": "a"})),
        ("<<:\n  <<:\n    - k: ", json!({"k": "\n x\n  y\n"})),
        ("a: b\n? <<\n:\n    k: ", json!({"a": "b", "k": "\n   x\n    y\n"})),
        ("a: &a\n- &p !t\n  - &s\n   ", json!({"a": [["\n     x\n      y\n"]]})),
        ("- <<: {z: a}\n  ? ", json!([{"\n     x\n      y\n": null, "z": "a"}])),
        ("k: &s !!str ", json!({"k": "\n       x\n        y\n"})),
    ] {
        let text = format!("{before}{lines}");
        assert_eq!(read(&text), Ok(value.clone()), "{text:?}");
        assert_eq!(first_document(&text), Ok(value), "{text:?}");
    }
    let alias = "a: &a\n    k: |2\n         x\nb:\n  <<: *a\n  c: d\n";
    let merged = json!({"a": {"k": "   x\n"}, "b": {"k": "   x\n", "c": "d"}});
    assert_eq!(read(alias), Ok(merged));
}

/// A mapping that is a key is named by Go with what it merges, sorted.
#[test]
fn a_merge_in_a_key_is_named_as_go_decodes_it() {
    for (text, key) in [
        ("? {a: ~, ~: b}\n", r#"{interface {}(nil):"b", "a":interface {}(nil)}"#),
        ("? {10: a, 9: b}\n", r#"{9:"b", 10:"a"}"#),
        ("? <<: {a: b, c: d}\n  a: x\n", r#"{"a":"x", "c":"d"}"#),
        ("? <<: [{a: b}, {a: c, d: ~}]\n", r#"{"a":"b", "d":interface {}(nil)}"#),
        ("a: &a {b: c}\n? <<: *a\n", r#"{"b":"c"}"#),
    ] {
        let words = format!("yaml: invalid map key: map[interface {{}}]interface {{}}{key}");
        assert_eq!(first_document(text), Err(words), "{text:?}");
    }
}

/// Go reads none of these; a manifest that renders here must load there.
#[test]
fn tabs_and_byte_order_marks_that_go_refuses_are_refused_with_their_place() {
    for (text, place) in [
        ("- \tb: c\n", (1, 3)),
        ("-\tb: c\n", (1, 2)),
        ("- a\n- \t\n- b\n", (2, 3)),
        ("- \t# c\n- b\n", (1, 3)),
        ("? key\n:\tv\n", (2, 2)),
        ("a: b\n\t\nc: d\n", (2, 1)),
        ("\ta: b\n", (1, 1)),
        ("\t\na: b\n", (1, 1)),
        ("# c\n \t# d\na: b\n", (2, 2)),
        ("a: \"b\"\n\t\n", (2, 1)),
        ("a: b\n\u{feff}---\nc: d\n", (2, 1)),
        ("%YAML 1.2\n---\na: b\n", (1, 1)),
    ] {
        let found = match split(text).first() {
            Some(slice) => {
                Document::parse(slice.text(text)).map_err(|error| slice.place(error.line, error.column))
            }
            None => panic!("{text:?} has no document"),
        };
        assert_eq!(found.err(), Some(place), "{text:?}");
    }
}

#[test]
fn errors_say_where_what_and_how() {
    for (text, error) in [
        ("a: .nan\n", "1:4: .nan is not a number in JSON; quote it to make it text"),
        ("a: 1\n~: 2\n", "2:1: a key cannot be null; quote it or remove the entry"),
        (
            "a:\n  18446744073709551615: 2\n",
            "2:3: an integer key this large is not read by Kubernetes; quote it",
        ),
        ("? [a]\n: 1\n", "1:3: a key cannot be a mapping or a sequence; keys of objects are strings"),
        ("a: *x\n", "1:4: unknown anchor 'x' referenced; define the anchor before it is used"),
        ("a: &a [*a]\n", "1:8: the value of anchor \"a\" contains itself"),
        ("a: 1\n<<: 2\n", "2:5: a merge key `<<` needs a mapping or a sequence of mappings as its value"),
        ("a: !!int x\n", "1:4: cannot decode !!str `x` as a !!int; change the tag or the value"),
        ("a: !!binary x\n", "1:4: !!binary value contains invalid base64 data; change the tag or the value"),
        (
            "a: \"\\/\"\n",
            "1:5: found unknown escape character; the escape \\/ is JSON, not YAML to Kubernetes; write /",
        ),
        ("a: \"\\q\"\n", "1:5: found unknown escape character; write \\\\q for a backslash and q"),
        (
            "a: \"\\ud83d\\ude00\"\n",
            "1:7: found invalid Unicode character escape code; surrogate pairs are JSON, not YAML to Kubernetes; write \\U0001f600",
        ),
        (
            "a: &a.b 1\n",
            "1:6: did not find expected alphabetic or numeric character; names of anchors consist of letters, digits, - and _",
        ),
        (
            "é: 'ü\0'\n",
            "1:6: control characters are not allowed; remove U+0000 or write it as an escape in double quotes",
        ),
        ("a: b\n- c\n", "2:1: did not find expected key; indent the keys of a mapping alike"),
        ("a:\n  b: c\n d: e\n", "3:2: did not find expected key; indent the keys of a mapping alike"),
        (
            "a: b: c\n",
            "1:5: mapping values are not allowed in this context; a value with `: ` in it needs quotes, and a key must stand on a line of its own",
        ),
        (
            "a: 1\nb\nc: 2\n",
            "2:1: could not find expected ':'; a key ends with `:` and a space, on one line; or indent this line to make it part of the value above",
        ),
        ("a: 'b\nc: d\n", "1:4: found unexpected end of stream; close the quote"),
        (
            "a: [b\nc: d\n",
            "2:2: did not find expected ',' or ']'; put a comma between the items, or close the list with `]`",
        ),
        ("a: @b\n", "1:4: found character that cannot start any token; put the value in quotes"),
        ("a: !t!x b\n", "1:4: found undefined tag handle; declare it with %TAG, or write the tag as !<...>"),
    ] {
        assert_eq!(refused(text), error, "{text:?}");
    }
}

/// Breaks if a small file can take all memory or time.
#[test]
fn alias_bombs_are_refused_before_they_go_off() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(refused(&bomb).ends_with("document contains excessive aliasing; write some values out"));

    // One long text often is as bad as many short ones.
    let long = "x".repeat(1 << 20);
    let aliases = "- *a\n".repeat(ALIAS_BUDGET / long.len());
    assert!(refused(&format!("- &a {long}\n{aliases}")).ends_with("expand to more than 64 MiB"));

    // Comparing must not expand either.
    let document = Document::parse(&bomb);
    assert!(document.is_ok_and(|document| document.equals(&json!({"a0": []})) == Ok(false)));

    // A document without aliases may be as large as it likes, and aliases in moderation are fine.
    let many = "- a\n".repeat(200_000);
    assert_eq!(read(&many).map(|value| value.as_array().map(Vec::len)), Ok(Some(200_000)));
    let shared = format!("- &a {{b: c}}\n{}", "- *a\n".repeat(1000));
    assert_eq!(read(&shared).map(|value| value[1000].clone()), Ok(json!({"b": "c"})));
}

/// Breaks if deep nesting can overflow a stack.
#[test]
fn depth_has_an_end_before_the_stack_has() {
    for deep in [
        format!("{}x{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}x", "- ".repeat(100_000)),
        format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        (0..2_000).fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n"),
    ] {
        assert!(read(&deep).is_err());
    }
    let fine = format!("{}x{}", "[".repeat(200), "]".repeat(200));
    assert!(read(&fine).is_ok());
    // Aliases add up to more depth than the text has.
    let mut chain = "a0: &a0 x\n".to_owned();
    for level in 1..=MAX_VALUE_DEPTH {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(refused(&chain).ends_with("nested deeper than 512 levels"));
}

/// Kubernetes takes the last, and a key of the mapping over a merged one.
#[test]
fn the_last_of_duplicate_keys_counts() {
    let text = "a: 1\nb: {c: 1, \"c\": 2}\n\"\\x61\": 3\nyes: 1\ntrue: 2\n<<: {a: 5}\n- : 1\n"
        .replace("- : 1\n", "");
    let document = Document::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(document.to_value(), Ok(json!({"a": 5, "b": {"c": 2}, "true": 2})));
}

/// Breaks if `equals` is satisfied by less than equality, which would let a wrong edit through.
#[test]
fn equality_is_that_of_the_values() {
    let text = "a: 1\nb: [x, {c: null}]\nd: &d {e: 1.50}\nf: *d\ng:\n  <<: *d\n  h: 1\n";
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let value =
        json!({"a": 1, "b": ["x", {"c": null}], "d": {"e": 1.5}, "f": {"e": 1.5}, "g": {"e": 1.5, "h": 1}});
    assert_eq!(document.to_value().as_ref(), Ok(&value));
    let same = [
        value.clone(),
        // Another order, and 1.0 for 1.
        json!({"g": {"h": 1.0, "e": 1.5}, "f": {"e": 1.5}, "d": {"e": 1.5}, "b": ["x", {"c": null}], "a": 1.0}),
    ];
    for same in same {
        assert_eq!(document.equals(&same), Ok(true), "{same}");
    }
    for (pointer, other) in [
        ("/a", json!(2)),
        ("/a", json!("1")),
        ("/a", Value::Null),
        ("/b", json!(["x"])),
        ("/b", json!(["x", {"c": null}, 1])),
        ("/b/1", json!({})),
        ("/b/1", json!({"c": false})),
        ("/b/1", json!({"c": null, "d": null})),
        ("/d/e", json!(1.25)),
        ("/g", json!({"h": 1})),
        ("/g", json!({"e": 1.5, "h": 1, "i": 1})),
        ("/f", json!([])),
    ] {
        let mut changed = value.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = other;
        }
        assert_eq!(document.equals(&changed), Ok(false), "{changed}");
    }
    // Entries that repeat a key must not pass for entries that are missing.
    let twice = Document::parse("a: 1\na: 2\n").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(twice.equals(&json!({"a": 2})), Ok(true));
    assert_eq!(twice.equals(&json!({"a": 1})), Ok(false));
    assert_eq!(twice.equals(&json!({"a": 1, "b": 2})), Ok(false));
}

#[test]
fn scalars_and_places_are_found_by_path() {
    let text = "é: 1\nspec:\n  skills:\n  - name: \"a\\tb\"\n    run: |2\n        x\n      y\n  yes: 0x10\n";
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let path = |text: &str| crate::yaml::path::parse(text).unwrap_or_default();
    let name = document.find(&path("spec.skills[0].name")).unwrap_or_default();
    assert_eq!(document.scalar_text(name).as_deref(), Ok("a\tb"));
    assert_eq!(document.position(name), (4, 11));
    // The indentation indicator counts from the mapping around it, also when asked for alone.
    let run = document.find(&path("spec.skills[0].run")).unwrap_or_default();
    assert_eq!(document.scalar_text(run).as_deref(), Ok("  x\ny\n"));
    assert_eq!(document.node_value(run), Ok(json!("  x\ny\n")));
    // Keys are found as the object has them.
    let number = document.find(&path("spec.true")).unwrap_or_default();
    assert_eq!((document.source(number), document.node_value(number)), ("0x10", Ok(json!(16))));
    assert_eq!(document.find(&path("spec.yes")), None);
    assert_eq!(document.find(&path("spec.skills[1]")), None);
    let (deepest, steps) = document.deepest(&path("spec.skills[1].name"));
    assert_eq!((document.position(deepest), steps), ((4, 3), 2));
}

#[test]
fn properties_are_named_and_aliases_mean_the_anchor_before() {
    let text = "a: &x !!str\n  b\nc: *x\nd: &x e\nf: *x\n";
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let find = |key: &str| document.find(&[key.into()]).unwrap_or_default();
    assert_eq!((document.anchor(find("a")), document.tag(find("a"))), (Some("x"), Some("!!str")));
    assert_eq!((document.anchor(find("c")), document.tag(find("c"))), (None, None));
    // An alias means the anchor before it, not a later one of the same name.
    assert_eq!(document.to_value(), Ok(json!({"a": "b", "c": "b", "d": "e", "f": "e"})));
}
