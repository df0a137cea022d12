#!/usr/bin/env bash
# `make fuzz`: runs every fuzz target for a bounded time; a finding is kept in fuzz/artifacts and ends it with 1.
#
#   hack/fuzz.sh [SECONDS [TARGET...]]    60 seconds of each target, or of those named
#
# Needs a nightly toolchain. cargo-fuzz is taken from PATH or built into .cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
shift || true
version=0.13.2
case $seconds in '' | *[!0-9]*) echo "fuzz: '$seconds' is no number of seconds" >&2; exit 2 ;; esac
rustup run nightly rustc --version >/dev/null 2>&1 ||
  { echo "fuzz: a nightly toolchain is needed: rustup toolchain install nightly --profile minimal" >&2; exit 2; }
if ! command -v cargo-fuzz >/dev/null; then
  folder=$PWD/.cache/cargo-fuzz-$version
  [ -x "$folder/bin/cargo-fuzz" ] || cargo install cargo-fuzz --version "$version" --locked --root "$folder"
  PATH=$folder/bin:$PATH
fi

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: there are no targets" >&2; exit 2; }
for target in "${targets[@]}"; do
  echo "fuzz: $target for $seconds s"
  # The seeds in fuzz/seeds stay small; what libFuzzer finds beyond them goes to the git-ignored corpus.
  mkdir -p "fuzz/corpus/$target"
  seeds=()
  [ ! -d "fuzz/seeds/$target" ] || seeds=("fuzz/seeds/$target")
  cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1
done
echo "fuzz: ${#targets[@]} targets, $seconds s each, no finding"
