//! The known word that a mistyped one is nearest to: words in, a suggestion out. The sentence around it is the caller's.

/// The known word with the fewest edits from `word`, case aside; the first of equals; none only if none is known.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    known.into_iter().min_by_key(|known| distance(known, word))
}

/// Whether a word is a known one with a slip in it: one or two edits, or another case.
pub fn is_slip_of(word: &str, known: &str) -> bool {
    word != known && distance(known, word) <= 2
}

/// Edits between two words, case aside (Levenshtein). Only the first 64 letters of a known word count.
fn distance(known: &str, word: &str) -> usize {
    let known: Vec<char> = known.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (index, char) in word.to_lowercase().chars().take(256).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, with) in known.iter().enumerate() {
            let replace = diagonal + usize::from(char != *with);
            diagonal = row[column + 1];
            row[column + 1] = replace.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_with_the_fewest_edits_is_named() {
        let known = ["profile", "exact", "featureGates", "featureGatesFile"];
        for (word, expected) in [
            ("profil", "profile"),
            ("PROFILE", "profile"),
            ("featuregates", "featureGates"),
            ("feature-gates-file", "featureGatesFile"),
            ("", "exact"),
        ] {
            assert_eq!(nearest(word, known), Some(expected), "{word}");
        }
        assert_eq!(nearest("profile", []), None);
    }

    /// A word of megabytes, from a file in the wrong place, must not take seconds.
    #[test]
    fn an_endless_word_takes_no_endless_time() {
        assert_eq!(nearest(&"x".repeat(10_000_000), ["exact"]), Some("exact"));
    }
}
