//! `__docs`: docs/cli.md, from the help of every verb. A test holds the file against it.

use clap::Command;

use crate::config_file::{KEYS, Key};
use crate::exit::{Outcome, Run};
use crate::sink;

const HEAD: &str = "\
<!-- Made by `make docs` from the help of the program; do not edit. -->
# Command line

`kubectl skills VERB` and `kubectl-skills VERB` are the same program.
";

const LIMITS: &str = "
## Limits

* `spec.skills` takes 20 skills, as the CRD does; more are refused before anything is planned (with `--exact` they are planned).
* A workload gets at most 200 skills from all of its lists together.
* A manifest is held in memory with its objects: one Deployment of 68 MB and 500,000 containers takes some 390 MB, 5 to 6 times its text; one of larger containers up to 8 times.
";

const FILE: &str = "
## Configuration file

A file `.kubectl-skills.yaml` gives the defaults of flags that a folder of manifests always needs.
It is looked for in the folder of the first `-f` or `-k`, then in the folders above it; without manifests, from the working directory on.
`--config FILE` names another, and `-v` says which one was read.
Each key is named as its flag; what the command line says counts instead, a list as a whole.
A key that a verb has no flag for is for other verbs, and `namespace` does not count with `-A`.
Paths are relative to the file.
A key that is unknown and a value of a wrong type are errors with their place.
`fn`, `controller` and `webhook` read it only where `--config` names it: what they do hangs on their own configuration.

| key | for example |
|---|---|
";

/// Prints the text.
pub fn run(root: Command) -> Run {
    let mut root = root.term_width(120);
    root.build();
    let mut out = String::from(HEAD);
    section(&mut out, "kubectl skills", &root);
    for verb in root.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        section(&mut out, &format!("kubectl skills {}", verb.get_name()), verb);
    }
    out.push_str(FILE);
    for Key { name, example, .. } in &KEYS {
        out.push_str(&format!("| `{name}` | `{name}: {example}` |\n"));
    }
    out.push_str(LIMITS);
    sink::text(&out)?;
    Ok(Outcome::Done)
}

fn section(out: &mut String, title: &str, command: &Command) {
    let help = command.clone().term_width(120).render_help().to_string();
    // Width and trailing blanks are clap's business, the text is ours.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    out.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
}
