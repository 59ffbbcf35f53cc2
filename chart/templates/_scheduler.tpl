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

{{/* The scheduler's Service. Arguments: root, role, component. */}}
{{- define "dask.schedulerService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "dask.fullname" .root }}-scheduler
  {{- with include "dask.ownerReferences" .root }}{{ . | nindent 2 }}{{ end }}
  labels:
    {{- include "dask.labels" . | nindent 4 }}
  {{- with .role.serviceAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .role.serviceType }}
  {{- with .role.loadBalancerIP }}
  loadBalancerIP: {{ . | quote }}
  {{- end }}
  # Workers start together with the scheduler and reach it the moment it listens, rather than after its probe, the
  # endpoint's update and kube-proxy's. There is never a second scheduler that this could lead to.
  publishNotReadyAddresses: true
  selector:
    {{- include "dask.selectorLabels" . | nindent 4 }}
  ports:
    - name: tcp-comm
      port: {{ .role.servicePort }}
      targetPort: tcp-comm
    - name: http-dashboard
      port: {{ .root.Values.webUI.servicePort }}
      targetPort: http-dashboard
{{- end }}
