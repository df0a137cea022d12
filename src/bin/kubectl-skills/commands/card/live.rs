//! `card` of agents in a cluster: their unsigned cards with the skills listed, for kubectl to apply. Nothing is written.

use kubectl_skills::agent_card::{UNSIGNED, UNSIGNED_KEY};
use kubectl_skills::api::object::{Origin, SERVER_METADATA};
use kubectl_skills::manifest::card_maps::{Card, Written, merge_object};
use serde_json::Value;

use super::known::{Facts, of_plans};
use super::{Args, Output};
use crate::cluster::connect::Caller;
use crate::cluster::paths::CONFIG_MAPS;
use crate::cluster::run::ClusterRun;
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::object_diff::LAST_APPLIED;
use crate::sink;

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let planning = args.planning.resolve()?;
    let run = block_on(ClusterRun::open(
        Caller::or_files("card"),
        &args.live,
        args.namespace.as_deref(),
        &planning,
        false,
        false,
    ))?;
    let plans = run.plan();
    let errors: Vec<_> = plans.iter().flat_map(|live| live.errors.iter().cloned()).collect();
    if !errors.is_empty() {
        return Err(Failure::Input(errors));
    }
    let planned = plans
        .iter()
        .filter_map(|live| live.plan.as_ref())
        .map(|plan| (plan, plan.skills.iter().map(|one| one.skill.clone()).collect()));
    let mut facts =
        Facts::new(planning.lock.as_ref(), args.images.then_some((&args.source, args.limits.limits())));
    let agents = of_plans(planned, |_| true, &mut facts)?;
    if args.output == Some(Output::Skills) {
        return super::skills(&agents);
    }
    let (mut written, mut maps) = (Written::default(), Vec::new());
    for (index, agent) in agents.iter().enumerate() {
        let name = format!("{}{UNSIGNED}", agent.name);
        let path = CONFIG_MAPS.object(&agent.namespace, &name);
        let what = format!("ConfigMap {}/{name}", agent.namespace);
        let Some(mut map) = block_on(async { Ok(run.requests.get(&path, &what).await?) })? else { continue };
        let merged = merge_object(&mut map, &agent.skills)
            .map_err(|why| Failure::input(format!("{what}: {UNSIGNED_KEY} is no card: {why}"), ""))?;
        let Some(merged) = merged else {
            let message = format!("{what} has no {UNSIGNED_KEY}, from which the card is signed");
            return Err(Failure::input(message, "write the card of the agent there"));
        };
        written.cards.push(Card {
            agent: index,
            origin: Origin { file: what, document: 1, line: 0 },
            merged,
        });
        maps.push(applied(map));
    }
    let changed = super::report(&agents, &written);
    if args.check {
        return Ok(if changed == 0 { Outcome::Done } else { Outcome::Found });
    }
    for (index, map) in maps.iter().enumerate() {
        if index > 0 {
            sink::text("---\n")?;
        }
        sink::yaml(map)?;
    }
    Ok(Outcome::Done)
}

/// The ConfigMap as a manifest states it.
fn applied(mut map: Value) -> Value {
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in SERVER_METADATA {
            metadata.shift_remove(key);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    map
}
