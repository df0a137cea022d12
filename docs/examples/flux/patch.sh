#!/usr/bin/env bash
# For CI, since Flux runs no functions and no plugins: writes a kustomize Component whose patches mount the skills of a
# kustomization. Commit it; Flux applies it by `spec.components`, kustomize by `components:` in or around the kustomization.
#
#   patch.sh KUSTOMIZATION OUT
#
# KUSTOMIZATION has no function among its transformers. A second run writes the same, also where KUSTOMIZATION already has
# OUT among its components; where the list of skills is a SkillBinding, it must not have it then.
set -euo pipefail

kustomization=$(cd "${1:?the folder of a kustomization}" && pwd)
out=${2:?the folder to write}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Only a function sees what an object was called before prefixes and suffixes, and patches must name it so.
ln -s "$kustomization" "$work/kustomization"
printf 'resources: [kustomization]\ntransformers: [capture.yaml]\n' >"$work/kustomization.yaml"
cat >"$work/capture.yaml" <<YAML
apiVersion: skills.kagenti.dev/v1alpha1
kind: Capture
metadata:
  name: capture
  annotations:
    config.kubernetes.io/function: |
      exec: {path: $work/capture}
YAML
printf '#!/bin/sh\nexec tee "%s/seen.yaml"\n' "$work" >"$work/capture"
chmod +x "$work/capture"
kustomize build --enable-alpha-plugins --enable-exec "$work" >/dev/null

kubectl-skills render --remove -f "$work/seen.yaml" >"$work/bare.yaml"
kubectl-skills render -o kustomize-patch -f "$work/bare.yaml" >"$work/patches.yaml"
mkdir -p "$out"
mv "$work/patches.yaml" "$out/kustomization.yaml"
