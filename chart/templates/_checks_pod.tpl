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

{{/* The volumes of a role's pods by name: a mount is of one of them. Arguments: path, role. */}}
{{- define "dask.checkVolumes" -}}
{{- $at := printf "%s.mounts.volumes" .path -}}
{{- $seen := list -}}
{{- range $index, $volume := .role.mounts.volumes -}}
{{- if has $volume.name (list "dask-scratch" "dask-files" "dask-tls" "dask-agent") -}}
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
{{- $known := list "dask-scratch" "dask-files" "dask-tls" "dask-agent" -}}
{{- $blocks := list -}}
{{- range .role.mounts.volumes -}}
{{- $known = append $known .name -}}
{{- if or .persistentVolumeClaim .ephemeral -}}
{{- $blocks = append $blocks .name -}}
{{- end -}}
{{- end -}}
{{- $seen := list -}}
{{- $mounted := list -}}
{{- range $index, $mount := .it.volumeMounts -}}
{{- $here := printf "%s[%d]" $at $index -}}
{{- if not (has $mount.name $known) -}}
{{- fail (printf "%s.name is %s, but there is no such volume. Add it to mounts.volumes, or correct the name." $here $mount.name) -}}
{{- end -}}
{{- if and $.own (regexMatch "^/etc/dask-(kubernetes-helm(-agent)?|tls)/?$" $mount.mountPath) -}}
{{- fail (printf "%s.mountPath is %s, where the chart's own files are. Choose another path." $here $mount.mountPath) -}}
{{- end -}}
{{- if has $mount.mountPath $seen -}}
{{- fail (printf "%s.mountPath is %s, which another mount has. Choose another path." $here $mount.mountPath) -}}
{{- end -}}
{{- if and (eq ($mount.mountPropagation | default "") "Bidirectional") (not ($.it.securityContext | default dict).privileged) -}}
{{- fail (printf "%s.mountPropagation is Bidirectional, for which a container must be privileged. Use HostToContainer." $here) -}}
{{- end -}}
{{- $seen = append $seen $mount.mountPath -}}
{{- $mounted = append $mounted $mount.name -}}
{{- end -}}
{{- range $index, $device := .it.volumeDevices -}}
{{- $here := printf "%s[%d]" (include "dask.keyOf" (merge (dict "key" "volumeDevices") $)) $index -}}
{{- if not (has $device.name $blocks) -}}
{{- fail (printf "%s.name is %s, but no persistentVolumeClaim or ephemeral volume is called so. Add it to mounts.volumes, or correct the name." $here $device.name) -}}
{{- end -}}
{{- if or (has $device.name $mounted) (has $device.devicePath $seen) -}}
{{- fail (printf "%s is mounted as well, by its name or its path. Leave one of them out." $here) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* An amount as a decimal number. Argument: a quantity. */}}
{{- define "dask.amount" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- divf (float64 (trimSuffix "m" $text)) 1000 | printf "%.9f" -}}
{{- else -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $text -}}
{{- $factor := get (dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "P" 1000000000000000 "E" 1000000000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976) (trimPrefix $number $text) -}}
{{- mulf (float64 $number) $factor | printf "%.9f" -}}
{{- end -}}
{{- end }}

