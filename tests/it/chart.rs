//! The Helm chart, rendered by the real helm: secure by default, least privilege, and clear about what is wrong.

use std::{fs, path::PathBuf, process::Command};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Deserialize;
use serde_yaml::Value;

use crate::{
    chart_etcd::{ETCD_MEMBER, member},
    support::{
        helm::{CHART, Helm},
        programs::{program, run},
    },
};

const MINIMUM: &str = "region: daejeon\n";

const EVERYTHING: &str = "
region: gwangju
image: {repository: images.example/bongsu, tag: 1.2.3, pullPolicy: Always, pullSecrets: [{name: pull}]}
replicas: 3
ledger:
  namespace: ledger
  lease: {ttl: 20s}
  clients: [daejeon, gongju]
probes: {deniedRanges: [10.8.0.0/16]}
reports: {claim: drill-reports, keySecret: {name: auditors, key: private}, language: ko}
log: {level: 'info,bongsu=debug', format: text}
dns:
  enabled: true
  service: {type: LoadBalancer, loadBalancerIP: 192.0.2.53, annotations: {pool: public}}
metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}
alerts: {enabled: true, labels: {release: prometheus}}
networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {}}]}
secretNamespaces: [{namespace: gpki, secrets: [tsig-gpki]}, {namespace: mobile-id}]
workloads: [{namespace: gpki, deployments: [directory-writer], statefulSets: [registry]}]
serviceAccount: {name: beacon, annotations: {team: dr}}
nodeSelector: {zone: a}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
podAnnotations: {a: b}
podLabels: {c: d}
extraArgs: [--manifests=/etc/bongsu]
";

const REMOTE_LEDGER: &str = "
region: daejeon
ledger: {namespace: bongsu-system, kubeconfigSecret: {name: witness, key: config}}
";

const ETCD: &str = "
region: daejeon
ledger:
  type: etcd
  etcd:
    endpoints: [\"https://etcd.daejeon.example:2379\", \"https://etcd.daegu.example:2379\"]
    secretName: etcd-client
";

const MEMORY: &str = "region: daejeon\nreplicas: 1\nledger: {type: memory}\n";

/// Every object that the chart makes from these values.
fn objects(values: &str) -> Vec<Value> {
    let text = Helm::offline().template(values).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null())
        .collect()
}

pub fn of_kind(values: &str, kind: &str) -> Vec<Value> {
    objects(values).into_iter().filter(|object| object["kind"] == kind).collect()
}

fn pod(values: &str) -> Value {
    of_kind(values, "Deployment")[0]["spec"]["template"]["spec"].clone()
}

fn arguments(values: &str) -> Vec<String> {
    let list = pod(values)["containers"][0]["args"].clone();
    serde_yaml::from_value(list).unwrap()
}

pub fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// That helm refuses these values with all of these words.
pub fn refused(values: &str, words: &[&str]) {
    let complaint = Helm::offline().template(values).unwrap_err();
    let missing: Vec<_> = words.iter().filter(|word| !complaint.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} not in: {complaint}");
}

#[test]
fn helm_lint_is_strict_and_content() {
    for values in ["", MINIMUM, EVERYTHING, REMOTE_LEDGER, ETCD, ETCD_MEMBER, MEMORY] {
        Helm::offline().lint(values).unwrap();
    }
}

#[test]
fn a_chart_without_a_region_says_what_to_set() {
    refused("", &["region is required", "--set region=daejeon"]);
}

#[test]
fn wrong_values_are_refused_by_name() {
    refused("region: Dae_jeon", &["/region", "Dae_jeon"]);
    refused("region: daejeon\nreplica: 2", &["additional properties 'replica' not allowed"]);
    refused("region: daejeon\nledger: {lease: {ttl: 15}}", &["/ledger/lease/ttl", "want string"]);
    refused("region: daejeon\nledger: {type: consul}", &["/ledger/type", "kubernetes", "etcd", "memory"]);
    refused("region: daejeon\ndns: {port: 53}", &["/dns/port", "got 53, want 1,024"]);
    refused("region: daejeon\nsecretNamespaces: [gpki]", &["/secretNamespaces/0", "want object"]);
}

