//! The report as one page: no file, script or font of elsewhere, and no network. Everything that comes from manifests or images is
//! escaped, and a content security policy lets only the page's own style and script run.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::changes::SkillChange;
use sha2::{Digest as _, Sha256};

use super::super::change_text::{Item, Section, diffs, in_words, left_out, sections};
use super::changes::Kind;
use super::inventory::{Agent, Found, Inventory, Skill};
use crate::printable;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(inventory: &Inventory, title: &str) -> String {
    let mut page = Page { inventory, out: String::new() };
    page.head(title);
    page.summary();
    page.findings();
    page.changes();
    page.skills();
    page.agents();
    page.out.push_str("</main>\n<script>");
    page.out.push_str(SCRIPT);
    page.out.push_str("</script>\n</body>\n</html>\n");
    page.out
}

/// Text as it can stand anywhere in the page. What would hide or reorder text is shown as an escape.
fn text(text: &str) -> String {
    printable::html(text, |c| match c {
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

fn code(of: &str) -> String {
    if of.is_empty() { String::new() } else { format!("<code>{}</code>", text(of)) }
}

/// The first digits of a digest, and all of it where a mouse rests.
fn digest(of: &str) -> String {
    let short: String = of.chars().take("sha256:".len() + 12).collect();
    if of.is_empty() {
        String::new()
    } else {
        format!("<code title=\"{}\">{}</code>", text(of), text(&short))
    }
}

fn hash(of: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(of)))
}

/// How files changed: what an agent may newly run or use, then the lines of each text, which open where a reader asks.
fn files(found: &Result<SkillChange, String>) -> String {
    let change = match found {
        Ok(SkillChange::Content(change)) => change,
        Ok(other) => {
            return format!("<span class=\"help\">{}</span>", text(&in_words(other).unwrap_or_default()));
        }
        Err(why) => {
            return format!("<span class=\"warn\">how its files changed is not known: {}</span>", text(why));
        }
    };
    let mut out = String::new();
    for Section { head, items } in sections(change) {
        let class = if head.starts_with("new") || head.starts_with("wider") { " class=\"bad\"" } else { "" };
        let _ = write!(out, "<p{class}>{}</p><ul>", text(head));
        for Item { mark, name, said } in &items {
            let _ = write!(out, "<li>{mark} {} {}</li>", code(name), text(said));
        }
        out.push_str("</ul>");
    }
    for (file, lines) in diffs(change) {
        let _ = write!(
            out,
            "<details class=\"diff\"><summary>{} +{} -{}</summary><pre>",
            code(&file.path),
            lines.added,
            lines.removed
        );
        for line in &lines.shown {
            let shown = text(line);
            // Each line ends in its element, so that the copied text has its line ends.
            let _ = match line.as_bytes().first() {
                Some(b'+') => writeln!(out, "<ins>{shown}</ins>"),
                Some(b'-') => writeln!(out, "<del>{shown}</del>"),
                _ => writeln!(out, "<span>{shown}</span>"),
            };
        }
        out.push_str("</pre>");
        if let Some(note) = left_out(lines) {
            let _ = write!(out, "<span class=\"help\">{}</span>", text(&note));
        }
        out.push_str("</details>");
    }
    out
}

struct Page<'p> {
    inventory: &'p Inventory,
    out: String,
}

