{{/*
Certificates for Dask's comms: whence they come, and what pods and clients find where.
*/}}

{{/* Whence: secret, certManager, generated; empty where comms are not encrypted. Argument: root. */}}
{{- define "dask.tlsSource" -}}
{{- $tls := .Values.tls -}}
{{- if $tls.enabled -}}
{{- if $tls.secretName -}}
secret
{{- else if $tls.certManager.enabled -}}
certManager
{{- else if .Values.scheduler.enabled -}}
generated
{{- end -}}
{{- end -}}
{{- end }}

{{/* The Secret that pods mount. Argument: root. */}}
{{- define "dask.tlsSecret" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "dask.fullname" .)) -}}
{{- end }}

{{/* The keys in it. One that is made has a certificate for all. Argument: root. */}}
{{- define "dask.tlsKeys" -}}
{{- if .Values.tls.secretName -}}
{{- toYaml .Values.tls.keys -}}
{{- else -}}
ca: ca.crt
schedulerCert: tls.crt
schedulerKey: tls.key
workerCert: tls.crt
workerKey: tls.key
{{- end -}}
{{- end }}

{{/* What clients need to know, by which Python finds it: a Secret, and which of its keys. Argument: root. */}}
{{- define "dask.clientTls" -}}
{{- $keys := include "dask.tlsKeys" . | fromYaml -}}
{{- dict "secret" (include "dask.tlsSecret" .) "ca" $keys.ca "cert" $keys.workerCert "key" $keys.workerKey | toJson -}}
{{- end }}

