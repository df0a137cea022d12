#!/usr/bin/env bash
# All tests, with their output as it comes, and at the end how many there were and how many vectors held per profile.
#
#   hack/test.sh [CARGO-TEST-ARGUMENT...]       without any: --locked --all -- --show-output
#
# Out: the exit code of cargo test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- --locked --all -- --show-output
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rc=0
cargo test "$@" 2>&1 | tee "$log" || rc=$?
awk '
  # test result: ok. 33 passed; 0 failed; 1 ignored; 0 measured; 129 filtered out; finished in 0.29s
  /^test result: / {
    binaries++
    for (field = 2; field <= NF; field++) {
      if ($field ~ /^passed/) passed += $(field - 1)
      if ($field ~ /^failed;/) failed += $(field - 1)
      if ($field ~ /^ignored/) ignored += $(field - 1)
    }
  }
  # vectors: pr332 hash 96/97 (1 apart), as tests/it/vectors.rs prints it.
  /^vectors: / {
    split($4, count, "/")
    if (!($2 in total)) order[++profiles] = $2
    held[$2] += count[1]; total[$2] += count[2]; all_held += count[1]; all += count[2]
    if ($5 ~ /^\([0-9]+/) { set_apart = substr($5, 2) + 0; apart[$2] += set_apart; all_apart += set_apart }
  }
  END {
    for (number = 1; number <= profiles; number++) {
      name = order[number]
      printf "%-18s %5d of %d comparisons with the operator hold, %d apart on purpose\n", name, held[name], total[name], apart[name]
    }
    printf "total: %d tests passed, %d failed, %d ignored, in %d binaries", passed, failed, ignored, binaries
    if (all > 0) printf "; %d of %d comparisons with the operator hold, %d apart on purpose", all_held, all, all_apart
    print ""
  }' "$log"
[ "$rc" -eq 0 ] || echo "cargo test ended with $rc: its first failure is above, after 'failures:'"
exit "$rc"
