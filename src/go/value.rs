//! A JSON value in, its print in a field error of the API server out. Texts alone are left to [`super::quote`].
//!
//! Source: `ErrorBody` of k8s.io/apimachinery `util/validation/field` v0.37.2.

use serde_json::Value;

use super::quote::go_quote;

/// Prints a bad value: texts quoted, numbers and booleans as Go's `%v`, all else as Go's `encoding/json`.
pub fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => go_quote(text),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.to_string(),
            None => go_float(number.as_f64().unwrap_or_default()),
        },
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let mut out = String::new();
            push_json(&mut out, value);
            out
        }
    }
}

/// Prints a float as Go's `%v`: the shortest digits that read back, with an exponent below 1e-4 and from 1e6 on.
pub fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(-4..=5) => number.to_string(),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        Err(_) => scientific,
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
                push_text(out, key);
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
        Value::String(text) => push_text(out, text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (None, Some(0.0)) => out.push_str("-0"),
            (None, Some(float)) => out.push_str(ryu_js::Buffer::new().format(float)),
            (integer, _) => out.push_str(&integer.unwrap_or_default().to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

/// serde_json escapes as Go does, but for what Go escapes for the sake of HTML and JavaScript.
fn push_text(out: &mut String, text: &str) {
    for character in Value::from(text).to_string().chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Expected texts are what `fmt.Sprintf("%v", x)` of go1.26.8 prints.
    #[test]
    fn floats_switch_to_an_exponent_where_go_does() {
        let printed = [
            -0.1,
            1.1,
            1e-7,
            0.0001,
            0.00001234,
            100_000.0,
            999_999.0,
            1e6,
            1_234_567.5,
            1e20,
            1e21,
            1.5e300,
            -0.0,
            5e-324,
            123456.75,
        ]
        .map(go_float);
        assert_eq!(
            printed.join(" "),
            "-0.1 1.1 1e-07 0.0001 1.234e-05 100000 999999 1e+06 1.2345675e+06 1e+20 1e+21 1.5e+300 -0 5e-324 123456.75"
        );
    }

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
