#!/usr/bin/env bash
# Builds the programs that the end-to-end tests and `make bench` run beside us, from the Go module proxy, each in a
# pinned version, into a git-ignored cache; prints the path of each program on stdout, progress on stderr.
#
#   hack/tools.sh kustomize kpt        builds (or finds in the cache) those two
#   hack/tools.sh --list               names, versions and modules
#   hack/tools.sh --ci                 the names of those that .ci/run needs: all but cosign, which takes a quarter of an hour
#   hack/tools.sh --on-path kubectl    takes a program of that name on PATH if there is one, whatever its version
#
# KUBECTL_SKILLS_TOOLS   another cache folder than .cache/tools
# KUBECTL_SKILLS_JOBS    packages compiled at once (default: one per core)
# KUBECTL_SKILLS_LIMIT   seconds that one build may take (default: 1800)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=${KUBECTL_SKILLS_TOOLS:-$root/.cache/tools}
jobs=${KUBECTL_SKILLS_JOBS:-$(getconf _NPROCESSORS_ONLN)}
limit=${KUBECTL_SKILLS_LIMIT:-1800}

# Name, version, how it is built (a package of the proxy, a module of ours that imports it, or with a server), program's name.
# kustomize 5.8.3 asks for Go 1.27; 5.8.2 is the newest that Go 1.26 builds.
tools() {
  cat <<'LIST'
kustomize v5.8.2 package:sigs.k8s.io/kustomize/kustomize/v5 kustomize
kubectl 1.37.2 server:hack/apiserver/build.sh kubectl
kubectl-1.32 v1.32.13 module:hack/tools/kubectl-1.32 kubectl
kpt v1.0.0-beta.60 module:hack/tools/kpt kpt
helm v4.3.1 package:helm.sh/helm/v4/cmd/helm helm
helm3 v3.22.0 package:helm.sh/helm/v3/cmd/helm helm
flux-build source module:hack/tools/flux-build flux-build
gojq source module:hack/tools/gojq gojq
kyaml-fn source module:bench/kyaml-fn kyaml-fn
go-oracle source module:hack/oracle go-oracle
crane v0.22.1 package:github.com/google/go-containerregistry/cmd/crane crane
oras v1.3.6 package:oras.land/oras/cmd/oras oras
registries source module:hack/tools/registries registries
krew v0.5.0 package:sigs.k8s.io/krew/cmd/krew krew
validate-krew-manifest v0.5.0 package:sigs.k8s.io/krew/cmd/validate-krew-manifest validate-krew-manifest
cosign v3.1.2 package:github.com/sigstore/cosign/v3/cmd/cosign cosign
LIST
}

say() { printf 'tools: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Programs of ours have no version: a checksum over their sources takes its place.
source_version() {
  (cd "$1" && find . -type f \( -name '*.go' -o -name 'go.mod' -o -name 'go.sum' \) -print0 | sort -z |
    xargs -0 sha256sum | sha256sum | cut -c1-12)
}

# What the linker writes into a program so that it says its version.
linker_flags() {
  local version=$2
  case $1 in
    kubectl*)
      local minor=${version#v1.}
      printf -- '-X k8s.io/component-base/version.gitVersion=%s -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=%s' \
        "$version" "${minor%%.*}" ;;
    kpt) printf -- '-X main.version=%s' "$version" ;;
    helm) printf -- '-X helm.sh/helm/v4/internal/version.version=%s' "$version" ;;
    krew) printf -- '-X sigs.k8s.io/krew/internal/version.gitTag=%s' "$version" ;;
    helm3) printf -- '-X helm.sh/helm/v3/internal/version.version=%s' "$version" ;;
  esac
}

check_go() {
  command -v go >/dev/null || fail "go is not installed; Go 1.26 or newer builds the pinned tools"
  local have
  have=$(go env GOVERSION)
  case $have in
    go1.2[6-9]* | go1.[3-9][0-9]* | go[2-9]*) ;;
    *) fail "$have is too old for the pinned tools; install Go 1.26 or newer" ;;
  esac
}

