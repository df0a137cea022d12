#!/usr/bin/env bash
# `make e2e-pipelines`: every folder of docs/examples through the real kustomize, kpt, Helm and kubectl, held against
# what `kubectl-skills render` makes of the same manifests; and every way in which these programs turn a failure of a
# function into silence, to show that ours is loud.
#
#   hack/e2e-pipelines.sh [TEST...]    runs all tests, or those whose name contains one of the words
#
# KUBECTL_SKILLS_BIN   tests this program instead of building one
set -euo pipefail

self=$(realpath "${BASH_SOURCE[0]}")
root=$(dirname "$(dirname "$self")")
examples=$root/docs/examples
profile=pr332-merged

# === what the tests use ===

fail() { echo "FAIL: $*" >&2; return 1; }

# Two files hold the same objects, whatever their order, style and comments; and skills are mounted in them, since two
# outputs of a function that did nothing are equal too.
equal() {
  kyaml-fn --compare "$1" "$2" >/dev/null
  grep -q 'mountPath: "\{0,1\}/skills/forecast' "$1" && grep -q 'name: "\{0,1\}skill-forecast' "$1" || fail "$1 has no skills"
}

same_bytes() { diff -u "$1" "$2"; }

# A command must end with exactly this status; its stdout goes to ./out, its stderr to ./err.
ends_with() {
  local want=$1 rc=0
  shift
  "$@" >out 2>err || rc=$?
  [ "$rc" -eq "$want" ] || { cat err >&2; fail "'$*' ended with $rc, not $want"; }
}

# A command must fail, print no manifest, and say why: each word stands on its stderr.
fails_loudly() {
  local words=() rc=0
  while [ "$1" != -- ]; do words+=("$1"); shift; done
  shift
  "$@" >out 2>err || rc=$?
  [ "$rc" -ne 0 ] || fail "'$*' ended with 0"
  ! grep -q '^kind:' out || fail "'$*' failed, but printed manifests: $(head -3 out)"
  for word in "${words[@]}"; do
    grep -qF -- "$word" err || { cat err >&2; fail "'$*' does not say '$word'"; }
  done
}

render() { kubectl-skills render --profile "$profile" "$@"; }

# A plain kustomization of the examples, its function left out: what `--enable-exec` is needed for is skipped.
build_plain() { kustomize build --enable-alpha-plugins "$1"; }
build() { kustomize build --enable-alpha-plugins --enable-exec "$1"; }

# A copy of an example, without the target of its AgentRuntime: what every function must refuse.
without_target() {
  cp -r "$examples/$1" broken
  grep -rl 'kind: AgentRuntime' broken | xargs sed -i 's/^    name: .*weather$/    name: no-such-deployment/'
}

# === kustomize ===

test_kustomize_overlays_equal_render() {
  local environment
  for environment in staging production; do
    build "$examples/kustomize/overlays/$environment" >got
    build_plain "$examples/kustomize/overlays/$environment" >plain
    render -f plain >want
    equal got want
  done
}

# The issue's newcomer: a prefix, two overlays with other skill tags, and an image override that has nothing to do with it.
test_kustomize_overlays_mount_their_own_tags() {
  build "$examples/kustomize/overlays/staging" >staging
  build "$examples/kustomize/overlays/production" >production
  mounted() { gojq 'select(.kind == "Deployment") | .metadata.name, (.spec.template.spec | (.containers[0].image, [.volumes[] | .image.reference // empty], [.containers[0].volumeMounts[] | select(.readOnly) | .mountPath]))' "$1" | tr '\n' ' '; }
  local skills='["/skills/forecast","/skills/alerts"]'
  [ "$(mounted staging)" = "\"staging-weather\" \"registry.example/agents/weather:1.1.0-rc.2\" [\"registry.example/skills/forecast:1.3.0-rc.1\",\"registry.example/skills/alerts:0.10.0\"] $skills " ] || fail "$(mounted staging)"
  [ "$(mounted production)" = "\"production-weather\" \"registry.example/agents/weather:1.0.3\" [\"registry.example/skills/forecast:1.2.4\",\"registry.example/skills/alerts:0.9.1\"] $skills " ] || fail "$(mounted production)"
}

# The reference by which the controller in the cluster finds the workload must follow the prefix.
test_kustomize_prefix_reaches_the_target() {
  build "$examples/kustomize/overlays/staging" >got
  [ "$(gojq -r 'select(.kind == "AgentRuntime") | .spec.targetRef.name' got)" = staging-weather ]
}

