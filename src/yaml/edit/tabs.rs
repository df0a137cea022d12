//! Tabs in blank lines after a plain scalar, which read on over them. Before anything else no reader takes them.

use super::{Splice, lines};

/// The splices, with further ones that take the tabs out of the blanks after each: those that a line begins with.
/// `splices` are sorted and do not overlap; so are those that are returned.
pub(super) fn without_tabs(text: &str, splices: &[Splice]) -> Vec<Splice> {
    let mut out: Vec<Splice> = Vec::with_capacity(splices.len());
    for (index, splice) in splices.iter().enumerate() {
        let limit = splices.get(index + 1).map_or(text.len(), |next| next.start);
        let mut begins_line = match splice.text.as_str() {
            "" => lines::start_of_line(text, splice.start) == splice.start,
            new => new.ends_with('\n'),
        };
        out.push(splice.clone());
        let after = &text[splice.end..limit];
        let blank = &after[..after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len()];
        let mut at = splice.end;
        for line in blank.split_inclusive('\n') {
            let indent = line.trim_end_matches(['\r', '\n']);
            if begins_line && indent.contains('\t') {
                push(&mut out, Splice { start: at, end: at + indent.len(), text: indent.replace('\t', "") });
            }
            begins_line = true;
            at += line.len();
        }
    }
    out
}

/// Adds a splice, or lengthens the last one where they meet.
fn push(out: &mut Vec<Splice>, splice: Splice) {
    match out.last_mut() {
        Some(last) if last.end == splice.start => {
            last.end = splice.end;
            last.text.push_str(&splice.text);
        }
        _ => out.push(splice),
    }
}
