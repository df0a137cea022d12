//! `diff`, `plan` and `hash` where no files are given: over the cluster. Nothing is written.

use std::collections::BTreeSet;

use kubectl_skills::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::change_set::{Change, changes};
use kubectl_skills::config::explain::{Against, Inputs, Row, against, explain};
use kubectl_skills::config::hash::ConfigHash;
use kubectl_skills::config::layers::ConfigLayers;
use kubectl_skills::live::LivePlan;
use kubectl_skills::plan::{Action, RuntimePlan};
use kubectl_skills::plan_report::plan_object;
use serde_json::json;

use crate::args::{Planning, Report};
use crate::cluster::apply::{FIELD_MANAGER, Prepared, Settings};
use crate::cluster::carry_out::{prepare_all, task};
use crate::cluster::live_run::{LiveArgs, LiveRun, block_on};
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::object_diff::{self, Pair};
use crate::sink;
use crate::table::Table;

/// What `diff` was told beside the scope.
#[derive(Debug, Clone)]
pub struct DiffOptions {
    /// The server merges, by dry run; else the plan is shown as it is.
    pub server_side: bool,
    /// As `apply --force-conflicts` would.
    pub force: bool,
    /// As `apply --field-manager` would.
    pub manager: Option<String>,
    /// managedFields are shown.
    pub show_managed_fields: bool,
    /// As `apply --remove` would.
    pub remove: bool,
    /// Output format.
    pub output: Report,
}

/// Live against planned.
pub fn diff(live: &LiveArgs, namespace: Option<&str>, planning: &Planning, options: &DiffOptions) -> Run {
    block_on(async {
        let live_run = LiveRun::open(live, namespace, planning, options.remove, false).await?;
        let plans = live_run.plan();
        let mut messages: Vec<String> = Vec::new();
        let input: Vec<_> = plans.iter().flat_map(|live| live.errors.iter().cloned()).collect();
        let tasks: Vec<_> = plans
            .iter()
            .filter(|live| live.errors.is_empty())
            .filter_map(|live| live.plan.as_ref().and_then(|plan| task(live, plan)))
            .collect();
        let mut pairs = Vec::new();
        if options.server_side {
            let settings = Settings {
                manager: options.manager.clone().unwrap_or_else(|| FIELD_MANAGER.into()),
                force: options.force,
            };
            for (_, result) in prepare_all(&live_run, tasks, &settings).await {
                match result {
                    Ok(prepared) => pairs.push(pair(&prepared, options.show_managed_fields)),
                    Err(error) => messages.push(error.to_string()),
                }
            }
        } else {
            pairs.extend(
                tasks.iter().map(|task| {
                    Pair::new(&task.write.live, &task.write.desired, options.show_managed_fields)
                }),
            );
        }
        let outcome = match options.output {
            Report::Text => object_diff::show(&pairs, ("live", "planned"))?,
            Report::Json => {
                let objects: Vec<_> = pairs.iter().filter(|pair| pair.differs()).map(object_json).collect();
                let found = !objects.is_empty();
                let list =
                    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Diff", "objects": objects});
                sink::text(&format!("{list:#}\n"))?;
                if found { Outcome::Found } else { Outcome::Done }
            }
        };
        if !messages.is_empty() {
            for error in &input {
                notes::error(&error.to_string());
            }
            let mut seen = BTreeSet::new();
            messages.retain(|message| seen.insert(message.clone()));
            return Err(Failure::Remote(messages));
        }
        if input.is_empty() { Ok(outcome) } else { Err(Failure::Input(input)) }
    })
}

fn pair(prepared: &Prepared, show_managed_fields: bool) -> Pair {
    Pair::new(prepared.live(), &prepared.merged, show_managed_fields)
}

fn object_json(pair: &Pair) -> serde_json::Value {
    let text = |pointer| pair.after.pointer(pointer).cloned().unwrap_or_default();
    json!({
        "apiVersion": text("/apiVersion"), "kind": text("/kind"), "namespace": text("/metadata/namespace"),
        "name": text("/metadata/name"),
        "changes": changes(&pair.before, &pair.after).iter().map(change_json).collect::<Vec<_>>(),
    })
}

fn change_json(change: &Change) -> serde_json::Value {
    json!({"path": change.path, "op": change.op.name(), "from": change.from, "to": change.to})
}