# kustomize's replacements: the image of a skill and the container's image come from a ConfigMap, before the function runs.
test_kustomize_replacements_reach_the_mounts() {
  cp -r "$examples/kustomize" layers
  cat >layers/overlays/staging/versions.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata:
  name: versions
data:
  forecast: registry.example/skills/forecast:9.9.9
  agent: registry.example/agents/weather:8.8.8
YAML
  cat >>layers/overlays/staging/kustomization.yaml <<'YAML'
replacements:
- source: {kind: ConfigMap, name: versions, fieldPath: data.forecast}
  targets:
  - select: {kind: AgentRuntime}
    fieldPaths: ['spec.skills.[name=forecast].image']
- source: {kind: ConfigMap, name: versions, fieldPath: data.agent}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
YAML
  # Resources are listed once.
  python3 - <<'PYTHON'
path = "layers/overlays/staging/kustomization.yaml"
lines = open(path).read().splitlines()
at = next(i for i, line in enumerate(lines) if line.startswith("resources:"))
indent = next((line[: len(line) - len(line.lstrip())] for line in lines[at + 1 :] if line.lstrip().startswith("- ")), "")
lines.insert(at + 1, f"{indent}- versions.yaml")
# What an image transformer writes afterwards would win.
while any(line.startswith("images:") for line in lines):
    start = next(i for i, line in enumerate(lines) if line.startswith("images:"))
    end = next((i for i in range(start + 1, len(lines)) if lines[i] and lines[i][0] not in " -#"), len(lines))
    del lines[start:end]
open(path, "w").write("\n".join(lines) + "\n")
PYTHON
  build layers/overlays/staging >got
  [ "$(gojq -r 'select(.kind == "Deployment") | .spec.template.spec | .containers[0].image, (.volumes[] | select(.name == "skill-forecast") | .image.reference)' got | tr '\n' ' ')" = \
    'registry.example/agents/weather:8.8.8 registry.example/skills/forecast:9.9.9 ' ] || fail "$(cat got)"
  render --check -f got >/dev/null
}

# A layer around the one with the function, with one more prefix: names settle after the function ran.
test_kustomize_outer_prefix_still_reaches_the_target() {
  cp -r "$examples/kustomize" layers
  mkdir layers/outer
  printf 'namePrefix: eu-\nresources: [../overlays/staging]\n' >layers/outer/kustomization.yaml
  build layers/outer >got
  [ "$(gojq -r 'select(.kind == "AgentRuntime") | .spec.targetRef.name' got)" = eu-staging-weather ]
  render --check -f got >/dev/null
}

# The list in a SkillBinding: prefix, namespace and image of the overlay reach it, and its workload gets the skills that
# `render` gives it.
bindings() {
  cp -r "$examples/kustomize" layers
  python3 - <<'PYTHON'
path = "layers/base/agentruntime.yaml"
text = open(path).read().replace("agent.kagenti.dev", "skills.kagenti.dev").replace("AgentRuntime", "SkillBinding")
open(path, "w").write(text.replace("  type: agent\n", ""))
PYTHON
  sed -i '/^  profile:/c\  profile: head' layers/overlays/staging/skills.yaml
}

test_kustomize_skill_bindings() {
  bindings
  build layers/overlays/staging >got
  build_plain layers/overlays/staging >plain
  kubectl-skills render --profile head -f plain >want
  equal got want
  kubectl-skills render --check --profile head -f got >/dev/null
  [ "$(gojq -r 'select(.kind == "SkillBinding") | .metadata.namespace, .metadata.name, .spec.targetRef.name, .spec.skills[0].image' got | tr '\n' ' ')" = \
    "weather-staging staging-weather staging-weather registry.example/skills/forecast:1.3.0-rc.1 " ] || fail "$(cat got)"
  # Without our configurations file the target keeps its old name.
  sed -i '/^configurations:/,$d' layers/base/kustomization.yaml
  fails_loudly "renamed it to staging-weather" configurations -- build layers/overlays/staging
}

# The example for clusters without an operator: what is built is what `render` makes, and nothing is left to do.
test_kustomize_skill_binding_example() {
  build "$examples/kustomize-skill-binding" >got
  build_plain "$examples/kustomize-skill-binding" >plain
  kubectl-skills render -f plain >want
  equal got want
  ends_with 1 kubectl-skills render --check -f plain
  ends_with 0 kubectl-skills render --check -f got
  [ "$(gojq -r 'select(.kind == "Deployment") | .metadata.name, (.spec.template.spec | .containers[0].image, .volumes[0].image.reference)' got | tr '\n' ' ')" = \
    "staging-weather registry.example/agents/weather:1.1.0 registry.example/skills/forecast:1.3.0-rc.1 " ] || fail "$(cat got)"
}

