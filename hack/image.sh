#!/usr/bin/env bash
# The container image as an OCI layout, without a container engine. `make image`.
#
#   hack/image.sh [--arch amd64|arm64|amd64,arm64] [--profile release] [--out DIR] [--binary ARCH=FILE]...
#
# In:  cargo with the musl target (added through rustup when missing), a C compiler for it (musl-gcc, or clang), python3;
#      or static programs that were built elsewhere, with --binary.
# Out: DIR (target/image), an OCI image layout with one image for each architecture in one index, which `skopeo copy
#      oci:DIR docker://...` pushes; and its digest on stdout. Everything in it is made twice and must come out the same:
#      one layer, the program at /kubectl-skills and the licence, times of the last commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'image: %s\n' "$*" >&2; exit 1; }

arches=amd64 profile=release out='' binaries=()
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arches=$2; shift 2 ;;
    --profile) profile=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --binary) binaries+=("$2"); shift 2 ;;
    *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
command -v python3 >/dev/null || die "no python3 on the PATH"
target_dir=${CARGO_TARGET_DIR:-target}
out=${out:-$target_dir/image}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

# Builds for an architecture; prints the path of the program.
build() {
  local arch=$1 target under folder
  case $arch in
    amd64) target=x86_64-unknown-linux-musl ;;
    arm64) target=aarch64-unknown-linux-musl ;;
    *) die "no target for $arch" ;;
  esac
  if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
    rustup target add "$target" >&2 || die "cannot add $target"
  fi
  under=${target//-/_}
  # ring is the only C there is; without a compiler for the target its build would find the host's headers.
  if [ -z "$(eval "printf %s \"\${CC_$under:-}\"")" ]; then
    if [ "$arch" = "$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')" ] && command -v musl-gcc >/dev/null; then
      export "CC_$under=musl-gcc"
    elif command -v clang >/dev/null; then
      export "CC_$under=clang"
    else
      die "no C compiler for $target: install musl-tools or clang, or set CC_$under"
    fi
  fi
  # Paths of this machine must not be in the program, nor make it another one elsewhere.
  eval "$(RUSTFLAGS='-C target-feature=+crt-static -C linker=rust-lld' hack/remap.sh)"
  CARGO_INCREMENTAL=0 cargo build --locked --bin kubectl-skills --features controller --profile "$profile" --target "$target" >&2
  folder=$profile
  [ "$profile" != dev ] || folder=debug
  hack/paths.sh "$target_dir/$target/$folder/kubectl-skills" >&2 || die "the program names places of this machine"
  printf '%s\n' "$target_dir/$target/$folder/kubectl-skills"
}

programs=()
for arch in ${arches//,/ }; do
  given=
  for binary in "${binaries[@]}"; do
    [ "${binary%%=*}" != "$arch" ] || given=${binary#*=}
  done
  [ -n "$given" ] || given=$(build "$arch")
  [ -f "$given" ] || die "$given: no such file"
  programs+=("$arch=$given")
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
rm -rf "$out" "$out.again"
python3 hack/image/layout.py --out "$out" --version "$version" --license LICENSE "${programs[@]}"
python3 hack/image/layout.py --out "$out.again" --version "$version" --license LICENSE "${programs[@]}" >/dev/null
diff -r "$out" "$out.again" || die "two runs gave two images"
rm -rf "$out.again"
python3 hack/image/check.py "$out" >&2
