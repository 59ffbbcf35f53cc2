{{/*
The template of a worker group's pods. Arguments: root, role (the group's values), component, group.
*/}}
{{- define "dask.workerTemplate" -}}
metadata:
  {{- include "dask.podMetadata" . | nindent 2 }}
spec:
  {{- include "dask.podSpec" . | nindent 2 }}
  containers:
    - name: worker
      {{- include "dask.container" . | nindent 6 }}
      # No command unless there is one to be: an image's own entrypoint may install packages before it runs these.
      args:
        {{- $start := dict }}
        {{- include "dask.start" (dict "role" .role "component" .component "into" $start) }}
        {{- range $start.program }}
        - {{ . | quote }}
        {{- end }}
        - $(DASK_SCHEDULER_ADDRESS)
        # A worker is known by its pod's name.
        - --name=$(DASKHELM_POD_NAME)
        - --nthreads={{ .role.threads_per_worker | default "$(DASKHELM_CPU_LIMIT)" }}
        - --memory-limit={{ with .role.memory_limit }}{{ include "dask.bytes" . }}{{ else }}$(DASKHELM_MEMORY_LIMIT){{ end }}
        {{- if not .role.nanny }}
        - --no-nanny
        {{- end }}
        - --death-timeout=60
        - --local-directory=/dask
        - --dashboard-address=:{{ .role.portDashboard }}
        {{- if ne (include "dask.dashboard" .) "own" }}
        - --no-dashboard
        {{- end }}
        - --preload=/etc/dask-kubernetes-helm/dask_kubernetes_helm_worker.py
        {{- if .role.nanny }}
        - --preload-nanny=/etc/dask-kubernetes-helm/dask_kubernetes_helm_nanny.py
        {{- end }}
        {{- with .role.daskResources }}
        - {{ printf "--resources=%s" (include "dask.resourceArgument" .) | quote }}
        {{- end }}
        {{- range .role.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: DASK_SCHEDULER_ADDRESS
          value: {{ .role.custom_scheduler_url | default (include "dask.schedulerAddress" .root) | quote }}
        - name: DASKHELM_POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        # Kubernetes itself tells the limits: cores rounded up, memory in bytes; a LimitRange's defaults included,
        # and what the node has to give where there is no limit.
        - name: DASKHELM_CPU_LIMIT
          valueFrom:
            resourceFieldRef:
              containerName: worker
              resource: limits.cpu
        - name: DASKHELM_MEMORY_LIMIT
          valueFrom:
            resourceFieldRef:
              containerName: worker
              resource: limits.memory
        # What the preloads go by.
        - name: DASKHELM_WORKER_GROUP
          value: {{ .group | quote }}
        - name: DASKHELM_DRAIN_TIMEOUT
          value: {{ include "dask.drainTimeout" .role | quote }}
        - name: DASKHELM_READINESS_PORT
          value: {{ include "dask.readinessPort" .root | quote }}
        {{- include "dask.env" . | trimPrefix "\n" | nindent 8 }}
      ports:
        - name: http-dashboard
          containerPort: {{ .role.portDashboard }}
        - name: readiness
          containerPort: {{ include "dask.readinessPort" .root }}
        {{- with .role.ports }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumeMounts:
        {{- include "dask.volumeMounts" . | trim | nindent 8 }}
    {{- with .role.extraContainers }}
    {{- include "dask.besides" (dict "containers" . "role" $.role) | nindent 4 }}
    {{- end }}
{{- end }}
