#!/usr/bin/env bash
# `verify` on what the real cosign has signed, in real registries on loopback with and without the referrers API.
# `make e2e-verify`.
#
# In:  Go and a module proxy for cosign and the registries (hack/tools.sh; the first build of cosign takes a quarter of an
#      hour, cached afterwards); python3; the program, which is built unless KUBECTL_SKILLS_PROGRAM names it.
# Out: each check with its time; the exit code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

started=$SECONDS
crane=$(hack/tools.sh crane)
registries=$(hack/tools.sh registries)
cosign=$(hack/tools.sh cosign)
program=${KUBECTL_SKILLS_PROGRAM:-}
if [ -z "$program" ]; then
  cargo build --locked
  program=${CARGO_TARGET_DIR:-target}/debug/kubectl-skills
fi
built=$SECONDS
python3 hack/e2e-verify.py --program "$program" --crane "$crane" --registries "$registries" --cosign "$cosign"
echo "e2e-verify: built in $((built - started)) s, checked in $((SECONDS - built)) s"
