//! Single changes and their exact text: replaced, removed, emptied and put back.

use super::*;

fn without(key: &'static str) -> impl FnOnce(&mut Value) {
    move |v| {
        v.as_object_mut().map(|map| map.shift_remove(key));
    }
}

#[test]
fn a_changed_scalar_keeps_its_quotes_and_its_comment() {
    for (before, new, after) in [
        ("a: x # c\n", json!("z"), "a: z # c\n"),
        ("a: x # c\n", json!("yes"), "a: \"yes\" # c\n"),
        ("a: 'x' # c\n", json!("yes"), "a: 'yes' # c\n"),
        ("a: 'x'\n", json!("it's"), "a: 'it''s'\n"),
        ("a: 'x'\n", json!("a\nb"), "a: \"a\\nb\"\n"),
        ("a: \"x\"\n", json!("y"), "a: \"y\"\n"),
        ("a: 1 # c\n", json!(2), "a: 2 # c\n"),
        ("a: \"1\"\n", json!(2), "a: 2\n"),
        ("a: 1\n", json!("1"), "a: \"1\"\n"),
        ("a: # c\n", json!("x"), "a: x # c\n"),
        ("a:\nb: 1\n", json!("x"), "a: x\nb: 1\n"),
        ("a: x\n  y z\nb: 1\n", json!("x"), "a: x\nb: 1\n"),
        ("a: /x # c\n", json!("/x,/y"), "a: /x,/y # c\n"),
        ("a: /x,/y # c\n", json!("/x"), "a: /x # c\n"),
        ("a: /x,\n   /y # c\n", json!("/x, /y,/z"), "a: /x,\n   /y,/z # c\n"),
        ("a: \"\\x2fx\"\n", json!("/x,/y"), "a: \"\\x2fx,/y\"\n"),
        ("{a: /x}", json!("/x,/y"), "{a: \"/x,/y\"}"),
        ("a: x\n", json!(null), "a: null\n"),
        ("a: x", json!(true), "a: true"),
        ("{a: x}", json!("p:q"), "{a: p:q}"),
        ("{a: x}", json!("p q"), "{a: \"p q\"}"),
        ("{a: x}", json!("p: q"), "{a: \"p: q\"}"),
        ("{a: 1}", json!("p:q"), "{a: \"p:q\"}"),
        ("{a: localhost:5000/a@sha256:0f}", json!("r/a:1"), "{a: r/a:1}"),
        ("{a: r/a:1, b: \"c\", d: \"e\"}", json!("s"), "{a: s, b: \"c\", d: \"e\"}"),
        ("{\"a\":\"x\"}", json!("y"), "{\"a\":\"y\"}"),
        ("{\"a\":null}", json!("y"), "{\"a\":\"y\"}"),
        ("a: 5 # c\n", json!({"x": 1}), "a: # c\n  x: 1\n"),
        ("a: 5\nb: 6\n", json!(["x"]), "a:\n- x\nb: 6\n"),
        ("a: 5", json!(["x"]), "a:\n- x"),
        ("a:\n  5\t\nb: 6\n", json!(["x"]), "a:\n- x\nb: 6\n"),
        ("a:\n  5\t# c\nb: 6\n", json!({"x": 1}), "a:\n  # c\n  x: 1\nb: 6\n"),
        ("a:\n  5", json!(["x"]), "a:\n- x"),
        ("a:\n- x\nb: 6\n", json!(7), "a: 7\nb: 6\n"),
        ("a: # c\n- x\nb: 6\n", json!([]), "a: [] # c\nb: 6\n"),
        ("a:\n  # c\n  x: 1\nb: 6\n", json!({}), "a: {}\n  # c\nb: 6\n"),
        ("a:\n- x\nb: 6\n", json!({"z": 1}), "a:\n  z: 1\nb: 6\n"),
        ("a: [x]\n", json!({"z": 1}), "a: {z: 1}\n"),
    ] {
        assert_eq!(changed(before, |v| v["a"] = new), after, "{before:?}");
    }
}

