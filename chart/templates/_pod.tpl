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
{{- $annotations := deepCopy (.role.annotations | default dict) }}
{{- if and (eq .component "scheduler") (not .role.safeToEvict) }}
{{- range $key, $value := dict "cluster-autoscaler.kubernetes.io/safe-to-evict" "false" "karpenter.sh/do-not-disrupt" "true" }}
{{- if not (hasKey $annotations $key) }}
{{- $_ := set $annotations $key $value }}
{{- end }}
{{- end }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* spec of a pod, but for its containers. */}}
{{- define "dask.podSpec" -}}
serviceAccountName: {{ include "dask.serviceAccountName" . | quote }}
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
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .role.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $affinity := include "dask.affinity" . }}
{{- if ne $affinity "{}" }}
affinity:
  {{- $affinity | nindent 2 }}
{{- end }}
tolerations:
  {{- include "dask.tolerations" . | nindent 2 }}
{{- with .role.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- include "dask.topologySpread" $ | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .role.terminationGracePeriodSeconds }}
{{- include "dask.initContainers" . }}
volumes:
  # The root file system is read-only; Dask spills and unpacks here.
  - name: dask-scratch
    emptyDir:
      {{- with .role.scratchSizeLimit }}
      sizeLimit: {{ . | quote }}
      {{- else }} {}
      {{- end }}
  {{- include "dask.packagesVolume" . }}
  {{- if ne .component "jupyter" }}
  - name: dask-files
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
  {{- end }}
  {{- if and (ne .component "jupyter") (include "dask.tlsSource" .root) }}
  - name: dask-tls
    secret:
      secretName: {{ include "dask.tlsSecret" .root | quote }}
      items:
        {{- range include "dask.tlsFiles" . | fromYamlArray }}
        - {key: {{ . | quote }}, path: {{ . | quote }}}
        {{- end }}
  {{- end }}
  {{- with .role.mounts.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/*
A pod template with what the values add to it last. Arguments: text (the template's YAML), role, component.
*/}}
{{- define "dask.overlaid" -}}
{{- if or .role.container .role.podTemplate -}}
{{- $pod := fromYaml .text -}}
{{- $container := first $pod.spec.containers -}}
{{- include "dask.overlay" (dict "base" $container "over" .role.container) -}}
{{- include "dask.withoutNulls" $container -}}
{{- include "dask.overlay" (dict "base" $pod "over" .role.podTemplate) -}}
{{- include "dask.withoutNulls" $pod -}}
{{- toYaml $pod -}}
{{- else -}}
{{- .text -}}
{{- end -}}
{{- end }}

{{/* Fields that the main container of both roles has. */}}
{{- define "dask.container" -}}
{{- $image := include "dask.imageValues" . | fromYaml -}}
image: {{ include "dask.image" . | quote }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- $start := dict -}}
{{- include "dask.start" (dict "role" .role "component" .component "into" $start) }}
{{- with $start.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
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

{{/*
How the role's dashboard comes to be: no, by an argument of the user's own (own), or later, by the preload, which does not
know of a prefix.
*/}}
{{- define "dask.dashboard" -}}
{{- $own := false -}}
{{- range .role.extraArgs -}}
{{- if regexMatch "^--(no-)?dashboard(-prefix.*)?$" (toString .) -}}
{{- $own = true -}}
{{- end -}}
{{- end -}}
{{- if $own -}}own{{- else -}}{{ .role.dashboard | ternary "later" "no" }}{{- end -}}
{{- end }}

{{/* Variables of the main container. */}}
{{- define "dask.env" -}}
{{- $own := list -}}
{{- range .role.env -}}
{{- $own = append $own .name -}}
{{- end -}}
{{- include "dask.homeEnv" . }}
{{- if eq .component "scheduler" }}
- name: DASKHELM_RELAY_PORT
  value: {{ include "dask.relayPort" . | quote }}
{{- end }}
{{- if eq (include "dask.dashboard" .) "later" }}
- name: DASKHELM_DASHBOARD
  value: later
{{- if eq .component "scheduler" }}
{{- with include "dask.dashboardPrefix" .root }}
- name: DASKHELM_DASHBOARD_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "dask.tlsSource" .root }}
{{- range $name, $value := include "dask.tlsVariables" . | fromYaml }}
{{- if not (has $name $own) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- $all := dict }}
{{- include "dask.ownEnv" (dict "role" .role "component" .component "into" $all) }}
{{- with $all.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Mounts of the writable folders, and the user's own, which take the place of the chart's. */}}
{{- define "dask.volumeMounts" -}}
{{- $own := list -}}
{{- range .role.mounts.volumeMounts -}}
{{- $own = append $own (.mountPath | trimSuffix "/") -}}
{{- end -}}
{{- range list "tmp" "dask" }}
{{- if not (has (printf "/%s" .) $own) }}
- name: dask-scratch
  mountPath: /{{ . }}
  subPath: {{ . }}
{{- end }}
{{- end }}
- name: dask-files
  mountPath: /etc/dask-kubernetes-helm
  readOnly: true
{{- include "dask.packagesMount" . }}
{{- if include "dask.tlsSource" .root }}
- name: dask-tls
  mountPath: /etc/dask-tls
  readOnly: true
{{- end }}
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

{{/*
Nodes kept for the role are preferred or needed; the user's own affinity comes on top. Of a node's required terms one has
to fit, so what is needed besides goes into each of them.
*/}}
{{- define "dask.affinity" -}}
{{- $affinity := deepCopy (.role.affinity | default dict) -}}
{{- include "dask.withoutNulls" $affinity -}}
{{- $node := get $affinity "nodeAffinity" | default dict -}}
{{- if not (dig "requiredDuringSchedulingIgnoredDuringExecution" "nodeSelectorTerms" list $node) -}}
{{- $_ := unset $node "requiredDuringSchedulingIgnoredDuringExecution" -}}
{{- end -}}
{{- $match := dict "key" "k8s.dask.org/node-purpose" "operator" "In" "values" (list .component) -}}
{{- if eq .role.matchNodePurpose "require" -}}
{{- $key := "requiredDuringSchedulingIgnoredDuringExecution" -}}
{{- $terms := list -}}
{{- range dig $key "nodeSelectorTerms" (list dict) $node | default (list dict) -}}
{{- $terms = append $terms (set (deepCopy .) "matchExpressions" (concat (list $match) (get . "matchExpressions" | default list))) -}}
{{- end -}}
{{- $_ := set $node $key (dict "nodeSelectorTerms" $terms) -}}
{{- else if eq .role.matchNodePurpose "prefer" -}}
{{- $key := "preferredDuringSchedulingIgnoredDuringExecution" -}}
{{- $purpose := dict "weight" 100 "preference" (dict "matchExpressions" (list $match)) -}}
{{- $_ := set $node $key (concat (list $purpose) (get $node $key | default list)) -}}
{{- end -}}
{{- if $node -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- end -}}
{{- toYaml $affinity -}}
{{- end }}
