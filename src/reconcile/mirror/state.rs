//! How records of the ledger change what is seen of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use tracing::warn;

use super::{REGION_LEASE, Seen, State, Verdicts, keep_newer};
use crate::{
    domain::{DrillPhase, DrillRun, LastPassed, Run, ServiceKey},
    ports::{Key, Versioned},
    reconcile::book::{self, Entry, RequestEntry},
};

impl State {
    pub(super) fn verdicts(&self) -> Verdicts<'_> {
        let alive = self.leases.iter().filter(|lease| lease.alive);
        let holders = alive.filter_map(|lease| {
            Some((lease.name.strip_prefix(REGION_LEASE)?, (lease.holder.as_ref()?, lease.term)))
        });
        Verdicts { leases: &self.leases, said: &self.verdicts, holders: holders.collect() }
    }

    /// Takes in a record; the services that it is news of.
    pub(super) fn put(&mut self, key: &Key, value: &Versioned) -> BTreeSet<ServiceKey> {
        let Some(entry) = Entry::of(key) else { return BTreeSet::new() };
        let touched = match entry {
            Entry::Record(service) => {
                let read = self.read(key, value);
                // One that cannot be read is news too: it is told on its service.
                let newer = read.is_none_or(|record| keep_newer(&mut self.records, service.clone(), record));
                Some((service, newer))
            }
            Entry::Run(_, id) => self.read::<Run>(key, value).map(|run| {
                let service = run.1.service.clone();
                let runs = self.runs.entry(service.clone()).or_default();
                let newer = keep_newer(runs, id.clone(), run);
                if let Some((_, kept)) = runs.get(&id) {
                    self.moves.note(kept);
                }
                (service, newer)
            }),
            Entry::Request(namespace, id) => self.read::<RequestEntry>(key, value).map(|request| {
                let service = request.1.service.clone();
                let newer = keep_newer(&mut self.requests, (namespace, id), request);
                (service, newer)
            }),
            Entry::Drill(namespace, id) => {
                let Some(run) = self.read::<DrillRun>(key, value) else { return BTreeSet::new() };
                self.passed.take(&run.1);
                // What it wants done comes as requests; when it is over, its services are fresher than before.
                let over = run.1.phase == DrillPhase::Over;
                let services = run.1.services.iter().map(|drilled| drilled.service.clone()).collect();
                let newer = keep_newer(&mut self.drills, (namespace, id), run);
                return if newer && over { services } else { BTreeSet::new() };
            }
            Entry::Spec(region, service) => self.read(key, value).map(|mark| {
                let newer = keep_newer(self.specs.entry(service.clone()).or_default(), region, mark);
                (service, newer)
            }),
            Entry::Verdict(vantage, service) => self.read(key, value).map(|said| {
                let newer = keep_newer(self.verdicts.entry(service.clone()).or_default(), vantage, said);
                (service, newer)
            }),
            Entry::Trial(service) => self
                .read(key, value)
                .map(|trial| (service.clone(), keep_newer(&mut self.trials, service, trial))),
            other => {
                self.put_apart(other, key, value);
                None
            }
        };
        touched.into_iter().filter(|(_, newer)| *newer).map(|(service, _)| service).collect()
    }

    /// Takes in what is news of no service.
    fn put_apart(&mut self, entry: Entry, key: &Key, value: &Versioned) {
        match entry {
            Entry::Report(namespace, id) => {
                let kept = self.reports.entry((namespace, id)).or_insert(value.version);
                *kept = value.version.max(*kept);
            }
            Entry::Leader => {
                if let Some(lead) = self.read(key, value) {
                    self.lead = Some(lead);
                }
            }
            Entry::Draw(namespace, drill) => {
                if let Some(draw) = self.read(key, value) {
                    keep_newer(&mut self.draws, (namespace, drill), draw);
                }
            }
            Entry::Identity(region) => {
                if let Some(identity) = self.read(key, value) {
                    keep_newer(&mut self.identities, region, identity);
                }
            }
            Entry::Standing(region) => {
                if let Some(standing) = self.read(key, value) {
                    keep_newer(&mut self.standings, region, standing);
                }
            }
            // Read from the ledger by the run that waits for it, and not from here.
            Entry::Workload(..)
            | Entry::Record(_)
            | Entry::Run(..)
            | Entry::Request(..)
            | Entry::Drill(..)
            | Entry::Spec(..)
            | Entry::Trial(_)
            | Entry::Verdict(..) => {}
        }
    }

    /// A record that cannot be read, because a newer version wrote it or a person edited it, is kept apart and told:
    /// it must neither stop the others nor look like a record that is not there.
    fn read<T: DeserializeOwned>(&mut self, key: &Key, value: &Versioned) -> Option<Seen<T>> {
        let newer = book::newer_schema(&value.value);
        let read = match newer {
            Some(cause) => Err(cause),
            None => serde_json::from_str(&value.value).map_err(|error| error.to_string()),
        };
        match read {
            Ok(read) => {
                self.unreadable.remove(key);
                Some((value.version, Arc::new(read)))
            }
            Err(error) => {
                warn!(%key, %error, "a record of the ledger cannot be read by this version");
                self.unreadable.insert(key.clone(), error);
                None
            }
        }
    }

    /// Takes in that a record is gone; the services that this is news of.
    pub(super) fn remove(&mut self, key: &Key) -> BTreeSet<ServiceKey> {
        self.unreadable.remove(key);
        let service = match Entry::of(key) {
            None | Some(Entry::Workload(..)) => None,
            Some(Entry::Record(service)) => self.records.remove(&service).map(|_| service),
            Some(Entry::Run(namespace, id)) => {
                // The key does not name the service, so those of the namespace are asked.
                let first = ServiceKey { namespace: namespace.clone(), name: Arc::from("") };
                let mut there =
                    self.runs.range_mut(first..).take_while(|(key, _)| key.namespace == namespace);
                there.find_map(|(key, runs)| runs.remove(&id).map(|_| key.clone())).inspect(|service| {
                    self.moves.forget(service, &id);
                })
            }
            Some(Entry::Request(namespace, id)) => {
                self.requests.remove(&(namespace, id)).map(|(_, request)| request.service.clone())
            }
            Some(Entry::Drill(namespace, id)) => {
                self.drills.remove(&(namespace, id));
                self.passed = LastPassed::of(self.drills.values().map(|(_, run)| &**run));
                None
            }
            Some(Entry::Report(namespace, id)) => {
                self.reports.remove(&(namespace, id));
                None
            }
            Some(Entry::Leader) => {
                self.lead = None;
                None
            }
            Some(Entry::Draw(namespace, drill)) => {
                self.draws.remove(&(namespace, drill));
                None
            }
            Some(Entry::Spec(region, service)) => {
                let specs = self.specs.get_mut(&service);
                let gone = specs.and_then(|specs| specs.remove(&region));
                if self.specs.get(&service).is_some_and(BTreeMap::is_empty) {
                    self.specs.remove(&service);
                }
                gone.map(|_| service)
            }
            Some(Entry::Trial(service)) => self.trials.remove(&service).map(|_| service),
            Some(Entry::Identity(region)) => {
                self.identities.remove(&region);
                None
            }
            Some(Entry::Standing(region)) => {
                self.standings.remove(&region);
                None
            }
            Some(Entry::Verdict(vantage, service)) => {
                self.verdicts.get_mut(&service).and_then(|said| said.remove(&vantage)).map(|_| service)
            }
        };
        service.into_iter().collect()
    }
}
