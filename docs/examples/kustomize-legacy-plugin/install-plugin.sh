#!/usr/bin/env bash
# Links kubectl-skills where `kubectl kustomize --enable-alpha-plugins` looks for the plugin of kind SkillsFunction:
# $KUSTOMIZE_PLUGIN_HOME/<group>/<version>/<kind in lower case>/<kind>.
set -euo pipefail

home=${KUSTOMIZE_PLUGIN_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/kustomize/plugin}
program=$(command -v kubectl-skills) || { echo "kubectl-skills is not on PATH" >&2; exit 1; }
folder=$home/skills.kagenti.dev/v1alpha1/skillsfunction
mkdir -p "$folder"
ln -sfn "$program" "$folder/SkillsFunction"
echo "$folder/SkillsFunction"
