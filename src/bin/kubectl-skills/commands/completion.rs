//! `completion`: scripts for shells, and the file by which kubectl completes its plugins.

use clap::{Args as ClapArgs, Command, ValueEnum};
use clap_complete::Shell;

use crate::complete::{BASH, FISH, SHIM, ZSH};
use crate::exit::{Outcome, Run};
use crate::sink;

/// Print a completion script
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Let 'kubectl skills <TAB>' complete verbs, flags, namespaces, AgentRuntimes (kubectl 1.26 on)
  kubectl skills completion kubectl > ~/.local/bin/kubectl_complete-skills
  chmod +x ~/.local/bin/kubectl_complete-skills

  # Complete the program's own name in bash
  source <(kubectl skills completion bash)

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// What completes
    #[arg(value_enum)]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// kubectl itself: the text of an executable file kubectl_complete-skills on the PATH
    Kubectl,
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
}

/// Runs the verb.
pub fn run(args: &Args, mut root: Command) -> Run {
    let text = match args.target {
        Target::Kubectl => SHIM.to_owned(),
        Target::Bash => BASH.to_owned(),
        Target::Zsh => ZSH.to_owned(),
        Target::Fish => FISH.to_owned(),
        Target::PowerShell => {
            let mut script = Vec::new();
            clap_complete::generate(Shell::PowerShell, &mut root, "kubectl-skills", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    // As it is: a script has tabs in it.
    sink::pieces([text.as_str()])?;
    Ok(Outcome::Done)
}