#[test]
fn a_changed_block_scalar_stays_one_where_the_text_permits() {
    for (before, new, after) in [
        ("a: | # c\n  x\n  y\nb: 1\n", "x\nz\n\nw\n", "a: | # c\n  x\n  z\n\n  w\nb: 1\n"),
        ("a: |-\n    x\n\nb: 1\n", "y", "a: |-\n    y\n\nb: 1\n"),
        ("a: |-\n    x\nb: 1\n", "y\nz", "a: |-\n    y\n    z\nb: 1\n"),
        ("a: |\n  x\nb: 1\n", "no break", "a: \"no break\"\nb: 1\n"),
        ("a: | # c\n  x\nb: 1\n", " lead\n", "a: \" lead\\n\" # c\nb: 1\n"),
        ("a: >-\n  x,\n  y\nb: 1\n", "x, y,/z", "a: >-\n  x,\n  y,/z\nb: 1\n"),
        ("a: >-\n  x,\n  y,/z\nb: 1\n", "x, y", "a: >-\n  x,\n  y\nb: 1\n"),
        ("a: > # c\n  x,/z\n\nb: 1\n", "x\n", "a: > # c\n  x\n\nb: 1\n"),
        ("a: >\n  x\n  y\nb: 1\n", "z\n", "a: \"z\\n\"\nb: 1\n"),
        ("a: |+\n  x\n\nb: 1\n", "z\n", "a: \"z\\n\"\n\nb: 1\n"),
        ("a: |\r\n  x\r\nb: 1\r\n", "y\nz\n", "a: |\r\n  y\r\n  z\r\nb: 1\r\n"),
    ] {
        assert_eq!(changed(before, |v| v["a"] = json!(new)), after, "{before:?}");
    }
}

#[test]
fn a_removed_entry_takes_its_lines_and_leaves_the_comments_around_it() {
    for (before, after) in [
        ("x: 1\n# about a\na: 2 # gone\n# about b\nb: 3\n", "x: 1\n# about a\n# about b\nb: 3\n"),
        (
            "a:\n  b:\n  - c # gone\n  # gone too, but outside of the last item: stays\nx: 1\n",
            "  # gone too, but outside of the last item: stays\nx: 1\n",
        ),
        ("x: 1\na: |\n  text\n\n# c\n", "x: 1\n\n# c\n"),
        ("x: 1\na: 2", "x: 1"),
        ("x: 1\r\na: 2\r\n", "x: 1\r\n"),
        ("x: |\n  t\na: 2", "x: |\n  t\n"),
        ("{a: 1, x: 2}", "{x: 2}"),
        ("{x: 2, a: 1}", "{x: 2}"),
        ("{x: 2, a: 1, y: 3}", "{x: 2, y: 3}"),
        ("{\n  x: 2, # two\n  a: 1, # one\n  y: 3\n}", "{\n  x: 2, # two\n  y: 3\n}"),
        ("{\n  x: 2, # two\n  a: 1 # one\n}", "{\n  x: 2 # two\n}"),
        ("{a: 1}", "{}"),
    ] {
        assert_eq!(changed(before, without("a")), after, "{before:?}");
    }
    assert_eq!(changed("- a: 1\n  b: 2\n- c\n", |v| v[0] = json!({"b": 2})), "- b: 2\n- c\n");
    assert_eq!(
        changed("- a: 1\n  # about b\n  b: 2\n", |v| v[0] = json!({"b": 2})),
        "-\n  # about b\n  b: 2\n"
    );
    assert_eq!(changed("- a: 1 # x\n  b: 2\n", |v| v[0] = json!({"c": 3})), "- c: 3\n");
}

