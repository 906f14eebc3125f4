//! Publishes through the ledger: Bongsu answers for a delegated zone itself, in every region.
//!
//! `ServedTraffic` writes an answer into the ledger, one record for each route; `NameServer` runs in every region,
//! follows these records and answers from its memory. The writer and the answering servers never talk to each other.

mod book;
mod claim;
mod handler;
mod name_server;
mod record;
mod zones;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    domain::Epoch,
    ports::{
        Answer, Clock, Expect, Key, Ledger, LedgerError, Over, Route, ServedRoute, ServerState, TrafficError,
        Version, Versioned,
    },
};
use claim::Claiming;
pub use name_server::NameServer;
use record::Record;

/// Name under which this adapter speaks of itself.
const SERVER: &str = "served";

/// Longest time of one call. 5 s: some ten calls of a ledger that is well, or one that runs into its own limit and another try; what takes
/// longer says so instead of holding up the pass.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Attempts when others write in between; see the adapter `dns`.
const ATTEMPTS: u32 = 3;

/// The adapter.
pub struct ServedTraffic {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    /// The name of each record of which this process has seen that nobody else has it: one for each route.
    won: Mutex<BTreeMap<Key, String>>,
}

/// A record as it was read, with the version to write under.
struct Held {
    version: Version,
    record: Record,
}

impl ServedTraffic {
    /// An adapter that publishes through this ledger and measures its limit by this clock.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock, won: Mutex::default() }
    }

    fn won(&self) -> MutexGuard<'_, BTreeMap<Key, String>> {
        // Changed by whole inserts only, so it is good even if a holder of the lock panicked.
        self.won.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes by compare-and-set on the record's version; the epoch never goes down.
    ///
    /// # Errors
    /// `Stale`, `Claimed`, `ReadBack` as the port says; `Unreachable` if the ledger did not answer: the write may have
    /// happened.
    pub async fn publish(
        &self,
        route: &Route,
        served: &ServedRoute,
        answer: &Answer,
        over: Over,
    ) -> Result<ServerState, TrafficError> {
        self.within_limit(async {
            let key = record::key(route);
            let wanted = Record::new(route, served, answer);
            for _ in 0..ATTEMPTS {
                let held = self.held(&key).await?;
                refuse_if_stale(held.as_ref(), answer)?;
                if let Some(held) = &held
                    && over.spares(Some(held.record.epoch), answer)
                {
                    return Ok(state(&held.record));
                }
                // Who has won the name need not ask again: whoever wants it too is told so. That the record is there does not
                // show that it has won: whoever wrote it may have died before it asked who else had.
                let has_the_name = held.as_ref().is_some_and(|held| held.record.name == wanted.name)
                    && self.won().get(&key) == Some(&wanted.name);
                let claim = self.claim(&key, &wanted.name);
                if !has_the_name {
                    claim.take().await?;
                }
                if held.as_ref().is_some_and(|held| held.record == wanted) {
                    self.won().insert(key, wanted.name.clone());
                    return Ok(state(&wanted));
                }
                if let Some(version) = self.put(&key, &wanted, held.as_ref()).await? {
                    if !has_the_name {
                        let asked = claim.still_holds().await;
                        // A ledger that does not answer says nothing of whose the name is: what was written stays.
                        if matches!(asked, Err(TrafficError::Claimed { .. })) {
                            self.take_back(&key, version, held.as_ref()).await?;
                        }
                        asked?;
                        self.note_won(&key, &wanted.name, held.as_ref()).await;
                    }
                    return self.read_back(&key, &wanted, answer).await;
                }
            }
            Err(contended(&key))
        })
        .await
    }

    /// Reads what the ledger holds for the route.
    ///
    /// # Errors
    /// `Unreachable` if the ledger did not answer: nothing is known. `Refused` if its record cannot be read.
    pub async fn read(&self, route: &Route, _served: &ServedRoute) -> Result<ServerState, TrafficError> {
        self.within_limit(async {
            let held = self.held(&record::key(route)).await?;
            Ok(held.map_or_else(nothing, |held| state(&held.record)))
        })
        .await
    }

    /// Puts the record of the route as it is, by compare-and-set on its version.
    ///
    /// # Errors
    /// `Refused` if the ledger holds no record of the route, or one that cannot be read; `Unreachable` if it did not answer.
    pub async fn rehearse(&self, route: &Route) -> Result<ServerState, TrafficError> {
        self.within_limit(async {
            let key = record::key(route);
            for _ in 0..ATTEMPTS {
                let Some(found) = self.ledger.get(&key).await.map_err(unreachable)? else {
                    return Err(unpublished(&key));
                };
                let record = parsed(&key, &found)?;
                // As it was read, not as this version would write it: a newer one may have put more into it.
                match self.ledger.put(&key, &found.value, Expect::Version(found.version)).await {
                    Ok(_) => return Ok(state(&record)),
                    Err(LedgerError::Conflict { .. }) => {}
                    Err(error) => return Err(unreachable(error)),
                }
            }
            Err(contended(&key))
        })
        .await
    }

    async fn within_limit(
        &self,
        call: impl Future<Output = Result<ServerState, TrafficError>>,
    ) -> Result<ServerState, TrafficError> {
        tokio::select! {
            biased;
            result = call => result,
            () = self.clock.sleep(CALL_LIMIT) => {
                let what = "publish through the ledger".to_owned();
                Err(unreachable(LedgerError::Timeout { what, limit: CALL_LIMIT }))
            }
        }
    }

    async fn held(&self, key: &Key) -> Result<Option<Held>, TrafficError> {
        let Some(found) = self.ledger.get(key).await.map_err(unreachable)? else { return Ok(None) };
        Ok(Some(Held { version: found.version, record: parsed(key, &found)? }))
    }

    /// `None`: somebody else wrote in between.
    async fn put(
        &self,
        key: &Key,
        wanted: &Record,
        held: Option<&Held>,
    ) -> Result<Option<Version>, TrafficError> {
        let expect = held.map_or(Expect::Absent, |held| Expect::Version(held.version));
        match self.ledger.put(key, &wanted.json(), expect).await {
            Ok(version) => Ok(Some(version)),
            Err(LedgerError::Conflict { .. }) => Ok(None),
            Err(error) => Err(unreachable(error)),
        }
    }

    async fn read_back(
        &self,
        key: &Key,
        wanted: &Record,
        answer: &Answer,
    ) -> Result<ServerState, TrafficError> {
        let held = self.held(key).await?;
        refuse_if_stale(held.as_ref(), answer)?;
        match held {
            Some(held) if held.record == *wanted => Ok(state(wanted)),
            other => Err(TrafficError::ReadBack {
                server: SERVER.to_owned(),
                found: other.map_or_else(|| "nothing".to_owned(), |held| held.record.json()),
            }),
        }
    }

    fn claim<'a>(&'a self, record: &'a Key, name: &'a str) -> Claiming<'a> {
        Claiming { ledger: self.ledger.as_ref(), record, name }
    }

    /// Undoes a write: another service has the name.
    async fn take_back(
        &self,
        key: &Key,
        version: Version,
        before: Option<&Held>,
    ) -> Result<(), TrafficError> {
        let undone = match before {
            None => self.ledger.delete(key, version).await,
            Some(held) => self.ledger.put(key, &held.record.json(), Expect::Version(version)).await.map(drop),
        };
        undone.map_err(unreachable)
    }

    async fn note_won(&self, key: &Key, name: &str, before: Option<&Held>) {
        self.won().insert(key.clone(), name.to_owned());
        let other = before.map(|held| held.record.name.as_str()).filter(|other| *other != name);
        // A claim that stays behind is in nobody's way: whoever wants the name sees that no record has it.
        if let Some(other) = other
            && let Err(error) = self.claim(key, other).give_back().await
        {
            tracing::warn!(%key, name = other, %error, "the claim to a name that is not served any more stays");
        }
    }
}

