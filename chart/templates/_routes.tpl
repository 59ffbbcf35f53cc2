{{/*
Ways into the cluster by HTTP: Ingress and the Gateway API's HTTPRoute, for the dashboard and for Jupyter; and the links
that follow from them.
*/}}

{{/* A path that begins with / and ends without; empty for the root. Argument: the text. */}}
{{- define "dask.path" -}}
{{- with trimAll "/" . -}}
/{{ . }}
{{- end -}}
{{- end }}

{{/* The path that the dashboard is under. Argument: root. */}}
{{- define "dask.dashboardPrefix" -}}
{{- include "dask.path" .Values.webUI.prefix -}}
{{- end }}

{{/* A page that the scheduler serves by HTTP. Arguments: root, page (such as /metrics). */}}
{{- define "dask.schedulerPage" -}}
{{ include "dask.dashboardPrefix" .root }}{{ .page }}
{{- end }}

{{/*
Puts a path before those that a role's probes ask for by HTTP at a port; one that has it already stays. Arguments: role (a
copy), prefix, ports (name and number).
*/}}
{{- define "dask.probesUnder" -}}
{{- range $probe := list "startupProbe" "readinessProbe" "livenessProbe" -}}
{{- $http := dig "httpGet" dict (get $.role $probe | default dict) | default dict -}}
{{- if and $.prefix (has (toString $http.port) $.ports) -}}
{{- $path := $http.path | default "/" -}}
{{- if not (or (eq $path $.prefix) (hasPrefix (printf "%s/" $.prefix) $path)) -}}
{{- $_ := set $http "path" (printf "%s%s" $.prefix $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
Where to see the dashboard, as a template of Dask's `distributed.dashboard.link`; empty where that itself is right.
Argument: root.
*/}}
{{- define "dask.dashboardLink" -}}
{{- $prefix := include "dask.dashboardPrefix" . -}}
{{- $outside := include "dask.outsideUrl" (dict "ingress" .Values.webUI.ingress "httpRoute" .Values.webUI.httpRoute "prefix" $prefix) -}}
{{- if .Values.webUI.link -}}
{{ .Values.webUI.link }}
{{- else if $outside -}}
{{ $outside }}/status
{{- else if $prefix -}}
{scheme}://{host}:{port}{{ $prefix }}/status
{{- end -}}
{{- end }}

{{/*
The URL by an Ingress, else by an HTTPRoute; empty where there is none, or where it can't be told: without a host, with a
wildcard or with a path that only the controller understands. Arguments: ingress, httpRoute, prefix.
*/}}
{{- define "dask.outsideUrl" -}}
{{- $url := "" -}}
{{- $ingress := .ingress -}}
{{- $route := .httpRoute -}}
{{- if and $ingress.enabled $ingress.hosts -}}
{{- $host := first $ingress.hosts -}}
{{- $unclear := and $ingress.path (eq $ingress.pathType "ImplementationSpecific") -}}
{{- if not (or $unclear (hasPrefix "*" $host)) -}}
{{- $url = printf "%s://%s%s" (ternary "https" "http" $ingress.tls.enabled) $host (include "dask.path" ($ingress.path | default .prefix)) -}}
{{- end -}}
{{- end -}}
{{- if and (not $url) $route.enabled $route.hostnames -}}
{{- $host := first $route.hostnames -}}
{{- if not (hasPrefix "*" $host) -}}
{{- $url = printf "%s://%s%s" (ternary "https" "http" $route.https) $host .prefix -}}
{{- end -}}
{{- end -}}
{{- $url -}}
{{- end }}

{{/* metadata of a route. Arguments: root, component, name, values. */}}
{{- define "dask.routeMetadata" -}}
{{- include "dask.serviceMetadata" (dict "root" .root "component" .component "name" .name "annotations" .values.annotations "options" (pick .values "labels")) -}}
{{- end }}

{{/* An Ingress. Arguments: root, component, name, values, prefix, service, port (their names). */}}
{{- define "dask.ingress" -}}
{{- $path := .values.path | default .prefix | default "/" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "dask.routeMetadata" . | nindent 2 }}
spec:
  {{- with .values.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- if .values.tls.enabled }}
  tls:
    {{- $tls := dict -}}
    {{- with .values.hosts }}{{ $_ := set $tls "hosts" . }}{{ end }}
    {{- with .values.tls.secretName }}{{ $_ := set $tls "secretName" . }}{{ end }}
    {{- toYaml (list $tls) | nindent 4 }}
  {{- end }}
  rules:
    {{- range .values.hosts | default (list "") }}
    - {{ with . }}host: {{ . | quote }}
      {{ end }}http:
        paths:
          - path: {{ $path | quote }}
            pathType: {{ $.values.pathType }}
            backend:
              service:
                name: {{ $.service }}
                port:
                  name: {{ $.port }}
    {{- end }}
{{- end }}

{{/* An HTTPRoute. Arguments as above, but port is the Service's number. */}}
{{- define "dask.httpRoute" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "dask.routeMetadata" . | nindent 2 }}
spec:
  parentRefs:
    {{- toYaml .values.parentRefs | nindent 4 }}
  {{- with .values.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: {{ .prefix | default "/" | quote }}
      {{- with .values.filters }}
      filters:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      backendRefs:
        - name: {{ .service }}
          port: {{ .port }}
{{- end }}

{{/* Refuses routes that lead nowhere. Arguments: path (of the values), values (with ingress and httpRoute). */}}
{{- define "dask.checkRoutes" -}}
{{- if and .values.httpRoute.enabled (not .values.httpRoute.parentRefs) -}}
{{- fail (printf "%s.httpRoute.enabled is true, but %s.httpRoute.parentRefs names no Gateway. Name one: [{name: ...}]." .path .path) -}}
{{- end -}}
{{- $tls := .values.ingress.tls -}}
{{- if and $tls.secretName (not $tls.enabled) -}}
{{- fail (printf "%s.ingress.tls.secretName is set, but %s.ingress.tls.enabled is false. Set that to true, or leave the Secret out." .path .path) -}}
{{- end -}}
{{- end }}
