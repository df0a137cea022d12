//! What doctor says of SkillBindings on a real API server.

use serde_json::{Value, json};

use super::{Injection, bind, inject_policy, install, start, until};
use crate::server::Server;

fn rows(server: &Server, namespace: &str) -> Vec<(String, String)> {
    let said = server.skills(&["doctor", "-n", namespace, "-o", "json"]);
    let diagnosis: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = diagnosis["checks"].as_array().expect("rows").iter();
    let rows = rows.map(|row| (text(&row["check"]), text(&row["state"])));
    let ours = |check: &str| {
        check.contains("SkillBinding") || check.contains("skillbindings") || check == "delivery to pods"
    };
    rows.filter(|(check, _)| ours(check)).collect()
}

fn wanted(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(check, state)| ((*check).to_owned(), (*state).to_owned())).collect()
}

/// Pods without their skills say nothing of it: `status` must name them.
#[test]
fn doctor_says_who_delivers_to_pods() {
    let server = start();
    server.namespace("diagnosed");
    let (api, right) = (("SkillBinding API", "ok"), ("may list skillbindings in diagnosed", "ok"));
    assert_eq!(rows(&server, "diagnosed"), wanted(&[api, right]));
    let skills = json!([{"name": "pdf", "image": "i:1", "mountPath": "/skills/pdf"}]);
    let spec = json!({"delivery": "Pod", "selector": {"matchLabels": {"app": "web"}}, "skills": skills});
    bind(&server, "diagnosed", "web", &spec);
    assert_eq!(rows(&server, "diagnosed"), wanted(&[api, right, ("delivery to pods", "failed")]));
    install(&server, &Injection { namespaces: vec!["canary".into()], ..Injection::default() });
    assert_eq!(rows(&server, "diagnosed"), wanted(&[api, right, ("delivery to pods", "failed")]));
    server.kubectl(&["apply", "--server-side", "-f", "-"], &inject_policy::text(&Injection::default()));
    assert_eq!(rows(&server, "diagnosed"), wanted(&[api, right, ("delivery to pods", "ok")]));
    for number in 0..100 {
        bind(&server, "diagnosed", &format!("more-{number}"), &spec);
    }
    let many = ("SkillBindings in one namespace", "warning");
    assert_eq!(rows(&server, "diagnosed"), wanted(&[api, right, ("delivery to pods", "ok"), many]));
    server.kubectl(&["patch", "crd", "skillbindings.skills.kagenti.dev", "--type=json", "-p",
        r#"[{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/rollout"}]"#], "");
    until("the CRD to be another", || rows(&server, "diagnosed")[0].1 == "warning");
}
