//! The unplanned moves that the ledger holds, by the region that they lead away from, so that a budget is counted without
//! looking at every run of every service.

use std::collections::BTreeMap;

use crate::domain::{RegionName, Run, RunId, ServiceKey, Timestamp};

/// Unplanned moves by region and run.
#[derive(Default)]
pub struct Moves {
    away: BTreeMap<RegionName, BTreeMap<(ServiceKey, RunId), MoveAway>>,
}

/// One unplanned move away from a region.
#[derive(Clone, Copy, Debug)]
pub struct MoveAway {
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// It holds a place in the evacuation budget.
    pub evacuating: bool,
}

impl Moves {
    /// Takes in what a run is now.
    pub fn note(&mut self, run: &Run) {
        if !run.plan.change.trigger.is_unplanned() {
            return;
        }
        let noted = MoveAway { decided: run.times.decided, evacuating: run.is_evacuating() };
        for region in run.plan.change.leaving() {
            let moves = self.away.entry(region.clone()).or_default();
            moves.insert((run.service.clone(), run.id.clone()), noted);
        }
    }

    /// The run is gone from the ledger.
    pub fn forget(&mut self, service: &ServiceKey, id: &RunId) {
        let key = (service.clone(), id.clone());
        for moves in self.away.values_mut() {
            moves.remove(&key);
        }
    }

    /// The moves away from a region.
    pub fn away_from(&self, region: &RegionName) -> impl Iterator<Item = (&ServiceKey, &MoveAway)> {
        self.away.get(region).into_iter().flatten().map(|((service, _), noted)| (service, noted))
    }
}
