//! How long to wait before the next try. The one place that uses the `backoff` crate, which is no longer maintained:
//! `deny.toml` says why it is here and what would replace it.

use std::time::Duration;

use backoff::{ExponentialBackoffBuilder, backoff::Backoff as _};

use crate::domain::StepResult;

/// First wait: shorter than any client's patience.
const FIRST: Duration = Duration::from_millis(250);

/// Longest wait: a person who has repaired something sees within this time that it works.
const LONGEST: Duration = Duration::from_secs(15);

/// The wait after a number of failed tries: doubles from 250 ms to 15 s. Eight tries take some 45 s.
#[must_use]
pub fn delay(failed_tries: u32) -> Duration {
    let mut backoff = ExponentialBackoffBuilder::new()
        .with_initial_interval(FIRST)
        .with_max_interval(LONGEST)
        .with_multiplier(2.0)
        // No randomness: the passes of different services are spread already, and a simulated run must be repeatable.
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build();
    // After ten doublings the longest wait is reached, so no more are computed.
    let waits = (0..failed_tries.clamp(1, 10)).map(|_| backoff.next_backoff().unwrap_or(LONGEST));
    waits.last().unwrap_or(FIRST)
}

/// How long to wait after a try of a step that did not get the run further.
#[must_use]
pub fn after(result: &StepResult, attempts: u32) -> Option<Duration> {
    match result {
        StepResult::Done(_) | StepResult::Superseded(_) => None,
        StepResult::NotYet(_, left) => Some(*left),
        StepResult::Failed(_) => Some(delay(attempts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_below_the_longest() {
        let waits: Vec<u128> = (1..=9).map(|tries| delay(tries).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        assert_eq!(delay(0), FIRST);
        assert_eq!(delay(u32::MAX), LONGEST);
    }
}
