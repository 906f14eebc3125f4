//! Several replicas of one region: one acts, another takes over, and one that was frozen cannot do harm.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    e2e_ledger_lost::INTENT_OF_SHIFT,
    support::{
        bongsu::{Bongsu, SOON},
        proxy::{Moment, Proxy},
        service::{DAEJEON, GWANGJU, SERVICE, Service},
        wait::until,
        world::World,
    },
};

/// A lease of 3 s and a third, and as much again for a machine that is busy.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_and_the_one_that_wakes_up_late_is_refused() {
    let mut world = World::install(&["gpki"]).await;
    let proxy = Proxy::start(&world.plane).await;
    for identity in ["one", "two", "three"] {
        world.processes.push(world.run_by(&proxy.url, "daegu", identity));
    }
    let mut service =
        Service::start(&world.plane, "gpki", |spec| spec["health"]["vantages"]["quorum"] = json!(1)).await;
    let watcher = service.watch();

    let first = leader(&world.processes).await;
    let mut others: Vec<Bongsu> = world.processes.drain(..).collect();
    drop(others.remove(first));
    let killed = Instant::now();
    let second = leader(&others).await;
    assert!(killed.elapsed() < TAKEN_OVER_WITHIN, "{:?}", killed.elapsed());
    service.daejeon.die();
    service.serves("gwangju", 2).await;
    service.failover(&format!("{SERVICE}-e2"), "Succeeded").await;

    service.daejeon.come_back().await;
    service.target("daejeon").await;
    proxy.arm(INTENT_OF_SHIFT, Moment::Before);
    service.gwangju.die();
    proxy.stopped().await;
    others[second].freeze();
    service.serves("daejeon", 3).await;
    service.failover(&format!("{SERVICE}-e3"), "Succeeded").await;
    proxy.release();
    until("its late write arrives", SOON, async || proxy.late_answers().first().copied()).await;
    others[second].thaw();
    until("it hears that it was late", SOON, async || {
        others[second].log().contains("journal not written").then_some(())
    })
    .await;
    assert_eq!(proxy.late_answers(), [409], "the API server refuses the old version");
    assert!(!others[second].leads().await);
    assert_eq!(service.shown().await, service.answer("daejeon", 3));
    assert_eq!(service.failovers().await.len(), 3, "nothing was begun twice");
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU, DAEJEON]);
}

/// Waits until exactly one of them acts; its place.
pub async fn leader(processes: &[Bongsu]) -> usize {
    until("one of them acts, and no other", SOON, async || {
        let mut leaders = Vec::new();
        for (place, process) in processes.iter().enumerate() {
            if process.leads().await {
                leaders.push(place);
            }
        }
        assert!(leaders.len() < 2, "{leaders:?} act at the same time");
        leaders.pop()
    })
    .await
}
