//! What changed in a skill, for people: the change as data in, text out, what an agent may newly run or use first. Markdown is left
//! to `change_markdown`.

use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::{
    ContentChange, FileChange, Lines, Pair, Runs, Side, SkillChange, Tools, What,
};
use kubectl_skills::skill::tree::Type;

use crate::printable;
use crate::skill_files::human;

/// Files that are listed.
const FILES: usize = 200;
/// Characters of a value.
const VALUE: usize = 300;
/// A list under a head.
pub struct Section {
    /// What the items are.
    pub head: &'static str,
    /// The items.
    pub items: Vec<Item>,
}

/// A line of a list.
pub struct Item {
    /// `+`, `-` or `~`.
    pub mark: char,
    /// What it is about, as it is written in the image.
    pub name: String,
    /// What is said of it.
    pub said: String,
}

/// What is said of a change that is no difference of files; none for one that is.
pub fn in_words(change: &SkillChange) -> Option<String> {
    match change {
        SkillChange::Same => Some("the same image".into()),
        SkillChange::MetadataOnly { annotations } if annotations.is_empty() => {
            Some("metadata only: the files are the same, and packed anew".into())
        }
        SkillChange::MetadataOnly { annotations } => {
            let keys: Vec<&str> = annotations.iter().map(|pair| pair.key.as_str()).collect();
            Some(format!("metadata only: the files are the same; annotations differ: {}", keys.join(", ")))
        }
        SkillChange::Layers { .. } => Some("the layers differ; --content compares the files".into()),
        SkillChange::Content(_) => None,
    }
}

/// As text. Characters that hide or reorder text are left to who prints it.
pub fn text(change: &ContentChange) -> String {
    let mut out = String::new();
    for Section { head, items } in sections(change) {
        out.push_str(&format!("{head}:\n"));
        for Item { mark, name, said } in &items {
            out.push_str(&format!("  {mark} {}", printable::line(name)));
            out.push_str(&if said.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {}\n", printable::line(said))
            });
        }
    }
    for (file, lines) in diffs(change) {
        let (from, to) = names(file);
        out.push_str(&format!("--- {}\n+++ {}\n", printable::line(&from), printable::line(&to)));
        for line in &lines.shown {
            out.push_str(&printable::lines(line));
            out.push('\n');
        }
        out.push_str(&left_out(lines).map(|text| format!("({text})\n")).unwrap_or_default());
    }
    out
}

/// The lists, in the order of what matters.
pub fn sections(change: &ContentChange) -> Vec<Section> {
    let of = |runs: Runs| change.files.iter().filter(move |file| file.runs == runs).map(file);
    let tools = change.allowed_tools.iter();
    let wider = tools.clone().flat_map(|tools| each('+', tools, &tools.added));
    let narrower = tools.flat_map(|tools| each('-', tools, &tools.removed));
    let of_platform =
        |platform: &String, said: &str| Item { mark: '~', name: platform.clone(), said: said.to_owned() };
    let shown = change
        .platform
        .iter()
        .map(|one| of_platform(one, "is shown; the platform asked about has the same files"));
    let otherwise =
        change.otherwise.iter().map(|one| of_platform(one, "changed in another way: --platform shows it"));
    let mut out = vec![
        Section { head: "platforms that differ", items: shown.chain(otherwise).collect() },
        Section { head: "new scripts and programs", items: of(Runs::New).collect() },
        Section { head: "wider allowed-tools", items: wider.collect() },
        Section { head: "other scripts and programs", items: of(Runs::Yes).collect() },
        Section { head: "narrower allowed-tools", items: narrower.collect() },
        Section { head: "frontmatter", items: change.frontmatter.iter().map(pair).collect() },
        Section { head: "files", items: of(Runs::No).collect() },
        Section { head: "annotations of the manifest", items: change.annotations.iter().map(pair).collect() },
    ];
    for section in &mut out {
        let more = section.items.len().saturating_sub(FILES);
        section.items.truncate(FILES);
        if more > 0 {
            section.items.push(Item { mark: '~', name: format!("{more} more"), said: String::new() });
        }
    }
    out.retain(|section| !section.items.is_empty());
    out
}

fn each<'t>(mark: char, tools: &'t Tools, names: &'t [String]) -> impl Iterator<Item = Item> + 't {
    let said = if tools.skill.is_empty() { String::new() } else { format!("in {}", tools.skill) };
    names.iter().map(move |name| Item { mark, name: cut(name), said: said.clone() })
}

