//! Writing on without the ledger, while every other region promises not to end the lease (I8, ADR 14).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream::BoxStream};
use tracing::warn;

use super::{
    door::{Door, Opening},
    standing::Standing,
};
use crate::{
    domain::{Identity, PromiseRequest, Promiser, Promisers, RegionName, ServiceKey, Term, writer_lease},
    planted::planted,
    ports::{Agents, Change, Clock, Expect, Key, Ledger, LedgerError, Under, Version, promisers},
};

/// Time between two rounds of questions after one that was not answered with yes by all.
const AGAIN: Duration = Duration::from_millis(300);

/// Whom a gate may ask, and what the ledger says of that.
pub struct Promised {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Asks the others; `None`: the gate has no fail-safe mode.
    pub agents: Option<Arc<dyn Agents>>,
    /// This host's clock.
    pub clock: Arc<dyn Clock>,
    /// What the writer writes for.
    pub service: ServiceKey,
    /// Where the writer is.
    pub region: RegionName,
    /// The gate.
    pub identity: Identity,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The processes that speak for the other regions.
    others: BTreeMap<RegionName, Promiser>,
    /// What the ledger is known to hold of this gate.
    written: Option<Promisers>,
    /// The version of what the ledger holds, of whichever gate.
    there: Option<Version>,
    /// What it may hold besides: a write whose answer did not come.
    perhaps: Vec<Promisers>,
    /// The term in which no promise to an earlier gate is left.
    cleared: Option<Term>,
}

impl Promised {
    /// Nobody may be asked yet.
    #[must_use]
    pub fn new(
        (ledger, clock): (Arc<dyn Ledger>, Arc<dyn Clock>),
        agents: Option<Arc<dyn Agents>>,
        (service, region, identity): (ServiceKey, RegionName, Identity),
    ) -> Self {
        Self { ledger, agents, clock, service, region, identity, known: Mutex::default() }
    }

