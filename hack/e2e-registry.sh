#!/usr/bin/env bash
# push, pull, copy, tags, outdated and update against real registries on loopback, alone and behind a proxy that throttles,
# stalls, cuts connections and wants tokens. `make e2e-registry`.
#
# In:  Go and a module proxy for the registries (hack/tools.sh, cached afterwards); python3; the program, which is built
#      unless KUBECTL_SKILLS_PROGRAM names it.
# Out: each check with its time; the exit code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

started=$SECONDS
crane=$(hack/tools.sh crane)
oras=$(hack/tools.sh oras)
registries=$(hack/tools.sh registries)
program=${KUBECTL_SKILLS_PROGRAM:-}
if [ -z "$program" ]; then
  cargo build --locked
  program=${CARGO_TARGET_DIR:-target}/debug/kubectl-skills
fi
built=$SECONDS
python3 hack/e2e-registry.py --program "$program" --crane "$crane" --oras "$oras" --registries "$registries"
echo "e2e-registry: built in $((built - started)) s, checked in $((SECONDS - built)) s"
