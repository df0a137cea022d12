//! A ConfigMap with a skill, as kagenti's backend makes it, for whoever mounts or moves it.

/// Skill `tax` of namespace `shop`: a document with its mark.
macro_rules! tax_map {
    () => {
        "\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: tax
  namespace: shop
  labels: {kagenti.io/type: skill}
  annotations: {kagenti.io/file-paths: '{\"SKILL.md\":\"SKILL.md\",\"scripts.run.py\":\"scripts/run.py\"}'}
data:
  SKILL.md: |
    ---
    name: tax
    description: Computes taxes.
    ---
  scripts.run.py: print(1)
"
    };
}
