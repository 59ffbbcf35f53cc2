{{/*
The number of replicas to render: empty for none at all.

At install it is the value's. In an upgrade, a number that somebody else than Helm has set (kubectl scale, Python, an
autoscaler) is kept: Helm 3 would put the value back without a word, Helm 4 would fail with a conflict. Who set it is
read from the live object's managedFields.

The value null means "not mine". Where an earlier revision did set a number, leaving the field out would hand it to
Kubernetes' default of 1 (https://github.com/helm/helm/issues/12650), so the live number is rendered there too.
Arguments: root, name, replicas.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
*/}}
{{- define "dask.replicas" -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{- $owners := include "dask.replicasOwners" $live | fromYaml -}}
{{- if kindIs "invalid" .replicas -}}
{{- if $owners.helm -}}
{{- $live.spec.replicas | int -}}
{{- end -}}
{{- else if $owners.others -}}
{{- $live.spec.replicas | int -}}
{{- else -}}
{{- .replicas | int -}}
{{- end -}}
{{- end }}

{{/* Who owns spec.replicas of a live object, if there is one: `helm` and `others`, each true or false. */}}
{{- define "dask.replicasOwners" -}}
{{- $owners := dict "helm" false "others" false -}}
{{- range dig "metadata" "managedFields" list (. | default dict) -}}
{{- if hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas" -}}
{{- $_ := set $owners (hasPrefix "helm" .manager | ternary "helm" "others") true -}}
{{- end -}}
{{- end -}}
{{- toYaml $owners -}}
{{- end }}