fn refuse_if_stale(held: Option<&Held>, answer: &Answer) -> Result<(), TrafficError> {
    match held.map(|held| held.record.epoch) {
        Some(held) if held > answer.epoch() => {
            Err(TrafficError::Stale { server: SERVER.to_owned(), held, tried: answer.epoch() })
        }
        _ => Ok(()),
    }
}

fn state(record: &Record) -> ServerState {
    published(Some(record.epoch), record.addresses.clone())
}

fn nothing() -> ServerState {
    published(None, BTreeSet::new())
}

fn published(epoch: Option<Epoch>, addresses: BTreeSet<IpAddr>) -> ServerState {
    ServerState { server: SERVER.to_owned(), epoch, addresses }
}

fn parsed(key: &Key, found: &Versioned) -> Result<Record, TrafficError> {
    Record::parse(&found.value).map_err(|cause| TrafficError::Refused {
        server: SERVER.to_owned(),
        answer: format!("a record that cannot be read ({cause})"),
        remedy: format!("look at {key} in the ledger; a newer Bongsu may have written it"),
    })
}

fn unpublished(key: &Key) -> TrafficError {
    TrafficError::Refused {
        server: SERVER.to_owned(),
        answer: format!("that there is no {key} in the ledger"),
        remedy: "wait until the condition TrafficInSync of the service is true".to_owned(),
    }
}

fn contended(key: &Key) -> TrafficError {
    TrafficError::Refused {
        server: SERVER.to_owned(),
        answer: format!("that {key} changed during {ATTEMPTS} attempts"),
        remedy: "find out what else writes it and stop it".to_owned(),
    }
}

fn unreachable(error: LedgerError) -> TrafficError {
    TrafficError::Unreachable {
        server: SERVER.to_owned(),
        cause: format!(
            "the ledger, {error}: name servers go on with the last answer; look at the ledger's members"
        ),
    }
}
