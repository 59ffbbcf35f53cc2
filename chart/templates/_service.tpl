{{/*
Services: of the scheduler, of the dashboard where it has one of its own, and of Jupyter. Their options are the same.
*/}}

{{/*
A Service's metadata. Arguments: root, component, name, annotations, options (its values under `service`).
*/}}
{{- define "dask.serviceMetadata" -}}
name: {{ .name }}
{{- with include "dask.ownerReferences" .root }}
{{ . }}
{{- end }}
labels:
  {{- include "dask.labels" . | nindent 2 }}
  {{- with .options.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
A Service's spec, but for selector and ports; only what is said. Arguments: type, address (to ask a load balancer for),
options.
*/}}
{{- define "dask.serviceOptions" -}}
{{- $spec := dict "type" .type -}}
{{- with .address -}}
{{- $_ := set $spec "loadBalancerIP" . -}}
{{- end -}}
{{- range $key, $value := omit .options "labels" "nodePort" "sessionAffinityTimeout" -}}
{{- if or $value (kindIs "bool" $value) -}}
{{- $_ := set $spec $key $value -}}
{{- end -}}
{{- end -}}
{{- with .options.sessionAffinityTimeout -}}
{{- $_ := set $spec "sessionAffinityConfig" (dict "clientIP" (dict "timeoutSeconds" .)) -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end }}

{{/* A port of a Service, as a list of one. Arguments: name, port, nodePort. */}}
{{- define "dask.servicePort" -}}
- name: {{ .name }}
  port: {{ .port }}
  targetPort: {{ .name }}
  {{- with .nodePort }}
  nodePort: {{ . }}
  {{- end }}
{{- end }}

{{/* The dashboard's port. Argument: root. */}}
{{- define "dask.dashboardServicePort" -}}
{{- include "dask.servicePort" (dict "name" "http-dashboard" "port" .Values.webUI.servicePort "nodePort" .Values.webUI.service.nodePort) -}}
{{- end }}

{{/* The name of the Service that leads to the dashboard. Argument: root. */}}
{{- define "dask.dashboardServiceName" -}}
{{ include "dask.fullname" . }}-{{ empty .Values.webUI.serviceType | ternary "scheduler" "dashboard" }}
{{- end }}

{{/* The Service that leads to the scheduler. Arguments: root, role, component. */}}
{{- define "dask.schedulerService" -}}
{{- $name := printf "%s-scheduler" (include "dask.fullname" .root) -}}
{{- $annotations := deepCopy .role.serviceAnnotations -}}
{{- with include "dask.dashboardLink" .root -}}
{{- $_ := set $annotations "dask.org/dashboard-link" . -}}
{{- end -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "dask.serviceMetadata" (dict "root" .root "component" .component "name" $name "annotations" $annotations "options" .role.service) | nindent 2 }}
spec:
  {{- include "dask.serviceOptions" (dict "type" .role.serviceType "address" .role.loadBalancerIP "options" .role.service) | nindent 2 }}
  # Workers start together with the scheduler and reach it the moment it listens, rather than after its probe, the
  # endpoint's update and kube-proxy's. There is never a second scheduler that this could lead to.
  publishNotReadyAddresses: true
  selector:
    {{- include "dask.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "dask.servicePort" (dict "name" "tcp-comm" "port" .role.servicePort "nodePort" .role.service.nodePort) | nindent 4 }}
    {{- if not .root.Values.webUI.serviceType }}
    {{- include "dask.dashboardServicePort" .root | nindent 4 }}
    {{- end }}
{{- end }}

{{/* The dashboard's own Service, which Dask's comm is not on. Argument: root. */}}
{{- define "dask.dashboardService" -}}
{{- $values := .Values.webUI -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "dask.serviceMetadata" (dict "root" . "component" "dashboard" "name" (include "dask.dashboardServiceName" .) "annotations" $values.serviceAnnotations "options" $values.service) | nindent 2 }}
spec:
  {{- include "dask.serviceOptions" (dict "type" $values.serviceType "address" $values.loadBalancerIP "options" $values.service) | nindent 2 }}
  # As the scheduler's: whoever has found the scheduler finds its dashboard.
  publishNotReadyAddresses: true
  selector:
    {{- include "dask.selectorLabels" (dict "root" . "component" "scheduler") | nindent 4 }}
  ports:
    {{- include "dask.dashboardServicePort" . | nindent 4 }}
{{- end }}

{{/*
Refuses what Kubernetes would. Arguments: path (of the values), type, address, options, ports (a list of name and number
that a Service without an address of its own must have).
*/}}
{{- define "dask.checkServiceOptions" -}}
{{- $type := .type -}}
{{- $prefix := .path | empty | ternary "" (printf "%s." .path) -}}
{{- $only := dict -}}
{{- if eq $type "ClusterIP" -}}
{{- $only = dict "nodePort" "NodePort or LoadBalancer" "externalTrafficPolicy" "NodePort or LoadBalancer" -}}
{{- end -}}
{{- if ne $type "LoadBalancer" -}}
{{- range list "loadBalancerClass" "loadBalancerSourceRanges" "allocateLoadBalancerNodePorts" "healthCheckNodePort" -}}
{{- $_ := set $only . "LoadBalancer" -}}
{{- end -}}
{{- if .address -}}
{{- fail (printf "%sloadBalancerIP is set, but %sserviceType is not LoadBalancer. Set the type, or leave the address out." $prefix $prefix) -}}
{{- end -}}
{{- end -}}
{{- range $key, $types := $only -}}
{{- $value := get $.options $key -}}
{{- if or $value (kindIs "bool" $value) -}}
{{- fail (printf "%sservice.%s is set, but %sserviceType is %s. Set the type to %s, or leave it out." $prefix $key $prefix $type $types) -}}
{{- end -}}
{{- end -}}
{{- if and .options.healthCheckNodePort (ne .options.externalTrafficPolicy "Local") -}}
{{- fail (printf "%sservice.healthCheckNodePort is set, but Kubernetes has such a port only where %sservice.externalTrafficPolicy is Local. Set that, or leave the port out." $prefix $prefix) -}}
{{- end -}}
{{- if and .options.sessionAffinityTimeout (ne .options.sessionAffinity "ClientIP") -}}
{{- fail (printf "%sservice.sessionAffinityTimeout is set, but %sservice.sessionAffinity is not ClientIP. Set that, or leave the time out." $prefix $prefix) -}}
{{- end -}}
{{- if and (gt (len .options.ipFamilies) 1) (eq .options.ipFamilyPolicy "SingleStack") -}}
{{- fail (printf "%sservice.ipFamilies has two, but %sservice.ipFamilyPolicy is SingleStack. Leave one family out, or set the policy to PreferDualStack." $prefix $prefix) -}}
{{- end -}}
{{- if eq .options.clusterIP "None" -}}
{{- if ne $type "ClusterIP" -}}
{{- fail (printf "%sservice.clusterIP is None, but a Service of type %s needs an address. Leave it out, or set %sserviceType to ClusterIP." $prefix $type $prefix) -}}
{{- end -}}
{{- range .ports -}}
{{- if ne (int .port) (int .target) -}}
{{- fail (printf "%sservice.clusterIP is None, so that names lead to the pod itself, which listens on port %v; but %s is %v. Set that to %v, or leave clusterIP out." $prefix .target .key .port .target) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
