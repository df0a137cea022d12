//! docs/migrate.md: its own commands move a repository of 40 agents to other names and to images.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::model::Model;
use crate::said::said;
use crate::{folder, healthy, skills, text};

const PAGE: &str = include_str!("../../docs/migrate.md");
const AGENTS: usize = 40;

/// The commands of the section.
fn blocks() -> Vec<&'static str> {
    let section =
        PAGE.split("\n## ").find(|section| section.starts_with("A whole repository")).expect("the section");
    let found: Vec<&str> =
        section.split("```sh\n").skip(1).map(|block| block.split("```").next().expect("its end")).collect();
    assert_eq!(found.len(), 4, "{section}");
    found
}

/// Agents in several styles and kinds, each with one to three of ten skills.
fn repository(root: &Path) {
    for folder in ["skills", "agents", "base"] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let write = |name: String, text: String| std::fs::write(root.join(name), text).expect("a file");
    for skill in 0..10 {
        write(
            format!("skills/skill{skill}.yaml"),
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: skill{skill}\n  namespace: team1\n  labels:\n    kagenti.io/type: \
                 skill   # found by it\n    app.kubernetes.io/managed-by: kagenti-ui\n  annotations:\n    kagenti.io/file-paths: \
                 '{{\"SKILL.md\":\"SKILL.md\",\"scripts.run.py\":\"scripts/run.py\"}}'\ndata:\n  SKILL.md: |\n    ---\n    name: \
                 skill{skill}\n    description: Does {skill}. Use it for {skill}.\n    ---\n    # Steps\n  scripts.run.py: \
                 print({skill})\n"
            ),
        );
    }
    for agent in 0..AGENTS {
        let used: Vec<usize> = (0..=agent % 3).map(|more| (agent + more * 3) % 10).collect();
        let mounts: String = used
            .iter()
            .enumerate()
            .map(|(index, skill)| match agent % 2 {
                0 => format!(
                    "        - {{name: skill-{index}, mountPath: /app/skills/skill{skill}, readOnly: true}}\n"
                ),
                _ => {
                    format!("        - name: skill-{index}\n          mountPath: /app/skills/skill{skill}\n")
                }
            })
            .collect();
        let volumes: String = used
            .iter()
            .enumerate()
            .map(|(index, skill)| {
                format!("      - name: skill-{index}\n        configMap:\n          name: skill{skill}\n")
            })
            .collect();
        let folders: Vec<String> = used.iter().map(|skill| format!("/app/skills/skill{skill}")).collect();
        let names: Vec<String> = used.iter().map(|skill| format!("\"skill{skill}\"")).collect();
        let kind = if agent % 5 == 4 { "StatefulSet" } else { "Deployment" };
        let service =
            if kind == "StatefulSet" { format!("  serviceName: agent{agent}\n") } else { String::new() };
        write(
            format!("agents/agent{agent}.yaml"),
            format!(
                "# Agent {agent}\napiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata: {{name: agent{agent}, namespace: \
                 team1}}\nspec:\n  type: agent\n  targetRef: {{apiVersion: apps/v1, kind: {kind}, name: agent{agent}}}\n---\n\
                 apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: agent{agent}\n  namespace: team1\n  labels:\n    \
                 protocol.kagenti.io/a2a: \"\"\n    kagenti.io/framework: LangGraph   # shown\n  annotations:\n    kagenti.io/skills: \
                 '[{}]'\nspec:\n{service}  selector: {{matchLabels: {{app: agent{agent}}}}}\n  template:\n    metadata:\n      labels: \
                 {{app: agent{agent}, protocol.kagenti.io/a2a: \"\"}}\n    spec:\n      imagePullSecrets: [{{name: pull}}]\n      containers:\n      - name: agent\n        image: \
                 registry.example.com/agent:{agent}   # ours\n        env:\n        - name: SKILL_FOLDERS\n          value: {}\n        \
                 volumeMounts:\n        - {{name: tmp, mountPath: /tmp}}\n{mounts}      volumes:\n      - name: tmp\n        emptyDir: {{}}\n\
                 {volumes}---\napiVersion: v1\nkind: Service\nmetadata: {{name: agent{agent}, namespace: team1}}\nspec:\n  selector: {{app: \
                 agent{agent}, protocol.kagenti.io/a2a: \"\"}}\n  ports: [{{port: 8000}}]\n",
                names.join(","),
                folders.join(","),
            ),
        );
    }
    write(
        "base/kustomization.yaml".into(),
        "# kagenti's agents\nresources: [../agents, ../skills]\npatches:\n- path: scale.yaml\n  target: {labelSelector: \
         kagenti.io/framework=LangGraph}\n"
            .into(),
    );
    write(
        "base/scale.yaml".into(),
        "- {op: add, path: /metadata/labels/kagenti.io~1inject, value: disabled}\n".into(),
    );
}

