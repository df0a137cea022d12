//! The text of a pull request that updates skills: updates in, Markdown out, what an agent may newly run or use first.

use kubectl_skills::manifest::summary::counted;

use super::super::change_markdown::{code, markdown as of_change};
use super::super::change_text::in_words;
use super::{Update, Verdict};

/// Bytes of a page: GitHub takes 65,536 characters.
const MOST: usize = 60_000;

/// The page.
pub fn markdown(updates: &[Update], skipped: &[(String, String)]) -> String {
    let mut sorted: Vec<&Update> = updates.iter().collect();
    sorted.sort_by_key(|update| (scripts(update) == 0, tools(update) == 0));
    let mut out = String::from("## Updates of skills\n\n");
    if updates.is_empty() {
        out.push_str("No skill has a newer version.\n");
    }
    let (new, wider): (usize, usize) = (updates.iter().map(scripts).sum(), updates.iter().map(tools).sum());
    if new > 0 || wider > 0 {
        out.push_str(&format!(
            "> **Look at this first:** {}, {} with wider `allowed-tools`.\n\n",
            counted(new, "new script"),
            counted(wider, "skill"),
        ));
    }
    if !updates.is_empty() {
        out.push_str("| image | from | to | changed | signature |\n|---|---|---|---|---|\n");
    }
    for update in &sorted {
        let version = update.version.as_deref().unwrap_or("none");
        let name = update.used.reference.name();
        let cells = [code(&name), code(version), code(&update.new.tag), update.verdict()];
        let signer = match &update.signer {
            Verdict::Refused(text) => format!("**{}**", code(text)),
            Verdict::Noted(text) | Verdict::Same(text) => code(text),
        };
        let row: Vec<String> =
            cells.into_iter().chain([signer]).map(|cell| cell.replace('|', "\\|")).collect();
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    let mut without = 0;
    for update in sorted {
        let mut part = format!("\n### {} -> {}\n\n", code(&update.used.image), code(&update.to()));
        part.push_str(&format!("Digest {}; named by:\n\n", code(update.new.digest.as_str())));
        part.extend(update.used.named_by.iter().map(|name| format!("- {}\n", code(name))));
        match (update.new.content(), &update.new.change) {
            (Some(change), _) => part.push_str(&of_change(change)),
            (None, Ok(change)) => {
                part.push_str(&format!("\n{}\n", code(&in_words(change).unwrap_or_default())))
            }
            (None, Err(why)) => part.push_str(&format!("\nWhat changed is not known: {}\n", code(why))),
        }
        if out.len() + part.len() > MOST { without += 1 } else { out.push_str(&part) }
    }
    if without > 0 {
        out.push_str(&format!(
            "\n({} left out, the page would be too long: `kubectl skills update --dry-run -o json` has them)\n",
            counted(without, "image")
        ));
    }
    if !skipped.is_empty() {
        out.push_str("\n### Not updated\n\n");
        out.extend(skipped.iter().map(|(image, why)| format!("- {}: {}\n", code(image), code(why))));
    }
    out
}

fn scripts(update: &Update) -> usize {
    update.new.content().map_or(0, |change| change.new_scripts().count())
}

fn tools(update: &Update) -> usize {
    update.new.content().map_or(0, |change| change.wider_tools().count())
}
