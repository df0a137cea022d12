#!/usr/bin/env bash
# Signs a release: `hack/dist/sign.sh DIR`.
#
# In:  DIR as hack/dist.sh makes it; cosign of hack/tools.sh, or on the PATH. With COSIGN_KEY (a file or a KMS address, and
#      COSIGN_PASSWORD) by that key and without any service; otherwise keyless, as who runs it, into Sigstore's log: with
#      COSIGN_IDENTITY (a pattern) and COSIGN_ISSUER, which are needed to verify it.
# Out: DIR/SHA256SUMS.sigstore.json, a bundle, which was verified. What it signs holds every file of the release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

dist=${1:?a folder of a release}
(cd "$dist" && sha256sum --quiet --check SHA256SUMS)
cosign=$(hack/tools.sh --on-path cosign)
bundle=$dist/SHA256SUMS.sigstore.json
if [ -n "${COSIGN_KEY:-}" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # A log of others is not needed for a key.
  "$cosign" sign-blob --yes --key "$COSIGN_KEY" --use-signing-config=false --tlog-upload=false --bundle "$bundle" "$dist/SHA256SUMS" >/dev/null
  "$cosign" public-key --key "$COSIGN_KEY" >"$work/cosign.pub"
  "$cosign" verify-blob --key "$work/cosign.pub" --insecure-ignore-tlog --bundle "$bundle" "$dist/SHA256SUMS"
else
  # Whoever it may be proves nothing.
  identity=${COSIGN_IDENTITY:?a pattern of who signs, such as ^https://github.com/kagenti/kubectl-skills/}
  issuer=${COSIGN_ISSUER:?who says so, as a pattern: ^https://token\.actions\.githubusercontent\.com$}
  "$cosign" sign-blob --yes --bundle "$bundle" "$dist/SHA256SUMS" >/dev/null
  "$cosign" verify-blob --bundle "$bundle" --certificate-identity-regexp "$identity" \
    --certificate-oidc-issuer-regexp "$issuer" "$dist/SHA256SUMS"
fi
echo "ok  $bundle"
