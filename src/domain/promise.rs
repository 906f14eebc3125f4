//! Promises of other regions, by which a writer goes on while its gate does not reach the ledger (I8, ADR 14).
//!
//! The gate writes into the ledger whom it will ask, and then writes on without the ledger only while *all* of them promise
//! not to end its lease for one more length of it. Whoever ends the lease needs *one* of them that has stopped promising and
//! whose last promise is over. So the two never happen together, whichever process takes the lead, however late it was
//! started, and whatever it has forgotten.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Epoch, Identity, Record, RegionName, ServiceKey, Term, Tick};

/// Longest promise. 5 minutes: no writer's lease is as long, and a gate that asks for more would hold up a move for as long.
pub const PROMISE_MAX: Duration = Duration::from_secs(5 * 60);

/// A process that can be asked for promises.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promiser {
    /// Its seat: the process, and those that take its place after its death.
    pub process: Identity,
    /// Where it is asked, such as `https://bongsu.daejeon.example:8443`.
    pub url: Arc<str>,
}

impl Promiser {
    /// What the ledger's keys of promisers begin with; a region's name follows.
    pub const KEYS: &str = "agent/";

    /// The key under which the process that speaks for a region stands in the ledger.
    #[must_use]
    pub fn key(region: &RegionName) -> String {
        format!("{}{region}", Self::KEYS)
    }
}

/// Whom the gate of a writer asks when it does not reach the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promisers {
    /// The gate.
    pub gate: Identity,
    /// The term of the writer's lease in which it holds it.
    pub term: Term,
    /// By region, at most one in each; never its own.
    pub agents: BTreeMap<RegionName, Promiser>,
}

impl Promisers {
    /// The key under which they stand in the ledger.
    #[must_use]
    pub fn key(service: &ServiceKey) -> String {
        format!("promisers/{service}")
    }

    /// Whether a process is asked.
    #[must_use]
    pub fn has(&self, process: &Identity) -> bool {
        self.agents.values().any(|promiser| promiser.process == *process)
    }
}

/// What a gate asks: that its lease is not ended for some time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromiseRequest {
    /// The process that is meant.
    pub process: Identity,
    /// The gate that asks.
    pub gate: Identity,
    /// What its writer writes for.
    pub service: ServiceKey,
    /// Under which epoch.
    pub epoch: Epoch,
    /// The term of its lease.
    pub term: Term,
    /// For how long, from the moment at which this arrives. Milliseconds.
    pub millis: u64,
}

/// What somebody asks who ends a lease: to promise nothing more to its gate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WithholdRequest {
    /// The process that is meant.
    pub process: Identity,
    /// The service.
    pub service: ServiceKey,
    /// The last term in which nothing is promised any more.
    pub term: Term,
}

/// Why nothing is promised.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Refusal {
    /// The process was started anew, or another one answers at its place.
    #[error("{0} answers there now")]
    AnotherProcess(Identity),
    /// It has heard that the service moved on, or has said so itself.
    #[error("{0}")]
    MovedOn(String),
    /// No such service is known.
    #[error("{0} is not known here")]
    Unknown(ServiceKey),
    /// It could not be noted.
    #[error("{0}")]
    NotNoted(String),
    /// Longer than [`PROMISE_MAX`].
    #[error(
        "asked for {0:?}, and nobody promises more than {PROMISE_MAX:?}: give the gate a shorter --lease-ttl"
    )]
    TooLong(Duration),
}

/// What one process has promised.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    services: BTreeMap<ServiceKey, Promised>,
    /// Until when promises may last that were given from the same seat before.
    inherited: Tick,
}

/// What was promised to the gates of one service.
#[derive(Clone, Debug, Default)]
struct Promised {
    /// Until when, and to whom.
    last: Option<(Tick, Identity)>,
    /// Nothing is promised in this term or an earlier one.
    withheld: Option<Term>,
}

impl Promises {
    /// Nothing is promised by this process, which begins now; by those before it, for at most `longest`.
    #[must_use]
    pub fn new(now: Tick, longest: Duration) -> Self {
        Self { services: BTreeMap::new(), inherited: now.plus(longest) }
    }

