#!/usr/bin/env bash
# Proves that the library is pure by how it is built: without default features it compiles, and nothing in its
# dependency tree can reach a network, start a runtime or talk to a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# As others use it, and as the program does.
cargo clippy --locked --lib --no-default-features -- -D warnings
cargo check --locked --lib --no-default-features --features internals

# Runtimes, clients and what they stand on, by crate name.
impure='tokio|tokio-.*|async-.*|smol|futures|futures-.*|mio|socket2|hyper|hyper-.*|http|http-body.*|h2|tower|tower-.*|reqwest|ureq|curl|rustls|rustls-.*|openssl.*|native-tls|kube|kube-.*|k8s-openapi|oci-client|clap|anstream|tempfile'
tree=$(cargo tree --locked --no-default-features --features internals --edges normal,build --prefix none --format '{p}' | sort -u)
if found=$(grep -E "^($impure) v" <<<"$tree"); then
  echo "purity: the library must not depend on these (make them part of a feature of the binary):" >&2
  echo "$found" >&2
  exit 1
fi
echo "purity: $(wc -l <<<"$tree") crates under the library, no runtime, no client, no command line"
