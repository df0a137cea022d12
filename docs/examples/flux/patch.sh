#!/usr/bin/env bash
# For CI, since Flux runs no functions and no plugins: writes a kustomize Component whose patches mount the skills of a
# kustomization. Commit it; Flux applies it by `spec.components`, kustomize by `components:` around the kustomization.
#
#   patch.sh KUSTOMIZATION OUT
set -euo pipefail

kustomization=${1:?the folder of a kustomization}
out=${2:?the folder to write}
mkdir -p "$out"
kustomize build "$kustomization" | kubectl-skills render --profile pr332-merged -o kustomize-patch -f - >"$out/.kustomization.yaml"
mv "$out/.kustomization.yaml" "$out/kustomization.yaml"
