#!/usr/bin/env bash
# Prints a folder with cargo-zigbuild and zig, which build and link for other systems: `PATH=$(hack/dist/zig.sh):$PATH`.
#
# In:  python3 with pip, on Linux with amd64 or arm64.
# Out: the folder's path on stdout. Both come as wheels, in pinned versions with checksums, into .cache/tools, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

zigbuild=0.24.0 zig=0.17.1
folder=${KUBECTL_SKILLS_TOOLS:-$PWD/.cache/tools}/zigbuild-$zigbuild-zig-$zig
if [ ! -x "$folder/bin/zig" ]; then
  work=$folder.$$
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"
  cat >"$work/requirements.txt" <<LIST
cargo-zigbuild==$zigbuild --hash=sha256:484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957 --hash=sha256:6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744
ziglang==$zig --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54 --hash=sha256:b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e
LIST
  python3 -m pip install --quiet --no-deps --only-binary :all: --require-hashes --disable-pip-version-check \
    --root-user-action ignore --target "$work" -r "$work/requirements.txt" >&2
  ln -s ../ziglang/zig "$work/bin/zig"
  rm -rf "$folder"
  mv "$work" "$folder"
fi
printf '%s\n' "$folder/bin"
