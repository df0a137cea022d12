//! The skills of a cluster's agents: what `status` reports, a row for each skill.

use kubectl_skills::api::names::SKILL_BINDING;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::skill_binding::is_for_pods;
use kubectl_skills::live::status_report::Report;
use kubectl_skills::manifest::set_skills::{image_of, skill_of};
use serde_json::Value;

use super::super::status::reports;
use super::files::source;
use super::{Args, Row};
use crate::cluster::connect::Caller;
use crate::cluster::paths::group_of;
use crate::cluster::run::ClusterRun;
use crate::exit::Failure;
use crate::net::block_on;

/// The rows of the cluster, by namespace and agent.
pub(super) fn rows(args: &Args) -> Result<Vec<Row>, Failure> {
    block_on(async {
        let planning = args.planning.resolve()?;
        let mut run = ClusterRun::open(
            Caller::or_files("list"),
            &args.live,
            args.namespace.as_deref(),
            &planning,
            false,
            true,
        )
        .await?;
        run.read_left().await?;
        run.note_without_pods();
        if let Some(missing) = run.snapshot.missing(&run.scope) {
            return Err(missing.into());
        }
        let profile = run.session.options().profile;
        let mut rows: Vec<Row> = Vec::new();
        for report in reports(&run) {
            rows.extend(of_report(&run, profile, &report));
        }
        rows.sort_by(|a, b| {
            (&a.namespace, &a.agent, &a.workload).cmp(&(&b.namespace, &b.agent, &b.workload))
        });
        Ok(rows)
    })
}

fn of_report(run: &ClusterRun, profile: &Profile, report: &Report) -> Vec<Row> {
    let lists = lists(run, report);
    // Nobody leads where nobody is about the workload.
    let (kind, group) = match report.name.as_str() {
        "" => Default::default(),
        _ => (report.kind.clone(), group_of(profile, &report.kind).to_owned()),
    };
    let row = |skill: &str, image: &str| {
        let of = report.mounted.iter().find(|mounted| mounted.name == skill);
        Row {
            namespace: report.namespace.clone(),
            kind: kind.clone(),
            group: group.clone(),
            agent: report.name.clone(),
            workload: report.target.clone(),
            skill: skill.to_owned(),
            image: image.to_owned(),
            delivery: "Workload".to_owned(),
            path: of.map(|mounted| mounted.path.clone()).unwrap_or_default(),
            sub_path: of.map(|mounted| mounted.sub_path.clone()).unwrap_or_default(),
            source: if report.rendered.is_empty() { "workload" } else { "render" }.to_owned(),
            container: of.map(|mounted| mounted.containers.join(",")).unwrap_or_default(),
            state: Some(report.state().to_owned()),
            ..Row::default()
        }
    };
    let listed = report.listed.iter().map(|skill| {
        let found = lists.iter().find_map(|list| Some((*list, image_of(list, &skill.name)?)));
        let (list, written) = found.unzip();
        Row {
            path: skill.mount_path.clone(),
            sub_path: skill.sub_path.clone(),
            locked: written.is_some_and(|image| image != skill.image),
            delivery: if list.is_some_and(is_for_pods) { "Pod" } else { "Workload" }.to_owned(),
            source: list.map_or_else(|| "workload".to_owned(), source_of),
            ..row(&skill.name, &skill.image)
        }
    });
    let delivered = report.delivered.iter().map(|delivered| {
        let is_it = |list: &&Value| {
            Object(list).namespace() == report.namespace && Object(list).name() == delivered.binding
        };
        let list = run.snapshot.bindings.iter().find(is_it);
        let skill = list.and_then(|list| skill_of(list, &delivered.name)).map(Object);
        let text = |at| skill.map(|skill| skill.str(at).to_owned()).unwrap_or_default();
        Row {
            path: text("/mountPath"),
            sub_path: text("/subPath"),
            delivery: "Pod".to_owned(),
            source: source(SKILL_BINDING, &delivered.binding),
            ..row(&delivered.name, &delivered.image)
        }
    });
    // What is in the template and in no list, of a workload that somebody is about or was.
    let is_other = |name: &str| !report.names().any(|known| known == name);
    let others = report.mounted.iter().filter(|mounted| !mounted.image.is_empty() && is_other(&mounted.name));
    let others = others.map(|mounted| row(&mounted.name, &mounted.image));
    listed.chain(delivered).chain(others).collect()
}

/// The objects whose lists a report is made of: who leads first.
fn lists<'r>(run: &'r ClusterRun, report: &Report) -> Vec<&'r Value> {
    let here = |object: &&Value| Object(object).namespace() == report.namespace;
    let all = run.snapshot.runtimes.iter().chain(&run.snapshot.bindings);
    let lead = all
        .filter(here)
        .find(|object| Object(object).kind() == report.kind && Object(object).name() == report.name);
    let is_added = |object: &&Value| report.added.iter().any(|name| name == Object(object).name());
    let added = run.snapshot.bindings.iter().filter(here).filter(is_added);
    lead.into_iter().chain(added).collect()
}

fn source_of(list: &Value) -> String {
    source(Object(list).kind(), Object(list).name())
}
