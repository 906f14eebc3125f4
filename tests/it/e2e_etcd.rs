//! Three regions on one etcd: a member of it dies, and a leader that was frozen wakes up.

use futures::future::join_all;
use serde_json::json;

use crate::{
    e2e_replicas::leader,
    support::{
        bongsu::{Bongsu, SOON},
        etcd::Etcd,
        service::{DAEJEON, GWANGJU, SERVICE, Service},
        wait::until,
        world::{REGIONS, World},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_needs_neither_every_member_of_etcd_nor_the_leader_that_sleeps() {
    let mut world = World::install(&["gpki"]).await;
    let etcd = Etcd::cluster().await;
    world.processes = REGIONS.map(|region| world.run_on(&etcd, region)).into();
    join_all(world.processes.iter().map(Bongsu::ready)).await;
    let mut service =
        Service::start(&world.plane, "gpki", |spec| spec["health"]["vantages"]["quorum"] = json!(1)).await;
    let watcher = service.watch();

    // All of them ask the first member.
    etcd.kill(0);
    service.daejeon.die();
    service.serves("gwangju", 2).await;
    service.failover(&format!("{SERVICE}-e2"), "Succeeded").await;

    etcd.run(0);
    etcd.ready().await;
    service.daejeon.come_back().await;
    service.target("daejeon").await;
    let asleep = leader(&world.processes).await;
    world.processes[asleep].freeze();
    service.gwangju.die();
    service.serves("daejeon", 3).await;
    service.failover(&format!("{SERVICE}-e3"), "Succeeded").await;
    world.processes[asleep].thaw();
    until("it hears that it no longer leads", SOON, async || {
        world.processes[asleep].log().contains("lease lost to another process").then_some(())
    })
    .await;
    assert_ne!(leader(&world.processes).await, asleep);
    assert_eq!(service.shown().await, service.answer("daejeon", 3));
    assert_eq!(service.failovers().await.len(), 3, "nothing was begun twice");
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU, DAEJEON]);

    let record =
        etcd.etcdctl(&["get", &format!("/bongsu/v1/entry/record/gpki/{SERVICE}"), "--print-value-only"]);
    assert!(record.contains("\"epoch\":3"), "{record}");
    for lease in ["leader", "region-daegu", "region-gwangju", "region-daejeon"] {
        for part in ["holder", "renewed"] {
            let found = etcd.etcdctl(&[
                "get",
                &format!("/bongsu/v1/lease/{lease}/{part}"),
                "--count-only",
                "--write-out=fields",
            ]);
            assert!(found.contains("\"Count\" : 1"), "{lease}/{part}: {found}");
        }
    }
}

/// As after the loss of the quorum: the copy was made before a move.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_restored_from_an_older_copy_learns_from_the_name_servers_who_serves() {
    let mut world = World::install(&["gpki"]).await;
    let etcd = Etcd::single().await;
    world.processes.push(world.run_on(&etcd, "daegu"));
    let mut service =
        Service::start(&world.plane, "gpki", |spec| spec["health"]["vantages"]["quorum"] = json!(1)).await;
    let copy = etcd.home().join("copy.db");
    etcd.etcdctl(&["snapshot", "save", copy.to_str().unwrap()]);
    service.apply(&service.wish("to-gwangju", &json!({})));
    service.serves("gwangju", 2).await;
    service.failover("to-gwangju", "Succeeded").await;
    let watcher = service.watch();

    world.processes.clear();
    etcd.kill(0);
    etcd.restore(&copy);
    etcd.run(0);
    etcd.ready().await;
    let record = || {
        let key = format!("/bongsu/v1/entry/record/gpki/{SERVICE}");
        etcd.etcdctl(&["get", &key, "--print-value-only"])
    };
    assert!(record().contains("\"epoch\":1"), "{}", record());
    world.processes.push(world.run_on(&etcd, "daegu"));
    service.serves("gwangju", 3).await;
    until("the ledger knows it", SOON, async || record().contains("\"epoch\":3").then_some(())).await;
    assert!(record().contains("gwangju"), "{}", record());
    let failover = service.failover(&format!("{SERVICE}-e3"), "Succeeded").await;
    let reason = failover.spec.reason.clone();
    assert!(reason.contains("ahead of the ledger"), "{reason}");
    assert_eq!(watcher.answers(), [GWANGJU], "nobody was led to where the old ledger said");

    service.target("daejeon").await;
    service.gwangju.die();
    service.serves("daejeon", 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_etcd_it_waits_and_says_for_what() {
    let etcd = Etcd::single().await;
    etcd.kill(0);
    let manifests = etcd.home().join("manifests");
    std::fs::create_dir(&manifests).unwrap();
    let endpoints = format!("--ledger-etcd-endpoints={}", etcd.url(0));
    let bongsu = Bongsu::start(
        etcd.home(),
        "daegu",
        "daegu",
        &[&"--manifests", &manifests, &"--ledger=etcd", &endpoints],
    );
    let unready = until("/readyz says what is waited for", SOON, async || {
        bongsu.page("/readyz").await.filter(|(_, text)| text.contains("reach etcd"))
    })
    .await;
    assert!(unready.0.contains("503") && unready.1.contains("[-] ledger-etcd: reach etcd: "), "{unready:?}");
    etcd.run(0);
    bongsu.ready().await;
    etcd.kill(0);
    let silent = until("/readyz names the ledger", SOON, async || {
        bongsu.page("/readyz").await.filter(|(_, text)| text.contains("[-] ledger: "))
    })
    .await;
    assert!(silent.0.contains("503"), "{silent:?}");
    etcd.run(0);
    bongsu.ready().await;
}
