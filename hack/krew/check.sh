#!/usr/bin/env bash
# Gives a release's manifest and archives to krew's own validator, which installs each platform: `hack/krew/check.sh DIR`.
#
# In:  DIR as hack/dist.sh makes it; krew and validate-krew-manifest of hack/tools.sh (need Go the first time), kubectl,
#      python3. The archives are served on loopback, under a manifest that differs in its addresses alone.
# Out: one line; the validator's words where it refuses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

dist=$(cd "${1:?a folder of a release}" && pwd)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
mapfile -t tools < <(hack/tools.sh --on-path krew validate-krew-manifest kubectl)
mkdir "$work/bin"
ln -s "${tools[0]}" "$work/bin/kubectl-krew"
ln -sf "${tools[2]}" "$work/bin/kubectl"

python3 -u -m http.server --bind 127.0.0.1 --directory "$dist" 0 >"$work/server" 2>"$work/requests" &
server=$!
for _ in $(seq 100); do grep -q port "$work/server" && break; sleep 0.1; done
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server")
sed "s|uri: .*/|uri: http://127.0.0.1:$port/|" "$dist/skills.yaml" >"$work/skills.yaml"
PATH=$work/bin:$PATH "${tools[1]}" -manifest "$work/skills.yaml" >"$work/said" 2>&1 ||
  { cat "$work/said" >&2; echo "krew: its validator refuses $dist/skills.yaml" >&2; exit 1; }
# Each archive was asked for: a validator that installs nothing proves little.
for uri in $(sed -n 's/^ *uri: .*\///p' "$dist/skills.yaml"); do
  grep -q "GET /$uri " "$work/requests" || { echo "krew: nobody installed $uri" >&2; exit 1; }
done
echo "ok  krew's validator installed $(grep -c 'uri:' "$dist/skills.yaml") platforms"
