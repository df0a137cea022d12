#!/usr/bin/env bash
# The tests against real API servers: brings up what they need, then runs them. `make e2e`.
#
# In:  Go and a module proxy for the servers (hack/apiserver/build.sh; minutes on a cold machine, cached afterwards), or
#      KUBEBUILDER_ASSETS for the current one, and for Helm in any case (hack/tools.sh); curl and openssl.
# Out: the tests' exit code; how long each test took, the slowest ten once more at the end, and each part.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in curl openssl; do
  command -v "$program" >/dev/null || { echo "e2e: no '$program' on the PATH" >&2; exit 1; }
done
started=$SECONDS
# The versions that tests/e2e/server.rs asks for.
versions=(1.33.13)
[ -n "${KUBEBUILDER_ASSETS:-}" ] || versions+=(1.37.2)
hack/apiserver/build.sh "${versions[@]}" >/dev/null
# What owners deploy with, for tests/e2e/inject_policy/drift.
hack/tools.sh helm helm3 >/dev/null
built=$SECONDS
# More than there are cores: half of the tests wait for most of their time, for leases and requeues.
hack/test-again.sh e2e "${E2E_THREADS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}" "$@"
echo "e2e: servers $((built - started)) s, tests $((SECONDS - built)) s"
