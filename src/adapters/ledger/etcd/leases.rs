//! Leases on two keys each, by our own rule and not by etcd's leases: a new leader of etcd starts all of those anew.
//!
//! `NAME/holder` is written when the lease is taken or given back; its revision is the term. `NAME/renewed` is written
//! at each renewal. Both revisions together are what is seen to stand still, and what taking over compares.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::{
    Store,
    connection::{ETCD_TIMEOUT, Repeat},
    failure::Failure,
    unsigned, watch,
    wire::{self, KeyValue, TxnRequest},
};
use crate::{
    adapters::ledger::known::Known,
    domain::{Identity, LeaseMark, Term, Tick},
    ports::{Change, Clock, LeaseState},
};

/// Used for a record that cannot be read: four times the usual 15 s, to be on the safe side.
const TTL_UNKNOWN: Duration = Duration::from_secs(60);

const HOLDER: &str = "/holder";
const RENEWED: &str = "/renewed";

/// The leases below one prefix.
pub(super) struct Leases {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// What the keys of leases start with.
    root: String,
    known: Known<Ours>,
}

/// A lease that we hold.
#[derive(Clone)]
struct Ours {
    holder: Identity,
    ttl: Duration,
    /// Revision of the holder's key, which is the term.
    taken: i64,
}

/// The value of the holder's key.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    /// `None`: given back.
    holder: Option<Identity>,
    /// How long it lasts without a renewal.
    ttl_ms: u64,
    /// When, by the holder's wall clock; for people.
    at_ms: i64,
}

/// The value of the other key; for people.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    at_ms: i64,
}

/// A lease as it was read.
#[derive(Default)]
struct Seen {
    /// Revisions of both keys; 0: there is none.
    taken: i64,
    renewed: i64,
    holder: Option<Identity>,
    ttl: Duration,
}

impl Leases {
    pub(super) fn new(store: Arc<Store>, root: String, clock: Arc<dyn Clock>) -> Self {
        Self { store, root, known: Known::new(clock.clone()), clock }
    }

    /// Takes or renews a lease; its term if it is ours.
    pub(super) async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, Failure> {
        bounded(async {
            let ours = self.known.ours(lease).filter(|ours| ours.holder == *holder && ours.ttl == ttl);
            if let Some(ours) = ours.filter(|_| self.known.in_time(lease, ttl)) {
                if self.renew(lease, &ours).await? {
                    return Ok(Some(Term(unsigned(ours.taken))));
                }
                self.known.forget(lease);
            }
            let asked = self.known.tick();
            let seen = self.look(lease).await?;
            let expired = self.known.expired(lease, seen.mark(), seen.ttl, asked);
            if seen.holder.as_ref().is_some_and(|other| other != holder) && !expired {
                return Ok(None);
            }
            self.take(lease, &seen, holder, ttl).await
        })
        .await
    }

    /// Gives a lease back if it is ours.
    pub(super) async fn release(&self, lease: &str, holder: &Identity) -> Result<(), Failure> {
        self.known.remove(lease);
        bounded(async {
            let seen = self.look(lease).await?;
            if seen.holder.as_ref() != Some(holder) {
                return Ok(());
            }
            let key = self.key(lease, HOLDER);
            let value = self.taken(None, seen.ttl)?;
            // Renewals do not touch this key: if it is another by now, somebody else took the lease.
            let request = TxnRequest {
                compare: vec![wire::is_at(&key, seen.taken)],
                success: vec![wire::put(&key, &value)],
                failure: Vec::new(),
            };
            self.store.transaction(&request, Repeat::Never).await.map(drop)
        })
        .await
    }

    /// Every lease, judged.
    pub(super) async fn all(&self) -> Result<Vec<LeaseState>, Failure> {
        let asked = self.known.tick();
        let found = bounded(self.store.all(&self.root)).await?.keys;
        let mut leases: BTreeMap<String, Vec<KeyValue>> = BTreeMap::new();
        for pair in found {
            let name = std::str::from_utf8(&pair.key).ok().and_then(|key| key.strip_prefix(&self.root));
            let name = name.and_then(|key| key.strip_suffix(HOLDER).or_else(|| key.strip_suffix(RENEWED)));
            if let Some(name) = name.map(str::to_owned) {
                leases.entry(name).or_default().push(pair);
            }
        }
        Ok(leases.into_iter().map(|(name, pairs)| self.judge(name, Seen::of(pairs), asked)).collect())
    }

    /// One lease, judged; `None`: nobody has ever taken it.
    pub(super) async fn one(&self, name: &str) -> Result<Option<LeaseState>, Failure> {
        let asked = self.known.tick();
        let seen = bounded(self.look(name)).await?;
        Ok((seen.taken != 0).then(|| self.judge(name.to_owned(), seen, asked)))
    }

    /// `asked`: the moment before it was read.
    fn judge(&self, name: String, seen: Seen, asked: Tick) -> LeaseState {
        let expired = self.known.expired(&name, seen.mark(), seen.ttl, asked);
        let alive = seen.holder.is_some() && !expired;
        LeaseState { name, holder: seen.holder, term: Term(unsigned(seen.taken)), alive }
    }