# kustomize gives the function what is for a local use only, and leaves it out of what it prints: a list of skills that is
# carried out and never gets to a cluster. render prints it, as it prints every object.
test_kustomize_carries_out_local_skill_bindings() {
  bindings
  build layers/overlays/staging >whole
  gojq 'select(.kind != "SkillBinding")' whole | sort >want
  sed -i "s|^  name: weather|&\n  annotations: {config.kubernetes.io/local-config: 'true'}|" layers/base/agentruntime.yaml
  build layers/overlays/staging >printed
  gojq . printed | sort >got
  same_bytes want got
  grep -q 'mountPath: /skills/forecast' printed
  kubectl-skills render -f layers/base/agentruntime.yaml -f layers/base/deployment.yaml >all
  gojq -r 'select(.kind == "SkillBinding") | .metadata.annotations["config.kubernetes.io/local-config"]' all >said
  echo true | same_bytes - said
}

test_kpt_skill_bindings() {
  cp -r "$examples/kpt" package
  sed -i 's/agent.kagenti.dev/skills.kagenti.dev/; s/AgentRuntime/SkillBinding/; /^  type: agent/d' package/agentruntime.yaml
  cat package/deployment.yaml <(echo ---) package/agentruntime.yaml | kubectl-skills render --profile head -f - >want
  kpt fn eval package --exec "kubectl-skills fn" -- profile=head
  cat package/deployment.yaml <(echo ---) package/agentruntime.yaml >got
  equal got want
  # One for a local use only is an item like any other, and stays in the package.
  sed -i "s|^  name: weather.*|&\n  annotations: {config.kubernetes.io/local-config: 'true'}|" package/agentruntime.yaml
  cp package/deployment.yaml rendered.yaml
  cp "$examples/kpt/deployment.yaml" package/
  kpt fn eval package --exec "kubectl-skills fn" -- profile=head
  same_bytes rendered.yaml package/deployment.yaml
  grep -q 'kind: SkillBinding' package/agentruntime.yaml
}

# With --enable-alpha-plugins and without --enable-exec kustomize skips the function and says nothing, and so does kubectl;
# without that switch each of them says so.
test_guard_finds_the_silent_skip() {
  local overlay=$examples/kustomize/overlays/staging
  build_plain "$overlay" >skipped
  ends_with 1 render --check -f skipped
  kubectl kustomize --enable-alpha-plugins "$overlay" >skipped
  ends_with 1 render --check -f skipped
  kubectl-1.32 kustomize --enable-alpha-plugins "$overlay" >skipped
  ends_with 1 render --check -f skipped
  build "$overlay" >done
  ends_with 0 render --check -f done
  local program
  for program in "kustomize build" "kustomize build --enable-exec" "kubectl kustomize" "kubectl-1.32 kustomize" \
    "kubectl apply --dry-run=client -k" "kubectl-skills render -k"; do
    fails_loudly "external plugins disabled" -- $program "$overlay"
  done
}

# A parent's `images:` that runs after the function changes volume and AgentRuntime, and leaves the hash stale.
test_guard_finds_images_changed_after_the_function() {
  cp -r "$examples/kustomize" layers
  mkdir layers/outer
  printf 'resources: [../overlays/staging]\nimages:\n- name: registry.example/skills/forecast\n  newTag: 9.9.9\n' >layers/outer/kustomization.yaml
  build layers/outer >got
  ends_with 1 render --check -f got
}

test_kustomize_stops_at_an_error_and_says_why() {
  without_target kustomize
  fails_loudly no-such-deployment -- build broken/overlays/staging
}

test_kustomize_stops_at_an_unknown_option() {
  cp -r "$examples/kustomize" broken
  sed -i 's/^  profile:/  profil:/' broken/overlays/staging/skills.yaml
  fails_loudly profil profile -- build broken/overlays/staging
}

# A validator must not echo its items: that fails the build, even byte for byte.
test_kustomize_validator_accepts_and_refuses() {
  build "$examples/kustomize/checked" >got
  build "$examples/kustomize/overlays/production" >want
  equal got want
  # The function in the overlay did not run, or something changed what it did.
  cp -r "$examples/kustomize" layers
  sed -i '/^transformers:/,$d' layers/overlays/production/kustomization.yaml
  fails_loudly production-weather "has not run" -- build layers/checked
  cp -r "$examples/kustomize" changed
  printf 'images:\n- name: registry.example/skills/forecast\n  newTag: 9.9.9\n' >>changed/checked/kustomization.yaml
  fails_loudly production-weather config-hash -- build changed/checked
}

