//! `__docs`: docs/cli.md, and with the name of a verb its page in docs/verbs, from the help. A test holds the files
//! against it. With `--man` the page for `man` instead, which archives bring.

use clap::Command;

use crate::config_file::{KEYS, Key};
use crate::exit::{Failure, Outcome, Run};
use crate::sink;

mod man;

const MADE: &str = "<!-- Made by `make docs` from the help of the program; do not edit. -->\n";

const HEAD: &str = "\
# Command line

`kubectl skills VERB` and `kubectl-skills VERB` are the same program.
";

const VERBS: &str = "
## Verbs

| verb | |
|---|---|
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

/// Whose page is wanted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb; the page of all without
    verb: Option<String>,
    /// The page for man, in roff
    #[arg(long)]
    man: bool,
    /// Names of the verbs that have a page
    #[arg(long, conflicts_with_all = ["verb", "man"])]
    list: bool,
}

/// Prints the text.
pub fn run(args: &Args, root: Command) -> Run {
    let mut root = root.term_width(120);
    root.build();
    let find =
        |name: &String| root.find_subcommand(name).ok_or_else(|| Failure::Usage(format!("no verb {name}")));
    if args.list {
        let names = root.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
        sink::text(&names.map(|name| format!("{name}\n")).collect::<String>())?;
        return Ok(Outcome::Done);
    }
    if args.man {
        let page = man::page(args.verb.as_ref().map_or(Ok(&root), find)?)?;
        // As it is: nobody but man reads it.
        sink::pieces([page.as_str()])?;
        return Ok(Outcome::Done);
    }
    let mut out = String::from(MADE);
    if let Some(name) = &args.verb {
        let verb = find(name)?;
        out.push_str(&format!("# kubectl skills {name}\n\n{}\n[All verbs](../cli.md#verbs)\n", help(verb)));
    } else {
        all(&mut out, &root);
    }
    sink::text(&out)?;
    Ok(Outcome::Done)
}

fn all(out: &mut String, root: &Command) {
    out.push_str(&format!("{HEAD}\n{}{VERBS}", help(root)));
    for verb in root.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        out.push_str(&format!("| [{0}](verbs/{0}.md) | {about} |\n", verb.get_name()));
    }
    out.push_str(FILE);
    for Key { name, example, .. } in &KEYS {
        out.push_str(&format!("| `{name}` | `{name}: {example}` |\n"));
    }
    out.push_str(LIMITS);
}

/// Help as a block of text. Width and trailing blanks are clap's business, the text is ours.
fn help(command: &Command) -> String {
    let help = command.clone().term_width(120).render_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    format!("```text\n{}\n```\n", help.join("\n").trim_end())
}
