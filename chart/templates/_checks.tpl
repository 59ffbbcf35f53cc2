{{/*
Refusals; checks.yaml calls them. Arguments of those that both roles share: component, path (of the values), role.
*/}}

{{- define "dask.checkRole" -}}
{{- include "dask.checkEnv" . }}
{{- include "dask.checkPackages" . }}
{{- include "dask.checkLabels" . }}
{{- include "dask.checkPod" . }}
{{- include "dask.checkOverlay" . }}
{{- end }}

{{/*
What Helm can't write as YAML it leaves out without a word, and all that is beside it as well. Arguments: path, value.
*/}}
{{- define "dask.checkText" -}}
{{- $path := .path -}}
{{- if not (toYaml .value) -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- include "dask.checkText" (dict "path" (printf "%s.%s" $path $key | trimPrefix ".") "value" $value) -}}
{{- end -}}
{{- end -}}
{{- fail (printf "%s has a character that no YAML can hold as it is (U+007F to U+009F, U+FFFE or U+FFFF), so Helm would leave it out. Take that out; base64 can carry any." $path) -}}
{{- end -}}
{{- end }}

{{/* What is merged last must not take away what the chart stands on. */}}
{{- define "dask.checkOverlay" -}}
{{- range $key, $better := dict "containers" "container and extraContainers" "initContainers" "initContainers" "volumes" "mounts.volumes" -}}
{{- if hasKey (($.role.podTemplate | default dict).spec | default dict) $key -}}
{{- fail (printf "%s.podTemplate.spec has %s, which would take the place of the chart's own. Use %s.%s." $.path $key $.path $better) -}}
{{- end -}}
{{- end -}}
{{- range $key, $better := dict "env" "env" "ports" "ports" "volumeMounts" "mounts.volumeMounts" "name" "nameOverride" -}}
{{- if hasKey ($.role.container | default dict) $key -}}
{{- fail (printf "%s.container has %s, which would take the place of the chart's own. Use %s." $.path $key (eq $key "name" | ternary $better (printf "%s.%s" $.path $better))) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What leads to the scheduler is the chart's own. Argument: root. */}}
{{- define "dask.checkService" -}}
{{- $template := .Values.scheduler.serviceTemplate | default dict -}}
{{- range $key := list "selector" "ports" "type" -}}
{{- if hasKey ($template.spec | default dict) $key -}}
{{- fail (printf "scheduler.serviceTemplate.spec has %s, which is the chart's own. Leave it out; scheduler.serviceType, scheduler.servicePort and webUI.servicePort change the Service." $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "name" "namespace" -}}
{{- if hasKey ($template.metadata | default dict) $key -}}
{{- fail (printf "scheduler.serviceTemplate.metadata has %s, which is the chart's own. Leave it out; fullnameOverride changes names." $key) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Without a scheduler of its own a release needs one elsewhere. Argument: root. */}}
{{- define "dask.checkScheduler" -}}
{{- if not .Values.scheduler.enabled -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- range list "idleTimeout" "ttl" -}}
{{- if not (kindIs "invalid" (get $.Values.lifecycle .)) -}}
{{- fail (printf "lifecycle.%s is set, but scheduler.enabled is false, and nothing in the release would see to it. Leave it out; lifecycle.noClientTimeout removes the release once its scheduler has gone." .) -}}
{{- end -}}
{{- end -}}
{{- range $groups -}}
{{- if not .custom_scheduler_url -}}
{{- fail (printf "scheduler.enabled is false, and %s.custom_scheduler_url is empty, so these workers would have no scheduler. Set one of them." .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A name occurs once: server-side apply refuses lists with twins. The worker's arguments stand on the chart's own names. */}}
{{- define "dask.checkEnv" -}}
{{- $path := .path -}}
{{- $taken := eq .component "worker" | ternary (list "DASKHELM_POD_NAME" "DASKHELM_CPU_LIMIT" "DASKHELM_MEMORY_LIMIT" "DASKHELM_READINESS_PORT" "DASKHELM_WORKER_GROUP" "DASKHELM_DRAIN_TIMEOUT" "DASKHELM_DASHBOARD") (list "DASKHELM_DASHBOARD" "DASKHELM_RELAY_PORT") -}}
{{- $seen := list -}}
{{- range .role.env -}}
{{- if has .name $seen -}}
{{- fail (printf "%s.env has %s twice. Leave one of them out." $path .name) -}}
{{- end -}}
{{- if and (eq .name "DASK_SCHEDULER_ADDRESS") (hasPrefix "worker" $path) -}}
{{- fail (printf "%s.env sets DASK_SCHEDULER_ADDRESS, which the chart sets itself. Leave it out; %s.custom_scheduler_url leads to another scheduler." $path $path) -}}
{{- end -}}
{{- if has .name $taken -}}
{{- fail (printf "%s.env sets %s, which the chart sets itself. Leave it out; worker.threads_per_worker, worker.memory_limit and worker.extraArgs change what a worker is told." $path .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- end }}

{{/* Selectors stand on the chart's labels. */}}
{{- define "dask.checkLabels" -}}
{{- $path := .path -}}
{{- $overlay := ($.role.podTemplate | default dict).metadata | default dict -}}
{{- range $key, $labels := dict "labels" $.role.labels "podLabels" $.role.podLabels "podTemplate.metadata.labels" $overlay.labels -}}
{{- range $label, $_ := $labels -}}
{{- if or (regexMatch "^app\\.kubernetes\\.io/(name|instance|component|part-of|managed-by|version)$" $label) (has $label (list "helm.sh/chart" "dask.org/worker-group")) -}}
{{- fail (printf "%s.%s has %s, which the chart sets itself. Choose another label; nameOverride changes app.kubernetes.io/name." $path $key $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Arguments: root, group (of dask.collectGroups). */}}
{{- define "dask.checkGroup" -}}
{{- $path := .group.path -}}
{{- $adaptive := .group.adaptive -}}
{{- if eq (int .group.portDashboard) (int (include "dask.readinessPort" .root)) -}}
{{- fail (printf "%s.portDashboard is %v, where workers tell that they are ready. Choose another port." $path .group.portDashboard) -}}
{{- end -}}
{{- if and (not (kindIs "invalid" $adaptive.maximum)) (gt (int $adaptive.minimum) (int $adaptive.maximum)) -}}
{{- fail (printf "%s.adaptive.minimum is %v, which is above its maximum of %v. Change one of them." $path $adaptive.minimum $adaptive.maximum) -}}
{{- end -}}
{{- if $adaptive.enabled -}}
{{- if not .root.Values.agent.enabled -}}
{{- fail (printf "%s.adaptive.enabled is true, but agent.enabled is false, and the agent is what scales. Set agent.enabled to true." $path) -}}
{{- end -}}
{{- if kindIs "invalid" $adaptive.maximum -}}
{{- fail (printf "%s.adaptive.enabled is true without a limit. Set %s.adaptive.maximum to the most pods that there may be." $path $path) -}}
{{- end -}}
{{- if .group.custom_scheduler_url -}}
{{- fail (printf "%s.adaptive.enabled is true, but %s.custom_scheduler_url leads the workers to another scheduler than this release's, whose work the agent goes by. Leave one of them out." $path $path) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Argument: root. */}}
{{- define "dask.checkLifecycle" -}}
{{- $lifecycle := .Values.lifecycle -}}
{{- $wanted := list -}}
{{- range list "idleTimeout" "noClientTimeout" "ttl" -}}
{{- if not (kindIs "invalid" (get $lifecycle .)) -}}
{{- $wanted = append $wanted . -}}
{{- end -}}
{{- end -}}
{{- if and $wanted (not .Values.agent.enabled) -}}
{{- fail (printf "lifecycle.%s is set, but agent.enabled is false, and the agent is what acts on it. Set agent.enabled to true." (first $wanted)) -}}
{{- end -}}
{{- if ne (empty $lifecycle.owner.name) (empty $lifecycle.owner.uid) -}}
{{- fail "lifecycle.owner.name and lifecycle.owner.uid belong together: Kubernetes knows an owner by both. kubectl get configmap NAME -o jsonpath={.metadata.uid} tells the uid." -}}
{{- end -}}
{{- if empty $lifecycle.owner.uid -}}
{{- if or (has "noClientTimeout" $wanted) (has "ttl" $wanted) -}}
{{- fail (printf "lifecycle.%s removes the release through its owner, but it has none. Create a ConfigMap and name it in lifecycle.owner (name and uid); or use lifecycle.idleTimeout, which scales to zero without one." (without $wanted "idleTimeout" | first)) -}}
{{- end -}}
{{- if and (has "idleTimeout" $wanted) (eq $lifecycle.idleAction "uninstall") -}}
{{- fail "lifecycle.idleAction is uninstall, which removes the release through its owner, but it has none. Create a ConfigMap and name it in lifecycle.owner (name and uid); or set lifecycle.idleAction to scaleToZero." -}}
{{- end -}}
{{- end -}}
{{- end }}
