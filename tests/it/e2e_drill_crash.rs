//! `kill -9` in the middle of a drill, and name servers that do not answer, under the permissions of the chart: the drill
//! ends as it would have, or returns in time.

use std::time::Duration;

use bongsu::api::{DrillRun, DrillRunStatus, LedgerEntry};
use futures::{FutureExt, future::select_all};
use kube::Api;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    e2e_guardrails::{drilled_now, ended, is_held},
    support::{
        bongsu::SOON,
        prometheus::{GAUGE, Prometheus},
        proxy::{Boundaries, Moment, Proxy},
        service::{DAEJEON, GWANGJU, Service},
        wait::until,
        world::{REGIONS, SYSTEM, World},
    },
};

/// Longest time of a drill with a death at each boundary: some 30 deaths, each of which costs a lease of 3 s and some
/// looks, and twice that for a machine that is busy.
const WITH_ALL_DEATHS: Duration = Duration::from_secs(400);

/// From a trip or a person's word until traffic is back.
const RETURNED_WITHIN: Duration = Duration::from_secs(30);

/// What a drill of one service writes down, in this order, and so where a process can die between two effects. `drill`:
/// how far the drill is and the service in it; `run`: the step whose intent is written; `record`: the epoch and who holds it.
const BOUNDARIES: [&str; 29] = [
    "drill Announced Waiting",
    "drill Leaving Leaving",
    "request now-verify-away",
    "run now-verify-away Running Precheck Pending",
    "record 1 now-verify-away",
    "run now-verify-away Running Precheck Running",
    "run now-verify-away Running RaiseEpoch Running",
    "record 2 now-verify-away",
    "run now-verify-away Running ShiftTraffic Running",
    "run now-verify-away Running Verify Running",
    "run now-verify-away Running Settle Running",
    "run now-verify-away Succeeded",
    "record 2 free",
    "drill Holding Away",
    "drill Returning Away",
    "drill Returning Returning",
    "request now-verify-back",
    "run now-verify-back Running Precheck Pending",
    "record 2 now-verify-back",
    "run now-verify-back Running Precheck Running",
    "run now-verify-back Running RaiseEpoch Running",
    "record 3 now-verify-back",
    "run now-verify-back Running ShiftTraffic Running",
    "run now-verify-back Running Verify Running",
    "run now-verify-back Running Settle Running",
    "run now-verify-back Succeeded",
    "record 3 free",
    "report",
    "drill Over Back",
];

/// A world in which each process talks to the API server by a proxy of its own, and dies when that stops it.
struct Mortal {
    world: World,
    proxies: Vec<Proxy>,
}

impl Mortal {
    async fn start(namespaces: &[&str]) -> Self {
        let mut world = World::install(namespaces).await;
        let mut proxies = Vec::new();
        for region in REGIONS {
            let proxy = Proxy::start(&world.plane).await;
            world.processes.push(world.run_by(&proxy.url, region, region));
            proxies.push(proxy);
        }
        for process in &world.processes {
            process.ready().await;
        }
        Self { world, proxies }
    }

    /// Waits until one of them is stopped; its place.
    async fn stopped(proxies: &[Proxy]) -> usize {
        select_all(proxies.iter().map(|proxy| proxy.stopped().boxed())).await.1
    }
}

/// One vantage is enough to judge, because the others may just have been killed; and time enough for all deaths.
fn patient(spec: &mut Value) {
    spec["health"]["vantages"]["quorum"] = json!(1);
    spec["objectives"] = json!({"rto": "10m"});
}

async fn verdict(service: &Service<'_>) -> DrillRunStatus {
    let api: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
    until("the drill is over", WITH_ALL_DEATHS, async || {
        api.get("now").await.unwrap().status.filter(|status| status.verdict.is_some())
    })
    .await
}

/// A record of the ledger, by the name of its object.
async fn in_ledger(service: &Service<'_>, name: &str) -> Value {
    let entries: Api<LedgerEntry> = Api::namespaced(service.plane.client(), SYSTEM);
    serde_json::from_str(&entries.get(name).await.unwrap().spec.value).unwrap()
}

