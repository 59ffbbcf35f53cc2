{{/*
Refusals of ways into a release that can't be; checks.yaml calls "dask.checkExposure". Argument of all: root.
*/}}

{{- define "dask.checkExposure" -}}
{{- if .Values.scheduler.enabled }}
{{- include "dask.checkSchedulerPorts" . }}
{{- end }}
{{- include "dask.checkDashboard" . }}
{{- include "dask.checkJupyter" . }}
{{- include "dask.checkNodePorts" . }}
{{- end }}

{{/* The Services of the scheduler and of its dashboard. */}}
{{- define "dask.checkSchedulerPorts" -}}
{{- $scheduler := .Values.scheduler -}}
{{- $webUI := .Values.webUI -}}
{{- $comm := dict "key" "scheduler.servicePort" "port" $scheduler.servicePort "target" 8786 -}}
{{- $dashboard := dict "key" "webUI.servicePort" "port" $webUI.servicePort "target" 8787 -}}
{{- $ports := empty $webUI.serviceType | ternary (list $comm $dashboard) (list $comm) -}}
{{- include "dask.checkServiceOptions" (dict "path" "scheduler" "type" $scheduler.serviceType "address" $scheduler.loadBalancerIP "options" $scheduler.service "ports" $ports) -}}
{{- if $webUI.serviceType -}}
{{- include "dask.checkServiceOptions" (dict "path" "webUI" "type" $webUI.serviceType "address" $webUI.loadBalancerIP "options" $webUI.service "ports" (list $dashboard)) -}}
{{- else -}}
{{- if eq (int $scheduler.servicePort) (int $webUI.servicePort) -}}
{{- fail (printf "scheduler.servicePort and webUI.servicePort are both %v, and one Service has both. Change one of them." $webUI.servicePort) -}}
{{- end -}}
{{- range $key, $value := merge (dict "loadBalancerIP" $webUI.loadBalancerIP "serviceAnnotations" $webUI.serviceAnnotations) (omit $webUI.service "nodePort") -}}
{{- if or $value (kindIs "bool" $value) -}}
{{- $place := ternary $key (printf "service.%s" $key) (has $key (list "loadBalancerIP" "serviceAnnotations")) -}}
{{- fail (printf "webUI.%s is set, but the dashboard is on the scheduler's Service, as webUI.serviceType is empty. Set scheduler.%s, or give the dashboard a Service of its own by webUI.serviceType." $place $place) -}}
{{- end -}}
{{- end -}}
{{- if and $webUI.service.nodePort (eq $scheduler.serviceType "ClusterIP") -}}
{{- fail "webUI.service.nodePort is set, but scheduler.serviceType is ClusterIP. Set webUI.serviceType or scheduler.serviceType to NodePort or LoadBalancer, or leave it out." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A dashboard that is reached by a route has to be there. */}}
{{- define "dask.checkDashboard" -}}
{{- $webUI := .Values.webUI -}}
{{- $wanted := "" -}}
{{- if $webUI.serviceType -}}{{- $wanted = "webUI.serviceType is set" -}}{{- end -}}
{{- range list "httpRoute" "ingress" -}}
{{- if (get $webUI .).enabled -}}
{{- $wanted = printf "webUI.%s.enabled is true" . -}}
{{- end -}}
{{- end -}}
{{- if and $wanted (not .Values.scheduler.enabled) -}}
{{- fail (printf "%s, but scheduler.enabled is false, so the release has no dashboard. Leave one of them out." $wanted) -}}
{{- end -}}
{{- if and $wanted (eq (include "dask.dashboard" (dict "root" . "role" .Values.scheduler)) "no") -}}
{{- fail (printf "%s, but scheduler.dashboard is false. Set that to true, or leave the other out." $wanted) -}}
{{- end -}}
{{- range .Values.scheduler.extraArgs -}}
{{- if and $webUI.prefix (hasPrefix "--dashboard-prefix" (toString .)) -}}
{{- fail "webUI.prefix is set, and scheduler.extraArgs has --dashboard-prefix as well. Leave that out: webUI.prefix tells probes and links, too." -}}
{{- end -}}
{{- end -}}
{{- include "dask.checkRoutes" (dict "path" "webUI" "values" $webUI) -}}
{{- end }}

