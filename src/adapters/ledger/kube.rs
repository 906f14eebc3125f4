//! The ledger in a Kubernetes API server: this region's own, or that of the witness by a kubeconfig.
//!
//! A record is a `LedgerEntry`, its version the `resourceVersion`; compare-and-set is what the API server does with a
//! `resourceVersion` in a write. A lease is a `Lease`.
//!
//! Needs every verb on `ledgerentries` and `get`, `list`, `create` and `update` on `leases`, in one namespace.

mod leases;
mod names;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, future, stream::BoxStream};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
    runtime::watcher::Event,
};
use tracing::error;

pub use self::names::object_name;

use self::leases::Leases;
use super::not_holder;
use crate::{
    adapters::kube::{API_TIMEOUT, CallError, Guarded, bounded, describe, follow, is_certainly_undone},
    api::{FIELD_MANAGER, LedgerEntry, LedgerEntrySpec},
    domain::{Identity, Term},
    ports::{Change, Clock, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned},
};

/// The ledger in one namespace.
pub struct KubeLedger {
    entries: Api<LedgerEntry>,
    guarded: Api<Guarded<LedgerEntry>>,
    leases: Leases,
}

impl KubeLedger {
    /// The ledger in a namespace, by a client from [`connect`](crate::adapters::kube::connect), which repeats nothing
    /// by itself.
    #[must_use]
    pub fn new(client: Client, namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Api::namespaced(client.clone(), namespace),
            guarded: Api::namespaced(client.clone(), namespace),
            leases: Leases::new(Api::namespaced(client, namespace), clock),
        }
    }

    async fn create(&self, key: &Key, value: &str) -> Result<Version, LedgerError> {
        match bounded(self.entries.create(&parameters(), &entry(key, value, None))).await {
            Ok(created) => version_of(&created, key),
            Err(CallError::Answer(kube::Error::Api(status))) if status.is_already_exists() => {
                Err(conflict(key))
            }
            Err(error) => Err(write_failed(format!("create {key}"), error)),
        }
    }

    async fn replace(&self, key: &Key, value: &str, version: Version) -> Result<Version, LedgerError> {
        let name = object_name(key.as_str());
        match bounded(self.entries.replace(&name, &parameters(), &entry(key, value, Some(version)))).await {
            Ok(replaced) => version_of(&replaced, key),
            // Gone counts as changed.
            Err(CallError::Answer(kube::Error::Api(status)))
                if status.is_conflict() || status.is_not_found() =>
            {
                Err(conflict(key))
            }
            Err(error) => Err(write_failed(format!("write {key}"), error)),
        }
    }
}

#[async_trait]
impl Ledger for KubeLedger {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        let what = || format!("read {key}");
        let found = bounded(self.entries.get_opt(&object_name(key.as_str()))).await;
        let Some(found) = found.map_err(|error| read_failed(what(), error))? else {
            return Ok(None);
        };
        if found.spec.key != key.as_str() {
            let cause = format!("LedgerEntry {} holds {} instead", found.name_any(), found.spec.key);
            return Err(LedgerError::Unavailable { what: what(), cause });
        }
        Ok(Some(Versioned { version: version_of(&found, key)?, value: Arc::from(found.spec.value) }))
    }

    /// An API server has no transaction over two objects: the lease is read before the write, so a writer that is frozen
    /// between the two writes although it lost the lease. The version of the record and the epoch stop it then.
    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        let written = async {
            if let Some(under) = under {
                let held = bounded(self.leases.is_held(&under.lease, under.term)).await;
                let what = format!("read lease {} to write {key}", under.lease);
                if !held.map_err(|error| read_failed(what, error))? {
                    return Err(not_holder(key, under));
                }
            }
            match expect {
                Expect::Absent => self.create(key, value).await,
                Expect::Version(version) => self.replace(key, value, version).await,
            }
        };
        let late = |_| LedgerError::Timeout { what: format!("write {key}"), limit: API_TIMEOUT };
        tokio::time::timeout(API_TIMEOUT, written).await.map_err(late)?
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        let only = Preconditions { resource_version: Some(version.0.to_string()), uid: None };
        let parameters = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
        match bounded(self.entries.delete(&object_name(key.as_str()), &parameters)).await {
            Ok(_) => Ok(()),
            Err(CallError::Answer(kube::Error::Api(status))) if status.is_not_found() => Ok(()),
            Err(CallError::Answer(kube::Error::Api(status))) if status.is_conflict() => Err(conflict(key)),
            Err(error) => Err(write_failed(format!("delete {key}"), error)),
        }
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        let prefix = prefix.to_owned();
        let mut listing = Vec::new();
        let changes = follow(self.guarded.clone(), "LedgerEntry")
            .filter_map(move |event| future::ready(change(&prefix, &mut listing, event)));
        changes.boxed()
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        let taken = bounded(self.leases.acquire(lease, holder, ttl)).await;
        taken.map_err(|error| write_failed(format!("take lease {lease}"), error))
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        let released = bounded(self.leases.release(lease, holder)).await;
        released.map_err(|error| write_failed(format!("give back lease {lease}"), error))
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        bounded(self.leases.all()).await.map_err(|error| read_failed("read the leases".to_owned(), error))
    }
}

