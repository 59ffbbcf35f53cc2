{{/*
The number of replicas to render: empty for none at all.

At install it is the value's. In an upgrade, a number that somebody else than Helm has set (kubectl scale, Python, an
autoscaler) is kept: Helm 3 would put the value back without a word, Helm 4 would fail with a conflict.

The value null means "not mine": none is rendered at install or by `helm template`. An upgrade renders the live number
all the same, as Helm 3 answers a field that is gone with Kubernetes' default, which is 1.
https://github.com/helm/helm/issues/12650
Arguments: root, worker (a group of dask.collectGroups).
*/}}
{{- define "dask.replicas" -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .worker.deployment -}}
{{- $mine := hasKey .worker "given" -}}
{{- if and $live (or (not $mine) (eq (include "dask.scaledByOthers" $live) "true")) -}}
{{- $live.spec.replicas | int -}}
{{- else if $mine -}}
{{- .worker.given -}}
{{- end -}}
{{- end }}

{{/*
"true" where somebody else than Helm has set spec.replicas of a live object: it is not the number that the values gave
last (an annotation keeps that), or a manager other than Helm owns the field. The annotation is needed for zero, which
Kubernetes records no owner of; the owner for a number that happens to be the values'.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
*/}}
{{- define "dask.scaledByOthers" -}}
{{- $given := dig "metadata" "annotations" "dask.org/replicas-given" "" . -}}
{{- $others := and (ne $given "") (ne $given (.spec.replicas | int | toString)) -}}
{{- range dig "metadata" "managedFields" list . -}}
{{- if and (hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas") (not (hasPrefix "helm" .manager)) -}}
{{- $others = true -}}
{{- end -}}
{{- end -}}
{{- $others -}}
{{- end }}
