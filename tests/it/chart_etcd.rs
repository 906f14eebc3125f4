//! A member of etcd that the chart starts in a site. That it works is shown in `etcd_procedures.rs`.

use serde_yaml::Value;

use crate::{
    chart::{of_kind, refused, yaml},
    support::helm::Helm,
};

pub const ETCD_MEMBER: &str = "
region: daejeon
ledger:
  type: etcd
  etcd:
    endpoints: [\"https://etcd.daejeon.example:2379\", \"https://etcd.daegu.example:2379\"]
    secretName: etcd-client
    member:
      enabled: true
      peers:
        daejeon: https://etcd.daejeon.example:2380
        gwangju: https://etcd.gwangju.example:2380
        daegu: https://etcd.daegu.example:2380
      serverSecretName: etcd-server
      peerSecretName: etcd-peer
      storage: {className: quick}
      service: {annotations: {pool: sites}}
      podDisruptionBudget: {enabled: true}
networkPolicy: {enabled: true}
";

/// The StatefulSet of this site's member of etcd.
pub fn member() -> Value {
    of_kind(ETCD_MEMBER, "StatefulSet")[0]["spec"].clone()
}

#[test]
fn a_member_of_etcd_is_started_with_mutual_tls_its_own_volume_and_a_bounded_history() {
    let container = member()["template"]["spec"]["containers"][0].clone();
    let given: Vec<String> = serde_yaml::from_value(container["args"].clone()).unwrap();
    let expected = [
        "--name=daejeon",
        "--data-dir=/var/lib/etcd/data",
        "--listen-client-urls=https://0.0.0.0:2379",
        "--advertise-client-urls=https://etcd.daejeon.example:2379",
        "--listen-peer-urls=https://0.0.0.0:2380",
        "--initial-advertise-peer-urls=https://etcd.daejeon.example:2380",
        "--initial-cluster=daegu=https://etcd.daegu.example:2380,daejeon=https://etcd.daejeon.example:2380,\
         gwangju=https://etcd.gwangju.example:2380",
        "--initial-cluster-state=new",
        "--initial-cluster-token=bongsu",
        "--listen-metrics-urls=http://0.0.0.0:2381",
        "--heartbeat-interval=100",
        "--election-timeout=1000",
        "--quota-backend-bytes=2147483648",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        "--snapshot-count=10000",
        "--cert-file=/etc/etcd/server/tls.crt",
        "--key-file=/etc/etcd/server/tls.key",
        "--trusted-ca-file=/etc/etcd/server/ca.crt",
        "--client-cert-auth",
        "--peer-cert-file=/etc/etcd/peer/tls.crt",
        "--peer-key-file=/etc/etcd/peer/tls.key",
        "--peer-trusted-ca-file=/etc/etcd/peer/ca.crt",
        "--peer-client-cert-auth",
    ];
    assert_eq!(given, expected);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "metrics", "{probe} needs no certificate");
    }
    let set = member();
    assert_eq!(set["replicas"], 1);
    assert_eq!(set["template"]["spec"]["automountServiceAccountToken"], false);
    assert_eq!(
        set["persistentVolumeClaimRetentionPolicy"],
        yaml("{whenDeleted: Retain, whenScaled: Retain}")
    );
    assert_eq!(
        set["volumeClaimTemplates"][0]["spec"],
        yaml(
            "{accessModes: [ReadWriteOnce], storageClassName: quick, resources: {requests: {storage: 8Gi}}}"
        )
    );
    let forced = ETCD_MEMBER.replace("storage: {", "forceNewCluster: true\n      storage: {");
    let text = Helm::offline().template(&forced).unwrap();
    assert!(text.contains("- --force-new-cluster"));
}

#[test]
fn a_member_of_etcd_is_reached_before_it_is_ready_and_is_no_pod_of_bongsu() {
    let own = yaml("{app.kubernetes.io/name: bongsu-etcd, app.kubernetes.io/instance: bongsu}");
    let services = of_kind(ETCD_MEMBER, "Service");
    let of_etcd = || services.iter().filter(|service| service["spec"]["selector"] == own);
    assert_eq!(of_etcd().count(), 2, "one for the StatefulSet, one for the other sites");
    assert!(of_etcd().all(|service| service["spec"]["publishNotReadyAddresses"] == true));
    let site = of_etcd().find(|service| service["spec"]["clusterIP"].is_null()).unwrap();
    assert_eq!(site["spec"]["type"], "LoadBalancer");
    assert_eq!(site["metadata"]["annotations"], yaml("{pool: sites}"));
    for kind in ["PodDisruptionBudget", "NetworkPolicy"] {
        let selectors: Vec<Value> = of_kind(ETCD_MEMBER, kind)
            .iter()
            .map(|object| match object["spec"]["podSelector"].is_null() {
                true => object["spec"]["selector"]["matchLabels"].clone(),
                false => object["spec"]["podSelector"]["matchLabels"].clone(),
            })
            .collect();
        assert_eq!(selectors.iter().filter(|selector| **selector == own).count(), 1, "{kind}");
        assert_eq!(selectors.len(), 2, "{kind}: Bongsu's own as well");
    }
    assert!(of_kind("region: daejeon\n", "StatefulSet").is_empty(), "not without being asked for");
}

#[test]
fn a_member_of_etcd_that_could_not_work_is_refused_with_what_to_do() {
    let but = |from: &str, to: &str| {
        assert!(ETCD_MEMBER.contains(from));
        ETCD_MEMBER.replace(from, to)
    };
    refused(
        &but("region: daejeon", "region: busan"),
        &["does not name region busan", "etcd.busan.example:2380"],
    );
    refused(
        &but("        daegu: https://etcd.daegu.example:2380\n", ""),
        &["with either of them both would be lost", "add a third site"],
    );
    refused(&but("      peerSecretName: etcd-peer\n", ""), &["needs serverSecretName and peerSecretName"]);
    refused(&but("    secretName: etcd-client\n", ""), &["name the Secret of Bongsu's own"]);
    refused(
        &but("        daegu: https:", "        daegu: http:"),
        &["http://etcd.daegu.example:2380 of region daegu must begin with https://"],
    );
    refused(
        &but("\"https://etcd.daegu.example:2379\"", "\"http://etcd.daegu.example:2379\""),
        &["ledger.etcd.endpoints: http://etcd.daegu.example:2379 must begin with https://"],
    );
    refused(
        &but("storage: {", "heartbeatMillis: 500\n      storage: {"),
        &["at least five times heartbeatMillis"],
    );
    refused(&but("storage: {", "electionMillis: 5000\n      storage: {"), &["electionMillis"]);
    refused(
        "region: daejeon\nledger: {etcd: {member: {enabled: true, peers: {daejeon: \"http://a:2380\"}}}}",
        &["starts a member of etcd", "set ledger.type to etcd"],
    );
}
