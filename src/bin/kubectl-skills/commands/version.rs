//! `version`: this program and what it was built of, the operator's dialects that it knows, which of them manifests would get,
//! and with `--live` what the cluster runs. Which cluster versions there are is left to `version/live`.

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::{PROFILES, Profile};
use kubectl_skills::manifest::stream::Stream;
use serde_json::{Value, json};

use super::files::choose_profile;
use crate::args::{ClusterArgs, Report};
use crate::build_info::BuildInfo;
use crate::exit::{Failure, Outcome, Run};
use crate::planning::chosen_profile;
use crate::sink;
use crate::source::{Input, Inputs};
use crate::table::Table;

#[cfg(feature = "cluster")]
mod live;

/// Show the version and its build, the profiles, which profile is taken and why, and what the cluster runs
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Which versions of the operator are known?
  kubectl skills version

  # And what runs in the cluster: API server, CRDs, controller and webhook
  kubectl skills version --live

  # Which of them do these manifests get, and why? (--live says it of a cluster)
  kubectl skills version -f manifests -o json | jq .profile

Exit codes: 0 done; 2 usage; 3 bad input; 4 with --live, the cluster refused or failed")]
pub struct Args {
    /// Profile: auto, or a name
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Report,
    #[command(flatten)]
    input: Input,
    /// Ask the cluster as well; without it, none is needed
    #[cfg(feature = "cluster")]
    #[arg(long, help_heading = "Cluster")]
    live: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let inputs = if args.input.given() { args.input.read()? } else { Inputs::default() };
    let stream = Stream::read(&inputs.sources, "default")?;
    let given = chosen_profile(&args.profile)?;
    let mut chosen = choose_profile(&stream, given)?;
    // What is known without a cluster is said whatever becomes of it.
    let asked = of_cluster(args, given.is_none(), &mut chosen);
    let build = BuildInfo::of_program();
    let (profile, reason) = (chosen.0, chosen.1.as_str());
    let (mut text, mut value) = (to_text(&build, profile, reason), to_json(&build, profile, reason));
    if let Ok(Some(found)) = &asked {
        text.push_str(&found.text);
        value["cluster"] = found.value.clone();
    }
    match args.output {
        Report::Text => sink::text(&text)?,
        format => sink::object(format, &value)?,
    }
    asked.map(|_| Outcome::Done)
}

/// What the cluster runs, for people and for machines.
struct OfCluster {
    text: String,
    value: Value,
}

/// Asks the cluster if it is to be asked. Its profile is the one that is chosen where there are neither manifests nor a flag;
/// with manifests the reason says both.
#[cfg(feature = "cluster")]
fn of_cluster(
    args: &Args,
    is_open: bool,
    chosen: &mut (&'static Profile, String),
) -> Result<Option<OfCluster>, Failure> {
    if !args.live {
        return Ok(None);
    }
    let found = live::read(&args.cluster)?;
    match &found.chosen {
        _ if !is_open => {}
        Some(of_cluster) if !args.input.given() => *chosen = of_cluster.clone(),
        Some((profile, _)) => {
            chosen.1.push_str(&format!(": of these manifests; in the cluster {}", profile.name));
        }
        None => {
            chosen.1.push_str(": of manifests; the cluster serves neither AgentRuntimes nor SkillBindings")
        }
    }
    Ok(Some(OfCluster { text: found.text(), value: found.value() }))
}

#[cfg(not(feature = "cluster"))]
fn of_cluster(
    args: &Args,
    _: bool,
    _: &mut (&'static Profile, String),
) -> Result<Option<OfCluster>, Failure> {
    let ClusterArgs {} = args.cluster;
    Ok(None)
}

fn skills(profile: &Profile) -> &'static str {
    if profile.mounts() { "mounts" } else { "observes" }
}

fn to_text(build: &BuildInfo, chosen: &Profile, reason: &str) -> String {
    let mut table = Table::new(&["PROFILE", "COMMIT", "DATE", "API-GROUP", "SKILLS", "CHOSEN"]);
    for profile in &PROFILES {
        let mark = if profile.name == chosen.name { "yes" } else { "no" };
        table.row(
            [profile.name, profile.commit, profile.date, profile.names.group, skills(profile), mark]
                .map(str::to_owned),
        );
    }
    let BuildInfo { commit, date, platform, rustc, features } = build;
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    let table = table.fitted();
    format!(
        "kubectl-skills {}\n\ncommit     {commit}\ndate       {date}\nplatform   {platform}\nrustc      {rustc}\n\
         features   {features}\n\n{table}\nprofile {}: {reason}\n",
        env!("CARGO_PKG_VERSION"),
        chosen.name
    )
}

fn to_json(build: &BuildInfo, chosen: &Profile, reason: &str) -> Value {
    let profiles: Vec<Value> = PROFILES
        .iter()
        .map(|profile| {
            json!({"name": profile.name, "commit": profile.commit, "date": profile.date,
                   "apiGroup": profile.names.group, "skills": skills(profile)})
        })
        .collect();
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Version", "version": env!("CARGO_PKG_VERSION"),
        "build": build.value(), "profile": chosen.name, "reason": reason, "profiles": profiles,
    })
}