/// What would change, for each AgentRuntime.
pub fn plan(
    live: &LiveArgs,
    namespace: Option<&str>,
    planning: &Planning,
    remove: bool,
    output: Report,
) -> Run {
    block_on(async {
        let live_run = LiveRun::open(live, namespace, planning, remove, false).await?;
        let plans = live_run.plan();
        let with_changes: Vec<(&LivePlan<'_>, &RuntimePlan, Vec<Change>)> = plans
            .iter()
            .filter_map(|live| live.plan.as_ref().map(|plan| (live, plan)))
            .map(|(live, plan)| {
                (live, plan, live.workload.map(|workload| plan.changes(workload)).unwrap_or_default())
            })
            .collect();
        match output {
            Report::Json => {
                let pairs = with_changes.iter().map(|(_, plan, changes)| (*plan, changes.as_slice()));
                let object = plan_object(live_run.settings.options.profile.name, pairs, &[]);
                sink::text(&format!("{object:#}\n"))?;
            }
            Report::Text => {
                notes::warnings(with_changes.iter().flat_map(|(_, plan, _)| {
                    plan.warnings.iter().map(|warning| (plan.id.to_string(), warning))
                }));
                sink::text(&plan_table(live.scope.all_namespaces, &with_changes))?;
            }
        }
        let input: Vec<_> = plans.iter().flat_map(|live| live.errors.iter().cloned()).collect();
        if input.is_empty() { Ok(Outcome::Done) } else { Err(Failure::Input(input)) }
    })
}

fn plan_table(all_namespaces: bool, plans: &[(&LivePlan<'_>, &RuntimePlan, Vec<Change>)]) -> String {
    let mut head = vec!["NAME", "TARGET", "ACTION", "SKILLS", "CHANGES"];
    if all_namespaces {
        head.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&head);
    for (_, plan, changes) in plans {
        let skills: Vec<&str> = plan.skills.iter().map(|planned| planned.skill.name.as_str()).collect();
        let skills = if skills.is_empty() { "<none>".to_owned() } else { skills.join(",") };
        let count =
            if plan.action == Action::Error { "<unset>".to_owned() } else { changes.len().to_string() };
        let target = format!("{}/{}", plan.target.kind, plan.target.name);
        let mut cells = vec![plan.id.name.clone(), target, plan.action.name().to_owned(), skills, count];
        if all_namespaces {
            cells.insert(0, plan.id.namespace.clone());
        }
        table.row(cells);
    }
    table.to_string()
}

/// What `hash` was told beside the scope.
#[derive(Debug, Clone)]
pub struct HashOptions {
    /// Each layer and value that went in, with its source.
    pub explain: bool,
    /// A hash to be explained by other inputs.
    pub against: Option<String>,
    /// Output format.
    pub output: Report,
}

/// The config hash of each AgentRuntime, what went into it, and what could explain another.
pub fn hash(live: &LiveArgs, namespace: Option<&str>, planning: &Planning, options: &HashOptions) -> Run {
    let foreign = match &options.against {
        None => None,
        Some(text) => Some(ConfigHash::parse(text).ok_or_else(|| {
            Failure::Usage(format!("--against {text}: a config hash has 64 lower-case hex digits"))
        })?),
    };
    block_on(async {
        let live_run = LiveRun::open(live, namespace, planning, false, false).await?;
        let profile = live_run.settings.options.profile;
        let layers = ConfigLayers::new(profile, &live_run.maps, live_run.settings.view);
        let plans = live_run.plan();
        let mut items = Vec::new();
        let mut table = Table::new(&["NAMESPACE", "NAME", "HASH"]);
        let mut told = String::new();
        let mut warned = BTreeSet::new();
        for live in &plans {
            let Some(plan) = &live.plan else { continue };
            let id = &plan.id;
            let config = layers.for_namespace(&id.namespace);
            for warning in config.warnings().iter().filter(|warning| warned.insert((*warning).clone())) {
                notes::warning(warning);
            }
            table.row([id.namespace.clone(), id.name.clone(), plan.config_hash.clone()]);
            let mut item = json!({"namespace": id.namespace, "name": id.name, "configHash": plan.config_hash,
                                  "hashInput": plan.hash_input});
            let spec = AgentRuntimeSpec::from_object(live.runtime).ok();
            if options.explain {
                let rows = explain(profile, spec.as_ref(), config);
                told.push_str(&format!("\n{id} {}\n{}", plan.config_hash, explained(&rows)));
                item["inputs"] = rows.iter().map(row_json).collect();
            }
            if let Some(foreign) = &foreign {
                let inputs = Inputs {
                    profile,
                    spec: spec.as_ref(),
                    maps: &live_run.maps,
                    namespace: &id.namespace,
                    view: live_run.settings.view,
                };
                let found = against(&inputs, foreign);
                told.push_str(&format!("\n{id} against {foreign}\n{}", explanations(&found)));
                item["against"] = found
                    .explanations
                    .iter()
                    .map(
                        |one| json!({"differs": one.differs, "profile": one.profile, "hashInput": one.input}),
                    )
                    .collect();
            }
            items.push(item);
        }
        match options.output {
            Report::Json => {
                let list =
                    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "HashList", "items": items});
                sink::text(&format!("{list:#}\n"))?;
            }
            Report::Text if told.is_empty() => sink::text(&table.to_string())?,
            Report::Text => sink::text(told.trim_start_matches('\n'))?,
        }
        let input: Vec<_> =
            plans.iter().filter(|live| live.plan.is_none()).flat_map(|live| live.errors.clone()).collect();
        if input.is_empty() { Ok(Outcome::Done) } else { Err(Failure::Input(input)) }
    })
}

fn explained(rows: &[Row]) -> String {
    let mut table = Table::new(&["FIELD", "HASHED", "SOURCE", "VALUE"]);
    for row in rows {
        let value =
            if row.note.is_empty() { row.value.clone() } else { format!("{} ({})", row.value, row.note) };
        let hashed = if row.hashed { "yes" } else { "no" };
        table.row([row.field.clone(), hashed.to_owned(), row.source.to_string(), value]);
    }
    table.to_string()
}

fn row_json(row: &Row) -> serde_json::Value {
    json!({"field": row.field, "value": row.value, "source": row.source.to_string(), "hashed": row.hashed, "note": row.note})
}

fn explanations(found: &Against) -> String {
    let mut out = String::new();
    for one in &found.explanations {
        let what = if one.differs.is_empty() {
            "the inputs as they are".to_owned()
        } else {
            one.differs.join(", and ")
        };
        out.push_str(&format!("  explained by: {what} (profile {})\n", one.profile));
    }
    if out.is_empty() {
        let bound = if found.complete { "" } else { "; not all pairs were tried" };
        out = format!("  no change of one or two inputs explains it ({} tried{bound})\n", found.tried);
    }
    out
}
