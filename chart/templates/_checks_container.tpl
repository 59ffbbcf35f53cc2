{{/*
Refusals of what fields of one container can't be to each other; _checks_pod.tpl has its lists, and tells what comes as a
container.
*/}}

{{/* An amount as a decimal number. Argument: a quantity. */}}
{{- define "dask.amount" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $text -}}
{{- $suffix := trimPrefix $number $text -}}
{{- $parts := dict "n" 1000000000 "u" 1000000 "m" 1000 -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "P" 1000000000000000 "E" 1000000000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 -}}
{{- if hasKey $parts $suffix -}}
{{- divf (float64 $number) (get $parts $suffix) | printf "%.9f" -}}
{{- else -}}
{{- mulf (float64 $number) (get $factors $suffix) | printf "%.9f" -}}
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
{{- if and .own $nonRoot (not (kindIs "invalid" $user)) (eq (int $user) 0) -}}
{{- $where := ternary $at (printf "%s.securityContext" .path) $mine -}}
{{- fail (printf "%s.runAsUser is 0, which is root, but runAsNonRoot is true, so Kubernetes would not start it. Set %s.runAsNonRoot to false, or choose another user." $where $where) -}}
{{- end -}}
{{- end }}

{{/* Arguments: a container's, probe (its key). */}}
{{- define "dask.checkProbe" -}}
{{- $at := printf "%s.%s" .path .probe -}}
{{- $probe := get .it .probe -}}
{{- $ways := list -}}
{{- range $name := list "exec" "grpc" "httpGet" "tcpSocket" -}}
{{- if get $probe $name -}}
{{- $ways = append $ways $name -}}
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
{{- end }}
