//! A ledger in this process: for `bongsu demo`, `bongsu run --manifests` and tests. What it holds is gone with the process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::broadcast;

use super::not_holder;
use crate::{
    domain::{Identity, Term, Tick},
    ports::{Change, Clock, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned},
};

/// Changes that a slow watcher may be behind before it gets a `Reset` instead. 4096 is four changes for each of a
/// thousand services.
const WATCH_BUFFER: usize = 4096;

/// The ledger. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct MemoryLedger {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Change>,
}

#[derive(Default)]
struct State {
    last_version: u64,
    records: BTreeMap<Key, Versioned>,
    leases: BTreeMap<String, Lease>,
}

struct Lease {
    holder: Option<Identity>,
    term: Term,
    ends: Tick,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Arc::default(), changes: broadcast::channel(WATCH_BUFFER).0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is changed by whole assignments only, so it is good even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn everything(&self, prefix: &str) -> Change {
        let state = self.state();
        let below = state.records.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
        Change::Reset(below.map(|(key, record)| (key.clone(), record.clone())).collect())
    }
}

impl State {
    fn is_held(&self, under: &Under) -> bool {
        let lease = self.leases.get(&*under.lease);
        lease.is_some_and(|lease| lease.holder.is_some() && lease.term == under.term)
    }
}

/// Whether a change is about a key below the prefix.
fn concerns(change: &Change, prefix: &str) -> bool {
    match change {
        Change::Reset(_) => true,
        Change::Put(key, _) | Change::Deleted(key) => key.as_str().starts_with(prefix),
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        Ok(self.state().records.get(key).cloned())
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        let mut state = self.state();
        if let Some(under) = under.filter(|under| !state.is_held(under)) {
            return Err(not_holder(key, under));
        }
        let holds = match (expect, state.records.get(key)) {
            (Expect::Absent, None) => true,
            (Expect::Version(wanted), Some(found)) => found.version == wanted,
            (Expect::Absent, Some(_)) | (Expect::Version(_), None) => false,
        };
        if !holds {
            return Err(LedgerError::Conflict { key: key.to_string() });
        }
        state.last_version += 1;
        let version = Version(state.last_version);
        let record = Versioned { version, value: Arc::from(value) };
        state.records.insert(key.clone(), record.clone());
        // Sent under the lock, so that watchers see the changes in the order of the versions. Nobody listening is fine.
        let _ = self.changes.send(Change::Put(key.clone(), record));
        Ok(version)
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        let mut state = self.state();
        match state.records.get(key) {
            None => Ok(()),
            Some(found) if found.version == version => {
                state.records.remove(key);
                let _ = self.changes.send(Change::Deleted(key.clone()));
                Ok(())
            }
            Some(_) => Err(LedgerError::Conflict { key: key.to_string() }),
        }
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        let prefix = prefix.to_owned();
        // Subscribed before the first read: a change in between is seen twice, never missed.
        let receiver = self.changes.subscribe();
        let first = self.everything(&prefix);
        let rest = stream::unfold((self.clone(), receiver), move |(ledger, mut receiver)| {
            let prefix = prefix.clone();
            async move {
                loop {
                    match receiver.recv().await {
                        Ok(change) if concerns(&change, &prefix) => {
                            return Some((change, (ledger, receiver)));
                        }
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => {
                            receiver = receiver.resubscribe();
                            return Some((ledger.everything(&prefix), (ledger, receiver)));
                        }
                        Err(broadcast::error::RecvError::Closed) => return None,
                    }
                }
            }
        });
        stream::once(std::future::ready(first)).chain(rest).boxed()
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        let now = self.clock.tick();
        let mut state = self.state();
        let before = state.leases.get(lease);
        let held = before.filter(|held| held.ends > now).and_then(|held| held.holder.as_ref());
        if held.is_some_and(|other| other != holder) {
            return Ok(None);
        }
        let last = before.map_or(0, |before| before.term.0);
        let term = Term(if held.is_some() { last } else { last + 1 });
        let taken = Lease { holder: Some(holder.clone()), term, ends: now.plus(ttl) };
        state.leases.insert(lease.to_owned(), taken);
        Ok(Some(term))
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        if let Some(held) = self.state().leases.get_mut(lease)
            && held.holder.as_ref() == Some(holder)
        {
            held.holder = None;
        }
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        let now = self.clock.tick();
        let state = self.state();
        let judged = state.leases.iter().map(|(name, lease)| LeaseState {
            name: name.clone(),
            holder: lease.holder.clone(),
            term: lease.term,
            alive: lease.holder.is_some() && lease.ends > now,
        });
        Ok(judged.collect())
    }
}
