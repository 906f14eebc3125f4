{{/* Name of the objects: the release, or its override. */}}
{{- define "bongsu.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "bongsu.selectorLabels" -}}
app.kubernetes.io/name: bongsu
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "bongsu.labels" -}}
{{ include "bongsu.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "bongsu.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "bongsu.fullname" .) -}}
{{- end -}}

{{- define "bongsu.ledgerNamespace" -}}
{{- .Values.ledger.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* Whether the ledger is kept in this cluster: "true" or nothing. */}}
{{- define "bongsu.ledgerIsHere" -}}
{{- if and (eq .Values.ledger.type "kubernetes") (not .Values.ledger.kubeconfigSecret.name) -}}true{{- end -}}
{{- end -}}

{{/* Whether the pod mounts a Secret for etcd: "true" or nothing. */}}
{{- define "bongsu.etcdSecret" -}}
{{- if and (eq .Values.ledger.type "etcd") .Values.ledger.etcd.secretName -}}true{{- end -}}
{{- end -}}

{{/* Whether the pod mounts anything: "true" or nothing. */}}
{{- define "bongsu.mounts" -}}
{{- if or .Values.ledger.kubeconfigSecret.name (include "bongsu.etcdSecret" .) .Values.reports.claim .Values.reports.keySecret.name -}}true{{- end -}}
{{- end -}}

{{/* What the schema cannot say in words that help. */}}
{{- define "bongsu.validate" -}}
{{- $_ := required "region is required: the name of this data center's Region, for example --set region=daejeon" .Values.region -}}
{{- if eq .Values.ledger.type "memory" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "ledger.type memory is kept in one process, and %d replicas would each have their own: set replicas to 1, or ledger.type to kubernetes" (int .Values.replicas)) -}}
{{- end -}}
{{- if .Values.ledger.kubeconfigSecret.name -}}
{{- fail "ledger.type memory uses no cluster: remove ledger.kubeconfigSecret.name, or set ledger.type to kubernetes" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.ledger.type "etcd") (not .Values.ledger.etcd.endpoints) -}}
{{- fail "ledger.type etcd needs ledger.etcd.endpoints: the URL of each member, such as https://etcd.daejeon.example:2379" -}}
{{- end -}}
{{- if and .Values.ledger.etcd.endpoints (ne .Values.ledger.type "etcd") -}}
{{- fail (printf "ledger.etcd.endpoints is for ledger.type etcd, and the type is %s: remove it, or set ledger.type to etcd" .Values.ledger.type) -}}
{{- end -}}
{{- if and (eq .Values.ledger.type "etcd") .Values.ledger.kubeconfigSecret.name -}}
{{- fail "ledger.type etcd uses no cluster: remove ledger.kubeconfigSecret.name" -}}
{{- end -}}
{{- if and .Values.ledger.etcd.user (not .Values.ledger.etcd.secretName) -}}
{{- fail "ledger.etcd.user needs ledger.etcd.secretName: a Secret with its password under the key password" -}}
{{- end -}}
{{- if and .Values.ledger.clients (not (include "bongsu.ledgerIsHere" .)) -}}
{{- fail "ledger.clients is for the cluster that holds the ledger, and here the ledger is elsewhere: remove ledger.clients" -}}
{{- end -}}
{{- end -}}
