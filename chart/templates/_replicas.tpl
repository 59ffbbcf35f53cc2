{{/*
The number of replicas to render: empty for none at all ("not mine", when the value is null).

At install it is the value's. In an upgrade, a number that somebody else than Helm has set (kubectl scale, Python, an
autoscaler) is kept: Helm 3 would put the value back without a word, Helm 4 would fail with a conflict. Who set it is
read from the live object's managedFields. Arguments: root, name, replicas.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
*/}}
{{- define "dask.replicas" -}}
{{- if not (kindIs "invalid" .replicas) -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{- if and $live (eq (include "dask.scaledByOthers" $live) "true") -}}
{{- $live.spec.replicas | int -}}
{{- else -}}
{{- .replicas | int -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* "true" where a manager other than Helm owns spec.replicas of a live object. */}}
{{- define "dask.scaledByOthers" -}}
{{- $others := false -}}
{{- range $entry := .metadata.managedFields | default list -}}
{{- $spec := dig "fieldsV1" "f:spec" dict $entry -}}
{{- if and (hasKey $spec "f:replicas") (not (hasPrefix "helm" $entry.manager)) -}}
{{- $others = true -}}
{{- end -}}
{{- end -}}
{{- $others -}}
{{- end }}
