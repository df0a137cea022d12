#!/usr/bin/env bash
# `make corpus-check`: hack/corpus.py over docs/examples finds what is there and no difference, and finds the damage that
# a program does which takes a line, forgets a byte on the way back, or never comes to rest.
#
#   hack/corpus-check.sh PROGRAM ORACLE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "$1") oracle=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

hack/corpus.py --program "$program" --oracle "$oracle" docs/examples >"$folder/out" || { cat "$folder/out"; exit 1; }
for count in 'rendered files' 'skills mounted' 'given back to the byte' 'workloads given an AgentRuntime'; do
  grep -Eq "^ +[1-9][0-9]*  $count\$" "$folder/out" || { echo "corpus-check: no $count"; cat "$folder/out"; exit 1; }
done

# Runs the real program, and then a command of sed over the files; `--remove` in the arguments or not decides.
damaged() {
  local when=$1 damage=$2
  cat >"$folder/program" <<PROGRAM
#!/usr/bin/env bash
"$program" "\$@" || exit
case " \$* " in *" --remove "*) now=remove ;; *) now=render ;; esac
[ \$now != $when ] || sed -i '$damage' "\${!#}"/*.yaml
PROGRAM
  chmod +x "$folder/program"
}
expect() {
  local what=$1 rc=0
  hack/corpus.py --profile auto --program "$folder/program" --oracle "$oracle" docs/examples/quickstart >"$folder/out" || rc=$?
  if [ "$rc" -ne 1 ] || ! grep -q "^difference: $what: " "$folder/out"; then
    echo "corpus-check: exit $rc, and no difference '$what' in"
    cat "$folder/out"
    exit 1
  fi
}
damaged render '/value: "8000"/d' && expect lost
damaged render '/mountPath/d' && expect skills
damaged render '$a# again' && expect idempotent
damaged remove '0,/: /s//:  /' && expect remove
echo "corpus-check: docs/examples without a difference, and four kinds of damage found"
