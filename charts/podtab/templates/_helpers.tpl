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

{{- define "podtab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "podtab.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "podtab.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "podtab.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "podtab.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* "yes" or nothing: whether a PodMonitor is made. */}}
{{- define "podtab.podMonitor" -}}
{{- if or (eq .Values.podMonitor.mode "always") (and (eq .Values.podMonitor.mode "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor")) -}}
yes
{{- end -}}
{{- end -}}

{{/* "yes" or nothing: two ways to be scraped at once would count every dollar twice. */}}
{{- define "podtab.scrapeAnnotations" -}}
{{- if or (eq .Values.scrapeAnnotations.mode "always") (and (eq .Values.scrapeAnnotations.mode "auto") (not (include "podtab.podMonitor" .))) -}}
yes
{{- end -}}
{{- end -}}

{{/* The agent's configuration file.  The port has one place, .Values.port, because probes and services need it too. */}}
{{- define "podtab.config" -}}
{{- toYaml (merge (dict "listen" (printf ":%d" (int .Values.port))) .Values.config) -}}
{{- end -}}