# Under `transformers:` a list without items would be an empty build with exit 0.
test_kustomize_validation_among_transformers_is_no_empty_build() {
  cp -r "$examples/kustomize" layers
  sed -i 's/^validators:/transformers:/' layers/checked/kustomization.yaml
  build layers/checked >got
  [ "$(gojq -r .kind got)" = ValidateBelongsUnderValidators ]
}

# A generator gets its own configuration and none of the manifests: it could only do nothing, unseen.
test_kustomize_generator_is_refused() {
  cp -r "$examples/kustomize" layers
  sed -i 's/^transformers:/generators:/' layers/overlays/staging/kustomization.yaml
  fails_loudly generators transformers -- build layers/overlays/staging
}

# Without our configurations file the target keeps its old name: the controller in the cluster would look for that.
test_kustomize_prefix_without_configuration_is_an_error_with_the_fix() {
  cp -r "$examples/kustomize" layers
  sed -i '/^configurations:/,$d' layers/base/kustomization.yaml
  fails_loudly "renamed it to staging-weather" configurations -- build layers/overlays/staging
}

# What kustomize really sends for an overlay, in ./seen, and what it got back, in ./done.
captured() {
  mkdir tee
  printf '#!/bin/sh\ntee %s/seen | kubectl-skills fn | tee %s/done\n' "$PWD" "$PWD" >tee/tee-skills
  chmod +x tee/tee-skills
  cp -r "$examples/kustomize" captured
  sed -i "s|exec: {path: kubectl-skills}|exec: {path: $PWD/tee/tee-skills}|" captured/overlays/staging/skills.yaml
  # A tag and a name that YAML 1.1 takes for a number and a boolean.
  sed -i 's|skills/alerts:0.9.1|skills/alerts:1e3|; s/name: alerts/name: "on"/' captured/base/agentruntime.yaml
  sed -i '/skills.alerts/,+1d' captured/overlays/staging/kustomization.yaml
  build captured/overlays/staging >built
}

# What kustomize loses, drops or doubles when a function is careless: same items, same order, every annotation of theirs,
# nothing marked local, the configuration echoed; what YAML 1.1 takes for something else stays text.
test_kustomize_items_come_out_as_they_came() {
  captured
  [ "$(gojq -r 'select(.kind == "Deployment") | .metadata.annotations["kagenti.io/skills"], (.spec.template.spec.volumes[2] | .name, .image.reference)' built | tr '\n' ' ')" = \
    '["forecast","on"] skill-on registry.example/skills/alerts:1e3 ' ] || fail "$(cat built)"
  local part
  for part in '[.items[] | [.apiVersion, .kind, .metadata.namespace, .metadata.name]]' \
    '[.items[] | .metadata.annotations | del(.["kagenti.io/skills"])]' .functionConfig; do
    gojq "$part" seen >want
    gojq "$part" 'done' >have
    same_bytes want have
  done
  # Two of one name are refused before kustomize has to.
  python3 - <<'PYTHON'
head, rest = open("seen").read().split("items:\n", 1)
items, config = rest.split("functionConfig:", 1)
open("twice", "w").write(f"{head}items:\n{items}{items}functionConfig:{config}")
PYTHON
  ends_with 1 sh -c 'kubectl-skills fn <twice'
  grep -q 'is in the input twice' err
}

# Whatever the format, it is read and comes out as it is; no log line ever gets onto stdout.
test_function_takes_every_format() {
  captured
  gojq . seen >list.json
  sed 's|config.kubernetes.io/v1$|config.kubernetes.io/v1beta1|' seen >beta.yaml
  sed 's/$/\r/' seen >crlf.yaml
  { printf '\357\273\277'; cat seen; } >bom.yaml
  sed 's|^apiVersion: config.kubernetes.io/v1$|apiVersion: v1|; s|^kind: ResourceList$|kind: List|; /^functionConfig:/,$d' seen >list.yaml
  gojq . list.yaml >kind-list.json
  local file
  for file in seen list.json beta.yaml crlf.yaml bom.yaml list.yaml kind-list.json; do
    kubectl-skills fn <"$file" >got 2>err
    kyaml-fn --compare got 'done' >/dev/null
    [ -s err ] && ! grep -qFf err got || fail "$file: notes are not on stderr"
  done
}

