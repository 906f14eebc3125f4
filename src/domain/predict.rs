//! How long a move will take, with the arithmetic.

use std::{fmt, time::Duration};

use super::Service;

/// How long the parts of a move take that are not in the spec: measured by earlier runs, or the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timings {
    /// Lease of the leader: after its loss, another one decides after at most this.
    pub leader_ttl: Duration,
    /// From the last sample to the plan in the ledger.
    pub decide: Duration,
    /// Raising the epoch and changing all routes.
    pub shift: Duration,
}

impl Default for Timings {
    // Until a run has been measured: a second each, some hundred times what a name server on the same continent takes.
    fn default() -> Self {
        Self {
            leader_ttl: Duration::from_secs(15),
            decide: Duration::from_secs(1),
            shift: Duration::from_secs(1),
        }
    }
}

/// A predicted recovery time and its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    interval: Duration,
    failures: u32,
    timeout: Duration,
    /// From the fault to the verdict: `interval * failures + timeout`.
    pub detect: Duration,
    /// From the loss of the leader to the next one: its lease and a third, because renewals are a third apart. Runs in
    /// parallel with `detect`.
    pub elect: Duration,
    /// From the verdict to the plan.
    pub decide: Duration,
    /// From the plan to the name servers' answer.
    pub shift: Duration,
    /// Until the last resolver has forgotten the old answer.
    pub ttl: Duration,
    /// One deep check of the new members.
    pub verify: Duration,
}

impl Prediction {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.detect.max(self.elect) + self.decide + self.shift + self.ttl + self.verify
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interval, failures, timeout, detect, elect, decide, shift, ttl, verify } = self;
        write!(
            f,
            "the larger of detecting ({failures} × {interval:?} + {timeout:?} = {detect:?}) and replacing a lost \
             leader ({elect:?}), + deciding {decide:?} + shifting {shift:?} + TTL {ttl:?} + verifying {verify:?} = {:?}",
            self.total()
        )
    }
}

/// The predicted recovery time of a service.
#[must_use]
pub fn predict(service: &Service, timings: &Timings) -> Prediction {
    let health = &service.health;
    let failures = health.window.failures;
    Prediction {
        interval: health.interval,
        failures,
        timeout: health.timeout,
        // The fault comes just after a good sample; the last bad sample that is needed starts `failures` intervals later.
        detect: health.interval * failures + health.timeout,
        elect: timings.leader_ttl + timings.leader_ttl / 3,
        decide: timings.decide,
        shift: timings.shift,
        ttl: service.ttl,
        verify: health.timeout,
    }
}
