//! Watches the Bongsus and the ledger from outside, and tells what changes. Touches nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::{
    event::{Event, RuleSaid},
    world::{region_of, service_key},
};
use crate::{
    api::SharedServiceStatus,
    domain::{DrillRun, Epoch, Record, RegionName, Run, StepState, Tick},
    ports::{Change, Clock, Key, Ledger, Versioned},
    reconcile::Agent,
};

/// Time between two looks: a clock that is read this way is late by at most this.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Every Bongsu that lives, in the order in which they are asked for the common view. Changed at the fault.
pub(super) type Alive = Arc<Mutex<Vec<(RegionName, Arc<Agent>)>>>;

type Events = mpsc::UnboundedSender<(Tick, Event)>;

/// Looks at the Bongsus for ever.
pub(super) async fn watch_agents(clock: Arc<dyn Clock>, alive: Alive, events: Events) {
    let mut seen = Seen::default();
    loop {
        let agents = alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for event in seen.look(&agents) {
            let _ended = events.send((clock.tick(), event));
        }
        // Held only for one look: a lost Bongsu must be gone.
        drop(agents);
        clock.sleep(LOOK_EVERY).await;
    }
}

#[derive(Default)]
struct Seen {
    leader: Option<RegionName>,
    leases: BTreeMap<RegionName, bool>,
    verdicts: BTreeMap<(String, String), String>,
    health: BTreeMap<String, String>,
    next: Option<(String, String)>,
}

impl Seen {
    fn look(&mut self, agents: &[(RegionName, Arc<Agent>)]) -> Vec<Event> {
        let mut events = Vec::new();
        let leader = agents.iter().find(|(_, agent)| agent.is_leader()).map(|(region, _)| region.clone());
        if self.leader != leader {
            self.leader.clone_from(&leader);
            events.push(Event::Leader { region: leader });
        }
        let Some((_, agent)) = agents.last() else { return events };
        let overview = agent.overview();
        let leases = overview.get("vantages").cloned().and_then(|value| serde_json::from_value(value).ok());
        self.leases(leases.unwrap_or_default(), &mut events);
        if let Some(status) = status(&overview) {
            self.service(&status, &mut events);
        }
        events
    }

    fn leases(&mut self, now: BTreeMap<RegionName, bool>, events: &mut Vec<Event>) {
        for (region, alive) in now {
            if self.leases.insert(region.clone(), alive) != Some(alive) {
                events.push(Event::Lease { region, alive });
            }
        }
    }

    fn service(&mut self, status: &SharedServiceStatus, events: &mut Vec<Event>) {
        for member in &status.members {
            for said in &member.vantages {
                let key = (said.vantage.clone(), member.region.clone());
                let (vantage, verdict) = (said.vantage.clone(), said.verdict.clone());
                if changed(&mut self.verdicts, key, &verdict) {
                    let (member, reason) = (member.region.clone(), said.reason.clone());
                    events.push(Event::Verdict { vantage, member, verdict, reason });
                }
            }
            if changed(&mut self.health, member.region.clone(), &member.health) {
                events.push(Event::Health { member: member.region.clone(), health: member.health.clone() });
            }
        }
        // While a move is going on, the next one waits for it; that is no news.
        let next = status.next_move.as_ref().filter(|_| status.run.is_none());
        let next = next.map(|next| (next.outcome.clone(), next.message.clone()));
        if let Some((outcome, message)) = next.clone().filter(|_| next != self.next) {
            self.next = next;
            events.push(Event::NextMove { outcome, message });
        }
    }
}

/// `true` if it is another word than before. The first `Unknown` is no change.
fn changed<K: Ord>(before: &mut BTreeMap<K, String>, key: K, now: &str) -> bool {
    let old = before.insert(key, now.to_owned());
    old.as_deref().unwrap_or("Unknown") != now
}

/// The status of the service in what `/status` shows.
fn status(overview: &Value) -> Option<SharedServiceStatus> {
    let services = overview.get("services")?.as_array()?;
    let key = service_key().to_string();
    let ours = services.iter().find(|entry| entry.get("service").and_then(Value::as_str) == Some(&key))?;
    serde_json::from_value(ours.get("status")?.clone()).ok()
}