# Cut anywhere, as by a program that died in front of us: never exit 0 with fewer items than came in.
test_function_never_drops_items() {
  captured
  local size at
  size=$(wc -c <seen)
  for ((at = 1; at < size; at += 61)); do
    head -c "$at" seen >cut
    if kubectl-skills fn <cut >got 2>err; then
      [ "$(gojq '.items | length' cut)" = "$(gojq '.items | length' got)" ] || fail "cut at $at"
    elif [ -s got ]; then
      # An error of the manifests: the list is there, its items as they came.
      gojq .items cut >want
      gojq .items got >have
      same_bytes want have
    fi
  done
  # A full disk behind us is no success.
  if [ -e /dev/full ]; then ! kubectl-skills fn <seen >/dev/full 2>err || fail "a failed write ended with 0"; fi
}

# === kustomize's legacy plugins ===

test_legacy_plugin_equals_render() {
  export KUSTOMIZE_PLUGIN_HOME=$PWD/plugins
  "$examples/kustomize-legacy-plugin/install-plugin.sh" >/dev/null
  cp -r "$examples/kustomize-legacy-plugin" plain-example
  sed -i '/^transformers:/,$d' plain-example/kustomization.yaml
  kustomize build plain-example | render -f - >want
  local program
  for program in "kubectl kustomize" "kubectl-1.32 kustomize" "kustomize build"; do
    $program --enable-alpha-plugins "$examples/kustomize-legacy-plugin" >got
    equal got want
  done
}

test_legacy_plugin_stops_at_an_error_and_says_why() {
  export KUSTOMIZE_PLUGIN_HOME=$PWD/plugins
  "$examples/kustomize-legacy-plugin/install-plugin.sh" >/dev/null
  without_target kustomize-legacy-plugin
  fails_loudly no-such-deployment -- kubectl kustomize --enable-alpha-plugins broken
}

# === kpt ===

# At least one: none on both sides would be equal as well.
comments() { grep -o '#.*' "$1" || fail "$1 has no comments"; }

# Semantically what render makes of the package; the comments are the same bytes in the same order.
holds_for_kpt() {
  local file
  for file in deployment agentruntime; do
    comments "$examples/kpt/$file.yaml" >want
    comments "$1/$file.yaml" >got
    same_bytes want got
  done
  cat "$examples/kpt/deployment.yaml" <(echo ---) "$examples/kpt/agentruntime.yaml" | render -f - >want
  cat "$1/deployment.yaml" <(echo ---) "$1/agentruntime.yaml" >got
  equal got want
  same_bytes "$examples/kpt/Kptfile" "$1/Kptfile"
  same_bytes "$examples/kpt/skills.yaml" "$1/skills.yaml"
}

test_kpt_render_equals_render() {
  cp -r "$examples/kpt" package
  kpt fn render package --allow-exec --results-dir results
  grep -q '^exitCode: 0' results/results.yaml
  holds_for_kpt package
}

test_kpt_eval_equals_render() {
  cp -r "$examples/kpt" package
  kpt fn eval package --exec "kubectl-skills fn" --fn-config package/skills.yaml
  holds_for_kpt package
}

# kpt's own kind of configuration: key=value, which arrives as a ConfigMap.
test_kpt_eval_with_key_value() {
  cp -r "$examples/kpt" package
  kpt fn eval package --exec "kubectl-skills fn" -- profile=$profile
  holds_for_kpt package
}

test_kpt_second_run_changes_nothing() {
  cp -r "$examples/kpt" package
  kpt fn render package --allow-exec
  cp -r package first
  kpt fn render package --allow-exec
  diff -r first package
}

# A function that fails must leave the package as it was; the reason stands in the results and on stderr.
test_kpt_stops_at_an_error_and_writes_nothing() {
  without_target kpt
  cp -r broken before
  fails_loudly no-such-deployment -- kpt fn render broken --allow-exec --results-dir results
  diff -r before broken
  grep -q 'severity: error' results/results.yaml
  grep -q 'no-such-deployment' results/results.yaml
}

# Observers' CRDs have no spec.skills, and what is printed there has none; kpt would write that over the only list.
test_kpt_keeps_the_only_list_of_skills() {
  cp -r "$examples/kpt" package
  cp -r package before
  fails_loudly 'lose the list of skills of 1' -- \
    kpt fn eval package --exec "kubectl-skills fn" --results-dir results -- profile=head
  diff -r before package
  grep -q 'severity: error' results/results.yaml
  kpt fn eval package --exec "kubectl-skills fn" -- profile=head dropSkills=true
  cat "$examples/kpt/deployment.yaml" <(echo ---) "$examples/kpt/agentruntime.yaml" |
    kubectl-skills render --profile head -f - >want
  cat package/deployment.yaml <(echo ---) package/agentruntime.yaml >got
  equal got want
}

# === Helm ===

