#!/usr/bin/env bash
# Prints the variables with which cargo builds a program without a path of this machine: `eval "$(hack/remap.sh)"`.
# trim-paths of cargo's profiles would do the same and is not stable.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

flags=${RUSTFLAGS:-} c_flags=${CFLAGS:-}
# rustc takes the last that matches: the repository may lie within the home folder, or hold CARGO_HOME.
for pair in "${CARGO_HOME:-$HOME/.cargo}=cargo" "$PWD=."; do
  flags+=" --remap-path-prefix=$pair"
  # ring, mimalloc: assertions of C name their files as well.
  c_flags+=" -ffile-prefix-map=$pair"
done
printf 'export RUSTFLAGS=%q CFLAGS=%q\n' "${flags# }" "${c_flags# }"