fn pair(Pair { skill, key, before, after }: &Pair) -> Item {
    let shown =
        |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |text| format!("{:?}", cut(text)));
    let mark = match (before, after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    let place = if skill.is_empty() { String::new() } else { format!(" (in {skill})") };
    Item { mark, name: key.clone(), said: format!("{} -> {}{place}", shown(before), shown(after)) }
}

fn file(change: &FileChange) -> Item {
    let FileChange { path, from, what, before, after, lines, .. } = change;
    let side = |side: &Option<Side>| side.as_ref().map(describe).unwrap_or_default();
    let (mark, mut said) = match what {
        What::Added => ('+', side(after)),
        What::Removed => ('-', side(before)),
        What::Renamed => ('~', format!("renamed from {}", from.as_deref().unwrap_or_default())),
        What::Mode => {
            let executable = after.as_ref().is_some_and(|after| after.executable);
            (
                '~',
                if executable {
                    "may be executed now".to_owned()
                } else {
                    "may not be executed any more".to_owned()
                },
            )
        }
        What::Changed => {
            let counts = lines.as_ref().filter(|lines| lines.not_compared.is_empty());
            (
                '~',
                match counts {
                    Some(lines) => format!("+{} -{} lines", lines.added, lines.removed),
                    None => format!("{} -> {}", side(before), side(after)),
                },
            )
        }
    };
    let may = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.executable);
    if *what != What::Mode && before.is_some() && after.is_some() && may(before) != may(after) {
        said.push_str(if may(after) { ", may be executed now" } else { ", may not be executed any more" });
    }
    Item { mark, name: path.clone(), said }
}

fn describe(side: &Side) -> String {
    if let Some(target) = &side.target {
        return format!("a link to {}", cut(target));
    }
    let mode = if side.executable { ", executable" } else { "" };
    let sha256 = side.sha256.as_deref().unwrap_or_default();
    match side.kind {
        Type::Text => format!("{}{mode}", human(side.size)),
        _ => format!("binary, {}{mode}, sha256:{sha256}", human(side.size)),
    }
}

/// The files whose lines are shown: what may run first, as in the lists.
pub fn diffs(change: &ContentChange) -> impl Iterator<Item = (&FileChange, &Lines)> {
    let with_lines = change.files.iter().filter_map(|file| Some((file, file.lines.as_ref()?)));
    with_lines.filter(|(_, lines)| !lines.shown.is_empty() || !lines.not_compared.is_empty())
}

fn names(file: &FileChange) -> (String, String) {
    let of = |side: &Option<Side>| if side.is_some() { file.path.clone() } else { "/dev/null".to_owned() };
    (of(&file.before), of(&file.after))
}

/// What is not shown of the lines of a file.
pub fn left_out(lines: &Lines) -> Option<String> {
    if !lines.not_compared.is_empty() {
        return Some(format!("not compared by lines: {}", lines.not_compared));
    }
    (lines.left_out > 0).then(|| format!("{} are left out", counted(lines.left_out, "line")))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn file_of(path: &str, lines: Lines) -> FileChange {
        let side =
            |size| Some(Side { kind: Type::Text, size, executable: false, sha256: None, target: None });
        FileChange {
            path: path.into(),
            from: None,
            what: What::Changed,
            runs: Runs::No,
            before: side(1),
            after: side(2),
            lines: Some(lines),
        }
    }

    /// A change whose texts are markup to others.
    pub fn sample() -> ContentChange {
        let lines = Lines {
            added: 1,
            removed: 0,
            shown: vec!["@@ -1 +1,2 @@".into(), "+```\u{200b}".into(), "+\tx\r".into()],
            ..Lines::default()
        };
        ContentChange {
            allowed_tools: vec![Tools {
                skill: String::new(),
                added: vec!["Bash(`x`)\n- forged".into()],
                removed: Vec::new(),
            }],
            frontmatter: vec![Pair {
                skill: String::new(),
                key: "description".into(),
                before: None,
                after: Some("<img src=x> @everyone".into()),
            }],
            files: vec![file_of("a<b>.md", lines)],
            ..ContentChange::default()
        }
    }

    /// A skill must not write a line of ours, close our fence, or hide what it does from who reviews it.
    #[test]
    fn text_of_others_stays_text() {
        let change = sample();
        assert_eq!(
            text(&change),
            "wider allowed-tools:\n  + Bash(`x`)\\n- forged\nfrontmatter:\n  + description  none -> \"<img src=x> @everyone\"\n\
             files:\n  ~ a<b>.md  +1 -0 lines\n--- a<b>.md\n+++ a<b>.md\n@@ -1 +1,2 @@\n+```\\u{200b}\n+\tx\\r\n"
        );
    }
}
