#!/usr/bin/env bash
# Builds the program for a platform, across from Linux, with zig as compiler of C and as linker.
#
#   hack/dist/build.sh OS/ARCH [fn]
#
# In:  cargo with rustup (the target's standard library is added when missing), what hack/dist/zig.sh needs. DIST_PROFILE is
#      the profile (release). `fn` is the program with offline verbs only, without any network code.
# Out: the path of the program on stdout. It names no path of this machine, on Linux it is static, and it is stripped
#      whatever the profile. It is built with SOURCE_DATE_EPOCH and KUBECTL_SKILLS_COMMIT, those of the last commit if unset.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() { printf 'dist: %s\n' "$*" >&2; exit 1; }

platform=${1:?OS/ARCH} kind=${2:-all} profile=${DIST_PROFILE:-release} ending=''
target=$(hack/dist/target.sh "$platform")
[ "${platform%%/*}" != windows ] || ending=.exe
case $kind in
  all) features=() ;;
  fn) features=(--no-default-features --features cli) ;;
  *) die "no build $kind; there are all and fn" ;;
esac
if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
  rustup target add "$target" >&2 || die "cannot add $target"
fi
tools=$(hack/dist/zig.sh)
eval "$(hack/stamp.sh)"
export PATH=$tools:$PATH CARGO_INCREMENTAL=0
# As [profile.release] has it.
[ "$profile" != dev ] || export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_STRIP=true
last=()
case $platform in
  linux/*) RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" ;;
  # Names in two frameworks of Apple's, which zig does not bring; the frameworks themselves are on every Mac. And no names of
  # object files: rustc strips them only after zig has made the program's UUID of them, and their folder differs in every run.
  darwin/*) last=(-C "link-arg=-F$PWD/hack/dist/darwin" -C link-arg=-Wl,-S) ;;
esac
eval "$(RUSTFLAGS="${RUSTFLAGS:-}" hack/remap.sh)"
cargo-zigbuild rustc --locked --bin kubectl-skills --profile "$profile" --target "$target" "${features[@]}" -- "${last[@]}" >&2

folder=$profile
[ "$profile" != dev ] || folder=debug
target_dir=${CARGO_TARGET_DIR:-target}
# Both kinds have one place in cargo's folder.
out=$target_dir/programs/$profile/${platform/\//_}-$kind
mkdir -p "$out"
install -m 0755 "$target_dir/$target/$folder/kubectl-skills$ending" "$out/kubectl-skills$ending"
hack/paths.sh "$out/kubectl-skills$ending" >&2 || die "the program names places of this machine"
printf '%s\n' "$out/kubectl-skills$ending"
