//! `doctor`: can this cluster run skills? One row a question, with what to do, section by section as the answers come.

use clap::Args as ClapArgs;
use kubectl_skills::manifest::summary::counted;
use serde_json::json;

use crate::args::Report;
use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::doctor::{Cluster, Row, Section, State, examine};
use crate::exit::{Failure, Outcome, Run};
use crate::look::Mood;
use crate::net::block_on;
use crate::notes;
use crate::planning::chosen_profile;
use crate::progress::Progress;
use crate::sink;
use crate::table::Table;

/// Find out whether a cluster can run skills, and what to do where it cannot
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Ask about the namespace in which the agents run
  kubectl skills doctor -n team1

  # In a pipeline: only what is not well
  kubectl skills doctor -n team1 -o json | jq '.checks[] | select(.state != \"ok\")'

Exit codes: 0 all is well (or could not be found out); 1 something fails; 2 usage; 4 no connection to the cluster")]
pub struct Args {
    /// Namespace in which agents are to run; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Namespace of the operator, where it is not the usual one
    #[arg(long, value_name = "NAMESPACE")]
    operator_namespace: Option<String>,
    /// Whose rules: auto, or a profile's name
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Output format
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT")]
    output: Report,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    block_on(async {
        let chosen = chosen_profile(&args.profile)?;
        let connection = connect(&args.cluster, Caller::of("doctor"), notes::lists_requests()).await?;
        let cluster = Cluster {
            requests: &connection.requests,
            namespace: args.namespace.as_deref().unwrap_or(&connection.namespace),
            chosen,
            operator_namespace: args.operator_namespace.as_deref(),
            dialect: None,
        };
        let progress = Progress::start("asking the cluster");
        let mut sections: Vec<Section> = Vec::new();
        examine(&cluster, |section| -> Result<(), Failure> {
            if args.output == Report::Text {
                let between = if sections.is_empty() { "" } else { "\n" };
                sink::styled(&format!("{between}{}", table(&section).painted()))?;
            }
            sections.push(section);
            Ok(())
        })
        .await?;
        drop(progress);
        if args.output != Report::Text {
            sink::object(args.output, &to_json(&sections))?;
        }
        let rows: Vec<&Row> = sections.iter().flat_map(|section| &section.rows).collect();
        notes::summary(&sum(&rows));
        let failed = rows.iter().any(|row| row.state == State::Failed);
        Ok(if failed { Outcome::Found } else { Outcome::Done })
    })
}

/// `14 checks: 12 ok, 1 warning, 1 failed`.
fn sum(rows: &[&Row]) -> String {
    let states = [State::Ok, State::Warning, State::Failed, State::Unknown];
    let count = |state: State| rows.iter().filter(|row| row.state == state).count();
    let counts: Vec<String> = states
        .into_iter()
        .map(|state| (count(state), state.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| if name == "warning" { counted(count, name) } else { format!("{count} {name}") })
        .collect();
    format!("{}: {}", counted(rows.len(), "check"), counts.join(", "))
}

fn to_json(sections: &[Section]) -> serde_json::Value {
    let of = |section: &Section, row: &Row| {
        let about = section.about.to_lowercase();
        json!({"section": about, "check": row.check, "state": row.state.name(), "found": row.found, "mend": row.mend})
    };
    let checks: Vec<_> =
        sections.iter().flat_map(|section| section.rows.iter().map(move |row| of(section, row))).collect();
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Diagnosis", "checks": checks})
}

fn table(section: &Section) -> Table {
    let mut table = Table::new(&[section.about, "CHECK", "FOUND"]).with_states(0);
    for row in &section.rows {
        table.row([row.state.name().to_owned(), row.check.clone(), row.found.clone()]);
        table.mood(match row.state {
            State::Ok => Mood::Good,
            State::Warning => Mood::Warning,
            State::Failed => Mood::Bad,
            State::Unknown => Mood::Unknown,
        });
        if row.state != State::Ok && !row.mend.is_empty() {
            table.row([String::new(), String::new(), format!("-> {}", row.mend)]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_names_each_state_that_there_is() {
        let row = |state| Row { check: String::new(), state, found: String::new(), mend: String::new() };
        assert_eq!(sum(&[&row(State::Ok)]), "1 check: 1 ok");
        let all = [State::Warning, State::Failed, State::Ok, State::Warning, State::Unknown].map(row);
        assert_eq!(sum(&all.iter().collect::<Vec<_>>()), "5 checks: 1 ok, 2 warnings, 1 failed, 1 unknown");
    }
}
