//! Numbers as Go's JSON makes them. Which text is a number is left to `plain`.

use serde_json::Number;

/// The JSON number Go's encoding/json prints for a float, read back: whole numbers of up to 64 bits are integers.
/// `None` for infinities and NaN, which JSON does not have.
pub(super) fn canonical(value: f64) -> Option<Number> {
    if !value.is_finite() {
        return None;
    }
    // Beyond 2^53 Go prints the shortest digits that identify the float, padded with zeros: not its exact value.
    if value.fract() == 0.0 && value.abs() < 2e19 && !(value == 0.0 && value.is_sign_negative()) {
        let mut buffer = ryu_js::Buffer::new();
        let text = buffer.format_finite(value);
        if let Ok(int) = text.parse::<i64>() {
            return Some(int.into());
        }
        if let Ok(int) = text.parse::<u64>() {
            return Some(int.into());
        }
    }
    Number::from_f64(value)
}

/// Whether Go's encoding/json prints the same for both.
pub(super) fn equal(one: &Number, other: &Number) -> bool {
    let canon = |number: &Number| match (number.is_f64(), number.as_f64()) {
        (true, Some(float)) => canonical(float),
        _ => Some(number.clone()),
    };
    match (canon(one), canon(other)) {
        (Some(one), Some(other)) if one.is_f64() && other.is_f64() => {
            one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        (one, other) => one == other,
    }
}
