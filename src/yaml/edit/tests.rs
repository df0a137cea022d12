use super::*;
use crate::yaml::split;
use serde_json::{Map, json};

pub(crate) mod generated;
mod refused;
mod styles;
mod values;

/// Parses a text of one document.
fn read(text: &str) -> Document<'_> {
    match Document::parse(text) {
        Ok(document) => document,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn value(text: &str) -> Value {
    match read(text).to_value() {
        Ok(value) => value,
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// Edits a text of one document; fails on a refusal.
fn edited(text: &str, desired: &Value) -> String {
    match edit(&read(text), desired) {
        Ok(splices) => apply(text, &splices),
        Err(error) => panic!("{error}\nwanted {desired}\nof\n{text}"),
    }
}

/// Edits by a change to the value.
fn changed(text: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut desired = value(text);
    change(&mut desired);
    edited(text, &desired)
}

fn refusal(text: &str, change: impl FnOnce(&mut Value)) -> EditError {
    let mut desired = value(text);
    change(&mut desired);
    match edit(&read(text), &desired) {
        Ok(splices) => panic!("not refused:\n{}", apply(text, &splices)),
        Err(error) => error,
    }
}
