#!/usr/bin/env bash
# Two replicas of the controller on a real API server while everything breaks: `make chaos`.
#
# In:  CHAOS_SEED chooses the plan of faults and of changes (its default is in tests/chaos/main.rs), CHAOS_SECONDS how
#      long things break; Go and a module proxy for the servers as for hack/e2e.sh, or KUBEBUILDER_ASSETS; curl and openssl.
# Out: what was done and what was looked at; the exit code of the tests. On a failure the logs of all processes stay, and
#      the last lines say where. The same seed makes the same plan; what it meets hangs on the machine as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in curl openssl; do
  command -v "$program" >/dev/null || { echo "chaos: no '$program' on the PATH" >&2; exit 1; }
done
# The version that tests/e2e/server.rs asks for.
[ -n "${KUBEBUILDER_ASSETS:-}" ] || hack/apiserver/build.sh 1.37.2 >/dev/null
# One after the other: each breaks what it has, and would wait for the other.
exec hack/test-again.sh chaos 1 "$@"
