//! What is refused, where the error points, and what of the same kind is done right.

use super::*;

fn reported(error: &EditError) -> String {
    format!("{}:{} {} {}", error.line, error.column, error.path, error.message)
}

/// Appending to the anchored list would silently give the second container the mount, too.
#[test]
fn an_anchored_list_that_is_used_elsewhere_is_not_changed() {
    let text = "a: &m\n- name: x\nb: *m\n";
    let error = refusal(text, |v| v["a"] = json!([{"name": "x"}, {"name": "y"}]));
    assert_eq!(
        reported(&error),
        "1:4 a the value is anchored as &m (line 1) and used elsewhere as *m; changing it would change both places"
    );
    assert_eq!(error.help, "write the value out in place of *m");
    // Nor anything below the anchor, nor by removing it.
    let error = refusal("a: &m\n  b:\n    c: 1\nd: *m\n", |v| v["a"]["b"]["c"] = json!(2));
    assert_eq!((error.line, error.path.as_str()), (3, "a.b.c"));
    let error = refusal("a:\n  b: &m 1\nd: *m\n", |v| {
        v.as_object_mut().map(|map| map.shift_remove("a"));
    });
    assert!(error.message.starts_with("the value is anchored as &m (line 2)"), "{error}");
}

#[test]
fn an_anchor_that_nobody_uses_is_kept_and_its_node_changed() {
    assert_eq!(changed("a: &m\n- x\n", |v| v["a"] = json!(["x", "z"])), "a: &m\n- x\n- z\n");
    assert_eq!(changed("a: &m 1\nb: '*m'\n", |v| v["a"] = json!(2)), "a: &m 2\nb: '*m'\n");
    // An anchor that is set anew below is used only where its alias stands.
    assert_eq!(
        changed("a: &m [1]\nb: &m [2]\nc: *m\n", |v| v["a"] = json!([1, 3])),
        "a: &m [1, 3]\nb: &m [2]\nc: *m\n"
    );
}

#[test]
fn an_alias_is_not_changed() {
    let error = refusal("a: &m\n- x\nb: *m\n", |v| v["b"] = json!(["x", "y"]));
    assert_eq!(
        reported(&error),
        "3:4 b the value is the alias *m; changing it would change the place it stands for"
    );
    assert_eq!(error.help, "write the value out here instead of *m");
    // To remove it is no change of the other place.
    assert_eq!(
        changed("a: &m\n- x\nb: *m\n", |v| {
            v.as_object_mut().map(|map| map.shift_remove("b"));
        }),
        "a: &m\n- x\n"
    );
}

#[test]
fn merged_keys_are_overridden_where_they_are_merged_in() {
    let text = "base: &b\n  x: 1\n  y: 2\nuse:\n  <<: *b\n  z: 3\n";
    let after = changed(text, |v| v["use"]["x"] = json!(5));
    assert_eq!(after, "base: &b\n  x: 1\n  y: 2\nuse:\n  <<: *b\n  z: 3\n  x: 5\n");
    // And the override goes when the merged value is wanted again.
    assert_eq!(changed(&after, |v| v["use"]["x"] = json!(1)), text);
    assert_eq!(
        changed(text, |v| v["use"]["w"] = json!(7)),
        "base: &b\n  x: 1\n  y: 2\nuse:\n  <<: *b\n  z: 3\n  w: 7\n"
    );
}

#[test]
fn merged_keys_cannot_be_removed_nor_overridden_from_above() {
    let error = refusal("base: &b\n  x: 1\nuse:\n  <<: *b\n  z: 3\n", |v| v["use"] = json!({"z": 3}));
    assert_eq!(reported(&error), "4:3 use the key \"x\" cannot be removed: a merge key (`<<`) brings it in");
    let error = refusal("base: &b\n  x: 1\nuse:\n  x: 2\n  <<: *b\n", |v| v["use"]["x"] = json!(9));
    assert_eq!(reported(&error), "4:3 use.x a merge key (`<<`) below the key overrides it");
    let error = refusal("base: &b\n  x: 1\nuse:\n  <<: *b\n  x: 2\n  z: 3\n", |v| v["use"] = json!({"z": 3}));
    assert!(error.message.contains("cannot be removed"), "{error}");
    // The whole mapping can go.
    assert_eq!(
        changed("base: &b\n  x: 1\nuse:\n  <<: *b\n", |v| v["use"] = json!({})),
        "base: &b\n  x: 1\nuse: {}\n"
    );
}

#[test]
fn a_key_that_stands_twice_is_neither_changed_nor_removed_but_disturbs_nobody_else() {
    let text = "a: 1\nb: 2\na: 3\n";
    let error = refusal(text, |v| v["a"] = json!(4));
    assert_eq!(reported(&error), "3:1 a the key stands twice in its mapping");
    let error = refusal(text, |v| *v = json!({"b": 2}));
    assert!(error.message.contains("stands twice"), "{error}");
    assert_eq!(changed(text, |v| v["b"] = json!(5)), "a: 1\nb: 5\na: 3\n");
    assert_eq!(changed(text, |v| v["c"] = json!(5)), "a: 1\nb: 2\na: 3\nc: 5\n");
}

#[test]
fn keys_after_a_question_mark_are_not_changed() {
    let error = refusal("? a\n: 1\nb: 2\n", |v| *v = json!({"b": 2}));
    assert_eq!(reported(&error), "1:3  the key is written after `? ` or without a colon");
    let error = refusal("? a\n:\nb: 2\n", |v| v["a"] = json!({"x": 1}));
    assert_eq!((error.path.as_str(), error.line), ("a", 1));
    assert_eq!(changed("? a\n: 1\nb: 2\n", |v| v["c"] = json!(3)), "? a\n: 1\nb: 2\nc: 3\n");
}

