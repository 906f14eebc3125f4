//! Keeps the writer's lease: takes it while the ledger says that this region serves, and gives it back when it does not.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tracing::{info, warn};

use super::{
    door::{Door, Opening},
    promised::Promised,
    standing::Standing,
};
use crate::{
    domain::{Epoch, Identity, Record, RegionName, ServiceKey, Term, Tick, writer_lease},
    planted::planted,
    ports::{Clock, Key, Ledger, LedgerError},
};

/// Time between two tries to take a lease that another gate holds. 500 ms: a lease that is given back is taken at once as
/// a writer sees it, and two reads a second cost the ledger nothing.
const RETRY: Duration = Duration::from_millis(500);

/// Keeps the lease of one writer and its door.
pub struct Keeper {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// This host's clock.
    pub clock: Arc<dyn Clock>,
    /// What the writer writes for.
    pub service: ServiceKey,
    /// Where the writer is.
    pub region: RegionName,
    /// This process; another one each time that it is started.
    pub identity: Identity,
    /// Length of the lease.
    pub ttl: Duration,
    /// What stands in the way of the writer.
    pub door: Arc<Door>,
    /// What it says of itself.
    pub standing: Arc<Standing>,
    /// By which the writer goes on without the ledger.
    pub promised: Promised,
}

/// What the ledger says of the service.
enum Word {
    /// This region serves, under this epoch.
    Serve(Epoch),
    /// It does not, and who does.
    Rest(String),
}

impl Keeper {
    /// How long before the end of the lease the door shuts: a fifth, as for every lease. What was sent through it before
    /// has arrived by then.
    #[must_use]
    pub fn margin(ttl: Duration) -> Duration {
        ttl / 5
    }

    /// The shortest lease for a ledger whose calls may take this long, in tenths of a second: a renewal each third of it
    /// must fit, and the margin.
    #[must_use]
    pub fn shortest_ttl(call: Duration) -> Duration {
        // ttl - ttl / 5 - ttl / 3 >= call
        let tenths = (call * 15 / 7).as_millis().div_ceil(100);
        Duration::from_millis(u64::try_from(tenths).unwrap_or(u64::MAX).saturating_mul(100))
    }

    /// Keeps the lease until `stop`, then shuts the door and gives the lease back.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.follow(stop) => {}
            () = self.promised.hold(&self.door, self.ttl, Self::margin(self.ttl), &self.standing) => {}
        }
        self.give_back("the gate is told to stop").await;
    }

    async fn follow(&self, stop: impl Future<Output = ()>) {
        let mut changes = self.ledger.watch(record(&self.service).as_str());
        let mut others = self.promised.changes();
        let mut held = None;
        tokio::pin!(stop);
        loop {
            let wait = self.look(&mut held).await;
            tokio::select! {
                biased;
                () = &mut stop => return,
                _ = changes.next() => {}
                Some(change) = others.next() => self.promised.apply(change),
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// One look at the ledger; the time until the next.
    async fn look(&self, held: &mut Option<Term>) -> Duration {
        // Counted from before the first call: the ledger's own count starts later.
        let sent_at = self.clock.tick();
        match self.word().await {
            Ok(Word::Serve(epoch)) => self.renew(sent_at, epoch, held).await,
            Ok(Word::Rest(why)) => {
                *held = None;
                self.give_back(&why).await;
                self.ttl / 3
            }
            Err(error) => {
                // The door shuts by itself: the writer goes on until then, because a ledger that is away for less than
                // a lease is no reason to stop.
                self.tell(&format!("the ledger does not answer: {error}"));
                RETRY
            }
        }
    }

    async fn renew(&self, sent_at: Tick, epoch: Epoch, held: &mut Option<Term>) -> Duration {
        let lease = writer_lease(&self.service);
        match self.ledger.acquire(&lease, &self.identity, self.ttl).await {
            // Taken anew: what was read before may have been taken back while the lease was free. Read once more.
            Ok(Some(term)) if *held != Some(term) && !planted!(GateOpensUnseen) => {
                *held = Some(term);
                Duration::ZERO
            }
            Ok(Some(term)) => {
                self.standing.count(|renewals| &mut renewals.granted);
                if let Err(why) = self.promised.clear(term).await {
                    self.tell(&format!("the lease is held, and the door stays as it is: {why}"));
                    return RETRY;
                }
                let until = sent_at.plus(self.ttl.saturating_sub(Self::margin(self.ttl)));
                self.door.open(Opening { until, since: sent_at, epoch, term, promised: false });
                self.tell(&format!("{} writes under epoch {epoch}", self.region));
                self.standing.say_of_promises("");
                self.promised.say(term).await;
                self.ttl / 3
            }
            Ok(None) => {
                self.standing.count(|renewals| &mut renewals.refused);
                self.door.shut();
                self.tell("another gate holds the lease: waiting until it ends");
                RETRY
            }
            Err(error) => {
                self.standing.count(|renewals| &mut renewals.unanswered);
                self.tell(&format!("the lease is not renewed: {error}"));
                RETRY
            }
        }
    }

    /// Shuts the door and waits until the writer has ended, so that nothing is written under a lease that another may hold.
    async fn give_back(&self, why: &str) {
        self.door.shut();
        self.tell(&format!("the door is shut: {why}"));
        tokio::select! {
            biased;
            () = self.door.vacated() => {}
            () = self.clock.sleep(self.ttl) => {
                return warn!("the writer has not ended: the lease is not given back, it runs out by itself");
            }
        }
        self.promised.forget().await;
        if let Err(error) = self.ledger.release(&writer_lease(&self.service), &self.identity).await {
            warn!(%error, "the lease is not given back, it runs out by itself");
        }
    }

    async fn word(&self) -> Result<Word, LedgerError> {
        let key = record(&self.service);
        let found = self.ledger.get(&key).await?;
        self.standing.answered(self.clock.tick());
        let Some(found) = found else {
            let why = format!("the ledger does not know {}: is its SharedService applied?", self.service);
            return Ok(Word::Rest(why));
        };
        let record: Record =
            serde_json::from_str(&found.value).map_err(|error| LedgerError::Unavailable {
                what: format!("read {key}"),
                cause: format!("{error}: run a gate of the version that wrote it"),
            })?;
        if record.fenced {
            return Ok(Word::Rest(format!("epoch {} is fenced: a move is under way", record.epoch)));
        }
        if record.serving.contains(&self.region) {
            return Ok(Word::Serve(record.epoch));
        }
        let serving: Vec<&str> = record.serving.iter().map(RegionName::as_str).collect();
        Ok(Word::Rest(format!("{} serves under epoch {}", serving.join(" and "), record.epoch)))
    }

    /// Says what changed, once.
    fn tell(&self, text: &str) {
        if self.standing.say(text) {
            info!(service = %self.service, region = %self.region, "{text}");
        }
    }
}

fn record(service: &ServiceKey) -> Key {
    Key::new(format!("record/{service}"))
}
