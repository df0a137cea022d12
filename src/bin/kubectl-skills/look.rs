//! What the terminal can show: its width, its characters, and the marks of states. Whatever is no terminal gets none of
//! it, so that what programs read never hangs on a window.

use std::io::IsTerminal as _;

use owo_colors::OwoColorize as _;

/// How good a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Good,
    /// As it is to be, but not yet: something would change.
    Change,
    /// Works in part, or will bite later.
    Warning,
    /// Does not work.
    Bad,
    /// Not known, or of no interest.
    Unknown,
}

/// What stands in front of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// Nothing: columns for programs.
    None,
    /// Characters that every terminal has.
    Ascii,
    /// Check mark and the like.
    Unicode,
}

/// What one of the standard streams can show.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns; none where nothing is to be wrapped.
    pub width: Option<usize>,
    marks: Marks,
}

impl Look {
    /// A pipe or file.
    pub const PLAIN: Self = Self { width: None, marks: Marks::None };

    /// What stdout is.
    pub fn stdout() -> Self {
        let stdout = std::io::stdout();
        Self::of(stdout.is_terminal(), || terminal_size::terminal_size_of(stdout))
    }

    /// What stderr is.
    pub fn stderr() -> Self {
        let stderr = std::io::stderr();
        Self::of(stderr.is_terminal(), || terminal_size::terminal_size_of(stderr))
    }

    /// What a stream is. COLUMNS, where somebody exported it, counts before what the terminal says of itself.
    fn of(
        is_terminal: bool,
        size: impl FnOnce() -> Option<(terminal_size::Width, terminal_size::Height)>,
    ) -> Self {
        if !is_terminal {
            return Self::PLAIN;
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let typed = variable("COLUMNS").and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
        let measured = size().map(|(columns, _)| usize::from(columns.0)).filter(|columns| *columns > 0);
        Self { width: typed.or(measured), marks: marks(&variable) }
    }

    /// A terminal of tests.
    #[cfg(test)]
    pub fn terminal(width: usize, unicode: bool) -> Self {
        Self { width: Some(width), marks: if unicode { Marks::Unicode } else { Marks::Ascii } }
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        self.marks != Marks::None
    }

    /// The mark of a state with a blank after it; nothing where programs read.
    pub fn mark(self, mood: Mood) -> &'static str {
        match (self.marks, mood) {
            (Marks::None, _) => "",
            (Marks::Unicode, Mood::Good) => "✓ ",
            (Marks::Unicode, Mood::Change) => "→ ",
            (Marks::Unicode, Mood::Bad) => "✗ ",
            (Marks::Ascii, Mood::Good) => "+ ",
            (Marks::Ascii, Mood::Change) => "> ",
            (Marks::Ascii, Mood::Bad) => "x ",
            (_, Mood::Warning) => "! ",
            (_, Mood::Unknown) => "? ",
        }
    }
}

/// A terminal without Unicode says so by TERM=dumb, or by a locale without UTF-8.
fn marks(variable: &dyn Fn(&str) -> Option<String>) -> Marks {
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let utf8 = locale.map(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    // Windows has no locale in its environment, and a console that shows Unicode.
    if !dumb && utf8.unwrap_or(cfg!(windows)) { Marks::Unicode } else { Marks::Ascii }
}

/// Text in the colour of a state; where colours are not wanted they are taken out as it is printed (`sink::styled`).
pub fn coloured(mood: Mood, text: &str) -> String {
    match mood {
        Mood::Good => text.green().to_string(),
        Mood::Change => text.cyan().to_string(),
        Mood::Warning => text.yellow().to_string(),
        Mood::Bad => text.red().to_string(),
        Mood::Unknown => text.dimmed().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check mark in a terminal of Latin-1 is three characters of rubbish, and moves the columns.
    #[test]
    fn unicode_only_where_the_locale_has_it() {
        let of = |pairs: &'static [(&str, &str)]| {
            marks(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Marks::Unicode);
        assert_eq!(of(&[("LC_ALL", "C.utf8"), ("LANG", "C")]), Marks::Unicode);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Marks::Ascii);
        assert_eq!(of(&[("LANG", "de_DE.ISO-8859-1")]), Marks::Ascii);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("TERM", "dumb")]), Marks::Ascii);
    }

    #[test]
    fn programs_see_no_marks() {
        assert_eq!(Look::PLAIN.mark(Mood::Bad), "");
        assert_eq!(Look::terminal(80, true).mark(Mood::Good), "✓ ");
        assert_eq!(Look::terminal(80, false).mark(Mood::Good), "+ ");
    }
}
