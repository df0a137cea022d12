//! Edits any document towards any value: an edit is carried out rightly or refused, never a defect found by its own
//! check; carried out, the text is YAML again, and a second edit finds nothing to do. The text after the first NUL is
//! the program by which the wanted value is made from the document's own.
#![no_main]

use kubectl_skills::yaml::{Document, apply, edit, split};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: &str| {
    let (text, program) = input.split_once('\0').unwrap_or((input, "a"));
    let Some(slice) = split(text).into_iter().next() else { return };
    let Ok(document) = Document::parse(slice.text(text)) else { return };
    let Ok(before) = document.to_value() else { return };
    assert_eq!(edit(&document, &before).map(|splices| splices.len()), Ok(0), "nothing is wanted");

    let mut desired = before;
    let mut program = program.bytes();
    for _ in 0..4 {
        let Some(step) = program.next() else { break };
        change(&mut desired, step, &mut program, 0);
    }
    match edit(&document, &desired) {
        Ok(splices) => {
            let mut end = 0;
            for splice in &splices {
                assert!(end <= splice.start && splice.start <= splice.end, "{splices:?}");
                end = splice.end;
            }
            let edited = apply(document.text, &splices);
            let again = Document::parse(&edited).unwrap_or_else(|error| panic!("{error}: {edited:?}"));
            let meant = again.to_value().unwrap_or_else(|error| panic!("{error}: {edited:?}"));
            // An emptied collection may be put back as its author wrote it: absent, null and empty are one.
            assert_eq!(bare(&meant), bare(&desired), "{edited:?}");
            let rest = edit(&again, &meant).unwrap_or_else(|error| panic!("{error}: {edited:?}"));
            assert!(rest.is_empty(), "{edited:?} towards {meant} needs a second edit: {rest:?}");
        }
        Err(error) => assert!(!error.is_defect(), "{error}: {:?} towards {desired}", document.text),
    }
});

fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: serde_json::Map<String, Value> =
                map.iter().map(|(key, value)| (key.clone(), bare(value))).filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(bare).collect(),
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        other => other.clone(),
    }
}

/// Carries out one step of the program on a value: goes down into a collection, or changes it.
fn change(value: &mut Value, step: u8, program: &mut std::str::Bytes<'_>, depth: u8) {
    let into = step & 1 == 1 && depth < 12;
    let pick = usize::from(step >> 4);
    match value {
        Value::Object(map) if into && !map.is_empty() => {
            let at = pick % map.len();
            if let (Some((_, inner)), Some(step)) = (map.iter_mut().nth(at), program.next()) {
                change(inner, step, program, depth + 1);
            }
        }
        Value::Array(items) if into && !items.is_empty() => {
            let at = pick % items.len();
            if let Some(step) = program.next() {
                change(&mut items[at], step, program, depth + 1);
            }
        }
        Value::Object(map) => match step >> 1 & 3 {
            0 => {
                map.insert(format!("new-{pick}"), content(program));
            }
            1 => {
                map.insert(word(program), content(program));
            }
            2 if !map.is_empty() => {
                let key = map.keys().nth(pick % map.len()).cloned().unwrap_or_default();
                map.shift_remove(&key);
            }
            _ => *value = content(program),
        },
        Value::Array(items) => match step >> 1 & 3 {
            0 => items.push(content(program)),
            1 => items.insert(pick % (items.len() + 1), content(program)),
            2 if !items.is_empty() => {
                items.remove(pick % items.len());
            }
            _ => *value = content(program),
        },
        _ => *value = content(program),
    }
}

fn content(program: &mut std::str::Bytes<'_>) -> Value {
    match program.next().unwrap_or_default() % 8 {
        0 => json!({"name": word(program), "image": {"reference": word(program)}}),
        1 => json!({"name": word(program), "mountPath": word(program), "readOnly": true}),
        2 => json!([word(program), null, 1.5]),
        3 => json!([]),
        4 => json!({}),
        5 => json!(word(program).len()),
        6 => Value::Null,
        _ => json!(word(program)),
    }
}

/// A text of the program's next bytes.
fn word(program: &mut std::str::Bytes<'_>) -> String {
    let length = usize::from(program.next().unwrap_or_default() % 8);
    let bytes: Vec<u8> = program.take(length).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
