//! Kubernetes 1.33 as it comes: the API server drops image volumes without a word.

use crate::objects::{deployment, gates_on, path_of, runtime};
use crate::server::{GATE_OFF, Server};

/// The hash annotation would be written and the skills would not: agents restart and have lost nothing but their tools.
#[test]
fn doctor_and_apply_say_so_and_nothing_is_changed() {
    let server = Server::start(GATE_OFF, &[]);
    server.namespace("kagenti-system");
    server.namespace("team1");
    server.create(&path_of(&gates_on()), &gates_on());
    for name in ["web", "search"] {
        let skills = [("a", "quay.io/example/a:1", "/skills/a")];
        for object in [deployment("team1", name), runtime("team1", name, &skills)] {
            server.create(&path_of(&object), &object);
        }
    }
    let paths = ["web", "search"].map(|name| format!("/apis/apps/v1/namespaces/team1/deployments/{name}"));
    let before = paths.each_ref().map(|path| server.get(path));
    for dry_run in ["--dry-run=none", "--dry-run=server"] {
        let said = server.skills(&["apply", "-n", "team1", dry_run]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
        assert!(
            said.stderr.contains("the server drops image volumes: skill-a; nothing was changed"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("feature gate ImageVolume is off"), "{}", said.stderr);
    }
    assert_eq!(paths.each_ref().map(|path| server.get(path)), before);
    let said = server.skills(&["doctor", "-n", "team1", "-o", "json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let diagnosis: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    let check = |name: &str| {
        let rows = diagnosis["checks"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["check"] == name)
            .unwrap_or_else(|| panic!("no {name} in {diagnosis}"))
            .clone()
    };
    assert_eq!(check("image volumes kept")["state"], "failed");
    assert!(
        check("image volumes kept")["found"]
            .as_str()
            .expect("text")
            .contains("the feature gate ImageVolume is off")
    );
    assert_eq!(check("server version")["found"], "v1.33.13: ImageVolume is beta, off by default");
}