holds_for_helm() {
  render -f plain >want
  equal rendered want
  # Hooks take part and stay hooks; the chart's files are still named.
  grep -q 'helm.sh/hook: post-install' rendered
  local file
  for file in deployment agentruntime warm-up; do grep -q "^# Source: weather/templates/$file.yaml" rendered; done
  # Helm's own annotation is gone again.
  ! grep -q 'postrender' rendered
}

test_helm4_plugin_equals_render() {
  export HELM_PLUGINS=$examples/helm
  helm template demo "$examples/helm/chart" -n weather >plain
  helm template demo "$examples/helm/chart" -n weather --post-renderer kubectl-skills --post-renderer-args=-n --post-renderer-args=weather >rendered
  holds_for_helm
}

test_helm3_program_equals_render() {
  helm3 template demo "$examples/helm/chart" -n weather >plain
  helm3 template demo "$examples/helm/chart" -n weather --post-renderer kubectl-skills --post-renderer-args=fn --post-renderer-args=-n --post-renderer-args=weather >rendered
  holds_for_helm
}

test_helm_stops_at_an_error_and_says_why() {
  without_target helm
  export HELM_PLUGINS=$PWD/broken
  # Helm 4 keeps a plugin's stderr to itself; docs/function.md says how to see it.
  fails_loudly kubectl-skills -- helm template demo broken/chart -n weather --post-renderer kubectl-skills
  fails_loudly no-such-deployment -- sh -c 'helm template demo broken/chart -n weather | kubectl-skills fn'
  fails_loudly no-such-deployment -- helm3 template demo broken/chart -n weather --post-renderer kubectl-skills --post-renderer-args fn
}

# === Argo CD ===

# Runs the generate command of plugin.yaml as argocd-cmp-server does: in the application's folder, by its own words.
argocd_generate() {
  gojq '[.spec.generate | .command[], .args[]]' "$examples/argocd/plugin.yaml" >generate.json
  (cd "$1" && ARGOCD_APP_NAMESPACE=weather python3 -c 'import json, os, sys; words = json.load(open(sys.argv[1])); os.execvp(words[0], words)' "$OLDPWD/generate.json")
}

test_argocd_generate_equals_render() {
  build_plain "$examples/kustomize/overlays/production" >plain
  cp -r "$examples/kustomize" source
  sed -i '/^transformers:/,$d' source/overlays/production/kustomization.yaml
  argocd_generate source/overlays/production >got
  render -f plain >want
  equal got want
}

# With pruning on, blank output with exit 0 would delete the application.
test_argocd_generate_fails_on_nothing() {
  mkdir empty
  fails_loudly -- argocd_generate empty
  printf 'resources: []\n' >empty/kustomization.yaml
  fails_loudly -- argocd_generate empty
  printf 'resources: [missing.yaml]\n' >empty/kustomization.yaml
  fails_loudly missing.yaml -- argocd_generate empty
}

# What the operator goes on writing is ignored, as Argo CD's own jq does it; what Git decides is not.
test_argocd_ignores_what_the_operator_writes() {
  build "$examples/kustomize/overlays/production" | gojq 'select(.kind == "Deployment")' >git.json
  gojq '.spec.template.metadata.annotations["kagenti.io/config-hash"] = "0000" | .spec.template.metadata.annotations["kagenti.io/mtls-mode"] = "permissive"
    | .metadata.labels["app.kubernetes.io/managed-by"] = "kagenti-operator" | (.spec.template.spec.volumes[] | select(.image) | .image.pullPolicy) = "IfNotPresent"' git.json >live.json
  gojq -r '.spec.ignoreDifferences[] | select(.kind == "Deployment") | .jqPathExpressions | map("del(\(.))") | join(" | ")' "$examples/argocd/application.yaml" >ignore.jq
  ! cmp -s git.json live.json || fail "nothing to ignore"
  gojq "$(cat ignore.jq)" git.json >git
  gojq "$(cat ignore.jq)" live.json >live
  same_bytes git live
  gojq '.spec.template.spec.volumes[1].image.reference = "registry.example/skills/forecast:0.0.1"' live.json | gojq "$(cat ignore.jq)" >drifted
  ! cmp -s git drifted || fail "a drifted skill image is ignored"
}

# === Flux ===

test_flux_render_equals_render() {
  cp -r "$examples/kustomize" source
  sed -i '/^transformers:/,$d' source/overlays/production/kustomization.yaml
  "$examples/flux/render.sh" source/overlays/production rendered
  build_plain "$examples/kustomize/overlays/production" | render -f - >want
  equal rendered/manifests.yaml want
}

