//! Skills from ConfigMaps in place of images, for clusters without image volumes: rendered, rendered again, and taken back.

use crate::program::{Folder, fed};

const WORKLOAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: clerk, namespace: shop}
spec:
  selector: {matchLabels: {app: clerk}}
  template:
    metadata: {labels: {app: clerk}}
    spec:
      containers:
      - name: agent   # who works
        image: a
";
const REST: &str = "\
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: clerk, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: clerk}
  skills:
  - {name: tax, image: 'ghcr.io/acme/tax:1', mountPath: /app/skills/tax}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: tax
  namespace: shop
  labels: {kagenti.io/type: skill}
  annotations: {kagenti.io/file-paths: '{\"SKILL.md\":\"SKILL.md\",\"scripts.run.py\":\"scripts/run.py\"}'}
data: {SKILL.md: x, scripts.run.py: run}
";

#[test]
fn a_skill_is_mounted_from_its_config_map_and_taken_out_again() {
    let text = format!("{WORKLOAD}{REST}");
    let render = |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q"], more].concat(), text);
    let delivered = render(&["--delivery", "configmap"], &text);
    let wanted = "\
      volumes:
      - name: skill-tax
        configMap:
          name: tax
          items:
          - key: SKILL.md
            path: SKILL.md
          - key: scripts.run.py
            path: scripts/run.py
";
    assert!(delivered.code == 0 && delivered.stdout.contains(wanted), "{delivered:?}");
    assert!(delivered.stdout.contains("skills.kagenti.dev/record:"), "{delivered:?}");
    assert!(delivered.stdout.ends_with(REST) && !delivered.stdout.contains("reference:"), "{delivered:?}");
    let again = render(&["--delivery", "auto"], &delivered.stdout);
    assert_eq!(again.parts(), (0, delivered.stdout.as_str(), ""));
    let checked = fed(&["render", "-f", "-", "--check", "--delivery", "configmap", "-q"], &delivered.stdout);
    assert_eq!(checked.parts(), (0, "", ""));
    let back = render(&["--remove"], &delivered.stdout);
    assert_eq!(back.parts(), (0, text.as_str(), ""));
    // To images, and from images.
    let image = render(&[], &delivered.stdout);
    assert!(image.code == 0 && !image.stdout.contains("configMap:"), "{image:?}");
    assert!(image.stdout.contains("        image:\n          reference: ghcr.io/acme/tax:1\n"), "{image:?}");
    let linted = fed(&["lint", "-f", "-", "--exclude-rule", "config-map-skill"], &delivered.stdout);
    assert_eq!((linted.code, linted.stdout.as_str()), (0, ""), "{linted:?}");
}

#[test]
fn in_place_there_and_back_gives_the_same_bytes() {
    let folder = Folder::with(&[("a.yaml", &format!("{WORKLOAD}{REST}"))]);
    let before = folder.read("a.yaml");
    let run = |more: &[&str]| folder.skills(&[&["render", "-f", "a.yaml", "-i", "-q"], more].concat());
    assert_eq!(run(&[]).code, 0);
    let image = folder.read("a.yaml");
    assert_eq!(run(&["--delivery", "configmap"]).code, 0);
    assert!(folder.read("a.yaml").contains("configMap:"));
    assert_eq!(run(&[]).code, 0);
    assert_eq!(folder.read("a.yaml"), image);
    assert_eq!(run(&["--delivery", "auto"]).code, 0);
    assert_eq!(run(&["--remove"]).code, 0);
    assert_eq!(folder.read("a.yaml"), before);
}

/// A volume of a ConfigMap that no record names is its author's.
#[test]
fn what_cannot_be_delivered_is_refused() {
    let text = format!("{WORKLOAD}{REST}");
    let said =
        |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q", "--delivery"], more].concat(), text);
    let other = text.replace("  name: tax\n  namespace: shop\n", "  name: tax\n  namespace: other\n");
    let refused = said(&["configmap"], &other);
    assert!(
        refused.code == 3
            && refused.stdout.is_empty()
            && refused.stderr.contains("the input has no ConfigMap tax with the files of skill tax"),
        "{refused:?}"
    );
    let auto = said(&["auto"], &other);
    assert!(auto.code == 0 && auto.stdout.contains("reference: ghcr.io/acme/tax:1"), "{auto:?}");
    let outside = text.replace("\"scripts/run.py\"", "\"../run.py\"");
    let refused = said(&["configmap"], &outside);
    assert!(
        refused.code == 3 && refused.stderr.contains("ConfigMap shop/tax: scripts.run.py: its path"),
        "{refused:?}"
    );
    let taken = text.replace(
        "        image: a\n",
        "        image: a\n      volumes: [{name: skill-tax, configMap: {name: mine}}]\n",
    );
    let refused = said(&["configmap"], &taken);
    assert!(refused.code == 3 && refused.stderr.contains("that is not ours"), "{refused:?}");
    assert_eq!(said(&["configmap", "--exact"], &text).code, 2);
}

