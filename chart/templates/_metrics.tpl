{{/*
What Prometheus' operator and Grafana are given. Where the page of metrics is, is said here and nowhere else.
*/}}

{{/* The path of the page on the scheduler. Argument: root. */}}
{{- define "dask.metricsPath" -}}
{{ include "dask.dashboardPrefix" . }}/metrics
{{- end }}

{{/* The component whose Service leads to the scheduler's page. Argument: root. */}}
{{- define "dask.metricsComponent" -}}
{{ empty .Values.webUI.serviceType | ternary "scheduler" "dashboard" }}
{{- end }}

{{/*
Metadata of an object for monitoring. One in another namespace can't belong to the release's owner, which Kubernetes would
take for gone. Arguments: root, component, name, values (namespace, labels and annotations of it).
*/}}
{{- define "dask.monitorMetadata" -}}
name: {{ .name | quote }}
{{- with .values.namespace }}
namespace: {{ . | quote }}
{{- end }}
{{- if has .values.namespace (list "" .root.Release.Namespace) }}
{{- with include "dask.ownerReferences" .root }}
{{ . }}
{{- end }}
{{- end }}
labels:
  {{- include "dask.labels" . | nindent 2 }}
  {{- with .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The spec of a ServiceMonitor or a PodMonitor. Arguments: root, component (of what it selects), of (scheduler or worker),
endpoints (that field's name), path, values.
*/}}
{{- define "dask.monitorSpec" -}}
{{- $spec := dict "selector" (dict "matchLabels" (include "dask.selectorLabels" (pick . "root" "component") | fromYaml)) -}}
{{- $_ := set $spec "namespaceSelector" (dict "matchNames" (list .root.Release.Namespace)) -}}
{{- $endpoint := dict "port" "http-dashboard" "path" .path "honorLabels" .values.honorLabels -}}
{{- $relabelings := list (dict "targetLabel" "dask_release" "replacement" .root.Release.Name) (dict "targetLabel" "dask_component" "replacement" .of) -}}
{{- if eq .of "worker" -}}
{{- $relabelings = append $relabelings (dict "sourceLabels" (list "__meta_kubernetes_pod_label_dask_org_worker_group") "targetLabel" "dask_group") -}}
{{- end -}}
{{- $_ := set $endpoint "relabelings" (concat $relabelings .values.relabelings) -}}
{{- range $key := list "interval" "scrapeTimeout" "metricRelabelings" -}}
{{- with get $.values $key -}}
{{- $_ := set $endpoint $key . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $spec .endpoints (list $endpoint) -}}
{{- range $key := list "jobLabel" "targetLabels" "podTargetLabels" "sampleLimit" -}}
{{- with get $.values $key -}}
{{- $_ := set $spec $key . -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end }}

{{/*
What the release's pods are called, as a regular expression; Kubernetes cuts names that are too long for what it adds to
them. Argument: root.
*/}}
{{- define "dask.podNames" -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- $names := .Values.scheduler.enabled | ternary (list (printf "%s-scheduler" (include "dask.fullname" .))) list -}}
{{- range $groups -}}
{{- $names = append $names .deployment -}}
{{- end -}}
{{- $patterns := list -}}
{{- range $names | sortAlpha -}}
{{- $patterns = append $patterns (printf "%s%s" (trunc 46 .) (gt (len .) 46 | ternary ".*" "-[a-z0-9]+-[a-z0-9]+")) -}}
{{- end -}}
{{- join "|" $patterns -}}
{{- end }}

{{/*
The chart's own alerts, from files/alerts.yaml, with what the values say of each. Argument: root.
*/}}
{{- define "dask.alerts" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $release := printf "namespace=%q,dask_release=%q" .Release.Namespace .Release.Name -}}
{{- $pods := printf "namespace=%q,pod=~%q" .Release.Namespace (include "dask.podNames" .) -}}
{{- $text := .Files.Get "files/alerts.yaml" | replace "RELEASE" $release | replace "PODS" $pods -}}
{{- $rules := list -}}
{{- range $name, $alert := fromYaml $text -}}
{{- $own := get $values.alerts $name -}}
{{- if and $own.enabled (or $.Values.scheduler.enabled (not $alert.scheduler)) -}}
{{- $threshold := get $own "threshold" | default 0 | toJson -}}
{{- $rule := dict "alert" $name "expr" ($alert.expr | replace "THRESHOLD" $threshold | trim) "for" $own.for -}}
{{- $_ := set $rule "labels" (merge (dict "severity" $own.severity "dask_release" $.Release.Name) $values.alertLabels) -}}
{{- $_ := set $rule "annotations" (dict "summary" ($alert.summary | trim) "description" ($alert.description | trim)) -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end }}

{{/* Seconds of a duration as Prometheus writes it, e.g. 1m30s. Argument: the duration. */}}
{{- define "dask.seconds" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+[a-z]" . -1 -}}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) (trimAll "0123456789" .) -}}
{{- $seconds = add $seconds (mul $unit (int64 (regexFind "[0-9]+" .))) -}}
{{- end -}}
{{ $seconds }}
{{- end }}

{{/* Argument: root. */}}
{{- define "dask.checkMetrics" -}}
{{- $metrics := .Values.metrics -}}
{{- range $key := list "serviceMonitor" "podMonitor" -}}
{{- $monitor := get $metrics $key -}}
{{- if and $monitor.interval $monitor.scrapeTimeout (gt (include "dask.seconds" $monitor.scrapeTimeout | int64) (include "dask.seconds" $monitor.interval | int64)) -}}
{{- fail (printf "metrics.%s.scrapeTimeout is %s, which is longer than metrics.%s.interval, %s: Prometheus' operator refuses such a monitor. Shorten one or lengthen the other." $key $monitor.scrapeTimeout $key $monitor.interval) -}}
{{- end -}}
{{- end -}}
{{- range $key, $values := $metrics -}}
{{- include "dask.checkLabels" (dict "path" (printf "metrics.%s" $key) "role" $values) -}}
{{- end -}}
{{- if and $metrics.serviceMonitor.enabled (not .Values.scheduler.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled is true, but scheduler.enabled is false, so there is no scheduler to read metrics of. Set metrics.serviceMonitor.enabled to false; metrics.podMonitor is for the workers." -}}
{{- end -}}
{{- if and $metrics.prometheusRule.enabled (eq (include "dask.alerts" .) "[]") (empty $metrics.prometheusRule.rules) -}}
{{- fail "metrics.prometheusRule.enabled is true, but none of its alerts is, and it has no rules. Set one of metrics.prometheusRule.alerts to enabled, or metrics.prometheusRule.enabled to false." -}}
{{- end -}}
{{- end }}
