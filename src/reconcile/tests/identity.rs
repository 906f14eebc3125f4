//! Whose name a region's is.

use super::bench::{Bench, LEASE_TTL, service};
use crate::{
    ports::Ledger,
    reconcile::{book::Entry, identity::IdentityEntry},
};

fn identity() -> Entry {
    Entry::Identity("daegu".into())
}

async fn bench(installation: &str) -> Bench {
    let bench = Bench::prepare(&[("verify", &service("verify", &["names"]))]).await;
    *bench.desk.installation.lock().unwrap() = Some(installation.into());
    bench
}

fn owned_by(installation: &str) -> IdentityEntry {
    IdentityEntry { schema: 1, installation: installation.into() }
}

#[tokio::test(start_paused = true)]
async fn the_first_installation_has_the_name_and_keeps_it() {
    let bench = bench("first").await;
    bench.go();
    bench.until("it speaks", || bench.agent.speaks().then_some(())).await;
    assert_eq!(bench.entry::<IdentityEntry>(&identity()), Some(owned_by("first")));
    bench.pass(LEASE_TTL).await;
    assert!(bench.agent.speaks() && bench.agent.identity_trouble().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_second_installation_does_nothing_and_both_are_told() {
    let bench = bench("second").await;
    bench.put(&identity(), &owned_by("first")).await;
    bench.go();
    let trouble = bench.until("it is refused", || bench.agent.identity_trouble()).await;
    assert!(
        trouble.contains("region daegu is installation first")
            && trouble.contains("--replaces-installation first")
    );
    bench.pass(LEASE_TTL * 3).await;
    assert!(!bench.agent.speaks() && !bench.agent.is_leader());
    assert_eq!(bench.ledger.keys("record/"), Vec::<String>::new());
    assert_eq!(bench.metric("bongsu_identity_conflict"), Some(1.0));
    assert_eq!(*bench.desk.told.lock().unwrap(), ["RegionRefused"], "once");
    let leases = bench.ledger.leases().await.unwrap();
    let tells = leases.iter().find(|lease| lease.name == "refused-daegu" && lease.alive).unwrap();
    assert_eq!(tells.holder.as_ref().unwrap().as_str(), "daegu-1 of installation second");
    // The first one is gone for good, and its name is free.
    let (version, _) = bench.ledger.text(&identity()).unwrap();
    bench.ledger.delete(&identity().key(), version).await.unwrap();
    bench.until("it speaks", || bench.agent.speaks().then_some(())).await;
    assert_eq!(bench.entry::<IdentityEntry>(&identity()), Some(owned_by("second")));
}

#[tokio::test(start_paused = true)]
async fn the_first_installation_is_told_of_the_second() {
    let bench = bench("first").await;
    bench.go();
    bench.until("it speaks", || bench.agent.speaks().then_some(())).await;
    bench.ledger.give("refused-daegu", "daegu-9 of installation second").await;
    bench.until("it is told", || bench.metric("bongsu_identity_conflict").filter(|value| *value > 0.0)).await;
    assert!(bench.agent.speaks());
    assert!(bench.desk.told.lock().unwrap().contains(&"SecondInstallation".to_owned()));
    bench.until("it is over", || bench.metric("bongsu_identity_conflict").filter(|value| *value < 1.0)).await;
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_name_to_the_one_that_replaces_it_stops() {
    let bench = bench("first").await;
    bench.go();
    bench.until("it leads", || bench.agent.is_leader().then_some(())).await;
    bench.put(&identity(), &owned_by("rebuilt")).await;
    bench.until("it is refused", || bench.agent.identity_trouble()).await;
    assert!(!bench.agent.speaks() && !bench.agent.is_leader());
    let held: Vec<bool> =
        bench.ledger.leases().await.unwrap().into_iter().map(|lease| lease.holder.is_some()).collect();
    assert_eq!(
        held.iter().filter(|held| **held).count(),
        1,
        "it has given back what it held, and tells that it is refused"
    );
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_rebuilt_takes_its_name_over_when_it_is_told_to() {
    let mut bench = bench("rebuilt").await;
    bench.put(&identity(), &owned_by("first")).await;
    bench.replaces("first");
    bench.go();
    bench.until("it speaks", || bench.agent.speaks().then_some(())).await;
    assert_eq!(bench.entry::<IdentityEntry>(&identity()), Some(owned_by("rebuilt")));
    assert_eq!(bench.agent.identity_trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn while_its_api_server_is_away_it_goes_by_what_the_ledger_says() {
    let bench = bench("second").await;
    bench.put(&identity(), &owned_by("first")).await;
    bench.desk.away.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.go();
    bench.until("it speaks", || bench.agent.speaks().then_some(())).await;
    bench.desk.away.store(false, std::sync::atomic::Ordering::SeqCst);
    bench.until("it is refused", || bench.agent.identity_trouble()).await;
    bench.until("it is silent", || (!bench.agent.speaks()).then_some(())).await;
}
