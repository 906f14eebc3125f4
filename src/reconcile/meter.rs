//! What the passes and the vantage tell Prometheus.

use std::time::Duration;

use super::vantage::{Skipped, VantageObserver};
use crate::{
    domain::{Action, RegionName, ServiceKey, StepResult, Stretch, Verdict},
    observability::{self, DecisionOutcome, Metrics, SkipReason},
    ports::Reading,
};

impl VantageObserver for Metrics {
    fn sample(&self, service: &ServiceKey, region: &RegionName, check: &str, reading: &Reading) {
        self.count_sample(service, region, check, reading.outcome, reading.latency);
        reading.stages.iter().for_each(|(stage, took)| self.add_stage_time(region, stage, took));
    }

    fn lag(&self, lag: Duration) {
        self.observe_probe_lag(lag);
    }

    fn skipped(&self, reason: Skipped) {
        self.count_skipped_sample(match reason {
            Skipped::Late => SkipReason::Late,
            Skipped::Busy => SkipReason::Busy,
            Skipped::Broken => SkipReason::Broken,
            Skipped::Stretched => SkipReason::Stretched,
        });
    }

    fn stretched(&self, stretch: Stretch) {
        self.set_probe_stride(stretch);
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
