//! Gates and defaults that change while it runs.

use serde_json::json;

use super::process::{
    Controller, condition, defaults, eventually, hash, images, live, merge, put, until_condition,
};
use crate::objects::{deployment, runtime};
use crate::server::Server;

const SKILLS: [(&str, &str, &str); 1] = [("pdf", "quay.io/example/pdf:1", "/skills/pdf")];

/// The operator would set the condition and mount nothing (Q8).
#[test]
fn a_gate_that_is_switched_reaches_every_workload() {
    let (server, namespace) = (Server::shared(), "ctl-gate");
    server.namespace(namespace);
    let gates = tempfile::NamedTempFile::new().expect("a file");
    let path = gates.path().to_str().expect("a path");
    let set = |text: &str| std::fs::write(gates.path(), text).expect("a writable file");
    set("skillImageVolumes: false\nglobalEnabled: true\n");
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &workload);
    put(server, &agent);
    let controller = Controller::start(
        server,
        &["--namespaces", namespace, "--feature-gates-path", path, "--profile", "pr332-merged"],
    );
    until_condition(server, &agent, "SkillsMounted", "False FeatureGateDisabled");
    assert_eq!(images(&live(server, &workload)), [""; 0]);
    set("skillImageVolumes: true\n");
    until_condition(server, &agent, "SkillsMounted", "True SkillsApplied");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/pdf:1"]);
    // A file that does not parse changes nothing.
    set("skillImageVolumes: [");
    eventually("an error", || (controller.said("feature gates cannot be read") > 0).then_some(()));
    assert_eq!(condition(server, &agent, "SkillsMounted"), "True SkillsApplied");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/pdf:1"]);
}

#[test]
fn a_changed_default_rolls_those_whom_it_concerns() {
    let server = Server::shared();
    let namespaces = ["ctl-conf-a", "ctl-conf-b"];
    for namespace in namespaces {
        server.namespace(namespace);
        put(server, &defaults(namespace, "info"));
        put(server, &deployment(namespace, "weather"));
        put(server, &runtime(namespace, "weather", &SKILLS));
    }
    let controller = Controller::of(server, &namespaces.join(","));
    for namespace in namespaces {
        until_condition(server, &runtime(namespace, "weather", &SKILLS), "Ready", "True Configured");
    }
    let generation =
        |namespace: &str| live(server, &deployment(namespace, "weather"))["metadata"]["generation"].clone();
    let hash_of = |namespace: &str| hash(&live(server, &deployment(namespace, "weather")));
    let (before, other) = (hash_of(namespaces[0]), generation(namespaces[1]));
    merge(server, &defaults(namespaces[0], ""), "kubectl", &json!({"data": {"LOG": "debug"}}));
    eventually("another hash", || (hash_of(namespaces[0]) != before).then_some(()));
    assert_eq!(generation(namespaces[1]), other);
    assert_eq!(controller.metric("writes_total{what=\"workload\"}"), 3.0);
    // And back again: the same inputs, the same hash.
    merge(server, &defaults(namespaces[0], ""), "kubectl", &json!({"data": {"LOG": "info"}}));
    eventually("the hash of before", || (hash_of(namespaces[0]) == before).then_some(()));
}
