//! References to what `migrate` moves: patches of kustomizations, other readers of a ConfigMap, comments.

#![allow(clippy::disallowed_methods, reason = "a test runs the commands of a page")]

use crate::program::{Folder, fed};

const AGENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: clerk}
spec:
  template:
    spec:
      containers:
      - name: agent
        image: i:1
        env:
        - {name: RATE, valueFrom: {configMapKeyRef: {name: tax, key: rate}}}
        volumeMounts:
        - {name: skill-0, mountPath: /app/skills/tax/}   # the law
        - {name: cache, mountPath: /app/skills/tax/cache}
      volumes:
      - {name: skill-0, configMap: {name: tax}}
      - {name: cache, emptyDir: {}}
";

const JOB: &str = "\
apiVersion: batch/v1
kind: CronJob
metadata: {name: night}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: a, image: i, envFrom: [{configMapRef: {name: tax}}]}]
";

const KUSTOMIZATION: &str = "\
resources: [agent.yaml, night.yaml]
namePrefix: st-
configMapGenerator:
- name: tax
  files: [SKILL.md]
patches:
- path: merge.yaml
- target: {kind: Deployment, name: .*}
  path: json.yaml
- target: {kind: Deployment}
  patch: |-
    - op: replace
      path: /spec/template/spec/containers/0/image
      value: i:2
    - op: add
      path: /spec/template/spec/volumes/0
      value: {name: x, emptyDir: {}}
- target: {kind: Service}
  patch: '[{op: remove, path: /spec/volumes/0}]'
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: clerk}
  spec:
    template:
      spec:
        volumes:
        - name: other
          configMap: {name: tax}
";

const MERGE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: clerk}
spec:
  template:
    spec:
      containers:
      - name: agent
        volumeMounts:
        - {name: more, mountPath: /app/skills/tax}
";

const JSON: &str =
    "- {op: test, path: /spec/template/spec/containers/0/volumeMounts/0/name, value: skill-0}\n";

fn folder() -> Folder {
    Folder::with(&[
        ("agent.yaml", AGENT),
        ("night.yaml", JOB),
        ("kustomization.yaml", KUSTOMIZATION),
        ("merge.yaml", MERGE),
        ("json.yaml", JSON),
    ])
}

/// A patch that states the volume brings it back, or stops the build: a move that says nothing of it is not done.
#[test]
fn patches_that_speak_of_what_moves_are_to_be_decided() {
    let folder = folder();
    let said = folder.skills(&[
        "migrate",
        "-f",
        ".",
        "--from",
        "ConfigMap",
        "--image",
        "tax=i.example/tax:1",
        "--dry-run",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut decide: Vec<&str> = said
        .stderr
        .lines()
        .filter_map(|line| Some(line.strip_prefix("warning: to decide: ")?.split_once(" (")?.0))
        .collect();
    decide.sort_unstable();
    assert_eq!(
        decide,
        [
            "./agent.yaml:11:53: Deployment default/clerk: spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef: still \
             reads ConfigMap tax as environment",
            "./agent.yaml:14:11: Deployment default/clerk: spec.template.spec.containers[0].volumeMounts[1]: tax: \
             /app/skills/tax/cache is mounted within its folder, and an image is read-only",
            "./json.yaml:1:3: [0]: the patch counts in or replaces volumeMounts, in which something is gone",
            "./kustomization.yaml:15: patches[2].patch: [1]: the patch counts in or replaces volumes, in which something is gone",
            "./kustomization.yaml:2:13: namePrefix: renames workloads, and kustomize does not change spec.targetRef.name of a \
             SkillBinding",
            "./kustomization.yaml:30: patchesStrategicMerge[0]: spec.template.spec.volumes[0].configMap: the patch mounts ConfigMap tax",
            "./merge.yaml:10:11: spec.template.spec.containers[0].volumeMounts[0]: the patch mounts something at /app/skills/tax, \
             where a skill is",
            "./night.yaml:9:69: CronJob default/night: spec.jobTemplate.spec.template.spec.containers[0].envFrom[0].configMapRef: \
             still reads ConfigMap tax as environment",
        ],
        "{said:?}"
    );
    assert!(said.stderr.ends_with("; not done: 8 places to decide\n"), "{said:?}");
    assert!(!said.stderr.contains("skipped files that kustomize reads"), "{said:?}");
}

/// Nothing but the mount goes: who reads the ConfigMap otherwise keeps it.
#[test]
fn other_readers_nested_mounts_and_comments_are_named() {
    let said = fed(
        &["migrate", "-f", "-", "--from", "ConfigMap", "--image", "tax=i.example/tax:1"],
        format!("{AGENT}---\n{JOB}"),
    );
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "-:11:53: Deployment default/clerk: spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef: still reads ConfigMap \
         tax as environment (keep the ConfigMap as long as this is so)",
        "document 2: CronJob default/night: spec.jobTemplate.spec.template.spec.containers[0].envFrom[0].configMapRef: still reads \
         ConfigMap tax as environment",
        "volumeMounts[1]: tax: /app/skills/tax/cache is mounted within its folder, and an image is read-only",
        "-:13: the comment goes with what it is about: # the law",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    assert!(said.stdout.contains("configMapKeyRef: {name: tax, key: rate}"), "{said:?}");
    assert!(!said.stderr.contains("still mounts"), "{said:?}");
}

/// The ConfigMap is in no file, and is a skill all the same.
#[test]
fn a_config_map_of_a_generator_is_a_skill_that_is_not_decided() {
    let folder = folder();
    folder.write("agent.yaml", AGENT.replace("skill-0", "law"));
    for input in [".", "agent.yaml"] {
        let said = folder.skills(&["migrate", "-f", input, "--from", "ConfigMap", "-i"]);
        assert_eq!(said.code, 3, "{input}: {said:?}");
        let words = "tax: a ConfigMap with a skill, which configMapGenerator makes at ";
        assert!(
            said.stderr.contains(words) && said.stderr.contains("kustomization.yaml:4, and it is"),
            "{input}: {said:?}"
        );
    }
}

const RUNTIME: &str = "\
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: clerk}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}
";
const LIST: &str = "  skills:\n  - {name: tax, image: 'ghcr.io/acme/tax:1.0.0', mountPath: /skills/tax}\n";

/// Lists of custom resources are replaced as a whole, and a patch that matches nothing stops the build.
#[test]
fn patches_of_lists_that_move_are_to_be_decided() {
    let patch = format!("{}{LIST}", RUNTIME.replace("  type: agent\n", ""));
    let folder = Folder::with(&[
        ("runtime.yaml", &format!("{RUNTIME}{LIST}")),
        ("kustomization.yaml", "resources: [runtime.yaml]\npatches: [{path: p.yaml}]\nnameSuffix: -b\n"),
        ("p.yaml", &patch),
    ]);
    let said = folder.skills(&["migrate", "-f", ".", "-i"]);
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "to decide: ./p.yaml:7:3: spec.skills: the patch states a list of AgentRuntime default/clerk, which is in SkillBinding \
         default/clerk now (write it for SkillBinding default/clerk, or the skills are in two lists)",
        "to decide: ./kustomization.yaml:3:13: nameSuffix: renames workloads",
        "1 list with 1 skill moved; not done: 2 places to decide",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    // And back, where a file and an object go.
    let binding = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: clerk}}\nspec:\n  targetRef: {{apiVersion: apps/v1, \
         kind: Deployment, name: clerk}}\n{LIST}"
    );
    let folder = Folder::with(&[
        ("runtime.yaml", RUNTIME),
        ("binding.yaml", &binding),
        ("kustomization.yaml", "resources: [runtime.yaml, binding.yaml]\npatches: [{path: p.yaml}]\n"),
        ("p.yaml", "kind: SkillBinding\nmetadata: {name: clerk, labels: {a: b}}\n"),
    ]);
    let said = folder.skills(&["migrate", "-f", ".", "-i", "--to", "AgentRuntime"]);
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "to decide: ./p.yaml:1:1: the patch is about SkillBinding default/clerk, which is gone",
        "to decide: ./kustomization.yaml:1:27: resources[1]: lists ./binding.yaml, of which nothing is left (take the line out",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
}

