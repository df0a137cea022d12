{{- define "kubectl-skills.scheme" -}}
{{- if eq .Values.profile "rossoctl" }}rossoctl{{ else }}kagenti{{ end }}
{{- end }}

{{- define "kubectl-skills.group" -}}
agent.{{ include "kubectl-skills.scheme" . }}.dev
{{- end }}

{{- define "kubectl-skills.operatorNamespace" -}}
{{- printf "%s-system" (include "kubectl-skills.scheme" .) }}
{{- end }}

{{- define "kubectl-skills.name" -}}
{{- if contains "kubectl-skills" .Release.Name }}{{ .Release.Name | trunc 54 | trimSuffix "-" }}{{ else }}{{ printf "%s-kubectl-skills" .Release.Name | trunc 54 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "kubectl-skills.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}{{ else if .Values.serviceAccount.create }}{{ include "kubectl-skills.name" . }}{{ else }}default{{ end }}
{{- end }}

{{- define "kubectl-skills.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default (printf "v%s" .Chart.AppVersion) .Values.image.tag }}{{ end }}
{{- end }}

{{- define "kubectl-skills.selector" -}}
app.kubernetes.io/name: kubectl-skills
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kubectl-skills.labels" -}}
{{ include "kubectl-skills.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Whether anything runs. */}}
{{- define "kubectl-skills.runs" -}}
{{- if or .Values.controller.enabled .Values.webhook.enabled }}yes{{ end }}
{{- end }}

{{- define "kubectl-skills.certificateSecret" -}}
{{- if eq .Values.webhook.certificate.from "secret" }}{{ required "webhook.certificate.secretName: name the Secret with tls.crt and tls.key" .Values.webhook.certificate.secretName }}{{ else }}{{ default (printf "%s-webhook" (include "kubectl-skills.name" .)) .Values.webhook.certificate.secretName }}{{ end }}
{{- end }}

{{- /* The rules for a place, of every task that is on: dict "root" . "place" "watched". */}}
{{- define "kubectl-skills.rules" -}}
{{- $root := .root }}
{{- if $root.Values.controller.enabled }}
{{- $read := ternary ".read" "" $root.Values.controller.dryRun }}
{{- include (printf "kubectl-skills.rules.loop.%s%s" .place $read) $root }}
{{- include (printf "kubectl-skills.rules.election.%s" .place) $root }}
{{- end }}
{{- if $root.Values.webhook.enabled }}
{{- include (printf "kubectl-skills.rules.webhook.%s" .place) $root }}
{{- if $root.Values.webhook.inject.enabled }}
{{- include (printf "kubectl-skills.rules.injection.%s" .place) $root }}
{{- end }}
{{- end }}
{{- end }}