/// What every rule says now, by a Bongsu that lives.
pub(super) fn rules(agents: &[(RegionName, Arc<Agent>)]) -> Vec<RuleSaid> {
    let status = agents.last().and_then(|(_, agent)| status(&agent.overview()));
    let rules = status.into_iter().flat_map(|status| status.rules);
    rules.map(|r| RuleSaid { rule: r.rule, outcome: r.outcome, message: r.message }).collect()
}

/// Follows the ledger for ever. The move itself is handed on whole, for its times.
pub(super) async fn watch_ledger(
    clock: Arc<dyn Clock>,
    ledger: Arc<dyn Ledger>,
    events: Events,
    runs: watch::Sender<Option<Run>>,
    drills: watch::Sender<Option<DrillRun>>,
) {
    let mut changes = ledger.watch("");
    let mut journal = Journal::default();
    while let Some(change) = changes.next().await {
        let puts = match change {
            Change::Reset(all) => all,
            Change::Put(key, value) => vec![(key, value)],
            Change::Deleted(_) => Vec::new(),
        };
        for (key, value) in puts {
            if key.as_str().starts_with("drill/") {
                let told = journal.drill(&value, &drills);
                told.into_iter().for_each(|event| drop(events.send((clock.tick(), event))));
                continue;
            }
            let told = journal.take(&key, &value, &runs);
            for event in told {
                let _ended = events.send((clock.tick(), event));
            }
        }
    }
}

#[derive(Default)]
struct Journal {
    epoch: Option<Epoch>,
    decided: BTreeSet<String>,
    steps: BTreeMap<(String, usize), StepState>,
    drilled: String,
}

impl Journal {
    fn take(&mut self, key: &Key, value: &Versioned, runs: &watch::Sender<Option<Run>>) -> Vec<Event> {
        let service = service_key();
        if key.as_str() == format!("record/{service}") {
            return serde_json::from_str(&value.value).map(|record| self.record(&record)).unwrap_or_default();
        }
        if !key.as_str().starts_with(&format!("run/{}/", service.namespace)) {
            return Vec::new();
        }
        let Ok(run) = serde_json::from_str::<Run>(&value.value) else { return Vec::new() };
        // The first entry into the ledger is no move.
        if run.plan.change.from.is_empty() {
            return Vec::new();
        }
        let told = self.run(&run);
        runs.send_replace(Some(run));
        told
    }

    fn drill(&mut self, value: &Versioned, drills: &watch::Sender<Option<DrillRun>>) -> Option<Event> {
        let run: DrillRun = serde_json::from_str(&value.value).ok()?;
        let (phase, message) = (run.phase.as_str(), run.message.clone());
        drills.send_replace(Some(run));
        let told = self.drilled != message;
        self.drilled.clone_from(&message);
        told.then_some(Event::Drill { phase, message })
    }

    fn record(&mut self, record: &Record) -> Vec<Event> {
        if self.epoch.replace(record.epoch) == Some(record.epoch) {
            return Vec::new();
        }
        vec![Event::Serving { epoch: record.epoch, regions: record.serving.iter().cloned().collect() }]
    }

    fn run(&mut self, run: &Run) -> Vec<Event> {
        let id = run.id.to_string();
        let mut events = Vec::new();
        if self.decided.insert(id.clone()) {
            let rules = run.rules.iter().cloned();
            events.push(Event::Decision {
                failover: id.clone(),
                by: region_of(&run.owner),
                reason: run.reason.clone(),
                to: run.plan.change.to.iter().cloned().collect(),
                epoch: run.plan.epoch,
                rules: rules.map(|(rule, outcome, message)| RuleSaid { rule, outcome, message }).collect(),
            });
        }
        for (index, record) in run.journal.iter().enumerate() {
            let before = self.steps.insert((id.clone(), index), record.state);
            if before == Some(record.state) || record.state == StepState::Pending {
                continue;
            }
            events.push(Event::Step {
                number: index + 1,
                of: run.journal.len(),
                step: record.step.kind().as_str().to_owned(),
                state: format!("{:?}", record.state).to_lowercase(),
                message: record.message.clone(),
            });
        }
        if run.state.is_over() {
            let state = format!("{:?}", run.state).to_lowercase();
            events.push(Event::Over { state, message: run.message.clone() });
        }
        events
    }
}
