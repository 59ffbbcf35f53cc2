{{/*
Jupyter: a notebook server beside the scheduler, from whose notebooks the release is reached and clusters are made. Unlike
the other pods it calls the Kubernetes API, so it has a Role of its own.
*/}}

{{- define "dask.jupyterName" -}}
{{ include "dask.fullname" . }}-jupyter
{{- end }}

{{/* The Secret with the token. Argument: root. */}}
{{- define "dask.jupyterSecret" -}}
{{ .Values.jupyter.token.secretName | default (include "dask.jupyterName" .) }}
{{- end }}

{{/* The token: the one that is there, else a new one. Argument: root. */}}
{{- define "dask.jupyterToken" -}}
{{- $held := lookup "v1" "Secret" .Release.Namespace (include "dask.jupyterName" .) | default dict -}}
{{- dig "data" .Values.jupyter.token.key (randAlphaNum 48 | b64enc) $held -}}
{{- end }}

{{/* A page of the server. Arguments: root, page (such as /api). */}}
{{- define "dask.jupyterPage" -}}
{{ include "dask.path" .root.Values.jupyter.baseUrl }}{{ .page }}
{{- end }}

{{/* The URL from outside; empty where it can't be told. Argument: root. */}}
{{- define "dask.jupyterUrl" -}}
{{- $jupyter := .Values.jupyter -}}
{{- include "dask.outsideUrl" (dict "ingress" $jupyter.ingress "httpRoute" $jupyter.httpRoute "prefix" (include "dask.path" $jupyter.baseUrl)) -}}
{{- end }}

{{/* What the server is told. The token is read from its file, so that no variable and no argument has it. Argument: root. */}}
{{- define "dask.jupyterConfig" -}}
from pathlib import Path

token = Path("/etc/dask-kubernetes-helm-jupyter/token").read_text().strip()
if not token:
    raise SystemExit("The Secret {{ include "dask.jupyterSecret" . }} has an empty {{ .Values.jupyter.token.key }}: anybody could enter.")

c = get_config()  # noqa: F821 - Jupyter's
c.IdentityProvider.token = token
c.ServerApp.ip = "*"
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.base_url = {{ include "dask.jupyterPage" (dict "root" . "page" "/") | toJson }}
c.ServerApp.root_dir = {{ .Values.jupyter.home | toJson }}
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
{{- with include "dask.jupyterUrl" . }}
c.ServerApp.custom_display_url = {{ printf "%s/lab" . | toJson }}
{{- end }}
{{- with .Values.jupyter.extraConfig }}
{{ . }}
{{- end }}
{{- end }}

{{/*
Dask's configuration in notebooks: which release from_name() means, and what a KubeCluster's workers are like where nothing
else is said. Argument: root.
*/}}
{{- define "dask.jupyterDask" -}}
{{- $worker := .Values.worker -}}
{{- $container := dict "name" "worker" "image" (include "dask.image" (dict "root" . "role" $worker)) -}}
{{- $image := include "dask.imageValues" (dict "root" . "role" $worker) | fromYaml -}}
{{- $_ := set $container "imagePullPolicy" $image.pullPolicy -}}
{{- with $worker.resources -}}
{{- $_ := set $container "resources" . -}}
{{- end -}}
{{- $spec := dict "containers" (list $container) -}}
{{- with $image.pullSecrets -}}
{{- $_ := set $spec "imagePullSecrets" . -}}
{{- end -}}
{{- $told := dict "release" .Release.Name "namespace" .Release.Namespace "worker-template" (dict "kind" "Pod" "spec" $spec) -}}
{{- dict "kubernetes" $told | toYaml -}}
{{- end }}

{{/* The template of its pod. Arguments: root, role, component. */}}
{{- define "dask.jupyterTemplate" -}}
metadata:
  {{- include "dask.podMetadata" . | nindent 2 }}
spec:
  {{- include "dask.podSpec" . | nindent 2 }}
    {{- include "dask.jupyterVolumes" .root | nindent 4 }}
  containers:
    - name: jupyter
      {{- include "dask.container" . | nindent 6 }}
      # No command unless there is one to be: an image's own entrypoint may install packages before it runs these.
      args:
        {{- range .role.program }}
        - {{ . | quote }}
        {{- end }}
        {{- range .role.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      workingDir: {{ .role.home | quote }}
      env:
        {{- include "dask.jupyterEnv" . | trim | nindent 8 }}
      ports:
        - name: http-jupyter
          containerPort: 8888
        {{- with .role.ports }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumeMounts:
        {{- include "dask.jupyterMounts" . | trim | nindent 8 }}
    {{- with .role.extraContainers }}
    {{- include "dask.besides" (dict "containers" . "role" $.role) | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Volumes besides those of all pods. Argument: root. */}}
{{- define "dask.jupyterVolumes" -}}
{{- $jupyter := .Values.jupyter -}}
- name: dask-home
  {{- if $jupyter.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ $jupyter.persistence.existingClaim | default (include "dask.jupyterName" .) }}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: dask-jupyter
  projected:
    sources:
      - configMap:
          name: {{ include "dask.jupyterName" . }}
      - secret:
          name: {{ include "dask.jupyterSecret" . }}
          items:
            - {key: {{ $jupyter.token.key | quote }}, path: token}
# The server's own container has the account, and no other.
- name: dask-account
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - path: namespace
              fieldRef: {fieldPath: metadata.namespace}
{{- end }}

{{/* Where the server finds them. Arguments: root, role, component. */}}
{{- define "dask.jupyterMounts" -}}
- name: dask-home
  mountPath: {{ .role.home | quote }}
- name: dask-scratch
  mountPath: /tmp
  subPath: tmp
- name: dask-jupyter
  mountPath: /etc/dask-kubernetes-helm-jupyter
  readOnly: true
# One file, as the image may have others there.
- name: dask-jupyter
  mountPath: /etc/dask/kubernetes-helm.yaml
  subPath: dask.yaml
  readOnly: true
- name: dask-account
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- with .role.mounts.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Its variables, of which the user's own come first. Arguments: root, role, component. */}}
{{- define "dask.jupyterEnv" -}}
{{- $own := list -}}
{{- range .role.env -}}
{{- $own = append $own .name -}}
{{- end -}}
{{- range $name, $value := dict "HOME" .role.home "JUPYTER_CONFIG_PATH" "/etc/dask-kubernetes-helm-jupyter" "JUPYTER_RUNTIME_DIR" "/tmp/jupyter" "DASK_TEMPORARY_DIRECTORY" "/tmp" }}
{{- if not (has $name $own) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .role.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What its account may do. Argument: root. */}}
{{- define "dask.jupyterRules" -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- if .Values.jupyter.rbac.install -}}
{{ include "dask.jupyterInstalls" . }}
{{- else -}}
# To find this release, to see what happens in it, and to scale it.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments/scale]
  resourceNames:
    {{- range $groups }}
    - {{ .deployment }}
    {{- end }}
  verbs: [get, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [list]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- if include "dask.tlsSource" . }}
# The certificates of clients.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "dask.tlsSecret" . | quote }}]
  verbs: [get]
{{- end }}
{{- end }}
# To say why something does not come up, and which workers were lost.
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
{{- end }}

{{/* The rights of docs/roles/remote.yaml: to install, use and remove releases of this chart. */}}
{{- define "dask.jupyterInstalls" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [create, get, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get, list, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, get, list, patch, update, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, get, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, get, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [create, get, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