#[test]
fn a_memory_ledger_with_two_replicas_is_refused() {
    refused(
        "region: daejeon\nreplicas: 2\nledger: {type: memory}",
        &["2 replicas would each have their own", "set replicas to 1"],
    );
}

#[test]
fn what_etcd_needs_and_what_it_does_not_is_said() {
    let etcd = |rest: &str| format!("region: daejeon\nledger: {{type: etcd, {rest}}}");
    let endpoints = "endpoints: [\"http://etcd.example:2379\"]";
    refused(&etcd("clients: []"), &["needs ledger.etcd.endpoints", "https://etcd.daejeon.example:2379"]);
    refused(&etcd(&format!("etcd: {{{endpoints}, user: bongsu}}")), &["ledger.etcd.user needs", "password"]);
    refused(
        &etcd(&format!("etcd: {{{endpoints}}}, kubeconfigSecret: {{name: witness}}")),
        &["ledger.type etcd uses no cluster"],
    );
    refused(&etcd("etcd: {endpoints: [\"etcd.example:2379\"]}"), &["/ledger/etcd/endpoints/0"]);
    refused(&etcd(&format!("etcd: {{{endpoints}, prefix: bongsu/}}")), &["/ledger/etcd/prefix"]);
    refused(
        &format!("region: daejeon\nledger: {{etcd: {{{endpoints}}}}}"),
        &["the type is kubernetes", "set ledger.type to etcd"],
    );
}

#[test]
fn ledger_clients_are_refused_where_the_ledger_is_not() {
    refused(
        "region: daejeon\nledger: {kubeconfigSecret: {name: witness}, clients: [gwangju]}",
        &["ledger.clients is for the cluster that holds the ledger"],
    );
}

#[test]
fn the_pod_runs_without_any_privilege() {
    let deployments = [MINIMUM, EVERYTHING, REMOTE_LEDGER, ETCD, MEMORY].map(pod);
    for mut pod in deployments.into_iter().chain([member()["template"]["spec"].clone()]) {
        pod["securityContext"].as_mapping_mut().unwrap().remove("fsGroupChangePolicy");
        assert_eq!(
            pod["securityContext"],
            yaml(
                "{runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}"
            )
        );
        assert_eq!(
            pod["containers"][0]["securityContext"],
            yaml(
                "{allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}"
            )
        );
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[forbidden].is_null(), "{forbidden}");
        }
    }
}

#[test]
fn the_minimum_runs_bongsu_with_the_ledger_of_this_cluster() {
    let expected = [
        "run",
        "--region=daejeon",
        "--ledger=kubernetes",
        "--ledger-namespace=bongsu-system",
        "--lease-ttl=15s",
        "--http-address=0.0.0.0:8080",
        "--probe-denied=0.0.0.0/8,169.254.0.0/16,224.0.0.0/4,255.255.255.255/32,::/128,fe80::/10,ff00::/8",
        "--report-language=en",
        "--log-format=json",
        "--log-filter=info",
        "--identity=$(POD_NAME)",
    ];
    assert_eq!(arguments(MINIMUM), expected);
    let deployment = &of_kind(MINIMUM, "Deployment")[0]["spec"];
    assert_eq!(deployment["replicas"], 2);
    assert_eq!(deployment["strategy"]["rollingUpdate"], yaml("{maxSurge: 0, maxUnavailable: 1}"));
    assert!(pod(MINIMUM)["containers"][0]["command"].is_null(), "the image's own entry point, not a shell");
}

#[test]
fn every_value_reaches_the_command_line() {
    let expected = [
        "run",
        "--region=gwangju",
        "--ledger=kubernetes",
        "--ledger-namespace=ledger",
        "--lease-ttl=20s",
        "--http-address=0.0.0.0:8080",
        "--dns-address=0.0.0.0:5353",
        "--probe-denied=10.8.0.0/16",
        "--report-dir=/var/lib/bongsu/reports",
        "--report-key=/etc/bongsu/report-key/key",
        "--report-language=ko",
        "--log-format=text",
        "--log-filter=info,bongsu=debug",
        "--identity=$(POD_NAME)",
        "--manifests=/etc/bongsu",
    ];
    assert_eq!(arguments(EVERYTHING), expected);
    assert!(arguments(MEMORY).contains(&"--ledger=memory".to_owned()));
    let nothing_denied = format!("{MINIMUM}\nprobes: {{deniedRanges: []}}\n");
    assert!(arguments(&nothing_denied).contains(&"--probe-denied=none".to_owned()));
}

