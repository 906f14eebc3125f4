//! The invariants (ARCHITECTURE.md), watched at every change of the ledger and of a name server. Everything here is
//! judged by what truly is in the simulated world, never by what the product says of it.

mod answers;
mod drills;
mod moves;
mod runs;
mod specs;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    moment::Moment,
    names::Held,
    process::Life,
    setup::Setup,
    world::{State, World},
};
use crate::{
    domain::{Epoch, Record, Run, RunId, ServiceKey},
    ports::Key,
    reconcile::Entry,
};

/// What must always be true. The words are those of the design.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Invariant {
    /// Who serves changes only with the epoch, and only one process at a time acts; others bring name servers up to what the
    /// ledger says, and no further.
    OneWriter,
    /// No action leaves nobody serving, and no empty answer is published.
    NeverEmpty,
    /// Load goes only to who can carry it.
    Capacity,
    /// The intent is in the ledger before its effect, and no epoch goes down.
    JournalFirst,
    /// Budgets, cooldown, and no move for somebody else's fault.
    Bulkhead,
    /// A drill starts only where all is well, returns when it must, and says of itself what was.
    DrillYields,
    /// Traffic follows the ledger and nothing else.
    FailStatic,
    /// A missing answer is no answer.
    UnknownIsNotDown,
    /// Nothing is decided or published by a spec that only a minority of regions hold.
    SpecInSync,
    /// What can be served is served, in the time that was promised, and nothing stays in a run.
    Liveness,
}

impl Invariant {
    /// Number and name, as in the design.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneWriter => "I1 one writer",
            Self::NeverEmpty => "I3 never empty",
            Self::Capacity => "I4 capacity",
            Self::JournalFirst => "I5 journal first",
            Self::Bulkhead => "I6 bulkhead",
            Self::DrillYields => "I7 drill yields",
            Self::FailStatic => "I8 fail static",
            Self::UnknownIsNotDown => "I9 unknown is not down",
            Self::SpecInSync => "specs in sync",
            Self::Liveness => "liveness",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A broken invariant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: Moment,
    /// What happened.
    pub what: String,
}

/// What is watched, and what was found.
pub(super) struct Checker {
    pub setup: Arc<Setup>,
    broken: Option<Violation>,
    /// What looked like a violation and is beyond what was promised; the first of it.
    beyond: Option<Violation>,
    words: words::Words,
    pub specs: specs::Specs,
    pub records: BTreeMap<ServiceKey, Record>,
    pub runs: BTreeMap<(Arc<str>, RunId), Noted>,
    /// Runs of drills.
    pub drills: BTreeMap<(Arc<str>, RunId), drills::Noted>,
    /// When each service's cooldown was armed last.
    armed: BTreeMap<ServiceKey, Moment>,
    /// When somebody last edited an object.
    pub edited: Option<Moment>,
    /// How far behind and ahead, in milliseconds, wall clocks were at most: the time between two moments that were written
    /// down is wrong by as much as they are apart, also of one host whose clock was set.
    pub clocks: (i64, i64),
    /// When the leader's lease was ended over its holder's head.
    pub lease_ended: Option<Moment>,
    /// How often an epoch was raised.
    pub moves: usize,
    served: BTreeMap<Key, (Epoch, BTreeSet<IpAddr>)>,
    /// The newest epoch that clients of each service were led to, by any name server.
    pub led: BTreeMap<ServiceKey, Epoch>,
    /// Epoch that each name server was brought to.
    pub named: BTreeMap<(usize, ServiceKey), Epoch>,
}

/// A run as it stands in the ledger, and when it came there.
pub(super) struct Noted {
    pub run: Run,
    pub since: Moment,
    /// When it began to settle, which is all that is left of it then.
    pub settles: Option<Moment>,
    /// When it was over.
    pub over: Option<Moment>,
}