/// What would run and not work, or could not be taken back, is refused rather than written.
#[test]
fn what_would_not_work_in_a_pod_is_refused() {
    let text = format!("{WORKLOAD}{REST}");
    let said = |more: &[&str], text: &str| fed(&[&["render", "-f", "-", "-q"], more].concat(), text);
    let within = |path: &str| {
        text.replace("mountPath: /app/skills/tax}", &format!("mountPath: /app/skills/tax, subPath: {path}}}"))
    };
    let refused = said(&["--delivery", "configmap"], &within("skills/tax"));
    let words = "ConfigMap tax has no file at or below skills/tax, the subPath of the skill";
    assert!(refused.code == 3 && refused.stderr.contains(words), "{refused:?}");
    assert_eq!(said(&["--delivery", "configmap"], &within("scripts")).code, 0);
    let pod = text.replace("  skills:\n", "  delivery: Pod\n  skills:\n");
    let refused = said(&["--delivery", "configmap"], &pod);
    let words = "spec.delivery: pods get the skills of this list as they are created, and from images";
    assert!(refused.code == 3 && refused.stderr.contains(words), "{refused:?}");
    let folder = crate::program::Folder::with(&[("a.yaml", &text)]);
    let line = ["render", "-i", "-f", "a.yaml", "--no-record", "--delivery", "configmap"];
    let refused = folder.skills(&line);
    assert!(refused.code == 2 && refused.stderr.contains("leave --no-record out"), "{refused:?}");
    assert_eq!(folder.read("a.yaml"), text, "nothing is written");
}

/// A ConfigMap that nobody asks for is nobody's error; one that cannot be mounted leaves the image where that is allowed.
#[test]
fn a_config_map_that_cannot_be_mounted_matters_to_its_own_skill_alone() {
    let text = format!("{WORKLOAD}{REST}");
    let said = |how: &str, text: &str| fed(&["render", "-f", "-", "--delivery", how], text);
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n  namespace: shop\n  labels: {kagenti.io/type: \
                 skill}\n  annotations: {kagenti.io/file-paths: '{\"SKILL.md\":\"../x\"}'}\ndata: {SKILL.md: x}\n";
    for how in ["configmap", "auto"] {
        let done = said(how, &format!("{text}{other}"));
        assert!(done.code == 0 && done.stdout.contains("          - key: SKILL.md\n"), "{how}: {done:?}");
    }
    let broken = text.replace("\"scripts/run.py\"", "\"../run.py\"");
    let auto = said("auto", &broken);
    assert!(auto.code == 0 && auto.stdout.contains("reference: ghcr.io/acme/tax:1"), "{auto:?}");
    assert!(auto.stderr.contains("note: skill tax stays an image"), "{auto:?}");
    // Two workloads with the skill: one fault is one fault, and a warning one warning.
    let second = format!("{WORKLOAD}{REST}").replace("clerk", "second");
    let second = &second[..second.find("---\napiVersion: v1").expect("a ConfigMap")];
    let refused = said("configmap", &format!("{broken}---\n{second}"));
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{refused:?}");
    let guessed = text.replace("        image: a\n", "        image: a\n      - {name: b, image: i}\n");
    let done = said("configmap", &guessed);
    assert_eq!((done.code, done.stderr.matches("warning: ").count()), (0, 1), "{done:?}");
    let map = &REST[REST.find("---\napiVersion: v1").expect("a ConfigMap")..];
    let twice = said("auto", &format!("{text}{map}"));
    assert!(twice.code == 3 && twice.stderr.contains("metadata.name: is in the input twice"), "{twice:?}");
}