#[test]
fn items_come_and_go_with_their_lines() {
    for (before, new, after) in [
        (
            "# all\n- a # one\n# two\n- b\n# end\n",
            json!(["a", "b", "c"]),
            "# all\n- a # one\n# two\n- b\n- c\n# end\n",
        ),
        ("- a # one\n# two\n- b\n", json!(["b"]), "# two\n- b\n"),
        ("- a\n- b\n", json!(["x", "a", "b"]), "- x\n- a\n- b\n"),
        ("- a\n- b\n", json!(["a", "x", "b"]), "- a\n- x\n- b\n"),
        ("- a\n- b", json!(["a", "b", "c"]), "- a\n- b\n- c"),
        ("- a\n- b", json!(["a"]), "- a"),
        ("- a\n- b", json!(["a", "c"]), "- a\n- c"),
        ("- a # 1\n- b # 2\n", json!(["a", "c"]), "- a # 1\n- c # 2\n"),
        (
            "- - a\n  - b\n- - c\n",
            json!([["a", "b", "x"], ["c"], ["d"]]),
            "- - a\n  - b\n  - x\n- - c\n- - d\n",
        ),
        ("- - a\n  - b\n- - c\n", json!([["b"], ["c"]]), "- - b\n- - c\n"),
        ("- - a\n- - c\n", json!([["x", "z"], ["c"]]), "- - x\n  - z\n- - c\n"),
        ("-  a\n-  b\n", json!(["a", "b", {"c": 1, "d": 2}]), "-  a\n-  b\n-  c: 1\n   d: 2\n"),
        ("- |\n  text", json!([{"a": 1}]), "- a: 1"),
        ("- |\n  text", json!(["text", "b", "c"]), "- |-\n  text\n- b\n- c"),
        ("- |\n  text", json!(["text", "b"]), "- |-\n  text\n- b"),
        ("[a, b]", json!(["x", "a", "b", "c"]), "[x, a, b, c]"),
        ("[a, b]", json!(["c", "b"]), "[c, b]"),
        ("[\n  a, # one\n  b # two\n]\n", json!(["a", "b", "c"]), "[\n  a, # one\n  b, # two\n  c\n]\n"),
        ("[\n  a,\n  b,\n]\n", json!(["a", "b", "c"]), "[\n  a,\n  b,\n  c,\n]\n"),
        ("[\n  a,\n  b,\n]\n", json!(["b"]), "[\n  b,\n]\n"),
        ("[\n  a,\n  b\n]\n", json!(["a"]), "[\n  a\n]\n"),
        ("[a,b]", json!(["a", "b", "c"]), "[a,b,c]"),
        ("[a: 1]", json!([{"a": [2]}]), "[a: [2]]"),
        ("[a: ]", json!([{"a": null}, "b"]), "[a: , b]"),
        ("{a: }", json!({"a": null, "b": 1}), "{a: , b: 1}"),
        ("[ a, b ]", json!(["a", "b", {"c": 1}]), "[ a, b, { c: 1 } ]"),
    ] {
        assert_eq!(edited(before, &new), after, "{before:?}");
    }
}

/// A volume whose image changed keeps its place and its comment.
#[test]
fn an_item_of_the_same_name_is_edited_inside() {
    let before = "v:\n- name: a # first\n  image: {reference: r/a}\n- name: b # second\n  image:\n    reference: r/b # pinned\n";
    assert_eq!(
        changed(before, |v| {
            v["v"] =
                json!([{"name": "b", "image": {"reference": "r/c", "pullPolicy": "Always"}}, {"name": "d"}]);
        }),
        "v:\n- name: b # second\n  image:\n    reference: r/c # pinned\n    pullPolicy: Always\n- name: d\n"
    );
}

