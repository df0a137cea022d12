//! `list`: the skills of agents, one a row: of manifests from their plans, of a cluster from what `status` reports. Where they
//! come from is left to `list/files` and `list/live`.

use std::collections::BTreeSet;

use clap::Args as ClapArgs;
use kubectl_skills::api::object::title;
use kubectl_skills::manifest::summary::counted;
use serde_json::{Value, json};

use super::files::refuse_live;
use crate::args::{Listing, LiveArgs, PlanningArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::source::Input;
use crate::table::Table;
use crate::{notes, sink};

mod files;
#[cfg(feature = "cluster")]
mod live;

/// List the skills of agents: which image, where, from which list, and whether they are there
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # All skills of a folder of manifests
  kubectl skills list -f manifests -R

  # Who in the cluster has a skill, and is it in the pods?
  kubectl skills list -A --skill forecast

  # And an image, in whatever version?
  kubectl skills list -A --image ghcr.io/acme/skills/forecast

Exit codes: 0 done, also where nothing is found; 2 usage; 3 bad input; 4 the cluster refused or failed")]
pub struct Args {
    /// Namespace: of objects in manifests that name none, or in the cluster
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Only skills of this name
    #[arg(long, value_name = "NAME")]
    skill: Option<String>,
    /// Only skills of this image: a reference, or part of one
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Output format: more columns, JSON, YAML, or names of the agents as kubectl takes them
    #[arg(short = 'o', long, value_enum, value_name = "wide|json|yaml|name", hide_possible_values = true)]
    output: Option<Listing>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// A skill of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    namespace: String,
    /// Kind of who leads: AgentRuntime or SkillBinding; empty for a workload that nobody is about.
    kind: String,
    /// API group of that kind.
    group: String,
    /// Its name.
    agent: String,
    /// `Deployment/weather`.
    workload: String,
    skill: String,
    image: String,
    path: String,
    sub_path: String,
    /// `Workload` or `Pod`.
    delivery: String,
    /// Whose list it is in: `AgentRuntime`, `SkillBinding/tools`, `workload` for what is written there by hand, or `render` for what a
    /// render has written there, as its record says, and nothing in the cluster lists.
    source: String,
    /// Whether a lock pinned the image.
    locked: bool,
    /// The container that has it, where that is known.
    container: String,
    /// As `status` has it; none for manifests.
    state: Option<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let mut rows = if args.input.given() {
        refuse_live(&args.live)?;
        files::rows(args)?
    } else {
        of_cluster(args)?
    };
    let is_meant = |row: &Row| {
        args.skill.as_ref().is_none_or(|skill| row.skill == *skill)
            && args.image.as_ref().is_none_or(|image| row.image.contains(image.as_str()))
    };
    rows.retain(is_meant);
    print(args, &rows)?;
    let agents: BTreeSet<(&str, &str, &str)> =
        rows.iter().map(|row| (row.namespace.as_str(), row.kind.as_str(), row.agent.as_str())).collect();
    let images: BTreeSet<&str> = rows.iter().map(|row| row.image.as_str()).collect();
    let (skills, agents) = (counted(rows.len(), "skill"), counted(agents.len(), "agent"));
    notes::summary(&format!("{skills} of {agents}, {}", counted(images.len(), "image")));
    Ok(Outcome::Done)
}

#[cfg(feature = "cluster")]
fn of_cluster(args: &Args) -> Result<Vec<Row>, Failure> {
    live::rows(args)
}

#[cfg(not(feature = "cluster"))]
fn of_cluster(_: &Args) -> Result<Vec<Row>, Failure> {
    super::no_cluster("list")
}

fn print(args: &Args, rows: &[Row]) -> Result<(), Failure> {
    match args.output {
        Some(Listing::Json) => return sink::json(&list(rows)),
        Some(Listing::Yaml) => return sink::yaml(&list(rows)),
        Some(Listing::Name) => {
            let names: BTreeSet<String> = rows.iter().filter_map(name).collect();
            return sink::text(&names.into_iter().collect::<String>());
        }
        Some(Listing::Wide) | None => {}
    }
    if rows.is_empty() {
        notes::note(if args.skill.is_some() || args.image.is_some() {
            "nothing has that skill"
        } else {
            "no agent has a skill"
        });
        return Ok(());
    }
    sink::table(&table(args.output == Some(Listing::Wide), rows))
}

/// As kubectl takes it; none for a workload that nobody is about.
fn name(row: &Row) -> Option<String> {
    (!row.kind.is_empty()).then(|| title(&row.kind, &row.group, &row.agent) + "\n")
}

fn list(rows: &[Row]) -> Value {
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut item = json!({
                "namespace": row.namespace, "kind": row.kind, "agent": row.agent, "workload": row.workload,
                "skill": row.skill, "image": row.image, "mountPath": row.path, "subPath": row.sub_path,
                "delivery": row.delivery, "source": row.source, "locked": row.locked, "container": row.container,
            });
            if let Some(state) = &row.state {
                item["ready"] = json!(state == READY);
                item["state"] = json!(state);
            }
            item
        })
        .collect();
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "AgentSkillList", "items": items})
}

/// What `status` says of an agent with which all is well.
const READY: &str = "ok";

fn table(wide: bool, rows: &[Row]) -> Table {
    let several = rows.iter().any(|row| row.namespace != rows[0].namespace);
    let live = rows.iter().any(|row| row.state.is_some());
    let mut head = vec!["AGENT", "WORKLOAD", "SKILL", "IMAGE", "PATH", "DELIVERY", "SOURCE"];
    if several {
        head.insert(0, "NAMESPACE");
    }
    if live {
        head.push("READY");
    }
    if wide {
        head.extend(["SUBPATH", "CONTAINER", "LOCKED"]);
    }
    let mut table = Table::new(&head);
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    for row in rows {
        let mut cells =
            vec![or_none(&row.agent), or_none(&row.workload), row.skill.clone(), or_none(&row.image)];
        cells.extend([or_none(&row.path), row.delivery.clone(), row.source.clone()]);
        if several {
            cells.insert(0, row.namespace.clone());
        }
        if live {
            let state = row.state.as_deref().unwrap_or_default();
            cells.push(if state == READY { "yes".to_owned() } else { or_none(state) });
        }
        if wide {
            let locked = if row.locked { "yes" } else { "no" };
            cells.extend([or_none(&row.sub_path), or_none(&row.container), locked.to_owned()]);
        }
        table.row(cells);
    }
    table
}
