//! A process that starts while its own API server is away.

use std::sync::atomic::Ordering;

use super::bench::{Bench, LEASE_TTL, service};
use crate::{
    domain::{RunState, Term},
    reconcile::book::{Entry, SpecSource, StandingEntry},
};

const FROM_LEDGER: &str = r#"bongsu_spec_source{source="ledger"}"#;

/// A service with a route whose updates are signed.
fn signed() -> String {
    let route = "dns: {zone: gpki.example, name: verify.gpki.example, servers: [{address: \"192.0.2.53:53\"}], \
                 tsig: {name: bongsu, algorithm: hmac-sha256, secretRef: {name: dns-key, key: secret}}}}";
    let object = service("verify", &["names"]);
    let (before, rest) = object.split_once("served: ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    format!("{before}{route}\n{after}")
}

const SECRET: &str = "{apiVersion: v1, kind: Secret, metadata: {name: dns-key, namespace: gpki}, stringData: {secret: c2VjcmV0}}";

/// A process that has worked, and one that takes its place while the API server is away.
async fn restarted(object: &str) -> Bench {
    let manifests = [("verify", object), ("secret", SECRET)];
    let mut bench = Bench::serving(&manifests).await;
    bench.until("it was said", || bench.entry::<StandingEntry>(&Entry::Standing("daegu".into()))).await;
    bench.desk.away.store(true, Ordering::SeqCst);
    bench.restart("daegu-2");
    bench
}

async fn leads(bench: &Bench) {
    bench.until("it leads", || bench.agent.is_leader().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_with_the_specs_that_were_accepted_last_and_says_so() {
    let bench = restarted(&service("verify", &["names"])).await;
    assert_eq!(bench.agent.source(), None);
    leads(&bench).await;
    assert_eq!((bench.agent.source(), bench.metric(FROM_LEDGER)), (Some(SpecSource::Ledger), Some(1.0)));
    bench.members.fail("daejeon", "verify");
    bench.until("it moves", || bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded)).await;
    let standing: StandingEntry = bench.entry(&Entry::Standing("daegu".into())).unwrap();
    assert_eq!((standing.source, standing.incarnation.as_str()), (SpecSource::Ledger, "daegu-2"));
    bench.desk.away.store(false, Ordering::SeqCst);
    bench.until("the cluster counts", || bench.metric(FROM_LEDGER).filter(|value| *value < 1.0)).await;
    assert!(bench.desk.told.lock().unwrap().contains(&"SpecsFromLedger".to_owned()));
    let from_cluster = || {
        let standing: StandingEntry = bench.entry(&Entry::Standing("daegu".into()))?;
        (standing.source == SpecSource::Cluster).then_some(())
    };
    bench.until("it says so", from_cluster).await;
}

#[tokio::test(start_paused = true)]
async fn it_does_not_lead_while_a_region_that_reads_its_own_cluster_is_alive() {
    let bench = restarted(&service("verify", &["names"])).await;
    leads(&bench).await;
    let own: StandingEntry = bench.entry(&Entry::Standing("daegu".into())).unwrap();
    let standing =
        |source| StandingEntry { source, incarnation: "gwangju-1".into(), term: Term(9), ..own.clone() };
    bench.ledger.give("region-gwangju", "gwangju-1").await;
    bench.put(&Entry::Standing("gwangju".into()), &standing(SpecSource::Ledger)).await;
    bench.pass(LEASE_TTL / 2).await;
    assert!(bench.agent.is_leader(), "the other one has no keys either");
    bench.put(&Entry::Standing("gwangju".into()), &standing(SpecSource::Cluster)).await;
    bench.until("it gives the lead back", || (!bench.agent.is_leader()).then_some(())).await;
    assert!(bench.agent.speaks(), "it votes on");
    bench.pass(LEASE_TTL * 3).await;
    assert!(bench.agent.is_leader(), "the other one is gone");
}

#[tokio::test(start_paused = true)]
async fn what_it_cannot_sign_waits_for_the_key_and_goes_on_by_itself() {
    let bench = restarted(&signed()).await;
    leads(&bench).await;
    bench.members.fail("daejeon", "verify");
    bench.until("the move begins", || bench.run("verify-e2")).await;
    bench.pass(LEASE_TTL * 8).await;
    let run = bench.run("verify-e2").unwrap();
    assert_eq!((run.state, bench.servers.tries("names", 2).len()), (RunState::Running, 0), "{run:?}");
    bench.desk.away.store(false, Ordering::SeqCst);
    bench.until("it is done", || bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded)).await;
    assert_eq!(bench.record("verify").serving.iter().next(), Some(&"gwangju".into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_last_accepted_spec_it_waits() {
    let bench = Bench::prepare(&[("verify", &service("verify", &["names"]))]).await;
    bench.desk.away.store(true, Ordering::SeqCst);
    bench.go();
    bench.pass(LEASE_TTL * 3).await;
    assert!(bench.agent.speaks() && !bench.agent.is_leader());
    bench.desk.away.store(false, Ordering::SeqCst);
    leads(&bench).await;
}