/// Advice that leads somewhere.
#[test]
fn json_moves_under_another_name() {
    let text = "{\"apiVersion\": \"agent.kagenti.dev/v1alpha1\", \"kind\": \"AgentRuntime\", \"metadata\": {\"name\": \"clerk\"}, \
                \"spec\": {\"type\": \"agent\", \"targetRef\": {\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"name\": \"clerk\"}, \
                \"skills\": [{\"name\": \"tax\", \"image\": \"ghcr.io/acme/tax:1.0.0\", \"mountPath\": \"/skills/tax\"}]}}\n";
    let folder = Folder::with(&[("a.json", text)]);
    let said = folder.skills(&["migrate", "-f", "a.json", "-i"]);
    assert!(said.code == 3 && said.stderr.contains("rename the file so that it ends in .yaml"), "{said:?}");
    folder.write("a.yaml", text);
    assert_eq!(folder.skills(&["migrate", "-f", "a.yaml", "-i"]).code, 0);
    let after = folder.read("a.yaml");
    assert!(after.contains("---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding"), "{after}");
    let checked = folder.skills(&["validate", "-f", "a.yaml"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

/// The page's way without a registry, by its own commands: the digest of the list is that of the layout.
#[test]
fn the_way_without_a_registry_is_that_of_the_page() {
    let page = include_str!("../../docs/migrate.md");
    let section = page.split("\n## ").find(|one| one.starts_with("Without a registry")).expect("the section");
    let script =
        section.split("```sh\n").nth(1).and_then(|block| block.split("```").next()).expect("commands");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tax, labels: {kagenti.io/type: skill}}\ndata:\n  SKILL.md: |\n    ---\n    \
               name: tax\n    description: Computes taxes. Use it for taxes.\n    ---\n    # Steps\n";
    let agent = AGENT.replace("        - {name: cache, mountPath: /app/skills/tax/cache}\n", "");
    let program = env!("CARGO_BIN_EXE_kubectl-skills");
    let folder = Folder::with(&[("skills/tax.yaml", map), ("agent.yaml", &agent), ("bin/README", "")]);
    let kubectl = std::path::PathBuf::from(folder.path("bin/kubectl"));
    crate::executable::write(&kubectl, format!("#!/bin/sh\nshift\nexec '{program}' \"$@\"\n"));
    let script = format!("PATH=$PWD/bin:$PATH\n{script}");
    let said = crate::program::said(
        std::process::Command::new("sh")
            .args(["-e", "-c", &script])
            .current_dir(folder.root())
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PATH", "/usr/bin:/bin")
            .env("REGISTRY", "registry.example/acme"),
    );
    assert_eq!(said.code, 0, "{said:?}");
    let packed = folder.skills(&["pack", "skills/tax.yaml", "-o", "json"]);
    let digest = packed.json()["digest"].as_str().expect("a digest").to_owned();
    let after = folder.read("agent.yaml");
    assert!(
        after.contains(&format!("image: registry.example/acme/tax:1.0.0@{digest}\n")),
        "{after} {packed:?}"
    );
}
