#!/usr/bin/env bash
# Prints the triple of a platform of a release: `hack/dist/target.sh OS/ARCH`. The only place that knows which there are.
set -euo pipefail

case ${1:?OS/ARCH} in
  linux/amd64) echo x86_64-unknown-linux-musl ;;
  linux/arm64) echo aarch64-unknown-linux-musl ;;
  darwin/amd64) echo x86_64-apple-darwin ;;
  darwin/arm64) echo aarch64-apple-darwin ;;
  windows/amd64) echo x86_64-pc-windows-gnu ;;
  *) echo "dist: no target for $1; there are linux/amd64, linux/arm64, darwin/amd64, darwin/arm64, windows/amd64" >&2; exit 1 ;;
esac