{{/*
Not empty where a cluster is asked: only its own list of what it serves tells kinds. That needs no right, and holds before
the namespace is there. Argument: root.
*/}}
{{- define "dask.isOnline" -}}
{{- if or (.Capabilities.APIVersions.Has "apps/v1/Deployment") (lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt") -}}
true
{{- end -}}
{{- end }}

{{/*
What the chart has made, or makes now: `authority` and `leaf`, each with Cert and Key, and `trusted`, the bundle of
authorities. An authority is kept as long as its number is; one that is replaced stays trusted until the next generation, as
pods learn of the new one at different times. Adds them to the dict `into`. Arguments: root, into.
*/}}
{{- define "dask.makeTls" -}}
{{- $root := .root -}}
{{- $wanted := .root.Values.tls.generated -}}
{{- $name := include "dask.fullname" .root -}}
{{- $held := lookup "v1" "Secret" .root.Release.Namespace (printf "%s-tls" $name) | default dict -}}
{{- $signing := lookup "v1" "Secret" .root.Release.Namespace (printf "%s-tls-ca" $name) | default dict -}}
{{- $keeps := and $signing.data (eq (dig "metadata" "annotations" "dask.org/tls-authority" "" $signing) (toString $wanted.authority)) -}}
{{- $same := and $keeps $held.data (eq (dig "metadata" "annotations" "dask.org/tls-generation" "" $held) (toString $wanted.generation)) -}}
{{- $days := int $wanted.validityDays -}}
{{- /* A subject of its own for each, or a certificate would be taken for its own issuer. */ -}}
{{- $authority := dict -}}
{{- if $keeps -}}
{{- $authority = buildCustomCert (index $signing.data "tls.crt") (index $signing.data "tls.key") -}}
{{- else -}}
{{- $authority = genCAWithKey (printf "%s-ca-%s" $name (randAlphaNum 6 | lower)) $days (genPrivateKey "ecdsa") -}}
{{- end -}}
{{- $_ := set .into "authority" (dict "Cert" $authority.Cert "Key" $authority.Key) -}}
{{- if $same -}}
{{- $_ := set .into "leaf" (dict "Cert" (index $held.data "tls.crt" | b64dec) "Key" (index $held.data "tls.key" | b64dec)) -}}
{{- $_ := set .into "trusted" (index $held.data "ca.crt" | b64dec) -}}
{{- else -}}
{{- $hosts := list (printf "%s-scheduler" $name) (printf "%s-scheduler.%s.svc" $name .root.Release.Namespace) "localhost" -}}
{{- $leaf := genSignedCertWithKey (printf "%s-tls" $name) list $hosts $days $authority (genPrivateKey "ecdsa") -}}
{{- $_ := set .into "leaf" (dict "Cert" $leaf.Cert "Key" $leaf.Key) -}}
{{- $before := ternary "" (dig "data" "tls.crt" "" $signing | b64dec) (not (empty $keeps)) -}}
{{- $_ := set .into "trusted" (printf "%s%s" $authority.Cert $before) -}}
{{- end -}}
{{- end }}

{{/*
Dask's configuration for encrypted comms, by which nobody without a certificate gets a connection. A worker is a client
as well, in tasks that use the cluster.
*/}}
{{- define "dask.tlsVariables" -}}
{{- $keys := include "dask.tlsKeys" .root | fromYaml -}}
{{- $folder := "/etc/dask-tls" -}}
{{- $prefix := include "dask.tlsRole" . -}}
{{- $roles := ternary (list "SCHEDULER") (list "WORKER" "CLIENT") (eq $prefix "scheduler") -}}
DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME: tls
DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION: "true"
DASK_DISTRIBUTED__COMM__TLS__CA_FILE: {{ $folder }}/{{ $keys.ca }}
{{- range $roles }}
DASK_DISTRIBUTED__COMM__TLS__{{ . }}__CERT: {{ $folder }}/{{ get $keys (printf "%sCert" $prefix) }}
DASK_DISTRIBUTED__COMM__TLS__{{ . }}__KEY: {{ $folder }}/{{ get $keys (printf "%sKey" $prefix) }}
{{- end }}
{{- end }}

{{/* Whose certificate a pod has: the reaper, which is there where there is no scheduler, has the workers'. */}}
{{- define "dask.tlsRole" -}}
{{- and (eq .component "scheduler") .root.Values.scheduler.enabled | ternary "scheduler" "worker" -}}
{{- end }}

{{/* The files of the Secret that a role needs, and no others: code of users runs there. */}}
{{- define "dask.tlsFiles" -}}
{{- $keys := include "dask.tlsKeys" .root | fromYaml -}}
{{- $role := include "dask.tlsRole" . -}}
{{- toYaml (list $keys.ca (get $keys (printf "%sCert" $role)) (get $keys (printf "%sKey" $role)) | uniq) -}}
{{- end }}

{{/* Refusals; checks.yaml calls it. Argument: root. */}}
{{- define "dask.checkTls" -}}
{{- $tls := .Values.tls -}}
{{- $source := include "dask.tlsSource" . -}}
{{- if and $tls.secretName $tls.certManager.enabled -}}
{{- fail "tls.secretName and tls.certManager.enabled are both set, but certificates come from one of them. Leave one out." -}}
{{- end -}}
{{- if and (eq $source "generated") (not $tls.generated.offline) (not (include "dask.isOnline" .)) -}}
{{- fail "tls: the chart makes certificates once and keeps them, but without a cluster it can't see those it has made, and each rendering would have others. Set tls.certManager.enabled to true, name a Secret of yours in tls.secretName, or set tls.enabled to false; for a rendering that is only looked at, tls.generated.offline to true." -}}
{{- end -}}
{{- if and (eq $source "certManager") (include "dask.isOnline" .) (not (.Capabilities.APIVersions.Has "cert-manager.io/v1")) -}}
{{- fail "tls.certManager.enabled is true, but this cluster has no cert-manager (cert-manager.io/v1). Install it, or set tls.certManager.enabled to false." -}}
{{- end -}}
{{- if and (eq $source "certManager") $tls.certManager.issuerRef (not $tls.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef has no name, by which cert-manager finds the issuer. Give it, or leave tls.certManager.issuerRef empty: the chart makes an issuer of its own." -}}
{{- end -}}
{{- $groups := dict -}}
{{- include "dask.collectGroups" (dict "root" . "into" $groups) -}}
{{- range $groups -}}
{{- $url := toString (.custom_scheduler_url | default "") -}}
{{- if and $source (hasPrefix "tcp://" $url) -}}
{{- fail (printf "%s.custom_scheduler_url is %s, but tls.enabled is true, with which Dask refuses a connection that is not encrypted. Write tls://, or set tls.enabled to false." .path $url) -}}
{{- end -}}
{{- if and (not $source) (hasPrefix "tls://" $url) -}}
{{- fail (printf "%s.custom_scheduler_url is %s, but the release has no certificates for it. Name a Secret that has them in tls.secretName." .path $url) -}}
{{- end -}}
{{- end -}}
{{- end }}
