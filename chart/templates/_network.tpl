{{/*
Who may talk to whom. Whoever reaches Dask's comm runs code in these pods; so the release's own pods trust each other, and a
client of the scheduler is one of the workers as well.
*/}}

{{/* A release's pods, whatever they are for, as a podSelector has it. Argument: root. */}}
{{- define "dask.releasePods" -}}
matchLabels:
  {{- pick (include "dask.selectorLabels" (dict "root" . "component" "") | fromYaml) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/part-of" | toYaml | nindent 2 }}
{{- end }}

{{/* Clients, as a list of peers; empty where there can be none. Argument: root. */}}
{{- define "dask.clients" -}}
{{- $client := .Values.networkPolicy.client -}}
{{- $peers := list -}}
{{- with $client.label -}}
{{- $values := list "true" $.Release.Name | uniq -}}
{{- $peer := dict "podSelector" (dict "matchExpressions" (list (dict "key" . "operator" "In" "values" $values))) -}}
{{- if not (kindIs "invalid" $client.namespaceSelector) -}}
{{- $_ := set $peer "namespaceSelector" $client.namespaceSelector -}}
{{- end -}}
{{- $peers = append $peers $peer -}}
{{- end -}}
{{- toYaml (concat $peers $client.from) -}}
{{- end }}

{{/* The addresses of callers that are no pods to a policy, as a list of peers. Argument: root. */}}
{{- define "dask.outside" -}}
{{- $peers := list -}}
{{- range .Values.networkPolicy.client.outside -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .)) -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end }}

{{/* The same where a Service of a type leads them in; else none. Arguments: root, type. */}}
{{- define "dask.outsideBy" -}}
{{- if eq .type "ClusterIP" -}}
[]
{{- else -}}
{{- include "dask.outside" .root -}}
{{- end -}}
{{- end }}

{{/* Not empty where pods of the release have their node's address: to a policy they are outside. Argument: root. */}}
{{- define "dask.onHostNetwork" -}}
{{- $roles := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $roles) -}}
{{- range append (values $roles) .Values.scheduler -}}
{{- if dig "spec" "hostNetwork" false (.podTemplate | default dict) -}}
true
{{- end -}}
{{- end -}}
{{- end }}

