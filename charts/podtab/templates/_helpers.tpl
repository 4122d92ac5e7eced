{{/* The release's name, and the chart's where the release does not say it already. */}}
{{- define "podtab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "podtab.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of the pod that `helm test` starts.  Never the agents' own: the DaemonSet would take it for one of its pods. */}}
{{- define "podtab.testLabels" -}}
app.kubernetes.io/name: {{ printf "%s-test" (default .Chart.Name .Values.nameOverride | trunc 58 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "podtab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "podtab.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/*
AppArmor is stated, not left to the node.  Confined by the runtime's default profile the agent could look only into processes of that
same profile (AppArmor mediates ptrace reads of /proc/PID/root by the peer's profile): calls of privileged pods and of pods with profiles
of their own would be missing, silently.  BPF itself is not AppArmor's business.  Privileged containers are never confined, and saying
so is more honest than naming a profile that is not in force.
*/}}
{{- define "podtab.appArmor" -}}
{{- if eq .Values.security.profile "privileged" }}Unconfined{{ else }}{{ .Values.security.appArmorProfile }}{{ end -}}
{{- end -}}

{{/* "yes" where pods have the field; before 1.30 an annotation says the same. */}}
{{- define "podtab.appArmorField" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}yes{{ end -}}
{{- end -}}

{{- define "podtab.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "podtab.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "podtab.image" -}}
{{- $name := .Values.image.repository -}}
{{- with (.Values.global).imageRegistry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Cluster-wide names carry the namespace: two releases may not share a ClusterRole. */}}
{{- define "podtab.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "podtab.fullname" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* "yes" or nothing: whether a PodMonitor is made.  One way to be scraped: two would count every dollar twice. */}}
{{- define "podtab.podMonitor" -}}
{{- $known := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor" -}}
{{- if or (eq .Values.podMonitor.mode "always") (and (eq .Values.podMonitor.mode "auto") $known (ne .Values.serviceMonitor.mode "always")) -}}
yes
{{- end -}}
{{- end -}}

{{/* "yes" or nothing. */}}
{{- define "podtab.serviceMonitor" -}}
{{- $known := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" -}}
{{- if eq .Values.serviceMonitor.mode "always" -}}
{{- if not .Values.service.enabled }}{{ fail "serviceMonitor.mode is always, so service.enabled must be true: a ServiceMonitor finds pods through a service" }}{{ end -}}
yes
{{- else if and (eq .Values.serviceMonitor.mode "auto") $known .Values.service.enabled (not (include "podtab.podMonitor" .)) -}}
yes
{{- end -}}
{{- end -}}

{{/* "yes" or nothing. */}}
{{- define "podtab.scrapeAnnotations" -}}
{{- $monitored := or (include "podtab.podMonitor" .) (include "podtab.serviceMonitor" .) -}}
{{- if or (eq .Values.scrapeAnnotations.mode "always") (and (eq .Values.scrapeAnnotations.mode "auto") (not $monitored)) -}}
yes
{{- end -}}
{{- end -}}

{{/* "yes" or nothing. */}}
{{- define "podtab.prometheusRule" -}}
{{- if or (eq .Values.prometheusRule.mode "always") (and (eq .Values.prometheusRule.mode "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule")) -}}
yes
{{- end -}}
{{- end -}}

{{/*
One endpoint of a monitor; call with (dict "root" $ "monitor" .Values.podMonitor).  The rules ask for job="podtab", whatever the release is
called, and say which node an agent is on.
*/}}
{{- define "podtab.endpoint" -}}
- port: metrics
  path: /metrics
  interval: {{ .monitor.interval }}
  scrapeTimeout: {{ .monitor.scrapeTimeout }}
  # The figures carry the calling pod's `namespace` and `pod`; the agent's own must not take their place.
  honorLabels: true
  relabelings:
    - action: replace
      targetLabel: job
      replacement: podtab
    - action: replace
      sourceLabels: [__meta_kubernetes_pod_node_name]
      targetLabel: node
    {{- with .root.Values.config.cluster }}
    - action: replace
      targetLabel: cluster
      replacement: {{ . | quote }}
    {{- end }}
    {{- with .monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
The groups of rules/podtab.yaml with this release's thresholds.  The file is what a plain Prometheus loads, so it is no template: a number
before "# NAME" in an alert's expression is the value NAME of that alert.
*/}}
{{- define "podtab.rules" -}}
{{- $groups := list -}}
{{- range $group := (.Files.Get "rules/podtab.yaml" | fromYaml).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if $rule.alert -}}
{{- $set := index $.Values.prometheusRule.alerts $rule.alert -}}
{{- if $set.enabled -}}
{{- $expr := $rule.expr -}}
{{- range $name, $value := omit $set "enabled" "for" "severity" -}}
{{- $expr = regexReplaceAll (printf "[0-9.]+ # %s\\b" $name) $expr (printf "%v # %s" $value $name) -}}
{{- end -}}
{{- $labels := merge (dict "severity" $set.severity) $.Values.prometheusRule.alertLabels (default (dict) $rule.labels) -}}
{{- $rules = append $rules (merge (dict "expr" $expr "for" (index $set "for") "labels" $labels) $rule) -}}
{{- end -}}
{{- else -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- with $rules }}{{ $groups = append $groups (merge (dict "rules" .) $group) }}{{ end -}}
{{- end -}}
{{- toYaml (dict "groups" $groups) -}}
{{- end -}}

{{/* Where figures are exported to, or nothing. */}}
{{- define "podtab.otlpEndpoint" -}}
{{- (.Values.config.otlp).endpoint | default "" -}}
{{- end -}}

{{/* The agent's configuration file.  The port has one place, .Values.port, because probes and services need it too. */}}
{{- define "podtab.config" -}}
{{- toYaml (merge (dict "listen" (printf ":%d" (int .Values.port))) .Values.config) -}}
{{- end -}}
