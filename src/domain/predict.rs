//! How long a move will take, with the arithmetic.

use std::{fmt, time::Duration};

use super::Service;

/// From the end of a gate's lease to the next gate's: the leader looks each 200 ms, the gate each 500 ms.
const AFTER_LEASE: Duration = Duration::from_secs(1);

/// How long the parts of a move take that are not in the spec: measured by earlier runs, or the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timings {
    /// Lease of the leader: after its loss, another one decides after at most this.
    pub leader_ttl: Duration,
    /// Samples of which the slowest vantage takes one now: 1, 2 or 4, more than 1 where it cannot keep up.
    pub stride: u32,
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
            stride: 1,
            decide: Duration::from_secs(1),
            shift: Duration::from_secs(1),
        }
    }
}

/// A predicted recovery time and its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Between the samples that are taken.
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
    /// From the fault to the end of the lease of the writer's gate: it was renewed last before the fault. Runs in parallel
    /// with detecting and deciding; zero without a gate.
    pub fence: Duration,
    /// From the decision until the writer's workload has stopped, at most; zero without one.
    pub stop: Duration,
    /// Until one has started elsewhere, at most.
    pub start: Duration,
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
        (self.detect.max(self.elect) + self.decide).max(self.fence) + self.after_fence()
    }

    /// Of a move that somebody wants while all is well: a gate gives its lease back in the time of a call.
    #[must_use]
    pub fn planned(&self) -> Duration {
        self.decide + self.after_fence()
    }

    fn after_fence(&self) -> Duration {
        self.stop + self.start + self.shift + self.ttl + self.verify
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interval,
            failures,
            timeout,
            detect,
            elect,
            decide,
            fence,
            stop,
            start,
            shift,
            ttl,
            verify,
        } = self;
        write!(
            f,
            "the larger of detecting ({failures} × {interval:?} + {timeout:?} = {detect:?}) and replacing a lost \
             leader ({elect:?}), + deciding {decide:?}"
        )?;
        if !fence.is_zero() {
            write!(f, ", or the gate's lease ({fence:?}) if that is longer,")?;
        }
        if !stop.is_zero() {
            write!(f, " + stopping the workload {stop:?} + starting it {start:?}")?;
        }
        write!(f, " + shifting {shift:?} + TTL {ttl:?} + verifying {verify:?} = {:?}", self.total())
    }
}

/// The predicted recovery time of a service.
#[must_use]
pub fn predict(service: &Service, timings: &Timings) -> Prediction {
    let health = &service.health;
    let failures = health.window.failures;
    let interval = health.interval * timings.stride;
    Prediction {
        interval,
        failures,
        timeout: health.timeout,
        // The fault comes just after a good sample; the last bad sample that is needed starts `failures` intervals later.
        detect: interval * failures + health.timeout,
        elect: timings.leader_ttl + timings.leader_ttl / 3,
        decide: timings.decide,
        fence: service.gate().map_or(Duration::ZERO, |gate| gate.lease_ttl + AFTER_LEASE),
        stop: service.workload().map_or(Duration::ZERO, |workload| workload.stop_within),
        start: service.workload().map_or(Duration::ZERO, |workload| workload.start_within),
        shift: timings.shift,
        ttl: service.ttl,
        verify: health.timeout,
    }
}
