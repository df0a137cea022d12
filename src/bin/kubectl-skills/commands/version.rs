//! `version`: this program, the operator's dialects that it knows, and which of them manifests would get.

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::{PROFILES, Profile};
use kubectl_skills::manifest::stream::Stream;
use serde_json::{Value, json};

use super::files::choose_profile;
use crate::args::Report;
use crate::exit::{Outcome, Run};
use crate::planning::chosen_profile;
use crate::sink;
use crate::source::{Input, Inputs};
use crate::table::Table;

/// Show the version, the profiles, and which profile is taken and why
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Which versions of the operator are known?
  kubectl skills version

  # Which of them do these manifests get, and why? ('doctor' tells it of a cluster)
  kubectl skills version -f manifests -o json | jq .profile

Exit codes: 0 done; 2 usage; 3 bad input")]
pub struct Args {
    /// Profile: auto, or a name
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Report,
    #[command(flatten)]
    input: Input,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let inputs = if args.input.given() { args.input.read()? } else { Inputs::default() };
    let stream = Stream::read(&inputs.sources, "default")?;
    let (chosen, reason) = choose_profile(&stream, chosen_profile(&args.profile)?)?;
    match args.output {
        Report::Text => sink::text(&to_text(chosen, &reason))?,
        format => sink::object(format, &to_json(chosen, &reason))?,
    }
    Ok(Outcome::Done)
}

fn skills(profile: &Profile) -> &'static str {
    if profile.mounts() { "mounts" } else { "observes" }
}

fn to_text(chosen: &Profile, reason: &str) -> String {
    let mut table = Table::new(&["PROFILE", "COMMIT", "DATE", "API-GROUP", "SKILLS", "CHOSEN"]);
    for profile in &PROFILES {
        let mark = if profile.name == chosen.name { "yes" } else { "no" };
        table.row(
            [profile.name, profile.commit, profile.date, profile.names.group, skills(profile), mark]
                .map(str::to_owned),
        );
    }
    format!(
        "kubectl-skills {}\n\n{}\nprofile {}: {reason}\n",
        env!("CARGO_PKG_VERSION"),
        table.fitted(),
        chosen.name
    )
}

fn to_json(chosen: &Profile, reason: &str) -> Value {
    let profiles: Vec<Value> = PROFILES
        .iter()
        .map(|profile| {
            json!({"name": profile.name, "commit": profile.commit, "date": profile.date,
                   "apiGroup": profile.names.group, "skills": skills(profile)})
        })
        .collect();
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Version", "version": env!("CARGO_PKG_VERSION"),
        "profile": chosen.name, "reason": reason, "profiles": profiles,
    })
}
