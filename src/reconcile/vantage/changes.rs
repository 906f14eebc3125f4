//! Which services changed. A set, so that a slow reader loses nothing and it never grows beyond the services.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::ServiceKey;

/// Services that changed and were not yet asked about.
#[derive(Default)]
pub(super) struct ChangeSet {
    waiting: Mutex<BTreeSet<ServiceKey>>,
    ready: Notify,
}

/// Where a reconciler waits for changes.
pub struct Changes(pub(super) Arc<ChangeSet>);

impl ChangeSet {
    pub(super) fn add(&self, service: ServiceKey) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(service);
        // Keeps one permit if nobody waits, so a change between two calls of `next` is not missed.
        self.ready.notify_one();
    }

    fn take(&self) -> Option<ServiceKey> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }
}

impl Changes {
    /// The next service for which `verdicts` would say something else than before. Several changes of one service come
    /// as one. Cancel-safe: a change is taken only when it is returned.
    pub async fn next(&self) -> ServiceKey {
        loop {
            if let Some(service) = self.0.take() {
                return service;
            }
            self.0.ready.notified().await;
        }
    }
}
