{{/*
The pod of `helm test`: a client in the release's own image, which sits where the workers sit, may do what they may and has
their certificates. As one of the release's pods it reaches the others.
*/}}

{{/* What starts it, in the place of the reaper. Argument: root. */}}
{{- define "dask.testCommand" -}}
{{- $words := include "dask.reaperCommand" . | fromYamlArray -}}
{{- toYaml (concat (initial $words) (list "dask_kubernetes_helm_pod.check")) -}}
{{- end }}

{{/*
The worker's values without what only a worker needs; what is to be installed is not needed either. Argument: root.
*/}}
{{- define "dask.testRole" -}}
{{- $role := omit .Values.worker "startupProbe" "readinessProbe" "livenessProbe" "command" "initContainers" "topologySpreadConstraints" "extraPackages" "groups" | deepCopy -}}
{{- $env := list -}}
{{- range $role.env -}}
{{- if not (regexMatch "^EXTRA_[A-Z]+_PACKAGES$" .name) -}}
{{- $env = append $env . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $role "env" $env -}}
{{- $_ := set $role "dashboard" false -}}
{{- $_ := set $role "extraArgs" list -}}
{{- $_ := set $role "image" (include "dask.testImage" . | fromYaml) -}}
{{- $_ := set $role "resources" .Values.tests.resources -}}
{{- $_ := set $role "serviceAccountName" (include "dask.serviceAccountName" (dict "root" . "role" .Values.worker "component" "worker")) -}}
{{- toYaml $role -}}
{{- end }}

{{/* Its image keys: its own over the workers'. Argument: root. */}}
{{- define "dask.testImage" -}}
{{- $image := deepCopy .Values.worker.image -}}
{{- if or .Values.tests.image.tag .Values.tests.image.repository -}}
{{- $_ := set $image "digest" "" -}}
{{- end -}}
{{- range $key, $value := .Values.tests.image -}}
{{- if $value -}}
{{- $_ := set $image $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $image -}}
{{- end }}

{{/* Metadata and spec. Arguments: root, role. */}}
{{- define "dask.testTemplate" -}}
{{- $scope := dict "root" .root "role" .role "component" "worker" -}}
metadata:
  name: {{ include "dask.fullname" .root }}-test
  {{- with include "dask.ownerReferences" .root }}{{ . | nindent 2 }}{{ end }}
  labels:
    {{- include "dask.labels" (dict "root" .root "component" "test") | nindent 4 }}
    {{- with .role.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    helm.sh/hook: test
    # It stays for its log, until the next one.
    helm.sh/hook-delete-policy: before-hook-creation
    {{- with .role.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "dask.podSpec" $scope | nindent 2 }}
  restartPolicy: Never
  containers:
    - name: test
      {{- include "dask.container" $scope | nindent 6 }}
      # Nothing that an image's entrypoint installs is needed.
      command:
        {{- include "dask.testCommand" .root | nindent 8 }}
      args:
        - {{ include "dask.schedulerAddress" .root }}
        - {{ .root.Values.tests.timeout | quote }}
      workingDir: /etc/dask-kubernetes-helm
      env:
        {{- include "dask.env" $scope | trimPrefix "\n" | nindent 8 }}
      volumeMounts:
        {{- include "dask.volumeMounts" $scope | trim | nindent 8 }}
{{- end }}