{{/* Schedulers elsewhere that workers are sent to: a list of host, port and, where the host is an address, cidr. */}}
{{- define "dask.schedulersElsewhere" -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- $found := list -}}
{{- range $groups -}}
{{- with .custom_scheduler_url -}}
{{- $place := regexReplaceAll "^.*://" . "" | trimSuffix "/" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $place "" | trimAll "[]" -}}
{{- $one := dict "host" $host "port" (regexFind ":[0-9]+$" $place | trimPrefix ":" | default "8786" | int) -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+){3}$" $host -}}
{{- $_ := set $one "cidr" (printf "%s/32" $host) -}}
{{- else if contains ":" $host -}}
{{- $_ := set $one "cidr" (printf "%s/128" $host) -}}
{{- end -}}
{{- $found = append $found $one -}}
{{- end -}}
{{- end -}}
{{- toYaml (uniq $found) -}}
{{- end }}

{{/* A rule for peers, or nothing: one without a peer would admit anybody. Arguments: way, peers, ports (none: all). */}}
{{- define "dask.networkRule" -}}
{{- if .peers -}}
{{- $rule := dict .way .peers -}}
{{- if .ports -}}
{{- $_ := set $rule "ports" .ports -}}
{{- end -}}
{{- toYaml (list $rule) -}}
{{- end -}}
{{- end }}

{{/* Ports as rules have them. Arguments: numbers, protocols. */}}
{{- define "dask.networkPorts" -}}
{{- $ports := list -}}
{{- range $number := .numbers -}}
{{- range $.protocols -}}
{{- $ports = append $ports (dict "port" (int $number) "protocol" .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end }}

{{/* Who may talk to the scheduler. Argument: root. */}}
{{- define "dask.schedulerIngress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $clients := include "dask.clients" . | fromYamlArray -}}
{{- $outside := include "dask.outsideBy" (dict "root" . "type" .Values.scheduler.serviceType) | fromYamlArray -}}
{{- $seen := include "dask.outsideBy" (dict "root" . "type" (.Values.webUI.serviceType | default .Values.scheduler.serviceType)) | fromYamlArray -}}
{{- $nodes := empty (include "dask.onHostNetwork" .) | ternary list (include "dask.outside" . | fromYamlArray) -}}
{{- $own := list (dict "podSelector" (include "dask.releasePods" . | fromYaml)) -}}
{{- $comm := include "dask.networkPorts" (dict "numbers" (list 8786) "protocols" (list "TCP")) | fromYamlArray -}}
{{- $dashboard := include "dask.networkPorts" (dict "numbers" (list 8787) "protocols" (list "TCP")) | fromYamlArray -}}
# Dask's comm.
{{ include "dask.networkRule" (dict "way" "from" "peers" (concat $own $clients $outside $nodes | uniq) "ports" $comm) }}
# The dashboard, and what Prometheus reads.
{{ include "dask.networkRule" (dict "way" "from" "peers" (concat $clients $seen $policy.dashboard.from) "ports" $dashboard) }}
{{ include "dask.networkRule" (dict "way" "from" "peers" $policy.metrics.from "ports" $dashboard) }}
{{- with $policy.ingress.scheduler }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Who may talk to workers: their ports are any. Argument: root. */}}
{{- define "dask.workerIngress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $peers := list (dict "podSelector" (include "dask.releasePods" . | fromYaml)) -}}
{{- $peers = concat $peers (include "dask.clients" . | fromYamlArray) -}}
{{- range include "dask.schedulersElsewhere" . | fromYamlArray -}}
{{- if .cidr -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .cidr)) -}}
{{- end -}}
{{- end -}}
{{- if include "dask.onHostNetwork" . -}}
{{- $peers = concat $peers (include "dask.outside" . | fromYamlArray) -}}
{{- end -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- $numbers := list -}}
{{- range $groups -}}
{{- $numbers = append $numbers (int .portDashboard) -}}
{{- end -}}
{{- $ports := include "dask.networkPorts" (dict "numbers" (uniq $numbers) "protocols" (list "TCP")) | fromYamlArray -}}
# Dask's comm, whose ports are any.
{{ include "dask.networkRule" (dict "way" "from" "peers" (uniq $peers)) }}
{{ include "dask.networkRule" (dict "way" "from" "peers" $policy.metrics.from "ports" $ports) }}
{{- with $policy.ingress.worker }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Pods of any release of this chart in the namespace, as a list of peers. */}}
{{- define "dask.chartPods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/part-of: dask-kubernetes-helm
{{- end }}

{{/* Who may talk to Jupyter. Argument: root. */}}
{{- define "dask.jupyterIngress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $outside := include "dask.outsideBy" (dict "root" . "type" .Values.jupyter.serviceType) | fromYamlArray -}}
{{- $ports := include "dask.networkPorts" (dict "numbers" (list 8888) "protocols" (list "TCP")) | fromYamlArray -}}
# Workers, where the scheduler of their cluster is in a notebook.
{{ include "dask.networkRule" (dict "way" "from" "peers" (include "dask.chartPods" . | fromYamlArray)) }}
# Browsers.
{{ include "dask.networkRule" (dict "way" "from" "peers" (concat $outside $policy.jupyter.from) "ports" $ports) }}
{{- end }}

{{/* Where the pods of a role may connect to. Arguments: root, component. */}}
{{- define "dask.egress" -}}
{{- $policy := .root.Values.networkPolicy.egress -}}
# Each other.
{{ include "dask.networkRule" (dict "way" "to" "peers" (list (dict "podSelector" (include "dask.releasePods" .root | fromYaml)))) }}
# Name servers.
- ports:
    {{- include "dask.networkPorts" (dict "numbers" $policy.dns.ports "protocols" (list "UDP" "TCP")) | nindent 4 }}
  {{- with $policy.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if or (eq .component "jupyter") (and (ne .component "worker") .root.Values.agent.enabled) }}
# The API server.
- ports:
    {{- include "dask.networkPorts" (dict "numbers" $policy.apiServer.ports "protocols" (list "TCP")) | nindent 4 }}
  {{- with $policy.apiServer.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if eq .component "jupyter" }}
# Clusters that notebooks make.
{{ include "dask.networkRule" (dict "way" "to" "peers" (include "dask.chartPods" . | fromYamlArray)) }}
{{- end }}
{{- if has .component (list "worker" "reaper") }}
{{- range include "dask.schedulersElsewhere" .root | fromYamlArray }}
{{- $peers := include "dask.clients" $.root | fromYamlArray }}
{{- if .cidr }}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .cidr)) }}
{{- end }}
# A scheduler elsewhere.
{{ include "dask.networkRule" (dict "way" "to" "peers" $peers "ports" (list (dict "port" .port "protocol" "TCP"))) }}
{{- end }}
{{- end }}
{{- with $policy.rules }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What can't be. Argument: root. */}}
{{- define "dask.checkNetwork" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled $policy.egress.restricted (not $policy.egress.rules) -}}
{{- range include "dask.schedulersElsewhere" . | fromYamlArray -}}
{{- if not .cidr -}}
{{- fail (printf "networkPolicy.egress.restricted is true, and workers go to a scheduler at %s, which is a name: policies know addresses and pods only. Say in networkPolicy.egress.rules where it is, or give an address in worker.custom_scheduler_url." .host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
