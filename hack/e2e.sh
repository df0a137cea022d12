#!/usr/bin/env bash
# The tests against real API servers: brings up what they need, then runs them. `make e2e`.
#
# In:  Go and a module proxy for the servers (hack/apiserver/build.sh; minutes on a cold machine, cached afterwards), or
#      KUBEBUILDER_ASSETS for the current one; curl and openssl.
# Out: the tests' exit code, and how long each part took.
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
built=$SECONDS
# Each test of scale has a server of its own; more than two at a time would only wait for each other.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rc=0
cargo test --locked --features e2e --test e2e -- --test-threads "${E2E_THREADS:-2}" --nocapture "$@" 2>&1 | tee "$log" || rc=$?
if [ "$rc" -ne 0 ]; then
  # Real servers have real timing. What failed runs once more, alone; who fails twice has failed, who does not is named.
  mapfile -t failed < <(sed -n '/^failures:$/,/^test result:/s/^    \([a-z_0-9:]*\)$/\1/p' "$log" | sort -u)
  [ ${#failed[@]} -gt 0 ] || exit "$rc"
  echo "e2e: once more, alone: ${failed[*]}"
  cargo test --locked --features e2e --test e2e -- --test-threads 1 --nocapture --exact "${failed[@]}"
  printf 'e2e: unsteady, held on its second run: %s\n' "${failed[@]}"
fi
echo "e2e: servers $((built - started)) s, tests $((SECONDS - built)) s"