    /// Promises, or says why not. `known`: what this process has heard of the service last; it may be old.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn promise(
        &mut self,
        request: &PromiseRequest,
        known: Option<&Record>,
        now: Tick,
    ) -> Result<(), Refusal> {
        let record = known.ok_or_else(|| Refusal::Unknown(request.service.clone()))?;
        let moved = |what: String| Err(Refusal::MovedOn(what));
        if record.epoch > request.epoch {
            return moved(format!("{} is at epoch {}", request.service, record.epoch));
        }
        if record.fenced {
            return moved(format!(
                "epoch {} of {} is fenced: a move is under way",
                record.epoch, request.service
            ));
        }
        let length = Duration::from_millis(request.millis);
        if length > PROMISE_MAX {
            return Err(Refusal::TooLong(length));
        }
        let promised = self.services.entry(request.service.clone()).or_default();
        if promised.withheld >= Some(request.term) {
            return moved(format!("the lease of {} is being ended: a move is under way", request.service));
        }
        let until = now.plus(length).max(promised.last.as_ref().map_or(Tick(0), |(until, _)| *until));
        promised.last = Some((until, request.gate.clone()));
        Ok(())
    }

    /// Promises nothing more in this term or an earlier one; the time until the last promise is over.
    pub fn withhold(&mut self, service: &ServiceKey, term: Term, now: Tick) -> Duration {
        let promised = self.services.entry(service.clone()).or_default();
        promised.withheld = promised.withheld.max(Some(term));
        let last = promised.last.as_ref().map_or(self.inherited, |(until, _)| self.inherited.max(*until));
        last.since(now)
    }

    /// The gate to which something is promised now, and for how long yet.
    #[must_use]
    pub fn standing(&self, service: &ServiceKey, now: Tick) -> Option<(&Identity, Duration)> {
        let (until, gate) = self.services.get(service)?.last.as_ref()?;
        (*until > now).then(|| (gate, until.since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    const TTL: u64 = 9_000;

    fn service() -> ServiceKey {
        ServiceKey::new("gpki", "directory")
    }

    fn record(epoch: u64, fenced: bool) -> Record {
        Record {
            epoch: Epoch(epoch),
            serving: ["daejeon".into()].into(),
            away: BTreeMap::new(),
            changed_at: Timestamp(0),
            last_automatic: None,
            run: None,
            fenced,
        }
    }

    fn request(term: u64) -> PromiseRequest {
        PromiseRequest {
            process: Identity::new("bongsu-1"),
            gate: Identity::new("gate-1"),
            service: service(),
            epoch: Epoch(4),
            term: Term(term),
            millis: TTL,
        }
    }

    #[test]
    fn what_was_promised_holds_up_the_end_of_the_lease_until_it_is_over() {
        let mut promises = Promises::default();
        promises.promise(&request(1), Some(&record(4, false)), Tick(1_000)).unwrap();
        assert_eq!(promises.withhold(&service(), Term(1), Tick(2_000)), Duration::from_secs(8));
        assert_eq!(promises.withhold(&service(), Term(1), Tick(10_000)), Duration::ZERO);
        assert_eq!(promises.standing(&service(), Tick(2_000)).map(|(gate, _)| gate.as_str()), Some("gate-1"));
        assert_eq!(promises.standing(&service(), Tick(10_000)), None);
    }

    #[test]
    fn nothing_is_promised_in_a_term_that_is_being_ended_and_everything_in_a_later_one() {
        let mut promises = Promises::default();
        assert_eq!(promises.withhold(&service(), Term(2), Tick(0)), Duration::ZERO);
        for term in [1, 2] {
            let answer = promises.promise(&request(term), Some(&record(4, false)), Tick(0));
            assert!(matches!(answer, Err(Refusal::MovedOn(_))), "{answer:?}");
        }
        promises.promise(&request(3), Some(&record(4, false)), Tick(0)).unwrap();
    }

    #[test]
    fn an_older_term_that_is_withheld_again_does_not_free_a_later_one() {
        let mut promises = Promises::default();
        promises.withhold(&service(), Term(5), Tick(0));
        promises.withhold(&service(), Term(2), Tick(0));
        assert!(promises.promise(&request(5), Some(&record(4, false)), Tick(0)).is_err());
    }

    #[test]
    fn who_has_heard_of_a_later_epoch_a_fence_or_nothing_promises_nothing() {
        let known = [Some(record(5, false)), Some(record(4, true)), None];
        for known in known {
            let mut promises = Promises::default();
            assert!(promises.promise(&request(1), known.as_ref(), Tick(0)).is_err(), "{known:?}");
            assert_eq!(promises.withhold(&service(), Term(1), Tick(0)), Duration::ZERO);
        }
        // Its own news may be older than the gate's.
        assert_eq!(Promises::default().promise(&request(1), Some(&record(3, false)), Tick(0)), Ok(()));
    }

    #[test]
    fn who_takes_a_seat_keeps_what_was_promised_from_it_although_it_does_not_know_to_whom() {
        let mut promises = Promises::new(Tick(1_000), Duration::from_secs(9));
        assert_eq!(promises.withhold(&service(), Term(1), Tick(4_000)), Duration::from_secs(6));
        assert_eq!(promises.withhold(&service(), Term(1), Tick(10_000)), Duration::ZERO);
    }

    #[test]
    fn a_promise_has_a_longest_time() {
        let long = PromiseRequest { millis: 300_001, ..request(1) };
        let answer = Promises::default().promise(&long, Some(&record(4, false)), Tick(0));
        assert!(answer.unwrap_err().to_string().contains("shorter --lease-ttl"));
    }
}