/// Formatters must not be able to erase anything that we need: nothing is remembered in comments or blanks.
#[test]
fn an_empty_collection_is_filled_without_a_trace_and_without_losing_a_comment() {
    for (before, filled, back) in [
        ("a: []\n", "a:\n- x: 1\n", "a: []\n"),
        ("a: [] # c\n", "a: # c\n- x: 1\n", "a: [] # c\n"),
        ("a:  {}   # c\nb: 1\n", "a:   # c\n- x: 1\nb: 1\n", "a: []   # c\nb: 1\n"),
        ("a: null\n", "a:\n- x: 1\n", "a: []\n"),
        ("a: ~ # c\n", "a: # c\n- x: 1\n", "a: [] # c\n"),
        ("a:\n", "a:\n- x: 1\n", "a: []\n"),
        ("a: # c\n", "a: # c\n- x: 1\n", "a: [] # c\n"),
        ("a:  \nb: 1\n", "a:  \n- x: 1\nb: 1\n", "a: []  \nb: 1\n"),
        ("a: []", "a:\n- x: 1", "a: []"),
        ("a:", "a:\n- x: 1", "a: []"),
        ("a: &x []\nb: 1\n", "a: &x\n- x: 1\nb: 1\n", "a: &x []\nb: 1\n"),
        ("a: &x # c\nb: 1\n", "a: &x # c\n- x: 1\nb: 1\n", "a: &x [] # c\nb: 1\n"),
        ("a: !!seq []\n", "a: !!seq\n- x: 1\n", "a: !!seq []\n"),
        ("a:\n  []\nb: 1\n", "a:\n- x: 1\nb: 1\n", "a: []\nb: 1\n"),
        ("a: # c\n  # d\n  []\nb: 1\n", "a: # c\n  # d\n- x: 1\nb: 1\n", "a: [] # c\n  # d\nb: 1\n"),
        ("a:\n  [] # c\nb: 1\n", "a:\n  # c\n- x: 1\nb: 1\n", "a: []\n  # c\nb: 1\n"),
        ("a: [ # c\n  ]\n", "a: [{x: 1} # c\n  ]\n", "a: [ # c\n  ]\n"),
        ("a: { # c\n  }\n", "a: [{x: 1} # c\n  ]\n", "a: [ # c\n  ]\n"),
        ("a: []\r\nb: 1\r\n", "a:\r\n- x: 1\r\nb: 1\r\n", "a: []\r\nb: 1\r\n"),
        ("{a: []}", "{a: [{x: 1}]}", "{a: []}"),
        ("{a: {}}", "{a: [{x: 1}]}", "{a: []}"),
        ("{a: ~, b: 1}", "{a: [{x: 1}], b: 1}", "{a: [], b: 1}"),
        ("{a: , b: 1}", "{a: [{x: 1}], b: 1}", "{a: [], b: 1}"),
        ("{a: }", "{a: [{x: 1}]}", "{a: []}"),
        ("{a: # c\n }", "{a: [{x: 1}] # c\n }", "{a: [] # c\n }"),
        ("{ a: [ ] }", "{ a: [{ x: 1 }] }", "{ a: [] }"),
        ("{\"a\":[]}", "{\"a\":[{\"x\":1}]}", "{\"a\":[]}"),
        (
            "{\n  \"a\": null\n}\n",
            "{\n  \"a\": [\n    {\n      \"x\": 1\n    }\n  ]\n}\n",
            "{\n  \"a\": []\n}\n",
        ),
    ] {
        assert_eq!(changed(before, |v| v["a"] = json!([{"x": 1}])), filled, "{before:?}");
        assert_eq!(changed(filled, |v| v["a"] = json!([])), back, "{filled:?}");
    }
}

/// A comment that somebody wrote at a key may explain why the value was empty; it stays when the key is removed.
#[test]
fn a_removed_entry_leaves_the_comments_around_its_items() {
    for (before, after) in [
        ("a: # c\n- x\nb: 1\n", "# c\nb: 1\n"),
        ("a: # c\n    # d\n- x: 1 # mine\n# e\n- z: 1\nb: 1\n", "# c\n    # d\n# e\nb: 1\n"),
        ("a: # c\n  l: # d\n    k: v # mine\nb: 1\n", "# c\n# d\nb: 1\n"),
        ("a: &x # c\n- x\nb: 1\n", "# c\nb: 1\n"),
        ("a: [x # c\n  ] # d\nb: 1\n", "# c\n# d\nb: 1\n"),
        ("b: 1\na: # c\n- x", "b: 1\n# c"),
        ("b: 1\r\na: # c\r\n- x\r\n", "b: 1\r\n# c\r\n"),
        ("{b: 1, a: [x # c\n ]}", "{b: 1 # c\n }"),
        ("{a: [x # c\n ], b: 1}", "{ # c\n b: 1}"),
        ("{a: [x # c\n ]}", "{ # c\n }"),
        ("a: { x: 1 }\nb: 1\n", "b: 1\n"),
        ("a: '#x'\nb: 1\n", "b: 1\n"),
    ] {
        assert_eq!(changed(before, without("a")), after, "{before:?}");
    }
    assert_eq!(
        changed("- a: # c\n  - x\n  b: 2\n", |v| v[0] = json!({"b": 2})),
        "-\n  # c\n  b: 2\n",
        "an entry on the line of its dash"
    );
    // What is left has all keys that were wanted, and no trace of the one that was removed.
    assert_eq!(changed("m:\n  a: # c\n  - x\n", |v| v["m"] = json!({})), "m: {}\n  # c\n");
}

