//! What the policies cost: how long a pod's creation takes with so many SkillBindings in its namespace. A measurement for
//! docs/benchmarks.md, on a machine at rest:
//! `hack/e2e.sh inject_policy::cost --ignored --nocapture`.

use std::time::{Duration, Instant};

use kubectl_skills::install::inject_policy::Injection;
use serde_json::{Value, json};

use super::{bind, container, dry_run, install, pod, start, until_seen};
use crate::server::Server;

const ROUNDS: usize = 300;

fn measured(server: &Server, pod: &Value) -> String {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS + 20 {
        let begun = Instant::now();
        let (code, answer) = dry_run(server, pod);
        assert_eq!(code, 201, "{answer}");
        if round >= 20 {
            times.push(begun.elapsed());
        }
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("{:.1} ({:.1})", milliseconds(times[ROUNDS / 2]), milliseconds(times[ROUNDS * 95 / 100]))
}

#[test]
#[ignore = "a measurement"]
fn creation_takes_longer_with_each_binding_of_the_namespace() {
    let server = start();
    let agent =
        |labels: &Value| pod("cost", labels, &json!({"containers": [container("agent", &json!({}))]}));
    server.namespace("cost");
    println!(
        "| SkillBindings in the namespace | a pod of none of them | a pod that gets 1 skill | 20 skills |"
    );
    println!("|---|---|---|---|");
    println!("| no policies | {} | | |", measured(&server, &agent(&json!({"app": "other"}))));
    install(&server, &Injection::default());
    println!("| 0 | {} | | |", measured(&server, &agent(&json!({"app": "other"}))));
    let skills = |count: usize| -> Vec<Value> {
        let one = |number| json!({"name": format!("s{number}"), "image": "ghcr.io/acme/s:1", "mountPath": format!("/skills/s{number}")});
        (0..count).map(one).collect()
    };
    let mut made = 0;
    for count in [1, 10, 100] {
        while made < count {
            // The first two are about pods by their labels, the others about Deployments as most are.
            let mut spec = json!({"delivery": "Pod", "skills": skills(20)});
            match made {
                0 => spec["selector"] = json!({"matchLabels": {"app": "twenty"}}),
                _ => {
                    spec["targetRef"] =
                        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": format!("w{made}")})
                }
            }
            bind(&server, "cost", &format!("b{made}"), &spec);
            made += 1;
        }
        until_seen(&server);
        let other = measured(&server, &agent(&json!({"app": "other"})));
        let twenty = measured(&server, &agent(&json!({"app": "twenty"})));
        let spec =
            json!({"delivery": "Pod", "selector": {"matchLabels": {"app": "one"}}, "skills": skills(1)});
        bind(&server, "cost", "one", &spec);
        until_seen(&server);
        let one = measured(&server, &agent(&json!({"app": "one"})));
        server.request("DELETE", "/apis/skills.kagenti.dev/v1alpha1/namespaces/cost/skillbindings/one", None);
        println!("| {count} | {other} | {one} | {twenty} |");
    }
}
