#!/usr/bin/env bash
# The container image as an OCI layout, without a container engine. `make image`.
#
#   hack/image.sh [--kind all|fn] [--arch amd64|arm64|amd64,arm64] [--out DIR] [--binary ARCH=FILE]...
#
# In:  what hack/dist/build.sh needs, with DIST_PROFILE; or static programs that were built elsewhere, with --binary. The kind
#      `all` is the whole program, for the controller and the webhook; `fn` has offline verbs only and no network code, and
#      is a KRM function: its entry point is `kubectl-skills fn`.
# Out: DIR (target/image, target/image-fn), an OCI image layout with one image for each architecture in one index, which
#      `skopeo copy oci:DIR docker://...` pushes; and its digest on stdout. Everything in it is made twice and must come out
#      the same: one layer, the program at /kubectl-skills and the licence, times of the last commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'image: %s\n' "$*" >&2; exit 1; }

arches=amd64 kind=all out='' binaries=()
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arches=$2; shift 2 ;;
    --kind) kind=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --binary) binaries+=("$2"); shift 2 ;;
    *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
command -v python3 >/dev/null || die "no python3 on the PATH"
case $kind in
  all) folder=image ;;
  fn) folder=image-fn ;;
  *) die "no image $kind; there are all and fn" ;;
esac
out=${out:-${CARGO_TARGET_DIR:-target}/$folder}
eval "$(hack/stamp.sh)"

programs=()
for arch in ${arches//,/ }; do
  given=
  for binary in "${binaries[@]}"; do
    [ "${binary%%=*}" != "$arch" ] || given=${binary#*=}
  done
  [ -n "$given" ] || given=$(hack/dist/build.sh "linux/$arch" "$kind")
  [ -f "$given" ] || die "$given: no such file"
  programs+=("$arch=$given")
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
rm -rf "$out" "$out.again"
python3 hack/image/layout.py --out "$out" --kind "$kind" --version "$version" --license LICENSE "${programs[@]}"
python3 hack/image/layout.py --out "$out.again" --kind "$kind" --version "$version" --license LICENSE "${programs[@]}" >/dev/null
diff -r "$out" "$out.again" || die "two runs gave two images"
rm -rf "$out.again"
python3 hack/image/check.py "$out" >&2
