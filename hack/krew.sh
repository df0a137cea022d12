#!/usr/bin/env bash
# Archives for krew and the manifest that names them. `make krew`.
#
#   hack/krew.sh --out DIR [--url BASE] OS/ARCH=PROGRAM...
#
# In:  programs that are built already, such as linux/amd64=target/release/kubectl-skills; python3.
# Out: DIR/kubectl-skills_vX.Y.Z_OS_ARCH.tar.gz (.zip for windows) with the program and LICENSE, the same bytes for the same
#      input; and DIR/skills.yaml, the manifest with their checksums, which hack/krew/lint.py has read and unpacked.
#      BASE defaults to the release page of the version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out='' url='' programs=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift 2 ;;
    --url) url=$2; shift 2 ;;
    */*=*) programs+=("$1"); shift ;;
    *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
[ -n "$out" ] && [ ${#programs[@]} -gt 0 ] || { echo "krew: give --out DIR and at least one OS/ARCH=PROGRAM" >&2; exit 2; }
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
url=${url:-https://github.com/kagenti/kubectl-skills/releases/download/$version}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
mkdir -p "$out"
python3 hack/krew/pack.py --out "$out" --url "$url" --version "$version" --license LICENSE --template krew/skills.yaml "${programs[@]}"
python3 hack/krew/lint.py "$out/skills.yaml" "$out"