#[test]
fn a_ledger_elsewhere_is_reached_by_the_kubeconfig_of_a_secret() {
    assert!(
        arguments(REMOTE_LEDGER).contains(&"--ledger-kubeconfig=/etc/bongsu/ledger/kubeconfig".to_owned())
    );
    let pod = pod(REMOTE_LEDGER);
    assert_eq!(
        pod["volumes"][0]["secret"],
        yaml("{secretName: witness, defaultMode: 288, items: [{key: config, path: kubeconfig}]}")
    );
    assert_eq!(
        pod["containers"][0]["volumeMounts"][0],
        yaml("{name: ledger-kubeconfig, mountPath: /etc/bongsu/ledger, readOnly: true}")
    );
    assert!(of_kind(REMOTE_LEDGER, "Role").is_empty(), "nothing of the ledger is in this cluster");
}

#[test]
fn a_ledger_in_etcd_is_reached_with_the_certificates_of_a_secret_and_needs_nothing_of_the_cluster() {
    let given = arguments(ETCD);
    let expected = [
        "--ledger=etcd",
        "--ledger-etcd-endpoints=https://etcd.daejeon.example:2379,https://etcd.daegu.example:2379",
        "--ledger-etcd-prefix=/bongsu",
        "--ledger-etcd-ca=/etc/bongsu/etcd/ca.crt",
        "--ledger-etcd-cert=/etc/bongsu/etcd/tls.crt",
        "--ledger-etcd-key=/etc/bongsu/etcd/tls.key",
        "--lease-ttl=15s",
    ];
    assert_eq!(given[2..9], expected);
    let with_user = format!("{ETCD}    user: bongsu\n");
    assert!(
        arguments(&with_user).contains(&"--ledger-etcd-password-file=/etc/bongsu/etcd/password".to_owned())
    );
    let pod = pod(ETCD);
    assert_eq!(pod["volumes"][0]["secret"], yaml("{secretName: etcd-client, defaultMode: 288}"));
    let mount = &pod["containers"][0]["volumeMounts"][0];
    assert_eq!(*mount, yaml("{name: ledger-etcd, mountPath: /etc/bongsu/etcd, readOnly: true}"));
    assert!(of_kind(ETCD, "Role").is_empty(), "nothing of the ledger is in this cluster");
}

#[test]
fn other_sites_ask_it_for_promises_at_a_service_of_its_own_and_it_keeps_them_over_a_restart_of_its_container()
{
    let values =
        format!("{ETCD}agent: {{url: \"https://bongsu.daejeon.example:8443\", secretName: bongsu-agent}}\n");
    let given: Vec<_> =
        arguments(&values).into_iter().filter(|given| given.starts_with("--agent-")).collect();
    let expected = [
        "--agent-url=https://bongsu.daejeon.example:8443",
        "--agent-address=0.0.0.0:8443",
        "--agent-ca=/etc/bongsu/agent/ca.crt",
        "--agent-cert=/etc/bongsu/agent/tls.crt",
        "--agent-key=/etc/bongsu/agent/tls.key",
        "--agent-state=/var/lib/bongsu/agent",
    ];
    assert_eq!(given, expected);
    let pod = pod(&values);
    assert_eq!(pod["volumes"][1]["secret"], yaml("{secretName: bongsu-agent, defaultMode: 288}"));
    assert_eq!(pod["volumes"][2], yaml("{name: agent-state, emptyDir: {}}"));
    let services = of_kind(&values, "Service");
    let service = services
        .iter()
        .find(|service| service["metadata"]["labels"]["app.kubernetes.io/component"] == "agent");
    let spec = &service.unwrap()["spec"];
    assert_eq!(spec["publishNotReadyAddresses"], true, "no replica is ready while the ledger is lost");
    assert_eq!(spec["ports"], yaml("[{name: agent, port: 8443, targetPort: agent, protocol: TCP}]"));
    let url = "agent: {url: \"https://bongsu.daejeon.example:8443\"}\n";
    refused(&format!("{ETCD}{url}"), &["agent needs url and secretName"]);
    refused(
        &format!("region: daejeon\n{}", url.replace('}', ", secretName: a}")),
        &["agent.url is for gates", "etcd"],
    );
}

