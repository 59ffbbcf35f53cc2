{{/*
The agent: what it is told, and what it may do. It runs in the scheduler, and so does user code: its token must be worth
nothing to a thief.
*/}}

{{/*
The agent's settings, which follow an upgrade without a restart of the scheduler; hence a file rather than variables.
Argument: root.
*/}}
{{- define "dask.agentSettings" -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- $told := dict -}}
{{- range $name, $group := $groups -}}
{{- $limits := dig "resources" "limits" dict $group -}}
{{- $memory := $group.memory_limit | default (get $limits "memory") -}}
{{- $one := dict "deployment" $group.deployment "replicas" (get $group "given") "adaptive" $group.adaptive "resources" $group.daskResources -}}
{{- $_ := set $one "threads" ($group.threads_per_worker | default (include "dask.wholeCores" (get $limits "cpu") | int)) -}}
{{- $_ := set $one "memory" (ternary (include "dask.bytes" $memory | int64) 0 (not (empty $memory))) -}}
{{- $_ := set $told $name $one -}}
{{- end -}}
{{- dict "release" .Release.Name "groups" $told "lifecycle" .Values.lifecycle | toPrettyJson -}}
{{- end }}

{{/* Cores as Kubernetes writes them, rounded up as the downward API does; 0 where there is no limit. */}}
{{- define "dask.wholeCores" -}}
{{- include "dask.amount" (. | default 0) | float64 | ceil -}}
{{- end }}

{{/* Settings and credentials. Only the scheduler's own container gets them. Argument: root. */}}
{{- define "dask.agentVolume" -}}
- name: dask-agent
  projected:
    sources:
      - configMap:
          name: {{ include "dask.agentName" . }}
          items:
            - {key: settings.json, path: settings.json}
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - path: namespace
              fieldRef: {fieldPath: metadata.namespace}
{{- end }}
