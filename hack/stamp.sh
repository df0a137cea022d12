#!/usr/bin/env bash
# Prints the variables by which a build says what it was made of: `eval "$(hack/stamp.sh)"`. `version` shows them.
#
# In:  git and rustc, where they are there; what is in the environment already stays.
# Out: KUBECTL_SKILLS_COMMIT, SOURCE_DATE_EPOCH (the time of that commit: two builds of it say the same), KUBECTL_SKILLS_RUSTC.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=${KUBECTL_SKILLS_COMMIT:-} epoch=${SOURCE_DATE_EPOCH:-}
if [ -z "$commit" ] && commit=$(git rev-parse HEAD 2>/dev/null); then
  [ -z "$(git status --porcelain --untracked-files=no)" ] || commit+=-dirty
fi
[ -n "$epoch" ] || epoch=$(git log -1 --format=%ct 2>/dev/null || true)
rustc=${KUBECTL_SKILLS_RUSTC:-$(rustc --version | cut -d' ' -f2)}
printf 'export KUBECTL_SKILLS_COMMIT=%q SOURCE_DATE_EPOCH=%q KUBECTL_SKILLS_RUSTC=%q\n' "$commit" "$epoch" "$rustc"
