//! Documents nobody wrote: random trees in random styles, with random changes. `PROPTEST_CASES` sets how many.

use super::*;
use crate::yaml::edit::generated::{Author, Dice, mapping, tree};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult};

/// All places below a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{}", crate::yaml::path::pointer_key(key)), found);
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
