//! A writer behind gates moves: by itself when its region is lost, and by a person's wish and back.

use std::time::Duration;

use bongsu::api::StepState;
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    bongsu::{Bongsu, SOON},
    etcd::Etcd,
    gate::{Gate, Taken, Writer, pause},
    service::{SERVICE, Service},
    world::{REGIONS, World},
};

/// Length of the gates' leases.
const TTL: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_moves_when_the_old_one_has_stopped_and_says_what_it_waits_for() {
    let mut world = World::install(&["gpki"]).await;
    let etcd = Etcd::cluster().await;
    world.processes = REGIONS.map(|region| world.run_on(&etcd, region)).into();
    join_all(world.processes.iter().map(Bongsu::ready)).await;
    let mut service = Service::start(&world.plane, "gpki", |spec| {
        spec["health"]["vantages"]["quorum"] = json!(1);
        spec["fence"] = json!({"gate": {"leaseTtl": "7s"}});
    })
    .await;

    // No gate was seen: a loss is for a person.
    let message = service.has("WriterFenced", "False", "GateMissing").await;
    assert!(message.contains("start bongsu gate"), "{message}");
    service.has("FailoverReady", "False", "NeedsPerson").await;

    let taken = Taken::default();
    let (old, new) = (Writer::start("daejeon", &taken).await, Writer::start("gwangju", &taken).await);
    let key = format!("gpki/{SERVICE}");
    let gates = [&old, &new].map(|writer| Gate::before(&etcd, "/bongsu", &key, writer));
    old.writes(SOON).await;
    service.has("WriterFenced", "True", "Enforced").await;
    service.has("FailoverReady", "True", "").await;
    let fence = service.read().await.status.unwrap().fence.unwrap();
    assert_eq!(fence.strength, "Enforced");
    assert!(fence.holder.is_some_and(|holder| holder.starts_with("daejeon_")));

    // The host is frozen with its gate, and the member is gone.
    gates[0].send(Signal::STOP);
    service.daejeon.die();
    new.writes(TTL + SOON).await;
    service.serves("gwangju", 2).await;
    let failover = service.failover(&format!("{SERVICE}-e2"), "Succeeded").await;
    let steps = failover.status.unwrap().steps;
    let told: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
    let all = ["Precheck", "Fence", "AwaitFence", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"];
    assert_eq!(told, all);
    assert!(steps.iter().all(|step| step.state == StepState::Done));
    let waited = steps[2].message.clone().unwrap_or_default();
    assert!(waited.contains("ran out"), "{waited}");
    gates[0].send(Signal::CONT);
    pause(Duration::from_secs(2)).await;
    assert_eq!(alternations(&taken), 1, "who was frozen wrote again");

    // A hand-over takes the time of some calls, not that of a lease.
    service.daejeon.come_back().await;
    service.target("daejeon").await;
    service.apply(&service.wish("back", &json!({"to": "daejeon"})));
    old.writes(TTL / 2 + SOON).await;
    let back = service.failover("back", "Succeeded").await;
    let waited = back.status.unwrap().steps[2].message.clone().unwrap_or_default();
    assert!(waited.contains("given back"), "{waited}");
    pause(Duration::from_millis(500)).await;
    assert_eq!(alternations(&taken), 2, "two writers at a time");
}

/// How often another one wrote than before.
fn alternations(taken: &Taken) -> usize {
    let taken = taken.lock().unwrap();
    taken.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
