//! What changed in a skill, as Markdown for who reviews it: the change as data in, text out in which nothing of the skill is
//! markup.

use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::ContentChange;

use super::change_text::{Item, Section, diffs, left_out, sections};
use crate::printable;

/// Bytes of all diffs in a page of Markdown: GitHub takes 65,536 characters.
const MARKDOWN: usize = 40_000;

/// The change, below a head of level 3.
pub fn markdown(change: &ContentChange) -> String {
    let mut out = String::new();
    for Section { head, items } in sections(change) {
        out.push_str(&format!("\n**{}**\n\n", capital(head)));
        for Item { mark, name, said } in &items {
            let what = match mark {
                '+' => "added ",
                '-' => "removed ",
                _ => "",
            };
            out.push_str(&format!("- {what}{}", code(name)));
            out.push_str(&if said.is_empty() { "\n".to_owned() } else { format!(" {}\n", plain(said)) });
        }
    }
    let (mut room, mut without) = (MARKDOWN, 0);
    for (file, lines) in diffs(change) {
        let shown: Vec<String> = lines.shown.iter().map(|line| printable::lines(line).into_owned()).collect();
        let body = shown.join("\n");
        if body.len() > room {
            without += 1;
            continue;
        }
        room -= body.len();
        let fence = "`".repeat(longest_run(&body).max(2) + 1);
        let count = format!("+{} -{}", lines.added, lines.removed);
        out.push_str(&format!("\n<details><summary><code>{}</code> {count}</summary>\n\n", html(&file.path)));
        out.push_str(&format!("{fence}diff\n{body}\n{fence}\n"));
        out.push_str(&left_out(lines).map(|text| format!("\n({text})\n")).unwrap_or_default());
        out.push_str("\n</details>\n");
    }
    if without > 0 {
        out.push_str(&format!(
            "\n(the lines of {} are left out: `kubectl skills outdated --diff` shows them)\n",
            counted(without, "file")
        ));
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text of others as code: nothing in it is markup.
pub fn code(text: &str) -> String {
    let text = printable::line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// What we say of others' text: values in it stand as code.
fn plain(text: &str) -> String {
    if text.contains(['"', '<', '/', '`', '@', '#', '[', '*', '_', '|']) {
        code(text)
    } else {
        text.to_owned()
    }
}

/// Text of others in HTML: no markup, and no names of people and issues that a forge would make links of.
fn html(text: &str) -> String {
    printable::html(text, |c| match c {
        '@' => Some("@&#8203;"),
        '#' => Some("#&#8203;"),
        '!' => Some("!&#8203;"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::change_text::tests::sample;
    use super::*;

    /// A skill must not close our fence, mention people, or make a picture of what it says.
    #[test]
    fn text_of_others_is_no_markup() {
        let change = sample();
        assert_eq!(
            markdown(&change),
            "\n**Wider allowed-tools**\n\n- added ``Bash(`x`)\\n- forged``\n\n**Frontmatter**\n\n- added `description` \
             `none -> \"<img src=x> @everyone\"`\n\n**Files**\n\n- `a<b>.md` +1 -0 lines\n\n<details><summary><code>a&lt;b&gt;.md</code> +1 -0\
             </summary>\n\n````diff\n@@ -1 +1,2 @@\n+```\\u{200b}\n+\tx\\r\n````\n\n</details>\n"
        );
    }

    /// Who is named in the path of a file is not to be called to a pull request.
    #[test]
    fn a_path_mentions_nobody() {
        assert_eq!(html("@octocat/#12 <b>&"), "@&#8203;octocat/#&#8203;12 &lt;b&gt;&amp;");
    }
}
