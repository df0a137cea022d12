//! Workloads whose SkillBinding has left Git and whose skills have not: render and the function warn of them, and only of them.

#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test writes files")]

use serde_json::Value;

use crate::program::{fed, skills};

const BINDING: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: tools, namespace: team1}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills: [{name: pdf, image: 'quay.io/example/pdf:1', mountPath: /skills/pdf}]
";

fn deployment(name: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: team1}}
spec:
  template:
    spec:
      containers:
      - name: agent
        image: agent:1
"
    )
}

const WARNING: &str = "no SkillBinding or AgentRuntime is about it any more, and it keeps what an earlier one left: pdf; \
     take that out with render --remove while that one is there, or by hand";

/// The workloads that stderr warns of.
fn warned(stderr: &str) -> Vec<String> {
    let of = |line: &str| Some(line.split_once(WARNING)?.0.to_owned());
    stderr.lines().filter_map(of).collect()
}

fn list(documents: &[&str]) -> String {
    let items = documents.iter().map(|text| {
        let mut lines = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        lines.replace_range(0..2, "- ");
        lines
    });
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{}", items.collect::<String>())
}

#[test]
fn a_workload_whose_skill_binding_is_gone_is_warned_of() {
    let (weather, other) = (deployment("weather"), deployment("other"));
    let render = |more: &[&str], text: &str| {
        let said = fed(&[&["render", "-f", "-"], more].concat(), text);
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    let all = format!("{BINDING}---\n{weather}---\n{other}");
    let once = render(&[], &all);
    assert!(once.stdout.contains("skill-pdf"), "{}", once.stdout);
    assert_eq!((warned(&once.stderr), warned(&render(&[], &once.stdout).stderr)), (vec![], vec![]));
    assert_eq!(warned(&render(&[], &format!("{weather}---\n{other}")).stderr), [""; 0]);

    // Printed, without a record.
    let left = once.stdout.split_once("---\n").expect("documents").1;
    let said = render(&[], left);
    assert_eq!(
        (said.stdout.as_str(), warned(&said.stderr)),
        (left, vec!["warning: Deployment team1/weather: ".into()])
    );
    assert_eq!(warned(&render(&["--remove"], left).stderr), [""; 0]);
    let (mine, _) = left.split_once("---\n").expect("documents");
    let (mine, list) = (mine.trim_end(), list(&[mine, &other]));
    let said = fed(&["fn"], &list);
    assert_eq!((said.code, warned(&said.stderr).len()), (0, 1), "{said:?}: {mine}");
    assert!(said.stdout.contains(WARNING) && said.stdout.contains("severity: warning"), "{}", said.stdout);

    // In the author's files, with one.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("all.yaml");
    let path = file.to_str().expect("a path");
    std::fs::write(&file, &all).expect("a file");
    let in_place = |more: &[&str]| {
        let said = skills(&[&["render", "-i", "-f", path], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    assert_eq!(warned(&in_place(&[]).stderr), [""; 0]);
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.split_once("---\n").expect("documents").1).expect("a file");
    assert_eq!(warned(&in_place(&[]).stderr).len(), 1);
    let json = skills(&["plan", "-f", path, "-o", "json"]);
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(
        value.to_string().contains("no SkillBinding or AgentRuntime") || json.stderr.contains(WARNING),
        "{json:?}"
    );
}
