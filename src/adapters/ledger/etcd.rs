//! The ledger in etcd, with a member in each of three sites.
//!
//! A record is a key, its version the revision of its last write; compare-and-set is a transaction on it. What stands
//! where is in docs/operations.md, why it is so in ADR 10.
//!
//! Needs `readwrite` on the keys that start with its prefix, and etcd 3.4 or later.

mod config;
mod connection;
mod failure;
mod leases;
mod members;
mod watch;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use self::{
    config::{EtcdConfig, EtcdConfigError},
    connection::ETCD_TIMEOUT,
};

use super::not_holder;

use self::{
    connection::{Connection, Repeat},
    failure::Failure,
    leases::Leases,
    wire::{KeyValue, RangeRequest, RangeResponse, TxnRequest, TxnResponse},
};
use crate::{
    domain::{Identity, Term},
    ports::{Change, Clock, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned},
};

/// Version of the schema of keys and values. A Bongsu that reads others writes beside these and not over them.
const SCHEMA: &str = "v1";

/// What the names of writers' leases start with.
const WRITERS: &str = "writer/";

/// Records in one answer.
const PAGE: i64 = 250;

/// The ledger below one prefix.
pub struct EtcdLedger {
    store: Arc<Store>,
    leases: Leases,
}

/// Keys and values below one prefix.
struct Store {
    connection: Arc<Connection>,
    clock: Arc<dyn Clock>,
    /// What the keys of records start with.
    entries: String,
}

/// Everything below a prefix, as it was in one revision.
struct Content {
    keys: Vec<KeyValue>,
    revision: i64,
    cluster_id: u64,
}

impl EtcdLedger {
    /// The ledger, not asked yet: whether it answers shows with the first call.
    ///
    /// # Errors
    /// What cannot be right, with the argument that says so.
    pub fn new(config: EtcdConfig, clock: Arc<dyn Clock>) -> Result<Self, EtcdConfigError> {
        let root = format!("{}/{SCHEMA}", config.prefix);
        let connection = Arc::new(Connection::new(config, clock.clone())?);
        let store = Arc::new(Store { connection, clock: clock.clone(), entries: format!("{root}/entry/") });
        Ok(Self { leases: Leases::new(store.clone(), format!("{root}/lease/"), clock), store })
    }

    /// Follows the leases of writers as they are renewed, for ever: so the count of one that is renewed no more has begun when
    /// somebody waits for its end, and not only then.
    pub async fn follow_writers(&self) {
        self.leases.follow(WRITERS).await;
    }

    /// Looks whether it answers to us.
    ///
    /// # Errors
    /// Why not, in words for `/readyz`.
    pub async fn reach(&self) -> Result<(), LedgerError> {
        let request = RangeRequest { limit: 1, ..below(&self.store.entries) };
        let answer = self.store.range(&request).await;
        answer.map(drop).map_err(|failure| failure.of_read("reach etcd".to_owned()))
    }
}

/// All keys that start with `prefix`.
fn below(prefix: &str) -> RangeRequest {
    RangeRequest { key: prefix.into(), range_end: wire::end_of(prefix), ..RangeRequest::default() }
}

/// A revision as a number without a sign: etcd's begin at 1.
fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}

/// The revision of a version or a term. What is too large was never given out, and matches nothing.
fn revision_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The revision of the one key that a refused transaction read; 0: it does not exist.
fn found_revision(answer: &TxnResponse) -> u64 {
    let ranges = answer.responses.iter().filter_map(|response| response.range.as_ref());
    ranges.flat_map(|range| &range.kvs).next().map_or(0, |pair| unsigned(pair.mod_revision))
}

impl Store {
    fn key(&self, key: &Key) -> String {
        format!("{}{key}", self.entries)
    }

    async fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Failure> {
        self.connection.call("/etcdserverpb.KV/Range", request, Repeat::Harmless).await
    }

    async fn get(&self, key: &str) -> Result<Option<KeyValue>, Failure> {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        Ok(self.range(&request).await?.kvs.pop())
    }

    async fn transaction(&self, request: &TxnRequest, repeat: Repeat) -> Result<TxnResponse, Failure> {
        self.connection.call("/etcdserverpb.KV/Txn", request, repeat).await
    }