{{/* A port of the nodes has one owner. */}}
{{- define "dask.checkNodePorts" -}}
{{- $seen := dict -}}
{{- range $path := list "scheduler" "webUI" "jupyter" -}}
{{- range $key := list "nodePort" "healthCheckNodePort" -}}
{{- with get (get $.Values $path).service $key -}}
{{- $place := printf "%s.service.%s" $path $key -}}
{{- $number := int . | toString -}}
{{- if hasKey $seen $number -}}
{{- fail (printf "%s and %s are both %s, and a port of the nodes belongs to one Service's port. Change one of them." (get $seen $number) $place $number) -}}
{{- end -}}
{{- $_ := set $seen $number $place -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The notebook server. */}}
{{- define "dask.checkJupyter" -}}
{{- $jupyter := .Values.jupyter -}}
{{- if $jupyter.enabled -}}
{{- include "dask.checkRole" (dict "component" "jupyter" "path" "jupyter" "role" $jupyter) }}
{{- include "dask.checkServiceOptions" (dict "path" "jupyter" "type" $jupyter.serviceType "address" $jupyter.loadBalancerIP "options" $jupyter.service "ports" (list (dict "key" "jupyter.servicePort" "port" $jupyter.servicePort "target" 8888))) -}}
{{- include "dask.checkRoutes" (dict "path" "jupyter" "values" $jupyter) -}}
{{- include "dask.checkJupyterRoutes" . -}}
{{- if and (not $jupyter.token.secretName) (not (include "dask.isOnline" .)) (not .Values.tls.generated.offline) -}}
{{- fail "jupyter.enabled is true: the chart makes a token once and keeps it, but without a cluster it can't see the one it has made, and each rendering would have another. Name a Secret of yours in jupyter.token.secretName; for a rendering that is only looked at, set tls.generated.offline to true." -}}
{{- end -}}
{{- $taken := list $jupyter.home "/tmp" "/etc/dask-kubernetes-helm-jupyter" "/etc/dask/kubernetes-helm.yaml" "/var/run/secrets/kubernetes.io/serviceaccount" -}}
{{- range $index, $mount := $jupyter.mounts.volumeMounts -}}
{{- if has (trimSuffix "/" $mount.mountPath) $taken -}}
{{- fail (printf "jupyter.mounts.volumeMounts[%d].mountPath is %s, where the chart's own is. Choose another path; jupyter.home and jupyter.persistence say what the home folder is." $index $mount.mountPath) -}}
{{- end -}}
{{- end -}}
{{- if and $jupyter.persistence.enabled $jupyter.persistence.existingClaim $jupyter.persistence.storageClassName -}}
{{- fail "jupyter.persistence.existingClaim and jupyter.persistence.storageClassName are both set, but a class is for a claim that the chart makes. Leave one of them out." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Two things can't be at one place. */}}
{{- define "dask.checkJupyterRoutes" -}}
{{- $webUI := .Values.webUI -}}
{{- $jupyter := .Values.jupyter -}}
{{- $paths := dict "webUI" (include "dask.dashboardPrefix" .) "jupyter" (include "dask.path" $jupyter.baseUrl) -}}
{{- range $kind, $hosts := dict "ingress" "hosts" "httpRoute" "hostnames" -}}
{{- $one := get $webUI $kind -}}
{{- $other := get $jupyter $kind -}}
{{- if and $one.enabled $other.enabled -}}
{{- $first := get $one $hosts | default (list "") -}}
{{- $second := get $other $hosts | default (list "") -}}
{{- $same := eq (get $one "path" | default $paths.webUI) (get $other "path" | default $paths.jupyter) -}}
{{- range $first -}}
{{- if and $same (has . $second) -}}
{{- fail (printf "webUI.%s and jupyter.%s lead from the same host and path to two places. Change webUI.%s.%s, or set jupyter.baseUrl or webUI.prefix." $kind $kind $kind $hosts) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
