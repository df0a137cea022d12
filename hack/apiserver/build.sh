#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-controller-manager and kubectl from the Go module proxy.
#
#   hack/apiserver/build.sh [VERSION...]      default: 1.37.2 1.33.13
#
# In:  a Go tool chain and a module proxy (GOPROXY as the machine has it).
# Out: <cache>/<version>/{etcd,kube-apiserver,kube-controller-manager,kubectl}, where <cache> is KUBE_CACHE or
#      .cache/kube. A version that is there is not built again. The last line on stdout of each version is its directory.
# Left to hack/apiserver.sh: starting and stopping them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KUBE_CACHE:-$here/../../.cache/kube}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
etcd_version=3.7.0
# Linking an API server takes about 1.5 GB: one package at a time keeps small machines alive.
jobs=${KUBE_BUILD_JOBS:-$(nproc 2>/dev/null || echo 2)}

export CGO_ENABLED=0 GOWORK=off
unset GOFLAGS

say() { printf 'apiserver: %s\n' "$*" >&2; }

# etcd in a module of its own, so that its dependencies cannot raise those of Kubernetes.
build_etcd() {
  local out=$cache/etcd-$etcd_version
  if [ ! -x "$out/etcd" ]; then
    say "building etcd $etcd_version"
    local src=$cache/src/etcd-$etcd_version
    rm -rf "$src" && mkdir -p "$src" "$out"
    cp "$here/etcd.go.in" "$src/main.go"
    (
      cd "$src"
      go mod init kubectl-skills.local/etcd 2>/dev/null
      go mod edit -require "go.etcd.io/etcd/server/v3@v$etcd_version"
      go build -mod=mod -p "$jobs" -trimpath -buildvcs=false -ldflags '-s -w' -o "$out/etcd.part" .
    )
    mv "$out/etcd.part" "$out/etcd"
  fi
}

# A module that requires k8s.io/kubernetes. That module's go.mod names its staging modules v0.0.0 and replaces them by
# directories which the proxy does not ship with it, so each is replaced here by the published v0.<minor>.<patch>.
build_kubernetes() {
  local version=$1 out=$cache/$1 program
  if [ -x "$out/kubectl" ] && [ -x "$out/kube-apiserver" ] && [ -x "$out/kube-controller-manager" ]; then
    return
  fi
  say "building Kubernetes $version (minutes, once)"
  local src=$cache/src/$version
  rm -rf "$src" && mkdir -p "$src" "$out"
  local gomod
  gomod=$(cd "$src" && go mod init kubectl-skills.local/kubernetes 2>/dev/null &&
    go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  [ -n "$gomod" ] || { say "k8s.io/kubernetes v$version: not on the module proxy ($(go env GOPROXY))"; return 1; }
  local edits=(-require "k8s.io/kubernetes@v$version") module
  for module in $(sed -n 's/^\t\([^ ]*\) v0\.0\.0$/\1/p' "$gomod"); do
    edits+=(-replace "$module=$module@v0.${version#1.}")
  done
  # Behaviour hangs on the Go compatibility defaults: take the ones that Kubernetes is released with.
  local godebug
  godebug=$(sed -n 's/^godebug default=//p' "$gomod")
  [ -z "$godebug" ] || edits+=(-godebug "default=$godebug")
  local minor=${version#1.}
  minor=${minor%%.*}
  local v=k8s.io/component-base/version
  local ldflags="-s -w -X $v.gitVersion=v$version -X $v.gitMajor=1 -X $v.gitMinor=$minor"
  ldflags+=" -X $v.gitTreeState=clean -X $v.buildDate=1970-01-01T00:00:00Z"
  (
    cd "$src"
    go mod edit "${edits[@]}"
    # Upstream's own main packages; clients refuse a server without gitVersion.
    for program in kube-apiserver kube-controller-manager kubectl; do
      go build -mod=mod -p "$jobs" -trimpath -buildvcs=false -ldflags "$ldflags" \
        -o "$out/$program.part" "k8s.io/kubernetes/cmd/$program"
      mv "$out/$program.part" "$out/$program"
    done
  )
}

[ $# -gt 0 ] || set -- 1.37.2 1.33.13
command -v go >/dev/null || { say "no 'go' on the PATH: install Go, or set KUBEBUILDER_ASSETS to a directory with etcd, kube-apiserver and kubectl"; exit 1; }
build_etcd
for version in "$@"; do
  build_kubernetes "$version"
  ln -sf "../etcd-$etcd_version/etcd" "$cache/$version/etcd"
  printf '%s\n' "$cache/$version"
done
