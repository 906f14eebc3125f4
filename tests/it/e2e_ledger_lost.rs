//! The API server dies, with the ledger in it: traffic stays where it is, and what was going on goes on afterwards.

use bongsu::api::LedgerEntry;
use kube::Api;
use serde_json::json;

use crate::support::{
    bongsu::{Bongsu, SOON},
    control_plane::ControlPlane,
    proxy::{Moment, Proxy},
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::{SYSTEM, World},
};

/// Run, claim, Precheck, RaiseEpoch, the epoch itself: the sixth write is the intent of ShiftTraffic.
pub const INTENT_OF_SHIFT: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_waits_for_its_ledger_and_then_goes_on() {
    let mut world = World::install(&["gpki"]).await;
    let proxy = Proxy::start(&world.plane).await;
    world.processes.push(world.run_by(&proxy.url, "daegu", "daegu"));
    let mut service =
        Service::start(&world.plane, "gpki", |spec| spec["health"]["vantages"]["quorum"] = json!(1)).await;
    let watcher = service.watch();

    proxy.arm(INTENT_OF_SHIFT, Moment::Before);
    service.daejeon.die();
    proxy.stopped().await;
    let entries: Api<LedgerEntry> = Api::namespaced(world.plane.client(), SYSTEM);
    let record = entries.get(&format!("record.gpki.{SERVICE}")).await.unwrap().spec.value;
    assert!(record.contains("\"epoch\":2"), "{record}");
    world.plane.kill_apiserver();
    proxy.release();
    let bongsu = &world.processes[0];
    until("its lease runs out", SOON, async || (!bongsu.leads().await).then_some(())).await;
    assert_eq!(service.shown().await, service.answer("daejeon", 1), "nothing is done without the ledger");

    world.plane.restart_apiserver().await;
    service.serves("gwangju", 2).await;
    service.failover(&format!("{SERVICE}-e2"), "Succeeded").await;
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_ready_says_when_its_ledger_falls_silent() {
    let plane = ControlPlane::start().await;
    plane.apply_crds().await;
    plane.create_namespace(SYSTEM).await;
    let bongsu = Bongsu::start(plane.home(), "daegu", "daegu", &[&"--kubeconfig", &plane.admin_kubeconfig()]);
    bongsu.ready().await;
    plane.kill_apiserver();
    let (line, text) = until("/readyz names the ledger", SOON, async || {
        bongsu.page("/readyz").await.filter(|(_, text)| text.contains("[-] ledger: "))
    })
    .await;
    assert!(line.contains("503") && text.contains("[-] ledger: no answer"), "{line} {text}");
    plane.restart_apiserver().await;
    bongsu.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_api_server_it_waits_and_says_for_what() {
    let plane = ControlPlane::start().await;
    plane.apply_crds().await;
    plane.create_namespace(SYSTEM).await;
    plane.kill_apiserver();
    let bongsu = Bongsu::start(plane.home(), "daegu", "daegu", &[&"--kubeconfig", &plane.admin_kubeconfig()]);
    let unready = until("/readyz says what is waited for", SOON, async || {
        bongsu.page("/readyz").await.filter(|(_, text)| text.contains("does not answer"))
    })
    .await;
    assert!(unready.0.contains("503"), "{unready:?}");
    assert!(unready.1.contains("[-] apiserver: the API server does not answer: "), "{unready:?}");
    plane.restart_apiserver().await;
    bongsu.ready().await;
}
