//! The table of `plan`: plans in, text out. The same for manifests and for a cluster.

use kubectl_skills::plan::{Action, RuntimePlan};

use crate::look::Mood;
use crate::table::Table;

/// One row for each plan with the number of its changes; `namespaces` adds a column.
pub fn plan_table<'p>(namespaces: bool, plans: impl IntoIterator<Item = (&'p RuntimePlan, usize)>) -> Table {
    let mut head = vec!["NAME", "TARGET", "ACTION", "SKILLS", "CONTAINER", "CHANGES", "REASON"];
    if namespaces {
        head.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&head).with_states(if namespaces { 3 } else { 2 });
    for (plan, changes) in plans {
        let skills: Vec<&str> = plan.skills.iter().map(|planned| planned.skill.name.as_str()).collect();
        let skills = if skills.is_empty() { "<none>".to_owned() } else { skills.join(",") };
        let container = plan.container.clone().filter(|_| !plan.skills.is_empty());
        let container = container.unwrap_or_else(|| "<none>".to_owned());
        let updates = changes > 0;
        let changes = if plan.action == Action::Error { "<none>".to_owned() } else { changes.to_string() };
        let target = format!("{}/{}", plan.target.kind, plan.target.name);
        let reason = if plan.reason.is_empty() { "<none>".to_owned() } else { plan.reason.clone() };
        let mut cells =
            vec![plan.whose(), target, plan.action.name().to_owned(), skills, container, changes, reason];
        if namespaces {
            cells.insert(0, plan.id.namespace.clone());
        }
        table.row(cells);
        table.mood(match plan.action {
            Action::Error => Mood::Bad,
            _ if updates => Mood::Change,
            Action::Unchanged => Mood::Good,
            _ => Mood::Unknown,
        });
    }
    table
}
