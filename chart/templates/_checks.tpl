{{/*
Refusals that both roles share; checks.yaml calls them. Arguments of all: component, role.
*/}}

{{- define "dask.checkRole" -}}
{{- include "dask.checkEnv" . }}
{{- include "dask.checkPackages" . }}
{{- include "dask.checkLabels" . }}
{{- include "dask.checkProbes" . }}
{{- end }}

{{/* A name occurs once: server-side apply refuses lists with twins. The worker's arguments stand on the chart's own names. */}}
{{- define "dask.checkEnv" -}}
{{- $component := .component -}}
{{- $taken := eq $component "worker" | ternary (list "POD_NAME" "CPU_LIMIT" "MEMORY_LIMIT" "READINESS_PORT" "WORKER_GROUP" "DRAIN_TIMEOUT") list -}}
{{- $seen := list -}}
{{- range .role.env -}}
{{- if has .name $seen -}}
{{- fail (printf "%s.env has %s twice. Leave one of them out." $component .name) -}}
{{- end -}}
{{- if has .name $taken -}}
{{- fail (printf "%s.env sets %s, which the chart sets itself. Leave it out; worker.threads_per_worker, worker.memory_limit and worker.extraArgs change what a worker is told." $component .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- end }}

{{/*
What the official images install at start must be allowed to. pip finds its place in the home folder; conda writes to the
image's own files as root, and apt changes users besides.
*/}}
{{- define "dask.checkPackages" -}}
{{- $component := .component -}}
{{- $pod := .role.securityContext | default dict -}}
{{- $container := .role.containerSecurityContext | default dict -}}
{{- $user := dig "runAsUser" (get $pod "runAsUser") $container -}}
{{- $root := and (not (dig "runAsNonRoot" (get $pod "runAsNonRoot") $container)) (not $user) -}}
{{- range .role.env -}}
{{- if and .value (has .name (list "EXTRA_CONDA_PACKAGES" "EXTRA_APT_PACKAGES")) -}}
{{- if $container.readOnlyRootFilesystem -}}
{{- fail (printf "%s.env sets %s, which installs into the image's root file system, but that is read-only. Set %s.containerSecurityContext.readOnlyRootFilesystem to false, or build an image that has the packages." $component .name $component) -}}
{{- end -}}
{{- if not $root -}}
{{- fail (printf "%s.env sets %s, which installs as root. Set %s.securityContext.runAsNonRoot to false and runAsUser to 0, or build an image that has the packages." $component .name $component) -}}
{{- end -}}
{{- if and (eq .name "EXTRA_APT_PACKAGES") (has "ALL" (dig "capabilities" "drop" list $container)) -}}
{{- fail (printf "%s.env sets %s, and apt changes users, for which it needs capabilities. Set %s.containerSecurityContext.capabilities to null, or build an image that has the packages." $component .name $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Selectors stand on the chart's labels. */}}
{{- define "dask.checkLabels" -}}
{{- $component := .component -}}
{{- range $key := list "labels" "podLabels" -}}
{{- range $label, $_ := get $.role $key -}}
{{- if or (regexMatch "^app\\.kubernetes\\.io/(name|instance|component|part-of|managed-by|version)$" $label) (has $label (list "helm.sh/chart" "dask.org/worker-group")) -}}
{{- fail (printf "%s.%s has %s, which the chart sets itself. Choose another label; nameOverride changes app.kubernetes.io/name." $component $key $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A probe asks in one way; values merge, so the default's way must be taken back by name. */}}
{{- define "dask.checkProbes" -}}
{{- $component := .component -}}
{{- range $probe := list "startupProbe" "readinessProbe" "livenessProbe" -}}
{{- $ways := list -}}
{{- range $way := list "exec" "grpc" "httpGet" "tcpSocket" -}}
{{- if get (get $.role $probe | default dict) $way -}}
{{- $ways = append $ways $way -}}
{{- end -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "%s.%s has %s, but a probe asks in one way. Set the ones to null that you don't want: values are merged with the chart's own." $component $probe (join " and " $ways)) -}}
{{- end -}}
{{- end -}}
{{- end }}
