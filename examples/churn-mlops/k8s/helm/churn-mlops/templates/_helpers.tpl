{{/* Name of the API's objects. Every environment has a namespace of its own, so it need not carry the release. */}}
{{- define "churn-mlops.api" -}}
churn-api
{{- end }}

{{- define "churn-mlops.retraining" -}}
churn-retrain
{{- end }}

{{/* What a Service or Deployment selects by. Never changes: selectors are immutable. */}}
{{- define "churn-mlops.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of every object. Takes a dict of root (the top scope), name and component. */}}
{{- define "churn-mlops.labels" -}}
{{ include "churn-mlops.selectorLabels" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: churn-mlops
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "churn-mlops.image" -}}
{{- $image := .Values.image -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* Restricted Pod Security Standard, for the pod … */}}
{{- define "churn-mlops.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* … and for its containers. */}}
{{- define "churn-mlops.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}
