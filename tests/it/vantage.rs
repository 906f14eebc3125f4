//! The vantage with the real clock, the real prober and real servers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get as on_get};
use bongsu::{
    adapters::clock::SystemClock,
    domain::{HealthPolicy, Outcome, Recovery, RegionName, ServiceKey, Verdict, Window},
    ports::{CheckKind, Reading, Scheme},
    reconcile::vantage::{MemberVerdict, Skipped, Vantage, VantageObserver, Watched},
};

use crate::support::{
    http_server::{Server, eventually},
    probes::{check, endpoint, get, network_prober},
};

const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Seen(Mutex<Vec<Outcome>>);

impl VantageObserver for Seen {
    fn sample(&self, _: &ServiceKey, _: &RegionName, _: &str, reading: &Reading) {
        self.0.lock().unwrap().push(reading.outcome);
    }

    fn skipped(&self, _: Skipped) {}

    fn verdict(&self, _: &ServiceKey, _: &RegionName, _: Verdict) {}
}

impl Seen {
    fn bad(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|outcome| outcome.is_bad()).count()
    }
}

fn key() -> ServiceKey {
    ServiceKey::new("gpki", "verify")
}

fn region() -> RegionName {
    RegionName::new("daejeon")
}

fn watched(server: &Server) -> Watched {
    Watched {
        service: key(),
        grade: 1,
        health: HealthPolicy {
            interval: INTERVAL,
            timeout: INTERVAL / 2,
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 2, stable_for: Duration::from_secs(1) },
            quorum: 2,
        },
        members: BTreeMap::from([(region(), endpoint(Scheme::Http, server.address))]),
        checks: vec![check(INTERVAL / 2, CheckKind::Http(get()))],
    }
}

async fn good_server() -> Server {
    Server::axum(Router::new().route("/", on_get(|| async { r#"{"result":"good"}"# })), None).await
}

fn verdict(vantage: &Vantage) -> MemberVerdict {
    vantage.verdicts(&key()).remove(&region()).unwrap()
}

#[tokio::test]
async fn a_killed_server_is_failed_after_as_many_bad_samples_as_the_policy_says() {
    let seen = Arc::new(Seen::default());
    let vantage = Vantage::new(Arc::new(SystemClock::new()), Arc::new(network_prober()), seen.clone());
    let server = good_server().await;
    vantage.watch(vec![watched(&server)]);
    eventually("healthy", || verdict(&vantage).verdict == Verdict::Healthy).await;
    let bad_before = seen.bad();
    drop(server);
    let changes = vantage.changes();
    while verdict(&vantage).verdict != Verdict::Failed {
        assert_eq!(changes.next().await, key());
    }
    // Bad samples before the kill, on a host that is very busy, would count too.
    assert!(seen.bad() - bad_before <= 3 && seen.bad() >= 3, "{:?}", seen.0.lock().unwrap());
    let verdict = verdict(&vantage);
    assert!(verdict.onset.is_some());
    assert!(verdict.reason.starts_with("check deep: refused: "), "{}", verdict.reason);
}

#[tokio::test]
async fn a_verification_sample_sees_the_member_at_once() {
    let seen = Arc::new(Seen::default());
    let vantage = Vantage::new(Arc::new(SystemClock::new()), Arc::new(network_prober()), seen);
    let server = good_server().await;
    let mut patient = watched(&server);
    patient.checks[0].timeout = Duration::from_secs(20);
    vantage.watch(vec![patient]);
    let readings = vantage.sample_now(&key(), &region()).await;
    assert_eq!(readings.len(), 1);
    assert_eq!(readings[0].1.as_ref().unwrap().outcome, Outcome::Ok);
    assert!(vantage.sample_now(&key(), &RegionName::new("nowhere")).await.is_empty());
}

#[tokio::test]
async fn dropping_the_vantage_stops_its_probes() {
    let vantage =
        Vantage::new(Arc::new(SystemClock::new()), Arc::new(network_prober()), Arc::new(Seen::default()));
    let server = good_server().await;
    vantage.watch(vec![watched(&server)]);
    eventually("a sample was taken", || server.connections() > 0).await;
    drop(vantage);
    tokio::task::yield_now().await;
    let after = server.connections();
    let mut waited = tokio::time::interval(INTERVAL * 3);
    waited.tick().await;
    waited.tick().await;
    assert!(server.connections() <= after + 1, "one may have been on its way");
}
