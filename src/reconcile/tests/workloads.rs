//! What a region does with the workload that writes there, while other processes write the record.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::bench::{Bench, key, service};
use crate::{
    domain::{Epoch, Record, RegionName, RunId, Timestamp, Workload, WorkloadSeen, WorkloadWord},
    ports::{ResourcesError, WorkloadState, Workloads},
    reconcile::{Agent, Entry, Ports, Settings},
};

/// A cluster with one workload. Writes count up its version, as in an API server.
struct Cluster {
    state: Mutex<WorkloadState>,
    /// Written to the ledger after the next look, before whoever looked goes on.
    then: Mutex<Option<Record>>,
    bench: Mutex<Option<Arc<super::bench::Store>>>,
}

impl Cluster {
    fn new(wanted: u32) -> Arc<Self> {
        let state = WorkloadState { version: "0".to_owned(), wanted, ready: wanted, mark: None, left: None };
        Arc::new(Self { state: Mutex::new(state), then: Mutex::default(), bench: Mutex::default() })
    }

    fn wanted(&self) -> u32 {
        self.state.lock().unwrap().wanted
    }

    fn leaves(&self, left: Option<&str>) {
        self.state.lock().unwrap().left = left.map(str::to_owned);
    }
}

#[async_trait]
impl Workloads for Cluster {
    async fn look(&self, _: &str, _: &Workload) -> Result<WorkloadState, ResourcesError> {
        let state = self.state.lock().unwrap().clone();
        let then = self.then.lock().unwrap().take();
        let store = self.bench.lock().unwrap().clone();
        if let (Some(record), Some(store)) = (then, store) {
            store.put_text(&entry(), &serde_json::to_string(&record).unwrap()).await;
        }
        Ok(state)
    }

    async fn set(
        &self,
        _: &str,
        _: &Workload,
        version: &str,
        replicas: u32,
        mark: &str,
    ) -> Result<(), ResourcesError> {
        let mut state = self.state.lock().unwrap();
        if state.version != version {
            let (what, cause) = ("set".to_owned(), "conflict".to_owned());
            return Err(ResourcesError::Unavailable { what, cause });
        }
        state.version = format!("{}.", state.version);
        (state.wanted, state.ready, state.mark) = (replicas, replicas, Some(mark.to_owned()));
        Ok(())
    }
}

fn entry() -> Entry {
    Entry::Record(key("verify"))
}

fn record(serving: &str, epoch: u64, fenced_by: Option<&str>) -> Record {
    Record {
        epoch: Epoch(epoch),
        serving: BTreeSet::from([RegionName::new(serving)]),
        away: BTreeMap::new(),
        changed_at: Timestamp(0),
        last_automatic: None,
        run: fenced_by.map(RunId::new),
        fenced: fenced_by.is_some(),
    }
}

/// Bongsu in Daejeon, while a process elsewhere leads.
async fn daejeon(cluster: &Arc<Cluster>, first: &Record) -> Bench {
    let writer = service("verify", &["names"])
        .replace("  failover:", "  fence: {workload: {name: writer}}\n  failover:");
    let mut bench = Bench::prepare(&[("verify", &*writer)]).await;
    *cluster.bench.lock().unwrap() = Some(bench.ledger.clone());
    bench.ledger.give("leader", "elsewhere").await;
    bench.put(&entry(), first).await;
    let settings = Settings { region: "daejeon".into(), ..bench.agent.settings.clone() };
    let ports = Ports { workloads: Some(cluster.clone()), ..bench.agent.ports.clone() };
    bench.agent = Agent::new(settings, ports);
    bench.go();
    bench
}

fn word(bench: &Bench) -> Option<WorkloadSeen> {
    let word: WorkloadWord = bench.entry(&Entry::Workload("daejeon".into(), key("verify")))?;
    Some(word.seen)
}

