//! The quick reader and the one for JSON, held against the port of Go's reader on generated documents and damaged ones.

use proptest::prelude::*;

use super::node::{NodeKind, ScalarStyle, Tree};
use super::reader::is_ordinary;
use super::{Document, fast, json, reader};
use texts::{any_text, damage, document, indicators, scalar_text};

#[path = "../../examples/oracle/texts.rs"]
#[expect(unreachable_pub, reason = "a module of an example too")]
mod texts;

/// Says whether the quick reader took the text.
fn check(text: &str) -> Result<bool, TestCaseError> {
    let mut quick = Tree::default();
    let mut thorough = Tree::default();
    let taken = is_ordinary(text) && fast::parse(text, &mut quick);
    let verdict = reader::read(text, &mut thorough);
    if taken {
        prop_assert!(verdict.is_ok(), "taken, but refused by Go: {:?}\n{}", verdict, text);
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

/// Breaks if a text ends the program: slices lie in the text, in order.
fn check_split(text: &str) -> Result<(), TestCaseError> {
    let mut end = 0;
    for slice in super::split(text) {
        prop_assert!(
            end <= slice.start && slice.start <= slice.end && slice.end <= text.len(),
            "{:?}\n{}",
            slice,
            text
        );
        end = slice.end;
    }
    Ok(())
}

/// What every tree promises.
fn check_tree(text: &str, tree: &Tree) -> Result<(), TestCaseError> {
    for (id, node) in tree.nodes().enumerate() {
        prop_assert!(node.props <= node.start && node.start <= node.end, "{:?}\n{}", node, text);
        let source = &text[node.start as usize..node.end as usize];
        match node.kind {
            NodeKind::Alias => prop_assert!(source.starts_with('*')),
            NodeKind::Scalar(ScalarStyle::SingleQuoted) => {
                prop_assert!(source.len() > 1 && source.starts_with('\'') && source.ends_with('\''))
            }
            NodeKind::Scalar(ScalarStyle::DoubleQuoted) => {
                prop_assert!(source.len() > 1 && source.starts_with('"') && source.ends_with('"'))
            }
            NodeKind::Scalar(ScalarStyle::Literal) => prop_assert!(source.starts_with('|')),
            NodeKind::Scalar(ScalarStyle::Folded) => prop_assert!(source.starts_with('>')),
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

/// As below for indentation indicators, which only the port reads, below keys, items and properties that both read.
#[test]
fn the_quick_reader_agrees_with_the_port_on_indentation_indicators() -> Result<(), TestCaseError> {
    for text in indicators() {
        prop_assert!(!check(&text)?, "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Breaks if the quick reader takes a text Go refuses, or puts a node anywhere else: an edit would then hit the wrong bytes.
    #[test]
    fn the_quick_reader_agrees_with_the_port_on_documents_of_many_styles(tape in tape(400)) {
        check(&document(&tape))?;
    }

    /// As above for damaged documents: what is no YAML must never be read by luck.
    #[test]
    fn the_quick_reader_agrees_with_the_port_on_damaged_documents(tape in tape(200), hurt in tape(30)) {
        check(&damage(&document(&tape), &hurt))?;
    }

    /// As above for scalars over some lines, and for anything at all.
    #[test]
    fn the_quick_reader_agrees_with_the_port_on_scalars_and_on_any_text(tape in tape(60)) {
        check(&scalar_text(&tape))?;
        check(&any_text(&tape))?;
        check_split(&any_text(&tape))?;
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
                // Of JSON that is no object Kubernetes reads what is YAML.
                let as_json = serde_json::from_str::<serde_json::Value>(text).ok();
                if let Some(value) = as_json.filter(|value| value.is_object() || !text.contains("\\ud")) {
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
                nodes += document.tree.nodes().len();
            }
            (Ok(false), Ok(_)) => left += 1,
            (Ok(false), Err(_)) => refused += 1,
            (verdict, _) => panic!("{verdict:?}\n{text}"),
        }
    }
    assert!(
        taken > 900 && left > 100 && refused > 100,
        "{taken} taken, {left} left to the port, {refused} refused"
    );
    assert!(nodes / taken > 9, "{nodes} nodes in {taken} documents");
}
