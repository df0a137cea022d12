//! Kinds by which one of ours may have been meant: the word of a kind in, whether it is worth a look out.

use memchr::memmem;

use crate::api::names::{AGENT_RUNTIME, SKILL_BINDING};
use crate::api::nearest::is_slip_of;

const OURS: [&str; 2] = [AGENT_RUNTIME, SKILL_BINDING];

/// Whether a kind is one of ours, or nearly.
pub(super) fn is_meant(kind: &str) -> bool {
    is_as_long(kind) && OURS.iter().any(|ours| kind == *ours || is_slip_of(kind, ours))
}

/// Whether a kind is about as long as one of ours, which most are not.
pub(super) fn is_as_long(kind: &str) -> bool {
    let length = kind.chars().count();
    OURS.iter().any(|ours| length.abs_diff(ours.len()) <= 2)
}

/// The words after `kind`, in lines of any object, of a text that is not read otherwise.
pub(super) fn kinds(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let after = |at: usize, is_skipped: fn(u8) -> bool| {
        at + bytes[at..].iter().position(|byte| !is_skipped(*byte)).unwrap_or(bytes.len() - at)
    };
    memmem::find_iter(bytes, "kind").filter_map(move |at| {
        let key = after(at + "kind".len(), |byte| matches!(byte, b'"' | b'\''));
        let colon = after(key, |byte| byte.is_ascii_whitespace());
        let word = after(bytes.get(colon).filter(|byte| **byte == b':').map(|_| colon + 1)?, |byte| {
            matches!(byte, b' ' | b'\t' | b'"' | b'\'')
        });
        text.get(word..after(word, |byte| byte.is_ascii_alphanumeric()))
    })
}