    /// Takes note of each change of the leases below a prefix.
    pub(super) async fn follow(&self, prefix: &str) {
        let (connection, clock) = (self.store.connection.clone(), self.clock.clone());
        let keys = Arc::new(Store { connection, clock, entries: self.root.clone() });
        let mut changes = watch::follow(keys, prefix);
        let mut revisions: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        while let Some(change) = changes.next().await {
            let pairs = match change {
                Change::Reset(all) => all,
                Change::Put(key, value) => vec![(key, value)],
                Change::Deleted(_) => continue,
            };
            for (key, value) in pairs {
                let (name, part) =
                    match (key.as_str().strip_suffix(HOLDER), key.as_str().strip_suffix(RENEWED)) {
                        (Some(name), _) => (name, 0),
                        (_, Some(name)) => (name, 1),
                        (None, None) => continue,
                    };
                let both = revisions.entry(name.to_owned()).or_default();
                both[part] = value.version.0;
                self.known.observe(name, mark(both[0], both[1]));
            }
        }
    }

    /// Whether it was still ours. May be sent twice: as long as nobody took the lease, it says the same.
    async fn renew(&self, lease: &str, ours: &Ours) -> Result<bool, Failure> {
        let value = text(&Renewed { at_ms: self.clock.wall().0 })?;
        let request = TxnRequest {
            compare: vec![wire::is_at(&self.key(lease, HOLDER), ours.taken)],
            success: vec![wire::put(&self.key(lease, RENEWED), &value)],
            failure: Vec::new(),
        };
        let sent_at = self.known.tick();
        let renewed = self.store.transaction(&request, Repeat::Harmless).await?.succeeded;
        if renewed {
            self.known.wrote(lease, ours.clone(), sent_at);
        }
        Ok(renewed)
    }

    /// Takes a lease as it was judged: whoever renewed or took it since wins.
    async fn take(
        &self,
        lease: &str,
        seen: &Seen,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, Failure> {
        let key = self.key(lease, HOLDER);
        let judged =
            vec![wire::is_at(&key, seen.taken), wire::is_at(&self.key(lease, RENEWED), seen.renewed)];
        let value = self.taken(Some(holder), ttl)?;
        let request =
            TxnRequest { compare: judged, success: vec![wire::put(&key, &value)], failure: Vec::new() };
        let sent_at = self.known.tick();
        let answer = self.store.transaction(&request, Repeat::Never).await?;
        if !answer.succeeded {
            return Ok(None);
        }
        let taken = answer.header.unwrap_or_default().revision;
        self.known.wrote(lease, Ours { holder: holder.clone(), ttl, taken }, sent_at);
        Ok(Some(Term(unsigned(taken))))
    }

    async fn look(&self, lease: &str) -> Result<Seen, Failure> {
        let keys = [HOLDER, RENEWED].map(|part| wire::get(&self.key(lease, part)));
        // Without a comparison it always succeeds, and reads both in one revision.
        let request = TxnRequest { success: keys.into(), ..TxnRequest::default() };
        let answer = self.store.transaction(&request, Repeat::Harmless).await?;
        let found = answer.responses.into_iter().filter_map(|response| response.range);
        Ok(Seen::of(found.flat_map(|range| range.kvs).collect()))
    }

    /// The key whose revision is the term.
    pub(super) fn holder_key(&self, lease: &str) -> String {
        self.key(lease, HOLDER)
    }

    fn key(&self, lease: &str, part: &str) -> String {
        format!("{}{lease}{part}", self.root)
    }

    fn taken(&self, holder: Option<&Identity>, ttl: Duration) -> Result<String, Failure> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        text(&Taken { holder: holder.cloned(), ttl_ms, at_ms: self.clock.wall().0 })
    }
}

impl Seen {
    fn of(pairs: Vec<KeyValue>) -> Self {
        let mut seen = Self { ttl: TTL_UNKNOWN, ..Self::default() };
        for pair in pairs {
            if pair.key.ends_with(RENEWED.as_bytes()) {
                seen.renewed = pair.mod_revision;
                continue;
            }
            seen.taken = pair.mod_revision;
            match serde_json::from_slice::<Taken>(&pair.value) {
                Ok(taken) => {
                    (seen.holder, seen.ttl) = (taken.holder, Duration::from_millis(taken.ttl_ms));
                }
                // Held by somebody, until it has stood still for long enough.
                Err(error) => {
                    tracing::error!(key = %String::from_utf8_lossy(&pair.key), %error, "lease cannot be read");
                    seen.holder = Some(Identity::new("unreadable"));
                }
            }
        }
        seen
    }

    fn mark(&self) -> LeaseMark {
        mark(unsigned(self.taken), unsigned(self.renewed))
    }
}

/// What a lease looks like, by the revisions of its two keys.
fn mark(taken: u64, renewed: u64) -> LeaseMark {
    LeaseMark(format!("{taken}/{renewed}").into())
}

/// Several calls that belong together end as one does.
async fn bounded<T>(calls: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(ETCD_TIMEOUT, calls).await.unwrap_or(Err(Failure::Unanswered(String::new())))
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Refused(error.to_string()))
}
