{{/*
Refusals of what the parts of a pod can't be to each other; _checks.tpl calls dask.checkPod. A container comes as `it` with
`path` (where it stands in the values), `at` (where keys of it stand that are elsewhere), `component` and `role`.
*/}}

{{/* Arguments: component, path, role. */}}
{{- define "dask.checkPod" -}}
{{- $scope := . -}}
{{- include "dask.checkVolumes" . -}}
{{- include "dask.checkSpread" . -}}
{{- include "dask.checkPullSecrets" . -}}
{{- include "dask.checkRollout" . -}}
{{- $own := pick .role "env" "resources" "startupProbe" "readinessProbe" "livenessProbe" -}}
{{- $_ := set $own "securityContext" (.role.containerSecurityContext | default dict) -}}
{{- $_ := set $own "volumeMounts" .role.mounts.volumeMounts -}}
{{- $_ := set $own "ports" .role.ports -}}
{{- $at := dict "volumeMounts" (printf "%s.mounts.volumeMounts" .path) "securityContext" (printf "%s.containerSecurityContext" .path) -}}
{{- $names := list .component -}}
{{- $hosts := dict -}}
{{- include "dask.checkContainer" (merge (dict "it" $own "own" true "at" $at "hosts" $hosts) $scope) -}}
{{- range $key := list "initContainers" "extraContainers" -}}
{{- range $index, $it := get $scope.role $key -}}
{{- $path := printf "%s.%s[%d]" $scope.path $key $index -}}
{{- if has $it.name $names -}}
{{- fail (printf "%s.name is %s, which another container of the pod is called. Choose another name." $path $it.name) -}}
{{- end -}}
{{- $names = append $names $it.name -}}
{{- include "dask.checkContainer" (dict "it" $it "own" false "path" $path "at" dict "hosts" $hosts "component" $scope.component "role" $scope.role) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Where a key of a container stands. Arguments: a container's, key. */}}
{{- define "dask.keyOf" -}}
{{- get .at .key | default (printf "%s.%s" .path .key) -}}
{{- end }}

{{- define "dask.checkContainer" -}}
{{- include "dask.checkTwins" . -}}
{{- include "dask.checkPorts" . -}}
{{- include "dask.checkMounts" . -}}
{{- include "dask.checkDevices" . -}}
{{- include "dask.checkAmounts" . -}}
{{- include "dask.checkClaims" . -}}
{{- include "dask.checkPrivileges" . -}}
{{- range $probe := list "startupProbe" "readinessProbe" "livenessProbe" -}}
{{- if or (get $.it $probe) (and (not $.own) (kindIs "map" (get $.it $probe))) -}}
{{- include "dask.checkProbe" (merge (dict "probe" $probe) $) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Lists that Kubernetes keeps by a key. */}}
{{- define "dask.checkTwins" -}}
{{- range $key, $by := dict "env" "name" "resizePolicy" "resourceName" "volumeDevices" "devicePath" -}}
{{- $seen := list -}}
{{- range get $.it $key | default list -}}
{{- $name := get . $by -}}
{{- if has $name $seen -}}
{{- fail (printf "%s has %s twice. Leave one of them out." (include "dask.keyOf" (merge (dict "key" $key) $)) $name) -}}
{{- end -}}
{{- $seen = append $seen $name -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The chart's own ports of a role's container, by name. Arguments: component, role. */}}
{{- define "dask.ownPorts" -}}
{{- if eq .component "scheduler" -}}
{{- dict "tcp-comm" 8786 "http-dashboard" 8787 | toYaml -}}
{{- else if eq .component "jupyter" -}}
{{- dict "http-jupyter" 8888 | toYaml -}}
{{- else -}}
{{- dict "http-dashboard" (int .role.portDashboard) "readiness" 8791 | toYaml -}}
{{- end -}}
{{- end }}

{{- define "dask.checkPorts" -}}
{{- $at := include "dask.keyOf" (merge (dict "key" "ports") .) -}}
{{- $names := dict -}}
{{- $numbers := dict -}}
{{- if .own -}}
{{- range $name, $port := include "dask.ownPorts" . | fromYaml -}}
{{- $_ := set $names $name "the chart's own" -}}
{{- $_ := set $numbers (printf "%v/TCP" $port) "the chart's own" -}}
{{- end -}}
{{- end -}}
{{- range $index, $port := .it.ports -}}
{{- $here := printf "%s[%d]" $at $index -}}
{{- $number := printf "%v/%s" $port.containerPort ($port.protocol | default "TCP") -}}
{{- if get $numbers $number -}}
{{- fail (printf "%s.containerPort is %s, which is %s already. Choose another port, or leave it out." $here $number (get $numbers $number)) -}}
{{- end -}}
{{- if get $names ($port.name | default "") -}}
{{- fail (printf "%s.name is %s, which is %s already. Choose another name." $here $port.name (get $names $port.name)) -}}
{{- end -}}
{{- $_ := set $numbers $number $here -}}
{{- if $port.name -}}
{{- $_ := set $names $port.name $here -}}
{{- end -}}
{{- if $port.hostPort -}}
{{- $host := printf "%v/%s" $port.hostPort ($port.protocol | default "TCP") -}}
{{- if get $.hosts $host -}}
{{- fail (printf "%s.hostPort is %s, which %s has already. Choose another port." $here $host (get $.hosts $host)) -}}
{{- end -}}
{{- $_ := set $.hosts $host $here -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The chart's own volumes of a role's pods. Argument: component. */}}
{{- define "dask.ownVolumes" -}}
{{- $own := list "dask-scratch" "dask-files" "dask-tls" "dask-agent" "dask-packages" -}}
{{- toYaml (eq .component "jupyter" | ternary (concat $own (list "dask-home" "dask-jupyter" "dask-account")) $own) -}}
{{- end }}

{{/* The volumes of a role's pods by name: a mount is of one of them. Arguments: path, role. */}}
{{- define "dask.checkVolumes" -}}
{{- $at := printf "%s.mounts.volumes" .path -}}
{{- $seen := list -}}
{{- range $index, $volume := .role.mounts.volumes -}}
{{- if has $volume.name (include "dask.ownVolumes" $ | fromYamlArray) -}}
{{- fail (printf "%s[%d].name is %s, which is the chart's own. Choose another name." $at $index $volume.name) -}}
{{- end -}}
{{- if has $volume.name $seen -}}
{{- fail (printf "%s has %s twice. Choose another name for one of them." $at $volume.name) -}}
{{- end -}}
{{- $seen = append $seen $volume.name -}}
{{- end -}}
{{- end }}

{{- define "dask.checkMounts" -}}
{{- $at := include "dask.keyOf" (merge (dict "key" "volumeMounts") .) -}}
{{- $known := include "dask.ownVolumes" . | fromYamlArray -}}
{{- range .role.mounts.volumes -}}
{{- $known = append $known .name -}}
{{- end -}}
{{- $seen := list -}}
{{- range $index, $mount := .it.volumeMounts -}}
{{- $here := printf "%s[%d]" $at $index -}}
{{- if not (has $mount.name $known) -}}
{{- fail (printf "%s.name is %s, but there is no such volume. Add it to mounts.volumes, or correct the name." $here $mount.name) -}}
{{- end -}}
{{- if and $.own (regexMatch "^(/etc/dask-(kubernetes-helm(-agent)?|tls)|/opt/dask-packages)/?$" $mount.mountPath) -}}
{{- fail (printf "%s.mountPath is %s, where the chart's own files are. Choose another path." $here $mount.mountPath) -}}
{{- end -}}
{{- if has $mount.mountPath $seen -}}
{{- fail (printf "%s.mountPath is %s, which another mount has. Choose another path." $here $mount.mountPath) -}}
{{- end -}}
{{- if and (eq ($mount.mountPropagation | default "") "Bidirectional") (not ($.it.securityContext | default dict).privileged) -}}
{{- fail (printf "%s.mountPropagation is Bidirectional, for which a container must be privileged. Use HostToContainer." $here) -}}
{{- end -}}
{{- $seen = append $seen $mount.mountPath -}}
{{- end -}}
{{- end }}

{{/* Volumes that a container has as a device. */}}
{{- define "dask.checkDevices" -}}
{{- $taken := list -}}
{{- range .it.volumeMounts -}}
{{- $taken = concat $taken (list .name .mountPath) -}}
{{- end -}}
{{- $blocks := list -}}
{{- range .role.mounts.volumes -}}
{{- if or .persistentVolumeClaim .ephemeral -}}
{{- $blocks = append $blocks .name -}}
{{- end -}}
{{- end -}}
{{- range $index, $device := .it.volumeDevices -}}
{{- $here := printf "%s.volumeDevices[%d]" $.path $index -}}
{{- if not (has $device.name $blocks) -}}
{{- fail (printf "%s.name is %s, but no persistentVolumeClaim or ephemeral volume is called so. Add it to mounts.volumes, or correct the name." $here $device.name) -}}
{{- end -}}
{{- if or (has $device.name $taken) (has $device.devicePath $taken) -}}
{{- fail (printf "%s is mounted as well, by its name or its path. Leave one of them out." $here) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Arguments: path, role. */}}
{{- define "dask.checkSpread" -}}
{{- $at := printf "%s.topologySpreadConstraints" .path -}}
{{- $own := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/part-of" "dask.org/worker-group" -}}
{{- $seen := list -}}
{{- range $index, $one := .role.topologySpreadConstraints -}}
{{- $which := printf "%s, %s" $one.topologyKey $one.whenUnsatisfiable -}}
{{- if has $which $seen -}}
{{- fail (printf "%s has two of %s. Leave one of them out." $at $which) -}}
{{- end -}}
{{- $seen = append $seen $which -}}
{{- $counted := hasKey $one "labelSelector" | ternary (include "dask.selected" $one.labelSelector | fromYamlArray) $own -}}
{{- range $one.matchLabelKeys -}}
{{- if has . $counted -}}
{{- fail (printf "%s[%d].matchLabelKeys has %s, which its labelSelector has already. Leave it out." $at $index .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Keys that a label selector speaks of. Argument: the selector. */}}
{{- define "dask.selected" -}}
{{- $found := keys (.matchLabels | default dict) -}}
{{- range .matchExpressions -}}
{{- $found = append $found .key -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{/* Arguments: path, role. */}}
{{- define "dask.checkPullSecrets" -}}
{{- $names := list -}}
{{- range (.role.image | default dict).pullSecrets -}}
{{- if has .name $names -}}
{{- fail (printf "%s has %s twice. Leave one of them out." (printf "%s.image.pullSecrets" $.path | trimPrefix ".") .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end }}

{{/* Arguments: path, role. */}}
{{- define "dask.checkRollout" -}}
{{- $rolling := dig "rollingUpdate" dict (.role.strategy | default dict) | default dict -}}
{{- if and (ne "Recreate" (dig "type" "" (.role.strategy | default dict) | default "")) (hasKey $rolling "maxSurge") (hasKey $rolling "maxUnavailable") -}}
{{- if and (has (toString $rolling.maxSurge) (list "0" "0%")) (has (toString $rolling.maxUnavailable) (list "0" "0%")) -}}
{{- fail (printf "%s.strategy.rollingUpdate lets neither more pods come nor any go (maxSurge and maxUnavailable are 0), so nothing could ever change. Raise one of them." .path) -}}
{{- end -}}
{{- end -}}
{{- end }}
