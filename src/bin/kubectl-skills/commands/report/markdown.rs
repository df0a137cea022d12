//! The report as Markdown, for a pull request: what is wrong and what has changed first.

use std::fmt::Write as _;

use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::SkillChange;

use super::super::change_markdown::markdown as of_files;
use super::super::change_text::in_words;
use super::changes::Change;
use super::inventory::{Agent, Inventory, Skill};
use crate::printable;

/// The text.
pub fn text(inventory: &Inventory, title: &str) -> String {
    let Inventory { agents, skills, findings, changes, compared, .. } = inventory;
    let mut out = format!("## {}\n\n", printable::line(title));
    // Into a text, which cannot fail.
    let _ = writeln!(
        out,
        "{}, {}, {}.\n",
        counted(agents.len(), "agent"),
        counted(skills.len(), "skill"),
        counted(findings.len(), "finding")
    );
    if *compared {
        write_changes(&mut out, changes);
    }
    write_findings(&mut out, inventory);
    write_skills(&mut out, skills);
    write_agents(&mut out, agents);
    out.push_str("\n</details>\n");
    out
}

/// What has changed since the other lock.
fn write_changes(out: &mut String, changes: &[Change]) {
    out.push_str("### Changes\n\n");
    if changes.is_empty() {
        out.push_str("None.\n\n");
    } else {
        out.push_str("| image | change | what |\n|---|---|---|\n");
        for one in changes {
            let mut what = Vec::new();
            if !one.wider.is_empty() {
                what.push(format!("**more tools**: {}", code(&one.wider.join(", "))));
            }
            what.extend(one.facts.iter().map(|(name, before, after)| {
                let shown = |value: &str| {
                    if value.is_empty() { "nothing".to_owned() } else { code(short(value)) }
                };
                format!("{name}: {} → {}", shown(before), shown(after))
            }));
            let _ = writeln!(out, "| {} | {} | {} |", code(&one.image), one.kind.text(), what.join("<br>"));
        }
        out.push('\n');
        for one in changes {
            let text = match &one.files {
                None => continue,
                Some(Ok(SkillChange::Content(change))) => of_files(change),
                Some(Ok(other)) => format!("\n{}\n", code(&in_words(other).unwrap_or_default())),
                Some(Err(why)) => format!("\nHow its files changed is not known: {}\n", code(why)),
            };
            let _ = writeln!(out, "#### {}\n{text}", code(&one.image));
        }
    }
}

/// What is wrong; nothing where all is well.
fn write_findings(out: &mut String, inventory: &Inventory) {
    let Inventory { agents, skills, findings, .. } = inventory;
    if findings.is_empty() {
        return;
    }
    out.push_str("### Findings\n\n| rule | agent | skill | what |\n|---|---|---|---|\n");
    for one in findings {
        let agent = one.agent.and_then(|agent| agents.get(agent)).map(|agent| code(&agent.title()));
        let skill = one.skill.and_then(|skill| skills.get(skill)).map(|skill| code(&skill.image));
        let rule = if one.rule.is_empty() { "error" } else { one.rule };
        let help = if one.help.is_empty() { String::new() } else { format!("<br>{}", code(&one.help)) };
        let _ = writeln!(
            out,
            "| {rule} | {} | {} | {}{help} |",
            agent.unwrap_or_default(),
            skill.unwrap_or_default(),
            code(&one.message)
        );
    }
    out.push('\n');
}

fn write_skills(out: &mut String, skills: &[Skill]) {
    out.push_str("### Skills\n\n| skill | image | version | licence | tools | signed by | agents |\n|---|---|---|---|---|---|--:|\n");
    for skill in skills {
        let tools = skill
            .entry
            .as_ref()
            .map(|entry| entry.facts.allowed_tools.as_deref().unwrap_or_default().join(", "))
            .unwrap_or_default();
        let signed = if skill.entry.is_some() { skill.signed() } else { "not in the lock".to_owned() };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            code(&skill.name()),
            code(&skill.image),
            code(&skill.version()),
            code(&skill.fact(|facts| facts.license.clone())),
            code(&tools),
            code(&signed),
            skill.agents.len()
        );
    }
}

fn write_agents(out: &mut String, agents: &[Agent]) {
    out.push_str("\n<details><summary>Agents</summary>\n\n| agent | workload | skills | skill set |\n|---|---|---|---|\n");
    for agent in agents {
        let names: Vec<&str> = agent.uses.iter().map(|one| one.name.as_str()).collect();
        let set = agent.set.as_ref().map(|set| code(short(set.as_str()))).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {set} |",
            code(&agent.title()),
            code(&agent.workload),
            code(&names.join(", "))
        );
    }
}

/// The first digits of a digest.
fn short(value: &str) -> &str {
    if value.starts_with("sha256:") { value.get(.."sha256:".len() + 12).unwrap_or(value) } else { value }
}

/// Text of others as code, in which nothing is a link, a mention, a tag or the end of a cell.
fn code(of: &str) -> String {
    let shown = printable::line(of).replace('|', "\\|");
    if shown.trim().is_empty() {
        return String::new();
    }
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let gap = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{shown}{gap}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_code() {
        assert_eq!(code("a|b <img> @all"), "`a\\|b <img> @all`");
        assert_eq!(code("`x``"), "``` `x`` ```");
        assert_eq!(code("a\n| b"), "`a\\n\\| b`");
        assert_eq!(code(""), "");
    }
}
