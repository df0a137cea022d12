//! What is said beside the result, on stderr: notes, warnings and errors, one a line. A stderr that cannot be written
//! loses them; nothing else could be told of it.

use std::fmt::Display;
use std::io::Write as _;

use kubectl_skills::plan::Warning;
use owo_colors::OwoColorize as _;

/// Something worth knowing.
pub fn note(text: &str) {
    line(&"note:".cyan(), text);
}

/// Something that may not be wanted.
pub fn warning(text: &str) {
    line(&"warning:".yellow(), text);
}

/// Warnings of the plan, each behind the object that it is about; each once.
pub fn warnings<'w>(all: impl IntoIterator<Item = (String, &'w Warning)>) {
    let mut seen = std::collections::BTreeSet::new();
    for (object, text) in all {
        let line = format!("{object}: {text}");
        if seen.insert(line.clone()) {
            warning(&line);
        }
    }
}

/// Something that failed.
pub fn error(text: &str) {
    line(&"error:".red(), text);
}

fn line(kind: &dyn Display, text: &str) {
    let _ = writeln!(anstream::stderr(), "{kind} {}", printable(text));
}

/// Text of objects and servers, without control characters that would steer the terminal.
fn printable(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    if text.contains(char::is_control) { text.chars().map(escape).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in somebody's manifest must not clear the screen.
    #[test]
    fn escapes_of_the_terminal_are_shown_and_not_sent() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n  c\té"), "a\\u{1b}[2Jb\\r\n  c\té");
    }
}
