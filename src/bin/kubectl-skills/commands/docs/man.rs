//! A verb's page for `man`, in roff, from its help.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::exit::Failure;

/// The page of a command that was built: of the root, or of a verb. Undated, so that the same program gives the same page.
pub fn page(command: &Command) -> Result<String, Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let is_root = command.has_subcommands();
    let mut sections = Vec::new();
    write(&Man::new(command.clone()), is_root, &mut sections)
        .map_err(|error| Failure::Io(format!("the page of {name}"), error))?;
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // Each part brings the macros that the whole page needs once; and an empty date is lost without its quotes.
    let macros = Roff::new().render();
    Ok(format!(
        "{macros}.TH \"{}\" 1 \"\" \"kubectl-skills {}\" \"kubectl skills\"\n{}{}",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
        String::from_utf8_lossy(&sections).replace(&macros, ""),
        endings(&after, is_root).render().replace(&macros, ""),
    ))
}

/// What clap_mangen knows to set; its section of examples would fill their lines into paragraphs.
fn write(man: &Man, is_root: bool, out: &mut Vec<u8>) -> io::Result<()> {
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if is_root { man.render_subcommands_section(out) } else { Ok(()) }
}

/// The end of a help text, which begins with `Examples:` and ends with `Exit codes:`, as sections of their own; and other pages.
fn endings(after: &str, is_root: bool) -> Roff {
    let (examples, codes) = after.split_once("Exit codes:").unwrap_or((after, ""));
    let mut roff = Roff::new();
    let examples = examples.trim().trim_start_matches("Examples:").trim_matches('\n');
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    let codes = codes.trim();
    if !codes.is_empty() {
        roff.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
    }
    let other = if is_root { "kubectl(1)" } else { "kubectl-skills(1)" };
    roff.control("SH", ["SEE ALSO"]).text([roman(format!("{other}, {}", env!("CARGO_PKG_REPOSITORY")))]);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of `man kubectl-skills-NAME` sees the examples line by line, as in the help, and the exit codes.
    #[test]
    fn a_page_has_its_examples_as_they_are_typed() {
        let mut root = Command::new("kubectl-skills").bin_name("kubectl skills").subcommand(
            Command::new("tell").about("Tell it").after_help(
                "Examples:\n  # Who?\n  kubectl skills tell --a\n\n  # A dot\n  .dotted \\n\n\nExit codes: 0 done; 2 usage",
            ),
        );
        root.build();
        let page = page(root.find_subcommand("tell").unwrap()).unwrap();
        let (head, end) = page.split_once(".SH EXAMPLES\n").unwrap();
        assert_eq!(
            end,
            ".nf\n# Who?\nkubectl skills tell \\-\\-a\n\n# A dot\n\\&.dotted \\\\n\n.fi\n.SH \"EXIT STATUS\"\n0 done; 2 usage\n\
             .SH \"SEE ALSO\"\nkubectl\\-skills(1), https://github.com/kagenti/kubectl\\-skills\n"
        );
        let title = format!(
            ".TH \"KUBECTL-SKILLS-TELL\" 1 \"\" \"kubectl-skills {}\" \"kubectl skills\"\n.SH NAME\n\
             kubectl\\-skills\\-tell \\- Tell it\n.SH SYNOPSIS\n\\fBkubectl skills tell\\fR ",
            env!("CARGO_PKG_VERSION")
        );
        assert!(head.contains(&title), "{head}");
        assert_eq!(head.matches(".ds Aq").count(), 2, "{head}");
    }
}
