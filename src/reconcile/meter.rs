//! What the passes and the vantage tell Prometheus.

use std::time::Duration;

use super::vantage::{Skipped, VantageObserver};
use crate::{
    domain::{Action, Outcome, RegionName, ServiceKey, StepResult, Verdict},
    observability::{self, DecisionOutcome, Metrics, SkipReason},
};

impl VantageObserver for Metrics {
    fn sample(
        &self,
        service: &ServiceKey,
        region: &RegionName,
        check: &str,
        outcome: Outcome,
        latency: Duration,
    ) {
        self.count_sample(service, region, check, outcome, latency);
    }

    fn skipped(&self, reason: Skipped) {
        self.count_skipped_sample(match reason {
            Skipped::Late => SkipReason::Late,
            Skipped::Busy => SkipReason::Busy,
            Skipped::Broken => SkipReason::Broken,
        });
    }

    fn verdict(&self, service: &ServiceKey, region: &RegionName, verdict: Verdict) {
        self.set_verdict(service, region, verdict);
    }
}

/// The label of a decision.
pub(super) const fn decision(action: &Action) -> DecisionOutcome {
    match action {
        Action::Hold => DecisionOutcome::Hold,
        Action::Recommend(_) => DecisionOutcome::Recommend,
        Action::Start(_) => DecisionOutcome::Start,
    }
}

/// The label of a step's result.
pub(super) const fn step(result: &StepResult) -> observability::StepResult {
    match result {
        StepResult::Done(_) => observability::StepResult::Done,
        StepResult::NotYet(..) => observability::StepResult::NotYet,
        StepResult::Failed(_) => observability::StepResult::Failed,
        StepResult::Superseded(_) => observability::StepResult::Superseded,
    }
}
