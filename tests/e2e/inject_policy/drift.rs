//! What Git tools see of skills, for each way in which they reach an agent, and what the owner's next deployment does to
//! them: measured on a real API server with the real tools, and held to the tables of docs/delivery.md.
//! `UPDATE_DOCS=1` writes them.

mod cases;
mod deliver;
mod fields;
mod table;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kubectl_skills::api::names::{FIELD_MANAGER, ROLLOUT};
use kubectl_skills::install::inject_policy::Injection;
use serde_json::{Value, json};

use super::webhook::{opt_in, webhook};
use super::{bind, by_label, container, dry_run, install, pod, start_with, until};
use crate::controller::process::Controller;
use crate::server::Server;
use cases::{Case, LANES, Lane, Way};
use table::Row;

/// What was seen of one object in one lane after one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    delivery: String,
    diff: String,
    deployment: String,
}

/// One lane's objects through both deliveries: (object, after a change, what was seen).
fn lane(server: &Server, lane: Lane) -> Vec<(Case, bool, Seen)> {
    let cases = cases::of(lane);
    let owner = tools::Owner::new(server, lane);
    let mut seen = Vec::new();
    let mut templates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    owner.deploy(&cases);
    for changed in [false, true] {
        let wanted = if changed { "ghcr.io/acme/pdf:2" } else { "ghcr.io/acme/pdf:1" };
        let before = cases::settled(server, &cases);
        let refused = deliver::deliver(server, lane, &cases, wanted);
        let delivered = cases::settled(server, &cases);
        let differing = owner.diff(&cases);
        let failed = owner.deploy(&cases);
        let after = cases::settled(server, &cases);
        // Nothing is restarted before something has changed.
        for case in cases.iter().filter(|case| changed || case.way != Way::Restart) {
            let name = case.name();
            let [before, delivered, after] = [&before, &delivered, &after].map(|live| &live[&name]);
            for live in [before, delivered, after] {
                templates.entry(name.clone()).or_default().insert(case.template(live).to_string());
            }
            if matches!(case.way, Way::Policy | Way::Webhook) {
                let untouched = |live: &Value| {
                    let metadata = &live["metadata"];
                    (metadata["resourceVersion"].clone(), metadata["managedFields"].clone())
                };
                assert_eq!(untouched(before), untouched(delivered), "{name}: the workload has been written");
            }
            if case.way == Way::Auto {
                let ours = written_by_us(delivered);
                let rollout = format!("f:{ROLLOUT}");
                let of_template = |inner: Value| json!({"f:spec": {"f:template": {"f:metadata": inner}}});
                let wanted = of_template(json!({"f:annotations": {&rollout: {}}}));
                let made = of_template(json!({"f:annotations": {".": {}, &rollout: {}}}));
                assert!(ours == [wanted] || ours == [made], "{name}: more than one annotation: {ours:?}");
            }
            for live in [delivered, after] {
                let image = case.template(live).pointer("/spec/containers/0/image");
                assert_eq!(
                    image,
                    Some(&json!("quay.io/example/agent:1")),
                    "{name}: what is its owner's is gone"
                );
            }
            let delivery = match refused.get(&name) {
                Some(fields) => format!("refused: {}", fields::joined(fields)),
                None if case.template(before) != case.template(delivered) => "rolls".to_owned(),
                None => "no roll".to_owned(),
            };
            if delivery.starts_with("refused") {
                let nothing = || "–".to_owned();
                assert_eq!(case.template(before), case.template(after), "{name}: refused, and yet written");
                seen.push((*case, changed, Seen { delivery, diff: nothing(), deployment: nothing() }));
                continue;
            }
            let lacking = deliver::lacking(server, case, delivered, wanted);
            assert!(lacking.is_empty(), "{name}: not delivered: {lacking:?}");
            let rolls = if case.template(delivered) == case.template(after) { "" } else { ", rolls" };
            let deployment = match failed.get(&name) {
                Some(fields) => format!("refused: {}", fields::joined(fields)),
                None => format!("{}{rolls}", deliver::fate(server, case, after, wanted)),
            };
            let diff = differing.get(&name).map_or_else(|| "none".to_owned(), fields::joined);
            seen.push((*case, changed, Seen { delivery, diff, deployment }));
        }
    }
    revisions_are_templates(server, &cases, &templates);
    seen
}