test_flux_render_leaves_nothing_on_failure() {
  without_target kustomize
  sed -i '/^transformers:/,$d' broken/overlays/production/kustomization.yaml
  fails_loudly no-such-deployment -- "$examples/flux/render.sh" broken/overlays/production rendered
  [ ! -e rendered/manifests.yaml ]
}

# Static patches: the kustomization as it is in Git, the patches beside it, and kustomize as Flux runs it.
# The kustomization of the examples as a Git repository for Flux has it: without functions.
flux_repository() {
  cp -r "$examples/kustomize" source
  sed -i '/^transformers:/,$d' source/overlays/production/kustomization.yaml
}

test_flux_patches_equal_render() {
  flux_repository
  "$examples/flux/patch.sh" source/overlays/production source/skills/production
  kustomize build source/overlays/production | render -f - >want
  mkdir source/outer
  printf 'resources: [../overlays/production]\ncomponents: [../skills/production]\n' >source/outer/kustomization.yaml
  local program
  for program in "kustomize build" "kubectl kustomize" "kubectl-1.32 kustomize"; do
    $program source/outer >got
    equal got want
  done
  render --check -f got
  # The manifest has changed so that the patch would mount into another container: the build fails.
  python3 - <<'PYTHON'
path = "source/base/deployment.yaml"
text = open(path).read()
open(path, "w").write(text.replace("      containers:\n", "      containers:\n      - name: first\n        image: registry.example/first:1\n"))
PYTHON
  fails_loudly test -- kustomize build source/outer
}

# The component in the overlay that adds prefix, suffix and namespace, around it, and around one more prefix: kustomize
# would drop a patch that names the object as another layer does, and say nothing.
test_flux_patches_match_in_every_layer() {
  flux_repository
  printf 'nameSuffix: -blue\nnamespace: team1\n' >>source/overlays/production/kustomization.yaml
  "$examples/flux/patch.sh" source/overlays/production source/skills/production
  kustomize build source/overlays/production | render -f - >want
  mkdir -p source/inside source/outer source/outermost
  sed 's|^resources:|components: [../skills/production]\nresources:|; s|\.\./\.\./base|../base|' source/overlays/production/kustomization.yaml >source/inside/kustomization.yaml
  kustomize build source/inside >got
  equal got want
  printf 'resources: [../overlays/production]\ncomponents: [../skills/production]\n' >source/outer/kustomization.yaml
  kustomize build source/outer >got
  equal got want
  printf 'namePrefix: eu-\nresources: [../outer]\n' >source/outermost/kustomization.yaml
  kustomize build source/outermost >got
  render --check -f got
  printf 'namePrefix: eu-\nresources: [../overlays/production]\n' >source/outer/kustomization.yaml
  printf 'resources: [../outer]\ncomponents: [../skills/production]\n' >source/outermost/kustomization.yaml
  kustomize build source/outermost >got
  render --check -f got
  # A workload that was renamed: the build fails, instead of an agent without skills.
  sed -i 's/name: weather$/name: climate/' source/base/deployment.yaml
  fails_loudly weather -- kustomize build source/outermost
  fails_loudly weather -- kustomize build source/inside
}

# A second run of CI, with the component in the kustomization that it was made for, must not write an empty one.
test_flux_patches_again_are_the_same() {
  flux_repository
  "$examples/flux/patch.sh" source/overlays/production source/skills/production
  cp source/skills/production/kustomization.yaml first
  printf 'components: [../../skills/production]\n' >>source/overlays/production/kustomization.yaml
  kustomize build source/overlays/production >got
  "$examples/flux/patch.sh" source/overlays/production source/skills/production
  same_bytes first source/skills/production/kustomization.yaml
  # Without the script's care it is an error.
  ends_with 3 render -o kustomize-patch -f got
  grep -q 'already' err
}

# As the controller does it: its own generator and builder, with a prefix, a suffix and a namespace of its own.
test_flux_generator_applies_patches() {
  flux_repository
  "$examples/flux/patch.sh" source/overlays/production source/skills/production
  cp -r source plain
  flux-build "$PWD/source" "$examples/flux/with-patches.yaml" >got
  kustomize build plain/overlays/production | render -f - >want
  equal got want
  rm -rf source && cp -r plain source
  sed 's|^  prune: true|  prune: true\n  namePrefix: eu-\n  nameSuffix: -blue\n  targetNamespace: team1|' "$examples/flux/with-patches.yaml" >flux.yaml
  flux-build "$PWD/source" flux.yaml >got
  render --check -f got
  [ "$(gojq -r 'select(.kind == "Deployment") | .metadata.namespace + "/" + .metadata.name, (.spec.template.spec.volumes | map(select(.image)) | length)' got | tr '\n' ' ')" = "team1/eu-weather-blue 2 " ] || fail "$(cat got)"
}

