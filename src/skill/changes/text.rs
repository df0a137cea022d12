//! The lines of two texts that differ, as a unified diff with bounds: a hostile image decides how long its files are, not how
//! long our answer is. Making characters that hide or reorder text visible is left to who prints it.

use serde::Serialize;
use similar::TextDiff;

/// Lines that are shown of a file.
pub const FILE_LINES: usize = 200;
/// Lines that are shown of all files.
pub const LINES: usize = 2000;
/// Characters that are shown of a line.
pub const LINE: usize = 500;
/// Bytes of a text that is compared by lines.
pub const TEXT_BYTES: usize = 256 << 10;
/// Lines of a text that is compared by lines.
const TEXT_LINES: usize = 5000;
/// Lines around a change.
const AROUND: usize = 3;

/// The lines that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lines {
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
    /// The hunks of a unified diff, a line each, without their ends.
    pub shown: Vec<String>,
    /// How many lines of the hunks are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// Why the lines were not compared; empty where they were.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub not_compared: &'static str,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Lines {
    /// Of a text that is too large to be compared.
    pub(super) fn too_large() -> Self {
        Self { not_compared: "too large", ..Self::default() }
    }
}

/// How many lines may still be shown.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(LINES)
    }
}

impl Room {
    /// The lines that differ, as far as there is room.
    pub(super) fn diff(&mut self, before: &str, after: &str) -> Lines {
        let is_large = |text: &str| {
            text.len() > TEXT_BYTES || memchr::memchr_iter(b'\n', text.as_bytes()).count() > TEXT_LINES
        };
        if is_large(before) || is_large(after) {
            return Lines::too_large();
        }
        if self.0 == 0 {
            return Lines { not_compared: "enough lines of other files are shown", ..Lines::default() };
        }
        let diff = TextDiff::from_lines(before, after);
        let mut out = Lines::default();
        let text = diff.unified_diff().context_radius(AROUND).to_string();
        let most = self.0.min(FILE_LINES);
        for line in text.split_terminator('\n') {
            match line.as_bytes().first() {
                Some(b'+') => out.added += 1,
                Some(b'-') => out.removed += 1,
                _ => {}
            }
            if out.shown.len() < most { out.shown.push(cut(line)) } else { out.left_out += 1 }
        }
        self.0 -= out.shown.len();
        out
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}... ({} characters)", &line[..end], line.chars().count() - 1),
        None => line.to_owned(),
    }
}
