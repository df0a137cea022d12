//! Regular expressions that people write about names: each describes the whole text, in linear time and bounded memory.

use regex::{Error, Regex, RegexBuilder};

/// Most bytes of a compiled expression.
const BYTES: usize = 1 << 20;

/// An expression that matches a text as a whole. Go's matcher, which cosign uses, finds one anywhere.
///
/// # Errors
/// It is none by itself, or too large.
pub(super) fn whole(text: &str) -> Result<Regex, Error> {
    // Alone first: two halves such as `a)|(b` would be none of their own.
    Regex::new(text)?;
    RegexBuilder::new(&format!("^(?:{text})$")).size_limit(BYTES).build()
}