    /// Everything below a prefix, page by page, all in the revision of the first.
    async fn all(&self, prefix: &str) -> Result<Content, Failure> {
        let mut request = RangeRequest { limit: PAGE, ..below(prefix) };
        let mut content = Content { keys: Vec::new(), revision: 0, cluster_id: 0 };
        loop {
            let mut page = self.range(&request).await?;
            let header = page.header.unwrap_or_default();
            if request.revision == 0 {
                (request.revision, content.revision) = (header.revision, header.revision);
                content.cluster_id = header.cluster_id;
            }
            content.keys.append(&mut page.kvs);
            let Some(last) = content.keys.last().filter(|_| page.more) else { return Ok(content) };
            // The first key after it.
            request.key = last.key.iter().copied().chain([0]).collect();
        }
    }

    /// A key and its value as a record; `None`, loudly, if Bongsu has not written it.
    fn record(&self, found: KeyValue) -> Option<(Key, Versioned)> {
        let version = Version(unsigned(found.mod_revision));
        let (key, value) = (String::from_utf8(found.key), String::from_utf8(found.value));
        let (Ok(key), Ok(value)) = (key, value) else {
            tracing::error!(prefix = self.entries, "a record that is no text is left out");
            return None;
        };
        let key = Key::new(key.strip_prefix(&self.entries)?);
        Some((key, Versioned { version, value: Arc::from(value) }))
    }
}

#[async_trait]
impl Ledger for EtcdLedger {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        let what = || format!("read {key}");
        let found = self.store.get(&self.store.key(key)).await.map_err(|failure| failure.of_read(what()))?;
        let Some(found) = found else { return Ok(None) };
        let cause = || LedgerError::Unavailable { what: what(), cause: "its value is no text".to_owned() };
        self.store.record(found).map(|(_, record)| Some(record)).ok_or_else(cause)
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        let place = self.store.key(key);
        let revision = match expect {
            Expect::Absent => 0,
            Expect::Version(version) => revision_of(version.0),
        };
        let mut request = TxnRequest {
            compare: vec![wire::is_at(&place, revision)],
            success: vec![wire::put(&place, value)],
            failure: Vec::new(),
        };
        if let Some(under) = under {
            let holder = self.leases.holder_key(&under.lease);
            request.compare.push(wire::is_at(&holder, revision_of(under.term.0)));
            request.failure.push(wire::get(&holder));
        }
        let answer = self.store.transaction(&request, Repeat::Never).await;
        let answer = answer.map_err(|failure| failure.of_write(format!("write {key}")))?;
        if !answer.succeeded {
            let lost = under.filter(|under| found_revision(&answer) != under.term.0);
            let conflict = || LedgerError::Conflict { key: key.to_string() };
            return Err(lost.map_or_else(conflict, |under| not_holder(key, under)));
        }
        Ok(Version(unsigned(answer.header.unwrap_or_default().revision)))
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        let place = self.store.key(key);
        let request = TxnRequest {
            compare: vec![wire::is_at(&place, revision_of(version.0))],
            success: vec![wire::delete(&place)],
            failure: vec![wire::get(&place)],
        };
        let answer = self.store.transaction(&request, Repeat::Never).await;
        let answer = answer.map_err(|failure| failure.of_write(format!("delete {key}")))?;
        if answer.succeeded || found_revision(&answer) == 0 {
            return Ok(());
        }
        Err(LedgerError::Conflict { key: key.to_string() })
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        watch::follow(self.store.clone(), prefix)
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        let taken = self.leases.acquire(lease, holder, ttl).await;
        taken.map_err(|failure| failure.of_write(format!("take lease {lease}")))
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        let released = self.leases.release(lease, holder).await;
        released.map_err(|failure| failure.of_write(format!("give back lease {lease}")))
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        let read = self.leases.all().await;
        read.map_err(|failure| failure.of_read("read the leases".to_owned()))
    }

    async fn lease(&self, name: &str) -> Result<Option<LeaseState>, LedgerError> {
        let read = self.leases.one(name).await;
        read.map_err(|failure| failure.of_read(format!("read lease {name}")))
    }

    async fn absent(&self) -> Result<Option<Vec<String>>, LedgerError> {
        let asked = members::absent(&self.store.connection).await;
        asked.map(Some).map_err(|failure| failure.of_read("ask for the members of etcd".to_owned()))
    }
}
