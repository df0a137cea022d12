//! Tools that a skill may use without asking: the text of `allowed-tools` in, one text a tool out.

/// The tools of a text: blanks and commas part them, unless they stand in parentheses, which are of the tool in front of them. What is
/// not closed goes on to the end, and so is a tool that nobody has allowed.
pub fn split(text: &str) -> Vec<String> {
    let (mut out, mut open) = (vec![String::new()], 0_usize);
    for c in text.chars() {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        match out.last_mut() {
            Some(last) if open > 0 || !(c == ',' || c.is_whitespace()) => last.push(c),
            _ => out.push(String::new()),
        }
    }
    out.retain(|tool| !tool.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Agents part tools at commas as well as at blanks: a list that is read as one word is a tool that no pattern means, or all of
    /// them are.
    #[test]
    fn tools_are_parted_outside_of_parentheses() {
        for (text, wanted) in [
            ("", &[][..]),
            (" , ", &[]),
            ("Read", &["Read"]),
            ("Read  Bash(git:*)", &["Read", "Bash(git:*)"]),
            ("Read, Grep,Bash", &["Read", "Grep", "Bash"]),
            ("Bash(git log, -p)\tWrite", &["Bash(git log, -p)", "Write"]),
            ("Bash(a (b) c) Write", &["Bash(a (b) c)", "Write"]),
            ("Bash(git log Write", &["Bash(git log Write"]),
            ("Read) Bash", &["Read)", "Bash"]),
        ] {
            assert_eq!(split(text), wanted, "{text}");
        }
    }
}
