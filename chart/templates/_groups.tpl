{{/*
Worker groups: each has all that `worker` has, but for what it says itself. Its adaptive bounds and Dask resources are its
own. Adds them by name to the dict `into`, with `path` (where its values stand), `deployment` and `given` (the number of
pods that the values give it; absent where they give none). Arguments: root, into.
*/}}
{{- define "dask.collectGroups" -}}
{{- $worker := .root.Values.worker -}}
{{- $_ := set .into "default" (merge (dict "path" "worker") (omit $worker "groups")) -}}
{{- range $name, $own := $worker.groups | default dict -}}
{{- if not (kindIs "invalid" $own) -}}
{{- $group := omit $worker "groups" "adaptive" "daskResources" | deepCopy -}}
{{- $_ := set $group "adaptive" (dict "enabled" false | merge (omit $worker.adaptive "enabled" "minimum" "maximum" | deepCopy)) -}}
{{- $_ := set $group.adaptive "minimum" 0 -}}
{{- $_ := set $group.adaptive "maximum" nil -}}
{{- $_ := set $group "daskResources" dict -}}
{{- $image := $own.image | default dict -}}
{{- if or $image.tag $image.repository -}}
{{- $_ := set $group.image "digest" "" -}}
{{- end -}}
{{- include "dask.overlay" (dict "base" $group "over" $own) -}}
{{- $_ := set $group "path" (printf "worker.groups.%s" $name) -}}
{{- $_ := set $.into $name $group -}}
{{- end -}}
{{- end -}}
{{- range $name, $group := .into -}}
{{- $_ := set $group "deployment" (include "dask.workerName" (dict "root" $.root "group" $name)) -}}
{{- if $group.adaptive.enabled -}}
{{- $_ := set $group "given" (int $group.adaptive.minimum) -}}
{{- else if not (kindIs "invalid" $group.replicas) -}}
{{- $_ := set $group "given" (int $group.replicas) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Takes out of a map what is null, at any depth; in lists nothing. Argument: the map. */}}
{{- define "dask.withoutNulls" -}}
{{- $map := . -}}
{{- range $key, $value := . -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $map $key -}}
{{- else if kindIs "map" $value -}}
{{- include "dask.withoutNulls" $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Writes `over` into `base` by the rule of values: maps merge, all else replaces, 0, false and null included. */}}
{{- define "dask.overlay" -}}
{{- range $key, $value := .over -}}
{{- $old := get $.base $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- include "dask.overlay" (dict "base" $old "over" $value) -}}
{{- else -}}
{{- $_ := set $.base $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
A group's Deployment. What would be too long to tell pods by their names, which Kubernetes cuts, is cut here, with a hash.
Arguments: root, group.
*/}}
{{- define "dask.workerName" -}}
{{- $name := printf "%s-worker" (include "dask.fullname" .root) -}}
{{- if ne .group "default" -}}
{{- $name = printf "%s-%s" $name .group -}}
{{- end -}}
{{- if gt (len $name) 60 -}}
{{- printf "%s-%s" (trunc 53 $name | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end }}

{{/* Dask's abstract resources as `dask worker --resources` takes them. Argument: the map. */}}
{{- define "dask.resourceArgument" -}}
{{- $pairs := list -}}
{{- range $name, $amount := . -}}
{{- $pairs = append $pairs (printf "%s=%v" $name $amount) -}}
{{- end -}}
{{- join " " $pairs -}}
{{- end }}
