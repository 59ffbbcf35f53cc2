{{/*
What scheduler and worker pods share. Arguments of all: root, role (its values), component, group (workers only).
*/}}

{{/* metadata of a pod template: selector labels only, plus the user's own. */}}
{{- define "dask.podMetadata" -}}
labels:
  {{- include "dask.selectorLabels" . | nindent 2 }}
  {{- with .role.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .role.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* spec of a pod, but for its containers. */}}
{{- define "dask.podSpec" -}}
serviceAccountName: {{ include "dask.serviceAccountName" . }}
# Neither role calls the Kubernetes API, and whoever reaches the scheduler runs code in these pods.
automountServiceAccountToken: false
# Kubernetes would tell of Services by variables, which Dask takes for configuration where a release's name is "dask".
enableServiceLinks: false
# The kernel keeps signals without a handler from process 1: a Python that is asked to end while it is still importing
# would go on until it is killed. With the pod's pause container as process 1 it ends at once, in any image.
shareProcessNamespace: {{ .role.shareProcessNamespace }}
{{- $image := include "dask.imageValues" . | fromYaml }}
{{- with $image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .role.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- include "dask.affinity" . | nindent 2 }}
tolerations:
  {{- include "dask.tolerations" . | nindent 2 }}
{{- with .role.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- include "dask.topologySpread" $ | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .role.terminationGracePeriodSeconds }}
{{- with .role.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  # The root file system is read-only; Dask spills and unpacks here.
  - name: scratch
    emptyDir:
      {{- with .role.scratchSizeLimit }}
      sizeLimit: {{ . }}
      {{- else }} {}
      {{- end }}
  - name: preload
    configMap:
      name: {{ include "dask.podFiles" .root }}
      items:
        # Dask imports preloads under their files' names, which must not be in the way of a user's own module.
        {{- range $role := list "scheduler" "worker" "nanny" }}
        - key: preload_{{ $role }}.py
          path: dask_kubernetes_helm_{{ $role }}.py
        {{- end }}
        {{- range $path, $_ := .root.Files.Glob "files/dask_kubernetes_helm_pod/*.py" }}
        - key: {{ base $path }}
          path: {{ trimPrefix "files/" $path }}
        {{- end }}
  {{- with .role.mounts.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Fields that the main container of both roles has. */}}
{{- define "dask.container" -}}
{{- $image := include "dask.imageValues" . | fromYaml -}}
image: {{ include "dask.image" . | quote }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- with .role.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.startupProbe }}
startupProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.readinessProbe }}
readinessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.livenessProbe }}
livenessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What writes to a home or a temporary folder finds one that is writable, unless the user names another. */}}
{{- define "dask.env" -}}
{{- $own := list -}}
{{- range .role.env -}}
{{- $own = append $own .name -}}
{{- end -}}
{{- range list "HOME" "DASK_TEMPORARY_DIRECTORY" }}
{{- if not (has . $own) }}
- name: {{ . }}
  value: /dask
{{- end }}
{{- end }}
{{- with .role.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Mounts of the writable folders, and the user's own. */}}
{{- define "dask.volumeMounts" -}}
- name: scratch
  mountPath: /tmp
  subPath: tmp
- name: scratch
  mountPath: /dask
  subPath: dask
- name: preload
  mountPath: /etc/dask-kubernetes-helm
  readOnly: true
{{- with .role.mounts.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Both spellings of the taint that keeps nodes for Dask, and the user's own tolerations. */}}
{{- define "dask.tolerations" -}}
- key: k8s.dask.org/dedicated
  operator: Equal
  value: {{ .component }}
  effect: NoSchedule
# Some clouds allow no slash in a taint's key.
- key: k8s.dask.org_dedicated
  operator: Equal
  value: {{ .component }}
  effect: NoSchedule
{{- with .role.tolerations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The user's constraints; one without a selector counts the pods of its role in this release. */}}
{{- define "dask.topologySpread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "dask.selectorLabels" . | fromYaml)) -}}
{{- $constraints := list -}}
{{- range .role.topologySpreadConstraints -}}
{{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (merge (deepCopy .) $selector)) -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end }}

{{/* Nodes kept for the role are preferred; the user's own affinity comes on top. */}}
{{- define "dask.affinity" -}}
{{- $affinity := deepCopy (.role.affinity | default dict) -}}
{{- $node := get $affinity "nodeAffinity" | default dict -}}
{{- $key := "preferredDuringSchedulingIgnoredDuringExecution" -}}
{{- $match := dict "key" "k8s.dask.org/node-purpose" "operator" "In" "values" (list .component) -}}
{{- $purpose := dict "weight" 100 "preference" (dict "matchExpressions" (list $match)) -}}
{{- $_ := set $node $key (concat (list $purpose) (get $node $key | default list)) -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- toYaml $affinity -}}
{{- end }}
