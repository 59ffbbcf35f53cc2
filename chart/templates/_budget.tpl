{{/*
How many pods of a role may be evicted at a time.
*/}}

{{/* A PodDisruptionBudget, or nothing. Arguments: root, role, component, name, group (workers only). */}}
{{- define "dask.disruptionBudget" -}}
{{- $budget := .role.podDisruptionBudget -}}
{{- if $budget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  {{- with include "dask.ownerReferences" .root }}{{ . | nindent 2 }}{{ end }}
  labels:
    {{- include "dask.labels" . | nindent 4 }}
spec:
  {{- if kindIs "invalid" $budget.maxUnavailable }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- end }}
  unhealthyPodEvictionPolicy: {{ $budget.unhealthyPodEvictionPolicy }}
  selector:
    matchLabels:
      {{- include "dask.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* Kubernetes takes a budget that says nothing for one that allows nothing. Arguments: path, role. */}}
{{- define "dask.checkBudget" -}}
{{- $budget := .role.podDisruptionBudget -}}
{{- if and $budget.enabled (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable) -}}
{{- fail (printf "%s.podDisruptionBudget.enabled is true, but neither minAvailable nor maxUnavailable says how many pods that is. Set one of them, or enabled to false." .path) -}}
{{- end -}}
{{- end }}
