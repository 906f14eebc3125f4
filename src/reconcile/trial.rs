//! Whether the name servers of a service would take an update: tried all the time by the leader, by an update that changes
//! nothing. What came of it stands in the ledger, so that every region says the same of it and a new leader knows it.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tracing::warn;

use super::{
    agent::Agent,
    book::{Entry, SpecSource, TrialEntry},
    catalog::Catalog,
    parse::Parsed,
    schedule::Schedule,
};
use crate::{
    domain::{Looked, ServiceKey, Tick},
    ports::{Expect, LedgerError},
};

/// Time between two looks at whose turn it is. Nothing waits for it.
const TRIAL_LOOK: Duration = Duration::from_secs(10);

/// Time between two trials of a service. A key that somebody has changed is found within half of the half hour within which an
/// inspection shall find it, and ten thousand services cost their name servers eleven updates a second.
const TRIAL_INTERVAL: Duration = Duration::from_secs(900);

/// The same after one that went wrong: who repairs it should see that it is.
const WRONG_INTERVAL: Duration = Duration::from_secs(60);

/// Services that are tried at the same time. 16: at 20 ms for an update ten thousand that are all new have been tried within a
/// quarter of a minute of calls, and a name server that hangs holds up few.
const TRIALS: usize = 16;

impl Agent {
    /// Tries what is due, until the process ends.
    pub(super) async fn try_traffic(self: Arc<Self>) {
        loop {
            self.ports.clock.sleep(TRIAL_LOOK).await;
            if self.mirror.is_ready() && self.is_leader() && self.source() == Some(SpecSource::Cluster) {
                self.try_due(&self.catalog()).await;
            }
        }
    }

    async fn try_due(&self, catalog: &Catalog) {
        self.shared().tried.retain(|service, _| catalog.services.contains_key(service));
        self.forget_trials(catalog).await;
        let now = self.ports.clock.tick();
        let parsed = catalog.services.keys().filter_map(|key| catalog.parsed(key));
        let due: Vec<_> = parsed.filter(|parsed| self.is_trial_due(parsed, now)).cloned().collect();
        let trials = futures::stream::iter(due);
        trials.for_each_concurrent(TRIALS, |parsed| async move { self.try_one(&parsed).await }).await;
    }

    /// One that nobody has tried is tried now. One that another leader has tried waits for its turn. Where a name server is
    /// behind or silent that is told already, and nobody waits for it once more.
    fn is_trial_due(&self, parsed: &Parsed, now: Tick) -> bool {
        let service = &parsed.service.key;
        let rests = self.mirror.record(service).is_some_and(|(_, record)| record.run.is_none());
        if parsed.routes.is_empty() || !rests || !self.is_in_step(parsed) {
            return false;
        }
        let known = self.mirror.trial(service);
        let Some((_, known)) = known else { return true };
        let last = *self.shared().tried.entry(service.clone()).or_insert(now);
        match known.wrong.is_empty() {
            true => {
                let turns = Schedule::new(TRIAL_INTERVAL, service, &self.settings.region, "trial");
                turns.next(last, Some(last)) <= now
            }
            false => now.since(last) >= WRONG_INTERVAL,
        }
    }

    /// Whether every name server showed at the last look what it should.
    fn is_in_step(&self, parsed: &Parsed) -> bool {
        let shared = self.shared();
        let seen = shared.routes.get(&parsed.service.key);
        let shows = |name| seen.and_then(|seen| seen.get(name)).is_some_and(|seen| seen.behind.is_empty());
        parsed.routes.keys().all(shows)
    }

    async fn try_one(&self, parsed: &Parsed) {
        let service = &parsed.service.key;
        let record = || self.mirror.record(service).map(|(version, _)| version);
        let before = record();
        let wrong = self.rehearse(parsed).await;
        self.shared().tried.insert(service.clone(), self.ports.clock.tick());
        // A move that began meanwhile made the update stale, and another leader tries it itself.
        if record() == before
            && self.is_leader()
            && let Err(error) = self.note_trial(service, TrialEntry { wrong }).await
        {
            warn!(%service, %error, "what came of trying the name servers is not written down");
        }
    }

    async fn note_trial(&self, service: &ServiceKey, found: TrialEntry) -> Result<(), LedgerError> {
        let expect = match self.mirror.trial(service) {
            Some((_, known)) if *known == found => return Ok(()),
            Some((version, _)) => Expect::Version(version),
            None => Expect::Absent,
        };
        let entry = Entry::Trial(service.clone());
        match self.put_as_leader(&entry, &found, expect).await {
            Ok(version) => self.mirror.wrote(&entry, version, &found),
            // The watch brings what somebody else wrote.
            Err(LedgerError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        self.queue.push(service.clone(), self.ports.clock.tick());
        Ok(())
    }

    /// Of services that are gone nothing is left.
    async fn forget_trials(&self, catalog: &Catalog) {
        for (service, version) in self.mirror.trials() {
            if catalog.services.contains_key(&service) {
                continue;
            }
            let entry = Entry::Trial(service);
            match self.ports.ledger.delete(&entry.key(), version).await {
                Ok(()) => self.mirror.deleted(&entry),
                Err(error) => warn!(key = %entry.key(), %error, "not removed, trying again"),
            }
        }
    }

    /// What the last trial said.
    pub(super) fn trial(&self, parsed: &Parsed) -> Looked {
        match self.mirror.trial(&parsed.service.key) {
            _ if parsed.routes.is_empty() => Looked::Nothing,
            None => Looked::NotYet,
            Some((_, found)) if found.wrong.is_empty() => Looked::Fine,
            Some((_, found)) => Looked::Wrong(found.wrong.join("; ")),
        }
    }
}
