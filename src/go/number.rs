//! Floats as Go's `strconv` prints them. JSON numbers are left to [`super::json`].

/// Go's `strconv.FormatFloat(number, 'g', -1, bits)`, which is also `%v` and `%#v`: the shortest digits that read back at
/// 32 or 64 bits, with an exponent below 1e-4 and from 1e6 on; `NaN`, `+Inf`, `-Inf`.
pub fn format_g(number: f64, bits: u8) -> String {
    let single = number as f32;
    let (value, scientific) = match bits {
        32 => (f64::from(single), format!("{single:e}")),
        _ => (number, format!("{number:e}")),
    };
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..=5 if bits == 32 => single.to_string(),
        -4..=5 => number.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are what `fmt.Sprintf("%v", x)` of go1.26.8 prints, of a float64 and of a float32.
    #[test]
    fn floats_switch_to_an_exponent_where_go_does() {
        let numbers = [
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
            1.5e300,
            -0.0,
            5e-324,
            123456.75,
            f64::NAN,
            f64::NEG_INFINITY,
        ];
        assert_eq!(
            numbers.map(|number| format_g(number, 64)).join(" "),
            "-0.1 1.1 1e-07 0.0001 1.234e-05 100000 999999 1e+06 1.2345675e+06 1e+20 1.5e+300 -0 5e-324 123456.75 NaN -Inf"
        );
        assert_eq!(
            numbers.map(|number| format_g(number, 32)).join(" "),
            "-0.1 1.1 1e-07 0.0001 1.234e-05 100000 999999 1e+06 1.2345675e+06 1e+20 +Inf -0 0 123456.75 NaN -Inf"
        );
    }
}
