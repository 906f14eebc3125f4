//! What a process knows of leases: when records of others last changed, and what it wrote itself.
//!
//! The same for every ledger: whether a lease has run out is judged by this process's own monotonic clock since the
//! record last changed. Times in a record are for people: comparing them would compare two hosts' clocks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    domain::{LeaseMark, LeaseWatch, Tick},
    ports::Clock,
};

/// By lease. `T` is what this process keeps of a lease that it holds.
pub(super) struct Known<T> {
    clock: Arc<dyn Clock>,
    leases: Mutex<HashMap<String, Lease<T>>>,
}

struct Lease<T> {
    watch: LeaseWatch,
    ours: Option<T>,
    /// The moment before we sent the last write that was accepted.
    sent_at: Option<Tick>,
}

impl<T> Default for Lease<T> {
    fn default() -> Self {
        Self { watch: LeaseWatch::default(), ours: None, sent_at: None }
    }
}

impl<T: Clone> Known<T> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, leases: Mutex::default() }
    }

    /// Now: taken before a record is asked for, and before one is sent.
    pub(super) fn tick(&self) -> Tick {
        self.clock.tick()
    }

    /// Takes in what a record that was just read looks like; whether it stood still for its whole time.
    pub(super) fn expired(&self, lease: &str, mark: LeaseMark, ttl: Duration, asked: Tick) -> bool {
        let answered = self.clock.tick();
        let mut leases = self.leases();
        let watch = &mut leases.entry(lease.to_owned()).or_default().watch;
        watch.observe(mark, answered);
        watch.expired(ttl, asked)
    }

    /// Takes in what a record looks like that somebody just wrote.
    pub(super) fn observe(&self, lease: &str, mark: LeaseMark) {
        let answered = self.clock.tick();
        self.leases().entry(lease.to_owned()).or_default().watch.observe(mark, answered);
    }

    /// What was kept of a lease that we hold, as far as we know.
    pub(super) fn ours(&self, lease: &str) -> Option<T> {
        self.leases().get(lease)?.ours.clone()
    }

    /// Whether a lease that we wrote has not run out by our own clock. Whoever was silent for as long as it lasts takes
    /// it anew, although nobody else took it.
    pub(super) fn in_time(&self, lease: &str, ttl: Duration) -> bool {
        let sent_at = self.leases().get(lease).and_then(|lease| lease.sent_at);
        sent_at.is_some_and(|sent_at| self.clock.tick().since(sent_at) < ttl)
    }

    /// Remembers what we wrote.
    pub(super) fn wrote(&self, lease: &str, ours: T, sent_at: Tick) {
        let mut leases = self.leases();
        let lease = leases.entry(lease.to_owned()).or_default();
        (lease.ours, lease.sent_at) = (Some(ours), Some(sent_at));
    }

    /// What we kept of it is not what is there. When we wrote it last is still true.
    pub(super) fn forget(&self, lease: &str) {
        if let Some(lease) = self.leases().get_mut(lease) {
            lease.ours = None;
        }
    }

    /// Forgets everything: it was given back.
    pub(super) fn remove(&self, lease: &str) {
        self.leases().remove(lease);
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<String, Lease<T>>> {
        // Entries are changed by whole assignments only, so they are good even if a holder of the lock panicked.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
