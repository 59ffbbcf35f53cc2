{{/*
Packages that the image lacks. pip's are installed by an init container into a folder that the pods share, which a
read-only root and any user allow. conda and apt change the image's own files as root: the entrypoint of the official
images does that, and where it has to, it does pip's as well, after the others.
*/}}

{{/* The variable by which the official images are asked for a kind. Argument: pip, conda or apt. */}}
{{- define "dask.packagesVariable" -}}
EXTRA_{{ upper . }}_PACKAGES
{{- end }}

{{/*
Which kinds are asked for, as a list of where: {kind, by (the key that asks)}. Argument: role.
*/}}
{{- define "dask.packagesAsked" -}}
{{- $asked := list -}}
{{- range $kind := list "apt" "conda" "pip" -}}
{{- if get ($.extraPackages | default dict) $kind -}}
{{- $asked = append $asked (dict "kind" $kind "by" (printf "extraPackages.%s" $kind)) -}}
{{- end -}}
{{- range $.env -}}
{{- if and (eq .name (include "dask.packagesVariable" $kind)) (or .value .valueFrom) -}}
{{- $asked = append $asked (dict "kind" $kind "by" (printf "env, %s" .name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $asked -}}
{{- end }}

{{/*
Not empty where the init container is there: for pip alone, and where the arguments, by which Dask finds what was
installed, are the chart's. Arguments: role, component.
*/}}
{{- define "dask.installs" -}}
{{- $kinds := list -}}
{{- range include "dask.packagesAsked" .role | fromYamlArray -}}
{{- $kinds = append $kinds .kind -}}
{{- end -}}
{{- $overlay := .role.container | default dict -}}
{{- if and (has .component (list "scheduler" "worker")) (eq (uniq $kinds | join " ") "pip") -}}
{{- if not (or (hasKey $overlay "args") (hasKey $overlay "command")) -}}
true
{{- end -}}
{{- end -}}
{{- end }}

{{/*
The user's variables, with what the image's entrypoint is asked for, as `env` of the dict `into`: as text, line ends at the
end of the last one would be lost. Arguments: role, component, into.
*/}}
{{- define "dask.ownEnv" -}}
{{- $installs := include "dask.installs" . -}}
{{- $env := list -}}
{{- range .role.env -}}
{{- if not (and $installs (eq .name "EXTRA_PIP_PACKAGES")) -}}
{{- $env = append $env . -}}
{{- end -}}
{{- end -}}
{{- if not (or $installs (eq .component "reaper")) -}}
{{- range $kind, $packages := .role.extraPackages -}}
{{- if $packages -}}
{{- $env = append $env (dict "name" (include "dask.packagesVariable" $kind) "value" (join " " $packages)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set .into "env" $env -}}
{{- end }}

{{/*
A role's command and program with other words before Dask's own, or in its place, for the Python that has Dask: python,
where `dask` stands; as `command` and `program` of `into`. Arguments: role, words, instead (whether what follows is left
out), into.
*/}}
{{- define "dask.byPython" -}}
{{- $command := .role.command | default list -}}
{{- $given := concat $command (.role.program | default list) -}}
{{- $at := len $command -}}
{{- $python := "python" -}}
{{- range $index, $word := $given -}}
{{- if and (eq (base $word) "dask") (lt (add1 $index) (len $given)) -}}
{{- $at = $index -}}
{{- $python = printf "%spython" (trimSuffix "dask" $word) -}}
{{- end -}}
{{- end -}}
{{- $put := prepend .words $python -}}
{{- $after := .instead | ternary list (slice $given $at) -}}
{{- $all := concat (slice $given 0 $at) $put $after -}}
{{- $end := len $command -}}
{{- if lt $at $end -}}
{{- $end = .instead | ternary (len $all) (add $end (len $put)) -}}
{{- end -}}
{{- $_ := set .into "command" (slice $all 0 $end) -}}
{{- $_ := set .into "program" (slice $all $end) -}}
{{- end }}

{{/* What starts a role's container, as `command` and `program` of `into`. Arguments: role, component, into. */}}
{{- define "dask.start" -}}
{{- if include "dask.installs" . -}}
{{- include "dask.byPython" (dict "role" .role "words" (list (include "dask.packagesFile" .) "run") "instead" false "into" .into) -}}
{{- else -}}
{{- $_ := set .into "command" .role.command -}}
{{- $_ := set .into "program" .role.program -}}
{{- end -}}
{{- end }}

{{- define "dask.packagesFile" -}}
/etc/dask-kubernetes-helm/dask_kubernetes_helm_pod/packages.py
{{- end }}

{{/* Where what is installed lies; files/dask_kubernetes_helm_pod/packages.py knows it too. */}}
{{- define "dask.packagesFolder" -}}
/opt/dask-packages
{{- end }}

{{/*
The init container: Dask's own image, restrictions, variables and mounts, so that what pip is told about its index
counts. Arguments: root, role, component.
*/}}
{{- define "dask.packagesContainer" -}}
{{- $container := include "dask.packagesText" . | fromYaml -}}
{{- include "dask.overlay" (dict "base" $container "over" (pick (.role.container | default dict) "image" "imagePullPolicy" "securityContext")) -}}
{{- include "dask.withoutNulls" $container -}}
{{- list $container | toYaml -}}
{{- end }}

{{- define "dask.packagesText" -}}
{{- $words := concat (list (include "dask.packagesFile" .) "install") (dig "pip" list (.role.extraPackages | default dict)) -}}
{{- $start := dict -}}
{{- include "dask.byPython" (dict "role" .role "words" $words "instead" true "into" $start) -}}
{{- $own := dict -}}
{{- include "dask.ownEnv" (dict "role" .role "component" .component "into" $own) -}}
{{- $image := include "dask.imageValues" . | fromYaml -}}
name: dask-packages
image: {{ include "dask.image" . | quote }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- with $start.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $start.program }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
# What pip said is the end of the pod's status.
terminationMessagePolicy: FallbackToLogsOnError
{{- with .role.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "dask.homeEnv" . | trim | nindent 2 }}
  {{- range .role.env }}
  {{- if eq .name "EXTRA_PIP_PACKAGES" }}
  - {{ set (deepCopy .) "name" "DASKHELM_PIP_PACKAGES" | toYaml | nindent 4 | trim }}
  {{- end }}
  {{- end }}
  {{- with $own.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .role.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "dask.packagesResources" .role | fromYaml }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "dask.volumeMounts" (merge (dict "installing" true) .) | trim | nindent 2 }}
{{- end }}

{{/* A pod's init containers: the user's own, then pip's; nothing where there are none. */}}
{{- define "dask.initContainers" }}
{{- $installs := include "dask.installs" . }}
{{- if or .role.initContainers $installs }}
initContainers:
  {{- with .role.initContainers }}
  {{- include "dask.besides" (dict "containers" . "role" $.role) | nindent 2 }}
  {{- end }}
  {{- if $installs }}
  {{- include "dask.packagesContainer" . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "dask.packagesVolume" }}
{{- if include "dask.installs" . }}
  - name: dask-packages
    emptyDir: {}
{{- end }}
{{- end }}

{{/* Only while pip is at work can it be written to. */}}
{{- define "dask.packagesMount" }}
{{- if include "dask.installs" . }}
- name: dask-packages
  mountPath: {{ include "dask.packagesFolder" . }}
  readOnly: {{ not .installing }}
{{- end }}
{{- end }}

{{/* What writes to a home or a temporary folder finds one that is writable, unless the user names another. */}}
{{- define "dask.homeEnv" -}}
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
{{- end }}

{{/* As much as Dask's container has, but for devices. Argument: role. */}}
{{- define "dask.packagesResources" -}}
{{- $found := dict -}}
{{- range $key := list "requests" "limits" -}}
{{- with pick (dig $key dict ($.resources | default dict) | default dict) "cpu" "memory" "ephemeral-storage" -}}
{{- $_ := set $found $key . -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{/*
Containers of the user's own. Where the role is restricted they are as far as the Pod Security Standard "restricted"
goes, in what they don't say themselves: an unrestricted one would keep the whole pod out. Arguments: containers, role.
*/}}
{{- define "dask.besides" -}}
{{- $own := pick (.role.containerSecurityContext | default dict) "allowPrivilegeEscalation" "capabilities" -}}
{{- $restricted := get (.role.securityContext | default dict) "runAsNonRoot" -}}
{{- $found := list -}}
{{- range .containers -}}
{{- $container := deepCopy . -}}
{{- if and $restricted $own -}}
{{- $context := deepCopy $own -}}
{{- range $key, $value := .securityContext -}}
{{- $_ := set $context $key $value -}}
{{- end -}}
{{- $_ := set $container "securityContext" $context -}}
{{- end -}}
{{- $found = append $found $container -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{/* A role's security context of pods and of containers, with what is laid over. Argument: role. Gives {pod, container}. */}}
{{- define "dask.contexts" -}}
{{- $pod := deepCopy (.securityContext | default dict) -}}
{{- include "dask.overlay" (dict "base" $pod "over" (dig "spec" "securityContext" dict (.podTemplate | default dict) | default dict)) -}}
{{- $container := deepCopy (.containerSecurityContext | default dict) -}}
{{- include "dask.overlay" (dict "base" $container "over" (dig "securityContext" dict (.container | default dict) | default dict)) -}}
{{- dict "pod" $pod "container" $container | toYaml -}}
{{- end }}

{{/*
What the official images install at start must be allowed to: conda writes to the image's own files as root, and apt
changes users besides. One place says which packages of a kind. Arguments: path, role.
*/}}
{{- define "dask.checkPackages" -}}
{{- $path := .path -}}
{{- $contexts := include "dask.contexts" .role | fromYaml -}}
{{- $container := $contexts.container -}}
{{- $user := dig "runAsUser" (get $contexts.pod "runAsUser") $container -}}
{{- $root := and (not (dig "runAsNonRoot" (get $contexts.pod "runAsNonRoot") $container)) (not $user) -}}
{{- $seen := dict -}}
{{- range include "dask.packagesAsked" .role | fromYamlArray -}}
{{- $by := printf "%s.%s" $path .by -}}
{{- with get $seen .kind -}}
{{- fail (printf "%s and %s both name packages. Put them all into the first, and leave the other out." . $by) -}}
{{- end -}}
{{- $_ := set $seen .kind $by -}}
{{- if has .kind (list "apt" "conda") -}}
{{- if $container.readOnlyRootFilesystem -}}
{{- fail (printf "%s installs into the image's root file system, but that is read-only. Set %s.containerSecurityContext.readOnlyRootFilesystem to false, or build an image that has the packages." $by $path) -}}
{{- end -}}
{{- if not $root -}}
{{- fail (printf "%s installs as root. Set %s.securityContext.runAsNonRoot to false and runAsUser to 0, or build an image that has the packages." $by $path) -}}
{{- end -}}
{{- if and (eq .kind "apt") (has "ALL" (dig "capabilities" "drop" list $container)) -}}
{{- fail (printf "%s: apt changes users, for which it needs capabilities. Set %s.containerSecurityContext.capabilities to null, or build an image that has the packages." $by $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
