//! The two leases of a process, and until when it may rely on them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tracing::{info, warn};

use super::mirror::{LEADER_LEASE, REGION_LEASE};
use crate::{
    domain::{Identity, RegionName, Tenure, Term, Tick},
    planted::planted,
    ports::{Clock, Ledger, Under},
};

/// The leases that this process holds.
pub struct Tenures {
    clock: Arc<dyn Clock>,
    ttl: Duration,
    held: Mutex<Held>,
    answered: Mutex<Option<Tick>>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    region: Option<Tenure>,
    leader: Option<Tenure>,
}

/// Which lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lease {
    Region,
    Leader,
}

impl Tenures {
    /// No leases yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        Self { clock, ttl, held: Mutex::default(), answered: Mutex::default() }
    }

    /// The term in which this process holds the leader's lease. Asked again before each effect.
    #[must_use]
    pub fn leader_term(&self) -> Option<Term> {
        let held = self.held().leader;
        held.filter(|_| self.holds(held) || planted!(ActsAfterLosingLease)).map(|tenure| tenure.term)
    }

    /// Whether this process speaks for its region: reports its verdicts and writes its status.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.region_term().is_some()
    }

    /// The term in which this process speaks for its region.
    #[must_use]
    pub fn region_term(&self) -> Option<Term> {
        let held = self.held().region;
        held.filter(|_| self.holds(held)).map(|tenure| tenure.term)
    }

    /// What the ledger compares when something is written that only the leader writes; `None`: another process leads.
    /// The lease may be about to run out by our clock: whether somebody took it since is what the ledger looks at, in
    /// the same transaction.
    #[must_use]
    pub fn leader_under(&self) -> Option<Under> {
        self.held().leader.map(|tenure| Under { lease: Arc::from(LEADER_LEASE), term: tenure.term })
    }

    /// The ledger says that the leader's lease is no longer held in this term.
    pub fn leader_lost(&self, term: Term) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.leader.is_some_and(|tenure| tenure.term == term) {
            warn!(lease = LEADER_LEASE, "lease lost to another process, as a write was told");
            held.leader = None;
        }
    }

    /// Notes that the ledger answered.
    pub fn note_answer(&self) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.tick());
    }

    /// Whether the ledger answered within the length of a lease.
    #[must_use]
    pub fn ledger_answers(&self) -> bool {
        self.answered().is_some_and(|at| self.clock.tick().since(at) < self.ttl)
    }

    fn answered(&self) -> Option<Tick> {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time between two renewals: a lease survives the loss of one of them, and most of another.
    #[must_use]
    pub fn renewal_interval(&self) -> Duration {
        self.ttl / 3
    }

    /// Renews the region's lease, or tries to take it. `true`: the ledger answers again, after it was silent for longer
    /// than a lease.
    pub async fn renew_region(&self, ledger: &dyn Ledger, region: &RegionName, me: &Identity) -> bool {
        let silent = self.answered().is_some() && !self.ledger_answers();
        self.renew_one(ledger, Lease::Region, &format!("{REGION_LEASE}{region}"), me).await && silent
    }

    /// Renews the leader's lease, or tries to take it, if this process speaks for its region.
    pub async fn renew_leader(&self, ledger: &dyn Ledger, me: &Identity) {
        if self.speaks() {
            self.renew_one(ledger, Lease::Leader, LEADER_LEASE, me).await;
        }
    }

    /// Gives both leases back: forgets them first, so that nothing is done under a lease that another may hold.
    pub async fn release(&self, ledger: &dyn Ledger, region: &RegionName, me: &Identity) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        let leases =
            [(held.leader, LEADER_LEASE.to_owned()), (held.region, format!("{REGION_LEASE}{region}"))];
        for (_, name) in leases.into_iter().filter(|(tenure, _)| tenure.is_some()) {
            if let Err(error) = ledger.release(&name, me).await {
                warn!(lease = name, %error, "lease not given back, it runs out by itself");
            }
        }
    }

    /// Gives the leader's lease back, if it is held.
    pub async fn release_leader(&self, ledger: &dyn Ledger, me: &Identity) {
        if self.set(Lease::Leader, None).is_some()
            && let Err(error) = ledger.release(LEADER_LEASE, me).await
        {
            warn!(lease = LEADER_LEASE, %error, "lease not given back, it runs out by itself");
        }
    }

    /// `true`: the ledger answered.
    async fn renew_one(&self, ledger: &dyn Ledger, which: Lease, name: &str, me: &Identity) -> bool {
        // Counted from before the call: the ledger's own count starts later.
        let sent_at = self.clock.tick();
        match ledger.acquire(name, me, self.ttl).await {
            Ok(Some(term)) => {
                let before = self.set(which, Some(Tenure { term, sent_at, ttl: self.ttl }));
                if !self.holds(before) {
                    info!(lease = name, holder = %me, "lease taken");
                }
            }
            Ok(None) => {
                let before = self.set(which, None);
                if before.is_some() {
                    warn!(lease = name, holder = %me, "lease lost to another process");
                }
            }
            // Kept until it runs out: the renewal may have arrived.
            Err(error) => {
                warn!(lease = name, %error, "lease not renewed");
                return false;
            }
        }
        true
    }

    fn set(&self, which: Lease, tenure: Option<Tenure>) -> Option<Tenure> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match which {
            Lease::Region => &mut held.region,
            Lease::Leader => &mut held.leader,
        };
        std::mem::replace(place, tenure)
    }

    fn held(&self) -> Held {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, tenure: Option<Tenure>) -> bool {
        // A fifth to spare, 3 s of 15 s: a call of the ledger that begins at the last moment is over before another
        // process may act. What takes longer is refused by the ledger and by the name server, which compare the epoch.
        tenure.is_some_and(|tenure| tenure.valid_at(self.clock.tick(), self.ttl / 5))
    }
}
