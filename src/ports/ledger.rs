//! The replicated store of truth shared by all regions: records under keys, changed by compare-and-set, and leases.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::domain::{Identity, Term};

/// Key of a record: path segments joined by `/`, such as `record/gpki/gpki-verify`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key(Arc<str>);

impl Key {
    /// A key from its path.
    #[must_use]
    pub fn new(path: impl AsRef<str>) -> Self {
        Self(Arc::from(path.as_ref()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Version of a record. Grows with each write of the record; the ledger gives it out, nobody computes it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(pub u64);

/// A record as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versioned {
    /// Version to give back when writing.
    pub version: Version,
    /// The record, as JSON text.
    pub value: Arc<str>,
}

/// What must be true of a record for a write to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// No such record exists.
    Absent,
    /// The record has this version.
    Version(Version),
}

/// A lease that must still be held for a write to happen, in the term in which the writer held it when it decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Under {
    /// Name of the lease.
    pub lease: Arc<str>,
    /// The term.
    pub term: Term,
}

/// One change that a watcher sees. Changes of one key come in order; some may be left out, the last never.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The whole content: whatever is not in it is gone. Comes first, and again after an interruption in which something
    /// may have been missed.
    Reset(Vec<(Key, Versioned)>),
    /// A record was written.
    Put(Key, Versioned),
    /// A record was removed.
    Deleted(Key),
}

/// A lease as this process can judge it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeaseState {
    /// Name of the lease, such as `leader` or `region-daejeon`.
    pub name: String,
    /// Who holds it or held it last; `None` if it was given back.
    pub holder: Option<Identity>,
    /// The term in which it is held, or was last.
    pub term: Term,
    /// Whether it is still valid: judged by the ledger, or by this process's own monotonic clock since the last
    /// renewal that it saw. Never by comparing wall clocks of two hosts.
    pub alive: bool,
}

/// Why a ledger call did not work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else wrote in between: read again and decide again.
    #[error("{key} was changed by somebody else in between")]
    Conflict {
        /// The record.
        key: String,
    },
    /// The lease under which it was to be written was given back, or taken anew, perhaps by ourselves: nothing was
    /// written, and what was decided under it is to be decided again.
    #[error("{key} is not written: lease {lease} is no longer held in the term that it was decided in")]
    NotHolder {
        /// The record.
        key: String,
        /// The lease.
        lease: String,
    },
    /// The answer did not come in time: the write may have happened.
    #[error("{what}: no answer within {limit:?}")]
    Timeout {
        /// What was tried.
        what: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The ledger refused, or cannot be reached: the write did not happen.
    #[error("{what}: {cause}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// The ledger's own words.
        cause: String,
    },
}

/// The store. Every method ends within the adapter's call limit.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Reads one record, from the store and not from a cache.
    ///
    /// # Errors
    /// `Timeout` and `Unavailable`: nothing is known about the record.
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError>;

    /// Writes one record if `expect` holds, and if the lease is held in the term of `under`. Both are looked at together
    /// with the write, where the ledger can; whether the lease has run out is not: until somebody takes it nobody else
    /// acts under it.
    ///
    /// # Errors
    /// `Conflict`, `NotHolder`: it does not hold, nothing was written. `Timeout`: it may have been written; read before
    /// going on.
    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError>;

    /// Writes one record if `expect` holds, whoever holds what.
    ///
    /// # Errors
    /// As for `write`.
    async fn put(&self, key: &Key, value: &str, expect: Expect) -> Result<Version, LedgerError> {
        self.write(key, value, expect, None).await
    }

    /// Removes one record if it has this version. A record that is gone already is no error.
    ///
    /// # Errors
    /// As for `put`.
    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError>;

    /// Every record whose key starts with `prefix`, now and from now on. Never ends; it goes on by itself after the
    /// ledger was away, with what was missed or with a `Reset`.
    fn watch(&self, prefix: &str) -> BoxStream<'static, Change>;

    /// Takes a lease that is free, expired or already ours, for `ttl` from now; its term if it is ours after the call.
    /// The term is another than before if it had expired, also if nobody else took it meanwhile. The caller counts its
    /// own end of the lease from the moment before the call.
    ///
    /// # Errors
    /// `Timeout` and `Unavailable`: the lease may or may not be ours; count it as not renewed.
    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError>;

    /// Gives a lease back, so that another can take it at once. Not ours: no error.
    ///
    /// # Errors
    /// `Timeout` and `Unavailable`: it runs out by itself.
    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError>;

    /// Every lease. A lease is called dead only after it was seen unrenewed for its whole `ttl`.
    ///
    /// # Errors
    /// `Timeout` and `Unavailable`: nothing is known about the leases.
    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError>;

    /// One lease; `None`: nobody has ever taken it.
    ///
    /// # Errors
    /// As for `leases`.
    async fn lease(&self, name: &str) -> Result<Option<LeaseState>, LedgerError> {
        Ok(self.leases().await?.into_iter().find(|lease| lease.name == name))
    }

    /// What keeps members of the store from taking part, in words; empty: all do. `None`: the store does not say who its
    /// members are.
    ///
    /// # Errors
    /// As for `leases`.
    async fn absent(&self) -> Result<Option<Vec<String>>, LedgerError> {
        Ok(None)
    }
}
