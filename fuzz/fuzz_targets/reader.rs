//! Reads any text: no panic, no endless loop, slices that lie in the text in order, and a value that equals itself.
#![no_main]

use kubectl_skills::yaml::{Document, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut end = 0;
    for slice in split(text) {
        assert!(end <= slice.start && slice.start <= slice.end && slice.end <= text.len(), "{slice:?}");
        end = slice.end;
        let Ok(document) = Document::parse(slice.text(text)) else { continue };
        if let Ok(value) = document.to_value() {
            assert_eq!(document.equals(&value), Ok(true), "{value}");
        }
    }
});
