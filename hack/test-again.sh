#!/usr/bin/env bash
# The tests of one binary against real servers, which have real timing: what fails runs once more, alone; who fails twice
# has failed, and who does not is named as unsteady.
#
#   hack/test-again.sh TEST THREADS [FILTER...]
#
# Out: the tests' exit code, and which ten took longest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

test=${1:?a test} threads=${2:?a number of threads}
shift 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rc=0
cargo test --locked --features e2e --test "$test" -- --test-threads "$threads" --nocapture "$@" 2>&1 | tee "$log" || rc=$?
if [ "$rc" -ne 0 ]; then
  mapfile -t failed < <(sed -n '/^failures:$/,/^test result:/s/^    \([a-z_0-9:]*\)$/\1/p' "$log" | sort -u)
  [ ${#failed[@]} -gt 0 ] || exit "$rc"
  echo "$test: once more, alone: ${failed[*]}"
  cargo test --locked --features e2e --test "$test" -- --test-threads 1 --nocapture --exact "${failed[@]}"
  printf "$test: unsteady, held on its second run: %s\n" "${failed[@]}"
fi
sed -n "s/^took  *\([0-9.]* s: .*\)/$test: \1/p" "$log" | sort -k2 -rn | awk 'NR <= 10'
