{{/*
Names, labels and images; nothing else computes them.
*/}}

{{/* The chart's name. */}}
{{- define "dask.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/*
The prefix of every object's name: the release's, with the chart's where it is not part of it. 53 characters leave room
for the longest suffix within Kubernetes' 63.
*/}}
{{- define "dask.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- else if contains (include "dask.name" .) .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "dask.name" .) | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The chart and its version, as a label's value. */}}
{{- define "dask.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
Labels of every object. Arguments: root, component, group (workers only).
*/}}
{{- define "dask.labels" -}}
{{ include "dask.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ include "dask.chart" .root }}
{{- end }}

{{/*
Labels of pods and selectors: they can't change in an upgrade, and a pod that carried a version would be replaced by
every new chart. Arguments as above.
*/}}
{{- define "dask.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dask.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: dask-kubernetes-helm
{{- with .group }}
dask.org/worker-group: {{ . | quote }}
{{- end }}
{{- end }}

{{/* The owner with which every object goes; nothing where there is none. Argument: root. */}}
{{- define "dask.ownerReferences" -}}
{{- with .Values.lifecycle.owner -}}
{{- if .uid -}}
ownerReferences:
  - apiVersion: v1
    kind: ConfigMap
    name: {{ .name | quote }}
    uid: {{ .uid | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The agent's settings, and its Role. */}}
{{- define "dask.agentName" -}}
{{ include "dask.fullname" . }}-agent
{{- end }}

{{/* A role's image: its own keys over the common ones; a digest wins over a tag. Arguments: root, role. */}}
{{- define "dask.image" -}}
{{- $image := include "dask.imageValues" . | fromYaml -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* A role's image values, merged. A role's own tag comes before a common digest. Arguments: root, role. */}}
{{- define "dask.imageValues" -}}
{{- $common := .root.Values.image -}}
{{- $own := .role.image | default dict -}}
{{- $image := deepCopy $common -}}
{{- if or $own.tag $own.repository -}}
{{- $_ := set $image "digest" "" -}}
{{- end -}}
{{- range $key, $value := $own -}}
{{- if $value -}}
{{- $_ := set $image $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $image -}}
{{- end }}

{{/* A role's ServiceAccount: the one that is named, else one of its own. Arguments: root, role, component. */}}
{{- define "dask.serviceAccountName" -}}
{{- .role.serviceAccountName | default (printf "%s-%s" (include "dask.fullname" .root) .component) -}}
{{- end }}

{{/* The scheduler's address for workers. */}}
{{- define "dask.schedulerAddress" -}}
{{ include "dask.tlsSource" . | empty | ternary "tcp" "tls" }}://{{ include "dask.fullname" . }}-scheduler:{{ .Values.scheduler.servicePort }}
{{- end }}

{{/* The ConfigMap with what runs inside the pods. */}}
{{- define "dask.podFiles" -}}
{{ include "dask.fullname" . }}-pod-files
{{- end }}

{{/*
Seconds of the grace period that a worker may take to be emptied; the rest is for its end, which takes up to ten.
Argument: the worker's values.
*/}}
{{- define "dask.drainTimeout" -}}
{{ max 1 (sub (int .terminationGracePeriodSeconds) 15) }}
{{- end }}

{{/* Where a worker that is in service listens; files/dask_kubernetes_helm_pod/readiness.py is told by DASKHELM_READINESS_PORT. */}}
{{- define "dask.readinessPort" -}}
8791
{{- end }}

{{/* Where the scheduler's pod takes lasting streams, on its loopback; files/dask_kubernetes_helm_pod/relay.py is told by DASKHELM_RELAY_PORT. */}}
{{- define "dask.relayPort" -}}
8783
{{- end }}

{{/*
A Kubernetes quantity of memory as the number of bytes: 6G, 6Gi, 1.5Gi, 128974848, 129e6, 128974848000m.
Exact up to 8 TiB; beyond, a fraction of a byte may be lost.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
*/}}
{{- define "dask.bytes" -}}
{{- include "dask.amount" . | float64 | ceil | int64 -}}
{{- end }}