    /// Changes of whom the ledger names as speaking for the regions.
    pub fn changes(&self) -> BoxStream<'static, Change> {
        match self.agents {
            Some(_) => self.ledger.watch(Promiser::KEYS),
            None => futures::stream::pending().boxed(),
        }
    }

    /// Takes in such a change.
    pub fn apply(&self, change: Change) {
        let others = &mut self.known().others;
        match change {
            Change::Reset(all) => {
                others.clear();
                for (key, value) in all {
                    self.take(others, &key, Some(&value.value));
                }
            }
            Change::Put(key, value) => self.take(others, &key, Some(&value.value)),
            Change::Deleted(key) => self.take(others, &key, None),
        }
    }

    fn take(&self, others: &mut BTreeMap<RegionName, Promiser>, key: &Key, value: Option<&str>) {
        let region = key.as_str().strip_prefix(Promiser::KEYS).map(RegionName::new);
        let Some(region) = region.filter(|region| *region != self.region) else { return };
        others.remove(&region);
        match value.map(serde_json::from_str) {
            Some(Ok(promiser)) => {
                others.insert(region, promiser);
            }
            Some(Err(error)) => {
                warn!(%key, %error, "a process that speaks for a region cannot be read: it is not asked")
            }
            None => {}
        }
    }

    /// Makes sure, once in each term of the lease, that no promise to another gate is left.
    ///
    /// # Errors
    /// Why the door must not be opened yet.
    pub async fn clear(&self, term: Term) -> Result<(), String> {
        if self.known().cleared == Some(term) {
            return Ok(());
        }
        let there = self.left_by_another().await?;
        let mut known = self.known();
        (known.cleared, known.there, known.written) = (Some(term), there, None);
        Ok(())
    }

    /// Makes sure that the ledger says whom this gate asks. Only while the door stands open by the lease: who is new has
    /// promised nothing, and may let the lease be ended at once.
    pub async fn say(&self, term: Term) {
        let (wanted, there) = {
            let known = self.known();
            let agents = if self.agents.is_some() { known.others.clone() } else { BTreeMap::new() };
            let wanted = Promisers { gate: self.identity.clone(), term, agents };
            let said = known.written.as_ref() == Some(&wanted);
            if said || known.cleared != Some(term) || (known.there.is_none() && wanted.agents.is_empty()) {
                return;
            }
            (wanted, known.there)
        };
        // The writer writes in any case: without this it only cannot go on when the ledger is lost.
        if let Err(error) = self.write(wanted, there).await {
            warn!(service = %self.service, %error, "whom to ask while the ledger is lost is not written, trying again");
        }
    }

    /// Reads what an earlier gate left, and whether its promises are over. The version of what is there.
    async fn left_by_another(&self) -> Result<Option<Version>, String> {
        let found =
            promisers(self.ledger.as_ref(), &self.service).await.map_err(|error| error.to_string())?;
        if let Some((_, left)) = found.as_ref().filter(|(_, left)| left.gate != self.identity) {
            let wait = self.over(left).await?;
            if !wait.is_zero() {
                return Err(format!("gate {} may still write by a promise, for at most {wait:?}", left.gate));
            }
        }
        Ok(found.map(|(version, _)| version))
    }

    async fn over(&self, left: &Promisers) -> Result<Duration, String> {
        let over = match &self.agents {
            _ if left.agents.is_empty() => return Ok(Duration::ZERO),
            Some(agents) => agents.over(left, &self.service).await,
            None => Err("this gate cannot ask (--agent-ca, --agent-cert and --agent-key)".to_owned()),
        };
        over.map_err(|why| {
            let remedy = "if it is stopped for good, say so with bongsu gate-stopped";
            format!(
                "gate {} may still write by a promise, and nobody says that none is left: {why}; {remedy}",
                left.gate
            )
        })
    }

    async fn write(&self, wanted: Promisers, there: Option<Version>) -> Result<(), LedgerError> {
        let key = Key::new(Promisers::key(&self.service));
        let unavailable = |error: serde_json::Error| LedgerError::Unavailable {
            what: format!("write {key}"),
            cause: error.to_string(),
        };
        let text = serde_json::to_string(&wanted).map_err(unavailable)?;
        let expect = there.map_or(Expect::Absent, Expect::Version);
        // Under the lease, so that what comes late does not stand there for the next gate to wait for.
        let under = Under { lease: writer_lease(&self.service).into(), term: wanted.term };
        self.known().perhaps.push(wanted.clone());
        let written = self.ledger.write(&key, &text, expect, Some(&under)).await;
        let mut known = self.known();
        match &written {
            Ok(version) => {
                known.perhaps.clear();
                (known.written, known.there) = (Some(wanted), Some(*version));
            }
            // It may be there: read again before the next try.
            Err(LedgerError::Timeout { .. }) => known.cleared = None,
            Err(
                LedgerError::Conflict { .. }
                | LedgerError::NotHolder { .. }
                | LedgerError::Unavailable { .. },
            ) => {
                known.perhaps.pop();
                known.cleared = None;
            }
        }
        written.map(drop)
    }

    /// Takes away what the ledger says of this gate, when it writes no more: nobody need wait for its promises.
    pub async fn forget(&self) {
        let (written, there) = {
            let mut known = self.known();
            known.cleared = None;
            (known.written.take(), known.there.take())
        };
        if let Some((_, version)) = written.zip(there)
            && let Err(error) = self.ledger.delete(&Key::new(Promisers::key(&self.service)), version).await
        {
            warn!(service = %self.service, %error, "whom this gate asks stays in the ledger: the next one waits for its promises");
        }
    }

    /// Holds the door open by promises, for ever: while the lease is not renewed in time, and everybody promises.
    pub async fn hold(&self, door: &Door, ttl: Duration, margin: Duration, standing: &Standing) {
        let Some(agents) = &self.agents else { return std::future::pending().await };
        loop {
            let opening = door.opened().await;
            let due = opening.since.plus(if opening.promised { ttl / 3 } else { ttl / 2 });
            let left = due.since(self.clock.tick());
            if !left.is_zero() {
                tokio::select! {
                    biased;
                    _ = door.changed(opening) => {}
                    () = self.clock.sleep(left) => {}
                }
                continue;
            }
            // Counted from before the questions: the promises begin later.
            let since = self.clock.tick();
            match self.ask(agents.as_ref(), opening, ttl).await {
                Ok(by) => {
                    let until = since.plus(ttl.saturating_sub(margin));
                    door.prolong(Opening { since, until, promised: true, ..opening });
                    standing.promised(true);
                    self.tell(
                        standing,
                        format!("the lease is not renewed: the writer goes on by promises of {by}"),
                    );
                }
                Err(why) => {
                    standing.promised(false);
                    self.tell(standing, format!("the lease is not renewed, and not all promise: {why}"));
                    self.clock.sleep(AGAIN).await;
                }
            }
        }
    }

    /// Says what changed, once.
    fn tell(&self, standing: &Standing, text: String) {
        if standing.say_of_promises(&text) {
            warn!(service = %self.service, region = %self.region, "{text}");
        }
    }

    /// Asks all, at the same time. The regions that promised; an error: who did not.
    async fn ask(&self, agents: &dyn Agents, opening: Opening, ttl: Duration) -> Result<String, String> {
        let asked = self.asked(opening.term)?;
        let answers = join_all(asked.iter().map(|(region, promiser)| async move {
            let request = PromiseRequest {
                process: promiser.process.clone(),
                gate: self.identity.clone(),
                service: self.service.clone(),
                epoch: opening.epoch,
                term: opening.term,
                millis: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            };
            agents
                .promise(promiser, &request)
                .await
                .map_err(|error| format!("{region} does not promise: {error}"))
        }));
        let answers = answers.await;
        if planted!(PromisesOfSome) && answers.iter().any(Result::is_ok) {
            return Ok(String::new());
        }
        let refused: Vec<String> = answers.into_iter().filter_map(Result::err).collect();
        // Written meanwhile: who is new has not been asked.
        if self.asked(opening.term)? != asked {
            return Err("whom to ask has changed".to_owned());
        }
        match refused.is_empty() {
            true => {
                let regions: Vec<&str> = asked.iter().map(|(region, _)| region.as_str()).collect();
                Ok(regions.join(" and "))
            }
            false => Err(refused.join("; ")),
        }
    }

    /// Everybody whom the ledger may name for this gate.
    fn asked(&self, term: Term) -> Result<Vec<(RegionName, Promiser)>, String> {
        let known = self.known();
        let written = known.written.as_ref().filter(|written| written.term == term);
        let written = written.ok_or("the ledger does not say yet whom to ask")?;
        let mut asked: Vec<_> = written.agents.clone().into_iter().collect();
        for (region, promiser) in known.perhaps.iter().flat_map(|perhaps| &perhaps.agents) {
            if !asked.iter().any(|(_, known)| known == promiser) {
                asked.push((region.clone(), promiser.clone()));
            }
        }
        if asked.is_empty() {
            return Err("no other region says where its Bongsu is asked (bongsu run --agent-url)".to_owned());
        }
        Ok(asked)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every holder leaves it whole, so it is good even if one panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