build() {
  local name=$1 version=$2 how=$3 program=$4 out=$5 started
  if [[ $how == server:* ]]; then
    "$root/${how#server:}" "$version" >/dev/null || fail "Kubernetes $version could not be built"
    return
  fi
  check_go
  part=$(mktemp -d "$cache/.$name.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  started=$SECONDS
  say "building $name $version (at most $limit s)"
  local flags=(-trimpath -buildvcs=false -p "$jobs" -ldflags "-s -w $(linker_flags "$name" "$version")")
  # No GOFLAGS of the caller's: a -mod= in it would change what is built. No other toolchain is fetched.
  local run=(timeout --kill-after=10 "$limit" env GOFLAGS= GOTOOLCHAIN=local CGO_ENABLED=0 GOWORK=off)
  local rc=0
  case $how in
    package:*) "${run[@]}" GOBIN="$part" go install "${flags[@]}" "${how#package:}@$version" >&2 || rc=$? ;;
    module:*) (cd "$root/${how#module:}" && "${run[@]}" go build -mod=readonly "${flags[@]}" -o "$part/$program" .) >&2 || rc=$? ;;
  esac
  if [ "$rc" -ne 0 ]; then
    [ "$rc" -eq 124 ] && fail "$name $version was not built within $limit s; raise KUBECTL_SKILLS_LIMIT"
    fail "$name $version could not be built (${how#*:}, exit $rc); is the Go module proxy reachable?"
  fi
  # `go install` names a program after its package (`v5` would be dropped); there is one in the folder.
  [ -x "$part/$program" ] || mv "$part"/* "$part/$program"
  mkdir -p "$(dirname "$out")"
  mv -f "$part/$program" "$out"
  rm -rf "$part"
  trap - EXIT
  say "built $name $version in $((SECONDS - started)) s"
}

on_path=
wanted=()
for argument in "$@"; do
  case $argument in
    --on-path) on_path=1 ;;
    --list) tools; exit 0 ;;
    --ci) tools | awk '$1 != "cosign" { print $1 }'; exit 0 ;;
    -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) fail "unknown option $argument; options are --on-path, --list, --ci" ;;
    *) wanted+=("$argument") ;;
  esac
done
names=$(tools | cut -d' ' -f1 | paste -sd' ')
[ ${#wanted[@]} -gt 0 ] || fail "name at least one of: $names"
for name in "${wanted[@]}"; do
  case " $names " in *" $name "*) ;; *) fail "unknown tool $name; known are: $names" ;; esac
done

# Path of a tool in the cache, whether it is there or not; sets name, version, how and program as well.
place() {
  read -r name version how program <<<"$(tools | awk -v name="$1" '$1 == name')"
  [ "$version" != source ] || version=$(source_version "$root/${how#module:}")
  path=$cache/$name-$version/$program
  # Built together with its API server.
  [[ $how != server:* ]] || path=${KUBE_CACHE:-$root/.cache/kube}/$version/$program
}

mkdir -p "$cache"
missing=
for wanted_name in "${wanted[@]}"; do
  place "$wanted_name"
  [ -x "$path" ] || { [ -n "$on_path" ] && command -v "$name" >/dev/null; } || missing=1
done
# Two callers at once would build the same program twice; the second waits instead. What is there is not waited for.
if [ -n "$missing" ] && command -v flock >/dev/null; then
  exec 9>"$cache/.lock"
  flock -w "$limit" 9 || fail "another run holds $cache/.lock for more than $limit s"
fi
for wanted_name in "${wanted[@]}"; do
  place "$wanted_name"
  if [ -n "$on_path" ] && found=$(command -v "$name"); then
    say "taking $found from PATH"
    printf '%s\n' "$found"
    continue
  fi
  [ -x "$path" ] || build "$name" "$version" "$how" "$program" "$path"
  printf '%s\n' "$path"
done