/// The fields that are recorded as ours.
fn written_by_us(live: &Value) -> Vec<Value> {
    let entries = live["metadata"]["managedFields"].as_array().expect("field managers").iter();
    entries.filter(|entry| entry["manager"] == FIELD_MANAGER).map(|entry| entry["fieldsV1"].clone()).collect()
}

/// Each template that a Deployment has had is one ReplicaSet: what `rolls` says is what its pods went through.
fn revisions_are_templates(server: &Server, cases: &[Case], templates: &BTreeMap<String, BTreeSet<String>>) {
    let sets = server.get("/apis/apps/v1/replicasets");
    let sets = sets["items"].as_array().expect("a list");
    for case in cases.iter().filter(|case| case.kind == cases::Kind::Deployment) {
        let mine = sets.iter().filter(|set| {
            set["metadata"]["namespace"] == case.namespace().as_str()
                && set.pointer("/metadata/ownerReferences/0/name") == Some(&Value::from(case.name()))
        });
        assert_eq!(mine.count(), templates[&case.name()].len(), "{}", case.name());
    }
}

#[test]
fn what_git_tools_see_of_skills_is_what_the_docs_say() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/agentflows.yaml");
    let server = start_with(&["--crd", fixture.to_str().expect("a path")]);
    let mut namespaces = vec!["canary".to_owned()];
    for case in LANES.iter().flat_map(|lane| cases::of(*lane)) {
        if !namespaces.contains(&case.namespace()) {
            namespaces.push(case.namespace());
            server.namespace(&case.namespace());
        }
    }
    let (hooked, plain): (Vec<_>, Vec<_>) =
        namespaces.into_iter().partition(|name| name.ends_with("-webhook"));
    let by_policy = plain.into_iter().filter(|name| {
        name == "canary" || ["-policy", "-restart", "-auto"].iter().any(|end| name.ends_with(end))
    });
    install(&server, &Injection { namespaces: by_policy.collect(), ..Injection::default() });
    for namespace in &hooked {
        opt_in(&server, namespace);
    }
    let _webhook = webhook(&server, false);
    let (first, app) = (&hooked[0], "canary");
    bind(&server, first, "canary", &by_label(app, &json!({})));
    let labels = json!({"app": app});
    let canary = pod(first, &labels, &json!({"containers": [container("agent", &json!({}))]}));
    until("the webhook to be called", || dry_run(&server, &canary).1.pointer("/spec/volumes/0").is_some());

    let auto = |lane: &Lane| cases::namespace(*lane, Way::Auto);
    let watched = LANES.iter().map(auto).collect::<Vec<_>>().join(",");
    let controller = Controller::start(&server, &["--profile", "rossoctl", "--namespaces", &watched]);

    let mut all: BTreeMap<(Case, bool), Vec<(Lane, Seen)>> = BTreeMap::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = LANES.iter().map(|of| (*of, scope.spawn(|| lane(&server, *of)))).collect();
        for (of, thread) in running {
            for (case, changed, seen) in thread.join().expect("a lane to its end") {
                all.entry((Case { lane: Lane::Client, ..case }, changed)).or_default().push((of, seen));
            }
        }
    });
    // Each list of skills has made the pods anew once, whatever the owner's tool did in between.
    let anew = all.keys().filter(|(case, _)| case.way == Way::Auto).count() * LANES.len();
    let metrics = controller.page("/metrics").1;
    assert!(metrics.contains(&format!("writes_total{{what=\"rollout\"}} {anew}\n")), "{anew}: {metrics}");
    let rows: Vec<Row> = all.iter().map(|((case, changed), seen)| Row::new(case, *changed, seen)).collect();
    let measured = table::text(&rows);
    println!("{measured}");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/delivery.md");
    let page = std::fs::read_to_string(&path).expect("docs/delivery.md");
    let (head, rest) = page.split_once("<!-- drift -->\n").expect("<!-- drift -->");
    let (written, tail) = rest.split_once("<!-- /drift -->").expect("<!-- /drift -->");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{head}<!-- drift -->\n{measured}<!-- /drift -->{tail}");
        std::fs::write(&path, page).expect("a writable page");
    } else {
        assert_eq!(written, measured, "UPDATE_DOCS=1 writes what was measured");
    }
}
