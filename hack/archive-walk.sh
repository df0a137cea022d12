#!/usr/bin/env bash
# A newcomer with nothing but a release: installs it by krew in an empty folder, tries it on the sample that the archive brings,
# presses TAB, reads the manual, and takes it off again. Prints what was typed and what came. `make dist-walk`.
#
#   hack/archive-walk.sh ARCHIVE
#
# In:  the archive for this machine, next to skills.yaml of the same release; kubectl and krew (of hack/tools.sh, or on the
#      PATH); bash, tar, git; man where it is. Home folder, krew's folder and PATH are those of the empty folder.
# Out: the transcript on stdout, without paths of this machine. The first step that does not do what it should ends it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'walk: %s\n' "$*" >&2; exit 1; }
archive=$(readlink -f "${1:?an archive}")
mapfile -t tools < <(hack/tools.sh --on-path krew kubectl)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tools" "$work/release"
ln -s "${tools[0]}" "$work/tools/kubectl-krew"
ln -s "${tools[1]}" "$work/tools/kubectl"
cp "$archive" "$(dirname "$archive")/skills.yaml" "$work/release/"
cd "$work/release"
archive=$(basename "$archive")
export HOME=$work KREW_ROOT=$work/krew PATH=$work/krew/bin:$work/tools:/usr/bin:/bin NO_COLOR=1 KUBECONFIG=/nonexistent MANPAGER=cat LC_ALL=C.UTF-8
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME BASH_ENV

# Runs a line as typed; $1 is the exit code it should have. Shown are at most so many lines of its output as $2 says.
typed() {
  local code=$1 most=$2 line=$3 rc=0 lines
  printf '$ %s\n' "$line"
  bash -c "$line" >"$work/out" 2>&1 </dev/null || rc=$?
  lines=$(wc -l <"$work/out")
  sed "s|$work/release/||g; s|$work|~|g; s/[[:space:]]*$//" "$work/out" | head -n "$most"
  [ "$lines" -le "$most" ] || echo "... ($((lines - most)) lines more)"
  [ "$rc" -eq "$code" ] || { cat "$work/out" >&2; fail "'$line' ended with $rc, not $code"; }
}

# The last output has to say it.
said() { grep -qF -- "$1" "$work/out" || { cat "$work/out" >&2; fail "nothing said: $1"; }; }

# krew wants an index before it uninstalls; the real one is a repository on GitHub, this one is empty.
git init -q "$work/index"
mkdir "$work/index/plugins"
touch "$work/index/plugins/.keep"
git -C "$work/index" add . && git -C "$work/index" -c user.name=walk -c user.email=walk@example.com commit -q -m empty
export KREW_DEFAULT_INDEX_URI=$work/index
kubectl krew update >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "krew takes no index"; }

typed 0 9 "ls"
typed 0 20 "kubectl krew install --manifest=skills.yaml --archive=$archive"
said "Installed plugin: skills"
typed 0 1 "kubectl skills version"
said "kubectl-skills "

printf '\n# The sample\n'
typed 0 3 "mkdir unpacked && tar -xzf $archive -C unpacked && ls unpacked"
typed 0 12 "kubectl skills plan -f unpacked/docs/examples/skill-binding/"
said "Deployment/weather"
typed 1 40 "kubectl skills diff -q -f unpacked/docs/examples/skill-binding/"
said "+          name: skill-forecast"
typed 0 6 "kubectl skills render -q -f unpacked/docs/examples/quickstart/weather.yaml | grep -B 2 'reference:'"
said "reference: ghcr.io/acme/skills/forecast:1.4.0"

printf '\n# Completion: what bash and kubectl get at TAB after "ren"\n'
cat >"$work/tab" <<'TAB'
source unpacked/completions/kubectl-skills.bash
COMP_WORDS=(kubectl-skills ren) COMP_CWORD=1 COMP_LINE='kubectl-skills ren' COMP_POINT=18
"$(complete -p kubectl-skills | sed 's/.* -F \([^ ]*\) .*/\1/')" kubectl-skills ren kubectl-skills
printf '%s\n' "${COMPREPLY[@]}"
TAB
typed 0 5 "bash ~/tab"
said render
typed 0 9 "unpacked/completions/kubectl_complete-skills ren"
said "render"

printf '\n# The manual\n'
if command -v man >/dev/null && MANWIDTH=100 man -l unpacked/man/man1/kubectl-skills.1 2>/dev/null | grep -q SYNOPSIS; then
  typed 0 14 "MANWIDTH=100 man -l unpacked/man/man1/kubectl-skills-crd.1"
  said "SYNOPSIS"
else
  echo "(not tried: there is no man here)"
fi

printf '\n# Off again\n'
typed 0 5 "kubectl krew uninstall skills"
said "Uninstalled plugin: skills"
typed 1 3 "kubectl skills version"
left=$(find "$KREW_ROOT" -name '*skills*' | wc -l)
typed 0 1 "find ~/krew -name '*skills*' | wc -l"
[ "$left" -eq 0 ] || fail "krew left $left files"
