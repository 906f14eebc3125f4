//! Publishes through the ledger: Bongsu answers for a delegated zone itself, in every region.
//!
//! `ServedTraffic` writes an answer into the ledger, one record for each route; `NameServer` runs in every region,
//! follows these records and answers from its memory. The writer and the answering servers never talk to each other.

mod book;
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

use futures::StreamExt;

use crate::{
    domain::Epoch,
    ports::{
        Answer, Change, Clock, Expect, Key, Ledger, LedgerError, Over, Route, ServedRoute, ServerState,
        TrafficError, Version, Versioned,
    },
};
pub use name_server::NameServer;
use record::{PREFIX, Record};

/// Name under which this adapter speaks of itself.
const SERVER: &str = "served";

/// Longest time of one call. 5 s: three attempts of three ledger calls and three to read back, each of which ends within its own limit; a call
/// that takes longer says so instead of holding up the pass.
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
                    && (held.record == wanted || over.spares(Some(held.record.epoch), answer))
                {
                    return Ok(state(&held.record));
                }
                // Who has won the name need not look again: whoever wants it too is told so. To ask for all records at each
                // move would cost a lost region with a thousand names seconds. That the record is there does not show
                // that it has won: whoever wrote it may have died before it looked who else had.
                let has_the_name = held.as_ref().is_some_and(|held| held.record.name == wanted.name)
                    && self.won().get(&key) == Some(&wanted.name);
                if !has_the_name {
                    refuse_if_claimed(self.claimants(&key, &wanted).await?.first())?;
                }
                if let Some(version) = self.put(&key, &wanted, held.as_ref()).await? {
                    if !has_the_name {
                        self.yield_if_beaten(&key, &wanted, version, held.as_ref()).await?;
                        self.won().insert(key.clone(), wanted.name.clone());
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

    /// Two services that claim one name at the same moment both find it free. The one whose key comes first wins in
    /// every name server (see `Book`); the other takes back what it wrote, so that its next attempt finds the name
    /// taken.
    async fn yield_if_beaten(
        &self,
        key: &Key,
        wanted: &Record,
        version: Version,
        before: Option<&Held>,
    ) -> Result<(), TrafficError> {
        let claimants = self.claimants(key, wanted).await?;
        let winner = claimants.iter().find(|(other, _)| other < key);
        if winner.is_some() {
            let undone = match before {
                None => self.ledger.delete(key, version).await,
                Some(held) => {
                    self.ledger.put(key, &held.record.json(), Expect::Version(version)).await.map(drop)
                }
            };
            undone.map_err(unreachable)?;
        }
        refuse_if_claimed(winner)
    }

    /// Records of others that have the same name. The ledger has no list, but a watch begins with one.
    async fn claimants(&self, key: &Key, wanted: &Record) -> Result<Vec<(Key, Record)>, TrafficError> {
        let Some(Change::Reset(records)) = self.ledger.watch(PREFIX).next().await else {
            return Err(unreachable(LedgerError::Unavailable {
                what: format!("list {PREFIX}"),
                cause: "the watch did not begin with the whole content".to_owned(),
            }));
        };
        let others = records.into_iter().filter(|(other, _)| other != key);
        let parsed = others.filter_map(|(other, found)| Some((other, Record::parse(&found.value).ok()?)));
        Ok(parsed.filter(|(_, other)| other.name == wanted.name).collect())
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

fn refuse_if_claimed(by: Option<&(Key, Record)>) -> Result<(), TrafficError> {
    match by {
        Some((_, other)) => {
            Err(TrafficError::Claimed { server: SERVER.to_owned(), owner: other.service.to_string() })
        }
        None => Ok(()),
    }
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
