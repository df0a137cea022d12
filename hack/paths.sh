#!/usr/bin/env bash
# Counts the paths of this machine in programs: `hack/paths.sh FILE...`. Ends with 1 where there is any.
#
# Of the home folder only what is in it counts: literals stand side by side in a program, and `/root` before `/sbin` in a list
# of ours is no path of anybody.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

found=0
# Counts in a file any of the texts of a list, one a line.
count() {
  local file=$1 what=$2 texts=$3 number
  [ -n "$texts" ] || return 0
  number=$({ grep -aoF -e "$texts" "$file" || [ $? -eq 1 ]; } | wc -l)
  echo "paths: $file: $number times $what"
  found=$((found + number))
}

home=$(find "$HOME" -mindepth 1 -maxdepth 1)
for file; do
  count "$file" "the cargo home" "${CARGO_HOME:-$HOME/.cargo}"
  count "$file" "the home folder" "$home"
  count "$file" "this checkout" "$root/"$'\n'"$(readlink -f "$root/.cache" || true)"
done
[ "$found" -eq 0 ]
