//! Go's standard library to the byte, where the operator's or the API server's output depends on it: JSON encoding and
//! decoding, `%q` quoting, the `%v` of values.

pub mod json;
pub mod number;
pub mod quote;
mod quote_table;
pub mod strings;
pub mod value;