#[test]
fn reports_go_to_a_claim_and_are_signed_with_the_key_of_a_secret() {
    let pod = pod(EVERYTHING);
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "drill-reports");
    assert_eq!(
        pod["volumes"][1]["secret"],
        yaml("{secretName: auditors, defaultMode: 288, items: [{key: private, path: key}]}")
    );
    assert_eq!(
        pod["containers"][0]["volumeMounts"],
        yaml(
            "[{name: reports, mountPath: /var/lib/bongsu/reports}, \
             {name: report-key, mountPath: /etc/bongsu/report-key, readOnly: true}]"
        )
    );
}

/// Roles that the chart ships for people to be bound to, and not for Bongsu.
fn is_for_people(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/component"] == "people"
}

#[test]
fn bongsu_may_do_exactly_this() {
    let mut found = Vec::new();
    let roles = objects(EVERYTHING).into_iter().filter(|object| object["rules"].is_sequence());
    for role in roles.filter(|role| !is_for_people(role)) {
        let place = role["metadata"]["namespace"].as_str().unwrap_or("*");
        found.extend(role["rules"].as_sequence().unwrap().iter().map(|rule| permission(place, rule)));
    }
    let expected = [
        "gpki: secrets(tsig-gpki): get",
        "mobile-id: secrets: get",
        "gpki: deployments(directory-writer): get,patch",
        "gpki: statefulsets(registry): get,patch",
        "gpki: replicasets: list",
        "gpki: pods: list",
        "*: regions,gradepolicies,sharedservices,failovers,switchoverdrills,drillruns,calendars,approvals: \
         get,list,watch",
        "*: regions/status,gradepolicies/status,sharedservices/status,failovers/status: update,patch",
        "*: switchoverdrills/status,drillruns/status,calendars/status,approvals/status: update,patch",
        "*: failovers,drillruns: create",
        "*: namespaces(kube-system): get",
        "*: events: create,patch",
        "ledger: ledgerentries: get,list,watch,create,update,delete",
        "ledger: leases: get,list,create,update",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(found), sorted(expected.map(str::to_owned).to_vec()));
    let own = of_kind(MINIMUM, "Role").into_iter().filter(|role| !is_for_people(role));
    assert_eq!(own.count(), 1, "no Secret may be read and no workload touched without being asked for");
}

#[test]
fn people_may_do_exactly_this_and_nobody_is_bound_by_the_chart() {
    let mut found = Vec::new();
    for role in objects(EVERYTHING).into_iter().filter(is_for_people) {
        let place = role["metadata"]["namespace"].as_str().unwrap_or("*");
        let name = role["metadata"]["name"].as_str().unwrap().to_owned();
        let labels = role["metadata"]["labels"].as_mapping().unwrap().iter();
        let into = labels.filter_map(|(label, value)| {
            let role = label.as_str()?.strip_prefix("rbac.authorization.k8s.io/aggregate-to-")?;
            (value == "true").then_some(role)
        });
        let into = into.collect::<Vec<_>>().join(",");
        let rules = role["rules"].as_sequence().unwrap().iter();
        found.extend(rules.map(|rule| format!("{name} [{into}] {}", permission(place, rule))));
    }
    let expected = [
        "bongsu-view [view,edit,admin] *: regions,gradepolicies,sharedservices,failovers,switchoverdrills,drillruns,\
         calendars,approvals: get,list,watch",
        "bongsu-operate [edit,admin] *: failovers,drillruns: create,patch",
        "bongsu-approve [] *: approvals: create,delete",
        "bongsu-reports [] ledger: ledgerentries: get",
    ];
    found.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
    let bound = objects(EVERYTHING).into_iter().filter(|object| !object["roleRef"].is_null());
    let people = ["view", "operate", "approve", "reports"].map(|role| format!("bongsu-{role}"));
    let refers = |object: &Value| object["roleRef"]["name"].as_str().unwrap().to_owned();
    assert!(bound.into_iter().all(|object| !people.contains(&refers(&object))));
}

