//! The time in the words of the API.

use jiff::Timestamp;

/// Now, as `metav1.Time` writes it: whole seconds.
pub fn seconds() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now, as `metav1.MicroTime` writes it.
pub fn micros() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    /// A time in another shape makes the API server refuse the whole object.
    #[test]
    fn times_have_the_shape_of_the_api() {
        let shape =
            |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
        assert_eq!(shape(&super::seconds()), "0000-00-00T00:00:00Z");
        assert_eq!(shape(&super::micros()), "0000-00-00T00:00:00.000000Z");
    }
}
