//! Every rule of the SkillBinding CRD against the validator and the program: one table, `testdata/skill_binding_rules.json`, which
//! `tests/e2e/skill_binding.rs` puts to a real API server. A row is a spec and what the server says against it; with nothing it
//! takes the spec.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use std::collections::BTreeSet;

use kubectl_skills::crd::node::{Node, Shape};
use kubectl_skills::crd::skill_binding::schema;
use kubectl_skills::validate::schema::Validator;
use kubectl_skills::yaml::path::display;
use serde_json::{Value, json};

use crate::program::fed;

fn rows() -> Vec<Value> {
    serde_json::from_str(include_str!("../../testdata/skill_binding_rules.json")).expect("the rows")
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap_or_default()
}

fn object(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding", "metadata": {"name": name}, "spec": spec})
}

/// Word for word: what is said here is what the cluster would say later.
#[test]
fn the_validator_answers_as_the_server() {
    let validator = Validator::of_skill_bindings();
    for row in rows() {
        let report = validator.create(&object("it", &row["spec"]));
        let said: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
        let mut wanted: Vec<&str> =
            ["says", "also"].into_iter().map(|key| text(&row, key)).filter(|says| !says.is_empty()).collect();
        wanted.sort_unstable();
        assert_eq!(said, wanted, "{}", row["spec"]);
        let fields: BTreeSet<String> =
            report.errors.iter().map(|error| display(&error.path).to_string()).collect();
        let wanted: Vec<&str> =
            Some(text(&row, "field")).filter(|field| !field.is_empty()).into_iter().collect();
        assert_eq!(Vec::from_iter(fields), wanted, "{}", row["spec"]);
    }
}

/// A rule that is added to the CRD and to no row would be held by nothing.
#[test]
fn every_rule_and_every_constraint_has_a_row_that_breaks_it() {
    let said: BTreeSet<String> = rows().iter().map(|row| text(row, "says").to_owned()).collect();
    let mut wanted = Vec::new();
    constraints(&schema().child("spec").cloned().expect("a spec"), "spec", &mut wanted);
    assert!(wanted.len() > 50, "{}", wanted.len());
    let open: Vec<&(String, String)> = wanted
        .iter()
        .filter(|(field, words)| {
            !said.iter().any(|says| {
                let (at, rest) = says.split_once(": ").unwrap_or_default();
                without_indexes(at) == *field && rest.contains(words.as_str())
            })
        })
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

fn without_indexes(field: &str) -> String {
    field.replace("[0]", "").replace("[1]", "")
}

/// Each field with words that the server has for what may not be.
fn constraints(node: &Node, field: &str, out: &mut Vec<(String, String)>) {
    let mut add = |words: &str| out.push((field.to_owned(), words.to_owned()));
    node.rules.iter().for_each(|rule| add(&rule.message));
    if !node.values.is_empty() {
        add("Unsupported value");
    }
    if let Some(pattern) = node.pattern {
        add(pattern.text);
    }
    if node.min_length.is_some() {
        add("at least 1 chars");
    }
    if let Some(max) = node.max_length {
        add(&format!("may not be more than {max}"));
    }
    if node.min_items.is_some() {
        add("at least 1 items");
    }
    if let Some(max) = node.max_items {
        add(&format!("at most {max} items"));
    }
    for known in node.fields() {
        let field = format!("{field}.{}", known.name);
        if known.required {
            out.push((field.clone(), "Required value".to_owned()));
        }
        constraints(&known.node, &field, out);
    }
    match &node.shape {
        Shape::Array(items) => constraints(items, field, out),
        Shape::Map(values) => constraints(values, &format!("{field}.a"), out),
        _ => {}
    }
}

/// File, line, field and how to mend it, from every verb; and the rest of a manifest in order.
#[test]
fn the_program_refuses_what_the_server_refuses_and_takes_what_it_takes() {
    let workload = "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n\
                    spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: agent, image: 'i:1'}]}}}\n";
    let mut taken = String::new();
    for (index, row) in rows().iter().enumerate() {
        let says = text(row, "says");
        if says.is_empty() {
            let mut spec = row["spec"].clone();
            if let Some(target) = spec.get_mut("targetRef") {
                target["name"] = format!("web{index}").into();
            }
            taken += &format!("---\n{}\n", object(&format!("b{index}"), &spec));
            continue;
        }
        let input = format!("{}{workload}", object("it", &row["spec"]));
        let reason = says.split_once(": ").expect("a field and a reason").1;
        let words = format!("SkillBinding default/it: {}: {reason} (", text(row, "field"));
        let said = fed(&["validate", "-f", "-"], input.clone());
        assert_eq!(said.code, 1, "{}: {said:?}", row["spec"]);
        assert!(said.stdout.starts_with("-:1:") && said.stdout.contains(&words), "{words}\n{said:?}");
        let said = fed(&["render", "-f", "-"], input);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}: {said:?}", row["spec"]);
        assert!(said.stderr.contains("-:1:") && said.stderr.contains(&words), "{words}\n{said:?}");
    }
    let said = fed(&["validate", "-f", "-", "--pod-template-path", "Flow.example.com=spec.template"], taken);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
}