#[tokio::test(start_paused = true)]
async fn a_workload_is_started_where_it_is_served_and_stopped_where_it_is_not() {
    let cluster = Cluster::new(0);
    let bench = daejeon(&cluster, &record("daejeon", 1, None)).await;
    bench.until("it runs", || (word(&bench) == Some(WorkloadSeen::Running)).then_some(())).await;
    assert_eq!(cluster.wanted(), 1);
    bench.put(&entry(), &record("gwangju", 2, None)).await;
    bench.until("it is stopped", || (cluster.wanted() == 0).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn who_fences_between_the_look_and_the_write_is_heard() {
    let cluster = Cluster::new(0);
    *cluster.then.lock().unwrap() = Some(record("daejeon", 1, Some("move")));
    let bench = daejeon(&cluster, &record("daejeon", 1, None)).await;
    let stopped = WorkloadSeen::StoppedFor(RunId::new("move"));
    bench.until("it says that it has stopped", || (word(&bench)? == stopped).then_some(())).await;
    let state = cluster.state.lock().unwrap().clone();
    assert_eq!((state.wanted, state.version.as_str()), (0, "0."), "written once, and never to start it");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_while_a_pod_is_left_and_each_move_has_a_word_of_its_own() {
    let cluster = Cluster::new(1);
    let bench = daejeon(&cluster, &record("daejeon", 1, None)).await;
    bench.until("it runs", || (word(&bench) == Some(WorkloadSeen::Running)).then_some(())).await;
    cluster.leaves(Some("pod writer-1 has not ended"));
    bench.put(&entry(), &record("daejeon", 1, Some("first"))).await;
    bench.until("it is stopped", || (cluster.wanted() == 0).then_some(())).await;
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(word(&bench), Some(WorkloadSeen::Running), "a pod may still write");
    cluster.leaves(None);
    let said = |run: &str| WorkloadSeen::StoppedFor(RunId::new(run));
    bench.until("it says so", || (word(&bench)? == said("first")).then_some(())).await;

    // The move is given up before it has raised the epoch, and another one fences the same epoch.
    cluster.leaves(Some("pod writer-1 has not ended"));
    bench.put(&entry(), &record("daejeon", 1, Some("second"))).await;
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(word(&bench), Some(said("first")), "what was said for another move says nothing");
    cluster.leaves(None);
    bench.until("it says so again", || (word(&bench)? == said("second")).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_serves_is_stopped_also_when_it_is_no_member_any_more() {
    let cluster = Cluster::new(1);
    let bench = daejeon(&cluster, &record("daejeon", 1, None)).await;
    bench.until("it runs", || (word(&bench) == Some(WorkloadSeen::Running)).then_some(())).await;
    let ulsan =
        "{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {name: ulsan}, spec: {failureDomain: u}}";
    bench.edit("ulsan", Some(ulsan)).await;
    let without = service("verify", &["names"])
        .replace("  failover:", "  fence: {workload: {name: writer}}\n  failover:")
        .replace("region: daejeon", "region: ulsan");
    bench.edit("verify", Some(&without)).await;
    bench.put(&entry(), &record("daejeon", 1, Some("leave"))).await;
    let stopped = WorkloadSeen::StoppedFor(RunId::new("leave"));
    bench.until("it says that it has stopped", || (word(&bench)? == stopped).then_some(())).await;
}

/// Bongsu in Daegu leads; the words of both other regions are written by the test.
async fn led_from_daegu() -> Bench {
    let limits = "{workload: {name: writer, stopWithin: 60s, startWithin: 1s}}";
    let writer =
        service("verify", &["names"]).replace("  failover:", &format!("  fence: {limits}\n  failover:"));
    let bench = Bench::start(&[("verify", &*writer)]).await;
    bench.until("it serves", || bench.ledger.text(&entry())).await;
    // Until Gwangju has been well for long enough.
    bench.pass(Duration::from_secs(10)).await;
    bench
}

async fn says(bench: &Bench, region: &str, epoch: u64, seen: WorkloadSeen) {
    let workload = Arc::from("Deployment writer");
    let word = WorkloadWord { workload, epoch: Epoch(epoch), seen, by: "test".into() };
    bench.put(&Entry::Workload(region.into(), key("verify")), &word).await;
}

#[tokio::test(start_paused = true)]
async fn the_word_of_a_person_does_not_count_for_the_region_that_the_way_back_leaves() {
    let bench = led_from_daegu().await;
    says(&bench, "daejeon", 1, WorkloadSeen::Running).await;
    bench.put_request("sure", |request| request.writer_stopped = true).await;
    bench.until("it is led there", || (bench.record("verify").epoch == Epoch(2)).then_some(())).await;
    // Nobody says that a pod is ready in Gwangju, so the move is undone; its pods may run all the same.
    bench.until("it goes back", || bench.run("sure").filter(|run| run.compensating())).await;
    bench.pass(Duration::from_secs(5)).await;
    assert_eq!(bench.record("verify").epoch, Epoch(2), "nobody has said that Gwangju has stopped");
    says(&bench, "gwangju", 2, WorkloadSeen::StoppedFor(RunId::new("sure"))).await;
    bench.until("it is back", || (bench.record("verify").epoch == Epoch(3)).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_is_taken_away_under_a_move_ends_the_move_and_not_the_fence() {
    let bench = led_from_daegu().await;
    says(&bench, "daejeon", 1, WorkloadSeen::Running).await;
    bench.put_request("move", |_| ()).await;
    bench.until("it is fenced", || bench.record("verify").fenced.then_some(())).await;
    bench.edit("verify", Some(&service("verify", &["names"]))).await;
    let over = bench.until("it is over", || bench.run("move").filter(|run| run.state.is_over())).await;
    assert!(over.message.contains("spec.fence says nothing of it any more"), "{}", over.message);
    let serving = bench.record("verify").serving;
    assert_eq!(serving, BTreeSet::from([RegionName::new("daejeon")]), "nobody else was let write");
}
