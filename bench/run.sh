#!/usr/bin/env bash
# `make bench`: this project's release build beside the same transform written with kyaml (bench/kyaml-fn), in one run
# on one machine. First both outputs must be equal in meaning; then CPU, peak memory and start-up are measured.
#
#   bench/run.sh [--rounds N] [--kustomize]      --kustomize also times `kustomize build` of the stream (minutes)
#
# KUBECTL_SKILLS_BIN   measures this program instead of building one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=5
kustomize=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?--rounds takes a number}; shift ;;
    --kustomize) kustomize=1 ;;
    *) echo "bench: unknown option $1; options are --rounds N, --kustomize" >&2; exit 2 ;;
  esac
  shift
done
command -v python3 >/dev/null || { echo "bench: python3 is needed to generate and to measure" >&2; exit 2; }

ours=${KUBECTL_SKILLS_BIN:-}
if [ -z "$ours" ]; then
  cargo build --release --locked --bin kubectl-skills
  ours=${CARGO_TARGET_DIR:-target}/release/kubectl-skills
fi
peer=$(hack/tools.sh kyaml-fn)
kubectl=$(hack/tools.sh kubectl)
extra=()
[ -z "$kustomize" ] || extra=(--kustomize "$(hack/tools.sh kustomize)")

data=.cache/bench
python3 bench/generate.py "$data"
echo "stream $(wc -c <"$data/stream.yaml") bytes, ResourceList $(wc -c <"$data/list.yaml") bytes"

echo "equal in meaning, before anything is measured:"
"$ours" render --profile pr332-merged -f - <"$data/stream.yaml" >"$data/stream.ours"
"$peer" --stream <"$data/stream.yaml" >"$data/stream.peer"
"$peer" --compare "$data/stream.ours" "$data/stream.peer"
"$ours" fn <"$data/list.yaml" >"$data/list.ours"
"$peer" <"$data/list.yaml" >"$data/list.peer"
"$peer" --compare "$data/list.ours" "$data/list.peer"

failed=0
cargo run --release --locked --example readers -- "$data/stream.yaml" || failed=1
python3 bench/measure.py --ours "$ours" --peer "$peer" --kubectl "$kubectl" --data "$data" --rounds "$rounds" --json docs/benchmarks.json "${extra[@]}" || failed=1
python3 bench/plots.py
exit "$failed"
