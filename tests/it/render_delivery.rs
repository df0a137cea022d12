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