impl Checker {
    pub(super) fn new(setup: Arc<Setup>) -> Self {
        Self {
            setup,
            broken: None,
            beyond: None,
            words: words::Words::default(),
            specs: specs::Specs::default(),
            records: BTreeMap::new(),
            runs: BTreeMap::new(),
            drills: BTreeMap::new(),
            armed: BTreeMap::new(),
            edited: None,
            clocks: (0, 0),
            lease_ended: None,
            moves: 0,
            served: BTreeMap::new(),
            led: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }

    /// How wrong the time between two moments of the ledger can be.
    pub(super) const fn clocks_apart(&self) -> Duration {
        Duration::from_millis(self.clocks.1.abs_diff(self.clocks.0))
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn take(&mut self) -> Option<Violation> {
        self.broken.take()
    }

    pub(super) fn take_beyond(&mut self) -> Option<Violation> {
        self.beyond.take()
    }

    /// Notes the first finding that is beyond the promise; the run goes on.
    pub(super) fn goes_beyond(&mut self, invariant: Invariant, at: Moment, what: String) {
        self.beyond.get_or_insert(Violation { invariant, at, what });
    }

    /// Notes the first violation; the run ends there.
    pub(super) fn breaks(&mut self, invariant: Invariant, at: Moment, what: String) {
        self.broken.get_or_insert(Violation { invariant, at, what });
    }

    pub(super) fn run_of(&self, record: &Record, service: &ServiceKey) -> Option<&Run> {
        let id = record.run.clone()?;
        self.runs.get(&(service.namespace.clone(), id)).map(|noted| &noted.run)
    }
}

impl World {
    /// A process begins something that only the leader may do: it must have made sure a moment ago that it leads.
    pub(super) fn begins_effect(&self, life: Life, what: &str) {
        let now = self.now();
        let state = &mut *self.state();
        if let Some(process) = state.processes.get(life.process)
            && !process.leads(now, state.checker.setup.lease_ttl)
        {
            let what = format!("bongsu in {} begins {what} and does not lead", process.name);
            state.checker.breaks(Invariant::OneWriter, now, what);
        }
    }

    /// A process that does not lead begins to bring a name server up to date: only to the record that it has just found in
    /// the ledger.
    pub(super) fn stands_in(&self, life: Life, service: &ServiceKey, epoch: Epoch) {
        let now = self.now();
        let state = &mut *self.state();
        let Some(process) = state.processes.get(life.process) else { return };
        let read = process.read_epochs.get(&service.to_string());
        if read != Some(&epoch) {
            let what = format!(
                "bongsu in {} leads traffic of {service} to epoch {epoch} in the leader's place; in the ledger it read \
                 {read:?}",
                process.name
            );
            state.checker.breaks(Invariant::OneWriter, now, what);
        }
    }

    /// A process asks for a record. Raising an epoch begins so; whether it led then is looked at when the epoch is raised.
    pub(super) fn reads(&self, life: Life, key: &str) {
        let now = self.now();
        let state = &mut *self.state();
        let ttl = state.checker.setup.lease_ttl;
        let Some(process) = state.processes.get_mut(life.process) else { return };
        let leads = process.leads(now, ttl);
        if let Some(service) = key.strip_prefix("record/") {
            // When it is answered the ledger may hold a newer one.
            let held = state.checker.records.iter().find(|(known, _)| known.to_string() == service);
            if let Some((_, record)) = held {
                process.read_epochs.insert(service.to_owned(), record.epoch);
            }
            match leads {
                true => process.read_unled.remove(service),
                false => process.read_unled.insert(service.to_owned()),
            };
        }
    }

    /// The ledger took a write, or removed a record.
    pub(super) fn ledger_changed(self: &Arc<Self>, life: Life, key: &Key, value: Option<&str>) {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        match (Entry::of(key), value) {
            (Some(Entry::Record(service)), Some(text)) => match serde_json::from_str(text) {
                Ok(record) => state.record_changed(now, life, &service, record),
                Err(error) => state.unreadable(now, key, &error),
            },
            (Some(Entry::Run(namespace, id)), Some(text)) => match serde_json::from_str(text) {
                Ok(run) => {
                    let due = state.due(now, &run);
                    if !state.checker.runs.contains_key(&(namespace.clone(), id.clone())) {
                        state.begun_in_sync(now, life, &run);
                    }
                    state.run_changed(now, (namespace, id), run);
                    drop(guard);
                    due.into_iter().for_each(|deed| deed(self));
                }
                Err(error) => state.unreadable(now, key, &error),
            },
            (Some(Entry::Run(namespace, id)), None) => {
                state.checker.runs.remove(&(namespace, id));
            }
            (Some(Entry::Drill(namespace, id)), Some(text)) => match serde_json::from_str(text) {
                Ok(run) => state.drill_changed(now, (namespace, id), run),
                Err(error) => state.unreadable(now, key, &error),
            },
            (Some(Entry::Verdict(vantage, service)), text) => {
                state.checker.words.spoken(now, (life.process, life.number), &service, text);
                if let Some(text) = text {
                    state.story.tell(now, || told_verdicts(&vantage, &service, text));
                }
            }
            (None, Some(text)) => state.served_changed(now, key, text),
            _ => {}
        }
    }

    /// A name server made an update.
    pub(super) fn name_changed(&self, server: usize, held: &Held) {
        let now = self.now();
        self.state().answer_changed(now, server, held);
    }
}

impl State {
    fn unreadable(&mut self, now: Moment, key: &Key, error: &serde_json::Error) {
        self.checker.breaks(Invariant::JournalFirst, now, format!("{key} cannot be read: {error}"));
    }
}

fn told_verdicts(vantage: &crate::domain::RegionName, service: &ServiceKey, text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let members = value.get("members").and_then(serde_json::Value::as_object);
    let said: Vec<String> = members
        .into_iter()
        .flatten()
        .map(|(region, said)| {
            let verdict = said.get("verdict").and_then(serde_json::Value::as_str).unwrap_or("?");
            format!("{region} {verdict}")
        })
        .collect();
    format!("{vantage} says of {service}: {}", said.join(", "))
}
