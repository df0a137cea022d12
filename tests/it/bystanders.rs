//! What no AgentRuntime is about cannot stop a run: only the objects of a plan can refuse it.

use crate::program::{Said, fed};

const AGENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: desk, namespace: team1}
spec:
  template:
    metadata: {labels: {app: desk}}
    spec:
      containers:
      - {name: agent, image: \"reg.example/desk:1\"}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: desk, namespace: team1}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: desk}
  skills:
  - {name: forecast, image: \"reg.example/skills/forecast:1.0.0\", mountPath: /skills/forecast}
";

const VERBS: [&[&str]; 6] = [
    &["render", "-f", "-"],
    &["render", "--check", "-f", "-"],
    &["diff", "-f", "-"],
    &["plan", "-f", "-"],
    &["hash", "-f", "-"],
    &["render", "--remove", "-f", "-"],
];

fn twice(object: &str) -> String {
    format!("{AGENT}---\n{object}---\n{object}")
}

fn workload(kind: &str, namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{}}\n"
    )
}

fn map(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{a: b}}\n"
    )
}

fn run(verb: &[&str], text: &str) -> Said {
    fed(verb, text)
}

/// A folder often holds several variants of a workload that has nothing to do with agents.
#[test]
fn what_no_plan_is_about_may_be_there_twice() {
    let bystanders = [
        workload("Deployment", "team1", "other"),
        // Of the name of the target, and another object all the same.
        workload("StatefulSet", "team1", "desk"),
        workload("Deployment", "team2", "desk"),
        map("team2", "authbridge-runtime-config"),
        map("rossoctl-system", "rossoctl-feature-gates"),
    ];
    for verb in VERBS {
        let alone = run(verb, AGENT);
        assert!(alone.code <= 1, "{verb:?}: {alone:?}");
        for object in &bystanders {
            let said = run(verb, &twice(object));
            assert_eq!(
                (said.code, said.stderr.contains("error")),
                (alone.code, false),
                "{verb:?}: {said:?}\n{object}"
            );
        }
    }
}

/// Which of the two is meant nobody knows, and a guess would be a wrong hash or a workload without its skills.
#[test]
fn what_a_plan_is_about_may_not() {
    let (_, agent) = AGENT.split_once("---\n").expect("two documents");
    let objects = [
        workload("Deployment", "team1", "desk"),
        agent.to_owned(),
        map("team1", "authbridge-runtime-config"),
        map("kagenti-system", "kagenti-feature-gates"),
    ];
    for verb in VERBS {
        // A hash is of AgentRuntime and configuration alone.
        let first = if verb[0] == "hash" { 1 } else { 0 };
        for object in &objects[first..] {
            let said = run(verb, &twice(object));
            assert_eq!(said.code, 3, "{verb:?}: {said:?}\n{object}");
            assert!(said.stderr.contains("is in the input twice"), "{verb:?}: {said:?}");
        }
    }
}

/// Without any AgentRuntime there is nothing that could be meant.
#[test]
fn without_an_agent_nothing_is_refused() {
    let object =
        workload("Deployment", "team1", "desk") + "---\n" + &map("kagenti-system", "kagenti-feature-gates");
    let said = run(&["render", "-f", "-"], &format!("{object}---\n{object}"));
    assert_eq!((said.code, said.stdout), (0, format!("{object}---\n{object}")), "{}", said.stderr);
}