{{- define "dask.checkAmounts" -}}
{{- $at := include "dask.keyOf" (merge (dict "key" "resources") .) -}}
{{- $resources := .it.resources | default dict -}}
{{- $limits := $resources.limits | default dict -}}
{{- $requests := $resources.requests | default dict -}}
{{- range $name, $amount := $requests -}}
{{- if hasKey $limits $name -}}
{{- $limit := get $limits $name -}}
{{- if gt (include "dask.amount" $amount | float64) (include "dask.amount" $limit | float64) -}}
{{- fail (printf "%s.requests.%s is %v, which is above %s.limits.%s of %v. Lower the request, or raise the limit." $at $name $amount $at $name $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $amount := merge (dict) $limits $requests -}}
{{- if or (contains "/" $name) (hasPrefix "hugepages-" $name) -}}
{{- $whole := include "dask.amount" $amount -}}
{{- if not (hasSuffix ".000000000" $whole) -}}
{{- fail (printf "%s has %v of %s, of which there are whole ones only. Give a whole number." $at $amount $name) -}}
{{- end -}}
{{- if not (hasKey $limits $name) -}}
{{- fail (printf "%s.requests has %s, which can't be lent: it needs a limit as well. Set %s.limits.%s to the same." $at $name $at $name) -}}
{{- end -}}
{{- if and (hasKey $requests $name) (ne $whole (include "dask.amount" (get $requests $name))) -}}
{{- fail (printf "%s.requests.%s and %s.limits.%s differ, but %s can't be lent. Set both to the same, or leave the request out." $at $name $at $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "dask.checkHugePages" (dict "at" $at "limits" $limits "requests" $requests) -}}
{{- end }}

{{/* Arguments: at, limits, requests. */}}
{{- define "dask.checkHugePages" -}}
{{- range $name, $amount := .limits -}}
{{- if hasPrefix "hugepages-" $name -}}
{{- $size := include "dask.amount" (trimPrefix "hugepages-" $name) | float64 | int64 -}}
{{- $bytes := include "dask.amount" $amount | float64 | int64 -}}
{{- if or (not $size) (not $bytes) (ne 0 (mod $bytes (max 1 $size) | int)) -}}
{{- fail (printf "%s.limits.%s is %v, which is no multiple of its pages. Give so many times %s." $.at $name $amount (trimPrefix "hugepages-" $name)) -}}
{{- end -}}
{{- $others := list -}}
{{- range $map := list $.limits $.requests -}}
{{- $others = concat $others (keys (pick $map "cpu" "memory")) -}}
{{- end -}}
{{- if not $others -}}
{{- fail (printf "%s has %s, which needs cpu or memory beside it. Set %s.requests.memory." $.at $name $.at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Claims of devices are of what the pod claims. */}}
{{- define "dask.checkClaims" -}}
{{- $at := include "dask.keyOf" (merge (dict "key" "resources") .) -}}
{{- $known := list -}}
{{- range dig "spec" "resourceClaims" list (.role.podTemplate | default dict) -}}
{{- $known = append $known .name -}}
{{- end -}}
{{- $seen := list -}}
{{- range (.it.resources | default dict).claims -}}
{{- if not (has .name $known) -}}
{{- fail (printf "%s.claims has %s, which the pod does not claim. Add it to podTemplate.spec.resourceClaims, or leave it out." $at .name) -}}
{{- end -}}
{{- if has .name $seen -}}
{{- fail (printf "%s.claims has %s twice. Leave one of them out." $at .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- end }}

{{- define "dask.checkPrivileges" -}}
{{- $at := include "dask.keyOf" (merge (dict "key" "securityContext") .) -}}
{{- $context := .it.securityContext | default dict -}}
{{- if and (hasKey $context "allowPrivilegeEscalation") (not (kindIs "invalid" $context.allowPrivilegeEscalation)) (not $context.allowPrivilegeEscalation) -}}
{{- if $context.privileged -}}
{{- fail (printf "%s.privileged is true, but allowPrivilegeEscalation is false. Set allowPrivilegeEscalation to true, or leave privileged out." $at) -}}
{{- end -}}
{{- if has "CAP_SYS_ADMIN" (dig "add" list ($context.capabilities | default dict) | default list) -}}
{{- fail (printf "%s.capabilities.add has CAP_SYS_ADMIN, but allowPrivilegeEscalation is false. Set that to true, or leave the capability out." $at) -}}
{{- end -}}
{{- end -}}
{{- $pod := .role.securityContext | default dict -}}
{{- $mine := not (kindIs "invalid" $context.runAsUser) -}}
{{- $user := ternary $context.runAsUser $pod.runAsUser $mine -}}
{{- $nonRoot := kindIs "invalid" $context.runAsNonRoot | ternary $pod.runAsNonRoot $context.runAsNonRoot -}}
{{- if and $nonRoot (not (kindIs "invalid" $user)) (eq (int $user) 0) -}}
{{- $where := ternary (printf "%s.securityContext" .path) $at (and .own (not $mine)) -}}
{{- fail (printf "%s.runAsUser is 0, which is root, but runAsNonRoot is true, so Kubernetes would not start it. Set %s.runAsNonRoot to false, or choose another user." $where $where) -}}
{{- end -}}
{{- end }}

{{/* Arguments: a container's, probe (its key). */}}
{{- define "dask.checkProbe" -}}
{{- $at := printf "%s.%s" .path .probe -}}
{{- $probe := get .it .probe -}}
{{- $way := dict -}}
{{- $ways := list -}}
{{- range $name := list "exec" "grpc" "httpGet" "tcpSocket" -}}
{{- with get $probe $name -}}
{{- $ways = append $ways $name -}}
{{- $way = . -}}
{{- end -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "%s has %s, but a probe asks in one way. Set the ones to null that you don't want: values are merged with the chart's own." $at (join " and " $ways)) -}}
{{- end -}}
{{- if not $ways -}}
{{- fail (printf "%s does not say how to ask. Give it exec, grpc, httpGet or tcpSocket, or set it to null." $at) -}}
{{- end -}}
{{- if and (ne .probe "readinessProbe") (gt (int ($probe.successThreshold | default 1)) 1) -}}
{{- fail (printf "%s.successThreshold is %v, but only a readinessProbe may ask for more than one success. Leave it out." $at $probe.successThreshold) -}}
{{- end -}}
{{- if and (eq .probe "readinessProbe") $probe.terminationGracePeriodSeconds -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is set, but a readinessProbe ends nothing. Leave it out." $at) -}}
{{- end -}}
{{- if and (kindIs "string" $way.port) (not (has $way.port (include "dask.portNames" . | fromYamlArray))) -}}
{{- fail (printf "%s.%s.port is %s, but no port of the container is called so. Give its number, or add it to ports." $at (first $ways) $way.port) -}}
{{- end -}}
{{- end }}

{{/* Names of a container's ports. */}}
{{- define "dask.portNames" -}}
{{- $names := list -}}
{{- if .own -}}
{{- $names = include "dask.ownPorts" . | fromYaml | keys -}}
{{- end -}}
{{- range .it.ports -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- toYaml ($names | compact) -}}
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
