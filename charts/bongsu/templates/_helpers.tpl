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

{{/* Whether the chart starts this site's member of etcd: "true" or nothing. */}}
{{- define "bongsu.etcdMember" -}}
{{- if and (eq .Values.ledger.type "etcd") .Values.ledger.etcd.member.enabled -}}true{{- end -}}
{{- end -}}

{{/* Whether that member speaks TLS: "true" or nothing. */}}
{{- define "bongsu.etcdMemberTls" -}}
{{- if .Values.ledger.etcd.member.serverSecretName -}}true{{- end -}}
{{- end -}}

{{- define "bongsu.etcdName" -}}
{{- printf "%s-etcd" (include "bongsu.fullname" .) -}}
{{- end -}}

{{/* Not those of Bongsu's own pods: its Services and budgets must not find these. */}}
{{- define "bongsu.etcdSelectorLabels" -}}
app.kubernetes.io/name: bongsu-etcd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "bongsu.etcdLabels" -}}
{{ include "bongsu.etcdSelectorLabels" . }}
app.kubernetes.io/component: ledger
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* All members with their peer URLs, in the order of their names: the same text in every site. */}}
{{- define "bongsu.etcdInitialCluster" -}}
{{- $all := list -}}
{{- $peers := .Values.ledger.etcd.member.peers -}}
{{- range $region := keys $peers | sortAlpha -}}
{{- $all = append $all (printf "%s=%s" $region (get $peers $region)) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}

{{/* Whether the pod mounts anything: "true" or nothing. */}}
{{- define "bongsu.mounts" -}}
{{- if or .Values.ledger.kubeconfigSecret.name (include "bongsu.etcdSecret" .) .Values.agent.url .Values.reports.claim .Values.reports.keySecret.name -}}true{{- end -}}
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
{{- $member := .Values.ledger.etcd.member -}}
{{- if $member.enabled -}}
{{- if ne .Values.ledger.type "etcd" -}}
{{- fail (printf "ledger.etcd.member.enabled starts a member of etcd, and ledger.type is %s: set ledger.type to etcd, or member.enabled to false" .Values.ledger.type) -}}
{{- end -}}
{{- if not (hasKey $member.peers .Values.region) -}}
{{- fail (printf "ledger.etcd.member.peers does not name region %s: add the URL at which the other sites reach its peer port, such as https://etcd.%s.example:2380" .Values.region .Values.region) -}}
{{- end -}}
{{- if and (eq (len $member.peers) 2) (eq $member.clusterState "new") -}}
{{- fail "ledger.etcd.member.peers has two members, and with either of them both would be lost: add a third site, a witness is enough" -}}
{{- end -}}
{{- if ne (not $member.serverSecretName) (not $member.peerSecretName) -}}
{{- fail "ledger.etcd.member needs serverSecretName and peerSecretName, or neither: one without the other leaves half of the traffic open" -}}
{{- end -}}
{{- $scheme := ternary "https://" "http://" (not (empty $member.serverSecretName)) -}}
{{- range $region, $url := $member.peers -}}
{{- if not (hasPrefix $scheme $url) -}}
{{- fail (printf "ledger.etcd.member.peers: %s of region %s must begin with %s, because serverSecretName is %s" $url $region $scheme (ternary "set" "empty" (not (empty $member.serverSecretName)))) -}}
{{- end -}}
{{- end -}}
{{- range $url := .Values.ledger.etcd.endpoints -}}
{{- if not (hasPrefix $scheme $url) -}}
{{- fail (printf "ledger.etcd.endpoints: %s must begin with %s, because ledger.etcd.member.serverSecretName is %s" $url $scheme (ternary "set" "empty" (not (empty $member.serverSecretName)))) -}}
{{- end -}}
{{- end -}}
{{- if and $member.serverSecretName (not .Values.ledger.etcd.secretName) -}}
{{- fail "ledger.etcd.member lets in only clients with a certificate: name the Secret of Bongsu's own in ledger.etcd.secretName" -}}
{{- end -}}
{{- if lt (int $member.electionMillis) (mul 5 (int $member.heartbeatMillis)) -}}
{{- fail (printf "ledger.etcd.member.electionMillis (%d) must be at least five times heartbeatMillis (%d), or one late heartbeat is an election" (int $member.electionMillis) (int $member.heartbeatMillis)) -}}
{{- end -}}
{{- end -}}
{{- if ne (not .Values.agent.url) (not .Values.agent.secretName) -}}
{{- fail "agent needs url and secretName, or neither: the other sites must reach this one, and know it by its certificate" -}}
{{- end -}}
{{- if and .Values.agent.url (ne .Values.ledger.type "etcd") -}}
{{- fail (printf "agent.url is for gates, which need a ledger in etcd, and ledger.type is %s: remove agent.url, or set ledger.type to etcd" .Values.ledger.type) -}}
{{- end -}}
{{- if and .Values.ledger.clients (not (include "bongsu.ledgerIsHere" .)) -}}
{{- fail "ledger.clients is for the cluster that holds the ledger, and here the ledger is elsewhere: remove ledger.clients" -}}
{{- end -}}
{{- end -}}
