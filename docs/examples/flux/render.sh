#!/usr/bin/env bash
# For CI, since Flux runs no functions and no plugins: renders a kustomization with its skills into a folder that Flux
# then takes as it is, from Git or as an artifact.
#
#   render.sh KUSTOMIZATION OUT
#
# KUSTOMIZATION has no function among its transformers, since Flux could not build it either.
#
#   flux push artifact oci://registry.example/weather:latest --path=OUT --source=... --revision=...
set -euo pipefail

kustomization=${1:?the folder of a kustomization}
out=${2:?the folder to write}
mkdir -p "$out"
kustomize build "$kustomization" | kubectl-skills render -f - >"$out/.manifests.yaml"
# Nothing is left to do in what is pushed.
kubectl-skills render --check -f "$out/.manifests.yaml" >/dev/null
mv "$out/.manifests.yaml" "$out/manifests.yaml"