# What patches take out is gone, and not the text "null", which is what kustomize makes of a targeted merge with null.
test_patches_take_out_what_they_should() {
  flux_repository
  kustomize build source/overlays/production | render -f - >all.yaml
  mkdir rendered bare
  cp all.yaml rendered/all.yaml
  printf 'resources: [all.yaml]\n' >rendered/kustomization.yaml
  render --remove -o kustomize-patch -f all.yaml >bare/kustomization.yaml
  mkdir outer
  printf 'resources: [../rendered]\ncomponents: [../bare]\n' >outer/kustomization.yaml
  render --remove -f all.yaml >want
  local program
  for program in "kustomize build" "kubectl kustomize" "kubectl-1.32 kustomize"; do
    $program outer >got
    ! grep -q '"null"' got || fail "$program: $(grep '"null"' got)"
    # A map that is empty afterwards may stay: whether another layer has put something into it is not known here.
    local maps='walk(if type == "object" then with_entries(select(.value != {})) else . end)'
    gojq "$maps" got | sort >have
    gojq "$maps" want | sort >expected
    same_bytes expected have
  done
}

# === the first steps of the README ===

test_quickstart_equals_render() {
  render -f "$examples/quickstart/weather.yaml" >want
  kubectl-skills fn <"$examples/quickstart/weather.yaml" >got
  same_bytes want got
}

# === the function itself, without a program around it ===

list() { printf 'apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n%s\n' "$1"; }

# An orchestrator takes an empty stdout with exit 0 for "delete everything".
test_function_refuses_empty_input() {
  local input
  for input in '' ' ' $'\n\n' '---' '# only a comment'; do
    printf '%s' "$input" >in
    fails_loudly -- sh -c 'kubectl-skills fn <in'
    fails_loudly -- sh -c 'kubectl-skills <in'
  done
}

test_function_refuses_broken_input() {
  build "$examples/kustomize/overlays/staging" >all
  # Cut short in the middle of a string, as a broken pipe leaves it.
  { list 'items:'; printf -- '- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data: {a: "b'; } >in
  fails_loudly -- sh -c 'kubectl-skills fn <in'
}

test_function_prints_an_empty_list_for_an_empty_list() {
  list 'items: []' >in
  kubectl-skills fn <in >out
  grep -q 'kind: ResourceList' out
}

# Called without arguments, as by kustomize before 5.6, which knows none.
test_function_needs_no_arguments() {
  list "items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: a # kept
  data: {b: 'c'}" >in
  kubectl-skills fn <in >want
  kubectl-skills <in >got
  same_bytes want got
  ln -s "$(command -v kubectl-skills)" kubectl-skills-fn
  ./kubectl-skills-fn <in >got
  same_bytes want got
  # Nothing of ours in the list: not a byte changes.
  same_bytes in got
}

# === running them ===

if [ "${1:-}" = --one ]; then
  cd "$2"
  "$3"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ours=${KUBECTL_SKILLS_BIN:-}
if [ -z "$ours" ]; then
  (cd "$root" && cargo build --locked --bin kubectl-skills)
  ours=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}")/debug/kubectl-skills
fi
ln -s "$(realpath "$ours")" "$work/bin/kubectl-skills"
for tool in kustomize kubectl kubectl-1.32 kpt helm helm3 gojq kyaml-fn flux-build; do
  ln -s "$("$root/hack/tools.sh" "$tool")" "$work/bin/$tool"
done
export PATH=$work/bin:$PATH HOME=$work/home
# Nothing of the caller's may reach the programs under test.
unset KUSTOMIZE_PLUGIN_HOME XDG_CONFIG_HOME KUBECONFIG "${!HELM_@}"
mkdir "$HOME"

passed=0 failed=0
for name in $(declare -F | sed -n 's/^declare -f \(test_.*\)/\1/p'); do
  if [ $# -gt 0 ]; then
    wanted=
    for word in "$@"; do case $name in *"$word"*) wanted=1 ;; esac; done
    [ -n "$wanted" ] || continue
  fi
  mkdir "$work/$name"
  if timeout 120 bash "$self" --one "$work/$name" "$name" >"$work/$name.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   ${name#test_}"
  else
    failed=$((failed + 1))
    echo "FAIL ${name#test_}"
    sed 's/^/     /' "$work/$name.log"
  fi
done
echo "$passed passed, $failed failed"
[ $((passed + failed)) -gt 0 ] || { echo "no test is named so" >&2; exit 2; }
[ "$failed" -eq 0 ]
