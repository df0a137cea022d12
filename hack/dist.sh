#!/usr/bin/env bash
# All files of a release, in target/dist. `make dist`; docs/releases.md says what is in them.
#
#   hack/dist.sh [--check] [--out DIR] [--url BASE] [--level 1..9] [--no-images] [OS/ARCH=PROGRAM]...
#
# In:  cargo, rustup, git, python3 with pip, Go for helm (on the first run), Linux. DIST_TARGETS are the platforms
#      (linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64), DIST_PROFILE is the profile of cargo (release).
#      Programs given as OS/ARCH=PROGRAM are not built; given programs are the only platforms, unless DIST_TARGETS says more.
#      Times are SOURCE_DATE_EPOCH, which is the time of the last commit if unset.
# Out: archives, SBOMs (CycloneDX), krew manifest, Homebrew formula, chart, two container images for each
#      architecture of Linux as OCI layouts, IMAGES with their digests, and SHA256SUMS over all of them; nothing else is in DIR.
#      With --check all but the programs is made a second time, and one byte that differs ends the run with 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'dist: %s\n' "$*" >&2; exit 1; }
say() { printf 'dist: %s\n' "$*" >&2; }

target_dir=${CARGO_TARGET_DIR:-target} check='' images=1 level=9 url='' given=()
out=$target_dir/dist
while [ $# -gt 0 ]; do
  case $1 in
    --check) check=1; shift ;;
    --out) out=$2; shift 2 ;;
    --url) url=$2; shift 2 ;;
    --level) level=$2; shift 2 ;;
    --no-images) images=''; shift ;;
    */*=*) given+=("$1"); shift ;;
    *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
url=${url:-https://github.com/kagenti/kubectl-skills/releases/download/$version}
eval "$(hack/stamp.sh)"
host=$(uname -s | tr A-Z a-z)/$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
[ -z "$(git status --porcelain --untracked-files=no)" ] || say "note: the checkout has changes that are in no commit"

targets=${DIST_TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}
if [ ${#given[@]} -gt 0 ]; then targets=${DIST_TARGETS:-${given[*]%%=*}}; fi

# Path of the program of a platform, as given or built.
program() {
  local one
  for one in "${given[@]}"; do
    if [ "${one%%=*}" = "$1" ]; then printf '%s\n' "${one#*=}"; return; fi
  done
  hack/dist/build.sh "$1"
}

programs=() pages=''
for platform in $targets; do
  path=$(program "$platform")
  [ -f "$path" ] || die "$path: no such file"
  programs+=("$platform=$path")
  [ "$platform" != "$host" ] || pages=$path
done
# Manual pages and completions are printed by a program that runs here.
[ -n "$pages" ] || pages=$(program "$host")

# Writes everything into a folder.
pack() {
  local to=$1 one platform archives name
  # Only a release is written over.
  if [ -d "$to" ] && [ -n "$(ls -A "$to")" ] && [ ! -f "$to/SHA256SUMS" ]; then
    die "$to is neither empty nor a release (it has no SHA256SUMS); give another --out"
  fi
  rm -rf "$to"
  mkdir -p "$to"
  # An empty list, which no check takes, until all of it is there: also half a release may be written over.
  : >"$to/SHA256SUMS"
  python3 hack/dist/stage.py --program "$pages" --version "$version" --out "$to/stage"
  mapfile -t archives < <(python3 hack/dist/archive.py --stage "$to/stage" --version "$version" --out "$to" --level "$level" "${programs[@]}")
  [ ${#archives[@]} -eq ${#programs[@]} ] || die "not every platform has its archive"
  rm -rf "$to/stage"
  for one in "${programs[@]}"; do
    platform=${one%%=*}
    name=kubectl-skills_${version}_${platform/\//_}.cdx.json
    python3 hack/dist/sbom.py --target "$(hack/dist/target.sh "$platform")" >"$to/$name"
  done
  python3 hack/dist/krew.py --url "$url" --version "$version" "${archives[@]}" >"$to/skills.yaml"
  python3 hack/dist/formula.py --url "$url" --version "$version" "${archives[@]}" >"$to/kubectl-skills.rb"
  hack/dist/chart.sh "$to" >/dev/null
  [ -z "$images" ] || layouts "$to"
  (cd "$to" && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS)
}

# Both images, from the programs of Linux.
layouts() {
  local to=$1 one linux=() arches=() digest
  for one in "${programs[@]}"; do
    case $one in linux/*) one=${one#linux/}; linux+=(--binary "$one"); arches+=("${one%%=*}") ;; esac
  done
  [ ${#arches[@]} -gt 0 ] || return 0
  digest=$(hack/image.sh --arch "$(IFS=,; echo "${arches[*]}")" --out "$to/image" "${linux[@]}")
  printf 'kubectl-skills %s\n' "$digest" >"$to/IMAGES"
  digest=$(hack/image.sh --kind fn --arch "$(IFS=,; echo "${arches[*]}")" --out "$to/image-fn")
  printf 'kubectl-skills-fn %s\n' "$digest" >>"$to/IMAGES"
}

pack "$out"
python3 hack/krew/lint.py "$out/skills.yaml" "$out" >&2
if [ -n "$check" ]; then
  pack "$out.again"
  diff -r "$out" "$out.again" >&2 || die "a second run made other bytes"
  rm -rf "$out.again"
  say "ok  twice the same $(wc -l <"$out/SHA256SUMS") files"
fi
say "$out"
cat "$out/SHA256SUMS"
