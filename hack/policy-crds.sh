#!/usr/bin/env bash
# What 'policy --print kyverno' and '--print sigstore' print, given to a real API server with the CRDs of both: does it take every field?
# Whether their controllers then verify as they say is not tried here.
#
#   hack/policy-crds.sh [PROGRAM]
#
# In:  PROGRAM is target/debug/kubectl-skills by default; Go and a module proxy for Kyverno's CRD; the network for that of the
#      policy-controller, or a file of it in SIGSTORE_CRD; the servers of hack/apiserver.sh.
# Out: a line for each object; ends with 1 if one is refused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${1:-target/debug/kubectl-skills}
# Kyverno 1.19; the policy-controller with signatureFormat, which no release had in November 2026.
kyverno=github.com/kyverno/api@v0.0.1-alpha.3.0.20260723090831-fb2785727f98
sigstore=https://raw.githubusercontent.com/sigstore/policy-controller/f925c0c1a412910787a7f045581fa9d5ed09a20a/config/300-clusterimagepolicy.yaml

work=$(mktemp -d)
trap 'hack/apiserver.sh stop --dir "$work/server"; rm -rf "$work"' EXIT
folder() { (cd "$work" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'); }
cp "$(folder "$kyverno")/config/crds/policies.kyverno.io_imagevalidatingpolicies.yaml" "$work/kyverno-crd.yaml"
if [ -n "${SIGSTORE_CRD:-}" ]; then cp "$SIGSTORE_CRD" "$work/crd.yaml"; else curl -fsSL "$sigstore" -o "$work/crd.yaml"; fi
# Its versions are converted by a webhook of the controller, which is not here: the one that is asked about is stored.
sed -e '/^  conversion:/,/^  group:/{/^  group:/!d}' -e 's/storage: true/storage: other/; s/storage: false/storage: true/; s/storage: other/storage: false/' \
  "$work/crd.yaml" >"$work/sigstore-crd.yaml"

openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl ec -pubout -out "$work/cosign.pub" 2>/dev/null
cat >"$work/policy.yaml" <<'POLICY'
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillPolicy
spec:
  registries: [ghcr.io/acme]
  signedBy:
  - keyFile: cosign.pub
  - {identityRegexp: 'https://github.com/acme/.*', issuer: 'https://token.actions.githubusercontent.com', images: ['ghcr.io/acme/ci/*']}
  - {identity: alice@example.com, issuerRegexp: 'https://.*'}
POLICY
hack/apiserver.sh start --dir "$work/server" --owner $$ --crd "$work/kyverno-crd.yaml" --crd "$work/sigstore-crd.yaml" >/dev/null
kubectl="$(hack/apiserver.sh assets | tail -n 1)/kubectl"
for whom in kyverno sigstore; do
  "$program" policy -f "$work/policy.yaml" --print "$whom" >"$work/$whom.yaml"
  "$kubectl" --kubeconfig "$work/server/kubeconfig" create --validate=strict -f "$work/$whom.yaml"
done
