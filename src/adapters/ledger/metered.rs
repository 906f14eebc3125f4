//! A ledger whose calls are measured.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{
    domain::{Identity, Term},
    observability::{CallResult, LedgerOperation, Metrics},
    ports::{Change, Clock, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned},
};

/// Hands every call on, and tells the metrics how long it took and what came of it.
pub struct MeteredLedger {
    inner: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl MeteredLedger {
    /// Measures `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Ledger>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { inner, clock, metrics }
    }

    async fn measured<T>(
        &self,
        operation: LedgerOperation,
        call: impl Future<Output = Result<T, LedgerError>> + Send,
    ) -> Result<T, LedgerError> {
        let start = self.clock.tick();
        let answer = call.await;
        let result = match &answer {
            Ok(_) => CallResult::Ok,
            Err(LedgerError::Conflict { .. }) => CallResult::Conflict,
            Err(LedgerError::NotHolder { .. }) => CallResult::NotHolder,
            Err(LedgerError::Timeout { .. }) => CallResult::Timeout,
            Err(LedgerError::Unavailable { .. }) => CallResult::Unavailable,
        };
        self.metrics.observe_ledger_call(operation, result, self.clock.tick().since(start));
        answer
    }
}

#[async_trait]
impl Ledger for MeteredLedger {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        self.measured(LedgerOperation::Get, self.inner.get(key)).await
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        self.measured(LedgerOperation::Put, self.inner.write(key, value, expect, under)).await
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        self.measured(LedgerOperation::Delete, self.inner.delete(key, version)).await
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        self.inner.watch(prefix)
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        self.measured(LedgerOperation::Acquire, self.inner.acquire(lease, holder, ttl)).await
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        self.measured(LedgerOperation::Release, self.inner.release(lease, holder)).await
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        self.measured(LedgerOperation::Leases, self.inner.leases()).await
    }

    async fn lease(&self, name: &str) -> Result<Option<LeaseState>, LedgerError> {
        self.measured(LedgerOperation::Leases, self.inner.lease(name)).await
    }

    async fn absent(&self) -> Result<Option<Vec<String>>, LedgerError> {
        self.inner.absent().await
    }
}
