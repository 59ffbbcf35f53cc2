{{/*
The reaper: where the scheduler is not in the release, nothing of it would notice that the scheduler has gone for good. A
small pod does, and removes the release through its owner. It has the values of `scheduler`, which there is none of.
*/}}

{{/* Not empty where there is one. Argument: root. */}}
{{- define "dask.hasReaper" -}}
{{- if not .Values.scheduler.enabled -}}
{{- if and .Values.agent.enabled .Values.lifecycle.owner.uid (not (kindIs "invalid" .Values.lifecycle.noClientTimeout)) -}}
true
{{- end -}}
{{- end -}}
{{- end }}

{{/*
How it is started: as the workers are, with Python in the place of Dask's command (conda run -n mine dask worker,
/opt/conda/bin/dask worker), and plain Python where that is not to be told. Argument: root.
*/}}
{{- define "dask.reaperCommand" -}}
{{- $words := concat (.Values.worker.command | default list) (.Values.worker.program | default list) -}}
{{- $found := list "python" -}}
{{- range $index, $word := $words -}}
{{- if and (eq (base $word) "dask") (lt (add1 $index) (len $words)) -}}
{{- $found = append (slice $words 0 $index) (printf "%spython" (trimSuffix "dask" $word)) -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat $found (list "-m" "dask_kubernetes_helm_pod")) -}}
{{- end }}

{{/* The template of its pod. Arguments: root, role, component. */}}
{{- define "dask.reaperTemplate" -}}
{{- $left := list "startupProbe" "readinessProbe" "livenessProbe" "command" "initContainers" "topologySpreadConstraints" "extraPackages" -}}
{{- $role := deepCopy .role -}}
{{- range $left -}}
{{- $_ := unset $role . -}}
{{- end -}}
{{- $_ := set $role "serviceAccountName" (include "dask.serviceAccountName" .) -}}
{{- include "dask.ownEnv" (dict "role" .role "component" .component "into" $role) -}}
{{- $scope := dict "root" .root "role" $role "component" "scheduler" -}}
metadata:
  {{- include "dask.podMetadata" . | nindent 2 }}
spec:
  {{- include "dask.podSpec" $scope | nindent 2 }}
    {{- include "dask.agentVolume" .root | nindent 4 }}
  containers:
    - name: reaper
      {{- include "dask.container" $scope | nindent 6 }}
      # Nothing that an image's entrypoint installs is needed.
      command:
        {{- include "dask.reaperCommand" .root | nindent 8 }}
      args: [{{ .root.Values.worker.custom_scheduler_url | quote }}]
      workingDir: /etc/dask-kubernetes-helm
      env:
        {{- include "dask.env" . | trimPrefix "\n" | nindent 8 }}
      volumeMounts:
        {{- include "dask.volumeMounts" . | trim | nindent 8 }}
        - name: dask-agent
          mountPath: /etc/dask-kubernetes-helm-agent
          readOnly: true
{{- end }}
