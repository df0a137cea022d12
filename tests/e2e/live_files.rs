//! `diff -f --live`: manifests, with their skills, against the cluster.

use serde_json::Value;

use crate::objects::{deployment, path_of, runtime};
use crate::server::Server;

fn list(objects: &[&Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// A pull request shows what its merge would do to the cluster, skills included; the cluster stays as it is.
#[test]
fn manifests_are_tried_with_their_skills() {
    let namespace = "live-files";
    let server = Server::with_gate_on(namespace);
    let skills = |tag: &str| format!("quay.io/example/a:{tag}");
    let (old, new) = (skills("1"), skills("2"));
    let manifest = deployment(namespace, "web");
    let agent =
        runtime(namespace, "web", &[("a", &old, "/skills/a"), ("b", "quay.io/example/b:1", "/skills/b")]);
    server.kubectl(&["apply", "--server-side", "-f", "-"], &list(&[&manifest, &agent]));
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let args = ["diff", "-f", "-", "--live"];
    let same = server.skills_fed(&args, &list(&[&manifest, &agent]));
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{}", same.stderr);
    let summary =
        "summary: 1 agent, 2 skills in namespace live-files: 0 workloads would change, 1 unchanged; profile ";
    assert!(same.stderr.contains(summary), "{}", same.stderr);
    let path = format!("{}/web", path_of(&manifest));
    let before = server.get(&path)["metadata"]["generation"].clone();

    let mut changed = manifest.clone();
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "quay.io/example/agent:2".into();
    let fewer = runtime(namespace, "web", &[("a", &new, "/skills/a")]);
    let said = server.skills_fed(&args, &list(&[&changed, &fewer]));
    assert_eq!(said.code, 1, "{said:?}");
    let summary =
        "summary: 1 agent, 1 skill in namespace live-files: 1 workload would change, 0 unchanged; profile ";
    assert!(said.stderr.contains(summary), "{}", said.stderr);
    let lines: Vec<&str> = said
        .stdout
        .lines()
        .filter(|line| (line.starts_with('-') || line.starts_with('+')) && !line.contains("config-hash"))
        .map(str::trim_end)
        .collect();
    let expected = format!(
        "\
--- live/agent.kagenti.dev.v1alpha1.AgentRuntime.{namespace}.web
+++ planned/agent.kagenti.dev.v1alpha1.AgentRuntime.{namespace}.web
-  - image: quay.io/example/a:1
+  - image: quay.io/example/a:2
-  - image: quay.io/example/b:1
-    mountPath: /skills/b
-    name: b
--- live/apps.v1.Deployment.{namespace}.web
+++ planned/apps.v1.Deployment.{namespace}.web
-    kagenti.io/skills: '[\"a\",\"b\"]'
+    kagenti.io/skills: '[\"a\"]'
-        image: quay.io/example/agent:1
+        image: quay.io/example/agent:2
-        - mountPath: /skills/b
-          name: skill-b
-          readOnly: true
-          reference: quay.io/example/a:1
+          reference: quay.io/example/a:2
-      - image:
-          pullPolicy: IfNotPresent
-          reference: quay.io/example/b:1
-        name: skill-b"
    );
    assert_eq!(lines.join("\n"), expected);
    assert_eq!(server.get(&path)["metadata"]["generation"], before, "something was written");

    // The Deployment alone: its AgentRuntime is in the cluster.
    let said = server.skills_fed(&args, &changed.to_string());
    assert_eq!(said.code, 1, "{said:?}");
    // The manifest's own change.
    assert!(said.stderr.contains("1 workload would change, 0 unchanged"), "{}", said.stderr);
    assert!(said.stdout.contains("+        image: quay.io/example/agent:2"), "{}", said.stdout);
    assert!(
        !said.stdout.contains("skill-b") || !said.stdout.contains("\n-        name: skill-b"),
        "{}",
        said.stdout
    );

    // What was shown is what comes.
    server.kubectl(&["apply", "--server-side", "-f", "-"], &list(&[&changed, &fewer]));
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let done = server.skills_fed(&args, &list(&[&changed, &fewer]));
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
}

/// A first deployment: everything is new, and shown with its skills. A second claim on a workload is reported before it is made.
#[test]
fn what_is_not_there_yet_is_shown_whole() {
    let namespace = "live-files-new";
    let server = Server::with_gate_on(namespace);
    let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    let manifest = deployment(namespace, "web");
    let args = ["diff", "-f", "-", "--live"];
    let said = server.skills_fed(&args, &list(&[&manifest, &agent]));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("+          reference: quay.io/example/a:1"), "{}", said.stdout);
    assert!(
        !said.stdout.lines().any(|line| line.starts_with('-') && !line.starts_with("---")),
        "{}",
        said.stdout
    );
    server.kubectl(&["apply", "-f", "-"], &list(&[&manifest, &agent]));
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let same = server.skills_fed(&args, &list(&[&manifest, &agent]));
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "after a client-side apply: {}", same.stderr);
    let mut rival = agent.clone();
    rival["metadata"]["name"] = "rival".into();
    let said = server.skills_fed(&args, &rival.to_string());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("is also the target of AgentRuntime web"), "{}", said.stderr);
    let missing = runtime(namespace, "nowhere", &[("a", "quay.io/example/a:1", "/skills/a")]);
    let said = server.skills_fed(&args, &missing.to_string());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("nowhere not found"), "{}", said.stderr);
    let mut wrong = manifest.clone();
    wrong["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    let said = server.skills_fed(&args, &wrong.to_string());
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("try Deployment live-files-new/web"), "{}", said.stderr);
    for args in [&["diff", "--live"][..], &["diff", "-f", "-", "--server-side"]] {
        let said = server.skills(args);
        assert_eq!(said.code, 2, "{said:?}");
    }
}