/// A column: its title, and whether its values are numbers.
type Column = (&'static str, bool);

impl Page<'_> {
    fn head(&mut self, title: &str) {
        let title = text(title);
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        self.push(&format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src {style}; script-src {script}; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        ));
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn summary(&mut self) {
        let Inventory { agents, skills, findings, changes, compared, policy } = self.inventory;
        let uses: usize = agents.iter().map(|agent| agent.uses.len()).sum();
        let unlocked = skills.iter().filter(|skill| skill.entry.is_none()).count();
        let mut line = format!(
            "{}, {}, {}",
            counted(agents.len(), "agent"),
            counted(skills.len(), "skill"),
            counted(uses, "use")
        );
        if unlocked > 0 {
            let _ = write!(line, "; <span class=\"warn\">{unlocked} skills are not in the lock</span>");
        }
        let by = policy.as_ref().map_or(String::new(), |file| format!(" {}", code(file)));
        self.push(&format!("<p>{line}.</p>\n<nav aria-label=\"Sections\">"));
        self.push(&format!("<a href=\"#findings\">Findings ({})</a>", findings.len()));
        if *compared {
            self.push(&format!("<a href=\"#changes\">Changes ({})</a>", changes.len()));
        }
        self.push("<a href=\"#skills\">Skills</a><a href=\"#agents\">Agents</a></nav>\n");
        self.push(&format!("<h2 id=\"findings\">Findings</h2>\n<p class=\"quiet\">What cannot be planned, or breaks the policy{by}.</p>\n"));
    }

    /// A table with its filter.
    fn table(
        &mut self,
        id: &str,
        what: &str,
        columns: &[Column],
        rows: impl Iterator<Item = (String, Vec<String>)>,
    ) {
        self.push(&format!(
            "<p class=\"filter\"><label for=\"filter-{id}\">Filter {what}</label><input id=\"filter-{id}\" data-of=\"{id}-table\" type=\"search\" \
             autocomplete=\"off\"><output data-of=\"{id}-table\"></output></p>\n<table id=\"{id}-table\">\n<thead><tr>"
        ));
        for (title, number) in columns {
            let class = if *number { " class=\"number\"" } else { "" };
            self.push(&format!("<th scope=\"col\"{class}>{title}</th>"));
        }
        self.push("</tr></thead>\n<tbody>\n");
        for (anchor, cells) in rows {
            let anchor = if anchor.is_empty() { String::new() } else { format!(" id=\"{anchor}\"") };
            self.push(&format!("<tr{anchor}>"));
            for ((title, number), cell) in columns.iter().zip(cells) {
                let class = if *number { " class=\"number\"" } else { "" };
                self.push(&format!("<td data-label=\"{title}\"{class}>{cell}</td>"));
            }
            self.push("</tr>\n");
        }
        self.push("</tbody>\n</table>\n");
    }

    fn agent(&self, index: usize) -> String {
        let title = self.inventory.agents.get(index).map(Agent::title).unwrap_or_default();
        format!("<a href=\"#agent-{index}\">{}</a>", text(&title))
    }

    fn skill(&self, index: usize) -> String {
        let name = self.inventory.skills.get(index).map(Skill::name).unwrap_or_default();
        format!("<a href=\"#skill-{index}\">{}</a>", text(&name))
    }

    fn findings(&mut self) {
        let findings = &self.inventory.findings;
        if findings.is_empty() {
            return self.push("<p>None.</p>\n");
        }
        let row = |one: &Found| {
            let agent = one.agent.map_or(String::new(), |agent| self.agent(agent));
            let skill = one.skill.map_or(String::new(), |skill| self.skill(skill));
            let rule = if one.rule.is_empty() {
                "<span class=\"bad\">error</span>".to_owned()
            } else {
                format!("<span class=\"bad\">{}</span>", text(one.rule))
            };
            let help = if one.help.is_empty() {
                String::new()
            } else {
                format!("<span class=\"help\">{}</span>", text(&one.help))
            };
            (String::new(), vec![rule, agent, skill, format!("<div>{}{help}</div>", text(&one.message))])
        };
        let rows: Vec<_> = findings.iter().map(row).collect();
        self.table(
            "findings",
            "findings",
            &[("Rule", false), ("Agent", false), ("Skill", false), ("What", false)],
            rows.into_iter(),
        );
    }

    fn changes(&mut self) {
        if !self.inventory.compared {
            return;
        }
        self.push("<h2 id=\"changes\">Changes</h2>\n<p class=\"quiet\">Against the older lock: other content and wider tools first.</p>\n");
        if self.inventory.changes.is_empty() {
            return self.push("<p>None.</p>\n");
        }
        let rows: Vec<_> = self
            .inventory
            .changes
            .iter()
            .map(|one| {
                let class = match one.kind {
                    Kind::Content | Kind::Added => "warn",
                    Kind::Removed | Kind::Metadata => "quiet",
                };
                let mut what = String::new();
                if !one.wider.is_empty() {
                    let _ =
                        write!(what, "<li class=\"bad\">more tools: {}</li>", text(&one.wider.join(", ")));
                }
                for (name, before, after) in &one.facts {
                    let shown = |value: &str| match value {
                        "" => "nothing".to_owned(),
                        value if value.starts_with("sha256:") => digest(value),
                        value => code(value),
                    };
                    let _ = write!(what, "<li>{name}: {} → {}</li>", shown(before), shown(after));
                }
                let at = self
                    .inventory
                    .skills
                    .iter()
                    .position(|skill| skill.entry.as_ref().is_some_and(|entry| entry.image == one.image));
                let image = at.map_or_else(
                    || code(&one.image),
                    |at| format!("<a href=\"#skill-{at}\">{}</a>", code(&one.image)),
                );
                let agents = at.map_or(0, |at| self.inventory.skills[at].agents.len());
                let list = if what.is_empty() { String::new() } else { format!("<ul>{what}</ul>") };
                let list = format!("<div>{list}{}</div>", one.files.as_ref().map(files).unwrap_or_default());
                let kind = format!("<span class=\"{class}\">{}</span>", one.kind.text());
                (String::new(), vec![image, kind, list, agents.to_string()])
            })
            .collect();
        self.table(
            "changes",
            "changes",
            &[("Image", false), ("Change", false), ("What", false), ("Agents", true)],
            rows.into_iter(),
        );
    }

    fn skills(&mut self) {
        self.push("<h2 id=\"skills\">Skills</h2>\n");
        let row = |(index, skill): (usize, &Skill)| {
            let entry = skill.entry.as_ref();
            let agents: Vec<String> =
                skill.agents.iter().map(|agent| format!("<li>{}</li>", self.agent(*agent))).collect();
            let tools = entry.map_or(String::new(), |entry| {
                text(&entry.facts.allowed_tools.as_deref().unwrap_or_default().join(", "))
            });
            let signed = match (skill.signed(), entry) {
                (signed, _) if signed.starts_with("unsigned") => {
                    format!("<span class=\"warn\">{}</span>", text(&signed))
                }
                (signed, Some(_)) => text(&signed),
                (_, None) => "<span class=\"warn\">not in the lock</span>".to_owned(),
            };
            let about = skill.fact(|facts| facts.description.clone());
            let about = if about.is_empty() {
                String::new()
            } else {
                format!("<span class=\"help\">{}</span>", text(&about))
            };
            let pinned = entry.map_or(String::new(), |entry| format!(" {}", digest(entry.digest.as_str())));
            let cells = vec![
                format!("<div><strong>{}</strong>{about}</div>", text(&skill.name())),
                format!("<div>{}{pinned}</div>", code(&skill.image)),
                text(&skill.version()),
                text(&skill.fact(|facts| facts.license.clone())),
                tools,
                signed,
                skill.fact(|facts| facts.tokens),
                format!("<details><summary>{}</summary><ul>{}</ul></details>", agents.len(), agents.join("")),
            ];
            (format!("skill-{index}"), cells)
        };
        let rows: Vec<_> = self.inventory.skills.iter().enumerate().map(row).collect();
        let columns = [
            ("Skill", false),
            ("Image", false),
            ("Version", false),
            ("Licence", false),
            ("Tools", false),
            ("Signed by", false),
            ("Tokens", true),
            ("Agents", true),
        ];
        self.table("skills", "skills", &columns, rows.into_iter());
    }

    fn agents(&mut self) {
        self.push("<h2 id=\"agents\">Agents</h2>\n");
        let row = |(index, agent): (usize, &Agent)| {
            let uses: Vec<String> = agent
                .uses
                .iter()
                .map(|one| format!("<li>{} {}</li>", self.skill(one.skill), code(&one.path)))
                .collect();
            let added = if agent.added.is_empty() {
                String::new()
            } else {
                format!("<span class=\"help\">with {}</span>", text(&agent.added.join(", ")))
            };
            let list =
                if uses.is_empty() { "none".to_owned() } else { format!("<ul>{}</ul>", uses.join("")) };
            let set = agent.set.as_ref().map_or(String::new(), |set| digest(set.as_str()));
            let cells = vec![
                format!("<div>{}{added}</div>", text(&agent.title())),
                text(&agent.workload),
                list,
                agent.uses.len().to_string(),
                set,
            ];
            (format!("agent-{index}"), cells)
        };
        let rows: Vec<_> = self.inventory.agents.iter().enumerate().map(row).collect();
        let columns = [
            ("Agent", false),
            ("Workload", false),
            ("Skills", false),
            ("Number", true),
            ("Skill set", false),
        ];
        self.table("agents", "agents", &columns, rows.into_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        assert_eq!(
            text("<script>alert('1')</script>\" & \u{202e}x\n"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; &amp; \\u{202e}x\\n"
        );
    }
}
