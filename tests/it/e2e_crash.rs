//! `kill -9` at every write of a failover, before the API server took it and after: whatever was going on is finished
//! by the next process, once.

use std::{collections::BTreeMap, sync::Arc};

use bongsu::api::LedgerEntry;
use futures::{StreamExt, stream};
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    bongsu::{Bongsu, SOON},
    control_plane::{ControlPlane, write_kubeconfig},
    dns_server::{DnsServer, SECRET_BASE64},
    named,
    proxy::{Moment, Proxy},
    service::{DAEJEON, GWANGJU, Parts, SERVICE},
    wait::until,
};

/// Failovers at the same time: each mostly waits for a lease to run out, and two cores carry this many.
const AT_ONCE: usize = 8;

/// A failover does at least: the run, its claim, four intents, the epoch, its end, and the record's release.
const LEAST_WRITES: usize = 9;

/// One witness with its own service, and a ledger of its own in the shared API server.
struct Lane {
    plane: &'static ControlPlane,
    parts: Parts,
    proxy: Proxy,
    bongsu: Bongsu,
    #[expect(dead_code, reason = "the process reads its manifests there")]
    dir: TempDir,
}

impl Lane {
    async fn start(name: &str, dns: Arc<DnsServer>) -> Self {
        let plane = ControlPlane::shared().await;
        let namespace = plane.namespace(name).await;
        let parts = Parts::start(&namespace, dns).await;
        let proxy = Proxy::start(plane).await;
        let dir = tempfile::tempdir().unwrap();
        let (kubeconfig, manifests) = (dir.path().join("kubeconfig"), dir.path().join("manifests"));
        write_kubeconfig(&kubeconfig, &json!({"server": proxy.url}), ControlPlane::ADMIN);
        std::fs::create_dir(&manifests).unwrap();
        std::fs::write(manifests.join("all.yaml"), documents(&parts)).unwrap();
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 8] = [
            &"--manifests",
            &manifests,
            &"--ledger",
            &"kubernetes",
            &"--ledger-kubeconfig",
            &kubeconfig,
            &"--ledger-namespace",
            &namespace,
        ];
        let bongsu = Bongsu::start(plane.home(), "daegu", "daegu", &arguments);
        let lane = Self { plane, parts, proxy, bongsu, dir };
        lane.parts.serves("daejeon", 1).await;
        until("gwangju could take over and nothing goes on", SOON, async || {
            let status = lane.bongsu.status().await["services"][0]["status"].clone();
            let ready =
                status["nextMove"]["outcome"] == "Ready" && status["nextMove"]["to"] == json!(["gwangju"]);
            ready.then_some(())
        })
        .await;
        lane
    }

    /// Lets the member die, and the process at the `n`th write; whether it came so far.
    async fn fail_over(&mut self, n: usize, moment: Moment) -> bool {
        let watcher = self.parts.watch();
        self.proxy.arm(n, moment);
        self.parts.daejeon.die();
        let killed = tokio::select! {
            () = self.proxy.stopped() => true,
            () = self.is_over() => false,
        };
        if killed {
            self.proxy.arm(0, moment);
            self.bongsu.restart();
        }
        self.is_over().await;
        self.parts.serves("gwangju", 2).await;
        assert_eq!(watcher.answers(), [DAEJEON, GWANGJU], "write {n}, {moment:?}");
        killed
    }

    /// Waits until the ledger says that the failover was done, once, and that nothing goes on.
    async fn is_over(&self) {
        until("the failover is over", SOON, async || {
            let ledger = self.ledger().await;
            let states: Vec<(&str, &Value)> = ledger
                .iter()
                .filter_map(|(key, value)| Some((key.strip_prefix("run/")?, &value["state"])))
                .collect();
            let run = |epoch: u32| format!("{}/{SERVICE}-e{epoch}", self.parts.namespace);
            let (first, second, succeeded) = (run(1), run(2), json!("Succeeded"));
            let record = &ledger[&format!("record/{}/{SERVICE}", self.parts.namespace)];
            let done = states == [(first.as_str(), &succeeded), (second.as_str(), &succeeded)];
            (done && record["epoch"] == 2 && record["run"].is_null()).then_some(())
        })
        .await;
    }

    async fn ledger(&self) -> BTreeMap<String, Value> {
        let entries: Api<LedgerEntry> = Api::namespaced(self.plane.client(), &self.parts.namespace);
        let found = entries.list(&ListParams::default()).await.unwrap().items;
        found.into_iter().map(|e| (e.spec.key, serde_json::from_str(&e.spec.value).unwrap())).collect()
    }
}

fn documents(parts: &Parts) -> String {
    let region = |name: &str, role: &str| {
        json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Region", "metadata": {"name": name},
            "spec": {"role": role, "failureDomain": name},
        })
    };
    let mut service = parts.object();
    service["spec"]["health"]["vantages"]["quorum"] = json!(1);
    // A restarted process must see this anew each time.
    service["spec"]["health"]["recovery"] = json!({"successes": 2, "for": "500ms"});
    let regions = [region("daejeon", "Full"), region("gwangju", "Full"), region("daegu", "Witness")];
    let all = regions.into_iter().chain([parts.secret(SECRET_BASE64), service]);
    all.map(|object| serde_yaml::to_string(&object).unwrap()).collect::<Vec<_>>().join("---\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_write_of_a_failover_leaves_nothing_half_done() {
    let dns = Arc::new(named::start().await);
    let mut lane = Lane::start("crash", dns.clone()).await;
    assert!(!lane.fail_over(0, Moment::Before).await);
    let writes = lane.proxy.writes();
    drop(lane);
    assert!(writes >= LEAST_WRITES, "{writes}");

    let cases = (1..=writes).flat_map(|n| [(n, Moment::Before), (n, Moment::After)]);
    let killed = stream::iter(cases)
        .map(|(n, moment)| {
            let dns = dns.clone();
            async move {
                let mut lane = Lane::start("crash", dns).await;
                lane.fail_over(n, moment).await
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter(|killed| std::future::ready(*killed))
        .count()
        .await;
    // Waiting for the TTL takes one write more now and then, so the last writes are not met every time.
    assert!(killed >= 2 * LEAST_WRITES, "{killed} of {}", 2 * writes);
}
