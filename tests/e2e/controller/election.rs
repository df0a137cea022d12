//! Two replicas.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Controller, eventually, images, live, merge, put, until_condition};
use crate::objects::{deployment, runtime};
use crate::server::Server;

const LEASE: Duration = Duration::from_secs(6);

fn replica(server: &Server, namespace: &str) -> Controller {
    Controller::of_with(
        server,
        namespace,
        &["--leader-elect", "--lease-duration", "6s", "--lease-namespace", namespace],
        &[],
    )
}

fn set_image(server: &Server, agent: &Value, image: &str) {
    merge(
        server,
        agent,
        "kubectl",
        &json!({"spec": {"skills": [{"name": "pdf", "image": image, "mountPath": "/skills/pdf"}]}}),
    );
}

#[test]
fn a_paused_leader_writes_nothing_after_another_took_over() {
    let (server, namespace) = (Server::shared(), "ctl-leader");
    server.namespace(namespace);
    let workload = deployment(namespace, "weather");
    let agent = runtime(namespace, "weather", &[("pdf", "quay.io/example/pdf:1", "/skills/pdf")]);
    put(server, &workload);
    put(server, &agent);
    let first = replica(server, namespace);
    eventually("a leader", || (first.said("this replica leads") == 1).then_some(()));
    let second = replica(server, namespace);
    until_condition(server, &agent, "Ready", "True Configured");
    eventually("the second to be ready", || (second.page("/readyz").0 == "200").then_some(()));
    assert_eq!(second.said("this replica leads"), 0);

    // The first is stopped in the middle; a change comes, and the second does it.
    first.signal("STOP");
    let stopped = Instant::now();
    set_image(server, &agent, "quay.io/example/pdf:2");
    eventually("the second to act", || {
        (images(&live(server, &workload)) == ["quay.io/example/pdf:2"]).then_some(())
    });
    let took = stopped.elapsed();
    println!(
        "a new leader acted {:.1} s after the old one stopped; the lease lasts {} s",
        took.as_secs_f64(),
        LEASE.as_secs()
    );
    assert!(took < LEASE + Duration::from_secs(4), "{took:?}");

    // More changes while the first wakes up: it sees them and must not write.
    let written = first.said("workload written");
    first.signal("CONT");
    for number in 3..8 {
        let image = format!("quay.io/example/pdf:{number}");
        set_image(server, &agent, &image);
        eventually("the image", || (images(&live(server, &workload)) == [image.clone()]).then_some(()));
    }
    eventually("the first to notice", || (first.said("this replica leads no more") == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(first.said("workload written"), written, "the old leader wrote");
    assert_eq!(second.said("workload written"), 6);

    // Ended well, it gives the lease back, and the first acts at once.
    let (code, log) = second.end();
    assert_eq!(code, Some(0));
    assert!(log.iter().any(|line| line["message"] == "the lease is given back"));
    let ended = Instant::now();
    set_image(server, &agent, "quay.io/example/pdf:9");
    eventually("the first to act", || {
        (images(&live(server, &workload)) == ["quay.io/example/pdf:9"]).then_some(())
    });
    println!("after a lease was given back the next leader acted in {:.1} s", ended.elapsed().as_secs_f64());
    assert!(ended.elapsed() < LEASE, "it waited for the lease to run out");
    let lease =
        server.get(&format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/kubectl-skills"));
    assert_eq!(lease["spec"]["leaseTransitions"], 2);
}
