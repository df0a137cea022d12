//! `schema`: the JSON schemas by which editors complete and check what is written by hand.

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::manifest::function_config::schema::schema as skills_function;
use kubectl_skills::skill::schemas::{skill_binding, skill_lock, skill_policy};
use serde_json::Value;

use crate::config_file::schema::schema as configuration;
use crate::exit::{Outcome, Run};
use crate::sink;
use crate::table::Table;

/// Print the JSON schema of SkillBinding, policy, lock, configuration file or function, for editors
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Which are there?
  kubectl skills schema

  # For an editor: the first line of a policy is then '# yaml-language-server: $schema=skill-policy.schema.json'
  kubectl skills schema skill-policy > skill-policy.schema.json

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// Of what; without a name, all are listed
    #[arg(value_enum, value_name = "NAME")]
    name: Option<Name>,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// SkillBinding
    SkillBinding,
    /// SkillPolicy, the file of --policy
    SkillPolicy,
    /// SkillLock, the file skills.lock
    SkillLock,
    /// The configuration file .kubectl-skills.yaml
    Config,
    /// SkillsFunction, the functionConfig of fn
    SkillsFunction,
}

impl Name {
    fn schema(self) -> Value {
        match self {
            Self::SkillBinding => skill_binding(),
            Self::SkillPolicy => skill_policy(),
            Self::SkillLock => skill_lock(),
            Self::Config => configuration(),
            Self::SkillsFunction => skills_function(),
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    match args.name {
        Some(name) => sink::json(&name.schema())?,
        None => {
            let mut table = Table::new(&["NAME", "OF"]);
            for name in Name::value_variants() {
                let Some(value) = name.to_possible_value() else { continue };
                let of = value.get_help().map(ToString::to_string).unwrap_or_default();
                table.row([value.get_name().to_owned(), of]);
            }
            sink::table(&table)?;
        }
    }
    Ok(Outcome::Done)
}