/// What a watch event means for those who watch below `prefix`. `listing` holds a list that has not ended yet.
fn change(
    prefix: &str,
    listing: &mut Vec<(Key, Versioned)>,
    event: Event<Guarded<LedgerEntry>>,
) -> Option<Change> {
    let below = |(key, _): &(Key, Versioned)| key.as_str().starts_with(prefix);
    match event {
        Event::Init => {
            listing.clear();
            None
        }
        Event::InitApply(object) => {
            listing.extend(record(object).filter(below));
            None
        }
        Event::InitDone => Some(Change::Reset(std::mem::take(listing))),
        Event::Apply(object) => record(object).filter(below).map(|(key, record)| Change::Put(key, record)),
        Event::Delete(object) => record(object).filter(below).map(|(key, _)| Change::Deleted(key)),
    }
}

/// An entry as a record. One that cannot be read is left out, loudly: every write is compare-and-set, so a record that
/// seems absent cannot be written over.
fn record(object: Guarded<LedgerEntry>) -> Option<(Key, Versioned)> {
    let name = object.name_any();
    match object {
        Guarded::Valid(entry) => {
            let key = Key::new(&entry.spec.key);
            let version = version_of(&entry, &key);
            let unusable = |cause: &LedgerError| error!(name, %cause, "ledger entry is left out");
            let version = version.inspect_err(unusable).ok()?;
            Some((key, Versioned { version, value: Arc::from(entry.spec.value) }))
        }
        Guarded::Invalid { message, .. } => {
            error!(name, cause = message, "ledger entry is left out");
            None
        }
    }
}

fn entry(key: &Key, value: &str, version: Option<Version>) -> LedgerEntry {
    let spec = LedgerEntrySpec { key: key.to_string(), value: value.to_owned() };
    let mut entry = LedgerEntry::new(&object_name(key.as_str()), spec);
    entry.meta_mut().resource_version = version.map(|version| version.0.to_string());
    entry
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// The version as a number. Kubernetes called it opaque until 1.35, which promises a number that grows; with etcd behind
/// the API server it always was etcd's revision. Anything else is refused rather than guessed.
fn version_of(object: &LedgerEntry, key: &Key) -> Result<Version, LedgerError> {
    let text = object.resource_version().unwrap_or_default();
    text.parse().map(Version).map_err(|_| LedgerError::Unavailable {
        what: format!("read the version of {key}"),
        cause: format!("resourceVersion {text:?} is not a number"),
    })
}

fn conflict(key: &Key) -> LedgerError {
    LedgerError::Conflict { key: key.to_string() }
}

fn read_failed(what: String, error: CallError) -> LedgerError {
    match error {
        CallError::Timeout => LedgerError::Timeout { what, limit: API_TIMEOUT },
        CallError::Answer(error) => LedgerError::Unavailable { what, cause: describe(&error) },
    }
}

/// A write whose answer got lost counts as one without an answer: it may have happened.
fn write_failed(what: String, error: CallError) -> LedgerError {
    match error {
        CallError::Answer(error) if !is_certainly_undone(&error) => {
            LedgerError::Timeout { what: format!("{what} ({})", describe(&error)), limit: API_TIMEOUT }
        }
        other => read_failed(what, other),
    }
}