/// A reader looks for `metadata` above `spec`, not below hundreds of lines.
/// A comment that stayed as deep as it was would become the last line of the text above.
#[test]
fn a_comment_that_stays_is_no_line_of_the_text_above() {
    for (before, after) in [
        ("a: |\n  x\nb:\n  # why\n  c: 1\nd: 1\n", "a: |\n  x\n# why\nd: 1\n"),
        (
            "a:\n  e:\n  - >\n    x\nb:\n      # why\n      c: 1\nd: 1\n",
            "a:\n  e:\n  - >\n    x\n# why\nd: 1\n",
        ),
        ("a: x\nb:\n  # why\n  c: 1\nd: 1\n", "a: x\n  # why\nd: 1\n"),
    ] {
        assert_eq!(changed(before, without("b")), after, "{before}");
    }
}

#[test]
fn a_new_entry_goes_where_it_is_wanted() {
    let first = |v: &mut Value| {
        let mut map = Map::new();
        map.insert("metadata".to_owned(), json!({"labels": {"a": "b"}}));
        if let Some(old) = v["t"].as_object() {
            map.extend(old.clone());
        }
        v["t"] = Value::Object(map);
    };
    for (before, after) in [
        ("t:\n  spec: 1\n", "t:\n  metadata:\n    labels:\n      a: b\n  spec: 1\n"),
        (
            "t: # t\n  # spec\n  # of it\n  spec: 1\n",
            "t: # t\n  metadata:\n    labels:\n      a: b\n  # spec\n  # of it\n  spec: 1\n",
        ),
        ("t:\r\n  spec: 1\r\n", "t:\r\n  metadata:\r\n    labels:\r\n      a: b\r\n  spec: 1\r\n"),
        ("t: {spec: 1}\n", "t: {metadata: {labels: {a: b}}, spec: 1}\n"),
        ("t:\n  ? spec\n  : 1\n", "t:\n  ? spec\n  : 1\n  metadata:\n    labels:\n      a: b\n"),
    ] {
        assert_eq!(changed(before, first), after, "{before:?}");
        assert_eq!(edited(after, &value(before)), before, "{after:?}");
    }
}

/// Objects of a List that are not asked about must cost no more than a look.
#[test]
fn nodes_are_edited_alone_or_together() {
    let text = "kind: List\nitems:\n- a: 1\n- b: 2 # two\n- c: 3\n";
    let document = read(text);
    let node = |at: usize| match document.find(&["items".into(), at.into()]) {
        Some(node) => node,
        None => panic!("no item {at}"),
    };
    let one = json!({"b": 3, "x": "z"});
    let Ok(splices) = edit_node(&document, node(1), &one) else { panic!() };
    assert_eq!(apply(text, &splices), "kind: List\nitems:\n- a: 1\n- b: 3 # two\n  x: z\n- c: 3\n");
    let (first, last) = (json!({"a": 1, "l": ["z"]}), json!({"c": "d"}));
    let mut editor = Editor::new(&document);
    assert_eq!(editor.set(node(2), &last), Ok(()));
    assert_eq!(editor.set(node(0), &first), Ok(()));
    let Ok(splices) = editor.finish() else { panic!() };
    assert_eq!(apply(text, &splices), "kind: List\nitems:\n- a: 1\n  l:\n  - z\n- b: 2 # two\n- c: d\n");
}

/// `&a{b: c}` is no anchor with a value.
#[test]
fn an_empty_document_is_filled_after_what_stands_before_its_value() {
    for (text, wanted) in [
        ("&a\t", "&a {b: c}\t"),
        ("&a\n", "&a {b: c}\n"),
        ("&a # mine\n", "&a {b: c} # mine\n"),
        ("!!map\n", "!!map {b: c}\n"),
        ("--- &a\n", "--- &a {b: c}\n"),
        ("---\n&a\n", "---\n&a {b: c}\n"),
        ("---\n# mine\n", "--- {b: c}\n# mine\n"),
        ("&a null\n", "&a {b: c}\n"),
        ("~", "{b: c}"),
        ("", "{b: c}"),
    ] {
        let document = read(text);
        let edited = edit(&document, &json!({"b": "c"})).map(|splices| apply(text, &splices));
        assert_eq!(edited.as_deref(), Ok(wanted), "{text:?}");
    }
}

#[test]
fn nothing_to_do_is_no_splice() {
    for text in ["a: 1\n", "a: [1, 2]\n", "<<: {a: 1}\nb: 2\n", "a: &x 1\nb: *x\n", "{\"a\": 1.0}"] {
        assert_eq!(edit(&read(text), &value(text)), Ok(Vec::new()), "{text}");
    }
}

