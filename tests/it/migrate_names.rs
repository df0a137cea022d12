//! Names of one operator in place of the other's by the program: labels and selectors in step, words of people untouched.

use crate::program::{Folder, fed};

const AGENT: &str = "\
# kagenti.io/type says what it is
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata:
  name: clerk
  finalizers: [kagenti.io/cleanup]
spec: {type: agent, targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: clerk
  labels:
    'kagenti.io/type': agent   # read by the operator
    protocol.kagenti.io/a2a: \"\"
    app.kubernetes.io/managed-by: kagenti-operator
    team: kagenti-operator
  annotations:
    kagenti.io/skills: '[\"tax\"]'
    kagenti.io/description: Speaks kagenti.io/type fluently
    skills.kagenti.dev/record: '{\"skills\":[\"tax\"]}'
spec:
  selector: {matchLabels: {app: clerk}}
  template:
    metadata: {labels: {app: clerk, \"kagenti.io/type\": agent}}
    spec:
      containers:
      - name: agent
        image: ghcr.io/kagenti/clerk:1
        args: [\"--select=kagenti.io/type=agent\", 'https://kagenti.io/type']
        env:
        - name: TYPE
          valueFrom: {fieldRef: {fieldPath: \"metadata.labels['kagenti.io/type']\"}}
---
apiVersion: v1
kind: Service
metadata: {name: clerk}
spec: {selector: {kagenti.io/type: agent}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kagenti-feature-gates, namespace: kagenti-system}
data:
  feature-gates.yaml: |
    # kagenti.io/type
    globalEnabled: true
---
apiVersion: v1
kind: Namespace
metadata: {name: team1, labels: {kagenti-enabled: \"true\"}}
";

/// Each name that would be written, with its line.
const DRY: &str = "\
./a.yaml:2: agent.kagenti.dev/v1alpha1 becomes agent.rossoctl.dev/v1alpha1
./a.yaml:6: kagenti.io/cleanup becomes rossoctl.io/cleanup
./a.yaml:14: kagenti.io/type becomes rossoctl.io/type
./a.yaml:15: protocol.kagenti.io/a2a becomes protocol.rossoctl.io/a2a
./a.yaml:16: kagenti-operator becomes rossoctl-operator
./a.yaml:19: kagenti.io/skills becomes rossoctl.io/skills
./a.yaml:20: kagenti.io/description becomes rossoctl.io/description
./a.yaml:25: kagenti.io/type becomes rossoctl.io/type
./a.yaml:30: --select=kagenti.io/type=agent becomes --select=rossoctl.io/type=agent
./a.yaml:33: metadata.labels['kagenti.io/type'] becomes metadata.labels['rossoctl.io/type']
./a.yaml:38: kagenti.io/type becomes rossoctl.io/type
./a.yaml:42: kagenti-feature-gates becomes rossoctl-feature-gates
./a.yaml:42: kagenti-system becomes rossoctl-system
./a.yaml:50: kagenti-enabled becomes rossoctl-enabled
./kustomization.yaml:2: kagenti.io/type becomes rossoctl.io/type
./kustomization.yaml:4: agent.kagenti.dev becomes agent.rossoctl.dev
./kustomization.yaml:4: kagenti.io/type=agent becomes rossoctl.io/type=agent
./p.yaml:2: /metadata/labels/kagenti.io~1type becomes /metadata/labels/rossoctl.io~1type
";

/// What the names of rossoctl make of it.
fn renamed() -> String {
    let mut out = AGENT.to_owned();
    for (from, to) in [
        ("agent.kagenti.dev", "agent.rossoctl.dev"),
        ("[kagenti.io/cleanup]", "[rossoctl.io/cleanup]"),
        ("'kagenti.io/type': agent", "'rossoctl.io/type': agent"),
        ("protocol.kagenti.io", "protocol.rossoctl.io"),
        ("managed-by: kagenti-operator", "managed-by: rossoctl-operator"),
        ("kagenti.io/skills", "rossoctl.io/skills"),
        ("kagenti.io/description", "rossoctl.io/description"),
        ("\"kagenti.io/type\"", "\"rossoctl.io/type\""),
        ("select=kagenti.io/type", "select=rossoctl.io/type"),
        ("['kagenti.io/type']", "['rossoctl.io/type']"),
        ("{kagenti.io/type: agent}", "{rossoctl.io/type: agent}"),
        ("kagenti-feature-gates", "rossoctl-feature-gates"),
        ("namespace: kagenti-system", "namespace: rossoctl-system"),
        ("kagenti-enabled", "rossoctl-enabled"),
    ] {
        assert!(out.contains(from), "{from}");
        out = out.replace(from, to);
    }
    out
}

#[test]
fn names_change_in_step_and_back() {
    let said = fed(&["migrate", "-f", "-", "--names", "rossoctl"], AGENT);
    assert_eq!((said.code, said.stdout.as_str()), (0, &*renamed()), "{said:?}");
    assert_eq!(
        said.stderr,
        "\
warning: -:42:11: document 4: ConfigMap kagenti-system/kagenti-feature-gates: moves to namespace rossoctl-system (the object in \
the old namespace stays until somebody deletes it)
note: -:1: kagenti.io/type stays, in 3 places; also -:20, -:45
note: -:29: ghcr.io/kagenti/clerk:1 stays, in 1 place
note: -:30: https://kagenti.io/type stays, in 1 place
note: -:17: kagenti-operator stays, in 1 place
summary: 14 names of rossoctl written in 1 file, 1 to decide, 4 words left
"
    );
    let back = fed(&["migrate", "-f", "-", "--names", "kagenti", "-q"], &said.stdout);
    assert_eq!(back.parts(), (0, AGENT, ""));
    let again = fed(&["migrate", "-f", "-", "--names", "rossoctl", "-q"], &said.stdout);
    assert_eq!(again.parts(), (0, said.stdout.as_str(), ""));
}

/// Kustomizations and their patches name labels as well; a whole folder is renamed or nothing of it.
#[test]
fn kustomizations_and_patches_are_renamed_too() {
    let kustomization = "labels:\n- pairs: {kagenti.io/type: agent}\npatches:\n- {path: p.yaml, target: {group: agent.kagenti.dev, \
                         labelSelector: kagenti.io/type=agent}}\nresources: [a.yaml]\n";
    let patch = "- op: replace\n  path: /metadata/labels/kagenti.io~1type\n  value: tool\n";
    let files = [("kustomization.yaml", kustomization), ("p.yaml", patch), ("a.yaml", AGENT)];
    let folder = Folder::with(&files);
    let run = |more: &[&str]| folder.skills(&[&["migrate", "-f", ".", "-R"], more].concat());
    let said = run(&["--names", "rossoctl", "--dry-run", "-q"]);
    assert_eq!(said.parts(), (0, DRY, ""));
    assert_eq!(run(&["--names", "rossoctl", "-i"]).code, 0);
    assert_eq!(folder.read("a.yaml"), renamed());
    assert_eq!(folder.read("kustomization.yaml"), kustomization.replace("kagenti", "rossoctl"));
    assert_eq!(folder.read("p.yaml"), patch.replace("kagenti", "rossoctl"));
    assert_eq!(run(&["--names", "kagenti", "-i", "-q"]).code, 0);
    for (name, text) in files {
        assert_eq!(folder.read(name), text);
    }
    folder.write("b.yaml", "metadata: {labels: {kagenti.io/type: a, rossoctl.io/type: b}}\n");
    folder.write("c.yaml", "a: \"kagenti.io\\x2ftype\"\n");
    folder.write("d.yaml", "{{ kagenti.io/type }}: [\n");
    let said = run(&["--names", "rossoctl", "-i"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    for words in [
        "./b.yaml:1:21: kagenti.io/type and rossoctl.io/type are both here, and would be one key (take out the one that does not \
         count)",
        "./c.yaml:1:4: kagenti.io/type is written with escapes or over several lines",
        "./d.yaml:",
    ] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    assert_eq!(folder.read("a.yaml"), AGENT);
}

/// What a rename alone would break.
#[test]
fn what_somebody_must_decide_comes_first() {
    let runtime = AGENT.replace(
        "spec: {type: agent,",
        "spec: {skills: [{name: tax, image: i, mountPath: /s}], type: agent,",
    );
    let said = fed(&["migrate", "-f", "-", "--names", "rossoctl"], &runtime);
    assert!(
        said.code == 3
            && said
                .stderr
                .contains("lists skills, which no operator of the new names reads (move the list first"),
        "{said:?}"
    );
    let selector = AGENT.replace("{matchLabels: {app: clerk}}", "{matchLabels: {kagenti.io/type: agent}}");
    let said = fed(&["migrate", "-f", "-", "--names", "rossoctl"], &selector);
    assert!(
        said.code == 0
            && said.stderr.contains(
                "selects by a label that is renamed, and a selector of a live object cannot be changed"
            ),
        "{said:?}"
    );
    let crd = "kind: CustomResourceDefinition\nmetadata: {name: agentruntimes.agent.kagenti.dev}\nspec: {group: agent.kagenti.dev}\n";
    let said = fed(&["migrate", "-f", "-", "--names", "rossoctl"], crd);
    assert!(said.stderr.contains("is the definition of the other operator under a new name"), "{said:?}");
}

/// Texts within documents hold names as well: patches, expressions, and the namespace by its label.
#[test]
fn names_within_texts_are_renamed_and_come_back() {
    let text = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: kagenti-system
commonLabels: {kagenti.io/team: a}
labels:
- {pairs: {kagenti.io/inject: 'on'}, includeSelectors: true}
- {pairs: {kagenti.io/inject: 'on'}}
patches:
- target: {kind: Deployment}
  patch: |-
    - op: add
      path: /metadata/labels/kagenti.io~1type   # kagenti.io/type
      value: agent
    - {op: replace, path: /metadata/namespace, value: kagenti-system}
- patch: '[{\"op\": \"remove\", \"path\": \"/metadata/labels/kagenti.io~1x\"}]'
- patch: |
    about kagenti.io/type
patchesStrategicMerge:
- |-
  metadata:
    name: a
    labels:
      kagenti.io/type: agent
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: a}
spec:
  matchConstraints:
    namespaceSelector:
      matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: NotIn, values: [kagenti-system, kube-system]}
  validations:
  - expression: >-
      object.metadata.labels['kagenti.io/type'] == 'agent' &&
      object.metadata.namespace != 'kagenti-system'
    messageExpression: \"'has no kagenti.io/type, ' + \\\"kagenti-system\\\"\"
---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
nodes: [{labels: {kagenti.io/node: a}}]
";
    let said = fed(&["migrate", "-f", "-", "--names", "rossoctl"], text);
    let kept = ["# kagenti.io/type", "about kagenti.io/type"];
    let mut wanted = text.replace("kagenti", "rossoctl");
    for words in kept {
        wanted = wanted.replace(&words.replace("kagenti", "rossoctl"), words);
    }
    assert_eq!((said.code, said.stdout.as_str()), (0, wanted.as_str()), "{said:?}");
    for words in [
        "namespace: moves what it builds to namespace rossoctl-system",
        "commonLabels: a label that is renamed is written into selectors as well",
        "-:6:3: labels[0]: a label that is renamed is written into selectors as well",
        "configures a local cluster and names the other operator",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("labels[1]"), "{said:?}");
    let back = fed(&["migrate", "-f", "-", "--names", "kagenti", "-q"], &said.stdout);
    assert_eq!(back.parts(), (0, text, ""));
}

/// A template stops everything, so that the way around it is named.
#[test]
fn a_template_is_left_out_by_the_flag_that_its_error_names() {
    let folder = Folder::with(&[("a.yaml", AGENT), ("charts/t.yaml", "{{- if .kagenti }}\na: [\n")]);
    let run = |more: &[&str]| {
        folder.skills(&[&["migrate", "-f", ".", "-R", "--names", "rossoctl", "-i"], more].concat())
    };
    let said = run(&[]);
    assert!(said.code == 3 && said.stderr.contains("leave it out with --exclude t.yaml"), "{said:?}");
    assert_eq!(run(&["--exclude", "t.yaml"]).code, 0);
    assert_eq!(folder.read("a.yaml"), renamed());
}
