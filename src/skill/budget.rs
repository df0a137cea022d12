//! How much of an agent's context skills take: texts in, words, characters and an estimate of tokens out. Which text is
//! loaded when is the agent's business: names and descriptions of all skills always, the text of a skill once it is used.

/// What an agent adds to the name and description of each skill, in characters: the frame of a listed skill in Claude Code,
/// as measured by others (anthropics/claude-code#13099).
pub const OVERHEAD: usize = 109;
/// What the specification advises for the text of a skill at most, in tokens.
pub const ADVISED_TOKENS: usize = 5000;

/// The size of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Words: what stands between white space, as Go's `strings.Fields` counts them for `io.skillimage.wordcount`.
    pub words: usize,
    /// Characters.
    pub characters: usize,
    /// Tokens, estimated ([`tokens`]).
    pub tokens: usize,
}

impl Size {
    /// The size of a text.
    pub fn of(text: &str) -> Size {
        Size {
            words: text.split_whitespace().count(),
            characters: text.chars().count(),
            tokens: tokens(text),
        }
    }
}

/// Tokens of a text, estimated: one for each four characters of ASCII, one for each other character. English prose has
/// somewhat fewer, code and tables more; text in letters beyond ASCII is at most that long.
pub fn tokens(text: &str) -> usize {
    let other = text.chars().filter(|char| !char.is_ascii()).count();
    let ascii = text.bytes().filter(u8::is_ascii).count();
    ascii.div_ceil(4) + other
}

/// What the list of skills takes, which an agent always holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    /// How many skills.
    pub skills: usize,
    /// Characters of names, descriptions and [`OVERHEAD`].
    pub characters: usize,
    /// Tokens of the same, estimated.
    pub tokens: usize,
}

/// What the list of skills with these names and descriptions takes.
pub fn listing<'t>(skills: impl IntoIterator<Item = (&'t str, &'t str)>) -> Listing {
    skills.into_iter().fold(Listing::default(), |sum, (name, description)| Listing {
        skills: sum.skills + 1,
        characters: sum.characters + name.chars().count() + description.chars().count() + OVERHEAD,
        tokens: sum.tokens + tokens(name) + tokens(description) + OVERHEAD.div_ceil(4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The annotation `io.skillimage.wordcount` must be what skillctl writes: Go counts every kind of white space once.
    #[test]
    fn words_are_those_of_go() {
        for (text, words) in [
            ("", 0),
            (" \t\n", 0),
            ("one", 1),
            ("a\u{a0}b\u{2003}c\u{85}d\u{3000}e", 5),
            ("zero\u{200b}width", 1),
            ("# Title\n\n- item", 4),
        ] {
            assert_eq!(Size::of(text).words, words, "{text:?}");
        }
    }

    #[test]
    fn sizes_and_listings_add_up() {
        assert_eq!(Size::of("Hello, world"), Size { words: 2, characters: 12, tokens: 3 });
        assert_eq!(Size::of("日本語"), Size { words: 1, characters: 3, tokens: 3 });
        let one = listing([("pdf", "Reads PDF.")]);
        assert_eq!(one, Listing { skills: 1, characters: 3 + 10 + OVERHEAD, tokens: 1 + 3 + 28 });
        let two = listing([("pdf", "Reads PDF."), ("pdf", "Reads PDF.")]);
        assert_eq!(two, Listing { skills: 2, characters: 2 * one.characters, tokens: 2 * one.tokens });
        assert_eq!(listing([]), Listing::default());
    }
}
