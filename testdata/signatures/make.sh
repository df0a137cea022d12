#!/usr/bin/env bash
# Keys that ring cannot make, and a bundle by one of them, with openssl. The private keys are thrown away.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for bits in 1024 2048; do
  openssl genrsa -out "$work/$bits.key" "$bits" 2>/dev/null
  openssl rsa -in "$work/$bits.key" -pubout -out "rsa-$bits.pub" 2>/dev/null
done
openssl ecparam -name secp521r1 -genkey -noout -out "$work/p521.key"
openssl ec -in "$work/p521.key" -pubout -out p521.pub 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$work/p256.key"
openssl ec -in "$work/p256.key" -pubout -conv_form compressed -out p256-compressed.pub 2>/dev/null
type=application/vnd.in-toto+json
hex=$(printf 'an image' | sha256sum | cut -d' ' -f1)
payload="{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":\"$hex\"}}],\"predicateType\":\"https://sigstore.dev/cosign/sign/v1\",\"predicate\":{}}"
printf 'DSSEv1 %d %s %d %s' ${#type} "$type" ${#payload} "$payload" > "$work/pae"
signature=$(openssl dgst -sha256 -sign "$work/2048.key" "$work/pae" | base64 -w0)
printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""}},"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]}}\n' \
  "$(printf %s "$payload" | base64 -w0)" "$type" "$signature" > rsa-2048.sigstore.json
