//! Values that Kubernetes' reader refuses in the workload of an AgentRuntime: one verdict by every verb that looks at it.

use crate::program::fed;

const VERBS: [&[&str]; 4] = [
    &["validate", "-q", "-f", "-"],
    &["render", "-q", "-f", "-"],
    &["plan", "-q", "-f", "-"],
    &["diff", "-q", "-f", "-"],
];

/// A workload with a value at line 5, column 13, and its AgentRuntime.
fn agent(value: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: desk, namespace: team1}}
spec:
  replicas: {value}
  template:
    metadata: {{labels: {{app: desk}}}}
    spec:
      containers:
      - {{name: agent, image: \"reg.example/desk:1\"}}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {{name: desk, namespace: team1}}
spec:
  type: agent
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: desk}}
  skills:
  - {{name: forecast, image: \"reg.example/skills/forecast:1.0.0\", mountPath: /skills/forecast}}
"
    )
}

#[test]
fn what_kubernetes_cannot_read_in_a_workload_is_refused_by_every_verb() {
    let cases = [
        (".inf", 13, ".inf is not a number in JSON; quote it to make it text"),
        ("-.Inf", 13, "-.Inf is not a number in JSON; quote it to make it text"),
        (".nan", 13, ".nan is not a number in JSON; quote it to make it text"),
        ("!!float .inf", 13, ".inf is not a number in JSON; quote it to make it text"),
        ("{null: x}", 14, "a key cannot be null; quote it or remove the entry"),
        ("{[a]: x}", 14, "a key cannot be a mapping or a sequence; keys of objects are strings"),
        ("{? {a: b} : c}", 16, "a key cannot be a mapping or a sequence; keys of objects are strings"),
        ("!!int x", 13, "cannot decode !!str `x` as a !!int; change the tag or the value"),
        ("!!binary a$", 13, "!!binary value contains invalid base64 data; change the tag or the value"),
    ];
    for (value, column, message) in cases {
        let error = format!("error: -:5:{column}: Deployment team1/desk: {message}\n");
        for verb in VERBS {
            let said = fed(verb, agent(value));
            assert_eq!((said.code, said.stderr.as_str()), (3, error.as_str()), "{verb:?} of {value}");
        }
    }
}

/// Numbers beyond 64 bits, doubled keys and keys that are no text are read as Go reads them.
#[test]
fn what_kubernetes_reads_is_accepted_by_every_verb() {
    for value in [
        "99999999999999999999",
        "-9223372036854775809",
        "1e400",
        "{a: 1, a: 2}",
        "{1: x}",
        "{1.5: x, true: y}",
        "2001-01-01",
    ] {
        for verb in VERBS {
            let said = fed(verb, agent(value));
            let wanted = i32::from(verb[0] == "diff");
            assert_eq!((said.code, said.stderr.as_str()), (wanted, ""), "{verb:?} of {value}");
        }
    }
}

/// A workload and its AgentRuntime in one list are refused once; a workload that no AgentRuntime is about refuses nothing.
#[test]
fn a_list_is_refused_once_and_a_bystander_not_at_all() {
    let text = agent(".inf");
    let (workload, runtime) = text.split_once("---\n").unwrap_or_default();
    let item = |object: &str| format!("- {}", object.trim_end().replace('\n', "\n  "));
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}\n{}\n", item(workload), item(runtime));
    let error =
        "error: -:8:15: Deployment team1/desk: .inf is not a number in JSON; quote it to make it text\n";
    let other = workload.replace("name: desk", "name: other");
    let readable = agent("1");
    let (target, runtime) = readable.split_once("---\n").unwrap_or_default();
    let in_list = |kind: &str, objects: &[&str]| {
        let items: Vec<String> = objects.iter().map(|object| item(object)).collect();
        format!("apiVersion: v1\nkind: {kind}\nitems:\n{}\n", items.join("\n"))
    };
    let inner = in_list("DeploymentList", &[&other.replace("apiVersion: apps/v1\nkind: Deployment\n", "")]);
    let inner = inner.replace("apiVersion: v1", "apiVersion: apps/v1");
    let bystanders = [
        format!("{readable}---\n{other}"),
        format!("{readable}---\n{}", other.replace("app: desk", "app: AgentRuntime")),
        in_list("List", &[target, &other, runtime]),
        in_list("List", &[target, &inner, runtime]),
        in_list("List", &[target, "x: .inf\n", runtime]),
    ];
    for verb in VERBS {
        let said = fed(verb, &list);
        assert_eq!((said.code, said.stderr.as_str()), (3, error), "{verb:?}");
        for text in &bystanders {
            let said = fed(verb, text);
            let wanted = i32::from(verb[0] == "diff");
            assert_eq!((said.code, said.stderr.as_str()), (wanted, ""), "{verb:?} of {text}");
        }
        // An AgentRuntime that cannot be read is refused in a list as well.
        let broken = in_list("List", &[target, &runtime.replace("type: agent", "type: .inf")]);
        let said = fed(verb, &broken);
        assert_eq!(said.code, 3, "{verb:?}");
        assert!(said.stderr.contains(".inf is not a number in JSON"), "{verb:?}: {}", said.stderr);
    }
}