fn permission(place: &str, rule: &Value) -> String {
    let words = |field: &str| {
        let list = rule[field].as_sequence().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(",")
    };
    let names = words("resourceNames");
    let names = if names.is_empty() { names } else { format!("({names})") };
    format!("{place}: {}{names}: {}", words("resources"), words("verbs"))
}

#[test]
fn every_rule_says_why_it_is_needed() {
    let mut rules = 0;
    for path in templates() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with("- apiGroups:")) {
            assert!(pair[0].starts_with("# "), "{}: no reason above: {}", path.display(), pair[1]);
            rules += 1;
        }
        let wild =
            lines.iter().find(|line| line.contains("\"*\"") || line.contains("'*'") || line.contains("[*]"));
        assert_eq!(wild, None, "{}", path.display());
    }
    assert_eq!(rules, 20);
}

#[test]
fn every_value_has_a_comment_unless_its_name_says_it_all() {
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    // Groups of values, and names that mean what they mean in every chart.
    let plain = [
        "image, ledger, storage, lease, log, crds, dns, service, metrics, serviceMonitor, alerts, networkPolicy",
        "podDisruptionBudget, serviceAccount, annotations, requests, limits, cpu, memory",
        "nodeSelector, tolerations, affinity, podAnnotations, podLabels",
    ];
    let is_plain = |name: &str| plain.iter().any(|list| list.split(", ").any(|word| word == name));
    let mut above = "";
    for line in text.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(':').filter(|_| !line.starts_with('#')) {
            assert!(is_plain(name) || above.starts_with('#'), "no comment above {name}");
        }
        above = line;
    }
}

#[test]
fn crds_are_upgraded_with_the_chart_and_outlive_it() {
    assert!(!PathBuf::from(CHART).join("crds").exists(), "Helm never upgrades what is in crds/");
    let rendered: Vec<CustomResourceDefinition> = of_kind(MINIMUM, "CustomResourceDefinition")
        .into_iter()
        .map(|crd| serde_yaml::from_value(crd).unwrap())
        .collect();
    let expected = bongsu::api::all_crds();
    assert_eq!(rendered.len(), expected.len());
    for crd in &expected {
        let installed = rendered.iter().find(|other| other.metadata.name == crd.metadata.name).unwrap();
        assert!(installed.spec == crd.spec, "{:?} is not what the code says", crd.metadata.name);
        let annotations = installed.metadata.annotations.as_ref().unwrap();
        assert_eq!(annotations["helm.sh/resource-policy"], "keep");
        let plural = &crd.spec.names.plural;
        let [copy, original] = [format!("{CHART}/files/crds/{plural}.yaml"), format!("crds/{plural}.yaml")]
            .map(|path| fs::read_to_string(path).unwrap());
        assert!(copy == original, "the chart's copy of {plural} differs");
    }
    let without = format!("{MINIMUM}crds: {{install: false}}\n");
    assert!(of_kind(&without, "CustomResourceDefinition").is_empty());
}

#[test]
fn dns_goes_on_answering_from_replicas_that_are_not_ready() {
    let services = of_kind(EVERYTHING, "Service");
    let dns = services.iter().find(|service| service["metadata"]["name"] == "bongsu-dns").unwrap();
    assert_eq!(dns["spec"]["publishNotReadyAddresses"], true);
    let ports = yaml(
        "[{name: dns-udp, port: 53, targetPort: dns-udp, protocol: UDP}, {name: dns-tcp, port: 53, targetPort: dns-tcp, protocol: TCP}]",
    );
    assert_eq!(dns["spec"]["ports"], ports);
    assert_eq!(of_kind(MINIMUM, "Service").len(), 1, "no DNS without being asked for");
}

