#!/usr/bin/env bash
# The tests against real API servers: brings up what they need, then runs them. `make e2e`.
#
# In:  Go and a module proxy for the servers (hack/apiserver/build.sh; minutes on a cold machine, cached afterwards), or
#      KUBEBUILDER_ASSETS for the current one; curl and openssl.
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
built=$SECONDS
# More than there are cores: half of the tests wait for most of their time, for leases and requeues.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rc=0
cargo test --locked --features e2e --test e2e -- --test-threads "${E2E_THREADS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}" --nocapture "$@" 2>&1 | tee "$log" || rc=$?
if [ "$rc" -ne 0 ]; then
  # Real servers have real timing. What failed runs once more, alone; who fails twice has failed, who does not is named.
  mapfile -t failed < <(sed -n '/^failures:$/,/^test result:/s/^    \([a-z_0-9:]*\)$/\1/p' "$log" | sort -u)
  [ ${#failed[@]} -gt 0 ] || exit "$rc"
  echo "e2e: once more, alone: ${failed[*]}"
  cargo test --locked --features e2e --test e2e -- --test-threads 1 --nocapture --exact "${failed[@]}"
  printf 'e2e: unsteady, held on its second run: %s\n' "${failed[@]}"
fi
sed -n 's/^took  *\([0-9.]* s: .*\)/e2e: \1/p' "$log" | sort -k2 -rn | awk 'NR <= 10'
echo "e2e: servers $((built - started)) s, tests $((SECONDS - built)) s"
