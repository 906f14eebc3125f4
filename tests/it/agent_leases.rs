//! The leases of a process do not depend on anything but the ledger.

use std::{fmt::Write, sync::Arc, time::Duration};

use bongsu::{
    adapters::{
        clock::SystemClock,
        kube::KubeResources,
        ledger::MemoryLedger,
        traffic::{TrafficRouter, dns::DnsTraffic, served::ServedTraffic},
    },
    domain::{Identity, RegionName},
    observability::{Build, Metrics},
    ports::{Clock, Resources},
    reconcile::{Agent, Claim, Ports, Sealing, Settings},
};

use crate::support::{control_plane::ControlPlane, probes::network_prober, wait::until};

const TTL: Duration = Duration::from_secs(6);

/// Each status that cannot be written takes 3 s: five of them outlast the lease.
const REGIONS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn agent(resources: Arc<dyn Resources>, clock: Arc<dyn Clock>) -> Arc<Agent> {
    let region = RegionName::new("a");
    let ledger = Arc::new(MemoryLedger::new(clock.clone()));
    let build = Build { version: "0", commit: "0", region: &region };
    let traffic =
        TrafficRouter::new(DnsTraffic::new(clock.clone()), ServedTraffic::new(ledger.clone(), clock.clone()));
    let ports = Ports {
        metrics: Arc::new(Metrics::new(build).unwrap()),
        metering: None,
        reports: None,
        agents: None,
        seat: None,
        workloads: None,
        prober: Arc::new(network_prober()),
        traffic: Arc::new(traffic),
        clock,
        resources,
        ledger,
    };
    let identity = Identity::new("me");
    Agent::new(
        Settings {
            region,
            identity,
            lease_ttl: TTL,
            workers: 1,
            sealing: Sealing::default(),
            claim: Claim::default(),
            agent_url: None,
        },
        ports,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_own_api_server_hangs_keeps_its_leases() {
    let plane = ControlPlane::start().await;
    plane.apply_crds().await;
    let regions = REGIONS.iter().fold(String::new(), |mut text, name| {
        writeln!(
            text,
            "---\napiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{}}"
        )
        .unwrap();
        text
    });
    plane.try_kubectl(&["apply", "-f", "-"], &regions).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let resources = Arc::new(KubeResources::start(plane.client(), clock.clone()));
    until("all regions", Duration::from_secs(30), async || {
        resources.snapshot().filter(|snapshot| snapshot.regions.len() == REGIONS.len())
    })
    .await;
    plane.freeze_apiserver();
    let agent = agent(resources, clock.clone());
    let running = agent.clone();
    let task = tokio::spawn(async move { running.run(std::future::pending()).await });
    until("the leases", Duration::from_secs(30), async || agent.is_leader().then_some(())).await;
    // Two leases long, looked at often: not once may it have lost them.
    let taken = clock.tick();
    while clock.tick().since(taken) < TTL * 2 {
        assert!(agent.is_leader() && agent.speaks(), "after {:?}", clock.tick().since(taken));
        clock.sleep(Duration::from_millis(50)).await;
    }
    task.abort();
    plane.thaw_apiserver();
}
