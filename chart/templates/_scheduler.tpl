{{/*
The template of the scheduler's pod. Arguments: root, role, component.
*/}}
{{- define "dask.schedulerTemplate" -}}
metadata:
  {{- include "dask.podMetadata" . | nindent 2 }}
spec:
  {{- include "dask.podSpec" . | nindent 2 }}
    {{- if .root.Values.agent.enabled }}
    {{- include "dask.agentVolume" .root | nindent 4 }}
    {{- end }}
  containers:
    - name: scheduler
      {{- include "dask.container" . | nindent 6 }}
      # No command unless there is one to be: an image's own entrypoint may install packages before it runs these.
      args:
        {{- $start := dict }}
        {{- include "dask.start" (dict "role" .role "component" .component "into" $start) }}
        {{- range $start.program }}
        - {{ . | quote }}
        {{- end }}
        - --port=8786
        - --dashboard-address=:8787
        {{- with include "dask.dashboardPrefix" .root }}
        - --dashboard-prefix={{ . }}
        {{- end }}
        {{- if ne (include "dask.dashboard" .) "own" }}
        - --no-dashboard
        {{- end }}
        - --preload=/etc/dask-kubernetes-helm/dask_kubernetes_helm_scheduler.py
        {{- range .role.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "dask.env" . | trimPrefix "\n" | nindent 8 }}
      ports:
        - name: tcp-comm
          containerPort: 8786
        - name: http-dashboard
          containerPort: 8787
        {{- with .role.ports }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumeMounts:
        {{- include "dask.volumeMounts" . | trim | nindent 8 }}
        {{- if .root.Values.agent.enabled }}
        - name: dask-agent
          mountPath: /etc/dask-kubernetes-helm-agent
          readOnly: true
        {{- end }}
    {{- with .role.extraContainers }}
    {{- include "dask.besides" (dict "containers" . "role" $.role) | nindent 4 }}
    {{- end }}
{{- end }}