/// A move of the drill was done once, under one epoch: each step was done, and none is in the journal twice.
async fn is_done_once(service: &Service<'_>, name: &str, epoch: u64) {
    let run = in_ledger(service, &format!("run.{}.{name}", service.namespace)).await;
    let journal = run["journal"].as_array().unwrap();
    let steps = journal.iter().map(|step| match step["step"].as_object() {
        Some(named) => named.keys().next().unwrap().clone(),
        None => step["step"].as_str().unwrap().to_owned(),
    });
    let steps: Vec<String> = steps.collect();
    assert_eq!(steps, ["Precheck", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"], "{name}");
    assert!(journal.iter().all(|step| step["state"] == "Done"), "{journal:#?}");
    assert_eq!(journal[1]["step"]["RaiseEpoch"]["epoch"], json!(epoch), "{name}");
}

async fn check_deaths_at_every_boundary(moment: Moment) {
    let mut mortal = Mortal::start(&["gpki"]).await;
    let boundaries = Boundaries::each(moment);
    let Mortal { world, proxies } = &mut mortal;
    let service = Service::start(&world.plane, "gpki", patient).await;
    let watcher = service.watch();
    proxies.iter().for_each(|proxy| proxy.stop_at(&boundaries));
    drilled_now(&service, &json!({"hold": "1s", "guardrails": {"maxDuration": "20m"}}));
    let over = {
        let mut verdict = std::pin::pin!(verdict(&service));
        loop {
            tokio::select! {
                biased;
                place = Mortal::stopped(proxies) => world.processes[place].restart(),
                over = &mut verdict => break over,
            }
        }
    };
    let met = boundaries.met();
    assert_eq!(over.rule.as_deref(), Some("AllLimitsKept"), "{met:#?} {:#?}", over.timeline);
    let missing: Vec<&str> = BOUNDARIES.into_iter().filter(|name| !met.iter().any(|m| m == name)).collect();
    assert!(missing.is_empty(), "nobody died at {missing:#?}, but at {met:#?}");
    service.serves("daejeon", 3).await;
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU, DAEJEON]);
    is_done_once(&service, "now-verify-away", 2).await;
    is_done_once(&service, "now-verify-back", 3).await;
    assert_eq!(service.failovers().await.len(), 3, "the establishment, the way out, and the way back");
    let told = |what: &str| over.timeline.iter().filter(|moment| moment.what.contains(what)).count();
    assert_eq!(
        (told("verify leaves daejeon"), told("verify returns to daejeon")),
        (1, 1),
        "{:#?}",
        over.timeline
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_whose_leader_dies_before_every_boundary_ends_as_if_none_had() {
    check_deaths_at_every_boundary(Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_whose_leader_dies_after_every_boundary_ends_as_if_none_had() {
    check_deaths_at_every_boundary(Moment::After).await;
}

/// A number turns bad while a service is away, and the leader dies when it writes down that the drill returns.
async fn check_trip(mortal: &mut Mortal, namespace: &str, moment: Moment) {
    let mut prometheus = Prometheus::start(0.001).await;
    let Mortal { world, proxies } = mortal;
    let service = Service::start(&world.plane, namespace, patient).await;
    let condition = json!({"name": "errors", "query": GAUGE, "max": "0.01"});
    let guardrails = json!({"maxDuration": "90s", "promql": [condition]});
    drilled_now(&service, &json!({"prometheus": {"url": prometheus.url()}, "guardrails": guardrails}));
    is_held(&service, "now").await;
    let trip = Boundaries::one("drill Returning Returning", moment);
    proxies.iter().for_each(|proxy| proxy.stop_at(&trip));
    prometheus.set(0.05);
    let place = Mortal::stopped(proxies).await;
    let tripped = Instant::now();
    world.processes[place].restart();
    service.serves("daejeon", 3).await;
    assert!(tripped.elapsed() < RETURNED_WITHIN, "{moment:?}: {:?}", tripped.elapsed());
    let over = ended(&service, "now", "GuardrailTripped").await;
    assert_eq!(over.services[0].state, "Back");
    prometheus.die();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trip_returns_traffic_in_time_with_the_leader_killed_at_that_very_moment() {
    let mut mortal = Mortal::start(&["trip-unsaid", "trip-said"]).await;
    check_trip(&mut mortal, "trip-unsaid", Moment::Before).await;
    check_trip(&mut mortal, "trip-said", Moment::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_returns_traffic_in_time_although_the_name_server_does_not_answer_the_first_update() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-unanswered", |_| ()).await;
    drilled_now(&service, &json!({}));
    is_held(&service, "now").await;
    service.dns.freeze();
    service.patch("dr/now", &json!({"spec": {"abort": true}}));
    let aborted = Instant::now();
    let failed = until("an update of the return has failed", SOON, async || {
        let moves = service.failovers().await;
        let back =
            moves.into_iter().find(|moved| moved.metadata.name.as_deref() == Some("now-verify-back"))?;
        let shift = back.status?.steps.into_iter().find(|step| step.name.starts_with("ShiftTraffic"))?;
        shift.message.filter(|message| message.contains("did not answer"))
    })
    .await;
    service.dns.thaw();
    service.serves("daejeon", 3).await;
    assert!(aborted.elapsed() < RETURNED_WITHIN, "{:?} after {failed}", aborted.elapsed());
    let over = ended(&service, "now", "AbortedByPerson").await;
    assert_eq!(over.services[0].state, "Back");
}
