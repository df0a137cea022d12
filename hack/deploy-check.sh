#!/usr/bin/env bash
# Holds deploy/ against what reads it: kustomize, Helm 3 and 4, and a real API server. `make deploy-check`.
#
# In:  the tools of hack/tools.sh and the servers of hack/apiserver.sh (built on first use), openssl, curl.
# Out: one line for each thing that holds; the first that does not ends the script with its output.
#      What is checked on the server: every overlay and every choice of chart values is taken by a server-side dry run
#      without a warning, and the pod of each passes the PodSecurity standard "restricted" where it is enforced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
cleanup() {
  hack/apiserver.sh stop --dir "$work/server" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

fail() { printf 'deploy-check: %s\n' "$*" >&2; exit 1; }
ok() { printf 'ok  %s\n' "$*"; }

mapfile -t tools < <(hack/tools.sh kustomize helm helm3 kubectl)
kustomize=${tools[0]} helm=${tools[1]} helm3=${tools[2]} kubectl=${tools[3]}

started=$SECONDS
hack/apiserver.sh start --dir "$work/server" --owner $$ --crd deploy/crd/agentruntimes.yaml >/dev/null
export KUBECONFIG=$work/server/kubeconfig
for namespace in kagenti-system rossoctl-system team1 team2; do
  "$kubectl" create namespace "$namespace" >/dev/null
  "$kubectl" label namespace "$namespace" pod-security.kubernetes.io/{enforce,warn}=restricted >/dev/null
done
# Kinds of cert-manager and of the Prometheus operator, as far as a dry run needs them.
for kind in Issuer.cert-manager.io Certificate.cert-manager.io ServiceMonitor.monitoring.coreos.com PrometheusRule.monitoring.coreos.com; do
  group=${kind#*.} kind=${kind%%.*}
  plural=${kind,,}s
  "$kubectl" apply -f - >/dev/null <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $plural.$group}
spec:
  group: $group
  scope: Namespaced
  names: {kind: $kind, plural: $plural, singular: ${kind,,}, listKind: ${kind}List}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
YAML
  "$kubectl" wait --for condition=established --timeout 20s "crd/$plural.$group" >/dev/null
done

# Takes a file of manifests: a dry run without warnings, and the Deployment's pod by itself under PodSecurity.
on_server() {
  local what=$1 file=$2 said
  said=$("$kubectl" apply --server-side --dry-run=server -f "$file" 2>&1) || fail "$what: $said"
  if grep -i warning <<<"$said"; then fail "$what: the server warns"; fi
  python3 - "$file" >"$work/pod.json" <<'PY'
import json, re, subprocess, sys
documents = re.split(r"(?m)^---\s*$", open(sys.argv[1]).read())
print("\n".join(d for d in documents if re.search(r"(?m)^kind: Deployment$", d)))
PY
  if [ -s "$work/pod.json" ] && grep -q Deployment "$work/pod.json"; then
    "$kubectl" create --dry-run=client -o json -f "$work/pod.json" |
      python3 -c '
import json, sys
deployment = json.load(sys.stdin)
template = deployment["spec"]["template"]
pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
       "metadata": {"name": "probe", "namespace": deployment["metadata"]["namespace"], "labels": template["metadata"]["labels"]}}
selector = deployment["spec"]["selector"]["matchLabels"]
assert selector and selector.items() <= pod["metadata"]["labels"].items(), selector
json.dump(pod, sys.stdout)' >"$work/probe.json"
    said=$("$kubectl" create --dry-run=server -f "$work/probe.json" 2>&1) || fail "$what: its pod: $said"
  fi
  ok "$what: $(grep -c '^kind: ' "$file") objects on the server"
}