#[test]
fn a_tagged_scalar_is_not_changed() {
    let error = refusal("a: !!str 5\n", |v| v["a"] = json!("6"));
    assert_eq!(reported(&error), "1:4 a the value has the tag !!str, which may not fit another value");
    assert_eq!(error.help, "remove !!str");
    assert_eq!(changed("a: !!map\n  b: 1\n", |v| v["a"]["c"] = json!(2)), "a: !!map\n  b: 1\n  c: 2\n");
}

#[test]
fn a_whole_document_does_not_become_another_kind_of_thing() {
    let error = refusal("a: 1\n", |v| *v = json!([1]));
    assert_eq!(reported(&error), "1:1  the whole document would have to become something else");
}

#[test]
fn a_key_too_long_for_any_reader_is_not_written() {
    let error = refusal("a: 1\n", |v| v["b"] = json!({"k".repeat(1001): 1}));
    assert!(error.message.contains("is longer than 1000 bytes"), "{error}");
}

#[test]
fn an_error_says_where_what_and_how() {
    let error = refusal("a:\n  b: &m 1\nc: *m\n", |v| v["c"] = json!(2));
    assert_eq!(
        error.to_string(),
        "3:4: c: the value is the alias *m; changing it would change the place it stands for (write the value out here instead of *m)"
    );
}

/// An item of a List inside of something shared is as shared as the whole.
#[test]
fn a_node_edited_alone_knows_what_it_lies_in() {
    let text = "a: &m\n- x: 1\nb: *m\n";
    let document = read(text);
    let Some(item) = document.find(&["a".into(), 0.into()]) else { panic!() };
    let result = edit_node(&document, item, &json!({"x": 2}));
    assert!(result.is_err_and(|error| error.message.contains("used elsewhere as *m")));
}

/// What follows a lone carriage return is a new line to YAML, but not to `diff`.
#[test]
fn old_mac_line_breaks_are_not_edited() {
    let error = refusal("a: 1\rb: 2\n", |v| v["c"] = json!(3));
    assert_eq!(reported(&error), "1:5  a carriage return without a line feed breaks the line");
    assert!(!error.is_defect());
}

/// An edit that is carried out rightly or refused with a reason, which is returned; never a defect.
fn done_or_refused(document: &Document<'_>, wanted: &Value) -> Option<EditError> {
    let text = document.text;
    match edit(document, wanted) {
        Ok(splices) => {
            assert_eq!(value(&apply(text, &splices)), *wanted, "{text:?}");
            None
        }
        Err(error) => {
            assert!(!error.is_defect(), "{text:?} towards {wanted}: {error}");
            Some(error)
        }
    }
}

/// What stands after the end of a document nobody reads, and an edit that would let it be read is no defect of ours. Found by
/// the fuzz target `editor`.
#[test]
fn what_nobody_reads_is_named_where_a_change_would_let_it_be_read() {
    let mut refused = 0;
    for text in [
        "\"\n\"\"x\"\"y",
        "\"\n\"[",
        "\"a\nb\" \"c",
        "  a: 1\n b: \"",
        "  - a\n [",
        "[a\n]\"b",
        " []...x::",
        "[]\n...x: [",
        " [] ... [",
        "[]\n... # c\n",
    ] {
        let Ok(document) = Document::parse(text) else { continue };
        for wanted in [json!({"x": {"y": 1}}), json!(["x"]), json!("x"), json!(7), json!({"a": 1, "z": [2]})]
        {
            refused += usize::from(done_or_refused(&document, &wanted).is_some());
        }
    }
    assert!(refused > 0, "nothing was refused");
}

/// What stands after the end of a document nobody reads, but for a control character in the same piece of Go's buffer: an edit
/// that brings one into it is no defect of ours. Found by the fuzz target `editor`.
#[test]
fn a_control_character_that_an_edit_would_bring_near_is_refused() {
    let mut refused = 0;
    for (char, name, bytes) in [('\u{3}', "U+0003", r"\x03"), ('\u{9f}', "U+009F", r"\xc2\x9f")] {
        for length in 380..520 {
            let text = format!("  a: 1\n  # {}\n b: 2\n# not read\n{char}", "x".repeat(length));
            let Ok(document) = Document::parse(&text) else { continue };
            let Ok(mut wanted) = document.to_value() else { continue };
            wanted["a"] = "a longer text, which moves all that follows".into();
            let Some(error) = done_or_refused(&document, &wanted) else { continue };
            refused += 1;
            assert!(error.message.starts_with(&format!("a control character ({name})")), "{error}");
            let advice = format!("sed -i 's/{bytes}//g' FILE");
            assert!(error.help.ends_with(&advice), "{error}");
        }
    }
    assert!(refused > 0, "nothing was refused");
}

/// Go's reader looks for a byte-order mark where its buffer begins, 512 bytes after it began the last time: a mark in a comment
/// is then no part of it, and what follows is no YAML. Found by the fuzz target `editor`.
#[test]
fn a_byte_order_mark_that_an_edit_would_move_is_refused() {
    let comment = |bytes: usize| format!("a: 1\n# {}\n", "x".repeat(bytes));
    let mut refused = 0;
    for bytes in 380..520 {
        let text = format!("{}b:\n  # \u{feff}ng\n  c: 1\nd: 2\n", comment(bytes));
        let Ok(document) = Document::parse(&text) else { continue };
        let Ok(mut wanted) = document.to_value() else { continue };
        wanted["a"] = "a longer text, which moves all that follows".into();
        let Some(error) = done_or_refused(&document, &wanted) else { continue };
        refused += 1;
        assert_eq!((error.line, error.column), (4, 5), "{error}");
        assert!(error.message.starts_with("a byte-order mark"), "{error}");
    }
    assert!(refused > 0, "nothing was refused");
}
