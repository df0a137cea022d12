#!/usr/bin/env bash
# Packs deploy/chart as `helm package` does, the same bytes for the same commit: `hack/dist/chart.sh DIR`.
#
# In:  helm of hack/tools.sh (needs Go the first time), python3; SOURCE_DATE_EPOCH.
# Out: DIR/kubectl-skills-X.Y.Z.tgz on stdout. helm has read it again: its schema, its README, and templates with the defaults.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=${1:?a folder}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for field in version appVersion; do
  grep -qx "$field: $version" deploy/chart/Chart.yaml || { echo "chart: $field of Chart.yaml is not $version" >&2; exit 1; }
done
python3 hack/dist/chart_values.py >&2
helm=$(hack/tools.sh helm)
chart=$out/kubectl-skills-$version.tgz
"$helm" package deploy/chart --destination "$out" >&2
# helm writes the time of the run into each entry.
python3 hack/dist/archive.py --repack "$chart"
"$helm" lint --strict "$chart" >&2
[ "$("$helm" show readme "$chart")" = "$(cat deploy/chart/README.md)" ] || { echo "chart: another README in it" >&2; exit 1; }
"$helm" template release "$chart" | grep -q "image: \"\?ghcr.io/kagenti/kubectl-skills:v$version"
if "$helm" template release "$chart" --set replicas=many >/dev/null 2>&1; then
  echo "chart: a value of a wrong type is taken" >&2
  exit 1
fi
printf '%s\n' "$chart"