for folder in deploy/crd deploy/base deploy/overlays/*; do
  "$kustomize" build "$folder" >"$work/out.yaml" || fail "kustomize build $folder"
  on_server "$folder" "$work/out.yaml"
done

# Choices of values; each line one set of flags.
choices() {
  cat <<'LIST'

--set webhook.enabled=true
--set webhook.enabled=true,webhook.strict=true,webhook.passDeleting=false,webhook.failurePolicy=Ignore,webhook.unknownRivals=refuse
--set controller.enabled=false,webhook.enabled=true,webhook.certificate.from=secret,webhook.certificate.secretName=tls,webhook.certificate.caBundle=Y2E=
--set namespaces={team1,team2},controller.dryRun=true,policy.enabled=true
--set webhook.enabled=true,webhook.inject.enabled=true,webhook.inject.failurePolicy=Ignore,crd.skillBinding=true
--set controller.enabled=false,webhook.enabled=true,webhook.inject.enabled=true,namespaces={team1},profile=rossoctl
--set profile=rossoctl,controller.enabled=false,webhook.enabled=true,crd.install=true,policy.enabled=true,gates.create=true,gates.values.skillDiscovery=true
--set controller.enabled=false,policy.enabled=true
--set controller.enabled=false,policy.inject=true,crd.skillBinding=true,crd.install=true,namespaces={team1,team2}
--set replicas=1,networkPolicy.enabled=false,podDisruptionBudget.enabled=false,rbac.create=false,serviceAccount.create=false
--set webhook.enabled=true,policy.skills.configMap=skill-policy,policy.skills.lock=true
--set policy.skills.configMap=skill-policy
--set webhook.enabled=true,webhook.inject.enabled=true,metrics.serviceMonitor.enabled=true,metrics.rules.enabled=true,metrics.rules.labels.team=sre,metrics.dashboard.enabled=true
--set traces.endpoint=https://collector.observability/otlp,traces.environment.OTEL_TRACES_SAMPLER_ARG=0.1
--set image.digest=sha256:0123456789012345678901234567890123456789012345678901234567890123,networkPolicy.metricsFrom.team=sre
LIST
}
for program in "$helm" "$helm3"; do
  version=$("$program" version --template '{{.Version}}')
  "$program" lint --strict deploy/chart >"$work/lint" 2>&1 || fail "helm $version lint: $(cat "$work/lint")"
  while IFS= read -r flags; do
    # shellcheck disable=SC2086  # one word a flag
    "$program" template kubectl-skills deploy/chart -n kagenti-system --kube-version 1.37.2 $flags >"$work/out.yaml" ||
      fail "helm $version template $flags"
    on_server "helm $version ${flags:-(no values)}" "$work/out.yaml"
  done < <(choices)
  if "$program" template x deploy/chart --kube-version 1.37.2 --set profile=none >/dev/null 2>&1; then
    fail "helm $version takes a profile that there is not"
  fi
  ok "helm $version refuses values that there are not"
  "$program" template x deploy/chart --kube-version 1.37.2 --set profile=head >"$work/out.yaml" || fail "helm $version: the newest operator's profile"
  grep -q -- '--profile=head' "$work/out.yaml" || fail "helm $version: the controller does not get its profile"
  ok "helm $version runs the controller alongside an operator that only observes"
done

# What the chart grants is what the overlay grants: both come from src/install/rbac.rs.
grants() {
  "$kubectl" create --dry-run=client -o json -f "$1" >"$work/grants.json"
  python3 - "$work/grants.json" <<'PY'
import json, sys
text, at, out = open(sys.argv[1]).read(), 0, []
decoder = json.JSONDecoder()
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    value, end = decoder.raw_decode(text, at)
    at = end
    for item in value.get("items", [value]):
        if item["kind"] in ("Role", "ClusterRole"):
            out += [f"{item['kind']} {group}/{resource} {verb}" for rule in item["rules"] for group in rule["apiGroups"]
                    for resource in rule["resources"] for verb in rule["verbs"]]
print("\n".join(sorted(set(out))))
PY
}
# Its registration is of the overlay beside it, without rights of its own.
"$kustomize" build deploy/overlays/webhook >"$work/overlay.yaml"
"$helm" template kubectl-skills deploy/chart -n kagenti-system --kube-version 1.37.2 --set webhook.enabled=true >"$work/chart.yaml"
grants "$work/overlay.yaml" >"$work/overlay.rules"
grants "$work/chart.yaml" >"$work/chart.rules"
diff "$work/overlay.rules" "$work/chart.rules" || fail "chart and overlay grant different rights"
ok "chart and overlay grant the same $(wc -l <"$work/overlay.rules") rights"
echo "deploy-check: $((SECONDS - started)) s"
