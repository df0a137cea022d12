//! A JSON value as the API server prints it in a field error, and its type as Go's decoder names it. Texts alone are left
//! to [`super::quote`].
//!
//! Source: `ErrorBody` of k8s.io/apimachinery `util/validation/field` v0.37.2.

use serde_json::Value;

use super::json::{push_number, push_string};
use super::number::format_g;
use super::quote::go_quote;

/// Prints a bad value: texts quoted, numbers and booleans as Go's `%v`, all else as Go's `encoding/json`.
pub fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => go_quote(text),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.to_string(),
            None => format_g(number.as_f64().unwrap_or_default(), 64),
        },
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let mut out = String::new();
            push_json(&mut out, value);
            out
        }
    }
}

/// A JSON type in the words of Go's decoder.
pub fn json_type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn push_json(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                push_json(out, value);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_json(out, item);
            }
            out.push(']');
        }
        Value::String(text) => push_string(out, text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (None, Some(float)) => push_number(out, float),
            (integer, _) => out.push_str(&integer.unwrap_or_default().to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Expected text is what Go's `json.Marshal` gives.
    #[test]
    fn compound_values_print_as_sorted_json() {
        let value = json!({"b": [1, 1.5, 1e-7, null, true, -0.0, 1e21], "a": "<\u{2028}\"\n\u{1}\u{7f}ä>\u{8}\u{c}", "&": {}});
        assert_eq!(
            go_value(&value),
            "{\"\\u0026\":{},\"a\":\"\\u003c\\u2028\\\"\\n\\u0001\u{7f}ä\\u003e\\b\\f\",\"b\":[1,1.5,1e-7,null,true,-0,1e+21]}"
        );
    }
}
