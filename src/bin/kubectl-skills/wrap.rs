//! Lines as wide as a terminal: text in, lines out. Words stay whole where they can; references to images break where
//! people would break them. Widths are those of terminals: two columns for wide characters, none for accents.

use unicode_width::UnicodeWidthChar as _;

/// How far messages are indented where they go on in another line.
pub const HANGING: usize = 4;
/// After these a word may be broken that is longer than its column: parts of references, paths, lists and selectors.
const SEAMS: [char; 7] = ['/', ':', '@', ',', '=', ';', '|'];

/// Columns that a text takes. Colours (`ESC [ ... m`, ours alone: those of others are escaped before) take none.
pub fn width(text: &str) -> usize {
    let mut chars = text.chars();
    let mut columns = 0;
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().take_while(|c| *c != 'm').for_each(drop);
        } else {
            columns += c.width().unwrap_or(0);
        }
    }
    columns
}

/// The longest part of a text that cannot be broken between words or at a seam.
pub fn longest_part(text: &str) -> usize {
    text.split(' ').flat_map(parts).map(width).max().unwrap_or(0)
}

/// A text in lines of at most so many columns; the first has `first` of them. A word goes to the next line whole; one longer
/// than a line is broken after a seam, and where it has none, between any two characters. Never empty; blanks at
/// ends of lines are dropped, those within stay.
pub fn wrap(text: &str, first: usize, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut used, mut room) = (0, first.max(1));
    let columns = columns.max(1);
    for (number, word) in text.split(' ').enumerate() {
        let blank = usize::from(number > 0);
        if used + blank + width(word) <= room {
            push(&mut lines, if blank == 1 { " " } else { "" });
            push(&mut lines, word);
            used += blank + width(word);
            continue;
        }
        if width(word) <= columns && used > 0 {
            lines.push(word.to_owned());
            (used, room) = (width(word), columns);
            continue;
        }
        // Too long for any line: its first parts go where there is room.
        let mut blank = blank;
        for part in parts(word) {
            if used + blank + width(part) <= room {
                push(&mut lines, if blank == 1 { " " } else { "" });
                push(&mut lines, part);
                used += blank + width(part);
            } else {
                for piece in pieces(part, if used == 0 { room } else { columns }) {
                    if used > 0 || lines.len() > 1 || !lines[0].is_empty() {
                        lines.push(String::new());
                        room = columns;
                    }
                    push(&mut lines, piece);
                    used = width(piece);
                }
            }
            blank = 0;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end_matches(' ').len());
    }
    lines
}

/// The same with all lines but the first indented.
pub fn hanging(text: &str, columns: usize, indent: usize) -> String {
    // A terminal so narrow that an indent leaves nothing gets none.
    let indent = if columns > 3 * indent { indent } else { 0 };
    wrap(text, columns, columns - indent).join(&format!("\n{}", " ".repeat(indent)))
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// A word cut after its seams: `ghcr.io/acme/pdf:1` into `ghcr.io/`, `acme/`, `pdf:`, `1`. Seams in a row stay together.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let seam = rest.find(SEAMS).unwrap_or(rest.len());
        let end = rest[seam..].find(|c| !SEAMS.contains(&c)).map_or(rest.len(), |length| seam + length);
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

/// A part cut into pieces of at most so many columns; characters without width stay with the one before them.
fn pieces(part: &str, columns: usize) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut begin, mut used) = (0, 0);
    for (at, c) in part.char_indices() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns && used > 0 && wide > 0 {
            out.push(&part[begin..at]);
            (begin, used) = (at, 0);
        }
        used += wide;
    }
    out.push(&part[begin..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("skill pdf is not mounted", 10, 10), ["skill pdf", "is not", "mounted"]);
        assert_eq!(wrap("skill pdf", 40, 40), ["skill pdf"]);
        assert_eq!(wrap("", 10, 10), [""]);
        assert_eq!(wrap("a  b", 10, 10), ["a  b"]);
        assert_eq!(hanging("note: one two three", 10, 2), "note: one\n  two\n  three");
    }

    /// `ghcr.io/ac` on one line and `me/pdf` on the next is a reference that nobody reads, and one that looks complete.
    #[test]
    fn references_break_at_their_seams() {
        let image = "ghcr.io/acme/skills/forecast:1.4.0@sha256:0123456789abcdef";
        assert_eq!(
            wrap(image, 20, 20),
            ["ghcr.io/acme/skills/", "forecast:1.4.0@", "sha256:", "0123456789abcdef"]
        );
        assert_eq!(
            wrap(&format!("image {image}"), 14, 20),
            ["image ghcr.io/", "acme/skills/", "forecast:1.4.0@", "sha256:", "0123456789abcdef"]
        );
        assert_eq!(longest_part(image), "0123456789abcdef".len());
    }

    /// What fits on the next line is not broken to fill this one.
    #[test]
    fn a_reference_goes_to_the_next_line_whole() {
        assert_eq!(wrap("skill team1/weather", 12, 13), ["skill", "team1/weather"]);
    }

    /// Without seams there is no good place; nothing is lost and nothing is longer than the line.
    #[test]
    fn what_has_no_seam_is_cut_anywhere() {
        assert_eq!(wrap("abcdefghij", 4, 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("x abcdefghij", 4, 4), ["x", "abcd", "efgh", "ij"]);
        assert_eq!(wrap("x", 0, 0), ["x"]);
    }

    /// A Japanese name takes two columns a character, an accent of its own none: counted as characters, columns shift.
    #[test]
    fn widths_are_those_of_a_terminal() {
        assert_eq!((width("日本語"), width("e\u{301}"), width("\u{1b}[31mred\u{1b}[39m")), (6, 1, 3));
        assert_eq!(wrap("日本語 天気", 6, 6), ["日本語", "天気"]);
        assert_eq!(wrap("日本語", 5, 5), ["日本", "語"]);
        assert_eq!(wrap("e\u{301}e\u{301}e\u{301}", 2, 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        // Narrower than one of its characters: one a line, for there is no less.
        assert_eq!(wrap("日本", 1, 1), ["日", "本"]);
    }
}