#[test]
fn what_needs_other_operators_is_made_only_when_asked_for() {
    let kinds = |values: &str| {
        let mut kinds: Vec<_> =
            objects(values).iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    let minimum = [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Deployment",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ];
    assert_eq!(kinds(MINIMUM), minimum);
    for kind in ["NetworkPolicy", "PrometheusRule", "Secret", "ServiceMonitor"] {
        assert!(kinds(EVERYTHING).contains(&kind.to_owned()), "{kind}");
    }
    assert!(
        of_kind(MEMORY, "PodDisruptionBudget").is_empty(),
        "it would keep the only replica's node for ever"
    );
}

#[test]
fn the_inspection_runs_at_its_times_with_the_right_to_look_and_no_other() {
    assert!(of_kind(EVERYTHING, "CronJob").is_empty(), "nobody asked for it");
    let values = format!("{MINIMUM}\ninspection: {{schedule: '0 8 * * 1-5', language: ko}}\n");
    let job = of_kind(&values, "CronJob").remove(0)["spec"].clone();
    assert_eq!((&job["schedule"], &job["timeZone"]), (&yaml("'0 8 * * 1-5'"), &yaml("Asia/Seoul")));
    let pod = &job["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["args"], yaml("[inspect, --all-namespaces, --language=ko]"));
    assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    let is_its_own = |object: &Value| object["metadata"]["name"] == "bongsu-inspection";
    let role = of_kind(&values, "ClusterRole").into_iter().find(is_its_own).unwrap();
    let rules = role["rules"].as_sequence().unwrap().iter();
    let may: Vec<String> = rules.map(|rule| permission("*", rule)).collect();
    let expected = ["*: regions,gradepolicies,sharedservices,switchoverdrills: list", "*: deployments: list"];
    assert_eq!(may, expected);
    let binding = of_kind(&values, "ClusterRoleBinding").into_iter().find(is_its_own).unwrap();
    assert_eq!(binding["subjects"][0]["name"], pod["serviceAccountName"]);
}

#[test]
fn promtool_takes_the_alerts_as_they_are_installed() {
    let rule = &of_kind(EVERYTHING, "PrometheusRule")[0];
    let installed = serde_yaml::to_string(&rule["spec"]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), installed).unwrap();
    run(Command::new(program("promtool")).args(["check", "rules"]).arg(file.path()), "").unwrap();
}

#[test]
fn alerts_fire_when_they_should_and_not_before() {
    let tests = "tests/data/alerts.test.yaml";
    run(Command::new(program("promtool")).args(["test", "rules", tests]), "").unwrap();
}

#[test]
fn every_alert_asks_for_metrics_that_exist() {
    let text = fs::read_to_string(format!("{CHART}/files/alerts.yaml")).unwrap();
    let known: Vec<_> = bongsu::observability::Metrics::descriptions().iter().map(|d| d.name).collect();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let unknown: Vec<_> =
        words.filter(|word| word.starts_with("bongsu_")).filter(|word| !known.contains(word)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_alert_and_every_condition_has_a_section_in_the_operations_page() {
    let page = fs::read_to_string("docs/operations.md").unwrap();
    let headings: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect();
    let alerts = yaml(&fs::read_to_string(format!("{CHART}/files/alerts.yaml")).unwrap());
    for rule in alerts["groups"][0]["rules"].as_sequence().unwrap() {
        let alert = rule["alert"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["annotations"]["runbook"], format!("docs/operations.md#{alert}"));
        assert!(headings.contains(&alert), "no section for {alert}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].is_string(), "{alert} has no {annotation}");
        }
    }
    let source = fs::read_to_string("src/api/conditions.rs").unwrap();
    let conditions =
        source.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    let missing: Vec<_> =
        conditions.map(|(name, _)| name).filter(|name| !headings.contains(&name.to_lowercase())).collect();
    assert!(missing.is_empty(), "no section for {missing:?}");
}

fn templates() -> Vec<PathBuf> {
    let entries = fs::read_dir(PathBuf::from(CHART).join("templates")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