fn files(root: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for folder in ["skills", "agents", "base"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder").flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            out.insert(name, std::fs::read_to_string(entry.path()).expect("a file"));
        }
    }
    out
}

#[test]
fn a_repository_of_40_agents_is_moved_by_the_commands_of_the_page() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let (work, tools) = (folder(), folder());
    repository(work.path());
    let before = files(work.path());
    let kubectl = tools.path().join("kubectl");
    std::fs::write(
        &kubectl,
        format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_kubectl-skills")),
    )
    .expect("a script");
    assert!(Command::new("chmod").args(["+x", &text(&kubectl)]).status().expect("chmod").success());
    let run = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", script])
            .current_dir(work.path())
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("NO_COLOR", "1")
            .env("PATH", format!("{}:/usr/bin:/bin", tools.path().display()))
            .env("REGISTRY", format!("{}/acme", server.host));
        said(command.output().expect("a shell"))
    };
    let outputs: Vec<_> = blocks().into_iter().map(run).collect();
    for said in &outputs {
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert!(outputs[0].stderr.contains(", 0 to decide, "), "{:?}", outputs[0]);
    let skills_of = |agent: usize| agent % 3 + 1;
    let all: usize = (0..AGENTS).map(skills_of).sum();
    let moved = format!("{all} skills of {AGENTS} workloads moved from ConfigMaps to images");
    assert!(outputs[2].stderr.contains(&moved), "{:?}", outputs[2]);
    assert_eq!(outputs[3].stdout, "", "nothing to render, nothing found");
    let after = files(work.path());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, text) in &after {
        let ours = text.replace("skills.kagenti.dev", "");
        let old: Vec<&str> = ours.lines().filter(|line| line.contains("kagenti")).collect();
        assert_eq!(
            old,
            if name == "base/kustomization.yaml" { vec!["# kagenti's agents"] } else { Vec::new() },
            "{name}"
        );
        // The author's comments are there, each once.
        for comment in before[name].lines().filter_map(|line| line.split_once(" # ")) {
            assert_eq!(text.matches(&format!(" # {}", comment.1)).count(), 1, "{name}: {}", comment.1);
        }
    }
    for agent in 0..AGENTS {
        let text = &after[&format!("agents/agent{agent}.yaml")];
        assert!(!text.contains("configMap:") && text.contains("kind: SkillBinding"), "{text}");
        assert_eq!(
            text.matches("@sha256:").count(),
            2 * skills_of(agent),
            "in the list and in the workload: {text}"
        );
    }
    // The same skill is in the image: what the agent reads is what the ConfigMap held.
    let images = std::fs::read_to_string(work.path().join("images.txt")).expect("the images");
    assert_eq!(images.lines().count(), 10);
    let (_, image) = images.lines().next().and_then(|line| line.split_once('=')).expect("a pair");
    let inspected = skills(&["inspect", image, "-o", "json"]);
    assert_eq!(inspected.json()["skills"][0]["name"], "skill0", "{inspected:?}");
    // A second time nothing moves.
    assert_eq!(run(blocks()[2]).code, 0);
    assert_eq!(files(work.path()), after);
}