/// A plan of a large object looks at a part of it: what it knows nothing of must stay, whatever happens next to it.
#[test]
fn beside_the_places_that_are_named_everything_stays_also_what_the_wanted_value_lacks() {
    use Place::{Index, Key};
    let text =
        "a: 1 # one\nitems:\n- name: x\n  image: i # mine\n  env: []\n- image: j\n  name: y\nz: {b: c}\n";
    let wanted = json!({"items": [{"name": "x", "mounts": ["m"]}, null], "a": 1, "new": {"k": "v"}});
    let places = [
        vec![Key("items"), Index(0), Key("mounts")],
        vec![Key("items"), Index(0), Key("env")],
        vec![Key("new"), Key("k")],
    ];
    let document = read(text);
    let mut editor = Editor::new(&document);
    editor.set_at(0, &wanted, Some(&places)).unwrap();
    assert_eq!(
        apply(text, &editor.finish().unwrap()),
        "a: 1 # one\nitems:\n- name: x\n  image: i # mine\n  mounts:\n  - m\n- image: j\n  name: y\nz: {b: c}\nnew:\n  k: v\n"
    );
}

/// A plain scalar reads on over blank lines with tabs, which nothing else may have there.
#[test]
fn a_tab_in_a_blank_line_after_a_plain_scalar_bars_no_change() {
    let values = [
        json!("yes"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!({"x": ["y"]}),
        json!("\u{0}"),
        json!(7),
        json!("q\n"),
    ];
    for root in ["v\n\n\t", "v\n\t\n", "v # c\n", "v\n\t# c\n", "--- v\n \t\n", "v\r\n\t\r\n"] {
        for want in &values {
            let after = edited(root, want);
            assert_eq!(value(&after), *want, "{root:?} became {after:?}");
        }
    }
    for text in [
        "a: v\n  \t\nb: w\n",
        "a: v\n  \t# c\nb: w\n",
        "a: v\n \t\n\n \t\t\nb: w\n",
        "a: v\r\n  \t\r\nb: w\r\n",
        "b: w\na: v\n  \t",
        "b: w\na:\n  v\n    \t\n",
        "a: v\n  \t\nb:\n- w\n",
    ] {
        for want in &values {
            let after = changed(text, |value| value["a"] = want.clone());
            assert_eq!(value(&after)["a"], *want, "{text:?} became {after:?}");
            let after = changed(text, |value| value["c"] = want.clone());
            assert_eq!(value(&after)["c"], *want, "{text:?} became {after:?}");
        }
        let after = changed(text, without("a"));
        assert!(
            value(&after).get("a").is_none() && value(&after).get("b").is_some(),
            "{text:?} became {after:?}"
        );
    }
    for text in ["- v\n  \t\n- w\n", "k:\n- v\n  \t\n- w\n", "- a: v\n    \t\n  b: w\n- w\n"] {
        let at = if text.starts_with('k') { "/k" } else { "" };
        for want in &values {
            for index in 0..2 {
                let after = changed(text, |value| value.pointer_mut(at).unwrap()[index] = want.clone());
                assert_eq!(value(&after).pointer(at).unwrap()[index], *want, "{text:?} became {after:?}");
            }
        }
    }
    // What may stay stays.
    assert_eq!(changed("a: v\n  \t\nb: w\n", |value| value["a"] = json!("u")), "a: u\n  \t\nb: w\n");
    assert_eq!(changed("a: v\n  \t\nb: w\n", |value| value["a"] = json!("yes")), "a: \"yes\"\n  \nb: w\n");
}

/// A block scalar may stand no further in than its key; nothing else may.
#[test]
fn a_block_scalar_at_the_column_of_its_key_becomes_anything() {
    let values = [
        json!("q"),
        json!("yes"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!({"x": 1}),
        json!(7),
        json!("a\nb\n"),
    ];
    for text in [
        "m:\n  k:\n  |",
        "m:\n  k:\n  |\n",
        "m:\n  k:\n  >-\n",
        "m:\n  k:\n  | # c\n",
        "m:\n  k: # c\n  |\n  z: 1\n",
        "m:\n  k:\n  |\n    a\n    b\n  z: 1\n",
        "m:\n  k:\r\n  |\r\n  z: 1\r\n",
        "m:\n  k:\n  |\n\n",
    ] {
        let Ok(document) = Document::parse(text) else { panic!("{text:?} cannot be read") };
        assert!(document.to_value().is_ok(), "{text:?}");
        for want in &values {
            let after = changed(text, |value| value["m"]["k"] = want.clone());
            assert_eq!(value(&after)["m"]["k"], *want, "{text:?} became {after:?}");
            assert_eq!(after.contains("# c"), text.contains("# c"), "{text:?} became {after:?}");
        }
    }
    assert_eq!(
        changed("m:\n  k:\n  |\n  z: 1\n", |value| value["m"]["k"] = json!("q")),
        "m:\n  k: \"q\"\n  z: 1\n"
    );
}

/// A comment after `|` is its author's, whatever comes in the place of the text.
#[test]
fn the_comment_of_a_block_scalar_stays() {
    let values =
        [json!("q"), json!([]), json!(["x"]), json!({"x": {"y": 1}}), json!("a\nb\n"), json!("\u{0}")];
    for text in [
        "k: | # c\n  a\n  b\n",
        "k: >- # c\n  a\nz: 1\n",
        "m:\n  k:\n    | # c\n    a\n  z: 1\n",
        "k: |  # c\r\n  a\r\nz: 1\r\n",
        "k: | # c\n\nz: 1\n",
        "k: | # c",
    ] {
        let at = ["/k", "/m/k"].into_iter().find(|at| value(text).pointer(at).is_some()).unwrap();
        for want in &values {
            let after = changed(text, |value| *value.pointer_mut(at).unwrap() = want.clone());
            assert_eq!(value(&after).pointer(at), Some(want), "{text:?} became {after:?}");
            assert!(after.contains("# c"), "{text:?} became {after:?}");
        }
    }
    assert_eq!(changed("k: | # c\n  a\nz: 1\n", |value| value["k"] = json!(["x"])), "k: # c\n- x\nz: 1\n");
}

/// Go reads a comment right after a quote or a bracket, where YAML asks for a blank.
#[test]
fn a_comment_right_after_a_quote_or_a_bracket_stays_one() {
    let values = [
        json!("q"),
        json!("yes"),
        json!(1.5),
        json!(null),
        json!([]),
        json!({}),
        json!(["x", 1.5]),
        json!({"x": ["", null, 1.5]}),
        json!("a\nb\n"),
    ];
    for text in [
        "k: \"v \"# c\n",
        "k: 'v'# c",
        "k: \"v\"# c\nz: 1\n",
        "k: [v]# c\nz: 1\n",
        "k: {v: w}# c\nz: 1\n",
        "k: []# c\r\nz: 1\r\n",
        "k: {}# c\n",
        "k:\n  \"v\"# c\nz: 1\n",
        "k: &a \"v\"# c\nz: 1\n",
        "{k: \"v\"# c\n}\n",
        "{y: 1, k: [v]# c\n, z: 1}\n",
        "- k: \"v\"# c\n  z: 1\n",
        "- z: 1\n- k: 'v'# c\n",
    ] {
        let at = ["/k", "/0/k", "/1/k"].into_iter().find(|at| value(text).pointer(at).is_some()).unwrap();
        for want in &values {
            let after = changed(text, |value| *value.pointer_mut(at).unwrap() = want.clone());
            let meant = value(&after).pointer(at).cloned();
            assert_eq!(meant.as_ref(), Some(want), "{text:?} became {after:?}");
            assert!(after.contains("# c"), "{text:?} became {after:?}");
            let other = |value: &mut Value| {
                let map = value.pointer_mut(at.strip_suffix("/k").unwrap()).unwrap();
                *map = json!({"new": want});
            };
            // With all that was there, its comment may go.
            let after = changed(text, other);
            let mut meant = value(text);
            other(&mut meant);
            assert_eq!(value(&after), meant, "{text:?} became {after:?}");
        }
    }
    for (text, after) in [
        ("- \"v\"# c\n- w\n", "- 1.5 # c\n- w\n"),
        ("[\"v\"# c\n, w]\n", "[1.5 # c\n, w]\n"),
        ("[{a: b}# c\n, w]\n", "[1.5 # c\n, w]\n"),
    ] {
        assert_eq!(changed(text, |value| value[0] = json!(1.5)), after);
    }
}
