#!/usr/bin/env bash
# Builds the program as it is released: optimised, and without a path of the machine that built it. `make build`.
#
#   hack/release.sh [CARGO-BUILD-ARGUMENT...]
#
# In:  cargo; what is in RUSTFLAGS and CFLAGS already stays.
# Out: target/release/kubectl-skills (or where the arguments lead). Its paths begin with `cargo/` and `./`, so that two
#      machines make the same program, and nobody reads from it who built it; `version` says of which commit it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

eval "$(hack/remap.sh)"
eval "$(hack/stamp.sh)"
exec cargo build --release --locked --bin kubectl-skills "$@"
