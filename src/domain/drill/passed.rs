//! How fresh drills are: which passed last, by service and by the region that it left.

use std::{collections::BTreeMap, time::Duration};

use super::{DrillRun, DrilledState};
use crate::domain::{RegionName, RunId, ServiceKey, Timestamp};

/// A live drill of a service that passed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passed {
    /// When it was over.
    pub at: Timestamp,
    /// Its run.
    pub run: RunId,
}

/// The last live drills that passed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastPassed {
    by_service: BTreeMap<ServiceKey, BTreeMap<RegionName, Passed>>,
}

impl LastPassed {
    /// Those among these runs.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a DrillRun>) -> Self {
        let mut last = Self::default();
        runs.into_iter().for_each(|run| last.take(run));
        last
    }

    /// Takes one more run in.
    pub fn take(&mut self, run: &DrillRun) {
        let passed = run.live && run.verdict.is_some_and(|(verdict, _)| verdict.is_passed());
        let Some(at) = run.ended_at.filter(|_| passed) else { return };
        for drilled in run.services.iter().filter(|drilled| drilled.state == DrilledState::Back) {
            let known = self.by_service.entry(drilled.service.clone()).or_default();
            if known.get(&drilled.leaves).is_none_or(|passed| passed.at <= at) {
                known.insert(drilled.leaves.clone(), Passed { at, run: run.id.clone() });
            }
        }
    }

    /// Those of one service, by the region that it left.
    pub fn of_service(&self, service: &ServiceKey) -> impl Iterator<Item = (&RegionName, &Passed)> {
        self.by_service.get(service).into_iter().flatten()
    }

    /// The one of a service away from a region.
    #[must_use]
    pub fn away_from(&self, service: &ServiceKey, region: &RegionName) -> Option<&Passed> {
        self.by_service.get(service)?.get(region)
    }

    /// When the last one of a service was over, whichever way it went: each goes there and back.
    #[must_use]
    pub fn last(&self, service: &ServiceKey) -> Option<Timestamp> {
        self.of_service(service).map(|(_, passed)| passed.at).max()
    }

    /// Whether a run is the last that passed for one of its services. Without it, that service would look less fresh than
    /// it is.
    #[must_use]
    pub fn rest_on(&self, run: &DrillRun) -> bool {
        let rests = |passed: Option<&Passed>| passed.is_some_and(|passed| passed.run == run.id);
        run.services.iter().any(|drilled| rests(self.away_from(&drilled.service, &drilled.leaves)))
    }
}

/// Whether the last drill that passed is young enough. One that never was is not.
#[must_use]
pub fn is_fresh(last: Option<Timestamp>, limit: Duration, now: Timestamp) -> bool {
    last.is_some_and(|last| now.since(last) <= limit)
}
